"""The colour that a text asks for: words, names of CSS, hexadecimal and functional notation.

The plain words ("blue") are ranges of lightness, since a light and a dark blue are both blue; the pure primaries that
CSS gives these names are colours of screens, which few things have. All other names are single colours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

import numpy as np

from .oklab import Floats, encoded_of, fitted, lab_of, lch_of, linear_of

_TOKENS = re.compile(r"#[0-9a-fA-F]{3,8}\b|(?:rgb|hsl|oklch)\([^()]*\)|[^\W\d_]+", re.IGNORECASE)
_FUNCTION = re.compile(r"(rgb|hsl)\(([^()]*)\)", re.IGNORECASE)
_TRANSLUCENT = re.compile(r"#(?:[0-9a-fA-F]{4}|[0-9a-fA-F]{8})|(?:rgb|hsl)a\(.*\)|transparent", re.IGNORECASE)
_CLAUSE = re.compile(r"[,;!?]|\.(?!\d)")
_BEFORE_TARGET = frozenset({"to", "into", "now", "becomes", "become"})
_ARTICLES = frozenset({"a", "an", "the", "color", "colour"})
_REFUSING = frozenset(
    {"not", "no", "non", "never", "without", "except", "neither", "nor", "cannot", "from", "rather", "than"} | {"less"}
)
_REFUSING_BUT = frozenset({"anything", "everything", "nothing", "any", "all"})
_REFUSING_T = frozenset({"don", "isn", "aren", "doesn", "won", "shouldn", "wasn", "can"})
_JOINING = (["or"], ["and"])
"""Words between a refused colour and another that is refused with it: "not red or blue"."""
_SWAPPING = frozenset({"replace", "swap", "exchange", "switch", "trade"})
_BEFORE = 5
"""How many words before a colour are looked at, within its clause and after any other colour."""

_DIGITS = re.compile(r"[0-9a-fA-F]{3}|[0-9a-fA-F]{6}")
_MAKING = frozenset({"make", "turn", "paint", "colour", "color", "dye", "change", "recolour", "recolor", "tint"})
_WHICH = frozenset({"the", "this", "that", "these", "those", "my", "his", "her", "its", "their", "your", "our"})
"""Words for the task, and words after which a colour tells the object apart: "make the red car blue"."""
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
        targeted: Whether the words before it say that the object gets it: "to", "into", "in".
        refused: Whether they say that it does not, or has had it: "not", "without", "from", "instead of".
        describing: Whether it tells which object is meant: "make the red car blue".
    """

    colour: WantedColour
    start: int
    end: int
    thing: bool
    targeted: bool
    refused: bool
    describing: bool


def colour_of(text: str) -> WantedColour | None:
    """The colour that a text is: "dark green", "#1e66d0", "rgb(30, 102, 208)"; None where it is none, or has more."""
    tokens = _TOKENS.findall(text)
    found = list(_colours(tokens))
    whole = len(found) == 1 and found[0].end - found[0].start == len(tokens)
    return replace(found[0].colour, text=text.strip()) if whole else None


def checked_colour(text: str) -> WantedColour:
    """The colour that a text is. Raises ValueError, which says what would be right, where it is none."""
    found = colour_of(text)
    if found is None and _TRANSLUCENT.fullmatch(text.strip()):
        raise ValueError(f"a colour is opaque here, not {text.strip()!r}: right would be #1e66d0")
    if found is None:
        meant = f"#{text.strip()}, or " if _DIGITS.fullmatch(text.strip()) else ""
        right = f"{meant}a word (dark green), #1e66d0 or rgb(30, 102, 208)"
        raise ValueError(f"{_shortened(text)!r} is no colour: right would be {right}")
    return found


def screen_colour(text: str) -> Floats:
    """(3,) encoded sRGB of a colour where there is no object whose lightness counts, such as a background's.

    A plain word alone is what CSS has it for, so that white is white; with another word it is the middle of its range.

    Raises:
        ValueError: The text is no colour.
    """
    wanted, name = checked_colour(text), " ".join(text.lower().split())
    encoded = None if name in _table()["named"] else _encoded(name)
    if encoded is None:
        return encoded_of(wanted.linear((wanted.low + wanted.high) / 2, keep=False))
    return np.array(encoded, np.float32) / np.float32(255)


def word_of(lab: Floats) -> str:
    """The plain word for an OKLab colour, (3,)."""
    lightness, chroma, hue = lch_of(lab).tolist()
    if chroma < 0.07 * lightness or (lightness < 0.36 and chroma < 0.06):
        return "black" if lightness < 0.36 else "grey" if lightness < 0.8 else "white"
    if lightness < 0.52 and 40 < hue < 100:
        return "brown"
    coloured = {name: one for name, one in _table()["plain"].items() if one[2] > 0.1}
    return str(min(coloured, key=lambda name: abs((coloured[name][3] - hue + 180) % 360 - 180)))


def colours_in(text: str) -> tuple[WantedColour, ...]:
    """The colours that a sentence names, the wanted one first.

    One after "to", "into" or "in" ("paint the red car in blue") is before others, a word that is nothing but a colour
    before one that is a thing as well ("a lime with yellow leaves"), one that tells which object is meant ("make the
    red car blue") after others; else their order counts. Colours that the sentence
    refuses ("not red", "instead of red", "from red to blue") are left out.
    """
    tokens = list(_TOKENS.finditer(text))
    ends = [one.end() for one in tokens[:-1]]
    clauses = {
        number for number, end in enumerate(ends, 1) if _CLAUSE.search(text[end : tokens[number].start()]) is not None
    }
    found = sorted(
        _colours([one[0] for one in tokens], clauses), key=lambda one: (not one.targeted, one.describing, one.thing)
    )
    return tuple(one.colour for one in found if not one.refused)


def _colours(tokens: list[str], clauses: Set[int] = frozenset()) -> Iterator[FoundColour]:
    """The colours among the tokens, the longest names first at each place; `clauses` are tokens that begin one."""
    start, after, refused = 0, 0, False
    lower = [token.lower() for token in tokens]
    swaps = not _SWAPPING.isdisjoint(lower)
    while start < len(tokens):
        for end in range(min(len(tokens), start + _LONGEST), start, -1):
            words = [_table()["same"].get(token.lower(), token.lower()) for token in tokens[start:end]]
            colour = _colour(words)
            if colour is not None:
                first = max((after, start - _BEFORE, *(one for one in clauses if one <= start)))
                before = lower[first:start]
                thing = words[-1] in _table()["things"]
                describing = bool(before) and before[-1] in _WHICH and not _MAKING.isdisjoint(lower[:start])
                joined = [word for word in before if word not in _ARTICLES] in _JOINING
                refused = (refused and joined) or _refused(before, swaps)
                yield FoundColour(colour, start, end, thing, _targeted(before, swaps), refused, describing)
                start = after = end
                break
        else:
            start += 1


def _targeted(before: list[str], swaps: bool) -> bool:
    """Whether the words before a colour say that the object gets it."""
    if before and before[-1] == "in":
        return True
    said = next((word for word in reversed(before) if word not in _ARTICLES), "")
    return said in _BEFORE_TARGET or (swaps and said == "with")


def _refused(before: list[str], swaps: bool) -> bool:
    """Whether the words before a colour say that the object does not get it."""
    if _targeted(before, swaps):
        return False
    pairs = set(pairwise(before))
    return (
        any(word in _REFUSING for word in before)
        or ("instead", "of") in pairs
        or ("but" in before and any(word in _REFUSING_BUT for word in before))
        or any(one in _REFUSING_T and other == "t" for one, other in pairs)
        or (swaps and any(word in _SWAPPING for word in before))
    )


def _shortened(text: str) -> str:
    """A text as an error shows it."""
    return text if len(text) <= 80 else f"{text[:77]}..."


def _colour(words: list[str]) -> WantedColour | None:
    """The colour of one to three words in lower case."""
    table, name = _table(), " ".join(words)
    if len(words) > 1 and words[0] in table["modifiers"]:
        base = None if _contrary(words) else _colour(words[1:])
        return None if base is None else _modified(base, table["modifiers"][words[0]], name)
    if len(words) > 1 and words[0] in table["leaning"]:
        base = _colour(words[1:])
        return None if base is None else _leaning(base, table["plain"][table["leaning"][words[0]]][3], name)
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


def _contrary(words: list[str]) -> bool:
    """Whether the words say both darker and lighter: "light dark blue"."""
    return all(any(word in _table()[side] for word in words) for side in ("darker", "lighter"))


def _leaning(base: WantedColour, hue: float, text: str) -> WantedColour:
    """The colour with its hue a third of the way to another: "greenish blue"."""
    turned = (base.hue + ((hue - base.hue + 180) % 360 - 180) / 3) % 360
    return replace(base, hue=turned if base.chroma > 0.01 else hue, chroma=max(base.chroma, 0.02), text=text)


def _exact(notation: str, text: str) -> WantedColour | None:
    """A colour of CSS, by name or notation."""
    encoded = _encoded(notation)
    if encoded is None:
        return None
    lightness, chroma, hue = lch_of(lab_of(linear_of(np.array(encoded, np.float32) / np.float32(255)))).tolist()
    return WantedColour(lightness, lightness, chroma, hue, text)


def _encoded(notation: str) -> tuple[int, ...] | None:
    """Red, green and blue, 0 to 255, of a colour of CSS by name or notation; None where it is none, or translucent."""
    from PIL import ImageColor

    function = _FUNCTION.fullmatch(notation)
    if function is not None:
        name, parts = function[1].lower(), re.split(r"[\s,]+", function[2].strip())
        if name == "hsl":
            parts = [parts[0].removesuffix("deg"), *(part.removesuffix("%") + "%" for part in parts[1:])]
        notation = f"{name}({','.join(parts)})"
    try:
        found = ImageColor.getrgb(notation)
    except ValueError:
        return None
    return found[:3] if max(found) <= 255 and found[3:] in ((), (255,)) else None


def _oklch(notation: str) -> WantedColour | None:
    numbers = re.findall(r"-?\d*\.?\d+%?", notation)
    if len(numbers) != 3:
        return None
    # As in CSS, 100 % of chroma is 0.4.
    lightness, chroma, hue = (
        float(one.rstrip("%")) * (whole / 100 if one.endswith("%") else 1)
        for one, whole in zip(numbers, (1, 0.4, 360), strict=True)
    )
    if not (0 <= lightness <= 1 and 0 <= chroma <= 0.5):
        return None
    return WantedColour(lightness, lightness, chroma, hue % 360, notation)


@cache
def _table() -> Any:
    return json.loads(files("overpaint.recolouring").joinpath("colours.json").read_text(encoding="utf-8"))
