"""A roughly drawn mask's border, moved to the object's.

Every pixel near the border is the object or what is beside it. The odds of its colour under the local colours of either
side speak for one of them, and so do its neighbours, the more the less they differ from it: a Markov random field
(Geman and Geman, "Stochastic relaxation, Gibbs distributions, and the Bayesian restoration of images", PAMI 6(6),
1984), of which the mean field is found by iteration (Peterson and Anderson, "A mean field theory learning algorithm for
neural networks", Complex Systems 1, 1987).
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

ODDS = 5.0
"""Logarithm of the largest odds that a colour has: neighbours may outvote any."""

DRAWN = 1.2
"""Logarithm of the odds that a pixel is on the side that the mask says, at the ends of the reach."""

NEIGHBOURS = 2.0, 0.05
"""How much a neighbour of the same colour counts, and one of another."""

BEYOND = 0.6
"""How far beyond the mask the border may move, as a share of the reach: masks are drawn too large, not too small."""

THIN = 0.6
"""Of a part thinner than the reach, what is deeper than this share of its half width stays."""

FINEST = 12
"""A reach of more than twice so many pixels is worked on at a smaller scale."""

ROUNDS = 30

_AROUND = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if y or x)


def moved_border(pixels: Floats, inside: Flags, reach: float) -> Flags:
    """A mask with its border moved to where the picture has one, or left where it is.

    Args:
        pixels: (H, W, 3) float32 in [0, 1].
        inside: (H, W) bool, the mask.
        reach: How far the border may move into the mask, in pixels; beyond it, `BEYOND` times as far.

    Returns:
        (H, W) bool.
    """
    if reach < 1 or inside.all() or not inside.any():
        return inside
    height, width = inside.shape
    here = Box.around(inside).pad(math.ceil(5 * reach)).intersect(Box(0, 0, width, height))
    step = max(1, int(reach / FINEST))
    size = max(1, here.width // step), max(1, here.height // step)
    part, own = pixels[here.slices], inside[here.slices]
    if step > 1:
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        own = cv2.resize(own.view(np.uint8) * np.float32(1), size, interpolation=cv2.INTER_AREA) >= np.float32(0.5)
    depth, unknown = _zone(own, reach / step)
    found = _field(np.asarray(part, np.float32), own, depth, unknown, reach / step)
    if found is None:
        return inside
    if step > 1:
        near = cv2.resize(unknown.view(np.uint8), (here.width, here.height), interpolation=cv2.INTER_NEAREST) > 0
        found = cv2.resize(found, (here.width, here.height), interpolation=cv2.INTER_LINEAR)
    else:
        near = unknown
    result = inside.copy()
    result[here.slices][near] = found[near] > 0
    return result


def _zone(inside: Flags, reach: float) -> tuple[Floats, Flags]:
    """(H, W) signed distance to the border, positive inside, over the reach; and the pixels that may change sides."""
    depth = np.where(inside, distance_to(~inside, 2 * reach), -distance_to(inside, 2 * reach))
    depth = np.clip(depth / np.float32(reach), -2, 2).astype(np.float32)
    side = 2 * math.ceil(1.5 * reach) + 1
    deepest = cv2.dilate(depth, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)))
    return depth, (depth < np.minimum(1, THIN * deepest)) & (depth > -BEYOND)


def _field(pixels: Floats, inside: Flags, depth: Floats, unknown: Flags, reach: float) -> Floats | None:
    """(H, W) -1 to 1: surely beside the object to surely the object; None where either is not seen, or all is sure."""
    odds = _odds(pixels, inside & ~unknown, ~inside & ~unknown, unknown, reach)
    if odds is None or not len(odds):
        return None
    rows, columns = np.nonzero(unknown)
    odds += np.float32(DRAWN) * depth[unknown]
    wide = unknown.shape[1] + 2
    places = (rows + 1) * wide + columns + 1
    padded = np.pad(pixels, ((1, 1), (1, 1), (0, 0)), mode="edge").reshape(-1, 3)
    own = padded[places]
    apart = [np.square(padded[places + y * wide + x] - own).sum(axis=1) for y, x in _AROUND]
    spread = 2 * float(np.mean(apart)) + NOISE**2
    alike, other = NEIGHBOURS
    weights = [
        np.float32(alike / math.hypot(*at)) * np.exp(-one / np.float32(spread)) + np.float32(other)
        for at, one in zip(_AROUND, apart, strict=True)
    ]
    field = np.pad(np.where(inside, np.float32(1), np.float32(-1)), 1, mode="edge").reshape(-1)
    field[places] = np.tanh(odds / 2)
    for _ in range(ROUNDS):
        votes = odds.copy()
        for (y, x), weight in zip(_AROUND, weights, strict=True):
            votes += weight * field[places + y * wide + x]
        field[places] = np.tanh(votes / 2)
    return np.asarray(field.reshape(-1, wide)[1:-1, 1:-1], np.float32)


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
            cost = 0.5 * (form(reverse, pixels[at] - colours.mean) + np.log(determinant))
            odds[start : start + CHUNK] -= np.float32(sign) * cost.astype(np.float32)
    return np.clip(odds, -ODDS, ODDS)
