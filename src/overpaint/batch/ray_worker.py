"""A worker process of a cluster: a studio with its own engines, which runs the tasks sent to it.

A worker that is kept for the next run outlives the command that started it, so it ends by itself: when the command that
has it does not call for a while, and when no command has had it for the time that it is kept.
"""

from __future__ import annotations

import hashlib
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overpaint.engines import Monitor
from overpaint.engines.weight_store import share_machine
from overpaint.errors import OverpaintError
from overpaint.record import version
from overpaint.studio import Studio

from .followed import FollowedTasks, TaskReport
from .task import ClusterTask
from .worker import Worker


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """A worker's version of Overpaint, its host and process, and whether it has served another run before."""

    version: str
    host: str
    process: int = 0
    reused: bool = False


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long a worker waits by itself.

    Attributes:
        idle: Seconds for another run to take it, after one has left it.
        lease: Seconds without a call from the run that has it, after which that run is taken for dead.
    """

    idle: float
    lease: float


class RayWorker:
    """A Ray actor. Its methods are called from several threads at once."""

    def __init__(self, make: Callable[[], Studio], workers: int = 1, keeping: Keeping | None = None) -> None:
        """Nothing is loaded before the first task.

        Args:
            make: Makes the studio, in the worker's own process.
            workers: How many workers its node has, which share its memory.
            keeping: How long it waits by itself; None for one that Ray ends with the process that started it.
        """
        share_machine(workers)
        self._studio = make()
        self._lock = threading.Lock()
        self._steps = 0
        self._owner = ""
        self._served = self._private = False
        self._keeping = keeping
        self._called = time.monotonic()
        self._installed = installed()
        self._fresh()
        if keeping is not None:
            threading.Thread(target=self._watch, daemon=True).start()

    def _fresh(self) -> None:
        self._worker = Worker(self._studio)
        self._followed = FollowedTasks()
        self._monitor = Monitor(on_progress=lambda step, steps: self._step())

    def take(self, owner: str, keeping: Keeping) -> WorkerInfo | None:
        """Give the worker to a run, by a name of its own; None where another one has it. `keeping`: how long it waits
        from now on, if it does.
        """
        with self._lock:
            if self._owner not in ("", owner):
                return None
            reused, self._served = self._served, True
            if reused:
                if installed() != self._installed:
                    os._exit(0)  # what it has loaded is no longer what is installed
                self._fresh()
            self._owner, self._called = owner, time.monotonic()
            self._keeping = None if self._keeping is None else keeping
            return WorkerInfo(version(), socket.gethostname(), os.getpid(), reused)

    def leave(self, owner: str) -> None:
        """End a run's use of the worker, which then waits for another. It ends where it has seen a private run."""
        with self._lock:
            if self._owner != owner:
                return
            self._monitor.cancel()
            if self._private or self._keeping is None:
                os._exit(0)
            self._owner, self._called = "", time.monotonic()

    def retire(self) -> None:
        """End, unless a run has it: its settings are not those of the run that asks, which needs its place."""
        with self._lock:
            if not self._owner:
                os._exit(0)

    def do(self, task: ClusterTask) -> Any:
        """Run a task; an error is returned, as one that is raised would lose its attributes."""
        self._private = self._private or task.private
        worker, monitor = self._worker, self._monitor
        try:
            if not task.followed:
                return task.done_by(worker, monitor)
            with self._followed.monitor_of(task.name, monitor, self._step) as own:
                return task.done_by(worker, own)
        except OverpaintError as error:
            return error
        finally:
            self._step()

    def steps_done(self) -> int:
        """Steps of engines and tasks done so far: a number that does not grow means that the worker hangs. Renews the
        run's lease.
        """
        self._called = time.monotonic()
        return self._steps

    def exchange(self, cancelled: list[str]) -> dict[str, TaskReport]:
        """What has happened to tasks that are followed since the last call; those with these names are cancelled."""
        return self._followed.exchange(cancelled)

    def cancel(self) -> None:
        """Cancel all running tasks."""
        self._monitor.cancel()

    def _step(self) -> None:
        with self._lock:
            self._steps += 1

    def _watch(self) -> None:
        while True:
            time.sleep(0.5)
            with self._lock:
                keeping = self._keeping
                if keeping is None or time.monotonic() - self._called < (
                    keeping.lease if self._owner else keeping.idle
                ):
                    continue
                os._exit(0)


def installed() -> str:
    """A digest of what a worker loads: Overpaint's code, packages, the stored models; by their sizes and times."""
    digest = hashlib.sha256(sys.version.encode())
    for name in _marks():
        digest.update(name.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _marks() -> Iterator[str]:
    from overpaint.models import store_folder

    code, models = Path(__file__).parents[1], store_folder()
    files = [*code.rglob("*.py"), *(models.rglob("*") if models.is_dir() else ())]
    packages = [one for place in map(Path, sys.path) if place.is_dir() for one in place.glob("*.dist-info")]
    for path in sorted([*files, *packages]):
        try:
            status = path.stat()
        except OSError:  # a link that leads nowhere
            continue
        yield f"{path}\0{status.st_size}\0{status.st_mtime_ns}\0"
