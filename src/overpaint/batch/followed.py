"""Progress, previews and cancellation of single tasks on a cluster: between their workers and who waits for them."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from overpaint.engines import Monitor, Pixels
from overpaint.errors import Cancelled

_LARGEST = 512  # pixels of the longer side of a preview that is sent


@dataclass(frozen=True, slots=True, eq=False)
class TaskReport:
    """What has happened to a task since the last report.

    Attributes:
        step, steps: The engine's progress; steps is 0 where there is none.
        preview: (h, w, 3) float32, the last one.
        loading: Models that were loaded.
        stages: What else delayed a step.
        notes: For people, from before the painting.
    """

    step: int = 0
    steps: int = 0
    preview: Pixels | None = None
    loading: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def tell(self, monitor: Monitor) -> None:
        """Pass it on."""
        with contextlib.suppress(Cancelled):
            for text in self.notes:
                monitor.note(text)
            for model in self.loading:
                monitor.loading(model)
            for text in self.stages:
                monitor.stage(text)
            if self.steps:
                monitor.progress(self.step, self.steps)
            if self.preview is not None:
                monitor.preview(self.preview)


class FollowedMonitor(Monitor):
    """The monitor of a task that somebody follows, in the worker's process."""

    def __init__(self, parent: Monitor, on_step: Callable[[], None]) -> None:
        """It is cancelled with its parent. `on_step` is called at each step."""
        super().__init__(self._progress, self._preview, self._loading, self._note, self._stage)
        self._parent, self._on_step = parent, on_step
        self._lock = threading.Lock()
        self._report = TaskReport()

    @property
    def cancelled(self) -> bool:
        """Whether this one or the worker's was cancelled."""
        return super().cancelled or self._parent.cancelled

    def taken(self) -> TaskReport:
        """What has happened since the last call."""
        with self._lock:
            found, self._report = self._report, TaskReport()
        return found

    def _change(self, **changes: Any) -> None:
        with self._lock:
            self._report = replace(self._report, **changes)

    def _progress(self, step: int, steps: int) -> None:
        self._on_step()
        self._change(step=step, steps=steps)

    def _preview(self, pixels: Pixels) -> None:
        every = -(-max(pixels.shape[:2]) // _LARGEST)
        self._change(preview=np.ascontiguousarray(pixels[::every, ::every]))

    def _loading(self, model: str) -> None:
        self._change(loading=(*self._report.loading, model))

    def _stage(self, text: str) -> None:
        self._change(stages=(*self._report.stages, text))

    def _note(self, text: str) -> None:
        self._change(notes=(*self._report.notes, text))


class FollowedWorker(Protocol):
    """A worker as the executor sees it: `actor` is Ray's handle, `tasks` what it has."""

    actor: Any
    tasks: dict[Any, Any]


@dataclass(slots=True, eq=False)
class Followers:
    """Who follows which tasks, on the executor's side. Thread-safe but for `exchange`."""

    ray: Any
    _monitors: dict[str, Monitor] = field(default_factory=dict)
    _asked: dict[Any, Any] = field(default_factory=dict)

    def follow(self, name: str, monitor: Monitor) -> None:
        """Have a task's reports passed on to a monitor, and the monitor's cancellation to the task."""
        self._monitors[name] = monitor

    def leave(self, name: str) -> None:
        """Follow a task no longer."""
        self._monitors.pop(name, None)

    def cancelled(self, name: str) -> bool:
        """Whether who follows a task has cancelled it."""
        monitor = self._monitors.get(name)
        return monitor is not None and monitor.cancelled

    def exchange(self, workers: Iterable[FollowedWorker]) -> None:
        """Pass on what workers have reported, and ask those for more that have tasks which are followed."""
        for worker in workers:
            names = [task.name for task in list(worker.tasks.values()) if task.name in self._monitors]
            asked = self._asked.get(worker.actor)
            if asked is None:
                if names:
                    off = [name for name in names if self.cancelled(name)]
                    self._asked[worker.actor] = worker.actor.exchange.remote(off)
            elif self.ray.wait([asked], timeout=0)[0]:
                del self._asked[worker.actor]
                with contextlib.suppress(self.ray.exceptions.RayError):  # it is lost, which is seen elsewhere
                    self._tell(self.ray.get(asked))

    def _tell(self, reports: dict[str, TaskReport]) -> None:
        for name, report in reports.items():
            monitor = self._monitors.get(name)
            if monitor is not None:
                report.tell(monitor)


@dataclass(slots=True, eq=False)
class FollowedTasks:
    """The tasks that are followed, on the worker's side. Thread-safe."""

    _monitors: dict[str, FollowedMonitor] = field(default_factory=dict)

    @contextlib.contextmanager
    def monitor_of(self, name: str, parent: Monitor, on_step: Callable[[], None]) -> Any:
        """The monitor of a task while it is done."""
        made = self._monitors[name] = FollowedMonitor(parent, on_step)
        try:
            yield made
        finally:
            self._monitors.pop(name, None)

    def exchange(self, cancelled: Collection[str]) -> dict[str, TaskReport]:
        """What has happened to each since the last call; tasks with these names are cancelled."""
        found = {}
        for name, monitor in list(self._monitors.items()):
            if name in cancelled:
                monitor.cancel()
            found[name] = monitor.taken()
        return found
