"""Counts, rates and times of a run: one count of its events, for Prometheus here and for OpenTelemetry (`otlp`)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from overpaint.errors import OutputError
from overpaint.exposition import Histogram, MetricKind, labelled, single
from overpaint.files import opened_regular

from .events import Arrived, Began, Decided, Departed, Done, Doubted, Ended, Event, Failed, Idle, Unchanged
from .store import write

_EVERY = 5.0  # seconds between two writes
BOUNDS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Bounds of the histogram of rows' seconds."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a run.

    Attributes:
        name: With underscores.
        kind: A gauge may go up and down; a counter only up.
        about: What it is.
        unit: "s", "rows", ... ; "" for none.
    """

    name: str
    kind: MetricKind
    about: str
    unit: str = ""


ROWS = Metric("rows", "gauge", "Rows of the list by state.", "{row}")
ROW_SECONDS = Metric("row_seconds", "gauge", "Seconds that a row took, without waiting.", "s")


class RunCounts:
    """Counts the events of a run."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives seconds since 1970."""
        self._clock = clock
        self._retries = self._warned = self._pixels = 0
        self._painting = 0.0
        self._began = clock()
        self._running = True
        self.rows = dict.fromkeys(("done", "needs-review", "failed", "unchanged", "waiting"), 0)
        self.seconds = Histogram(BOUNDS)

    def show(self, event: Event) -> None:
        """Count an event."""
        match event:
            case Began():
                self._began = self._clock()
                self.rows |= {"unchanged": event.unchanged, "waiting": event.to_do + event.left}
                self.rows["needs-review"] = event.in_review
            case Done() | Doubted():
                self._count("done" if isinstance(event, Done) else "needs-review", begun=True)
                self.seconds.add(event.seconds)
                self._painting += float(event.details.get("timings", {}).get("paint", 0.0))
                width, height = event.details.get("size", (0, 0))
                self._pixels += width * height
                self._warned += bool(event.warnings)
            case Decided():
                self.rows["needs-review"] = max(0, self.rows["needs-review"] - 1)
                self.rows["done" if event.verdict == "accepted" else "failed"] += 1
            case Failed(again=True):
                self._retries += 1
            case Failed():
                self._count("failed", begun=event.begun)
                self._leave(event.before)
            case Unchanged():
                self._count("unchanged", begun=True)
            case Arrived():
                self.rows["waiting"] += 1
                self._leave(event.before)
            case Departed():
                self._leave(event.state)
            case Idle():
                known = {"done": event.done, "failed": event.failed, "unchanged": event.unchanged}
                known["needs-review"] = event.in_review
                self.rows |= {**known, "waiting": event.rows - sum(known.values())}
            case Ended():
                self._running = False
                done = event.done - event.departed
                self.rows |= {"done": done, "failed": event.failed, "waiting": event.left}
                self.rows["needs-review"] = event.in_review

    def _leave(self, state: str) -> None:
        """Take a row out of the count of a state; one that a filter left waits for another run."""
        name = "waiting" if state == "left" else state
        if name in self.rows:
            self.rows[name] = max(0, self.rows[name] - 1)

    def _count(self, state: str, *, begun: bool) -> None:
        self.rows[state] += 1
        self.rows["waiting"] = max(0, self.rows["waiting"] - begun)

    def values(self) -> Iterator[tuple[Metric, float]]:
        """All figures but the rows by state and the histogram of their seconds."""
        now = self._clock()
        passed = max(now - self._began, 1e-9)
        yield Metric("running", "gauge", "Whether the run goes on."), float(self._running)
        yield Metric("start_time_seconds", "gauge", "When the run began, since 1970.", "s"), self._began
        yield Metric("last_update_seconds", "gauge", "When this was written, since 1970.", "s"), now
        rate = Metric("rows_per_second", "gauge", "Rows with a result a second since the run began.", "{row}/s")
        yield rate, self.seconds.count / passed
        yield Metric("retries_total", "counter", "Attempts that failed and are made again."), self._retries
        yield Metric("warned_rows_total", "counter", "Rows with a result and a warning.", "{row}"), self._warned
        yield (
            Metric("pixels_total", "counter", "Pixels of pictures of rows with a result.", "{pixel}"),
            self._pixels,
        )
        yield Metric("painting_seconds_total", "counter", "Seconds that engines worked.", "s"), self._painting


def check_metrics_file(path: Path) -> None:
    """Raise OutputError for a file that holds something else than the metrics of a batch, and would be replaced."""
    try:
        with opened_regular(path) as file:
            begin = file.read(64)
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"{path} can't be replaced: {error.strerror or error}", value=str(path)) from None
    if begin and not begin.startswith(b"# HELP overpaint_batch_"):
        message = f"{path} exists and holds no metrics of a batch: it is not replaced"
        raise OutputError(message, code="output-exists", value=str(path), hint="choose another name")


class MetricsFile:
    """Writes the counts as a text file that Prometheus collects (the exposition format, version 0.0.4), whole or not at
    all: at first, every 5 seconds, at the end.
    """

    def __init__(self, path: Path, counts: RunCounts, *, clock: Callable[[], float] = time.time) -> None:
        """`path` usually ends in .prom; its folder must exist. `counts` must see each event first."""
        self._path = path
        self._counts = counts
        self._clock = clock
        self._written = 0.0

    def show(self, event: Event) -> None:
        """Write now and then. A file that can't be written, as on a full disk, ends no run; it is tried again."""
        now = self._clock()
        if isinstance(event, Began | Ended | Idle) or not 0 <= now - self._written < _EVERY:
            with contextlib.suppress(OutputError, OSError):
                write(self._path, ("\n".join(self._lines()) + "\n").encode())
                self._written = now

    def _lines(self) -> Iterator[str]:
        counts = self._counts
        yield from labelled(_named(ROWS), ROWS.kind, ROWS.about, "state", counts.rows)
        for metric, value in counts.values():
            yield from single(_named(metric), metric.kind, metric.about, value)
        yield from counts.seconds.lines(_named(ROW_SECONDS), ROW_SECONDS.about)


def _named(metric: Metric) -> str:
    return f"overpaint_batch_{metric.name}"
