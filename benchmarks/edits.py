"""Time of whole edits by the command line, from the start of Python to the written file, on the cores that are there.

    python -m benchmarks.edits
    python -m benchmarks.edits --repeats 5 --threads 1 --jobs small

Each job enlarges one evaluation photo and fills a square hole in its middle by the engine `exemplar`. Where
pypatchmatch is installed, its fill of the same photo and hole is timed in turn: the fill alone, without the start of
Python, reading and writing. The least of `--repeats` counts, and the machine's load is printed beside it.
"""

from __future__ import annotations

import argparse
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.networks import SHARED
from benchmarks.peers import PEERS, missing

_PEER = "pypatchmatch"


@dataclass(frozen=True, slots=True)
class Job:
    """One edit.

    Attributes:
        size: Width and height of the photo in pixels.
        hole: Area of the hole in pixels.
        bar: Seconds that the edit may take on two cores.
    """

    size: tuple[int, int]
    hole: int
    bar: float

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The hole: left, top, right, bottom."""
        side = round(math.sqrt(self.hole))
        left, top = (self.size[0] - side) // 2, (self.size[1] - side) // 2
        return left, top, left + side, top + side


JOBS = {"small": Job((1024, 768), 1024 * 768 // 10, 5.0), "large": Job((4000, 3000), 2_000_000, 20.0)}


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 on success, 1 when an edit failed, 2 on wrong input."""
    wanted = parser().parse_args(argv)
    source = wanted.shared / "photos" / "eval" / "images" / wanted.photo
    unknown = sorted(set(wanted.jobs) - set(JOBS))
    if unknown or not source.is_file() or wanted.repeats < 1:
        wrong = f"no job {', '.join(unknown)}" if unknown else f"no photo {source}, or --repeats below 1"
        print(f"benchmarks.edits: {wrong}", file=sys.stderr)
        return 2
    if PEERS[_PEER].version() is None:
        print(f"Not measured: {missing(_PEER)}")
    print("| job | what | clock s | CPU s | bar s | load |\n|---|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for name in wanted.jobs:
            job, photo = JOBS[name], Path(folder) / f"{name}.jpg"
            with Image.open(source) as image:
                image.convert("RGB").resize(job.size, Image.Resampling.LANCZOS).save(photo, quality=95)
            threads = [] if wanted.threads is None else ["--threads", str(wanted.threads)]
            sides: dict[str, Callable[[], float]] = {"overpaint remove": partial(_edit, photo, job, threads)}
            if PEERS[_PEER].version() is not None:
                sides[f"{_PEER}, its fill alone"] = partial(_peer, photo, job)
            times: dict[str, list[tuple[float, float]]] = {side: [] for side in sides}
            for _ in range(wanted.repeats):
                for side, run in sides.items():
                    began = time.perf_counter()
                    try:
                        processor = run()
                    except subprocess.CalledProcessError as error:
                        print(f"benchmarks.edits: {error.stderr.decode()}", file=sys.stderr)
                        return 1
                    times[side].append((time.perf_counter() - began, processor))
            for side, found in times.items():
                clock, processor = (min(values) for values in zip(*found, strict=True))
                bar = f"{job.bar:.0f}" if side.startswith("overpaint") else ""
                print(
                    f"| {name} | {side} | {clock:.1f} | {processor:.1f} | {bar} | {os.getloadavg()[0]:.1f} |",
                    flush=True,
                )
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.edits", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    add = made.add_argument
    add("--jobs", type=lambda text: text.split(","), default=list(JOBS), help="small,large (default: both)")
    add("--repeats", type=int, default=3, metavar="N", help="runs of each, of which the fastest counts (default: 3)")
    add("--threads", type=int, metavar="N", help="threads of the engine (default: its own choice)")
    add("--photo", default="025.jpg", metavar="FILE", help="of photos/eval/images (default: 025.jpg)")
    add("--shared", type=Path, default=SHARED, help="the folder with photos/eval")
    return made


def _edit(photo: Path, job: Job, threads: list[str]) -> float:
    """Run the command; returns its processor seconds."""
    box, out = ",".join(map(str, job.box)), photo.with_suffix(".out.jpg")
    command = [sys.executable, "-m", "overpaint", "remove", str(photo), "--box", box, "--engine", "exemplar"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*command, "--seed", "0", "-o", str(out), "--overwrite", *threads], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _peer(photo: Path, job: Job) -> float:
    """Fill by pypatchmatch; returns its processor seconds."""
    with Image.open(photo) as image:
        pixels = np.asarray(image.convert("RGB"))
    hole = np.zeros(pixels.shape[:2], bool)
    left, top, right, bottom = job.box
    hole[top:bottom, left:right] = True
    began = time.process_time()
    PEERS[_PEER].fill(pixels, hole)
    return time.process_time() - began


if __name__ == "__main__":
    sys.exit(main())
