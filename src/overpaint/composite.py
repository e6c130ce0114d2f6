"""Paste the new pixels into the original, and change nothing anywhere else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box
from overpaint.picture import Samples

Floats = NDArray[np.float32]
AlphaRule = Literal["keep", "cover"]
"""What a paste does to alpha a under the composite mask w: "keep" leaves it; "cover" makes it min(1, a + w)."""


class Patch(Protocol):
    """Painted pixels, and where they go."""

    @property
    def box(self) -> Box:
        """Where, inside the samples."""

    @property
    def patch(self) -> Floats:
        """(h, w, C) float32 over `box`, in units of the samples."""

    @property
    def weight(self) -> Floats:
        """(h, w) float32 in [0, 1] over `box`, the composite mask."""

    @property
    def opacity(self) -> Floats | None:
        """(h, w) float32 in [0, 1] over `box`, the alpha of the paint; None where it follows from the rule."""


def lay(samples: Samples, alpha: Samples | None, patches: Iterable[Patch], rule: AlphaRule) -> Samples | None:
    """Blend the patches of one edit into samples and alpha, in place.

    All of them lie on the alpha from before the edit.

    Args:
        samples: (H, W, C) uint8 or uint16, writeable.
        alpha: (H, W) of the samples' dtype, writeable; None where the picture has none.
        patches: In their order.
        rule: What happens to alpha where a patch has no opacity of its own.

    Returns:
        The alpha; a new one, opaque elsewhere, where there was none and a patch has an opacity.
    """
    patches = list(patches)
    before = None if alpha is None else alpha.copy()
    if alpha is None and any(patch.opacity is not None for patch in patches):
        alpha = np.full(samples.shape[:2], np.iinfo(samples.dtype).max, samples.dtype)
    for patch in patches:
        paste(samples, patch.patch, patch.weight, patch.box, before, rule)
        if alpha is not None and patch.opacity is not None:
            set_alpha(alpha, patch.opacity, patch.weight, patch.box)
        elif alpha is not None:
            paste_alpha(alpha, patch.weight, patch.box, rule)
    return alpha


_ROWS = 64  # this many rows at a time stay in the cache, which is several times faster than whole arrays


def paste(
    samples: Samples, patch: Floats, weight: Floats, box: Box, alpha: Samples | None = None, rule: AlphaRule = "keep"
) -> None:
    """Blend a patch into samples, in place: round(old + share x (new - old)), clipped to the depth's range.

    A sample whose weight is 0 is not written to, one whose weight is 1 is the rounded patch. The share of the patch is
    the weight w, except under partial alpha a with the rule "cover": there the patch lies under what is left of the
    old, whose coverage is min(a, 1 - w), and fills up to min(1, a + w). In straight alpha its share is then
    w / min(1, a + w). Fully transparent old samples hold no colour that counts: the share there is 1.

    Args:
        samples: (H, W, C) uint8 or uint16, writeable: the result so far.
        patch: (h, w, C) float32 over `box`, in units of the samples (0 to 255 or 65535).
        weight: (h, w) float32 in [0, 1] over `box`, the composite mask.
        box: Where, inside the samples.
        alpha: (H, W) of the samples' dtype, the alpha before the paste; None where the picture has none.
        rule: What happens to alpha; `paste_alpha` changes alpha itself.
    """
    area = samples[box.slices]
    old_alpha = None if alpha is None else alpha[box.slices]
    channels = area.shape[2]
    if channels == 1:  # OpenCV's form of one channel
        area, patch = area[..., 0], patch[..., 0]
    depth = cv2.CV_8U if samples.dtype == np.uint8 else cv2.CV_16U
    for top in range(0, box.height, _ROWS):
        rows = slice(top, top + _ROWS)
        old, new, share = area[rows], np.ascontiguousarray(patch[rows]), weight[rows]
        touched = share > 0
        if not touched.any():
            continue
        if old_alpha is not None:
            share = share_of(share, old_alpha[rows], rule)
        # new + (1 - share) x (old - new) gives `new` itself at a share of 1, which the other way round need not.
        change = cv2.subtract(old, new, dtype=cv2.CV_32F)
        change *= cv2.merge([np.float32(1) - share] * channels)
        # One pass adds, rounds to nearest and clips to the depth's range; one more leaves out what is not touched.
        cv2.copyTo(cv2.add(new, change, dtype=depth), touched.view(np.uint8), old)


def share_of(weight: Floats, alpha: Samples, rule: AlphaRule) -> Floats:
    """(h, w) float32 in [0, 1]: the share of a patch's colour where the old samples have this alpha (see `paste`).

    Args:
        weight: (h, w) float32 in [0, 1], the composite mask.
        alpha: (h, w) uint8 or uint16, the alpha before the paste.
        rule: What happens to alpha.
    """
    touched = weight > 0
    if rule == "keep":
        return np.where(touched & (alpha == 0), np.float32(1), weight)
    coverage = np.minimum(np.float32(1), alpha.astype(np.float32) / np.float32(np.iinfo(alpha.dtype).max) + weight)
    return np.asarray(np.divide(weight, coverage, out=np.zeros_like(weight), where=touched), np.float32)


def set_alpha(alpha: Samples, opacity: Floats, weight: Floats, box: Box) -> None:
    """Blend an opacity into alpha, in place.

    Args:
        alpha: (H, W) uint8 or uint16, writeable.
        opacity: (h, w) float32 in [0, 1] over `box`.
        weight: (h, w) float32 in [0, 1] over `box`, the composite mask; alpha is kept where it is 0.
        box: Where.
    """
    area, most = alpha[box.slices], np.float32(np.iinfo(alpha.dtype).max)
    new = np.rint(area * (1 - weight) + opacity * most * weight)
    np.copyto(area, np.clip(new, 0, most).astype(alpha.dtype), where=weight > 0)


def paste_alpha(alpha: Samples, weight: Floats, box: Box, rule: AlphaRule) -> None:
    """Change alpha, in place, by the rule.

    Args:
        alpha: (H, W) uint8 or uint16, writeable.
        weight, box: As for `paste`.
        rule: See `AlphaRule`. With "cover", a mask of the picture's own transparency leaves no translucent rim.
    """
    if rule == "keep":
        return
    area, most = alpha[box.slices], np.float32(np.iinfo(alpha.dtype).max)
    area[...] = np.rint(np.minimum(most, area.astype(np.float32) + weight * most)).astype(alpha.dtype)
