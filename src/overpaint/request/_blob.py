"""Rasters in a request: identified by the digest of their pixels, and included as a run-length code when small.

The code ("o1:" and base64 of zlib) packs, in row-major order of whole pixels:

    varint n            number of runs
    n varints           their lengths
    n pixels            their values, `channels` bytes each; left out for a bilevel raster, whose runs alternate
                        between 0 and 255, beginning with 0 (the first run may be empty)

Varints are LEB128: seven bits a byte, the lowest first, the high bit set on all but the last. As in COCO's counts a
bilevel mask costs a byte or two a run; no size is trusted before the runs are seen to add up to width x height.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from overpaint.errors import RequestError
from overpaint.geometry import Size
from overpaint.values import Value

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from overpaint.picture import Picture

INLINE_LIMIT = 64 * 1024
"""Most characters of an inline code; a raster that needs more is given beside the request."""

PIXEL_LIMIT = 1 << 28
"""Most pixels of an inline raster (16384 x 16384)."""

_PREFIX = "o1:"
_PREFIX_BILEVEL = "o1b:"


class Blob(Value):
    """A raster by the SHA-256 of its bytes: row-major, channels interleaved, 16-bit samples low byte first.

    `channels` is 1 for a mask, 4 for a sketch (RGBA, not premultiplied), 1 to 5 for a picture's samples and alpha.
    """

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the raster's bytes, hexadecimal")]
    width: Annotated[int, Field(ge=1, le=1 << 20, description="pixels across")]
    height: Annotated[int, Field(ge=1, le=1 << 20, description="pixels down")]
    channels: Annotated[int, Field(ge=1, le=5, description="samples a pixel")] = 1
    depth: Annotated[int, Field(ge=8, le=16, multiple_of=8, description="bits a sample: 8 or 16")] = 8
    data: Annotated[
        str | None, Field(max_length=INLINE_LIMIT, description="the raster itself as a run-length code, when small")
    ] = None

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return Size(self.width, self.height)


def blob_of(raster: NDArray[Any], *, inline: bool = True) -> Blob:
    """The blob of a raster of shape (H, W) or (H, W, C), uint8 or uint16; inline where it is 8-bit and its code short.

    Raises:
        RequestError: Another dtype or shape.
    """
    import numpy as np

    if raster.dtype not in (np.uint8, np.uint16) or raster.ndim not in (2, 3) or raster.size == 0:
        raise RequestError(f"a raster must be uint8 or uint16 (H, W) or (H, W, C), not {raster.dtype} {raster.shape}")
    channels = 1 if raster.ndim == 2 else raster.shape[2]
    body = raster_bytes(raster)
    return Blob(
        sha256=hashlib.sha256(body).hexdigest(),
        width=raster.shape[1],
        height=raster.shape[0],
        channels=channels,
        depth=8 * raster.dtype.itemsize,
        data=_encode(raster.view(np.uint8)) if inline and raster.dtype == np.uint8 else None,
    )


def picture_blob(picture: Picture) -> Blob:
    """The blob of a picture's pixels: its samples, and its alpha where there is one. Never inline."""
    return blob_of(picture.interleaved(), inline=False)


def raster_bytes(raster: NDArray[Any]) -> bytes:
    """The bytes of which a blob has the digest."""
    import numpy as np

    return np.ascontiguousarray(raster, dtype=raster.dtype.newbyteorder("<")).tobytes()


def blob_array(blob: Blob, inputs: Mapping[str, NDArray[Any]] | None = None) -> NDArray[Any]:
    """The raster of a blob, (H, W) for one channel and (H, W, C) for more, from `inputs` (by digest) or its own code.

    Raises:
        RequestError: It is neither in `inputs` nor inline, or differs from the blob in size, depth or digest.
    """
    import numpy as np

    raster = (inputs or {}).get(blob.sha256)
    if raster is None:
        if blob.data is None:
            raise RequestError(
                f"the {blob.size} raster {blob.sha256[:12]}... is neither inline nor among the inputs: "
                "give it with the request",
                code="raster-missing",
            )
        return _decode(blob)
    shape = (blob.height, blob.width) if blob.channels == 1 else (blob.height, blob.width, blob.channels)
    raster = np.asarray(raster)
    if raster.shape != shape and raster.shape != (*shape, 1):
        raise RequestError(f"the input {blob.sha256[:12]}... has the shape {raster.shape}, not {shape}")
    if raster.dtype != (np.uint8 if blob.depth == 8 else np.uint16):
        raise RequestError(f"the input {blob.sha256[:12]}... is {raster.dtype}, not {blob.depth}-bit")
    raster = raster.reshape(shape)
    _check_digest(blob, raster_bytes(raster))
    return raster


def _encode(raster: NDArray[np.uint8]) -> str | None:
    """The inline code, or None when it is longer than INLINE_LIMIT."""
    import numpy as np

    height, width = raster.shape[:2]
    if height * width > PIXEL_LIMIT:
        return None
    flat = raster.reshape(height * width, -1)
    changes = np.flatnonzero((flat[1:] != flat[:-1]).any(axis=1)) + 1
    if changes.size > 40 * INLINE_LIMIT:  # at least a byte for each run, which zlib rarely reduces below 1:40
        return None
    starts = np.concatenate([[0], changes])
    runs = np.diff(starts, append=flat.shape[0])
    values = flat[starts]
    if raster.ndim == 2 and np.isin(values, (0, 255)).all():
        if values[0, 0] != 0:
            runs = np.concatenate([[0], runs])
        prefix, payload = _PREFIX_BILEVEL, _varints(np.concatenate([[runs.size], runs]))
    else:
        prefix, payload = _PREFIX, _varints(np.concatenate([[runs.size], runs])) + values.tobytes()
    text = prefix + base64.b64encode(zlib.compress(payload, 9)).decode("ascii")
    return text if len(text) <= INLINE_LIMIT else None


def _decode(blob: Blob) -> NDArray[np.uint8]:
    import numpy as np

    area, text = blob.width * blob.height, blob.data or ""
    bilevel = text.startswith(_PREFIX_BILEVEL)
    if blob.depth != 8 or (bilevel and blob.channels != 1) or not text.startswith((_PREFIX, _PREFIX_BILEVEL)):
        raise RequestError(f"the inline raster {blob.sha256[:12]}... has an unknown code: {text[:12]!r}...")
    if area > PIXEL_LIMIT:
        raise RequestError(f"an inline raster may have {PIXEL_LIMIT} pixels at most, not {blob.size}")
    channels = 0 if bilevel else blob.channels
    payload = _inflate(text.partition(":")[2], most=(channels + 1) * (area + 1) + 10)
    runs, rest = _read_runs(payload, blob, area)
    if bilevel:
        values = np.zeros((runs.size, 1), np.uint8)
        values[1::2] = 255
    if len(rest) != runs.size * channels:
        raise _broken(blob, f"{len(rest)} bytes of values for {runs.size} runs")
    if not bilevel:
        values = np.frombuffer(rest, np.uint8).reshape(runs.size, channels)
    raster: NDArray[np.uint8] = np.repeat(values, runs, axis=0)
    _check_digest(blob, raster.tobytes())
    shape = (blob.height, blob.width) if blob.channels == 1 else (blob.height, blob.width, blob.channels)
    return raster.reshape(shape)


def _inflate(text: str, most: int) -> bytes:
    try:
        packed = base64.b64decode(text, validate=True)
        worker = zlib.decompressobj()
        payload = worker.decompress(packed, most)
    except (ValueError, binascii.Error, zlib.error) as error:
        raise RequestError(f"an inline raster is damaged: {error}") from None
    if not worker.eof or worker.unused_data:
        raise RequestError("an inline raster is damaged: its code is cut short or longer than its size allows")
    return payload


def _read_runs(payload: bytes, blob: Blob, area: int) -> tuple[NDArray[np.int64], bytes]:
    """The lengths of the runs, which add up to `area`, and the bytes after them."""
    first, start = _parse_varints(payload, 1)
    count = int(first[0]) if first.size else 0
    if not 0 < count <= area + 1:
        raise _broken(blob, f"{count} runs for {area} pixels")
    lengths, used = _parse_varints(payload[start:], count)
    if lengths.size != count or int(lengths.sum()) != area or (lengths[1:] == 0).any():
        raise _broken(blob, f"its runs do not add up to {blob.size}")
    return lengths, payload[start + used :]


def _varints(numbers: NDArray[np.int64]) -> bytes:
    """LEB128 codes of numbers below 2**35, one after the other."""
    import numpy as np

    groups = (numbers[:, None] >> (7 * np.arange(5))) & 0x7F
    lengths = np.maximum(1, 5 - (groups[:, ::-1] != 0).argmax(axis=1))
    lengths[numbers == 0] = 1
    place = np.arange(5)
    coded = (groups | np.where(place < lengths[:, None] - 1, 0x80, 0)).astype(np.uint8)
    packed: bytes = coded[place < lengths[:, None]].tobytes()
    return packed


def _parse_varints(data: bytes, count: int) -> tuple[NDArray[np.int64], int]:
    """The first `count` numbers (fewer when the data end, none when one is too long) and the bytes they take."""
    import numpy as np

    octets = np.frombuffer(data, np.uint8)[: 5 * count]
    ends = np.flatnonzero(octets < 0x80)[:count]
    if ends.size == 0:
        return np.zeros(0, np.int64), 0
    octets = octets[: ends[-1] + 1]
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends + 1 - starts
    if lengths.max() > 5:
        return np.zeros(0, np.int64), 0
    place = np.arange(octets.size) - np.repeat(starts, lengths)
    parts = (octets & 0x7F).astype(np.int64) << (7 * place)
    return np.add.reduceat(parts, starts), int(ends[-1]) + 1


def _check_digest(blob: Blob, body: bytes) -> None:
    found = hashlib.sha256(body).hexdigest()
    if found != blob.sha256:
        raise RequestError(
            f"a {blob.size} raster has the digest {found[:12]}..., not {blob.sha256[:12]}... as the request says"
        )


def _broken(blob: Blob, why: str) -> RequestError:
    return RequestError(f"the inline raster {blob.sha256[:12]}... is damaged: {why}")
