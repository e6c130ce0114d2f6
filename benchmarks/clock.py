"""Comparison of the times of several implementations: same process, same core, in alternation."""

from __future__ import annotations

import gc
import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds over all repetitions: minimum and median of wall time, minimum of processor time."""

    least: float
    median: float
    cpu: float


def pin_to_one_core() -> str:
    """Pin this process to one core and OpenCV to one thread; returns a description of the result."""
    import cv2

    cv2.setNumThreads(1)
    if hasattr(os, "sched_setaffinity"):
        core = max(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {core})
        return "one core"
    return "one OpenCV thread (this system can't pin a process to a core)"


def compare_times(sides: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, Times]:
    """Run every side once to warm up, then `repeats` times in turn, the order reversed each round.

    A slow moment of the machine then affects all sides equally; the minimum is the least disturbed time.
    """
    clock: dict[str, list[float]] = {name: [] for name in sides}
    processor: dict[str, list[float]] = {name: [] for name in sides}
    for job in sides.values():
        job()
    names = list(sides)
    for _ in range(repeats):
        for name in names:
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            kept = sides[name]()  # freeing the result is not timed
            processor[name].append(1e3 * (time.process_time() - cpu))
            clock[name].append(1e3 * (time.perf_counter() - wall))
            del kept
        names.reverse()
    return {name: Times(min(clock[name]), statistics.median(clock[name]), min(processor[name])) for name in sides}
