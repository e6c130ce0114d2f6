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
from overpaint.request import PRIVATE_SETTINGS
from overpaint.studio import PreparedEdit, Studio

from .evidence import LogWitness
from .plan import PlannedEdit, describe
from .reasons import reason_of
from .rows import BadRow, EditRow
from .run import BatchSession, Options, session_of
from .status import job_of
from .store import Place
from .task import Task
from .worker import Worker


@dataclass(frozen=True, slots=True)
class Adopted:
    """What was taken into a ledger.

    Attributes:
        rows: Of the list.
        known: Rows whose results the ledger knew already.
        adopted: Ids of rows whose results it knows now.
        left: Of the others that have a file: number of the row, and why it was not taken; the next run paints it again.
    """

    rows: int
    known: int
    adopted: tuple[str, ...]
    left: tuple[tuple[int, str], ...]


def adopt(rows: Iterable[EditRow | BadRow], options: Options, studio: Studio) -> Adopted:
    """Take results into the ledger whose file is there and has the digest of its last record in the audit log, where
    the row would be painted as that record says: the same picture, mask, settings, engine and weights. Nothing is
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
        records = {entry.record.output.place: entry.record for entry in entries(log) if entry.whole}
        proof = _Proof(session, studio, records, log.parent)
        if session.publisher.audit is not None:
            LogWitness.of(session.ledger, log, options.folders.reports).advance(session.publisher.audit.head)
        adopted: list[str] = []
        left: list[tuple[int, str]] = []
        for item in planned.items:
            if item.id in status.unchanged:
                continue
            try:
                proof.take(item)
            except FileNotFoundError:
                continue
            except OverpaintError as error:
                left.append((item.row.number, reason_of(error, private=options.private)))
            else:
                adopted.append(item.id)
    count = len(planned.items) + len(planned.bad)
    return Adopted(count, len(status.unchanged), tuple(adopted), tuple(left))


class _NotProvenError(InputError):
    """The log does not prove that a file is the row's result."""

    code = "result-unproven"


@dataclass(slots=True)
class _Proof:
    session: BatchSession
    studio: Studio
    records: Mapping[str, AuditRecord]
    folder: Path

    def take(self, item: PlannedEdit) -> None:
        """Take a row's result into the ledger.

        Raises:
            FileNotFoundError: It has none.
            OverpaintError: Why its file is not taken for it.
        """
        try:
            found = self.session.files.known(item.output)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise _NotProvenError(f"its file can't be read: {error.strerror or error}") from None
        record = self.records.get(place_of(str(item.output), self.folder))
        if record is None:
            raise _NotProvenError("the audit log does not name its file")
        if record.output.sha256 != found.sha256:
            raise _NotProvenError("its file is not the one that the audit log names")
        base = item.image_sha256 or self._result_of(item.after)
        if record.input.sha256 != base:
            raise _NotProvenError("it was made from another picture")
        if (
            item.row.quality not in (None, record.edit.quality)
            or _held(item.output) != self.session.options.rules.record
        ):
            raise _NotProvenError("it was saved in another way: with its record elsewhere, or another quality")
        options = self.session.task_options
        worker = Worker(self.studio)
        prepared = worker.prepared(Task(item, options, base, item.output), Monitor())
        self._compare(prepared, record, options.key)
        ledger = self.session.ledger
        ledger.adopt(job_of(item, self.session.options.folders.out), found.sha256, _details(item, record, base))

    def _compare(self, prepared: PreparedEdit, record: AuditRecord, key: bytes | None) -> None:
        """Compare what would be painted with what was."""
        resolved = prepared.resolved.model_copy(update={**prepared.rasters.coded, "image": prepared.rasters.image})
        if key is not None:
            secret, request = Secret(key), prepared.request
            texts = {name: text for name in PRIVATE_SETTINGS if (text := getattr(request, name)) and text.strip()}
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


def _details(item: PlannedEdit, record: AuditRecord, base: str) -> str:
    """What the report says of it, as far as the record knows it."""
    edit, output = record.edit, record.output
    details: dict[str, Any] = {
        **describe(item),
        "size": list(edit.size),
        "reach": output.reach,
        "fidelity": output.fidelity,
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
    }
    return json.dumps(details, ensure_ascii=False)
