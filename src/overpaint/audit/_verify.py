"""Verification of a log: its chain, its head, and the output files that it names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from overpaint.errors import OverpaintError, RecordError
from overpaint.picture import open_picture
from overpaint.studio import pixel_digest

from ._find import lines_of
from ._line import GENESIS, ChainHead, ChainLink, computed_hash, head_path, id_of, link_of, read_head, record_text
from ._note import TAMPERING
from ._record import file_at


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that was changed since it was written.

    Attributes:
        line: Line of the log, from 1; None for a fault of the head.
        text: The fault in words.
    """

    line: int | None
    text: str

    def __str__(self) -> str:
        return self.text if self.line is None else f"line {self.line}: {self.text}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a verification.

    Attributes:
        log: The file.
        head: The end of the chain as far as it is right.
        records: Number of records of edits.
        outputs: Number of output files that were compared.
        faults: The first fault of the chain, then of its head, then every output that was changed.
        notes: What is no fault: repairs after interruptions, outputs that are gone.
    """

    log: Path
    head: ChainHead
    records: int = 0
    outputs: int = 0
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether there is no fault."""
        return not self.faults


@dataclass(slots=True)
class _Findings:
    head: ChainHead = field(default_factory=ChainHead)
    records: int = 0
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    outputs: dict[str, tuple[int, Mapping[str, Any]]] = field(default_factory=dict)
    seen_expected: bool = False


def verify(log: Path, *, files: bool = True, expected: str | None = None) -> Verdict:
    """Check every line, the head, and the outputs.

    Args:
        log: The file.
        files: Whether to compare the outputs' digests too.
        expected: A head that was noted elsewhere (COUNT:HASH, or a hash): the chain must contain it.

    Raises:
        RecordError: There is neither a log nor a head, or the log can't be read.
    """
    if not log.exists():
        head = read_head(log)
        if head is None:
            raise RecordError(f"there is no audit log at {log}")
        gone = f"the log is gone: {head_path(log).name} counts {head.count} lines"
        return Verdict(log, ChainHead(), faults=(Fault(None, gone),))
    found = _Findings()
    fault = _chain(log, found, None if expected is None else expected.rpartition(":")[2])
    if fault is not None:
        found.faults.insert(0, fault)
    else:
        found.faults += _head(log, found.head)
    if expected is not None and not found.seen_expected:
        found.faults.append(Fault(None, f"the chain never had the head {expected} that was expected"))
    compared = _outputs(log.parent, found) if files else 0
    return Verdict(log, found.head, found.records, compared, tuple(found.faults), tuple(found.notes))


def _chain(log: Path, found: _Findings, expected: str | None) -> Fault | None:
    """Follow the chain to its end or to its first fault, and collect its records' outputs."""
    found.seen_expected = expected == GENESIS
    lines = lines_of(log)
    ids: set[str] = set()
    for line in lines:
        n = found.head.count + 1
        link = link_of(line)
        fault = _line_fault(line, link, n, found.head.hash, lines)
        if fault is not None:
            return Fault(n, fault)
        assert link is not None
        if link.id in ids:
            return Fault(n, f"the record {link.id} is there twice")
        ids.add(link.id)
        found.head = ChainHead(n, link.hash)
        found.seen_expected |= link.hash == expected
        fault = _collect(n, record_text(line.removesuffix(b"\n")), found)
        if fault is not None:
            return Fault(n, fault)
    return None


def _line_fault(line: bytes, link: ChainLink | None, n: int, prev: str, rest: Iterator[bytes]) -> str | None:
    """The fault of line `n`; `prev` is the hash of the line before."""
    if not line.endswith(b"\n"):
        return "it is cut short: an append was interrupted (the next one mends that and notes it), or its end was taken"
    bare = line[:-1]
    if link is None or not bare.endswith(b"}"):
        return "it was changed: it has no longer the form of a line of an audit log"
    if computed_hash(bare) != link.hash:
        return f"it was changed: its content does not have its hash {link.hash[:12]}..."
    if id_of(record_text(bare)) != link.id:
        return f"it was made by hand: its record does not have the id {link.id}"
    if link.prev == prev and link.n == n:
        return None
    if link.n == n:
        return (
            f"it does not follow the line before, whose hash is {prev[:12]}... and not {link.prev[:12]}...: "
            "it was put in, or that one was replaced"
        )
    if link.n < n:
        return f"it is line {link.n}, in another place or a second time"
    for other in rest:
        if (later := link_of(other)) is not None and later.hash == link.prev:
            return f"it is line {link.n}, which was line {later.n}'s successor: lines were swapped"
    missing = f"line {n} is" if link.n == n + 1 else f"lines {n} to {link.n - 1} are"
    return f"{missing} missing: this is line {link.n}"


def _collect(n: int, text: bytes, found: _Findings) -> str | None:
    """Count a record and note its output, or keep a note. Returns a fault."""
    try:
        record = json.loads(text)
        kind = record["kind"]
        if kind == "edit":
            found.records += 1
            output = record["output"]
            found.outputs[output["place"]] = (n, output)
        elif kind == "note":
            if record["what"] in TAMPERING:
                found.faults.append(Fault(n, f"a note in the log says that {record['text']}"))
            else:
                found.notes.append(f"line {n}: {record['text']}")
    except (ValueError, TypeError, KeyError):
        return "it was made by hand: it is neither a record nor a note"
    return None


def _head(log: Path, end: ChainHead) -> list[Fault]:
    """Faults of the head, compared with the chain."""
    name = head_path(log).name
    try:
        head = read_head(log)
    except RecordError as error:
        return [Fault(None, str(error))]
    if head is None:
        return (
            [Fault(None, f"{name} is missing: whether lines are gone from the end can't be known")] if end.count else []
        )
    if head.count > end.count:
        gone = "line is" if head.count == end.count + 1 else f"{head.count - end.count} lines are"
        return [Fault(end.count + 1, f"the last {gone} missing: {name} counts {head.count}")]
    if head.count < end.count:
        return [
            Fault(
                head.count + 1,
                f"{name} counts only {head.count} lines: it was added by hand, or an append was "
                "interrupted (the next one notes that)",
            )
        ]
    if head.hash != end.hash:
        return [Fault(end.count, f"it is another line than the last one of {name}, {head.hash[:12]}...")]
    return []


def _outputs(folder: Path, found: _Findings) -> int:
    """Compare each output file with its last record; returns how many were compared."""
    compared = missing = away = 0
    for place, (n, output) in found.outputs.items():
        path = file_at(place, folder)
        if path is None:
            away += 1
            continue
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            missing += 1
            continue
        except OSError as error:
            found.faults.append(Fault(n, f"its output {place} can't be read: {error.strerror or error}"))
            continue
        compared += 1
        if hashlib.sha256(data).hexdigest() != output.get("sha256"):
            found.faults.append(Fault(n, f"its output {place} was changed since: {_how(data, output)}"))
    if away:
        what = "1 output is an address and was" if away == 1 else f"{away} outputs are addresses and were"
        found.notes.append(f"{what} not fetched")
    if missing:
        gone = "1 output is not where it was" if missing == 1 else f"{missing} outputs are not where they were"
        found.notes.append(f"{gone} written, and could not be compared")
    return compared


def _how(data: bytes, output: Mapping[str, Any]) -> str:
    try:
        same = pixel_digest(open_picture(data)) == output.get("pixels_sha256")
    except OverpaintError:
        return "it is no picture any more"
    return "its pixels are equal, its metadata are not" if same else "it has other pixels"
