"""The picture that is put in: a new background, or the object to add."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import InputError, PictureError, RequestError
from overpaint.frame import automatic_edge
from overpaint.geometry import Box, Size
from overpaint.mask import Mask
from overpaint.mask.matte import cut_out
from overpaint.picture import Picture, from_array, from_pil, open_picture
from overpaint.picture.colour import converter_for
from overpaint.request import EditRequest, blob_array

if TYPE_CHECKING:
    from PIL.Image import Image

Pictured: TypeAlias = "Picture | NDArray[Any] | Image | str | os.PathLike[str] | bytes | BinaryIO"
"""A picture, an array that `from_array` takes, a PIL image, or a file: its path, its bytes or open."""

LEAST_SIDE = 512
"""Pixels of a side to which a picture to put in may be reduced, so that a small place gets fine edges all the same."""


def picture_of(given: Pictured) -> Picture:
    """The picture itself, or that of an array, a PIL image or a file.

    Raises:
        PictureError: It can't be read, or pixels are of another kind.
    """
    from PIL.Image import Image

    if isinstance(given, Picture):
        return given
    if isinstance(given, np.ndarray):
        return from_array(given)
    if not isinstance(given, Image):
        return open_picture(given)
    try:
        return from_pil(given)
    except OSError as error:  # Pillow decodes a file when its pixels are first used
        raise PictureError(f"the PIL image can't be read: {error}") from None


def insert_picture(source: Pictured) -> Picture:
    """The picture to put in. Raises PictureError, about the field insert, where it can't be read."""
    try:
        return picture_of(source)
    except InputError as error:
        error.field = error.field or "insert"
        raise


def insert_raster(picture: Picture, object_mask: Mask | None, place: Size) -> NDArray[Any]:
    """A picture as a request names it: (h, w, 3), with alpha (h, w, 4), in sRGB, in the picture's depth. Of its own
    result it makes the same.

    Args:
        picture: The picture.
        object_mask: 1 = the object in it, which is cut out.
        place: The size of the picture that it is put into. One that would still cover it at half its own size is first
            reduced to the smallest whole part of its size that does; to `LEAST_SIDE` at the most.

    Raises:
        MaskError: The mask has another size.
    """
    marked = None if object_mask is None else object_mask.require_size(picture.size)
    samples, alpha = picture.samples, picture.alpha
    part = min(
        whole // max(needed, LEAST_SIDE)
        for whole, needed in ((picture.size.width, place.width), (picture.size.height, place.height))
    )
    if part > 1:
        samples = _reduced(samples, part)
        alpha = None if alpha is None else _reduced(alpha, part)
        marked = None if marked is None else Mask(_reduced(marked.values, part))
    colours = converter_for(picture, "srgb").to_canvas(samples) * np.float32(picture.maximum)
    if marked is not None:
        band = automatic_edge(marked.core[Box.around(marked.core).slices], engine="matte").grow if marked.hard else 0.0
        cut = cut_out(colours / np.float32(picture.maximum), marked.values, band)
        colours = cut.colour * np.float32(picture.maximum)
        own = np.rint(cut.opacity * np.float32(picture.maximum)).astype(picture.samples.dtype)
        alpha = own if alpha is None else np.minimum(own, alpha)
    samples = np.rint(colours).astype(picture.samples.dtype)
    return samples if alpha is None else np.dstack([samples, alpha])


def _reduced(values: NDArray[Any], part: int) -> NDArray[Any]:
    """(H, W, ...) as the means of squares of this side."""
    import cv2

    size = max(1, values.shape[1] // part), max(1, values.shape[0] // part)
    small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small[..., None] if values.ndim > small.ndim else small)


def insert_of(request: EditRequest, rasters: Mapping[str, NDArray[Any]]) -> NDArray[np.float32] | None:
    """(h, w, 4) float32 in [0, 1], sRGB and alpha, of the picture that a request puts in; None where it names none.

    Raises:
        RequestError: It is not there.
    """
    if request.insert is None:
        return None
    try:
        raster = blob_array(request.insert, rasters, what="picture that is put in", field="insert")
    except RequestError as error:
        error.field = error.field or "insert"
        raise
    values = raster.astype(np.float32) / np.float32(np.iinfo(raster.dtype).max)
    return values if values.shape[2] == 4 else np.dstack([values, np.ones_like(values[..., 0])])
