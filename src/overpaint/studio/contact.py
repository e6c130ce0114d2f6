"""A contact sheet: variations of one edit side by side, each with its seed below it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import RequestError
from overpaint.geometry import Box, Size
from overpaint.picture import Picture, from_array

from ._edited import Edited
from .compare import displayed, scaled

GAP = 16
LINE = 36
"""Height of a caption, in pixels."""

LARGEST, SMALLEST = 768, 384
"""Bounds of the longer side of a tile, in pixels: smaller tiles are enlarged, so that they can be judged."""

ROOM = Size(LARGEST, LARGEST)
MOST_WIDE = 4096
ASPECT = 4 / 3


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """One variation on a sheet.

    Attributes:
        pixels: (h, w, 3) uint8 sRGB.
        caption: The text below it.
    """

    pixels: NDArray[np.uint8]
    caption: str


def contact_sheet(edits: Iterable[Edited]) -> Picture:
    """The results of several edits side by side, 8-bit sRGB, numbered from 1, with their seeds.

    A tile shows the edited part with some of its surroundings, or the whole picture where that is most of it.

    Args:
        edits: Variations of one edit, as `Studio.variations` gives them; none is kept.

    Raises:
        RequestError: There are none.
    """
    return arrange_tiles([make_tile(edited, number) for number, edited in enumerate(edits, start=1)])


def make_tile(edited: Edited, number: int) -> Tile:
    """The edited part of a result, no longer than 768 pixels, with its number and seed as the caption."""
    return Tile(part_of(edited, part_to_show(edited)), f"{number}   seed {edited.bare_resolved.seed}")


def part_of(edited: Edited, box: Box, room: Size = ROOM) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 sRGB: a part of a result, reduced to `room` where it is larger."""
    picture = edited.picture
    alpha = None if picture.alpha is None else picture.alpha[box.slices]
    part = displayed(picture.with_pixels(picture.samples[box.slices], alpha))
    return scaled(part, min(1.0, room.width / part.shape[1], room.height / part.shape[0]))


def arrange_tiles(tiles: Sequence[Tile]) -> Picture:
    """Tiles in rows, on white, with their captions.

    Raises:
        RequestError: There are none.
    """
    from PIL import Image, ImageDraw, ImageFont

    if not tiles:
        raise RequestError("a contact sheet needs at least one picture")
    height = max(tile.pixels.shape[0] for tile in tiles)
    width = max(tile.pixels.shape[1] for tile in tiles)
    columns = _columns(len(tiles), width, height)
    scale = max(1.0, SMALLEST / max(width, height))
    scale = min(scale, (MOST_WIDE - GAP) / columns / width - GAP / width)
    pictures = [scaled(tile.pixels, scale) for tile in tiles]
    high, wide = (max(one.shape[side] for one in pictures) for side in (0, 1))
    rows = math.ceil(len(tiles) / columns)
    sheet = Image.new("RGB", (columns * (wide + GAP) + GAP, rows * (high + LINE + GAP) + GAP), (255, 255, 255))
    draw = ImageDraw.Draw(sheet)
    widest = max(draw.textlength(tile.caption, font=ImageFont.load_default(size=22)) for tile in tiles)
    font = ImageFont.load_default(size=22 * min(1.0, max(wide / widest, 8 / 22)))
    for number, (tile, one) in enumerate(zip(tiles, pictures, strict=True)):
        row, column = divmod(number, columns)
        top, left = GAP + row * (high + LINE + GAP), GAP + column * (wide + GAP)
        sheet.paste(Image.fromarray(one), (left + (wide - one.shape[1]) // 2, top))
        place = (left + wide // 2, top + one.shape[0] + LINE // 2)
        draw.text(place, tile.caption, fill=(40, 40, 40), font=font, anchor="mm")
    return from_array(np.asarray(sheet))


def part_to_show(edited: Edited) -> Box:
    """The changed part with half its longer side around it; the whole picture where that is most of it."""
    whole = edited.picture.size.box
    box = reduce(Box.union, (region.box for region in edited.regions))
    box = box.pad(max(32, max(box.size) // 2)).intersect(whole)
    return whole if box.area > 0.6 * whole.area else box


def _columns(count: int, width: int, height: int) -> int:
    """The number of columns that brings the sheet nearest to 4:3; of equals, the one with the fewest empty places."""

    def distance(columns: int) -> tuple[float, int]:
        rows = math.ceil(count / columns)
        aspect = columns * (width + GAP) / (rows * (height + LINE + GAP))
        empty = rows * columns - count
        return abs(math.log(aspect / ASPECT)) + 0.25 * empty, empty

    return min(range(1, count + 1), key=distance)
