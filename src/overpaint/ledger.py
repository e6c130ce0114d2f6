"""The ledger: what is to run, runs, ran and failed. One SQLite table, on a local disk, for batches and for the server.

A job's way:

    waiting ── claim ──▶ leased ── finish ──▶ finished ── done ──▶ done
       ▲                    │
       └── fail, release, ──┴── fail ──▶ failed
           lease over

A lease is a promise to finish or renew before a moment; who breaks it has lost the job, and is told so when it comes
back. "finished" is the point of no return: the result lies on the disk under another name, and all that is still to be
done (its name, the audit) is in the job's `line`, so that whoever comes after a crash can do it.

Safe for threads and for processes; every change is one transaction and on the disk when the call returns.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, get_args

from overpaint.errors import LedgerError

__all__ = ["Entry", "Job", "Lease", "LeaseLostError", "Ledger", "State"]

State = Literal["waiting", "leased", "finished", "done", "failed"]

VERSION = 1
_BUSY = 30.0  # seconds to wait for another process's transaction
_TABLE = """
CREATE TABLE IF NOT EXISTS job (
    number     INTEGER PRIMARY KEY,          -- the order in which jobs came
    id         TEXT NOT NULL UNIQUE,
    key        TEXT NOT NULL,
    spec       TEXT NOT NULL DEFAULT '',
    state      TEXT NOT NULL DEFAULT 'waiting',
    attempts   INTEGER NOT NULL DEFAULT 0,   -- how often it was begun
    retries    INTEGER NOT NULL DEFAULT 0,   -- how often it may still be begun again after a failure
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
"""
_COLUMNS = "id, key, spec, state, attempts, retries, token, owner, until, result, line, detail, note, updated"


class LeaseLostError(LedgerError):
    """The lease was over before the job was, and someone else has it now, or did it; what was made is to be dropped."""


@dataclass(frozen=True, slots=True)
class Job:
    """Something to do.

    Attributes:
        id: What it is called, for as long as it is known.
        key: Digest of everything that its result follows from. A job whose key has changed is another job.
        spec: What whoever does it needs to know, as text; the ledger does not read it.
        retries: How often it may be tried again after a failure.
    """

    id: str
    key: str
    spec: str = ""
    retries: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do a job until a moment.

    Attributes:
        id, key, spec: The job's.
        token: Names this lease alone.
        attempt: The how-manieth time it is begun, from 1.
        until: When it is over unless it is renewed, in seconds of the ledger's clock.
    """

    id: str
    key: str
    spec: str
    token: str
    attempt: int
    until: float


@dataclass(frozen=True, slots=True)
class Entry:
    """A job and what became of it.

    Attributes:
        id, key, spec: The job's.
        state: Where it is on its way.
        attempts: How often it was begun.
        retries: How often it may still be begun again.
        token, owner, until: Of the lease; None without one. The token stays when the job is finished.
        result: Digest of what was made when it was last finished, whatever became of the job since.
        line: What is still to be done for a finished job, as text.
        detail: What is told of it, as text.
        note: Why it failed.
        updated: When its state last changed, in seconds since 1970.
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


class Ledger:
    """Jobs and their states in one file. A context manager that closes it."""

    def __init__(self, path: str | os.PathLike[str], *, clock: Callable[[], float] = time.time) -> None:
        """Open it, or make it where there is none; its folder must be there, and on a local disk.

        Args:
            path: The file.
            clock: Seconds since 1970.

        Raises:
            LedgerError: It can't be opened, is no ledger, or one of a newer version.
        """
        self.path = Path(path)
        self._clock = clock
        self._guard = threading.RLock()
        with _errors(self.path):
            self._database = sqlite3.connect(self.path, timeout=_BUSY, isolation_level=None, check_same_thread=False)
            try:
                self._prepare()
            except BaseException:
                self._database.close()
                raise

    def _prepare(self) -> None:
        found = self._database.execute("PRAGMA user_version").fetchone()[0]
        if found > VERSION:
            raise LedgerError(
                f"{self.path} has version {found}, and this version of Overpaint knows {VERSION}: update it"
            )
        self._to_wal()
        # FULL: a commit is on the disk when it returns. A result's name is taken after that, and never before.
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.executescript(f"BEGIN IMMEDIATE; {_TABLE} PRAGMA user_version = {VERSION}; COMMIT;")

    def _to_wal(self) -> None:
        """Write-ahead logging. SQLite does not wait for its turn here as it does elsewhere, so that we do."""
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

    # ── what is to be done ────────────────────────────────────────────────────────────────────────────────────────

    def add(self, jobs: Iterable[Job]) -> int:
        """Take jobs in, in their order. One that is there with the same key and spec stays as it is; one with another
        key or spec begins anew, and whoever was at work on it has lost it.

        Returns:
            How many are new or begin anew.
        """
        now = self._clock()
        rows = [(job.id, job.key, job.spec, job.retries, now) for job in jobs]
        with self._transaction():
            before = self._database.total_changes
            self._database.executemany(
                "INSERT INTO job (id, key, spec, retries, updated) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET key = excluded.key, spec = excluded.spec, retries = excluded.retries, "
                "state = 'waiting', attempts = 0, not_before = 0, token = NULL, owner = NULL, until = NULL, "
                "line = NULL, detail = NULL, note = NULL, updated = excluded.updated "
                "WHERE key != excluded.key OR spec != excluded.spec",
                rows,
            )
            return self._database.total_changes - before

    def again(self, ids: Iterable[str], *, retries: int = 0) -> None:
        """Let jobs that are done, failed or waiting be done (again), with so many retries. Attempts go on counting."""
        now = self._clock()
        with self._transaction():
            self._database.executemany(
                "UPDATE job SET state = 'waiting', retries = ?, not_before = 0, token = NULL, owner = NULL, "
                "until = NULL, line = NULL, note = NULL, updated = ? "
                "WHERE id = ? AND state IN ('done', 'failed', 'waiting')",
                [(retries, now, id) for id in ids],
            )

    def refuse(self, job: Job, note: str, detail: str | None = None) -> None:
        """Take in a job that can't be begun at all: it has failed, for the reason `note`."""
        with self._transaction() as run:
            run(
                "INSERT INTO job (id, key, spec, state, note, detail, updated) VALUES (?, ?, ?, 'failed', ?, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET key = excluded.key, spec = excluded.spec, state = 'failed', "
                "note = excluded.note, detail = excluded.detail, token = NULL, owner = NULL, until = NULL, "
                "line = NULL, updated = excluded.updated",
                (job.id, job.key, job.spec, note, detail, self._clock()),
            )

    def forget(self, ids: Iterable[str]) -> None:
        """Drop jobs that no one is at work on."""
        with self._transaction():
            self._database.executemany(
                "DELETE FROM job WHERE id = ? AND state IN ('done', 'failed', 'waiting')", [(id,) for id in ids]
            )

    # ── doing it ──────────────────────────────────────────────────────────────────────────────────────────────────

    def claim(self, owner: str, seconds: float, id: str | None = None) -> Lease | None:
        """The right to do the next waiting job, or the one named, for so many seconds. None when there is none to do.

        Jobs whose lease is over are waiting again before the next one is chosen (see `expire`).
        """
        self.expire()
        now, token = self._clock(), secrets.token_hex(8)
        which = "state = 'waiting' AND not_before <= ?" + (" AND id = ?" if id is not None else "")
        with self._transaction() as run:
            row = run(
                "UPDATE job SET state = 'leased', token = ?, owner = ?, until = ?, attempts = attempts + 1, "
                "note = NULL, updated = ? "
                f"WHERE number = (SELECT number FROM job WHERE {which} ORDER BY number LIMIT 1) "
                "RETURNING id, key, spec, token, attempts, until",
                (token, owner, now + seconds, now, now, *((id,) if id is not None else ())),
            ).fetchone()
        return None if row is None else Lease(*row)

    def renew(self, leases: Iterable[Lease], seconds: float) -> frozenset[str]:
        """Promise again, from now. Returns the tokens of the leases that still hold; the others are lost."""
        until = self._clock() + seconds
        held = set()
        with self._transaction() as run:
            for lease in leases:
                found = run(
                    "UPDATE job SET until = ? WHERE id = ? AND token = ? AND state = 'leased'",
                    (until, lease.id, lease.token),
                )
                if found.rowcount:
                    held.add(lease.token)
        return frozenset(held)

    def finish(self, lease: Lease, result: str, line: str) -> None:
        """The result is on the disk; `line` says what is left to be done for it, and is there after a crash.

        Raises:
            LeaseLostError: The lease was over, and the job is someone else's.
        """
        with self._transaction() as run:
            found = run(
                "UPDATE job SET state = 'finished', result = ?, line = ?, until = NULL, updated = ? "
                "WHERE id = ? AND token = ? AND state = 'leased'",
                (result, line, self._clock(), lease.id, lease.token),
            )
            if not found.rowcount:
                raise LeaseLostError(
                    f"the lease of {lease.id!r} was over before it was finished; its result is dropped"
                )

    def done(self, id: str, detail: str | None = None) -> None:
        """All that was left for a finished job has been done. Doing this twice does no harm."""
        with self._transaction() as run:
            run(
                "UPDATE job SET state = 'done', line = NULL, token = NULL, owner = NULL, note = NULL, detail = ?, "
                "updated = ? WHERE id = ? AND state = 'finished'",
                (detail, self._clock(), id),
            )

    def fail(
        self, lease: Lease, note: str, *, retry: bool = True, delay: float = 0.0, detail: str | None = None
    ) -> State:
        """It did not work out.

        Args:
            lease: Whose job it was.
            note: Why not.
            retry: Whether trying again may help; it is tried as often as the job's retries allow.
            delay: Seconds until then.
            detail: What is told of it.

        Returns:
            "waiting" when it is tried again, "failed" when not.

        Raises:
            LeaseLostError: The lease was over, and the job is someone else's.
        """
        now = self._clock()
        with self._transaction() as run:
            row = run(
                "UPDATE job SET state = CASE WHEN ? AND retries > 0 THEN 'waiting' ELSE 'failed' END, "
                "retries = CASE WHEN ? AND retries > 0 THEN retries - 1 ELSE retries END, not_before = ?, note = ?, "
                "detail = ?, token = NULL, owner = NULL, until = NULL, updated = ? "
                "WHERE id = ? AND token = ? AND state = 'leased' RETURNING state",
                (retry, retry, now + delay, note, detail, now, lease.id, lease.token),
            ).fetchone()
        if row is None:
            raise LeaseLostError(f"the lease of {lease.id!r} was over before it failed: {note}")
        state: State = row[0]
        return state

    def release(self, lease: Lease) -> None:
        """Give a job back that was called off; it waits again, and has not failed. No error when the lease is lost."""
        with self._transaction() as run:
            run(
                "UPDATE job SET state = 'waiting', token = NULL, owner = NULL, until = NULL, updated = ? "
                "WHERE id = ? AND token = ? AND state = 'leased'",
                (self._clock(), lease.id, lease.token),
            )

    # ── after a crash ─────────────────────────────────────────────────────────────────────────────────────────────

    def expire(self, *, owners_gone: bool = False) -> list[Entry]:
        """Take jobs back whose lease is over; with `owners_gone` all that are leased, for no one is left to hold one.

        A lease that ran out uses up a retry, for what kills its worker each time must not be tried for ever; one whose
        owner is known to be gone does not.

        Returns:
            The jobs as they were, so that what their owners left behind can be cleared away.
        """
        now = self._clock()
        over = "state = 'leased'" + ("" if owners_gone else " AND until < ?")
        values = () if owners_gone else (now,)
        with self._guard, _errors(self.path):
            if self._database.execute(f"SELECT 1 FROM job WHERE {over} LIMIT 1", values).fetchone() is None:
                return []
        failing = "0" if owners_gone else "retries = 0"
        with self._transaction() as run:
            taken = [Entry(*row) for row in run(f"SELECT {_COLUMNS} FROM job WHERE {over} ORDER BY number", values)]
            run(
                f"UPDATE job SET state = CASE WHEN {failing} THEN 'failed' ELSE 'waiting' END, "
                f"note = CASE WHEN {failing} THEN 'whoever was at work on it went away without a word' ELSE note END, "
                f"retries = {'retries' if owners_gone else 'max(0, retries - 1)'}, "
                f"token = NULL, owner = NULL, until = NULL, updated = ? WHERE {over}",
                (now, *values),
            )
        return taken

    def undo(self, id: str, note: str, *, state: Literal["waiting", "failed"] = "waiting") -> None:
        """What a finished job had made is gone, or can't get its name: it waits again, or has failed."""
        with self._transaction() as run:
            run(
                "UPDATE job SET state = ?, token = NULL, owner = NULL, line = NULL, note = ?, updated = ? "
                "WHERE id = ? AND state = 'finished'",
                (state, note, self._clock(), id),
            )

    # ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────

    def entry(self, id: str) -> Entry | None:
        """One job, or None."""
        with self._guard, _errors(self.path):
            row = self._database.execute(f"SELECT {_COLUMNS} FROM job WHERE id = ?", (id,)).fetchone()
        return None if row is None else Entry(*row)

    def entries(self, *states: State) -> list[Entry]:
        """All jobs, or those in one of these states, in the order in which they came."""
        where = f"WHERE state IN ({', '.join('?' * len(states))})" if states else ""
        with self._guard, _errors(self.path):
            rows = self._database.execute(f"SELECT {_COLUMNS} FROM job {where} ORDER BY number", states).fetchall()
        return [Entry(*row) for row in rows]

    def counts(self) -> Mapping[State, int]:
        """How many jobs there are in each state."""
        with self._guard, _errors(self.path):
            found = dict(self._database.execute("SELECT state, count(*) FROM job GROUP BY state").fetchall())
        return {state: found.get(state, 0) for state in get_args(State)}

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Callable[..., sqlite3.Cursor]]:
        with self._guard, _errors(self.path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database.execute
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")


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
