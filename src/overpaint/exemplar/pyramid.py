"""A picture with a hole at coarser scales."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .features import Flags, Floats


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """A picture at one scale.

    Attributes:
        pixels: (h, w, 3) float32; values at the target are ignored.
        known: (h, w) bool: pixels that may be copied. At a coarse scale all that a known pixel covers is known.
        target: (h, w) bool: pixels to synthesise. Pixels that are neither known nor target keep their colour.
    """

    pixels: Floats
    known: Flags
    target: Flags


def halved(level: Level, *, closing: bool = True) -> Level:
    """The picture at half the scale, sizes rounded up.

    A cell that the target's edge crosses has the mean colour of its seen part. `closing`: it is compared with, but
    neither filled nor copied, so that the hole closes from scale to scale. Otherwise it belongs to the target.
    """
    mass = cells((~level.target).astype(np.float32))
    colours = cells(np.where(level.target[..., None], np.float32(0), level.pixels))
    colours /= np.maximum(mass, np.float32(1e-6))[..., None]
    target = mass == 0 if closing else mass < 1
    return Level(colours, (cells(level.known.astype(np.float32)) > 0.999) & ~target, target)


def doubled(pixels: Floats, shape: tuple[int, int]) -> Floats:
    """The coarser picture at the scale of `shape` (h, w), by cubic interpolation."""
    height, width = pixels.shape[:2]
    wide = cv2.resize(pixels, (2 * width, 2 * height), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(wide[: shape[0], : shape[1]])


def cells(values: Floats) -> Floats:
    """Means of 2 x 2 pixels, sizes rounded up; an odd last row or column counts twice."""
    height, width = values.shape[:2]
    even = np.pad(values, [(0, height % 2), (0, width % 2)] + [(0, 0)] * (values.ndim - 2), mode="edge")
    total = even[0::2, 0::2] + even[1::2, 0::2]
    total += even[0::2, 1::2]
    total += even[1::2, 1::2]
    total *= np.float32(0.25)
    return total
