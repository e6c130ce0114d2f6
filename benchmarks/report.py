"""The summaries as a table on the terminal, in markdown, and as JSON."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.classifier import Classifier
from benchmarks.contenders import UNTOUCHED, Contender
from benchmarks.evaluation import JUDGES, METRICS, FillFigures, Grid, Summary
from benchmarks.fingerprint import LIBRARIES
from benchmarks.kernel import Interval
from benchmarks.segmenter import Segmenter

FIGURES = ("fill", "seconds", "CPU s", "PSNR dB", "SSIM", "gradient ratio", "gradient error", "seam")
DISTANCES = (
    "feature distance",
    "kernel distance",
    "{focus} minus it",
    "ADE distance",
    "ADE kernel distance",
    "{focus} minus it, ADE",
)
HEADINGS = (*FIGURES, *DISTANCES)


def console() -> Console:
    """The terminal; in a pipe or file at least 120 columns wide."""
    found = Console()
    return found if found.is_terminal or found.width >= 120 else Console(width=120)


def row(label: str, summary: Summary) -> list[str]:
    """One contender as cells, in the order of HEADINGS. Distances are in thousandths."""
    v = summary.values
    seconds = ["-", "-"] if label == UNTOUCHED else [f"{v['wall'].value:.2f}", f"{v['cpu'].value:.2f}"]
    cells = [
        label,
        *seconds,
        "-" if label == UNTOUCHED else f"{v['psnr'].value:.2f}",
        f"{v['ssim'].value:.3f}",
        f"{v['gradient_ratio'].value:.2f}",
        f"{v['gradient_error'].value:.2f}",
        f"{round(v['seam'].value, 2) + 0.0:.2f}",
    ]
    for judge in JUDGES.values():
        behind = summary.behind.get(judge.kernel)
        cells.append(f"{round(1e3 * v[judge.distance].value, 1) + 0.0:.1f}")
        cells.append(_thousandths(v[judge.kernel]))
        cells.append("" if behind is None else _thousandths(behind, sign="+", meaning=f" {_meaning(behind)}"))
    return cells


def _thousandths(interval: Interval, sign: str = "", meaning: str = "") -> str:
    # Adding zero makes 0 of -0, which rounding leaves behind.
    value, low, high = (round(1e3 * x, 2) + 0.0 for x in (interval.value, interval.low, interval.high))
    return f"{value:{sign}.2f}{meaning} [{low:{sign}.2f}, {high:{sign}.2f}]"


def _meaning(difference: Interval) -> str:
    """Meaning of a difference of kernel distances, of which the smaller is better."""
    return "open" if not difference.excludes_zero else "ahead" if difference.value < 0 else "behind"


def _headings(focus: str) -> list[str]:
    return [heading.format(focus=focus) for heading in HEADINGS]


def show(console: Console, found: Mapping[str, Mapping[str, Summary]], focus: str, photos: int) -> None:
    """Print two tables for each selection of masks; intervals have their own line, to fit into 120 columns."""
    headings = _headings(focus)
    parts = (range(len(FIGURES)), [0, *range(len(FIGURES), len(headings))])
    for name, verdicts in found.items():
        for columns, title in zip(parts, (f"{name} ({photos} photos)", "distances, in thousandths"), strict=True):
            table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
            for n in columns:
                table.add_column("\n".join(headings[n].split(" ", 1)), justify="right" if n else "left", no_wrap=True)
            for label, summary in verdicts.items():
                cells = [cell.replace(" [", "\n[") for cell in map(escape, row(label, summary))]
                table.add_row(*(cells[n] for n in columns), style="bold" if label == focus else None)
            console.print(table)


def markdown(found: Mapping[str, Mapping[str, Summary]], focus: str, photos: int) -> str:
    """The same tables in markdown."""
    lines: list[str] = []
    for name, verdicts in found.items():
        lines += [f"### {name.capitalize()} ({photos} photos)", ""]
        lines += ["| " + " | ".join(_headings(focus)) + " |", "|---|" + "---:|" * (len(HEADINGS) - 1)]
        lines += ["| " + " | ".join(row(label, summary)) + " |" for label, summary in verdicts.items()]
        lines.append("")
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """The machine and the versions of libraries."""
    return {
        "cores": os.cpu_count(),
        "processor": _processor(),
        "system": platform.system(),
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in (*LIBRARIES, "pillow")},
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def write(
    out: Path,
    contenders: Sequence[Contender],
    grid: Grid,
    judged: Mapping[str, FillFigures],
    found: Mapping[str, Mapping[str, Summary]],
    focus: str,
    notes: Sequence[str],
) -> str:
    """Write OUT/results.json and OUT/table.md; returns the text of the table."""
    results = {
        "made": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "machine": machine(),
        "features": {"classifier": Classifier.feature, "segmenter": Segmenter.feature},
        "focus": focus,
        "notes": list(notes),
        "contenders": {c.label: asdict(c) for c in contenders},
        "verdicts": {
            name: {
                label: {
                    "values": {metric: asdict(summary.values[metric]) for metric in METRICS},
                    **{f"{kernel}_textbook": value for kernel, value in summary.textbook.items()},
                    "focus_minus_it": {
                        m: {**asdict(interval), "excludes_zero": interval.excludes_zero}
                        for m, interval in summary.behind.items()
                    },
                }
                for label, summary in verdicts.items()
            }
            for name, verdicts in found.items()
        },
        "fills": {
            label: {
                f"{photo}_{kind}": {metric: float(table[p, k]) for metric, table in figures.table.items()}
                for p, photo in enumerate(grid.photos)
                for k, kind in enumerate(grid.kinds)
            }
            for label, figures in judged.items()
        },
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "results.json").write_text(json.dumps(results, indent=1), "utf-8")
    tables = markdown(found, focus, len(grid.photos))
    (out / "table.md").write_text(tables, "utf-8")
    return tables
