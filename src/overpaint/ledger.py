"""The ledger: jobs that wait, run, are done or failed. One SQLite table on a local disk, for batches and the server.

States of a job:

    waiting ── claim ──▶ leased ── finish ──▶ finished ── done ──▶ done
       ▲                    │                │ │ ▲
       └── fail, release, ──┴── fail ──▶ failed│ └─┼─ set_aside ──▶ needs-review
           lease over                      ▲   │   └─── decide ──────────┘
                                           └───┴ reject

A lease holds a job for a worker until a time; the worker renews it or finishes before. One whose lease is over has lost
the job, and gets LeaseLostError. "finished" is the point of no return: the result is on the disk under a temporary
name, and what is left to do (its final name, the audit) is in the job's `line`, so that it can be done after a crash.
"needs-review" is a result that a person has to look at; its `line` is what is left to do once it is accepted.

Only the process that runs the jobs changes them. Another one leaves a person's decision, which that one takes.

Safe for threads and processes; every change is one transaction, on the disk when the call returns.
"""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import quote

from overpaint.errors import LedgerError

__all__ = ["Job", "LeaseLostError", "Ledger", "LedgerEntry", "LeftDecision", "State"]

State = Literal["waiting", "leased", "finished", "needs-review", "done", "failed"]

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
_NO_LEASE = "token = NULL, owner = NULL, until = NULL"
_NO_REVIEW = "result = CASE WHEN job.state = 'needs-review' THEN NULL ELSE job.result END"
_WHERE_HELD = "WHERE id = ? AND token = ? AND state = 'leased'"
_WHERE_FINISHED = "WHERE id = ? AND state = 'finished'"
_WHERE_IN_REVIEW = "WHERE id = ? AND state = 'needs-review'"
_COLUMNS = "id, key, spec, state, attempts, retries, token, owner, until, result, line, detail, note, updated"


class LeaseLostError(LedgerError):
    """The lease was over before the job was finished: another worker may have it, and the result must be dropped."""


@dataclass(frozen=True, slots=True)
class Job:
    """A unit of work.

    Attributes:
        id: Its permanent name.
        key: Digest of everything that its result follows from. A job with another key starts again.
        spec: What a worker needs to know, as text; the ledger does not read it.
        retries: Times it may be tried again after a failure.
    """

    id: str
    key: str
    spec: str = ""
    retries: int = 0


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A job with its state. Of a job that was claimed it is the lease: the right to do the job until a time.

    Attributes:
        id, key, spec: The job's.
        state: See the module.
        attempts: Times it was started.
        retries: Times it may be tried again.
        token, owner, until: Of the lease: its unique name, its holder, and when it is over unless renewed, in seconds
            of the ledger's clock. None without one; a finished job keeps its token.
        result: Digest of the result when it was last finished, also when the job was started again since; None where
            that result was set aside for review, and not accepted.
        line: What is left to do for a finished job, or for one that is accepted, as text.
        detail: For reports, as text.
        note: Why it failed.
        updated: Time of the last change of state, in seconds since 1970.
    """

    id: str
    key: str
    spec: str
    state: State
    attempts: int
    retries: int
    token: str | None
    owner: str | None
    until: float | None
    result: str | None
    line: str | None
    detail: str | None
    note: str | None
    updated: float


@dataclass(frozen=True, slots=True)
class LeftDecision:
    """A person's decision on a result, left for the process that runs the jobs.

    Attributes:
        id: The job's.
        result: Digest of the result that it is about.
        line: The decision, as text.
        problem: Why it could not be carried out; None before it was tried.
    """

    id: str
    result: str
    line: str
    problem: str | None = None


class Ledger(contextlib.AbstractContextManager["Ledger"]):
    """Jobs and their states in one file. A context manager that closes it."""

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
        with _errors(self.path):
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

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with self._guard:
            self._database.close()

    # ── adding jobs ───────────────────────────────────────────────────────────────────────────────────────────────

    def add(self, jobs: Iterable[Job]) -> int:
        """Add jobs in order. One with the same key and spec stays as it is; one with another key or spec starts again,
        and a worker that has it loses its lease. The detail of one that was to be reviewed is kept.

        Returns:
            Number of jobs that are new or start again.
        """
        now = self._clock()
        rows = [(job.id, job.key, job.spec, job.retries, now) for job in jobs]
        with self._transaction():
            before = self._database.total_changes
            self._database.executemany(
                "INSERT INTO job (id, key, spec, retries, updated) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET key = excluded.key, spec = excluded.spec, retries = excluded.retries, "
                f"state = 'waiting', attempts = 0, not_before = 0, {_NO_LEASE}, "
                f"{_NO_REVIEW}, "
                "detail = CASE WHEN job.state = 'needs-review' THEN job.detail END, "
                "line = NULL, note = NULL, updated = excluded.updated "
                "WHERE key != excluded.key OR spec != excluded.spec",
                rows,
            )
            return self._database.total_changes - before

    def again(self, ids: Iterable[str], *, retries: int = 0) -> None:
        """Set jobs that are done, failed, waiting or to be reviewed to waiting, with so many retries. Attempts keep
        counting.
        """
        now = self._clock()
        with self._transaction():
            self._database.executemany(
                f"UPDATE job SET {_NO_REVIEW}, state = 'waiting', retries = ?, not_before = 0, {_NO_LEASE}, "
                "line = NULL, note = NULL, updated = ? "
                "WHERE id = ? AND state IN ('done', 'failed', 'waiting', 'needs-review')",
                [(retries, now, id) for id in ids],
            )

    def refuse(self, job: Job, note: str, detail: str | None = None) -> None:
        """Add a job that can't be started, as failed, for the reason `note`. One without a spec keeps the one that it
        had, as its result may still be there.
        """
        with self._transaction() as run:
            run(
                "INSERT INTO job (id, key, spec, state, note, detail, updated) VALUES (?, ?, ?, 'failed', ?, ?, ?) "
                f"ON CONFLICT (id) DO UPDATE SET {_NO_REVIEW}, key = excluded.key, state = 'failed', "
                "spec = CASE excluded.spec WHEN '' THEN spec ELSE excluded.spec END, "
                f"note = excluded.note, detail = excluded.detail, {_NO_LEASE}, line = NULL, "
                "updated = excluded.updated",
                (job.id, job.key, job.spec, note, detail, self._clock()),
            )

    def adopt(self, job: Job, result: str, detail: str, line: str | None = None) -> None:
        """Add a job whose result is there already, as done, or with `line`, which says what is left to do once it is
        accepted, as one to be reviewed; one of the same id is replaced.
        """
        with self._transaction() as run:
            run(
                "INSERT INTO job (id, key, spec, state, attempts, result, detail, line, updated) "
                "VALUES (?, ?, ?, ?, 1, ?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET key = excluded.key, spec = excluded.spec, state = excluded.state, "
                f"result = excluded.result, detail = excluded.detail, note = NULL, {_NO_LEASE}, line = excluded.line, "
                "updated = excluded.updated",
                (job.id, job.key, job.spec, "needs-review" if line else "done", result, detail, line, self._clock()),
            )

    def drop_details(self, fields: Iterable[str], keep: Collection[str] = ()) -> None:
        """Remove fields from the details of jobs, which are JSON, and the notes; those with the ids `keep` stay."""
        paths = [f'$."{field}"' for field in fields]
        marks = ", ".join("?" * len(paths))
        with self._transaction():
            for (id,) in self._database.execute("SELECT id FROM job").fetchall():
                if id not in keep:
                    self._database.execute(
                        f"UPDATE job SET detail = json_remove(detail, {marks}), note = NULL WHERE id = ?", (*paths, id)
                    )

    def forget(self, ids: Iterable[str]) -> None:
        """Remove jobs that are done, failed, waiting or to be reviewed."""
        with self._transaction():
            self._database.executemany(
                "DELETE FROM job WHERE id = ? AND state IN ('done', 'failed', 'waiting', 'needs-review')",
                [(id,) for id in ids],
            )

    # ── workers ───────────────────────────────────────────────────────────────────────────────────────────────────

    def claim(self, owner: str, seconds: float, id: str | None = None) -> LedgerEntry | None:
        """Lease the next waiting job, or the one with this id, for so many seconds. None where none waits.

        Jobs whose lease is over are set to waiting first (see `expire`).
        """
        self.expire()
        now, named = self._clock(), () if id is None else (id,)
        found = self._update(
            "state = 'leased', token = ?, owner = ?, until = ?, attempts = attempts + 1, note = NULL, updated = ? "
            "WHERE number = (SELECT number FROM job WHERE state = 'waiting' AND not_before <= ? "
            f"{'AND id = ?' if named else ''} ORDER BY number LIMIT 1)",
            (secrets.token_hex(8), owner, now + seconds, now, now, *named),
        )
        return found[0] if found else None

    def renew(self, leases: Iterable[LedgerEntry], seconds: float) -> frozenset[str]:
        """Extend leases to so many seconds from now. Returns the tokens of those that hold; the others are lost."""
        tokens = [lease.token for lease in leases]
        found = self._update(
            f"until = ? WHERE state = 'leased' AND token IN ({', '.join('?' * len(tokens))})",
            (self._clock() + seconds, *tokens),
        )
        return frozenset(entry.token for entry in found if entry.token is not None)

    def finish(self, lease: LedgerEntry, result: str, line: str) -> None:
        """Record that the result is on the disk; `line` says what is left to do, and survives a crash.

        Raises:
            LeaseLostError: The lease was over.
        """
        if not self._update(
            f"state = 'finished', result = ?, line = ?, until = NULL, updated = ? {_WHERE_HELD}",
            (result, line, self._clock(), lease.id, lease.token),
        ):
            raise LeaseLostError(f"the lease of {lease.id!r} was over before it was finished; its result is dropped")

    def done(self, id: str, detail: str | None = None) -> None:
        """Record that nothing is left to do for a finished job. Calling it twice does no harm."""
        self._update(
            f"state = 'done', line = NULL, {_NO_LEASE}, note = NULL, detail = ?, updated = ? {_WHERE_FINISHED}",
            (detail, self._clock(), id),
        )

    def set_aside(self, id: str, line: str, detail: str | None = None) -> None:
        """Record that a finished job's result is there to be reviewed; `line` says what is left to do once it is
        accepted.
        """
        self._update(
            f"state = 'needs-review', line = ?, {_NO_LEASE}, note = NULL, detail = ?, updated = ? {_WHERE_FINISHED}",
            (line, detail, self._clock(), id),
        )

    def decide(self, id: str, line: str) -> bool:
        """Record that a person has decided on a result: the job is finished, with this left to do. False where it was
        not to be reviewed.
        """
        return bool(
            self._update(f"state = 'finished', line = ?, updated = ? {_WHERE_IN_REVIEW}", (line, self._clock(), id))
        )

    def reject(self, id: str, note: str, detail: str | None = None) -> None:
        """Record that a finished job's result was rejected and is gone: it has failed for the reason `note`."""
        self._update(
            f"state = 'failed', result = NULL, line = NULL, {_NO_LEASE}, note = ?, detail = ?, updated = ? "
            f"{_WHERE_FINISHED}",
            (note, detail, self._clock(), id),
        )

    def fail(
        self, lease: LedgerEntry, note: str, *, retry: bool = True, delay: float = 0.0, detail: str | None = None
    ) -> State:
        """Record a failure.

        Args:
            lease: The job's.
            note: The reason.
            retry: Whether another attempt may help; the job's retries bound their number.
            delay: Seconds until then.
            detail: For reports.

        Returns:
            "waiting" where it will be tried again, else "failed".

        Raises:
            LeaseLostError: The lease was over.
        """
        now = self._clock()
        found = self._update(
            "state = CASE WHEN ? AND retries > 0 THEN 'waiting' ELSE 'failed' END, "
            "retries = CASE WHEN ? AND retries > 0 THEN retries - 1 ELSE retries END, "
            f"not_before = ?, note = ?, detail = ?, {_NO_LEASE}, updated = ? {_WHERE_HELD}",
            (retry, retry, now + delay, note, detail, now, lease.id, lease.token),
        )
        if not found:
            raise LeaseLostError(f"the lease of {lease.id!r} was over before it failed: {note}")
        return found[0].state

    def release(self, lease: LedgerEntry) -> None:
        """Return a cancelled job: it waits again, and has not failed. No error where the lease is lost."""
        self._update(
            f"state = 'waiting', {_NO_LEASE}, updated = ? {_WHERE_HELD}", (self._clock(), lease.id, lease.token)
        )

    # ── after a crash ─────────────────────────────────────────────────────────────────────────────────────────────

    def expire(self, *, owners_gone: bool = False) -> list[LedgerEntry]:
        """Set jobs whose lease is over to waiting; with `owners_gone`, all that are leased, as no worker is left.

        A lease that is over uses up a retry, so that a job that kills its worker is not tried for ever; with
        `owners_gone` it does not.

        Returns:
            The jobs before, so that their workers' temporary files can be removed.
        """
        now = self._clock()
        over, until = "state = 'leased' AND until < ?", math.inf if owners_gone else now
        if not self._rows(f"WHERE {over} LIMIT 1", (until,)):
            return []
        failing = "0" if owners_gone else "retries = 0"
        with self._transaction() as run:
            taken = self._rows(f"WHERE {over} ORDER BY number", (until,))
            run(
                f"UPDATE job SET state = CASE WHEN {failing} THEN 'failed' ELSE 'waiting' END, "
                f"note = CASE WHEN {failing} THEN 'its worker ended without a result' ELSE note END, "
                f"retries = {'retries' if owners_gone else 'max(0, retries - 1)'}, {_NO_LEASE}, updated = ? "
                f"WHERE {over}",
                (now, until),
            )
        return taken

    def undo(self, id: str, note: str, *, state: Literal["waiting", "failed"] = "waiting") -> None:
        """Set a finished job back, where its result is gone or can't get its name."""
        self._update(
            f"state = ?, {_NO_LEASE}, line = NULL, note = ?, updated = ? {_WHERE_FINISHED}",
            (state, note, self._clock(), id),
        )

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

    def entry(self, id: str) -> LedgerEntry | None:
        """One job, or None."""
        return next(iter(self._rows("WHERE id = ?", (id,))), None)

    def entries(self, *states: State) -> list[LedgerEntry]:
        """All jobs, or those in one of these states, in order of arrival."""
        where = f"WHERE state IN ({', '.join('?' * len(states))})" if states else ""
        return self._rows(f"{where} ORDER BY number", states)

    # ── audit logs ────────────────────────────────────────────────────────────────────────────────────────────────

    def log_end(self, log: str) -> tuple[int, str] | None:
        """The number and the hash of a log's last line, as kept; None for a log that is not known."""
        with self._guard, _errors(self.path):
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
        with self._guard, _errors(self.path):
            found = self._database.execute("SELECT id, result, line, problem FROM decision ORDER BY rowid")
            return [LeftDecision(*row) for row in found]

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
        with self._guard, _errors(self.path):
            row = self._database.execute("SELECT value FROM kept WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def keep(self, name: str, value: str) -> None:
        """Keep a text under a name, in the place of an earlier one."""
        with self._transaction() as run:
            run("INSERT OR REPLACE INTO kept (name, value) VALUES (?, ?)", (name, value))

    def _rows(self, which: str, values: tuple[object, ...]) -> list[LedgerEntry]:
        with self._guard, _errors(self.path):
            return [LedgerEntry(*row) for row in self._database.execute(f"SELECT {_COLUMNS} FROM job {which}", values)]

    def counts(self) -> Mapping[State, int]:
        """Number of jobs in each state."""
        with self._guard, _errors(self.path):
            found = dict(self._database.execute("SELECT state, count(*) FROM job GROUP BY state").fetchall())
        return {state: found.get(state, 0) for state in get_args(State)}

    def _update(self, what: str, values: tuple[object, ...]) -> list[LedgerEntry]:
        """Change jobs: SET and WHERE of a statement. Returns them as they are then."""
        with self._transaction() as run:
            return [LedgerEntry(*row) for row in run(f"UPDATE job SET {what} RETURNING {_COLUMNS}", values)]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        with self._guard, _errors(self.path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database.execute
                self._database.execute("COMMIT")
            except BaseException:
                if self._database.in_transaction:  # on a full disk SQLite may have rolled back already
                    self._database.execute("ROLLBACK")
                raise


@contextlib.contextmanager
def _errors(path: Path) -> Iterator[None]:
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
        raise LedgerError(f"the ledger {path} can't be used: {reason}") from error
