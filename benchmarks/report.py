"""The verdicts as a table on the terminal, in markdown, and as JSON."""

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

from benchmarks.classifier import FEATURE
from benchmarks.contenders import UNTOUCHED, Contender
from benchmarks.fingerprint import LIBRARIES
from benchmarks.judge import KERNEL, METRICS, Grid, Judged, Verdict
from benchmarks.kernel import Interval

HEADINGS = (
    "fill",
    "seconds",
    "CPU s",
    "PSNR dB",
    "SSIM",
    "gradient ratio",
    "gradient error",
    "feature distance",
    "kernel distance",
    "{focus} minus it",
)


def console() -> Console:
    """The terminal; in a pipe or file wide enough for every table."""
    found = Console()
    return found if found.is_terminal or found.width >= 120 else Console(width=120)


def row(label: str, verdict: Verdict) -> list[str]:
    """One contender as cells, in the order of HEADINGS. Distances are in thousandths."""
    v = verdict.values
    seconds = ["-", "-"] if label == UNTOUCHED else [f"{v['wall'].value:.2f}", f"{v['cpu'].value:.2f}"]
    behind = verdict.behind.get(KERNEL)
    return [
        label,
        *seconds,
        "-" if label == UNTOUCHED else f"{v['psnr'].value:.2f}",
        f"{v['ssim'].value:.3f}",
        f"{v['gradient_ratio'].value:.2f}",
        f"{v['gradient_error'].value:.2f}",
        f"{round(1e3 * v['feature_distance'].value, 1) + 0.0:.1f}",
        _thousandths(v[KERNEL]),
        "" if behind is None else _thousandths(behind, sign="+", meaning=f" {_meaning(behind)}"),
    ]


def _thousandths(interval: Interval, sign: str = "", meaning: str = "") -> str:
    # Adding zero makes 0 of -0, which rounding leaves behind.
    value, low, high = (round(1e3 * x, 2) + 0.0 for x in (interval.value, interval.low, interval.high))
    return f"{value:{sign}.2f}{meaning} [{low:{sign}.2f}, {high:{sign}.2f}]"


def _meaning(difference: Interval) -> str:
    """The kernel distance is the better the smaller it is."""
    return "open" if not difference.excludes_zero else "ahead" if difference.value < 0 else "behind"


def _headings(focus: str) -> list[str]:
    return [heading.format(focus=focus) for heading in HEADINGS]


def show(console: Console, found: Mapping[str, Mapping[str, Verdict]], focus: str, photos: int) -> None:
    """One table a selection of masks; intervals on a line of their own, so that a terminal of 120 columns will do."""
    for name, verdicts in found.items():
        table = Table(title=f"{name} ({photos} photos)", title_justify="left", box=box.SIMPLE_HEAD)
        for n, heading in enumerate(_headings(focus)):
            table.add_column("\n".join(heading.split(" ", 1)), justify="right" if n else "left", no_wrap=True)
        for label, verdict in verdicts.items():
            cells = [cell.replace(" [", "\n[") for cell in map(escape, row(label, verdict))]
            table.add_row(*cells, style="bold" if label == focus else None)
        console.print(table)


def markdown(found: Mapping[str, Mapping[str, Verdict]], focus: str, photos: int) -> str:
    """The same tables for a page."""
    lines: list[str] = []
    for name, verdicts in found.items():
        lines += [f"### {name.capitalize()} ({photos} photos)", ""]
        lines += ["| " + " | ".join(_headings(focus)) + " |", "|---|" + "---:|" * (len(HEADINGS) - 1)]
        lines += ["| " + " | ".join(row(label, verdict)) + " |" for label, verdict in verdicts.items()]
        lines.append("")
    return "\n".join(lines)


def machine() -> dict[str, Any]:
    """What the figures were measured on and with."""
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
    judged: Mapping[str, Judged],
    found: Mapping[str, Mapping[str, Verdict]],
    focus: str,
    notes: Sequence[str],
) -> str:
    """OUT/results.json and OUT/table.md, whose text is returned."""
    results = {
        "made": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "machine": machine(),
        "feature": FEATURE,
        "focus": focus,
        "notes": list(notes),
        "contenders": {c.label: asdict(c) for c in contenders},
        "verdicts": {
            name: {
                label: {
                    "values": {metric: asdict(verdict.values[metric]) for metric in METRICS},
                    "kernel_distance_textbook": verdict.textbook,
                    "focus_minus_it": {
                        m: {**asdict(interval), "excludes_zero": interval.excludes_zero}
                        for m, interval in verdict.behind.items()
                    },
                }
                for label, verdict in verdicts.items()
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
