"""The picture's texture for an engine that loses texture: structure from the engine, texture from the photo.

A small autoencoder keeps shapes and smears finer detail. The engine's estimate of the known pixels (`Painted.evidence`)
shows from which scale on: octave by octave from the finest, it is compared with the picture, and an octave of which it
explains less than half of the variance is lost. The patch is reduced by the lost octaves, and filled from there to its
size with patches of the known picture, as a hole is filled without weights (`exemplar`), with the engine's structure as
the initial guess. The first search compares the engine's estimates of hole and surroundings: an image analogy
(Hertzmann, Jacobs, Oliver, Curless and Salesin, SIGGRAPH 2001).

Patches that fit together better may overrule the initial guess. Comparing with it at every scale was worse: a kernel
distance of 98 to 109 on 20 photos of `benchmarks.fill` with pocket, in place of 86. Keeping the engine's pixels
wherever the texture differs from them was no better than no texture: 125 in place of 127.

Where the finest octave is not lost, the patch stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from overpaint.exemplar.features import Flags, Floats
from overpaint.exemplar.fill import InitialGuess, fill
from overpaint.exemplar.pyramid import cells, doubled
from overpaint.exemplar.settings import FillCallbacks, FillSettings

LEAST_EXPLAINED = 0.5
"""Share of an octave's variance that an estimate must explain, or the octave is lost."""

VISIBLE = 1.5 / 255
"""Contrast below which an octave has no visible detail, on the scale 0 to 1."""

MOST_OCTAVES = 3
"""A latent cell of the usual autoencoders is 2 ** 3 pixels wide: coarser octaves are not lost."""

SETTINGS = FillSettings(
    most_votes=40_000, coarse_iterations=4, copied=4, edges=0.0, join=0.0, foreign=0.0, favour=0.1, rounds=2, shift=0.02
)
"""Colours alone decide here: the layout is the engine's, which brighter or darker copies would wash out. Large targets
get fewer rounds at the finest scale, which takes half of the time."""

_FEWEST = 64
"""Known pixels that an octave needs to be judged."""


@dataclass(frozen=True, slots=True, eq=False)
class TexturedPatch:
    """A patch with texture.

    Attributes:
        pixels: (h, w, 3) float32; outside the target equal to the input.
        octaves: Number of the finest octaves that were replaced; 0: none, the patch is the input.
    """

    pixels: Floats
    octaves: int


def textured(
    patch: Floats,
    soft: Floats,
    picture: Floats,
    known: Flags,
    target: Flags,
    *,
    seed: int = 0,
    check: Callable[[], None] = lambda: None,
) -> TexturedPatch:
    """The patch with the picture's texture in place of the octaves that its engine loses.

    Args:
        patch: (h, w, 3) float32 at the engine's size.
        soft: (h, w, 3) float32, the engine's estimate of the picture's known pixels; at the target, the patch.
        picture: (h, w, 3) float32, the engine's canvas before.
        known: (h, w) bool: pixels that show the picture and may be copied; apart from `target`.
        target: (h, w) bool: where texture is wanted.
        seed: The same seed gives the same pixels.
        check: Called often; may raise to stop.
    """
    octaves = lost_octaves(soft, picture, known)
    if octaves == 0 or not target.any():
        return TexturedPatch(patch, 0)
    guess = InitialGuess(np.where(target[..., None], patch, soft), octaves)
    before = np.where(target[..., None], patch, picture)
    filled = fill(before, known, target, SETTINGS, seed, FillCallbacks(check=check), guess).pixels
    return TexturedPatch(np.where(target[..., None], filled.clip(0, 1), patch), octaves)


def lost_octaves(estimate: Floats, picture: Floats, known: Flags) -> int:
    """Number of the finest octaves that an estimate loses, 0 to MOST_OCTAVES.

    An octave is the difference between a picture and its enlarged half. An estimate explains the squared correlation of
    its variance over known pixels. An octave without visible contrast is lost where the next coarser one is.

    Args:
        estimate: (h, w, 3) float32, the engine's estimate of the picture.
        picture: (h, w, 3) float32.
        known: (h, w) bool: where both show the same.
    """
    lost = 0
    for octave in range(1, MOST_OCTAVES + 1):
        sure = cv2.erode(known.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=1) > 0
        halves = cells(picture), cells(estimate)
        there, shown = (
            (image - doubled(half, known.shape))[sure].ravel().astype(np.float64)
            for image, half in zip((picture, estimate), halves, strict=True)
        )
        if there.size < 3 * _FEWEST:
            break
        if np.sqrt(np.mean(there**2)) > VISIBLE:
            explained = np.mean(there * shown) ** 2 / (np.mean(there**2) * np.mean(shown**2) + 1e-12)
            if explained >= LEAST_EXPLAINED:
                break
            lost = octave
        picture, estimate = halves
        known = cells(known.astype(np.float32)) > 0.999
    return lost
