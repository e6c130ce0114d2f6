"""Lines and borders of planes that run into a hole on both sides are drawn through it, before texture is filled.

Horizons, window frames, cables and strokes go on behind an object. Such a line shows twice beside the hole, as an end
that points into it. Two ends belong together when a smooth curve joins them and both show the same colours across it.
Among many ends, as of twigs, some pairs fit by chance. So a pair is drawn only where fewer than `_ALARMS` pairs as good
are expected among as many ends with random directions and colours: an a-contrario test, as in Desolneux, Moisan and
Morel, "Meaningful alignments", International Journal of Computer Vision 40, 2000. A line with one end alone stops.

That structure is completed along curves before texture is filled: Sun, Yuan, Jia and Shum, "Image completion with
structure propagation", SIGGRAPH 2005, whose curves a user draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from overpaint.geometry import Box

from .features import Flags, Floats
from .line_ends import (
    ACROSS,
    STRIP,
    WEIGHTS,
    Ends,
    Indices,
    Numbers,
    alike,
    around,
    at_points,
    colours_at,
    line_ends,
    wrapped,
)

_ALARMS = 0.1
"""A pair is drawn where fewer pairs as good are expected by chance."""

_LIKE, _RATIO = 0.69, 2.5
"""Least correlation of two profiles that belong together, and the largest ratio of their contrasts."""

_STRAIGHT, _LONG, _LIKE_STRAIGHT = 0.05, 30, 0.4
"""Ends that turn by less from one straight line, in radians, and show it over so many samples, need be less alike: a
rail is lit differently on both sides, and a horizon has other clouds above it."""

_REPEATED = 3
"""With more other ends like each of both beside the hole, a line belongs to a pattern, such as a wall of bricks."""

_TURN = 0.5
"""Most that an end may turn away from the straight connection, in radians."""

_PLAIN = 0.005
"""On ground with less texture than this, root mean square, what is drawn stays; elsewhere copies replace it."""

_MOST = 600_000
"""Pixels around a hole in which lines are sought."""


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A picture with lines drawn through its hole.

    Attributes:
        pixels: (h, w, 3) float32.
        strips: (h, w) bool: where lines were drawn, pixels of the target.
        kept: (h, w) bool: of these, the ones on plain ground, as in a drawing: there is no texture to be copied.
    """

    pixels: Floats
    strips: Flags
    kept: Flags


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Two ends that belong together: their numbers, and the curve from one to the other, (m, 2), half a pixel apart."""

    one: int
    other: int
    curve: Numbers


def with_lines(pixels: Floats, known: Flags, target: Flags) -> Drawn | None:
    """Draw the lines that go on through the target; None where there is none.

    Args:
        pixels: (h, w, 3) float32; values at the target are ignored.
        known: (h, w) bool: where lines are sought.
        target: (h, w) bool: where they are drawn.
    """
    ends = line_ends(pixels, known & ~target, target)
    found = pairs(ends, pixels, known & ~target, target)
    return _drawn(pixels, target, ends, found) if found else None


def lines_fit(target: Flags) -> bool:
    """Whether the hole is small enough. The lines of a large picture are wide, and are sought at a coarser scale."""
    box = around(target)
    return box.width * box.height <= _MOST


def pairs(ends: Ends, pixels: Floats, known: Flags, target: Flags) -> list[Pair]:
    """The ends that belong together, the surest first. An end is used once, and curves do not cross.

    A curve may leave the target and enter it again, as between two people, where the picture shows the line.
    """
    one, other, alarms = false_alarms(ends)
    alarms[np.minimum(*(_repeated(ends)[numbers] for numbers in (one, other))) > _REPEATED] = np.inf
    near = cv2.dilate(target.astype(np.uint8), np.ones((13, 13), np.uint8)) > 0
    found: list[Pair] = []
    taken: set[int] = set()
    for number in np.argsort(alarms, kind="stable"):
        if not alarms[number] < _ALARMS:
            break
        pair = Pair(int(one[number]), int(other[number]), _curve(ends, int(one[number]), int(other[number])))
        if taken & {pair.one, pair.other} or any(_cross(pair.curve, before.curve) for before in found):
            continue
        between = ~at_points(near, pair.curve)
        if not between.any() or _shown(ends, pair, between, pixels, known):
            taken |= {pair.one, pair.other}
            found.append(pair)
    return found


def _repeated(ends: Ends) -> Indices:
    """(n,) how many other ends, on either side of the hole, show the same colours beside the same direction."""
    turn = np.abs(wrapped(ends.angles[:, None] - ends.angles))
    apart = ends.places - ends.places[:, None]
    aside = np.abs(np.cos(ends.angles)[:, None] * apart[..., 1] - np.sin(ends.angles)[:, None] * apart[..., 0])
    same = (turn < 0.2) & (alike(ends.profiles[:, None], ends.profiles) > _LIKE)
    opposite = (turn > np.pi - 0.2) & (alike(ends.profiles[:, None], ends.profiles[:, ::-1]) > _LIKE)
    ratio = np.abs(np.log(ends.contrasts[:, None] / ends.contrasts))
    return np.asarray(((same | opposite) & (aside > 3) & (ratio < 0.5)).sum(axis=1), np.intp)


def _shown(ends: Ends, pair: Pair, between: Flags, pixels: Floats, known: Flags) -> bool:
    """Whether the picture shows the line of a pair at those points of its curve."""
    tangent = np.gradient(pair.curve, axis=0)[between]
    right = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) / np.hypot(*tangent.T)[:, None]
    points = pair.curve[between][:, None] + np.arange(-ACROSS, ACROSS + 1.0)[:, None] * right[:, None]
    if not at_points(known, points[:, ACROSS]).all():
        return False
    profile = np.pad(colours_at(pixels, points).mean(axis=0), ((1, 1), (0, 0)), mode="edge")
    both = np.stack([ends.profiles[pair.one], ends.profiles[pair.other][::-1]])
    return bool((alike(both, profile) > _LIKE).all())


def false_alarms(ends: Ends) -> tuple[Indices, Indices, Numbers]:
    """All pairs of ends: the numbers of both, and how many pairs as good are expected by chance.

    With a and b the angles from the connection to the curve at its two ends, the cubic between them bends by
    e = a^2 + a b + b^2, up to a factor. Of all a and b from -pi / 2 to pi / 2 the share 2 pi e / (sqrt(3) pi^2) bends
    no more. Differences d of colour below 0.25 are taken as (d / 0.25)^2, or as the share of all pairs here
    that differ less, whichever is more. The product is counted for every two ends that are at least a quarter as marked
    as the weaker one of the pair. Long gaps and large turns count more.
    """
    one, other = np.triu_indices(len(ends), 1)
    connection = ends.places[other] - ends.places[one]
    length = np.hypot(*connection.T)
    straight = np.arctan2(connection[:, 1], connection[:, 0])
    leave = wrapped(ends.angles[one] - straight)
    arrive = wrapped(ends.angles[other] + np.pi - straight)
    error = np.maximum(ends.errors[one], ends.errors[other]) + 0.5 / np.maximum(length, 1) + 0.01
    bend = np.maximum(leave**2 + leave * arrive + arrive**2, error**2)
    by_turn = np.minimum(1.0, 2 / np.sqrt(3) * bend / np.pi)

    mirrored = ends.profiles[other][:, ::-1]
    squares = (ends.profiles[one] - mirrored) ** 2
    apart = np.sqrt((squares * WEIGHTS).mean(axis=(1, 2)) / WEIGHTS.mean())
    rank = np.argsort(np.argsort(apart, kind="stable"), kind="stable") / max(1, len(apart))
    by_colour = np.maximum(np.minimum(1.0, np.maximum(apart, 0.015) / 0.25) ** 2, rank)

    marked = ends.contrasts * np.sqrt(ends.runs)
    rivals = len(ends) - np.searchsorted(np.sort(marked), np.minimum(marked[one], marked[other]) / 4)
    alarms = rivals * (rivals - 1) / 2 * by_turn * by_colour
    alarms *= np.maximum(1, length / 160) * (1 + ((np.abs(leave) + np.abs(arrive)) / 0.35) ** 2)
    ratio = ends.contrasts[one] / ends.contrasts[other]
    possible = (length >= 4) & (np.abs(leave) < _TURN) & (np.abs(arrive) < _TURN)
    possible &= np.maximum(ratio, 1 / ratio) < _RATIO
    straight = (np.abs(leave) < _STRAIGHT) & (np.abs(arrive) < _STRAIGHT)
    straight &= np.minimum(ends.runs[one], ends.runs[other]) >= _LONG
    possible &= alike(ends.profiles[one], mirrored) > np.where(straight, _LIKE_STRAIGHT, _LIKE)
    return one, other, np.where(possible, alarms, np.inf)


def _curve(ends: Ends, one: int, other: int) -> Numbers:
    """(m, 2) points of the cubic that leaves one end and arrives at the other in their directions (Hermite)."""
    start, stop = ends.places[one], ends.places[other]
    length = float(np.hypot(*(stop - start)))
    leave, arrive = (
        sign * length * np.array([np.cos(ends.angles[end]), np.sin(ends.angles[end])])
        for sign, end in ((1, one), (-1, other))
    )
    t = np.linspace(0, 1, max(2, int(2 * length)))[:, None]
    return np.asarray(
        (2 * t**3 - 3 * t**2 + 1) * start
        + (t**3 - 2 * t**2 + t) * leave
        + (3 * t**2 - 2 * t**3) * stop
        + (t**3 - t**2) * arrive,
        np.float64,
    )


def _cross(one: Numbers, other: Numbers) -> bool:
    """Whether two curves cross, by chords of 4 pixels."""
    p, q = (np.concatenate([curve[::8], curve[-1:]]) for curve in (one, other))
    a, b, c, d = p[:-1, None], p[1:, None], q[None, :-1], q[None, 1:]
    return bool(((_side(a, b, c) * _side(a, b, d) < 0) & (_side(c, d, a) * _side(c, d, b) < 0)).any())


def _side(start: Numbers, stop: Numbers, point: Numbers) -> Numbers:
    """Its sign tells on which side of a line from start to stop a point lies."""
    along, towards = stop - start, point - start
    return np.asarray(along[..., 0] * towards[..., 1] - along[..., 1] * towards[..., 0], np.float64)


def _drawn(pixels: Floats, target: Flags, ends: Ends, chosen: Sequence[Pair]) -> Drawn:
    """Draw the curves: across each the profile of one end, which goes over into the other's."""
    height, width = target.shape
    painted, kept = pixels.copy(), np.zeros_like(target)
    nearest = np.full(target.shape, np.inf)
    for pair in chosen:
        low, high = np.floor(pair.curve.min(axis=0)).astype(int), np.ceil(pair.curve.max(axis=0)).astype(int)
        box = Box(int(low[0]), int(low[1]), int(high[0]) + 1, int(high[1]) + 1).pad(STRIP + 2)
        box = box.intersect(Box(0, 0, width, height))
        y, x, share, across = _along(pair.curve, target[box.slices], box)
        closer = np.abs(across) < nearest[y, x]
        y, x, share, across = y[closer], x[closer], share[closer, None], across[closer]
        one = _sampled(ends.profiles[pair.one], across)
        other = _sampled(ends.profiles[pair.other][::-1], across)
        painted[y, x] = (1 - share) * one + share * other
        nearest[y, x] = np.abs(across)
        kept[y, x] = max(ends.textures[pair.one], ends.textures[pair.other]) < _PLAIN
    return Drawn(painted, np.isfinite(nearest), kept)


def _along(curve: Numbers, target: Flags, box: Box) -> tuple[Indices, Indices, Numbers, Numbers]:
    """The target's pixels within `STRIP` of a curve: row, column, share of the curve, pixels to the right of it.

    Args:
        curve: (m, 2) points half a pixel apart.
        target: Flags of the box.
        box: Around the curve, inside the picture.
    """
    points = np.floor(curve + 0.5).astype(np.intp) - [box.left, box.top]
    inside = np.flatnonzero((points >= 0).all(axis=1) & (points < [box.width, box.height]).all(axis=1))
    away = np.ones((box.height, box.width), np.uint8)
    away[points[inside, 1], points[inside, 0]] = 0
    distance, labels = cv2.distanceTransformWithLabels(away, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    point_of = np.zeros(int(labels.max()) + 1, np.intp)
    point_of[labels[points[inside, 1], points[inside, 0]]] = inside
    y, x = np.nonzero((distance <= STRIP + 2) & target)
    at = point_of[labels[y, x]]
    y, x = y + box.top, x + box.left
    tangent = np.gradient(curve, axis=0)
    tangent /= np.maximum(np.hypot(*tangent.T), 1e-9)[:, None]
    for _ in range(3):  # to the nearest point of the curve
        apart = np.stack([x, y], axis=1) - curve[at]
        ahead = (apart * tangent[at]).sum(axis=1)
        at = (at + np.round(2 * ahead).astype(np.intp)).clip(0, len(curve) - 1)
    apart = np.stack([x, y], axis=1) - curve[at]
    ahead = (apart * tangent[at]).sum(axis=1)
    across = apart[:, 1] * tangent[at, 0] - apart[:, 0] * tangent[at, 1]
    near = (np.abs(across) <= STRIP + 0.5) & (np.abs(ahead) <= 1.5)
    return y[near], x[near], at[near] / max(1, len(curve) - 1), across[near]


def _sampled(profile: Numbers, across: Numbers) -> Numbers:
    """(n, 3) colours of a profile at pixels to the right of its middle, by linear interpolation."""
    at = np.arange(-ACROSS, ACROSS + 1.0)
    return np.stack([np.interp(across, at, channel[1:-1]) for channel in profile.T], axis=1)
