"""What a worker of a cluster is: a studio with its own engines, which does the tasks that come to it."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass

from overpaint import errors
from overpaint.engines import Monitor
from overpaint.errors import EngineError, OverpaintError
from overpaint.record import version
from overpaint.studio import Studio

from .task import Task, TaskResult
from .worker import Worker


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """Who a worker is: its version of Overpaint, its machine and its process."""

    version: str
    host: str
    process: int


@dataclass(frozen=True, slots=True)
class RemoteError:
    """Why a task could not be done, in a form that travels: an exception loses its cause when it is pickled.

    Attributes:
        kind: The name of the nearest class in `overpaint.errors`.
        text: Its message.
        number: The system's error number beneath it, or None.
    """

    kind: str
    text: str
    number: int | None = None

    @classmethod
    def of(cls, error: OverpaintError) -> RemoteError:
        """From the error."""
        nearest = next(one for one in type(error).__mro__ if one.__module__ == errors.__name__)
        cause = error.__cause__
        return cls(nearest.__name__, str(error), cause.errno if isinstance(cause, OSError) else None)

    def error(self) -> OverpaintError:
        """The error again, with its cause."""
        made = getattr(errors, self.kind)(self.text)
        assert isinstance(made, OverpaintError)
        if self.number is not None:
            made.__cause__ = OSError(self.number, os.strerror(self.number))
        return made


class RayWorker:
    """A worker. Its methods are called from several threads at once."""

    def __init__(self, make: Callable[[], Studio], *, readers: int = 2, writers: int = 2) -> None:
        """Nothing is loaded before the first task.

        Args:
            make: Makes the studio, in the worker's own process.
            readers, writers: How many tasks are read, and written, at once.
        """
        self._studio = make()
        self._worker = Worker(self._studio, readers=readers, writers=writers)
        self._steps = 0
        self._guard = threading.Lock()
        self._monitor = Monitor(on_progress=lambda step, steps: self._step())

    def info(self) -> WorkerInfo:
        """Who this is."""
        return WorkerInfo(version(), socket.gethostname(), os.getpid())

    def do(self, task: Task) -> TaskResult | RemoteError:
        """Do a task, or say why not."""
        try:
            return self._worker.do(task, self._monitor)
        except OverpaintError as error:
            return RemoteError.of(error)
        except MemoryError:
            return RemoteError.of(EngineError(f"there was not enough memory for {task.image}"))
        except Exception as error:  # a fault of ours: one row must not cost the others
            return RemoteError.of(EngineError(f"it failed unexpectedly: {type(error).__name__}: {error}"))
        finally:
            self._step()

    def steps_done(self) -> int:
        """How much was done so far, in steps of engines and tasks: a number that stands still tells of a hang."""
        return self._steps

    def cancel(self) -> None:
        """Call off everything that is at work."""
        self._monitor.cancel()

    def _step(self) -> None:
        with self._guard:
            self._steps += 1
