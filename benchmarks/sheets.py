"""Contact sheets of the fill benchmark: the hole, every fill and the photo side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.contenders import UNTOUCHED
from benchmarks.dataset import Case
from benchmarks.evaluation import FillFigures, Grid
from benchmarks.fills import FillCache

CELL = (300, 240)
GAP, HEAD, FOOT = 6, 30, 40
ROWS = 6
INK, PAPER, PALE = (20, 20, 20), (250, 250, 250), (110, 110, 110)
TINT = np.array([255.0, 0.0, 160.0])
"""Tint of holes: a colour that is rare in photos."""


@dataclass(frozen=True, slots=True)
class Gallery:
    """Input of the sheets: caches and figures by label, with the untouched photo."""

    grid: Grid
    caches: Mapping[str, FillCache]
    judged: Mapping[str, FillFigures]

    @property
    def fills(self) -> list[str]:
        """Labels of all contenders but the untouched photo."""
        return [label for label in self.caches if label != UNTOUCHED]

    def figure(self, label: str, case: Case, metric: str) -> float:
        """One figure of one fill."""
        p, k = self.grid.photos.index(case.photo), self.grid.kinds.index(case.kind)
        return float(self.judged[label].table[metric][p, k])


def write(gallery: Gallery, folder: Path, focus: str, *, extremes: int = 2 * ROWS) -> list[Path]:
    """All pages: KIND-01.png ..., and best, worst, won and lost by feature distance of the focus."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    written = []
    for name, cases in _pages(gallery, focus, extremes):
        path = folder / f"{name}.png"
        page(gallery, cases, name).save(path, compress_level=6)
        written.append(path)
    return written


def _pages(gallery: Gallery, focus: str, extremes: int) -> Iterator[tuple[str, Sequence[Case]]]:
    grid = gallery.grid
    for kind in grid.kinds:
        cases = [grid.cases[photo, kind] for photo in grid.photos]
        for n, first in enumerate(range(0, len(cases), ROWS)):
            yield f"{kind}-{n + 1:02}", cases[first : first + ROWS]
    every = list(grid.cases.values())

    def distance(case: Case) -> float:
        return gallery.figure(focus, case, "feature_distance")

    def lead(case: Case) -> float:
        others = [gallery.figure(label, case, "feature_distance") for label in gallery.fills if label != focus]
        return distance(case) - min(others)

    orders = {"best": sorted(every, key=distance), "worst": sorted(every, key=distance, reverse=True)}
    if len(gallery.fills) > 1:
        orders |= {"won": sorted(every, key=lead), "lost": sorted(every, key=lead, reverse=True)}
    for name, order in orders.items():
        chosen = order[:extremes]
        for n, first in enumerate(range(0, len(chosen), ROWS)):
            yield f"{name}-{n + 1:02}", chosen[first : first + ROWS]


def page(gallery: Gallery, cases: Sequence[Case], title: str) -> Image.Image:
    """One page: a row for each case, with labels above each column and below each picture."""
    columns = ["hole", *gallery.fills, "photo"]
    width = GAP + len(columns) * (CELL[0] + GAP)
    sheet = Image.new("RGB", (width, 2 * HEAD + len(cases) * (CELL[1] + FOOT)), PAPER)
    draw = ImageDraw.Draw(sheet)
    large, small = ImageFont.load_default(18), ImageFont.load_default(13)
    draw.text((GAP, 5), f"{title}: crops of 1.5 times the mask's box", INK, large)
    for c, column in enumerate(columns):
        draw.text((GAP + c * (CELL[0] + GAP), HEAD + 4), column, INK, large)
    for r, case in enumerate(cases):
        top = 2 * HEAD + r * (CELL[1] + FOOT)
        for c, column in enumerate(columns):
            left = GAP + c * (CELL[0] + GAP)
            crop, text = _cell(gallery, case, column)
            small_crop = _fitted(crop)
            sheet.paste(small_crop, (left + (CELL[0] - small_crop.width) // 2, top))
            draw.text((left, top + CELL[1] + 2), text, PALE, small)
    return sheet


def _cell(gallery: Gallery, case: Case, column: str) -> tuple[NDArray[np.uint8], str]:
    if column == "hole":
        loaded = case.load()
        here = loaded.crop.slices
        crop = loaded.pixels[here].astype(np.float64)
        hole = loaded.hole[here][..., None]
        return np.where(hole, 0.25 * crop + 0.75 * TINT, crop).astype(np.uint8), f"{case.photo} {case.kind}"
    if column == "photo":
        return gallery.caches[UNTOUCHED].get(case)[0], _shortened(case.caption)
    figures = {
        name: gallery.figure(column, case, name) for name in ("psnr", "gradient_ratio", "feature_distance", "wall")
    }
    text = (
        f"{figures['psnr']:.1f} dB   gradient {figures['gradient_ratio']:.2f}   "
        f"feature {1e3 * figures['feature_distance']:.0f}   {figures['wall']:.1f} s"
    )
    return gallery.caches[column].get(case)[0], text


def _fitted(crop: NDArray[np.uint8]) -> Image.Image:
    image = Image.fromarray(crop)
    scale = min(CELL[0] / image.width, CELL[1] / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def _shortened(text: str, letters: int = 44) -> str:
    return text if len(text) <= letters else text[: letters - 1].rstrip() + "…"
