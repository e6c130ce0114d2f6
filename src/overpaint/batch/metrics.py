"""Counts, rates and times of a run as a text file that Prometheus collects (the exposition format, version 0.0.4)."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from overpaint.errors import OutputError

from .events import Began, Done, Ended, Event, Failed, Unchanged
from .store import write

_EVERY = 5.0  # seconds between two writes
_BOUNDS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)


class MetricsFile:
    """Follows the events of a run, and writes the file whole or not at all: at first, every 5 seconds, at the end."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        """`path` usually ends in .prom; its folder must exist. `clock` gives seconds since 1970."""
        self._path = path
        self._clock = clock
        self._rows = dict.fromkeys(("done", "failed", "unchanged", "waiting"), 0)
        self._retries = self._warned = 0
        self._painting = 0.0
        self._seconds: list[float] = []
        self._began = self._written = 0.0
        self._running = True

    def show(self, event: Event) -> None:
        """Count an event. A file that can't be written, as on a full disk, ends no run: the next event writes it."""
        now = self._clock()
        match event:
            case Began():
                self._began = now
                self._rows |= {"unchanged": event.unchanged, "waiting": event.to_do + event.left}
            case Done():
                self._count("done", begun=True)
                self._seconds.append(event.seconds)
                self._painting += float(event.details.get("timings", {}).get("paint", 0.0))
                self._warned += bool(event.warnings)
            case Failed(again=True):
                self._retries += 1
            case Failed():
                self._count("failed", begun=event.begun)
            case Unchanged():
                self._count("unchanged", begun=True)
            case Ended():
                self._running = False
                self._rows["waiting"] = event.left
        if isinstance(event, Began | Ended) or not 0 <= now - self._written < _EVERY:
            with contextlib.suppress(OutputError, OSError):
                write(self._path, ("\n".join(self._lines(now)) + "\n").encode())
                self._written = now

    def _count(self, state: str, *, begun: bool) -> None:
        self._rows[state] += 1
        self._rows["waiting"] -= begun

    def _lines(self, now: float) -> Iterator[str]:
        yield from _metric("rows", "gauge", "Rows of the list by state.")
        yield from (f'overpaint_batch_rows{{state="{state}"}} {count}' for state, count in self._rows.items())
        passed = max(now - self._began, 1e-9)
        for name, kind, about, value in (
            ("running", "gauge", "Whether the run goes on.", float(self._running)),
            ("start_time_seconds", "gauge", "When the run began, since 1970.", self._began),
            ("last_update_seconds", "gauge", "When this was written, since 1970.", now),
            ("rows_per_second", "gauge", "Rows done a second since the run began.", self._rows["done"] / passed),
            ("retries_total", "counter", "Attempts that failed and are made again.", self._retries),
            ("warned_rows_total", "counter", "Rows done with a warning.", self._warned),
            ("painting_seconds_total", "counter", "Seconds that engines worked.", self._painting),
        ):
            yield from _metric(name, kind, about)
            yield f"overpaint_batch_{name} {value:.15g}"
        yield from _metric("row_seconds", "histogram", "Seconds that a row took, without waiting.")
        for bound in _BOUNDS:
            count = sum(one <= bound for one in self._seconds)
            yield f'overpaint_batch_row_seconds_bucket{{le="{bound:g}"}} {count}'
        yield f'overpaint_batch_row_seconds_bucket{{le="+Inf"}} {len(self._seconds)}'
        yield f"overpaint_batch_row_seconds_sum {sum(self._seconds):.15g}"
        yield f"overpaint_batch_row_seconds_count {len(self._seconds)}"


def _metric(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP overpaint_batch_{name} {about}"
    yield f"# TYPE overpaint_batch_{name} {kind}"
