"""Quality of fills: every engine on real photos and holes, with the untouched photos as the upper bound.

    python -m benchmarks.fill
    python -m benchmarks.fill --engines exemplar,telea --limit 12 --kinds object,box
    python -m benchmarks.fill --direct --variant "large=exemplar options.patch=9" --focus large
    python -m benchmarks.fill --kinds removal,shadow --engines exemplar,peers
    python -m benchmarks.fill --kinds extend --engines extend,exemplar,mirror,pypatchmatch --limit 20

Figures, each inside the hole or over the crop of 1.5 times the mask's box (explained in docs/benchmarks.md):
seconds; PSNR and SSIM against the photo; gradient energy over that of the photo (median; 1 is best) and the median of
|log ratio| (gradient error; 0 is best); the seam along the hole's border; and by each of two judges, a classifier and a
segmenter (ADE), the cosine distance between features of filled and original crop, and the kernel distance between the
two sets of crops, the figure that engines are ranked by, with paired bootstrap intervals.

The kinds `removal` and `shadow` are another set, whose truth is known (`benchmarks.removal`), and so is `extend`
(`benchmarks.extension`).

Which kernel distance. "The kernel distance on the classifier's features over crops 1.5 times the mask's box" is the
MMD^2 with the cubic kernel between the filled crops and the untouched crops. Since both show the same photos, the
textbook estimate is biased in favour of fills that are near to their own photo. The figure here therefore compares each
crop with crops of *other* photos alone (`benchmarks.kernel`), which is unbiased, and gives the untouched photos 0. The
textbook figure is kept in results.json, next to all others.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks import extension, page, removal, report, sheets
from benchmarks.classifier import Classifier
from benchmarks.contenders import UNTOUCHED, Contender, contenders
from benchmarks.dataset import KINDS, Case, cases
from benchmarks.evaluation import FillFigures, Grid, choose_focus, measure_fills, summaries
from benchmarks.fills import FillCache, make
from benchmarks.networks import SHARED, FeatureNetwork
from benchmarks.segmenter import Segmenter
from overpaint.errors import OverpaintError

OUT = Path("bench-out") / "fill"


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status: 0 on success, 1 when an engine failed (the others are reported), 2 on wrong input."""
    wanted = parser().parse_args(argv)
    console = report.console()
    try:
        if wanted.page is not None:
            page.section_marks(wanted.page, _section(wanted))  # fail now and not after an hour
        photos, nets, store = wanted.shared / "photos" / "eval", wanted.shared / "nets", wanted.out / "features"
        cases(photos)  # the photos are missed before the networks
        classifier = Classifier(nets / Classifier.file, store=store)
        segmenter = Segmenter(nets / Segmenter.file, store=store)
        work: Sequence[Case]
        if _section(wanted) == "removal":
            seed, limit = wanted.seed, wanted.limit
            work = removal.removals(photos, segmenter, store, kinds=wanted.kinds, seed=seed, limit=limit)
        elif _section(wanted) == "extend":
            work = extension.extensions(photos, kinds=wanted.kinds, limit=wanted.limit)
        else:
            work = cases(photos, kinds=wanted.kinds, limit=wanted.limit)
        entries, notes = contenders(wanted.engines, wanted.variant, direct=wanted.direct)
        labels = [entry.label for entry in entries]
        extending = _section(wanted) == "extend" and "extend" in labels
        focus = choose_focus(wanted.focus or ("extend" if extending else None), entries)
        if len({case.photo for case in work}) < 2 or len(entries) < 2:
            raise ValueError("there must be at least two photos and one engine to compare")
    except (OSError, ImportError, ValueError, OverpaintError) as error:
        print(f"benchmarks.fill: {error}", file=sys.stderr)
        return 2
    caches, failed = _fill(entries, work, wanted, console)
    if len(caches) < 2:
        console.print("No engine finished: there is nothing to compare.", style="red")
        return 1
    grid = Grid.of(work)
    figures_by_label = _measure(grid, caches, {"classifier": classifier, "segmenter": segmenter}, console)
    focus = focus if focus in caches else next(iter(caches))
    found = summaries(figures_by_label, grid, UNTOUCHED, focus)
    report.show(console, found, focus, len(grid.photos))
    done = [entry for entry in entries if entry.label in caches]
    tables = report.write(wanted.out, done, grid, figures_by_label, found, focus, [*notes, *failed])
    console.print(f"Figures in {wanted.out / 'results.json'} and {wanted.out / 'table.md'}")
    if wanted.page is not None:
        page.replace_section(
            wanted.page, _section(wanted), f"{page.measured_with(report.machine(), _command(wanted))}\n\n{tables}"
        )
    if not wanted.no_sheets:
        written = sheets.write(sheets.Gallery(grid, caches, figures_by_label), wanted.out / "sheets", focus)
        console.print(f"{len(written)} contact sheets in {wanted.out / 'sheets'}")
    for note in notes:
        console.print(f"Not measured: {note}", style="yellow", markup=False)
    return 1 if failed else 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m benchmarks.fill", description=(__doc__ or "").split("\n")[0])
    add = made.add_argument
    add(
        "--engines",
        type=_names,
        help="engines by name, separated by commas, and 'peers': other programs' fillers that are installed; 'mirror' "
        "mirrors a photo at its border (default: every registered pixel engine)",
    )
    add(
        "--variant",
        action="append",
        default=[],
        metavar="'LABEL=ENGINE KEY=VALUE ...'",
        help="a further contender: an engine with fields of the request or its own options (options.KEY=VALUE)",
    )
    add("--focus", metavar="LABEL", help="who is compared with all others (default: exemplar, or extend)")
    add("--direct", action="store_true", help="run the bare engine on the whole photo, without the studio around it")
    add("--limit", type=int, metavar="N", help="only the first N photos")
    add(
        "--kinds",
        type=_names,
        default=list(KINDS),
        help="kinds of masks, separated by commas: brush,box,object (default), or those of the removal set: "
        "removal,shadow; or extend",
    )
    add("--seed", type=int, default=0, metavar="N", help="another removal set for each number (default: 0)")
    add("--jobs", type=int, default=1, metavar="N", help="processes; with more than one the seconds mean little")
    add("--reuse", action="store_true", help="take fills that are there even if the code has changed since")
    add("--out", type=Path, default=OUT, help=f"where results and fills are kept (default: {OUT})")
    add("--shared", type=Path, default=SHARED, help="the folder with photos/eval and nets")
    add("--page", type=Path, metavar="FILE", help="put the tables into this page, such as docs/benchmarks.md")
    add("--no-sheets", action="store_true", help="figures alone")
    return made


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _section(wanted: argparse.Namespace) -> str:
    """Name of the set of photos, and of its place on a page."""
    if set(wanted.kinds) & set(extension.KINDS):
        return "extend"
    return "removal" if set(wanted.kinds) & set(removal.KINDS) else "fill"


def _command(wanted: argparse.Namespace) -> str:
    """The command again, less what only says where things are."""
    words = ["python", "-m", "benchmarks.fill", *(["--direct"] if wanted.direct else [])]
    words += ["--engines", ",".join(wanted.engines)] if wanted.engines else []
    words += ["--limit", str(wanted.limit)] if wanted.limit else []
    words += ["--kinds", ",".join(wanted.kinds)] if wanted.kinds != list(KINDS) else []
    words += ["--seed", str(wanted.seed)] if wanted.seed else []
    for text in wanted.variant:
        words += ["--variant", text]
    return shlex.join(words)


def _progress(console: Console) -> Progress:
    columns = (TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console)


def _fill(
    entries: Sequence[Contender], work: Sequence[Case], wanted: argparse.Namespace, console: Console
) -> tuple[dict[str, FillCache], list[str]]:
    caches: dict[str, FillCache] = {}
    failed = []
    with _progress(console) as progress:
        for entry in entries:
            task = progress.add_task(f"fill: {entry.label}", total=len(work))
            try:
                cache = FillCache.of(wanted.out, entry, stale=wanted.reuse)
                make(entry, work, cache, jobs=wanted.jobs, done=partial(progress.advance, task))
            except OverpaintError as error:
                failed.append(f"{entry.label}: {error} {' '.join(getattr(error, '__notes__', []))}".rstrip())
                progress.console.print(f"Failed: {failed[-1]}", style="red", markup=False)
                continue
            caches[entry.label] = cache
    return caches, failed


def _measure(
    grid: Grid, caches: dict[str, FillCache], nets: Mapping[str, FeatureNetwork], console: Console
) -> dict[str, FillFigures]:
    figures_by_label = {}
    with _progress(console) as progress:
        task = progress.add_task("judge", total=len(caches) * len(grid.cases))
        for label, cache in caches.items():
            figures_by_label[label] = measure_fills(grid, cache, nets, partial(progress.advance, task))
    return figures_by_label


if __name__ == "__main__":
    sys.exit(main())
