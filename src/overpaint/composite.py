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
    maximum = float(np.iinfo(samples.dtype).max)
    rows, columns = box.slices
    area = samples[rows, columns]
    hidden = None if alpha is None else alpha[rows, columns] == 0
    for top in range(0, box.height, _ROWS):
        part = slice(top, top + _ROWS)
        old, share = area[part], weight[part]
        touched = share > 0
        if not touched.any():
            continue
        if hidden is not None:
            share = np.where(hidden[part] & touched, np.float32(1), share)
        base = old.astype(np.float32)
        # old + (new - old) need not give `new` back in floating point; a weight of 1 takes it as it is.
        mixed = np.where((share == 1)[..., None], patch[part], base + share[..., None] * (patch[part] - base))
        np.rint(mixed, out=mixed)
        np.clip(mixed, 0, maximum, out=mixed)
        np.copyto(old, mixed.astype(samples.dtype), where=touched[..., None])


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
