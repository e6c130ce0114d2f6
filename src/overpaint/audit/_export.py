"""A log for other tools: W3C PROV-JSON, and a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from ._record import AuditRecord, ModelUsed

NAMESPACE = "urn:overpaint:prov:"
"""Of the identifiers in an export; those of files and masks are their SHA-256."""

_COLUMNS = (
    "id", "made", "input", "input_sha256", "output", "output_sha256", "output_pixels_sha256", "format", "fidelity",
    "intent", "engine", "model", "licences", "seed", "prompt", "reach", "changed_beyond_reach", "width", "height",
    "seconds", "device", "exact", "overpaint", "user", "host", "attempt",
)  # fmt: skip


def to_csv(records: Iterable[AuditRecord]) -> str:
    """A table with a row for each record and a head, CSV as RFC 4180 has it. In private mode the prompt is its hash."""
    out = io.StringIO()
    writer = csv.DictWriter(out, _COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for record in records:
        writer.writerow({name: _harmless(value) for name, value in _row(record).items()})
    return out.getvalue()


def _row(record: AuditRecord) -> dict[str, Any]:
    edit, output = record.edit, record.output
    resolved = edit.resolved
    return {
        "id": record.id,
        "made": record.made,
        "input": record.input.place,
        "input_sha256": record.input.sha256,
        "output": output.place,
        "output_sha256": output.sha256,
        "output_pixels_sha256": output.pixels_sha256,
        "format": output.format,
        "fidelity": output.fidelity,
        "intent": resolved.intent,
        "engine": resolved.engine,
        "model": resolved.model,
        "licences": "; ".join(dict.fromkeys(model.licence for model in record.models if model.licence)),
        "seed": resolved.seed,
        "prompt": record.hidden.get("prompt") or resolved.prompt or edit.request.prompt,
        "reach": output.reach,
        "changed_beyond_reach": output.changed,
        "width": edit.size[0],
        "height": edit.size[1],
        "seconds": round(sum(edit.timings.values()), 3),
        "device": edit.execution.device,
        "exact": edit.execution.exact,
        "overpaint": edit.overpaint,
        "user": record.who.user,
        "host": record.who.host,
        "attempt": record.attempt,
    }


def _harmless(value: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets an apostrophe before it (OWASP, CSV injection)."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def to_prov(records: Iterable[AuditRecord]) -> dict[str, Any]:
    """The records as PROV-JSON (W3C member submission of 24 April 2013): Entity, Activity, Agent.

    A file is an entity named by its digest, so an output that was edited further is one entity with the next edit's
    input. The resolved request is the plan that the software followed; it acted on behalf of the user.
    """
    document = _Document()
    for record in records:
        _add(document, record)
    return document.mapping()


class _Document:
    def __init__(self) -> None:
        self._kinds: dict[str, dict[str, Any]] = {}

    def element(self, kind: str, name: str, **attributes: Any) -> str:
        """An entity, activity or agent, once for each name; returns its identifier."""
        identifier = f"op:{quote(name, safe='/@~')}"
        known = self._kinds.setdefault(kind, {}).setdefault(identifier, {})
        for key, value in attributes.items():
            if value is not None:
                key = key.replace("_", ":", 1)
                known.setdefault(key, {"$": value, "type": "prov:QUALIFIED_NAME"} if key == "prov:type" else value)
        return identifier

    def relation(self, kind: str, **parts: str) -> None:
        """A relation between two elements, once."""
        known = self._kinds.setdefault(kind, {})
        values = {f"prov:{name}": value for name, value in parts.items()}
        if values not in known.values():
            known[f"_:{kind}{len(known) + 1}"] = values

    def mapping(self) -> dict[str, Any]:
        return {"prefix": {"op": NAMESPACE}, **self._kinds}


def _add(document: _Document, record: AuditRecord) -> None:
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
        f"request-{record.id}",
        prov_type="prov:Plan",
        op_intent=edit.resolved.intent,
        op_engine=edit.resolved.engine,
        op_seed=str(edit.resolved.seed),  # 63 bits, more than a reader of JSON may keep
        op_prompt=record.hidden.get("prompt") or edit.resolved.prompt,
    )
    activity = document.element(
        "activity",
        f"edit-{record.id}",
        prov_startTime=record.began,
        prov_endTime=record.made,
        op_attempt=record.attempt,
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
    if record.who.user is not None:
        name = f"user-{record.who.user}" + (f"@{record.who.host}" if record.who.host else "")
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
