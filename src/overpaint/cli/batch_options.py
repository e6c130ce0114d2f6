"""The options of `overpaint batch`, as the values that the parser fills in. Their attributes' lines are the help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter

from overpaint.doors.names import DEFAULT_TEMPLATE
from overpaint.request import Intent

from .options import (
    FORMATS,
    HOW,
    OUT,
    RUN,
    AllowPickle,
    Controls,
    Debug,
    DeviceName,
    KeyFile,
    MaxPixels,
    Option,
    Overwrite,
    Quality,
    Quiet,
    RegionPrompts,
    Server,
    Threads,
    argument,
    flattened,
)
from .result_options import (
    SIGNING_UNSET,
    AcceptFault,
    AuditKeyFile,
    Provenance,
    RecordPlace,
    Signing,
    WatermarkName,
    WatermarkPlace,
    WatermarkText,
)
from .served import server_url

if TYPE_CHECKING:
    from overpaint.batch import BatchFolders

ROWS = Group("Rows", sort_key=0)
WHICH = Group("Which and when", sort_key=3.5)


@flattened(ROWS)
@dataclass(frozen=True, slots=True)
class Rows:
    """Where rows come from.

    Attributes:
        images: Instead of a list: every picture in this folder and below.
        masks: With --images: the folder with a mask of the same name for each, or one mask for all.
        intent: What rows are for that don't say so.
        allow: The beginning of addresses that rows may name, such as s3://bucket/; none is without. May be given again.
    """

    images: Annotated[str | None, Parameter(metavar="DIR")] = None
    masks: Annotated[str | None, Parameter(metavar="DIR|FILE")] = None
    intent: Annotated[Intent | None, Parameter(show_default="remove")] = None
    allow: Annotated[tuple[str, ...], Parameter(metavar="ADDRESS")] = ()


@flattened(ROWS)
@dataclass(frozen=True, slots=True)
class WatchedRows:
    """Where rows come from that arrive.

    Attributes:
        masks: The folder with a mask of the same name for each picture, or one mask for all.
        intent: What rows are for.
        interval: Look at the folder so often; a file that stays equal for so long is not being written any more.
        idle_exit: End when nothing has come and nothing was to be done for so long; else only a signal ends it.
    """

    masks: Annotated[str | None, Parameter(metavar="DIR|FILE")] = None
    intent: Annotated[Intent | None, Parameter(show_default="remove")] = None
    interval: Annotated[float, Parameter(metavar="SECONDS")] = 2.0
    idle_exit: Annotated[float | None, Parameter(metavar="SECONDS")] = None


@flattened(RUN)
@dataclass(frozen=True, slots=True)
class Machine:
    """How and where it runs.

    Attributes:
        sketch: Strokes with transparency, laid over every picture.
        seed: What the seeds of rows without one are drawn from, together with the row's id.
        row_timeout: How long a row may be painted; reading its files may take a minute of that.
        row_memory: How much memory a row may take, such as 2G. Rows wait for one another where they need more together.
        stall: With --ray: how long a worker may get on with nothing before another does its rows.
        keep_workers: With --ray: how long workers wait after the run for another one, with the models that they loaded.
    """

    sketch: Annotated[str | None, Parameter(metavar="FILE", group=HOW)] = None
    insert: Annotated[
        str | None, argument("--with", "A picture to put in: the background, or the object, of every row.", HOW, "FILE")
    ] = None
    option: Option = ()
    region_prompt: RegionPrompts = ()
    control: Controls = ()
    seed: Annotated[int, Parameter(metavar="N")] = 0
    server: Server = None
    key_file: KeyFile = None
    device: DeviceName = "auto"
    threads: Threads = None
    allow_pickle: AllowPickle = False
    max_pixels: MaxPixels = None
    row_timeout: Annotated[float, Parameter(metavar="SECONDS")] = 3600.0
    row_memory: Annotated[str | None, Parameter(metavar="SIZE", show_default="half of what is free")] = None
    ray: Annotated[
        str | None,
        Parameter(
            help="Paint on a Ray cluster (extra 'ray'): the one that is here, that of a head, or N processors of this "
            "machine.",
            metavar="auto|HOST:PORT|local:N",
        ),
    ] = None
    stall: Annotated[float, Parameter(metavar="SECONDS")] = 600.0
    keep_workers: Annotated[float, Parameter(metavar="SECONDS", show_default="they end with it")] = 0.0
    ahead: Annotated[
        int | None,
        Parameter(
            help="How many rows are on their way at once: read, painted, written; with --ray, on each worker. Results "
            "don't depend on it.",
            metavar="N",
            show_default="6; 16 with --server",
        ),
    ] = None

    @property
    def rows_ahead(self) -> int:
        """How many rows are on their way at once. A server paints several, and each takes a while to get there."""
        if self.ahead is not None:
            return self.ahead
        return 6 if server_url(self.server) is None else 16


@flattened(WHICH)
@dataclass(frozen=True, slots=True)
class Which:
    """Which rows are done, and when it ends.

    Attributes:
        where: Only rows for which this holds: intent == "remove" and like(image, "*.jpg").
        limit: Do no more than so many rows now.
        retries: How often a row is tried again that failed for another reason than its input.
        fail_fast: End at the first row that fails.
        gate: Set doubtful results aside in DIR/needs-review; 'overpaint batch review' accepts or rejects them.
        gate_retries: With --gate: paint a doubtful row up to N times again with the next seed, and keep the least
            doubtful result.
        dry_run: Say what would be done and how long it would take; write no result.
    """

    where: Annotated[str | None, Parameter(metavar="'EXPR'")] = None
    limit: Annotated[int | None, Parameter(metavar="N")] = None
    retries: Annotated[int, Parameter(metavar="N")] = 1
    fail_fast: bool = False
    gate: bool = False
    gate_retries: Annotated[int, Parameter(metavar="N")] = 0
    dry_run: bool = False


@flattened(OUT)
@dataclass(frozen=True, slots=True)
class Results:
    """Where results go, and their records.

    Attributes:
        output: The folder of results and of the report.
        name: What results are called: {name}, {intent}, {id}, {row}, {engine}, {folder}, {ext}.
        record: How each picture was made: within the file, beside it, or nowhere.
        audit: The audit log: one line for each edit, hash-chained.
        private: Keep prompts out of the audit log, but for their hashes, out of the report and out of the pictures;
            only you may read the files.
        report: Write report.html and report.csv.
        report_csv: How report.csv is written: plain, or so that Excel opens it rightly by a double click, in languages
            with a decimal comma as excel-de.
        thumbnails: Keep small pictures for the report.
        state: Where the ledger is kept, on a local disk.
        on_end: When the run has ended, run this command with its last event on standard input, or send that to this
            http(s) address.
        metrics: Keep counts, rates and times of the run in this file for Prometheus.
        otlp: Send the same to an OpenTelemetry collector at this http(s) address (extra 'otlp').
        json: One JSON object a line on standard output, for programs; so it is without a terminal.
    """

    output: Annotated[str, Parameter(alias="-o", metavar="DIR")]
    name: Annotated[str, Parameter(metavar="TEMPLATE", show_default=DEFAULT_TEMPLATE)] = DEFAULT_TEMPLATE
    overwrite: Overwrite = False
    format: Annotated[str | None, Parameter(help=f"{FORMATS}. Left out: as the picture.", metavar="NAME")] = None
    quality: Quality = None
    record: RecordPlace = "embed"
    provenance: Provenance = "embed"
    watermark: WatermarkName = None
    watermark_area: WatermarkPlace = "patch"
    watermark_payload: WatermarkText = None
    signing: Signing = SIGNING_UNSET
    audit: Annotated[str | None, Parameter(metavar="PATH|none", show_default="DIR/audit.jsonl")] = None
    audit_key: AuditKeyFile = None
    accept_fault: AcceptFault = False
    private: bool = False
    report: Annotated[bool, Parameter(negative="--no-report")] = True
    report_csv: Literal["plain", "excel", "excel-de"] = "plain"
    thumbnails: Annotated[bool | None, Parameter(negative="--no-thumbnails", show_default="yes; no with --private")] = (
        None
    )
    state: Annotated[str | None, Parameter(metavar="DIR", show_default="DIR/.overpaint")] = None
    on_end: Annotated[str | None, Parameter(metavar="COMMAND|URL")] = None
    metrics: Annotated[str | None, Parameter(metavar="FILE")] = None
    otlp: Annotated[str | None, Parameter(metavar="URL")] = None
    json: bool = False
    quiet: Quiet = False
    debug: Debug = False


def folders_of(output: str, state: str | None, audit: str | None) -> tuple[BatchFolders, Path | None]:
    """Where results and state are kept, and the audit log; None for none."""
    from overpaint.batch import BatchFolders
    from overpaint.batch.store import at

    folders = BatchFolders.at(at(Path.cwd(), output), None if state is None else Path(state))
    if audit is None:
        return folders, folders.reports / "audit.jsonl"
    return folders, None if audit == "none" else Path(audit).absolute()
