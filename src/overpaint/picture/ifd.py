"""Directories of tags in TIFF files and EXIF blocks (TIFF 6.0, section 2; BigTIFF).

Every offset and count is checked against the block before it is followed.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_CODES = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 11: "f", 12: "d", 13: "I", 16: "Q", 17: "q", 18: "Q"}
SHORT, LONG, UNDEFINED = 3, 4, 7

EXIF_IFD, GPS_IFD, INTEROP_IFD = 0x8769, 0x8825, 0xA005
ORIENTATION = 0x0112


class MalformedIFD(ValueError):  # noqa: N818 - always caught in this room
    """The block's directories can't be followed."""


@dataclass(frozen=True, slots=True)
class TagEntry:
    """Type and count of one tag, the position of its 12 (BigTIFF: 20) bytes, and that of its value."""

    type: int
    count: int
    at: int  # position of the entry itself
    value_at: int  # position of the value, in the entry or elsewhere

    @property
    def length(self) -> int:
        """Bytes of the value."""
        return SIZES.get(self.type, 1) * self.count


@dataclass(frozen=True, slots=True)
class TagDirectory:
    """The tags of one directory, and the position and value of the link to the next one."""

    at: int
    entries: Mapping[int, TagEntry]
    next: int
    next_at: int

    @property
    def end(self) -> int:
        """Position behind the link to the next directory."""
        return self.next_at + 4


@dataclass(frozen=True, slots=True)
class TagValue:
    """A tag's type and raw bytes, without a place."""

    type: int
    raw: bytes

    @property
    def count(self) -> int:
        """Number of values of the type."""
        return len(self.raw) // SIZES[self.type]


class TagBlock:
    """A TIFF structure: header, byte order, and bounded access to its directories."""

    def __init__(self, data: bytes | bytearray) -> None:
        """Read the header; MalformedIFD when it isn't one."""
        self.data = data
        head = bytes(data[:4])
        if head in (b"II*\0", b"II+\0"):
            self.order: Literal["<", ">"] = "<"
        elif head in (b"MM\0*", b"MM\0+"):
            self.order = ">"
        else:
            raise MalformedIFD("no TIFF header")
        self.big = b"+" in head
        if self.big and self.number(4, 2) != 8:
            raise MalformedIFD("BigTIFF with offsets of another size than 8")
        self.first = self.number(8, 8) if self.big else self.number(4, 4)

    def number(self, at: int, size: int) -> int:
        """The unsigned integer of `size` bytes at a position."""
        if at < 0 or at + size > len(self.data):
            raise MalformedIFD(f"an offset points outside: {at}")
        return int.from_bytes(self.data[at : at + size], "little" if self.order == "<" else "big")

    def directory(self, at: int) -> TagDirectory:
        """The directory at an offset. Entries with a value outside the block are left out."""
        size, width, head = (20, 8, 8) if self.big else (12, 4, 2)
        count = self.number(at, head)
        if at < 8 or count > 4096:
            raise MalformedIFD(f"no directory at {at}")
        entries: dict[int, TagEntry] = {}
        for i in range(count):
            entry_at = at + head + i * size
            tag, kind, number = self.number(entry_at, 2), self.number(entry_at + 2, 2), self.number(entry_at + 4, width)
            value_at = entry_at + 4 + width
            length = SIZES.get(kind, 0) * number
            if length > width:
                value_at = self.number(value_at, width)
            if kind in SIZES and value_at + length <= len(self.data):
                entries.setdefault(tag, TagEntry(kind, number, entry_at, value_at))
        next_at = at + head + count * size
        link = self.number(next_at, width) if next_at + width <= len(self.data) else 0
        return TagDirectory(at, entries, link, next_at)

    def chain(self, at: int, limit: int = 64) -> Iterator[TagDirectory]:
        """The directories linked from one at `at` on, at most `limit`, each once; stops where one can't be followed."""
        seen: set[int] = set()
        while at and at not in seen and len(seen) < limit:
            seen.add(at)
            try:
                found = self.directory(at)
            except MalformedIFD:
                return
            yield found
            at = found.next

    def raw(self, entry: TagEntry) -> bytes:
        """The value's bytes."""
        return bytes(self.data[entry.value_at : entry.value_at + entry.length])

    def numbers(self, entry: TagEntry, limit: int = 1 << 22) -> tuple[float, ...]:
        """The value as numbers; rationals are divided (x / 0 is 0), at most `limit` of them."""
        count = min(entry.count, limit)
        raw = self.raw(entry)[: count * SIZES[entry.type]]
        if entry.type in (5, 10):
            pairs = struct.unpack(f"{self.order}{2 * count}{'I' if entry.type == 5 else 'i'}", raw)
            return tuple(n / d if d else 0.0 for n, d in zip(pairs[::2], pairs[1::2], strict=True))
        code = _CODES.get(entry.type)
        return struct.unpack(f"{self.order}{count}{code}", raw) if code else ()

    def integers(self, directory: TagDirectory, tag: int) -> tuple[int, ...]:
        """The tag's values as integers; empty when it is missing or of another kind."""
        entry = directory.entries.get(tag)
        if entry is None or entry.type not in (1, 3, 4, 13, 16, 18):
            return ()
        return tuple(int(v) for v in self.numbers(entry))

    def integer(self, directory: TagDirectory, tag: int, default: int) -> int:
        """The tag's first value."""
        values = self.integers(directory, tag)
        return values[0] if values else default

    def child(self, directory: TagDirectory, tag: int) -> TagDirectory | None:
        """The directory that a pointer tag leads to, if it can be followed."""
        at = self.integer(directory, tag, 0)
        try:
            return self.directory(at) if at else None
        except MalformedIFD:
            return None

    def values(self, directory: TagDirectory) -> dict[int, TagValue]:
        """All values of a directory by tag."""
        return {tag: TagValue(e.type, self.raw(e)) for tag, e in directory.entries.items()}
