"""The connected pieces of a mask."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box, Size

from ._checks import bounds_of
from ._mask import Mask


@dataclass(frozen=True, slots=True, eq=False)
class Component:
    """One connected piece of a mask's support.

    Attributes:
        box: The smallest box around it.
        area: Its pixels, counted.
        values: (h, w) float32 of the box's size: the mask's values on this piece, 0 elsewhere; read-only.
        size: The whole mask's size.
    """

    box: Box
    area: int
    values: NDArray[np.float32]
    size: Size

    @property
    def mask(self) -> Mask:
        """This piece alone, as a mask of the whole size. Made anew at each call."""
        whole = np.zeros(self.size.shape, dtype=np.float32)
        whole[self.box.slices] = self.values
        return Mask(whole)


class Components(Sequence[Component]):
    """All pieces in reading order of their labels, cheap for thousands of them: a piece is cut out when asked for.

    Attributes:
        region: The box around all pieces, in which `labels` lies.
        labels: (h, w) int32: 0 for background, i + 1 for piece i; read-only.
        boxes: Each piece's box in the picture.
        areas: Each piece's count of pixels.
    """

    def __init__(self, values: NDArray[np.float32]) -> None:
        self._values = values
        self.region = bounds_of(values > 0)
        support = np.ascontiguousarray(values[self.region.slices] > 0)
        self.labels: NDArray[np.int32] = np.zeros(support.shape, dtype=np.int32)
        self.boxes: tuple[Box, ...] = ()
        self.areas: tuple[int, ...] = ()
        if not self.region.empty:
            _, self.labels, statistics, _ = cv2.connectedComponentsWithStats(support.view(np.uint8), connectivity=8)
            rows = statistics[1:].tolist()
            x, y = self.region.left, self.region.top
            self.boxes = tuple(
                Box(left, top, left + width, top + height).shift(x, y) for left, top, width, height, _ in rows
            )
            self.areas = tuple(row[cv2.CC_STAT_AREA] for row in rows)
        self.labels.flags.writeable = False

    def __len__(self) -> int:
        return len(self.boxes)

    @overload
    def __getitem__(self, index: int) -> Component: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Component, ...]: ...
    def __getitem__(self, index: int | slice) -> Component | tuple[Component, ...]:
        if isinstance(index, slice):
            return tuple(self._cut(i) for i in range(len(self))[index])
        return self._cut(range(len(self))[index])

    def __iter__(self) -> Iterator[Component]:
        return (self._cut(i) for i in range(len(self)))

    def _cut(self, index: int) -> Component:
        box = self.boxes[index]
        mine = self.labels[box.shift(-self.region.left, -self.region.top).slices] == index + 1
        values = np.where(mine, self._values[box.slices], np.float32(0))
        values.flags.writeable = False
        height, width = self._values.shape
        return Component(box, self.areas[index], values, Size(width, height))

    def __repr__(self) -> str:
        return f"<Components: {len(self)} in {self.region}>"
