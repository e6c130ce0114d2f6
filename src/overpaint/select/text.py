"""Lettering: lines of text, date stamps and watermarks, with what they say.

PP-OCR finds and reads them, through the extra `text`, whose package carries the weights. A picture that is larger than
a tile is read tile by tile, so that small and faint lines are found in it too; a line that two tiles share is taken
once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import combinations
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overpaint.errors import MissingExtraError
from overpaint.geometry import Box, Size
from overpaint.mask import Mask
from overpaint.picture import Picture

from .base import Selection, SelectorCard, SelectorHints, SelectorOptions
from .cache import shared
from .dates import may_be_date
from .seen import SeenPicture

Pixels = NDArray[np.uint8]

TILE, OVERLAP = 960, 200
"""Pixels of the longer side of a tile, and of what two neighbours share."""

LEAST_SIDE = 736
"""A tile whose shorter side is less is enlarged to it."""

SAME = 0.4
"""Lines whose boxes have this share of the smaller one in common are one."""

RIM = 0.15
"""How far a mask goes beyond the box of a line, as a share of its height: outlines and shadows of letters."""

LEAST_RIM = 2.0

APART = 1 << 28
"""Values of masks that are given one by one; the lines beyond are joined into one selection."""

ROW_GAP = 4.0
"""Heights of lettering that may lie between two pieces of one date, of which what is between was not read."""


class TextOptions(SelectorOptions):
    """Which lines count."""

    containing: str = Field(default="", max_length=200, description="only lines with this in them, in any case")
    kind: Literal["any", "date"] = Field(default="any", description="date: only lines that may be a date or a time")
    least: float = Field(default=0.5, ge=0, le=1, description="how sure the reading of a line must be")


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line that was read.

    Attributes:
        corners: (x, y) of its four corners, in pixels of the picture.
        text: What it says.
        score: How sure that is, 0 to 1.
    """

    corners: tuple[tuple[float, float], ...]
    text: str
    score: float

    @property
    def box(self) -> Box:
        """The smallest box of whole pixels around it."""
        across, down = zip(*self.corners, strict=True)
        return Box(int(min(across)), int(min(down)), int(max(across)) + 1, int(max(down)) + 1)


class Text:
    """Lines of text, one selection each, with what they say."""

    card = SelectorCard(
        name="text",
        title="lettering, date stamps and watermarks, one selection a line, with what it says",
        takes=frozenset({"boxes", "text"}),
        several=True,
        options=TextOptions,
        tip="lower the option least, or mark it by hand",
        licence="Apache-2.0",
        digest="text-ppocr-2",
        references=("PaddlePaddle, PP-OCR, https://github.com/PaddlePaddle/PaddleOCR",),
    )

    def __init__(self) -> None:
        """Nothing is loaded yet.

        Raises:
            MissingExtraError: The package that reads is not installed.
        """
        if find_spec("rapidocr") is None or find_spec("onnxruntime") is None:
            raise MissingExtraError.of("the selector 'text'", "text")

    def select(self, picture: Picture, hints: SelectorHints) -> list[Selection]:
        """The lines, the surest first; those with the text in them where one is given, and in boxes those within."""
        options = TextOptions.model_validate(dict(hints.options))
        seen = SeenPicture.of(picture)
        lines = shared.get((seen.digest, "text"), lambda: _lines(seen), lambda made: 100 + 200 * len(made))
        sure = [one for one in lines if one.score >= options.least]
        kept = [one for one in (_dates(sure) if options.kind == "date" else sure) if _wanted(one, options, hints)]
        apart = max(1, APART // seen.size.area)
        selections = [Selection(_mask(seen.size, [one]), one.score, one.text) for one in kept[:apart]]
        if rest := kept[apart:]:
            selections.append(Selection(_mask(seen.size, rest), rest[0].score, f"{len(rest)} more lines"))
        return selections


def _wanted(line: TextLine, options: TextOptions, hints: SelectorHints) -> bool:
    text = line.text.casefold()
    if any(part.casefold() not in text for part in (options.containing, hints.text)):
        return False
    box = line.box
    across, down = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return not hints.boxes or any(
        one.left <= across < one.right and one.top <= down < one.bottom for one in hints.boxes
    )


def _dates(lines: list[TextLine]) -> list[TextLine]:
    """The lines that may be dates, and pieces of one row that are one together: a part between was not read."""
    dates = [one for one in lines if may_be_date(one.text)]
    rest = sorted((one for one in lines if not may_be_date(one.text)), key=lambda one: one.box.left)
    for left, right in combinations(rest, 2):
        if _in_one_row(left.box, right.box) and may_be_date(text := f"{left.text} {right.text}"):
            around = cv2.boxPoints(cv2.minAreaRect(np.array(left.corners + right.corners, np.float32)))
            corners = tuple((float(x), float(y)) for x, y in around)
            dates.append(TextLine(corners, text, min(left.score, right.score)))
    return sorted(dates, key=lambda one: -one.score)


def _in_one_row(left: Box, right: Box) -> bool:
    """Whether two boxes may be pieces of one line: as high, beside each other, and not far apart."""
    shared_rows = min(left.bottom, right.bottom) - max(left.top, right.top)
    height = min(left.height, right.height)
    return shared_rows > 0.5 * max(left.height, right.height) and -height < right.left - left.right < ROW_GAP * height


def _mask(size: Size, lines: list[TextLine]) -> Mask:
    """The lines' four-sided areas with a rim."""
    marked = np.zeros(size.shape, np.uint8)
    for line in lines:
        corners = np.array(line.corners, np.float32)
        middle, (width, height), angle = cv2.minAreaRect(corners)
        rim = 2 * max(LEAST_RIM, RIM * min(width, height))
        around = cv2.boxPoints((middle, (width + rim, height + rim), angle))
        cv2.fillPoly(marked, [np.rint(around * 16).astype(np.int32)], 1, shift=4)
    return Mask(marked.astype(np.float32))


def _lines(seen: SeenPicture) -> tuple[TextLine, ...]:
    """All lines of a picture, the surest first."""
    found: list[TextLine] = []
    for tile in _tiles(seen.size):
        pixels = np.rint(seen.part(tile) * 255).astype(np.uint8)
        found += (
            TextLine(tuple((x + tile.left, y + tile.top) for x, y in one.corners), one.text, one.score)
            for one in _read(pixels)
        )
    kept: list[TextLine] = []
    for line in sorted(found, key=lambda one: (-one.box.area, -one.score)):  # a line cut by a tile is the smaller one
        if all(line.box.intersect(one.box).area < SAME * line.box.area for one in kept):
            kept.append(line)
    return tuple(sorted(kept, key=lambda one: -one.score))


def _tiles(size: Size) -> Iterator[Box]:
    """Boxes of at most the tile's size that cover a picture of this one, neighbours with what they share."""

    def starts(length: int) -> list[int]:
        if length <= TILE:
            return [0]
        count = -(-(length - OVERLAP) // (TILE - OVERLAP))
        return [round(number * (length - TILE) / (count - 1)) for number in range(count)]

    for top in starts(size.height):
        for left in starts(size.width):
            yield Box(left, top, left + TILE, top + TILE).intersect(size.box)


_lock = threading.Lock()


def _read(pixels: Pixels) -> list[TextLine]:
    """The lines of a tile, (h, w, 3) uint8 sRGB, in its own pixels."""
    with _lock:
        found = _reader()(np.ascontiguousarray(pixels[..., ::-1]), use_cls=False)
    if found.boxes is None or found.txts is None:
        return []
    return [
        TextLine(tuple((float(x), float(y)) for x, y in corners), str(text), float(score))
        for corners, text, score in zip(found.boxes, found.txts, found.scores, strict=True)
    ]


@cache
def _reader() -> Any:
    """PP-OCR's detector and reader; its weights are in the package, and nothing is downloaded."""
    from rapidocr import RapidOCR

    return RapidOCR(params={"Global.log_level": "critical", "Det.limit_type": "min", "Det.limit_side_len": LEAST_SIDE})
