"""Doubtful results that were set aside: which there are, and a person's verdict on them."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
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
    """

    id: str
    output: str
    file: str
    doubts: tuple[str, ...]
    doubt: str
    seeded: bool

    @classmethod
    def of(cls, entry: LedgerEntry) -> InReview:
        """From the ledger."""
        details = details_in(entry)
        doubt = next((text for text in details.get("warnings", ()) if "doubtful" in text), "")
        doubts, seeded = tuple(details.get("doubts", ())), bool(details.get("seeded"))
        return cls(entry.id, entry.spec, name_of_result(entry), doubts, doubt, seeded)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The outcome of a review.

    Attributes:
        taken: The results that the verdict was applied to.
        refused: Ids of those that it could not be applied to, and why; they still need the review.
        left: The results that need a review now.
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
        rows: Ids of rows, or names of their results; None: all that need a review.
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
        chosen = found if rows is None else [_named(name, found) for name in dict.fromkeys(rows)]
        taken, refused = _apply(session, verdict, chosen)
        if verdict is not None and (folders.reports / TABLE).exists():
            head = "" if session.publisher.audit is None else str(session.publisher.audit.head)
            listed = rows_in_report(folders.reports / TABLE)
            write(session.ledger, session.thumbnails, folders.reports, head=head, listed=listed)
        left = session.ledger.entries("needs-review")
    return Reviewed(tuple(map(InReview.of, taken)), tuple(refused), tuple(map(InReview.of, left)))


def _named(name: str, entries: Iterable[LedgerEntry]) -> LedgerEntry:
    """The entry with this id, or whose result has this name, with or without the folder."""
    known = {one.id: one for one in entries}
    names = {spec: one for one in known.values() for spec in (one.spec, name_of_result(one))}
    found = known.get(name) or names.get(name)
    if found is None:
        raise RequestError(
            f"no result {name!r} needs a review{did_you_mean(name, [*known, *names])}", field="rows", value=name
        )
    return found


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
