"""A worker process of a cluster: a studio with its own engines, which runs the tasks sent to it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

from overpaint.engines import Monitor
from overpaint.errors import OverpaintError
from overpaint.record import version
from overpaint.studio import Studio

from .task import Task, TaskResult
from .worker import Worker


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker's version of Overpaint, its host and its process."""

    version: str
    host: str
    process: int


@dataclass(frozen=True, slots=True)
class RemoteError:
    """An error in a form that can be sent: a pickled exception loses its cause.

    Attributes:
        error: The error.
        number: The system's error number beneath it, or None.
    """

    error: OverpaintError
    number: int | None = None

    @classmethod
    def of(cls, error: OverpaintError) -> RemoteError:
        """From an error that was raised."""
        return cls(error, error.__cause__.errno if isinstance(error.__cause__, OSError) else None)

    def restored(self) -> OverpaintError:
        """The error with its cause."""
        if self.number is not None:
            self.error.__cause__ = OSError(self.number, os.strerror(self.number))
        return self.error


class RayWorker:
    """A Ray actor. Its methods are called from several threads at once."""

    def __init__(self, make: Callable[[], Studio], *, readers: int = 2, writers: int = 2) -> None:
        """Nothing is loaded before the first task.

        Args:
            make: Makes the studio, in the worker's own process.
            readers, writers: How many tasks are read, and written, at once.
        """
        self._worker = Worker(make(), readers=readers, writers=writers)
        self._steps = 0
        self._lock = threading.Lock()
        self._monitor = Monitor(on_progress=lambda step, steps: self._step())

    def info(self) -> WorkerInfo:
        """This worker's version, host and process."""
        return WorkerInfo(version(), socket.gethostname(), os.getpid())

    def do(self, task: Task) -> TaskResult | RemoteError:
        """Run a task; an error is returned."""
        try:
            return self._worker.do(task, self._monitor)
        except OverpaintError as error:
            return RemoteError.of(error)
        finally:
            self._step()

    def steps_done(self) -> int:
        """Steps of engines and tasks done so far: a number that does not grow means that the worker hangs."""
        return self._steps

    def cancel(self) -> None:
        """Cancel all running tasks."""
        self._monitor.cancel()

    def _step(self) -> None:
        with self._lock:
            self._steps += 1
