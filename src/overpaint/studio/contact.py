"""A contact sheet: variations of one edit side by side, each with its seed under it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import RequestError
from overpaint.geometry import Box
from overpaint.picture import Picture, from_array

from ._edited import Edited
from .compare import shown

GAP = 16
LINE = 36
"""Height of a caption, in pixels."""

LARGEST, SMALLEST = 768, 384
"""The longer side of a tile, in pixels: what is smaller is enlarged, so that it can be judged."""

MOST_WIDE = 4096
ASPECT = 4 / 3
_INK, _PAPER = (40, 40, 40), 255


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One variation as the sheet shows it.

    Attributes:
        pixels: (h, w, 3) uint8 sRGB.
        caption: What is written under it.
    """

    pixels: NDArray[np.uint8]
    caption: str


def contact_sheet(edits: Iterable[Edited]) -> Picture:
    """The results of several edits side by side, 8-bit sRGB, numbered from 1, with their seeds.

    What is shown is the edited part with some of its surroundings, or the whole picture where that is most of it.

    Args:
        edits: Variations of one edit, as `Studio.variations` gives them; none is kept.

    Raises:
        RequestError: There are none.
    """
    return sheet_of([tile_of(edited, number) for number, edited in enumerate(edits, start=1)])


def tile_of(edited: Edited, number: int) -> Tile:
    """The part of a result that is worth looking at, no longer than 768 pixels, under its number and seed."""
    box = _around(edited)
    picture = edited.picture
    alpha = None if picture.alpha is None else picture.alpha[box.slices]
    part = shown(picture.with_pixels(picture.samples[box.slices], alpha))
    longest = max(part.shape[:2])
    if longest > LARGEST:
        part = _scaled(part, LARGEST / longest)
    return Tile(part, f"{number}   seed {edited.resolved.seed}")


def sheet_of(tiles: Sequence[Tile]) -> Picture:
    """Tiles in rows, on white.

    Raises:
        RequestError: There are none.
    """
    if not tiles:
        raise RequestError("a contact sheet needs at least one picture")
    height = max(tile.pixels.shape[0] for tile in tiles)
    width = max(tile.pixels.shape[1] for tile in tiles)
    columns = _columns(len(tiles), width, height)
    longest = max(width, height)
    scale = max(longest, SMALLEST) / longest
    scale = min(scale, (MOST_WIDE - GAP) / columns / width - GAP / width)
    pictures = [_scaled(tile.pixels, scale) for tile in tiles]
    high, wide = (max(one.shape[side] for one in pictures) for side in (0, 1))
    rows = math.ceil(len(tiles) / columns)
    whole = np.full((rows * (high + LINE + GAP) + GAP, columns * (wide + GAP) + GAP, 3), _PAPER, np.uint8)
    places = []
    for number, one in enumerate(pictures):
        row, column = divmod(number, columns)
        top, left = GAP + row * (high + LINE + GAP), GAP + column * (wide + GAP)
        left += (wide - one.shape[1]) // 2
        whole[top : top + one.shape[0], left : left + one.shape[1]] = one
        places.append((left + one.shape[1] // 2, top + one.shape[0] + LINE // 2))
    return from_array(_captioned(whole, places, [tile.caption for tile in tiles], wide))


def _around(edited: Edited) -> Box:
    """Where anything may have changed, with half its longer side around it; all, where that is most of the picture."""
    whole = edited.picture.size.box
    box = edited.regions[0].box
    for region in edited.regions:
        box = box.union(region.box)
    box = box.pad(max(32, max(box.size) // 2)).intersect(whole)
    return whole if box.area > 0.6 * whole.area else box


def _columns(count: int, width: int, height: int) -> int:
    """As many columns as bring the sheet nearest to 4:3; of equals, those that leave the fewest places empty."""

    def distance(columns: int) -> tuple[float, int]:
        rows = math.ceil(count / columns)
        aspect = columns * (width + GAP) / (rows * (height + LINE + GAP))
        empty = rows * columns - count
        return abs(math.log(aspect / ASPECT)) + 0.25 * empty, empty

    return min(range(1, count + 1), key=distance)


def _scaled(pixels: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    import cv2

    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    if size == (pixels.shape[1], pixels.shape[0]):
        return pixels
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)


def _captioned(
    whole: NDArray[np.uint8], places: Sequence[tuple[int, int]], captions: Sequence[str], width: int
) -> NDArray[np.uint8]:
    """Captions, centred, in a size at which the longest is no wider than a tile."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.fromarray(whole)
    draw = ImageDraw.Draw(image)
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont = ImageFont.load_default(size=22)
    widest = max(draw.textlength(text, font=font) for text in captions)
    if widest > width:
        font = ImageFont.load_default(size=max(8.0, 22 * width / widest))
    for place, text in zip(places, captions, strict=True):
        draw.text(place, text, fill=_INK, font=font, anchor="mm")
    return np.asarray(image)
