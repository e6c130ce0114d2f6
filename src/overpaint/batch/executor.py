"""Who does the tasks: threads of this process, or actors elsewhere."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from overpaint.engines import Monitor
from overpaint.errors import EngineError, OverpaintError
from overpaint.studio import Studio

from .task import Task, TaskResult
from .worker import Worker


class Executor(Protocol):
    """Does tasks, several at once, in any order."""

    @property
    def ahead(self) -> int:
        """How many tasks it wants to have at once, so that no engine waits for one."""

    def start(self, task: Task) -> Future[TaskResult]:
        """Begin a task. The future fails with an OverpaintError; with Cancelled when it was called off."""

    def stop(self) -> None:
        """Call everything off that is not finished, and wait until nothing is at work any more."""


class ThreadExecutor:
    """A crew of threads around one studio."""

    def __init__(self, studio: Studio, *, ahead: int = 6, readers: int = 2, writers: int = 2) -> None:
        """Threads start with the first tasks.

        Args:
            studio: Whose engines paint; whoever made it closes it.
            ahead: How many tasks are on their way at once: some read, some at the engine, some written. Results do not
                depend on it.
            readers, writers: How many of them read, and write, at once.
        """
        self._ahead = max(1, ahead)
        self._worker = Worker(studio, readers=readers, writers=writers)
        self._monitor = Monitor()
        self._pool = ThreadPoolExecutor(self._ahead, thread_name_prefix="overpaint-batch")

    @property
    def ahead(self) -> int:
        """As given."""
        return self._ahead

    def start(self, task: Task) -> Future[TaskResult]:
        """Begin a task on a thread of its own."""
        return self._pool.submit(self._do, task)

    def stop(self) -> None:
        """Call off what is not finished, and wait."""
        self._monitor.cancel()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _do(self, task: Task) -> TaskResult:
        try:
            return self._worker.do(task, self._monitor)
        except OverpaintError:
            raise
        except MemoryError:
            raise EngineError(f"there was not enough memory for {task.image}") from None
        except Exception as error:  # a fault of ours: one row must not cost the others
            raise EngineError(f"it failed unexpectedly: {type(error).__name__}: {error}") from error
