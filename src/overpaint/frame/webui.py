"""The frame policy of AUTOMATIC1111's web UI 1.10: one crop box around the blurred mask (spec/inpaint-settings.md 1).

The mask is blurred in 8 bits. With the area "masked" the box around it is padded and grown to the proportions of the
working size; the blurred mask is pasted with. With the area "whole" the whole picture is painted, and twice the blurred
mask is pasted with, so that all from 50 % on is new.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.errors import MaskError
from overpaint.geometry import Box, Size
from overpaint.mask import Mask
from overpaint.request import ResolvedRequest

from ._frame import Frame
from .edges import Edge, TwoMasks
from .fitting import ResizeMode, fitted
from .policy import FrameNeeds, FramePolicy
from .regions import Region
from .rules import SizeRules

_USUAL_SIDE = 512
"""The web UI's own width and height."""


@dataclass(frozen=True, slots=True)
class FittedFrame(Frame):
    """A frame whose box and working size may differ in their proportions. Pillow's Lanczos filter resizes.

    Attributes:
        into: How the box's pixels fit into the working size.
        back: How the canvas fits into the box.
    """

    into: ResizeMode = "contain"
    back: ResizeMode = "cover"

    def to_working(self, crop: NDArray[np.float32], *, smooth: bool = True) -> NDArray[np.float32]:
        """See `Frame.to_working`. Masks (not `smooth`) are resized in 8 bits."""
        if crop.shape[:2] == self.working.shape:
            return crop
        if smooth:
            return _by_plane(crop, self.working, self.into)
        levels = np.rint(np.clip(crop, 0, 1) * np.float32(255)).astype(np.uint8)
        return fitted(levels, self.working, self.into).astype(np.float32) / np.float32(255)

    def from_working(self, canvas: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Frame.from_working`."""
        return canvas if canvas.shape[:2] == self.box.size.shape else _by_plane(canvas, self.box.size, self.back)


def _by_plane(image: NDArray[np.float32], to: Size, mode: ResizeMode) -> NDArray[np.float32]:
    if image.ndim == 2:
        return fitted(image, to, mode)
    return np.stack([fitted(np.ascontiguousarray(image[..., k]), to, mode) for k in range(image.shape[2])], axis=2)


class WebuiPolicy(FramePolicy):
    """The rules of AUTOMATIC1111's web UI 1.10, with the defaults of its page."""

    dialect = "webui"
    defaults = MappingProxyType({"mask_blur": (4.0, 4.0), "padding": 32})
    ignores = frozenset({"grow", "feather", "reach_limit", "follow_effects"})
    corrects = False
    adds_detail = False
    share_decides = True

    def regions(self, mask: Mask, resolved: ResolvedRequest, needs: FrameNeeds) -> tuple[Region, ...]:
        """One region. A strict request has no blur."""
        levels = blurred_levels(mask.to_bytes8(), (0.0, 0.0) if resolved.strict else resolved.mask_blur or (0.0, 0.0))
        bounds = Box.around(levels > 0)
        if bounds.empty:
            raise MaskError("the mask is empty: no pixel is above 1 of 255 (white, 1, means repaint)")
        if resolved.area == "whole":
            frame = _whole_frame(mask.size, resolved, needs.sizes)
        else:
            wanted = working_size(resolved, needs.sizes)
            box = crop_box(bounds, mask.size, resolved.padding or 0, wanted)
            frame = FittedFrame(box, _in_steps(wanted, needs.sizes), mask.size)
        denoise = levels[bounds.slices].astype(np.float32) / np.float32(255)
        composite = np.minimum(np.float32(1), 2 * denoise) if resolved.area == "whole" else denoise
        return (Region(frame, TwoMasks(denoise, composite), bounds, Edge(), max(1, len(mask.components()))),)


def working_size(resolved: ResolvedRequest, sizes: SizeRules) -> Size:
    """Width and height that a masked area is painted at: as the request says, else a square."""
    if resolved.working_size is not None:
        return Size(*resolved.working_size)
    side = resolved.size or sizes.native or _USUAL_SIDE
    return Size(side, side)


def _in_steps(size: Size, sizes: SizeRules) -> Size:
    """The size in multiples, rounded down, as latents are in the web UI; no side is below the engine's minimum."""
    step = sizes.multiple
    least = -(-sizes.minimum // step) * step
    return Size(max(least, size.width // step * step), max(least, size.height // step * step))


def _whole_frame(picture: Size, resolved: ResolvedRequest, sizes: SizeRules) -> Frame:
    """The whole picture at its own size, in multiples, its edge repeated; or stretched to what the request says."""
    if resolved.working_size is not None:
        working = _in_steps(Size(*resolved.working_size), sizes)
        return FittedFrame(picture.box, working, picture, "stretch", "stretch")
    most = sizes.maximum_area if resolved.size is None else resolved.size**2
    if most is not None and picture.area > most:
        scale = math.sqrt(most / picture.area)
        working = _in_steps(Size(int(picture.width * scale), int(picture.height * scale)), sizes)
        return FittedFrame(picture.box, working, picture, "stretch", "stretch")
    step = sizes.multiple
    working = Size(-(-picture.width // step) * step, -(-picture.height // step) * step)
    return Frame(working.box, working, picture)


def blurred_levels(levels: NDArray[np.uint8], blur: tuple[float, float]) -> NDArray[np.uint8]:
    """A mask (H, W) blurred across, then down: OpenCV's Gaussian in 8 bits, of 2 floor(2.5 sigma + 0.5) + 1 pixels.

    `blur`: sigma across and down in pixels; 0 for none.
    """
    for sigma, kernel in zip(blur, ((kernel_size(blur[0]), 1), (1, kernel_size(blur[1]))), strict=True):
        if sigma > 0:
            levels = np.asarray(cv2.GaussianBlur(levels, kernel, sigma), np.uint8)
    return levels


def kernel_size(sigma: float) -> int:
    """Pixels that the Gaussian of a mask takes into account, an odd number."""
    return 2 * int(2.5 * sigma + 0.5) + 1


def crop_box(bounds: Box, picture: Size, padding: int, working: Size) -> Box:
    """The box that is painted: padded, then grown to the proportions of the working size as far as the picture goes.

    Args:
        bounds: The box of the blurred mask, inside the picture.
        picture: The picture's size.
        padding: Pixels on each side.
        working: The working size.
    """
    left, top, right, bottom = bounds.pad(padding).intersect(picture.box)
    aspect = working.width / working.height
    if (right - left) / (bottom - top) > aspect:
        top, bottom = _grown(top, bottom, int((right - left) / aspect - (bottom - top)), picture.height)
    else:
        left, right = _grown(left, right, int((bottom - top) * aspect - (right - left)), picture.width)
    return Box(left, top, right, bottom)


def _grown(low: int, high: int, more: int, limit: int) -> tuple[int, int]:
    """An interval grown by `more` on both sides, moved into 0 to `limit`, and cut where it is longer."""
    low, high = low - more // 2, high + more - more // 2
    if high > limit:
        low, high = low - (high - limit), limit
    if low < 0:
        low, high = 0, min(high - low, limit)
    return low, high
