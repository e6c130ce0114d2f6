"""The opacity and the own colour of a subject in a band around its mask's border.

A pixel at the border shows C = a F + (1 - a) B: the subject's colour F with opacity a before the background's colour B.
The colours on either side of the band are described by their local mean and covariance, and a is the mean of its
posterior distribution under these two Gaussians, as in Chuang, Curless, Salesin and Szeliski, "A Bayesian approach to
digital matting", CVPR 2001 (there with its maximum). F follows from the same Gaussians.

The Laplacian of Levin, Lischinski and Weiss, and what is built on it, is left alone: US 7,692,664.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box

from .border import moved_border
from .distance import distance_to
from .local_colours import CHUNK, NOISE, LocalColours, form, inverse, local_moments, times

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

LEVELS = np.linspace(0, 1, 17, dtype=np.float32)
"""The opacities whose likelihood is computed."""

PRIOR = 3.0
"""How much the mask counts: the cost, in units of log likelihood, of an opacity that is off by 1 from its ramp."""

FARTHER = 6.0
"""How much more the mask counts at the outer ends of the band than at its border."""

RAMP = 0.5
"""The width of that ramp, as a share of the whole band's."""

MIXED = 1.5
"""The cost of an opacity of one half: most pixels are the subject or the background, and not both."""

SEEN = 0.3
"""From this opacity on a piece counts as seen: a thick one must hang together with the subject."""

FARTHEST = 2.0
"""Standard deviations that a channel of an own colour may lie from the mean beside it. What is seen of a translucent
pixel says little about its colour, and along a mask's border where the subject has none it could be any."""

SOLID = 0.05
"""Opacities nearer to 0 or 1 than this are 0 or 1."""

BAND = 0.45
"""The band around a border that has been moved, as a share of how far it may have moved."""


@dataclass(frozen=True, slots=True, eq=False)
class Matte:
    """A subject without its background.

    Attributes:
        opacity: (H, W) float32 in [0, 1], exactly 1 on the subject and 0 on the background beyond the band.
        colour: (H, W, 3) float32 in [0, 1]: the subject's own colour where opacity is between 0 and 1, elsewhere the
            picture's pixels.
    """

    opacity: Floats
    colour: Floats


def cut_out(pixels: Floats, subject: Floats, reach: float, *, within: Flags | None = None) -> Matte:
    """The matte of a subject whose mask may be drawn roughly.

    The mask's border first moves to that of the picture (see `overpaint.mask.border`), by at most the reach; the
    band around it is `BAND` times as wide.

    Args:
        pixels: (H, W, 3) float32 in [0, 1].
        subject: (H, W) float32 in [0, 1], 1 = subject.
        reach: How far from the mask's border the opacity may change, in pixels; below 1 the mask is the opacity.
        within: (H, W) bool, pixels of the subject that may become translucent; the others stay opaque. None: all.
    """
    if reach < 1:
        return Matte(subject.copy(), pixels)
    inside = subject >= np.float32(0.5)
    moved = moved_border(pixels, inside, reach)
    if within is not None:
        moved |= inside & ~within
    return matte(pixels, moved.astype(np.float32), max(1.0, BAND * reach), within=within)


def matte(pixels: Floats, subject: Floats, band: float, *, within: Flags | None = None) -> Matte:
    """Estimate opacity and colour of a subject within `band` pixels of its mask's border.

    The time follows the length of the border times the band, not the picture's size.

    Args:
        pixels: (H, W, 3) float32 in [0, 1].
        subject: (H, W) float32 in [0, 1], 1 = subject; at least one half is inside.
        band: Width in pixels on either side of the border; below 1 the mask itself is the opacity.
        within: (H, W) bool, pixels of the subject that may become translucent; the others stay opaque. None: all.

    Returns:
        The matte. Where a band has no subject or no background beside it, the mask is the opacity.
    """
    inside = subject >= np.float32(0.5)
    if band < 1 or inside.all() or not inside.any():
        return Matte(subject.copy(), pixels)
    opacity, colour = inside.astype(np.float32), pixels.copy()
    height, width = inside.shape
    here = Box.around(inside).pad(math.ceil(5 * band)).intersect(Box(0, 0, width, height)).slices
    part = _Surroundings(pixels[here], inside[here], _signed_distance(inside[here], band), band)
    unknown = np.abs(part.depth) <= band
    if within is not None:
        unknown &= within[here] | ~part.inside
    own, other = part.inside & ~unknown, ~part.inside & ~unknown
    sides = local_moments(part.pixels, own, band), local_moments(part.pixels, other, band)
    if sides[0] is None or sides[1] is None:
        return Matte(opacity, colour)
    rows, columns = np.nonzero(unknown)
    for start in range(0, rows.size, CHUNK):
        at = rows[start : start + CHUNK], columns[start : start + CHUNK]
        opacity[here][at], colour[here][at] = _solved(part, sides[0].at(*at), sides[1].at(*at), at)
    return Matte(_joined(opacity, inside, band), colour)


@dataclass(frozen=True, slots=True, eq=False)
class _Surroundings:
    """The subject and its surroundings: colours, mask, signed distance, width of the band."""

    pixels: Floats
    inside: Flags
    depth: Floats
    band: float


def _joined(opacity: Floats, inside: Flags, band: float) -> Floats:
    """The opacity without what hangs together with no part of the subject, but for hairs, which may seem broken."""
    box = Box.around(opacity > 0).pad(2).intersect(Box(0, 0, inside.shape[1], inside.shape[0])).slices
    part, own = opacity[box], inside[box]
    part[_apart(part > 0, own)] = 0
    side = 2 * int(band / 8) + 1
    seen = part >= np.float32(SEEN)
    thick = cv2.erode(seen.view(np.uint8), np.ones((max(3, side),) * 2, np.uint8)).view(bool)
    blobs = _apart(seen, own | ~_reached(seen, thick))
    around = cv2.dilate(blobs.view(np.uint8), np.ones((5, 5), np.uint8)).view(bool)
    part[blobs | (around & ~seen)] = 0
    return opacity


def _apart(marked: Flags, wanted: Flags) -> Flags:
    """The connected pieces of the marked pixels that hold no wanted pixel."""
    count, labels = cv2.connectedComponents(marked.view(np.uint8))
    held = np.zeros(count, bool)
    held[labels[wanted & marked]] = True
    return np.asarray(marked & ~held[labels])


def _reached(marked: Flags, wanted: Flags) -> Flags:
    """The connected pieces of the marked pixels that hold a wanted pixel."""
    return np.asarray(marked & ~_apart(marked, wanted))


def _signed_distance(inside: Flags, limit: float) -> Floats:
    """Pixels to the border, positive inside; infinite beyond the limit."""
    to_outside, to_inside = distance_to(~inside, limit + 1), distance_to(inside, limit + 1)
    return np.where(inside, to_outside - np.float32(0.5), np.float32(0.5) - to_inside)


def _solved(
    part: _Surroundings, subject: LocalColours, ground: LocalColours, at: tuple[NDArray[np.intp], NDArray[np.intp]]
) -> tuple[Floats, Floats]:
    """Opacity (N,) and colour (N, 3) of the pixels at these rows and columns."""
    seen, away = part.pixels[at], part.depth[at] / np.float32(part.band)
    ramp = np.clip(away / np.float32(2 * RAMP) + np.float32(0.5), 0, 1)
    trust = PRIOR * (1 + FARTHER * np.square(away))
    costs = np.empty((LEVELS.size, seen.shape[0]), np.float32)
    for level, cost in zip(LEVELS, costs, strict=True):
        off, spread = _off(seen, level, subject, ground), _spread(level, subject, ground)
        reverse, determinant = inverse(spread)
        cost[...] = 0.5 * (form(reverse, off) + np.log(determinant)) + trust * (level - ramp) ** 2
        cost += MIXED * 4 * level * (1 - level)
    weights = np.exp(costs.min(axis=0) - costs)
    share = (LEVELS @ weights) / weights.sum(axis=0)
    share = np.clip((share - SOLID) / (1 - 2 * SOLID), 0, 1)
    reverse, _ = inverse(_spread(share, subject, ground))
    pull = times(reverse, _off(seen, share, subject, ground)) * share[:, None]
    most = FARTHEST * np.sqrt(subject.covariance[:, (0, 3, 5)])
    own = np.clip(subject.mean + np.clip(times(subject.covariance, pull), -most, most), 0, 1)
    own[share >= 1] = seen[share >= 1]
    return share, own


def _off(seen: Floats, share: Floats | np.float32, subject: LocalColours, ground: LocalColours) -> Floats:
    """What the mean colours, mixed in these shares, leave of the seen colours."""
    part = np.asarray(share, np.float32).reshape(-1, 1)
    return np.asarray(seen - part * subject.mean - (1 - part) * ground.mean, np.float32)


def _spread(share: Floats | np.float32, subject: LocalColours, ground: LocalColours) -> Floats:
    """The covariance of such a mixture."""
    part = np.asarray(share, np.float32).reshape(-1, 1)
    mixed = part**2 * subject.covariance + (1 - part) ** 2 * ground.covariance
    mixed[:, (0, 3, 5)] += np.float32(NOISE**2)
    return np.asarray(mixed, np.float32)
