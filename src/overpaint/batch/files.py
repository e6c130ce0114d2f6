"""Digests of files; a file is read again only when it has changed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from overpaint.errors import LedgerError

from .store import Place, marks_of

_TABLE = """
CREATE TABLE IF NOT EXISTS file (
    path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, inode INTEGER, sha256 TEXT, kind TEXT
) STRICT, WITHOUT ROWID
"""
LARGEST_FILE = 1 << 30  # bytes; as for pictures
_HEAD = 4096  # enough to identify every format


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

    def __init__(self, path: Path) -> None:
        """Open the file where they are kept, or make it."""
        self._database = open_database(path, _TABLE)
        rows = self._database.execute("SELECT path, size, mtime_ns, inode, sha256, kind FROM file").fetchall()
        self._known = {row[0]: (row[1:4], Known(row[4], row[5])) for row in rows}
        self._fresh: set[str] = set()

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
            self._database.execute("COMMIT")
            self._fresh.clear()

    def known(self, path: Place) -> Known:
        """Digest and kind of a file, which is read only when it has changed. Raises OSError when it can't be read."""
        name = str(path)
        marks = marks_of(path)  # before it is read: a change meanwhile shows the next time
        before = self._known.get(name)
        if before is not None and before[0] == marks:
            return before[1]
        if marks[0] > LARGEST_FILE:
            raise OSError(errno.EFBIG, f"it has {marks[0]:,} bytes; at most {LARGEST_FILE:,} are read", name)
        with path.open("rb") as file:
            head = file.read(_HEAD)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        from overpaint.picture import format_of

        found = Known(digest, format_of(head) or "")
        self._keep(name, marks, found)
        return found

    def note(self, path: Place, sha256: str) -> None:
        """Note the digest of a picture that was just written, whose extension says its kind."""
        from overpaint.picture import format_of_path

        with contextlib.suppress(OSError):
            self._keep(str(path), marks_of(path), Known(sha256, format_of_path(path)))

    def _keep(self, name: str, marks: tuple[int, int, int], known: Known) -> None:
        self._known[name] = (marks, known)
        self._fresh.add(name)
