"""Shapes to pixels.

A shape has the pixels whose centres lie in it; pixel (x, y) has its centre at x + 0.5, y + 0.5, so that the box
0,0,10,10 is exactly the first ten columns and rows. With `antialias` a value is the covered part of the pixel.

A shape is drawn over the values of a mask, within its own box alone: a picture may have tens of thousands of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import MaskError
from overpaint.geometry import Box, Size

from ._checks import BoxLike, DegenerateShapeError, as_corners, as_points, listed

Values = NDArray[np.float32]
Rule = Literal["union", "evenodd"]
_MOST_CROSSINGS = 100_000_000  # 10 million take about a second
_FINE = 4  # an antialiased polygon is drawn on a grid this many times as fine


def box(values: Values, corners: BoxLike, antialias: bool = False) -> None:
    """1 in the box, over (H, W) values."""
    left, top, right, bottom = as_corners(corners, "box")
    region = clipped(Box(math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)), size_of(values))
    down = _cover(region.top, region.bottom, top, bottom, antialias)
    across = _cover(region.left, region.right, left, right, antialias)
    over(values, region, np.outer(down, across), "box", (left, top, right, bottom))


def ellipse(values: Values, corners: BoxLike, antialias: bool = False) -> None:
    """1 in the ellipse that is inscribed in the box, over (H, W) values."""
    left, top, right, bottom = as_corners(corners, "ellipse")
    size = size_of(values)
    centre, half = np.array([(left + right) / 2, (top + bottom) / 2]), np.array([right - left, bottom - top]) / 2
    region = clipped(Box(math.floor(left), math.floor(top), math.ceil(right), math.ceil(bottom)), size)
    x = (np.arange(region.left, region.right) + 0.5 - centre[0]) / half[0]
    y = (np.arange(region.top, region.bottom) + 0.5 - centre[1]) / half[1]
    if antialias:
        # distance to the curve f = 1 to first order, (f - 1) / |grad f|, with f the radius in units of the ellipse's
        radius = np.hypot(x, y[:, None])
        slope = np.hypot(x / half[0], (y / half[1])[:, None]) / np.maximum(radius, 1e-9)
        inside = np.clip(0.5 - (radius - 1) / np.maximum(slope, 1e-9), 0, 1)
    else:
        inside = np.square(x) + np.square(y)[:, None] <= 1
    over(values, region, inside.astype(np.float32), "ellipse", (left, top, right, bottom))


def polygon(values: Values, points: Iterable[object], rule: Rule = "union", antialias: bool = False) -> None:
    """1 in one ring, or several, over (H, W) values: `points` are (x, y) pairs, or lists of them."""
    if rule not in ("union", "evenodd"):
        raise MaskError(f"the rule of a polygon must be 'union' or 'evenodd', not {rule!r}")
    rings = _rings(points)
    everything = np.concatenate(rings)
    low, high = np.floor(everything.min(axis=0)), np.ceil(everything.max(axis=0))
    region = clipped(Box(int(low[0]), int(low[1]), int(high[0]), int(high[1])), size_of(values))
    inside = np.zeros((0, 0), dtype=np.float32)
    if not region.empty:
        origin = np.array([region.left, region.top], dtype=np.float64)
        inside = _fill([ring - origin for ring in rings], region.size, rule, _FINE if antialias else 1)
    over(values, region, inside, "polygon", (*everything.min(axis=0), *everything.max(axis=0)))


def _rings(points: Iterable[object]) -> list[NDArray[np.float64]]:
    try:
        items = list(points)
        several = len(items) > 0 and _is_ring(items[0])
    except TypeError:
        raise MaskError(f"a polygon must be a list of points (x, y), or of such lists, not {points!r:.100}") from None
    rings = [as_points(ring, "polygon") for ring in (items if several else [items])]  # type: ignore[arg-type]
    for ring in rings:
        if len(ring) < 3:
            message = f"a polygon must have 3 points or more, not {len(ring)}"
            raise DegenerateShapeError(message, field="polygon", value=len(ring))
    return rings


def _is_ring(item: object) -> bool:
    """Whether this is a list of points rather than a point."""
    first = next(iter(item), None)  # type: ignore[call-overload]
    return hasattr(first, "__len__") and not isinstance(first, str)


def _fill(rings: list[NDArray[np.float64]], size: Size, rule: Rule, fine: int) -> Values:
    if fine == 1:
        return _filled(rings, size, rule).astype(np.float32)
    values = np.empty(size.shape, dtype=np.float32)
    rows = max(1, 4_000_000 // (size.width * fine * fine))  # at a time, to keep the fine grid small
    for top in range(0, size.height, rows):
        height = min(rows, size.height - top)
        moved = [(ring - (0, top)) * fine for ring in rings]
        inside = _filled(moved, Size(size.width * fine, height * fine), rule)
        values[top : top + height] = inside.reshape(height, fine, size.width, fine).mean(axis=(1, 3), dtype=np.float32)
    return values


def _filled(rings: list[NDArray[np.float64]], size: Size, rule: Rule) -> NDArray[np.bool_]:
    """(H, W) bool, by counting the edges that each row of pixel centres crosses from the left."""
    inside = np.zeros(size.shape, dtype=np.bool_)
    for ring in rings:
        winding = np.cumsum(_crossings(ring, size), axis=1)
        # an edge changes the winding number by one, up or down, and so its parity
        inside ^= (winding & 1).astype(np.bool_) if rule == "evenodd" else (winding != 0) & ~inside
    return inside


def _crossings(ring: NDArray[np.float64], size: Size) -> NDArray[np.int32]:
    """(H, W): edges that cross a row of centres between this centre and the one to its left, downward less upward."""
    start, end = ring, np.roll(ring, -1, axis=0)
    upward = start[:, 1] > end[:, 1]
    # an edge starts at its upper end, so that it crosses at the same x in both directions
    upper, lower = np.where(upward[:, None], end, start), np.where(upward[:, None], start, end)
    first = np.clip(np.ceil(upper[:, 1] - 0.5), 0, size.height).astype(np.int64)
    last = np.clip(np.ceil(lower[:, 1] - 0.5), 0, size.height).astype(np.int64)
    counts = last - first
    total = int(counts.sum())
    if total > _MOST_CROSSINGS:
        raise MaskError(f"the polygon crosses {total:,} rows; {_MOST_CROSSINGS:,} is the most: it needs fewer points")
    counted = np.zeros((size.height, size.width + 1), dtype=np.int32)
    for some in np.array_split(np.arange(len(ring)), total // 2_000_000 + 1):
        edge = np.repeat(some, counts[some])
        before = np.cumsum(counts[some]) - counts[some]
        row = np.arange(len(edge)) - np.repeat(before, counts[some]) + first[edge]
        along = (row + 0.5 - upper[edge, 1]) / (lower[edge, 1] - upper[edge, 1])
        x = upper[edge, 0] + along * (lower[edge, 0] - upper[edge, 0])
        column = np.clip(np.ceil(x - 0.5), 0, size.width).astype(np.int64)
        np.add.at(counted, (row, column), np.where(upward[edge], np.int32(-1), np.int32(1)))
    return counted[:, : size.width].copy()


def _cover(start: int, stop: int, low: float, high: float, antialias: bool) -> Values:
    """Of the pixels from start to stop the part between low and high, or whether the centre is between them."""
    pixels = np.arange(start, stop, dtype=np.float64)
    if antialias:
        return np.asarray(np.clip(np.minimum(pixels + 1, high) - np.maximum(pixels, low), 0, 1), np.float32)
    return ((pixels + 0.5 >= low) & (pixels + 0.5 < high)).astype(np.float32)


def clipped(region: Box, size: Size) -> Box:
    """The part of a region that lies in the picture; an empty box at the origin when none does."""
    inside = region.intersect(size.box)
    return Box(0, 0, 0, 0) if inside.empty else inside


def over(values: Values, region: Box, inside: Values, kind: str, corners: Iterable[float]) -> None:
    """Lay the values of a shape between these corners over those of a region. DegenerateShapeError where all are 0."""
    if not inside.any():
        raise degenerate(kind, corners, size_of(values))
    part = values[region.slices]
    np.maximum(part, inside, out=part)


def degenerate(kind: str, corners: Iterable[float], size: Size) -> DegenerateShapeError:
    """The error for a shape between these corners that has no pixel in the picture."""
    return DegenerateShapeError(
        f"the {kind} {listed(corners)} has no pixel in the picture of {size}: it must overlap {size.box} and be "
        "large enough to hold the centre of a pixel",
        field=kind,
        value=listed(corners),
    )


def size_of(values: Values) -> Size:
    """Width and height of (H, W) values."""
    return Size(values.shape[1], values.shape[0])
