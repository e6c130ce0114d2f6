"""Whether a log is whole: its chain compared with its head, with a ledger and with keys.

Both `verify` and every append ask this, so that nothing is appended over what `verify` would call a fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ._chain import Chain, Fault
from ._head import HeadFile, head_file, head_path
from ._key import AuditKey
from ._note import LogCheckpoint, LogNote, NoteKind
from ._witness import Witness


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a chain is compared with.

    Attributes:
        name: The head's file.
        head: What it says, or None.
        headless: Why there is no head.
        witness: What a ledger knows, or None.
        keys: The public keys that may have signed; none for signatures that are not checked.
        wanted: Ids of records that are about to be appended: an interrupted append may have left them.
        since: The line up to which signatures were checked before.
        appending: Whether it is for an append, which may begin a log and must not end one that is signed.
    """

    name: str
    head: HeadFile | None
    headless: str = ""
    witness: Witness | None = None
    keys: Sequence[AuditKey] = ()
    wanted: frozenset[str] = frozenset()
    since: int = 0
    appending: bool = False

    @classmethod
    def beside(cls, log: Path, witness: Witness | None, keys: Sequence[AuditKey], **more: Any) -> Evidence:
        """With the head that is beside the log now."""
        return cls(head_path(log).name, *head_file(log), witness, keys, **more)


SIGNED = "is signed, and there is no key to sign what is appended"
"""The fault of an append without a key, after the name of the head."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """Faults of a log, and the repairs that an append makes: a kind of note, and its words."""

    faults: tuple[Fault, ...]
    repairs: tuple[tuple[NoteKind, str], ...]


def inspect(chain: Chain, evidence: Evidence) -> Inspection:
    """Compare a chain with all that is known of it."""
    faults, repairs = list(chain.faults), list[tuple[NoteKind, str]]()
    for found in (*_head(chain, evidence), *_ledger(chain, evidence), *_signatures(chain, evidence)):
        if isinstance(found, Fault):
            faults.append(found)
        else:
            repairs.append(found)
    return Inspection(tuple(faults), tuple(repairs))


def accepted(chain: Chain) -> frozenset[str]:
    """The faults that an operator has gone on over, in words. A note on a line that is itself at fault accepts none."""
    wrong = {fault.line for fault in chain.faults}
    notes = ((place, note) for place, note in chain.notes.items() if isinstance(note, LogNote) and place not in wrong)
    return frozenset(text for _, note in notes for text in note.faults)


def _head(chain: Chain, known: Evidence) -> Iterator[Fault | tuple[NoteKind, str]]:
    end, name = chain.end, known.name
    if known.head is None:
        if "changed" in known.headless:
            yield Fault(None, known.headless)
        elif not end.count or _all_wanted(chain, 0, known):
            return
        elif _confirmed(chain, known) and known.witness is not None:
            yield "recovered", f"{known.headless}, and {known.witness.name} knows the end of its {end.count} lines"
        else:
            yield Fault(None, f"{known.headless}: whether lines are gone from the end can't be known")
        return
    head = known.head.end
    if head.count > end.count:
        gone = "line is" if head.count == end.count + 1 else f"{head.count - end.count} lines are"
        yield Fault(end.count + 1, f"the last {gone} missing: {name} counts {head.count}")
    elif not chain.holds(head):
        yield Fault(head.count, f"it is another line than the last one of {name}, {head.hash[:12]}...")
    elif head.count < end.count and not _all_wanted(chain, head.count, known) and not _confirmed(chain, known):
        added = [line.hash for _, line in chain.after(head.count)]
        if tuple(added) == known.head.next[: len(added)]:
            yield "uncovered", f"there were {end.count} lines, and the head was {head}"
        else:
            lines = "1 line" if head.count == 1 else f"{head.count} lines"
            yield Fault(head.count + 1, f"{name} counts only {lines} and announces no more: it was put in by hand")


def _all_wanted(chain: Chain, count: int, known: Evidence) -> bool:
    """Whether the lines beyond `count` are exactly those that are about to be appended, which is no fault."""
    return {line.id for _, line in chain.after(count)} <= known.wanted


def _confirmed(chain: Chain, known: Evidence) -> bool:
    """Whether a ledger knows the end of the chain, and there is no key whose signature is missed."""
    witness = known.witness
    if witness is None or witness.end is None or not witness.own or known.keys:
        return False
    return chain.holds(witness.end) and not list(_unknown(chain, witness, known))


def _unknown(chain: Chain, witness: Witness, known: Evidence) -> Iterator[int]:
    """The places of edits that a ledger does not know."""
    count = 0 if witness.end is None else witness.end.count
    may_be = witness.pending | known.wanted
    return (place for place, line in chain.after(count) if line.edit and line.id not in may_be)


def _ledger(chain: Chain, known: Evidence) -> Iterator[Fault]:
    witness = known.witness
    if witness is None:
        return
    name, end = witness.name, witness.end
    if end is None:
        if witness.lines:
            yield Fault(None, f"{name} has results up to line {witness.lines}, and the log's end was taken out of it")
        return
    if chain.end.count < end.count:
        gone = "line is" if end.count == chain.end.count + 1 else f"{end.count - chain.end.count} lines are"
        yield Fault(chain.end.count + 1, f"the last {gone} missing: {name} counts {end.count}")
    elif not chain.holds(end):
        yield Fault(
            end.count, f"{name} has another line here, {end.hash[:12]}...: lines were replaced, and chained anew"
        )
    elif witness.own:
        for place in _unknown(chain, witness, known):
            put_in = "it was put in by hand, or the ledger is an older one"
            yield Fault(place, f"{name} does not know this record: {put_in}")


def _signatures(chain: Chain, known: Evidence) -> Iterator[Fault]:
    for place, note in chain.notes.items():
        if isinstance(note, LogCheckpoint) and place > known.since:
            if chain.lines[place - 1].n != note.count + 1 or chain.number_of(note.hash) != note.count:
                yield Fault(place, "it is the signature of another chain")
            elif known.keys and (fault := _by_another(note, known.keys)):
                yield Fault(place, fault)
    if not known.keys and known.appending and known.head is not None and known.head.signature:
        yield Fault(None, f"{known.name} {SIGNED}")
    if not known.keys or (known.appending and not chain.end.count and known.head is None):
        return
    if known.head is None or not known.head.signature:
        yield Fault(None, f"{known.name} is not signed: whether the chain was made anew can't be known")
    elif fault := _by_another(known.head, known.keys):
        yield Fault(None, f"{known.name}: {fault}")


def _by_another(signed: LogCheckpoint | HeadFile, keys: Sequence[AuditKey]) -> str:
    """The fault of a signature; "" where it is by one of the keys."""
    key = next((key for key in keys if key.public == signed.key), None)
    if key is None:
        return f"it is signed by another key, {signed.key[:12]}..."
    return "" if signed.is_signed_by(key) else "its signature is not that of its content"
