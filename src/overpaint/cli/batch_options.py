"""The options of `overpaint batch`, as the values that the parser fills in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from cyclopts import Group, Parameter

from overpaint.request import Intent

from .options import (
    FORMATS,
    HOW,
    OUT,
    RUN,
    AllowPickle,
    Debug,
    DeviceName,
    Option,
    Overwrite,
    Quiet,
    RecordPlace,
    Threads,
)

ROWS = Group("Rows", sort_key=0)
WHICH = Group("Which and when", sort_key=3.5)


@dataclass(frozen=True, slots=True)
class Rows:
    """Where rows come from."""

    images: Annotated[
        str | None,
        Parameter(
            name="--images",
            metavar="DIR",
            help="Instead of a list: every picture in this folder and below.",
            group=ROWS,
        ),
    ] = None
    masks: Annotated[
        str | None,
        Parameter(
            name="--masks",
            metavar="DIR|FILE",
            help="With --images: the folder with a mask of the same name for each, or one mask for all.",
            group=ROWS,
        ),
    ] = None
    intent: Annotated[
        Intent | None,
        Parameter(name="--intent", help="What rows are for that don't say so.", show_default="remove", group=ROWS),
    ] = None


@dataclass(frozen=True, slots=True)
class Machine:
    """How and where it runs."""

    sketch: Annotated[
        str | None,
        Parameter(
            name="--sketch", metavar="FILE", help="Strokes with transparency, laid over every picture.", group=HOW
        ),
    ] = None
    option: Option = ()
    seed: Annotated[
        int,
        Parameter(
            name="--seed",
            metavar="N",
            help="What the seeds of rows without one are drawn from, together with the row's id.",
            group=RUN,
        ),
    ] = 0
    device: DeviceName = "auto"
    threads: Threads = None
    allow_pickle: AllowPickle = False
    ray: Annotated[
        str | None,
        Parameter(
            name="--ray",
            metavar="auto|HOST:PORT|local:N",
            help="Paint on a Ray cluster (extra 'ray'): the one that is here, that of a head, or N processors of this "
            "machine.",
            group=RUN,
        ),
    ] = None
    stall: Annotated[
        float,
        Parameter(
            name="--stall",
            metavar="SECONDS",
            help="With --ray: how long a worker may get on with nothing before another does its rows.",
            group=RUN,
        ),
    ] = 600.0
    ahead: Annotated[
        int,
        Parameter(
            name="--ahead",
            metavar="N",
            help="How many rows are on their way at once: read, painted, written; with --ray, on each "
            "worker. Results don't depend on it.",
            group=RUN,
        ),
    ] = 6


@dataclass(frozen=True, slots=True)
class Which:
    """Which rows are done, and when it ends."""

    where: Annotated[
        str | None,
        Parameter(
            name="--where",
            metavar="'EXPR'",
            help='Only rows for which this holds: intent == "remove" and like(image, "*.jpg").',
            group=WHICH,
        ),
    ] = None
    limit: Annotated[
        int | None, Parameter(name="--limit", metavar="N", help="Do no more than so many rows now.", group=WHICH)
    ] = None
    retries: Annotated[
        int,
        Parameter(
            name="--retries",
            metavar="N",
            help="How often a row is tried again that failed for another reason than its input.",
            group=WHICH,
        ),
    ] = 1
    fail_fast: Annotated[
        bool, Parameter(name="--fail-fast", negative=(), help="End at the first row that fails.", group=WHICH)
    ] = False
    dry_run: Annotated[
        bool,
        Parameter(
            name="--dry-run",
            negative=(),
            help="Say what would be done and how long it would take; write no result.",
            group=WHICH,
        ),
    ] = False


@dataclass(frozen=True, slots=True)
class Results:
    """Where results go and what is kept of how they were made."""

    output: Annotated[
        str,
        Parameter(name=("--output", "-o"), metavar="DIR", help="The folder of results and of the report.", group=OUT),
    ]
    name: Annotated[
        str,
        Parameter(
            name="--name",
            metavar="TEMPLATE",
            help="What results are called: {name}, {intent}, {id}, {row}, {engine}, {folder}, {ext}.",
            group=OUT,
            show_default="{folder}{name}.{intent}{ext}",
        ),
    ] = "{folder}{name}.{intent}{ext}"
    overwrite: Overwrite = False
    format: Annotated[
        str | None,
        Parameter(name="--format", metavar="NAME", help=f"{FORMATS}. Left out: as the picture.", group=OUT),
    ] = None
    quality: Annotated[
        int | None,
        Parameter(
            name="--quality",
            metavar="1-100",
            help="For JPEG, WebP and AVIF. Left out: JPEG as the picture, the others without loss.",
            group=OUT,
        ),
    ] = None
    record: Annotated[
        RecordPlace,
        Parameter(
            name="--record", help="How each picture was made: within the file, beside it, or nowhere.", group=OUT
        ),
    ] = "embed"
    audit: Annotated[
        str | None,
        Parameter(
            name="--audit",
            metavar="PATH|none",
            help="The audit log: one line for each edit, hash-chained.",
            show_default="DIR/audit.jsonl",
            group=OUT,
        ),
    ] = None
    private: Annotated[
        bool,
        Parameter(
            name="--private",
            negative=(),
            help="Keep prompts out of the audit log, but for their hashes, out of the report and out of the pictures.",
            group=OUT,
        ),
    ] = False
    report: Annotated[
        bool, Parameter(name="--report", negative="--no-report", help="Write report.html and report.csv.", group=OUT)
    ] = True
    state: Annotated[
        str | None,
        Parameter(
            name="--state",
            metavar="DIR",
            help="Where the ledger is kept, on a local disk.",
            show_default="DIR/.overpaint",
            group=OUT,
        ),
    ] = None
    json: Annotated[
        bool,
        Parameter(
            name="--json",
            negative=(),
            help="One JSON object a line on standard output, for programs; so it is without a terminal.",
            group=OUT,
        ),
    ] = False
    quiet: Quiet = False
    debug: Debug = False
