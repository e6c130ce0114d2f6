"""What the options of `overpaint batch` and its verbs mean: rows, the options of a run, the listeners to its events."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from overpaint.doors.controls import control_inputs
from overpaint.doors.forms import bytes_of
from overpaint.doors.places import WORDS, Places
from overpaint.doors.requests import settings_of
from overpaint.errors import RequestError, concerning
from overpaint.files import check_writable

from . import fields
from .audit import key_of
from .batch_options import Machine, Results, Rows, WatchedRows, Which, folders_of
from .options import Where, region_prompts
from .outputs import check_least, check_marks, check_quality, marking_of
from .served import server_url
from .streams import STDIO
from .texts import visible

if TYPE_CHECKING:
    from overpaint.batch import BadRow, BatchFolders, EditRow, Event, Executor, Options, Place, Reader

    from .batch_shown import Display


def read_rows(
    edits: str | None, rows: Rows, place: Where, how: Any, machine: Machine, which: Which, results: Results
) -> tuple[list[EditRow | BadRow], Options]:
    """The rows, and how they are done."""
    from overpaint.batch.store import is_address

    _check(edits, rows, machine, which, results)
    folders, audit = folders_of(results.output, results.state, results.audit)
    found, base, notes = _found(edits, rows, folders, audit, private=results.private)
    reader = reader_of(rows, place, how, machine, results)
    allow = (*rows.allow, *filter(is_address, (rows.images or "", rows.masks or "")))
    read: list[EditRow | BadRow] = [reader.read(one) for one in found]
    return read, replace(options_of(folders, audit, base, allow, machine, which, results), notes=notes)


def reader_of(rows: Rows | WatchedRows, place: Where, how: Any, machine: Machine, results: Results) -> Reader:
    """Reads rows, with the options that hold for all of them."""
    from overpaint import batch as batches

    # files for every row are relative to the folder that the command runs in
    shared = batches.RowDefaults(
        settings=settings_of(rows.intent, fields.settings(how), machine.option),
        places=_of_here(place),
        sketch=None if machine.sketch is None else str(Path(machine.sketch).absolute()),
        controls=tuple(
            one if one.file is None else one.named(str(Path(one.file).absolute()))
            for one in control_inputs(machine.control)
        ),
        regions=tuple(replace(one, places=_of_here(one.places)) for one in region_prompts(machine.region_prompt)),
        insert=None if machine.insert is None else str(Path(machine.insert).absolute()),
        format=results.format,
        quality=results.quality,
    )
    return batches.Reader(shared)


def _of_here(places: Places) -> Places:
    """Places whose mask files are named from the root, as a list has names of its own."""
    files = (one if one in WORDS else str(Path(one).absolute()) for one in places.mask)
    return replace(places, mask=tuple(files))


def listeners(display: Display, results: Results) -> Callable[[Event], None]:
    """What the events of a run go to."""
    from overpaint.batch.metrics import MetricsFile, RunCounts
    from overpaint.batch.store import is_address

    from .on_end import EndNotice

    counts = RunCounts()
    shown = [display.show, counts.show]
    if results.metrics is not None:
        shown.append(MetricsFile(Path(results.metrics).absolute(), counts).show)
    if results.otlp is not None:
        from overpaint.batch.otlp import OtlpExport

        shown.append(OtlpExport(results.otlp, counts, private=results.private, warn=_warn).show)
    if results.on_end is not None:
        out = results.output if is_address(results.output) else str(Path(results.output).absolute())
        shown.append(EndNotice(results.on_end, {"run": display.run, "output": out}).show)

    def show(event: Event) -> None:
        for one in shown:
            one(event)

    return show


def _warn(text: str) -> None:
    print(visible(f"overpaint: {text}"), file=sys.stderr, flush=True)


@contextlib.contextmanager
def executor_of(machine: Machine) -> Iterator[Executor | None]:
    """The workers of a cluster; None without `--ray`: threads of this process then do the rows."""
    if machine.ray is None:
        yield None
        return
    if server_url(machine.server) is not None:
        raise RequestError(
            "{field} paints on a cluster, and a server is named too",
            code="server-decides",
            field="ray",
            value=machine.ray,
            hint="leave out one of the two",
        )
    from overpaint.batch.cluster import ClusterOptions, RayExecutor
    from overpaint.batch.connect import connected
    from overpaint.studio import Studio

    threads = machine.threads or 1
    make = partial(Studio, device=machine.device, threads=threads, allow_pickle=machine.allow_pickle)
    terms = ClusterOptions(
        ahead=machine.rows_ahead,
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
    check_options(machine, which, results)


def check_options(machine: Machine, which: Which, results: Results) -> None:
    """Check what the parser can't. Raises RequestError, OutputError."""
    from overpaint.batch.metrics import check_metrics_file

    from .on_end import check_notice

    check_least("limit", which.limit, 0)
    check_least("retries", which.retries, 0)
    check_least("gate_retries", which.gate_retries, 0)
    if which.gate_retries and not which.gate:
        raise RequestError("{field} goes with --gate", field="gate_retries", value=which.gate_retries)
    check_least("ahead", machine.ahead, 1)
    check_least("threads", machine.threads, 1)
    check_least("stall", machine.stall, 1)
    check_least("keep_workers", machine.keep_workers, 0)
    if machine.keep_workers and (machine.ray is None or machine.ray.startswith("local:")):
        message = "{field} goes with a cluster that outlasts the command, and --ray names none"
        raise RequestError(message, field="keep_workers", value=machine.keep_workers)
    check_least("row_timeout", machine.row_timeout, 1)
    check_quality(results.quality)
    check_marks(results)
    if results.metrics is not None:
        with concerning("metrics"):
            check_writable(Path(results.metrics), overwrite=True)
            check_metrics_file(Path(results.metrics))
    if results.on_end is not None:
        check_notice(results.on_end)
    for field, given in (("audit_key", results.audit_key), ("accept_fault", results.accept_fault)):
        if given and results.audit == "none":
            raise RequestError("{field} is about the audit log, and --audit none keeps none", field=field, value=given)


def _found(
    edits: str | None, rows: Rows, folders: BatchFolders, audit: Path | None, *, private: bool
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
        return read_text(text, "jsonl", "standard input", private=private), Path.cwd(), ()
    return read_manifest(Path(edits), private=private), Path(edits).absolute().parent, ()


def _place(name: str, field: str) -> Place:
    """A folder that an option names: a path as it is given, or an address."""
    from overpaint.batch import Address
    from overpaint.batch.credentials import check_no_credentials
    from overpaint.batch.store import is_address

    check_no_credentials(name, field)
    return Address(name) if is_address(name) else Path(name)


def options_of(
    folders: BatchFolders,
    audit: Path | None,
    base: Path,
    allow: tuple[str, ...],
    machine: Machine,
    which: Which,
    results: Results,
) -> Options:
    """The options of a run."""
    from overpaint.batch import Filter, Options, RowLimits, Rules
    from overpaint.batch.report import FORMS

    return Options(
        folders=folders,
        rules=Rules(
            out=folders.out,
            base=base,
            name=results.name,
            seed=machine.seed,
            record="none" if results.private else results.record,
            marking=marking_of(results),
            overwrite=results.overwrite,
            gate=which.gate,
            allow=allow,
        ),
        audit=audit,
        audit_key=key_of(results.audit_key),
        accept_fault=results.accept_fault,
        private=results.private,
        retries=which.retries,
        limit=which.limit,
        where=None if which.where is None else Filter.of(which.where),
        fail_fast=which.fail_fast,
        gate_retries=which.gate_retries,
        ahead=machine.rows_ahead,
        report=results.report,
        report_form=FORMS[results.report_csv],
        thumbnails=results.thumbnails,
        limits=RowLimits(
            pixels=machine.max_pixels,
            seconds=machine.row_timeout,
            memory=None if machine.row_memory is None else bytes_of(machine.row_memory, "row_memory"),
        ),
    )
