"""Where to repaint, as people write it (mask files, boxes in pixels or per cent, polygons), as a mask of a request.

A door (command line, batch, server) fills in `Places` before the picture is known; `placed` makes a `MaskSpec` of them
once its size is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from overpaint.errors import RequestError
from overpaint.geometry import Box, Size

if TYPE_CHECKING:
    from overpaint.mask import Mask
    from overpaint.request import MaskSpec, Part

__all__ = [
    "BOX_FORM",
    "Channel",
    "Length",
    "Placed",
    "Places",
    "box",
    "length",
    "lengths",
    "number",
    "placed",
    "points",
]

Channel = Literal["auto", "luminance", "alpha", "transparent"]

BOX_FORM = "LEFT,TOP,RIGHT,BOTTOM"

WORDS = ("alpha", "full")
"""What may be said instead of a mask file: the picture's own transparency, all of it."""


@dataclass(frozen=True, slots=True)
class Places:
    """Files and shapes that mark where to repaint, all of them together.

    Attributes:
        mask: Mask files, or "alpha" or "full".
        box, ellipse: "left,top,right,bottom" each, in pixels or per cent of the picture.
        polygon: "x,y x,y x,y" each, likewise.
        mask_channel: What counts in a mask file that has alpha.
        mask_label: Of annotations, the label whose shapes are taken.
        mask_picture: Of annotations of several pictures, the one that is meant.
        invert: Repaint everything but these.
    """

    mask: tuple[str, ...] = ()
    box: tuple[str, ...] = ()
    ellipse: tuple[str, ...] = ()
    polygon: tuple[str, ...] = ()
    mask_channel: Channel = "auto"
    mask_label: str | None = None
    mask_picture: str | None = None
    invert: bool = False

    @property
    def named(self) -> bool:
        """Whether any place was given at all."""
        return bool(self.mask or self.box or self.ellipse or self.polygon)

    @property
    def files(self) -> tuple[str, ...]:
        """The mask files among them."""
        return tuple(name for name in self.mask if name not in WORDS)


@dataclass(frozen=True, slots=True)
class Placed:
    """Where to repaint.

    Attributes:
        spec: The mask as the request has it.
        inputs: Rasters that it names by digest.
    """

    spec: MaskSpec
    inputs: Mapping[str, Any] = field(default_factory=dict)


def placed(
    places: Places, size: Size, load: Callable[[str], Mask], *, name: Callable[[str], str] = str
) -> Placed | None:
    """Everything that was named, joined; None when nothing was.

    Args:
        places: What was named.
        size: Of the picture.
        load: The mask of a file of that name, of the picture's size.
        name: What the door calls a field, for messages.

    Raises:
        RequestError, MaskError: Something is not what it should be.
    """
    if not places.named:
        if places.invert:
            raise RequestError(
                f"{name('invert')} turns a mask round, and none is given: use {name('mask')}, {name('box')}, ..."
            )
        return None
    # here and not above: the command line's help reads what is below, and should not load the request's model for it
    from overpaint.request import AlphaPart, BoxPart, EllipsePart, FullPart, MaskSpec, PolygonPart, spec_of

    parts: list[Part] = []
    inputs: dict[str, Any] = {}
    for source in places.mask:
        if source in WORDS:
            parts.append(AlphaPart() if source == "alpha" else FullPart())
            continue
        spec, carried = spec_of(load(source))
        parts.extend(spec.parts)
        inputs |= carried
    parts.extend(BoxPart(box=_corners(text, size, name("box"))) for text in places.box)
    parts.extend(EllipsePart(box=_corners(text, size, name("ellipse"))) for text in places.ellipse)
    parts.extend(PolygonPart(points=tuple(points(text, size, name("polygon")))) for text in places.polygon)
    return Placed(MaskSpec(parts=tuple(parts), invert=places.invert), inputs)


def _corners(text: str, size: Size, option: str) -> tuple[int, int, int, int]:
    found = box(text, size, option)
    return (found.left, found.top, found.right, found.bottom)


@dataclass(frozen=True, slots=True)
class Length:
    """A distance along one side of a picture, in pixels or in per cent of that side."""

    value: float
    percent: bool = False

    def pixels(self, side: int) -> float:
        """The distance in pixels on a side of `side` pixels."""
        return self.value * side / 100 if self.percent else self.value


def number(text: str, option: str) -> float:
    """A finite number, or RequestError naming the option."""
    try:
        value = float(text)
    except ValueError:
        raise RequestError(f"{option}: {text.strip()!r} is not a number") from None
    if not math.isfinite(value):
        raise RequestError(f"{option}: {text.strip()!r} is not a finite number")
    return value


def length(text: str, option: str) -> Length:
    """`12`, `12px` or `12%`."""
    bare = text.strip()
    if bare.endswith("%"):
        return Length(number(bare[:-1], option), percent=True)
    return Length(number(bare.removesuffix("px"), option))


def lengths(text: str, count: int, form: str, option: str) -> list[Length]:
    """So many lengths between commas or blanks; `form` names them in messages."""
    parts = [part for part in text.replace(" ", ",").split(",") if part]
    if len(parts) != count:
        raise RequestError(f"{option} takes {form}, {count} numbers; {text!r} has {len(parts)}")
    try:
        return [length(part, option) for part in parts]
    except RequestError as error:
        raise RequestError(f"{error} (in {text!r}; {option} takes {form} in pixels or per cent)") from None


def box(text: str, size: Size, option: str) -> Box:
    """LEFT,TOP,RIGHT,BOTTOM in pixels or per cent of the picture, right and bottom exclusive; never empty."""
    left, top, right, bottom = lengths(text, 4, BOX_FORM, option)
    edges = (
        round(left.pixels(size.width)),
        round(top.pixels(size.height)),
        round(right.pixels(size.width)),
        round(bottom.pixels(size.height)),
    )
    found = Box(*edges)
    if found.empty:
        raise RequestError(
            f"{option} {text} has no area: right must be greater than left and bottom greater than top ({BOX_FORM})"
        )
    return found


def points(text: str, size: Size, option: str, *, least: int = 3) -> list[tuple[float, float]]:
    """`x,y x,y x,y` in pixels or per cent of the picture: at least `least` points."""
    found = [
        (x.pixels(size.width), y.pixels(size.height))
        for x, y in (lengths(pair, 2, "X,Y", option) for pair in text.replace(";", " ").split())
    ]
    if len(found) < least:
        raise RequestError(f"{option} takes at least {least} points as 'x,y x,y x,y'; {text!r} has {len(found)}")
    return found
