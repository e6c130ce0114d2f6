"""The report as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from overpaint.audit import spreadsheet_safe

from .view import ReportRow

_NAMES = {"changed_beyond_reach": "changed", "largest_change": "largest", "seam_score": "seam", "colour_shift": "shift"}
"""The value's name in the row, for columns with another name."""

COLUMNS = (
    "row", "listed", "id", "state", "image", "output", "intent", "engine", "model", "prompt", "seed", "width",
    "height", "reach", "fidelity", "changed_beyond_reach", "largest_change", "doubts", "seam_score", "structure",
    "flatness", "foreign", "border", "match", "colour_shift", "provenance", "source_type", "seconds", "attempts",
    "warnings", "reason", "sha256",
)  # fmt: skip


def table(rows: Iterable[ReportRow]) -> str:
    """One line a row, after a first line that names the columns."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: spreadsheet_safe(value) for name, value in _values(row).items()} for row in rows)
    return text.getvalue()


def listed_rows(text: str) -> dict[str, int]:
    """The numbers of the list's rows by their ids, from a table."""
    rows = csv.DictReader(io.StringIO(text))
    return {row["id"]: int(row["row"] or 0) for row in rows if row.get("listed") == "yes"}


def _values(row: ReportRow) -> dict[str, Any]:
    width, height = row.get("size") or (None, None)
    return {
        **{column: row.get(_NAMES.get(column, column)) for column in COLUMNS},
        "row": row["row"] or None,
        "listed": "yes" if row["listed"] else "no",
        "width": width,
        "height": height,
        "doubts": " ".join(row.get("doubts", ())),
        "warnings": "; ".join(row.get("warnings", ())),
    }
