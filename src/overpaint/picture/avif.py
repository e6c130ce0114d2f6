"""Reading and writing AVIF (AV1 Image File Format 1.1) and, with the extra `heif`, HEIC.

8 bits are decoded by Pillow, 10 and 12 by OpenCV (both libavif), which are widened to 16 so that they can be written
back exactly. OpenCV writes AVIF without loss (identity matrix, 4:4:4, quality 100); Pillow can't.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from overpaint.errors import MissingExtraError, OutputError

from . import bmff
from ._picture import Metadata, Picture
from .code_points import CodePoints
from .decoded import animated, by_opencv, of_image, split, stored_picture, widened
from .limits import PictureLimits
from .pil import to_8

_SPEED = 8  # of 10; slower ones save a few percent of a lossless file and take more than twice as long


def read(data: bytes, limits: PictureLimits) -> Picture:
    """An AVIF file. Sequences are refused: an edit would lose all frames but one."""
    contents = bmff.read(data, limits)
    from PIL.AvifImagePlugin import AvifImageFile

    image = AvifImageFile(io.BytesIO(data))
    limits.check_pixels(*image.size)
    if getattr(image, "n_frames", 1) > 1:
        raise animated("AVIF")
    if contents.depth <= 8:
        image.load()
        pixels = of_image(image)
    else:
        pixels = split(by_opencv(bmff.meta_first(data), contents.depth))
    return _stored(pixels, image.info, contents, orientation=None)  # Pillow writes irot and imir into EXIF


def read_heif(data: bytes, limits: PictureLimits) -> Picture:
    """A HEIC or HEIF file: its primary picture. MissingExtraError without pillow-heif."""
    heif = _pillow_heif("reading HEIC and HEIF files")
    contents = bmff.read(data, limits)
    image = heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False)
    pixels = split(np.array(np.asarray(image)))
    return _stored(pixels, image.info, contents, orientation=1)  # libheif has turned the pixels


def _pillow_heif(what: str) -> Any:
    try:
        import pillow_heif
    except ImportError as error:
        raise MissingExtraError.of(what, "heif") from error
    return pillow_heif


def _stored(pixels: Picture, info: Mapping[Any, Any], contents: bmff.BoxContents, orientation: int | None) -> Picture:
    icc, mode = info.get("icc_profile"), pixels.mode_at(contents.depth)
    found = Metadata(icc, None if icc else contents.code_points, info.get("exif"), info.get("xmp"))
    return stored_picture(pixels, mode, found, lossless=False, orientation=orientation)


def write(picture: Picture, quality: int | None) -> tuple[bytes, bool, int]:
    """The picture as AVIF: the bytes, whether they decode to exactly the picture, and their bits a sample.

    8 bits without a quality are exact. 16 bits become 12, or as many as the original AVIF file had; that is exact only
    where the values came from so many bits.
    """
    import cv2

    depth = _depth_for(picture)
    whole = picture.interleaved(rgb=picture.alpha is not None)
    if whole.shape[2] > 1:
        whole = cv2.cvtColor(whole, cv2.COLOR_RGB2BGR if picture.alpha is None else cv2.COLOR_RGBA2BGRA)
    values = whole if depth == 8 else np.rint(whole * ((2**depth - 1) / 65535)).astype(np.uint16)
    metadata = picture.metadata
    blocks = {
        cv2.IMAGE_METADATA_ICCP: metadata.icc,
        cv2.IMAGE_METADATA_EXIF: metadata.exif,
        cv2.IMAGE_METADATA_XMP: metadata.xmp,
    }
    arrays = {kind: np.frombuffer(block, np.uint8) for kind, block in blocks.items() if block}
    settings = [cv2.IMWRITE_AVIF_QUALITY, 100 if quality is None else quality]
    settings += [cv2.IMWRITE_AVIF_DEPTH, depth, cv2.IMWRITE_AVIF_SPEED, _SPEED]
    done, data = cv2.imencodeWithMetadata(".avif", values, list(arrays), list(arrays.values()), settings)
    if not done:
        raise OutputError(f"the AVIF encoder failed on a picture of {picture.size}")
    exact = (quality is None or quality == 100) and (depth == 8 or np.array_equal(widened(values, depth), whole))
    return _with_code_points(data.tobytes(), metadata.code_points), exact, depth


def _with_code_points(data: bytes, points: CodePoints | None) -> bytes:
    """The file with primaries and transfer in its nclx box, which OpenCV can't set; the matrix stays the encoder's.

    Readers prefer the box to the AV1 stream (AVIF 1.1, 2.2.1).
    """
    at = data.find(b"colrnclx")
    if points is None or at < 0:
        return data
    return data[: at + 8] + struct.pack(">2H", points.primaries, points.transfer) + data[at + 12 :]


def _depth_for(picture: Picture) -> int:
    if picture.depth == 8:
        return 8
    if picture.source.format == "avif" and picture.source.data is not None:
        return max(10, bmff.read(picture.source.data, PictureLimits(pixels=2**64)).depth)
    return 12


def write_heif(picture: Picture, quality: int | None) -> bytes:
    """The picture as HEIC of 8 bits, 4:4:4; always lossy. MissingExtraError without pillow-heif."""
    heif = _pillow_heif("writing HEIC files")
    values = np.ascontiguousarray(to_8(picture.interleaved(rgb=True)))
    mode = "RGB" if picture.alpha is None else "RGBA"
    image = heif.from_bytes(mode, tuple(picture.size), values.tobytes())
    out = io.BytesIO()
    metadata = picture.metadata
    codes: dict[str, int] = {}
    if metadata.icc:
        image.info.update(icc_profile=metadata.icc, icc_profile_type="prof")
    elif points := metadata.code_points:
        codes = {"color_primaries": points.primaries, "transfer_characteristics": points.transfer}
        codes |= {"matrix_coefficients": 6, "full_range_flag": 1}
    quality = 95 if quality is None else quality
    image.save(out, quality=quality, chroma=444, exif=metadata.exif, xmp=metadata.xmp, **codes)
    return out.getvalue()
