"""The report: a view of the ledger as one page and as one table."""

from __future__ import annotations

import contextlib
from pathlib import Path

from overpaint.batch import store
from overpaint.batch.thumbnails import ThumbnailStore
from overpaint.ledger import Ledger

from .page import page
from .table import table
from .view import view

PAGE, TABLE = "report.html", "report.csv"

__all__ = ["PAGE", "TABLE", "tidy", "write"]


def write(ledger: Ledger, thumbnails: ThumbnailStore, out: Path, *, head: str = "") -> None:
    """Write page and table of a ledger and its thumbnails into a folder, each whole or not at all; not again when they
    say the same already. `head` is the end of the audit log's chain. Raises OutputError.
    """
    rows = view(ledger)
    text = table(rows).encode()
    with contextlib.suppress(OSError):
        if (out / PAGE).exists() and (out / TABLE).read_bytes() == text:
            return
    # The table comes last: as long as it is an old one, both are written again.
    store.write(out / PAGE, page(rows, thumbnails, out.name, head))
    store.write(out / TABLE, text)


def tidy(out: Path) -> None:
    """Remove what a killed run may have left of a report."""
    for name in (PAGE, TABLE):
        store.part_of(out / name).unlink(missing_ok=True)
