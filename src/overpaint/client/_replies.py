"""What a server answers: its errors as ours, and its events. Nothing here does input or output."""

from __future__ import annotations

import email.utils
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from overpaint import errors
from overpaint.errors import NotAllowedError, OverpaintError, ServerError, TooManyJobsError
from overpaint.validation import Problem, SettingError

_LONGEST = 1000
"""Characters of a message that are kept of what is no error of ours."""

_BY_STATUS: Mapping[int, type[OverpaintError]] = {
    401: errors.NotAllowedError,
    403: errors.NotAllowedError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    422: errors.RequestError,
    429: errors.TooManyJobsError,
    507: errors.StorageFullError,
}

FINAL = frozenset({"done", "failed", "cancelled"})
"""Kinds of the last event of a job."""

_LAST = FINAL | {"deleted"}
"""Of a job or a session."""


def _classes(root: type[OverpaintError]) -> Iterator[type[OverpaintError]]:
    yield root
    for one in root.__subclasses__():
        yield from _classes(one)


def error_from(table: Mapping[str, Any], status: int = 0) -> OverpaintError:
    """The error that a server describes: of the same class, with its code, field, value and hint.

    Args:
        table: The error's parts.
        status: The HTTP status of the reply, by which an error that names no class is made one; 0 for none.
    """
    known = {one.__name__: one for one in _classes(OverpaintError)}
    kind = known.get(str(table.get("kind", "")), _BY_STATUS.get(status, ServerError))
    hint, name = table.get("hint"), table.get("field")
    found = kind.__new__(kind)  # some classes are made of other parts
    OverpaintError.__init__(
        found,
        str(table.get("message") or "the server failed"),
        code=str(table["code"]) if table.get("code") else None,
        field=None if name is None else str(name),
        value=table.get("value"),
        hint="" if hint is None else str(hint),
    )
    if isinstance(found, SettingError):
        found.problems = (Problem(found.field, found.value, found.message),)
    if isinstance(found, ServerError) and status:
        found.status = status
    return found


def refused(status: int, body: bytes, headers: Mapping[str, str], url: str) -> OverpaintError:
    """The error of a reply that is none of success."""
    if 300 <= status < 400:
        return ServerError(
            "the server answers with a redirect, and none is followed: the key and the pictures are for it alone",
            code="server-redirects",
            field="server",
            value=url,
            hint="give the URL that it leads to",
        )
    try:
        table = json.loads(body)["error"]
        if not isinstance(table, Mapping) or "message" not in table:
            raise ValueError
    except (ValueError, KeyError, TypeError):
        return foreign(url, f"it answers with the status {status}")
    found = error_from(table, status)
    if isinstance(found, TooManyJobsError):
        found.retry_after = round(waits_for(headers) or found.retry_after)
    if status == 401:
        found = NotAllowedError(
            found.message, code=found.code, field="key", hint="set key_file, or give the key itself"
        )
        found.status = status
    return found


def foreign(url: str, why: str) -> ServerError:
    """The error of an address where no server of ours answers, or one of another version."""
    return ServerError(
        f"{url} does not answer as a server of Overpaint: {why[:_LONGEST]}",
        code="server-foreign",
        field="server",
        value=url,
        hint="give the URL that the server printed when it started",
    )


def waits_for(headers: Mapping[str, str]) -> float | None:
    """Seconds after which `Retry-After` lets a client try again; None where it says nothing (RFC 9110, 10.2.3)."""
    text = headers.get("retry-after", "").strip()
    if text.isdecimal():
        return float(text)
    moment = email.utils.parsedate_tz(text) if text else None
    return None if moment is None else max(0.0, email.utils.mktime_tz(moment) - time.time())


@dataclass(frozen=True, slots=True)
class FollowedEvent:
    """Something that happened to a job, or to a session.

    Attributes:
        number: Higher than that of every event before.
        kind: Of a job "queued", "started", "loading", "stage", "note", "progress", "preview", "done", "failed" or
            "cancelled"; of a session "changed", "job", "renamed" or "deleted".
        data: What it says: {"step": 3, "steps": 20}, say.
    """

    number: int
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def last(self) -> bool:
        """Whether nothing more happens to it."""
        return self.kind in _LAST


class EventLines:
    """Server-sent events from the lines of their stream (WHATWG HTML, 9.2.6)."""

    def __init__(self) -> None:
        self._fields: dict[str, str] = {}

    def add(self, line: str) -> FollowedEvent | None:
        """The event that a line completes; None for a line within one, or for a comment."""
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data" and "data" in self._fields:
                value = f"{self._fields['data']}\n{value}"
            if name in ("id", "event", "data"):
                self._fields[name] = value
            return None
        fields, self._fields = self._fields, {}
        if not {"id", "event", "data"} <= fields.keys():
            return None
        try:
            data = json.loads(fields["data"])
            number = int(fields["id"])
        except ValueError:
            return None
        return FollowedEvent(number, fields["event"], data if isinstance(data, dict) else {})
