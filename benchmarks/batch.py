"""Overhead of a batch over its engine, compared with a plain loop over the same engine and with IOPaint's batch.

    python -m benchmarks.batch
    python -m benchmarks.batch --count 60 --engines stand-in --iopaint ~/iopaint-venv/bin/iopaint
    python -m benchmarks.batch --engines telea    # processor time and memory, against a plain loop of OpenCV

300 edits of 1024x768 JPEG photos, each with its own mask. The stand-in engine waits a known time for each and
leaves the processor idle, like a GPU. For each engine two methods do the same edits in sequence:

- plain: `for ...: studio.edit(...).save(...)`, without logs;
- batch: `overpaint.batch.run`, with ledger, audit log, the written file read again, thumbnails and the report.

`busy` is the engine's share of the time from its first canvas to its last; `overhead` is the run's time minus
the engine's time in the plain loop, per edit: reading, writing, the report, and any slowdown of the engine.

`telea` is another comparison, with a table of its own: see `benchmarks.batch_cost`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from rich import box
from rich.table import Table

from benchmarks import batch_cost, page, report
from benchmarks.dataset import cases
from benchmarks.networks import SHARED
from overpaint import Mask, Studio
from overpaint.batch import BatchFolders, Options, Reader, RowDefaults, Rules, read_folders, run
from overpaint.engines import Canvas, EngineCard, Monitor, Painted, ThreadedEngine
from overpaint.engines.exemplar import Exemplar

OUT = Path("bench-out") / "batch"
SIZE = (1024, 768)
HEADINGS = ("engine", "way", "seconds", "edits/s", "engine s/edit", "busy", "overhead ms", "times plain")


@dataclass(slots=True)
class EngineClock:
    """Spans of an engine's work, one for each canvas."""

    spans: list[tuple[float, float]] = field(default_factory=list)

    @property
    def engine_seconds(self) -> float:
        """Total seconds of the spans."""
        return sum(end - start for start, end in self.spans)

    @property
    def busy(self) -> float:
        """Share of the time from the first canvas to the last, 0 to 1."""
        return self.engine_seconds / (self.spans[-1][1] - self.spans[0][0]) if self.spans else 0.0


class TimedExemplar(Exemplar):
    """The exemplar engine with a clock."""

    def __init__(self, clock: EngineClock) -> None:
        super().__init__()
        self._clock = clock

    def paint_one(self, canvas: Canvas, monitor: Monitor) -> Painted:
        """Paint, and record the span."""
        began = time.perf_counter()
        painted = super().paint_one(canvas, monitor)
        self._clock.spans.append((began, time.perf_counter()))
        return painted


class StandIn(ThreadedEngine):
    """Waits a known time for each canvas and paints grey; the processor is idle meanwhile, as with a GPU."""

    card = EngineCard(name="stand-in", title="takes a known time")

    def __init__(self, clock: EngineClock, seconds: float) -> None:
        super().__init__()
        self._clock = clock
        self._seconds = seconds

    def paint_one(self, canvas: Canvas, monitor: Monitor) -> Painted:
        """Wait, and paint grey."""
        began = time.perf_counter()
        monitor.progress(0, 1)
        time.sleep(self._seconds)
        painted = Painted(np.full_like(canvas.pixels, 0.5))
        self._clock.spans.append((began, time.perf_counter()))
        return painted


@dataclass(frozen=True, slots=True)
class MethodResult:
    """Result of one method.

    Attributes:
        engine, way: Names of engine and method.
        count: Number of edits.
        seconds: Duration of the run.
        engine_seconds: Total time of the engine; None if unknown.
        busy: The engine's share, 0 to 1; None if unknown.
        overhead: Milliseconds per edit beyond the engine's in the plain loop; None if unknown.
    """

    engine: str
    way: str
    count: int
    seconds: float
    engine_seconds: float | None = None
    busy: float | None = None
    overhead: float | None = None


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 on success, 2 on wrong input."""
    wanted = parser().parse_args(argv)
    console = report.console()
    photos = sorted((wanted.shared / "photos" / "eval" / "images").glob("*.jpg"))
    if not photos:
        print(f"benchmarks.batch: no photos in {wanted.shared / 'photos' / 'eval'}", file=sys.stderr)
        return 2
    engines: Mapping[str, Callable[[EngineClock], ThreadedEngine]] = {
        "exemplar": TimedExemplar,
        "stand-in": partial(StandIn, seconds=wanted.cost),
    }
    names = wanted.engines.split(",")
    others = set(names) - {"telea"} or wanted.iopaint is not None
    sections = (["batch"] if others else []) + (["batch-cost"] if "telea" in names else [])
    for section in sections if wanted.page is not None else ():
        page.section_marks(wanted.page, section)
    costs: list[batch_cost.Cost] = []
    results: list[MethodResult] = []
    with tempfile.TemporaryDirectory(prefix="overpaint-bench-") as folder:
        work = Path(folder)
        if "telea" in names:
            names.remove("telea")
            with console.status("telea: OpenCV loop and batch, in turn"):
                jobs = cases(wanted.shared / "photos" / "eval", limit=wanted.photos)
                costs = batch_cost.measured(jobs, work, wanted.rounds)
        if others:
            with console.status("making photos and masks"):
                images, masks = make(photos, work, wanted.count)
        for name in names:
            with console.status(f"{name}: plain"):
                plain = by_loop(name, engines[name], images, masks, work / f"plain-{name}")
            with console.status(f"{name}: batch"):
                batch = by_batch(name, engines[name], images, masks, work / f"batch-{name}", plain, wanted.ahead)
            results += [plain, batch]
        if wanted.iopaint is not None:
            with console.status("IOPaint and overpaint, as commands"):
                try:
                    results += as_commands(wanted.iopaint, images, masks, work)
                except (
                    OSError,
                    RuntimeError,
                ) as error:  # an external program: the other results are reported anyway
                    console.print(f"Not measured: {error}", style="yellow", markup=False)
    tables = {
        "batch": (HEADINGS, [_cells(result, results) for result in results]),
        "batch-cost": (batch_cost.HEADINGS, [batch_cost.cells(cost, costs[0]) for cost in costs]),
    }
    for section in sections:
        console.print(_table(*tables[section]))
    texts = {section: _markdown(*tables[section]) for section in sections}
    _write(wanted, results, costs, texts.values())
    if wanted.page is not None:
        measured = page.measured_with(report.machine(), _command(wanted))
        for section, text in texts.items():
            page.replace_section(wanted.page, section, f"{measured}\n\n{text}")
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.batch", description=(__doc__ or "").split("\n")[0])
    add = made.add_argument
    add("--count", type=int, default=300, help="edits (default: 300)")
    add("--engines", default="exemplar,stand-in,telea", help="separated by commas: exemplar,stand-in,telea")
    add("--rounds", type=int, default=3, help="runs of each way with telea (default: 3)")
    add("--photos", type=int, metavar="N", help="photos with telea, with three masks each (default: all)")
    add("--cost", type=float, default=0.1, metavar="S", help="seconds per edit of the stand-in (default: 0.1)")
    add("--ahead", type=int, default=6, metavar="N", help="rows in progress at once (default: 6)")
    add("--iopaint", type=Path, metavar="FILE", help="IOPaint's command, to be compared with its model cv2")
    add("--out", type=Path, default=OUT, help=f"where results go (default: {OUT})")
    add("--shared", type=Path, default=SHARED, help="the folder with photos/eval")
    add("--page", type=Path, metavar="FILE", help="put the table into this page (docs/benchmarks.md)")
    return made


def make(photos: Sequence[Path], work: Path, count: int) -> tuple[Path, Path]:
    """Write `count` 1024x768 photos with masks: ellipses of 0.5 to 1.5 % of the picture at different places."""
    images, masks = work / "images", work / "masks"
    for folder in (images, masks):
        folder.mkdir()
    rng = np.random.default_rng(8)
    for n in range(count):
        with Image.open(photos[n % len(photos)]) as photo:
            image = photo.convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)
        if n >= len(photos):  # a repeated photo is mirrored, so that no two files are equal
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).rotate(2 * (n // len(photos)), expand=False)
        image.save(images / f"{n:04}.jpg", quality=92, subsampling=0)
        share = rng.uniform(0.005, 0.015)
        half = 0.5 * np.sqrt(share * 4 / np.pi) * np.asarray(SIZE)
        x, y = (rng.uniform(half[k] + 4, SIZE[k] - half[k] - 4) for k in (0, 1))
        mask = Image.new("L", SIZE)
        ImageDraw.Draw(mask).ellipse((x - half[0], y - half[1], x + half[0], y + half[1]), fill=255)
        mask.save(masks / f"{n:04}.png")
    return images, masks


def by_loop(
    name: str, engine: Callable[[EngineClock], ThreadedEngine], images: Path, masks: Path, out: Path
) -> MethodResult:
    """A plain loop over the edits, as in a script."""
    out.mkdir()
    clock = EngineClock()
    with Studio() as studio:
        studio.add_engine(engine(clock))
        began = time.perf_counter()
        for number, image in enumerate(sorted(images.iterdir())):
            mask = Mask.from_file(masks / f"{image.stem}.png")
            edited = studio.edit(image, mask=mask, intent="remove", engine=name, exact=True, seed=number)
            edited.save(out / image.name)
        seconds = time.perf_counter() - began
    return _result(name, "plain loop", seconds, clock, clock.engine_seconds)


def by_batch(
    name: str,
    engine: Callable[[EngineClock], ThreadedEngine],
    images: Path,
    masks: Path,
    out: Path,
    plain: MethodResult,
    ahead: int,
) -> MethodResult:
    """The same edits as a batch, with ledger, log and report."""
    clock = EngineClock()
    with Studio() as studio:
        studio.add_engine(engine(clock))
        began = time.perf_counter()
        reader = Reader(RowDefaults(settings={"intent": "remove", "engine": name, "exact": True}))
        rows = [reader.read(found) for found in read_folders(images, masks).rows]
        options = Options(BatchFolders.at(out), Rules(out=out, base=images), audit=out / "audit.jsonl", ahead=ahead)
        ended = run(rows, options, studio)
        seconds = time.perf_counter() - began
    if ended.done != len(rows):
        raise RuntimeError(f"{ended.failed} of {len(rows)} rows failed")
    return _result(name, "batch", seconds, clock, plain.engine_seconds or 0.0)


def _result(name: str, way: str, seconds: float, clock: EngineClock, exclusive: float) -> MethodResult:
    count = len(clock.spans)
    return MethodResult(
        name, way, count, seconds, clock.engine_seconds, clock.busy, 1e3 * (seconds - exclusive) / count
    )


def as_commands(iopaint: Path, images: Path, masks: Path, work: Path) -> list[MethodResult]:
    """IOPaint's `run` with its model cv2 (Navier-Stokes), and ours with the same; start-up included."""
    count = len(list(images.iterdir()))
    theirs, ours = work / "iopaint", work / "overpaint"
    theirs.mkdir()
    words: Mapping[str, list[str]] = {
        "iopaint run": [
            str(iopaint), "run", "--model=cv2", "--device=cpu",
            f"--image={images}", f"--mask={masks}", f"--output={theirs}",
        ],
        "overpaint batch": [
            sys.executable, "-m", "overpaint", "batch", "--images", str(images), "--masks", str(masks),
            "-o", str(ours), "--engine", "navier-stokes", "--quiet",
        ],
    }  # fmt: skip
    found = []
    for way, command in words.items():
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ})
        seconds = time.perf_counter() - began
        if done.returncode:
            raise RuntimeError(f"{way} failed: {done.stderr[-500:]}")
        found.append(MethodResult("cv2", way, count, seconds))
    written = len([path for path in theirs.rglob("*") if path.is_file()])
    if written < count:
        raise RuntimeError(f"iopaint run wrote {written} of {count} files")
    shutil.rmtree(theirs)
    return found


def _cells(result: MethodResult, results: Sequence[MethodResult]) -> list[str]:
    first = next(other for other in results if other.engine == result.engine)
    engine = "-" if result.engine_seconds is None else f"{result.engine_seconds / result.count:.3f}"
    return [
        result.engine,
        result.way,
        f"{result.seconds:.1f}",
        f"{result.count / result.seconds:.2f}",
        engine,
        "-" if result.busy is None else f"{100 * result.busy:.1f} %",
        "-" if result.overhead is None else f"{result.overhead:.1f}",
        "" if result is first else f"{first.seconds / result.seconds:.2f}",
    ]


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(*headings, box=box.SIMPLE)
    for row in rows:
        table.add_row(*row)
    return table


def _markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (headings, ["---"] * len(headings), *rows))


def _write(
    wanted: argparse.Namespace,
    results: Sequence[MethodResult],
    costs: Sequence[batch_cost.Cost],
    tables: Iterable[str],
) -> None:
    """Write the results as JSON and markdown."""
    out: Path = wanted.out
    out.mkdir(parents=True, exist_ok=True)
    whole = {
        "machine": report.machine(),
        "command": _command(wanted),
        "cost": wanted.cost,
        "results": [asdict(result) for result in results],
        "costs": [asdict(cost) for cost in costs],
    }
    (out / "results.json").write_text(json.dumps(whole, indent=2), "utf-8")
    (out / "table.md").write_text("\n\n".join(tables) + "\n", "utf-8")


def _command(wanted: argparse.Namespace) -> str:
    words = ["python -m benchmarks.batch"]
    words += [f"--engines {wanted.engines}"] if wanted.engines != parser().get_default("engines") else []
    words += [f"--count {wanted.count}"] if wanted.count != 300 else []
    words += [f"--rounds {wanted.rounds}"] if wanted.rounds != 3 and "telea" in wanted.engines else []
    words += [f"--photos {wanted.photos}"] if wanted.photos is not None else []
    words += ["--iopaint .../iopaint"] if wanted.iopaint is not None else []
    return " ".join(words)


if __name__ == "__main__":
    sys.exit(main())
