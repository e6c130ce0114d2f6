"""Lines and borders of planes that run into a hole on both sides are drawn through it, before texture is filled.

Horizons, window frames, cables and strokes go on behind an object. Such a line shows twice beside the hole, as an end
that points into it. Two ends belong together when a smooth curve joins them and both show the same colours across it.
Among many ends, as of twigs, some pairs fit by chance. So a pair is drawn only where fewer than `_ALARMS` pairs as good
are expected among as many ends with random directions and colours: an a-contrario test, as in Desolneux, Moisan and
Morel, "Meaningful alignments", International Journal of Computer Vision 40, 2000. A line with one end alone stops.

That structure is completed along curves before texture is filled: Sun, Yuan, Jia and Shum, "Image completion with
structure propagation", SIGGRAPH 2005, whose curves a user draws. Segments of lines come from the detector of Grompone
von Gioi, Jakubowicz, Morel and Randall, "LSD: a line segment detector", Image Processing On Line 2, 2012.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box

from .features import Flags, Floats
from .smooth import blurred

Numbers = NDArray[np.float64]
Indices = NDArray[np.intp]

_ALARMS = 0.1
"""A pair is drawn where fewer pairs as good are expected by chance."""

_RUN, _SHORT = 32, 10
"""Samples, one pixel apart, along which a line is followed from the hole outwards; the least that must show it."""

_SKIP = 2
"""Pixels beside the hole that are not looked at: they often show a rest of the object."""

_GAP = 12
"""A segment that ends so many pixels before the hole still points into it."""

_NEAR = 16
"""Samples nearest to the hole, which give a line's colours."""

_ACROSS, _AROUND = 6, 16
"""Pixels to each side of a line whose colours are compared one by one, and further ones, by their mean."""

_WEIGHTS = np.concatenate([[2.0], np.exp(-0.5 * (np.arange(-_ACROSS, _ACROSS + 1) / 4.0) ** 2), [2.0]])[:, None]
"""What the colours of a profile weigh in a comparison."""

_CONTRAST = 0.03
"""Least contrast across a line: twice the standard deviation of the colours within `_ACROSS`."""

_LIKE, _RATIO = 0.69, 2.5
"""Least correlation of two profiles that belong together, and the largest ratio of their contrasts."""

_REPEATED = 3
"""With more other ends like each of both beside the hole, a line belongs to a pattern, such as a wall of bricks."""

_TURN = 0.5
"""Most that an end may turn away from the straight connection, in radians."""

_BENT = 0.4
"""A line is taken as bent where a parabola leaves less than this of what a straight line leaves."""

_STRIP = 4
"""Pixels to each side of a line that are drawn."""

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
class Ends:
    """The ends of lines at a hole.

    Attributes:
        places: (n, 2) x and y where they enter the hole.
        angles: (n,) of the directions into the hole, in radians.
        profiles: (n, 2 * _ACROSS + 3, 3) mean colours across the line, from the left of the direction to the right. The
            first and the last are those of what lies further away.
        runs: (n,) samples that show the line.
        contrasts: (n,) across the line.
        errors: (n,) standard errors of the angles.
        textures: (n,) root mean square of what beside the line differs from the means along it.
    """

    places: Numbers
    angles: Numbers
    profiles: Numbers
    runs: Numbers
    contrasts: Numbers
    errors: Numbers
    textures: Numbers

    def __len__(self) -> int:
        return len(self.angles)

    def take(self, chosen: Indices) -> Ends:
        """Some of them."""
        return Ends(
            self.places[chosen],
            self.angles[chosen],
            self.profiles[chosen],
            self.runs[chosen],
            self.contrasts[chosen],
            self.errors[chosen],
            self.textures[chosen],
        )


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
    box = _around(target)
    return box.width * box.height <= _MOST


def _around(target: Flags) -> Box:
    """The box of a target and of what is looked at beside it."""
    return Box.around(target).pad(_RUN + _GAP).intersect(Box(0, 0, target.shape[1], target.shape[0]))


def line_ends(pixels: Floats, known: Flags, target: Flags) -> Ends:
    """The ends of lines around a target, each once. The arguments are those of `with_lines`."""
    places, angles = _pointing(_segments(pixels, known, target), target)
    return _distinct(_measured(pixels, known, places, angles))


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
        between = ~_at(near, pair.curve)
        if not between.any() or _shown(ends, pair, between, pixels, known):
            taken |= {pair.one, pair.other}
            found.append(pair)
    return found


def _repeated(ends: Ends) -> Indices:
    """(n,) how many other ends, on either side of the hole, show the same colours beside the same direction."""
    turn = np.abs(_wrapped(ends.angles[:, None] - ends.angles))
    apart = ends.places - ends.places[:, None]
    aside = np.abs(np.cos(ends.angles)[:, None] * apart[..., 1] - np.sin(ends.angles)[:, None] * apart[..., 0])
    same = (turn < 0.2) & (_alike(ends.profiles[:, None], ends.profiles) > _LIKE)
    opposite = (turn > np.pi - 0.2) & (_alike(ends.profiles[:, None], ends.profiles[:, ::-1]) > _LIKE)
    ratio = np.abs(np.log(ends.contrasts[:, None] / ends.contrasts))
    return np.asarray(((same | opposite) & (aside > 3) & (ratio < 0.5)).sum(axis=1), np.intp)


def _shown(ends: Ends, pair: Pair, between: Flags, pixels: Floats, known: Flags) -> bool:
    """Whether the picture shows the line of a pair at those points of its curve."""
    tangent = np.gradient(pair.curve, axis=0)[between]
    right = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1) / np.hypot(*tangent.T)[:, None]
    points = pair.curve[between][:, None] + np.arange(-_ACROSS, _ACROSS + 1.0)[:, None] * right[:, None]
    if not _at(known, points[:, _ACROSS]).all():
        return False
    profile = np.pad(_colours(pixels, points).mean(axis=0), ((1, 1), (0, 0)), mode="edge")
    both = np.stack([ends.profiles[pair.one], ends.profiles[pair.other][::-1]])
    return bool((_alike(both, profile) > _LIKE).all())


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
    leave = _wrapped(ends.angles[one] - straight)
    arrive = _wrapped(ends.angles[other] + np.pi - straight)
    error = np.maximum(ends.errors[one], ends.errors[other]) + 0.5 / np.maximum(length, 1) + 0.01
    bend = np.maximum(leave**2 + leave * arrive + arrive**2, error**2)
    by_turn = np.minimum(1.0, 2 / np.sqrt(3) * bend / np.pi)

    mirrored = ends.profiles[other][:, ::-1]
    squares = (ends.profiles[one] - mirrored) ** 2
    apart = np.sqrt((squares * _WEIGHTS).mean(axis=(1, 2)) / _WEIGHTS.mean())
    rank = np.argsort(np.argsort(apart, kind="stable"), kind="stable") / max(1, len(apart))
    by_colour = np.maximum(np.minimum(1.0, np.maximum(apart, 0.015) / 0.25) ** 2, rank)

    marked = ends.contrasts * np.sqrt(ends.runs)
    rivals = len(ends) - np.searchsorted(np.sort(marked), np.minimum(marked[one], marked[other]) / 4)
    alarms = rivals * (rivals - 1) / 2 * by_turn * by_colour
    alarms *= np.maximum(1, length / 160) * (1 + ((np.abs(leave) + np.abs(arrive)) / 0.35) ** 2)
    ratio = ends.contrasts[one] / ends.contrasts[other]
    possible = (length >= 4) & (np.abs(leave) < _TURN) & (np.abs(arrive) < _TURN)
    possible &= (np.maximum(ratio, 1 / ratio) < _RATIO) & (_alike(ends.profiles[one], mirrored) > _LIKE)
    return one, other, np.where(possible, alarms, np.inf)


def _segments(pixels: Floats, known: Flags, target: Flags) -> Numbers:
    """(n, 4) segments x, y, x, y of lines near the target: sharp ones, and soft ones found in a smaller picture."""
    box = _around(target)
    grey = blurred(pixels[box.slices].mean(axis=2, keepdims=True), known[box.slices])[..., 0]
    levels = (grey.clip(0, 1) * 255).round().astype(np.uint8)
    found = [np.zeros((0, 4))]
    for scale in (0.8, 0.4):
        lines = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD, scale).detect(levels)[0]
        if lines is not None:
            found.append(lines.reshape(-1, 4).astype(np.float64))
    return np.asarray(np.concatenate(found) + [box.left, box.top, box.left, box.top], np.float64)  # noqa: RUF005


def _pointing(segments: Numbers, target: Flags) -> tuple[Numbers, Numbers]:
    """Places (n, 2) where segments, or their continuations by `_GAP`, enter the target, and their angles (n,)."""
    both = np.concatenate([segments, segments[:, [2, 3, 0, 1]]])
    step = both[:, 2:] - both[:, :2]
    length = np.hypot(*step.T)
    # By length, so that those that are looked at together need about as many points.
    order = np.argsort(length, kind="stable")
    both, step, length = both[order], (step / np.maximum(length, 1e-9)[:, None])[order], length[order]
    places, angles = [np.zeros((0, 2))], [np.zeros(0)]
    for start in range(0, len(both), 256):
        begin, direction, far = (values[start : start + 256] for values in (both[:, :2], step, length))
        along = np.arange(int(far[-1]) + _GAP + 1)
        points = begin[:, None] + along[:, None] * direction[:, None]
        inside = _at(target, points) & (along <= far[:, None] + _GAP)
        first = inside.argmax(axis=1)
        enters = np.flatnonzero(inside[np.arange(len(far)), first] & (first > 5))
        places.append(points[enters, first[enters]])
        angles.append(np.arctan2(direction[enters, 1], direction[enters, 0]))
    return np.concatenate(places), np.concatenate(angles)


def _measured(pixels: Floats, known: Flags, places: Numbers, angles: Numbers) -> Ends:
    """Follow the line of each end outwards, and measure it. Those that are too short or too faint are left out."""
    samples, along = np.arange(_RUN), np.arange(_SKIP + 1, _SKIP + 1 + _RUN, dtype=np.float64)
    wide, bend = 5, np.zeros(len(places), np.float64)
    for _ in range(2):
        colours, points = _strips(pixels, places, angles, bend[:, None] * along**2, wide)
        seen = np.asarray(_at(known, points[:, :, 2:-2]).all(axis=2), np.bool_)
        steps = (colours[:, :, 2:] - colours[:, :, :-2]) / 2
        middle = wide - 1
        # The change of colour across the line; then its strength along that change everywhere.
        change = np.where(seen[..., None], steps[:, :, middle - 1 : middle + 2].sum(axis=2), 0)[:, :_NEAR].sum(axis=1)
        change /= np.maximum(np.linalg.norm(change, axis=1, keepdims=True), 1e-9)
        strength = np.einsum("ntsc,nc->nts", steps, change)
        offset, most = _peaks(strength, middle)
        usual = np.median(np.where(seen, most, 0)[:, :_NEAR], axis=1)
        fits = seen & (most > 0.4 * usual[:, None]) & (most > 0.004)
        # A line ends where three samples in a row do not show it.
        gaps = ~fits[:, :-2] & ~fits[:, 1:-1] & ~fits[:, 2:]
        run = np.where(gaps.any(axis=1), gaps.argmax(axis=1), _RUN)
        used = fits & (samples < run[:, None])
        count = used.sum(axis=1)
        shift, slope, more, rest = _parabolas(offset, used, along)
        good = np.flatnonzero((count >= _SHORT) & (rest < 1.0) & (np.abs(slope) < 0.5))
        course = shift[:, None] + slope[:, None] * along + more[:, None] * along**2
        wobble = np.where(used, offset - course, 0)[good]
        places, angles, count, rest, shift = places[good], angles[good], count[good], rest[good], shift[good]
        places = places + shift[:, None] * np.stack([-np.sin(angles), np.cos(angles)], axis=1)
        # The samples go backwards from the hole.
        angles, bend = angles - np.arctan(slope[good]), (bend + more)[good]
    wobble = wobble + bend[:, None] * along**2
    colours, points = _strips(pixels, places, angles, wobble, _AROUND)
    colours, seen = colours[:, :_NEAR], _at(known, points)[:, :_NEAR]
    sums, mass = (colours * seen[..., None]).sum(axis=1), seen.sum(axis=1)
    means = sums / np.maximum(mass, 1)[..., None]
    inner = slice(_AROUND - _ACROSS, _AROUND + _ACROSS + 1)
    near = means[:, inner]
    sides = []
    for side, edge in ((slice(0, inner.start), near[:, 0]), (slice(inner.stop, None), near[:, -1])):
        weight = mass[:, side].sum(axis=1)[:, None]
        sides.append(np.where(weight >= 32, sums[:, side].sum(axis=1) / np.maximum(weight, 1), edge)[:, None])
    contrast = 2 * np.sqrt(near.var(axis=1).mean(axis=1))
    beside = np.abs(np.arange(-_AROUND, _AROUND + 1)) >= _STRIP
    apart = ((colours - means[:, None]) ** 2).mean(axis=3) * (seen & beside)
    texture = np.sqrt(apart.sum(axis=(1, 2)) / np.maximum(mass[:, beside].sum(axis=1), 1))
    # The standard error of a slope of n samples, one pixel apart, that are off by `rest`.
    error = np.maximum(rest, 0.25) * np.sqrt(12.0) / count**1.5
    profiles = np.concatenate([sides[0], near, sides[1]], axis=1)
    ends = Ends(places, angles, profiles, count.astype(np.float64), contrast, error, texture)
    return ends.take(np.flatnonzero((mass[:, inner] >= 4).all(axis=1) & (contrast >= _CONTRAST)))


def _strips(pixels: Floats, places: Numbers, angles: Numbers, wobble: Numbers, wide: int) -> tuple[Numbers, Numbers]:
    """Colours (n, _RUN, 2 wide + 1, 3) along lines, and their points (n, _RUN, 2 wide + 1, 2).

    The second axis goes outwards from `_SKIP` pixels before the hole, the third from the left of the line to its right.

    Args:
        pixels: (h, w, 3) float32.
        places: (n, 2) where the lines enter the hole.
        angles: (n,) of their directions into it.
        wobble: (n, _RUN) pixels to the right of the straight line.
        wide: Pixels to each side.
    """
    forward = np.stack([np.cos(angles), np.sin(angles)], axis=1)[:, None, None]
    right = np.stack([-np.sin(angles), np.cos(angles)], axis=1)[:, None, None]
    along = -(np.arange(_RUN) + _SKIP + 1.0)[:, None, None]
    across = (np.arange(-wide, wide + 1.0) + wobble[..., None])[..., None]
    points = places[:, None, None] + along * forward + across * right
    return _colours(pixels, points), points


def _colours(pixels: Floats, points: Numbers) -> Numbers:
    """(..., m, 3) of the picture at points (..., m, 2), by linear interpolation."""
    flat = points.reshape(-1, *points.shape[-2:]).astype(np.float32)
    found = np.empty((*flat.shape[:2], 3), np.float64)
    for start in range(0, len(flat), 30_000):  # remap takes less than 32,768 rows
        x, y = flat[start : start + 30_000, :, 0], flat[start : start + 30_000, :, 1]
        found[start : start + 30_000] = cv2.remap(pixels, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return found.reshape(*points.shape[:-1], 3)


def _peaks(strength: Numbers, middle: int) -> tuple[Numbers, Numbers]:
    """Offsets (n, t) from the middle of the largest of (n, t, s) strengths within 2 of it, by a parabola; and these."""
    near = strength[:, :, middle - 2 : middle + 3]
    at = near.argmax(axis=2)
    before, most, after = (
        np.take_along_axis(strength, (at + middle - 2 + step)[..., None], axis=2)[..., 0] for step in (-1, 0, 1)
    )
    curvature = np.minimum(before - 2 * most + after, -1e-9)
    return at - 2 + (0.5 * (before - after) / curvature).clip(-0.5, 0.5), most


def _parabolas(offset: Numbers, used: Flags, along: Numbers) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    """Offset at 0, slope, curvature and root mean square rest of curves through the used ones of offsets (n, t).

    A curve is straight unless a parabola fits much better.
    """
    count = np.maximum(used.sum(axis=1), 1)
    found = np.zeros((len(offset), 3))
    rest = np.full(len(offset), np.inf)
    for terms in (2, 3):
        basis = along[:, None] ** np.arange(terms)
        squares = np.einsum("nt,ti,tj->nij", used.astype(np.float64), basis, basis) + 1e-6 * np.eye(terms)
        product = np.einsum("nt,ti->ni", offset * used, basis)
        solved = np.linalg.solve(squares, product[..., None])[..., 0]
        left = np.sqrt((((offset - solved @ basis.T) * used) ** 2).sum(axis=1) / count)
        better = (left < _BENT * rest) & ((count >= 20) | (terms == 2))
        found[better, :terms], rest[better] = solved[better], left[better]
    return found[:, 0], found[:, 1], found[:, 2], rest


def _distinct(ends: Ends) -> Ends:
    """Each end once: of those at one place, in one direction and with the same colours, the longest."""
    kept: list[int] = []
    for number in np.lexsort((-ends.contrasts, -ends.runs)):
        same = np.hypot(*(ends.places[kept] - ends.places[number]).T) < 2.0
        same &= np.abs(_wrapped(ends.angles[kept] - ends.angles[number])) < 0.2
        if not (same & (_alike(ends.profiles[kept], ends.profiles[number]) > 0.5)).any():
            kept.append(int(number))
    return ends.take(np.array(kept, np.intp))


def _alike(profiles: Numbers, others: Numbers) -> Numbers:
    """(...) correlation of profiles (..., s, 3) with others, each without its mean."""
    one, other = (p - (p * _WEIGHTS).sum(axis=-2, keepdims=True) / _WEIGHTS.sum() for p in (profiles, others))
    scale = (one * one * _WEIGHTS).sum(axis=(-2, -1)) * (other * other * _WEIGHTS).sum(axis=(-2, -1))
    return np.asarray((one * other * _WEIGHTS).sum(axis=(-2, -1)) / np.maximum(np.sqrt(scale), 1e-9), np.float64)


def _wrapped(angles: Numbers) -> Numbers:
    """Angles from -pi to pi."""
    return np.asarray((angles + np.pi) % (2 * np.pi) - np.pi, np.float64)


def _at(flags: Flags, points: Numbers) -> Flags:
    """(...) the flags at the nearest pixels of points (..., 2); False beyond the picture."""
    nearest = np.floor(points + 0.5).astype(np.intp)
    x, y = nearest[..., 0], nearest[..., 1]
    height, width = flags.shape
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return np.asarray(inside & flags[np.where(inside, y, 0), np.where(inside, x, 0)], np.bool_)


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
        box = Box(int(low[0]), int(low[1]), int(high[0]) + 1, int(high[1]) + 1).pad(_STRIP + 2)
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
    """The target's pixels within `_STRIP` of a curve: row, column, share of the curve, pixels to the right of it.

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
    y, x = np.nonzero((distance <= _STRIP + 2) & target)
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
    near = (np.abs(across) <= _STRIP + 0.5) & (np.abs(ahead) <= 1.5)
    return y[near], x[near], at[near] / max(1, len(curve) - 1), across[near]


def _sampled(profile: Numbers, across: Numbers) -> Numbers:
    """(n, 3) colours of a profile at pixels to the right of its middle, by linear interpolation."""
    at = np.arange(-_ACROSS, _ACROSS + 1.0)
    return np.stack([np.interp(across, at, channel[1:-1]) for channel in profile.T], axis=1)
