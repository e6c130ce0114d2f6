"""The check of masks that come from outside: levels become values, noise is removed, likely mistakes become notes.

Certain mistakes are corrected and noted: the scale of the levels, the noise of lossy encoding, near-zero values. Likely
ones are only noted: a mask that covers most of the picture, that has no core, or that has as many levels as a
photograph. `_sources` reads colour and alpha, and refuses photographs.

Only levels, which are whole numbers, can have another scale or be labels (`from_levels`, `of_raster`). Values were
meant as they are (`of_values`, `plausible`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import MaskError
from overpaint.geometry import Box

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

_STEPS = 4  # the edge of a soft brush has at least so many
_MOSTLY = 0.98
_SPARE = np.float32(0.5 / 255)  # half a level, so that float32 rounding decides nothing
_MOST_LABELS = 8
_FLAT = 9  # pixels; the blocks of JPEG have 8
_SMALL_AREA = 3  # pixels; wider than what antialiasing and noise leave
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
    15 bits in 16, video range (16..235). Levels of a lossy file are snapped at `RINGING`. Many small levels, and few
    that rise in small steps, are a faint brush.

    Raises:
        MaskError: The levels are many small ones that fill areas: labels, or a faint mask.
    """
    levels, note = _reduced(levels)
    counts = _histogram(levels)
    labels = _labels(levels, counts) if lossless and levels.dtype == np.uint8 else []
    if lossless and len(counts) <= LARGEST_LABEL + 1 and len(labels) != 1:
        if not _fill_areas(levels, counts):
            labels = []
        elif not labels:
            count, high = np.count_nonzero(counts), len(counts) - 1
            raise MaskError(
                f"the mask has {count} levels, none above {high}: labels, or a mask that is too faint",
                value=f"{np.flatnonzero(counts)[0]}..{high}",
                hint="save labels as an indexed picture whose index 0 is black; in a mask 255 is repainted",
            )
    scale = Levels(0, 255, note) if note else _scale_of(counts, int(np.iinfo(levels.dtype).max), lossless)
    return _scaled(levels, labels, scale, lossless, notes)


def of_raster(levels: NDArray[np.uint8]) -> Mask:
    """The mask of the raster of a request, in which labels and video range are recognised, and nothing is refused.

    A request must be read as it was when it was written: this rule never changes.
    """
    counts = _histogram(levels)
    return _scaled(levels, _labels(levels, counts), _scale_of(counts, 255, True), True, ())


def of_values(levels: NDArray[np.uint8]) -> Mask:
    """The mask whose values are levels / 255, as its maker meant them.

    Below `FLOOR` they become 0, and above 1 - `FLOOR` 1, unless nothing would be left.
    """
    meant = levels.astype(np.float32) / np.float32(255)
    values = _floored(meant)
    values = values if values.any() else meant
    return Mask(values, tuple(_likely(values[Box.around(values > 0).slices], values.size)) if values.any() else ())


def are_values(levels: NDArray[np.uint8]) -> bool:
    """Whether `of_raster` takes these levels as `of_values` does."""
    counts = _histogram(levels)
    if _labels(levels, counts) or _scale_of(counts, 255, True) not in (None, Levels(0, 255)):
        return False
    part = levels[Box.around(levels > 0).slices].astype(np.float32) / np.float32(255)
    return np.array_equal(_cleaned(part), _floored(part))


def _scaled(levels: Samples, labels: list[int], scale: Levels | None, lossless: bool, notes: tuple[str, ...]) -> Mask:
    """The mask of levels with this scale; None is 0 and the maximum alone, which leaves nothing to check."""
    if labels:
        return Mask((levels > 0).astype(np.float32), (*notes, _labels_note(labels)))
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
    return f"the mask marks {share:.0%} of the picture; if it marks what should stay, the setting invert turns it round"


def snapped(values: Values) -> Values:
    """0 below `RINGING` and 1 above 1 - `RINGING`, which removes the noise of lossy encoding."""
    result = values.copy()
    result[values < np.float32(RINGING)] = 0
    result[values > np.float32(1 - RINGING)] = 1
    return result


def _reduced(levels: Samples) -> tuple[Samples, str]:
    """16-bit levels that need only 8 bits as uint8, and a note where 255 is not their maximum; others as they are."""
    if levels.dtype == np.uint8:
        return levels, ""
    present = np.flatnonzero(_histogram(levels))
    if not (present % 257).any():
        return (levels // 257).astype(np.uint8), ""
    if present[-1] > 255:
        return levels, ""
    return levels.astype(np.uint8), f"the mask has 16 bits and no level above {present[-1]}: 255 was taken as repaint"


def _scale_of(counts: NDArray[np.int64], maximum: int, lossless: bool) -> Levels | None:
    """The scale of levels that occur so often; None where all are 0 or the maximum."""
    present = np.flatnonzero(counts)
    low, high = int(present[0]), int(present[-1])
    if np.isin(present, (0, maximum)).all():
        return None
    if low == 0 and high == maximum:
        return Levels(0, maximum)
    if high in _TOPS:
        return Levels(0, high, f"the mask has 16 bits and no level above {high}: {high} was taken as repaint")
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


def _labels(levels: Samples, counts: NDArray[np.int64]) -> list[int]:
    """The levels of (H, W) uint8 that may be labels; none for other masks.

    Labels are few, and all small; or one of the small ones fills flat areas, as no noise does (VOC: 0, 15, 255).
    """
    present = np.flatnonzero(counts)
    small = [level for level in present.tolist() if 0 < level <= LARGEST_LABEL]
    if not small or np.count_nonzero(present) > _MOST_LABELS:
        return []
    if present[-1] > LARGEST_LABEL:
        part = levels[Box.around(levels > 0).slices]
        at_both_ends = ((present > 255 - LARGEST_LABEL) & (present < 255)).any()  # noise of JPEG
        if part.min() > 0 or at_both_ends:
            return []
        flat = flat_areas(part)
        if not any(is_flat(flat, part == level) for level in small):
            return []
    return [int(level) for level in present]


def _fill_areas(levels: Samples, counts: NDArray[np.int64]) -> bool:
    """Whether small levels are labels: half of them or more fill areas, and they are no soft brush."""
    present = np.flatnonzero(counts[1:]) + 1
    if len(present) < 2:
        return len(present) == 1
    inside = np.bincount(levels[flat_areas(levels, _SMALL_AREA)], minlength=len(counts))
    return bool(np.mean(2 * inside[present] > counts[present]) >= 0.5) and not _is_soft(levels, counts)


def _is_soft(levels: Samples, counts: NDArray[np.int64]) -> bool:
    """Whether small levels are those of a faint soft brush: each is beside levels that are nearly the same.

    Labels are beside any others, and most of all beside 0.
    """
    high = len(counts) - 1
    if high < round(FLOOR * 255):  # as a brush, all would be noise
        return False
    pairs = np.zeros((high + 1, high + 1), np.int64)
    for one, other in ((levels[1:], levels[:-1]), (levels[:, 1:], levels[:, :-1])):
        unequal = one != other
        both = one[unequal].astype(np.int64) * (high + 1) + other[unequal]
        pairs += np.bincount(both, minlength=pairs.size).reshape(pairs.shape)
    pairs += pairs.T
    every = np.arange(high + 1)
    near = np.where(np.abs(every[:, None] - every) <= high / _STEPS, pairs, 0).sum(axis=1)
    present = np.flatnonzero(counts[1:]) + 1
    return bool((near[present] > _MOSTLY * pairs.sum(axis=1)[present]).all())


def flat_areas(levels: Samples, width: int = _FLAT) -> NDArray[np.bool_]:
    """(H, W) bool: what lies in squares of one level, so many pixels wide."""
    import cv2

    square = np.ones((width, width), np.uint8)
    centres = cv2.erode(levels, square) == cv2.dilate(levels, square)
    flat: NDArray[np.bool_] = cv2.dilate(centres.view(np.uint8), square).view(np.bool_)
    return flat


def is_flat(flat: NDArray[np.bool_], among: NDArray[np.bool_]) -> bool:
    """Whether most of some pixels lie in flat areas."""
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
    elif few and few[0] < 0.5 and is_flat(flat_areas(eight), eight == round(255 * few[0])):
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
