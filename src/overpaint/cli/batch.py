"""`overpaint batch`: many edits from a list or a folder."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Group, Parameter

from overpaint.errors import RequestError
from overpaint.request import INTENTS

from . import fields
from .batch_options import ROWS, WHICH, Machine, Results, Rows, WatchedRows, Which, folders_of
from .batch_review import review
from .batch_setup import check_options, executor_of, listeners, options_of, read_rows, reader_of
from .options import WHERE_UNSET, Where, argument, switch
from .outputs import check_least
from .served import studio_for
from .texts import counted, help_text, print_json, print_line, visible

if TYPE_CHECKING:
    from overpaint.batch import Ended

IN_REVIEW = 3
"""The exit status of a run without failures that leaves results to be reviewed."""

_SETTINGS = fields.options(INTENTS["remove"], leave_out=("seed",))
_MOST_LEFT = 20  # rows that are named; --json names all
_ROWS, _UNSET, _MACHINE, _WHICH = Rows(), _SETTINGS(), Machine(), Which()
_WATCHED_ROWS = WatchedRows()


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

    from .batch_shown import shown

    read, options = read_rows(edits, rows, place, how, machine, which, results)
    with (
        studio_for(machine) as studio,
        shown(json=results.json, quiet=results.quiet) as display,
    ):
        if which.dry_run:
            preview = batches.preview(read, options, studio)
            display.preview(preview, options)
            return 1 if preview.plan.bad else IN_REVIEW if preview.in_review else 0
        show = listeners(display, results)
        with executor_of(machine) as executor:
            ended = batches.run(read, options, studio, on_event=show, executor=executor)
    return _status_of(ended)


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

    read, options = read_rows(edits, rows, place, how, machine, which, results)
    with studio_for(machine) as studio:
        found = batches.adopt(read, options, studio)
    if results.json:
        print_json(asdict(found))
    elif not results.quiet:
        for number, reason in found.left[:_MOST_LEFT]:
            print(visible(f"row {number} is not adopted: {reason}"))
        taken, rows_of = counted(len(found.adopted), "result"), counted(found.rows, "row")
        aside = f", {counted(len(found.in_review), 'more result')} in review" if found.in_review else ""
        print_line(f"adopted: {taken} of {rows_of}{aside}; {found.known} known before")
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

    from .batch_pruned import show_pruned

    if yes and which.dry_run:
        raise RequestError("{field} removes files, and --dry-run does not: give one of them", field="yes", value=True)
    read, options = read_rows(edits, rows, place, how, machine, which, results)
    with studio_for(machine) as studio:
        pruned = batches.prune(read, options, studio, dry_run=not yes)
    if results.json:
        print_json(asdict(pruned))
    elif not results.quiet:
        show_pruned(pruned)
    return 1 if pruned.failed else 0


@app.command
def watch(
    folder: Annotated[str, argument("DIR", "The folder that keeps being filled.", ROWS)],
    /,
    *,
    rows: WatchedRows = _WATCHED_ROWS,
    place: Where = WHERE_UNSET,
    how: Any = _UNSET,
    machine: Machine = _MACHINE,
    which: Which = _WHICH,
    results: Results,
) -> int:
    """Do the pictures of a folder as they arrive, until it is stopped, or nothing has come for a while.

    [dim]$[/] overpaint batch watch incoming --masks masks -o out
    [dim]$[/] overpaint batch watch incoming --box 10%,10%,30%,30% -o out --idle-exit 600
    """
    from overpaint import batch as batches
    from overpaint.batch.store import is_address

    from .batch_shown import shown

    if which.dry_run:
        message = "{field} has no meaning for a folder that is watched: use batch --images DIR --dry-run"
        raise RequestError(message, field="dry_run", value=True)
    check_options(machine, which, results)
    check_least("interval", rows.interval, 0.05)
    check_least("idle_exit", rows.idle_exit, 0)
    for field, name in (("images", folder), ("masks", rows.masks or "")):
        if is_address(name):
            raise RequestError("{field}: a folder of an object store can't be watched", field=field, value=name)
    images, masks = Path(folder).absolute(), None if rows.masks is None else Path(rows.masks).absolute()
    watched = batches.WatchedFolder(images, masks, rows.interval, rows.idle_exit)
    options = options_of(
        *folders_of(results.output, results.state, results.audit), Path.cwd(), (), machine, which, results
    )
    reader = reader_of(rows, place, how, machine, results)
    with (
        studio_for(machine) as studio,
        shown(json=results.json, quiet=results.quiet) as display,
        executor_of(machine) as executor,
    ):
        show = listeners(display, results)
        ended = batches.watch(watched, reader, options, studio, on_event=show, executor=executor)
    return _status_of(ended)


def _status_of(ended: Ended) -> int:
    if ended.failed or ended.stopped:
        return 1
    return IN_REVIEW if ended.in_review else 0


app.command(review)


for verb in (batch, adopt, prune, watch):  # for the parser; a type checker can't know a class that is made
    verb.__annotations__["how"] = _SETTINGS
