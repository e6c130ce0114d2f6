"""Pictures and coordinates as networks of the SAM family take them, and the way back of their masks.

Two forms are used. SAM 1, HQ-SAM and ONNX files of that protocol scale the longer side to the network's and fill up
below and to the right, after colours are normalised (Kirillov et al., "Segment Anything", 2023; `ResizeLongestSide` of
its code). SAM 2, EdgeTAM and SAM 3 scale both sides to a square. Scaling is bilinear with antialiasing, as Pillow and
torchvision have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box, Size
from overpaint.select.base import HintPoint

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

IMAGENET_MEAN, IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)


@dataclass(frozen=True, slots=True)
class SamPicture:
    """How a network takes pictures.

    Attributes:
        side: Pixels of the sides of its square input.
        padded: Whether the longer side is scaled to it and the rest filled up; else both sides are scaled to it.
        mean, deviation: Of each channel in [0, 1], by which colours are normalised.
    """

    side: int = 1024
    padded: bool = True
    mean: tuple[float, float, float] = IMAGENET_MEAN
    deviation: tuple[float, float, float] = IMAGENET_DEVIATION

    def content(self, size: Size) -> Size:
        """The part of the input, from its upper left corner, that a picture of this size takes."""
        if not self.padded:
            return Size(self.side, self.side)
        scale = self.side / max(size)
        return Size(max(1, int(size.width * scale + 0.5)), max(1, int(size.height * scale + 0.5)))

    def input_of(self, colours: Floats, size: Size) -> Any:
        """(1, 3, side, side) float32 tensor of sRGB colours, (h, w, 3) in [0, 1], of a picture of this size."""
        import torch

        content = self.content(size)
        # torch takes the strides of a plane that is one pixel wide for another order: such a picture lies on its side
        thin = min(colours.shape[1], content.width) == 1
        plane = torch.from_numpy(np.ascontiguousarray(colours.transpose((2, 1, 0) if thin else (2, 0, 1))))[None]
        scaled = torch.nn.functional.interpolate(
            plane, content.swapped.shape if thin else content.shape, mode="bilinear", antialias=True
        )
        scaled = scaled.transpose(2, 3) if thin else scaled
        mean, deviation = (torch.tensor(one)[:, None, None] for one in (self.mean, self.deviation))
        below, right = self.side - content.height, self.side - content.width
        return torch.nn.functional.pad((scaled - mean) / deviation, (0, right, 0, below))

    def places(self, points: Sequence[tuple[float, float]], size: Size) -> Floats:
        """(N, 2) x and y of places in the input.

        A place in a picture counts from the corner of its first pixel; networks add half a pixel to what they are
        given, as it was the number of a pixel, so that this is taken away here.
        """
        content = self.content(size)
        scale = np.array([content.width / size.width, content.height / size.height])
        return np.asarray(np.array(points, np.float64).reshape(-1, 2) * scale - 0.5, np.float32)

    def mask_input(self, mask: Flags, side: int) -> Any:
        """(1, 1, side, side) float32 tensor: a mask, (H, W), as the logits of an earlier selection."""
        import torch

        size = Size(mask.shape[1], mask.shape[0])
        content, scale = self.content(size), side / self.side
        height, width = max(1, round(content.height * scale)), max(1, round(content.width * scale))
        plane = torch.from_numpy(mask.astype(np.float32))[None, None]
        small = torch.nn.functional.interpolate(plane, (height, width), mode="area")
        padding = (0, side - width, 0, side - height)
        return torch.nn.functional.pad((2 * small - 1) * SURE, padding, value=-SURE)

    def mask_of(self, logits: Any, size: Size) -> Flags:
        """(H, W) bool of the picture's size: where a network's mask, (h, w) logits of its whole input, is above 0."""
        import torch

        plane = logits[None, None].float()
        if self.padded:
            content = self.content(size)
            plane = torch.nn.functional.interpolate(plane, (self.side, self.side), mode="bilinear")
            plane = plane[..., : content.height, : content.width]
        found = cv2.resize(plane[0, 0].numpy(), tuple(size), interpolation=cv2.INTER_LINEAR)  # quicker than torch's
        return np.asarray(found > 0, np.bool_)


SURE = 10.0
"""The logit of a place that is surely in a mask that is given."""


@dataclass(frozen=True, slots=True, eq=False)
class SamPrompt:
    """One thing that is meant.

    Attributes:
        points: Places on it and beside it.
        box: Around it; None where there is none.
        mask: (H, W) bool, an earlier selection of it; None likewise.
    """

    points: tuple[HintPoint, ...] = ()
    box: Box | None = None
    mask: Flags | None = None

    @property
    def ambiguous(self) -> bool:
        """Whether it may mean a thing, a part of it or a group: a single point does."""
        return len(self.points) == 1 and self.box is None and self.mask is None


def prompts_of(points: tuple[HintPoint, ...], boxes: Sequence[Box], mask: Flags | None) -> list[SamPrompt]:
    """What hints mean: a thing in each box, else the one at the points.

    A point belongs to the boxes that it lies in. Points on something that lie in no box mean one more thing. A mask
    alone means what is in the box around it; beside boxes or points it is an earlier selection of the first thing.
    """
    if not boxes:
        around = None if points or mask is None else Box.around(mask)
        return [SamPrompt(points, around, mask)]
    found = [SamPrompt(tuple(one for one in points if _within(one, box)), box) for box in boxes]
    apart = tuple(one for one in points if not any(_within(one, box) for box in boxes))
    if any(one.inside for one in apart):
        found.append(SamPrompt(apart))
    return [SamPrompt(found[0].points, found[0].box, mask), *found[1:]]


def _within(point: HintPoint, box: Box) -> bool:
    return box.left <= point.x <= box.right and box.top <= point.y <= box.bottom
