"""Make the fills, or find them: each is kept on disk under what it depends on, so that a rerun makes only what changed.

OUT/fills/LABEL/FINGERPRINT/007_box.png     the judged crop of the filled photo
OUT/fills/LABEL/FINGERPRINT/007_box.json    how long it took
"""

from __future__ import annotations

import json
import multiprocessing
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
from benchmarks.dataset import Case, Loaded
from overpaint.errors import OverpaintError

KEPT = 3
"""So many fingerprints of a label are kept on disk; older fills are thrown away."""


@dataclass(frozen=True, slots=True)
class Took:
    """Time for one fill: seconds on the clock, and seconds of all cores together."""

    wall: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where one contender's fills are kept."""

    folder: Path

    @classmethod
    def of(cls, out: Path, contender: Contender, *, stale: bool = False) -> Shelf:
        """The contender's shelf; with `stale` the newest one there is, whatever its fills were made by."""
        label = out / "fills" / contender.label
        older = sorted(label.glob("*"), key=lambda path: path.stat().st_mtime)
        if stale and older:
            return cls(older[-1])
        folder = label / contender.fingerprint()
        for path in [path for path in older if path != folder][: -(KEPT - 1)]:
            shutil.rmtree(path)
        return cls(folder)

    def has(self, case: Case) -> bool:
        """Whether the fill is there."""
        return (self.folder / f"{case.key}.json").is_file()

    def put(self, case: Case, crop: NDArray[np.uint8], took: Took) -> None:
        """Keep a fill; the times are written last, so that what has them is complete."""
        self.folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(crop).save(self.folder / f"{case.key}.png", compress_level=1)
        (self.folder / f"{case.key}.json").write_text(json.dumps(asdict(took)), "utf-8")

    def get(self, case: Case) -> tuple[NDArray[np.uint8], Took]:
        """The judged crop and what it took."""
        with Image.open(self.folder / f"{case.key}.png") as image:
            crop = np.asarray(image.convert("RGB"))
        return crop, Took(**json.loads((self.folder / f"{case.key}.json").read_text("utf-8")))


def timed(runner: Runner, case: Case, loaded: Loaded) -> tuple[NDArray[np.uint8], Took]:
    """Fill once and cut out the judged crop."""
    wall, cpu = time.perf_counter(), time.process_time()
    filled = runner.fill(case, loaded)
    took = Took(time.perf_counter() - wall, time.process_time() - cpu)
    rows, columns = loaded.crop.slices
    return np.ascontiguousarray(filled[rows, columns]), took


def make(
    contender: Contender,
    wanted: Sequence[Case],
    shelf: Shelf,
    *,
    jobs: int = 1,
    done: Callable[[], None] = lambda: None,
) -> None:
    """Make all fills that the shelf lacks. `done` is called after each of `wanted`, made or found.

    With more than one job the seconds are those of a busy machine, and say less.

    Raises:
        OverpaintError: The engine failed; what it had finished is kept.
    """
    lacking = []
    for case in wanted:
        if shelf.has(case):
            done()
        else:
            lacking.append(case)
    if not lacking:
        return
    if contender.engine == UNTOUCHED:
        for case in lacking:
            loaded = case.load()
            rows, columns = loaded.crop.slices
            shelf.put(case, np.ascontiguousarray(loaded.pixels[rows, columns]), Took(0.0, 0.0))
            done()
    elif jobs == 1:
        runner = start(contender)
        try:
            for case in lacking:
                _one(runner, case, shelf)
                done()
        finally:
            runner.close()
    else:
        start(contender).close()  # what it can't do it says here, where it is heard
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=(contender, shelf)) as pool:
            futures = [pool.submit(_in_process, case) for case in lacking]
            try:
                for future in as_completed(futures):
                    future.result()
                    done()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def _one(runner: Runner, case: Case, shelf: Shelf) -> None:
    try:
        shelf.put(case, *timed(runner, case, case.load()))
    except OverpaintError as error:
        error.add_note(f"while filling {case.key}")
        raise


_own: tuple[Runner, Shelf] | None = None
"""The runner of a process that `make` started."""


def _begin(contender: Contender, shelf: Shelf) -> None:
    global _own
    _own = (start(contender), shelf)


def _in_process(case: Case) -> None:
    assert _own is not None
    _one(_own[0], case, _own[1])
