"""Taking results into a ledger that does not know them: it was lost, and audit log and files are still there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from overpaint.audit import AuditRecord, Secret, entries, place_of
from overpaint.engines import Monitor
from overpaint.errors import InputError, OverpaintError, RequestError
from overpaint.record import read_record, sidecar_path
from overpaint.studio import PreparedEdit, Studio

from .evidence import LogWitness
from .plan import PlannedEdit, describe
from .reasons import reason_of
from .rows import BadRow, EditRow
from .run import BatchSession, Options, session_of
from .status import job_of
from .store import Place, aside_of
from .task import Task, TaskResult
from .worker import Worker

_MARKS = ("provenance", "source_type", "signer")
"""What the ledger keeps of a result's marks."""


@dataclass(frozen=True, slots=True)
class Adopted:
    """What was taken into a ledger.

    Attributes:
        rows: Of the list.
        known: Rows whose results the ledger knew already.
        adopted: Ids of rows whose results it knows now as done.
        in_review: Ids of rows whose results it knows now as doubtful ones that need a review.
        left: Of the others that have a file: number of the row, and why it was not taken; the next run paints it again.
    """

    rows: int
    known: int
    adopted: tuple[str, ...]
    in_review: tuple[str, ...]
    left: tuple[tuple[int, str], ...]


def adopt(rows: Iterable[EditRow | BadRow], options: Options, studio: Studio) -> Adopted:
    """Take results into the ledger whose file is there and has the digest of its last record in the audit log, where
    the row would be painted as that record says: the same picture, mask, settings, engine and weights, and the seed
    but for what the batch added to it. Doubtful results that were set aside need their review as before. Nothing is
    painted; the inputs are read.

    Raises:
        RequestError: There is no audit log.
        OutputError: The log is at fault, and `accept_fault` is not set.
    """
    log = options.audit
    if log is None or not log.exists():
        raise RequestError("results are adopted by the audit log, and there is none", field="audit", value=str(log))
    # files that are there are looked at, and not refused
    wanted = replace(options, rules=replace(options.rules, overwrite=True))
    with session_of(wanted) as session:
        session.publisher.recover()
        planned = session.plan(rows, studio)
        _, status, _ = session.choose(planned)
        proof = _Proof(session, studio, _last_records(log), log.parent)
        if session.publisher.audit is not None:
            LogWitness.of(session.ledger, log, options.folders.reports).advance(session.publisher.audit.head)
        adopted: list[str] = []
        in_review: list[str] = []
        known = status.unchanged | status.in_review | status.doubtful
        left: list[tuple[int, str]] = []
        for item in planned.items:
            if item.id in known:
                continue
            try:
                aside = proof.take(item)
            except FileNotFoundError:
                continue
            except OverpaintError as error:
                left.append((item.row.number, reason_of(error, private=options.private)))
            else:
                (in_review if aside else adopted).append(item.id)
    count = len(planned.items) + len(planned.bad)
    return Adopted(count, len(known), tuple(adopted), tuple(in_review), tuple(left))


def _last_records(log: Path) -> dict[str, AuditRecord]:
    """The last record of each place, without those whose file was removed since: after a rejection, or as one result
    took another's place.
    """
    found: dict[str, AuditRecord] = {}
    for record in (entry.record for entry in entries(log) if entry.whole):
        for place in record.removed:
            found.pop(place, None)
        if record.review is None or record.review.verdict == "accepted":
            found[record.output.place] = record
    return found


class _NotProvenError(InputError):
    """The log does not prove that a file is the row's result."""

    code = "result-unproven"


@dataclass(slots=True)
class _Proof:
    session: BatchSession
    studio: Studio
    records: Mapping[str, AuditRecord]
    folder: Path

    def take(self, item: PlannedEdit) -> bool:
        """Take a row's result into the ledger. Returns whether it needs a review.

        Raises:
            FileNotFoundError: It has none.
            OverpaintError: Why its file is not taken for it.
        """
        aside = aside_of(self.session.options.folders.out, item.output)
        try:
            self._take(item, item.output)
        except (FileNotFoundError, OverpaintError) as error:
            try:
                self._take(item, aside)
            except FileNotFoundError:
                raise error from None
            except OverpaintError as other:
                # its own file is the one to tell of, where there is one
                raise (other if isinstance(error, FileNotFoundError) else error) from None
            return True
        return False

    def _take(self, item: PlannedEdit, place: Place) -> None:
        try:
            found = self.session.files.known(place)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _NotProvenError(f"its file can't be read: {error.strerror or error}") from None
        record = self.records.get(place_of(str(place), self.folder))
        if record is None:
            raise _NotProvenError("the audit log does not name its file")
        if record.output.sha256 != found.sha256:
            raise _NotProvenError("its file is not the one that the audit log names")
        base = item.image_sha256 or self._result_of(item.after)
        if record.input.sha256 != base:
            raise _NotProvenError("it was made from another picture")
        if item.row.quality != record.edit.quality or _held(place) != self.session.options.rules.record:
            raise _NotProvenError("it was saved in another way: with its record elsewhere, or another quality")
        marks, marking = record.edit.marks, self.session.options.rules.marking
        wanted = None if marking.watermark is None else marking.watermark.record
        if marks is not None and (marks.provenance, marks.watermark) != (marking.mode, wanted):
            raise _NotProvenError("it was saved in another way: with other marks of its origin")
        signed = marks is not None and marks.manifest_sha256 is not None
        if signed != (marking.seal is not None):
            raise _NotProvenError(f"it was saved in another way: {'signed' if signed else 'not signed'}")
        options = self.session.task_options
        worker = Worker(self.studio)
        prepared = worker.prepared(Task(item, options, base, place), Monitor()).variation(record.variation)
        self._compare(prepared, record, options.key)
        details = {**_details(item, record, base), "seeded": prepared.painter.card.uses("seed")}
        line = None
        if place != item.output:
            details["aside"] = found.sha256
            line = _left_to_do(record, details, sidecar=self.session.options.rules.record == "sidecar")
        job, detail = job_of(item, self.session.options.folders.out), json.dumps(details, ensure_ascii=False)
        self.session.ledger.adopt(job, found.sha256, detail, line)

    def _compare(self, prepared: PreparedEdit, record: AuditRecord, key: bytes | None) -> None:
        """Compare what would be painted with what was."""
        resolved = prepared.resolved.model_copy(update={**prepared.rasters.coded, "image": prepared.rasters.image})
        if key is not None:
            secret, request = Secret(key), prepared.request
            texts = request.private_texts
            if {name: secret.hash(text) for name, text in texts.items()} != dict(record.hidden):
                raise _NotProvenError("it was made with another prompt")
            resolved = resolved.model_copy(update=dict.fromkeys(texts))
        if resolved.digest != record.edit.resolved.digest:
            raise _NotProvenError("it was made with other settings, another mask, or another engine")

    def _result_of(self, id: str | None) -> str:
        entry = None if id is None else self.session.ledger.entry(id)
        return "" if entry is None else entry.result or ""


def _held(output: Place) -> str:
    """Where the record of a result is: "embed", "sidecar" or "none"."""
    if isinstance(output, Path) and sidecar_path(output).exists():
        return "sidecar"
    found = read_record(output.read_bytes())
    return "none" if found is None or found.record is None else "embed"


def _left_to_do(record: AuditRecord, details: Mapping[str, Any], *, sidecar: bool) -> str:
    """What is left to do for a result in review once it is accepted, as a run leaves it."""
    beside = record.edit.to_json() if sidecar else None
    return TaskResult(record.output.sha256, False, record.to_json(), beside, details, aside=True).to_json()


def _details(item: PlannedEdit, record: AuditRecord, base: str) -> dict[str, Any]:
    """What the report says of it, as far as the record knows it."""
    edit, output = record.edit, record.output
    return {
        **describe(item),
        "size": list(edit.size),
        "reach": output.reach,
        "fidelity": output.fidelity,
        **({} if edit.marks is None else {name: getattr(edit.marks, name) for name in _MARKS}),
        "changed": output.changed,
        "largest": output.largest,
        "prompt": edit.resolved.prompt,
        "regions": len(edit.regions),
        "timings": dict(edit.timings),
        "seconds": round(sum(edit.timings.values()), 4),
        "bytes": output.bytes,
        "warnings": [edit.doubt] if edit.doubt else [],
        "notes": [*edit.notes, "adopted from the audit log"],
        "attempts": record.attempt,
        "base": base,
        "key": item.key,
        "variation": record.variation,
        "tried": record.variation + 1,
        **({"seed": edit.resolved.seed} if record.variation else {}),
    }
