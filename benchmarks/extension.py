"""The extension set: photos without a fifth of their width or height, so that what lies beyond the border is known.

One after another photos lack their right side, left side, top, bottom, and both left and right. A fill sees what is
left; its result is compared with the whole photo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.dataset import Case, LoadedCase, cases, context_box
from overpaint.geometry import Box, Margins, Size

KINDS = ("extend",)
MIRROR = "mirror"
"""Name of the contender that mirrors the photo at its border."""

LONG_SIDE = 640
"""Photos are reduced to this."""

SHARE = 0.2
"""Of the photo's width or height that is cut off on a side."""

CUT = (("right",), ("left",), ("top",), ("bottom",), ("left", "right"))
"""Sides that are cut off, photo after photo."""


@dataclass(frozen=True)
class ExtensionCase(Case):
    """A photo and the sides that are cut off."""

    sides: tuple[str, ...]

    def load(self) -> LoadedCase:
        """The photo, what is cut off as its hole, filled with the colours along the cut."""
        with Image.open(self.image) as opened:
            photo = opened.convert("RGB")
        photo.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS)
        clean = np.asarray(photo)
        size = Size(photo.width, photo.height)
        lengths = {"left": size.width, "right": size.width, "top": size.height, "bottom": size.height}
        cut = {side: round(SHARE * length) if side in self.sides else 0 for side, length in lengths.items()}
        margins = Margins(cut["left"], cut["top"], cut["right"], cut["bottom"])
        left = Box(margins.left, margins.top, size.width - margins.right, size.height - margins.bottom)
        hole = np.ones(size.shape, bool)
        hole[left.slices] = False
        pixels = np.pad(clean[left.slices], _padding(margins), mode="edge")
        return LoadedCase(pixels, hole, context_box(hole), clean, margins)


def extensions(folder: Path, *, kinds: Sequence[str] = KINDS, limit: int | None = None) -> list[ExtensionCase]:
    """The cases of the first `limit` photos.

    Raises:
        FileNotFoundError: The photos are not there.
        ValueError: No such kind.
    """
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise ValueError(f"no extensions of kind {', '.join(unknown)}; there are: {', '.join(KINDS)}")
    photos = cases(folder, kinds=["object"], limit=limit)
    return [
        ExtensionCase(photo.photo, "extend", photo.image, photo.mask, photo.caption, CUT[number % len(CUT)])
        for number, photo in enumerate(photos)
    ]


def cropped(loaded: LoadedCase, margins: Margins) -> NDArray[np.uint8]:
    """What is left of the photo without its margins, (h, w, 3)."""
    height, width = loaded.hole.shape
    return loaded.pixels[margins.top : height - margins.bottom, margins.left : width - margins.right]


def mirrored(loaded: LoadedCase) -> NDArray[np.uint8]:
    """(H, W, 3): the photo mirrored at its border; as it is without margins."""
    if loaded.margins is None:
        return loaded.pixels
    return np.pad(cropped(loaded, loaded.margins), _padding(loaded.margins), mode="symmetric")


def _padding(margins: Margins) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    return (margins.top, margins.bottom), (margins.left, margins.right), (0, 0)
