"""What a person would look at in a result, as figures and as small pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box, Size
from overpaint.mask import Mask
from overpaint.picture import Picture, to_pil
from overpaint.studio import Edited, Saved

from .task import Thumbnails

SEAM_LIMIT = 2.0
"""A seam score above this is a warning: the step at the edge is twice what the picture has around it."""

SHIFT_LIMIT = 0.08
"""A mean colour correction above this (of 1) is a warning: the engine saw other colours than the picture has."""

LARGE, SMALL = 320, 112  # longest side of thumbnails in pixels
_RING = 12  # pixels around the edge whose own steps a seam is measured against


def seam_score(after: NDArray[np.float32], touched: NDArray[np.bool_]) -> float:
    """How much the edge of what was painted stands out: steps across it over steps around it.

    The mean absolute difference of neighbouring pixels, one of which was touched and the other not, divided by the mean
    over pairs of untouched pixels within 12 of the edge. About 1 where nothing shows, and well above where the edge
    can be seen. One level is added to both, so that a flat picture has no noise to stand out from.

    Args:
        after: (H, W) the result's light, 0 to 255.
        touched: (H, W) bool: where it may differ from the original.

    Returns:
        The score; 1 where there is no edge.
    """
    import cv2

    ring = cv2.dilate(touched.astype(np.uint8), np.ones((2 * _RING + 1, 2 * _RING + 1), np.uint8)) > 0
    across, around, crossings, pairs = 0.0, 0.0, 0, 0
    for one, other in ((np.s_[:, 1:], np.s_[:, :-1]), (np.s_[1:, :], np.s_[:-1, :])):
        step = np.abs(after[one] - after[other])
        edge = touched[one] != touched[other]
        near = ~touched[one] & ~touched[other] & ring[one] & ring[other]
        across += float(step[edge].sum())
        crossings += int(np.count_nonzero(edge))
        around += float(step[near].sum())
        pairs += int(np.count_nonzero(near))
    if not crossings or not pairs:
        return 1.0
    return round((across / crossings + 1) / (around / pairs + 1), 3)


def quality_of(edited: Edited, saved: Saved) -> dict[str, Any]:
    """Figures of a result, and warnings in words."""
    window = _window(edited.mask.bounds, edited.picture.size, 2 * _RING)
    light = _light(edited.picture, window)
    touched = edited.touched[window.slices]
    solid = np.zeros(edited.picture.size.shape, bool)
    for region in edited.regions:
        solid[region.box.slices] |= region.weight >= 0.5
    score = max(seam_score(light, touched), seam_score(light, solid[window.slices]))
    shift = max((abs(channel) for region in edited.regions for channel in region.shift), default=0.0)
    return {
        "seam": score,
        "shift": round(shift, 4),
        "changed": saved.changed,
        "largest": saved.largest,
        "reach": saved.reach,
        "fidelity": saved.fidelity,
        "warnings": list(_warnings(score, shift, saved)),
    }


def _warnings(score: float, shift: float, saved: Saved) -> list[str]:
    found = []
    if score > SEAM_LIMIT:
        found.append(f"a seam shows: steps at the edge are {score:.1f} times those around it")
    if shift > SHIFT_LIMIT:
        found.append(f"colours had to be corrected by {100 * shift:.0f} %")
    if saved.changed:
        levels = "1 level" if saved.largest == 1 else f"{saved.largest} levels"
        found.append(f"{saved.changed:,} pixels beyond the reach changed by up to {levels} in the written file")
    return found


def _window(bounds: Box, size: Size, margin: int) -> Box:
    return bounds.pad(margin).intersect(size.box)


def _light(picture: Picture, window: Box) -> NDArray[np.float32]:
    """(h, w) float32, 0 to 255: the mean of the colour channels, which is enough to see an edge by."""
    light: NDArray[np.float32] = picture.samples[window.slices].astype(np.float32).mean(axis=2)
    light *= np.float32(255 / picture.maximum)
    return light


def thumbnails(edited: Edited) -> Thumbnails:
    """Before, mask and after around the place of the edit: the whole picture when the edit takes most of it."""
    bounds = edited.mask.bounds
    margin = max(24, max(bounds.width, bounds.height) // 2)
    window = _window(bounds, edited.picture.size, margin)
    if window.area > 0.6 * edited.picture.size.box.area:
        window = edited.picture.size.box
    before, after = (_small(picture, window) for picture in (edited.stage, edited.picture))
    mask = _mask(edited.mask, window, LARGE)
    return Thumbnails(
        large=(_jpeg(before, LARGE, 78), _png(mask), _jpeg(after, LARGE, 78)),
        small=(_jpeg(before, SMALL, 65), _png(_mask(edited.mask, window, SMALL)), _jpeg(after, SMALL, 65)),
    )


def place_of(edited: Edited) -> Mapping[str, Any]:
    """Where the edit is in its picture, and how large both are."""
    bounds, size = edited.mask.bounds, edited.picture.size
    return {"size": [size.width, size.height], "box": list(bounds)}


def _small(picture: Picture, window: Box) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 sRGB-ish pixels of the window, at most LARGE a side, transparency over a light grey."""
    from PIL import Image

    samples = np.ascontiguousarray(picture.samples[window.slices])
    alpha = None if picture.alpha is None else np.ascontiguousarray(picture.alpha[window.slices])
    image = to_pil(Picture(samples, alpha, picture.colour))
    image.thumbnail((LARGE, LARGE), Image.Resampling.BOX, reducing_gap=None)
    if image.mode in ("RGBA", "LA", "PA"):
        image = Image.alpha_composite(Image.new("RGBA", image.size, (224, 224, 224, 255)), image.convert("RGBA"))
    return np.asarray(image.convert("RGB"))


def _mask(mask: Mask, window: Box, side: int) -> NDArray[np.uint8]:
    import cv2

    values = mask.values[window.slices]
    width, height = _fit(values.shape[1], values.shape[0], side)
    small = cv2.resize(values, (width, height), interpolation=cv2.INTER_AREA)
    # four levels are enough for a thumbnail, and cost a fraction of 256
    levels: NDArray[np.uint8] = (np.rint(small * 3) * 85).astype(np.uint8)
    return levels


def _fit(width: int, height: int, side: int) -> tuple[int, int]:
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _jpeg(pixels: NDArray[np.uint8], side: int, quality: int) -> bytes:
    import cv2

    width, height = _fit(pixels.shape[1], pixels.shape[0], side)
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return _encoded(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])


def _png(pixels: NDArray[np.uint8]) -> bytes:
    import cv2

    return _encoded(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 6])


def _encoded(ending: str, pixels: NDArray[np.uint8], how: list[int]) -> bytes:
    import cv2

    done, data = cv2.imencode(ending, pixels, how)
    if not done:
        raise ValueError(f"OpenCV could not write a thumbnail as {ending}")
    return bytes(data)
