"""The status of a batch: which rows of a plan have their result already, and which are to be done."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overpaint.audit import head_path
from overpaint.ledger import Job, Ledger, LedgerEntry
from overpaint.record import sidecar_path
from overpaint.values import digest_of

from .clashes import OwnFiles
from .files import Files, Known
from .folders import BatchFolders
from .plan import BatchPlan, PlannedEdit, describe
from .reasons import reason_of
from .report import PAGE, TABLE
from .rows import BadRow
from .store import Place, aside_of


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """A plan compared with the ledger and the files.

    Attributes:
        to_do: Rows to do, in their order.
        unchanged: Ids of rows whose result is present and valid.
        in_review: Ids of rows whose result is present and valid, and needs a review.
        doubtful: Ids of rows whose result is present and valid, and doubtful, and was neither set aside nor accepted.
            With a gate they are to do, otherwise unchanged.
        undecided: Ids, among those to do, of chained rows that are done unless the result of the row before changes.
    """

    to_do: tuple[PlannedEdit, ...]
    unchanged: frozenset[str]
    undecided: frozenset[str] = field(default_factory=frozenset)
    in_review: frozenset[str] = field(default_factory=frozenset)
    doubtful: frozenset[str] = field(default_factory=frozenset)


def own_files(ledger: Ledger, out: Place) -> OwnFiles:
    """Results that earlier runs have written."""
    entries = [entry for entry in ledger.entries() if entry.spec]
    named = {out / entry.spec for entry in entries if entry.result and entry.state != "needs-review"}
    aside = {aside_of(out, out / entry.spec) for entry in entries if details_in(entry).get("aside")}
    sealed = [entry for entry in entries if details_in(entry).get("signer")]
    places = {place for entry in sealed for place in (out / entry.spec, aside_of(out, out / entry.spec))}
    return OwnFiles(named, aside, places & (named | aside))


def details_in(entry: LedgerEntry | None) -> dict[str, Any]:
    """What the ledger keeps of a job for the report."""
    found: dict[str, Any] = {} if entry is None or entry.detail is None else json.loads(entry.detail)
    return found


def variation_of(entry: LedgerEntry, item: PlannedEdit) -> int:
    """What is added to a row's seed now: its results with smaller ones were doubtful or rejected."""
    details = details_in(entry)
    return int(details.get("variation", 0)) if details.get("key") == item.key else 0


def files_of_runs(folders: BatchFolders, audit: Path | None) -> frozenset[Path]:
    """The files that earlier runs have left: results with their sidecars, report, audit log with its head and key.

    Raises:
        LedgerError: There is a ledger that can't be read.
    """
    if not folders.ledger.exists() or not isinstance(folders.out, Path):
        return frozenset()
    with Ledger(folders.ledger) as ledger:
        results = [path for path in own_files(ledger, folders.out) if isinstance(path, Path)]
    logs = () if audit is None else (audit, head_path(audit), audit.with_suffix(".salt"))
    reports = (folders.reports / PAGE, folders.reports / TABLE)
    return frozenset(path.resolve() for path in (*results, *map(sidecar_path, results), *logs, *reports))


def job_of(item: PlannedEdit, out: Place, retries: int = 0) -> Job:
    """The ledger's job for a row; its `spec` is the output's path in the folder of results."""
    return Job(item.id, item.key, item.output.relative_to(out).as_posix(), retries)


def _job_of_bad(row: BadRow, reason: str, taken: set[str]) -> Job:
    """The ledger's job for a row that can't be started, under an id that is not taken: it replaces neither another row
    nor a result that the row had before.
    """
    id = row.id if row.id is not None and row.id not in taken else f"row {row.number}"
    while id in taken:
        id += " of the list"
    taken.add(id)
    return Job(id, digest_of({"bad": reason}))


def register(plan: BatchPlan, ledger: Ledger, out: Place, retries: int, *, private: bool) -> dict[str, int]:
    """Add the plan to the ledger; `private`: without words that may quote a prompt. Rows that are no longer in it and
    have no result are removed.

    Returns:
        The numbers of the plan's rows by their ids in the ledger; others there are of rows that have left the list.
    """
    named = enter(plan, ledger, out, retries, private=private)
    forget_unlisted(ledger, named)
    return named


def forget_unlisted(ledger: Ledger, listed: Collection[str]) -> None:
    """Remove rows from the ledger that are not in the list, by their ids, and have no result."""
    # what has a result stays known, or nothing could say later whose file it is
    gone = (entry for entry in ledger.entries("failed", "waiting") if entry.id not in listed)
    ledger.forget(entry.id for entry in gone if not entry.result and not details_in(entry).get("aside"))


def enter(plan: BatchPlan, ledger: Ledger, out: Place, retries: int, *, private: bool) -> dict[str, int]:
    """Add the plan to the ledger, and remove nothing. Returns as `register`."""
    bad = _jobs_of_bad(plan, ledger, private=private)
    ledger.add(job_of(item, out, retries) for item in plan.items)
    ledger.refuse(
        (job, reason, json.dumps({"row": row.number, "image": row.image}, ensure_ascii=False))
        for job, row, reason in bad
    )
    return _numbers(plan, bad)


def listed_rows(plan: BatchPlan, ledger: Ledger, *, private: bool) -> dict[str, int]:
    """The numbers of the plan's rows by their ids in the ledger, as `register` gives them; nothing is changed."""
    return _numbers(plan, _jobs_of_bad(plan, ledger, private=private))


def _jobs_of_bad(plan: BatchPlan, ledger: Ledger, *, private: bool) -> list[tuple[Job, BadRow, str]]:
    """The ledger's jobs for rows that can't be started, with the reasons."""
    if not plan.bad:
        return []
    taken = {entry.id for entry in ledger.entries("done", "needs-review")} | {item.id for item in plan.items}
    reasons = [reason_of(row.error, private=private) for row in plan.bad]
    return [(_job_of_bad(row, reason, taken), row, reason) for row, reason in zip(plan.bad, reasons, strict=True)]


def _numbers(plan: BatchPlan, bad: Iterable[tuple[Job, BadRow, str]]) -> dict[str, int]:
    return {item.id: item.row.number for item in plan.items} | {job.id: row.number for job, row, _ in bad}


def status_of(
    plan: BatchPlan,
    entries: Iterable[LedgerEntry],
    files: Files,
    out: Place,
    tries: int = 1,
    *,
    gate: bool = False,
) -> BatchStatus:
    """Compare the plan with the ledger and with the files. A row that needs a review is to be done where fewer than
    `tries` seeds were tried for it; with a gate also a row whose doubtful result was done without one, so that it is
    set aside.
    """
    known = {entry.id: entry for entry in entries}
    unchanged: set[str] = set()
    undecided: set[str] = set()
    in_review: set[str] = set()
    doubtful: set[str] = set()
    places = {one.id: place for one in plan.items if (place := _place_of(one, known.get(one.id), out)) is not None}
    present = files.look(places.values())
    for one in plan.items:
        entry, before = known.get(one.id), known.get(one.after or "")
        file = present.get(places[one.id]) if one.id in places else None
        # a result counts where it was made from the same inputs, and has not been changed since
        if entry is None or not isinstance(file, Known) or file.sha256 != entry.result:
            continue
        if entry.state == "needs-review":
            if not 0 < details_in(entry).get("tried", 0) < tries:
                in_review.add(one.id)
            continue
        if _is_doubtful(entry):
            doubtful.add(one.id)
            if gate:
                continue
        if one.after is None or (one.after in unchanged and before and base_of(entry) == before.result):
            unchanged.add(one.id)
        elif one.after not in unchanged:
            undecided.add(one.id)
    to_do = tuple(item for item in plan.items if item.id not in unchanged | in_review)
    return BatchStatus(to_do, frozenset(unchanged), frozenset(undecided), frozenset(in_review), frozenset(doubtful))


def _is_doubtful(entry: LedgerEntry) -> bool:
    details = details_in(entry)
    return bool(details.get("doubts")) and not details.get("accepted")


def notes_on_doubtful(count: int, *, gate: bool) -> tuple[str, ...]:
    """The note on so many doubtful results of rows that were done before; none for 0."""
    if not count:
        return ()
    results = "1 result that was done before is" if count == 1 else f"{count} results that were done before are"
    if gate:
        return (f"{results} doubtful: painted again, to be set aside for review",)
    return (f"{results} doubtful (see the report); a run with the setting gate sets such aside for review",)


def base_of(entry: LedgerEntry | None) -> str | None:
    """The digest of the picture that a row's result was made from."""
    base: str | None = details_in(entry).get("base")
    return base


def _place_of(item: PlannedEdit, entry: LedgerEntry | None, out: Place) -> Place | None:
    """Where the result of a row lies, by the ledger; None where it has none from the same inputs."""
    name = item.output.relative_to(out).as_posix()
    if entry is None or (entry.key, entry.spec) != (item.key, name) or entry.state not in ("done", "needs-review"):
        return None
    return item.output if entry.state == "done" else aside_of(out, item.output)


def details_of(item: PlannedEdit, entry: LedgerEntry | None = None) -> str:
    """What the report says of a row that has no result, as JSON, with what an earlier review left for the next try."""
    kept = {name: value for name, value in details_in(entry).items() if name in ("aside", "key", "variation", "tried")}
    return json.dumps({**describe(item), **kept}, ensure_ascii=False)
