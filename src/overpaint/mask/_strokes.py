"""Brush strokes: polylines with a width and round ends."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import MaskError
from overpaint.geometry import Box, Size

from ._checks import as_pixels, as_points
from ._shapes import clipped, degenerate, size_of

Values = NDArray[np.float32]
Numbers = NDArray[np.float64]  # of one point (2,), or of many
_PIECE = 128  # pixels; a long segment is drawn in pieces, as a diagonal would cost its whole box


def strokes(
    values: Values, lines: Iterable[Iterable[Iterable[float]]], width: float | Sequence[float], antialias: bool = False
) -> None:
    """1 within half the width of a line, over (H, W) values. A point is (x, y) or (x, y, pressure from 0 to 1)."""
    try:
        polylines = [as_points(line, "stroke", columns=(2, 3)) for line in lines]
    except TypeError:
        raise MaskError(f"strokes must be a list of lists of points (x, y), not {lines!r:.100}") from None
    if not any(len(line) for line in polylines):
        raise MaskError("there is no stroke with a point in it")
    drawn = [
        _draw(values, line, across / 2, antialias)
        for line, across in zip(polylines, _widths(width, len(polylines)), strict=True)
    ]
    if not any(drawn):
        points = np.concatenate([line[:, :2] for line in polylines if len(line)])
        corners = (*points.min(axis=0), *points.max(axis=0))
        raise degenerate("stroke", corners, size_of(values))


def _widths(width: float | Sequence[float], count: int) -> list[float]:
    each = list(width) if isinstance(width, Sequence | np.ndarray) else [width] * count
    if len(each) != count:
        raise MaskError(f"there are {count} strokes but {len(each)} widths: give one width, or one for each stroke")
    widths = [as_pixels(one, "the width of a stroke") for one in each]
    if 0 in widths:
        raise MaskError("the width of a stroke must be more than 0 pixels", field="", value=0)
    return widths


def _draw(values: Values, line: Numbers, half: float, antialias: bool) -> bool:
    """Draw one line over the values. False where it has no pixel."""
    if len(line) == 0:
        return False
    pressure = line[:, 2] if line.shape[1] == 3 else np.ones(len(line))
    if pressure.min() < 0 or pressure.max() > 1:
        raise MaskError(f"the pressure of a stroke must be from 0 to 1, not {pressure.min():g} to {pressure.max():g}")
    points, radii = line[:, :2], half * pressure
    ends = range(1, len(points)) if len(points) > 1 else (0,)
    drawn = [
        _draw_segment(values, points[max(i - 1, 0)], points[i], float(radii[max(i - 1, 0)]), float(radii[i]), antialias)
        for i in ends
    ]
    return any(drawn)


def _draw_segment(values: Values, a: Numbers, b: Numbers, radius_a: float, radius_b: float, antialias: bool) -> bool:
    """Draw one segment over the values: the union of all discs between its ends. False where it has no pixel."""
    drawn = False
    height, width = values.shape
    pad = math.ceil(max(radius_a, radius_b)) + 1
    window = _window(a, b, width, height, pad)
    if window is None:
        return False
    low, high = window
    pieces = max(1, math.ceil((high - low) * math.dist(a, b) / _PIECE))
    for k in range(pieces):
        p, q = a + (b - a) * (low + (high - low) * k / pieces), a + (b - a) * (low + (high - low) * (k + 1) / pieces)
        left, top = np.floor(np.minimum(p, q)).astype(int) - pad
        right, bottom = np.ceil(np.maximum(p, q)).astype(int) + pad
        region = clipped(Box(int(left), int(top), int(right), int(bottom)), Size(width, height))
        if region.empty:
            continue
        x = np.arange(region.left, region.right, dtype=np.float64) + 0.5
        y = np.arange(region.top, region.bottom, dtype=np.float64)[:, None] + 0.5
        depth = _depth(x, y, a, b, radius_a, radius_b)
        part = values[region.slices]
        covered = np.clip(depth + 0.5, 0, 1).astype(np.float32) if antialias else (depth >= 0).astype(np.float32)
        np.maximum(part, covered, out=part)
        drawn = drawn or bool(covered.any())
    return drawn


def _window(a: Numbers, b: Numbers, width: int, height: int, pad: int) -> tuple[float, float] | None:
    """The part (from, to) of the segment, 0 to 1, that can reach the picture (Liang and Barsky 1984); None for none."""
    low, high = 0.0, 1.0
    for start, step, most in ((a[0], b[0] - a[0], width), (a[1], b[1] - a[1], height)):
        if step == 0:
            if not -pad <= start <= most + pad:
                return None
            continue
        enter, leave = sorted(((-pad - start) / step, (most + pad - start) / step))
        low, high = max(low, enter), min(high, leave)
    return (low, high) if low <= high else None


def _depth(x: Numbers, y: Numbers, a: Numbers, b: Numbers, radius_a: float, radius_b: float) -> Numbers:
    """How deep each point lies in the widest of the discs from (a, radius_a) to (b, radius_b); negative outside.

    The disc at t has radius r(t) = radius_a + t (radius_b - radius_a). The t with the largest r(t) - |p - c(t)| lies
    ahead of the foot of the perpendicular h by h s / sqrt(1 - s^2), s = (radius_b - radius_a) / length. When |s| >= 1
    one end's disc holds the other's.
    """
    length = math.dist(a, b)
    if length <= abs(radius_b - radius_a):
        c, radius = (a, radius_a) if radius_a >= radius_b else (b, radius_b)
        return np.asarray(radius - np.hypot(x - c[0], y - c[1]), np.float64)
    ux, uy = (b - a) / length
    along = (x - a[0]) * ux + (y - a[1]) * uy
    beside = np.abs((y - a[1]) * ux - (x - a[0]) * uy)
    s = (radius_b - radius_a) / length
    foot = np.clip(along + beside * (s / math.sqrt(1 - s * s)), 0, length)
    return np.asarray(radius_a + s * foot - np.hypot(along - foot, beside), np.float64)
