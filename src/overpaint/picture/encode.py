"""Encoding: a picture as the bytes of a file, with what the format can hold and notes on what it can't."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from dataclasses import replace
from functools import cache
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import FormatError, OutputError, UnknownFormatError, did_you_mean
from overpaint.geometry import Size

from . import avif, jpeg_write, png_write, tiff_write, webp
from . import icc as profiles
from ._picture import Annotate, Colour, EncodedPicture, Metadata, Picture
from .code_points import CodePoints
from .colour import icc_of, profile_name
from .decoded import COMMENT
from .pil import to_8

_EXTENSIONS = {  # of the formats that can be written; the first one is the usual one
    "png": (".png", ".apng"),
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "webp": (".webp",),
    "tiff": (".tif", ".tiff"),
    "avif": (".avif",),
    "heif": (".heic", ".heif", ".hif"),
}
_ONLY_READ = (".bmp", ".dib", ".gif", ".jp2", ".jpx", ".j2k", ".jpc")
READABLE_EXTENSIONS = frozenset(_ONLY_READ).union(*_EXTENSIONS.values())
"""The extensions, in lower case, of files that may be opened: those that a folder of pictures is searched for."""
_LARGEST = {"png": 2**31 - 1, "jpeg": 65500, "webp": 16383, "tiff": 2**31 - 1, "avif": 65536, "heif": 65536}


def formats() -> tuple[str, ...]:
    """The formats that can be written; "heif" only with the extra of that name."""
    names = ("png", "jpeg", "webp", "tiff", "avif")
    return (*names, "heif") if _writes_heif() else names


@cache  # a search in all folders of packages, for every row of a batch
def _writes_heif() -> bool:
    return importlib.util.find_spec("pillow_heif") is not None


def format_named(name: str) -> str:
    """The format of a name or extension: "jpg", ".JPEG" and "jpeg" are "jpeg". UnknownFormatError for others."""
    wanted = name.lower().lstrip(".")
    for known, extensions in _EXTENSIONS.items():
        if wanted == known or f".{wanted}" in extensions:
            return known
    raise UnknownFormatError(
        f"no format that can be written is called {name!r}{did_you_mean(wanted, _EXTENSIONS)}",
        field="format",
        value=name,
        hint=f"use {', '.join(formats())}",
    )


def format_of_path(path: str | os.PathLike[str]) -> str:
    """The format of a path's extension. UnknownFormatError when it has none, or another."""
    extension = PurePath(path).suffix
    if not extension:
        raise UnknownFormatError(
            f"{path} has no extension, so that its format is unknown",
            field="output",
            value=str(path),
            hint=f"use one of .{', .'.join(formats())}",
        )
    return format_named(extension)


def format_for_path(path: str | os.PathLike[str], wanted: str | None) -> str:
    """The format of a file: the wanted one, else that of the path's extension.

    Raises:
        UnknownFormatError: There is no such format, or none is wanted and the extension names none.
        FormatError: The extension is that of another format than the wanted one.
    """
    if wanted is None:
        return format_of_path(path)
    format, own = format_named(wanted), None
    with contextlib.suppress(UnknownFormatError):
        own = format_of_path(path)
    if own not in (None, format):
        raise FormatError(
            f"{{field}} {wanted}: the name {PurePath(path).name} says {own}",
            field="format",
            value=wanted,
            hint="leave one of them out, or let them agree",
        )
    return format


def format_of_result(own: str | None, wanted: str | None = None, *, alpha: bool = False) -> str:
    """The format of a result: the wanted one, else that of its picture where it can be written, else PNG.

    Args:
        own: The picture's format.
        wanted: The wanted one.
        alpha: Whether the result has transparency, which a JPEG can't hold.

    Raises:
        UnknownFormatError: There is no such format.
    """
    if wanted is not None:
        return format_named(wanted)
    kept = own is not None and own in formats() and own != "heif" and not (alpha and own == "jpeg")
    return own if own is not None and kept else "png"


def extension_for(format: str, source: PurePath) -> str:
    """The extension of a result with its dot: as its picture has it where that says the format, else the usual one."""
    with contextlib.suppress(UnknownFormatError):
        if format_of_path(source) == format:
            return source.suffix
    return _EXTENSIONS[format][0]


def encode(
    picture: Picture,
    format: str,
    *,
    quality: int | None = None,
    touched: NDArray[np.bool_] | None = None,
    annotate: Annotate | None = None,
) -> EncodedPicture:
    """The picture in a format, with all metadata that the format can hold.

    PNG and TIFF are always exact. WebP and AVIF are exact unless a quality is given (AVIF of 16-bit pictures: see the
    notes of the result). JPEG keeps the untouched blocks, the tables and the sampling of a JPEG file that the picture
    came from; at another size it is re-encoded with these tables and sampling; otherwise, and when a quality is given,
    with that quality (95 and 4:4:4 by default).

    Args:
        picture: What to encode.
        format: One of `formats()`.
        quality: 1 to 100, for JPEG, WebP, AVIF and HEIF; None for the defaults above. PNG and TIFF have no quality.
        touched: (H, W): where the picture's pixels may differ from those of the file that it came from.
        annotate: Makes the file's metadata from `EncodedPicture.touched`; left out, they are the picture's.

    Raises:
        FormatError: The format can't hold the picture (alpha in JPEG, CMYK in PNG, a side too long), or the quality is
            out of range or has no meaning.
        MissingExtraError: "heif" without pillow-heif.
    """
    format = format_named(format)
    _check(picture, format, quality, touched)
    picture, notes = _with_fitting_colour(picture, format)
    reduced = picture.depth == 16 and format in ("jpeg", "webp", "heif")
    if reduced:
        alpha = None if picture.alpha is None else to_8(picture.alpha)
        picture = replace(picture, samples=to_8(picture.samples), alpha=alpha)
        notes.append(f"reduced to 8 bits: {format.upper()} can't hold 16")
    if annotate is not None:
        annotate = _keeping_colour(annotate, picture.metadata)
        picture = picture if format == "jpeg" else replace(picture, metadata=annotate(None))
    if format == "jpeg":
        found = jpeg_write.write(picture, quality, touched, annotate)
    else:
        found = _encoded(picture, format, quality)
    fidelity = "re-encoded" if found.fidelity == "lossless" and reduced else found.fidelity
    notes += [*found.notes, *_left_out(picture, format)]
    reached = touched if fidelity == "lossless" else found.touched
    return EncodedPicture(found.data, format, fidelity, reached, tuple(notes))


def _keeping_colour(annotate: Annotate, metadata: Metadata) -> Annotate:
    """`annotate`, whose result keeps the colour of `metadata`, which fits the format."""
    return lambda touched: replace(annotate(touched), icc=metadata.icc, code_points=metadata.code_points)


def _with_fitting_colour(picture: Picture, format: str) -> tuple[Picture, list[str]]:
    """The picture with its colour in a form that the format carries, and notes on what was changed or left out."""
    metadata, name = picture.metadata, format.upper()
    icc, points = metadata.icc, metadata.code_points
    notes: list[str] = []
    as_rgb = format in ("webp", "heif") or (format == "avif" and picture.alpha is not None)
    stores_rgb = picture.colour is Colour.RGB or (picture.colour is Colour.GREY and as_rgb)
    if points is not None and points.mastering and {format, picture.source.format} != {"png"}:
        notes.append(f"mastering display and light levels left out: {name} files get none")
    if points is not None and not _carries(picture, format, points):
        made = icc_of(metadata, grey=not stores_rgb)
        if icc is not None:
            notes.append(f"code points left out ({points.name}): {name} has no place for them; the ICC profile stays")
        elif made is not None:
            notes.append(f"colour written as an ICC profile ({points.name}): {name} has no place for code points")
        elif not points.is_srgb:  # which a file without a profile is taken for
            notes.append(
                f"colour left out ({points.name}): {name} has no place for code points, nor a profile for these"
            )
        icc = made
        points = None
    elif points is not None and icc is not None and format != "png":
        notes.append(f"ICC profile left out: {name} would have it count before the code points ({points.name})")
        icc = None
    if stores_rgb and profiles.colour_space(icc) == "GRAY":
        parsed = profiles.parsed(icc or b"")
        if parsed is None:
            notes.append(f"grey ICC profile left out: {name} stores RGB here, and no RGB profile can be made of it")
        icc = None if parsed is None else profiles.encoded(parsed.rgb, profile_name(metadata) or "grey")
    return replace(picture, metadata=replace(metadata, icc=icc, code_points=points)), notes


def _carries(picture: Picture, format: str, points: CodePoints) -> bool:
    """Whether the format has a place for these code points; gamma and chromaticities stay from PNG to PNG only."""
    if format == "png":
        return points.coded or picture.source.format == "png"
    return points.coded and format in ("avif", "heif")


def _encoded(picture: Picture, format: str, quality: int | None) -> EncodedPicture:
    """The picture in a format other than JPEG."""
    notes = () if quality is None else (f"re-encoded as {format.upper()} quality {quality}",)
    exact = quality is None
    if format == "png":
        data = png_write.write(picture)
    elif format == "tiff":
        data = tiff_write.write(picture)
    elif format == "webp":
        data = webp.write(picture, quality)
    elif format == "heif":
        data, exact = avif.write_heif(picture, quality), False
        notes = notes or ("re-encoded as HEIF quality 95",)
    else:
        data, exact, depth = avif.write(picture, quality)
        if not exact and quality is None:
            notes = (f"reduced to {depth} bits: AVIF can't hold 16",)
    return EncodedPicture(data, format, "lossless" if exact else "re-encoded", None, notes)


def _check(picture: Picture, format: str, quality: int | None, touched: NDArray[np.bool_] | None) -> None:
    name = format.upper()
    if quality is not None and (isinstance(quality, bool) or not 1 <= quality <= 100):
        raise FormatError(f"{{field}} must be 1 to 100, not {quality!r}", field="quality", value=quality)
    if quality is not None and format in ("png", "tiff"):
        message = f"{{field}} {quality} is for formats that lose, and {name} is always exact"
        raise FormatError(message, code="quality-unused", field="quality", value=quality, hint="leave it out")
    if picture.alpha is not None and format == "jpeg":
        message, hint = "JPEG can't hold transparency", "use PNG, WebP, AVIF or TIFF"
        raise FormatError(message, field="format", value=format, hint=hint)
    if picture.colour is Colour.CMYK and format not in ("jpeg", "tiff"):
        message, hint = f"{name} can't hold CMYK", "use TIFF or JPEG" if picture.alpha is None else "use TIFF"
        raise FormatError(message, field="format", value=format, hint=hint)
    check_size(picture.size, format)
    if touched is not None and touched.shape != picture.size.shape:
        raise OutputError(f"touched must have the picture's shape {picture.size.shape}, not {touched.shape}")


def check_size(size: Size, format: str) -> None:
    """Raise FormatError where a picture of this size is too large for the format."""
    if max(size) > _LARGEST[format]:
        message = f"{format.upper()} can't hold {size}: a side has at most {_LARGEST[format]} pixels"
        hint = "use PNG or TIFF"
        raise FormatError(message, code="output-too-large", field="format", value=format, hint=hint)


def _left_out(picture: Picture, format: str) -> list[str]:
    """Metadata that the format has no place for."""
    notes = []
    if picture.metadata.iptc and format in ("webp", "avif", "heif"):
        notes.append(f"IPTC left out: {format.upper()} has no place for it")
    lost = set(picture.metadata.text) - ({COMMENT} if format == "jpeg" else set())
    if lost and format != "png":
        notes.append(f"text left out: {', '.join(sorted(lost))}; only PNG has a place for it")
    return notes
