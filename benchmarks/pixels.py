"""Time of pixel operations at 4K, compared with plain Pillow and NumPy, on one core in one run.

    python -m benchmarks.pixels
    python -m benchmarks.pixels --tasks feather-32,png --repeats 20

All implementations of a task run in the same process, in alternation. The ratio compares minimum processor times: on
one core they equal wall time without the time of other programs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from benchmarks import page, report
from benchmarks.clock import Times, compare_times, pin_to_one_core
from benchmarks.pixel_tasks import OURS, WIDE, all_tasks

OUT = Path("bench-out") / "pixels"
HEADINGS = ("task", "way", "least ms", "median ms", "CPU ms", "times ours", "notes")


def main(argv: Sequence[str] | None = None) -> int:
    """0 when all tasks ran, 2 when there is no such task."""
    known = all_tasks()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pixels", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--tasks", help=f"by name, separated by commas: {', '.join(known)}")
    parser.add_argument("--repeats", type=int, default=12, help="rounds; slow tasks take fewer (default: 12)")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where results go (default: {OUT})")
    parser.add_argument("--page", type=Path, metavar="FILE", help="put the table into this page (docs/benchmarks.md)")
    wanted = parser.parse_args(argv)
    names = wanted.tasks.split(",") if wanted.tasks else list(known)
    if unknown := [name for name in names if name not in known]:
        print(f"benchmarks.pixels: no task {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    if wanted.page is not None:
        page.section_marks(wanted.page, "pixels")
    console = report.console()
    pinned = pin_to_one_core()
    results: list[dict[str, Any]] = []
    for name in names:
        with console.status(f"{name} ..."):
            task = known[name]()
            times = compare_times(task.sides, max(2, round(wanted.repeats * task.repeats)))
            notes = task.notes()
        results.append({"task": name, "title": task.name, "times": times, "notes": notes})
    console.print(_table(results, pinned))
    for result in results:
        console.print(f"{result['title']}: {result['notes']}", markup=False, highlight=False)
    table = _write(wanted.out, results, pinned)
    if wanted.page is not None:
        page.replace_section(
            wanted.page, "pixels", f"{page.measured_with(report.machine(), 'python -m benchmarks.pixels')}\n\n{table}"
        )
    console.print(f"Figures in {wanted.out / 'results.json'} and {wanted.out / 'table.md'}")
    return 0


def rows(title: str, times: Mapping[str, Times], notes: str) -> list[list[str]]:
    """A row for each way, in the order of HEADINGS."""
    return [
        [
            title if way == OURS else "",
            way,
            f"{t.least:.1f}",
            f"{t.median:.1f}",
            f"{t.cpu:.1f}",
            "" if way == OURS else f"{t.cpu / times[OURS].cpu:.2f}",
            notes if way == OURS else "",
        ]
        for way, t in times.items()
    ]


def _table(results: Sequence[Mapping[str, Any]], pinned: str) -> Table:
    table = Table(title=f"{WIDE}, {pinned}", title_justify="left", box=box.SIMPLE_HEAD)
    for n, heading in enumerate(HEADINGS[:-1]):
        table.add_column(heading, justify="right" if n > 1 else "left", no_wrap=True)
    for result in results:
        for cells in rows(result["title"], result["times"], result["notes"]):
            table.add_row(*cells[:-1], style="bold" if cells[1] == OURS else None)
    return table


def _write(out: Path, results: Sequence[Mapping[str, Any]], pinned: str) -> str:
    out.mkdir(parents=True, exist_ok=True)
    tasks = [{**r, "times": {way: asdict(t) for way, t in r["times"].items()}} for r in results]
    made = {
        "made": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "machine": report.machine(),
        "size": str(WIDE),
        "pinned": pinned,
    }
    (out / "results.json").write_text(json.dumps({**made, "tasks": tasks}, indent=1), "utf-8")
    lines = ["| " + " | ".join(HEADINGS) + " |", "|---|---|" + "---:|" * 4 + "---|"]
    lines += ["| " + " | ".join(cells) + " |" for r in results for cells in rows(r["title"], r["times"], r["notes"])]
    table = "\n".join(lines) + "\n"
    (out / "table.md").write_text(table, "utf-8")
    return table


if __name__ == "__main__":
    sys.exit(main())
