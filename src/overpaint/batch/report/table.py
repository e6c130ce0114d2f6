"""The report as CSV: plain, or as Excel reads it without a question."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
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


_MARK = "\ufeff"  # without it Excel takes UTF-8 for the code page of the machine
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,14})")  # what a number of 64 bits holds
_LIKE_NUMBER = re.compile(r"[\d.,:/\- eE+%]*\d[\d.,:/\- eE+%]*")
_MONTHS = "jan|feb|mar|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez"
_LIKE_DATE = re.compile(rf"\d{{0,4}}[ .\-/]*({_MONTHS})[a-zä]*[ .\-/]*\d*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TableForm:
    """How a table is written.

    Attributes:
        separator: Between cells.
        decimal: The decimal sign.
        excel: Whether it is for Excel: with the mark of UTF-8, and an apostrophe before texts and long numbers that
            Excel would change, as it takes them for dates or rounds them.
    """

    separator: str = ","
    decimal: str = "."
    excel: bool = False


PLAIN = TableForm()
FORMS = {"plain": PLAIN, "excel": TableForm(excel=True), "excel-de": TableForm(";", ",", excel=True)}
"""By name; "excel-de" is for every language in which numbers have a decimal comma."""


def table(rows: Iterable[ReportRow], form: TableForm = PLAIN) -> str:
    """One line a row, after a first line that names the columns. In every form a text that a spreadsheet would take
    for a formula has an apostrophe before it.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n", delimiter=form.separator)
    writer.writeheader()
    writer.writerows({name: _cell(value, form) for name, value in _values(row).items()} for row in rows)
    return (_MARK if form.excel else "") + text.getvalue()


def form_of(text: str) -> TableForm:
    """The form of a table; plain for what is none."""
    head = text.partition("\n")[0]
    found = [one for one in FORMS.values() if head == (_MARK if one.excel else "") + one.separator.join(COLUMNS)]
    return found[0] if found else PLAIN


def listed_rows(text: str) -> dict[str, int]:
    """The numbers of the list's rows by their ids, from a table."""
    form = form_of(text)
    rows = csv.DictReader(io.StringIO(text.removeprefix(_MARK)), delimiter=form.separator)
    return {_read(row["id"], form): int(row["row"] or 0) for row in rows if row.get("listed") == "yes"}


def _cell(value: Any, form: TableForm) -> Any:
    if isinstance(value, float):
        return str(value).replace(".", form.decimal)
    if not form.excel or value is None:
        return spreadsheet_safe(value)
    text = str(value)
    changed = _LIKE_NUMBER.fullmatch(text) or _LIKE_DATE.fullmatch(text)
    return f"'{text}" if changed and not _WHOLE.fullmatch(text) else spreadsheet_safe(value)


def _read(cell: str, form: TableForm) -> str:
    """The text of a cell, without an apostrophe that `_cell` put before it."""
    return cell[1:] if cell[:1] == "'" and _cell(cell[1:], form) == cell else cell


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
