"""Text as people write it, made into values: boxes, points, lengths in pixels or per cent, sizes, key=value.

Each function takes the `field` that the text is for, which its errors carry.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass

from overpaint.errors import RequestError
from overpaint.geometry import Box, Size

_BOX = "LEFT,TOP,RIGHT,BOTTOM"


@dataclass(frozen=True, slots=True)
class Length:
    """A distance along one side of a picture, in pixels or in per cent of that side."""

    value: float
    percent: bool = False

    def pixels(self, side: int) -> float:
        """The distance in pixels on a side of `side` pixels."""
        return self.value * side / 100 if self.percent else self.value


def number(text: str, field: str) -> float:
    """A finite number."""
    try:
        value = float(text)
    except ValueError:
        raise _refused(f"{{field}}: {text.strip()!r} is not a number", field, text) from None
    if not math.isfinite(value):
        raise _refused(f"{{field}}: {text.strip()!r} is not a finite number", field, text)
    return value


def _refused(message: str, field: str, text: str) -> RequestError:
    return RequestError(message, field=field, value=text)


def length(text: str, field: str) -> Length:
    """`12`, `12px` or `12%`."""
    bare = text.strip()
    if bare.endswith("%"):
        return Length(number(bare[:-1], field), percent=True)
    return Length(number(bare.removesuffix("px"), field))


def lengths(text: str, count: int, form: str, field: str) -> list[Length]:
    """`count` lengths between commas or blanks; `form` describes them in errors."""
    parts = [part for part in text.replace(" ", ",").split(",") if part]
    if len(parts) != count:
        raise _refused(f"{{field}} takes {form}, {count} numbers; {text!r} has {len(parts)}", field, text)
    try:
        return [length(part, field) for part in parts]
    except RequestError as error:
        hint = f"it takes {form} in pixels or per cent, not {text!r}"
        raise RequestError(error.message, field=field, value=text, hint=hint) from None


def box(text: str, size: Size, field: str) -> Box:
    """LEFT,TOP,RIGHT,BOTTOM in pixels or per cent of the picture, right and bottom exclusive; never empty."""
    sides = (size.width, size.height) * 2
    given = lengths(text, 4, _BOX, field)
    left, top, right, bottom = (one.pixels(side) for one, side in zip(given, sides, strict=True))
    found = Box(round(left), round(top), round(right), round(bottom))
    if right <= left or bottom <= top:
        order = f"right must be greater than left and bottom greater than top ({_BOX})"
        raise _refused(f"{{field}} {text} has no area: {order}", field, text)
    if found.empty:
        hint = "it is in pixels, and rounded to whole ones"
        if not any(one.percent for one in given) and all(0 <= one.value <= 1 for one in given):
            hint = f"it is in pixels; in per cent it is {','.join(f'{one.value * 100:.4g}%' for one in given)}"
        raise RequestError(f"{{field}} {text} holds no pixel", field=field, value=text, hint=hint)
    return found


def points(text: str, size: Size, field: str, *, least: int = 3) -> list[tuple[float, float]]:
    """`x,y x,y x,y` in pixels or per cent of the picture: at least `least` points."""
    found = [
        (x.pixels(size.width), y.pixels(size.height))
        for x, y in (
            lengths(pair, 2, "'X,Y X,Y X,Y', for each point", field) for pair in text.replace(";", " ").split()
        )
    ]
    if len(found) < least:
        form = f"at least {least} points as 'X,Y X,Y X,Y'"
        raise _refused(f"{{field}} takes {form}; {text!r} has {len(found)}", field, text)
    return found


def size_of(text: str, field: str) -> Size:
    """WIDTHxHEIGHT in whole pixels, both at least 1."""
    width, _, height = text.lower().replace("×", "x").partition("x")
    if not (width.strip().isdecimal() and height.strip().isdecimal() and int(width) and int(height)):
        raise _refused(f"{{field}} takes WIDTHxHEIGHT in pixels, such as 1920x1080, not {text!r}", field, text)
    return Size(int(width), int(height))


def bytes_of(text: str, field: str) -> int:
    """A number of bytes: `800000000`, `800M` or `2G`, of which a K is 1024."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kmgt]?)(?:i?b)?", text.strip().lower())
    count = float(found[1]) * 1024 ** " kmgt".index(found[2] or " ") if found else 0.0
    if not 1 <= count < 1 << 60:
        raise _refused(f"{{field}} takes a number of bytes, such as 800M or 2G, not {text!r}", field, text)
    return round(count)


def aspect_of(text: str, field: str) -> float:
    """Width over height from `16:9`, `16/9` or `1.78`."""
    over, mark, under = text.replace("/", ":").partition(":")
    ratio = 0.0
    if ":" not in under:
        below = number(under, field) if mark else 1.0
        ratio = number(over, field) / below if below else 0.0
    if not 0.01 <= ratio <= 100:
        form = "an aspect ratio between 1:100 and 100:1, such as 16:9"
        raise _refused(f"{{field}} takes {form}, not {text!r}", field, text)
    return ratio


def pair(text: str, field: str) -> tuple[float, float]:
    """`a,b`: two numbers."""
    first, second = lengths(text, 2, "A,B", field)
    if first.percent or second.percent:
        raise _refused(f"{{field}} takes two plain numbers A,B, not {text!r}", field, text)
    return (first.value, second.value)


def key_value(text: str, field: str) -> tuple[str, object]:
    """`key=value`: the value as JSON where it is JSON (3, 0.5, true, [1, 2]), else as text."""
    key, mark, value = text.partition("=")
    if not mark or not key.strip():
        raise _refused(f"{{field}} takes KEY=VALUE, not {text!r}", field, text)
    try:
        return (key.strip(), json.loads(value))
    except (ValueError, RecursionError):
        return (key.strip(), value)
