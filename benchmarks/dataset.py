"""Photos and holes of `benchmarks.fill`: 52 photos with three masks each, in a folder beside the project."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.networks import SHARED
from overpaint.geometry import Box, Margins, Size

KINDS = ("brush", "box", "object")
EVAL = SHARED / "photos" / "eval"
CONTEXT = 1.5
"""Ratio of the evaluated crop's sides to the mask box's sides."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadedCase:
    """One case in memory.

    Attributes:
        pixels: (H, W, 3) uint8, the photo.
        hole: (H, W) bool, True where to fill.
        crop: The part that is judged: the mask's box times CONTEXT about its centre, cut at the photo's borders.
        clean: (H, W, 3) uint8, the photo as it was before something was pasted or cut off; None where nothing was.
        margins: What was cut off, where the hole is that: the photo without it is extended.
    """

    pixels: NDArray[np.uint8]
    hole: NDArray[np.bool_]
    crop: Box
    clean: NDArray[np.uint8] | None = None
    margins: Margins | None = None

    @property
    def truth(self) -> NDArray[np.uint8]:
        """What fills are compared with: the clean photo, or the photo itself."""
        return self.pixels if self.clean is None else self.clean


@dataclass(frozen=True, slots=True)
class Case:
    """One photo and one mask."""

    photo: str
    kind: str
    image: Path
    mask: Path
    caption: str

    @property
    def key(self) -> str:
        """Name of the case in file names: "007_box"."""
        return f"{self.photo}_{self.kind}"

    def load(self) -> LoadedCase:
        """Read both files; ValueError when their sizes differ or the mask is empty."""
        with Image.open(self.image) as image, Image.open(self.mask) as mask:
            if image.size != mask.size:
                raise ValueError(f"{self.key}: the photo is {image.size}, its mask {mask.size}")
            pixels = np.asarray(image.convert("RGB"))
            hole = np.asarray(mask.convert("L")) > 127
        return LoadedCase(pixels, hole, context_box(hole))


def hole_box(hole: NDArray[np.bool_]) -> Box:
    """The smallest box around a hole; ValueError when it is empty."""
    rows, columns = np.flatnonzero(hole.any(axis=1)), np.flatnonzero(hole.any(axis=0))
    if rows.size == 0:
        raise ValueError("the hole is empty")
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def context_box(hole: NDArray[np.bool_], factor: float = CONTEXT) -> Box:
    """The hole's box with both sides times `factor` about its centre, cut at the picture's borders."""
    box = hole_box(hole)
    across, down = round(box.width * (factor - 1) / 2), round(box.height * (factor - 1) / 2)
    whole = Size(hole.shape[1], hole.shape[0]).box
    return Box(box.left - across, box.top - down, box.right + across, box.bottom + down).intersect(whole)


def cases(folder: Path = EVAL, *, kinds: Sequence[str] = KINDS, limit: int | None = None) -> list[Case]:
    """All cases, photo by photo; of the first `limit` photos when given.

    Raises:
        FileNotFoundError: The photos are not there.
        ValueError: No such kind of mask.
    """
    index = folder / "index.jsonl"
    if not index.is_file():
        raise FileNotFoundError(
            f"no photos at {folder}: they are not part of the project; set their folder with --shared DIR"
        )
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise ValueError(f"no masks of kind {', '.join(unknown)}; there are: {', '.join(KINDS)}")
    rows = [json.loads(line) for line in index.read_text("utf-8").splitlines() if line.strip()]
    return [
        Case(
            photo=row["id"],
            kind=kind,
            image=folder / row["image"],
            mask=folder / "masks" / f"{row['id']}_{kind}.png",
            caption=row["caption"],
        )
        for row in rows[:limit]
        for kind in kinds
    ]
