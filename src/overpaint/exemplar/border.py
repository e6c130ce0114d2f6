"""What a picture's right border shows: which pixels are unlike it, and whether an extension breaks it.

An extension goes on with what the border shows. A face or a ball further inside would be a second one beside it.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from overpaint.geometry import Box

from .features import Floats

_SIDE = 160
"""The longer side, in pixels, at which pixels are compared."""

_BAND, _ROWS = 0.06, 0.12
"""Width of the border's band, and rows up and down that are compared, as shares of width and height."""

_DEPTH = 0.01
"""Width of a band beside the border whose colours are compared, as a share of the longer side."""

_LIKE, _UNLIKE = 0.05, 0.2
"""Differences of colour and texture at which a pixel counts as like the border, and as wholly unlike it."""


def unlike_border(pixels: Floats) -> Floats:
    """How unlike the right border, within some rows up and down, each pixel is.

    Colours and strength of gradients are compared on a small picture.

    Args:
        pixels: (h, w, 3) float32.

    Returns:
        (h, w) float32: 0 like it, 1 unlike it.
    """
    height, width = pixels.shape[:2]
    scale = max(1.0, max(height, width) / _SIDE)
    size = (max(4, round(width / scale)), max(4, round(height / scale)))
    look = _looks(pixels, size)
    band = max(2, round(size[0] * _BAND))
    unlike = _unlike(look, look[:, -band:])
    return np.asarray(cv2.resize(unlike, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def border_breaks(pixels: Floats, picture: Box) -> tuple[float, float, float, float]:
    """The `border_break` on the left, top, right and bottom of a picture in an extended one; 0 without a margin.

    Args:
        pixels: (h, w, 3) float32, the extended picture.
        picture: Where the picture lies in it.
    """
    return _by_side(border_break, pixels, picture)


def unlike_beyond(pixels: Floats, picture: Box) -> tuple[float, float, float, float]:
    """How unlike its border an extension is on each side, 0 to 1 (`unlike_border`, its mean); 0 without a margin.

    Half a person beside a lawn has matches in the picture and breaks no border, but it is not what the border shows.

    Args:
        pixels: (h, w, 3) float32, the extended picture.
        picture: Where the picture lies in it.
    """
    return _by_side(_unlike_on_the_right, pixels, picture)


def _by_side(
    measure: Callable[[Floats, int], float], pixels: Floats, picture: Box
) -> tuple[float, float, float, float]:
    """A measure of an extended picture and its columns before the extension, on the left, top, right and bottom."""
    height, width = pixels.shape[:2]
    left, top, right, bottom = picture
    across, down = pixels[top:bottom], pixels[:, left:right].swapaxes(0, 1)
    return (
        measure(across[:, ::-1], width - left) if left > 0 else 0.0,
        measure(down[:, ::-1], height - top) if top > 0 else 0.0,
        measure(across, right) if right < width else 0.0,
        measure(down, bottom) if bottom < height else 0.0,
    )


def _unlike_on_the_right(pixels: Floats, width: int) -> float:
    pixels = np.ascontiguousarray(pixels)
    scale = max(1.0, max(pixels.shape[:2]) / _SIDE)
    size = (max(4, round(pixels.shape[1] / scale)), max(4, round(pixels.shape[0] / scale)))
    look = _looks(pixels, size)
    inner = min(size[0] - 1, max(2, round(width / scale)))
    return float(_unlike(look[:, inner:], look[:, :inner][:, -max(2, round(inner * _BAND)) :]).mean())


def border_break(pixels: Floats, width: int) -> float:
    """How far an extension departs, beside the border, from what the picture shows there.

    Means over three bands of d columns each, and of d rows, are compared: `far` and `near` lie inside the picture,
    `out` lies outside, beside `near`. With the step from one profile a to another b at row r, by root mean square over
    the channels and at the best of the shifts |k| <= d, so that slanted lines are no steps,

        step(a, b)[r] = min over k of rms(a[r] - b[r + k]),

    the break is the root mean square over all rows of what the step across the border is more than the one inside:

        excess[r] = max(0, across[r] - inside[r]),
        across = max(step(near, out), step(out, near)), inside = max(step(near, far), step(far, near)).

    A strong edge of `near` that `out` does not continue is a step in the first direction, one that begins at the border
    in the second.

    Args:
        pixels: (h, w, 3) float32, the extended picture.
        width: Its columns before the extension, less than w.

    Returns:
        On the scale of colours, 0 to 1. 0 where the border continues.
    """
    depth = max(2, round(max(pixels.shape[:2]) * _DEPTH))
    bands = [pixels[:, max(0, at) : max(1, at + depth)] for at in (width - 2 * depth, width - depth, width)]
    far, near, out = (
        cv2.blur(band.mean(axis=1, keepdims=True), (1, depth), borderType=cv2.BORDER_REPLICATE)[:, 0] for band in bands
    )
    across = np.maximum(_step(near, out, depth), _step(out, near, depth))
    inside = np.maximum(_step(near, far, depth), _step(far, near, depth))
    return float(np.sqrt((np.maximum(0, across - inside) ** 2).mean()))


def _step(one: Floats, other: Floats, reach: int) -> Floats:
    """(h,) the difference of two profiles (h, 3) at the best shift of the other by at most `reach` rows."""
    height = len(one)
    wide = np.pad(other, ((reach, reach), (0, 0)), mode="edge")
    squares = [((one - wide[at : at + height]) ** 2).mean(axis=1) for at in range(2 * reach + 1)]
    return np.asarray(np.sqrt(np.min(squares, axis=0)), np.float32)


def _unlike(look: Floats, border: Floats) -> Floats:
    """(h, w) how unlike each pixel (h, w, C) is to a border's band (h, b, C) some rows up and down, 0 to 1."""
    height = len(look)
    rows = max(2, round(height * _ROWS))
    nearest = np.full(look.shape[:2], np.inf, np.float32)
    for offset in range(-rows, rows + 1):
        here = slice(max(0, -offset), max(0, min(height, height - offset)))
        there = slice(max(0, offset), max(0, min(height, height + offset)))
        if here.start < here.stop:
            apart = ((look[here, :, None] - border[there, None]) ** 2).sum(axis=3).min(axis=2)
            nearest[here] = np.minimum(nearest[here], apart)
    return np.asarray(((np.sqrt(nearest) - _LIKE) / (_UNLIKE - _LIKE)).clip(0, 1), np.float32)


def _looks(pixels: Floats, size: tuple[int, int]) -> Floats:
    """(h, w, 5) of a small picture: hue and saturation, brightness, and the strength of gradients."""
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    bright = small.mean(axis=2, keepdims=True)
    grey = np.ascontiguousarray(pixels.mean(axis=2))
    strength = np.abs(cv2.Sobel(grey, -1, 1, 0, ksize=3)) + np.abs(cv2.Sobel(grey, -1, 0, 1, ksize=3))
    rough = cv2.GaussianBlur(cv2.resize(strength, size, interpolation=cv2.INTER_AREA), (0, 0), 1.5)
    return np.concatenate([1.5 * (small - bright), bright, 0.25 * rough[..., None]], axis=2).astype(np.float32)
