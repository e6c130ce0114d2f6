"""One line of an audit log.

    {"hash":H,"id":I,"n":N,"prev":P,"record":{...}}

The line is canonical JSON (RFC 8785), so its keys are always in this order. H is the SHA-256 of the line without its
hash, so every byte of a line is either the hash or hashed; P is the hash of the line before, zeros for the first; N
counts from 1; I is the first half of the SHA-256 of the record's text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

GENESIS = "0" * 64
"""The hash of the line before the first."""

LONGEST = 1 << 24
"""Most bytes that are read of a line; a record has some thousands."""

_FORM = re.compile(
    rb'\{"hash":"([0-9a-f]{64})","id":"([0-9a-f]{32})","n":([1-9][0-9]{0,17}),"prev":"([0-9a-f]{64})","record":'
)
_HASHED_FROM = len(f'{{"hash":"{GENESIS}",')


@dataclass(frozen=True, slots=True)
class ChainLink:
    """A line's position in the chain, as the line has it.

    Attributes:
        n: Its number, from 1.
        id: Its record's id.
        prev: The hash of the line before.
        hash: Its own hash.
    """

    n: int
    id: str
    prev: str
    hash: str


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The end of a chain.

    Attributes:
        count: Number of lines.
        hash: Hash of the last line; zeros when there is none.
    """

    count: int = 0
    hash: str = GENESIS

    def __str__(self) -> str:
        return f"{self.count}:{self.hash}"


def id_of(text: str | bytes) -> str:
    """The id of a record: half of the digest of its canonical JSON."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()[:32]


def line_of(record: str, end: ChainHead) -> tuple[bytes, ChainHead]:
    """A record's canonical JSON as the line after the end of a chain, with its newline, and the new end."""
    n = end.count + 1
    body = f'"id":"{id_of(record)}","n":{n},"prev":"{end.hash}","record":{record}}}'.encode()
    digest = hashlib.sha256(b"{" + body).hexdigest()
    return b'{"hash":"' + digest.encode() + b'",' + body + b"\n", ChainHead(n, digest)


def link_of(line: bytes) -> ChainLink | None:
    """A line's position in the chain, unchecked; None when it does not have the form of a line."""
    found = _FORM.match(line)
    if found is None:
        return None
    digest, id, n, prev = found.groups()
    return ChainLink(int(n), id.decode(), prev.decode(), digest.decode())


def computed_hash(line: bytes) -> str:
    """The hash of a line (without its newline), computed."""
    return hashlib.sha256(b"{" + line[_HASHED_FROM:]).hexdigest()


def record_text(line: bytes) -> bytes:
    """The record's text in a line; empty when it does not have the form of a line."""
    found = _FORM.match(line)
    return b"" if found is None else line[found.end() : -1]


def is_evidence(text: bytes) -> bool:
    """Whether a record's text is of an edit or an action of a session, and not about the log itself."""
    return b'"kind":"edit"' in text or is_of_session(text)


def is_of_session(text: bytes) -> bool:
    """Whether a record's text is of an action of a session."""
    return b'"kind":"session"' in text


def lines_from(file: BinaryIO) -> Iterator[bytes]:
    """The lines of a file from here on, with their newlines; of one longer than `LONGEST` only the beginning."""
    while line := file.readline(LONGEST):
        ended = line.endswith(b"\n")
        while not ended and len(line) == LONGEST and (rest := file.readline(LONGEST)):
            ended = rest.endswith(b"\n")
        yield line if ended == line.endswith(b"\n") else line + b"\n"
