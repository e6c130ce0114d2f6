"""The ends of lines beside a hole: where they enter it, in which direction, and the colours across them.

Segments of lines come from the detector of Grompone von Gioi, Jakubowicz, Morel and Randall, "LSD: a line segment
detector", Image Processing On Line 2, 2012. Each is then followed from the hole outwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box

from .features import Flags, Floats
from .smooth import blurred

Numbers = NDArray[np.float64]
Indices = NDArray[np.intp]

_RUN, _SHORT = 32, 10
"""Samples, one pixel apart, along which a line is followed from the hole outwards; the least that must show it."""

_SKIP = 2
"""Pixels beside the hole that are not looked at: they often show a rest of the object."""

_GAP = 12
"""A segment that ends so many pixels before the hole still points into it."""

_NEAR = 16
"""Samples nearest to the hole, which give a line's colours."""

ACROSS, _AROUND = 6, 16
"""Pixels to each side of a line whose colours are compared one by one, and further ones, by their mean."""

WEIGHTS = np.concatenate([[2.0], np.exp(-0.5 * (np.arange(-ACROSS, ACROSS + 1) / 4.0) ** 2), [2.0]])[:, None]
"""What the colours of a profile weigh in a comparison."""

_CONTRAST = 0.03
"""Least contrast across a line: twice the standard deviation of the colours within `ACROSS`."""

_BENT = 0.4
"""A line is taken as bent where a parabola leaves less than this of what a straight line leaves."""

STRIP = 4
"""Pixels to each side of a line that are drawn."""


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """The ends of lines at a hole.

    Attributes:
        places: (n, 2) x and y where they enter the hole.
        angles: (n,) of the directions into the hole, in radians.
        profiles: (n, 2 * ACROSS + 3, 3) mean colours across the line, from the left of the direction to the right. The
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


def line_ends(pixels: Floats, known: Flags, target: Flags) -> Ends:
    """The ends of lines around a target, each once. The arguments are those of `with_lines`."""
    places, angles = _pointing(_segments(pixels, known, target), target)
    return _distinct(_measured(pixels, known, places, angles))


def around(target: Flags) -> Box:
    """The box of a target and of what is looked at beside it."""
    return Box.around(target).pad(_RUN + _GAP).intersect(Box(0, 0, target.shape[1], target.shape[0]))


def _segments(pixels: Floats, known: Flags, target: Flags) -> Numbers:
    """(n, 4) segments x, y, x, y of lines near the target: sharp ones, and soft ones found in a smaller picture."""
    box = around(target)
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
        inside = at_points(target, points) & (along <= far[:, None] + _GAP)
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
        seen = np.asarray(at_points(known, points[:, :, 2:-2]).all(axis=2), np.bool_)
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
    colours, seen = colours[:, :_NEAR], at_points(known, points)[:, :_NEAR]
    sums, mass = (colours * seen[..., None]).sum(axis=1), seen.sum(axis=1)
    means = sums / np.maximum(mass, 1)[..., None]
    inner = slice(_AROUND - ACROSS, _AROUND + ACROSS + 1)
    near = means[:, inner]
    sides = []
    for side, edge in ((slice(0, inner.start), near[:, 0]), (slice(inner.stop, None), near[:, -1])):
        weight = mass[:, side].sum(axis=1)[:, None]
        sides.append(np.where(weight >= 32, sums[:, side].sum(axis=1) / np.maximum(weight, 1), edge)[:, None])
    contrast = 2 * np.sqrt(near.var(axis=1).mean(axis=1))
    beside = np.abs(np.arange(-_AROUND, _AROUND + 1)) >= STRIP
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
    return colours_at(pixels, points), points


def colours_at(pixels: Floats, points: Numbers) -> Numbers:
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
        same &= np.abs(wrapped(ends.angles[kept] - ends.angles[number])) < 0.2
        if not (same & (alike(ends.profiles[kept], ends.profiles[number]) > 0.5)).any():
            kept.append(int(number))
    return ends.take(np.array(kept, np.intp))


def alike(profiles: Numbers, others: Numbers) -> Numbers:
    """(...) correlation of profiles (..., s, 3) with others, each without its mean."""
    one, other = (p - (p * WEIGHTS).sum(axis=-2, keepdims=True) / WEIGHTS.sum() for p in (profiles, others))
    scale = (one * one * WEIGHTS).sum(axis=(-2, -1)) * (other * other * WEIGHTS).sum(axis=(-2, -1))
    return np.asarray((one * other * WEIGHTS).sum(axis=(-2, -1)) / np.maximum(np.sqrt(scale), 1e-9), np.float64)


def wrapped(angles: Numbers) -> Numbers:
    """Angles from -pi to pi."""
    return np.asarray((angles + np.pi) % (2 * np.pi) - np.pi, np.float64)


def at_points(flags: Flags, points: Numbers) -> Flags:
    """(...) the flags at the nearest pixels of points (..., 2); False beyond the picture."""
    nearest = np.floor(points + 0.5).astype(np.intp)
    x, y = nearest[..., 0], nearest[..., 1]
    height, width = flags.shape
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return np.asarray(inside & flags[np.where(inside, y, 0), np.where(inside, x, 0)], np.bool_)
