"""Fills with a cache on disk, keyed by a fingerprint of all inputs: a rerun makes only fills with changed inputs.

OUT/fills/LABEL/FINGERPRINT/007_box.png     the evaluated crop of the filled photo
OUT/fills/LABEL/FINGERPRINT/007_box.json    its seconds
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.contenders import UNTOUCHED, Contender, Runner, start
from benchmarks.dataset import Case, LoadedCase
from overpaint.errors import OverpaintError

MAX_FINGERPRINTS = 3
"""Largest number of fingerprints of a label on disk; older fills are deleted."""


@dataclass(frozen=True, slots=True)
class FillTime:
    """Time for one fill: seconds on the clock, and seconds of all cores together."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class FillCache:
    """The folder of one contender's fills."""

    folder: Path

    @classmethod
    def of(cls, out: Path, contender: Contender, *, stale: bool = False) -> FillCache:
        """The contender's cache; with `stale` the newest existing one, of any fingerprint."""
        label = out / "fills" / contender.label
        older = sorted(label.glob("*"), key=lambda path: path.stat().st_mtime)
        if stale and older:
            return cls(older[-1])
        folder = label / contender.fingerprint()
        for path in [path for path in older if path != folder][: -(MAX_FINGERPRINTS - 1)]:
            shutil.rmtree(path)
        return cls(folder)

    def has(self, case: Case) -> bool:
        """Whether the cache has the fill."""
        return (self.folder / f"{case.key}.json").is_file()

    def put(self, case: Case, crop: NDArray[np.uint8], took: FillTime) -> None:
        """Store a fill; its times are written last and mark it as complete."""
        self.folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(crop).save(self.folder / f"{case.key}.png", compress_level=1)
        (self.folder / f"{case.key}.json").write_text(json.dumps(asdict(took)), "utf-8")

    def get(self, case: Case) -> tuple[NDArray[np.uint8], FillTime]:
        """The evaluated crop and its times."""
        with Image.open(self.folder / f"{case.key}.png") as image:
            crop = np.asarray(image.convert("RGB"))
        return crop, FillTime(**json.loads((self.folder / f"{case.key}.json").read_text("utf-8")))


def _processor_time() -> float:
    """Seconds of processor time of this process, and of programs that it ran and waited for (G'MIC)."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def timed(runner: Runner, case: Case, loaded: LoadedCase) -> tuple[NDArray[np.uint8], FillTime]:
    """Fill once; the evaluated crop and the times."""
    wall, cpu = time.perf_counter(), _processor_time()
    filled = runner.fill(case, loaded)
    took = FillTime(time.perf_counter() - wall, _processor_time() - cpu)
    rows, columns = loaded.crop.slices
    return np.ascontiguousarray(filled[rows, columns]), took


def make(
    contender: Contender,
    wanted: Sequence[Case],
    cache: FillCache,
    *,
    jobs: int = 1,
    done: Callable[[], None] = lambda: None,
) -> None:
    """Make all fills that are missing in the cache. `done` is called after each case of `wanted`, made or cached.

    With more than one job the machine is busy, and the seconds are less exact.

    Raises:
        OverpaintError: The engine failed; finished fills stay in the cache.
    """
    missing = []
    for case in wanted:
        if cache.has(case):
            done()
        else:
            missing.append(case)
    if not missing:
        return
    if contender.engine == UNTOUCHED:
        for case in missing:
            loaded = case.load()
            rows, columns = loaded.crop.slices
            cache.put(case, np.ascontiguousarray(loaded.truth[rows, columns]), FillTime(0.0, 0.0))
            done()
    elif jobs == 1:
        runner = start(contender)
        try:
            for case in missing:
                _fill_case(runner, case, cache)
                done()
        finally:
            runner.close()
    else:
        start(contender).close()  # errors of the engine are raised here, in the main process
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(
            jobs, mp_context=context, initializer=_start_worker, initargs=(contender, cache)
        ) as pool:
            futures = [pool.submit(_fill_in_worker, case) for case in missing]
            try:
                for future in as_completed(futures):
                    future.result()
                    done()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def _fill_case(runner: Runner, case: Case, cache: FillCache) -> None:
    try:
        cache.put(case, *timed(runner, case, case.load()))
    except OverpaintError as error:
        error.add_note(f"while filling {case.key}")
        raise


_worker: tuple[Runner, FillCache] | None = None
"""The runner of a process that `make` started."""


def _start_worker(contender: Contender, cache: FillCache) -> None:
    global _worker
    _worker = (start(contender), cache)


def _fill_in_worker(case: Case) -> None:
    assert _worker is not None
    _fill_case(_worker[0], case, _worker[1])
