"""Masks from arrays, from pictures and from files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from overpaint.errors import MaskError
from overpaint.geometry import Size

from ._checks import LARGEST_AREA

if TYPE_CHECKING:
    from overpaint.picture import Picture

Values = NDArray[np.float32]
Samples = NDArray[np.uint8] | NDArray[np.uint16]
Channel = Literal["auto", "luminance", "alpha", "transparent"]
FileLike = str | os.PathLike[str] | bytes | BinaryIO
LARGEST_FILE = 1 << 28  # bytes; a mask file that is larger than this is something else


def from_array(array: ArrayLike) -> Values:
    """(H, W) float32 in [0, 1] from bool, uint8 (255 = 1), uint16 (65535 = 1) or float values in [0, 1]."""
    given = np.asarray(array)
    if given.ndim != 2:
        raise MaskError(f"a mask array must have the shape (H, W), not {given.shape}")
    if given.size == 0:
        raise MaskError(f"a mask must have at least one pixel, not the shape {given.shape}")
    if given.size > LARGEST_AREA:
        raise MaskError(f"a mask may have {LARGEST_AREA:,} pixels at most, not {given.shape[1]}x{given.shape[0]}")
    if given.dtype == np.bool_:
        return given.astype(np.float32)
    if given.dtype in (np.uint8, np.uint16):
        return _from_levels(given, int(np.iinfo(given.dtype).max), "array")
    if not np.issubdtype(given.dtype, np.floating):
        raise MaskError(f"a mask array must be bool, uint8, uint16 or float, not {given.dtype}")
    low, high = given.min(), given.max()
    if not (low >= 0 and high <= 1):
        wrong = np.isnan(given).any()
        raise MaskError(
            "a mask array has values that are not numbers (NaN)"
            if wrong
            else f"a float mask must have values in 0..1, not {low:g}..{high:g}"
        )
    return given.astype(np.float32)


def _from_levels(levels: Samples, maximum: int, what: str) -> Values:
    if levels.max() == 1:
        raise MaskError(
            f"the mask {what} has only the values 0 and 1, where {maximum} means repaint: multiply it by {maximum}, "
            "or give an array as bool"
        )
    values: Values = levels.astype(np.float32) / np.float32(maximum)
    return values


def from_alpha(picture: Picture) -> Values:
    """1 where the picture is transparent, 0 where it is opaque."""
    if picture.alpha is None:
        raise MaskError(
            f"the picture ({picture.mode}) has no alpha, so no part of it is transparent: give a mask another way"
        )
    values: Values = np.float32(1) - picture.alpha.astype(np.float32) / np.float32(picture.maximum)
    return values


def from_picture(picture: Picture, channel: Channel) -> Values:
    """A mask that was saved as a picture: white = repaint. See `Mask.from_file` for the rule about alpha."""
    if channel not in ("auto", "luminance", "alpha", "transparent"):
        raise MaskError(f"the channel must be 'auto', 'luminance', 'alpha' or 'transparent', not {channel!r}")
    if channel == "transparent":
        return from_alpha(picture)
    alpha = picture.alpha
    if channel == "alpha":
        return np.float32(1) - from_alpha(picture)
    light = _luminance(picture)
    if alpha is None or bool((alpha == picture.maximum).all()):
        return _from_levels(light, picture.maximum, "file")
    opaque: Values = alpha.astype(np.float32) / np.float32(picture.maximum)
    if channel == "auto":
        seen = picture.samples[opaque >= 0.5].reshape(-1, picture.samples.shape[2])
        if seen.size and int(np.ptp(seen, axis=0).max()) <= picture.maximum // 16:
            if light[opaque >= 0.5].max() < picture.maximum / 4:
                raise MaskError(
                    "all that is visible in the mask file is black, so it does not say which part to repaint",
                    code="mask-ambiguous",
                    field="mask_channel",
                    hint="choose the channel 'transparent' (OpenAI's form) or 'alpha' (black strokes on transparency)",
                )
            return opaque
    values: Values = light.astype(np.float32) / np.float32(picture.maximum) * opaque
    return values


def _luminance(picture: Picture) -> Samples:
    """(H, W) of the samples' own depth, by the weights of ITU-R BT.601, rounded: as Pillow's mode L has it."""
    samples = picture.samples
    if samples.shape[2] == 1:
        grey: Samples = samples[:, :, 0]
        return grey
    colours = samples.astype(np.float32)
    if samples.shape[2] == 4:  # CMYK, 0 = no ink
        most = np.float32(picture.maximum)
        colours = (most - colours[:, :, :3]) * ((most - colours[:, :, 3:]) / most)
    red, green, blue = colours[:, :, 0], colours[:, :, 1], colours[:, :, 2]
    light: Samples = np.rint(0.299 * red + 0.587 * green + 0.114 * blue).astype(samples.dtype)
    return light


def snapped(values: Values) -> Values:
    """0 under 0.1 and 1 over 0.9: what lossy encoding left around the two ends is taken away."""
    result = values.copy()
    result[values < np.float32(0.1)] = 0
    result[values > np.float32(0.9)] = 1
    return result


def read_bytes(source: FileLike) -> bytes:
    """The content of a file, of at most `LARGEST_FILE` bytes.

    Raises:
        MaskError: it can't be read, is too large or is empty.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        data, name = bytes(source), "the mask's data"
    elif isinstance(source, str | os.PathLike):
        name = f"the mask file {os.fspath(source)}"
        try:
            with Path(source).open("rb") as file:
                data = file.read(LARGEST_FILE + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise MaskError(f"{name} can't be read: {reason}") from error
    elif hasattr(source, "read"):
        data, name = source.read(LARGEST_FILE + 1), "the mask file"
        if not isinstance(data, bytes):
            raise MaskError("the mask file must be opened in binary mode")
    else:
        kind = type(source).__name__
        raise MaskError(f"a mask file must be a path, bytes or a binary file, not {kind} (for pixels: Mask.from_array)")
    if len(data) > LARGEST_FILE:
        raise MaskError(f"{name} is larger than {LARGEST_FILE >> 20} MiB, too large for a mask")
    if not data:
        raise MaskError(f"{name} is empty")
    return data


def from_file(source: FileLike, channel: Channel, size: Size | None, label: str | None, image: str | None) -> Values:
    """A picture file in any mode, or a document (COCO, LabelMe, CVAT), told apart by content."""
    from .formats import is_document, read_document

    data = read_bytes(source)
    if is_document(data):
        return read_document(data, size=size, label=label, image=image).values
    if label is not None or image is not None:
        raise MaskError(
            "a label or an image's name can be chosen in a COCO, LabelMe or CVAT document only, and this is a picture"
        )
    from overpaint.errors import PictureError
    from overpaint.picture import open_picture

    try:
        picture = open_picture(data)
    except PictureError as error:
        name = os.fspath(source) if isinstance(source, str | os.PathLike) else "the given data"
        raise MaskError(f"{name} can't be used as a mask: {error}") from error
    values = from_picture(picture, channel)
    return values if picture.source.lossless else snapped(values)
