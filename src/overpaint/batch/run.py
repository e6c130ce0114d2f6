"""A batch from its rows to its end: one call to do it, one to say what would be done."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from overpaint.audit import AuditLog, Secret
from overpaint.errors import OutputError, OverpaintError
from overpaint.ledger import Entry, Ledger
from overpaint.studio import Studio

from .crew import Crew, Threads
from .estimate import Estimate, by_history, by_trial
from .events import Began, Ended, Event, Failed
from .files import Files
from .home import Home
from .plan import Item, Plan, Rules, plan
from .report import Report, tidy, write
from .rows import BadRow, Row
from .runner import Runner, Tally, choose
from .settle import Settler
from .small import Shelf
from .standing import Standing, enter, own_outputs, stand
from .task import How
from .where import Filter
from .work import Worker


@dataclass(frozen=True, slots=True)
class Options:
    """How a batch is run.

    Attributes:
        home: Where results and state are kept.
        rules: What results follow from.
        audit: The audit log, or None to keep none.
        private: Whether prompts are kept as hashes alone, and nothing is embedded in results.
        retries: How often a row is tried again that failed for another reason than its input.
        limit: The most rows to do now.
        where: Which rows to do now.
        fail_fast: Whether the first failure ends the run.
        ahead: How many rows are on their way at once.
        report: Whether report.html and report.csv are written.
        notes: On the rows, for people; passed on with the first event.
    """

    home: Home
    rules: Rules
    audit: Path | None
    private: bool = False
    retries: int = 1
    limit: int | None = None
    where: Filter | None = None
    fail_fast: bool = False
    ahead: int = 6
    report: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would do.

    Attributes:
        plan: Every row.
        to_do: Rows that would be done.
        unchanged: Rows that are done already.
        left: Rows that could be done and would not be.
        estimate: How long it would take.
    """

    plan: Plan
    to_do: tuple[Item, ...]
    unchanged: int
    left: int
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class _Desk:
    """What is open while a batch is planned and run."""

    ledger: Ledger
    files: Files
    shelf: Shelf
    settler: Settler


def run(
    rows: Iterable[Row | BadRow],
    options: Options,
    studio: Studio,
    *,
    tell: Callable[[Event], None] = lambda _: None,
    crew: Crew | None = None,
) -> Ended:
    """Do a batch: all of its rows that are not done yet.

    Args:
        rows: As they were read.
        options: How.
        studio: Knows engines, and paints unless a crew does.
        tell: Is told what happens, on the calling thread.
        crew: Who does the rows; threads around the studio when left out.

    Raises:
        RequestError: Rows can't be told apart, or would write one file.
        OutputError, LedgerError: The folder, the ledger or the audit log can't be written, or another run is at work.
        KeyboardInterrupt: It was called off; what was finished is kept, and the next run goes on from there.
    """
    began = time.perf_counter()
    with _desk(options) as desk:
        tidy(options.home.papers)
        completed, _ = desk.settler.recover()
        planned, standing, entries = _planned(rows, options, studio, desk)
        chosen = choose(standing, _wanted(planned, entries, options.where), options.limit)
        desk.ledger.again(
            [item.id for item in chosen if item.id not in standing.perhaps], retries=max(0, options.retries)
        )
        total = len(planned.items) + len(planned.bad)
        left = len(standing.to_do) - len(chosen)
        tell(Began(total, len(chosen), len(standing.unchanged), left, len(planned.bad), completed, options.notes))
        for bad in planned.bad:
            tell(Failed(bad.id or f"row {bad.number}", bad.number, bad.reason, begun=False))
        own = Threads(studio, ahead=options.ahead) if crew is None else None
        runner = Runner(crew or own, desk.settler, desk.shelf, _how(options), tell)  # type: ignore[arg-type]
        runner.tally.unchanged = len(standing.unchanged)
        if options.fail_fast and planned.bad:
            chosen = []
            runner.tally.stopped = f"row {planned.bad[0].number}: {planned.bad[0].reason}"
        try:
            runner.run(standing, chosen)
        except BaseException as error:
            with contextlib.suppress(OverpaintError):  # on a full disk, say; the first fault is the one to tell
                tell(_end(options, desk, planned, runner.tally, own, began, interrupted=_called_off(error)))
            raise
        ended = _end(options, desk, planned, runner.tally, own, began)
        tell(ended)
    return ended


def _called_off(error: BaseException) -> bool:
    return isinstance(error, KeyboardInterrupt)


def _end(
    options: Options,
    desk: _Desk,
    planned: Plan,
    tally: Tally,
    own: Threads | None,
    began: float,
    *,
    interrupted: bool = False,
) -> Ended:
    if own is not None:
        own.stop()
    # Whatever an interrupt tore apart is put in order now, and not by the next run.
    try:
        completed, _ = desk.settler.recover()
        tally.done += completed
    except OutputError as error:  # a full disk has no room for the audit's lines either; the next run writes them
        tally.stopped = tally.stopped or str(error)
    ended = _ended(tally, planned, began, desk, interrupted)
    if options.report:
        try:
            _report(desk, options, ended)
        except OutputError as error:  # the run is told of all the same
            ended = replace(ended, stopped=ended.stopped or str(error))
    return ended


def preview(rows: Iterable[Row | BadRow], options: Options, studio: Studio) -> Preview:
    """What a run would do, and about how long it would take. Nothing is written but the batch's own state.

    Raises:
        RequestError, OutputError, LedgerError: As `run` does.
    """
    with _desk(options) as desk:
        planned = plan(rows, options.rules, studio, desk.files, own_outputs(desk.ledger, options.home.out))
        entries = {entry.id: entry for entry in desk.ledger.entries()}
        standing = stand(planned, entries.values(), desk.files, options.home.out)
        chosen = choose(standing, _wanted(planned, entries, options.where), options.limit)
        estimate = Estimate(0.0, {}, "there is nothing to do")
        if chosen:
            known = by_history(chosen, entries.values())
            estimate = known or by_trial(chosen, Worker(studio), replace(_how(options), thumbnails=False))
    return Preview(planned, tuple(chosen), len(standing.unchanged), len(standing.to_do) - len(chosen), estimate)


def write_report(options: Options) -> Report:
    """Write report.html and report.csv anew from what is known. Raises OutputError or LedgerError."""
    with _desk(options) as desk:
        return _report(desk, options, None)


@contextlib.contextmanager
def _desk(options: Options) -> Iterator[_Desk]:
    home = options.home
    home.make()
    with home.alone(), Ledger(home.ledger) as ledger, Files(home.files) as files, Shelf(home.thumbnails) as shelf:
        audit = None
        if options.audit is not None:
            audit = AuditLog(options.audit)
            audit.check()
        yield _Desk(ledger, files, shelf, Settler(home.out, ledger, files, audit))


def _planned(
    rows: Iterable[Row | BadRow], options: Options, studio: Studio, desk: _Desk
) -> tuple[Plan, Standing, dict[str, Entry]]:
    out = options.home.out
    planned = plan(rows, options.rules, studio, desk.files, own_outputs(desk.ledger, out))
    desk.files.save()
    enter(planned, desk.ledger, out, options.retries)
    entries = {entry.id: entry for entry in desk.ledger.entries()}
    return planned, stand(planned, entries.values(), desk.files, out), entries


def _wanted(planned: Plan, entries: dict[str, Entry], where: Filter | None) -> list[Item]:
    if where is None:
        return list(planned.items)
    return [item for item in planned.items if where.matches(item, entries.get(item.id))]


def _how(options: Options) -> How:
    key = None
    if options.private:
        log = options.audit or options.home.state / "private.jsonl"
        key = Secret.beside(log, make=True).key
    return How(
        base=options.rules.base,
        record=options.rules.record,
        log=None if options.audit is None else options.audit.parent,
        key=key,
        retries=options.retries,
        fail_fast=options.fail_fast,
        thumbnails=options.report,
    )


def _ended(tally: Tally, planned: Plan, began: float, desk: _Desk, interrupted: bool) -> Ended:
    head = ""
    if desk.settler.audit is not None:
        with contextlib.suppress(Exception):  # a damaged head is told by `audit verify`
            head = str(desk.settler.audit.head)
    failed = tally.failed + len(planned.bad)
    return Ended(
        done=tally.done,
        unchanged=tally.unchanged,
        failed=failed,
        left=len(planned.items) - tally.done - tally.unchanged - tally.failed,
        seconds=round(time.perf_counter() - began, 3),
        painting=round(tally.painting, 3),
        interrupted=interrupted,
        stopped=tally.stopped,
        head=head,
    )


def _report(desk: _Desk, options: Options, ended: Ended | None) -> Report:
    return write(desk.ledger, desk.shelf, options.home.papers, head="" if ended is None else ended.head)
