"""Digests of files; a file is read again only when it has changed."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from overpaint.bounded import outcomes
from overpaint.errors import LedgerError
from overpaint.files import READING, digest_of, opened_regular

from .store import Place, marks_of

_TABLE = """
CREATE TABLE IF NOT EXISTS file (
    path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, inode INTEGER, sha256 TEXT, kind TEXT
) STRICT, WITHOUT ROWID
"""
LARGEST_FILE = 1 << 30  # bytes; as for pictures
_HEAD = 4096  # enough to identify every format
_Marks: TypeAlias = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a file.

    Attributes:
        sha256: Digest of its content.
        kind: "png", "jpeg", ... by its first bytes; "" for anything that is not a picture.
    """

    sha256: str
    kind: str


def open_database(path: Path, *statements: str) -> sqlite3.Connection:
    """Open a database, or make it, and run statements. What it holds can always be made again.

    Raises:
        LedgerError: It is damaged, or its disk is full.
    """
    try:
        database = sqlite3.connect(path, isolation_level=None)
        try:
            for statement in statements:
                database.execute(statement)
        except BaseException:
            database.close()
            raise
    except sqlite3.DatabaseError as error:
        raise LedgerError(f"{path} can't be used: {error}; it may be deleted, and is then made again") from error
    return database


class Files(contextlib.AbstractContextManager["Files"]):
    """Digests by path, size, modification time and inode; kept from one run to the next. For one thread."""

    def __init__(self, path: Path, *, seconds: float = READING) -> None:
        """Open the file where they are kept, or make it. `seconds`: the most that a look at one file may take."""
        self._seconds = seconds
        self._database = open_database(path, _TABLE)
        rows = self._database.execute("SELECT path, size, mtime_ns, inode, sha256, kind FROM file").fetchall()
        self._known = {row[0]: (row[1:4], Known(row[4], row[5])) for row in rows}
        self._fresh: set[str] = set()
        self._gone: set[str] = set()

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Save new digests, and close the file."""
        self.save()
        self._database.close()

    def save(self) -> None:
        """Save new digests, in case this process is killed."""
        rows = []
        for path in self._fresh:
            marks, known = self._known[path]
            rows.append((path, *marks, known.sha256, known.kind))
        with contextlib.suppress(sqlite3.Error):  # on a full disk, say: the file is then read again
            self._database.execute("BEGIN")
            self._database.executemany("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?)", rows)
            self._database.executemany("DELETE FROM file WHERE path = ?", [(path,) for path in self._gone])
            self._database.execute("COMMIT")
            self._fresh.clear()
            self._gone.clear()

    def known(self, path: Place) -> Known:
        """Digest and kind of a file, which is read only when it has changed.

        Raises:
            OSError: It can't be read, or not in time.
            OverpaintError: No installed package opens such addresses.
        """
        found = self.look((path,))[path]
        if isinstance(found, Exception):
            raise found
        return found

    def look(self, places: Iterable[Place]) -> dict[Place, Known | Exception]:
        """`known` of several files at once, or what it raises. One that hangs holds up no other."""
        found: dict[Place, Known | Exception] = {}
        wanted = dict.fromkeys(places)
        paths: list[Place] = [one for one in wanted if isinstance(one, Path)]
        others = [one for one in wanted if not isinstance(one, Path)]  # a store has time limits of its own
        local = outcomes(self._looked_at, paths, seconds=self._seconds, alike=_folder)
        for place, outcome in chain(local, outcomes(self._looked_at, others, seconds=None)):
            if isinstance(outcome, Exception):
                found[place] = outcome
                continue
            found[place] = outcome[1]
            if self._known.get(str(place)) != outcome:
                self._keep(str(place), *outcome)
        return found

    def _looked_at(self, place: Place) -> tuple[_Marks, Known]:
        """A file's marks, digest and kind. On a thread that may be left behind: it changes nothing."""
        marks = marks_of(place)  # before it is read: a change meanwhile shows the next time
        before = self._known.get(str(place))
        if before is not None and before[0] == marks:
            return before
        if marks[0] > LARGEST_FILE:
            raise OSError(errno.EFBIG, f"it has {marks[0]:,} bytes; at most {LARGEST_FILE:,} are read", str(place))
        with opened_regular(place) if isinstance(place, Path) else place.open() as file:
            head = file.read(_HEAD) or b""
            file.seek(0)
            digest = digest_of(file)
        from overpaint.picture import format_of

        return marks, Known(digest, format_of(head) or "")

    def note(self, path: Place, sha256: str) -> None:
        """Note the digest of a picture that was just written, whose extension says its kind."""
        from overpaint.picture import format_of_path

        with contextlib.suppress(OSError):
            self._keep(str(path), marks_of(path), Known(sha256, format_of_path(path)))

    def forget(self, path: Path) -> None:
        """Forget a file that is gone."""
        if self._known.pop(str(path), None) is not None:
            self._fresh.discard(str(path))
            self._gone.add(str(path))

    def _keep(self, name: str, marks: _Marks, known: Known) -> None:
        self._known[name] = (marks, known)
        self._fresh.add(name)
        self._gone.discard(name)


def _folder(place: Place) -> Place:
    return place.parent
