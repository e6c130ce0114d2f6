"""Quality figures of a result: how visible its edge is, how far its colours were corrected, what the file changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overpaint.studio import Edited, Saved

SEAM_LIMIT = 2.0
"""A seam score above this is a warning: the step at the edge is twice that of the picture around it."""

SHIFT_LIMIT = 0.08
"""A mean colour correction above this (of 1) is a warning: the engine saw other colours than the picture has."""

_RING = 12  # pixels around the edge whose own steps a seam is measured against


def seam_score(after: NDArray[np.float32], touched: NDArray[np.bool_]) -> float:
    """How visible the edge of the painted area is: the steps across it over the steps around it.

    The mean absolute difference between neighbouring pixels of which one was touched, divided by the mean over pairs of
    untouched pixels within 12 of the edge. About 1 where the edge can't be seen, well above 1 where it can. One level
    is added to both, as a flat picture has no noise to compare with.

    Args:
        after: (H, W) the result's mean of channels, 0 to 255.
        touched: (H, W) bool: where it may differ from the original.

    Returns:
        The score; 1 where there is no edge.
    """
    import cv2

    ring = cv2.dilate(touched.astype(np.uint8), np.ones((2 * _RING + 1, 2 * _RING + 1), np.uint8)) > 0
    across, around, crossings, pairs = 0.0, 0.0, 0, 0
    for one, other in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:, :], np.s_[:-1, :])):
        step = np.abs(after[one] - after[other])
        edge = touched[one] != touched[other]
        near = ~touched[one] & ~touched[other] & ring[one] & ring[other]
        across += float(step[edge].sum())
        crossings += int(np.count_nonzero(edge))
        around += float(step[near].sum())
        pairs += int(np.count_nonzero(near))
    if not crossings or not pairs:
        return 1.0
    return round((across / crossings + 1) / (around / pairs + 1), 3)


def quality_of(edited: Edited, saved: Saved) -> dict[str, Any]:
    """Figures and warnings for the report, as plain JSON values."""
    size, bounds = edited.picture.size, edited.mask.bounds
    window = bounds.pad(2 * _RING).intersect(size.box)
    level = edited.picture.samples[window.slices].astype(np.float32).mean(axis=2)
    level *= np.float32(255 / edited.picture.maximum)
    solid = np.zeros(size.shape, bool)
    for region in edited.regions:
        solid[region.box.slices] |= region.weight >= 0.5
    score = max(seam_score(level, touched[window.slices]) for touched in (edited.touched, solid))
    shift = max((abs(channel) for region in edited.regions for channel in region.shift), default=0.0)
    return {
        "size": [size.width, size.height],
        "box": list(bounds),
        "seam": score,
        "shift": round(shift, 4),
        "changed": saved.changed,
        "largest": saved.largest,
        "reach": saved.reach,
        "fidelity": saved.fidelity,
        "warnings": list(_warnings(score, shift, saved)),
    }


def _warnings(score: float, shift: float, saved: Saved) -> Iterator[str]:
    if score > SEAM_LIMIT:
        yield f"a seam shows: steps at the edge are {score:.1f} times those around it"
    if shift > SHIFT_LIMIT:
        yield f"colours had to be corrected by {100 * shift:.0f} %"
    if saved.changed:
        levels = "1 level" if saved.largest == 1 else f"{saved.largest} levels"
        yield f"{saved.changed:,} pixels beyond the reach changed by up to {levels} in the written file"
