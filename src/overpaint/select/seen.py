"""A picture as a person sees it: sRGB colours, of all of it at a bounded size or of a part at its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from overpaint.geometry import Box, Size
from overpaint.picture import Picture
from overpaint.picture.colour import ColourConverter, converter_for

from .cache import shared

Floats = NDArray[np.float32]

BEHIND = np.float32(0.5)
"""The grey that shows where a picture is transparent."""


@dataclass(frozen=True, slots=True, eq=False)
class SeenPicture:
    """A picture's colours for a selector.

    Attributes:
        picture: The picture.
        converter: Of its samples to sRGB.
        digest: SHA-256 of its pixels and of the profile that they are seen through.
    """

    picture: Picture
    converter: ColourConverter
    digest: str

    @classmethod
    def of(cls, picture: Picture) -> SeenPicture:
        """The picture as it is seen."""
        known = hashlib.sha256(f"{picture.samples.shape}{picture.samples.dtype}{picture.metadata.code_points}".encode())
        known.update(picture.metadata.icc or b"")
        for part in (picture.samples, picture.alpha):
            if part is not None:
                known.update(np.ascontiguousarray(part).data)
        return cls(picture, converter_for(picture, "srgb"), known.hexdigest())

    @property
    def size(self) -> Size:
        """Of the picture, in pixels."""
        return self.picture.size

    def scale_to(self, side: int, box: Box | None = None) -> float:
        """The scale, at most 1, at which the longer side of a part (None: all) has this many pixels."""
        size = self.size if box is None else box.size
        return min(1.0, side / max(size))

    def part(self, box: Box | None = None, side: int | None = None) -> Floats:
        """(h, w, 3) float32 in [0, 1], sRGB: a part of the picture, reduced until its longer side has `side` pixels.

        All of it at a reduced size is kept in the cache.
        """
        if box is None and side is not None:
            return shared.get((self.digest, "part", side), lambda: self._part(self.size.box, side), _bytes)
        return self._part(self.size.box if box is None else box, side)

    def colours_from(self, part: Box) -> Callable[[Box], Floats]:
        """What gives the colours in a box within this part, whose coordinates count from the part's corner."""
        return lambda box: self._part(box.shift(part.left, part.top), None)

    def _part(self, box: Box, side: int | None) -> Floats:
        scale = 1.0 if side is None else self.scale_to(side, box)
        colours = self.converter.to_canvas(_reduced(self.picture.samples[box.slices], scale))
        if self.picture.alpha is not None:
            alpha = _reduced(self.picture.alpha[box.slices][..., None], scale).astype(np.float32)
            alpha /= np.float32(self.picture.maximum)
            colours = colours * alpha + BEHIND * (1 - alpha)
        return np.ascontiguousarray(np.clip(colours, 0, 1), np.float32)


def _bytes(array: NDArray[Any]) -> int:
    return int(array.nbytes)


def _reduced(samples: NDArray[Any], scale: float) -> NDArray[Any]:
    """(h, w, C) at a scale of at most 1, by averages of areas."""
    height, width = samples.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if size == (width, height):
        return samples
    return np.asarray(cv2.resize(samples, size, interpolation=cv2.INTER_AREA)).reshape(size[1], size[0], -1)
