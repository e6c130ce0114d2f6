"""The thing in a box, or at a point, by colours and edges alone.

Colours of thing and ground are mixtures of Gaussians, which are fitted and cut along edges in turns: Rother, Kolmogorov
and Blake, "GrabCut", ACM Transactions on Graphics 23(3), 2004, as OpenCV has it. It works on a reduced picture around
the thing; a guided filter then moves the edge to the picture's own.

Nothing here knows what a thing is. One in a patterned coat takes several points.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overpaint.geometry import Box
from overpaint.mask import Mask
from overpaint.picture import Picture

from .base import HintPoint, Selection, SelectorCard, SelectorHints, SelectorOptions
from .geodesic import clicked_region
from .guided import refined
from .seen import SeenPicture

Flags = NDArray[np.bool_]
Labels = NDArray[np.uint8]

SIDE = 320
"""Pixels of the longer side of the part that it works on."""

AROUND = 0.3
"""How much of the ground around a box is looked at, as a share of its longer side."""

LEAST_AROUND = 16
"""The same in pixels, at the least."""

NEAR = 0.012
"""The radius around a point that is of what the point is of, as a share of the longer side of the part."""

BEYOND_MASK, BEYOND_POINTS = 0.1, 0.04
"""How far a thing may reach beyond a mask that is refined, and beyond what is found at points, as a share of the longer
side of the part."""

REFINED = 2
"""Pixels of the reduced part that the guided filter may move an edge by."""

SHARED = 6
"""Pixels that share a linear function of the filter are so many times fewer than those that it may move an edge by."""

SCRAP = 0.02
"""Pieces and holes of less than this share of the largest piece are none."""

BARE = 0.03
"""A cut that leaves less than this share of what it began with has failed, and what it began with is given."""


class GrabCutOptions(SelectorOptions):
    """How much work is done."""

    iterations: int = Field(default=2, ge=1, le=20, description="how often colours are fitted and cut")


class GrabCut:
    """Things in boxes or at points, by colours and edges."""

    card = SelectorCard(
        name="grabcut",
        title="the thing in a box or at a point, by colours and edges",
        takes=frozenset({"points", "boxes", "mask"}),
        needs=frozenset({"points", "boxes", "mask"}),
        options=GrabCutOptions,
        tip="draw the box a little larger than the thing, or set a point on it",
        digest="grabcut-2",
        references=(
            "Rother, Kolmogorov and Blake, GrabCut, ACM Transactions on Graphics 23(3), 2004",
            "Bai and Sapiro, Geodesic matting, IJCV 82, 2009",
            "He, Sun and Tang, Guided image filtering, PAMI 35(6), 2013",
        ),
    )

    def select(self, picture: Picture, hints: SelectorHints) -> list[Selection]:
        """One mask: the union of what is in each box; without a box, what is at the points, or a mask refined."""
        seen = SeenPicture.of(picture)
        iterations = GrabCutOptions.model_validate(dict(hints.options)).iterations
        boxes = [box.intersect(seen.size.box) for box in hints.boxes]
        marked = np.zeros(seen.size.shape, np.bool_)
        for box in boxes:
            marked |= _in_box(seen, box, hints.points, iterations)
        if hints.mask is not None:
            marked |= _from_rough(seen, hints.mask.core, hints.points, iterations, BEYOND_MASK)
        elif not boxes:
            marked = _from_rough(seen, clicked_region(seen, hints.points), hints.points, iterations, BEYOND_POINTS)
        return [Selection(Mask(marked.astype(np.float32)))] if marked.any() else []


def _in_box(seen: SeenPicture, box: Box, points: tuple[HintPoint, ...], iterations: int) -> Flags:
    """(H, W) bool: the thing in a box."""
    part = box.pad(max(LEAST_AROUND, round(AROUND * max(box.size)))).intersect(seen.size.box)
    scale = seen.scale_to(SIDE, part)
    colours = seen.part(part, SIDE)
    labels = np.full(colours.shape[:2], cv2.GC_BGD, np.uint8)
    left, top, right, bottom = (round(edge * scale) for edge in box.shift(-part.left, -part.top))
    labels[top : max(bottom, top + 1), left : max(right, left + 1)] = cv2.GC_PR_FGD
    _mark(labels, points, part, scale)
    return at_own_size(seen, cut(colours, labels, iterations), part, scale)


def _from_rough(
    seen: SeenPicture, rough: Flags, points: tuple[HintPoint, ...], iterations: int, beyond: float
) -> Flags:
    """(H, W) bool: a thing that is roughly known."""
    around = Box.around(rough)
    part = around.pad(max(LEAST_AROUND, round(AROUND * max(around.size)))).intersect(seen.size.box)
    if around.empty:
        return rough
    scale = seen.scale_to(SIDE, part)
    colours = seen.part(part, SIDE)
    size = colours.shape[1], colours.shape[0]
    inside = cv2.resize(rough[part.slices].astype(np.float32), size, interpolation=cv2.INTER_AREA) >= np.float32(0.5)
    labels = np.where(inside, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    far = 2 * max(2, round(beyond * max(size))) + 1
    near = cv2.dilate(inside.view(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (far, far))) > 0
    labels[~near] = cv2.GC_BGD
    _mark(labels, points, part, scale)
    return at_own_size(seen, cut(colours, labels, iterations), part, scale)


def _mark(labels: Labels, points: tuple[HintPoint, ...], part: Box, scale: float) -> None:
    """Label what is near the points as certain, those outside last."""
    height, width = labels.shape
    radius = max(1, round(NEAR * max(height, width)))
    for point in sorted(points, key=lambda one: not one.inside):
        column, row = int((point.x - part.left) * scale), int((point.y - part.top) * scale)
        if -radius <= column < width + radius and -radius <= row < height + radius:
            value = cv2.GC_FGD if point.inside else cv2.GC_BGD
            cv2.circle(labels, (min(column, width - 1), min(row, height - 1)), radius, value, cv2.FILLED)


def cut(colours: NDArray[np.float32], labels: Labels, iterations: int) -> Flags:
    """(h, w) bool: the thing in a reduced part, whose labels are OpenCV's."""
    begun = _inside(labels)
    if begun.all() or not begun.any():
        return begun
    pixels = np.rint(colours * 255).astype(np.uint8)
    cv2.setRNGSeed(0)  # the first clusters are drawn; this thread's numbers
    models = np.zeros((1, 65)), np.zeros((1, 65))
    try:
        cv2.grabCut(pixels, labels, None, *models, iterations, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # fewer colours than clusters
        return begun
    found = _without_scraps(_inside(labels), labels == cv2.GC_FGD)
    return found if found.sum() >= BARE * begun.sum() else begun


def _without_scraps(inside: Flags, sure: Flags) -> Flags:
    """What is inside, without pieces and holes that are small beside the largest piece and nobody pointed at."""
    found = inside.copy()
    for value in (True, False):
        _, labels, statistics, _ = cv2.connectedComponentsWithStats((found == value).view(np.uint8), connectivity=4)
        areas = statistics[:, cv2.CC_STAT_AREA].copy()
        areas[0] = 0
        small = areas < SCRAP * (areas.max() if value else found.sum())
        small[0] = False
        if value:
            small[np.unique(labels[sure])] = False
        found ^= small[labels]
    return found


def _inside(labels: Labels) -> Flags:
    return np.asarray(np.isin(labels, (cv2.GC_PR_FGD, cv2.GC_FGD)), np.bool_)


def at_own_size(seen: SeenPicture, found: Flags, part: Box, scale: float) -> Flags:
    """(H, W) bool: what was found in a reduced part, with the picture's own edges."""
    enlarged = cv2.resize(found.astype(np.float32), tuple(part.size), interpolation=cv2.INTER_LINEAR) >= np.float32(0.5)
    marked = np.zeros(seen.size.shape, np.bool_)
    reach = max(2, round(REFINED / scale))
    edged = refined(seen.colours_from(part), enlarged, reach, step=max(1, reach // SHARED))
    marked[part.slices] = edged if edged.any() else enlarged
    return marked
