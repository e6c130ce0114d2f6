"""Letters on sheets: a font that has those of a text, and lines that fit into their room."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

_SIZES = (22, 18, 15, 12)
"""Heights of letters in pixels: those of labels, and to which they are reduced."""

SPACING = 1.3
"""From line to line, as a multiple of the letters' height."""

_MOST_LETTERS = 600
"""Longer texts are cut before they are measured."""

_PARTS = re.compile(r"[^\s\-_/.,]*[\-_/.,]*\s*")
"""What stands in one line where there is room: a word, or a part of one up to a hyphen or the like."""

_MOST_FONTS = 3000
_UNUSUAL = ("bold", "italic", "oblique", "mono", "serif", "condensed", "light", "thin", "black", "emoji", "math")


@dataclass(frozen=True, slots=True)
class FittedText:
    """A text that fits into its room.

    Attributes:
        lines: At least one.
        size: The height of its letters, in pixels.
        font: The file of its font; None for the one that comes with Pillow.
    """

    lines: tuple[str, ...]
    size: int
    font: Path | None = None

    @property
    def height(self) -> int:
        """Of all lines, in pixels."""
        return round(len(self.lines) * self.size * SPACING)

    @property
    def width(self) -> int:
        """Of the longest line, in pixels."""
        return round(max(map(_opened(self.font, self.size).getlength, self.lines)))

    def draw(self, draw: Any, at: tuple[float, float], anchor: str, ink: tuple[int, int, int]) -> None:
        """Draw the lines.

        Args:
            draw: PIL's ImageDraw.
            at: The middle of their height, at the side that `anchor` names.
            anchor: "l", "m" or "r": `at` is at the left, in the middle or at the right.
            ink: The colour.
        """
        font = _opened(self.font, self.size)
        for number, line in enumerate(self.lines):
            shift = (number - (len(self.lines) - 1) / 2) * self.size * SPACING
            draw.text((at[0], at[1] + shift), line, fill=ink, font=font, anchor=f"{anchor}m")


def fitted(text: str, width: float, most_lines: int) -> FittedText:
    """A text in lines of a width at most: in smaller letters where these are too many or a word is too long, then with
    words broken, and at last cut in its middle, as the beginning and the end of a long text say most.

    Args:
        text: The text; letters that no font here has are replaced, see `drawable`.
        width: In pixels.
        most_lines: At least 1.
    """
    text = _cut(drawable(" ".join(text.split())), _MOST_LETTERS)
    path = _best(frozenset(text))
    for breaks in (False, True):
        for size in _SIZES:
            lines = _wrapped(text, width, _opened(path, size))
            whole = breaks or all(_opened(path, size).getlength(part) <= width for part in _PARTS.findall(text))
            if len(lines) <= most_lines and whole:
                return FittedText(lines or ("",), size, path)
    font = _opened(path, _SIZES[-1])
    low, high = 1, len(text)  # the most letters that fit
    while low < high:
        middle = (low + high + 1) // 2
        if len(_wrapped(_cut(text, middle), width, font)) <= most_lines:
            low = middle
        else:
            high = middle - 1
    return FittedText(_wrapped(_cut(text, low), width, font)[:most_lines], _SIZES[-1], path)


def drawable(text: str) -> str:
    """The text with letters in the place of those that no font of this machine has beside the others: an "é" becomes an
    "e", and what has no such form a "?".
    """
    lacking = _lacking(_best(frozenset(text)), frozenset(text))
    if not lacking:
        return text
    return "".join(_plain(one) if one in lacking else one for one in text)


def undrawable(text: str) -> bool:
    """Whether a text has letters that no font of this machine has."""
    return drawable(text) != text


def _cut(text: str, letters: int) -> str:
    """So many letters of a text, of its beginning and its end."""
    if letters >= len(text):
        return text
    head = (letters + 1) // 2
    return f"{text[:head].rstrip()}...{text[len(text) - (letters - head) :].lstrip()}"


def _wrapped(text: str, width: float, font: FreeTypeFont) -> tuple[str, ...]:
    """Lines that end between words, or after a hyphen or the like; what is wider than the room is broken."""
    lines, line = list[str](), ""
    for part in _PARTS.findall(text):
        if line and font.getlength((line + part).rstrip()) > width:
            lines.append(line.rstrip())
            line = ""
        line += part
        while len(line) > 1 and font.getlength(line.rstrip()) > width:
            fits = next((n for n in range(len(line) - 1, 1, -1) if font.getlength(line[:n]) <= width), 1)
            lines.append(line[:fits])
            line = line[fits:]
    return tuple([*lines, line.rstrip()] if line.strip() else lines)


def _plain(letter: str) -> str:
    """ASCII letters in the place of a letter."""
    return unicodedata.normalize("NFKD", letter).encode("ascii", "ignore").decode() or "?"


@cache
def _opened(path: Path | None, size: int) -> FreeTypeFont:
    """A font of this size; Pillow's own for None."""
    from PIL import ImageFont

    found: Any = ImageFont.load_default(size=size) if path is None else ImageFont.truetype(path, size)
    return found  # type: ignore[no-any-return]


@cache
def _best(letters: frozenset[str]) -> Path | None:
    """The font with the most of these letters, of those the first; None for Pillow's own."""
    best, least = None, len(_lacking(None, letters))
    for path in () if not least else _fonts():
        if (lacking := len(_lacking(path, letters))) < least:
            best, least = path, lacking
            if not least:
                break
    return best


@cache
def _lacking(path: Path | None, letters: frozenset[str]) -> frozenset[str]:
    """The letters that a font has no picture of; all for one that can't be read."""
    try:
        font = _opened(path, _SIZES[0])
        blank = _picture(font, "\U0010ffff")  # no letter: the picture of those that are not there
        return frozenset(one for one in letters if not one.isspace() and _picture(font, one) == blank)
    except (OSError, ValueError):
        return letters


def _picture(font: FreeTypeFont, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(letter)
    return mask.size, bytes(mask)


@cache
def _fonts() -> Sequence[Path]:
    """Fonts of this machine, usual ones first."""
    found: list[Path] = []
    for folder in _font_folders():
        for base, _, names in os.walk(folder):
            found += (Path(base, name) for name in names if name.lower().endswith((".ttf", ".otf", ".ttc")))
            if len(found) > _MOST_FONTS:
                break

    def order(path: Path) -> tuple[int, str]:
        name = path.name.lower().replace("sansserif", "sans")
        return sum(one in name for one in _UNUSUAL), name

    return sorted(found[:_MOST_FONTS], key=order)


def _font_folders() -> tuple[Path, ...]:
    """Where fonts are on this system."""
    home = Path.home()
    if sys.platform == "darwin":
        return Path("/System/Library/Fonts"), Path("/Library/Fonts"), home / "Library/Fonts"
    if os.name == "nt":
        own = Path(os.environ.get("LOCALAPPDATA") or home / "AppData/Local")
        return Path(os.environ.get("WINDIR") or r"C:\Windows") / "Fonts", own / "Microsoft/Windows/Fonts"
    own = Path(os.environ.get("XDG_DATA_HOME") or home / ".local/share")
    return own / "fonts", home / ".fonts", Path("/usr/share/fonts"), Path("/usr/local/share/fonts")
