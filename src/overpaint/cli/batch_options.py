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
    Quality,
    Quiet,
    RecordPlace,
    Threads,
    argument,
    switch,
)

ROWS = Group("Rows", sort_key=0)
WHICH = Group("Which and when", sort_key=3.5)


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Rows:
    """Where rows come from."""

    images: Annotated[
        str | None, argument("--images", "Instead of a list: every picture in this folder and below.", ROWS, "DIR")
    ] = None
    masks: Annotated[
        str | None,
        argument(
            "--masks",
            "With --images: the folder with a mask of the same name for each, or one mask for all.",
            ROWS,
            "DIR|FILE",
        ),
    ] = None
    intent: Annotated[
        Intent | None, argument("--intent", "What rows are for that don't say so.", ROWS, show_default="remove")
    ] = None


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Machine:
    """How and where it runs."""

    sketch: Annotated[
        str | None, argument("--sketch", "Strokes with transparency, laid over every picture.", HOW, "FILE")
    ] = None
    option: Option = ()
    seed: Annotated[
        int,
        argument("--seed", "What the seeds of rows without one are drawn from, together with the row's id.", RUN, "N"),
    ] = 0
    device: DeviceName = "auto"
    threads: Threads = None
    allow_pickle: AllowPickle = False
    ray: Annotated[
        str | None,
        argument(
            "--ray",
            "Paint on a Ray cluster (extra 'ray'): the one that is here, that of a head, or N processors of this "
            "machine.",
            RUN,
            "auto|HOST:PORT|local:N",
        ),
    ] = None
    stall: Annotated[
        float,
        argument(
            "--stall",
            "With --ray: how long a worker may get on with nothing before another does its rows.",
            RUN,
            "SECONDS",
        ),
    ] = 600.0
    ahead: Annotated[
        int,
        argument(
            "--ahead",
            "How many rows are on their way at once: read, painted, written; with --ray, on each "
            "worker. Results don't depend on it.",
            RUN,
            "N",
        ),
    ] = 6


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Which:
    """Which rows are done, and when it ends."""

    where: Annotated[
        str | None,
        argument(
            "--where", 'Only rows for which this holds: intent == "remove" and like(image, "*.jpg").', WHICH, "'EXPR'"
        ),
    ] = None
    limit: Annotated[int | None, argument("--limit", "Do no more than so many rows now.", WHICH, "N")] = None
    retries: Annotated[
        int,
        argument(
            "--retries", "How often a row is tried again that failed for another reason than its input.", WHICH, "N"
        ),
    ] = 1
    fail_fast: Annotated[bool, switch("--fail-fast", "End at the first row that fails.", WHICH)] = False
    dry_run: Annotated[
        bool, switch("--dry-run", "Say what would be done and how long it would take; write no result.", WHICH)
    ] = False


@Parameter(name="*")
@dataclass(frozen=True, slots=True)
class Results:
    """Where results go, and their records."""

    output: Annotated[str, argument(("--output", "-o"), "The folder of results and of the report.", OUT, "DIR")]
    name: Annotated[
        str,
        argument(
            "--name",
            "What results are called: {name}, {intent}, {id}, {row}, {engine}, {folder}, {ext}.",
            OUT,
            "TEMPLATE",
            show_default="{folder}{name}.{intent}{ext}",
        ),
    ] = "{folder}{name}.{intent}{ext}"
    overwrite: Overwrite = False
    format: Annotated[str | None, argument("--format", f"{FORMATS}. Left out: as the picture.", OUT, "NAME")] = None
    quality: Quality = None
    record: Annotated[
        RecordPlace, argument("--record", "How each picture was made: within the file, beside it, or nowhere.", OUT)
    ] = "embed"
    audit: Annotated[
        str | None,
        argument(
            "--audit",
            "The audit log: one line for each edit, hash-chained.",
            OUT,
            "PATH|none",
            show_default="DIR/audit.jsonl",
        ),
    ] = None
    private: Annotated[
        bool,
        switch(
            "--private",
            "Keep prompts out of the audit log, but for their hashes, out of the report and out of the pictures.",
            OUT,
        ),
    ] = False
    report: Annotated[bool, argument("--report", "Write report.html and report.csv.", OUT, negative="--no-report")] = (
        True
    )
    state: Annotated[
        str | None,
        argument("--state", "Where the ledger is kept, on a local disk.", OUT, "DIR", show_default="DIR/.overpaint"),
    ] = None
    json: Annotated[
        bool,
        switch("--json", "One JSON object a line on standard output, for programs; so it is without a terminal.", OUT),
    ] = False
    quiet: Quiet = False
    debug: Debug = False
