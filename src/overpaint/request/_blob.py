"""Rasters in a request: identified by the digest of their pixels, and included as a run-length code when small.

The code is "o2:" and base64 of zlib of the runs of equal pixels in row-major order: their lengths as four planes of
bytes (the lowest byte of every length, then the next ...), which compress well, and then the pixel of each run,
`channels` bytes. No size is trusted before the lengths are seen to add up to width x height.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, model_validator

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

_PREFIX = "o2:"


class Blob(Value):
    """A raster by the SHA-256 of its bytes: row-major, channels interleaved, 16-bit samples low byte first.

    `channels` is 1 for a mask, 4 for a sketch (RGBA, not premultiplied), 3 or 4 for a
    picture to put in (RGB, RGBA), 1 to 5 for a picture's samples and alpha.
    """

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the raster's bytes, hexadecimal")]
    width: Annotated[int, Field(ge=1, le=1 << 20, description="pixels across")]
    height: Annotated[int, Field(ge=1, le=1 << 20, description="pixels down")]
    channels: Annotated[int, Field(ge=1, le=5, description="samples a pixel")] = 1
    depth: Annotated[int, Field(ge=8, le=16, multiple_of=8, description="bits a sample: 8 or 16")] = 8
    data: Annotated[
        str | None,
        Field(max_length=INLINE_LIMIT, repr=False, description="the raster itself as a run-length code, when small"),
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _no_path(cls, given: Any) -> Any:
        if isinstance(given, str):
            raise RequestError(
                f"must be a raster by its digest, with its run-length code where it is small, not the file {given!r}: "
                "a request holds no paths"
            )
        return given

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return Size(self.width, self.height)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array: (H, W) for one channel, (H, W, C) for more."""
        return (self.height, self.width) if self.channels == 1 else (self.height, self.width, self.channels)


def eight_bit(*channels: int) -> AfterValidator:
    """The check of a field that its raster has 8 bits and one of these numbers of channels."""

    def checked(blob: Blob | None) -> Blob | None:
        if blob is not None and (blob.depth != 8 or blob.channels not in channels):
            names = " or ".join(map(str, channels))
            raise RequestError(f"must have depth 8 and channels {names}, not {blob.depth} and {blob.channels}")
        return blob

    return AfterValidator(checked)


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


def blob_array(
    blob: Blob, inputs: Mapping[str, NDArray[Any]] | None = None, *, what: str = "raster", field: str = ""
) -> NDArray[Any]:
    """The raster of a blob, (H, W) for one channel and (H, W, C) for more, from `inputs` (by digest) or its own code.

    Args:
        blob: The blob.
        inputs: Rasters by the digest of their bytes.
        what: What the raster is to people, for the error where it is missing.
        field: The field of the request that names it, which is that error's field and value.

    Raises:
        RequestError: It is neither in `inputs` nor inline, or differs from the blob in size, depth or digest.
    """
    import numpy as np

    raster = (inputs or {}).get(blob.sha256)
    if raster is None:
        if blob.data is None:
            raise RequestError(
                f"the {blob.size} {what} ({blob.sha256[:12]}...) is neither inline nor among the inputs",
                code="raster-missing",
                field=field,
                value=field or None,
                hint="give it with the request",
            )
        raster = _decode(blob, blob.data)
    raster = np.asarray(raster)
    if raster.shape not in (blob.shape, (*blob.shape, 1)):
        raise RequestError(f"the input {blob.sha256[:12]}... has the shape {raster.shape}, not {blob.shape}")
    if raster.dtype != f"uint{blob.depth}":
        raise RequestError(f"the input {blob.sha256[:12]}... is {raster.dtype}, not {blob.depth}-bit")
    digest = hashlib.sha256(raster_bytes(raster)).hexdigest()
    if digest != blob.sha256:
        raise RequestError(
            f"a {blob.size} raster has the digest {digest[:12]}..., not {blob.sha256[:12]}... as the request says"
        )
    return raster.reshape(blob.shape)


def raster_tables(value: Any) -> Iterator[dict[str, Any]]:
    """The table of every raster among the JSON values of a request or record; an engine's own options have none."""
    match value:
        case {"sha256": str(), "channels": _}:
            yield value
        case dict():
            for name, inner in value.items():
                yield from raster_tables(inner) if name != "options" else ()
        case list():
            for inner in value:
                yield from raster_tables(inner)


def without_codes(value: dict[str, Any]) -> dict[str, Any]:
    """The same values, whose rasters lose their inline codes: digests identify them, and zlib's output may vary."""
    for raster in raster_tables(value):
        raster.pop("data", None)
    return value


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
    lengths = np.diff(starts, append=flat.shape[0]).astype("<u4")
    payload = lengths.view(np.uint8).reshape(-1, 4).T.tobytes() + flat[starts].tobytes()
    text = _PREFIX + base64.b64encode(zlib.compress(payload, 9)).decode("ascii")
    return text if len(text) <= INLINE_LIMIT else None


def _decode(blob: Blob, text: str) -> NDArray[np.uint8]:
    """The raster of the inline code."""
    import numpy as np

    area = blob.width * blob.height
    if blob.depth != 8 or not text.startswith(_PREFIX):
        raise RequestError(f"the inline raster {blob.sha256[:12]}... has an unknown code: {text[:12]!r}...")
    if area > PIXEL_LIMIT:
        raise RequestError(f"an inline raster may have {PIXEL_LIMIT} pixels at most, not {blob.size}")
    payload = np.frombuffer(_inflate(text.removeprefix(_PREFIX), most=(4 + blob.channels) * area + 1), np.uint8)
    count = payload.size // (4 + blob.channels)
    lengths = payload[: 4 * count].reshape(4, count).T.copy().view("<u4").ravel()
    values = payload[4 * count :]
    if values.size != count * blob.channels:
        raise _damaged(f"{values.size} bytes of values for {count} runs")
    if lengths.sum(dtype=np.int64) != area or (lengths == 0).any():
        raise _damaged(f"its runs do not add up to {blob.size}")
    raster: NDArray[np.uint8] = np.repeat(values.reshape(count, blob.channels), lengths, axis=0)
    return raster.reshape(blob.shape)


def _inflate(text: str, most: int) -> bytes:
    try:
        packed = base64.b64decode(text, validate=True)
        worker = zlib.decompressobj()
        payload = worker.decompress(packed, most)
    except (ValueError, binascii.Error, zlib.error) as error:
        raise _damaged(str(error)) from None
    if not worker.eof or worker.unused_data:
        raise _damaged("its code is cut short or longer than its size allows")
    return payload


def _damaged(why: str) -> RequestError:
    return RequestError(f"an inline raster is damaged: {why}")
