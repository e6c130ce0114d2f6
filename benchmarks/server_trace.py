"""The same trace of jobs with the embedded model: all that have arrived share the steps, or one job at a time.

    python -m benchmarks.server_trace {shared|single} JOBS

Each way has a process of its own, for its memory, and prints its figures as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from overpaint import Mask, Studio
from overpaint.picture import from_array

SEED = 5
STEPS = (4, 8, 16)
SIDES = (128, 192, 256)
_LOAD = 0.8  # of what one job at a time can do
_WARM = 3  # jobs before the clock starts; their mean time sets the rate of arrivals


@dataclass(frozen=True, slots=True)
class TraceFigures:
    """Figures of one way: jobs a second from the first arrival to the last end, latencies in seconds, peak bytes."""

    way: str
    jobs: int
    throughput: float
    p50: float
    p95: float
    p99: float
    memory: int


def trace(jobs: int) -> tuple[NDArray[np.float64], list[tuple[int, int]]]:
    """Times between arrivals with a mean of 1 (Poisson), and steps and side of each job."""
    rng = np.random.default_rng(SEED)
    gaps = rng.exponential(1.0, jobs)
    return gaps, [(int(rng.choice(STEPS)), int(rng.choice(SIDES))) for _ in range(jobs)]


def run(way: str, jobs: int, spacing: float | None = None) -> tuple[TraceFigures, float]:
    """The figures, and the mean seconds between arrivals: `spacing`, or what makes the load that is meant."""
    gaps, kinds = trace(jobs)
    latencies: list[float] = [0.0] * jobs
    with Studio() as studio:

        def edit(steps: int, side: int, seed: int) -> None:
            pixels = np.random.default_rng(seed).integers(0, 255, (side, side, 3), dtype=np.uint8)
            mask = Mask.box((side, side), (side // 4, side // 4, side // 2, side // 2))
            studio.edit(
                from_array(pixels),
                mask=mask,
                intent="replace",
                prompt="a red ball",
                model="pocket",
                steps=steps,
                seed=seed,
            )

        edit(STEPS[0], SIDES[0], 0)  # loads the model
        began = time.perf_counter()
        for number in range(_WARM):
            edit(STEPS[number % len(STEPS)], SIDES[number % len(SIDES)], 0)
        spacing = (time.perf_counter() - began) / _WARM / _LOAD if spacing is None else spacing
        arrivals = np.cumsum(gaps) * spacing
        start = time.perf_counter()

        def job(number: int) -> None:
            edit(*kinds[number], number)
            latencies[number] = time.perf_counter() - start - arrivals[number]

        with ThreadPoolExecutor(1 if way == "single" else jobs) as pool:
            arrived = threading.Event()
            for number in range(jobs):
                arrived.wait(max(0.0, start + arrivals[number] - time.perf_counter()))
                pool.submit(job, number)
        seconds = time.perf_counter() - start - float(arrivals[0])
    p50, p95, p99 = (float(np.percentile(latencies, share)) for share in (50, 95, 99))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return TraceFigures(way, jobs, jobs / seconds, p50, p95, p99, peak), spacing


def main(way: str, jobs: str, spacing: str | None = None) -> None:
    """Print the figures of one way, and the spacing of arrivals."""
    figures, used = run(way, int(jobs), None if spacing is None else float(spacing))
    print(json.dumps({**asdict(figures), "spacing": used}))


if __name__ == "__main__":
    main(*sys.argv[1:])
