"""The report: a view of the ledger as one page and as one table."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from overpaint.batch import store
from overpaint.batch.thumbnails import ThumbnailStore
from overpaint.ledger import Ledger

from . import table as tables
from .page import page
from .table import FORMS, PLAIN, TableForm, table
from .view import view

PAGE, TABLE = "report.html", "report.csv"

__all__ = ["FORMS", "PAGE", "PLAIN", "TABLE", "TableForm", "rows_in_report", "tidy", "write"]


def write(
    ledger: Ledger,
    thumbnails: ThumbnailStore,
    out: Path,
    *,
    head: str = "",
    listed: Mapping[str, int] | None = None,
    form: TableForm | None = None,
) -> None:
    """Write page and table of a ledger and its thumbnails into a folder, each whole or not at all; not again where they
    are whole and say the same already.

    Args:
        ledger, thumbnails: Of the batch.
        out: The folder.
        head: The end of the audit log's chain.
        listed: Numbers of the list's rows by their ids; all others are marked as gone from it. None: all are in it.
        form: How the table is written; None: as the one that is there.

    Raises:
        OutputError: They can't be written.
    """
    rows = view(ledger, listed)
    text = table(rows, form or tables.form_of(_text(out / TABLE))).encode()
    pictures = sum(thumbnails.bytes("large").values())
    state = hashlib.sha256("\0".join((out.name, head, str(pictures))).encode() + b"\0" + text).hexdigest()
    if not _is_sealed(out / PAGE, state):
        store.write(out / PAGE, _sealed(page(rows, thumbnails, out.name, head), state))
    if _read(out / TABLE) != text:
        store.write(out / TABLE, text)


def rows_in_report(path: Path) -> dict[str, int]:
    """The numbers of the list's rows by their ids, from the table of an earlier report."""
    return tables.listed_rows(_text(path))


def _sealed(content: bytes, state: str) -> bytes:
    """A page with a last line that has the digests of what it was made from and of all before the line."""
    return content + _seal(content, state)


def _is_sealed(path: Path, state: str) -> bool:
    """Whether a file is a whole page that was made from this state."""
    found = _read(path)
    content = found[: -len(_seal(b"", state))]
    return found.endswith(_seal(content, state))


def _seal(content: bytes, state: str) -> bytes:
    return f"\n<!-- made from {state}, has {hashlib.sha256(content).hexdigest()} -->\n".encode()


def _text(path: Path) -> str:
    return _read(path).decode(errors="replace")


def _read(path: Path) -> bytes:
    """The file's content; empty where it can't be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def tidy(out: Path) -> None:
    """Remove what a killed run may have left of a report."""
    for name in (PAGE, TABLE):
        store.part_of(out / name).unlink(missing_ok=True)
