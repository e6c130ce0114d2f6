"""What the embedded model makes of prompts, good and bad: the sheet in docs/models.md.

    python examples/pocket.py docs/pocket.jpg

Seeds 1 to 4 of every prompt, none left out. The photographs come with scikit-image, CC0 or in the public domain: an
espresso (Rachel Michetti), a cat (Stefan van der Walt), Eileen Collins and a Falcon 9 (NASA, SpaceX).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import overpaint
from overpaint import Mask

SEEDS = (1, 2, 3, 4)
SIDE, GAP, LINE = 200, 4, 18


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for, in an ellipse or a box (left, top, right, bottom) of a photograph."""

    intent: str
    photo: str
    hole: tuple[int, int, int, int]
    prompt: str
    box: bool = False

    def mask(self, size: overpaint.Size) -> Mask:
        """The hole."""
        return Mask.box(size, self.hole) if self.box else Mask.ellipse(size, self.hole)


SHEET = (
    Asked("replace", "coffee.png", (203, 94, 371, 195), "green soup"),
    Asked("add", "coffee.png", (400, 20, 590, 200), "a red flower"),
    Asked("add", "coffee.png", (400, 20, 590, 200), "a yellow lemon"),
    Asked("add", "rocket.jpg", (420, 260, 620, 420), "a red car", box=True),
    Asked("add", "rocket.jpg", (20, 20, 290, 200), "white clouds", box=True),
    Asked("recolor", "astronaut.png", (250, 330, 430, 500), "a blue shirt"),
    Asked("add", "chelsea.png", (10, 10, 130, 130), "green leaves", box=True),
    Asked("replace", "chelsea.png", (130, 60, 330, 240), "a white dog"),
)
"""The last is beyond it: it has seen no animals."""


def main(path: Path) -> None:
    """Write the sheet."""
    font = ImageFont.load_default(13)
    sheet = Image.new("RGB", ((1 + len(SEEDS)) * (SIDE + GAP) - GAP, len(SHEET) * (SIDE + LINE)), "white")
    pen = ImageDraw.Draw(sheet)
    with overpaint.Studio() as studio:
        for row, asked in enumerate(SHEET):
            top = row * (SIDE + LINE)
            pen.text((2, top + 1), f"{asked.intent}: {asked.prompt}", fill="black", font=font)
            picture = overpaint.open(Path(str(files("skimage.data") / asked.photo)))
            mask = asked.mask(picture.size)
            tint = np.array([90, 0, 90], np.uint8)
            cells = [np.where(mask.values[..., None] > 0, picture.samples // 2 + tint, picture.samples)]
            for seed in SEEDS:
                edited = studio.edit(picture, mask=mask, intent=asked.intent, prompt=asked.prompt, seed=seed)
                cells.append(edited.picture.samples)
            for column, cell in enumerate(cells):
                sheet.paste(_around(cell, asked.hole), (column * (SIDE + GAP), top + LINE))
    sheet.save(path, quality=88)
    print(f"{len(SHEET)} prompts, seeds {SEEDS[0]} to {SEEDS[-1]}: {path}")


def _around(pixels: np.ndarray, hole: tuple[int, int, int, int]) -> Image.Image:
    """The square about the hole, half as large again, inside the picture."""
    height, width = pixels.shape[:2]
    side = min(height, width, round(1.5 * max(hole[2] - hole[0], hole[3] - hole[1])))
    left = min(max(0, (hole[0] + hole[2] - side) // 2), width - side)
    top = min(max(0, (hole[1] + hole[3] - side) // 2), height - side)
    return Image.fromarray(pixels[top : top + side, left : left + side]).resize((SIDE, SIDE), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "pocket.jpg"))
