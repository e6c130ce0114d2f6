"""The mask: where to repaint. 1 means repaint; there is no other polarity inside the house."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import MaskError
from overpaint.geometry import Box, Size


@dataclass(frozen=True, slots=True, eq=False)
class Mask:
    """Where to repaint, and how surely.

    Attributes:
        values: (H, W) float32 in [0, 1], read-only; 1 = repaint.

    Core: values >= 0.5. Support: values > 0. A hard mask has no value between 0 and 1.
    """

    values: NDArray[np.float32]

    def __post_init__(self) -> None:
        values = self.values
        if values.ndim != 2 or values.dtype != np.float32:
            raise MaskError(f"mask values must be float32 of shape (H, W), not {values.dtype} of shape {values.shape}")
        if values.flags.writeable or not values.flags.c_contiguous:
            values = np.ascontiguousarray(values).view()
            values.flags.writeable = False
            object.__setattr__(self, "values", values)

    @property
    def size(self) -> Size:
        """Width and height in pixels."""
        return Size(self.values.shape[1], self.values.shape[0])

    @property
    def core(self) -> NDArray[np.bool_]:
        """(H, W) bool: what must be painted anew entirely."""
        return self.values >= np.float32(0.5)

    @property
    def support(self) -> NDArray[np.bool_]:
        """(H, W) bool: what may be touched at all before the reach is added."""
        return self.values > 0

    @property
    def bounds(self) -> Box:
        """The smallest box around the support; an empty box for an empty mask."""
        support = self.support
        rows, columns = np.flatnonzero(support.any(axis=1)), np.flatnonzero(support.any(axis=0))
        if rows.size == 0:
            return Box(0, 0, 0, 0)
        return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
