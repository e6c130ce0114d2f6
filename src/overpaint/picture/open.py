"""Opening a picture: the format is found by content, the file decoded, and the pixels turned as displayed."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from overpaint.bounded import is_shortage, printed
from overpaint.errors import MissingExtraError, OverpaintError, PictureError
from overpaint.files import is_regular

from . import avif, bitmap, bmff, jpeg, jpeg2000, png, tiff, webp
from ._picture import Picture
from .decoded import IndexedPixels
from .limits import PictureLimits, current_limits, has_room
from .messages import PRINTED, damage_in
from .orient import displayed
from .pil import turned
from .pillow_limit import FORMATS as LIMITED
from .pillow_limit import pillow_limit

FileLike = str | os.PathLike[str] | bytes | BinaryIO
ACCEPTED = "PNG, JPEG, WebP, TIFF, AVIF, JPEG 2000, BMP, GIF or HEIC"
_READERS: dict[str, Callable[[bytes, PictureLimits], Picture]] = {
    "png": png.read,
    "jpeg": jpeg.read,
    "webp": webp.read,
    "tiff": tiff.read,
    "avif": avif.read,
    "heif": avif.read_heif,
    "jpeg2000": jpeg2000.read,
    "bmp": bitmap.read_bmp,
    "gif": bitmap.read_gif,
}
_INDEXED: dict[str, Callable[[bytes], IndexedPixels | None]] = {
    "png": png.read_indices,
    "tiff": tiff.read_indices,
    "bmp": bitmap.read_bmp_indices,
    "gif": bitmap.read_gif_indices,
}
_OTHERS = (
    (b"%PDF", "a PDF file"),
    (b"%!PS", "a PostScript file"),
    (b"8BPS", "a Photoshop file"),
    (b"8BPB", "a Photoshop file"),
    (b"\xff\x0a", "a JPEG XL file"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL file"),
    (b"v/1\x01", "an OpenEXR file"),
    (b"#?RADIANCE", "a Radiance HDR file"),
    (b"gimp xcf", "a GIMP file"),
    (b"PK\x03\x04", "a ZIP archive (or a document that is one)"),
)


def open_picture(source: FileLike, *, limits: PictureLimits | None = None) -> Picture:
    """Open a picture: PNG, JPEG, WebP, TIFF, AVIF, JPEG 2000, BMP, still GIF, and HEIC with the extra `heif`.

    The content decides the format, not the name. 16 bits stay 16 bits; fewer than 8 become 8; palettes become RGB. The
    orientation is applied, once, and is 1 in the metadata then. Thumbnails, previews and gain maps are left out: they
    would still show what an edit removes. A file with several pages or frames is refused, because saving would lose
    all but one; of a JPEG file with further pictures behind it (MPF, MPO) the first one is taken.

    Args:
        source: A path, the bytes of a file, or an open binary file, which is read to its end.
        limits: What the file may claim; checked before anything is decoded. Left out: those of `limited`.

    Raises:
        PictureError: Missing, unreadable, unsupported, damaged or too large; the message names the file.
        MissingExtraError: A HEIC file without pillow-heif.
        OverpaintError: There is not enough memory to decode it ("memory-short").
    """
    limits = limits or current_limits()
    path = Path(source) if isinstance(source, str | os.PathLike) else None
    data = read_whole(source, limits)
    with _decoding(_name_of(source)):
        kind = format_of(data)
        if kind is None:
            raise PictureError(_described(data), code="picture-unsupported", hint=f"what can be opened is {ACCEPTED}")
        with printed(PRINTED) as lines, _own_limit(kind, limits):
            stored = _READERS[kind](data, limits)
    faults = stored.source.faults or damage_in(lines)
    digest = hashlib.sha256(data).hexdigest()
    known = replace(stored.source, format=kind, path=path, data=data, sha256=digest, faults=faults)
    return turned(replace(stored, source=known))


def read_whole(source: FileLike, limits: PictureLimits | None = None) -> bytes:
    """The bytes of a file, whatever they are.

    Args:
        source: As for `open_picture`.
        limits: What is too large. Left out: those of `limited`.

    Raises:
        PictureError: It is missing, unreadable or too large; the message names the file.
    """
    name = _name_of(source)
    try:
        return read_source(source, limits or current_limits())
    except FileNotFoundError as error:
        raise PictureError(f"{name} doesn't exist", code="picture-missing", value=name) from error
    except PictureError as error:
        raise error.within(name) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise PictureError(f"{name} can't be read: {reason or error}") from error


def _name_of(source: FileLike) -> str:
    if isinstance(source, str | os.PathLike):
        return str(Path(source))
    return str(getattr(source, "name", "the picture"))


def _own_limit(kind: str, limits: PictureLimits) -> AbstractContextManager[None]:
    return pillow_limit(limits.pixels) if kind in LIMITED else nullcontext()


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    """Whatever a decoder raises as one PictureError that names the file; a want of memory is no fault of the file."""
    try:
        yield
    except (PictureError, MissingExtraError) as error:
        raise error.within(name) from error
    except Exception as error:  # decoders raise anything on hostile input; OpenCV's error is a plain Exception
        if is_shortage(error) or not has_room():
            raise OverpaintError(f"{name}: there is not enough memory to decode it", code="memory-short") from error
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise PictureError(f"{name}: the file is damaged or truncated ({reason})") from error


def indexed_pixels(picture: Picture) -> IndexedPixels | None:
    """The indices of an opaque picture that was opened from a file with a palette, as displayed; None for others.

    Raises:
        PictureError: The indices can't be decoded.
    """
    source = picture.source
    read = _INDEXED.get(source.format or "")
    if read is None or source.data is None or picture.alpha is not None or not source.mode.startswith("palette"):
        return None
    named = _decoding(str(source.path or "the picture"))
    with named, printed(PRINTED), _own_limit(source.format or "", current_limits()):
        found = read(source.data)
    return found and replace(found, indices=np.ascontiguousarray(displayed(found.indices, source.orientation)))


def format_of(data: bytes) -> str | None:
    """The format by the first bytes: as in `Source.format`; None for anything else."""
    if data.startswith(png.SIGNATURE):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return "tiff"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    if bitmap.is_bmp(data[:18]):
        return "bmp"
    if data.startswith(jpeg2000.SIGNATURES):
        return "jpeg2000"
    brands = set(bmff.brands(data))
    if brands & {b"avif", b"avis"}:
        return "avif"
    if brands & {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}:
        return "heif"
    return None


def read_source(source: FileLike, limits: PictureLimits) -> bytes:
    """The bytes of a file, read no further than the limit. PictureError, OSError or ValueError when that fails."""
    if isinstance(source, bytes | bytearray | memoryview):
        data = bytes(source)
    elif isinstance(source, str | os.PathLike):
        path = Path(source)
        if path.is_dir():
            raise PictureError("this is a folder", code="picture-unsupported", hint=f"give a picture file: {ACCEPTED}")
        if not is_regular(path):  # a device or a pipe may have no end
            raise PictureError("this is no regular file", code="picture-unsupported", hint="give the path of a file")
        size = path.stat().st_size
        limits.check_bytes(size)
        with path.open("rb") as file:
            # reading takes all of the memory first that it is told to fill; a pipe has no size
            data = file.read((size or limits.bytes) + 1)
    elif hasattr(source, "read"):
        data = source.read(limits.bytes + 1)
        if not isinstance(data, bytes):
            raise PictureError("the file must be open in binary mode")
    else:
        kind = type(source).__name__
        hint = "overpaint.picture.from_array and from_pil make a picture of pixels"
        raise PictureError(f"a file is a path, bytes or a binary file, not {kind}", hint=hint)
    limits.check_bytes(len(data))
    return data


def _described(data: bytes) -> str:
    """What a file is that no reader here takes."""
    if not data:
        return "the file is empty"
    for start, words in _OTHERS:
        if data.startswith(start):
            return f"this is {words}"
    head = data[:2048].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"<svg") or (head.startswith((b"<?xml", b"<!")) and b"<svg" in head):
        return "this is an SVG drawing"
    if head.startswith((b"<!doctype html", b"<html")):
        return "this is a web page"
    if data[4:8] == b"ftyp":
        return "this is a film or another container without a picture"
    if data[:4] == b"RIFF":
        return "this is a RIFF file, but not WebP"
    is_text = re.fullmatch(rb"[\t\r\n\x20-\x7e\x80-\xff]*", data[:512])
    return "this is text" if is_text else "this isn't a picture of a known format"
