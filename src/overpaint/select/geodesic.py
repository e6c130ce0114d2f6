"""The object that a person points on, by colours and edges alone.

How far a place is from the points is measured over the colours between: a step costs what the colours differ (Bai and
Sapiro, "Geodesic matting", IJCV 82, 2009). Of the regions nearer than a threshold the one is taken whose border lies on
the strongest edges. It works on a reduced picture; the border is then moved to that of the picture itself.

Nothing here knows what an object is: a point on a plain thing before another colour finds it, and a person in a
patterned coat takes several.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from .base import HintPoint
from .seen import SeenPicture

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

SIDE = 256
"""Pixels of the longer side that it works at."""

NEAR = 0.012
"""The radius around a point that is of the object, as a share of the longer side."""

STEP = 0.02
"""The cost of a step between equal colours; a difference of one in Lab, of which each channel has 0 to 10, costs 1."""

AWAY = 1.0
"""The cost of lying as far from the nearest point as the longer side is."""

AREAS = np.geomspace(0.004, 0.5, 24)
"""Shares of the picture that an object may have, from which one is chosen."""

LARGER = 0.1
"""Of two regions with edges as strong the larger one is taken: this power of the area counts."""

STRONGEST = 6.0
"""Edges that are stronger than this count as this."""

CUT_OFF = 0.5
"""How much less a region counts that has the picture's whole border."""

LARGER_OF_ONE, CUT_OFF_OF_ONE = 0.05, 1.0
"""`LARGER` and `CUT_OFF` where a single point is all that is known.

Plain ground, a sky or a wall, has strong edges too, and most of it lies along the picture's border. The values are
those with the best masks of the evaluation photos; with more points the others are better, as points fill a thing.
"""


def clicked_region(seen: SeenPicture, points: Sequence[HintPoint]) -> Flags:
    """(H, W) bool: roughly the thing at the points, of which at least one is inside."""
    height, width = seen.size.shape
    scale = seen.scale_to(SIDE)
    small = seen.part(None, SIDE)
    region = _region(small, [HintPoint(one.x * scale, one.y * scale, one.inside) for one in points])
    return np.asarray(
        cv2.resize(region.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) >= np.float32(0.5)
    )


def _region(pixels: Floats, points: Sequence[HintPoint]) -> Flags:
    """The object in a small picture."""
    colours = cv2.cvtColor(cv2.bilateralFilter(pixels, 7, 0.1, 5), cv2.COLOR_RGB2LAB) / np.float32(10)
    height, width = colours.shape[:2]
    side = max(height, width)
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    away = {point: np.hypot(across - point.x, down - point.y) for point in points}
    near = {point: (found <= max(2.0, NEAR * side)) | (found <= found.min()) for point, found in away.items()}
    inside = np.logical_or.reduce([near[point] for point in points if point.inside])
    distance = _distances(colours, inside) + AWAY * np.min([away[one] for one in points if one.inside], axis=0) / side
    outside = [near[point] for point in points if not point.inside]
    if outside:
        others = np.logical_or.reduce(outside)
        distance = np.where((_distances(colours, others) < distance) | (others & ~inside), np.inf, distance)
    edges = _edges(colours)
    larger, cut_off = (LARGER, CUT_OFF) if len(points) > 1 else (LARGER_OF_ONE, CUT_OFF_OF_ONE)
    reachable = np.sort(distance[np.isfinite(distance)], axis=None)
    best, found = -1.0, inside
    for area in AREAS:
        threshold = reachable[min(len(reachable) - 1, int(area * distance.size))]
        region = _filled(distance <= threshold) & np.isfinite(distance)
        score = _score(region, edges, larger, cut_off)
        if score > best:
            best, found = score, region
    return np.asarray(found, np.bool_)


def _distances(colours: Floats, seeds: Flags) -> NDArray[np.float64]:
    """(h, w): the cheapest way from the seeds to each pixel, by steps to its eight neighbours."""
    height, width = seeds.shape
    numbers = np.arange(height * width).reshape(height, width)
    start = height * width
    own = np.flatnonzero(seeds)
    first, second, costs = [np.full(len(own), start)], [own], [np.full(len(own), 1e-9)]
    for down, across in ((0, 1), (1, 0), (1, 1), (1, -1)):
        here = np.s_[: height - down, max(0, -across) : width - max(0, across)]
        there = np.s_[down:, max(0, across) : width + min(0, across)]
        difference = np.sqrt(np.square(colours[here] - colours[there]).sum(axis=2))
        first.append(numbers[here].ravel())
        second.append(numbers[there].ravel())
        costs.append((np.hypot(down, across) * (STEP + difference)).ravel())
    ways = coo_array((np.concatenate(costs), (np.concatenate(first), np.concatenate(second))), (start + 1, start + 1))
    found: NDArray[np.float64] = dijkstra(ways.tocsr(), directed=False, indices=start)[:start].reshape(height, width)
    return found


def _edges(colours: Floats) -> Floats:
    """(h, w): how much the colours change at each pixel, at the most over the channels."""
    across, down = (cv2.Sobel(colours, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    return np.asarray(np.minimum(np.hypot(across, down).max(axis=2), STRONGEST), np.float32)


def _score(region: Flags, edges: Floats, larger: float, cut_off: float) -> float:
    """How strong the edges along a region's border are, with regard to its size and to the picture's border.

    Args:
        region: (h, w) of the picture.
        edges: (h, w), see `_edges`.
        larger, cut_off: See `LARGER` and `CUT_OFF`.
    """
    marked = region.astype(np.uint8)
    border = marked - cv2.erode(marked, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    if border.sum() < 8:
        return 0.0
    sides = np.concatenate([marked[0], marked[-1], marked[:, 0], marked[:, -1]])
    return float(edges[border > 0].mean() * region.mean() ** larger * (1 - cut_off * sides.mean()))


def _filled(region: Flags) -> Flags:
    """A region with its holes."""
    outlines, _ = cv2.findContours(region.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return np.asarray(cv2.drawContours(np.zeros(region.shape, np.uint8), outlines, -1, 1, -1) > 0, np.bool_)
