"""Distant parts of a hole are filled separately, each in a window with its surroundings.

The cost follows from the hole's size and not from the picture's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One part of the hole, with its surroundings.

    Attributes:
        window: The box of the part and its surroundings, inside the canvas.
        hole: (h, w) bool, of the window's size: this part's pixels. The window may hold pixels of other parts too.
    """

    window: Box
    hole: Flags


def parts(hole: Flags, known: Flags, margin: Callable[[Box], int], apart: int = 16) -> Iterator[Part]:
    """Split a hole into parts that lie further than about `apart` pixels from each other.

    Parts are joined where one window is no larger than their two. A window is the part's box grown by `margin(box)`
    pixels, and further, by doubling, until it holds a known pixel. An empty hole has no part.

    Args:
        hole: (H, W) bool, what to fill.
        known: (H, W) bool, what may be copied.
        margin: Pixels of surroundings that a part with this box needs.
        apart: Pixels; parts nearer to each other are joined.
    """
    whole = Box(0, 0, hole.shape[1], hole.shape[0])
    outer = Box.around(hole)
    if outer.empty:
        return
    inner = hole[outer.slices]
    labels, boxes = _labelled(inner, apart)
    group_of, boxes = _merged([box.shift(outer.left, outer.top) for box in boxes], margin, whole)
    labels = group_of[labels]
    for group, box in enumerate(boxes):
        near = box.shift(-outer.left, -outer.top).slices
        mine = inner[near] & (labels[near] == group)
        grown = margin(box)
        window = box.pad(grown).intersect(whole)
        while not known[window.slices].any() and window != whole:
            grown = max(2 * grown, 8)
            window = box.pad(grown).intersect(whole)
        flags = np.zeros(window.size.shape, bool)
        flags[box.shift(-window.left, -window.top).slices] = mine
        yield Part(window, flags)


def _merged(boxes: list[Box], margin: Callable[[Box], int], whole: Box) -> tuple[NDArray[np.int32], list[Box]]:
    """Join two boxes wherever one window around both is no larger than their two windows.

    Returns:
        The group, from 0, of each label, 1 to n (0 is no part); and the groups' boxes.
    """
    group_of = np.arange(-1, len(boxes), dtype=np.int32)
    windows = np.array([tuple(box.pad(margin(box)).intersect(whole)) for box in boxes], np.int64).reshape(-1, 4)
    boxes = list(boxes)
    alive = np.ones(len(boxes), bool)
    first = 0
    while first < len(boxes):
        low = np.minimum(windows[:, :2], windows[first, :2])
        high = np.maximum(windows[:, 2:], windows[first, 2:])
        areas = (windows[:, 2:] - windows[:, :2]).prod(axis=1)
        saved = areas + areas[first] - (high - low).prod(axis=1)
        saved[~alive] = -1
        saved[first] = -1
        best = int(saved.argmax())
        if not alive[first] or saved[best] < 0:
            first += 1
            continue
        boxes[first] = boxes[first].union(boxes[best])
        windows[first] = tuple(boxes[first].pad(margin(boxes[first])).intersect(whole))
        alive[best] = False
        group_of[group_of == best] = first
        first = 0 if len(boxes) < 200 else first
    numbers = np.append(np.cumsum(alive) - 1, -1).astype(np.int32)
    return numbers[group_of], [box for box, lives in zip(boxes, alive, strict=True) if lives]


def _labelled(hole: Flags, apart: int) -> tuple[NDArray[np.int32], list[Box]]:
    """(H, W) the label of each pixel's part, from 1, and the parts' boxes.

    Pixels belong together when their cells of a coarse grid touch, so that thousands of specks take one pass.
    """
    cell = max(1, apart // 2)
    height, width = hole.shape
    rows, columns = -(-height // cell), -(-width // cell)
    padded = np.zeros((rows * cell, columns * cell), np.uint8)
    padded[:height, :width] = hole
    coarse = padded.reshape(rows, cell, columns, cell).max(axis=(1, 3))
    count, numbers = cv2.connectedComponents(coarse, connectivity=8, ltype=cv2.CV_32S)
    labels = np.repeat(np.repeat(numbers, cell, axis=0), cell, axis=1)[:height, :width]
    boxes = []
    for number in range(1, count):
        around = Box.around(numbers == number) if count > 2 else Box(0, 0, columns, rows)
        rough = Box(around.left * cell, around.top * cell, around.right * cell, around.bottom * cell)
        rough = rough.intersect(Box(0, 0, width, height))
        tight = Box.around(hole[rough.slices] & (labels[rough.slices] == number))
        boxes.append(tight.shift(rough.left, rough.top))
    return labels, boxes
