"""Objects cut out of photos, and pasted on others: the scene, its hole and what was behind."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.dataset import LoadedCase, context_box, hole_box
from overpaint.geometry import Box, Size

FRINGE = 2
"""Pixels of an object's outline that are left out, since they show its old background."""

MARGIN = 3
"""Pixels by which a hole is wider than its object, as a mask drawn by hand: nothing of the object is outside."""

SHADE = 0.5
"""Part of the light that the darkest of a shadow takes."""

Pixels8 = NDArray[np.uint8]
Alpha = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pasting:
    """Where an object is pasted.

    Attributes:
        image: The photo that shows the object.
        mask: Its outline there.
        box: Where it comes to lie in the scene.
        mirrored: Whether it is mirrored.
        shadow: How far its shadow lies to the right of it, in widths of the object; None for no shadow.
    """

    image: Path
    mask: Path
    box: Box
    mirrored: bool
    shadow: float | None


def scene(clean: Pixels8, pasting: Pasting) -> LoadedCase:
    """The case of an object pasted on a clean photo (H, W, 3)."""
    colours, alpha = _placed(pasting, Size(clean.shape[1], clean.shape[0]))
    ground = clean.astype(np.float32)
    if pasting.shadow is not None:
        ground *= 1 - np.float32(SHADE) * _shadow(alpha, pasting.shadow)[..., None]
    pixels = ground + (colours - ground) * alpha[..., None]
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * MARGIN + 1, 2 * MARGIN + 1))
    hole = cv2.dilate((alpha > 0).astype(np.uint8), around) > 0
    return LoadedCase(np.rint(pixels).clip(0, 255).astype(np.uint8), hole, context_box(hole), clean)


@cache
def outline(mask: Path) -> tuple[Box, float]:
    """The box of an object in its photo, and the share of the box that it covers."""
    shape = _shape(mask)
    box = hole_box(shape)
    return box, float(shape[box.slices].mean())


def _shape(mask: Path) -> NDArray[np.bool_]:
    with Image.open(mask) as image:
        shape = (np.asarray(image.convert("L")) > 127).astype(np.uint8)
    return np.asarray(cv2.erode(shape, np.ones((2 * FRINGE + 1, 2 * FRINGE + 1), np.uint8)), bool)


def _placed(pasting: Pasting, size: Size) -> tuple[NDArray[np.float32], Alpha]:
    """The object's colours (H, W, 3) and coverage (H, W) in a scene of this size."""
    shape = _shape(pasting.mask)
    here = hole_box(shape)
    with Image.open(pasting.image) as image:
        colours = np.asarray(image.convert("RGB"))[here.slices].astype(np.float32)
    alpha = shape[here.slices].astype(np.float32)
    if pasting.mirrored:
        colours, alpha = colours[:, ::-1], alpha[:, ::-1]
    wanted = (pasting.box.width, pasting.box.height)
    # Weighted by coverage, so that the old background does not enter at the outline.
    small = cv2.resize(alpha, wanted, interpolation=cv2.INTER_AREA)
    mixed = cv2.resize(colours * alpha[..., None], wanted, interpolation=cv2.INTER_AREA)
    placed, coverage = np.zeros((*size.shape, 3), np.float32), np.zeros(size.shape, np.float32)
    placed[pasting.box.slices] = mixed / np.maximum(small, 1e-3)[..., None]
    coverage[pasting.box.slices] = small
    return placed, coverage


def _shadow(alpha: Alpha, aside: float) -> Alpha:
    """(H, W) in [0, 1]: a soft ellipse under the object, partly beside it."""
    box = hole_box(alpha > 0)
    centre = (round((box.left + box.right) / 2 + aside * box.width), round(box.bottom - 0.03 * box.height))
    axes = (round(0.55 * box.width), max(2, round(0.08 * box.height)))
    dark = cv2.ellipse(np.zeros_like(alpha), centre, axes, 0, 0, 360, 1.0, -1)
    return np.asarray(cv2.GaussianBlur(dark, (0, 0), max(1.5, 0.03 * box.height)), np.float32)
