"""Masks from arrays, pictures and files: the meaning of colour and alpha. `_plausible` checks the values."""

from __future__ import annotations

import io
import os
from typing import Literal

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from overpaint.bounded import printed
from overpaint.errors import MaskError, PictureError
from overpaint.geometry import Size
from overpaint.picture import Picture, PictureLimits, open_picture
from overpaint.picture.decoded import IndexedPixels
from overpaint.picture.messages import PRINTED
from overpaint.picture.open import FileLike, indexed_pixels, read_source

from ._checks import as_size, check_area
from ._mask import Mask
from ._plausible import FLOOR, LARGEST_LABEL, RINGING, flat_areas, from_levels, is_flat, plausible, snapped
from .formats import is_document, read_document

Values = NDArray[np.float32]
Samples = NDArray[np.uint8] | NDArray[np.uint16]
Channel = Literal["auto", "luminance", "alpha", "transparent"]
LARGEST_FILE = 1 << 28  # bytes; a mask file that is larger than this is something else

_SAMPLE = 200_000  # pixels that a colour statistic is taken from
_ONE_HUE = 0.97  # length of the mean of unit vectors of hue: within about 15 degrees of one another
_FEW_COLOURS = 32  # that hold nine tenths of the coloured pixels of a drawing, 5 bits a channel; a photograph has more
_MANY_GREYS = 64
_DARK = 1 / 8  # of full brightness: below it colour counts as black


def from_array(array: ArrayLike) -> Mask:
    """From bool, uint8 (255 = 1), uint16 (65535 = 1), other integers up to 255, or floats in [0, 1], or 0 and 255."""
    given = np.asarray(array)
    if given.ndim == 3 and given.shape[2] == 1:
        given = given[:, :, 0]
    if given.ndim != 2:
        raise MaskError(f"a mask array must have the shape (H, W), not {given.shape}")
    as_size((given.shape[1], given.shape[0]))
    if given.dtype == np.bool_:
        return Mask(given.astype(np.float32))
    if given.dtype in (np.uint8, np.uint16):
        return from_levels(given)
    if np.issubdtype(given.dtype, np.integer) and given.min() >= 0 and given.max() <= 255:
        return from_levels(given.astype(np.uint8))
    if not np.issubdtype(given.dtype, np.floating):
        raise MaskError(f"a mask array must be bool, uint8, uint16, integers from 0 to 255 or float, not {given.dtype}")
    low, high = given.min(), given.max()
    if low >= 0 and high == 255 and np.isin(given, (0, 255)).all():
        note = "the mask is of floats and has only the values 0 and 255: 255 was taken as repaint"
        return Mask((given > 0).astype(np.float32), (note,))
    if not (low >= 0 and high <= 1):
        span = "NaN" if np.isnan(low) else f"{low:g}..{high:g}"
        message = f"a float mask must have values in 0..1, not {span}"
        raise MaskError(message, code="mask-range", field="mask", value=span)
    return plausible(Mask(given.astype(np.float32)))


def from_alpha(picture: Picture) -> Mask:
    """1 where the picture is transparent, 0 where it is opaque.

    Values are exact, because a faint rim is a part of the transparency; faint specks apart from it are left out.
    """
    values = _opacity(picture)
    np.subtract(np.float32(1), values, out=values)
    faint = np.logical_and(values > 0, values < np.float32(FLOOR))
    if faint.any():
        _, pieces = cv2.connectedComponents((values > 0).view(np.uint8), connectivity=8)
        values[~np.isin(pieces, np.unique(pieces[values >= np.float32(FLOOR)]))] = 0
    return Mask(values)


def _opacity(picture: Picture) -> Values:
    if picture.alpha is None:
        raise MaskError(
            f"the picture ({picture.mode}) has no alpha, so no part of it is transparent: give a mask another way",
            code="mask-no-alpha",
            field="mask",
            value=picture.mode,
        )
    values: Values = picture.alpha.astype(np.float32)
    values /= np.float32(picture.maximum)
    return values


def from_picture(picture: Picture, channel: Channel) -> Mask:
    """A mask that was saved as a picture: white = repaint. See `Mask.from_file` for the rules about alpha and colour.

    Raises:
        MaskError: an opaque photograph in colour; visible pixels that are all black.
    """
    if channel not in ("auto", "luminance", "alpha", "transparent"):
        raise MaskError(f"the channel must be 'auto', 'luminance', 'alpha' or 'transparent', not {channel!r}")
    if channel == "transparent":
        return _checked(from_alpha(picture).values, picture)
    if channel == "alpha":
        return _checked(_opacity(picture), picture)
    opaque = None if picture.alpha is None else _opacity(picture)
    if opaque is None or bool((opaque > np.float32(1 - FLOOR)).all()):
        return _from_opaque(picture, channel)
    if channel == "auto":
        read = _from_layer(picture, opaque)
        if read is not None:
            return read
    return _checked(_luminance(picture).astype(np.float32) / np.float32(picture.maximum) * opaque, picture)


def _checked(values: Values, picture: Picture, *notes: str) -> Mask:
    return plausible(Mask(values if picture.source.lossless else snapped(values), notes))


def _from_opaque(picture: Picture, channel: Channel) -> Mask:
    """Grey by its levels, one hue on black by its brightest channel, other colour by its luminance."""
    lossless, top = picture.source.lossless, picture.maximum
    if channel == "auto" and picture.samples.shape[2] > 1:
        rgb = _rgb(picture)
        red, green, blue = cv2.split(rgb)
        high = cv2.max(cv2.max(red, green), blue)
        chroma = high - cv2.min(cv2.min(red, green), blue)
        if not chroma.any():
            return from_levels(red, lossless=lossless)
        coloured = chroma > top // 8
        if np.mean(coloured) > 0.0005:
            on_black = np.mean(high[~coloured] < top // 8) > 0.995 if not coloured.all() else False
            colours = _sampled(rgb[coloured])
            if on_black and _hue_spread(colours) >= _ONE_HUE:
                brightest = int(high.max())
                colour = ",".join(str(int(level)) for level in np.median(colours, axis=0))
                note = f"the mask is of one colour ({colour}) on black: its brightest channel was taken"
                return _checked(high.astype(np.float32) / np.float32(brightest), picture, note)
            if np.mean(coloured) > 0.05 and (count := _colour_count(colours, top)) > _FEW_COLOURS:
                raise MaskError(
                    f"the mask is a photograph: it is opaque and in colour, with {count} colours in nine tenths of it",
                    code="mask-is-photo",
                    field="mask",
                    value=f"{picture.size} {picture.mode}",
                    hint="a mask is white where the picture is repainted and black elsewhere, or a copy of the picture "
                    "that is transparent there",
                )
            if on_black:
                note = "the mask has several colours on black, taken as labels: every label is repainted"
                return _checked((high >= top // 8).astype(np.float32), picture, note)
            note = "the mask is in colour: each pixel counts by its luminance"
            return from_levels(_luminance(picture), lossless=lossless, notes=(note,))
    return from_levels(_luminance(picture), lossless=lossless)


def _from_layer(picture: Picture, opaque: Values) -> Mask | None:
    """The mask of a picture with transparent parts: alpha of strokes in one colour, the hole of a photograph.

    None for other pictures, whose luminance over black is the mask.
    """
    top, seen = picture.maximum, opaque >= opaque.max() / 2  # a brush may have any opacity
    samples = picture.samples[seen].reshape(-1, picture.samples.shape[2])
    if not samples.size:
        return None
    light = _luminance(picture)[seen]
    if int(np.ptp(samples, axis=0).max()) <= top // 16:
        if _rgb(picture)[seen].max() < top / 4:
            raise MaskError(
                "all that is visible in the mask file is black, so it does not say which part to repaint",
                code="mask-ambiguous",
                field="mask_channel",
                hint="choose the channel 'transparent' (OpenAI's form) or 'alpha' (black strokes on transparency)",
            )
        return _checked(opaque, picture)
    some = opaque > np.float32(2 * RINGING)
    straight = picture.samples[some].astype(np.float32) / (opaque[some][:, None] * np.float32(top))
    if some.any() and straight.max() <= 1.05 and np.ptp(straight, axis=0).max() <= 0.1 and straight.max() > 0.25:
        return _checked(opaque, picture, "the mask is of one colour, multiplied by its alpha: alpha was taken")
    rgb = _sampled(_rgb(picture)[seen])
    chroma = rgb.max(axis=1).astype(np.int64) - rgb.min(axis=1)
    coloured = rgb[chroma > top // 8]
    in_colour = len(coloured) > 0.05 * len(rgb) and _hue_spread(coloured) < _ONE_HUE
    greys = np.bincount((light.astype(np.float32) * np.float32(255 / top)).astype(np.uint8))
    between = greys[round(255 * RINGING) : round(255 * (1 - RINGING))].sum() > 0.5 * greys.sum()
    photo = between and np.count_nonzero(greys) > _MANY_GREYS
    if not (in_colour or photo):
        return None
    border = np.concatenate([seen[0], seen[-1], seen[:, 0], seen[:, -1]])
    if photo or _colour_count(coloured, top) > _FEW_COLOURS or np.mean(border) >= 0.5:
        note = "the mask is a picture with transparent parts, taken as OpenAI's form: these are repainted"
        return _checked(from_alpha(picture).values, picture, note)
    return _checked(opaque, picture, "the mask has strokes of several colours on a transparent layer: alpha was taken")


def _sampled(pixels: Samples) -> Samples:
    """At most `_SAMPLE` of the pixels, evenly taken."""
    return pixels[:: len(pixels) // _SAMPLE + 1]


def _hue_spread(colours: Samples) -> float:
    """1 when all (N, 3) coloured pixels have one hue; near 0 when all hues are there."""
    red, green, blue = colours.astype(np.float32).T
    hues = red + green * np.exp(2j * np.pi / 3) + blue * np.exp(-2j * np.pi / 3)
    return float(np.abs(np.mean(hues / np.maximum(np.abs(hues), 1e-6))))


def _colour_count(colours: Samples, top: int) -> int:
    """How many colours, of 5 bits a channel, nine tenths of the (N, 3) pixels have."""
    bits = (colours >> (3 if top == 255 else 11)).astype(np.int64)
    counts = np.sort(np.bincount(bits[:, 0] << 10 | bits[:, 1] << 5 | bits[:, 2]))[::-1]
    return int(np.searchsorted(np.cumsum(counts), 0.9 * counts.sum()) + 1)


def _rgb(picture: Picture) -> Samples:
    """(H, W, 3) of the samples' own depth, grey repeated, CMYK as light."""
    samples = picture.samples
    if samples.shape[2] == 1:
        return np.asarray(np.repeat(samples, 3, axis=2), samples.dtype)
    if samples.shape[2] == 3:
        return samples
    most = np.float32(picture.maximum)
    light = (most - samples[:, :, :3].astype(np.float32)) * ((most - samples[:, :, 3:].astype(np.float32)) / most)
    return np.asarray(np.rint(light), samples.dtype)


def _luminance(picture: Picture) -> Samples:
    """(H, W) of the samples' own depth, by the weights of ITU-R BT.601, rounded, as in Pillow's mode L."""
    if picture.samples.shape[2] == 1:
        return np.asarray(picture.samples[:, :, 0])
    red, green, blue = (_rgb(picture)[:, :, c].astype(np.float32) for c in range(3))
    return np.asarray(np.rint(0.299 * red + 0.587 * green + 0.114 * blue), picture.samples.dtype)


def from_file(source: FileLike, channel: Channel, size: Size | None, label: str | None, image: str | None) -> Mask:
    """A picture file in any mode, or a document (COCO, LabelMe, CVAT); the content decides."""
    path = os.fspath(source) if isinstance(source, str | os.PathLike) else None
    name = "the mask's data" if path is None else f"the mask file {path}"
    try:
        data = read_source(source, PictureLimits(bytes=LARGEST_FILE))
    except (OSError, ValueError) as error:
        raise MaskError(
            f"{name} can't be read: {getattr(error, 'strerror', None) or error}", field="mask", value=path
        ) from error
    if is_document(data):
        return read_document(data, size=size, label=label, image=image)
    if label is not None or image is not None:
        raise MaskError(
            "a label or an image's name can be chosen only in a COCO, LabelMe or CVAT document, and this is a picture",
            code="mask-not-annotated",
            value=image if label is None else label,
        )
    try:
        picture = open_picture(data)
        indexed = indexed_pixels(picture) if channel == "auto" else None
    except PictureError as error:
        values = _float_tiff(data)
        if values is not None:
            return from_array(values)
        raise MaskError(f"{name} can't be used as a mask: {str(error).removeprefix('the picture: ')}") from error
    labelled = None if indexed is None else _indexed_labels(indexed, picture)
    read = labelled or from_picture(picture, channel)
    return Mask(read.values, (*read.notes, *(f"the mask: {fault}" for fault in picture.source.faults)))


def _indexed_labels(indexed: IndexedPixels, picture: Picture) -> Mask | None:
    """The mask of an indexed picture whose indices are labels; None where its colours are the mask.

    Labels fill flat areas, and label 0 stays. Two colours, other greys than levels by their index, and shades of one
    hue are a drawing.

    Raises:
        MaskError: There are labels, and the first is not black, so that it may not be what stays.
    """
    indices = indexed.indices
    used = np.flatnonzero(np.bincount(indices.ravel()))
    if len(used) < 3:
        return None
    colours = indexed.palette[used]
    chroma = np.ptp(colours.astype(np.int64), axis=1)
    flat = flat_areas(indices)
    if not chroma.any():
        small = (indices > 0) & (indices <= LARGEST_LABEL)
        labels = bool((colours[:, 0] == used).all()) and is_flat(flat, small)
    elif _hue_spread(colours[chroma > 0]) >= _ONE_HUE:
        labels = all(is_flat(flat, indices == one) for one in used if one)
    else:
        labels = is_flat(flat, indices > 0)
    if not labels:
        return None
    if indexed.palette[0].max() >= _DARK * 255:
        raise MaskError(
            f"the mask is an indexed picture of {len(used)} colours whose index 0 is not black: it does not say which "
            "part stays",
            value=f"{picture.size} {picture.source.mode}",
            hint="make what stays black at index 0, or what is repainted white and all else black",
        )
    note = f"the mask is an indexed picture, and its {len(used)} indices were taken as labels: every label but 0 is "
    return Mask((indices > 0).astype(np.float32), (f"{note}repainted",))


def _float_tiff(data: bytes) -> Values | None:
    """(H, W) of a grey TIFF of floats, which pictures do not support; None for any other file."""
    from PIL import Image, ImageOps

    try:
        with printed(PRINTED), Image.open(io.BytesIO(data), formats=("TIFF",)) as image:
            if image.mode != "F":
                return None
            check_area(image.width * image.height, "the mask")
            return np.asarray(ImageOps.exif_transpose(image), np.float32)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
