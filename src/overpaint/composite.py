"""The new pixels into the original, and nothing anywhere else."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box
from overpaint.picture import Samples

AlphaRule = Literal["keep", "cover"]

_ROWS = 64  # so many at a time stay in the cache, which is what makes this several times faster than whole arrays


def paste(
    samples: Samples, patch: NDArray[np.float32], weight: NDArray[np.float32], box: Box, alpha: Samples | None = None
) -> None:
    """Blend a patch into samples, in place: round(old + weight x (new - old)), clipped to the depth's range.

    A sample whose weight is 0 is not written to at all, one whose weight is 1 is the rounded patch.

    Args:
        samples: (H, W, C) uint8 or uint16, writeable: the result so far.
        patch: (h, w, C) float32 over `box`, in units of the samples (0 to 255 or 65535).
        weight: (h, w) float32 in [0, 1] over `box`, the composite mask.
        box: Where, inside the samples.
        alpha: (H, W) of the samples' dtype, where the picture has alpha. Colour under alpha 0 is nobody's choice, so
            the patch is taken there whole: blending it in would draw a dark rim.
    """
    import cv2

    area = samples[box.slices]
    hidden = None if alpha is None else alpha[box.slices] == 0
    channels = area.shape[2]
    if channels == 1:  # OpenCV's way of writing one channel
        area, patch = area[..., 0], patch[..., 0]
    depth = cv2.CV_8U if samples.dtype == np.uint8 else cv2.CV_16U
    for top in range(0, box.height, _ROWS):
        part = slice(top, top + _ROWS)
        old, new, share = area[part], np.ascontiguousarray(patch[part]), weight[part]
        touched = share > 0
        if not touched.any():
            continue
        if hidden is not None:
            share = np.where(hidden[part] & touched, np.float32(1), share)
        # new + (1 - share) x (old - new) gives `new` itself at a share of 1, which the other way round need not.
        change = cv2.subtract(old, new, dtype=cv2.CV_32F)
        change *= cv2.merge([np.float32(1) - share] * channels)
        # One pass adds, rounds to nearest and clips to the depth's range; one more leaves out what is not touched.
        cv2.copyTo(cv2.add(new, change, dtype=depth), touched.view(np.uint8), old)


def paste_alpha(alpha: Samples, weight: NDArray[np.float32], box: Box, rule: AlphaRule) -> None:
    """Change alpha, in place, as the intent wants it.

    Args:
        alpha: (H, W) uint8 or uint16, writeable.
        weight: (h, w) float32 in [0, 1] over `box`, the composite mask.
        box: Where.
        rule: "keep" leaves alpha alone; "cover" makes it max(alpha, weight): what is painted is seen.
    """
    if rule == "keep":
        return
    area = alpha[box.slices]
    cover = np.rint(weight * np.float32(np.iinfo(alpha.dtype).max)).astype(alpha.dtype)
    np.maximum(area, cover, out=area)
