"""Doubtful results that were set aside: which there are, and a person's verdict on them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from overpaint.audit import AuditKey, Review
from overpaint.errors import RequestError, did_you_mean
from overpaint.ledger import LedgerEntry

from .folders import BatchFolders
from .plan import Rules
from .report import TABLE, rows_in_report, write
from .results import PublishError
from .run import BatchSession, Options, session_of
from .status import details_in
from .store import name_of_result


@dataclass(frozen=True, slots=True)
class InReview:
    """A doubtful result.

    Attributes:
        id: Of the row.
        output: The file that it gets once it is accepted, relative to the folder of results.
        file: Where it lies now, likewise.
        doubts: The measures above their limits.
        doubt: The same in words, and what may do better.
        seeded: Whether its engine paints another picture with another seed.
        row: Its number in the report, or as it was painted where there is none; None for a row that has left the list.
        measures: The values of `doubts`, in their order.
        excess: How far the worst is above its limit, as a ratio.
    """

    id: str
    output: str
    file: str
    doubts: tuple[str, ...]
    doubt: str
    seeded: bool
    row: int | None = None
    measures: tuple[float, ...] = ()
    excess: float = 0.0

    @classmethod
    def of(cls, entry: LedgerEntry, row: int | None = None) -> InReview:
        """From the ledger."""
        details = details_in(entry)
        doubt = next((text for text in details.get("warnings", ()) if "doubtful" in text), "")
        doubts, seeded = tuple(details.get("doubts", ())), bool(details.get("seeded"))
        measures = tuple(float(details.get(name) or 0.0) for name in doubts)
        excess = float(details.get("excess", 0.0))
        return cls(entry.id, entry.spec, name_of_result(entry), doubts, doubt, seeded, row, measures, excess)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The outcome of a review.

    Attributes:
        taken: The results that the verdict was applied to.
        refused: Ids of those that it could not be applied to, and why; they still need the review.
        left: The results that need a review now, the most doubtful ones first.
    """

    taken: tuple[InReview, ...]
    refused: tuple[tuple[str, str], ...]
    left: tuple[InReview, ...]


def review(
    folders: BatchFolders,
    audit: Path | None,
    verdict: Literal["accepted", "rejected"] | None = None,
    rows: Collection[str] | None = (),
    *,
    audit_key: AuditKey | None = None,
    accept_fault: bool = False,
) -> Reviewed:
    """Apply a verdict to results that need a review; without one nothing is changed.

    An accepted result gets its own name, and its row is done. A rejected one is removed, and its row fails; the next
    run paints it again with the next seed. Both are in the audit log, with who and when, and the report follows.

    Args:
        folders: Of the batch.
        audit: Its audit log, or None where none is kept.
        verdict: For these rows.
        rows: Ids of rows, names of their results, patterns of these (`*`, `?`, `[...]`), or numbers of rows in the
            report; None: all that need a review.
        audit_key: Signs the log.
        accept_fault: Whether the verdict is recorded though the log is at fault.

    Raises:
        RequestError: There is no such batch, or a row is not to be reviewed.
        OutputError, LedgerError: As of `run`.
    """
    if not folders.ledger.exists():
        raise RequestError(f"{folders.out} has no ledger of a batch", field="output", value=str(folders.out))
    log = audit or folders.state / "private.jsonl"
    options = Options(
        folders,
        Rules(out=folders.out, base=Path.cwd()),
        audit,
        audit_key=audit_key,
        accept_fault=accept_fault,
        private=log.with_suffix(".salt").exists(),
        thumbnails=True,  # those of the run are kept as they are
    )
    with session_of(options) as session:
        session.publisher.recover()
        found = session.ledger.entries("needs-review")
        numbers = _numbers_of(found, folders.reports / TABLE)
        named = [] if rows is None else [one for name in dict.fromkeys(rows) for one in _named(name, found, numbers)]
        chosen = found if rows is None else list({one.id: one for one in named}.values())
        taken, refused = _apply(session, verdict, chosen)
        if verdict is not None and (folders.reports / TABLE).exists():
            head = "" if session.publisher.audit is None else str(session.publisher.audit.head)
            listed = rows_in_report(folders.reports / TABLE)
            write(session.ledger, session.thumbnails, folders.reports, head=head, listed=listed)
        left = session.ledger.entries("needs-review")
    of = {one.id: InReview.of(one, numbers.get(one.id)) for one in (*taken, *left)}
    worst = sorted((of[one.id] for one in left), key=lambda one: -one.excess)
    return Reviewed(tuple(of[one.id] for one in taken), tuple(refused), tuple(worst))


def _numbers_of(entries: Iterable[LedgerEntry], table: Path) -> dict[str, int]:
    """The numbers of rows by their ids: those of the report, where there is one."""
    if table.exists():
        return rows_in_report(table)
    return {one.id: int(row) for one in entries if (row := details_in(one).get("row")) is not None}


def _named(name: str, entries: Collection[LedgerEntry], numbers: Mapping[str, int]) -> list[LedgerEntry]:
    """The entry with this id, or whose result has this name, with or without the folder; those that the pattern
    matches; or that of the row with this number.
    """
    names = {one.id: _names_of(one) for one in entries}
    found = [one for one in entries if name == one.id] or [one for one in entries if name in names[one.id]]
    if not found and re.search(r"[*?[]", name):
        return _matched(name, entries, names)
    if not found and name.isdecimal():
        found = [one for one in entries if numbers.get(one.id) == int(name)]
    if len(found) != 1:
        known = [text for all_of in names.values() for text in all_of]
        problem = f"no result {name!r} needs a review" if not found else f"{len(found)} results have the name {name!r}"
        raise RequestError(f"{problem}{did_you_mean(name, known) if not found else ''}", field="rows", value=name)
    return found


def _matched(pattern: str, entries: Iterable[LedgerEntry], names: Mapping[str, Iterable[str]]) -> list[LedgerEntry]:
    found = [one for one in entries if any(fnmatchcase(text, pattern) for text in names[one.id])]
    if not found:
        raise RequestError(f"no result that needs a review is like {pattern!r}", field="rows", value=pattern)
    return found


def _names_of(entry: LedgerEntry) -> tuple[str, ...]:
    return (entry.id, entry.spec, name_of_result(entry), entry.spec.rpartition("/")[2])


def _apply(
    session: BatchSession, verdict: Literal["accepted", "rejected"] | None, chosen: Iterable[LedgerEntry]
) -> tuple[list[LedgerEntry], list[tuple[str, str]]]:
    taken: list[LedgerEntry] = []
    refused: list[tuple[str, str]] = []
    if verdict is None:
        return taken, refused
    for entry in chosen:
        try:
            session.publisher.decide(entry, Review.of(verdict))
        except PublishError as error:
            refused.append((entry.id, str(error)))
        else:
            taken.append(entry)
    return taken, refused
