"""A worker process of a cluster: a studio with its own engines, which runs the tasks sent to it."""

from __future__ import annotations

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
    """A worker's version of Overpaint and its host."""

    version: str
    host: str


class RayWorker:
    """A Ray actor. Its methods are called from several threads at once."""

    def __init__(self, make: Callable[[], Studio]) -> None:
        """`make` makes the studio, in the worker's own process; nothing is loaded before the first task."""
        self._worker = Worker(make())
        self._steps = 0
        self._lock = threading.Lock()
        self._monitor = Monitor(on_progress=lambda step, steps: self._step())

    def info(self) -> WorkerInfo:
        """This worker's version and host."""
        return WorkerInfo(version(), socket.gethostname())

    def do(self, task: Task) -> TaskResult | OverpaintError:
        """Run a task; an error is returned, as one that is raised would lose its attributes."""
        try:
            return self._worker.do(task, self._monitor)
        except OverpaintError as error:
            return error
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
