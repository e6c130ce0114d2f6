"""The report: a view of the ledger as one page and as one table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from overpaint.batch import store
from overpaint.batch.thumbnails import ThumbnailStore
from overpaint.ledger import Ledger

from .page import mark_in, mark_of, page
from .table import table
from .view import view

PAGE, TABLE = "report.html", "report.csv"

__all__ = ["PAGE", "TABLE", "Report", "tidy", "write"]


@dataclass(frozen=True, slots=True)
class Report:
    """The files that were written."""

    page: Path
    table: Path


def write(ledger: Ledger, thumbnails: ThumbnailStore, out: Path, *, head: str = "") -> Report:
    """Write page and table into a folder, each whole or not at all; not again when they say the same already.

    Args:
        ledger: What the report is a view of.
        thumbnails: Thumbnails of its rows.
        out: The folder.
        head: The end of the audit log's chain.

    Raises:
        OutputError: A file can't be written.
    """
    rows = view(ledger)
    report = Report(out / PAGE, out / TABLE)
    if report.table.exists() and mark_in(report.page) == mark_of(rows, head):
        return report
    store.write(report.table, table(rows).encode("utf-8"))
    store.write(report.page, page(rows, thumbnails, out.name, head))
    return report


def tidy(out: Path) -> None:
    """Remove what a killed run may have left of a report."""
    for name in (PAGE, TABLE):
        store.part_of(out / name).unlink(missing_ok=True)
