"""A whole batch: one call to run it, one to preview it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from overpaint.audit import AuditKey, AuditLog, Secret, head_path
from overpaint.errors import OutputError, OverpaintError, concerning
from overpaint.files import close_to_others, only_for_owner
from overpaint.ledger import Ledger, LedgerEntry
from overpaint.studio import Studio

from .clashes import OwnFiles
from .estimate import Estimate, by_history, by_trial
from .events import Began, Ended, Event, Failed
from .evidence import LogWitness, notes_on_lost, refuse_log_of_another
from .executor import Executor, ThreadExecutor
from .files import Files
from .filter import Filter
from .folders import BatchFolders
from .plan import BatchPlan, PlannedEdit, Rules, notes_on, plan
from .reasons import reason_of
from .refusals import refused_rows
from .report import PAGE, PLAIN, TABLE, TableForm, tidy, write
from .results import ResultPublisher
from .rows import BadRow, EditRow
from .runner import Runner, Tally
from .state_owner import bind_state
from .status import BatchStatus, notes_on_doubtful, own_files, register, status_of
from .task import RowLimits, TaskOptions
from .thumbnails import THUMBNAILS, ThumbnailStore
from .worker import Worker


@dataclass(frozen=True, slots=True)
class Options:
    """How a batch is run.

    Attributes:
        folders: Where results and state are kept.
        rules: What holds for the whole batch.
        audit: The audit log, or None to keep none.
        audit_key: Signs the log.
        accept_fault: Whether the run goes on over faults of the log, which is recorded in it.
        private: Whether prompts are kept as hashes only, nothing is embedded in results, no thumbnails are kept, and
            only their owner may read the files.
        retries: How often a row is tried again that failed for another reason than its input.
        limit: The most rows to do now; None for all.
        where: Which rows to do now; None for all.
        fail_fast: Whether the first failure ends the run.
        gate_retries: With `rules.gate`: how often a doubtful row is painted again with the next seed.
        ahead: How many rows are in progress at once.
        report: Whether report.html and report.csv are written.
        report_form: How report.csv is written.
        thumbnails: Whether the report has small pictures; None: unless the run is private.
        limits: What a row may take.
        notes: On the rows, for people; passed on with the first event.
    """

    folders: BatchFolders
    rules: Rules
    audit: Path | None
    audit_key: AuditKey | None = None
    accept_fault: bool = False
    private: bool = False
    retries: int = 1
    limit: int | None = None
    where: Filter | None = None
    fail_fast: bool = False
    gate_retries: int = 0
    ahead: int = 6
    report: bool = True
    report_form: TableForm = PLAIN
    thumbnails: bool | None = None
    limits: RowLimits = field(default_factory=RowLimits)
    notes: tuple[str, ...] = ()

    @property
    def keeps_thumbnails(self) -> bool:
        """Whether small pictures are made and kept."""
        return self.report and (not self.private if self.thumbnails is None else self.thumbnails)


@dataclass(frozen=True, slots=True)
class BatchPreview:
    """What a run would do.

    Attributes:
        plan: Every row; its bad ones include those that would be refused once their files are read.
        to_do: Rows that would be done.
        unchanged: Rows that are done already.
        left: Rows that could be done and would not be.
        estimate: How long it would take.
        notes: For people, as with the first event of a run.
        in_review: Rows whose result needs a review.
    """

    plan: BatchPlan
    to_do: tuple[PlannedEdit, ...]
    unchanged: int
    left: int
    estimate: Estimate
    notes: tuple[str, ...] = ()
    in_review: int = 0


def run(
    rows: Iterable[EditRow | BadRow],
    options: Options,
    studio: Studio,
    *,
    on_event: Callable[[Event], None] = lambda _: None,
    executor: Executor | None = None,
) -> Ended:
    """Run a batch: all of its rows that are not done yet.

    Args:
        rows: As they were read.
        studio: Has the engines, and paints unless an executor is given.
        on_event: Called with each event, on the calling thread.
        executor: Runs the rows; threads around the studio when left out.

    Raises:
        InputError: Two rows have one id, or would write one file; or none says what is painted.
        OutputError, LedgerError: The folder, the ledger or the audit log can't be written, or another run uses them.
        KeyboardInterrupt: The user stopped it; finished rows are kept, and the next run continues from there.
    """
    began = time.perf_counter()
    with session_of(options) as session:
        tidy(options.folders.reports)
        completed = session.recover()
        planned = session.plan(rows, studio)
        session.files.save()
        listed = register(planned, session.ledger, options.folders.out, options.retries, private=options.private)
        _, status, chosen = session.choose(planned)
        session.ledger.again(
            [item.id for item in chosen if item.id not in status.undecided], retries=max(0, options.retries)
        )
        total, left = len(planned.items) + len(planned.bad), len(status.to_do) - len(chosen)
        notes = session.notes(chosen, status, planned)
        in_review = len(status.in_review)
        on_event(Began(total, len(chosen), len(status.unchanged), left, len(planned.bad), completed, notes, in_review))
        for bad in planned.bad:
            reason = reason_of(bad.error, private=options.private)
            on_event(Failed(bad.name, bad.number, reason, begun=False, image=bad.image or ""))
        own = ThreadExecutor(studio, ahead=options.ahead)
        runner = Runner(executor or own, session.publisher, session.thumbnails, session.task_options, on_event)
        runner.tally = Tally(unchanged=len(status.unchanged), failed=len(planned.bad), in_review=in_review)
        if options.fail_fast and planned.bad:
            chosen, first = [], planned.bad[0]
            runner.tally.stopped = f"row {first.number}: {reason_of(first.error, private=options.private)}"
        return concluded(
            lambda: runner.run(status, chosen),
            own,
            lambda interrupted: session.end(listed, runner.tally, began, interrupted=interrupted),
            on_event,
        )


def concluded(
    work: Callable[[], None], own: ThreadExecutor, end: Callable[[bool], Ended], on_event: Callable[[Event], None]
) -> Ended:
    """Do the work, stop the threads, and tell of the end; `end` sums up, and gets whether it was interrupted."""
    try:
        work()
    except BaseException as error:
        with contextlib.suppress(OverpaintError):  # on a full disk, say; the first error is the one to raise
            own.stop()
            on_event(end(isinstance(error, KeyboardInterrupt)))
        raise
    own.stop()
    ended = end(False)
    on_event(ended)
    return ended


def preview(rows: Iterable[EditRow | BadRow], options: Options, studio: Studio) -> BatchPreview:
    """What a run would do, and about how long it would take. Nothing is written but the batch's own state.

    Raises:
        RequestError, OutputError, LedgerError: As `run` does.
    """
    with session_of(replace(options, accept_fault=False)) as session:
        planned = session.plan(rows, studio)
        entries, status, chosen = session.choose(planned)
        left, notes = len(status.to_do) - len(chosen), session.notes(chosen, status, planned)
        worker = Worker(studio)
        refused = refused_rows(chosen, worker, session.task_options)
        numbers = {row.number for row in refused}
        chosen = [item for item in chosen if item.row.number not in numbers]
        estimate = Estimate(0.0, "there is nothing to do")
        if chosen:
            known = by_history(chosen, entries.values())
            estimate = known or by_trial(chosen, worker, replace(session.task_options, thumbnails=False, out=None))
    bad = tuple(sorted((*planned.bad, *refused), key=lambda row: row.number))
    planned = BatchPlan(tuple(item for item in planned.items if item.row.number not in numbers), bad)
    return BatchPreview(
        planned, tuple(chosen), len(status.unchanged), left, estimate, notes, in_review=len(status.in_review)
    )


def _key(options: Options) -> bytes | None:
    """In private mode the salt of the log, which prompts and rows' keys are hashed with."""
    if not options.private:
        return None
    log = options.audit or options.folders.state / "private.jsonl"
    with concerning("state" if options.audit is None else "audit"):
        return Secret.beside(log, make=True).key


def _task_options(options: Options, key: bytes | None) -> TaskOptions:
    return TaskOptions(
        base=options.rules.base,
        record=options.rules.record,
        marking=options.rules.marking,
        log=None if options.audit is None else options.audit.parent,
        key=key,
        retries=options.retries,
        fail_fast=options.fail_fast,
        thumbnails=options.keeps_thumbnails,
        limits=options.limits,
        out=options.folders.out,
        gate=options.rules.gate,
        gate_retries=options.gate_retries,
    )


@dataclass(frozen=True, slots=True)
class BatchSession:
    """What is open while a batch is planned and run."""

    options: Options
    task_options: TaskOptions
    ledger: Ledger
    files: Files
    thumbnails: ThumbnailStore
    publisher: ResultPublisher

    def recover(self) -> int:
        """Complete what an earlier run or review left.

        Returns:
            The rows that got their result.

        Raises:
            OutputError: As of `ResultPublisher.decide`.
        """
        completed = [entry for entry in self.publisher.recover() if entry.result]
        for _ in self.publisher.take_decisions():
            pass
        left = self.ledger.left_decisions()  # nobody waits for these any more
        self.ledger.drop_decisions(one for one in left if one.problem is not None)
        return len(completed)

    def plan(self, rows: Iterable[EditRow | BadRow], studio: Studio, own: OwnFiles | None = None) -> BatchPlan:
        """The plan of the rows; `own` are the results of earlier runs, where they are known. Raises as
        `overpaint.batch.plan` does.
        """
        rules = replace(self.options.rules, key=self.task_options.key)
        known = own_files(self.ledger, self.options.folders.out) if own is None else own
        return plan(rows, rules, studio, self.files, known)

    def choose(self, planned: BatchPlan) -> tuple[dict[str, LedgerEntry], BatchStatus, list[PlannedEdit]]:
        """The ledger's entries by id, the plan compared with them, and the rows to do that filter and limit leave."""
        entries = {entry.id: entry for entry in self.ledger.entries()}
        tries = 1 + self.options.gate_retries
        gate = self.options.rules.gate
        status = status_of(planned, entries.values(), self.files, self.options.folders.out, tries, gate=gate)
        where = self.options.where
        found = [item for item in status.to_do if where is None or where.matches(item, entries.get(item.id))]
        return entries, status, found[: self.options.limit]

    def notes(self, chosen: Collection[PlannedEdit], status: BatchStatus, planned: BatchPlan) -> tuple[str, ...]:
        """The notes on the rows to do, on doubtful results that were done before, and on a ledger that was lost; in
        private mode one stands for all that quote prompts.
        """
        found = notes_on(chosen)
        if found and self.options.private:
            found = ("notes on the rows' prompts are left out, as they quote them",)
        gate, doubtful = self.options.rules.gate, status.doubtful
        if gate:
            doubtful &= {item.id for item in chosen}
        lost = notes_on_lost((bad.error for bad in planned.bad), self.options.audit)
        return (*self.options.notes, *lost, *notes_on_doubtful(len(doubtful), gate=gate), *found)

    def end(self, listed: Mapping[str, int], tally: Tally, began: float, *, interrupted: bool = False) -> Ended:
        """Complete what an interrupt left, write the report of the listed rows, and sum up."""
        try:
            states = [entry.state for entry in self.publisher.recover()]
            tally.done += states.count("done")
            tally.in_review += states.count("needs-review")
            tally.failed += states.count("failed")
        except OutputError as error:  # a full disk has no room for the audit's lines either; the next run writes them
            tally.stopped = tally.stopped or str(error)
        ended = Ended(
            **{**asdict(tally), "painting": round(tally.painting, 3)},
            left=len(listed) + tally.departed - tally.done - tally.unchanged - tally.failed - tally.in_review,
            seconds=round(time.perf_counter() - began, 3),
            interrupted=interrupted,
            head=self.head,
        )
        try:
            self.report(listed)
        except OutputError as error:  # the run is reported all the same
            ended = replace(ended, stopped=ended.stopped or str(error))
        return ended

    def report(self, listed: Mapping[str, int]) -> None:
        """Write the report of the listed rows, where one is kept. Raises OutputError."""
        if self.options.private:  # a run that was not private may have left prompts of rows that are not in the list
            self.ledger.drop_details(("prompt", "warnings", "notes"), keep=listed)
        if self.options.report:
            folder, form = self.options.folders.reports, self.options.report_form
            write(self.ledger, self.thumbnails, folder, head=self.head, listed=listed, form=form)

    @property
    def head(self) -> str:
        """The end of the audit log's chain; "" where none is kept."""
        if self.publisher.audit is not None:
            with contextlib.suppress(Exception):  # `audit verify` reports a damaged head
                return str(self.publisher.audit.head)
        return ""


@contextlib.contextmanager
def session_of(options: Options) -> Iterator[BatchSession]:
    """All that a run needs, open and for this process alone.

    Raises:
        OutputError, LedgerError: A folder, the ledger or the audit log can't be written, or another run uses them.
    """
    folders = options.folders
    with only_for_owner(options.private):
        folders.make()
        with folders.exclusive():
            if options.private:
                _close_files(options)
            with (
                Ledger(folders.ledger) as ledger,
                Files(folders.state / "files.sqlite", seconds=options.limits.reading) as files,
                ThumbnailStore(folders.state / THUMBNAILS) as thumbnails,
            ):
                bind_state(folders, ledger)
                witness = _witness(options, ledger)
                audit = None if witness is None else _audit_log(options, witness)
                folders.name_state()
                if options.private:
                    close_to_others(path for path in own_files(ledger, folders.out) if isinstance(path, Path))
                name = "" if witness is None else witness.key
                publisher = ResultPublisher(folders.out, ledger, files, audit, name, private=options.private)
                yield BatchSession(options, _task_options(options, _key(options)), ledger, files, thumbnails, publisher)


def _witness(options: Options, ledger: Ledger) -> LogWitness | None:
    """What the ledger knows of the log. OutputError where that is another batch's."""
    if options.audit is None:
        return None
    refuse_log_of_another(options.audit, ledger)
    return LogWitness.of(ledger, options.audit, options.folders.reports)


def _audit_log(options: Options, witness: LogWitness) -> AuditLog:
    assert options.audit is not None
    audit = AuditLog(options.audit, key=options.audit_key, ledger=witness)
    if options.accept_fault:
        audit.accept_faults()
    audit.check()
    return audit


def _close_files(options: Options) -> None:
    """Close files of earlier runs to others, as those may not have been private; remove thumbnails without use."""
    folders = options.folders
    if not options.keeps_thumbnails:
        for path in folders.state.glob(THUMBNAILS + "*"):
            path.unlink(missing_ok=True)
    log = options.audit
    own = () if log is None or log.parent != folders.reports else (log, head_path(log))
    close_to_others((folders.state, *folders.state.iterdir(), folders.reports / PAGE, folders.reports / TABLE, *own))
