"""`overpaint batch`: many edits from a list or a folder."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Group, Parameter

from overpaint.doors.forms import bytes_of
from overpaint.doors.places import WORDS
from overpaint.doors.requests import settings_of
from overpaint.errors import RequestError, concerning
from overpaint.files import check_writable
from overpaint.request import INTENTS

from . import fields
from .audit import key_of
from .batch_options import ROWS, WHICH, Machine, Results, Rows, Which
from .options import WHERE_UNSET, Where, switch
from .outputs import check_least, check_quality
from .streams import STDIO
from .texts import counted, help_text, print_json, visible

if TYPE_CHECKING:
    from overpaint.batch import BadRow, BatchFolders, EditRow, Event, Executor, Options, Place

    from .batch_shown import Display

_SETTINGS = fields.options(INTENTS["remove"], leave_out=("seed",))
_MOST_LEFT = 20  # rows that are named; --json names all
_ROWS, _UNSET, _MACHINE, _WHICH = Rows(), _SETTINGS(), Machine(), Which()


app = App(
    name="batch",
    usage="Usage: overpaint batch EDITS -o DIR [OPTIONS]",
    help=help_text(
        "Many edits, from a list or a folder. Run it again, and only rows that are missing or have changed are done.",
        (
            "batch edits.jsonl -o out",
            "batch --images photos --masks masks --intent remove -o out",
            "batch edits.csv -o out --where 'state == \"failed\"' --dry-run",
        ),
    ),
    group_commands=Group("Other verbs", sort_key=9),
)


@app.default
def batch(
    edits: Annotated[str | None, Parameter(group=ROWS)] = None,
    /,
    *,
    rows: Rows = _ROWS,
    place: Where = WHERE_UNSET,
    how: Any = _UNSET,
    machine: Machine = _MACHINE,
    which: Which = _WHICH,
    results: Results,
) -> int:
    """Do the edits of a list or a folder.

    Args:
        edits: The list, a row for each edit: .jsonl, .json, .csv or .yaml; - reads JSON lines from standard input.
    """
    from overpaint import batch as batches
    from overpaint.studio import Studio

    from .batch_shown import shown

    read, options = _read(edits, rows, place, how, machine, which, results)
    with (
        Studio(device=machine.device, threads=machine.threads, allow_pickle=machine.allow_pickle) as studio,
        shown(json=results.json, quiet=results.quiet) as display,
    ):
        if which.dry_run:
            display.preview(batches.preview(read, options, studio), options)
            return 0
        show = _listeners(display, results)
        with _executor(machine) as executor:
            ended = batches.run(read, options, studio, on_event=show, executor=executor)
    return 1 if ended.failed or ended.stopped else 0


@app.command
def adopt(
    edits: Annotated[str | None, Parameter(group=ROWS)] = None,
    /,
    *,
    rows: Rows = _ROWS,
    place: Where = WHERE_UNSET,
    how: Any = _UNSET,
    machine: Machine = _MACHINE,
    which: Which = _WHICH,
    results: Results,
) -> int:
    """Take results into the ledger after it was lost: those that the audit log proves to be of the list's rows.

    [dim]$[/] overpaint batch adopt edits.jsonl -o out

    Give the options of the run. Nothing is painted; the next run of the list does the rows that are left.

    Args:
        edits: The list.
    """
    from overpaint import batch as batches
    from overpaint.studio import Studio

    read, options = _read(edits, rows, place, how, machine, which, results)
    with Studio(device=machine.device, threads=machine.threads, allow_pickle=machine.allow_pickle) as studio:
        found = batches.adopt(read, options, studio)
    if results.json:
        print_json(asdict(found))
    elif not results.quiet:
        for number, reason in found.left[:_MOST_LEFT]:
            print(visible(f"row {number} is not adopted: {reason}"))
        taken, rows_of = counted(len(found.adopted), "result"), counted(found.rows, "row")
        print(f"adopted: {taken} of {rows_of}; {found.known} known before")
    return 1 if found.left else 0


@app.command
def prune(
    edits: Annotated[str | None, Parameter(group=ROWS)] = None,
    /,
    *,
    rows: Rows = _ROWS,
    place: Where = WHERE_UNSET,
    how: Any = _UNSET,
    machine: Machine = _MACHINE,
    which: Which = _WHICH,
    yes: Annotated[bool, switch("--yes", "Remove the files; without it they are only listed.", WHICH)] = False,
    results: Results,
) -> int:
    """Remove the files of rows that have left the list, and what killed runs left; without --yes they are only listed.

    [dim]$[/] overpaint batch prune edits.jsonl -o out
    [dim]$[/] overpaint batch prune edits.jsonl -o out --yes

    Give the options of the run. Files that were changed since they were written, and results of rows that can't be done
    now, are kept.

    Args:
        edits: The list.
    """
    from overpaint import batch as batches
    from overpaint.studio import Studio

    from .batch_pruned import show_pruned

    if yes and which.dry_run:
        raise RequestError("{field} removes files, and --dry-run does not: give one of them", field="yes", value=True)
    read, options = _read(edits, rows, place, how, machine, which, results)
    with Studio(device=machine.device, threads=machine.threads, allow_pickle=machine.allow_pickle) as studio:
        pruned = batches.prune(read, options, studio, dry_run=not yes)
    if results.json:
        print_json(asdict(pruned))
    elif not results.quiet:
        show_pruned(pruned)
    return 1 if pruned.failed else 0


def _read(
    edits: str | None, rows: Rows, place: Where, how: Any, machine: Machine, which: Which, results: Results
) -> tuple[list[EditRow | BadRow], Options]:
    """The rows, and how they are done."""
    from overpaint import batch as batches

    _check(edits, rows, machine, which, results)
    folders, audit = _folders(results)
    found, base, notes = _found(edits, rows, folders, audit)
    # files for every row are relative to the folder that the command runs in
    shared = batches.RowDefaults(
        settings=settings_of(rows.intent, fields.settings(how), machine.option),
        places=replace(place, mask=tuple(one if one in WORDS else str(Path(one).absolute()) for one in place.mask)),
        sketch=None if machine.sketch is None else str(Path(machine.sketch).absolute()),
        insert=None if machine.insert is None else str(Path(machine.insert).absolute()),
        format=results.format,
        quality=results.quality,
    )
    reader = batches.Reader(shared)
    read: list[EditRow | BadRow] = [reader.read(one) for one in found]
    return read, replace(_options(folders, audit, base, rows, machine, which, results), notes=notes)


for verb in (batch, adopt, prune):  # for the parser; a type checker can't know a class that is made
    verb.__annotations__["how"] = _SETTINGS


def _listeners(display: Display, results: Results) -> Callable[[Event], None]:
    """What the events of a run go to."""
    from overpaint.batch.metrics import MetricsFile, RunCounts

    from .on_end import EndNotice

    counts = RunCounts()
    shown = [display.show, counts.show]
    if results.metrics is not None:
        shown.append(MetricsFile(Path(results.metrics).absolute(), counts).show)
    if results.otlp is not None:
        from overpaint.batch.otlp import OtlpExport

        shown.append(OtlpExport(results.otlp, counts, private=results.private, warn=_warn).show)
    if results.on_end is not None:
        shown.append(EndNotice(results.on_end).show)

    def show(event: Event) -> None:
        for one in shown:
            one(event)

    return show


def _warn(text: str) -> None:
    print(visible(f"overpaint: {text}"), file=sys.stderr, flush=True)


@contextlib.contextmanager
def _executor(machine: Machine) -> Iterator[Executor | None]:
    """The workers of a cluster; None without `--ray`: threads of this process then do the rows."""
    if machine.ray is None:
        yield None
        return
    from overpaint.batch.cluster import ClusterOptions, RayExecutor
    from overpaint.batch.connect import connected
    from overpaint.studio import Studio

    threads = machine.threads or 1
    make = partial(Studio, device=machine.device, threads=threads, allow_pickle=machine.allow_pickle)
    terms = ClusterOptions(
        ahead=machine.ahead,
        cpus=threads,
        gpus=machine.device in ("auto", "cuda"),
        stall=machine.stall,
        keep=machine.keep_workers,
    )
    with connected(machine.ray), RayExecutor(make, terms) as executor:
        yield executor


def _check(edits: str | None, rows: Rows, machine: Machine, which: Which, results: Results) -> None:
    if (edits is None) == (rows.images is None):
        raise RequestError("batch needs a list of edits, or --images DIR" + (", not both" if edits else ""))
    if rows.masks is not None and rows.images is None:
        message = "--masks goes with --images; a list names the mask of each row itself"
        raise RequestError(message, field="masks", value=rows.masks)
    check_least("limit", which.limit, 0)
    check_least("retries", which.retries, 0)
    check_least("ahead", machine.ahead, 1)
    check_least("threads", machine.threads, 1)
    check_least("stall", machine.stall, 1)
    check_least("keep_workers", machine.keep_workers, 0)
    if machine.keep_workers and (machine.ray is None or machine.ray.startswith("local:")):
        message = "{field} goes with a cluster that outlasts the command, and --ray names none"
        raise RequestError(message, field="keep_workers", value=machine.keep_workers)
    check_least("row_timeout", machine.row_timeout, 1)
    check_quality(results.quality)
    if results.metrics is not None:
        with concerning("metrics"):
            check_writable(Path(results.metrics), overwrite=True)
    if results.on_end is not None and not results.on_end.strip():
        raise RequestError("{field} takes a command or an address", field="on_end", value=results.on_end)
    for field, given in (("audit_key", results.audit_key), ("accept_fault", results.accept_fault)):
        if given and results.audit == "none":
            raise RequestError("{field} is about the audit log, and --audit none keeps none", field=field, value=given)


def _folders(results: Results) -> tuple[BatchFolders, Path | None]:
    """Where results and state are kept, and the audit log; None for none."""
    from overpaint.batch import BatchFolders
    from overpaint.batch.store import at

    state = None if results.state is None else Path(results.state)
    folders = BatchFolders.at(at(Path.cwd(), results.output), state)
    if results.audit is None:
        return folders, folders.reports / "audit.jsonl"
    return folders, None if results.audit == "none" else Path(results.audit).absolute()


def _found(
    edits: str | None, rows: Rows, folders: BatchFolders, audit: Path | None
) -> tuple[list[Any], Path, tuple[str, ...]]:
    """The rows before they are read, the folder that their paths are relative to, and notes."""
    from overpaint.batch import files_of_runs, read_folders, read_manifest, read_text
    from overpaint.batch.manifest import LARGEST_LIST, decoded

    if edits is None:
        listed = read_folders(
            _place(rows.images or "", "images"),
            None if rows.masks is None else _place(rows.masks, "masks"),
            leave_out=folders.out,
            own=files_of_runs(folders, audit),
        )
        return list(listed.rows), Path.cwd(), listed.notes
    if edits == STDIO:
        text = decoded(sys.stdin.buffer.read(LARGEST_LIST + 1), "standard input")
        return read_text(text, "jsonl", "standard input"), Path.cwd(), ()
    return read_manifest(Path(edits)), Path(edits).absolute().parent, ()


def _place(name: str, field: str) -> Place:
    """A folder that an option names: a path as it is given, or an address."""
    from overpaint.batch import Address
    from overpaint.batch.credentials import check_no_credentials
    from overpaint.batch.store import is_address

    check_no_credentials(name, field)
    return Address(name) if is_address(name) else Path(name)


def _options(
    folders: BatchFolders,
    audit: Path | None,
    base: Path,
    rows: Rows,
    machine: Machine,
    which: Which,
    results: Results,
) -> Options:
    from overpaint.batch import Filter, Options, RowLimits, Rules
    from overpaint.batch.store import is_address

    return Options(
        folders=folders,
        rules=Rules(
            out=folders.out,
            base=base,
            name=results.name,
            seed=machine.seed,
            record="none" if results.private else results.record,
            overwrite=results.overwrite,
            allow=(*rows.allow, *filter(is_address, (rows.images or "", rows.masks or ""))),
        ),
        audit=audit,
        audit_key=key_of(results.audit_key),
        accept_fault=results.accept_fault,
        private=results.private,
        retries=which.retries,
        limit=which.limit,
        where=None if which.where is None else Filter.of(which.where),
        fail_fast=which.fail_fast,
        ahead=machine.ahead,
        report=results.report,
        thumbnails=results.thumbnails,
        limits=RowLimits(
            pixels=machine.max_pixels,
            seconds=machine.row_timeout,
            memory=None if machine.row_memory is None else bytes_of(machine.row_memory, "row_memory"),
        ),
    )
