"""Detail beyond an engine's size: structure from the engine, fine detail from the photo.

A frame that is larger than an engine takes is reduced before painting and enlarged afterwards, so that the patch is
softer than the picture around it. The known part of the frame, reduced and enlarged in the same way, is as soft as the
patch, and its difference from the picture is the detail that belongs to it. Octave by octave, from the engine's size to
the picture's, each place of the patch gets the detail of the most similar place (`analogy`), as far as it is similar. A
thing with colours of its own, such as a flat object in a meadow, finds no match and stays as it is.

An engine's estimate of the known pixels (`Painted.evidence`) may be softer than a reduction: an autoencoder loses
texture. Then the estimate is the soft version, and the analogy makes up for that loss too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.exemplar.blas import one_thread
from overpaint.exemplar.features import Flags, Floats
from overpaint.geometry import Box

from .analogy import REACH, STEP, MatchLimits, Octave, analogy

LEAST_ENLARGEMENT = 1.15
"""A patch that was enlarged by less gets no detail."""

FULL = MatchLimits(colour=(0.06, 0.14), look=(1.5, 3.0))
"""For intents whose result should look like its surroundings."""

CAREFUL = MatchLimits(colour=(0.03, 0.07), look=(0.3, 0.7))
"""For new objects: only where the match is very good."""

MOST_ESTIMATE_ERROR = np.float32(0.08)
"""An estimate that differs by more from the picture, on the mean over an engine's pixel, is not used there."""

SURROUNDINGS = (96, 256)
"""Pixels around the target that detail is taken from: 0.3 times its mean side, within these."""


@dataclass(frozen=True, slots=True, eq=False)
class Detail:
    """A patch with detail.

    Attributes:
        pixels: (h, w, 3) float32; equal to the input wherever no detail was added.
        share: Mean trust in the matches over the target, 0 to 1.
    """

    pixels: Floats
    share: float


Image = TypeVar("Image", Floats, Flags)


def detailed(
    patch: Floats,
    picture: Floats,
    soft: Floats,
    known: Flags,
    target: Flags,
    *,
    enlarged: float,
    limits: MatchLimits = FULL,
    seed: int = 0,
    check: Callable[[], None] = lambda: None,
) -> Detail:
    """Add detail of the known picture to a patch.

    Args:
        patch: (h, w, 3) float32 over the frame, enlarged from the engine's size.
        picture: (h, w, 3) float32, the frame's pixels before.
        soft: (h, w, 3) float32, the picture as the engine would return it, enlarged as the patch is.
        known: (h, w) bool: pixels that show the picture and may be copied; apart from `target`.
        target: (h, w) bool: where detail is wanted.
        enlarged: Pixels of the picture along one of the engine's.
        limits: How good a match must be.
        seed: For ties between matches; the same seed gives the same pixels.
        check: Called often; may raise to stop.
    """
    box = Box.around(target)
    if enlarged < LEAST_ENLARGEMENT or box.empty:
        return Detail(patch, 0.0)
    # The first octave spans a factor of two to four, over which the soft picture is no finer than a patch's samples.
    octaves = max(0, math.floor(math.log2(enlarged / 2)))
    window = _window(box, target.shape, octaves)
    cut = partial(_cut, window=window)
    scaled = _ScaledWindow.of(cut(patch), cut(picture), cut(soft), cut(known), cut(target), octaves, enlarged)
    with one_thread():
        found = _synthesised(scaled, octaves, limits, np.random.default_rng(seed), check)
    if found is None:
        return Detail(patch, 0.0)
    change, share = found
    return Detail(_added(patch, change, window), share)


def _window(box: Box, shape: tuple[int, ...], octaves: int) -> Box:
    """The target with its surroundings, in whole cells of the coarsest grid. It may extend beyond the frame."""
    cell = 1 << octaves
    low, high = SURROUNDINGS
    around = round(min(max(0.15 * (box.width + box.height), low), high))
    rim = (REACH + 2 * STEP) * cell
    outer = box.pad(around).intersect(Box(0, 0, shape[1], shape[0])).union(box.pad(rim))
    width, height = (-(-side // cell) * cell for side in outer.size)
    return Box(outer.left, outer.top, outer.left + width, outer.top + height)


@dataclass(frozen=True, slots=True, eq=False)
class _ScaledWindow:
    """The window at every scale, the picture's own first.

    Attributes:
        picture, patch: The arguments of `detailed`, at each scale.
        soft: The soft picture at the coarsest scale, the only one at which it is used.
        certain: (h, w) bool at the coarsest scale: known pixels whose soft version depends on no unknown ones.
        known, target: (h, w) bool at each scale: cells that are wholly known; cells that touch the target.
    """

    picture: tuple[Floats, ...]
    patch: tuple[Floats, ...]
    soft: Floats
    certain: Flags
    known: tuple[Flags, ...]
    target: tuple[Flags, ...]

    @classmethod
    def of(
        cls, patch: Floats, picture: Floats, soft: Floats, known: Flags, target: Flags, octaves: int, enlarged: float
    ) -> _ScaledWindow:
        pictures, patches, softs = (_scales(image, octaves, _halved) for image in (picture, patch, soft))
        knowns, targets = _scales(known, octaves, _all_of_cells), _scales(target, octaves, _any_of_cells)
        # An engine's pixel is a mean over half a pixel to each side, and cubic interpolation takes two more.
        certain = _scales(_eroded(known, 2 * math.ceil(2.5 * enlarged) + 1), octaves, _all_of_cells)[-1]
        # Where an estimate shows other things than the picture, it is no softer version of it.
        around = 2 * math.ceil(1.5 * enlarged / (1 << octaves)) + 1
        wrong = cv2.blur(softs[-1] - pictures[-1], (around, around))
        certain = certain & (np.abs(wrong).max(axis=2) < MOST_ESTIMATE_ERROR)
        return cls(pictures, patches, softs[-1], certain, knowns, targets)


def _synthesised(
    scaled: _ScaledWindow, octaves: int, limits: MatchLimits, rng: np.random.Generator, check: Callable[[], None]
) -> tuple[Floats, float] | None:
    """The detail over the window, (h, w, 3) float32, and the mean trust in its matches; None without sources."""
    detail = trust = None
    for level in range(octaves, -1, -1):
        picture, query = scaled.picture[level], scaled.patch[level]
        known = scaled.known[level]
        if detail is None:
            soft, known = scaled.soft, scaled.certain
        else:
            soft, detail = _softened(picture), _doubled(detail)
            known = _eroded(known, len(_line()))  # the reach of softening
            query = query + detail
        octave = Octave(soft, picture - soft, known, query, scaled.target[level])
        found = analogy(octave, limits, rng, check)
        if found is None:
            return None
        # Finer detail is trusted no more than coarser.
        trust = found.trust if trust is None else np.minimum(found.trust, _doubled(trust))
        fine = found.fine
        fine *= cv2.merge([trust] * 3)
        if detail is not None:
            fine += detail
        detail = fine
    assert detail is not None
    assert trust is not None
    target = scaled.target[0]
    detail[~target] = 0
    return detail, float(trust[target].mean())


def _added(patch: Floats, change: Floats, window: Box) -> Floats:
    """The patch plus the detail of the window; pixels without detail keep their value, bit for bit."""
    inner = window.intersect(Box(0, 0, patch.shape[1], patch.shape[0]))
    change = change[inner.shift(-window.left, -window.top).slices]
    result = patch.copy()
    part = result[inner.slices]
    sharper = part + change
    np.clip(sharper, 0, 1, out=sharper)
    np.copyto(part, sharper, where=change != 0)
    return result


def _cut(image: NDArray[Any], window: Box) -> NDArray[Any]:
    """The window's pixels: beyond the frame its edge is repeated, and flags are False. A view inside the frame."""
    inner = window.intersect(Box(0, 0, image.shape[1], image.shape[0]))
    left, top, right, bottom = window.overhang(inner)
    part = image[inner.slices]
    if inner == window:
        return part
    if part.dtype == bool:
        return np.pad(part, ((top, bottom), (left, right)))
    return np.asarray(cv2.copyMakeBorder(part, top, bottom, left, right, cv2.BORDER_REPLICATE), dtype=part.dtype)


def _scales(finest: Image, octaves: int, halve: Callable[[Image], Image]) -> tuple[Image, ...]:
    """The image at each scale, the finest first."""
    found = [finest]
    for _ in range(octaves):
        found.append(halve(found[-1]))
    return tuple(found)


def _halved(image: Floats) -> Floats:
    half = (image.shape[1] // 2, image.shape[0] // 2)
    return np.asarray(cv2.resize(image, half, interpolation=cv2.INTER_AREA), dtype=np.float32)


def _doubled(image: Floats) -> Floats:
    """Colours by cubic interpolation; shares by a linear one, which stays in range."""
    method = cv2.INTER_CUBIC if image.ndim == 3 else cv2.INTER_LINEAR
    twice = (2 * image.shape[1], 2 * image.shape[0])
    return np.asarray(cv2.resize(image, twice, interpolation=method), dtype=np.float32)


def _all_of_cells(flags: Flags) -> Flags:
    """Which cells of 2 x 2 pixels are True throughout."""
    return flags[0::2, 0::2] & flags[0::2, 1::2] & flags[1::2, 0::2] & flags[1::2, 1::2]


def _any_of_cells(flags: Flags) -> Flags:
    """Which cells of 2 x 2 pixels are True somewhere."""
    return ~_all_of_cells(~flags)


def _eroded(flags: Flags, side: int) -> Flags:
    """Pixels around which a whole square is True; pixels beyond the window count as True."""
    square = np.ones((side, side), np.uint8)
    return np.asarray(
        cv2.erode(flags.astype(np.uint8), square, borderType=cv2.BORDER_CONSTANT, borderValue=1), np.bool_
    )


def _softened(image: Floats) -> Floats:
    """The image after halving and doubling, on average over both positions of the cells."""
    line = _line()
    return np.asarray(cv2.sepFilter2D(image, -1, line, line, borderType=cv2.BORDER_REPLICATE), dtype=np.float32)


@cache
def _line() -> Floats:
    """(9,) the mean response of `_doubled` after `_halved` to a line of one pixel, over both positions in a cell."""
    total = np.zeros(9, np.float32)
    for place in (16, 17):
        image = np.zeros((16, 32, 3), np.float32)
        image[:, place] = 1
        total += _doubled(_halved(image))[8, place - 4 : place + 5, 0]
    total /= total.sum()
    return total
