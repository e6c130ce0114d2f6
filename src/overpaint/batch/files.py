"""Digests of files, read once for as long as a file stays as it is."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from overpaint.errors import LedgerError

from .store import Place, marks_of

_TABLE = """
CREATE TABLE IF NOT EXISTS file (
    path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, inode INTEGER, sha256 TEXT, kind TEXT
) STRICT, WITHOUT ROWID
"""
_HEAD = 4096  # enough to tell every format apart


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a file.

    Attributes:
        sha256: Of its content.
        kind: "png", "jpeg", ... by its first bytes; "" for anything that is no picture.
    """

    sha256: str
    kind: str


class Files:
    """Digests by path, size, time of the last change and inode; kept from one run to the next. For one thread."""

    def __init__(self, path: Path) -> None:
        """Open the file where they are kept, or make it. What is in it can always be found out anew."""
        try:
            self._database = sqlite3.connect(path, isolation_level=None)
            try:
                self._database.execute(_TABLE)
                rows = self._database.execute("SELECT path, size, mtime_ns, inode, sha256, kind FROM file").fetchall()
            except BaseException:
                self._database.close()
                raise
        except sqlite3.DatabaseError as error:
            raise LedgerError(f"{path} can't be used: {error}; it may be deleted, and is then made anew") from error
        self._known = {row[0]: (row[1:4], Known(row[4], row[5])) for row in rows}
        self._fresh: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Keep what was found out, and close the file."""
        self.save()
        self._database.close()

    def save(self) -> None:
        """Keep what was found out so far, for the case that this process is killed."""
        with contextlib.suppress(sqlite3.Error):  # on a full disk, say: it costs no more than reading again
            self._database.execute("BEGIN")
            self._database.executemany(
                "INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?)",
                [(path, *self._known[path][0], known.sha256, known.kind) for path, known in self._each(self._fresh)],
            )
            self._database.execute("COMMIT")
            self._fresh.clear()

    def _each(self, paths: Iterable[str]) -> list[tuple[str, Known]]:
        return [(path, self._known[path][1]) for path in paths]

    def known(self, path: Place) -> Known:
        """Digest and kind of the file, read only when it has changed since. Raises OSError when it can't be."""
        name = str(path)
        marks = marks_of(path)
        before = self._known.get(name)
        if before is not None and before[0] == marks:
            return before[1]
        with path.open("rb") as file:
            if isinstance(path, Path):
                marks = _marks(os.fstat(file.fileno()))
            head = file.read(_HEAD)
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        from overpaint.picture import format_of

        found = Known(digest, format_of(head) or "")
        self._keep(name, marks, found)
        return found

    def note(self, path: Place, sha256: str) -> None:
        """The file was just written, and has this digest."""
        with contextlib.suppress(OSError):
            self._keep(str(path), marks_of(path), Known(sha256, ""))

    def _keep(self, name: str, marks: tuple[int, int, int], known: Known) -> None:
        self._known[name] = (marks, known)
        self._fresh.add(name)


def _marks(status: os.stat_result) -> tuple[int, int, int]:
    return (status.st_size, status.st_mtime_ns, status.st_ino)
