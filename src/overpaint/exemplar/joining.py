"""Joins a fill to its surroundings, and its pieces to each other: a smooth correction.

The patches over the edge also vote for the known pixels beside the hole. The difference from the true pixels there is
what the eye would see as a border. A membrane carries it into the hole and adds it, which keeps the fill's gradients:
the interpolation of the boundary's difference of Perez, Gangnet and Blake, "Poisson image editing", SIGGRAPH 2003,
section 2. Where two pieces of the fill meet, what they differ by beyond the gradients of both is a step, as in a sky of
two brightnesses. The membrane takes steps away, as the same paper's Poisson equation does with a guidance field.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from overpaint.geometry import Box

from .features import Flags, Floats, Places
from .palette import Palette
from .pyramid import Level
from .smooth import Steps, membrane

_NONE = -1
"""The pixel that a pixel outside the target copies."""

_AROUND = 7
"""Side of the square over which the roughness of a source is measured, in pixels."""


def edge_of(target: Flags) -> Places:
    """Flat indices of the pixels outside a target that touch it."""
    wide = cv2.dilate(target.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.flatnonzero((wide & ~target).ravel())


def joined(filled: Floats, target: Flags, edge: Places, difference: Floats, steps: Steps) -> Floats:
    """The picture with its fill corrected.

    Args:
        filled: (h, w, 3) float32, the picture with its target filled.
        target: (h, w) bool, what was filled.
        edge: Flat indices of known pixels along the target.
        difference: (n, 3) float32, the correction there.
        steps: What neighbouring pixels of the correction should differ by (`seam_steps`).
    """
    if len(edge) == 0:
        return filled
    correction = np.zeros(filled.shape, np.float32)
    on_edge = np.zeros(target.shape, bool)
    on_edge.reshape(-1)[edge] = True
    correction.reshape(-1, 3)[edge] = difference
    here = _around(target).slices
    inside = membrane(correction[here], on_edge[here], steps=steps)
    corrected = filled.copy()
    corrected[here] += np.where(target[here][..., None], inside, np.float32(0))
    return corrected


_BETWEEN = 0.05
"""Half of a step goes whose middle is so far from the picture's colours, as a share of the step."""

_TWO_THINGS = 0.25
"""From about this size on, in all channels together, a step is likely between two things, not two tones of one."""


@dataclass(frozen=True, slots=True)
class StepLimits:
    """Which steps between pieces of a fill are taken away at the finest scale.

    Attributes:
        textured: In texture, steps of this size go by half, larger ones by less.
        plain: The same in plain parts, as a sky.
        rough: Texture is where neighbouring pixels around both sources differ by more than about this.
    """

    textured: float = 0.1
    plain: float = 0.25
    rough: float = 0.025


def seam_steps(
    filled: Floats, source: Level, copies: Places, palette: Palette, limits: StepLimits | None = None
) -> Steps:
    """What a correction should change between neighbours in the target that are copied from apart.

    There the fill differs by d, where the picture differs by a beside the one's source and by b beside the other's.
    The step that neither source shows, d - a or d - b, whichever is less, should go (d where the known picture ends
    beside both). At coarse scales those stay that are no larger than the differences of neighbours around the sources:
    they are not seen, and without them texture becomes flat. At the finest scale large ones stay: a step is then rather
    a border of two things, and without it the one fades into the other. At every scale those stay whose middle is a
    colour that the picture does not have: between an orange coat and a blue sky would be a violet haze.

    Args:
        filled: (h, w, 3) float32, the picture with its target filled.
        source: What was copied.
        copies: (t,) flat indices of the pixels that the target's pixels copy, in their order.
        palette: The colours of the picture.
        limits: Of the finest scale; None: a coarse scale.

    Returns:
        For the box of the target and its edge.
    """
    height, width = source.known.shape
    copied = np.full(height * width, _NONE, np.intp)
    places = np.flatnonzero(source.target.ravel())
    copied[places] = copies
    box = _around(source.target)
    rough = _roughness(source).ravel()
    found = []
    for step, least in ((width, (1, 0)), (1, (0, 1))):
        change = np.zeros((box.height, box.width, 3), np.float32)
        rows, columns = np.divmod(places, width)
        inner = places[(rows < height - 1) if step > 1 else (columns < width - 1)]
        one, other = copied[inner], copied[inner + step]
        apart = (other != _NONE) & (other != one + step)
        inner, one, other = inner[apart], one[apart], other[apart]
        done = filled.reshape(-1, 3)
        actual = done[inner + step] - done[inner]
        shown = [_shown(source, one, step), -_shown(source, other, -step)]
        excess = np.stack([actual - gradient for gradient in shown])
        squares = np.nan_to_num((excess * excess).mean(axis=2), nan=np.inf)
        less = squares[0] < squares[1]
        removed = np.where(less[:, None], *excess)
        removed = np.where(np.isnan(removed), actual, removed)
        roughness = np.maximum(rough[one], rough[other])
        removed *= _share((removed * removed).mean(axis=1), roughness, limits)[:, None]
        removed *= _mixed(done[inner], done[inner + step], removed, palette)[:, None]
        rows, columns = np.divmod(inner, width)
        change[rows - box.top, columns - box.left] = -removed
        found.append(change[: box.height - least[0], : box.width - least[1]])
    return Steps(*found)


def _share(squares: Floats, rough: Floats, limits: StepLimits | None) -> Floats:
    """(n,) which share of steps with these squares is taken away, 0 to 1, where the picture is so rough (n,)."""
    if limits is None:
        return np.asarray(squares**2 / (squares**2 + (2 * rough + np.float32(1e-4)) ** 4), np.float32)
    plain = 1 / (1 + (rough / np.float32(limits.rough)) ** 4)
    size = limits.textured + (limits.plain - limits.textured) * plain
    return np.asarray(1 / (1 + (squares / size**2) ** 2), np.float32)


def _mixed(one: Floats, other: Floats, removed: Floats, palette: Palette) -> Floats:
    """(n,) which share of the steps between colours (n, 3) may go by the colours that the picture has between them."""
    size = np.sqrt((removed * removed).sum(axis=1), dtype=np.float32)
    two = 1 / (1 + (_TWO_THINGS / np.maximum(size, np.float32(1e-3))) ** 8)
    seen = palette.share(np.asarray((one + other) / 2, np.float32), _BETWEEN * size)
    return np.asarray(1 - two * (1 - seen), np.float32)


def _shown(source: Level, places: Places, step: int) -> Floats:
    """(n, 3) what the picture changes by from known pixels to those `step` further; NaN where not known."""
    height, width = source.known.shape
    beside = places + step
    inside = (beside >= 0) & (beside < height * width)
    if abs(step) == 1:
        inside &= beside // width == places // width
    beside = np.where(inside, beside, places)
    flat = source.pixels.reshape(-1, 3)
    return np.where((inside & source.known.ravel()[beside])[:, None], flat[beside] - flat[places], np.float32(np.nan))


def _roughness(source: Level) -> Floats:
    """(h, w) by how much neighbouring pixels differ, on average around each pixel, outside the target.

    The mean of the differences from the neighbours below and to the right, over a square.
    """
    grey = cv2.cvtColor(source.pixels, cv2.COLOR_RGB2GRAY)
    seen = ~source.target
    differences, counted = np.zeros_like(grey), np.zeros_like(grey)
    for here, beside in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        both = seen[here] & seen[beside]
        differences[here] += np.where(both, np.abs(grey[beside] - grey[here]), np.float32(0))
        counted[here] += both
    side = (_AROUND, _AROUND)
    return np.asarray(cv2.blur(differences, side) / np.maximum(cv2.blur(counted, side), np.float32(1e-3)), np.float32)


def _around(target: Flags) -> Box:
    """The box of a target and the pixels that touch it."""
    return Box.around(target).pad(1).intersect(Box(0, 0, target.shape[1], target.shape[0]))
