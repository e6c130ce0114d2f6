"""EXIF blocks (CIPA DC-008): previews removed, orientation and comment read and written, nothing else moved.

A block is the TIFF structure without the `Exif\\0\\0` prefix. Maker notes hold offsets of a private form, so that
values are patched in place, and new ones are appended.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

from .ifd import (
    EXIF_IFD,
    GPS_IFD,
    INTEROP_IFD,
    LONG,
    ORIENTATION,
    SHORT,
    UNDEFINED,
    MalformedIFD,
    TagBlock,
    TagDirectory,
    TagValue,
)
from .jpeg_segments import end_of

USER_COMMENT = 0x9286
_EMPTY = b"MM\0*\0\0\0\x08\0\0\0\0\0\0"
_PREVIEW = re.compile(rb"\xff\xd8\xff[\xc0-\xcf\xda-\xdf\xe0-\xef\xfe]")
# Tags of a TIFF's first directory that describe the picture, not the storage of its pixels.
DESCRIPTION = 270
DESCRIPTIVE = frozenset(
    {DESCRIPTION, 271, 272, 305, 306, 315, 316, 33432, 18246, 18249, 40091, 40092, 40093, 40094, 40095, 50341}
)


def sanitised(exif: bytes) -> tuple[bytes | None, int]:
    """The block with orientation 1 and without embedded previews, and the orientation (1 to 8) that it had.

    The thumbnail directory's link and its bytes are zeroed, as are JPEG streams anywhere in the block (maker notes keep
    previews); every other byte stays. A block whose header can't be read, as one of a BigTIFF, becomes None. The block
    may have the prefix `Exif\\0\\0` of a JPEG segment.
    """
    data = bytearray(exif[6:] if exif[:5] == b"Exif\0" else exif)
    try:
        block, first = _opened(data)
    except MalformedIFD:
        return None, 1
    if block.big:
        return None, 1
    orientation = orientation_of(data)
    _patch_orientation(block, first, 1)
    _drop_thumbnails(block, first)
    _blank_previews(block, first)
    return bytes(data), orientation


def _opened(exif: bytes | bytearray | None) -> tuple[TagBlock, TagDirectory]:
    """The block and its first directory. MalformedIFD when they can't be read."""
    block = TagBlock(exif or b"")
    return block, block.directory(block.first)


def readable(exif: bytes | bytearray | None) -> tuple[TagBlock, TagDirectory]:
    """The block and its first directory; those of an empty block when they can't be read."""
    try:
        return _opened(exif)
    except MalformedIFD:
        return _opened(_EMPTY)


def orientation_of(exif: bytes | bytearray | None) -> int:
    """The orientation that the block states, 1 when it states none that is valid."""
    block, first = readable(exif)
    found = block.integer(first, ORIENTATION, 1)
    return found if 1 <= found <= 8 else 1


def with_orientation(exif: bytes | None, orientation: int) -> bytes | None:
    """The block with this orientation: patched in place, or in a new first directory at the end.

    Without a block, orientation 1 needs none and gives None.
    """
    if orientation_of(exif) == orientation:
        return exif
    data = bytearray(exif or _EMPTY)
    block, first = _opened(data)
    if not _patch_orientation(block, first, orientation):
        value = TagValue(SHORT, struct.pack(f"{block.order}H", orientation))
        _append_directory(block, first, {ORIENTATION: value}, pointer=None)
    return bytes(data)


def user_comment(exif: bytes | bytearray | None) -> str | None:
    """The text of UserComment (0x9286), None when there is none that can be read.

    Text marked UNICODE is UTF-16 in either byte order: writers disagree. A byte order mark decides; without one it is
    big endian, unless only the other order makes it mostly Latin.
    """
    block, first = readable(exif)
    pointed = block.child(first, EXIF_IFD)
    entry = pointed.entries.get(USER_COMMENT) if pointed else None
    if entry is None:
        return None
    raw = block.raw(entry)
    code, body = raw[:8], raw[8:]
    if code == b"UNICODE\0":
        return _utf16(body)
    text = body.decode("utf-8", "replace") if code in (b"ASCII\0\0\0", b"\0" * 8) else raw.decode("utf-8", "replace")
    return text.rstrip("\0") or None


def with_user_comment(exif: bytes | None, text: str) -> bytes:
    """The block with UserComment set to `text`; a new big-endian block when there is none or it can't be read.

    A new Exif directory goes to the end and the pointer to it is patched, so that every other value stays where it is,
    maker notes above all. An earlier comment is wiped. Text beyond ASCII is written as UTF-16, big endian, as
    AUTOMATIC1111 reads it.
    """
    text = text.encode("utf-8", "replace").decode()  # lone surrogates can't be encoded
    if exif is not None and text and user_comment(exif) == text:
        return exif
    try:
        body = b"ASCII\0\0\0" + text.encode("ascii")
    except UnicodeEncodeError:
        wide = text.encode("utf-16-be")
        # A byte order mark only where readers would guess wrong: some show it.
        body = b"UNICODE\0" + (wide if _utf16(wide) == text else b"\xfe\xff" + wide)
    for start in (exif or _EMPTY, _EMPTY):
        data = bytearray(start)
        try:
            block, first = _opened(data)
            _append_directory(block, first, {USER_COMMENT: TagValue(UNDEFINED, body)}, pointer=EXIF_IFD)
        except MalformedIFD:
            continue
        # A block whose directories overlap can't be patched; it is replaced, as one that can't be read.
        if (user_comment(data) or "") == text.rstrip("\0"):
            return bytes(data)
    raise AssertionError("an empty block can hold any comment")


def without_user_comment(exif: bytes) -> bytes:
    """The block with an earlier comment wiped; the tag stays, empty."""
    return with_user_comment(exif, "") if user_comment(exif) else exif


def resolution(exif: bytes | None) -> tuple[float, float] | None:
    """Dots per inch from XResolution, YResolution and ResolutionUnit; None unless all can be read."""
    return directory_resolution(*readable(exif))


def directory_resolution(block: TagBlock, first: TagDirectory) -> tuple[float, float] | None:
    """The same of one directory; TIFF files keep it there too."""
    entries = [first.entries.get(tag) for tag in (0x011A, 0x011B)]
    if any(e is None or e.type != 5 or e.count != 1 for e in entries):
        return None
    x, y = (block.numbers(e)[0] for e in entries if e is not None)
    scale = {2: 1.0, 3: 2.54}.get(block.integer(first, 0x0128, 2))
    return (x * scale, y * scale) if scale and 1 <= x < 1e5 and 1 <= y < 1e5 else None


def from_directory(block: TagBlock, first: TagDirectory) -> bytes | None:
    """The EXIF block of a TIFF file: descriptive tags of its first directory, and its EXIF and GPS directories.

    Values are copied; offsets in maker notes, which point into the file, become invalid. None when there are none.
    """
    empty = (b"II*\0" if block.order == "<" else b"MM\0*") + struct.pack(f"{block.order}IHI", 8, 0, 0)
    found = _with_directories_of(empty, block, first)
    return found if found != empty else None


def grafted(tiff: bytes, exif: bytes | None) -> bytes:
    """A TIFF file with a block's descriptive tags and its EXIF and GPS directories added.

    Both must have the same byte order. The new directories are appended; nothing else moves. Offsets in maker notes
    become invalid. A block that can't be read adds nothing, and a BigTIFF gets nothing.
    """
    try:
        source, target = TagBlock(exif or b""), TagBlock(tiff)
        if target.big or source.order != target.order:
            return tiff
        return _with_directories_of(tiff, source, source.directory(source.first))
    except MalformedIFD:
        return tiff


def _with_directories_of(data: bytes, source: TagBlock, first: TagDirectory) -> bytes:
    target = TagBlock(bytearray(data))
    page = target.directory(target.first)
    values = {t: v for t, v in source.values(first).items() if t in DESCRIPTIVE and t not in page.entries}
    if DESCRIPTION in values and values[DESCRIPTION].raw.startswith(b'{"shape": '):
        del values[DESCRIPTION]  # tifffile's, of the file as it was stored
    found = {tag: source.child(first, tag) for tag in (EXIF_IFD, GPS_IFD)}
    inner = {tag: source.values(directory) for tag, directory in found.items() if directory and directory.entries}
    if values or inner:
        _append_directory(target, page, values | dict.fromkeys(inner, TagValue(LONG, bytes(4))), pointer=None)
    for tag, entries in inner.items():
        entries.pop(INTEROP_IFD, None)
        _append_directory(target, target.directory(target.first), entries, pointer=tag)
    return bytes(target.data)


def _utf16(body: bytes) -> str | None:
    body = body[: len(body) // 2 * 2]
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = body.decode("utf-16", "replace")
    else:
        big, little = body.decode("utf-16-be", "replace"), body.decode("utf-16-le", "replace")
        text = little if _mostly_latin(little) and not _mostly_latin(big) else big
    return text.rstrip("\0") or None


def _mostly_latin(text: str) -> bool:
    return 2 * sum(ord(c) < 0x250 for c in text) > len(text)


def _patch_orientation(block: TagBlock, first: TagDirectory, orientation: int) -> bool:
    """Overwrite the orientation; False when there is no such tag of a usable type."""
    entry = first.entries.get(ORIENTATION)
    if entry is None or entry.type not in (SHORT, LONG) or entry.count != 1 or not isinstance(block.data, bytearray):
        return False
    code = "H" if entry.type == SHORT else "I"
    struct.pack_into(f"{block.order}{code}", block.data, entry.value_at, orientation)
    return True


def _drop_thumbnails(block: TagBlock, first: TagDirectory) -> None:
    """Cut the link from the first directory to the others and zero the pictures that these point to."""
    assert isinstance(block.data, bytearray)
    kept = list(_kept_ranges(block, first))
    for directory in list(block.chain(first.next, 8)):
        starts = block.integers(directory, 0x0201) + block.integers(directory, 0x0111)
        counts = block.integers(directory, 0x0202) + block.integers(directory, 0x0117)
        for start, count in zip(starts, counts, strict=False):
            end = min(start + count, len(block.data))
            if 8 <= start < end and not any(start < b and a < end for a, b in kept):
                block.data[start:end] = bytes(end - start)
    if first.next_at + 4 <= len(block.data):
        block.data[first.next_at : first.next_at + 4] = bytes(4)


def _kept_ranges(block: TagBlock, first: TagDirectory) -> Iterator[tuple[int, int]]:
    """Ranges of the header, and of the directories that stay and their values: a hostile thumbnail may claim them."""
    yield 0, 8
    inner = [block.child(first, tag) for tag in (EXIF_IFD, GPS_IFD)]
    for directory in [first, *(d for d in inner if d is not None)]:
        yield directory.at, directory.end
        for entry in directory.entries.values():
            yield entry.value_at, entry.value_at + entry.length


def _blank_previews(block: TagBlock, first: TagDirectory) -> None:
    """Zero every JPEG stream in the block, up to its end marker or the end of the value that holds it."""
    data = block.data
    assert isinstance(data, bytearray)
    ranges = list(_kept_ranges(block, first)) if _PREVIEW.search(data) else []
    at = 0
    while found := _PREVIEW.search(data, at):
        start = found.start()
        holder = min((b for a, b in ranges if a <= start < b), default=len(data))
        end = end_of(data, start) or max(holder, start + 4)
        data[start:end] = bytes(end - start)
        at = end


def _append_directory(block: TagBlock, first: TagDirectory, values: dict[int, TagValue], pointer: int | None) -> None:
    """Append a copy of the first directory, or of the one that its tag `pointer` leads to, with `values` set.

    The offset of the old one is patched. The old copy and the replaced values are wiped, and cut off at the very end of
    the block, so that a block doesn't grow with every edit.
    """
    data = block.data
    assert isinstance(data, bytearray)
    old = block.child(first, pointer) if pointer is not None else first
    if pointer is not None and pointer not in first.entries:
        _append_directory(block, first, {pointer: TagValue(LONG, bytes(4))}, pointer=None)
        first = block.directory(block.first)
    fields: dict[int, bytes] = {}
    if old is not None:
        fields = {tag: bytes(data[e.at : e.at + 12]) for tag, e in old.entries.items() if tag not in values}
        replaced = [old.entries[tag] for tag in values if tag in old.entries]
        _wipe(data, [(old.at, old.end)] + [(e.value_at, e.value_at + e.length) for e in replaced if e.length > 4])
    data += b"\0" * (len(data) % 2)
    at = len(data)
    # Values first, the directory behind them: both then end the block and can be cut off again.
    for tag, value in values.items():
        field = value.raw
        if len(field) > 4:
            field = struct.pack(f"{block.order}I", at)
            data += value.raw + b"\0" * (len(value.raw) % 2)
            at = len(data)
        fields[tag] = struct.pack(f"{block.order}HHI", tag, value.type, value.count) + field.ljust(4, b"\0")
    data += struct.pack(f"{block.order}H", len(fields)) + b"".join(fields[tag] for tag in sorted(fields))
    data += struct.pack(f"{block.order}I", old.next if old is not None else 0)
    place = 4 if pointer is None else first.entries[pointer].value_at
    data[place : place + 4] = struct.pack(f"{block.order}I", at)
    if pointer is None:
        block.first = at


def _wipe(data: bytearray, ranges: list[tuple[int, int]]) -> None:
    """Zero the ranges, and remove those at the very end of the block."""
    for start, end in sorted(ranges, reverse=True):
        end = min(end, len(data))
        data[start:end] = bytes(max(0, end - start))
        if 0 <= len(data) - end <= 1 and not any(data[end:]) and start >= 8:
            del data[start:]
