"""What a step has painted, as one picture with transparency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from overpaint.geometry import Box
from overpaint.picture import Picture

from ._history import StepState
from ._paint import ReadArray, check_size_of, samples_of, weight_of
from ._values import Take


@dataclass(frozen=True, slots=True, eq=False)
class PaintLayer:
    """The paint of one take.

    Attributes:
        picture: The paint, transparent where there is none; of the original's kind and depth.
        box: Where it lies, in pixels of the original.
    """

    picture: Picture
    box: Box


def layer_of(take: Take, original: Picture, read: ReadArray) -> PaintLayer:
    """The paint of a take. Where its regions overlap, the later one shows.

    Args:
        take: The take.
        original: The picture, whose kind of samples it has.
        read: Reads arrays.

    Raises:
        SessionError: An array is missing, damaged, or does not fit the picture.
    """
    box = take.box
    check_size_of(box)
    samples = np.zeros((*box.size.shape, original.colour.samples), original.samples.dtype)
    alpha = np.zeros(box.size.shape, original.samples.dtype)
    plain = StepState(1, ("",))
    for patch in take.patches:
        here = Box(*patch.box).shift(-box.left, -box.top).slices
        weight = weight_of(patch, plain, read)
        painted = weight > 0
        np.copyto(samples[here], samples_of(patch, original, read), where=painted[..., np.newaxis])
        opacity = np.rint(weight * original.maximum).astype(alpha.dtype)
        np.copyto(alpha[here], np.maximum(alpha[here], opacity), where=painted)
    return PaintLayer(original.with_pixels(samples, alpha), box)
