"""What people write behind an option, made into numbers: boxes, points, lengths in pixels or per cent, key=value."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from overpaint.errors import RequestError
from overpaint.geometry import Box, Size

STDIO = "\x00stdio"
"""Stands for a lone `-` among the arguments: a NUL can't be in a real one, so no file can be meant by it."""

BOX_FORM = "LEFT,TOP,RIGHT,BOTTOM"


@dataclass(frozen=True, slots=True)
class Length:
    """A distance along one side of a picture, in pixels or in per cent of that side."""

    value: float
    percent: bool = False

    def pixels(self, side: int) -> float:
        """The distance in pixels on a side of `side` pixels."""
        return self.value * side / 100 if self.percent else self.value


def shown(text: str) -> str:
    """A file argument as it was written: `-` for the standard streams."""
    return "-" if text == STDIO else text


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


def _lengths(text: str, count: int, form: str, option: str) -> list[Length]:
    parts = [part for part in text.replace(" ", ",").split(",") if part]
    if len(parts) != count:
        raise RequestError(f"{option} takes {form}, {count} numbers; {text!r} has {len(parts)}")
    try:
        return [length(part, option) for part in parts]
    except RequestError as error:
        raise RequestError(f"{error} (in {text!r}; {option} takes {form} in pixels or per cent)") from None


def box(text: str, size: Size, option: str) -> Box:
    """LEFT,TOP,RIGHT,BOTTOM in pixels or per cent of the picture, right and bottom exclusive; never empty."""
    left, top, right, bottom = _lengths(text, 4, BOX_FORM, option)
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
        for x, y in (_lengths(pair, 2, "X,Y", option) for pair in text.replace(";", " ").split())
    ]
    if len(found) < least:
        raise RequestError(f"{option} takes at least {least} points as 'x,y x,y x,y'; {text!r} has {len(found)}")
    return found


def size_of(text: str, option: str) -> Size:
    """WIDTHxHEIGHT in whole pixels, both at least 1."""
    width, _, height = text.lower().replace("×", "x").partition("x")
    if not (width.strip().isdecimal() and height.strip().isdecimal() and int(width) and int(height)):
        raise RequestError(f"{option} takes WIDTHxHEIGHT in pixels, such as 1920x1080, not {text!r}")
    return Size(int(width), int(height))


def aspect_of(text: str, option: str) -> float:
    """Width over height from `16:9`, `16/9` or `1.78`."""
    over, mark, under = text.replace("/", ":").partition(":")
    ratio = number(over, option)
    if mark:
        below = number(under, option)
        ratio = ratio / below if below else 0.0
    if not 0.01 <= ratio <= 100:
        raise RequestError(f"{option} takes an aspect ratio between 1:100 and 100:1, such as 16:9, not {text!r}")
    return ratio


def pair(text: str, option: str) -> tuple[float, float]:
    """`a,b`: two numbers."""
    first, second = _lengths(text, 2, "A,B", option)
    if first.percent or second.percent:
        raise RequestError(f"{option} takes two plain numbers A,B, not {text!r}")
    return (first.value, second.value)


def key_value(text: str, option: str) -> tuple[str, object]:
    """`key=value`: the value as JSON where it is JSON (3, 0.5, true, [1, 2]), else as text."""
    key, mark, value = text.partition("=")
    if not mark or not key.strip():
        raise RequestError(f"{option} takes KEY=VALUE, not {text!r}")
    try:
        return (key.strip(), json.loads(value))
    except ValueError:
        return (key.strip(), value)
