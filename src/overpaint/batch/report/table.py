"""The report as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from .view import ReportRow

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


def table(lines: Iterable[ReportRow]) -> str:
    """One line a row, with a first one that names the columns."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cell(value) for value in _values(line)] for line in lines)
    return text.getvalue()


def _values(line: ReportRow) -> tuple[Any, ...]:
    details = line.details
    width, height = details.get("size") or (None, None)
    return (
        details.get("row"),
        line.id,
        line.state,
        details.get("image"),
        line.output,
        details.get("intent"),
        details.get("engine"),
        details.get("model"),
        details.get("prompt"),
        details.get("seed"),
        width,
        height,
        details.get("reach"),
        details.get("fidelity"),
        details.get("changed"),
        details.get("largest"),
        details.get("seam"),
        details.get("shift"),
        details.get("seconds"),
        line.attempts,
        "; ".join(details.get("warnings", ())),
        line.reason,
        line.sha256,
    )


def _cell(value: Any) -> Any:
    """A value as a cell. Text that a spreadsheet would take for a formula is marked as text."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return "" if value is None else value
