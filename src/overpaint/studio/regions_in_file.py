"""The regions of edits as a file has them: a JPEG file is coded again in whole blocks, which go beyond a region."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box, Size
from overpaint.record import Provenance

_BLOCK = 33  # pixels: the widest MCU (4:1:1) and the pixel that upsampling of colour adds


def in_file(origin: Provenance, coded: NDArray[np.bool_] | None) -> Provenance:
    """The origin with the boxes of the edits as they are in a file.

    Args:
        origin: The origin.
        coded: (H, W): where a JPEG file was coded again; None where every file has the edits' boxes.
    """
    if coded is None:
        return origin
    edits = (replace(one, boxes=tuple(_grown(box, coded) for box in one.boxes)) for one in origin.edits)
    return replace(origin, edits=tuple(edits))


def _grown(box: Box, coded: NDArray[np.bool_]) -> Box:
    """A box with all that was coded again around it, as far as a block reaches."""
    height, width = coded.shape
    near = box.pad(_BLOCK).intersect(Size(width, height).box)
    return box.union(Box.around(coded[near.slices]).shift(near.left, near.top))
