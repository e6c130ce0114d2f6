"""Results of the embedded model for prompts and removals, good and bad: the two sheets in docs/models.md.

    python examples/pocket.py docs/pocket.jpg docs/removals.jpg

Seeds 1 to 4 of every prompt, seed 1 of every removal, none left out. The photographs come with scikit-image, CC0 or in
the public domain: an espresso (Rachel Michetti), a cat (Stefan van der Walt), Eileen Collins and a Falcon 9 (NASA,
SpaceX), grass (linolafett) and bricks (CC0Textures).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import overpaint
from overpaint import Mask

SEEDS = (1, 2, 3, 4)
SIDE, GAP, LINE = 200, 4, 18


@dataclass(frozen=True, slots=True)
class Example:
    """An edit in an ellipse or a box (left, top, right, bottom) of a photograph."""

    intent: str
    photo: str
    hole: tuple[int, int, int, int]
    prompt: str = ""
    box: bool = False

    def mask(self, size: overpaint.Size) -> Mask:
        """The hole."""
        return Mask.box(size, self.hole) if self.box else Mask.ellipse(size, self.hole)


@dataclass(frozen=True, slots=True)
class Column:
    """The settings of a column of a sheet, and its heading."""

    label: str
    settings: dict[str, Any] = field(default_factory=dict)


PROMPTS = (
    Example("replace", "coffee.png", (203, 94, 371, 195), "green soup"),
    Example("add", "coffee.png", (400, 20, 590, 200), "a red flower"),
    Example("add", "coffee.png", (400, 20, 590, 200), "a yellow lemon"),
    Example("add", "rocket.jpg", (420, 260, 620, 420), "a red car", box=True),
    Example("add", "rocket.jpg", (20, 20, 290, 200), "white clouds", box=True),
    Example("recolor", "astronaut.png", (250, 330, 430, 500), "a blue shirt"),
    Example("add", "chelsea.png", (10, 10, 130, 130), "green leaves", box=True),
    Example("replace", "chelsea.png", (130, 60, 330, 240), "a white dog"),
)
"""The model fails on the last example: its training photos have no animals."""

REMOVALS = (
    Example("remove", "rocket.jpg", (290, 90, 360, 400), box=True),
    Example("remove", "coffee.png", (330, 180, 560, 330)),
    Example("remove", "grass.png", (150, 150, 350, 350), box=True),
    Example("remove", "brick.png", (150, 150, 350, 350)),
    Example("remove", "chelsea.png", (120, 80, 220, 160)),
    Example("remove", "astronaut.png", (140, 20, 300, 230)),
)
"""All settings fail on the last example: the surroundings of a head have no structure to continue."""

_POCKET: dict[str, Any] = {"model": "pocket", "masked_content": "fill"}
COLUMNS = (
    Column("blur", {"engine": "blur"}),
    Column("telea", {"engine": "telea"}),
    Column("exemplar", {"engine": "exemplar"}),
    Column("pocket, detail none", {**_POCKET, "detail": "none"}),
    Column("pocket", _POCKET),
    Column("pocket from exemplar", {**_POCKET, "masked_content": "exemplar", "strength": 0.5}),
)


def main(prompts: Path, removals: Path) -> None:
    """Write the sheets."""
    with overpaint.Studio() as studio:
        seeds = [Column("", {"seed": seed, "model": "pocket"}) for seed in SEEDS]
        _sheet(studio, PROMPTS, seeds).save(prompts, quality=88)
        print(f"{len(PROMPTS)} prompts, seeds {SEEDS[0]} to {SEEDS[-1]}: {prompts}")
        _sheet(studio, REMOVALS, COLUMNS).save(removals, quality=88)
        print(f"{len(REMOVALS)} removals with {len(COLUMNS)} settings: {removals}")


def _sheet(studio: overpaint.Studio, rows: Sequence[Example], columns: Sequence[Column]) -> Image.Image:
    """A row for each example: the photograph with its hole, then a result for each column."""
    font = ImageFont.load_default(13)
    sheet = Image.new("RGB", ((1 + len(columns)) * (SIDE + GAP) - GAP, len(rows) * (SIDE + LINE)), "white")
    pen = ImageDraw.Draw(sheet)
    for row, example in enumerate(rows):
        top = row * (SIDE + LINE)
        labels = [
            f"{example.intent}: {example.prompt}" if example.prompt else example.intent,
            *(column.label for column in columns),
        ]
        picture = overpaint.open(Path(str(files("skimage.data") / example.photo)))
        mask = example.mask(picture.size)
        tint = np.array([90, 0, 90], np.uint8)
        cells = [np.where(mask.values[..., None] > 0, picture.samples // 2 + tint, picture.samples)]
        for column in columns:
            settings = {"seed": 1, **({"prompt": example.prompt} if example.prompt else {}), **column.settings}
            cells.append(studio.edit(picture, mask=mask, intent=example.intent, **settings).picture.samples)
        for place, (label, cell) in enumerate(zip(labels, cells, strict=True)):
            pen.text((place * (SIDE + GAP) + 2, top + 1), label, fill="black", font=font)
            sheet.paste(_around(cell, example.hole), (place * (SIDE + GAP), top + LINE))
    return sheet


def _around(pixels: np.ndarray, hole: tuple[int, int, int, int]) -> Image.Image:
    """A square around the hole, half as large again, within the picture."""
    height, width = pixels.shape[:2]
    side = min(height, width, round(1.5 * max(hole[2] - hole[0], hole[3] - hole[1])))
    left = min(max(0, (hole[0] + hole[2] - side) // 2), width - side)
    top = min(max(0, (hole[1] + hole[3] - side) // 2), height - side)
    part = np.broadcast_to(pixels[top : top + side, left : left + side], (side, side, 3))
    return Image.fromarray(part.copy()).resize((SIDE, SIDE), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    if len(sys.argv) > 3:
        sys.exit("examples/pocket.py takes two files to write at most: the sheet of prompts and that of removals")
    main(*(Path(given) for given in (*sys.argv[1:], *("pocket.jpg", "removals.jpg")[len(sys.argv) - 1 :])))
