"""The picture's own texture for a patch whose engine loses texture: structure from the engine, the rest from the photo.

A small autoencoder keeps shapes and smears what is finer. What an engine makes of the known pixels (`Painted.evidence`)
shows how far down it can be believed: octave by octave from the finest, its estimate is compared with the picture, and
where it explains less than half of the picture's variance, what it says of that octave is not worth keeping. So the
patch is reduced until all that is left can be believed, and filled from there to its own size with patches of the known
picture, as a hole is filled without weights (`exemplar`), the engine's structure in place of a first guess. The first
search compares what the engine made of the hole with what it made of the surroundings: an image analogy (Hertzmann,
Jacobs, Oliver, Curless and Salesin, SIGGRAPH 2001).

The structure is a first guess, which patches that fit together better may overrule: nothing is wanted here but the
surroundings. (Comparing with it at every scale as well was worse: a kernel distance of 98 to 109 on 20 photos of
`benchmarks.fill` with pocket, in place of 86. Keeping the engine's own wherever the texture is not like it was no
better than no texture: 125 in place of 127.)

An engine that keeps the picture's finest octave is left as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from overpaint.exemplar.features import Flags, Floats
from overpaint.exemplar.fill import Recipe, Sketch, Watch, fill
from overpaint.exemplar.pyramid import cells, doubled

BELIEVED = 0.5
"""Share of an octave's variance that an estimate explains, from which on it is believed."""

VISIBLE = 1.5 / 255
"""Contrast of an octave below which there is nothing in it that could be lost, on the scale 0 to 1."""

MOST_OCTAVES = 3
"""A latent pixel of the usual autoencoders is as wide as 2 ** 3 pixels: there is nothing coarser to lose."""

RECIPE = Recipe(most_votes=40_000)
"""As the engine `exemplar` fills; large targets get fewer rounds at the finest scale, which are half of the time."""

_FEWEST = 64
"""An octave of fewer known pixels says nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Textured:
    """What became of a patch.

    Attributes:
        pixels: (h, w, 3) float32; equal to what came in outside the target.
        octaves: How many of the finest octaves were made anew; 0: none, and the patch is as it was.
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
    recipe: Recipe = RECIPE,
    check: Callable[[], None] = lambda: None,
) -> Textured:
    """The patch with the picture's texture in place of octaves that its engine loses.

    Args:
        patch: (h, w, 3) float32 at the engine's size.
        soft: (h, w, 3) float32, what the engine makes of the picture's known pixels; at the target it is the patch.
        picture: (h, w, 3) float32, the engine's canvas before.
        known: (h, w) bool: pixels that show the picture and may be copied; apart from `target`.
        target: (h, w) bool: where texture is wanted.
        seed: The same seed gives the same pixels.
        recipe: How holes are filled.
        check: Called often; may raise to stop.
    """
    octaves = lost_octaves(soft, picture, known)
    if octaves == 0 or not target.any():
        return Textured(patch, 0)
    sketch = Sketch(np.where(target[..., None], patch, soft), octaves)
    before = np.where(target[..., None], patch, picture)
    filled = fill(before, known, target, recipe, seed, Watch(check=check), sketch)
    return Textured(np.where(target[..., None], filled.clip(0, 1), patch), octaves)


def lost_octaves(estimate: Floats, picture: Floats, known: Flags) -> int:
    """How many of the finest octaves an estimate does not show, 0 to MOST_OCTAVES.

    An octave is the difference between a picture and its halving enlarged. Of its variance over known pixels an
    estimate explains the squared correlation. Octaves without visible contrast count as the next coarser one does.

    Args:
        estimate: (h, w, 3) float32, what the engine makes of the picture.
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
            if explained >= BELIEVED:
                break
            lost = octave
        picture, estimate = halves
        known = cells(known.astype(np.float32)) > 0.999
    return lost
