"""Faces, by the cascade of local binary patterns that comes with scikit-image.

It finds upright faces that look at the camera: Viola and Jones, "Rapid object detection using a boosted cascade of
simple features", CVPR 2001; Liao et al., "Learning multi-scale block local binary patterns for face recognition", 2007.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from pydantic import Field

from overpaint.mask import Mask
from overpaint.picture import Picture

from .base import Selection, SelectorCard, SelectorHints, SelectorOptions
from .cache import shared
from .seen import SeenPicture

SIDE = 800
"""Pixels of the longer side that it works at, at the most."""

NEIGHBOURS = 6
"""Places nearby that must look like a face too."""

ABOVE, BESIDE, BELOW = 0.12, 0.0, 0.12
"""How far a face goes beyond the box that the cascade finds, as shares of its side."""


class FaceOptions(SelectorOptions):
    """Which faces count."""

    smallest: float = Field(default=4.0, ge=1, le=100, description="the smallest face, in per cent of the longer side")


class Faces:
    """Upright faces that look at the camera."""

    card = SelectorCard(
        name="faces",
        title="faces that look at the camera, one selection each",
        takes=frozenset({"boxes"}),
        several=True,
        options=FaceOptions,
        tip="it finds upright faces from the front: mark others with a box and grabcut",
        licence="Apache-2.0 AND BSD-3-Clause",
        digest="faces-lbp-1",
        references=(
            "Viola and Jones, Rapid object detection using a boosted cascade of simple features, CVPR 2001",
            "Liao et al., Learning multi-scale block local binary patterns for face recognition, ICB 2007",
        ),
    )

    def select(self, picture: Picture, hints: SelectorHints) -> list[Selection]:
        """An ellipse for each face, the largest first; in boxes, those whose middle is within."""
        options = FaceOptions.model_validate(dict(hints.options))
        seen = SeenPicture.of(picture)
        scale = seen.scale_to(SIDE)
        key = (seen.digest, "faces", options.smallest)
        found = shared.get(key, lambda: _faces(seen, options.smallest), lambda made: 100 + 100 * len(made))
        selections = []
        for left, top, side in sorted(found, key=lambda one: -one[2]):
            across, down = (left + side / 2) / scale, (top + side / 2) / scale
            if hints.boxes and not any(b.left <= across < b.right and b.top <= down < b.bottom for b in hints.boxes):
                continue
            box = (left - BESIDE * side, top - ABOVE * side, left + (1 + BESIDE) * side, top + (1 + BELOW) * side)
            mask = Mask.ellipse(seen.size, [edge / scale for edge in box])
            selections.append(Selection(mask, label="face"))
        return selections


def _faces(seen: SeenPicture, smallest: float) -> list[tuple[int, int, int]]:
    """Left, top and side of each face, in pixels of the reduced picture."""
    colours = seen.part(None, SIDE)
    height, width = colours.shape[:2]
    least = max(24, round(smallest * max(height, width) / 100))
    if min(height, width) <= least:
        return []
    found = _cascade().detect_multi_scale(
        img=np.ascontiguousarray(np.rint(colours * 255).astype(np.uint8)),
        scale_factor=1.15,
        step_ratio=1,
        min_size=(least, least),
        max_size=(min(height, width), min(height, width)),
        min_neighbor_number=NEIGHBOURS,
    )
    return [(int(one["c"]), int(one["r"]), int(one["width"])) for one in found]


@cache
def _cascade() -> Any:
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    return Cascade(lbp_frontal_face_cascade_filename())
