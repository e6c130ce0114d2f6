"""`overpaint batch review`: doubtful results that a run has set aside."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from overpaint.errors import RequestError

from .audit import key_of
from .batch_options import folders_of
from .options import OUT, AsJson, Debug, Quiet, argument, switch
from .result_options import AcceptFault, AuditKeyFile
from .texts import counted, print_json, print_line, visible

if TYPE_CHECKING:
    from overpaint.batch import Reviewed


_ROWS = "Ids of rows, names of their results, patterns of these ('IMG_01*'), or numbers of rows in the report."
_HOW = ", the most doubtful first; --accept or --reject takes numbers of rows, names, patterns, or --all"


def review(
    output: Annotated[str, argument("DIR", "The folder of results.", OUT)],
    rows: Annotated[tuple[str, ...], argument("ROW", _ROWS, OUT)] = (),
    /,
    *,
    all_: Annotated[bool, switch("--all", "All that need a review.", OUT)] = False,
    accept: Annotated[
        bool, switch("--accept", "Accept them: each gets its own name, and its row is done.", OUT)
    ] = False,
    reject: Annotated[
        bool, switch("--reject", "Reject them: each is removed, and the next run paints it with the next seed.", OUT)
    ] = False,
    state: Annotated[str | None, Parameter(metavar="DIR", show_default="DIR/.overpaint", group=OUT)] = None,
    audit: Annotated[str | None, Parameter(metavar="PATH|none", show_default="DIR/audit.jsonl", group=OUT)] = None,
    audit_key: AuditKeyFile = None,
    accept_fault: AcceptFault = False,
    json: AsJson = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> int:
    """List doubtful results that a run with --gate has set aside, accept or reject them.

    [dim]$[/] overpaint batch review out --accept a.remove.png

    Args:
        state: Where the ledger is kept.
        audit: The audit log, as of the run; who decided what and when is recorded there.
    """
    from overpaint import batch as batches

    if accept and reject:
        raise RequestError("a result can't be accepted and rejected")
    if (accept or reject) != bool(rows or all_) or (rows and all_):
        raise RequestError("--accept and --reject take the rows, or --all")
    folders, log = folders_of(output, state, audit)
    found = batches.review(
        folders,
        log,
        ("accepted" if accept else "rejected") if accept or reject else None,
        None if all_ else rows,
        audit_key=key_of(audit_key),
        accept_fault=accept_fault,
    )
    if json:
        print_json(asdict(found))
    elif not quiet:
        _print(found, "accepted" if accept else "rejected" if reject else "")
    return 1 if found.refused else 0


def _print(found: Reviewed, verdict: str) -> None:
    for id, why in found.refused:
        print(visible(f"{id} can't be {verdict}: {why}"))
    for one in found.taken:
        same = verdict == "rejected" and not one.seeded
        hint = "; its engine uses no seed, so change its settings, or the next run paints the same" if same else ""
        gone = "" if one.row is not None else "; its row is no longer in the list"
        gone += ", and 'overpaint batch prune' removes the file" if gone and verdict == "accepted" else ""
        print(visible(f"{verdict}: {one.output}{gone or hint}"))
    for one in found.waiting:
        print(visible(f"left to the run that is at work, which has not taken it yet: {verdict} {one.output}"))
    if not verdict:
        for one in found.left:
            row = one.file if one.row is None else f"row {one.row}: {one.file}"
            measures = zip(one.doubts, one.measures, strict=True)
            print(visible(f"{row}: " + ", ".join(f"{name} {value:.2f}" for name, value in measures)))
    print_line(f"{counted(len(found.left), 'result')} to be reviewed" + ("" if verdict or not found.left else _HOW))
    if not verdict:
        for advice in dict.fromkeys(one.doubt.partition("; ")[2] for one in found.left):
            print(visible(advice), end="\n" if advice else "")
