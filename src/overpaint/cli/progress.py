"""A progress bar on standard error, where that is a terminal."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .texts import duration

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID

    from overpaint.engines import Monitor


@dataclass(slots=True)
class Bar:
    """One bar for the work on one picture; it shows nothing without a terminal."""

    progress: Progress | None = None
    task: TaskID | None = None
    done: int = 0
    """How many results there are, of several (see `monitor_of`)."""
    _waiting: str | None = None

    def say(self, what: str) -> None:
        """Name the step that begins now, of unknown length."""
        if self.progress is not None and self.task is not None:
            self.progress.reset(self.task, description=what, total=None)

    def monitor(self, on_note: Callable[[str], None] | None = None) -> Monitor:
        """A monitor whose progress the bar shows; `on_note` gets what a person should know before the painting."""
        from overpaint.engines import Monitor

        return Monitor(
            on_progress=self.advance,
            on_loading=lambda model: self._stage(f"loading {model}"),
            on_note=on_note,
            on_stage=self._stage,
        )

    def monitor_of(self, count: int) -> Monitor:
        """A monitor of so many results, `done` of which are there: the bar shows that, and how long the rest takes."""
        from overpaint.engines import Monitor

        pace = Pace()

        def advance(step: int, steps: int) -> None:
            left = pace.left(step / steps)
            self._waiting = None
            if self.progress is not None and self.task is not None:
                words = f"{self.done} of {count} painted"
                # Where several are painted at once, the work of one is done before any is.
                if left is not None and step * count >= steps:
                    words += f", about {duration(math.ceil(left))} left"
                self.progress.update(self.task, description=words, completed=step, total=steps)

        def stage(what: str) -> None:
            pace.restart()
            self._stage(what)

        return Monitor(on_progress=advance, on_loading=lambda model: stage(f"loading {model}"), on_stage=stage)

    def _stage(self, what: str) -> None:
        """Name what delays the painting; the next step of it brings the step's own name back."""
        if self.progress is not None:
            if self._waiting is None:
                self._waiting = self.progress.tasks[0].description
            self.say(what)

    def advance(self, step: int, steps: int) -> None:
        """Show that `step` of `steps` are done."""
        if self._waiting is not None:
            self.say(self._waiting)
            self._waiting = None
        if self.progress is not None and self.task is not None:
            self.progress.update(self.task, completed=step, total=steps)


class Pace:
    """How long the rest of some work takes, by what was done of it since it began, or since a model was loaded."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._began: tuple[float, float] | None = (clock(), 0.0)

    def restart(self) -> None:
        """Count from the next share on."""
        self._began = None

    def left(self, share: float) -> float | None:
        """Seconds for the rest, where `share` in [0, 1] of all is done; None where that can't be said yet."""
        now = self._clock()
        if self._began is None:
            self._began = (now, share)
        began, before = self._began
        return (1 - share) * (now - began) / (share - before) if share > before else None


@contextmanager
def bar(*, quiet: bool) -> Iterator[Bar]:
    """A bar that is shown while the work lasts."""
    if quiet or not sys.stderr.isatty():
        yield Bar()
        return
    from rich.progress import TaskProgressColumn, TimeElapsedColumn

    # shorter than the line, which would wrap at the ^C of an interrupt
    with progress_of(36, TaskProgressColumn(), TimeElapsedColumn()) as progress:
        yield Bar(progress, progress.add_task("reading", total=None))


def progress_of(width: int, *columns: ProgressColumn) -> Progress:
    """Progress on standard error, which is removed at the end: what is done, a bar so wide, and these columns."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    first = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(bar_width=width))
    return Progress(*first, *columns, console=Console(stderr=True), transient=True)
