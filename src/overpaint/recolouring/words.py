"""The colour that a text asks for: words, names of CSS, hexadecimal and functional notation.

The plain words ("blue") are ranges of lightness, since a light and a dark blue are both blue; the pure primaries that
CSS gives these names are colours of screens, which few things have. All other names are single colours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from .oklab import Floats, fitted, lab_of, lch_of, linear_of

_TOKENS = re.compile(r"#[0-9a-fA-F]{3,8}\b|(?:rgb|hsl|oklch)\([^()]*\)|[^\W\d_]+", re.IGNORECASE)
_BEFORE_TARGET = ("to", "into", "in")
_LONGEST = 3


@dataclass(frozen=True, slots=True)
class WantedColour:
    """A colour of OKLCh, of which the lightness may be a range.

    Attributes:
        low, high: Of the lightness, 0 to 1.
        chroma: 0 to about 0.37.
        hue: Degrees.
        text: As it was written.
    """

    low: float
    high: float
    chroma: float
    hue: float
    text: str

    def linear(self, own: float, *, keep: bool) -> Floats:
        """(3,) linear sRGB of the colour for an object.

        Args:
            own: The object's own lightness in OKLab.
            keep: Whether to have that lightness in place of the nearest that belongs to the colour.
        """
        lightness = own if keep else min(max(own, self.low), self.high)
        return fitted((lightness, self.chroma, self.hue))


@dataclass(frozen=True, slots=True)
class FoundColour:
    """A colour in a text.

    Attributes:
        colour: The colour.
        start, end: Its tokens, by number, `end` exclusive.
        thing: Whether the word is a thing's name as well ("lime").
        targeted: Whether "to", "into" or "in" stands before it.
    """

    colour: WantedColour
    start: int
    end: int
    thing: bool
    targeted: bool


def colour_of(text: str) -> WantedColour | None:
    """The colour that a text is: "dark green", "#1e66d0", "rgb(30, 102, 208)"; None where it is none, or has more."""
    tokens = _TOKENS.findall(text)
    found = list(_colours(tokens))
    whole = len(found) == 1 and found[0].end - found[0].start == len(tokens)
    return replace(found[0].colour, text=text.strip()) if whole else None


def colours_in(text: str) -> tuple[WantedColour, ...]:
    """The colours that a sentence names, the wanted one first.

    One after "to", "into" or "in" ("paint the red car in blue") is before others, a word that is nothing but a colour
    before one that is a thing as well ("a lime with yellow leaves"); else their order counts.
    """
    found = sorted(_colours(_TOKENS.findall(text)), key=lambda one: (not one.targeted, one.thing))
    return tuple(one.colour for one in found)


def _colours(tokens: list[str]) -> Iterator[FoundColour]:
    """The colours among the tokens, the longest names first at each place."""
    start = 0
    while start < len(tokens):
        for end in range(min(len(tokens), start + _LONGEST), start, -1):
            words = [_table()["same"].get(token.lower(), token.lower()) for token in tokens[start:end]]
            colour = _colour(words)
            if colour is not None:
                before = tokens[start - 1].lower() if start else ""
                targeted = before in _BEFORE_TARGET or (before in ("a", "an") and tokens[start - 2].lower() == "into")
                yield FoundColour(colour, start, end, words[-1] in _table()["things"], targeted)
                start = end
                break
        else:
            start += 1


def _colour(words: list[str]) -> WantedColour | None:
    """The colour of one to three words in lower case."""
    table, name = _table(), " ".join(words)
    if len(words) > 1 and words[0] in table["modifiers"]:
        base = _colour(words[1:])
        return None if base is None else _modified(base, table["modifiers"][words[0]], name)
    if name in table["plain"]:
        low, high, chroma, hue = table["plain"][name]
        return WantedColour(low, high, chroma, hue, name)
    if name in table["named"]:
        return _exact(table["named"][name], name)
    if len(words) == 1 and name.startswith("oklch("):
        return _oklch(name)
    colour = _exact("".join(words), name)
    if colour is None and len(words) == 2 and words[1] in table["plain"] and words[0] not in table["plain"]:
        colour = _colour(words[:1])  # "navy blue"
    return colour and replace(colour, text=name)


def _modified(base: WantedColour, change: list[float], text: str) -> WantedColour:
    """The colour made darker, lighter or paler: lightness by a factor, then a share of what is left to white."""
    factor, share, chroma = change
    low, high = (value * factor + share * (1 - value * factor) for value in (base.low, base.high))
    return WantedColour(low, high, base.chroma * chroma, base.hue, text)


def _exact(notation: str, text: str) -> WantedColour | None:
    """A colour of CSS, by name or notation."""
    from PIL import ImageColor

    try:
        encoded = ImageColor.getrgb(notation)[:3]
    except ValueError:
        return None
    lightness, chroma, hue = lch_of(lab_of(linear_of(np.array(encoded, np.float32) / np.float32(255)))).tolist()
    return WantedColour(lightness, lightness, chroma, hue, text)


def _oklch(notation: str) -> WantedColour | None:
    numbers = re.findall(r"-?\d*\.?\d+%?", notation)
    if len(numbers) != 3:
        return None
    lightness, chroma, hue = (float(one.rstrip("%")) / (100 if one.endswith("%") else 1) for one in numbers)
    return WantedColour(lightness, lightness, chroma, hue % 360, notation)


@cache
def _table() -> Any:
    return json.loads(files("overpaint.recolouring").joinpath("colours.json").read_text(encoding="utf-8"))
