"""The frame in which faces are restored, and the way to it and back.

It is that of FFHQ at 512 pixels, as GFPGAN, RestoreFormer and CodeFormer were trained; the five places are facexlib's
(spec: inpaint settings 5). The detector gives places in a face, or a box alone, whose places are taken to be where the
frame has them.

A face is larger or smaller than the frame. What is brought from the larger to the smaller one is averaged over areas
first, so that no detail turns into patterns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box, Size
from overpaint.select.face_search import FoundFace

Plane = NDArray[np.float32]
"""(H, W) float32, or (H, W, C)."""

SIDE = 512

TEMPLATE = np.array(
    [[192.98, 239.95], [318.90, 240.19], [256.63, 314.02], [201.26, 371.41], [313.09, 371.15]], np.float32
)
"""Eyes, nose and corners of the mouth in the frame, left to right in the picture."""

_CORNERS = np.array([[110, 120], [402, 120], [110, 412]], np.float32)
"""Where three corners of a box of the cascade lie in the frame."""

_LEAST_EYES = 5.0
"""Pixels between the eyes below which a face is not restored: it is too small, or seen from the side."""

_MARGIN = 4
"""Pixels around the frame, as pixels between others are of several."""


@dataclass(frozen=True, slots=True, eq=False)
class FaceTurn:
    """The way from a picture to a face's frame.

    Attributes:
        matrix: (2, 3) float64: scaling, turning and moving, from pixels of the picture to pixels of the frame.
        box: The part of the picture that the frame shows.
    """

    matrix: NDArray[np.float64]
    box: Box

    @property
    def scale(self) -> float:
        """How many times as large as in the picture the face is in the frame."""
        return math.hypot(self.matrix[0, 0], self.matrix[0, 1])

    def framed(self, part: Plane) -> Plane:
        """(512, 512, C) float32: the face in its frame, of the part of the picture over `box`."""
        reduced = min(1.0, self.scale)
        height, width = part.shape[:2]
        size = (max(1, round(width * reduced)), max(1, round(height * reduced)))
        there = _own(self.matrix, self.box)
        if size != (width, height):
            part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
            there = _of_resized(there, size[0] / width, size[1] / height)
        made = cv2.warpAffine(part, there, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(np.clip(made, 0, 1), np.float32)

    def laid_back(self, framed: Plane) -> Plane:
        """(h, w[, C]) float32 over `box`: what the frame shows; 0 beyond it."""
        side = max(1, min(SIDE, round(SIDE / self.scale)))
        there = _own(self.matrix, self.box)
        flags = cv2.WARP_INVERSE_MAP | (cv2.INTER_LINEAR if side < SIDE else cv2.INTER_CUBIC)
        if side < SIDE:
            framed = cv2.resize(framed, (side, side), interpolation=cv2.INTER_AREA)
            there = _to_resized(there, side / SIDE)
        return np.asarray(cv2.warpAffine(framed, there, tuple(self.box.size), flags=flags), np.float32)

    def window(self) -> Plane:
        """(h, w) float32 in [0, 1] over `box`: the share of what is laid back."""
        return np.clip(self.laid_back(_window()), 0, 1)


def turns_of(faces: Iterable[FoundFace], size: Size) -> tuple[FaceTurn, ...]:
    """The way to the frame of each face that can be restored in a picture of this size."""
    found = (_turn(one, size) for one in faces)
    return tuple(one for one in found if one is not None)


def _turn(face: FoundFace, size: Size) -> FaceTurn | None:
    left, top, right, _ = face.box
    own, frame = face.places, TEMPLATE
    if own is None:
        own, frame = np.array([[left, top], [right, top], [left, top + right - left]], np.float32), _CORNERS
    elif math.dist(own[0], own[1]) < _LEAST_EYES:
        return None
    # pixels of OpenCV are counted from their middles
    matrix, _ = cv2.estimateAffinePartial2D(own - np.float32(0.5), frame, method=cv2.LMEDS)
    if matrix is None or not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:, :2])) < 1e-6:
        return None
    back = cv2.invertAffineTransform(matrix)
    corners = np.array([[0, 0], [SIDE, 0], [0, SIDE], [SIDE, SIDE]], np.float64) @ back[:, :2].T + back[:, 2]
    (least_x, least_y), (most_x, most_y) = np.floor(corners.min(axis=0)), np.ceil(corners.max(axis=0))
    box = Box(int(least_x), int(least_y), int(most_x), int(most_y)).pad(_MARGIN).intersect(size.box)
    return None if box.empty else FaceTurn(np.asarray(matrix, np.float64), box)


def _own(matrix: NDArray[np.float64], box: Box) -> NDArray[np.float64]:
    """The same way from pixels of a part of the picture."""
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ (box.left, box.top)
    return moved


def _of_resized(matrix: NDArray[np.float64], across: float, down: float) -> NDArray[np.float64]:
    """The same way from pixels of a part that was resized, whose pixel x has its middle at (x + 0.5) / scale - 0.5."""
    back = np.array([[1 / across, 0, 0.5 / across - 0.5], [0, 1 / down, 0.5 / down - 0.5], [0, 0, 1]])
    return np.asarray((np.vstack([matrix, [0, 0, 1]]) @ back)[:2], np.float64)


def _to_resized(matrix: NDArray[np.float64], scale: float) -> NDArray[np.float64]:
    """The same way to pixels of a frame that was resized."""
    resized = matrix * scale
    resized[:, 2] += 0.5 * scale - 0.5
    return resized


@cache
def _window() -> Plane:
    """(512, 512): 1 within a face, 0 at the border of the frame.

    An ellipse, softened as the mask of the face's skin is there: by two Gaussians of 101 pixels and sigma 11, and 10
    pixels of border at 0.
    """
    flat = np.zeros((SIDE, SIDE), np.float32)
    cv2.ellipse(flat, (SIDE // 2, 280), (170, 205), 0, 0, 360, 1.0, -1)
    soft = cv2.GaussianBlur(cv2.GaussianBlur(flat, (101, 101), 11), (101, 101), 11)
    soft[:10], soft[-10:], soft[:, :10], soft[:, -10:] = 0, 0, 0, 0
    return np.asarray(soft, np.float32)
