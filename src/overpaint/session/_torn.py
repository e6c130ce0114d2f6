"""A zip file that has no directory, as its end was cut off or overwritten: its whole entries are found, also those
behind a damaged part, and get a directory again.

Structures as in APPNOTE.TXT 6.3.10 (PKWARE), sections 4.3.7, 4.3.12, 4.3.14, 4.3.15 and 4.3.16.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

DIRECTORY_LIMIT = 16 << 20
"""Most bytes of a zip's directory; 140,000 files of a session need as many."""

_LOCAL, _CENTRAL, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_END64, _LOCATOR = b"PK\x06\x06", b"PK\x06\x07"
_LOCAL_FORM, _CENTRAL_FORM, _END_FORM = (
    struct.Struct("<4s5H3L2H"),
    struct.Struct("<4s6H3L5H2L"),
    struct.Struct("<4s4H2LH"),
)
_END64_FORM, _LOCATOR_FORM = struct.Struct("<4sQ2H2L4Q"), struct.Struct("<4sLQL")
_REGULAR = 0o100644 << 16
_LONGEST = 0xFFFFFFFF  # of lengths and offsets without the zip64 form
_INFLATED = 4 << 30  # bytes that are inflated to compare checksums; later ones are compared when they are read
_SEARCHED = 64 << 20  # bytes, beside the file's own, that are read of what turns out to be no whole entry
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry as its local header has it: a header's fields, its name, and where it and its data begin and end."""

    fields: tuple[int, ...]
    name: bytes
    start: int
    data: int
    end: int


def directory_size(file: BinaryIO) -> int | None:
    """The length of a zip's directory by the record at the file's end; None where there is none.

    Only a record without a comment counts, as sessions have it.
    """
    end = file.seek(0, os.SEEK_END)
    if end < _END_FORM.size:
        return None
    file.seek(end - _END_FORM.size)
    signature, *_, size, offset, comment = _END_FORM.unpack(file.read(_END_FORM.size))
    if signature != _END or comment:
        return None
    if _LONGEST not in (size, offset):
        return int(size)
    place = end - _END_FORM.size - _LOCATOR_FORM.size - _END64_FORM.size
    if place < 0:
        return None
    file.seek(place)
    record = _END64_FORM.unpack(file.read(_END64_FORM.size))
    return int(record[-2]) if record[0] == _END64 else None


def mended(file: BinaryIO, known: Callable[[str], object], needed: str) -> bool:
    """Cut the file off behind its last whole entry, and write its directory there. Damaged parts before it stay.

    Args:
        file: Open for reading and writing.
        known: Whether an entry may have this name; a file whose first entry has another is left as it is.
        needed: A name that must be there, or the file is left as it is.

    Returns:
        Whether that was done.
    """
    entries: list[_Entry] = []
    names: set[bytes] = set()
    for entry in _whole_entries(file):
        here = known(entry.name.decode("utf-8", "replace"))
        if not here and not entries:
            return False
        if here and entry.name not in names:
            entries.append(entry)
            names.add(entry.name)
    if all(entry.name != needed.encode() for entry in entries):
        return False
    start = entries[-1].end
    directory = b"".join(map(_directory_entry, entries))
    file.seek(start)
    file.truncate()
    file.write(directory)
    file.write(_ending(len(entries), len(directory), start))
    file.flush()
    os.fsync(file.fileno())
    return True


def _whole_entries(file: BinaryIO) -> Iterator[_Entry]:
    """The entries from the front. Behind one that is not whole, the next one that is."""
    length = file.seek(0, os.SEEK_END)
    at: int | None = 0
    inflated, searched = 0, -length
    if _header_at(file, 0, length) is None:
        return
    while at is not None and searched < _SEARCHED:
        entry = _header_at(file, at, length)
        if entry is not None and (inflated >= _INFLATED or _is_whole(file, entry)):
            inflated += entry.fields[7]
            yield entry
            at = entry.end
            continue
        searched += _CHUNK + (0 if entry is None else entry.end - entry.start)
        at = _next_header(file, at + 1)


def _header_at(file: BinaryIO, at: int, length: int) -> _Entry | None:
    """The entry whose header is at a place of a file of this length; None where there is none."""
    file.seek(at)
    head = file.read(_LOCAL_FORM.size)
    if len(head) < _LOCAL_FORM.size:
        return None
    signature, *fields = _LOCAL_FORM.unpack(head)
    _, flags, method, _, _, _, packed, size, name_length, extra_length = fields
    data = at + _LOCAL_FORM.size + name_length + extra_length
    # A header that was written before its data has lengths of 0 until these are known.
    if signature != _LOCAL or flags & ~0x800 or method not in (0, 8) or not 0 < size < _LONGEST:
        return None
    if packed == _LONGEST or data + packed > length or 4 * name_length > 1000:
        return None
    return _Entry(tuple(fields), file.read(name_length), at, data, data + packed)


def _next_header(file: BinaryIO, at: int) -> int | None:
    """Where a header begins, from this place on; None for nowhere."""
    while True:
        file.seek(at)
        part = file.read(_CHUNK)
        found = part.find(_LOCAL)
        if found >= 0:
            return at + found
        if len(part) < _CHUNK:
            return None
        at += len(part) - len(_LOCAL) + 1


def _is_whole(file: BinaryIO, entry: _Entry) -> bool:
    """Whether the entry's data have the length and the checksum of its header."""
    _, _, method, _, _, checksum, packed, size, _, _ = entry.fields
    file.seek(entry.data)
    inflate = zlib.decompressobj(-15) if method else None
    left, found, crc = packed, 0, 0
    try:
        while left and found <= size:
            part = file.read(min(left, 1 << 20))
            left -= len(part)
            while part:
                plain = part if inflate is None else inflate.decompress(part, 1 << 20)
                part = b"" if inflate is None else inflate.unconsumed_tail
                found, crc = found + len(plain), zlib.crc32(plain, crc)
                if found > size:
                    return False
        if inflate is not None:
            plain = inflate.flush()
            found, crc = found + len(plain), zlib.crc32(plain, crc)
    except zlib.error:
        return False
    return (found, crc) == (size, checksum)


def _directory_entry(entry: _Entry) -> bytes:
    needed, flags, method, time, date, checksum, packed, size, name_length, _ = entry.fields
    offset, extra = entry.start, b""
    if offset >= _LONGEST:
        offset, extra = _LONGEST, struct.pack("<2HQ", 1, 8, entry.start)
    made_by = 3 << 8 | max(needed, 45 if extra else 20)  # 3: the attributes are those of Unix
    head = _CENTRAL_FORM.pack(
        _CENTRAL, made_by, max(needed, 45 if extra else 20), flags, method, time, date, checksum, packed, size,
        name_length, len(extra), 0, 0, 0, _REGULAR, offset,
    )  # fmt: skip
    return head + entry.name + extra


def _ending(count: int, size: int, start: int) -> bytes:
    """The records behind a directory of `count` entries and `size` bytes, which begins at `start`."""
    plain = count < 0xFFFF and start < _LONGEST
    large = b"" if plain else _END64_FORM.pack(_END64, 44, 45, 45, 0, 0, count, count, size, start)
    large += b"" if plain else _LOCATOR_FORM.pack(_LOCATOR, 0, start + size, 1)
    short = min(count, 0xFFFF)
    return large + _END_FORM.pack(_END, 0, 0, short, short, size, min(start, _LONGEST), 0)
