"""Finding records in a log: all in their order, or the one of a picture or an id."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from overpaint.bounded import call_in_time
from overpaint.errors import PictureError, RecordError
from overpaint.files import READING, is_file, opened_regular
from overpaint.picture import open_picture
from overpaint.studio import pixel_digest

from ._line import ChainLink, computed_hash, is_evidence, is_of_session, lines_from, link_of, record_text
from ._record import AuditRecord, file_at
from ._session_record import SessionRecord

NAME = "audit.jsonl"
_SHORTEST = 6  # characters of an id that may stand for it


@dataclass(frozen=True)
class LogEntry:
    """A line of a log that is the record of an edit or of an action of a session: its position in the chain, its JSON,
    and whether the line's hash is right.
    """

    log: Path
    link: ChainLink
    text: bytes
    whole: bool

    @cached_property
    def record(self) -> AuditRecord:
        """The record of an edit as a value. Raises RecordError when it can't be read, or is of a session."""
        return AuditRecord.from_json(self.text)

    @property
    def of_session(self) -> bool:
        """Whether it is the record of an action of a session."""
        return is_of_session(self.text)

    @cached_property
    def action(self) -> SessionRecord:
        """The record of an action of a session. Raises RecordError when it can't be read, or is of another kind."""
        return SessionRecord.from_json(self.text)

    def is_at(self, path: Path) -> bool:
        """Whether a file has the place of the recorded output; of an address, whether it has its last part."""
        place = self.record.output.place
        recorded = file_at(place, self.log.parent)
        if recorded is None:
            return place.rpartition("/")[2] == path.name
        # text is compared: os.path.realpath takes names that no file can have
        return os.path.realpath(recorded) == os.path.realpath(path)


def log_at(path: Path) -> Path:
    """The log at a path: the file, or audit.jsonl in the folder.

    Raises:
        RecordError: There is none.
    """
    found = path / NAME if path.is_dir() else path
    if not found.is_file():
        raise RecordError(f"there is no audit log at {found}; name the file, or a folder that has {NAME}")
    return found


def lines_of(log: Path) -> Iterator[bytes]:
    """The lines of a log, with their newlines.

    Raises:
        RecordError: It can't be read.
    """
    try:
        with opened_regular(log) as file:
            yield from lines_from(file)
    except OSError as error:
        raise RecordError(f"the audit log {log} can't be read: {error.strerror or error}") from None


def entries(log: Path, *, holding: bytes = b"", sessions: bool = False) -> Iterator[LogEntry]:
    """Every record of an edit in a log, in order; other lines are skipped.

    Args:
        log: The log.
        holding: Lines without these bytes are skipped too.
        sessions: Whether records of actions of sessions are given as well.
    """
    for line in lines_of(log):
        if holding in line and (entry := _entry(log, line.rstrip(b"\n"))) is not None and sessions >= entry.of_session:
            yield entry


def _entry(log: Path, line: bytes) -> LogEntry | None:
    link = link_of(line)
    if link is None:
        return None
    text = record_text(line)
    if not is_evidence(text):
        return None
    return LogEntry(log, link, text, computed_hash(line) == link.hash)


def find(log: Path, what: str) -> LogEntry:
    """The record of an id, or of a picture file, by the file's digest or else by its pixels'.

    Of several, as when a file was made twice, the last.

    Args:
        log: The log.
        what: The path of a picture, or the beginning of an id (6 characters or more).

    Raises:
        RecordError: There is none, or several have such an id.
    """
    path = Path(what)
    if is_file(path):
        return _of_file(log, path)
    if not re.fullmatch(f"[0-9a-f]{{{_SHORTEST},32}}", what):
        message = f"there is no file {what!r}, and a record's id is {_SHORTEST} to 32 of the characters 0-9a-f"
        raise RecordError(message, value=what)
    every = entries(log, holding=what.encode(), sessions=True)
    found = {entry.link.id: entry for entry in every if entry.link.id.startswith(what)}
    if not found:
        raise RecordError(f"{log} has no record whose id begins with {what}")
    if len(found) > 1:
        raise RecordError(f"{len(found)} records of {log} have ids that begin with {what}: {', '.join(sorted(found))}")
    return next(iter(found.values()))


def _of_file(log: Path, path: Path) -> LogEntry:
    try:
        data = call_in_time(path.read_bytes, seconds=READING)
    except OSError as error:
        raise RecordError(f"{path} can't be read: {error.strerror or error}") from None
    digest = hashlib.sha256(data).hexdigest()
    found = _last(log, digest, path, lambda record: record.output.sha256 == digest)
    if found is not None:
        return found
    try:
        pixels = pixel_digest(open_picture(data))
    except PictureError as error:
        raise RecordError(f"{log} has no record of {path}, which is no picture either: {error}") from None
    found = _last(log, pixels, path, lambda record: record.output.pixels_sha256 == pixels)
    if found is None:
        raise RecordError(f"{log} has no record of {path}: neither of the file nor of its pixels")
    return found


def _last(log: Path, digest: str, path: Path, fits: Callable[[AuditRecord], bool]) -> LogEntry | None:
    """The last entry that fits; of several the last one of a file at this path, where there is one."""
    last = None
    for entry in reversed(list(entries(log, holding=digest.encode()))):
        with contextlib.suppress(RecordError):
            if fits(entry.record):
                if entry.is_at(path):
                    return entry
                last = last or entry
    return last
