"""Processor time and memory of a batch beside the shortest loop that fills the same photos.

Both fill the 156 holes of the evaluation photos by Telea's method with the same radius, each as a process of its own:

- OpenCV loop: `cv2.imread`, `cv2.inpaint`, `cv2.imwrite`, and nothing else;
- batch: `overpaint batch` with its defaults: ledger, audit log, report, bounded reading, checked files.

They run in turn, several times. Processor time is that of the process with all of its children; peak memory is the sum
over these of the memory that each has for itself and its share of what it shares (PSS).
"""

from __future__ import annotations

import csv
import os
import resource
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .dataset import Case

HEADINGS = ("way", "CPU s", "CPU ms an edit", "times the loop", "peak MB", "seconds")
_QUALITY = 95
_RADIUS = 5
_LOOK = 0.2  # seconds between two looks at the memory


@dataclass(frozen=True, slots=True)
class Cost:
    """What one way took.

    Attributes:
        way: Its name.
        count: Edits.
        cpu: Seconds of processor time, the median of its runs.
        peak: Bytes of memory at most, the median of its runs.
        seconds: Duration, the median of its runs.
    """

    way: str
    count: int
    cpu: float
    peak: float
    seconds: float


def measured(cases: Sequence[Case], work: Path, rounds: int) -> list[Cost]:
    """The cost of the loop and of the batch, which run in turn. RuntimeError when one fails.

    Args:
        cases: Photos and masks.
        work: A folder for lists and results.
        rounds: Runs of each.
    """
    jobs = work / "jobs.csv"
    with jobs.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("image", "mask", "output"))
        rows.writerows((case.image.absolute(), case.mask.absolute(), f"{case.key}.jpg") for case in cases)
    out = work / "out"
    commands = {
        "OpenCV loop": ["-m", "benchmarks.batch_cost", str(jobs), str(out)],
        "batch": ["-m", "overpaint", "batch", str(jobs), "-o", str(out), "--engine", "telea", "--quiet"],
    }
    runs: dict[str, list[tuple[float, float, float]]] = {way: [] for way in commands}
    for _ in range(rounds):
        for way, words in commands.items():
            out.mkdir()
            runs[way].append(_run(way, words))
            shutil.rmtree(out)
    return [
        Cost(way, len(cases), *(statistics.median(figures) for figures in zip(*found, strict=True)))
        for way, found in runs.items()
    ]


def cells(cost: Cost, loop: Cost) -> list[str]:
    """A row of the table."""
    return [
        cost.way,
        f"{cost.cpu:.1f}",
        f"{1e3 * cost.cpu / cost.count:.0f}",
        "" if cost is loop else f"{cost.cpu / loop.cpu:.2f}",
        f"{cost.peak / 1e6:.0f}",
        f"{cost.seconds:.1f}",
    ]


def _run(way: str, words: Sequence[str]) -> tuple[float, float, float]:
    """Processor seconds, peak bytes and seconds of a run of Python."""
    # Compiled once, as an installed program is.
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before, began = _children_cpu(), time.perf_counter()
    process = subprocess.Popen([sys.executable, *words], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    peak, ended = 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not ended.wait(_LOOK if time.perf_counter() - began > 2 else _LOOK / 20):  # a short run is seen too
            peak = max(peak, _memory(process.pid))

    watcher = threading.Thread(target=watch)
    watcher.start()
    _, error = process.communicate()
    seconds = time.perf_counter() - began
    ended.set()
    watcher.join()
    if process.returncode:
        raise RuntimeError(f"{way} failed: {error.decode(errors='replace')[-500:]}")
    return _children_cpu() - before, peak, seconds


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _memory(pid: int) -> float:
    """Bytes of a process and all of its children; 0 where the system does not say."""
    total = 0.0
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                total = 1024 * float(line.split()[1])
        for thread in Path(f"/proc/{pid}/task").iterdir():
            total += sum(_memory(int(child)) for child in (thread / "children").read_text("ascii").split())
    except OSError:  # it has ended meanwhile
        return total
    return total


def main(jobs: str, out: str) -> None:
    """The loop."""
    import cv2

    with Path(jobs).open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            picture, mask = cv2.imread(row["image"]), cv2.imread(row["mask"], cv2.IMREAD_GRAYSCALE)
            if picture is None or mask is None:
                raise RuntimeError(f"{row['image']} or {row['mask']} can't be read")
            filled = cv2.inpaint(picture, mask, _RADIUS, cv2.INPAINT_TELEA)
            cv2.imwrite(str(Path(out) / row["output"]), filled, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])


if __name__ == "__main__":
    main(*sys.argv[1:])
