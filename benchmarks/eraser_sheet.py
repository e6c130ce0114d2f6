"""The picture of docs/erasers.md: a mask, what networks get of it, and what is pasted.

No published weights are needed: what networks get does not depend on them, and the one result of an eraser that is
shown is that of random numbers (`benchmarks.eraser_programs`), which says so.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

from benchmarks.eraser_programs import save_programs
from overpaint import Mask, Studio
from overpaint.engines.erase.network import shown
from overpaint.geometry import Size
from overpaint.mask.overlay import overlay_colours, tinted
from overpaint.request import EditRequest

Pixels = NDArray[np.uint8]

WIDTH, HEIGHT = 330, 220
"""Pixels of each part."""

SPOON = (
    [(362, 246), (374, 200), (394, 196), (390, 250)],
    [(395, 60), (430, 62), (414, 134), (398, 128)],
)
"""Outlines of its neck and its handle; its bowl is an ellipse."""


def photo_and_mask() -> tuple[Pixels, Mask]:
    """A coffee cup (Rachel Michetti, public domain, from scikit-image), and its spoon."""
    pixels = np.ascontiguousarray(data.coffee())
    drawn = np.zeros(pixels.shape[:2], np.uint8)
    cv2.ellipse(drawn, (366, 284), (46, 48), 0, 0, 360, 255, cv2.FILLED)
    for outline in SPOON:
        cv2.fillPoly(drawn, [np.array(outline, np.int32)], 255)
    return pixels, Mask(np.asarray(drawn > 0, np.float32))


def sheet() -> Pixels:
    """(H, W, 3): six parts with their titles."""
    pixels, mask = photo_and_mask()
    parts = [_part(tinted(pixels, mask, overlay_colours(pixels, mask)[0], 0.65), "the mask")]
    with tempfile.TemporaryDirectory() as folder, Studio(device="cpu", allow_pickle=True) as studio:
        request = EditRequest.of("remove", seed=1)
        for name, title in (("lama", "LaMa"), ("migan", "MI-GAN")):
            model = str(save_programs(Path(folder) / name, name))
            (one,) = studio.prepare(pixels, request, mask=mask, model=model).canvases
            picture, hole = shown(one.canvas)
            seen = picture * (1 - hole[..., None])
            size = Size(*seen.shape[1::-1])
            parts.append(_part(np.rint(seen * 255).astype(np.uint8), f"what {title} gets: {size}"))
        parts.append(
            _part(studio.edit(pixels, request, mask=mask, engine="exemplar").picture.samples, "--engine exemplar")
        )
        found = studio.edit(pixels, request, mask=mask, model=str(Path(folder) / "lama" / "big-lama.pt"), detail="none")
    parts.append(_part(found.picture.samples, "LaMa's layout, random numbers"))
    touched = np.where(found.touched[..., None], np.uint8(255), (pixels * 0.4).astype(np.uint8))
    parts.append(_part(touched, "what it may have changed: white"))
    return np.vstack([np.hstack(parts[:3]), np.hstack(parts[3:])])


def _part(pixels: Pixels, title: str) -> Pixels:
    """One part: fitted into its place, with its title below."""
    height, width = pixels.shape[:2]
    share = min(WIDTH / width, HEIGHT / height)
    size = (round(width * share), round(height * share))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if share < 1 else cv2.INTER_CUBIC)
    part = np.full((HEIGHT + 24, WIDTH, 3), 255, np.uint8)
    left, top = (WIDTH - size[0]) // 2, (HEIGHT - size[1]) // 2
    part[top : top + size[1], left : left + size[0]] = small
    cv2.putText(part, title, (6, HEIGHT + 17), cv2.FONT_HERSHEY_SIMPLEX, 0.48, (0, 0, 0), 1, cv2.LINE_AA)
    return part


def write(path: Path) -> None:
    """Write the sheet as a JPEG."""
    cv2.imwrite(str(path), cv2.cvtColor(sheet(), cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    write(Path(__file__).parents[1] / "docs" / "erasers.jpg")
