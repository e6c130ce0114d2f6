"""The time of a run: seconds a step, and a fixed part."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

STEPS = 20


@dataclass(frozen=True, slots=True)
class RunTimes:
    """The times of a run.

    Attributes:
        canvas: Working size.
        step: Median seconds a step.
        once: Seconds that do not depend on the number of steps.
        peak: Peak gigabytes of GPU memory; None on a CPU.

    On a CPU seconds are those of all cores together, which other programs disturb less than wall time.
    """

    canvas: str
    step: float
    once: float
    peak: float | None = None

    def total(self, steps: int) -> float:
        """Seconds of a run of `steps` steps."""
        return self.once + steps * self.step

    def minimum(self, other: RunTimes) -> RunTimes:
        """The minimum of each figure: the least disturbed times."""
        return RunTimes(self.canvas, min(self.step, other.step), min(self.once, other.once), self.peak)


@dataclass
class Stopwatch:
    """Records the end of each step."""

    now: Callable[[], float] = time.process_time
    ends: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.begun = self.now()

    def tick(self, *_: object) -> None:
        """Record the end of a step."""
        self.ends.append(self.now())

    def timed(self, canvas: str, steps: int, peak: float | None = None) -> RunTimes:
        """The times of a finished run of `steps` steps; the median uses all steps but the first."""
        whole = self.now() - self.begun
        apart = [later - earlier for earlier, later in zip(self.ends, self.ends[1:], strict=False)]
        step = statistics.median(apart)
        return RunTimes(canvas, step, max(0.0, whole - steps * step), peak)
