"""Lines of an audit log about the log itself: repairs, faults that were gone on over, and signed checkpoints."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from overpaint.values import Listed, Value, canonical_json

from ._operator import Operator

if TYPE_CHECKING:
    from ._key import AuditKey
    from ._line import ChainHead

NoteKind = Literal["torn", "uncovered", "recovered", "accepted", "pruned", "headless", "lost", "replaced", "unreadable"]

TAMPERING: frozenset[NoteKind] = frozenset(("accepted", "lost", "replaced", "unreadable"))
"""Kinds that no interruption explains."""


class RemovedFile(Value):
    """A file that a batch wrote and removed: its place, as an output's, and its digest."""

    place: str
    sha256: str


class LogNote(Value):
    """A note on the log.

    Attributes:
        kind: "note".
        made: Time in UTC.
        what: "torn": an incomplete last line was cut off. "uncovered": there were lines that the head announced and did
            not count, as after an append that was interrupted. "recovered": the head was gone or empty, and a ledger
            knew the end. "accepted": the log was at fault, and the operator went on. "pruned": files of rows that had
            left the list were removed. The others were written by earlier versions, which went on without being told.
        text: The same in words, with counts and hashes.
        faults: Of "accepted": the faults in words.
        files: Of "pruned": the files.
        who: Of "accepted" and "pruned": the operator.
    """

    kind: Literal["note"] = "note"
    made: str
    what: NoteKind
    text: str
    faults: Listed[tuple[str, ...]] = ()
    files: Listed[tuple[RemovedFile, ...]] = ()
    who: Operator | None = None

    @classmethod
    def of(
        cls, what: NoteKind, text: str, faults: tuple[str, ...] = (), files: tuple[RemovedFile, ...] = ()
    ) -> LogNote:
        """A note with the present time."""
        who = Operator.here() if what in ("accepted", "pruned") else None
        return cls(made=now(), what=what, text=text, faults=faults, files=files, who=who)

    def to_json(self) -> str:
        """Canonical JSON."""
        return canonical_json({name: value for name, value in self.to_mapping().items() if value != []})


class LogCheckpoint(Value):
    """A signature of all lines before.

    Attributes:
        kind: "checkpoint".
        made: Time in UTC.
        count, hash: The end of the chain before this line.
        key: The public key.
        signature: Of all the rest but the kind.
    """

    kind: Literal["checkpoint"] = "checkpoint"
    made: str
    count: int
    hash: str
    key: str
    signature: str

    @classmethod
    def of(cls, end: ChainHead, key: AuditKey) -> LogCheckpoint:
        """A checkpoint after the end of a chain."""
        made = now()
        signature = key.sign(_signed(end.count, end.hash, made))
        return cls(made=made, count=end.count, hash=end.hash, key=key.public, signature=signature)

    def is_signed_by(self, key: AuditKey) -> bool:
        """Whether the signature is this key's."""
        return key.checks(self.signature, _signed(self.count, self.hash, self.made))

    def to_json(self) -> str:
        """Canonical JSON."""
        return canonical_json(self.to_mapping())


def _signed(count: int, hash: str, made: str) -> dict[str, object]:
    """What a checkpoint's signature is of; `what` keeps it from being taken for that of an end."""
    return {"what": "checkpoint of an audit log", "count": count, "hash": hash, "made": made}


def now() -> str:
    """The present time in UTC, RFC 3339, in milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
