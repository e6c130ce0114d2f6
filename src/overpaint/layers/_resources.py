"""The image resources of a PSD file: colour profile, resolution, EXIF, XMP and IPTC (Adobe, "Image Resources")."""

from __future__ import annotations

from collections.abc import Iterator
from struct import pack

from overpaint.picture import Colour, Metadata, Picture
from overpaint.picture.colour import icc_of
from overpaint.picture.iptc import resources

_RESOLUTION, _IPTC, _COPYRIGHTED, _URL, _PROFILE, _VERSION, _EXIF, _XMP, _IPTC_DIGEST = (
    1005, 1028, 1034, 1035, 1039, 1057, 1058, 1060, 1061,
)  # fmt: skip
_PATHS = range(2000, 3000)
_KEPT = {_IPTC, _COPYRIGHTED, _URL, _IPTC_DIGEST, *_PATHS}
"""Of the original's resources: what tells of the picture, not of the layers that its file had."""


def image_resources(picture: Picture, metadata: Metadata) -> bytes:
    """The resources for a picture with these metadata."""
    found = dict(_own(picture, metadata))
    kept = ((number, raw) for number, raw in resources(metadata.iptc or b"") if number in _KEPT)
    coded = {number: _resource(number, data) for number, data in found.items()}
    return b"".join(raw for _, raw in sorted({**dict(kept), **coded}.items()))


def _own(picture: Picture, metadata: Metadata) -> Iterator[tuple[int, bytes]]:
    if metadata.dpi:
        across, down = (min(round(value * 65536), 0x7FFFFFFF) for value in metadata.dpi)
        yield _RESOLUTION, pack(">IHHIHH", across, 1, 1, down, 1, 1)  # in dots per inch
    if icc := icc_of(metadata, grey=picture.colour is Colour.GREY):
        yield _PROFILE, icc
    if metadata.exif:
        yield _EXIF, metadata.exif
    if metadata.xmp:
        yield _XMP, metadata.xmp
    # The merged result is a real one; written by and for Overpaint.
    name = pack(">I", len("Overpaint")) + "Overpaint".encode("utf-16-be")
    yield _VERSION, pack(">IB", 1, 1) + name + name + pack(">I", 1)


def _resource(number: int, data: bytes) -> bytes:
    return pack(">4sH2xI", b"8BIM", number, len(data)) + data + bytes(len(data) % 2)


def left_out(metadata: Metadata) -> tuple[str, ...]:
    """Notes on metadata that PSD has no place for."""
    if not metadata.text:
        return ()
    return (f"text left out: {', '.join(sorted(metadata.text))}; PSD has no place for it",)
