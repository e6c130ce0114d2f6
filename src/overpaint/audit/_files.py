"""The files that a log names: outputs, inputs and masks as they are now, and files beside it that it does not name."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overpaint.bounded import BoundedPool, outcomes
from overpaint.errors import OverpaintError, PictureError
from overpaint.files import READING, digest_of_path
from overpaint.picture import open_picture
from overpaint.record import SIDECAR_SUFFIX
from overpaint.studio import pixel_digest

from ._chain import Fault
from ._head import head_path
from ._record import SessionPlace, file_at

_readers = BoundedPool("overpaint.picture")
"""Decodes what may have been put in the place of a result."""
atexit.register(_readers.close)


@dataclass(slots=True)
class NamedFiles:
    """The files of the records that were read: for each place the last record's line and digests.

    Attributes:
        outputs: What was written.
        inputs: Pictures and masks that were read.
        sessions: Sessions by their places: each action with its line, and whether it was recorded late.
        unplaced: The sessions whose original has no recorded place, each with its line.
        pruned: What a batch has removed since it was written: the line that says so, and the file's digest.
    """

    outputs: dict[str, tuple[int, Mapping[str, str]]] = field(default_factory=dict)
    inputs: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    sessions: dict[str, list[tuple[int, SessionPlace, bool]]] = field(default_factory=dict)
    unplaced: dict[str, int] = field(default_factory=dict)
    pruned: dict[str, tuple[int, str]] = field(default_factory=dict)

    def take(self, line: int, record: Mapping[str, Any]) -> None:
        """Take the files of an edit. KeyError, TypeError: it is no record of an edit."""
        output = record["output"]
        for what, one in (("input", record["input"]), *(("mask", mask) for mask in record.get("masks", ()))):
            if one.get("place") is not None and one.get("sha256") is not None:
                self.inputs[str(one["place"])] = (line, what, str(one["sha256"]))
        digests = {name: str(output.get(name)) for name in ("sha256", "pixels_sha256")}
        self.outputs[str(output["place"])] = (line, digests)
        for place in (str(output["place"]), str(output["place"]) + SIDECAR_SUFFIX):
            self.pruned.pop(place, None)
        for place in record.get("removed", ()):
            self.outputs.pop(str(place), None)
        if record.get("session") is not None:
            self.take_action(line, record)

    def take_action(self, line: int, record: Mapping[str, Any]) -> None:
        """Take an action of a session. KeyError, TypeError, ValueError: it is no record of one."""
        place = SessionPlace(**record["session"])
        self.sessions.setdefault(place.place, []).append((line, place, bool(record.get("late"))))
        for mask in record.get("masks", ()):
            self.inputs[str(mask["place"])] = (line, "mask", str(mask["sha256"]))
        begun = record.get("input") if record.get("kind") == "session" else None
        if begun is not None and begun.get("place") is not None:
            self.inputs[str(begun["place"])] = (line, "original", str(begun["sha256"]))
        elif begun is not None:
            self.unplaced[place.place] = line

    def prune(self, line: int, files: Sequence[Mapping[str, str]]) -> None:
        """Take the files that a note says were removed. KeyError, TypeError: it is no such note."""
        for one in files:
            place, sha256 = str(one["place"]), str(one["sha256"])
            if place not in self.outputs or self.outputs[place][1].get("sha256") == sha256:
                self.outputs.pop(place, None)
                self.pruned[place] = (line, sha256)


@dataclass(slots=True)
class FileFindings:
    """What was found of the files.

    Attributes:
        compared: Number of outputs that were compared.
        faults: Files that were changed.
        notes: Files that are missing, links, and files that the log does not know.
    """

    compared: int = 0
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def compare_outputs(folder: Path, named: NamedFiles, found: FileFindings) -> None:
    """Compare each output with its last record."""
    written_as = {output.get("sha256"): place for place, (_, output) in named.outputs.items()}
    digests = _digests(folder, named.outputs)
    away = 0
    for place, (line, output) in named.outputs.items():
        path = file_at(place, folder)
        if path is None:
            away += 1
            continue
        digest = _told(digests[path], line, f"output {place}", found)
        if digest is None:
            continue
        found.compared += 1
        if digest != output.get("sha256"):
            other = written_as.get(digest)
            how = f"it is the file that was written as {other}" if other is not None else _how(path, output)
            found.faults.append(Fault(line, f"its output {place} was changed since: {how}"))
    if away:
        what = "1 output is an address and was" if away == 1 else f"{away} outputs are addresses and were"
        found.notes.append(f"{what} not fetched")


def compare_inputs(folder: Path, named: NamedFiles, found: FileFindings) -> None:
    """Compare each picture and mask that was read with its last record; not those that an edit has overwritten, or that
    were pruned."""
    for session, line in named.unplaced.items():
        found.notes.append(f"line {line}: where the original of the session {session} was is not recorded")
    written = {*named.outputs, *named.pruned}
    inputs = {place: one for place, one in named.inputs.items() if place not in written}
    digests = _digests(folder, inputs)
    for place, (line, what, sha256) in inputs.items():
        path = file_at(place, folder)
        if path is None:
            continue
        digest = _told(digests[path], line, f"{what} {place}", found)
        if digest not in (None, sha256):
            found.faults.append(Fault(line, f"its {what} {place} was replaced since"))


def list_unlogged(log: Path, named: NamedFiles, own: frozenset[str], found: FileFindings) -> None:
    """Note every file in the log's folder and below that no record names, and every link; hidden ones are left out.

    Args:
        log: The log.
        named: The files of its records.
        own: Names of files beside the log that belong to the program that keeps it.
        found: Gets the notes.
    """
    folder = log.parent
    places = (*named.outputs, *named.inputs, *named.sessions)
    known = {os.path.normpath(folder / place) for place in places if "://" not in place}
    known |= {name + SIDECAR_SUFFIX for name in known}
    known |= {os.path.normpath(folder / place) for place in _not_removed(folder, named, found)}
    beside = (log, head_path(log), log.with_suffix(".salt"), *(folder / name for name in own))
    known |= {os.path.normpath(path) for path in beside}
    for name, link in _below(folder):
        if link:
            found.notes.append(f"{name} is a symbolic link")
        elif os.path.normpath(folder / name) not in known:
            found.notes.append(f"{name} is not in the log")


def _not_removed(folder: Path, named: NamedFiles, found: FileFindings) -> Iterator[str]:
    """The pruned files that are still there as they were written, with a note on each."""
    digests = _digests(folder, named.pruned)
    for place, (line, sha256) in named.pruned.items():
        path = file_at(place, folder)
        if path is not None and path.is_file() and _told(digests[path], line, f"pruned file {place}", found) == sha256:
            found.notes.append(
                f"line {line}: it says that {place} was pruned, and the file is still there: prune again"
            )
            yield place


def _below(folder: Path) -> Iterator[tuple[str, bool]]:
    """Every file and link below a folder by its relative name, and whether it is a link; links are not followed."""
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in (*folders, *sorted(name for name in files if not name.startswith("."))):
            path = Path(parent, name)
            name_below = path.relative_to(folder).as_posix().encode("utf-8", "backslashreplace").decode()
            if path.is_symlink() or name not in folders:
                yield name_below, path.is_symlink()


def _digests(folder: Path, places: Iterable[str]) -> dict[Path, str | Exception]:
    """The digest of each file that is no address, or why it can't be read; one that hangs holds up no other."""
    paths = dict.fromkeys(path for place in places if (path := file_at(place, folder)) is not None)
    return dict(outcomes(digest_of_path, paths, seconds=READING, alike=lambda path: path.parent))


def _told(digest: str | Exception, line: int, what: str, found: FileFindings) -> str | None:
    """The digest of a file; None, and a note or a fault, where there is none or it can't be read."""
    match digest:
        case str():
            return digest
        case FileNotFoundError() | NotADirectoryError():
            found.notes.append(f"line {line}: its {what} is not where it was")
        case OSError() as error:
            found.faults.append(Fault(line, f"its {what} can't be read: {error.strerror or error}"))
        case error:
            raise error
    return None


def _how(path: Path, output: Mapping[str, str]) -> str:
    try:
        same = _readers.call(_pixels_of, str(path), seconds=READING) == output.get("pixels_sha256")
    except OverpaintError as error:
        return "it is no picture any more" if isinstance(error, PictureError) else f"its pixels are not known: {error}"
    return "its pixels are equal, its metadata are not" if same else "it has other pixels"


def _pixels_of(path: str) -> str:
    return pixel_digest(open_picture(path))
