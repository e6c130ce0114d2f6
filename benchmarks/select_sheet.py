"""The picture of docs/selecting.md: what selectors find in photos that scikit-image brings, and in drawn damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

from overpaint.mask.overlay import overlay_colours, tinted
from overpaint.picture import from_array
from overpaint.select import HintPoint, SelectorHints, selected

Pixels = NDArray[np.uint8]

SIDE = 220
"""Pixels of the side of each part."""


def scenes() -> list[tuple[Pixels, str, SelectorHints]]:
    """Photos, selectors and hints. The photos are of the public domain: a portrait by NASA, a cat, a coffee cup."""
    person, cat, cup = data.astronaut()[:400, :400], data.chelsea(), data.coffee()
    sky = np.linspace((95, 140, 205), (190, 210, 235), 300)[:, None] + np.zeros((300, 300, 3))
    wires = np.zeros((300, 300), np.uint8)
    for height in (60, 95, 135):
        line = [(x, height + round(30 * (x / 150 - 1) ** 2)) for x in range(0, 301, 10)]
        cv2.polylines(wires, [np.array(line, np.int32)], False, 255, 1, cv2.LINE_AA)
    sky = np.clip(sky * (1 - 0.8 * wires[..., None] / 255), 0, 255).astype(np.uint8)
    scratched = np.ascontiguousarray(cat[:, 60:360])
    for start, end in (((40, 5), (70, 290)), ((150, 30), (290, 90)), ((200, 290), (230, 150))):
        cv2.line(scratched, start, end, (245, 240, 225), 1, cv2.LINE_AA)

    def at(x: float, y: float, **options: Any) -> SelectorHints:
        return SelectorHints(points=(HintPoint(x, y),), options=options)

    return [
        (person, "subject", SelectorHints()),
        (person, "faces", SelectorHints()),
        (cup, "grabcut", at(300, 90)),
        (cup, "colour", at(200, 300, tolerance=25)),
        (scratched, "scratches", SelectorHints()),
        (sky, "lines", SelectorHints()),
    ]


def sheet() -> Pixels:
    """(H, W, 3): above each photo, and below it what is found."""
    columns = []
    for pixels, name, hints in scenes():
        mask = selected(from_array(np.ascontiguousarray(pixels)), name, hints)
        shown = tinted(pixels, mask, overlay_colours(pixels, mask)[0], 0.65)
        parts = [_square(one) for one in (pixels, shown)]
        cv2.rectangle(parts[1], (0, SIDE - 24), (12 * len(name), SIDE), (0, 0, 0), cv2.FILLED)
        cv2.putText(parts[1], name, (6, SIDE - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (255, 255, 255), 1, cv2.LINE_AA)
        columns.append(np.vstack(parts))
    return np.hstack(columns)


def _square(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    part = np.ascontiguousarray(pixels[top : top + side, left : left + side])
    return np.asarray(cv2.resize(part, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def write(path: Path) -> None:
    """Write the sheet as a JPEG."""
    cv2.imwrite(str(path), cv2.cvtColor(sheet(), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    write(Path(__file__).parents[1] / "docs" / "selecting.jpg")
