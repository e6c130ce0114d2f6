"""What people write behind an option, made into numbers: boxes, points, lengths in pixels or per cent, key=value."""

from __future__ import annotations

import json

from overpaint.errors import RequestError
from overpaint.geometry import Size
from overpaint.places import Length, box, length, lengths, number, points

STDIO = "\x00stdio"
"""Stands for a lone `-` among the arguments: a NUL can't be in a real one, so no file can be meant by it."""

__all__ = [
    "STDIO",
    "Length",
    "aspect_of",
    "box",
    "key_value",
    "length",
    "number",
    "pair",
    "points",
    "shown",
    "size_of",
]


def shown(text: str) -> str:
    """A file argument as it was written: `-` for the standard streams."""
    return "-" if text == STDIO else text


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
    first, second = lengths(text, 2, "A,B", option)
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
