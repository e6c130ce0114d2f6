"""Verification of a log: its chain, its head, what a ledger knows of it, its signatures, and the files it names."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from overpaint.errors import LedgerError, OverpaintError, RecordError
from overpaint.files import opened_regular
from overpaint.locks import locked_soon

from ._chain import Chain, Fault
from ._files import FileFindings, NamedFiles, compare_inputs, compare_outputs, list_unlogged
from ._inspect import Evidence, inspect
from ._key import AuditKey
from ._line import ChainHead
from ._note import TAMPERING, LogNote
from ._session import compare_sessions
from ._witness import Witness

_MOST_FAULTS = 1000


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a verification.

    Attributes:
        log: The file.
        head: The end of the chain.
        records: Number of records of edits, and of actions of sessions.
        outputs: Number of output files and sessions that were compared.
        faults: The faults of the chain in their order, then of its head, ledger and signatures, then of files.
        notes: What is no fault: repairs after interruptions, files that are gone or that the log does not know.
        ledger: The ledger that it was compared with; "" for none.
        signed: The public key that has signed the end; "" for none.
    """

    log: Path
    head: ChainHead
    records: int = 0
    outputs: int = 0
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()
    ledger: str = ""
    signed: str = ""

    @property
    def whole(self) -> bool:
        """Whether there is no fault."""
        return not self.faults


@dataclass(slots=True)
class _Records:
    """What the lines of a log name."""

    count: int = 0
    files: NamedFiles = field(default_factory=NamedFiles)

    def take(self, line: int, text: bytes) -> str | None:
        """Count a record and note its files. Returns a fault."""
        try:
            record = json.loads(text)
            if record["kind"] == "edit":
                self.files.take(line, record)
                self.count += 1
            elif record["kind"] == "session":
                self.files.take_action(line, record)
                self.count += 1
            elif record["kind"] == "note" and record["what"] == "pruned":
                self.files.prune(line, record.get("files", ()))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverpaintError):
            return "it was made by hand: it is neither a record nor a note"
        return None


def verify(
    log: Path,
    *,
    files: bool = True,
    inputs: bool = False,
    strict: bool = False,
    expected: str | None = None,
    witness: Callable[[], Witness] | None = None,
    keys: Sequence[AuditKey] = (),
) -> Verdict:
    """Check every line, the head, and the files.

    Args:
        log: The file.
        files: Whether to compare the outputs' digests too, and with a witness to list files that the log does not know.
        inputs: Whether to compare pictures and masks that were read as well.
        strict: Whether every note is a fault.
        expected: A head that was noted elsewhere (COUNT:HASH, or a hash): the chain must contain it.
        witness: Asks a ledger what it knows of the log.
        keys: Public keys: the end and every checkpoint must be signed by one of them.

    Raises:
        RecordError: There is neither a log, nor a head or a ledger that knows one; or the log can't be read.
    """
    records = _Records()
    chain = Chain(records.take, most=_MOST_FAULTS)
    evidence = _read(log, chain, witness, keys)
    found, known = inspect(chain, evidence), evidence.witness
    faults, notes = [*found.faults, *_told(chain)], [*_repairs(chain), *(text for _, text in found.repairs)]
    if known is not None and known.end is None and not known.lines:
        notes.append(f"{known.name} does not know this log")
    if expected is not None and not _came_by(chain, expected):
        faults.append(Fault(None, f"the chain never had the head {expected} that was expected"))
    compared = FileFindings()
    if log.is_symlink():
        compared.notes.append(f"{log.name} is a symbolic link")
    if files:
        compare_outputs(log.parent, records.files, compared)
        compare_sessions(log.parent, records.files, compared)
        if known is not None:
            _compare_results(known, records.files, compared)
            if known.files is not None:
                list_unlogged(log, records.files, known.files, compared)
    if inputs:
        compare_inputs(log.parent, records.files, compared)
    faults, notes = [*faults, *compared.faults], [*dict.fromkeys((*notes, *compared.notes))]
    if strict:
        faults, notes = [*faults, *(Fault(None, note) for note in notes)], []
    return Verdict(
        log,
        chain.end,
        records.count,
        compared.compared,
        tuple(faults),
        tuple(notes),
        ledger="" if known is None or known.end is None else known.name,
        signed="" if evidence.head is None else evidence.head.key,
    )


def _came_by(chain: Chain, head: str) -> bool:
    """Whether a chain ever had a head: COUNT:HASH, or a hash."""
    count, _, hash = head.rpartition(":")
    number = chain.number_of(hash)
    return number is not None and count in ("", str(number))


def _read(log: Path, chain: Chain, witness: Callable[[], Witness] | None, keys: Sequence[AuditKey]) -> Evidence:
    """Read a log and what it is compared with as they are at one moment, though others may append meanwhile."""
    try:
        with opened_regular(log) as file:
            with locked_soon(file.fileno()):
                size = file.seek(0, os.SEEK_END)
                evidence = Evidence.beside(log, _asked(witness, chain), keys)
            chain.read(file, size)
    except OSError as error:
        if log.is_file():
            raise RecordError(f"the audit log {log} can't be read: {error.strerror or error}") from None
        evidence = Evidence.beside(log, _asked(witness, chain), keys)
        gone = isinstance(error, FileNotFoundError)
        unread = Fault(None, f"the log can't be read: {error.strerror or error}")
        chain.faults.append(_gone(log, evidence) if gone else unread)
    if chain.torn:
        interrupted = "an append was interrupted (the next one mends that and notes it), or its end was taken"
        chain.faults.append(Fault(len(chain.lines) + 1, f"it is cut short: {interrupted}"))
    return evidence


def _asked(witness: Callable[[], Witness] | None, chain: Chain) -> Witness | None:
    """What the ledger knows; one that can't be read is a fault."""
    try:
        return None if witness is None else witness()
    except LedgerError as error:
        chain.faults.append(Fault(None, str(error)))
        return None


def _gone(log: Path, evidence: Evidence) -> Fault:
    """The fault of a log that is not there, though something knows of it. RecordError where nothing does."""
    known = {evidence.name: None if evidence.head is None else evidence.head.end}
    if evidence.witness is not None:
        known[evidence.witness.name] = evidence.witness.end
    counts = [f"{name} counts {end.count} lines" for name, end in known.items() if end is not None and end.count]
    if evidence.witness is not None and evidence.witness.lines:
        counts.append(f"{evidence.witness.name} has results up to line {evidence.witness.lines}")
    if not counts and evidence.headless.endswith("is missing"):
        raise RecordError(f"there is no audit log at {log}")
    return Fault(None, f"the log is gone: {counts[0] if counts else evidence.headless}")


def _notes(chain: Chain, *, tampering: bool) -> Iterator[tuple[int, LogNote]]:
    for place, note in chain.notes.items():
        if isinstance(note, LogNote) and (note.what in TAMPERING) is tampering:
            yield place, note


def _repairs(chain: Chain) -> Iterator[str]:
    """Notes in the log on what interruptions left."""
    notes = _notes(chain, tampering=False)
    return (f"line {place}: {note.text}" for place, note in notes if note.what != "pruned")


def _told(chain: Chain) -> Iterator[Fault]:
    """Faults that the log had once, by its own notes."""
    for place, note in _notes(chain, tampering=True):
        by = f", by {note.who.words}" if note.who is not None else ""
        what = "; ".join(note.faults) or note.text
        yield Fault(place, f"a note in the log says that it was gone on with over a fault{by}: {what}")


def _compare_results(witness: Witness, named: NamedFiles, found: FileFindings) -> None:
    """Compare the results that a ledger has with the records of them."""
    for place, sha256 in witness.results.items():
        if place not in named.outputs:
            found.notes.append(f"{witness.name} has the result {place}, of which the log has no record")
        elif named.outputs[place][1].get("sha256") != sha256:
            line = named.outputs[place][0]
            found.faults.append(Fault(line, f"{witness.name} has another digest of its output {place}"))
