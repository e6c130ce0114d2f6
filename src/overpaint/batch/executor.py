"""What runs tasks: threads of this process, or a Ray cluster (`cluster`)."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Protocol

from overpaint.engines import Monitor
from overpaint.studio import Studio

from .events import Event
from .task import Task, TaskResult
from .worker import Worker


class Executor(Protocol):
    """Runs tasks, several at once, in any order."""

    @property
    def ahead(self) -> int:
        """How many unfinished tasks it needs at once, so that no engine is idle."""

    def start(self, task: Task) -> Future[TaskResult]:
        """Start a task. The future fails with an OverpaintError; with Cancelled when the task was cancelled."""

    def notices(self) -> Sequence[Event]:
        """Events of the executor itself since the last call: workers of a cluster that start."""

    def stop(self) -> None:
        """Cancel all unfinished tasks, and wait until nothing is running, a while at most."""


_PATIENCE = 5.0  # seconds that a step of an engine, which can't be interrupted, may go on after a cancellation


class ThreadExecutor:
    """Threads around one studio."""

    def __init__(self, studio: Studio, *, ahead: int = 6) -> None:
        """`studio` paints; the caller closes it. `ahead` tasks run at once: some read, some paint, some write. Their
        number does not change results.
        """
        self.ahead = max(1, ahead)
        self._worker = Worker(studio)
        self._monitor = Monitor()
        self._pool = ThreadPoolExecutor(self.ahead, thread_name_prefix="overpaint-batch")
        self._begun: set[Future[TaskResult]] = set()

    def start(self, task: Task) -> Future[TaskResult]:
        """Start a task on a thread of its own."""
        future = self._pool.submit(self._worker.do, task, self._monitor)
        self._begun.add(future)
        future.add_done_callback(self._begun.discard)
        return future

    def notices(self) -> Sequence[Event]:
        """None."""
        return ()

    def stop(self) -> None:
        """Cancel what is unfinished, and wait, but not for a step that does not end."""
        if self._monitor.cancelled:  # nor twice
            return
        self._monitor.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)
        wait(tuple(self._begun), timeout=_PATIENCE)
