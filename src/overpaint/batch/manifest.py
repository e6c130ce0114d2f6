"""Sources of rows: JSON lines, JSON, CSV, YAML; or folders of pictures and masks."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_origin

from overpaint.bounded import call_in_time
from overpaint.doors.places import SHAPES
from overpaint.doors.reading import readers
from overpaint.errors import InputError, OverpaintError, RequestError, StoreError, concerning, did_you_mean
from overpaint.files import READING, is_regular
from overpaint.picture import READABLE_EXTENSIONS
from overpaint.request import EditRequest
from overpaint.validation import bare_type
from overpaint.values import parse_json, parse_yaml

from .pairs import ANNOTATIONS, PicturePairs, is_mask_name
from .reasons import ROW
from .rows import OWN, REQUEST, RawRow, RowFields
from .store import Address, Place, files_in, resolved

FORMS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".yaml": "yaml",
    ".yml": "yaml",
}
_MOST_NAMED = 10
_SECONDS, _MEMORY = 60.0, 4 << 30  # for a list that is parsed as a whole
_SMALL = 1 << 20  # characters of one that is parsed at once
_LARGEST_WHOLE = 1 << 27  # characters of such a list
LARGEST_LIST = 1 << 29  # bytes
LARGEST_ROW = 1 << 24  # characters
LISTING = 600.0  # seconds that the listing of folders may take; on a mount that hangs it may never end
_LINE_END = re.compile(r"\r\n?|\n")
_SEPARATOR = re.compile(r"""["']?sep=([^"\r\n])["']?[,;\t]*(?:\r\n?|\n|$)""", re.IGNORECASE)
_TABLES = (".xlsx", ".xls", ".xlsm", ".xlsb", ".ods", ".numbers")
_AS_CSV = "save the table as CSV (in Excel: CSV UTF-8)"
_OTHERS = (  # what is not text, by its first bytes
    (b"PK\x03\x04", f"a ZIP archive, as a workbook of Excel or LibreOffice is: {_AS_CSV}"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", f"a workbook of an old Excel: {_AS_CSV}"),
    (b"\x1f\x8b", "compressed by gzip: unpack it first"),
)
_DECIMAL = re.compile(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?")


def read_manifest(path: Path, *, private: bool = False) -> list[RawRow]:
    """The rows of a file, by its extension: .jsonl, .json, .csv, .tsv, .yaml.

    Raises:
        RequestError: It can't be read at all. A row that can't be read has a problem, and does not stop the others.
            In `private` mode the message quotes nothing of the list.
    """
    form = FORMS.get(path.suffix.lower())
    if form is None and path.is_dir():
        raise RequestError(
            f"{path} is a folder, and a list of edits is a file",
            field="edits",
            value=str(path),
            hint="set images to edit the pictures of a folder",
        )
    if form is None:
        hint = f": {_AS_CSV}" if path.suffix.lower() in _TABLES else ""
        raise _unread(path, f"{path}: a manifest's name ends in one of {', '.join(FORMS)}{hint}")
    try:
        if not call_in_time(is_regular, path, seconds=READING):
            raise _unread(path, f"the manifest {path} is no regular file; - reads standard input")
        # a pipe that a shell made waits for its program
        data = call_in_time(_read, path, seconds=READING if path.is_file() else None)
        text = decoded(data, f"the manifest {path}")
    except RequestError:
        raise
    except FileNotFoundError:
        raise _unread(path, f"the manifest {path} doesn't exist") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise _unread(path, f"the manifest {path} can't be read: {reason}") from None
    return read_text(text, form, str(path), private=private)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST_LIST + 1)


def decoded(data: bytes, name: str) -> str:
    """The text of a list: UTF-8, or UTF-16 by its first two bytes, as Excel and PowerShell write it.

    Raises:
        RequestError: It is neither, or has more than 512 MiB.
    """
    if len(data) > LARGEST_LIST:
        raise RequestError(f"{name} has more than {LARGEST_LIST:,} bytes", field="edits", value=name)
    for start, words in _OTHERS:
        if data.startswith(start):
            raise RequestError(f"{name} can't be read: it is {words}", field="edits", value=name)
    try:
        return data.decode("utf-16" if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig")
    except UnicodeDecodeError:
        message = f"{name} can't be read: it is not UTF-8 text, and not UTF-16 (Excel writes 'CSV UTF-8')"
        raise RequestError(message, field="edits", value=name) from None


def _unread(path: Path, message: str) -> RequestError:
    return RequestError(message, field="edits", value=str(path))


def read_text(text: str, form: str, name: str, *, private: bool = False) -> list[RawRow]:
    """The rows of a manifest's text in the form "jsonl", "json", "csv" or "yaml". Raises as `read_manifest`."""
    readers = {"jsonl": _lines, "json": _json, "csv": _csv, "yaml": _yaml}
    found = list(readers[form](text, name, private))
    if not found:
        raise RequestError(f"{name} has no rows")
    return found


def _lines(text: str, name: str, private: bool) -> Iterator[RawRow]:
    for number, line in enumerate(_LINE_END.split(text), 1):
        if line.strip():
            try:
                _check_row(len(line))
                with concerning(ROW):
                    row = parse_json(line, "the row", quote=not private)
            except InputError as error:
                yield RawRow(number, error=error)
            else:
                yield _found(number, row)


def _check_row(length: int) -> None:
    if length > LARGEST_ROW:
        raise RequestError(f"a row may have {LARGEST_ROW:,} characters, not {length:,}", field=ROW, value=length)


def _json(text: str, name: str, private: bool) -> Iterator[RawRow]:
    yield from _listed(partial(parse_json, what="it", quote=not private), text, name, here=len(text) <= _SMALL)


def _yaml(text: str, name: str, private: bool) -> Iterator[RawRow]:
    # depth can crash the interpreter, and merged keys can take for ever
    yield from _listed(partial(parse_yaml, quote=not private), text, name, here=False)


def _listed(parse: Callable[[str], Any], text: str, name: str, *, here: bool) -> Iterator[RawRow]:
    """The rows of a list that is one value. What is not parsed `here` is parsed in a process of its own: that can take
    long and much memory, and nothing interrupts it.
    """
    if len(text) > _LARGEST_WHOLE:
        message = f"{name} has more than {_LARGEST_WHOLE:,} characters: write it as JSON lines, a row a line"
        raise RequestError(message, field="edits", value=name)
    try:
        rows = parse(text) if here else readers.call(parse, text, seconds=_SECONDS, memory=_MEMORY)
    except OverpaintError as error:
        raise RequestError(f"{name}: {error.message}", code=error.code) from None
    if not isinstance(rows, list):
        raise RequestError(f"{name} must be a list of rows, not {type(rows).__name__}")
    for number, row in enumerate(rows, 1):
        if len(text) > LARGEST_ROW:
            try:
                _check_row(len(json.dumps(row, default=str)))
            except (ValueError, RecursionError) as error:
                problem = error if isinstance(error, RequestError) else RequestError("it is too deep", field=ROW)
                yield RawRow(number, error=problem)
                continue
        yield _found(number, row)


def _found(number: int, row: Any) -> RawRow:
    if not isinstance(row, Mapping) or not all(isinstance(key, str) for key in row):
        kind = "one with names that are no text" if isinstance(row, Mapping) else type(row).__name__
        return RawRow(number, error=RequestError(f"a row must be a table of settings, not {kind}", field=ROW))
    return RawRow(number, dict(row))


def _csv(text: str, name: str, private: bool) -> Iterator[RawRow]:
    """The first line names the fields. An empty cell leaves a field open. Rows are counted, not lines: a cell may have
    several lines.
    """
    said = _SEPARATOR.match(text)  # a first line "sep=;", which names the separator for Excel
    text = text[0 if said is None else said.end() :].lstrip("\r\n")
    comma = said[1] if said is not None else max(",;\t", key=_LINE_END.split(text, 1)[0].count)
    read = 0

    def lines() -> Iterator[str]:
        nonlocal read
        for line in io.StringIO(text, newline=""):
            read += len(line)
            if read > LARGEST_ROW:
                raise RequestError(f"{name}: a row may have {LARGEST_ROW:,} characters (near line {reader.line_num})")
            yield line

    def rows() -> Iterator[list[str]]:
        nonlocal read
        for cells in reader:
            read = 0
            yield cells

    reader = csv.reader(lines(), delimiter=comma, strict=True)
    found = rows()
    before = csv.field_size_limit(LARGEST_ROW)
    try:
        names = next((names for cells in found if any(names := [cell.strip() for cell in cells])), [])
        while names and not names[-1]:  # columns that were emptied
            names.pop()
        if len(set(names)) != len(names) or not all(names):
            given = "" if private else f", not {', '.join(names)!r:.80}"
            raise RequestError(f"{name}: its first line must name each field once{given}")
        unknown = {field for field in names if field not in (*OWN, *REQUEST)}
        rows_read: list[RawRow] = []
        for number, cells in enumerate((cells for cells in found if any(cell.strip() for cell in cells)), 1):
            if any(cell.strip() for cell in cells[len(names) :]):
                message = f"it has {len(cells)} cells for {len(names)} fields"
                rows_read.append(RawRow(number, error=RequestError(message, field=ROW)))
                continue
            row = {field: cell for field, cell in zip(names, cells, strict=False) if cell.strip()}
            unknown &= row.keys()
            table = {field: _cell(field, cell, commas=comma != ",") for field, cell in row.items()}
            rows_read.append(RawRow(number, table))
    except csv.Error as error:
        raise RequestError(f"{name} is not CSV: {error} (near line {reader.line_num})") from None
    finally:
        csv.field_size_limit(before)
    if unknown and rows_read:  # each row would fail for it
        raise _unknown_field(name, names.index(min(unknown, key=names.index)), names, private=private)
    yield from rows_read


def _unknown_field(list_name: str, index: int, names: list[str], *, private: bool) -> RequestError:
    """The error of a first line that names a field that no row has."""
    known = (*OWN, *REQUEST)
    said = f"{list_name}: its first line names in column {index + 1} a field that no row has"
    if not private:
        said += f": {names[index]!r:.80}{did_you_mean(names[index], set(known) - set(names))}"
    return RequestError(said, field="edits", value=list_name)


def _cell(name: str, cell: str, *, commas: bool) -> Any:
    """A cell as its field takes it: text stays text, the rest is read as JSON. `commas`: whether a number may have a
    decimal comma, as where another sign is between cells.
    """
    text = cell.strip()
    if name in (*SHAPES, "avoid", "regional_prompts"):
        return _json_or_text(text) if text.startswith(("[", "{")) else text
    field = RowFields.model_fields.get(name) or EditRequest.model_fields.get(name)
    kind = str if field is None else bare_type(field.annotation)
    if kind is str or get_origin(kind) is Literal:
        return cell if name in REQUEST else text
    if commas and kind in (int, float) and _DECIMAL.fullmatch(text):
        text = text.replace(",", ".")
    if name in ("margins", "guidance_interval", "mask_blur", "working_size") and "," in text and text[0] != "[":
        text = f"[{text}]"
    return _json_or_text(text.lower() if text.lower() in ("true", "false") else text)


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


@dataclass(frozen=True, slots=True)
class FolderRows:
    """The rows of a folder, and notes for people on files that were left out."""

    rows: tuple[RawRow, ...]
    notes: tuple[str, ...] = ()


def read_folders(
    images: Place, masks: Place | None, *, leave_out: Place | None = None, own: Collection[Path] = ()
) -> FolderRows:
    """One row for each picture in a folder and the folders in it, in the order of their names.

    Its mask is the file of the same stem (or with "_mask", "-mask" or ".mask" after it): at the same place in the
    folder of masks, else anywhere in it when there is only one.

    Args:
        images: The folder of pictures, or its address.
        masks: The folder of masks, or one mask for all; None where the settings say where to repaint.
        leave_out: A folder that is not searched: that of the results.
        own: Resolved paths of files that are not pictures to edit, of earlier runs of this batch.

    Raises:
        RequestError: There are no pictures, or a folder is missing, or one in it can't be listed, or not in
            ten minutes.
        StoreError: One in an object store can't be listed.
    """
    with _refused_unlisted(images, "images"):
        return call_in_time(_folder_rows, images, masks, leave_out, own, seconds=LISTING)


@contextlib.contextmanager
def _refused_unlisted(folder: Place, field: str) -> Iterator[None]:
    """Report a folder that can't be listed: without it rows would be missing, and count as gone from the list."""
    try:
        yield
    except OSError as error:
        place = error.filename or folder
        message = f"{{field}}: the folder {place} can't be listed: {error.strerror or error}"
        if isinstance(folder, Address):
            raise StoreError(message, field=field, value=str(place)) from error
        hint = "make it readable, or move it to another place"
        raise RequestError(message, field=field, value=str(place), hint=hint) from error


def _folder_rows(images: Place, masks: Place | None, leave_out: Place | None, own: Collection[Path]) -> FolderRows:
    if not images.is_dir():
        raise RequestError(f"{{field}}: {images} is no folder", field="images", value=str(images))
    if masks is not None and not masks.exists():
        raise RequestError(f"{{field}}: {masks} doesn't exist", field="masks", value=str(masks))
    skipped = [folder for folder in (leave_out, masks) if folder is not None and resolved(folder) != resolved(images)]
    skipped = [folder for folder in skipped if _within(folder, images) and folder.is_dir()]
    files = [path for path in files_in(images) if not any(_within(path, folder) for folder in skipped)]
    results = {path for path in files if resolved(path) in own}
    files = [path for path in files if path not in results]
    pictures = [path for path in files if path.suffix.lower() in READABLE_EXTENSIONS]
    others = [path.relative_to(images).as_posix() for path in files if path.suffix.lower() not in READABLE_EXTENSIONS]
    if masks is not None and resolved(masks) == resolved(images):
        pictures = [path for path in pictures if not is_mask_name(path.stem)]
        others = [name for name in others if not name.lower().endswith(ANNOTATIONS)]
    if not pictures:
        raise RequestError(
            f"{{field}}: {images} holds no pictures ({' '.join(sorted(READABLE_EXTENSIONS))})",
            field="images",
            value=str(images),
        )
    pairs = PicturePairs(images, masks, _mask_files(masks))
    found = []
    for number, path in enumerate(pictures, 1):
        try:
            found.append(pairs.row(number, path))
        except RequestError as error:
            found.append(pairs.bad_row(number, path, error))
    notes = [_left_out(others)] if others else []
    if count := sum(path.suffix.lower() in READABLE_EXTENSIONS for path in results):
        kept = "1 picture is a result" if count == 1 else f"{count} pictures are results"
        notes.insert(0, f"{kept} of this batch, and not edited again")
    return FolderRows(tuple(found), tuple(notes))


def _mask_files(masks: Place | None) -> list[Place] | None:
    """The files of a folder of masks; None where it is none."""
    if masks is None:
        return None
    with _refused_unlisted(masks, "masks"):
        return files_in(masks) if masks.is_dir() else None


def _left_out(names: list[str]) -> str:
    """A note that names files in a folder of pictures that are none."""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    count = "1 file was" if len(names) == 1 else f"{len(names)} files were"
    # on some systems names are bytes, which need not be text
    named = ", ".join(names[:_MOST_NAMED]).encode("utf-8", "backslashreplace").decode()
    return f"{count} left out, as pictures of this kind can't be read: {named}{more}"


def _within(place: Place, folder: Place) -> bool:
    return resolved(place).is_relative_to(resolved(folder))
