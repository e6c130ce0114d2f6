"""Progress and cancellation of several canvases as those of one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial

from overpaint.engines import Monitor, Pixels


class SharedProgress:
    """Monitors for several canvases that report to one monitor, and are cancelled with it."""

    def __init__(self, monitor: Monitor, count: int) -> None:
        self._monitor = monitor
        self._lock = threading.Lock()
        self._steps = [(0, 1)] * count
        preview = monitor.preview if monitor.wants_previews else None
        self.parts = [LinkedMonitor(monitor, partial(self.report, index), preview) for index in range(count)]

    def report(self, index: int, step: int, steps: int) -> None:
        """Report `step` of `steps` of canvas `index` as part of the sum over all canvases."""
        with self._lock:
            self._steps[index] = (step, max(1, steps))
            # Canvases that have not begun count as long as the longest one known.
            longest = max(total for _, total in self._steps)
            done = sum(step * longest // total for step, total in self._steps)
            self._monitor.progress(done, longest * len(self._steps))


class LinkedMonitor(Monitor):
    """A monitor that is cancelled with another, but does not cancel that one.

    Attributes:
        began: When the engine first called `check`, in seconds of `time.perf_counter`; None while its canvas waits.
    """

    def __init__(
        self,
        parent: Monitor,
        on_progress: Callable[[int, int], None] | None = None,
        on_preview: Callable[[Pixels], None] | None = None,
    ) -> None:
        super().__init__(on_progress, on_preview, parent.loading, on_stage=parent.stage)
        self._parent = parent
        self.began: float | None = None

    def check(self) -> None:
        """Raise Cancelled when this one or the other was cancelled. The first call sets `began`."""
        if self.began is None:
            self.began = time.perf_counter()
        super().check()

    @property
    def work(self) -> Monitor:
        """That of the other one."""
        return self._parent.work

    @property
    def cancelled(self) -> bool:
        """Whether this one or the other was cancelled."""
        return super().cancelled or self._parent.cancelled
