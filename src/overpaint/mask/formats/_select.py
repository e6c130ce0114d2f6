"""The common part of the document formats: choosing by label and image, and joining shapes."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import MaskError, did_you_mean
from overpaint.geometry import Box, Size
from overpaint.mask._checks import DegenerateShapeError, as_size
from overpaint.mask._mask import Mask
from overpaint.mask._shapes import size_of

from ._runs import Counts

T = TypeVar("T")
Values = NDArray[np.float32]
Notes = tuple[str, ...]

LINE_WIDTH = 10.0
"""Pixels across a line that has no width of its own, as in LabelMe's tools."""

POINT_RADIUS = 5.0
"""Pixels around a point, likewise."""

_LARGEST_BOX, _SMALL_BOX = 4, 65_536  # pixels of a mask's box, as a multiple of the picture's, and beyond that


def with_label(items: Iterable[tuple[str, T]], label: str | None, title: str) -> list[T]:
    """The items with this label, or all; an error when there are none."""
    pairs = list(items)
    if not pairs:
        raise MaskError(f"the {title} has no shapes")
    chosen = [item for name, item in pairs if label is None or name == label]
    if not chosen:
        known = sorted({name for name, _ in pairs})
        shown = ", ".join(repr(name) for name in known[:20])
        raise MaskError(f"the {title} has no label {label!r}{did_you_mean(str(label), known)}; it has {shown}")
    return chosen


def with_name(items: Iterable[tuple[str, T]], name: str | None, title: str) -> T:
    """The item with this name, with or without folders; without a name the only one."""
    pairs = list(items)
    if name is None and len(pairs) == 1:
        return pairs[0][1]
    names = [found for found, _ in pairs]
    shown = ", ".join(repr(found) for found in names[:10]) + (", ..." if len(names) > 10 else "")
    if not pairs:
        raise MaskError(f"the {title} has no images")
    if name is None:
        raise MaskError(
            f"the {title} has {len(pairs)} images: {shown}", code="mask-picture", hint="set image to the name of one"
        )
    for key in (str, posixpath.basename):
        chosen = [item for found, item in pairs if key(found) == key(name)]
        if len(chosen) == 1:
            return chosen[0]
        if chosen:
            raise MaskError(f"the {title} has {len(chosen)} images of the name {name!r}")
    raise MaskError(
        f"the {title} has no image {name!r}{did_you_mean(name, names)}; it has {shown}", code="mask-picture", value=name
    )


def united(shapes: Iterable[tuple[str, Callable[[Values], Notes | None]]], size: Size) -> Mask:
    """The union of shapes, each given by its name for messages and a function that draws it over (H, W) values, and
    may return notes.

    Annotations of whole data sets have shapes that are smaller than a pixel or degenerate; these are left out, with a
    note, unless nothing else is there.
    """
    values = np.zeros(size.shape, dtype=np.float32)
    notes: list[str] = []
    left_out: list[MaskError] = []
    shapes = list(shapes)
    for name, draw in shapes:
        try:
            found = draw(values)
        except DegenerateShapeError as error:
            left_out.append(_of_shape(error, name))
        except MaskError as error:
            raise _of_shape(error, name) from error
        else:
            notes += [f"{name}: {note}" for note in found or ()]
    if left_out and len(left_out) == len(shapes):
        raise left_out[-1]
    if left_out:
        more = f" (and {len(left_out) - 1} more)" if len(left_out) > 1 else ""
        notes.append(f"left out: {left_out[0]}{more}")
    return Mask(values, tuple(notes))


def _of_shape(error: MaskError, name: str) -> MaskError:
    """An error about a shape, as one about the mask file that has it."""
    found = error.within(name)
    found.field = MaskError.field
    return found


def check_box(box: Box, values: Values) -> None:
    """Raise MaskError unless the box of a mask has an area, and not one far beyond that of the picture's values."""
    size = size_of(values)
    if box.empty or box.area > _LARGEST_BOX * size.area + _SMALL_BOX:
        raise MaskError(
            f"its box {box} is {box.width}x{box.height}: it must have an area, and one like that of the picture, which "
            f"is {size}"
        )


def place(values: Values, marked: NDArray[np.bool_], box: Box) -> None:
    """The (h, w) marked pixels of a box, which may extend beyond the picture, over (H, W) values."""
    size = size_of(values)
    inside = box.intersect(size.box)
    if inside.empty:
        raise DegenerateShapeError(f"its box {box} lies outside the picture of {size}", value=str(box))
    part = values[inside.slices]
    np.maximum(part, marked[inside.shift(-box.left, -box.top).slices], out=part)


def as_runs(lengths: Iterable[Any], area: int) -> Counts:
    """Run lengths of a mask with this number of pixels."""
    whole = [as_whole(length, "a run length") for length in lengths]
    for length in whole:
        if abs(length) > area:  # before it must fit in 64 bits
            raise MaskError(f"a run-length mask of {area} pixels has a run of {length}")
    return np.array(whole, dtype=np.int64)


def objects_in(document: Mapping[str, Any], key: str, title: str) -> list[Mapping[str, Any]]:
    """The list of objects that a document has under a key."""
    items = document.get(key)
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise MaskError(f"the {key!r} of the {title} must be a list of objects, not {items!r:.100}")
    return items


def size_in(document: Mapping[str, Any], width: str, height: str, title: str) -> Size:
    """The size of the picture in a document."""
    try:
        numbers = [as_whole(document[key], f"the {key} of the {title}") for key in (width, height)]
    except KeyError as error:
        raise MaskError(f"the {title} has no {error.args[0]}") from None
    return as_size((numbers[0], numbers[1]))


def as_whole(value: Any, name: str) -> int:
    """A whole number, also as 12.0 or "12"."""
    try:
        number = float(value)
        if isinstance(value, bool) or number != int(number):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise MaskError(f"{name} must be a whole number, not {value!r:.60}") from None
    return int(number)
