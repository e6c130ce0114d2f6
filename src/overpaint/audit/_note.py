"""Notes of an audit log on itself: repairs that were needed before a record could be appended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from overpaint.values import Value, canonical_json

NoteKind = Literal["torn", "uncovered", "headless", "lost", "replaced", "unreadable"]

TAMPERING: frozenset[NoteKind] = frozenset(("lost", "replaced", "unreadable"))
"""Kinds that no interruption explains: a complete line is gone or was changed."""


class LogNote(Value):
    """A line about the log, not about an edit.

    Attributes:
        kind: "note".
        made: Time in UTC.
        what: "torn": an incomplete last line was cut off. "uncovered": there were lines that the head did not count, as
            after an append that was interrupted. "headless": there was no head. "lost": lines were gone that the head
            counted. "replaced": the last line was not the one of the head. "unreadable": the last line, or the head,
            could not be read.
        text: The same in words, with counts and hashes.
    """

    kind: Literal["note"] = "note"
    made: str
    what: NoteKind
    text: str

    @classmethod
    def of(cls, what: NoteKind, text: str) -> LogNote:
        """A note with the present time."""
        return cls(made=now(), what=what, text=text)

    def to_json(self) -> str:
        """Canonical JSON."""
        return canonical_json(self.to_mapping())


def now() -> str:
    """The present time in UTC, RFC 3339, in milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
