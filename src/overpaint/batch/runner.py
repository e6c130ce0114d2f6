"""The runner: gives rows to an executor, and publishes their results. One thread decides, and it alone writes the
ledger, the audit log and the results' names.
"""

from __future__ import annotations

import os
import queue
import secrets
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from overpaint.errors import (
    Cancelled,
    ClusterError,
    InputError,
    OutputError,
    OverpaintError,
    ServerUnreachableError,
    WorkerLostError,
)
from overpaint.ledger import LeaseLostError, LedgerEntry

from .events import Decided, Done, Doubted, Event, Failed, Unchanged
from .executor import Executor
from .plan import PlannedEdit, describe
from .reasons import reason_of
from .results import PublishError, ResultPublisher, hidden_beside
from .signals import signals_deferred
from .status import BatchStatus, base_of, details_in, details_of, job_of, variation_of
from .store import ASIDE, aside_of, disk_is_full
from .task import Task, TaskOptions, TaskResult
from .thumbnails import ThumbnailStore

LEASE = 120.0  # seconds; renewed long before
_RENEW = 30.0
_DECISIONS = 1.0  # seconds between two looks for what reviews have decided
_LOSSES = 3  # lost workers after which a row is taken for their cause


@dataclass(slots=True)
class Tally:
    """Counts of a run.

    Attributes:
        done, unchanged, failed, in_review: Rows.
        warned, doubtful: Of those that were done, as of `Ended`.
        painting: Seconds that engines worked.
        stopped: Why the run ended early; "" when it did not.
        departed: Of those that were done, rows that have left the list since.
    """

    done: int = 0
    unchanged: int = 0
    failed: int = 0
    painting: float = 0.0
    stopped: str = ""
    in_review: int = 0
    warned: int = 0
    doubtful: int = 0
    departed: int = 0


class RowSource(Protocol):
    """Gives a run more rows while it goes on."""

    @property
    def wait(self) -> float:
        """Seconds after which it is asked again at the latest."""

    def take(self, room: int, at_work: Collection[str]) -> Sequence[PlannedEdit] | None:
        """Rows to do now, at most `room`, none of which comes after another; None when there will be no more.

        Args:
            room: How many can be used.
            at_work: Ids of rows that are not ended yet.
        """


class Runner:
    """Runs the rows of a batch that are to be done."""

    def __init__(
        self,
        executor: Executor,
        publisher: ResultPublisher,
        thumbnails: ThumbnailStore,
        options: TaskOptions,
        on_event: Callable[[Event], None],
    ) -> None:
        self._executor = executor
        self._publisher = publisher
        self._ledger = publisher.ledger
        self._thumbnails = thumbnails
        self._options = options
        self._emit = on_event
        self._owner = f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(3)}"
        self._ended: queue.SimpleQueue[Future[TaskResult]] = queue.SimpleQueue()
        self._running: dict[Future[TaskResult], tuple[PlannedEdit, LedgerEntry]] = {}
        self._ready: deque[PlannedEdit] = deque()
        self._followers: dict[str, list[PlannedEdit]] = {}
        self._undecided: set[str] = set()
        self._losses: Counter[str] = Counter()
        self._alone: set[str] = set()
        self._renewed = time.time()
        self._in_review: set[str] = set()
        self._decisions_due = 0.0
        self.tally = Tally()

    def run(self, status: BatchStatus, chosen: Collection[PlannedEdit], source: RowSource | None = None) -> None:
        """Run the chosen rows of those that are to be done, and all that the source gives, until it gives no more.

        Raises:
            KeyboardInterrupt: The user stopped it; finished rows are published, the others wait.
            LedgerError: The ledger can't be written. When the audit log can't be, the run ends and the tally says why.
        """
        self._undecided = set(status.undecided)
        self._in_review = set(status.in_review)
        ids = {item.id for item in chosen}
        for item in chosen:
            if item.after is None or item.after in status.unchanged:
                self._ready.append(item)
            elif item.after in ids:
                self._followers.setdefault(item.after, []).append(item)
            # else: the row before is neither chosen nor done, so this one waits for another run
        try:
            self._loop(source)
        except BaseException:
            self._wind_up()
            raise
        if self.tally.stopped:
            self._wind_up()

    def _loop(self, source: RowSource | None) -> None:
        while (self._ready or self._running or source is not None) and not self.tally.stopped:
            if source is not None:
                more = source.take(max(0, 2 * self._executor.ahead - len(self._ready)), self._at_work())
                if more is None:
                    source = None
                    continue
                self._ready.extend(more)
            while self._ready and len(self._running) < self._executor.ahead:
                self._start(self._ready.popleft())
            for notice in self._executor.notices():
                self._emit(notice)
            self._take_decisions()
            if self._running or source is not None:
                try:
                    future = self._ended.get(timeout=1.0 if source is None else min(1.0, source.wait))
                except queue.Empty:
                    self._renew()
                    continue
                self._renew()
                with signals_deferred():  # or a row could have its name and not be counted
                    self._handle(future)

    def _at_work(self) -> frozenset[str]:
        return frozenset([item.id for item in self._ready] + [item.id for item, _ in self._running.values()])

    def _start(self, item: PlannedEdit) -> None:
        self._renew()  # before a claim takes back leases that ran out
        image = item.image_sha256 if item.after is None else self._result_of(item.after)
        if item.id in self._undecided:
            self._undecided.discard(item.id)  # or another attempt would begin with all its retries
            if base_of(self._ledger.entry(item.id)) == image:
                self.tally.unchanged += 1
                self._emit(Unchanged(item.id, item.row.number))
                self._release_followers(item.id)
                return
            self._ledger.again([item.id], retries=self._options.retries)
        lease = self._ledger.claim(self._owner, LEASE, item.id)
        if lease is None:
            self._fail_with_followers(item, "it is being done by someone else")
            return
        hidden, alone = hidden_beside(item.output, lease.token), item.id in self._alone
        aside = aside_of(self._publisher.out, item.output) if self._options.gate or item.was_aside else None
        variation = variation_of(lease, item)
        task = Task(item, self._options, image, hidden, lease.attempts, alone, variation, aside)
        future = self._executor.start(task)
        self._running[future] = (item, lease)
        future.add_done_callback(self._ended.put)

    def _handle(self, future: Future[TaskResult]) -> None:
        """Publish the result of a task that has ended, or its failure."""
        item, lease = self._running.pop(future)
        try:
            result = future.result()
        except (Cancelled, CancelledError):
            self._ledger.release(lease)
        except OverpaintError as error:
            self._fail(item, lease, error)
        else:
            self._publish(item, lease, result)

    def _publish(self, item: PlannedEdit, lease: LedgerEntry, result: TaskResult) -> None:
        base = item.image_sha256 or self._result_of(item.after)
        details = {**describe(item), **result.details, "attempts": lease.attempts, "base": base, "key": item.key}
        if result.aside:
            details["aside"] = result.sha256
        if result.thumbnails is not None:
            self._thumbnails.put(item.id, result.thumbnails)
        try:
            self._publisher.publish(lease, replace(result, details=details))
        except LeaseLostError as error:
            hidden_beside(item.output, lease.token).unlink(missing_ok=True)
            self._fail_with_followers(item, str(error))
        except PublishError as error:
            self._fail_with_followers(item, str(error))
        except OutputError as error:  # no room for its line in the audit log: the next run writes it
            self.tally.stopped = str(error)
        else:
            self.tally.painting += float(details.get("timings", {}).get("paint", 0.0))
            seconds, warnings = float(details.get("seconds", 0.0)), tuple(details.get("warnings", ()))
            if result.aside:  # rows after it wait until it is accepted
                self.tally.in_review += 1
                self._in_review.add(item.id)
                doubts, aside, image = tuple(details["doubts"]), f"{ASIDE}/{lease.spec}", item.row.image or ""
                row = item.row.number
                self._emit(Doubted(item.id, row, lease.spec, aside, seconds, doubts, warnings, details, image))
                return
            self.tally.done += 1
            self.tally.warned += bool(warnings)
            self.tally.doubtful += bool(details.get("doubts"))
            self._emit(Done(item.id, item.row.number, lease.spec, seconds, warnings, details))
            self._release_followers(item.id)

    def _take_decisions(self) -> None:
        """Carry out what reviews have decided meanwhile, and tell of it."""
        now = time.monotonic()
        if now < self._decisions_due:
            return
        self._decisions_due = now + _DECISIONS
        try:
            with signals_deferred():
                for entry, review in self._publisher.take_decisions():
                    self._tell_decided(entry, accepted=review.verdict == "accepted")
        except OutputError as error:  # no room in the audit log, say: the next run completes it
            self.tally.stopped = str(error)

    def _tell_decided(self, entry: LedgerEntry, *, accepted: bool) -> None:
        details = details_in(entry)
        if entry.id in self._in_review:  # others are of rows that have left the list
            self._in_review.discard(entry.id)
            self.tally.in_review -= 1
            self.tally.done += accepted
            self.tally.failed += not accepted
        verdict: Literal["accepted", "rejected"] = "accepted" if accepted else "rejected"
        row, seeded = int(details.get("row") or 0), bool(details.get("seeded"))
        self._emit(Decided(entry.id, row, entry.spec, verdict, seeded))
        if accepted:
            self._release_followers(entry.id)

    def _result_of(self, id: str | None) -> str:
        """Digest of a row's result; "" where it has none."""
        entry = None if id is None else self._ledger.entry(id)
        return "" if entry is None else entry.result or ""

    def _fail(self, item: PlannedEdit, lease: LedgerEntry, error: OverpaintError) -> None:
        if disk_is_full(error) or isinstance(error, ClusterError | ServerUnreachableError):
            self._ledger.release(lease)
            self.tally.stopped = str(error)
            return
        reason = reason_of(error, private=self._options.key is not None)
        if isinstance(error, WorkerLostError) and self._losses[item.id] < _LOSSES - 1:
            self._losses[item.id] += 1
            self._ledger.release(lease)  # not the row's fault, and none of its retries
            again = True
        elif error.code == "memory-short" and item.id not in self._alone:
            self._alone.add(item.id)
            self._ledger.release(lease)  # others that were in flight may have taken the memory
            again = True
        else:
            # An invalid input stays invalid; any other failure may be temporary.
            detail = details_of(item, lease)
            state = self._ledger.fail(lease, reason, retry=not isinstance(error, InputError), detail=detail)
            again = state == "waiting"
        if again:
            self._emit(Failed(item.id, item.row.number, reason, again=True, image=item.row.image or ""))
            self._ready.append(item)
        else:
            self._fail_with_followers(item, reason)

    def _fail_with_followers(self, item: PlannedEdit, reason: str) -> None:
        """The row has failed, and so have all rows after it."""
        failed = [(item, reason)]
        for one, _ in failed:  # it grows meanwhile
            text = f"the row before it, {one.id!r}, failed"
            failed += [(follower, text) for follower in self._followers.pop(one.id, [])]
        if followers := failed[1:]:
            out = self._publisher.out
            self._ledger.refuse((job_of(one, out), why, details_of(one)) for one, why in followers)
        for one, why in failed:
            self.tally.failed += 1
            self._emit(Failed(one.id, one.row.number, why, image=one.row.image or ""))
        if self._options.fail_fast:
            self.tally.stopped = f"{item.id}: {reason}"

    def _release_followers(self, id: str) -> None:
        """Rows after a finished one come next, so that chains are not left half done."""
        self._ready.extendleft(reversed(self._followers.pop(id, [])))

    def _renew(self) -> None:
        # The ledger's clock, not a monotonic one: it goes on while the machine sleeps, and leases end by it.
        if 0 <= time.time() - self._renewed < _RENEW:
            return
        self._renewed = time.time()
        self._ledger.renew([lease for _, lease in self._running.values()], LEASE)

    def _wind_up(self) -> None:
        """Stop the executor; publish what is finished, and release the rest."""
        self._executor.stop()
        for future in list(self._running):
            item, lease = self._running.pop(future)
            if not future.done():  # its lease tells the next run which hidden file it may still write
                continue
            if future.cancelled() or future.exception() is not None:
                self._ledger.release(lease)
            else:
                self._publish(item, lease, future.result())
