"""Jobs and their states."""

from __future__ import annotations

import contextlib
import math
import secrets
from collections.abc import Collection, Iterable, Mapping
from typing import Literal, get_args

from ._file import LedgerFile, reported
from ._jobs import Job, LeaseLostError, LedgerEntry, State

_NO_LEASE = "token = NULL, owner = NULL, until = NULL"
_NO_REVIEW = "result = CASE WHEN job.state = 'needs-review' THEN NULL ELSE job.result END"
_WHERE_HELD = "WHERE id = ? AND token = ? AND state = 'leased'"
_WHERE_FINISHED = "WHERE id = ? AND state = 'finished'"
_WHERE_IN_REVIEW = "WHERE id = ? AND state = 'needs-review'"
_COLUMNS = "id, key, spec, state, attempts, retries, token, owner, until, result, line, detail, note, updated"


class Ledger(LedgerFile):
    """Jobs and their states in one file. A context manager that closes it."""

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

    def refuse(self, jobs: Iterable[tuple[Job, str, str | None]]) -> None:
        """Add jobs that can't be started, as failed, each with the reason and its detail. One without a spec keeps the
        one that it had, as its result may still be there.
        """
        now = self._clock()
        rows = [(job.id, job.key, job.spec, note, detail, now) for job, note, detail in jobs]
        with self._transaction():
            self._database.executemany(
                "INSERT INTO job (id, key, spec, state, note, detail, updated) VALUES (?, ?, ?, 'failed', ?, ?, ?) "
                f"ON CONFLICT (id) DO UPDATE SET {_NO_REVIEW}, key = excluded.key, state = 'failed', "
                "spec = CASE excluded.spec WHEN '' THEN spec ELSE excluded.spec END, "
                f"note = excluded.note, detail = excluded.detail, {_NO_LEASE}, line = NULL, "
                "updated = excluded.updated",
                rows,
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

    def claim(self, owner: str, seconds: float, id: str | None = None, *, synced: bool = True) -> LedgerEntry | None:
        """Lease the next waiting job, or the one with this id, for so many seconds. None where none waits.

        Jobs whose lease is over are set to waiting first (see `expire`).

        Args:
            owner: The lease's holder.
            seconds: How long it holds.
            id: The job; None for the next one.
            synced: Whether the lease is on the disk when this returns. Where it is not, it survives the end of this
                process and not one of the system, after which no holder is left anyhow.
        """
        self.expire()
        with self._guard, contextlib.nullcontext() if synced else self._unsynced():
            return self._claimed(owner, seconds, id)

    def _claimed(self, owner: str, seconds: float, id: str | None) -> LedgerEntry | None:
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

    def complete(self, lease: LedgerEntry, result: str, detail: str | None = None, *, synced: bool = True) -> None:
        """`finish` and `done` in one: for a job of which nothing is left to do once its result is on the disk.

        Args:
            lease: The job's.
            result: The digest of its result.
            detail: For reports.
            synced: As for `claim`: where the system ends before it is on the disk, the job is done once more.

        Raises:
            LeaseLostError: The lease was over.
        """
        with self._guard, contextlib.nullcontext() if synced else self._unsynced():
            found = self._update(
                f"state = 'done', result = ?, line = NULL, {_NO_LEASE}, note = NULL, detail = ?, updated = ? "
                f"{_WHERE_HELD}",
                (result, detail, self._clock(), lease.id, lease.token),
            )
        if not found:
            raise LeaseLostError(f"the lease of {lease.id!r} was over before it was finished; its result is dropped")

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

    def _rows(self, which: str, values: tuple[object, ...]) -> list[LedgerEntry]:
        with self._guard, reported(self.path):
            return [LedgerEntry(*row) for row in self._database.execute(f"SELECT {_COLUMNS} FROM job {which}", values)]

    def counts(self) -> Mapping[State, int]:
        """Number of jobs in each state."""
        with self._guard, reported(self.path):
            found = dict(self._database.execute("SELECT state, count(*) FROM job GROUP BY state").fetchall())
        return {state: found.get(state, 0) for state in get_args(State)}

    def _update(self, what: str, values: tuple[object, ...]) -> list[LedgerEntry]:
        """Change jobs: SET and WHERE of a statement. Returns them as they are then."""
        with self._transaction() as run:
            return [LedgerEntry(*row) for row in run(f"UPDATE job SET {what} RETURNING {_COLUMNS}", values)]
