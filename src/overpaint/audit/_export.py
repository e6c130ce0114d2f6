"""Exports of a log: W3C PROV-JSON, and a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from ._find import LogEntry
from ._record import AuditRecord, ModelUsed

NAMESPACE = "urn:overpaint:prov:"
"""Namespace of the identifiers in an export; files and masks are identified by their SHA-256."""

_COLUMNS: dict[str, Callable[[AuditRecord], Any]] = {
    "made": lambda record: record.made,
    "input": lambda record: record.input.place,
    "input_sha256": lambda record: record.input.sha256,
    "output": lambda record: record.output.place,
    "output_sha256": lambda record: record.output.sha256,
    "output_pixels_sha256": lambda record: record.output.pixels_sha256,
    "format": lambda record: record.output.format,
    "fidelity": lambda record: record.output.fidelity,
    "intent": lambda record: record.edit.resolved.intent,
    "engine": lambda record: record.edit.resolved.engine,
    "model": lambda record: record.edit.resolved.model,
    "licences": lambda record: "; ".join(dict.fromkeys(model.licence for model in record.models if model.licence)),
    "seed": lambda record: record.edit.resolved.seed,
    "prompt": lambda record: record.hidden.get("prompt") or record.edit.resolved.prompt or record.edit.request.prompt,
    "reach": lambda record: record.output.reach,
    "changed_beyond_reach": lambda record: record.output.changed,
    "provenance": lambda record: None if record.edit.marks is None else record.edit.marks.provenance,
    "source_type": lambda record: None if record.edit.marks is None else record.edit.marks.source_type,
    "width": lambda record: record.edit.size[0],
    "height": lambda record: record.edit.size[1],
    "seconds": lambda record: round(sum(record.edit.timings.values()), 3),
    "device": lambda record: record.edit.execution.device,
    "exact": lambda record: record.edit.execution.exact,
    "overpaint": lambda record: record.edit.overpaint,
    "user": lambda record: record.who.user,
    "uid": lambda record: record.who.uid,
    "claimed_user": lambda record: record.who.claimed,
    "host": lambda record: record.who.host,
    "attempt": lambda record: record.attempt,
}


def to_csv(entries: Iterable[LogEntry]) -> str:
    """A table with a header and a row for each record, CSV (RFC 4180). In private mode the prompt is its hash."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(("id", *_COLUMNS))
    for entry in entries:
        writer.writerow((entry.link.id, *(spreadsheet_safe(value(entry.record)) for value in _COLUMNS.values())))
    return out.getvalue()


def spreadsheet_safe(value: Any) -> Any:
    """The value; a text that a spreadsheet would take for a formula gets an apostrophe (OWASP, CSV injection)."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def to_prov(entries: Iterable[LogEntry]) -> dict[str, Any]:
    """The records as PROV-JSON (W3C member submission of 24 April 2013): Entity, Activity, Agent.

    A file is an entity named by its digest, so an output that was edited again is the same entity as the next edit's
    input. The resolved request is the plan that the software followed, on behalf of the user.
    """
    document = _Document()
    for entry in entries:
        _add(document, entry.link.id, entry.record)
    return document.mapping()


class _Document:
    def __init__(self) -> None:
        self._kinds: dict[str, dict[str, Any]] = {}

    def element(self, kind: str, name: str, **attributes: Any) -> str:
        """Add an entity, activity or agent, once for each name; returns its identifier."""
        identifier = f"op:{quote(name, safe='/@~')}"
        known = self._kinds.setdefault(kind, {}).setdefault(identifier, {})
        for key, value in attributes.items():
            if value is not None:
                key = key.replace("_", ":", 1)
                known.setdefault(key, {"$": value, "type": "prov:QUALIFIED_NAME"} if key == "prov:type" else value)
        return identifier

    def relation(self, kind: str, **parts: str) -> None:
        """Add a relation between two elements, once."""
        known = self._kinds.setdefault(kind, {})
        values = {f"prov:{name}": value for name, value in parts.items()}
        if values not in known.values():
            known[f"_:{kind}{len(known) + 1}"] = values

    def mapping(self) -> dict[str, Any]:
        return {"prefix": {"op": NAMESPACE}, **self._kinds}


def _add(document: _Document, id: str, record: AuditRecord) -> None:
    edit = record.edit
    output = document.element(
        "entity",
        f"file-{record.output.sha256}",
        prov_type="op:Picture",
        prov_location=record.output.place,
        op_format=record.output.format,
        op_pixels_sha256=record.output.pixels_sha256,
    )
    source = document.element(
        "entity",
        f"file-{record.input.sha256}" if record.input.sha256 else f"pixels-{record.input.pixels_sha256}",
        prov_type="op:Picture",
        prov_location=record.input.place,
        op_pixels_sha256=record.input.pixels_sha256,
    )
    plan = document.element(
        "entity",
        f"request-{id}",
        prov_type="prov:Plan",
        op_intent=edit.resolved.intent,
        op_engine=edit.resolved.engine,
        op_seed=None if edit.resolved.seed is None else str(edit.resolved.seed),  # 63 bits, more than JSON readers keep
        op_prompt=record.hidden.get("prompt") or edit.resolved.prompt,
    )
    activity = document.element(
        "activity", f"edit-{id}", prov_startTime=record.began, prov_endTime=record.made, op_attempt=record.attempt
    )
    software = document.element(
        "agent", f"overpaint-{edit.overpaint}", prov_type="prov:SoftwareAgent", op_version=edit.overpaint
    )
    document.relation("used", activity=activity, entity=source)
    if edit.mask_sha256 is not None:
        mask = document.element("entity", f"mask-{edit.mask_sha256}", prov_type="op:Mask")
        document.relation("used", activity=activity, entity=mask)
    for model in record.models:
        document.relation("used", activity=activity, entity=_model(document, model))
    document.relation("wasGeneratedBy", entity=output, activity=activity)
    document.relation("wasDerivedFrom", generatedEntity=output, usedEntity=source)
    document.relation("wasAssociatedWith", activity=activity, agent=software, plan=plan)
    who = record.who.user or record.who.uid
    if who is not None:
        name = f"user-{who}" + (f"@{record.who.host}" if record.who.host else "")
        person = document.element("agent", name, prov_type="prov:Person")
        document.relation("actedOnBehalfOf", delegate=software, responsible=person)
        document.relation("wasAttributedTo", entity=output, agent=person)


def _model(document: _Document, model: ModelUsed) -> str:
    return document.element(
        "entity",
        f"model-{model.name}" + (f"-{model.digest}" if model.digest else ""),
        prov_type="op:Model",
        op_licence=model.licence or None,
        op_digest=model.digest or None,
    )
