"""A mask shown over a picture, in a colour that stands out from the picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ._mask import Mask

Pixels = NDArray[np.uint8]
"""(H, W, 3) uint8 sRGB."""

_AROUND = 16  # pixels around the mask that the colour must stand out from as well
_SAMPLE = 20_000


@dataclass(frozen=True, slots=True)
class OverlayColour:
    """A colour and its name."""

    name: str
    rgb: tuple[int, int, int]


COLOURS = (
    OverlayColour("red", (235, 45, 60)),
    OverlayColour("yellow", (255, 205, 30)),
    OverlayColour("blue", (40, 110, 255)),
    OverlayColour("magenta", (230, 40, 220)),
    OverlayColour("green", (40, 200, 70)),
    OverlayColour("cyan", (30, 210, 230)),
)


def overlay_colours(pixels: Pixels, mask: Mask, count: int = 1) -> tuple[OverlayColour, ...]:
    """The `count` colours that stand out best from the picture at the mask and around it, the best first.

    A colour's distance is the CIE Lab difference (CIE 1976) that nine tenths of the pixels exceed; each further colour
    must differ from those before it as well. Of nearly equal ones the first of `COLOURS` is taken.

    Args:
        pixels: The picture, of the mask's size.
        mask: The marked part; for an empty mask the whole picture counts.
        count: Number of colours, at most 6.
    """
    box = (mask.bounds if not mask.is_empty else mask.size.box).pad(_AROUND).intersect(mask.size.box)
    area = pixels[box.slices].reshape(-1, 3)
    seen = _lab(area[:: len(area) // _SAMPLE + 1])
    palette = _lab(np.array([colour.rgb for colour in COLOURS], np.uint8))
    distance = [float(np.percentile(np.linalg.norm(seen - colour, axis=1), 10)) for colour in palette]
    chosen: list[int] = []
    for _ in range(count):
        apart = [
            min([far, *(float(np.linalg.norm(palette[k] - palette[other])) for other in chosen)])
            for k, far in enumerate(distance)
        ]
        best = max(apart[k] for k in range(len(COLOURS)) if k not in chosen)
        chosen.append(next(k for k in range(len(COLOURS)) if k not in chosen and apart[k] >= 0.9 * best))
    return tuple(COLOURS[k] for k in chosen)


def tinted(pixels: Pixels, mask: Mask, colour: OverlayColour, share: float) -> Pixels:
    """The picture with the mask laid over it: `share` of the colour where the mask is 1."""
    weight = (mask.values * np.float32(share))[..., None]
    return np.asarray(np.rint(pixels * (1 - weight) + np.array(colour.rgb, np.float32) * weight), np.uint8)


def _lab(colours: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 3) CIE Lab of (N, 3) sRGB."""
    lab: NDArray[np.float32] = cv2.cvtColor(colours[None].astype(np.float32) / np.float32(255), cv2.COLOR_RGB2LAB)[0]
    return lab
