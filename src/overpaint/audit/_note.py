"""What an audit log says of itself: repairs that were needed before a record could be appended."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from overpaint.values import Value, canonical_json

What = Literal["torn", "uncovered", "headless", "lost", "replaced", "unreadable"]

GRAVE: frozenset[What] = frozenset(("lost", "replaced", "unreadable"))
"""What no interruption explains: a line that had been finished is gone or another."""


class Note(Value):
    """A line about the log and not about an edit.

    Attributes:
        kind: "note".
        made: When, in UTC.
        what: "torn": the end of a line that was never finished was cut off. "uncovered": lines were there that the
            head did not know of, as when an append is interrupted between the two. "headless": the head was gone.
            "lost": lines were gone that the head knew of. "replaced": the last line was another than the head knew.
            "unreadable": the last line, or the head, was none.
        text: The same for people, with counts and hashes.
    """

    kind: Literal["note"] = "note"
    made: str
    what: What
    text: str

    @classmethod
    def of(cls, what: What, text: str) -> Note:
        """A note made now."""
        return cls(made=now(), what=what, text=text)

    def to_json(self) -> str:
        """Canonical JSON."""
        return canonical_json(self.to_mapping())


def now() -> str:
    """This moment in UTC, to the millisecond, as RFC 3339 writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
