"""The denoise mask, which an engine repaints, and the composite mask, which is pasted; both from the user's mask.

Both are 1 on the core, or the old object would show through, and 0 beyond the reach. Between lies the edge: `grow`
pixels that are painted entirely, then `feather` pixels over which the new picture fades into the old one, both counted
outward from the mask in pixels of the picture.

The proportions follow krita-ai-diffusion (spec/canvas-and-masks.md 1.2 and 1.8: a feather of a tenth of the selection
times strength), with the thickness of the selection taken into account, so that a power line of 4000x12 pixels does not
get the edge of a 4000x4000 square.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box
from overpaint.mask import Mask
from overpaint.mask.distance import distance_to, inscribed_radius

EngineEdge = Literal["pixel", "diffusion", "narrow", "matte"]
"""The edge that an engine needs: "pixel" and "narrow" a fixed one, "diffusion" one that follows the region's scale;
"matte": a band that it blends itself, so that all that it paints is pasted as it is (see `TwoMasks.solid`)."""

EdgeRule = Literal["scaled", "narrow", "tight", "none"]
"""What an intent does with the engine's edge (see `automatic_edge`)."""

REACH_LIMIT = 96
"""The most that grow + feather of an automatic edge may be, in pixels."""

NARROW = (2.0, 3.0)
"""Grow and feather of engines that continue the surroundings up to the hole: the blur of a lens or of JPEG."""


@dataclass(frozen=True, slots=True)
class Edge:
    """How far an edit spreads beyond the mask, in pixels of the picture.

    Attributes:
        grow: Width of the band beyond the mask that is painted entirely.
        feather: Width of the band beyond that over which the new picture fades into the old one.
    """

    grow: float = 0.0
    feather: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.grow < np.inf and 0 <= self.feather < np.inf):
            raise ValueError(f"grow and feather must be 0 or more, not {self.grow} and {self.feather}")

    @property
    def total(self) -> float:
        """The distance from the mask beyond which nothing changes."""
        return self.grow + self.feather

    def within(self, limit: float) -> Edge:
        """The same proportions, `total` no larger than `limit`."""
        if self.total <= limit:
            return self
        return Edge(self.grow * limit / self.total, self.feather * limit / self.total)


@dataclass(frozen=True, slots=True, eq=False)
class TwoMasks:
    """Both masks over the same pixels, (H, W) float32 in [0, 1].

    Attributes:
        denoise: How freely the engine repaints: 1 entirely, 0 not at all.
        composite: The share of the new picture in the result: 1 on the core, 0 beyond the reach.
    """

    denoise: NDArray[np.float32]
    composite: NDArray[np.float32]

    @property
    def solid(self) -> TwoMasks:
        """The same reach, with everything in it pasted entirely."""
        return TwoMasks(self.denoise, (self.denoise > 0).astype(np.float32))


def automatic_edge(
    region: NDArray[np.bool_], *, engine: EngineEdge, rule: EdgeRule = "scaled", strength: float = 1.0
) -> Edge:
    """The edge of one connected region when the request leaves it open.

    With scale = min(diagonal, 4 x largest inscribed radius), diffusion engines get

        feather = clamp(0.1 x strength x scale, 4, 64),   grow = 2 + feather / 2

    A "matte" band is as wide as hair and blurred edges are in pictures, and as outlines drawn by hand are off:
    grow = clamp(0.02 x diagonal, 4, 48), of the region or of what it leaves in its box, whichever is smaller.

    Args:
        region: (h, w) bool, the support of the region alone, cropped to its box.
        engine: The edge that the engine needs.
        rule: "scaled": the engine's edge. "narrow": that of pixel engines. "tight": as near as a clean edge allows,
            for intents that keep a contour: no growth, feather = clamp(0.01 x scale, 1, 4). "none": none.
        strength: 0 to 1, how far the engine goes from the old pixels.
    """
    if rule == "none":
        return Edge()
    if engine == "matte":
        left = Box.around(~region)
        across = min(math.hypot(*region.shape), math.inf if left.empty else math.hypot(left.width, left.height))
        return Edge(min(max(0.02 * across, 4.0), 48.0), 0.0)
    if rule == "narrow" or (rule == "scaled" and engine != "diffusion"):
        return Edge(*NARROW)
    scale = min(float(np.hypot(*region.shape)), 4.0 * inscribed_radius(region))
    if rule == "tight":
        return Edge(0.0, float(np.clip(0.01 * scale, 1.0, 4.0)))
    feather = float(np.clip(0.1 * strength * scale, 4.0, 64.0))
    return Edge(2.0 + feather / 2.0, feather).within(REACH_LIMIT)


def two_masks(mask: Mask, edge: Edge, *, hard: bool | None = None) -> TwoMasks:
    """The denoise mask and the composite mask of `mask` with this edge, at the mask's own size.

    A hard mask is grown and faded outward from its support, with d the Euclidean distance to it in pixels:

        denoise   = clamp((grow + feather - d) / feather)                  linear
        composite = 3 u^2 - 2 u^3, u = denoise                            smooth, so that no edge of the ramp shows

    Without an edge its denoise mask is the support, and the composite mask min(1, 2 mask): an antialiased edge stays.

    A soft mask has its own edge: denoise = mask, composite = min(1, 2 mask), each joined (by the larger value) with the
    ramp around its core where the edge is not zero.

    Args:
        mask: The user's mask.
        edge: How far to spread.
        hard: Whether to treat it as a hard mask; `mask.hard` when left out.
    """
    values, own = mask.values, np.minimum(np.float32(1), mask.values * np.float32(2))
    hard = mask.hard if hard is None else hard
    if edge.total == 0:
        return TwoMasks(mask.support.astype(np.float32) if hard else values, own)
    linear = _ramp(mask.support if hard else mask.core, edge)
    smooth = linear * linear * (np.float32(3) - np.float32(2) * linear)
    return TwoMasks(linear, smooth) if hard else TwoMasks(np.maximum(values, linear), np.maximum(own, smooth))


def _ramp(solid: NDArray[np.bool_], edge: Edge) -> NDArray[np.float32]:
    distance = distance_to(solid, limit=edge.total + 1)
    if edge.feather < 0.01:  # no pixel lies on so short a ramp, and dividing by it could overflow
        return (distance <= np.float32(edge.grow)).astype(np.float32)
    ramp = (np.float32(edge.total) - distance) / np.float32(edge.feather)
    return np.clip(ramp, 0, 1, out=ramp)


def reach_of(touched: NDArray[np.bool_], support: NDArray[np.bool_]) -> int:
    """The largest distance, in whole pixels rounded up, from the mask's support to a touched pixel.

    Args:
        touched: (H, W) bool, pixels that an edit may have changed; it includes the support.
        support: (H, W) bool, the user's mask > 0.
    """
    if not touched.any() or not support.any():
        return 0
    # The box of the touched pixels includes the support, and so the nearest pixel of it.
    area = Box.around(touched).slices
    distance = distance_to(support[area])
    return int(np.ceil(distance[touched[area]].max()))
