"""PackBits, the run-length coding of PSD files (Adobe TIFF 6.0, section 9), by rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MOST = 128  # bytes of one packet
_WORTHWHILE = 32  # runs are looked for where at least one byte of so many lies within one


def packed_rows(rows: NDArray[np.uint8]) -> tuple[NDArray[np.intp], bytes]:
    """Each row packed by itself.

    Args:
        rows: (n, w) uint8, with at least one column.

    Returns:
        (n,) the bytes of each packed row, and all packed rows, one behind another.
    """
    same = rows[:, 1:] == rows[:, :-1]
    inside = int(np.count_nonzero(same[:, 1:] & same[:, :-1]))
    return _with_runs(rows) if inside * _WORTHWHILE >= rows.size else _as_literals(rows)


def _as_literals(rows: NDArray[np.uint8]) -> tuple[NDArray[np.intp], bytes]:
    """Packets of bytes as they are: one byte more in 128, and several times as fast."""
    count, width = rows.shape
    full, rest = divmod(width, _MOST)
    packed = np.empty((count, width + full + (rest > 0)), np.uint8)
    whole = packed[:, : full * (_MOST + 1)].reshape(count, full, _MOST + 1)
    whole[..., 0] = _MOST - 1
    whole[..., 1:] = rows[:, : full * _MOST].reshape(count, full, _MOST)
    if rest:
        packed[:, -rest - 1] = rest - 1
        packed[:, -rest:] = rows[:, -rest:]
    return np.full(count, packed.shape[1], np.intp), packed.tobytes()


def _with_runs(rows: NDArray[np.uint8]) -> tuple[NDArray[np.intp], bytes]:
    """Runs of three equal bytes or more as two bytes for each 128 of them, the rest as it is."""
    count, width = rows.shape
    new = np.ones((count, width), bool)
    np.not_equal(rows[:, 1:], rows[:, :-1], out=new[:, 1:])
    flat = rows.reshape(-1)
    starts = np.flatnonzero(new.reshape(-1))
    long = np.diff(starts, append=flat.size) >= 3
    # A segment is one long run, or all short ones between two long ones or a row's ends.
    first = long | (starts % width == 0)
    first[1:] |= long[:-1]
    starts, repeats = starts[first], long[first]
    lengths = np.diff(starts, append=flat.size)
    literal = np.repeat(~repeats, lengths)
    pieces = -(-lengths // _MOST)
    number = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    starts, repeats = np.repeat(starts, pieces) + number * _MOST, np.repeat(repeats, pieces)
    lengths = np.minimum(np.repeat(lengths, pieces) - number * _MOST, _MOST)
    sizes = np.where(repeats, 2, lengths + 1)
    at = np.cumsum(sizes) - sizes
    packed = np.empty(int(sizes.sum()), np.uint8)
    # A header of 0 to 127 announces so many bytes and one more; of 129 to 255, one byte 257 - header times.
    packed[at] = np.where(repeats & (lengths > 1), 257 - lengths, lengths - 1)
    packed[at[repeats] + 1] = flat[starts[repeats]]
    others = np.ones(packed.size, bool)
    others[at] = False
    others[at[repeats] + 1] = False
    packed[others] = flat[literal]
    return np.bincount(starts // width, weights=sizes, minlength=count).astype(np.intp), packed.tobytes()
