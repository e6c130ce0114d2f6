"""Run the gallery's jobs, and write its sheets and page: `python -m benchmarks.gallery --pictures FOLDER`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.gallery import judgements
from benchmarks.gallery.jobs import KINDS, Job, load
from benchmarks.gallery.page import credits_text, results_text
from benchmarks.gallery.results import JobResult, ResultFolder
from benchmarks.gallery.sheets import blind_sheets, page_sheets
from benchmarks.page import measured_with, replace_section
from benchmarks.report import machine


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the options say, in this order: run, blind sheets, judgements, page. Returns the exit status."""
    wanted = parser().parse_args(argv)
    pictures, every = load()
    jobs = [job for job in every if not wanted.only or {job.intent, job.name} & set(wanted.only)]
    if not jobs:
        print(f"no job is meant by {', '.join(wanted.only)}", file=sys.stderr)
        return 2
    found = ResultFolder(wanted.out)
    if not wanted.keep:
        for engine in wanted.engine:
            some = [job for job in jobs if engine is None or job.intent in ("remove", "expand")]
            for result in found.run(some, engine, wanted.pictures):
                print(f"{result.job:20} {result.engine:12} {result.seconds:6.1f} s  {result.error}", flush=True)
    if wanted.blind is not None:
        print("key:", blind_sheets(jobs, found, wanted.pictures, wanted.out, wanted.blind))
    if wanted.judged:
        key = json.loads((wanted.out / "blind-key.json").read_text("utf-8"))
        said = json.loads(wanted.judged.read_text("utf-8"))
        judgements.keep(judgements.unblinded(said, key, every, found))
    if wanted.page:
        chosen = {job.name: one for job in every if (one := _shown(job, found, wanted.engine[0]))}
        shown = {name: one for name, one in chosen.items() if not one.error}
        sheets = page_sheets(every, shown, found, wanted.pictures, wanted.page.with_suffix(""))
        text = results_text(every, chosen, judgements.load(), sheets, wanted.page)
        replace_section(wanted.page, "results", f"{measured_with(machine(), 'python -m benchmarks.gallery')}\n\n{text}")
        replace_section(wanted.page, "credits", credits_text(pictures))
    return 0


def _shown(job: Job, found: ResultFolder, engine: str | None) -> JobResult | None:
    """The result that the page shows: that of the engine asked for, else of the intent's own."""
    results = found.of(job)
    own = [one for one in results if one.own] or results
    return next((one for one in results if one.engine == engine), own[0] if own else None)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.gallery", description=(__doc__ or "").split(":", maxsplit=1)[0]
    )
    add = made.add_argument
    add(
        "--pictures", type=Path, required=True, metavar="FOLDER", help="where benchmarks.gallery.fetch put the pictures"
    )
    add(
        "--out",
        type=Path,
        default=Path("bench-out/gallery"),
        metavar="FOLDER",
        help="results (default: bench-out/gallery)",
    )
    add("--only", type=_names, default=[], metavar="NAMES", help=f"kinds ({', '.join(KINDS)}) or jobs, by commas")
    add("--engine", type=_names, default=[None], metavar="NAMES", help="engines of removals and extensions, by commas")
    add("--keep", action="store_true", help="run nothing: sheets and page from the results that are there")
    add("--blind", type=int, nargs="?", const=1, metavar="SEED", help="write sheets without names and a key apart")
    add("--judged", type=Path, metavar="FILE", help="what a judge wrote of the blind sheets, to be kept")
    add("--page", type=Path, metavar="FILE", help="write the tables into this page, and its sheets beside it")
    return made


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


if __name__ == "__main__":
    sys.exit(main())
