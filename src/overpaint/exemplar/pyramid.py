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
        pixels: (h, w, 3) float32; outside `known` it holds no colour of the picture.
        known: (h, w) bool: pixels that may be copied. At a coarse scale all that a known pixel covers is known.
        target: (h, w) bool: pixels to synthesise. Pixels that are neither known nor target keep their colour.
    """

    pixels: Floats
    known: Flags
    target: Flags


def halved(level: Level) -> Level:
    """The picture at half the scale, sizes rounded up; colours are means of known pixels."""
    known = level.known.astype(np.float32)
    mass = cells(known)
    colours = cells(np.where(level.known[..., None], level.pixels, np.float32(0)))
    static = cells(level.pixels)
    means = np.where(mass[..., None] > 0, colours / np.maximum(mass, np.float32(1e-6))[..., None], static)
    target = cells(level.target.astype(np.float32)) > 0
    return Level(means.astype(np.float32), (mass > 0.999) & ~target, target)


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
