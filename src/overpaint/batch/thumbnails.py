"""Where thumbnails are kept between runs, so that a report shows results of earlier ones too."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Literal, Self

from overpaint.errors import LedgerError

from .task import Thumbnails

_TABLE = """
CREATE TABLE IF NOT EXISTS thumbnail (
    id TEXT PRIMARY KEY, before BLOB, mask BLOB, after BLOB, before_small BLOB, mask_small BLOB, after_small BLOB
) STRICT
"""


class ThumbnailStore:
    """Thumbnails by the id of their row. For one thread."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it."""
        try:
            self._database = sqlite3.connect(path, isolation_level=None)
            try:
                self._database.execute("PRAGMA journal_mode = WAL")
                # Not flushed each time: they are no result, and a power cut may cost a few.
                self._database.execute("PRAGMA synchronous = OFF")
                self._database.execute(_TABLE)
            except BaseException:
                self._database.close()
                raise
        except sqlite3.DatabaseError as error:
            raise LedgerError(f"{path} can't be used: {error}; it may be deleted") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def put(self, id: str, thumbnails: Thumbnails) -> None:
        """Keep those of a row, instead of any that it has. A full disk costs them, and nothing else."""
        with contextlib.suppress(sqlite3.OperationalError):
            self._database.execute(
                "INSERT OR REPLACE INTO thumbnail VALUES (?, ?, ?, ?, ?, ?, ?)",
                (id, *thumbnails.large, *thumbnails.small),
            )

    def get(self, id: str, size: Literal["large", "small"]) -> tuple[bytes, bytes, bytes] | None:
        """Before, mask and after of a row, or None."""
        columns = "before, mask, after" if size == "large" else "before_small, mask_small, after_small"
        row = self._database.execute(f"SELECT {columns} FROM thumbnail WHERE id = ?", (id,)).fetchone()
        return None if row is None else (row[0], row[1], row[2])

    def bytes(self, size: Literal["large", "small"]) -> dict[str, int]:
        """How many bytes those of each row have together."""
        end = "" if size == "large" else "_small"
        rows = self._database.execute(
            f"SELECT id, length(before{end}) + length(mask{end}) + length(after{end}) FROM thumbnail"
        )
        return dict(rows.fetchall())
