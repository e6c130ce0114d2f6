"""Resizing into a size of other proportions, as AUTOMATIC1111's resize modes do it (spec/inpaint-settings.md 1)."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Size

ResizeMode = Literal["stretch", "cover", "contain"]
"""Each side apart; cut at the sides; whole, with its edge repeated at the sides."""

RESIZE_MODES: tuple[ResizeMode, ...] = ("stretch", "cover", "contain")
"""By AUTOMATIC1111's numbers."""

ResizeFilter = Literal["lanczos", "linear", "nearest"]


def fitted(plane: NDArray[Any], to: Size, mode: ResizeMode, filter: ResizeFilter = "lanczos") -> NDArray[Any]:
    """A plane in another size.

    Args:
        plane: (H, W) uint8 or float32. Floats may overshoot their range with Lanczos' filter.
        to: The new size.
        mode: What happens where the proportions differ.
        filter: Of Pillow.

    Returns:
        (to.height, to.width) of the same type.
    """
    from PIL import Image

    filters = Image.Resampling
    chosen = {"lanczos": filters.LANCZOS, "linear": filters.BILINEAR, "nearest": filters.NEAREST}[filter]
    size = inner_size(Size(plane.shape[1], plane.shape[0]), to, mode)
    left, top = to.width // 2 - size.width // 2, to.height // 2 - size.height // 2
    # What would be cut off is never made: in long, thin pictures that is nearly all of it.
    shown = Size(min(size.width, to.width), min(size.height, to.height))
    across, down = plane.shape[1] / size.width, plane.shape[0] / size.height
    cut_left, cut_top = max(0, -left), max(0, -top)
    right = min((cut_left + shown.width) * across, plane.shape[1])
    bottom = min((cut_top + shown.height) * down, plane.shape[0])
    image = Image.fromarray(plane)
    if shown.width < size.width:
        image = image.resize((shown.width, image.height), chosen, box=(cut_left * across, 0, right, image.height))
    elif shown.height < size.height:
        image = image.resize((shown.width, image.height), chosen)
    part = (0, cut_top * down, image.width, bottom)
    made = np.asarray(image.resize((shown.width, shown.height), chosen, box=part), plane.dtype)
    before, beside = max(0, top), max(0, left)
    around = ((before, to.height - before - made.shape[0]), (beside, to.width - beside - made.shape[1]))
    return np.pad(made, around, mode="edge")


def inner_size(size: Size, to: Size, mode: ResizeMode) -> Size:
    """The size that a picture of `size` is resized to before it is cut or its edge is repeated."""
    if mode == "stretch":
        return to
    wide = to.width * size.height > to.height * size.width  # `to` is wider in its proportions
    if wide == (mode == "cover"):
        return Size(to.width, max(1, size.height * to.width // size.width))
    return Size(max(1, size.width * to.height // size.height), to.height)
