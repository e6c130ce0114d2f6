"""Writing TIFF: Deflate with horizontal differences, by tifffile; EXIF and GPS directories are added afterwards."""

from __future__ import annotations

import io

from . import exif as exif_blocks
from ._picture import Colour, Picture
from .tiff import PHOTOSHOP, XMP

_LEVEL = 4  # of Deflate; 6 takes twice as long for two percent
_KINDS = {Colour.GREY: "minisblack", Colour.RGB: "rgb", Colour.CMYK: "separated"}


def write(picture: Picture) -> bytes:
    """The picture as TIFF, exact: 8 or 16 bits of grey, RGB or CMYK, alpha unassociated."""
    import tifffile

    metadata = picture.metadata
    values = picture.interleaved()
    raw = ((XMP, 1, metadata.xmp), (PHOTOSHOP, 7, metadata.iptc))
    tags = [(tag, kind, len(value), value, True) for tag, kind, value in raw if value]
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
        byteorder=">"
        if (metadata.exif or b"").startswith(b"MM")
        else "<",  # so that its values can be copied as they are
        iccprofile=metadata.icc,
        extratags=tags,
        metadata=None,
        software=False,
        **resolution,
    )
    return exif_blocks.grafted(out.getvalue(), metadata.exif)
