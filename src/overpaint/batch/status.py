"""How things stand: which rows of a plan have their result already, and which are to be done."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from overpaint.ledger import Entry, Job, Ledger
from overpaint.values import digest_of

from .files import Files
from .plan import BatchPlan, PlannedEdit, describe
from .results import output_of, spec_of
from .rows import BadRow
from .store import Place


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """How a plan stands against the ledger.

    Attributes:
        to_do: Rows to do, in their order.
        unchanged: Ids of rows whose result is there and as it should be.
        perhaps: Ids, among those to do, of chained rows that are done unless the one before them comes out otherwise.
    """

    to_do: tuple[PlannedEdit, ...]
    unchanged: frozenset[str]
    undecided: frozenset[str] = field(default_factory=frozenset)


def own_outputs(ledger: Ledger, out: Place) -> frozenset[Place]:
    """Files that earlier runs have written here."""
    return frozenset(out / output_of(entry) for entry in ledger.entries() if entry.result and entry.spec)


def job_of(item: PlannedEdit, out: Place, retries: int = 0) -> Job:
    """A row as the ledger knows it."""
    return Job(item.id, item.key, spec_of(item.output.relative_to(out).as_posix()), retries)


def bad_job(row: BadRow, done: Collection[str]) -> Job:
    """A row that can't be begun, as the ledger knows it. It does not take the place of a result that it had before."""
    id = row.id if row.id is not None and row.id not in done else f"row {row.number}"
    return Job(id, digest_of({"bad": row.reason}))


def register(plan: BatchPlan, ledger: Ledger, out: Place, retries: int) -> None:
    """Take the plan into the ledger. Rows that it does not name any more and that have no result are forgotten."""
    done = {entry.id for entry in ledger.entries("done")}
    bad = [(bad_job(row, done), row) for row in plan.bad]
    named = {item.id for item in plan.items} | {job.id for job, _ in bad}
    ledger.forget(entry.id for entry in ledger.entries("failed", "waiting") if entry.id not in named)
    ledger.add(job_of(item, out, retries) for item in plan.items)
    for job, row in bad:
        ledger.refuse(job, row.reason, json.dumps({"row": row.number, "image": row.image}, ensure_ascii=False))


def status_of(plan: BatchPlan, entries: Iterable[Entry], files: Files, out: Place) -> BatchStatus:
    """Compare the plan with what the ledger knows and with the files that are there."""
    known = {entry.id: entry for entry in entries}
    unchanged: set[str] = set()
    undecided: set[str] = set()
    chained = [item for item in plan.items if item.after is not None]
    for item in plan.items:
        if item.after is None and _has_result(item, known.get(item.id), files, out):
            unchanged.add(item.id)
    pending = dict.fromkeys(item.id for item in chained)
    by_id = {item.id: item for item in chained}
    while pending:  # a chain may be long, and its rows in any order
        settled = []
        for id in pending:
            item = by_id[id]
            if item.after in pending:
                continue
            settled.append(id)
            entry = known.get(id)
            if not _has_result(item, entry, files, out):
                continue
            before = known.get(item.after or "")
            if item.after in unchanged and before is not None and base_of(entry) == before.result:
                unchanged.add(id)
            elif item.after not in unchanged:
                undecided.add(id)
        for id in settled:
            del pending[id]
        if not settled:
            break
    to_do = tuple(item for item in plan.items if item.id not in unchanged)
    return BatchStatus(to_do, frozenset(unchanged), frozenset(undecided))


def base_of(entry: Entry | None) -> str | None:
    """The digest of the picture that a row's result was made from."""
    if entry is None or entry.detail is None:
        return None
    base: str | None = json.loads(entry.detail).get("base")
    return base


def _has_result(item: PlannedEdit, entry: Entry | None, files: Files, out: Place) -> bool:
    """Whether the result is there, made from the same, and nobody has changed it since."""
    if entry is None or entry.state != "done" or entry.key != item.key:
        return False
    if entry.spec != spec_of(item.output.relative_to(out).as_posix()):
        return False
    try:
        return files.known(item.output).sha256 == entry.result
    except OSError:
        return False


def details_of(item: PlannedEdit) -> str:
    """What the report tells of a row that has no result."""
    return json.dumps(describe(item), ensure_ascii=False)
