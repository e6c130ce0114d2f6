"""The record of one action of a session as evidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from overpaint.record import Record, StoredRecord
from overpaint.values import Listed, Value, canonical_json

from ._operator import Operator
from ._record import Digest, InputFile, MaskFile, ModelUsed, SessionPlace, as_record


class LoggedTake(Value):
    """A painting of a step.

    Attributes:
        take: Its digest in the session.
        paint: Digest of what was painted: boxes, samples, weights and opacity of every region.
        request: Digest of the request with every default filled in; None in private mode.
        edit: Its record; in private mode without prompts.
        models: As of `AuditRecord`.
        hidden: As of `AuditRecord`.
    """

    take: Digest
    paint: Digest
    request: Digest | None = None
    edit: Annotated[Record, BeforeValidator(as_record)]
    models: Listed[tuple[ModelUsed, ...]] = ()
    hidden: Mapping[str, str] = {}


class SessionRecord(StoredRecord):
    """One action of a session.

    Attributes:
        kind: "session".
        made: Time of the record, in UTC.
        session: The session, and the action's entry in its journal.
        time: Time of the action, in UTC, by the session.
        branch: The branch that it was done on.
        action: What was done: `do`, and what belongs to it, as in the journal. {"do": "new"} is the beginning.
        painted: What it has painted.
        masks: Files that a mask was read from.
        input: Of the beginning: the original.
        result: Digest of the pixels afterwards; None where paint that showed then was dropped since.
        who: The operator who recorded it.
        late: Whether it was recorded when the session was opened again, and not when it was done.
    """

    title = "audit record of a session"

    kind: Literal["session"] = "session"
    made: str
    session: SessionPlace
    time: str
    branch: str
    action: Mapping[str, Any]
    painted: Listed[tuple[LoggedTake, ...]] = ()
    masks: Listed[tuple[MaskFile, ...]] = ()
    input: InputFile | None = None
    result: Digest | None = None
    who: Operator = Field(default_factory=Operator)
    late: bool = False

    def to_mapping(self) -> dict[str, Any]:
        """Plain JSON values."""
        painted = [{**one.to_mapping(), "edit": one.edit.to_mapping()} for one in self.painted]
        found = {**super().to_mapping(), "painted": painted}
        return {name: value for name, value in found.items() if name in _ALWAYS or value}

    def to_json(self) -> str:
        """Canonical JSON, as in the log."""
        return canonical_json(self.to_mapping())


_ALWAYS = ("kind", "made", "session", "time", "branch", "action", "result", "who")
