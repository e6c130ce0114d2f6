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

from .estimate import Estimate, by_history, by_trial
from .events import Began, Ended, Event, Failed
from .executor import Executor, ThreadExecutor
from .files import Files
from .filter import Filter
from .folders import BatchFolders
from .plan import BatchPlan, PlannedEdit, Rules, plan
from .report import Report, tidy, write
from .results import ResultPublisher
from .rows import BadRow, EditRow
from .runner import Runner, Tally, choose
from .status import BatchStatus, own_outputs, register, status_of
from .task import TaskOptions
from .thumbnails import ThumbnailStore
from .worker import Worker


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

    folders: BatchFolders
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
class BatchPreview:
    """What a run would do.

    Attributes:
        plan: Every row.
        to_do: Rows that would be done.
        unchanged: Rows that are done already.
        left: Rows that could be done and would not be.
        estimate: How long it would take.
    """

    plan: BatchPlan
    to_do: tuple[PlannedEdit, ...]
    unchanged: int
    left: int
    estimate: Estimate


@dataclass(frozen=True, slots=True)
class _Desk:
    """What is open while a batch is planned and run."""

    ledger: Ledger
    files: Files
    thumbnail_store: ThumbnailStore
    publisher: ResultPublisher


def run(
    rows: Iterable[EditRow | BadRow],
    options: Options,
    studio: Studio,
    *,
    tell: Callable[[Event], None] = lambda _: None,
    executor: Executor | None = None,
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
        tidy(options.folders.papers)
        completed, _ = desk.publisher.recover()
        planned, status, entries = _planned(rows, options, studio, desk)
        chosen = choose(status, _wanted(planned, entries, options.where), options.limit)
        desk.ledger.again(
            [item.id for item in chosen if item.id not in status.undecided], retries=max(0, options.retries)
        )
        total = len(planned.items) + len(planned.bad)
        left = len(status.to_do) - len(chosen)
        tell(Began(total, len(chosen), len(status.unchanged), left, len(planned.bad), completed, options.notes))
        for bad in planned.bad:
            tell(Failed(bad.id or f"row {bad.number}", bad.number, bad.reason, begun=False))
        own = ThreadExecutor(studio, ahead=options.ahead) if executor is None else None
        runner = Runner(executor or own, desk.publisher, desk.thumbnail_store, _task_options(options), tell)  # type: ignore[arg-type]
        runner.tally.unchanged = len(status.unchanged)
        if options.fail_fast and planned.bad:
            chosen = []
            runner.tally.stopped = f"row {planned.bad[0].number}: {planned.bad[0].reason}"
        try:
            runner.run(status, chosen)
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
    planned: BatchPlan,
    tally: Tally,
    own: ThreadExecutor | None,
    began: float,
    *,
    interrupted: bool = False,
) -> Ended:
    if own is not None:
        own.stop()
    # Whatever an interrupt tore apart is put in order now, and not by the next run.
    try:
        completed, _ = desk.publisher.recover()
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


def preview(rows: Iterable[EditRow | BadRow], options: Options, studio: Studio) -> BatchPreview:
    """What a run would do, and about how long it would take. Nothing is written but the batch's own state.

    Raises:
        RequestError, OutputError, LedgerError: As `run` does.
    """
    with _desk(options) as desk:
        planned = plan(rows, options.rules, studio, desk.files, own_outputs(desk.ledger, options.folders.out))
        entries = {entry.id: entry for entry in desk.ledger.entries()}
        status = status_of(planned, entries.values(), desk.files, options.folders.out)
        chosen = choose(status, _wanted(planned, entries, options.where), options.limit)
        estimate = Estimate(0.0, {}, "there is nothing to do")
        if chosen:
            known = by_history(chosen, entries.values())
            estimate = known or by_trial(chosen, Worker(studio), replace(_task_options(options), thumbnails=False))
    return BatchPreview(planned, tuple(chosen), len(status.unchanged), len(status.to_do) - len(chosen), estimate)


def write_report(options: Options) -> Report:
    """Write report.html and report.csv anew from what is known. Raises OutputError or LedgerError."""
    with _desk(options) as desk:
        return _report(desk, options, None)


@contextlib.contextmanager
def _desk(options: Options) -> Iterator[_Desk]:
    folders = options.folders
    folders.make()
    with (
        folders.exclusive(),
        Ledger(folders.ledger) as ledger,
        Files(folders.files) as files,
        ThumbnailStore(folders.thumbnails) as thumbnail_store,
    ):
        audit = None
        if options.audit is not None:
            audit = AuditLog(options.audit)
            audit.check()
        yield _Desk(ledger, files, thumbnail_store, ResultPublisher(folders.out, ledger, files, audit))


def _planned(
    rows: Iterable[EditRow | BadRow], options: Options, studio: Studio, desk: _Desk
) -> tuple[BatchPlan, BatchStatus, dict[str, Entry]]:
    out = options.folders.out
    planned = plan(rows, options.rules, studio, desk.files, own_outputs(desk.ledger, out))
    desk.files.save()
    register(planned, desk.ledger, out, options.retries)
    entries = {entry.id: entry for entry in desk.ledger.entries()}
    return planned, status_of(planned, entries.values(), desk.files, out), entries


def _wanted(planned: BatchPlan, entries: dict[str, Entry], where: Filter | None) -> list[PlannedEdit]:
    if where is None:
        return list(planned.items)
    return [item for item in planned.items if where.matches(item, entries.get(item.id))]


def _task_options(options: Options) -> TaskOptions:
    key = None
    if options.private:
        log = options.audit or options.folders.state / "private.jsonl"
        key = Secret.beside(log, make=True).key
    return TaskOptions(
        base=options.rules.base,
        record=options.rules.record,
        log=None if options.audit is None else options.audit.parent,
        key=key,
        retries=options.retries,
        fail_fast=options.fail_fast,
        thumbnails=options.report,
    )


def _ended(tally: Tally, planned: BatchPlan, began: float, desk: _Desk, interrupted: bool) -> Ended:
    head = ""
    if desk.publisher.audit is not None:
        with contextlib.suppress(Exception):  # a damaged head is told by `audit verify`
            head = str(desk.publisher.audit.head)
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
    return write(desk.ledger, desk.thumbnail_store, options.folders.papers, head="" if ended is None else ended.head)
