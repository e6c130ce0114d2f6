"""Following the chain of a log, line by line: its end, and every line that does not follow the one before."""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, NamedTuple

from overpaint.errors import InputError
from overpaint.values import parse_json

from ._line import GENESIS, ChainHead, ChainLink, computed_hash, id_of, is_evidence, lines_from, link_of, record_text
from ._note import LogCheckpoint, LogNote


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


class SeenLine(NamedTuple):
    """What is kept of a line: its number as it says, its hash, its record's id, and whether that is of an edit or of an
    action of a session."""

    n: int
    hash: str
    id: str
    edit: bool


@dataclass(slots=True)
class Chain:
    """A log as far as it was read.

    Attributes:
        most: Faults after which no further line is read: a file that is no log would fill the memory.
        visit: Called with the number and the record's text of each line that is right; returns a fault or None.
        lines: The lines, readable or not.
        end: The end of the chain; of lines that are at fault, by what they say themselves.
        size: Bytes of the lines.
        torn: An unfinished last line.
        faults: Every line that was changed, put in, moved, or follows a gap.
        notes: Lines that are notes, and checkpoints, by the number of the line.
    """

    visit: Callable[[int, bytes], str | None] = lambda n, text: None
    most: float = math.inf
    lines: list[SeenLine] = field(default_factory=list)
    end: ChainHead = field(default_factory=ChainHead)
    size: int = 0
    torn: bytes = b""
    faults: list[Fault] = field(default_factory=list)
    notes: dict[int, LogNote | LogCheckpoint] = field(default_factory=dict)
    _ids: set[str] = field(default_factory=set)
    _by_hash: dict[str, int] = field(default_factory=dict)
    _jumps: dict[str, int] = field(default_factory=dict)
    _highest: list[int] = field(default_factory=list)

    def read(self, file: BinaryIO, size: int) -> None:
        """Read on, up to `size` bytes of the file."""
        file.seek(self.size)
        self.torn = b""
        for line in lines_from(file):
            if not line.endswith(b"\n") or file.tell() > size:
                self.torn = line
                return
            self._take(line)
            self.size = file.tell()
            if len(self.faults) >= self.most:
                self.faults.append(
                    Fault(len(self.lines) + 1, f"{self.most:,} faults are enough: no line was read from here")
                )
                return

    def has(self, id: str) -> bool:
        """Whether there is a line with this record."""
        return id in self._ids

    def holds(self, head: ChainHead) -> bool:
        """Whether the chain ever had this end."""
        return head == ChainHead() or self._by_hash.get(head.hash) == head.count

    def number_of(self, hash: str) -> int | None:
        """The number of the line with this hash; 0 for the hash before the first."""
        return 0 if hash == GENESIS else self._by_hash.get(hash)

    def after(self, count: int) -> Iterator[tuple[int, SeenLine]]:
        """The lines with a number beyond `count`, each with its place in the file."""
        first = bisect_right(self._highest, count)
        return ((n, line) for n, line in enumerate(self.lines[first:], first + 1) if line.n > count)

    def _take(self, line: bytes) -> None:
        place, link, bare = len(self.lines) + 1, link_of(line), line[:-1]
        if link is None:  # the chain continues from the digest of its bytes
            seen = SeenLine(self.end.count + 1, hashlib.sha256(line).hexdigest(), "", True)
            self._fault(place, "it was changed: it has no longer the form of a line of an audit log")
        else:
            text = record_text(bare)
            seen = SeenLine(link.n, link.hash, link.id, is_evidence(text))
            fault = _content_fault(bare, text, link)
            self._fault(place, fault or self._place_fault(link))
            if fault is None:
                self._fault(place, self.visit(place, text))
                self._fault(place, None if seen.edit else self._keep_note(place, text))
        if seen.n > self.end.count:  # a line from elsewhere does not set the chain back
            self.end = ChainHead(seen.n, seen.hash)
        self._highest.append(self.end.count)
        self.lines.append(seen)
        self._ids.add(seen.id)
        self._by_hash.setdefault(seen.hash, seen.n)

    def _fault(self, place: int, text: str | None) -> None:
        if text is not None:
            self.faults.append(Fault(place, text))

    def _place_fault(self, link: ChainLink) -> str | None:
        """What is wrong with a line that is right itself, where it is."""
        n, prev = self.end.count + 1, self.end.hash
        if link.n < n:
            if (jump := self._jumps.pop(link.hash, None)) is not None:
                swapped = f"it is line {link.n + 1}, which was line {link.n}'s successor: lines were swapped"
                self.faults[jump] = Fault(self.faults[jump].line, swapped)
            return f"it is line {link.n}, in another place or a second time"
        if link.n > n:
            self._jumps[link.prev] = len(self.faults)
            missing = f"line {n} is" if link.n == n + 1 else f"lines {n} to {link.n - 1} are"
            return f"{missing} missing: this is line {link.n}"
        if link.prev != prev:
            return (
                f"it does not follow the line before, whose hash is {prev[:12]}... and not {link.prev[:12]}...: "
                "it was put in, or that one was replaced"
            )
        return f"the record {link.id} is there twice" if link.id in self._ids else None

    def _keep_note(self, place: int, text: bytes) -> str | None:
        """Keep a note or a checkpoint. Returns a fault where it is neither."""
        try:
            table = parse_json(text, "a note")
            self.notes[place] = (LogCheckpoint if table["kind"] == "checkpoint" else LogNote)(**table)
        except (InputError, TypeError, KeyError):
            return "it was made by hand: it is neither a record nor a note"
        return None


def _content_fault(bare: bytes, text: bytes, link: ChainLink) -> str | None:
    """What is wrong with a line, wherever it is."""
    if not bare.endswith(b"}"):
        return "it was changed: it has no longer the form of a line of an audit log"
    if computed_hash(bare) != link.hash:
        return f"it was changed: its content does not have its hash {link.hash[:12]}..."
    if id_of(text) != link.id:
        return f"it was made by hand: its record does not have the id {link.id}"
    return None
