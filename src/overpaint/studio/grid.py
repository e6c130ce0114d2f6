"""Grids: one edit with one to three settings varied, and all results on one labelled sheet."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from overpaint.errors import RequestError
from overpaint.picture import Picture, from_array
from overpaint.request import EditRequest, settings_reference

from .compare import scaled
from .contact import GAP, LARGEST, Tile

MOST_CELLS = 400
MOST_AXES = 3

LARGEST_SHEET = 8192
"""Pixels of a sheet's longer side, to which tiles are reduced."""

_APART = ("image", "mask", "avoid", "sketch", "insert", "controls", "margins", "options", "intent")
"""Fields of a request that are no single value, or that decide about the verb."""

_PAPER, _INK, _FAULT = (255, 255, 255), (40, 40, 40), (150, 30, 30)
_TEXT = 22
"""Height of the letters of labels, in pixels."""


@dataclass(frozen=True, slots=True)
class GridAxis:
    """A setting of a grid, with its values.

    Attributes:
        name: A field of the request, an option of the engine, or "prompt:WORDS", whose words each value replaces.
        values: At least one.
    """

    name: str
    values: tuple[Any, ...]

    def label(self, value: Any) -> str:
        """What stands beside a row or column; a prompt's words need no name."""
        text = value if isinstance(value, str) else json.dumps(value)
        return text if self.name.startswith("prompt:") else f"{self.name} {text}"

    def changed(self, request: EditRequest, value: Any) -> EditRequest:
        """The request with this value.

        Raises:
            RequestError: The setting can't be varied, or has no such value; the prompt lacks the words.
        """
        name, _, words = self.name.partition(":")
        if words:
            prompt = request.prompt or ""
            if name != "prompt" or words not in prompt:
                raise RequestError(
                    f"{{field}} {self.name!r} names words that the prompt {prompt!r} does not have",
                    field="vary",
                    value=self.name,
                    hint="right would be prompt:WORDS=WORDS,OTHER WORDS",
                )
            return request.merged(prompt=prompt.replace(words, str(value)))
        if name in _APART:
            raise RequestError(
                f"{{field}} {name!r} is no single value, and can't be varied",
                field="vary",
                value=name,
                hint=f"right would be {', '.join(variable_settings())}, or an option of the engine",
            )
        if name in EditRequest.model_fields:
            return request.merged(**{name: value})
        return request.merged(options={**(request.options or {}), name: value})


def variable_settings() -> list[str]:
    """The fields of a request that a grid can vary."""
    return [one.name for one in settings_reference() if one.name not in _APART]


def axis_of(text: str) -> GridAxis:
    """An axis from text.

    * `steps=10,20,30`: values, with quotes around one that has a comma, as in CSV.
    * `strength=0.4..1:0.2`: from, to (inclusive), and the step; without a step 1.
    * `prompt:cat=cat,dog`: words of the prompt, and what stands for them.

    Raises:
        RequestError: It is written in another way.
    """
    name, mark, given = text.partition("=")
    if not mark or not name.strip() or not given.strip():
        raise RequestError(
            f"{{field}} takes NAME=VALUE,VALUE..., not {text!r}",
            field="vary",
            value=text,
            hint="for example steps=10,20 or strength=0.4..1:0.2",
        )
    name = name.strip()
    if not name.startswith("prompt:"):
        name = name.replace("-", "_")
    if (span := _range(given)) is not None:
        return GridAxis(name, span)
    try:
        (values,) = csv.reader([given], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError) as error:
        raise RequestError(f"{{field}} {text!r} can't be read: {error}", field="vary", value=text) from None
    words = name == "prompt" or name.startswith("prompt:")
    return GridAxis(name, tuple(one.strip() if words else _value(one.strip()) for one in values))


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _range(text: str) -> tuple[int | float, ...] | None:
    """The numbers of `from..to:step`; None for other text."""
    span, _, step_text = text.partition(":")
    low_text, mark, high_text = span.partition("..")
    if not mark:
        return None
    try:
        low, high, step = (float(one) for one in (low_text, high_text, step_text or "1"))
    except ValueError:
        return None
    count = (high - low) / step if step else -1.0
    if not 0 <= count < MOST_CELLS:  # NaN is not within
        raise RequestError(f"{{field}} {text!r} has no values, or more than {MOST_CELLS}", field="vary", value=text)
    found = [round(low + number * step, 10) for number in range(int(count + 1e-9) + 1)]
    whole = all(one.is_integer() for one in found) and "." not in span.replace("..", "") + step_text
    return tuple(int(one) for one in found) if whole else tuple(found)


@dataclass(frozen=True, slots=True)
class GridCell:
    """One cell of a grid.

    Attributes:
        place: Its number along each axis.
        request: Its request.
    """

    place: tuple[int, ...]
    request: EditRequest


def grid_cells(request: EditRequest, axes: Sequence[GridAxis], *, seed: int) -> tuple[GridCell, ...]:
    """The requests of all cells in reading order: the first axis across, the second down, the third over blocks.

    Cells differ by the varied settings alone: all have one seed unless it is varied, and are exact unless the request
    says otherwise, so that each can be replayed alone.

    Args:
        request: The edit.
        axes: One to three, of different settings.
        seed: For a request without a seed.

    Raises:
        RequestError: There are too many axes or cells, or a value that a setting can't take.
    """
    names = [one.name for one in axes]
    if not 1 <= len(axes) <= MOST_AXES or len(set(names)) < len(names):
        raise RequestError(
            f"a grid varies one to three different settings, not {', '.join(names) or 'none'}",
            field="vary",
            value=names,
        )
    count = int(np.prod([len(one.values) for one in axes]))
    if not 1 <= count <= MOST_CELLS:
        raise RequestError(f"the grid has {count} cells, more than {MOST_CELLS}", field="vary", value=count)
    base = request.merged(
        seed=seed if request.seed is None else request.seed, exact=True if request.exact is None else request.exact
    )
    cells = []
    for place in itertools.product(*(range(len(one.values)) for one in reversed(axes))):
        changed, own = base, place[::-1]
        for axis, number in zip(axes, own, strict=True):
            changed = axis.changed(changed, axis.values[number])
        cells.append(GridCell(own, changed))
    return tuple(cells)


def grid_sheet(axes: Sequence[GridAxis], tiles: Mapping[tuple[int, ...], Tile]) -> Picture:
    """One picture of all cells, 8-bit sRGB on white, with labels: columns above, rows at the left, blocks over each.

    Args:
        axes: As given to `grid_cells`.
        tiles: For every place the pixels of its cell; a caption stands under it and says what went wrong there.
    """
    from PIL import Image, ImageDraw

    counts = [len(one.values) for one in axes] + [1] * (MOST_AXES - len(axes))
    columns, rows, blocks = counts
    font = _font(_TEXT)
    labels = [[axis.label(value) for value in axis.values] for axis in axes]
    high = max(tile.pixels.shape[0] for tile in tiles.values())
    wide = max(tile.pixels.shape[1] for tile in tiles.values())
    left = _widest(labels[1], font) + 2 * GAP if len(axes) > 1 else GAP
    left = min(left, LARGEST)
    line = _TEXT + GAP
    over = line if len(axes) > 2 else 0
    scale = min(
        1.0,
        ((LARGEST_SHEET - left) / columns - GAP) / wide,
        (((LARGEST_SHEET - GAP) / blocks - line - over) / rows - GAP) / high,
    )
    high, wide = max(1, int(high * scale)), max(1, int(wide * scale))
    block = over + line + rows * (high + GAP)
    sheet = Image.new("RGB", (left + columns * (wide + GAP), blocks * block + GAP), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for number in range(blocks):
        top = number * block
        if over:
            _label(draw, labels[2][number], (left, top + over // 2), sheet.width - left, "lm")
        for column, text in enumerate(labels[0]):
            _label(draw, text, (left + column * (wide + GAP) + wide // 2, top + over + line // 2), wide, "mm")
        for row in range(rows):
            place_y = top + over + line + row * (high + GAP)
            if len(axes) > 1:
                _label(draw, labels[1][row], (left - GAP, place_y + high // 2), left - 2 * GAP, "rm")
            for column in range(columns):
                tile = tiles[(column, row, number)[: len(axes)]]
                place_x = left + column * (wide + GAP)
                pixels = scaled(tile.pixels, scale)
                shift_x, shift_y = (wide - pixels.shape[1]) // 2, (high - pixels.shape[0]) // 2
                sheet.paste(Image.fromarray(pixels), (place_x + shift_x, place_y + shift_y))
                for offset, words in enumerate(_lines(tile.caption, wide)):
                    at = (place_x + wide // 2, place_y + GAP + offset * line)
                    _label(draw, words, at, wide, "mt", _FAULT)
    return from_array(np.asarray(sheet))


def failed_tile(message: str, like: Tile | None) -> Tile:
    """An empty tile with what went wrong as its caption, of the size of another one."""
    shape = (LARGEST // 2, LARGEST // 2, 3) if like is None else like.pixels.shape
    return Tile(np.full(shape, 235, np.uint8), message)


def _lines(text: str, width: int) -> Iterator[str]:
    """A text in lines of about this width in pixels, six at most."""
    import textwrap

    yield from textwrap.wrap(text, max(12, int(width / (0.55 * _TEXT))))[:6]


def _font(size: float) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size=size)


def _widest(texts: Sequence[str], font: Any) -> int:
    return int(max(font.getlength(text) for text in texts)) + 1


def _label(draw: Any, text: str, at: tuple[int, int], room: int, anchor: str, ink: tuple[int, int, int] = _INK) -> None:
    """A line of text, in smaller letters where it is wider than its room, and cut where these would be too small."""
    size = float(_TEXT)
    if (wide := _font(size).getlength(text)) > room:
        size = max(10.0, size * room / wide)
        font = _font(size)
        while len(text) > 4 and font.getlength(text) > room:
            text = text[:-4].rstrip() + "..."
    draw.text(at, text, fill=ink, font=_font(size), anchor=anchor)
