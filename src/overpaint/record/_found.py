"""Reading how a picture was made: our own record, and those of other tools as far as they are plain."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from overpaint.errors import RecordError
from overpaint.picture import Metadata, Picture, open_picture
from overpaint.picture.exif import user_comment
from overpaint.picture.xmp import read_property

from ._embed import NAMESPACE, ORIGINAL, PARAMETERS, PNG_RECORD, SIDECAR_SUFFIX, sidecar_path
from ._foreign import Told, told_by_comment, told_by_json_in_exif, told_by_parameters, told_by_text
from ._record import Record
from .infotext import infotext


@dataclass(frozen=True, slots=True)
class Found:
    """What a picture says of its own making.

    Attributes:
        tool: Who wrote it: "Overpaint", "AUTOMATIC1111", "ComfyUI", "InvokeAI", "NovelAI", "Fooocus", "SwarmUI".
        place: Where it stood: "sidecar", "PNG text", "EXIF", "XMP".
        prompt, negative_prompt: What was and was not to be painted.
        settings: By our names where we have one (seed, steps, guidance_scale, ...), by the tool's own otherwise.
        raw: The text as it stood there.
        record: Our own record, when it is one.
        notes: What could not be read, in words.
    """

    tool: str
    place: str
    prompt: str = ""
    negative_prompt: str = ""
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    raw: str = ""
    record: Record | None = None
    notes: tuple[str, ...] = ()


def read_record(source: Picture | str | os.PathLike[str] | bytes) -> Found | None:
    """What there is on how a picture was made; None when there is nothing.

    Our own record wins over anyone else's, one within the file over one beside it.

    Args:
        source: A picture, an encoded file, its path, or the path of a sidecar (NAME.EXT.overpaint.json).

    Raises:
        PictureError: The file is no picture.
        RecordError: A sidecar that was asked for itself can't be read.
    """
    if not isinstance(source, Picture | bytes) and Path(source).name.endswith(SIDECAR_SUFFIX):
        return _from_sidecar(Path(source))
    picture = source if isinstance(source, Picture) else open_picture(source)
    notes: list[str] = []
    for text, place in _own_texts(picture.metadata):
        try:
            return _ours(Record.from_json(text), place, text)
        except RecordError as error:
            notes.append(f"{place}: {error}")
    if picture.source.path is not None and (sidecar := sidecar_path(picture.source.path)).is_file():
        try:
            return _from_sidecar(sidecar)
        except RecordError as error:
            notes.append(str(error))
    for place, told in _told(picture.metadata):
        return replace(_theirs(told, place), notes=(*notes, *told.notes))
    return Found("Overpaint", "file", notes=tuple(notes)) if notes else None


def _own_texts(metadata: Metadata) -> Iterator[tuple[str, str]]:
    if (text := metadata.text.get(PNG_RECORD)) is not None:
        yield text, "PNG text"
    if text := read_property(metadata.xmp, NAMESPACE, "record"):
        yield text, "XMP"


def _from_sidecar(path: Path) -> Found:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"the record {path.name} can't be read: {error}") from None
    try:
        return _ours(Record.from_json(text), "sidecar", text)
    except RecordError as error:
        raise RecordError(f"{path.name}: {error}") from None


def _ours(record: Record, place: str, raw: str) -> Found:
    resolved = record.resolved
    apart = {"prompt", "negative_prompt", "image", "mask", "sketch", "controls", "options"}
    settings = {name: value for name, value in resolved.settings().items() if name not in apart}
    return Found(
        "Overpaint",
        place,
        resolved.prompt or "",
        resolved.negative_prompt or "",
        MappingProxyType(settings),
        raw or infotext(record),
        record,
    )


def _theirs(told: Told, place: str) -> Found:
    return Found(told.tool, place, told.prompt, told.negative_prompt, MappingProxyType(dict(told.settings)), told.raw)


def _told(metadata: Metadata) -> Iterator[tuple[str, Told]]:
    """What other tools left, the most telling first."""
    for told in told_by_text(metadata.text):
        yield "PNG text", told
    if (comment := user_comment(metadata.exif)) and (found := told_by_comment(comment)):
        yield "EXIF", found
    if found := told_by_json_in_exif(metadata.exif):
        yield "EXIF", found
    for name in (PARAMETERS, ORIGINAL):
        if (text := read_property(metadata.xmp, NAMESPACE, name)) and (found := told_by_parameters(text)):
            yield "XMP", found
