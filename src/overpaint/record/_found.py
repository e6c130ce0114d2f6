"""Reading how a picture was made: our own records, and those of other tools."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from overpaint.errors import RecordError
from overpaint.picture import Metadata, Picture, open_picture
from overpaint.picture.exif import user_comment
from overpaint.picture.xmp import read_property
from overpaint.request import without_codes

from ._embed import NAMESPACE, ORIGINAL, PARAMETERS, PNG_RECORD, SIDECAR_SUFFIX, sidecar_path
from ._foreign import from_comment, from_exif, from_parameters, from_text
from ._record import FoundRecord, Record


def read_record(source: Picture | str | os.PathLike[str] | bytes) -> FoundRecord | None:
    """The record of a picture; None when it has none.

    Our own record comes before another tool's, one in the file before one beside it.

    Args:
        source: A picture, an encoded file, its path, or the path of a sidecar (NAME.EXT.overpaint.json).

    Raises:
        PictureError: The file is no picture.
        RecordError: The source is a sidecar, and can't be read.
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
    for found in _foreign_records(picture.metadata):
        return replace(found, notes=(*notes, *found.notes))
    return FoundRecord("Overpaint", notes=tuple(notes), place="file") if notes else None


def own_record(metadata: Metadata) -> Record | None:
    """The record of ours that is within a file; None where there is none that can be read."""
    for text, _ in _own_texts(metadata):
        with suppress(RecordError):
            return Record.from_json(text)
    return None


def generator_of(metadata: Metadata) -> str | None:
    """The tool whose generation parameters are within a file, which so says that generative AI took part; None for
    none. Ours count where they name a sampler or a model, which edits without generative AI have not.
    """
    for found in _foreign_records(metadata):
        ours = found.tool == "Overpaint" and bool(found.settings.keys() & {"sampler", "model"})
        # any text named "parameters" is taken for a prompt of AUTOMATIC1111's: without settings it proves nothing
        theirs = found.tool != "Overpaint" and (bool(found.settings) or found.tool != "AUTOMATIC1111")
        if ours or theirs:
            return found.tool
    return None


def _own_texts(metadata: Metadata) -> Iterator[tuple[str, str]]:
    if (text := metadata.text.get(PNG_RECORD)) is not None:
        yield text, "PNG text"
    if text := read_property(metadata.xmp, NAMESPACE, "record"):
        yield text, "XMP"


def _from_sidecar(path: Path) -> FoundRecord:
    try:
        text = path.read_text(encoding="utf-8")
        return _ours(Record.from_json(text), "sidecar", text)
    except (OSError, UnicodeDecodeError) as error:
        raise RecordError(f"the record {path.name} can't be read: {error}") from None
    except RecordError as error:
        raise error.within(path.name) from None


def _ours(record: Record, place: str, raw: str) -> FoundRecord:
    resolved = record.resolved
    apart = {"prompt", "negative_prompt", "image", "mask", "sketch"}
    plain = without_codes(resolved.to_mapping())
    settings = {name: plain[name] for name in resolved.settings() if name not in apart}
    return FoundRecord(
        "Overpaint",
        raw=raw,
        prompt=resolved.prompt or "",
        negative_prompt=resolved.negative_prompt or "",
        settings=settings,
        place=place,
        record=record,
    )


def _foreign_records(metadata: Metadata) -> Iterator[FoundRecord]:
    """Records of other tools, the most detailed first."""
    for found in from_text(metadata.text):
        yield replace(found, place="PNG text")
    comment = user_comment(metadata.exif)
    for one in (from_comment(comment) if comment else None, from_exif(metadata.exif)):
        if one is not None:
            yield replace(one, place="EXIF")
    for name in (PARAMETERS, ORIGINAL):
        if (text := read_property(metadata.xmp, NAMESPACE, name)) and (one := from_parameters(text)):
            yield replace(one, place="XMP")
