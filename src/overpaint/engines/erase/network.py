"""What a network of an eraser is to the engine, and the padding that it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from overpaint.engines.base import Canvas

from .cards import NetworkNeeds

OnStep = Callable[[int, int], None]
"""Called after each step with its number and the number of steps; may raise to stop."""


class EraserNetwork(Protocol):
    """A network that fills holes.

    Attributes:
        sees_whole: Whether what it gives outside the hole is its own estimate, and not the picture pasted back.
    """

    sees_whole: bool

    def __call__(self, picture: Tensor, hole: Tensor, seed: int, on_step: OnStep) -> Tensor:
        """The picture with the hole filled.

        Args:
            picture: (1, 3, H, W) float32 in [0, 1], with the old pixels in the hole.
            hole: (1, 1, H, W) float32: 1 in the hole, else 0.
            seed: 0 to 2**63 - 1, for a network that begins with noise.
            on_step: To be called after each step.

        Returns:
            (1, 3, H, W) float32, about in [0, 1]; or (1, 4, H, W), the fourth channel being the share in [0, 1] of each
            pixel that is new, of a network that changes things beyond the hole as well.
        """


def mirrored(length: int, wanted: int, before: int = 0) -> Tensor:
    """Places of a line of pixels that goes on as in mirrors at both ends: 0 1 2 2 1 0 0 1 ...

    Args:
        length: Of the line.
        wanted: How many places.
        before: How many of them lie before the line's own beginning.
    """
    places = (torch.arange(wanted) - before) % (2 * length)
    return torch.where(places < length, places, 2 * length - 1 - places)


def shown(canvas: Canvas) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What a network is given of a canvas: the picture (H, W, 3), and the hole (H, W), 1 in it, else 0.

    Beyond the picture's border both go on as in a mirror: the border's own pixels, repeated, would show the network
    what was in a hole that touches it. What must not be copied, and what is transparent, is hole as well.
    """
    hole = canvas.hole
    if canvas.usable is None:
        return canvas.pixels, hole.astype(np.float32)
    real = hole | canvas.usable
    lines = []
    for side in (0, 1):
        inside = np.flatnonzero(real.any(axis=1 - side))
        first, last = int(inside[0]), int(inside[-1]) + 1
        lines.append(first + mirrored(last - first, real.shape[side], first).numpy())
    places = np.ix_(*lines)
    return canvas.pixels[places], (hole | ~canvas.usable)[places].astype(np.float32)


def padded_sides(height: int, width: int, needs: NetworkNeeds) -> tuple[int, int]:
    """Both sides as a network takes them: multiples, at least its shortest side, and equal where it takes squares."""
    sides = [-(-max(side, needs.least) // needs.multiple) * needs.multiple for side in (height, width)]
    return (max(sides), max(sides)) if needs.sizes.square else (sides[0], sides[1])


def padded(image: Tensor, needs: NetworkNeeds) -> Tensor:
    """A picture or hole (1, C, H, W) that goes on to the right and below as in a mirror, until its sides fit."""
    height, width = image.shape[-2:]
    rows, columns = padded_sides(height, width, needs)
    if (rows, columns) == (height, width):
        return image
    return image[..., mirrored(height, rows), :][..., mirrored(width, columns)]


def erased(
    network: EraserNetwork, picture: Tensor, hole: Tensor, needs: NetworkNeeds, *, seed: int, on_step: OnStep
) -> Tensor:
    """The picture with the hole filled, at its own size: padded by reflection for the network, and cropped."""
    height, width = picture.shape[-2:]
    found = network(padded(picture, needs), padded(hole, needs), seed, on_step)
    return found[..., :height, :width]
