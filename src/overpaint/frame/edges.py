"""The two masks that come from the user's one: what the engine repaints, and what is pasted.

Each is 1 on the core, or the old object would ghost through, and 0 beyond the reach, or pixels would change that
nobody chose. Between the two lies the edge: `grow` pixels that are still painted entirely, then `feather` pixels over
which the new picture fades into the old one. Both are counted outward from the mask, in pixels of the picture.

The proportions follow what works for krita-ai-diffusion's users (spec/canvas-and-masks.md 1.2 and 1.8: a feather of a
tenth of the selection times strength), with the thickness of the selection taken into account too, so that a power line
of 4000x12 pixels is not given the edge of a 4000x4000 square.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from overpaint.mask import Mask
from overpaint.mask.distance import distance_to, inscribed_radius

EdgeRule = Literal["scaled", "narrow", "tight", "none"]

REACH_LIMIT = 96.0
"""Pixels that an automatic edge never exceeds, all told, unless a request asks for more."""


@dataclass(frozen=True, slots=True)
class Edge:
    """How far an edit may spread beyond the mask, in pixels of the picture.

    Attributes:
        grow: Pixels beyond the mask that are painted entirely.
        feather: Pixels beyond those over which the new picture fades into the old.
    """

    grow: float = 0.0
    feather: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.grow < np.inf and 0 <= self.feather < np.inf):
            raise ValueError(f"grow and feather must be 0 or more, not {self.grow} and {self.feather}")

    @property
    def total(self) -> float:
        """Pixels beyond the mask at which nothing is touched any more."""
        return self.grow + self.feather

    def within(self, limit: float) -> Edge:
        """The same proportions, `total` no larger than `limit`."""
        if self.total <= limit:
            return self
        return Edge(self.grow * limit / self.total, self.feather * limit / self.total)


@dataclass(frozen=True, slots=True, eq=False)
class TwoMasks:
    """What is painted and what is pasted, both (H, W) float32 in [0, 1], over the same pixels.

    Attributes:
        denoise: 1 is wholly free to the engine, values between are free in part, 0 is kept.
        composite: The share of the new picture in the result: 1 on the core, 0 beyond the reach.
    """

    denoise: NDArray[np.float32]
    composite: NDArray[np.float32]


def automatic_edge(
    region: NDArray[np.bool_], *, learned: bool, rule: EdgeRule = "scaled", strength: float = 1.0
) -> Edge:
    """The edge of one connected region when the request leaves it open.

    Args:
        region: (h, w) bool, the region alone; the crop should be tight around it.
        learned: Whether the engine has weights. The others continue what they see right up to the hole and need no
            more than the width of a lens's or a JPEG's blur.
        rule: "scaled" follows the region's size; "narrow" has an edge as without weights; "tight" stays as near as a
            clean edge allows (what is kept matters more than what is painted); "none" touches nothing beyond the mask.
        strength: 0 to 1, how far the engine may go from the old pixels.
    """
    if rule == "none":
        return Edge()
    if rule == "narrow" or (rule == "scaled" and not learned):
        return Edge(2.0, 3.0)
    diagonal = float(np.hypot(*region.shape))
    scale = min(diagonal, 4.0 * inscribed_radius(region))
    if rule == "tight":
        return Edge(0.0, float(np.clip(0.01 * scale, 1.0, 4.0)))
    feather = float(np.clip(0.1 * strength * scale, 4.0, 64.0))
    return Edge(2.0 + feather / 2.0, feather).within(REACH_LIMIT)


def two_masks(mask: Mask, edge: Edge, *, hard: bool | None = None) -> TwoMasks:
    """The denoise mask and the composite mask of `mask` with this edge, at the mask's own size.

    A hard mask is grown and faded outward by the edge: with d the Euclidean distance to the mask in pixels,

        denoise   = clamp((grow + feather - d) / feather)                  linear
        composite = 3 u^2 - 2 u^3, u the same                             smooth, so that no edge of the ramp shows

    A soft mask has its own edge: denoise = mask, composite = min(1, 2 mask), each joined (by the larger value) with the
    ramp around its core where the edge is not zero.

    Args:
        mask: The user's mask.
        edge: How far to spread.
        hard: Whether to treat it as a hard mask; by default, whether it has no value between 0 and 1. A part of a
            larger mask is told, because the part may look hard where the whole is not.
    """
    values = mask.values
    hard = mask.hard if hard is None else hard
    if hard and edge.total == 0:
        support = mask.support.astype(np.float32)
        return TwoMasks(support, support)
    if edge.total == 0:
        return TwoMasks(values, np.minimum(np.float32(1), values * np.float32(2)))
    linear = _ramp(mask.support if hard else mask.core, edge)
    smooth = linear * linear * (np.float32(3) - np.float32(2) * linear)
    if hard:
        return TwoMasks(linear, smooth)
    return TwoMasks(np.maximum(values, linear), np.maximum(np.minimum(np.float32(1), values * np.float32(2)), smooth))


def _ramp(solid: NDArray[np.bool_], edge: Edge) -> NDArray[np.float32]:
    distance = distance_to(solid, limit=edge.total + 1)
    if edge.feather < 0.01:  # no pixel lies on a ramp so short, and dividing by it could overflow
        return (distance <= np.float32(edge.grow)).astype(np.float32)
    ramp = (np.float32(edge.total) - distance) / np.float32(edge.feather)
    return np.clip(ramp, 0, 1, out=ramp)


def reach_of(touched: NDArray[np.bool_], support: NDArray[np.bool_]) -> int:
    """The largest distance, in whole pixels rounded up, from the mask's support to a touched pixel.

    Args:
        touched: (H, W) bool, what an edit may have changed: all of the support and something around it.
        support: (H, W) bool, the user's mask > 0.
    """
    rows, columns = np.flatnonzero(touched.any(axis=1)), np.flatnonzero(touched.any(axis=0))
    if rows.size == 0 or not support.any():
        return 0
    # What is touched holds the support, so that within its box the nearest pixel of the support is at hand.
    area = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    distance = distance_to(support[area])
    return int(np.ceil(distance[touched[area]].max()))
