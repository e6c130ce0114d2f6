"""Checks of arguments: sizes, boxes, points, distances."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overpaint.bounded import needs_memory
from overpaint.errors import MaskError
from overpaint.geometry import Box, Size
from overpaint.picture.limits import MEMORY_PER_PIXEL, current_limits

SizeLike = Size | tuple[int, int]
BoxLike = Box | Sequence[float]
MOST_POINTS = 1_000_000
FARTHEST = 1_000_000_000  # no coordinate is larger: products of them stay far from the limits of float64


class DegenerateShapeError(MaskError):
    """A shape that has no pixel in the picture: too few points, too small, or outside."""


def as_size(size: SizeLike) -> Size:
    """(width, height) as a Size of at least one pixel and at most as many as a picture may have."""
    try:
        width, height = (operator.index(side) for side in size)
    except (TypeError, ValueError):
        raise MaskError(f"a size must be two whole numbers (width, height), not {size!r}") from None
    if width < 1 or height < 1:
        raise MaskError(f"a mask must have at least one pixel, not {width}x{height}")
    check_area(width * height, f"a mask of {width}x{height}")
    needs_memory(width * height * MEMORY_PER_PIXEL)
    return Size(width, height)


def check_area(area: int, what: str) -> None:
    """Raise MaskError when what has so many pixels has more than a picture may have."""
    most = current_limits().pixels
    if area > most:
        raise MaskError(f"{what} has {area:,} pixels; at most {most:,} are allowed", value=area)


def wrong_size(found: Size, wanted: Size, resize: bool | None = None) -> MaskError:
    """The error for a mask of another size than the picture's. `resize` is the reader's argument; None without."""
    hint = ""
    if found == wanted.swapped:
        hint = "width and height are swapped: a mask must be as the picture is displayed, with its orientation applied"
    elif found.in_proportion_to(wanted):
        way = "Mask.resize gives it that size" if resize is None else "set resize to resize it"
        hint = f"its sides are in proportion: {way}"
    elif resize:
        hint = "their sides are not in proportion, so that the mask can't be resized"
    else:
        hint = "their sides are not in proportion: a mask is made for the picture as it is, without cropping"
    return MaskError(
        f"the mask is {found}, but the picture is {wanted}", code="mask-size", field="mask", value=str(found), hint=hint
    )


def as_corners(box: BoxLike, name: str) -> tuple[float, float, float, float]:
    """Four finite numbers (left, top, right, bottom) around some area."""
    numbers = as_numbers(box, f"a {name}'s box")
    if len(numbers) != 4:
        raise MaskError(
            f"a {name}'s box must be four numbers (left, top, right, bottom), not {box!r}", field=name, value=box
        )
    left, top, right, bottom = numbers
    if right <= left or bottom <= top:
        raise DegenerateShapeError(
            f"the {name} {listed(numbers)} has no area: right must be more than left, and bottom more than top",
            field=name,
            value=listed(numbers),
        )
    return left, top, right, bottom


def as_points(points: Iterable[Iterable[Any]], name: str, *, columns: tuple[int, ...] = (2,)) -> NDArray[np.float64]:
    """(N, columns) float64, all finite, `MOST_POINTS` at most."""
    try:
        rows = [as_numbers(point, f"a point of the {name}") for point in points]
    except TypeError:
        raise MaskError(f"the {name} must be a list of points (x, y), not {points!r:.100}") from None
    if len(rows) > MOST_POINTS:
        raise MaskError(f"the {name} has {len(rows):,} points; {MOST_POINTS:,} is the most")
    wanted = " or ".join(str(n) for n in columns)
    for row in rows:
        if len(row) not in columns:
            raise MaskError(f"a point of the {name} must have {wanted} numbers, not {listed(row)}")
    if len({len(row) for row in rows}) > 1:
        raise MaskError(f"the points of the {name} must all have as many numbers ({wanted})")
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(rows[0]) if rows else columns[0])


def as_numbers(values: Any, name: str) -> tuple[float, ...]:
    """Floats that are numbers, and none beyond `FARTHEST`."""
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError, OverflowError):
        raise MaskError(f"{name} must be numbers, not {values!r:.100}") from None
    if not all(abs(number) <= FARTHEST for number in numbers):  # false for NaN, too
        raise MaskError(f"{name} must be numbers between -{FARTHEST:,} and {FARTHEST:,}, not {listed(numbers)}")
    return numbers


def as_number(value: float, name: str, unit: str = "") -> float:
    """A float, which may be NaN or infinite; `unit` is for the message: " of pixels"."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise MaskError(f"{name} must be a number{unit}, not {value!r:.100}", field="", value=value) from None


def as_pixels(value: float, name: str) -> float:
    """A finite number of pixels, zero or more."""
    number = as_number(value, name, " of pixels")
    if not (math.isfinite(number) and number >= 0):
        raise MaskError(f"{name} must be zero or more pixels, not {value}", field="", value=value)
    return number


def listed(numbers: Iterable[float]) -> str:
    """Numbers with commas: 10,20,30.5,40."""
    return ",".join(f"{number:.10g}" for number in numbers)
