"""The report as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from .view import Line

COLUMNS = (
    "row",
    "id",
    "state",
    "image",
    "output",
    "intent",
    "engine",
    "model",
    "prompt",
    "seed",
    "width",
    "height",
    "reach",
    "fidelity",
    "changed_beyond_reach",
    "largest_change",
    "seam_score",
    "colour_shift",
    "seconds",
    "attempts",
    "warnings",
    "reason",
    "sha256",
)


def table(lines: Iterable[Line]) -> str:
    """One line a row, with a first one that names the columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cell(value) for value in _values(line)] for line in lines)
    return text.getvalue()


def _values(line: Line) -> tuple[Any, ...]:
    told = line.told
    width, height = told.get("size") or (None, None)
    return (
        told.get("row"),
        line.id,
        line.state,
        told.get("image"),
        line.output,
        told.get("intent"),
        told.get("engine"),
        told.get("model"),
        told.get("prompt"),
        told.get("seed"),
        width,
        height,
        told.get("reach"),
        told.get("fidelity"),
        told.get("changed"),
        told.get("largest"),
        told.get("seam"),
        told.get("shift"),
        told.get("seconds"),
        line.attempts,
        "; ".join(told.get("warnings", ())),
        line.reason,
        line.sha256,
    )


def _cell(value: Any) -> Any:
    """A value as a cell. Text that a spreadsheet would take for a formula is marked as text."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return "" if value is None else value
