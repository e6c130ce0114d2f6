"""Maps that are drawings: bright lines on black, made of a picture without any network.

ControlNets of these kinds learned from maps that networks made of photographs (HED, informative drawings, PiDiNet).
These are their weightless likeness, of the same polarity and about the same thickness.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from overpaint.request import DRAWN_KINDS

from .contours import Flags, Floats, alone, blurred, dark_lines_at, edges_at, linked, long_enough, thinned

_DARK = 32  # of 256 levels: the ground of a map, also as JPEG
_RARE = 2e-4  # share of the pixels that a level has at least to count
_MANY_LEVELS = 128


def canny_map(pixels: Floats, low: float = 100, high: float = 200, shortest: int = 12) -> Floats:
    """Edges one pixel wide (Canny, "A computational approach to edge detection", IEEE PAMI 1986).

    Args:
        pixels: (H, W, 3) float32 in [0, 1], sRGB.
        low, high: Of the gradient, as OpenCV counts it for 8 bits; edges above `low` count that touch one above `high`.
        shortest: Shorter lines are left out, in pixels: they are noise and texture.

    Returns:
        (H, W) float32, 0 or 1.
    """
    import cv2

    eight = np.rint(np.clip(blurred(pixels, 0.7), 0, 1) * 255).astype(np.uint8)
    found = cv2.Canny(eight, min(low, high), max(low, high)) > 0
    return long_enough(found, None, shortest).astype(np.float32)


def lineart_map(pixels: Floats, detail: float = 0.5) -> Floats:
    """Clean lines of varying strength, as a drawing of the picture has them; about 2 pixels wide.

    Args:
        pixels: (H, W, 3) float32 in [0, 1], sRGB.
        detail: 0 draws the strongest outlines alone, 1 also faint lines.

    Returns:
        (H, W) float32 in [0, 1].
    """
    calm = _calmed(pixels)
    outline, dark = edges_at(calm, 1.2), dark_lines_at(calm, 1.2)
    low = 0.11 - 0.09 * detail
    shortest = round(20 * max(0.7, np.sqrt(calm.shape[0] * calm.shape[1]) / 512))
    ink = linked(thinned(dark), low / 2, low, shortest)
    weight = alone(outline.strength, 2.5, 0.9)
    edge = np.where(thinned(outline) > 0, weight, np.float32(0))
    beside_ink = _grown(ink, 2)  # a dark line has an edge on either side, which would make three of it
    drawn = linked(np.where(beside_ink, np.float32(0), edge), low, 2.2 * low, shortest) | ink
    strength = np.clip(np.maximum(weight, dark.strength) / np.float32(4 * low), 0.45, 1)
    return _inked(np.where(drawn, strength, 0).astype(np.float32))


def softedge_map(pixels: Floats, detail: float = 0.5) -> Floats:
    """Soft, broad edges of objects at three scales; texture is weak.

    Args:
        pixels: (H, W, 3) float32 in [0, 1], sRGB.
        detail: 0 keeps large outlines alone, 1 also fine ones.

    Returns:
        (H, W) float32 in [0, 1].
    """
    calm = _calmed(pixels)
    total, low = np.zeros(pixels.shape[:2], np.float32), 0.08 - 0.06 * detail
    for sigma, share in ((1.2, detail), (2.4, 1.0), (4.8, 1.0)):
        edges = edges_at(calm, sigma)
        weight = alone(edges.strength, 2 * sigma, 1.3)
        ridge = np.where(thinned(edges) > 0, weight, np.float32(0))
        lines = np.where(linked(ridge, low, 2.4 * low, round(12 * sigma)), np.clip(ridge * 3, 0, 1), 0)
        soft = blurred(lines.astype(np.float32), 0.9 + 0.3 * sigma)
        total = np.maximum(total, np.float32(share) * soft * np.float32(np.sqrt(2 * np.pi) * (0.9 + 0.3 * sigma) * 0.8))
    return np.clip(total, 0, 1)


def scribble_map(pixels: Floats, thickness: float = 3.0, detail: float = 0.5) -> Floats:
    """Thick, simplified outlines, as a hand scribbles them.

    Args:
        pixels: (H, W, 3) float32 in [0, 1], sRGB.
        thickness: Of the strokes, in pixels for a picture of 512x512.
        detail: 0 draws the strongest outlines alone, 1 also faint ones.

    Returns:
        (H, W) float32 in [0, 1].
    """
    import cv2

    height, width = pixels.shape[:2]
    scale = np.sqrt(height * width) / 512
    edges = edges_at(_calmed(pixels), 2.6 * max(1.0, scale))
    weight = alone(edges.strength, 5.0 * max(1.0, scale), 1.5)
    low = 0.12 - 0.1 * detail
    ridge = np.where(thinned(edges) > 0, weight, np.float32(0))
    lines = linked(ridge, low, 2.2 * low, round(36 * max(0.5, scale)))
    drawn = np.zeros((height, width), np.uint8)
    contours, _ = cv2.findContours(lines.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    simple = [cv2.approxPolyDP(one, 1.5 * max(0.5, scale), True) for one in contours]
    cv2.polylines(drawn, simple, True, 255, max(2, round(thickness * scale)), cv2.LINE_AA)
    return np.asarray(drawn, np.float32) / np.float32(255)


def _calmed(pixels: Floats) -> Floats:
    """The picture with less noise and fine texture, and its edges where they were (two bilateral filters)."""
    import cv2

    lab = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB))
    for _ in range(2):
        lab = np.asarray(cv2.bilateralFilter(lab, 7, 9.0, 3.0, borderType=cv2.BORDER_REPLICATE))
    return np.clip(np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.float32), 0, 1)


def _grown(marked: Flags, radius: int) -> Flags:
    import cv2

    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.dilate(marked.astype(np.uint8), disc)) > 0


def _inked(lines: Floats) -> Floats:
    """Lines of one pixel, drawn with a soft pen of about two."""
    return np.asarray(np.clip(blurred(lines, 0.8) * 2.4, 0, 1), np.float32)


def is_dark_on_light(drawing: NDArray[np.uint8]) -> bool:
    """Whether a drawing is of dark lines on a light ground, as people draw: its border and most of it are light.

    Args:
        drawing: (H, W) or (H, W, 3) uint8.
    """
    grey = drawing if drawing.ndim == 2 else drawing.mean(axis=2)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return bool(np.median(border) > 127 and np.median(grey) > 127)


def looks_like_photo(image: NDArray[np.uint8], kind: str) -> bool:
    """Whether an image that was given as the map of this kind looks like a photo instead: less than half of it is
    ground, black or white, and the rest has many levels; of a depth map, that it has many colours.

    On the 19 sheets of photos in docs/gallery 17 were told from drawings; of their maps, as files and as JPEG, and
    inverted, none was taken for a photo.

    Args:
        image: (H, W) or (H, W, 3) uint8.
        kind: The map's; kinds whose map is a picture never do.
    """
    if kind in DRAWN_KINDS or kind == "openpose":
        brightest = image if image.ndim == 2 else image.max(axis=2)
        levels = np.bincount(brightest.ravel(), minlength=256) / brightest.size
        ground = max(levels[:_DARK].sum(), levels[-_DARK:].sum())
        return bool(ground < 0.5 and np.count_nonzero(levels > _RARE) > _MANY_LEVELS)
    if kind == "depth" and image.ndim == 3:
        coloured = np.ptp(image, axis=2) > _DARK
        return bool(coloured.mean() > 0.05 and len(np.unique(image[coloured] >> 4, axis=0)) > _MANY_LEVELS)
    return False
