"""Before, mask and after in one picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Size
from overpaint.mask import Mask
from overpaint.mask.overlay import overlay_colours, tinted
from overpaint.picture import Picture, from_array
from overpaint.picture.colour import converter_for

GAP = 12
MOST_SIDE = 4096


def comparison(before: Picture, mask: Mask, after: Picture) -> Picture:
    """Before, the same with the mask over it in a colour that stands out, and after; wide pictures one above another.

    Args:
        before: The picture that was painted on.
        mask: Of the same size: where it was repainted.
        after: The result, of the same size.

    Returns:
        An 8-bit sRGB picture, reduced so that no panel's side is longer than 4096 pixels, transparent parts on a
        chequerboard.
    """
    base = displayed(before)
    (colour,) = overlay_colours(base, mask)
    scale = min(1.0, MOST_SIDE / max(base.shape[:2]))
    panels = [scaled(panel, scale) for panel in (base, tinted(base, mask, colour, 0.65), displayed(after))]
    height, width = panels[0].shape[:2]
    wide = width > 1.6 * height
    gap = np.full((GAP, width, 3) if wide else (height, GAP, 3), 255, np.uint8)
    joined = np.concatenate([panels[0], gap, panels[1], gap, panels[2]], axis=0 if wide else 1)
    return from_array(joined)


def displayed(picture: Picture) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 sRGB, transparent parts over a chequerboard."""
    canvas = converter_for(picture, "srgb").to_canvas(picture.samples)
    pixels: NDArray[np.uint8] = np.rint(np.clip(canvas, 0, 1) * 255).astype(np.uint8)
    if picture.alpha is None:
        return pixels
    alpha = (picture.alpha.astype(np.float32) / picture.maximum)[..., None]
    return np.rint(pixels * alpha + _chequers(picture.size) * (1 - alpha)).astype(np.uint8)


def _chequers(size: Size) -> NDArray[np.float32]:
    rows, columns = np.ogrid[: size.height, : size.width]
    light = ((rows // 12 + columns // 12) % 2 == 0)[..., None]
    return np.where(light, np.float32(235), np.float32(205))


def scaled(pixels: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 with its sides multiplied by `scale`."""
    import cv2

    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    if size == (pixels.shape[1], pixels.shape[0]):
        return pixels
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=method), np.uint8)
