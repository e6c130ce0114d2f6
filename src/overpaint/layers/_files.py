"""Layered files by their names: which format each is, whether it can hold a picture, and the file itself."""

from __future__ import annotations

import io
import os
from functools import partial
from pathlib import PurePath
from typing import BinaryIO

from overpaint.errors import UnknownFormatError
from overpaint.files import PreparedFile, prepare_file
from overpaint.geometry import Size
from overpaint.picture import Colour
from overpaint.picture.c2pa_store import holds_manifest

from . import _resources
from ._openraster import check_openraster, write_openraster
from ._psd import check_psd, write_psd
from ._values import LayeredPicture

LAYERED_EXTENSIONS = (".psd", ".psb", ".ora")
"""Of the names of layered files, each after its format."""


def layered_format(path: str | os.PathLike[str]) -> str:
    """The format of a layered file of this name: "psd", "psb" or "ora". UnknownFormatError where it is none."""
    suffix = PurePath(path).suffix.lower()
    if suffix not in LAYERED_EXTENSIONS:
        *others, last = LAYERED_EXTENSIONS
        message = f"{{field}} {path}: the name must end in {', '.join(others)} or {last}"
        raise UnknownFormatError(message, field="layers", value=str(path))
    return suffix[1:]


def check_layered(format: str, size: Size, colour: Colour) -> None:
    """Raise OutputError where a layered file of this format can't hold a picture of this size and kind."""
    if format == "ora":
        check_openraster(colour)
    else:
        check_psd(format, size)


def write_layers(layered: LayeredPicture, format: str, file: BinaryIO) -> None:
    """Write a layered file, one layer at a time in memory.

    Args:
        layered: The layers.
        format: "psd", "psb" or "ora".
        file: Where, at its beginning; it can be written to in any place.

    Raises:
        OutputError: The format can't hold the picture.
    """
    if format == "ora":
        write_openraster(layered, file)
    else:
        write_psd(layered, file, format)


def encode_layers(layered: LayeredPicture, format: str) -> bytes:
    """The bytes of a layered file; see `write_layers`."""
    file = io.BytesIO()
    write_layers(layered, format, file)
    return file.getvalue()


def prepare_layers(layered: LayeredPicture, path: str | os.PathLike[str], *, overwrite: bool = False) -> PreparedFile:
    """A layered file that does not have its name yet; its extension gives the format.

    Raises:
        OutputError: The file exists, its name has another extension, or its format can't hold the picture.
    """
    format = layered_format(path)
    check_layered(format, layered.merged.size, layered.merged.colour)
    return prepare_file(path, partial(write_layers, layered, format), overwrite=overwrite)


def layers_notes(layered: LayeredPicture, format: str) -> tuple[str, ...]:
    """What a layered file of this format leaves out, in sentences."""
    marked, marking, source = layered.metadata(format), layered.marking, layered.merged.source
    notes: list[str] = list(marked.notes)
    if marking.seal is not None:
        notes.append("it is not signed: C2PA manifests are for flat pictures")
    if source.data is not None and holds_manifest(source.data, source.format):
        notes.append("the original's C2PA manifest is left out: it signs the original's pixels")
    if marking.watermark is not None:
        notes.append("neither its layers nor the merged picture have the watermark")
    return (*notes, *(() if format == "ora" else _resources.left_out(marked.metadata)))
