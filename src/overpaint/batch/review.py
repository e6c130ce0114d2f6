"""Doubtful results that were set aside: which there are, and a person's verdict on them."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, TypeAlias

from overpaint.audit import AuditKey, Review
from overpaint.errors import BatchBusyError, RequestError, did_you_mean
from overpaint.ledger import Ledger, LedgerEntry, LeftDecision

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


Decision: TypeAlias = Literal["accepted", "rejected"]

_LOOK = 0.1  # seconds between two looks for what a run has done with a verdict
_TRY = 1.0  # seconds between two tries to do it here, as the run may have ended


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The outcome of a review.

    Attributes:
        taken: The results that the verdict was applied to.
        refused: Ids of those that it could not be applied to, and why; they still need the review.
        left: The results that need a review now, the most doubtful ones first.
        waiting: Of these, those whose verdict was left for the run that is at work, and that it has not taken yet.
    """

    taken: tuple[InReview, ...]
    refused: tuple[tuple[str, str], ...]
    left: tuple[InReview, ...]
    waiting: tuple[InReview, ...] = ()


def review(
    folders: BatchFolders,
    audit: Path | None,
    verdict: Decision | None = None,
    rows: Collection[str] | None = (),
    *,
    audit_key: AuditKey | None = None,
    accept_fault: bool = False,
    patience: float = 30.0,
) -> Reviewed:
    """Apply a verdict to results that need a review; without one nothing is changed.

    While a run or a watch is at work on the folders, the verdict is left in the ledger and that run carries it out,
    with its own log and key; when it is killed, the next run or review does.

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
        patience: Seconds for which a run that is at work is waited for.

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
    try:
        with session_of(options) as session:
            session.recover()
            found = _Found.of(session.ledger, folders.reports / TABLE)
            return _decided(session, found, verdict, found.chosen(rows))
    except BatchBusyError:
        return _left_to_run(options, verdict, rows, patience)


@dataclass(frozen=True, slots=True)
class _Found:
    """The results that need a review.

    Attributes:
        entries: The results.
        numbers: The numbers of rows of the list by their ids.
    """

    entries: tuple[LedgerEntry, ...]
    numbers: Mapping[str, int]

    @classmethod
    def of(cls, ledger: Ledger, table: Path, *, busy: bool = False) -> _Found:
        """From a ledger, and the table of the report; `busy`: a run is at work, so that the table may lack rows."""
        entries = ledger.entries("needs-review")
        painted = {one.id: int(row) for one in entries if (row := details_in(one).get("row")) is not None}
        if not table.exists():
            return cls(tuple(entries), painted)
        return cls(tuple(entries), {**(painted if busy else {}), **rows_in_report(table)})

    def chosen(self, rows: Collection[str] | None) -> list[LedgerEntry]:
        """Those that are named; None: all. Raises RequestError."""
        if rows is None:
            return list(self.entries)
        named = [one for name in dict.fromkeys(rows) for one in _named(name, self.entries, self.numbers)]
        return list({one.id: one for one in named}.values())

    def shown(self, entries: Iterable[LedgerEntry]) -> tuple[InReview, ...]:
        """Results as they are shown."""
        return tuple(InReview.of(one, self.numbers.get(one.id)) for one in entries)

    def worst(self, entries: Iterable[LedgerEntry]) -> tuple[InReview, ...]:
        """The same, the most doubtful ones first."""
        return tuple(sorted(self.shown(entries), key=lambda one: -one.excess))


def _decided(
    session: BatchSession, found: _Found, verdict: Decision | None, chosen: Collection[LedgerEntry]
) -> Reviewed:
    """Apply a verdict here."""
    taken, refused = _apply(session, verdict, chosen)
    if verdict is not None:
        _write_report(session)
    left = session.ledger.entries("needs-review")
    return Reviewed(found.shown(taken), tuple(refused), found.worst(left))


def _write_report(session: BatchSession) -> None:
    """Write the report again, where there is one."""
    reports = session.options.folders.reports
    if (reports / TABLE).exists():
        listed = rows_in_report(reports / TABLE)
        write(session.ledger, session.thumbnails, reports, head=session.head, listed=listed)


def _left_to_run(options: Options, verdict: Decision | None, rows: Collection[str] | None, patience: float) -> Reviewed:
    """Leave a verdict for the run that is at work, and wait for what becomes of it."""
    with Ledger(options.folders.ledger) as ledger:
        found = _Found.of(ledger, options.folders.reports / TABLE, busy=True)
        chosen = {one.id: one for one in found.chosen(rows)} if verdict is not None else {}
        line = "" if verdict is None else json.dumps(Review.of(verdict).to_mapping(), ensure_ascii=False)
        left = [LeftDecision(one.id, one.result or "", line) for one in chosen.values()]
        ledger.leave_decisions(left)
        _wait(options, ledger, left, patience)
        answers = {one.id: one for one in ledger.left_decisions() if one.line == line and one.id in chosen}
        problems = {id: one.problem for id, one in answers.items() if one.problem is not None}
        ledger.drop_decisions(answers[id] for id in problems)
        now = ledger.entries("needs-review")
    same = {one.id for one in now if one.id in chosen and one.result == chosen[one.id].result}
    problems |= dict.fromkeys(same - answers.keys(), "the run that was at work could not carry it out")
    waiting = [chosen[id] for id in answers.keys() - problems.keys()]
    taken = [one for id, one in chosen.items() if id not in answers and id not in problems]
    return Reviewed(found.shown(taken), tuple(problems.items()), found.worst(now), found.shown(waiting))


def _wait(options: Options, ledger: Ledger, left: Collection[LeftDecision], seconds: float) -> None:
    """Wait until a run has taken decisions, or do it here when it has ended."""
    until, tried = time.monotonic() + seconds, time.monotonic()
    while any(one in left for one in ledger.left_decisions()) and time.monotonic() < until:
        time.sleep(_LOOK)
        if time.monotonic() - tried < _TRY:
            continue
        tried = time.monotonic()
        with contextlib.suppress(BatchBusyError), session_of(options) as session:
            session.publisher.recover()
            for _ in session.publisher.take_decisions():
                pass
            _write_report(session)


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
    session: BatchSession, verdict: Decision | None, chosen: Iterable[LedgerEntry]
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
