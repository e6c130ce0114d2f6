"""The frame: the part of the picture that an engine sees, its working size, and the way back.

A frame is the mask's box, padded for context and fitted to the engine's size rules. It is moved inside the picture, and
extended beyond it only where the picture is too small (spec/canvas-and-masks.md 1.7); there the picture's edge is
repeated, as a mirrored picture confuses users.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box, Margins, Size

from .rules import Context, SizeRules


@dataclass(frozen=True, slots=True)
class Framing:
    """How much of the picture an engine sees.

    Attributes:
        area: "masked": the surroundings of the mask; "whole": the whole picture.
        padding: Pixels of context around the mask's box; None: automatic.
        context: The rule of automatic padding.
    """

    area: Literal["masked", "whole"] = "masked"
    padding: int | None = None
    context: Context = field(default_factory=Context)

    def pad(self, bounds: Box) -> int:
        """Pixels of context for a mask with these bounds."""
        return self.context.padding(*bounds.size) if self.padding is None else self.padding


@dataclass(frozen=True, slots=True)
class Frame:
    """A box of the picture and the working size at which an engine sees it.

    Attributes:
        box: In pixels of the picture; outside of the picture its edge is repeated.
        working: The size of the canvas.
        picture: The size of the picture.
    """

    box: Box
    working: Size
    picture: Size

    @property
    def scale(self) -> float:
        """Working pixels per pixel of the picture (geometric mean of the axes, which differ only by rounding)."""
        return math.sqrt(self.working.area / self.box.area)

    @property
    def inside(self) -> Box:
        """The part of the box that lies in the picture."""
        return self.box.intersect(self.picture.box)

    @property
    def overhang(self) -> Margins:
        """How far the box extends beyond the picture."""
        return self.box.overhang(self.picture.box)

    def cut(self, image: NDArray[Any], outside: Literal["edge", "zero"] = "edge") -> NDArray[Any]:
        """The box's pixels of an (H, W) or (H, W, C) array of the picture's size, at the picture's scale.

        Args:
            image: Not written to; a view of it is returned where the box lies inside the picture.
            outside: The values beyond the picture: its edge repeated, or zeros.
        """
        if image.shape[:2] != self.picture.shape:
            raise ValueError(f"an array of the picture's size {self.picture} is needed, not {image.shape[:2][::-1]}")
        rows, columns = self.inside.slices
        part = image[rows, columns]
        if not self.overhang:
            return part
        left, top, right, bottom = self.overhang
        widths = ((top, bottom), (left, right), *(((0, 0),) * (image.ndim - 2)))
        return np.pad(part, widths, mode="edge") if outside == "edge" else np.pad(part, widths)

    def to_working(self, crop: NDArray[np.float32], *, smooth: bool = True) -> NDArray[np.float32]:
        """A float32 crop at the picture's scale, resized to the working size; itself when both are equal.

        Args:
            crop: (h, w) or (h, w, C), the box's size.
            smooth: Enlarge by cubic interpolation, which may overshoot; False for masks: linear, which stays in range.
        """
        return _resize(crop, self.working, smooth)

    def from_working(self, canvas: NDArray[np.float32]) -> NDArray[np.float32]:
        """A float32 canvas at the working size, resized to the box's; itself when both are equal."""
        return _resize(canvas, self.box.size, True)


_SPARED_ENLARGEMENT = 0.75
"""A frame with at least this share of the native side gets more context, instead of being enlarged by up to a third."""


def fit(bounds: Box, picture: Size, framing: Framing, sizes: SizeRules, mask: Box | None = None) -> Frame:
    """The frame for a hole with these bounds.

    Padding ends at the picture's border; only a size rule that the picture is too small for leads beyond it. With a
    native size and automatic padding each side of the box is at least half of that size, so that nothing is enlarged
    more than twice; and a box that would be enlarged a little gets more context instead, at the picture's own scale: it
    costs the same, and no pixel is resampled.

    Args:
        bounds: The box of the denoise mask, inside the picture: the minimum that must be seen.
        picture: The picture's size.
        framing: How much of the picture the engine sees.
        sizes: The sizes that the engine takes.
        mask: The box of the user's mask, from which context is measured; `bounds` when left out. From `bounds`, the
            width of the edge would count twice, and a 5 % mask of 1024x1024 would be seen at 664x664.
    """
    if bounds.empty or not picture.box.contains(bounds):
        raise ValueError(f"the hole {bounds} must lie inside the picture {picture} and not be empty")
    if framing.area == "whole":
        box = picture.box
    else:
        core = bounds if mask is None else mask
        least = framing.context.minimum // 2 if framing.padding is None else 0  # beyond a wide edge too
        box = core.pad(framing.pad(core)).union(bounds.pad(least))
        if sizes.native is not None and framing.padding is None:
            box = _at_least(box, sizes.native // 2, sizes.native // 2)
            short = sizes.native / math.sqrt(box.area)
            if 1 < short <= 1 / _SPARED_ENLARGEMENT:
                box = _at_least(box, math.ceil(box.width * short), math.ceil(box.height * short))
        box = box.move_inside(picture.box).intersect(picture.box)
    width, height = box.size
    if sizes.square:
        width = height = max(width, height)
    elif sizes.maximum_aspect is not None:
        width = max(width, math.ceil(height / sizes.maximum_aspect))
        height = max(height, math.ceil(width / sizes.maximum_aspect))
    scale = _scale(width, height, sizes)
    working = _working(width * scale, height * scale, sizes)
    box = _at_least(box, max(width, round(working.width / scale)), max(height, round(working.height / scale)))
    return Frame(box.move_inside(picture.box), working, picture)


def _at_least(box: Box, width: int, height: int) -> Box:
    """The box enlarged about its centre to at least these sides."""
    wider, higher = max(0, width - box.width), max(0, height - box.height)
    return box.pad(Margins(wider // 2, higher // 2, wider - wider // 2, higher - higher // 2))


def _scale(width: int, height: int, sizes: SizeRules) -> float:
    """The scale of a box of this size: 1 where the rules allow it."""
    area = width * height
    scale = 1.0
    if sizes.native is not None and area < sizes.native**2:
        scale = sizes.native / math.sqrt(area)
    if min(width, height) * scale < sizes.minimum:
        scale = sizes.minimum / min(width, height)
    if sizes.maximum_area is not None and area * scale * scale > sizes.maximum_area:
        scale = math.sqrt(sizes.maximum_area / area)
    return scale


def _working(width: float, height: float, sizes: SizeRules) -> Size:
    """The size in multiples, rounded up where the maximum area allows it.

    Otherwise the largest that is allowed, with one side or both rounded down. Squares stay squares.
    """
    step = sizes.multiple
    up = Size(_ceil(width, step), _ceil(height, step))
    if sizes.maximum_area is None or up.area <= max(sizes.maximum_area, step * step):
        return up
    down = Size(max(step, int(width) // step * step), max(step, int(height) // step * step))
    mixed = [] if sizes.square else [Size(up.width, down.height), Size(down.width, up.height)]
    fitting = [size for size in mixed if size.area <= sizes.maximum_area]
    return max([down, *fitting], key=lambda size: size.area)


def _ceil(value: float, step: int) -> int:
    # The slack keeps 512.0000001 from becoming 520 where the scale was computed to give 512.
    return max(step, math.ceil(value / step - 1e-6) * step)


def _resize(image: NDArray[np.float32], size: Size, smooth: bool) -> NDArray[np.float32]:
    if image.shape[:2] == size.shape:
        return image
    # Area averages to reduce (no aliasing, and no part of a hole is lost); interpolation to enlarge.
    smaller = size.area < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC if smooth else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (size.width, size.height), interpolation=method), dtype=np.float32)
