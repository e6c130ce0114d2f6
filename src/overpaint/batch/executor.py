"""What runs tasks: threads of this process, or a Ray cluster (`cluster`)."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from overpaint.engines import Monitor
from overpaint.studio import Studio

from .task import Task, TaskResult
from .worker import Worker


class Executor(Protocol):
    """Runs tasks, several at once, in any order."""

    @property
    def ahead(self) -> int:
        """How many unfinished tasks it needs at once, so that no engine is idle."""

    def start(self, task: Task) -> Future[TaskResult]:
        """Start a task. The future fails with an OverpaintError; with Cancelled when the task was cancelled."""

    def stop(self) -> None:
        """Cancel all unfinished tasks, and wait until nothing is running."""


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

    def start(self, task: Task) -> Future[TaskResult]:
        """Start a task on a thread of its own."""
        return self._pool.submit(self._worker.do, task, self._monitor)

    def stop(self) -> None:
        """Cancel what is unfinished, and wait."""
        self._monitor.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)
