"""One run taken apart: seconds a step, and what is paid once."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

STEPS = 20


@dataclass(frozen=True, slots=True)
class Timed:
    """A run.

    Attributes:
        canvas: The working size.
        step: Seconds a step, the middle one.
        once: Seconds that do not depend on the number of steps.
        peak: Gigabytes of a GPU at most, or None on a CPU.

    On a CPU seconds are those of all cores together, which other programs disturb less than the clock.
    """

    canvas: str
    step: float
    once: float
    peak: float | None = None

    def whole(self, steps: int) -> float:
        """Seconds of a run of so many steps."""
        return self.once + steps * self.step

    def least(self, other: Timed) -> Timed:
        """The lesser of each figure: what nothing disturbed."""
        return Timed(self.canvas, min(self.step, other.step), min(self.once, other.once), self.peak)


@dataclass
class Stopwatch:
    """Notes when steps end, by a clock that gives seconds."""

    now: Callable[[], float] = time.process_time
    ends: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.begun = self.now()

    def tick(self, *_: object) -> None:
        """A step has ended."""
        self.ends.append(self.now())

    def timed(self, canvas: str, steps: int, peak: float | None = None) -> Timed:
        """The run is over; it had so many steps, of which all but the first lie between two ends."""
        whole = self.now() - self.begun
        apart = [later - earlier for earlier, later in zip(self.ends, self.ends[1:], strict=False)]
        step = statistics.median(apart)
        return Timed(canvas, step, max(0.0, whole - steps * step), peak)
