"""The check of masks that come from outside: levels become values, noise is removed, likely mistakes become notes.

Certain mistakes are corrected and noted: the scale of the levels, the noise of lossy encoding, near-zero values. Likely
ones are only noted: a mask that covers most of the picture, that has no core, or that has as many levels as a
photograph. `_sources` reads colour and alpha, and refuses photographs.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import MaskError

from ._mask import Mask
from ._morphology import is_hard

Values = NDArray[np.float32]
Samples = NDArray[np.uint8] | NDArray[np.uint16]

FLOOR = 4 / 255
"""Values below it are 0, values above 1 - FLOOR are 1: levels 1 to 3 of 255 are noise in every mask.

A Gaussian feather loses the last 0.5 sigma of its tail, where at most 3 % of the new picture would show.
"""

RINGING = 0.1
"""Lossy encoding leaves values up to this around both ends of a hard mask."""

LARGEST_LABEL = 31
"""Levels of a label mask are small: up to this."""

_SPARE = np.float32(0.5 / 255)  # half a level, so that float32 rounding decides nothing
_MOST_LABELS = 8
_FLAT = 9
_TOPS = (1023, 4095, 16383, 32767, 32768)  # 10, 12, 14 and 15 bits in 16, and Photoshop's 16-bit scale
_MOST = 0.6
_MANY_LEVELS = 64


class Levels(NamedTuple):
    """The scale of a raster: value = (level - low) / (high - low), clipped; `note` gives the reason."""

    low: int
    high: int
    note: str = ""


def from_levels(levels: Samples, *, lossless: bool = True, notes: tuple[str, ...] = ()) -> Mask:
    """The mask of (H, W) uint8 or uint16 levels, the type's maximum meaning repaint.

    Known other scales are recognised: labels (a few small levels: every label but 0 is repainted), 8 bits in 16, 10 to
    15 bits in 16, video range (16..235). Levels of a lossy file are snapped at `RINGING`.

    Raises:
        MaskError: All levels are small, and there are too many of them for labels.
    """
    scale = _scale_of(levels, lossless)
    if scale is None:
        return Mask((levels > 0).astype(np.float32), notes)
    values = levels.astype(np.float32)
    values -= np.float32(scale.low)
    values /= np.float32(scale.high - scale.low)
    np.clip(values, 0, 1, out=values)
    if not lossless:
        values = snapped(values)
    return plausible(Mask(values, (*notes, scale.note) if scale.note else notes))


def plausible(mask: Mask) -> Mask:
    """The mask without noise, and with notes on likely mistakes.

    Values below `FLOOR` become 0 and those above 1 - `FLOOR` become 1. In a hard mask, so does everything up to
    `RINGING` that does not touch an edge. Checked again, the result does not change.
    """
    if mask.bilevel:
        return mask
    box = mask.bounds
    part = mask.values[box.slices]
    if labels := _labels(part):
        return Mask((mask.values > 0).astype(np.float32), (*mask.notes, _labels_note(labels)))
    cleaned = _cleaned(part)
    likely = _likely(cleaned, mask.values.size)
    if not likely and np.array_equal(cleaned, part):
        return mask
    values = np.zeros_like(mask.values)
    values[box.slices] = cleaned
    return Mask(values, (*mask.notes, *likely))


def without_noise(mask: Mask) -> Mask:
    """The mask with 0 below `FLOOR` and 1 above 1 - `FLOOR`: for shapes, whose levels need no other check."""
    return Mask(_floored(mask.values), mask.notes)


def covers_most(mask: Mask) -> str:
    """A note for a mask that may be inverted, because it marks most of the picture; "" for others."""
    share = float(np.mean(mask.core))
    if share <= _MOST:
        return ""
    return f"the mask marks {share:.0%} of the picture; if it marks the part that should stay, invert it"


def snapped(values: Values) -> Values:
    """0 below `RINGING` and 1 above 1 - `RINGING`, which removes the noise of lossy encoding."""
    result = values.copy()
    result[values < np.float32(RINGING)] = 0
    result[values > np.float32(1 - RINGING)] = 1
    return result


def _scale_of(levels: Samples, lossless: bool) -> Levels | None:
    """The scale of the levels; None where all are 0 or the maximum, which leaves nothing to check."""
    maximum = int(np.iinfo(levels.dtype).max)
    counts = _histogram(levels)
    present = np.flatnonzero(counts)
    low, high = int(present[0]), int(present[-1])
    if np.isin(present, (0, maximum)).all():
        return None
    if low == 0 and high == maximum:
        return Levels(0, maximum)
    if lossless and high <= LARGEST_LABEL:
        if np.count_nonzero(present) > _MOST_LABELS:
            raise MaskError(
                f"the mask has {len(present)} levels, none above {high}: labels, or a mask that is too faint",
                value=f"{low}..{high}",
                hint=f"save labels as an indexed picture whose index 0 is black; in a mask {maximum} is repainted",
            )
        return Levels(0, 1, _labels_note(present.tolist()))
    if maximum > 255 and (high <= 255 or high in _TOPS):
        top = max(high, 255)
        return Levels(0, top, f"the mask has 16 bits and no level above {high}: {top} was taken as repaint")
    for unit in (1,) if maximum == 255 else (256, 257):
        if _is_video(counts, low, high, unit, lossless):
            note = f"the mask has levels from {low} to {high}, taken as video range: 16 is 0 and 235 is repaint"
            return Levels(16 * unit, 235 * unit, note)
    return Levels(0, maximum)


def _is_video(counts: NDArray[np.int64], low: int, high: int, unit: int, lossless: bool) -> bool:
    """Whether black is 16 and white 235 (ITU-R BT.601), exactly or, in a lossy file, at most levels nearby."""
    black, white = 16 * unit, 235 * unit
    if lossless:
        return bool((low, high) == (black, white))
    near = 8 * unit
    around = counts[black - near : black + near + 1].sum() + counts[white - near : white + near + 1].sum()
    peaks = counts[: 128 * unit].argmax(), 128 * unit + counts[128 * unit :].argmax() if high >= 128 * unit else 0
    exact = abs(int(peaks[0]) - black) <= 2 * unit and abs(int(peaks[1]) - white) <= 2 * unit
    return bool(exact and around > 0.9 * counts.sum())


def _histogram(levels: Samples) -> NDArray[np.int64]:
    """How often each level occurs, up to the largest."""
    import cv2

    most = np.iinfo(levels.dtype).max + 1
    found = cv2.calcHist([np.ascontiguousarray(levels)], [0], None, [most], [0, most])
    counts: NDArray[np.int64] = found.ravel().astype(np.int64)
    return counts[: np.flatnonzero(counts)[-1] + 1]


def _labels(values: Values) -> list[int]:
    """The levels in 8 bits where a file with them would be read as labels; none for other masks.

    Labels are few, and all small; or one of the small ones fills flat areas, as no noise does (VOC: 0, 15, 255).
    """
    levels = np.rint(values * np.float32(255)).astype(np.uint8)
    present = np.flatnonzero(_histogram(levels))
    small = [level for level in present.tolist() if 0 < level <= LARGEST_LABEL]
    if not small or np.count_nonzero(present) > _MOST_LABELS:
        return []
    if present[-1] > LARGEST_LABEL:
        at_both_ends = ((present > 255 - LARGEST_LABEL) & (present < 255)).any()  # noise of JPEG
        if values.min() > 0 or at_both_ends or not any(is_flat(levels, levels == level) for level in small):
            return []
    return [int(level) for level in present]


def is_flat(levels: NDArray[np.uint8], among: NDArray[np.bool_]) -> bool:
    """Whether most of some pixels lie in squares of one level, `_FLAT` pixels wide: the blocks of JPEG have 8."""
    import cv2

    square = np.ones((_FLAT, _FLAT), np.uint8)
    centres = cv2.erode(levels, square) == cv2.dilate(levels, square)
    flat = cv2.dilate(centres.view(np.uint8), square).view(np.bool_)
    return bool(2 * np.count_nonzero(flat & among) > np.count_nonzero(among))


def _labels_note(levels: list[int]) -> str:
    named = ", ".join(map(str, sorted({0, *levels})))
    return f"the mask has only the levels {named}, taken as labels: every label but 0 is repainted"


def _floored(values: Values) -> Values:
    snap = np.float32(FLOOR) - _SPARE
    result = np.where(values < snap, np.float32(0), values)
    result[result > 1 - snap] = 1
    return result


def _cleaned(values: Values) -> Values:
    """The values without noise."""
    import cv2

    cleaned = _floored(values)
    if is_hard(cleaned):
        square = np.ones((3, 3), np.uint8)
        for end, others in ((0, cleaned >= np.float32(RINGING)), (1, cleaned <= np.float32(1 - RINGING))):
            beside = cv2.dilate(others.view(np.uint8), square).view(np.bool_)
            cleaned[~beside] = end  # near the end, and beside nothing else
    return cleaned


def _likely(values: Values, size: int) -> list[str]:
    """Notes on likely mistakes in a mask of `size` pixels; `values` are those within its bounds."""
    notes = []
    high = float(values.max())
    faint = np.count_nonzero((values > 0) & (values < np.float32(0.5))) / size
    if high >= 0.5 and faint > _MOST:
        notes.append(
            f"{faint:.0%} of the picture has mask values between 0 and one half, and is repainted in part; the part "
            "that should stay must be black" + _remedy(0.5)
        )
    eight = np.rint(values * np.float32(255)).astype(np.uint8)
    levels = np.flatnonzero(np.bincount(eight.ravel()))
    few = [level / 255 for level in levels.tolist() if level] if len(levels) <= _MOST_LABELS else []
    if 0 < high < 0.5:
        notes.append(
            f"the largest value of the mask is {high:.2g}, below one half: nothing is repainted entirely, and "
            "the old picture shows through" + _remedy(few[0] if few else high / 2)
        )
    elif few and few[0] < 0.5 and is_flat(eight, eight == round(255 * few[0])):
        notes.append(
            f"a flat part of the mask has the value {few[0]:.2g}, below one half: the old picture shows through there"
            + _remedy(few[0])
        )
    if values.size > size / 2:
        between = values[(values > np.float32(RINGING)) & (values < np.float32(1 - RINGING))]
        count = np.count_nonzero(np.bincount((between * np.float32(255)).astype(np.uint8)))
        if between.size > size / 2 and count > _MANY_LEVELS:
            notes.append(
                f"the mask has more than {count} levels, and most of it is neither 0 nor 1, as in a photograph or a "
                "depth map; a mask is white where the picture is repainted and black elsewhere"
            )
    return notes


def _remedy(least: float) -> str:
    return f"; if all of it is meant, apply a threshold of {max(1, int(100 * least)) / 100} to the mask"
