"""The queue of a server: edits that wait, run and have ended.

What was accepted is in the ledger before the client hears of it, and a job that ran when the server ended waits again
at the next start. So none is lost, and none is done twice: a result counts once it is in the ledger.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from overpaint.errors import EngineError, InputError, LedgerError, OverpaintError
from overpaint.ledger import Job, Ledger, LedgerEntry
from overpaint.values import digest_of

from .errors import ConflictError, NotFoundError, TooManyJobsError
from .figures import ServerFigures
from .job import EditJob, JobState, Submission, ended_words, is_private, job_for, jobs_of, monitor_of, spec_of
from .known_jobs import KnownJobs
from .lanes import Lanes
from .outcome import outcome_of
from .owed_writes import OwedWrites
from .pace import JobPace
from .replies import error_table
from .settings import ServerSettings
from .tasks import ServerTask
from .turns import Turns
from .waiting_order import in_order, keep_order
from .work import JobWorker

log = logging.getLogger("overpaint.server")

_OWNER = "server"
_LEASE = 10 * 365 * 86400.0  # one server holds the folder, so that no lease ends but with it
_ATTEMPTS = 3
"""Starts of a job that each ended with the server's own end; then the job is likely what ends it."""

_REST = 0.5  # seconds until a job is tried again that could not be written down


class EditQueue:
    """Jobs of all clients, and the threads that do them. Thread-safe. `start` begins, `stop` ends."""

    def __init__(
        self,
        ledger: Ledger,
        worker: JobWorker,
        settings: ServerSettings,
        figures: ServerFigures | None = None,
        on_state: Callable[[EditJob], None] = lambda job: None,
    ) -> None:
        """Jobs that the ledger has are there at once; those that ran when a server ended wait again.

        Args:
            ledger: Where they are written down.
            worker: What does them.
            settings: The settings.
            figures: Counts them; the queue's own where none are given.
            on_state: Called with each job whose state is another now; it must be quick, and not use the queue.
        """
        self._figures = figures or ServerFigures()
        self._ledger = ledger
        self._worker = worker
        self._settings = settings
        self._on_state = on_state
        self._lock = threading.Condition()
        self._jobs = KnownJobs()
        self._turns = Turns()
        self._running: dict[str, EditJob] = {}
        self._keys: dict[tuple[str, str], EditJob] = {}
        self._same: dict[tuple[str, str], EditJob] = {}
        self._followed: set[str] = set()
        self._stopping: float | None = None  # since when, on the monotonic clock
        self._lanes = Lanes(settings, self._lock, self._running, self._work, self._wanted)
        self._pace = JobPace()
        self._owed = OwedWrites()
        with self._lock:
            self._recover()

    # ── what clients do ───────────────────────────────────────────────────────────────────────────────────────────

    def submit(
        self,
        owner: str,
        task: ServerTask,
        *,
        idempotency: str | None = None,
        attach: bool = True,
        temporary: bool = False,
    ) -> EditJob:
        """Accept a job; it is on the disk when this returns.

        Args:
            owner: The client.
            task: What is asked for.
            idempotency: A name that the client gave this request: the job of an earlier one of that name is returned.
            attach: Whether the unfinished job of the same task is returned in place of a second one.
            temporary: Whether it is of a call that waits for it: a server that starts anew does not do it.

        Raises:
            ConflictError: The name was given to another task.
            TooManyJobsError: The limit of the client's jobs, or of all jobs, is reached.
            OverpaintError: The task can't be done, whatever its picture.
        """
        (found,) = self.submit_all([Submission(owner, task, idempotency, attach, temporary)])
        if isinstance(found, Exception):
            raise found
        return found

    def submit_all(self, submissions: Iterable[Submission]) -> list[EditJob | Exception]:
        """Accept jobs in one transaction. For each the job, or what `submit` would raise."""
        checked = [(one, self._checked(one)) for one in submissions]
        with self._lock:
            new: list[EditJob] = []
            found = [self._made(one, notes, new) if isinstance(notes, tuple) else notes for one, notes in checked]
            try:
                if new:
                    self._ledger.add(Job(job.id, job.digest, spec_of(job)) for job in new)
            except Exception as error:
                for job in new:
                    self._same.pop((job.owner, job.digest), None)
                    if job.idempotency is not None:
                        self._keys.pop((job.owner, job.idempotency), None)
                return [error if one in new else one for one in found]
            for job in new:
                self._wait(job)
                self._jobs.add(job)
        return found

    def job(self, owner: str, id: str) -> EditJob:
        """A client's job. NotFoundError where it has no such."""
        job = self._jobs.get(id)
        if job is None or job.owner != owner:
            raise NotFoundError("there is no such job", field="job", value=id)
        return job

    def all(self, owner: str) -> list[EditJob]:
        """A client's jobs, the newest first."""
        return self._jobs.of(owner)[::-1]

    def of_session(self, session: str) -> list[EditJob]:
        """The jobs of a session, the newest first."""
        return [job for job in reversed(self._jobs.of()) if job.session == session]

    def place(self, job: EditJob) -> int | None:
        """How many jobs go before a waiting one; None for one that does not wait."""
        found = self._turns.place(job.owner, job.id)
        return None if found < 0 else found

    def cancel(self, owner: str, id: str) -> EditJob:
        """Stop a job: one that waits at once, one that runs at its next step. One that has ended stays as it is."""
        with self._lock:
            job = self.job(owner, id)
            if job.state == "queued" and (place := self._turns.removed(owner, id)) is not None:
                try:
                    lease = self._ledger.claim(_OWNER, _LEASE, id)
                    self._lost(job) if lease is None else self._end(job, lease, "cancelled")
                except LedgerError:  # a full disk, say: it waits on where it was
                    self._turns.add(owner, id)
                    self._turns.move(owner, id, place)
                    raise
            elif job.monitor is not None:
                job.monitor.cancel()
        return job

    def retry(self, owner: str, id: str) -> EditJob:
        """Let a job that failed or was cancelled wait again. ConflictError for another."""
        with self._lock:  # in which nobody deletes it
            job = self.job(owner, id)
            if job.state not in ("failed", "cancelled"):
                raise ConflictError(f"the job is {job.state}, and only one that failed or was cancelled is tried again")
            self._check_room(owner)
            self._owed.settle(id)
            private = is_private(job)  # which left the disk as it ended
            self._ledger.add([Job(id, job.digest, spec_of(job))]) if private else self._ledger.again([id])
            job.state, job.error, job.results, job.step, job.steps = "queued", None, [], 0, 0
            job.attempts = 0
            self._name(job)
            self._wait(job)
            self._keep_order(owner)
        return job

    def move(self, owner: str, id: str, place: int) -> EditJob:
        """Put a waiting job at a place among the client's own, 0 for the first. ConflictError for another job."""
        with self._lock:
            job = self.job(owner, id)
            if not self._turns.move(owner, id, place):
                raise ConflictError(f"the job is {job.state}, and only one that waits can be moved")
            self._keep_order(owner)
            self._tell_places(owner)
        return job

    def delete(self, owner: str, id: str) -> None:
        """Forget a job that has ended. ConflictError for one that waits or runs."""
        with self._lock:
            job = self.job(owner, id)
            if not job.ended:
                raise ConflictError(f"the job is {job.state}: cancel it first")
            self._forget(job)

    def counts(self, owner: str | None = None) -> dict[JobState, int]:
        """How many jobs are in each state: a client's, or all."""
        return self._jobs.counts(owner)

    # ── threads ───────────────────────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Begin to do jobs."""
        self._stopping = None
        self._lanes.start()

    def begin_stop(self) -> bool:
        """Begin no more jobs. Returns whether any call waits for one."""
        with self._lock:
            self._stopping = self._stopping or time.monotonic()
            self._lock.notify_all()
        return any(job.waiting and not job.ended for job in self._jobs.of())

    def left_over(self, job: EditJob) -> bool:
        """Whether the server stops, and will not have done this job before."""
        if self._stopping is None or job.ended:
            return False
        return job.state == "queued" or time.monotonic() > self._stopping + self._settings.grace

    def stop(self) -> None:
        """Let running jobs end within the time of grace; those that have not wait for the next start."""
        self.begin_stop()
        assert self._stopping is not None
        self._lanes.stop(max(0.0, self._stopping + self._settings.grace - time.monotonic()))
        with self._lock:
            for job in self._running.values():
                job.given_back = True
                if job.monitor is not None:
                    job.monitor.cancel()
        self._lanes.stop(5.0)
        with self._lock:
            self._owed.settle_all(at_once=True)

    def _work(self) -> None:
        while (found := self._next()) is not None:
            self._do(*found)

    def _wanted(self) -> bool:
        return self._stopping is None and len(self._turns) > 0

    def _next(self) -> tuple[EditJob, LedgerEntry] | None:
        """The next job with its lease; None when the lane is to end."""
        with self._lock:
            while self._stopping is None:
                self._owed.settle_all()
                turn = self._turns.next(self._lanes.full(), self._ready) if self._lanes.free() else None
                if turn is None:
                    if self._lanes.rest():
                        continue
                    break
                client, id = turn
                job = self._job(id)
                try:
                    lease = self._ledger.claim(_OWNER, _LEASE, id, synced=False)
                except LedgerError as error:  # a full disk, say: the job waits until it can be written down
                    log.error("%s", error)
                    self._turns.add(client, id, first=True)
                    self._lock.wait(_REST)
                    continue
                if lease is None:
                    self._lost(job)
                    continue
                job.attempts, job.state, job.updated = lease.attempts, "running", time.time()
                job.begun, job.late = time.monotonic(), False
                job.monitor = monitor_of(job)
                self._figures.began(time.monotonic() - job.waits_since)
                self._running[id] = job
                job.events.add("started", attempt=job.attempts)
                self._on_state(job)
                self._tell_places()
                return job, lease
            self._lanes.leave()
        return None

    def _ready(self, id: str) -> bool:
        """Whether a job may begin: those of one session are done one after the other, in their order."""
        session = self._job(id).session
        return session is None or all(job.session != session for job in self._running.values())

    def _do(self, job: EditJob, lease: LedgerEntry) -> None:
        found = outcome_of(self._worker, job, partial(self._told, job), self._settings.painting)
        state, error = found.state, found.error
        with self._lock:
            self._running.pop(job.id, None)
            if state == "done":
                self._pace.ended(job)
            if job.given_back and state != "done":
                self._owed.write(job.id, [partial(self._ledger.release, lease)])
                job.state = "queued"
                return
            self._figures.ended(state, time.monotonic() - job.begun)
            quiet = error is None or isinstance(error, InputError)
            log.log(logging.INFO if quiet else logging.WARNING, "%s", ended_words(job, state, error))
            self._end(job, lease, state, found.results, error)

    def _checked(self, asked: Submission) -> tuple[str, ...] | Exception:
        """What is to be noted of a job that can be done, or why it is refused."""
        try:
            asked.check()
            with self._lock:
                if known := self._known(asked):
                    return known.notes
            return self._worker.check(asked.task)
        except Exception as error:  # the others go on
            return error

    # ── within the lock ───────────────────────────────────────────────────────────────────────────────────────────

    def _end(
        self,
        job: EditJob,
        lease: LedgerEntry,
        state: JobState,
        results: list[dict[str, Any]] | None = None,
        error: OverpaintError | None = None,
    ) -> None:
        """Write a job's end into the ledger, at once or as soon as that takes it, and tell who follows it."""
        job.results = results or []
        job.error = None if error is None else error_table(error)
        detail = json.dumps({"state": state, "results": job.results, "error": job.error})
        writes: list[Callable[[], object]] = []
        if state == "done":
            digest = digest_of([one.get("picture", one) for one in job.results])
            # What a loss of power takes from the disk is done again, and lands once.
            writes.append(partial(self._ledger.complete, lease, digest, detail, synced=False))
        else:
            writes.append(partial(self._ledger.fail, lease, state, retry=False, detail=detail))
        if is_private(job):  # its prompt leaves the disk; here it is known until the server ends
            writes.append(partial(self._ledger.forget, [job.id]))
        self._owed.write(job.id, writes)
        job.state, job.updated, job.monitor = state, time.time(), None
        self._same.pop((job.owner, job.digest), None)
        if state == "done":
            job.events.add("done", results=job.results)
        elif state == "failed":
            job.events.add("failed", error=job.error)
        else:
            job.events.add("cancelled")
        self._on_state(job)
        self._jobs.add(job)
        self._make_room(job.owner)

    def _lost(self, job: EditJob) -> None:
        """End a job that waits in memory, and does not in the ledger."""
        log.error("the job %s waits in memory and not in the ledger", job.id)
        error = EngineError("it is not in the list of jobs that wait", code="worker-lost")
        job.state, job.error, job.monitor, job.updated = "failed", error_table(error), None, time.time()
        self._same.pop((job.owner, job.digest), None)
        job.events.add("failed", error=job.error)
        self._on_state(job)
        self._jobs.add(job)

    def _job(self, id: str) -> EditJob:
        found = self._jobs.get(id)
        assert found is not None
        return found

    def _known(self, asked: Submission) -> EditJob | None:
        if asked.idempotency is not None and (job := self._keys.get((asked.owner, asked.idempotency))) is not None:
            if job.digest != asked.digest:
                raise ConflictError(
                    "the idempotency key was given to another request",
                    code="idempotency-key-used",
                    field="idempotency_key",
                    value=asked.idempotency,
                )
            return job
        if asked.attach and asked.idempotency is None:
            return self._same.get((asked.owner, asked.digest))
        return None

    def _made(self, asked: Submission, notes: tuple[str, ...], new: list[EditJob]) -> EditJob | Exception:
        """The job that is asked for, put to the new ones where it is not known; or why there is none."""
        try:
            if known := self._known(asked):
                return known
            self._check_room(asked.owner, new)
        except OverpaintError as error:
            return error
        job = job_for(asked, notes)
        self._name(job)
        new.append(job)
        return job

    def _check_room(self, owner: str, new: Sequence[EditJob] = ()) -> None:
        waiting = len(self._turns) + len(self._running) + len(new)
        own = self._turns.count(owner) + sum(job.owner == owner for job in (*self._running.values(), *new))
        for count, most, whose, client in (
            (own, self._settings.client_jobs, "your", owner),
            (waiting, self._settings.jobs, "the server's", None),
        ):
            if count >= most:
                error = TooManyJobsError(f"{count} of {whose} jobs wait or run, which is the limit", value=count)
                error.retry_after = self._pace.until_room(self._running.values(), client)
                raise error

    def _name(self, job: EditJob) -> None:
        self._same[job.owner, job.digest] = job
        if job.idempotency is not None:
            self._keys[job.owner, job.idempotency] = job

    def _wait(self, job: EditJob) -> None:
        self._turns.add(job.owner, job.id)
        job.waits_since = time.monotonic()
        job.events.on_followed = partial(self._follow, job.id)
        job.events.add("queued", place=self._turns.place(job.owner, job.id))
        self._on_state(job)
        self._lock.notify()

    def _tell_places(self, owner: str | None = None) -> None:
        """Tell those who follow waiting jobs where these stand now."""
        for id in tuple(self._followed):  # few of the many that wait
            job = self._jobs.get(id)
            if job is not None and owner in (None, job.owner) and (place := self.place(job)) is not None:
                job.events.add("queued", place=place)

    def _follow(self, id: str, followed: bool) -> None:
        """Note whether anybody follows a job. It needs no lock."""
        (self._followed.add if followed else self._followed.discard)(id)

    def _told(self, job: EditJob, result: dict[str, Any]) -> None:
        """A result is there while others of the same job are still painted."""
        with self._lock:
            job.results = [*job.results, result]

    def _make_room(self, owner: str) -> None:
        """Forget the oldest of the client's ended jobs beyond those that are kept."""
        ended = [job for job in self._jobs.of(owner) if job.ended]
        try:
            for job in ended[: max(0, len(ended) - self._settings.finished)]:
                self._forget(job)
        except LedgerError as error:  # they go once the ledger can be written
            log.error("%s", error)

    def _forget(self, job: EditJob) -> None:
        self._owed.settle(job.id)
        self._ledger.forget([job.id])
        self._jobs.remove(job)
        if job.idempotency is not None:
            self._keys.pop((job.owner, job.idempotency), None)

    def _keep_order(self, owner: str) -> None:
        """Write down in which order a client's jobs are to be done, where it is not that of their arrival."""
        running = [job.id for job in self._running.values() if job.owner == owner]
        keep_order(self._ledger, owner, [*running, *self._turns.jobs(owner)])

    # ── after a restart ───────────────────────────────────────────────────────────────────────────────────────────

    def _recover(self) -> None:
        self._ledger.expire(owners_gone=True)
        for entry in self._ledger.entries("finished"):  # by an earlier version, which wrote the end in two parts
            self._ledger.done(entry.id, entry.line)
        for job, entry in in_order(self._ledger, jobs_of(self._ledger.entries())):
            if job.temporary or (job.ended and is_private(job)):  # nobody waits for it any more; its prompt leaves
                self._ledger.forget([job.id])
                continue
            self._jobs.add(job)
            if job.idempotency is not None:
                self._keys[job.owner, job.idempotency] = job
            if not job.ended and entry.attempts >= _ATTEMPTS:
                lease = self._ledger.claim(_OWNER, _LEASE, job.id)
                if lease is not None:
                    self._give_up(job, lease, entry.attempts)
                continue
            if job.ended:
                kind: Any = job.state
                job.events.add(kind, **({"error": job.error} if job.error else {}), results=job.results)
            else:
                self._name(job)
                self._wait(job)

    def _give_up(self, job: EditJob, lease: LedgerEntry, attempts: int) -> None:
        """End a job that was begun too often. What it had written into a session by then is its result."""
        results: list[dict[str, Any]] = []
        whole = False
        try:
            results, whole = self._worker.written(job.owner, job.task, job.id)
        except OverpaintError as error:  # the session is gone, say
            log.warning("what the job %s has written can't be read: %s", job.id, error.code)
        if whole:
            self._end(job, lease, "done", results)
            return
        message = f"it was begun {attempts} times, and each time the server ended"
        self._end(job, lease, "failed", results, EngineError(message, code="worker-lost"))
