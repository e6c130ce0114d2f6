"""Divides a mask into regions that are painted separately, each with its edge, its two masks and its frame."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box, Size
from overpaint.mask import Mask
from overpaint.mask.distance import distance_to

from ._frame import Frame, Framing, fit
from .edges import Edge, EdgeRule, EngineEdge, TwoMasks, automatic_edge, two_masks
from .rules import SizeRules

MOST_GROUPS = 8
"""The maximum number of regions, as each costs a run of the engine; the nearest are merged first."""

_EFFECT_FADE = 8
"""Pixels before the reach limit over which an effect fades."""


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """Parts of the mask that are painted together.

    Attributes:
        frame: The part of the picture that the engine sees.
        masks: The denoise mask and the composite mask over `box`.
        box: The box, in pixels of the picture and inside the frame, outside of which both masks are 0.
        edge: The widest edge of its parts.
        parts: The number of connected parts of the mask in it.
    """

    frame: Frame
    masks: TwoMasks
    box: Box
    edge: Edge
    parts: int

    @property
    def denoise(self) -> NDArray[np.float32]:
        """(h, w) float32: the denoise mask over the frame's box."""
        whole = np.zeros(self.frame.box.size.shape, np.float32)
        whole[self.within.slices] = self.masks.denoise
        return whole

    @property
    def within(self) -> Box:
        """`box` in pixels of the frame's box."""
        return self.box.shift(-self.frame.box.left, -self.frame.box.top)

    def with_effect(self, effect: NDArray[np.float32], mask: Mask, limit: float) -> Region:
        """The region with its composite mask widened by an effect, over the part of the frame within the limit.

        Args:
            effect: (h, w) float32 in [0, 1] of the working size, 1 = changed.
            mask: The user's mask, of the picture's size.
            limit: The distance in pixels from the mask's support at which the effect has faded out.
        """
        outer = self.box.pad(int(limit)).intersect(self.frame.inside)
        near = outer.pad(int(limit) + 1).intersect(mask.size.box)  # holds all of the mask within the limit
        distance = distance_to(mask.values[near.slices] > 0, limit=limit + 1)
        distance = distance[outer.shift(-near.left, -near.top).slices]
        fade = np.clip((np.float32(limit) - distance) / np.float32(_EFFECT_FADE), 0, 1)
        frame = np.clip(self.frame.from_working(np.ascontiguousarray(effect, np.float32)), 0, 1)
        composite = frame[outer.shift(-self.frame.box.left, -self.frame.box.top).slices] * fade
        denoise = np.zeros_like(composite)
        inner = self.box.shift(-outer.left, -outer.top).slices
        composite[inner] = np.maximum(composite[inner], self.masks.composite)
        denoise[inner] = self.masks.denoise
        return replace(self, masks=TwoMasks(denoise, composite), box=outer)

    def with_share(self, share: NDArray[np.float32], *, decides: bool = False) -> Region:
        """The region with its composite mask nowhere above a share (h, w) in [0, 1] of the working size.

        `decides`: within the reach the share is the composite mask itself.
        """
        frame = np.clip(self.frame.from_working(np.ascontiguousarray(share, np.float32)), 0, 1)
        old, found = self.masks.composite, frame[self.within.slices]
        composite = np.where(old > 0, found, np.float32(0)) if decides else np.minimum(old, found)
        return replace(self, masks=replace(self.masks, composite=composite))


@dataclass(frozen=True, slots=True, eq=False)
class _EdgedPart:
    """One connected part of a mask, with its edge and its two masks over `box`; `core`: its box in the mask."""

    box: Box
    core: Box
    masks: TwoMasks
    edge: Edge


def plan(
    mask: Mask,
    *,
    engine: EngineEdge,
    sizes: SizeRules,
    framing: Framing,
    rule: EdgeRule = "scaled",
    strength: float = 1.0,
    grow: float | None = None,
    feather: float | None = None,
    limit: float | None = None,
    most: int = MOST_GROUPS,
) -> tuple[Region, ...]:
    """Divide a mask into regions, in reading order. Regions whose frames overlap are painted together.

    Args:
        mask: The user's mask, not empty.
        engine: The edge that the engine needs.
        sizes: The sizes that the engine takes.
        framing: How much of the picture the engine sees.
        rule: The intent's rule for automatic edges.
        strength: 0 to 1, how far the engine goes from the old pixels (for automatic edges).
        grow, feather: In pixels of the picture; None: automatic.
        limit: The maximum of grow + feather; None: no limit.
        most: The maximum number of regions.

    Each connected part is hard or soft by itself. The edge of a hard one follows its size; a soft one keeps its own
    edge unless one is given.
    """

    def edge_of(part: Mask, hard: bool) -> Edge:
        edge = automatic_edge(part.support, engine=engine, rule=rule, strength=strength) if hard else Edge()
        edge = Edge(edge.grow if grow is None else grow, edge.feather if feather is None else feather)
        return edge if limit is None else edge.within(limit)

    parts = [_part(mask.size, box, part, edge_of, engine == "matte") for box, part in _parts(mask)]
    groups = [[part] for part in parts]
    frames = [_frame([part], mask.size, framing, sizes) for part in parts]
    while (pair := _next_merge(frames, most)) is not None:
        first, second = pair
        groups[first] += groups.pop(second)
        frames.pop(second)
        frames[first] = _frame(groups[first], mask.size, framing, sizes)
    return tuple(_region(group, frame) for group, frame in zip(groups, frames, strict=True))


def _frame(group: Sequence[_EdgedPart], picture: Size, framing: Framing, sizes: SizeRules) -> Frame:
    bounds, core = _bounds(part.box for part in group), _bounds(part.core for part in group)
    return fit(bounds, picture, framing, sizes, mask=core)


def _parts(mask: Mask) -> Sequence[tuple[Box, Mask]]:
    """Connected parts with their boxes; more than 256 are taken as one part, as each costs some milliseconds."""
    components = mask.components()
    if len(components) > 256:
        bounds = mask.bounds
        return [(bounds, Mask(mask.values[bounds.slices]))]
    return [(component.box, Mask(component.values)) for component in components]


def _part(picture: Size, box: Box, part: Mask, edge_of: Callable[[Mask, bool], Edge], solid: bool) -> _EdgedPart:
    hard = part.hard
    edge = edge_of(part, hard)
    outer = box.pad(int(np.ceil(edge.total))).intersect(picture.box)
    values = np.zeros(outer.size.shape, np.float32)
    values[box.shift(-outer.left, -outer.top).slices] = part.values
    masks = two_masks(Mask(values), edge, hard=hard)
    return _EdgedPart(outer, box, masks.solid if solid else masks, edge)


def _bounds(boxes: Iterable[Box]) -> Box:
    return reduce(Box.union, boxes, Box(0, 0, 0, 0))


def _next_merge(frames: Sequence[Frame], most: int) -> tuple[int, int] | None:
    """The two frames to merge next: the first pair that overlaps, else the nearest of too many; or None."""
    boxes = np.array([tuple(frame.box) for frame in frames], dtype=np.int64)
    low, high = boxes[:, :2], boxes[:, 2:]
    # Pixels between two boxes along each axis; negative where they share some.
    apart = np.maximum(low[:, None] - high[None], low[None] - high[:, None])
    later = np.triu(np.ones((len(boxes), len(boxes)), dtype=bool), k=1)
    overlapping = np.argwhere((apart < 0).all(axis=2) & later)
    if overlapping.size:
        return int(overlapping[0, 0]), int(overlapping[0, 1])
    if len(boxes) <= most:
        return None
    gap = np.where(later, np.hypot(*np.moveaxis(np.maximum(apart, 0), 2, 0)), np.inf)
    first, second = np.unravel_index(int(gap.argmin()), gap.shape)
    return int(first), int(second)


def _region(group: Sequence[_EdgedPart], frame: Frame) -> Region:
    box = _bounds(part.box for part in group)
    denoise, composite = np.zeros(box.size.shape, np.float32), np.zeros(box.size.shape, np.float32)
    for part in group:
        inner = part.box.shift(-box.left, -box.top).slices
        np.maximum(denoise[inner], part.masks.denoise, out=denoise[inner])
        np.maximum(composite[inner], part.masks.composite, out=composite[inner])
    edge = max((part.edge for part in group), key=lambda edge: edge.total)
    return Region(frame, TwoMasks(denoise, composite), box, edge, len(group))
