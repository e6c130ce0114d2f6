"""Thin lines and small specks: what a small morphological opening or closing takes away.

A top-hat keeps what is lighter (or darker) than its surroundings and thinner than a disc: Meyer, 1979; in Serra, "Image
analysis and mathematical morphology", 1982. Its mean along the best of several directions, less its mean all around,
is large on a line and small in texture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from .colour import lab_of

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Shade = Literal["light", "dark", "both"]

DIRECTIONS = 12

UNEQUAL = 0.5
"""How much of the difference between the two sides of a line speaks against it."""

AROUND = 3.0
"""How many times the mean all around a place is taken from that along a line through it."""

LEAST = 1.5
"""Of L, from 0 to 100: what stands out less is never seen."""


@dataclass(frozen=True, slots=True, eq=False)
class ThinPart:
    """A connected thin part.

    Attributes:
        marked: (h, w) bool over its box.
        left, top: Where its box begins.
        length: The longer side of the smallest turned rectangle around it, in pixels.
        width: Its area divided by that.
    """

    marked: Flags
    left: int
    top: int
    length: float
    width: float


def lightness(colours: Floats) -> Floats:
    """(H, W): L, 0 to 100, of sRGB colours, without the noise of single pixels."""
    return np.asarray(cv2.GaussianBlur(lab_of(colours)[..., 0], (0, 0), 0.6), np.float32)


def hats(light: Floats, width: int, shade: Shade) -> list[Floats]:
    """(H, W) each: how much L differs from what is there without parts thinner than `width`."""
    side = 2 * math.ceil(width / 2) + 3
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    kinds = {"light": [cv2.MORPH_TOPHAT], "dark": [cv2.MORPH_BLACKHAT]}
    both = kinds["light"] + kinds["dark"]
    return [cv2.morphologyEx(light, kind, disc, borderType=cv2.BORDER_REPLICATE) for kind in kinds.get(shade, both)]


def noise_of(hat: Floats) -> float:
    """What a top-hat has where there is nothing but noise and texture: its median, and twice its spread more."""
    middle = float(np.median(hat))
    return middle + 2 * 1.4826 * float(np.median(np.abs(hat - middle)))


def along_lines(hat: Floats, light: Floats, length: int, width: int) -> Floats:
    """(H, W): the mean along the best line through each place, less what speaks against a line.

    That is a multiple of the mean all around, which texture has, and how much the two sides of the line differ, as
    those of an outline do.
    """
    best = np.full_like(hat, -np.inf)
    for number in range(DIRECTIONS):
        angle = math.pi * number / DIRECTIONS
        line = _line(length, angle)
        sides = cv2.filter2D(light, cv2.CV_32F, _sides(line, angle, width / 2 + 1))
        best = np.maximum(best, cv2.filter2D(hat, cv2.CV_32F, line) - np.float32(UNEQUAL) * np.abs(sides))
    return np.asarray(best - np.float32(AROUND) * cv2.blur(hat, (length, length)), np.float32)


def _sides(line: Floats, angle: float, away: float) -> Floats:
    """A kernel that takes the mean along a line on one side from that on the other."""
    across, down = round(-math.sin(angle) * away), round(math.cos(angle) * away)
    pad = max(abs(across), abs(down))
    wide = np.pad(line, pad)
    return np.asarray(np.roll(wide, (down, across), (0, 1)) - np.roll(wide, (-down, -across), (0, 1)), np.float32)


def _line(length: int, angle: float) -> Floats:
    """A kernel of mean 1 / sum: a line of that length through its middle."""
    side = length | 1
    kernel = np.zeros((side, side), np.float32)
    half, centre = length / 2, side // 2
    across, down = round(half * math.cos(angle)), round(half * math.sin(angle))
    cv2.line(kernel, (centre - across, centre - down), (centre + across, centre + down), 1.0)
    return np.asarray(kernel / kernel.sum(), np.float32)


def linear_parts(hat: Floats, light: Floats, length: int, width: int, threshold: float) -> Flags:
    """(H, W) bool: thin places along lines that stand out by the threshold; weaker ends are followed to half of it."""
    response = along_lines(hat, light, length, width)
    weak = (response > threshold / 2) & (hat > max(LEAST, threshold / 2))
    strong = weak & (response > threshold)
    _, labels = cv2.connectedComponents(weak.view(np.uint8), connectivity=8)
    kept = np.zeros(int(labels.max()) + 1, np.bool_)
    kept[np.unique(labels[strong])] = True
    kept[0] = False
    return np.asarray(kept[labels], np.bool_)


def parts_of(marked: Flags) -> list[ThinPart]:
    """The connected parts of what is marked."""
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(marked.view(np.uint8), connectivity=8)
    found = []
    for number in range(1, count):
        left, top, across, down, area = (int(one) for one in statistics[number])
        own = labels[top : top + down, left : left + across] == number
        points = np.argwhere(own)[:, ::-1].astype(np.float32)
        sides = cv2.minAreaRect(points)[1]
        length = max(sides) + 1
        found.append(ThinPart(own, left, top, length, area / length))
    return found


def joined(parts: list[ThinPart], shape: tuple[int, int]) -> Flags:
    """(H, W) bool: these parts."""
    marked = np.zeros(shape, np.bool_)
    for part in parts:
        height, width = part.marked.shape
        marked[part.top : part.top + height, part.left : part.left + width] |= part.marked
    return marked


def enlarged_to(marked: Flags, size: tuple[int, int], grown: int = 1) -> Flags:
    """(H, W) bool at (width, height) pixels, grown by so many pixels of the smaller size for the soft rim of lines."""
    element = np.ones((2 * grown + 1, 2 * grown + 1), np.uint8)
    rim = cv2.dilate(marked.view(np.uint8), element)
    return np.asarray(cv2.resize(rim, size, interpolation=cv2.INTER_NEAREST) > 0, np.bool_)
