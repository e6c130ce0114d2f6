"""A roughly drawn mask's border, moved to the object's.

The border is unrolled: each pixel near it belongs to the nearest place of the border, at a distance. At every place the
border may move in or out. What the pixels between say for it is the odds of their colour under the local colours of
either side; against it stand the distance from the mask's own border, and any change of the distance along it. The best
border is the shortest path along these places, found by dynamic programming: Amini, Weymouth and Jain, "Using dynamic
programming for solving variational problems in vision", PAMI 12(9), 1990.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box

from .distance import distance_to
from .local_colours import CHUNK, NOISE, form, inverse, local_moments

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

ODDS = 3.0
"""Logarithm of the largest odds that a colour has."""

WEAK = 0.5
"""Logarithms of odds below this, over a place of the border, are no evidence."""

STRANGE = 0.2
"""Share of the pixels of either side that have any colour: what is unlike both sides is no evidence."""

DRAWN = 0.8
"""Logarithm of the odds that a pixel is on the side that the mask says, at the ends of the reach."""

SMOOTH = 3.0
"""The cost of a border that leaves the mask's by 45 degrees, for each pixel of its length, as a share of the reach."""

BEYOND = 0.6
"""How far beyond the mask the border may move, as a share of the reach: masks are drawn too large, not too small."""

THIN = 0.6
"""Of a part thinner than the reach, what is deeper than this share of its half width stays."""

FINEST = 16
"""A reach of more than twice so many pixels is worked on at a smaller scale."""

PLACES = 8
"""Places of the border over the length of a reach."""


def moved_border(pixels: Floats, inside: Flags, reach: float) -> Flags:
    """A mask with its border moved to where the picture has one, or left where it is.

    Args:
        pixels: (H, W, 3) float32 in [0, 1].
        inside: (H, W) bool, the mask.
        reach: How far the border may move into the mask, in pixels; beyond it, `BEYOND` times as far.

    Returns:
        (H, W) bool.
    """
    if reach < 2 or inside.all() or not inside.any():
        return inside
    height, width = inside.shape
    here = Box.around(inside).pad(math.ceil(5 * reach)).intersect(Box(0, 0, width, height))
    step = max(1, int(reach / FINEST))
    size = max(1, here.width // step), max(1, here.height // step)
    part, own = pixels[here.slices], inside[here.slices]
    if step > 1:
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        own = cv2.resize(own.view(np.uint8) * np.float32(1), size, interpolation=cv2.INTER_AREA) >= np.float32(0.5)
    moves = _moves(np.asarray(part, np.float32), own, reach / step)
    if moves is None:
        return inside
    if step > 1:
        moves = cv2.resize(moves, (here.width, here.height), interpolation=cv2.INTER_LINEAR) * np.float32(step)
    result = inside.copy()
    result[here.slices] = _signed(inside[here.slices], reach + 1) + moves > 0
    return result


def _signed(inside: Flags, limit: float) -> Floats:
    """(H, W) pixels to the border, positive inside, at most the limit."""
    depth = np.where(
        inside, distance_to(~inside, limit) - np.float32(0.5), np.float32(0.5) - distance_to(inside, limit)
    )
    return np.clip(depth, -limit, limit).astype(np.float32)


def _moves(pixels: Floats, inside: Flags, reach: float) -> Floats | None:
    """(H, W) how far outward the border next to each pixel moves, in pixels; None where nothing can be said."""
    depth = _signed(inside, 2 * reach)
    inner = np.minimum(np.float32(reach), THIN * _deepest(depth, reach))
    outer = np.minimum(np.float32(BEYOND * reach), THIN * _deepest(-depth, reach))
    unknown = (depth < inner) & (-depth < outer)
    odds = _odds(pixels, inside & ~unknown, ~inside & ~unknown, unknown, reach)
    lines = _lines(inside, reach)
    if odds is None or not odds.size or not lines:
        return None
    nearest = _nearest(inside, lines)
    at = np.arange(-math.ceil(reach), math.ceil(BEYOND * reach) + 1)
    places = [np.arange(len(line)) * count // len(line) for line in lines for count in [_count(len(line), reach)]]
    firsts = np.cumsum([0, *(place[-1] + 1 for place in places)])
    place_of = np.concatenate([place + first for place, first in zip(places, firsts[:-1], strict=True)])
    costs = _costs(odds, -depth[unknown], place_of[nearest[unknown]], at, int(firsts[-1]))
    moves = []
    for line, first, last in zip(lines, firsts[:-1], firsts[1:], strict=True):
        length = len(line) / (last - first)
        own = costs[first:last] + DRAWN * length * np.square(at) / (2 * reach)
        path = _shortest(own, SMOOTH * reach / length, math.ceil(4 * reach / length))
        distance = at[path] + _between(own, path)
        centres = (np.arange(last - first) + 0.5) * length - 0.5
        moves.append(np.interp(np.arange(len(line)), centres, distance, period=len(line)))
    moved = cv2.GaussianBlur(np.concatenate(moves).astype(np.float32)[nearest], (0, 0), max(1.0, reach / PLACES))
    return np.asarray(np.clip(moved, -np.maximum(inner, 0), np.maximum(outer, 0)), np.float32)


def _deepest(depth: Floats, reach: float) -> Floats:
    """(H, W) the largest depth nearby: half the width of the part."""
    side = 2 * math.ceil(1.5 * reach) + 1
    return np.asarray(cv2.dilate(depth, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))), np.float32)


def _lines(inside: Flags, reach: float) -> list[NDArray[np.intp]]:
    """The closed lines of pixels along the mask's borders, (N, 2) columns and rows each, but for short ones."""
    found, _ = cv2.findContours(inside.view(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    return [line[:, 0].astype(np.intp) for line in found if len(line) >= reach]


def _count(length: int, reach: float) -> int:
    """How many places a line of so many pixels has."""
    return min(length, max(1, round(length * PLACES / reach)))


def _nearest(inside: Flags, lines: list[NDArray[np.intp]]) -> NDArray[np.intp]:
    """(H, W) the number of the nearest of the lines' pixels; of those that have a pixel outside beside them."""
    columns, rows = np.concatenate(lines).T
    number = np.full(inside.shape, -1, np.intp)
    number[rows, columns] = np.arange(rows.size)
    number[cv2.erode(inside.view(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) > 0] = -1
    known = number >= 0
    _, labels = cv2.distanceTransformWithLabels(
        (~known).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    numbers = np.zeros(int(labels.max()) + 1, np.intp)
    numbers[labels[known]] = number[known]
    return np.asarray(numbers[labels])


def _costs(odds: Floats, out: Floats, place: NDArray[np.intp], at: NDArray[np.intp], count: int) -> NDArray[np.float64]:
    """(count, levels) what the pixels say against a border that is moved outward by `at` pixels at each place.

    Args:
        odds: (N,) of the pixels, for being inside.
        out: (N,) their distance from the mask's border, negative inside.
        place: (N,) the place next to each.
        at: (levels,) rising by 1.
        count: How many places there are.
    """
    rings = at.size - 1
    ring = np.clip(np.floor(out).astype(np.intp) - at[0], 0, rings - 1)
    each = place * rings + ring
    sums = np.bincount(each, odds, count * rings)
    shrunk = np.maximum(np.abs(sums) - WEAK * np.bincount(each, minlength=count * rings), 0)
    costs = np.zeros((count, at.size))
    np.cumsum((-np.sign(sums) * shrunk).reshape(count, rings), axis=1, out=costs[:, 1:])
    return costs


def _shortest(costs: NDArray[np.float64], stiffness: float, lap: int) -> NDArray[np.intp]:
    """(N,) the columns of a closed path of least cost through all rows.

    Args:
        costs: (N, levels) of each column in each row.
        stiffness: The cost of a step by one column; other steps cost their square.
        lap: Rows by which the path is begun before the first, and ended after the last, so that it closes.
    """
    count, width = costs.shape
    lap = min(lap, count)
    rows = np.arange(-lap, count + lap) % count
    change = stiffness * np.square(np.subtract.outer(np.arange(width), np.arange(width)))
    best, back = costs[rows[0]], np.empty((rows.size, width), np.intp)
    for k, row in enumerate(rows[1:], 1):
        ways = best + change
        back[k] = ways.argmin(axis=1)
        best = ways[np.arange(width), back[k]] + costs[row]
    path = np.empty(rows.size, np.intp)
    path[-1] = best.argmin()
    for k in range(rows.size - 1, 0, -1):
        path[k - 1] = back[k, path[k]]
    return path[lap : lap + count]


def _between(costs: NDArray[np.float64], path: NDArray[np.intp]) -> NDArray[np.float64]:
    """(N,) how far beside each column of the path the parabola through its costs is lowest, -0.5 to 0.5."""
    rows, last = np.arange(len(path)), costs.shape[1] - 1
    before, here, after = (costs[rows, np.clip(path + by, 0, last)] for by in (-1, 0, 1))
    bend = before - 2 * here + after
    return np.clip((before - after) / np.where(bend > 0, 2 * bend, np.inf), -0.5, 0.5)


def _odds(pixels: Floats, own: Flags, other: Flags, where: Flags, reach: float) -> Floats | None:
    """(N,) logarithm of the odds of the colours under those of the object against those beside it."""
    sides = [local_moments(pixels, known, reach) for known in (own, other)]
    rows, columns = np.nonzero(where)
    odds = np.zeros(rows.size, np.float32)
    for sign, side in zip((1, -1), sides, strict=True):
        if side is None:
            return None
        for start in range(0, rows.size, CHUNK):
            at = rows[start : start + CHUNK], columns[start : start + CHUNK]
            colours = side.at(*at)
            spread = colours.covariance.copy()
            spread[:, (0, 3, 5)] += np.float32(NOISE**2)
            reverse, determinant = inverse(spread)
            apart = np.maximum(form(reverse, pixels[at] - colours.mean), 0)
            usual = -0.5 * (apart + np.log(determinant * (2 * math.pi) ** 3))
            odds[start : start + CHUNK] += np.float32(sign) * np.logaddexp(usual, math.log(STRANGE)).astype(np.float32)
    return np.clip(odds, -ODDS, ODDS)
