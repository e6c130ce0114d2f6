"""Run lengths: a bilevel mask as the lengths of alternate runs of 0 and 1, the first of 0 and possibly empty.

COCO's compressed form writes each length, from the fourth on minus the one two before it, in base 32: five bits a
character, the lowest first, bit 5 set when more follow, the sign in bit 4 of the last, plus 48 to be printable (COCO
API, maskApi.c).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import MaskError

_MOST_CHARACTERS = 7  # of one number: 35 bits are more than any length that is allowed

Counts = NDArray[np.int64]


def runs_of(bits: NDArray[np.bool_]) -> Counts:
    """The run lengths of (N,) bool."""
    changes = np.flatnonzero(bits[1:] != bits[:-1]) + 1
    start = [0] if bits.size == 0 or not bits[0] else [0, 0]
    return np.diff(np.concatenate([start, changes, [bits.size]])).astype(np.int64)


def bits_of(counts: Counts, length: int) -> NDArray[np.bool_]:
    """(length,) bool of run lengths.

    Raises:
        MaskError: a length is negative or more than `length`, or they don't add up to `length`.
    """
    if counts.size and counts.min() < 0:
        raise MaskError(f"a run-length mask has a negative length: {counts.min()}")
    if counts.size and counts.max() > length:  # before they are added up: the sum of int64 could wrap to `length`
        raise MaskError(f"a run-length mask of {length} pixels has a run of {counts.max()}")
    total = int(counts.sum())
    if total != length:
        raise MaskError(f"the lengths of a run-length mask add up to {total} pixels, but its size has {length}")
    return np.repeat(np.arange(counts.size) % 2 == 1, counts)


def compressed(counts: Counts) -> str:
    """COCO's characters for run lengths."""
    rest = counts.copy()
    rest[3:] -= counts[1:-2]
    columns, used = [], []
    going = np.ones(rest.shape, dtype=np.bool_)
    while going.any():
        digit = rest & 0x1F
        rest = rest >> 5
        more = np.where(digit & 0x10, rest != -1, rest != 0) & going
        columns.append(digit + 0x20 * more + 48)
        used.append(going)
        going = more
    if not columns:
        return ""
    characters = np.stack(columns, axis=1)[np.stack(used, axis=1)]
    return characters.astype(np.uint8).tobytes().decode("ascii")


def decompressed(text: str | bytes) -> Counts:
    """The run lengths of COCO's characters.

    Raises:
        MaskError: a character is none of COCO's, a number is too long, or the text ends within one.
    """
    try:
        raw = text.encode("ascii") if isinstance(text, str) else bytes(text)
    except UnicodeEncodeError as error:
        raise MaskError(f"a compressed run-length mask has characters that are not ASCII: {text[:40]!r}") from error
    codes = np.frombuffer(raw, dtype=np.uint8).astype(np.int64) - 48
    if codes.size == 0:
        return np.zeros(0, dtype=np.int64)
    if codes.min() < 0 or codes.max() > 63:
        wrong = raw[int(np.flatnonzero((codes < 0) | (codes > 63))[0])]
        raise MaskError(f"a compressed run-length mask has the character {chr(wrong)!r}, which COCO does not use")
    ends = np.flatnonzero((codes & 0x20) == 0)
    if ends.size == 0 or ends[-1] != codes.size - 1:
        raise MaskError("a compressed run-length mask ends in the middle of a number: it is cut off")
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > _MOST_CHARACTERS:
        raise MaskError(
            f"a compressed run-length mask has a number of {lengths.max()} characters, too large to be true"
        )
    place = np.arange(codes.size) - np.repeat(starts, lengths)
    numbers = np.add.reduceat((codes & 0x1F) << (5 * place), starts)
    negative = (codes[ends] & 0x10) != 0
    numbers = numbers - (negative * (np.int64(1) << (5 * lengths)))
    for first in (1, 2):  # each number from the fourth on adds to the one two before it
        numbers[first::2] = np.cumsum(numbers[first::2])
    return np.asarray(numbers, np.int64)
