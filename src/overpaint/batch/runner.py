"""The runner: rows are handed to a crew, and what comes back is settled. One thread decides, and it alone writes the
ledger, the audit log and the results' names.
"""

from __future__ import annotations

import errno
import os
import queue
import secrets
import socket
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass

from overpaint.errors import Cancelled, ClusterError, InputError, OutputError, OverpaintError, WorkerLostError
from overpaint.ledger import Lease, LeaseLostError, Ledger
from overpaint.record import sidecar_path

from .events import Done, Event, Failed, Unchanged
from .executor import Executor
from .plan import PlannedEdit, describe
from .results import FinishedRow, PublishError, ResultPublisher, hidden_beside
from .signals import signals_deferred
from .status import BatchStatus, base_of, details_of, job_of
from .task import TaskOptions, TaskResult
from .thumbnails import ThumbnailStore

LEASE = 120.0  # seconds; renewed long before
_RENEW = 30.0
_LOSSES = 3  # how often a row may lose its worker before it is taken for the cause
_FULL = (errno.ENOSPC, errno.EDQUOT)

Tell = Callable[[Event], None]


@dataclass(slots=True)
class Tally:
    """What came of a run.

    Attributes:
        done, unchanged, failed: Rows.
        painting: Seconds that engines were at work.
        stopped: Why the run ended early; "" when it did not.
    """

    done: int = 0
    unchanged: int = 0
    failed: int = 0
    painting: float = 0.0
    stopped: str = ""


class Runner:
    """Does the rows of a standing plan."""

    def __init__(
        self,
        executor: Executor,
        publisher: ResultPublisher,
        thumbnail_store: ThumbnailStore,
        how: TaskOptions,
        tell: Tell,
    ) -> None:
        self._executor = executor
        self._settler = publisher
        self._ledger: Ledger = publisher.ledger
        self._shelf = thumbnail_store
        self._task_options = how
        self._tell = tell
        self._owner = f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(3)}"
        self._back: queue.SimpleQueue[Future[TaskResult]] = queue.SimpleQueue()
        self._flying: dict[Future[TaskResult], tuple[PlannedEdit, Lease]] = {}
        self._ready: deque[PlannedEdit] = deque()
        self._followers: dict[str, list[PlannedEdit]] = {}
        self._undecided: frozenset[str] = frozenset()
        self._losses: Counter[str] = Counter()
        self._renewed = time.time()
        self.tally = Tally()

    def run(self, status: BatchStatus, chosen: Collection[PlannedEdit]) -> Tally:
        """Do the chosen rows of those that are to be done.

        Raises:
            KeyboardInterrupt: It was called off; what was finished is settled, and what was not waits.
            LedgerError: The ledger can't be written. An audit log that can't be ends the run, and the tally says why.
        """
        self._line_up(status, chosen)
        try:
            self._loop()
        except BaseException:
            self._wait_for_tasks()
            raise
        if self.tally.stopped:
            self._wait_for_tasks()
        return self.tally

    def _line_up(self, status: BatchStatus, chosen: Collection[PlannedEdit]) -> None:
        """Rows that can begin, and those that come after one that is still to be done."""
        self._undecided = status.undecided
        ids = {item.id for item in chosen}
        for item in chosen:
            if item.after is None or item.after in status.unchanged:
                self._ready.append(item)
            elif item.after in ids:
                self._followers.setdefault(item.after, []).append(item)
            # else: the one before it is not chosen and not done, so that it has to wait for another run

    def _loop(self) -> None:
        while (self._ready or self._flying) and not self.tally.stopped:
            while self._ready and len(self._flying) < self._executor.ahead:
                self._start(self._ready.popleft())
            if self._flying:
                try:
                    future = self._back.get(timeout=1.0)
                except queue.Empty:
                    self._renew()
                    continue
                self._renew()
                with signals_deferred():  # or a row could have its name and not be counted
                    self._on_reply(future)

    def _start(self, item: PlannedEdit) -> None:
        self._renew()  # before a claim takes back what ran out
        before = None if item.after is None else self._ledger.entry(item.after)
        image = item.image_sha256 if before is None else before.result or ""
        if item.id in self._undecided and base_of(self._ledger.entry(item.id)) == image:
            self.tally.unchanged += 1
            self._tell(Unchanged(item.id, item.row.number))
            self._release_followers(item)
            return
        if item.id in self._undecided:
            self._ledger.again([item.id], retries=self._task_options.retries)
        lease = self._ledger.claim(self._owner, LEASE, item.id)
        if lease is None:
            self._lose(item, "it is being done by someone else")
            return
        task = self._task_options.task(item, image, hidden_beside(item.output, lease.token), attempt=lease.attempt)
        future = self._executor.start(task)
        self._flying[future] = (item, lease)
        future.add_done_callback(self._back.put)

    def _on_reply(self, future: Future[TaskResult]) -> None:
        item, lease = self._flying.pop(future)
        try:
            made = future.result()
        except (Cancelled, CancelledError):
            self._ledger.release(lease)
        except OverpaintError as error:
            self._fail(item, lease, error)
        else:
            self._settle(item, lease, made)

    def _settle(self, item: PlannedEdit, lease: Lease, made: TaskResult) -> None:
        out = self._settler.out
        details = {**describe(item), "image": item.row.image, **made.details, "attempts": lease.attempt}
        details |= {"base": item.image_sha256 or self._result_of(item.after)}
        sidecar = None
        if made.sidecar is not None:
            beside = item.output.with_name(sidecar_path(item.output.name).name)
            sidecar = (beside.relative_to(out).as_posix(), made.sidecar)
        line = FinishedRow(
            hidden=hidden_beside(item.output, lease.token).relative_to(out).as_posix(),
            target=item.output.relative_to(out).as_posix(),
            replaces=item.replaces,
            sidecar=sidecar,
            record=made.record,
            details=details,
        )
        if made.thumbnails is not None:
            self._shelf.put(item.id, made.thumbnails)
        try:
            self._settler.settle(lease, made, line)
        except LeaseLostError as error:
            (out / line.hidden).unlink(missing_ok=True)
            self._lose(item, str(error))
            return
        except PublishError as error:
            self._lose(item, str(error))
            return
        except OutputError as error:  # no room for its line in the audit log: the next run does what is left
            self.tally.stopped = str(error)
            return
        self.tally.done += 1
        self.tally.painting += float(made.details.get("timings", {}).get("paint", 0.0))
        self._tell(
            Done(
                item.id,
                item.row.number,
                line.target,
                float(made.details.get("seconds", 0.0)),
                tuple(made.details.get("warnings", ())),
                details,
            )
        )
        self._release_followers(item)

    def _result_of(self, id: str | None) -> str | None:
        entry = None if id is None else self._ledger.entry(id)
        return None if entry is None else entry.result

    def _fail(self, item: PlannedEdit, lease: Lease, error: OverpaintError) -> None:
        if _disk_is_full(error) or isinstance(error, ClusterError):
            self._ledger.release(lease)
            self.tally.stopped = str(error)
            return
        if isinstance(error, WorkerLostError):
            self._losses[item.id] += 1
            if self._losses[item.id] < _LOSSES:  # no fault of the row's, and no try of its retries
                self._ledger.release(lease)
                self._tell(Failed(item.id, item.row.number, str(error), again=True))
                self._ready.append(item)
                return
        # A bad input stays bad; anything else may have been the moment's.
        state = self._ledger.fail(lease, str(error), retry=not isinstance(error, InputError), detail=details_of(item))
        if state == "waiting":
            self._tell(Failed(item.id, item.row.number, str(error), again=True))
            self._ready.append(item)
            return
        self._lose(item, str(error))

    def _lose(self, item: PlannedEdit, reason: str) -> None:
        """The row has failed, and with it all that go on from it."""
        lost = [(item, reason)]
        while lost:
            one, why = lost.pop()
            self.tally.failed += 1
            self._tell(Failed(one.id, one.row.number, why))
            for follower in self._followers.pop(one.id, []):
                text = f"the row that it goes on from, {one.id!r}, failed"
                self._ledger.refuse(job_of(follower, self._settler.out), text, details_of(follower))
                lost.append((follower, text))
        if self._task_options.fail_fast:
            self.tally.stopped = f"{item.id}: {reason}"

    def _release_followers(self, item: PlannedEdit) -> None:
        """Those that go on from a row come next, so that chains are not left half done."""
        self._ready.extendleft(reversed(self._followers.pop(item.id, [])))

    def _renew(self) -> None:
        # The ledger's clock, and not a monotonic one: it goes on while the machine sleeps, and leases run out by it.
        if 0 <= time.time() - self._renewed < _RENEW:
            return
        self._renewed = time.time()
        self._ledger.renew([lease for _, lease in self._flying.values()], LEASE)

    def _wait_for_tasks(self) -> None:
        """Bring what is in the air to the ground: what is finished is settled, the rest waits again."""
        self._executor.stop()
        for future in list(self._flying):
            item, lease = self._flying.pop(future)
            if future.cancelled() or future.exception() is not None:
                self._ledger.release(lease)
            else:
                self._settle(item, lease, future.result())


def _disk_is_full(error: BaseException) -> bool:
    cause = error.__cause__
    return isinstance(error, OutputError) and isinstance(cause, OSError) and cause.errno in _FULL


def choose(status: BatchStatus, wanted: Iterable[PlannedEdit], limit: int | None) -> list[PlannedEdit]:
    """Of the rows to do, those that are wanted, and no more than `limit` of them."""
    ids = {item.id for item in wanted}
    chosen = [item for item in status.to_do if item.id in ids]
    return chosen if limit is None else chosen[:limit]
