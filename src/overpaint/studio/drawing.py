"""How much work the shapes of a mask are, before any of them is drawn.

A shape is drawn within its own box: so many pixels are looked at for each, however few of them it marks. A request of
some kilobytes can name shapes that take hours, on a picture of usual size.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import MaskError
from overpaint.geometry import Box, Size
from overpaint.request import BoxPart, EllipsePart, MaskSpec, Part, PolygonPart, SelectPart, StrokesPart

MOST_DRAWN = 4_000_000_000
"""Pixels that all shapes of a mask may have drawn, of which a processor does about 50 million in a second; or as many
as `_ALWAYS` shapes of the picture's size have."""

_ALWAYS = 8

_JOIN = 8
"""To join a part to those before it takes so many times less than to draw it."""

_PIECE = 130
"""Pixels of a piece of a stroke, by which long ones are drawn, with its rim."""

_SELECTING = 50_000_000
"""To select something takes as long as to draw so many pixels, however small the picture is."""

_most: ContextVar[int] = ContextVar("pixels that a mask's shapes may have drawn", default=MOST_DRAWN)


@contextlib.contextmanager
def drawing_limited(most: int) -> Iterator[None]:
    """Masks that are drawn inside, in this thread, may have so many pixels drawn."""
    before = _most.set(most)
    try:
        yield
    finally:
        _most.reset(before)


def check_drawing(spec: MaskSpec, size: Size) -> None:
    """Raise MaskError where the shapes of a mask for a picture of this size are more work than may be."""
    most = max(_most.get(), _ALWAYS * size.area)
    total = 0
    for part in spec.parts:
        total += _pixels(part, size) + size.area // _JOIN + (size.area if part.feather > 0 else 0)
        if total > most:
            raise MaskError(
                f"the shapes of the mask have more than {most:,} pixels to be drawn",
                code="mask-drawing",
                field="mask",
                value=len(spec.parts),
                hint="give fewer or smaller shapes, or one mask file",
            )


def _pixels(part: Part, size: Size) -> int:
    """Pixels that are looked at to draw a part."""
    match part:
        case BoxPart() | EllipsePart():
            return _inside(*part.box, size)
        case PolygonPart():
            x, y = np.asarray(part.points, np.float64).T
            return _inside(x.min(), y.min(), x.max(), y.max(), size)
        case StrokesPart():
            return sum(_of_line(np.asarray(line, np.float64)[:, :2], part.width, size) for line in part.strokes)
        case SelectPart():
            return (1 + len(part.boxes)) * (size.area + _SELECTING)
        case _:
            return size.area


def _inside(left: float, top: float, right: float, bottom: float, size: Size) -> int:
    return Box(int(left), int(top), int(right) + 1, int(bottom) + 1).intersect(size.box).area


def _of_line(points: NDArray[np.float64], width: float, size: Size) -> int:
    """Of a stroke with these points, (n, 2): its segments' boxes, or those of the pieces of long ones."""
    if len(points) == 1:
        points = np.repeat(points, 2, axis=0)
    start, end = points[:-1], points[1:]
    most = (size.width, size.height)
    low = np.clip(np.minimum(start, end) - width / 2 - 1, 0, most)
    high = np.clip(np.maximum(start, end) + width / 2 + 1, 0, most)
    boxes = np.prod(high - low, axis=1)
    pieces = (np.hypot(*(end - start).T) + width + _PIECE) * (width + _PIECE)
    return int(np.minimum(boxes, pieces).sum())
