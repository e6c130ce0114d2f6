"""Figures of a server since its start, for Prometheus."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from overpaint.exposition import Histogram, head, labelled, single

_WORK = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
_REPLY = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


class ServerFigures:
    """Counts requests and jobs. Thread-safe."""

    def __init__(self) -> None:
        self.started = time.time()
        self._lock = threading.Lock()
        self._replies: Counter[str] = Counter()
        self._ended: Counter[str] = Counter({"done": 0, "failed": 0, "cancelled": 0})
        self._reply_seconds = Histogram(_REPLY)
        self._waits = Histogram(_WORK)
        self._works = Histogram(_WORK)

    def replied(self, status: int, seconds: float) -> None:
        """A reply began, so many seconds after its request came."""
        with self._lock:
            self._replies[f"{status // 100}xx"] += 1
            self._reply_seconds.add(seconds)

    def began(self, waited: float) -> None:
        """A job began after so many seconds in the queue."""
        with self._lock:
            self._waits.add(waited)

    def ended(self, state: str, seconds: float) -> None:
        """A job that was worked on ended: "done", "failed" or "cancelled"."""
        with self._lock:
            self._ended[state] += 1
            self._works.add(seconds)

    def lines(self, jobs: Mapping[str, float], lanes: int, stored: int, version: str) -> Iterator[str]:
        """All figures in Prometheus' text format.

        Args:
            jobs: How many jobs there are in each state.
            lanes: Jobs that can be worked on at the same time.
            stored: Bytes of all stored pictures.
            version: Of Overpaint.
        """
        with self._lock:
            yield from labelled("overpaint_info", "gauge", "The version.", "version", {version: 1})
            yield from labelled("overpaint_jobs", "gauge", "Jobs that are known, by state.", "state", jobs)
            yield from single("overpaint_lanes", "gauge", "Jobs that can be worked on at the same time.", lanes)
            about = "Jobs that were worked on and ended."
            yield from labelled("overpaint_jobs_ended_total", "counter", about, "state", self._ended)
            yield from self._waits.lines("overpaint_job_wait_seconds", "Seconds that jobs waited for a lane.")
            yield from self._works.lines("overpaint_job_work_seconds", "Seconds that jobs were worked on.")
            about = "Replies by the class of their status."
            yield from labelled("overpaint_replies_total", "counter", about, "status", self._replies)
            about = "Seconds from a request to the beginning of its reply."
            yield from self._reply_seconds.lines("overpaint_reply_seconds", about)
        yield from single("overpaint_pictures_bytes", "gauge", "Bytes of all stored pictures.", stored)
        about = "When the server was started, in seconds since 1970."
        yield from single("overpaint_started_seconds", "gauge", about, self.started)
        if (memory := _resident()) is not None:
            name = "process_resident_memory_bytes"
            yield from head(name, "gauge", "Resident memory of the server's own process.")
            yield f"{name} {memory}"


def _resident() -> int | None:
    """Bytes of this process in memory; None where the system does not say so in /proc (proc(5), statm)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    import resource

    return pages * resource.getpagesize()
