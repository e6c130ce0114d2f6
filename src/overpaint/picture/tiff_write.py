"""Writing TIFF: Deflate with horizontal differences, by tifffile; EXIF and GPS directories put in afterwards."""

from __future__ import annotations

import io

import numpy as np

from . import exif as exif_blocks
from ._picture import Colour, Picture
from .ifd import MalformedIFD, TagBlock
from .tiff import PHOTOSHOP, XMP

_LEVEL = 4  # of Deflate; 6 takes twice as long for two percent
_KINDS = {Colour.GREY: "minisblack", Colour.RGB: "rgb", Colour.CMYK: "separated"}


def write(picture: Picture) -> bytes:
    """The picture as TIFF, exact: 8 or 16 bits of grey, RGB or CMYK, alpha unassociated."""
    import tifffile

    metadata = picture.metadata
    planes = [picture.samples] if picture.alpha is None else [picture.samples, picture.alpha[..., np.newaxis]]
    values = np.concatenate(planes, axis=2) if len(planes) > 1 else picture.samples
    tags = [(tag, 1 if tag == XMP else 7, len(raw), raw, True) for tag, raw in _raw_tags(picture) if raw]
    resolution = {"resolution": metadata.dpi, "resolutionunit": 2} if metadata.dpi else {}
    out = io.BytesIO()
    tifffile.imwrite(
        out,
        values if values.shape[2] > 1 else values[..., 0],
        photometric=_KINDS[picture.colour],
        planarconfig="contig" if values.shape[2] > 1 else None,
        extrasamples=["unassalpha"] if picture.alpha is not None else None,
        compression="zlib",
        compressionargs={"level": _LEVEL},
        predictor=True,
        byteorder=_byte_order(metadata.exif),
        iccprofile=metadata.icc,
        extratags=tags,
        metadata=None,
        software=False,
        **resolution,
    )
    return exif_blocks.grafted(out.getvalue(), metadata.exif)


def _raw_tags(picture: Picture) -> tuple[tuple[int, bytes | None], ...]:
    return (XMP, picture.metadata.xmp), (PHOTOSHOP, picture.metadata.iptc)


def _byte_order(exif: bytes | None) -> str:
    """The order of the EXIF block, so that its values can be copied as they are."""
    try:
        return TagBlock(exif or b"").order
    except MalformedIFD:
        return "<"
