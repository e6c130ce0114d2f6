"""Objects cut out of photos, to be pasted onto other photos and named in prompts.

No masks come with the photos. GrabCut (Rother, Kolmogorov and Blake 2004) from a central box finds the object of most
such photos; a cut is kept when it is compact, of moderate area, and touches little of the border.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from . import colours
from .photos import Photo

COLOURS = frozenset({*colours.WORDS, "gray"})
VAGUE = frozenset({"person", "people", "wall", "floor", "packages", "trash", "food", "sky", "road", "building"})
SINGULAR = {"vegetables": "vegetable", "carrots": "carrot", "satsumas": "satsuma"}

_MARGIN, _ROUNDS = 0.06, 3
_AREA, _ONE_PIECE, _AT_BORDER = (0.06, 0.72), 0.8, 0.22

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class ObjectCut:
    """One object.

    Attributes:
        box: left, top, right, bottom in its photo.
        tile: (side, side, 4) uint8 RGBA, the object in the middle, its aspect kept.
        nouns: Its names.
    """

    box: tuple[int, int, int, int]
    tile: NDArray[np.uint8]
    nouns: tuple[str, ...]


def nouns(labels: tuple[str, ...]) -> tuple[str, ...]:
    """Labels that name a thing: no colours and no vague nouns."""
    kept = (SINGULAR.get(label, label) for label in labels if label not in COLOURS and label not in VAGUE)
    return tuple(dict.fromkeys(kept))


def cut_object(photo: Photo, labels: tuple[str, ...], tile: int) -> ObjectCut | None:
    """The object of a photo that carries one of `labels`; None without such a label or a plausible cut."""
    named = nouns(photo.record.labels)
    if not named or not set(labels) & set(photo.record.labels):
        return None
    found = segment_object(photo.pixels)
    if not is_plausible_cut(found):
        return None
    rows, columns = np.flatnonzero(found.any(1)), np.flatnonzero(found.any(0))
    box = (int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
    return ObjectCut(box, _tile(photo.pixels, found, box, tile), named)


def segment_object(pixels: NDArray[np.uint8]) -> Mask:
    """The largest piece of GrabCut's foreground, with its holes filled; computed at half size, for speed."""
    height, width = pixels.shape[:2]
    small = cv2.resize(pixels, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    rows, columns = small.shape[:2]
    inset_x, inset_y = max(2, round(columns * _MARGIN)), max(2, round(rows * _MARGIN))
    mask = np.zeros((rows, columns), np.uint8)
    area = (inset_x, inset_y, columns - 2 * inset_x, rows - 2 * inset_y)
    cv2.setRNGSeed(0)
    try:
        cv2.grabCut(small, mask, area, np.zeros((1, 65)), np.zeros((1, 65)), _ROUNDS, cv2.GC_INIT_WITH_RECT)
    except cv2.error:  # a photo of one colour has no foreground
        return np.zeros((height, width), np.bool_)
    front = np.isin(mask, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.uint8)
    front = cv2.morphologyEx(front, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    full = cv2.resize(_largest(front).astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    result: Mask = full > 0.5
    return result


def _largest(front: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The largest piece with its holes filled; empty when it is less than 80 % of the foreground."""
    outlines, _ = cv2.findContours(front, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros_like(front)
    if outlines:
        cv2.drawContours(filled, [max(outlines, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    if (front & filled).sum() < _ONE_PIECE * max(1, int(front.sum())):
        filled[:] = 0
    return filled


def is_plausible_cut(mask: Mask) -> bool:
    """Whether a cut looks like an object: its area, and how much of the border it touches."""
    border = np.concatenate((mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    return bool(_AREA[0] <= mask.mean() <= _AREA[1] and border.mean() <= _AT_BORDER)


def _tile(pixels: NDArray[np.uint8], mask: Mask, box: tuple[int, int, int, int], side: int) -> NDArray[np.uint8]:
    left, top, right, bottom = box
    scale = side / max(right - left, bottom - top)
    size = (max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale)))
    alpha = np.where(mask, 255, 0).astype(np.uint8)[top:bottom, left:right, None]
    cropped = np.concatenate((pixels[top:bottom, left:right], alpha), 2)
    small = cv2.resize(cropped, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    tile = np.zeros((side, side, 4), np.uint8)
    x, y = (side - size[0]) // 2, (side - size[1]) // 2
    tile[y : y + size[1], x : x + size[0]] = small
    return tile
