"""The connected components of a mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box

from ._mask import Mask


@dataclass(frozen=True, slots=True, eq=False)
class MaskComponent:
    """One connected component of a mask's support (8 neighbours).

    Attributes:
        box: The smallest box around it.
        area: Its number of pixels.
        whole: The mask that it is a component of.
        bounds: The bounds of `whole`.
        labels: (h, w) int32 over `bounds`: the number of the component that each pixel belongs to.
        number: Its own number in `labels`.
    """

    box: Box
    area: int
    whole: Mask
    bounds: Box
    labels: NDArray[np.int32]
    number: int

    @property
    def values(self) -> NDArray[np.float32]:
        """(h, w) float32 of the box's size: the mask's values on this component, 0 elsewhere."""
        own = self.labels[self.box.shift(-self.bounds.left, -self.bounds.top).slices] == self.number
        return np.where(own, self.whole.values[self.box.slices], np.float32(0))

    @property
    def mask(self) -> Mask:
        """This component alone, as a mask of the whole size."""
        values = np.zeros(self.whole.size.shape, np.float32)
        values[self.box.slices] = self.values
        return Mask(values)


def components_of(mask: Mask) -> tuple[MaskComponent, ...]:
    """The components in the order of their first pixels. Their values are computed when they are read."""
    import cv2

    bounds = mask.bounds
    if bounds.empty:
        return ()
    support = np.ascontiguousarray(mask.support[bounds.slices])
    _, labels, statistics, _ = cv2.connectedComponentsWithStats(support.view(np.uint8), connectivity=8)
    return tuple(
        MaskComponent(
            Box(x, y, x + width, y + height).shift(bounds.left, bounds.top), area, mask, bounds, labels, number
        )
        for number, (x, y, width, height, area) in enumerate(statistics[1:].tolist(), start=1)
    )
