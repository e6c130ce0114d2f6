"""The sheet of a grid: all cells in rows and columns, with their labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overpaint.geometry import Size
from overpaint.picture import Picture, from_array

from .compare import scaled
from .contact import GAP, LARGEST, SMALLEST, Tile
from .grid import MOST_AXES
from .grid_axes import GridAxis
from .lettering import FittedText, fitted

LARGEST_SHEET = 8192
"""Pixels of a sheet's longer side, to which tiles are reduced; one of very many rows or columns may be larger."""

_SMALLEST_TILE = 64
_PAPER, _INK, _FAULT = (255, 255, 255), (40, 40, 40), (150, 30, 30)
_MOST_LINES, _MOST_LINES_BESIDE = 4, 8
"""Of labels above columns and blocks, and of those beside rows."""

_BESIDE = LARGEST // 2
"""The most room for labels of rows, in pixels."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where everything is on a sheet, in pixels: the size of pictures, and the fitted labels of each axis."""

    wide: int
    high: int
    columns: Sequence[FittedText]
    rows: Sequence[FittedText]
    blocks: Sequence[FittedText]

    @property
    def left(self) -> int:
        """From the left side to the first picture."""
        return max((one.width for one in self.rows), default=-GAP) + 2 * GAP

    @property
    def heading(self) -> int:
        """The height of the label of a block."""
        return max((one.height for one in self.blocks), default=-2 * GAP) + 2 * GAP

    @property
    def head(self) -> int:
        """The height of the labels of columns."""
        return max(one.height for one in self.columns) + GAP

    @property
    def row(self) -> int:
        """From one row to the next."""
        return max(self.high, *(one.height for one in self.rows), 0) + GAP

    @property
    def block(self) -> int:
        """From one block to the next."""
        return self.heading + self.head + max(1, len(self.rows)) * self.row

    @property
    def width(self) -> int:
        """Of the sheet."""
        return self.left + len(self.columns) * (self.wide + GAP)

    @property
    def height(self) -> int:
        """Of the sheet."""
        return max(1, len(self.blocks)) * self.block


def tile_room(axes: Sequence[GridAxis]) -> Size:
    """The largest size that a tile of a sheet can have; larger ones take memory and are reduced."""
    columns, rows, blocks = [len(axis.values) for axis in axes] + [1] * (MOST_AXES - len(axes))
    across, down = LARGEST_SHEET // columns, LARGEST_SHEET // (rows * blocks)
    return Size(*(min(LARGEST, max(_SMALLEST_TILE, one)) for one in (across, down)))


def grid_sheet(axes: Sequence[GridAxis], tiles: Mapping[tuple[int, ...], Tile]) -> Picture:
    """One picture of all cells, 8-bit sRGB on white, with labels: columns above, rows at the left, blocks over each.

    Small tiles are enlarged, so that they can be judged, and large ones reduced to keep the sheet's size.

    Args:
        axes: As given to `grid_cells`.
        tiles: For every place the pixels of its cell; a caption stands in it and says what went wrong there.
    """
    from PIL import Image, ImageDraw

    high = max(tile.pixels.shape[0] for tile in tiles.values())
    wide = max(tile.pixels.shape[1] for tile in tiles.values())
    scale = max(1.0, SMALLEST / max(wide, high))
    layout = _laid_out(axes, wide, high, scale)
    while (over := max(layout.width, layout.height) / LARGEST_SHEET) > 1 and max(wide, high) * scale > _SMALLEST_TILE:
        scale = max(scale / over * 0.99, _SMALLEST_TILE / max(wide, high))
        layout = _laid_out(axes, wide, high, scale)
    sheet = Image.new("RGB", (layout.width, layout.height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for number in range(max(1, len(layout.blocks))):
        top = number * layout.block
        if layout.blocks:
            at = layout.left, top + (layout.heading + GAP) / 2
            layout.blocks[number].draw(draw, at, "l", _INK)
        first = top + layout.heading + layout.head
        for column, label in enumerate(layout.columns):
            x = layout.left + column * (layout.wide + GAP) + layout.wide / 2
            label.draw(draw, (x, first - layout.head / 2), "m", _INK)
        for row, label in enumerate(layout.rows):
            label.draw(draw, (layout.left - GAP, first + row * layout.row + layout.high / 2), "r", _INK)
        for column in range(len(layout.columns)):
            for row in range(max(1, len(layout.rows))):
                corner = layout.left + column * (layout.wide + GAP), first + row * layout.row
                _put(sheet, draw, tiles[(column, row, number)[: len(axes)]], layout, corner, scale)
    return from_array(np.asarray(sheet))


def _laid_out(axes: Sequence[GridAxis], wide: int, high: int, scale: float) -> _Layout:
    """The layout for pictures of a size that are scaled."""
    wide, high = max(1, int(wide * scale)), max(1, int(high * scale))
    labels = [[axis.label(value) for value in axis.values] for axis in axes] + [[]] * 2
    rows = [fitted(text, _BESIDE, _MOST_LINES_BESIDE) for text in labels[1]]
    room = len(labels[0]) * (wide + GAP) - GAP
    return _Layout(
        wide,
        high,
        [fitted(text, wide, _MOST_LINES) for text in labels[0]],
        rows,
        [fitted(text, max(room, _BESIDE), _MOST_LINES) for text in labels[2]],
    )


def _put(sheet: Any, draw: Any, tile: Tile, layout: _Layout, corner: tuple[int, int], scale: float) -> None:
    """Put one picture on the sheet, in the middle of its room, with what went wrong over it."""
    from PIL import Image

    pixels = scaled(tile.pixels, scale)[: layout.high, : layout.wide]
    shift_x, shift_y = (layout.wide - pixels.shape[1]) // 2, (layout.high - pixels.shape[0]) // 2
    sheet.paste(Image.fromarray(pixels), (corner[0] + shift_x, corner[1] + shift_y))
    if tile.caption:
        lines = max(1, layout.high // GAP - 1)
        middle = corner[0] + layout.wide / 2, corner[1] + layout.high / 2
        fitted(tile.caption, layout.wide - GAP, lines).draw(draw, middle, "m", _FAULT)


def failed_tile(message: str, like: Tile | None) -> Tile:
    """An empty tile with what went wrong as its caption, of the size of another one."""
    shape = (LARGEST // 2, LARGEST // 2, 3) if like is None else like.pixels.shape
    return Tile(np.full(shape, 235, np.uint8), message)
