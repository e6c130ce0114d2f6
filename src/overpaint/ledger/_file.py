"""The file of a ledger: its tables, its version, its transactions, and what is kept beside the jobs."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Self
from urllib.parse import quote

from overpaint.errors import LedgerError

from ._jobs import LeftDecision

VERSION = 2
_BUSY = 30.0  # seconds to wait for another process's transaction
_TABLE = """
CREATE TABLE IF NOT EXISTS job (
    number     INTEGER PRIMARY KEY,          -- order of arrival
    id         TEXT NOT NULL UNIQUE,
    key        TEXT NOT NULL,
    spec       TEXT NOT NULL DEFAULT '',
    state      TEXT NOT NULL DEFAULT 'waiting',
    attempts   INTEGER NOT NULL DEFAULT 0,   -- times started
    retries    INTEGER NOT NULL DEFAULT 0,   -- times it may be tried again after a failure
    not_before REAL NOT NULL DEFAULT 0,
    token      TEXT,                         -- of the lease
    owner      TEXT,
    until      REAL,
    result     TEXT,
    line       TEXT,
    detail     TEXT,
    note       TEXT,
    updated    REAL NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS job_by_state ON job (state, number);
CREATE TABLE IF NOT EXISTS log_end (log TEXT PRIMARY KEY, count INTEGER NOT NULL, hash TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS decision (
    id      TEXT PRIMARY KEY,
    result  TEXT NOT NULL,
    line    TEXT NOT NULL,
    problem TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""


class LedgerFile:
    """The file, and what is kept in it beside the jobs. A context manager that closes it."""

    def __init__(
        self, path: str | os.PathLike[str], *, clock: Callable[[], float] = time.time, read_only: bool = False
    ) -> None:
        """Open the file, or create it; its folder must exist, on a local disk. `clock` gives seconds since 1970.

        Args:
            path: The file.
            clock: Gives seconds since 1970.
            read_only: Whether it is only read: then it must exist, and neither it nor its folder is changed.

        Raises:
            LedgerError: The file can't be opened, is no ledger, or has a newer version, or an older one to be read.
        """
        self.path = Path(path)
        self._clock = clock
        self._guard = threading.RLock()
        if self.path.exists() and not self.path.is_file():  # a pipe would be waited for
            raise LedgerError(f"the ledger {self.path} can't be used: it is no regular file")
        with reported(self.path):
            name = self._read_only_name() if read_only else str(self.path)
            self._database = sqlite3.connect(
                name, timeout=_BUSY, isolation_level=None, check_same_thread=False, uri=read_only
            )
            try:
                self._check_version(read_only=read_only)
                if not read_only:
                    self._prepare()
            except BaseException:
                self._database.close()
                raise

    def _read_only_name(self) -> str:
        """The file for SQLite. Without a write-ahead log beside it nobody writes, and no file is made to read it."""
        logged = self.path.with_name(self.path.name + "-wal").exists()
        return f"file:{quote(str(self.path.absolute()))}?mode=ro{'' if logged else '&immutable=1'}"

    def _check_version(self, *, read_only: bool) -> None:
        found = self._database.execute("PRAGMA user_version").fetchone()[0]
        if found > VERSION:
            raise LedgerError(
                f"{self.path} has version {found}, and this version of Overpaint knows {VERSION}: update it"
            )
        if read_only and found < VERSION:
            raise LedgerError(f"{self.path} has version {found}, and is brought to {VERSION} by a run of its batch")

    def _prepare(self) -> None:
        self._to_wal()
        # FULL: a commit is on the disk when it returns. Only then does a result get its name.
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.executescript(f"BEGIN IMMEDIATE; {_TABLE} PRAGMA user_version = {VERSION}; COMMIT;")

    def _to_wal(self) -> None:
        """Switch to write-ahead logging. SQLite's timeout does not cover this statement, hence the loop."""
        over = time.monotonic() + _BUSY
        while True:
            try:
                self._database.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > over:
                    raise
                time.sleep(0.02)
            else:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._guard:
            self._database.close()

    # ── audit logs ────────────────────────────────────────────────────────────────────────────────────────────────

    def log_end(self, log: str) -> tuple[int, str] | None:
        """The number and the hash of a log's last line, as kept; None for a log that is not known."""
        with self._guard, reported(self.path):
            row = self._database.execute("SELECT count, hash FROM log_end WHERE log = ?", (log,)).fetchone()
        return None if row is None else (int(row[0]), str(row[1]))

    def keep_log_end(self, log: str, count: int, hash: str) -> None:
        """Keep the number and the hash of a log's last line."""
        with self._transaction() as run:
            run("INSERT OR REPLACE INTO log_end (log, count, hash) VALUES (?, ?, ?)", (log, count, hash))

    # ── decisions that wait for the process that runs the jobs ────────────────────────────────────────────────────

    def leave_decisions(self, decisions: Iterable[LeftDecision]) -> None:
        """Leave decisions, each in the place of an earlier one on the same job."""
        with self._transaction():
            self._database.executemany(
                "INSERT OR REPLACE INTO decision (id, result, line, problem) VALUES (?, ?, ?, ?)",
                [(one.id, one.result, one.line, one.problem) for one in decisions],
            )

    def left_decisions(self) -> list[LeftDecision]:
        """All that were left and not dropped."""
        with self._guard, reported(self.path):
            found = self._database.execute("SELECT id, result, line, problem FROM decision ORDER BY rowid")
            return [LeftDecision(*row) for row in found]

    def refuse_decision(self, decision: LeftDecision, problem: str) -> None:
        """Note why a decision could not be carried out; a later one on the same job stays as it is."""
        with self._transaction() as run:
            run(
                "UPDATE decision SET problem = ? WHERE id = ? AND result = ? AND line = ?",
                (problem, decision.id, decision.result, decision.line),
            )

    def drop_decisions(self, decisions: Iterable[LeftDecision]) -> None:
        """Remove decisions that were carried out, or whose problem is known to who left them; not later ones."""
        with self._transaction():
            self._database.executemany(
                "DELETE FROM decision WHERE id = ? AND result = ? AND line = ?",
                [(one.id, one.result, one.line) for one in decisions],
            )

    # ── what its user keeps beside the jobs ───────────────────────────────────────────────────────────────────────

    def kept(self, name: str) -> str | None:
        """The text that was kept under a name; None for none."""
        with self._guard, reported(self.path):
            row = self._database.execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def keep(self, name: str, value: str) -> None:
        """Keep a text under a name, in the place of an earlier one."""
        with self._transaction() as run:
            run("INSERT OR REPLACE INTO kept (name, value) VALUES (?, ?)", (name, value))

    @contextlib.contextmanager
    def _unsynced(self) -> Iterator[None]:
        """Transactions within do not wait for the disk; the next one without does, for them too. Needs `_guard`."""
        with reported(self.path):
            self._database.execute("PRAGMA synchronous = NORMAL")
        try:
            yield
        finally:
            with reported(self.path):
                self._database.execute("PRAGMA synchronous = FULL")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        with self._guard, reported(self.path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database.execute
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:  # on a full disk SQLite may have rolled back already
                    self._database.execute("ROLLBACK")
                raise


@contextlib.contextmanager
def reported(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        name = getattr(error, "sqlite_errorname", "")
        reasons = {
            "SQLITE_FULL": "the disk is full",
            "SQLITE_CANTOPEN": "its folder is missing or can't be written to",
            "SQLITE_READONLY": "it is read-only",
            "SQLITE_NOTADB": "it is a file of another kind",
            "SQLITE_BUSY": f"another process held it for {_BUSY:g} s",
        }
        reason = reasons.get(name, str(error))
        message = f"the ledger {path} can't be used: {reason}"
        if name == "SQLITE_FULL":
            raise LedgerError(message, code="disk-full") from error
        raise LedgerError(message) from error
