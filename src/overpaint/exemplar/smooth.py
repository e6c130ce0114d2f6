"""Smooth interpolation of colours over unknown pixels.

`blurred` is normalised convolution (Knutsson and Westin, "Normalized and differential convolution", CVPR 1993) over an
image pyramid, as in the pull-push step of Gortler et al., "The Lumigraph", SIGGRAPH 1996. `membrane` goes on to relax
it level by level towards Laplace's equation, as cascadic multigrid does (Bornemann and Deuflhard, Numerische
Mathematik 75, 1996), which continues a linear ramp as a linear ramp.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .features import Flags, Floats
from .pyramid import cells

_CROSS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4


def blurred(pixels: Floats, known: Flags) -> Floats:
    """Fill unknown pixels with Gaussian means of the known ones, wider further away from them.

    Args:
        pixels: (H, W, C) float32; values at unknown pixels are ignored.
        known: (H, W) bool. With no known pixel at all the result is zero.

    Returns:
        (H, W, C) float32, equal to `pixels` where they are known.
    """
    return _pulled(pixels, known.astype(np.float32), sweeps=0)


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """What neighbouring pixels should differ by.

    Attributes:
        down: (H - 1, W, C): a pixel minus the one above it.
        across: (H, W - 1, C): a pixel minus the one to the left of it.
    """

    down: Floats
    across: Floats

    def halved(self, shape: tuple[int, int]) -> Steps:
        """The steps between the means of 2 x 2 pixels, for `shape` (h, w) cells.

        Such means differ by (a + 2 b + c) / 2, where b is the step between the cells, a and c those within them.
        """
        return Steps(_between(self.down, shape), _between(self.across.swapaxes(0, 1), shape[::-1]).swapaxes(0, 1))

    def pull(self) -> Floats:
        """(H, W, C) by how much a pixel should be more than the mean of its four neighbours."""
        height, width = self.across.shape[0], self.down.shape[1]
        found = np.zeros((height, width, self.down.shape[2]), np.float32)
        found[1:] += self.down
        found[:-1] -= self.down
        found[:, 1:] += self.across
        found[:, :-1] -= self.across
        return found / np.float32(4)


def _between(down: Floats, shape: tuple[int, int]) -> Floats:
    """(h - 1, w, C) vertical steps between cells of steps (H - 1, W, C) between pixels."""
    height, width = shape
    if len(down) == 0:
        return np.zeros((height - 1, width, down.shape[2]), np.float32)
    padded = np.pad(down, [(0, 2 * height - 1 - len(down)), (0, 2 * width - down.shape[1]), (0, 0)], mode="edge")
    sums = padded[0:-1:2][: height - 1] + 2 * padded[1::2][: height - 1] + padded[2::2][: height - 1]
    return np.asarray(sums[:, 0::2] + sums[:, 1::2], np.float32) / np.float32(4)


def membrane(pixels: Floats, known: Flags, sweeps: int = 12, steps: Steps | None = None) -> Floats:
    """Fill unknown pixels with a nearly harmonic function, which has no edges and no overshoot.

    With `steps` its neighbours differ by these as nearly as they can: the solution of Poisson's equation of Perez,
    Gangnet and Blake, "Poisson image editing", SIGGRAPH 2003, section 2.

    Args:
        pixels: (H, W, C) float32; values at unknown pixels are ignored.
        known: (H, W) bool. With no known pixel at all the result is zero.
        sweeps: Jacobi sweeps on each level; more come nearer to harmonic.

    Returns:
        (H, W, C) float32, equal to `pixels` where they are known.
    """
    weight = known.astype(np.float32)
    found = _pulled(pixels, weight, sweeps, steps)
    if steps is None:
        return found
    # Steps are sharp, and the coarse levels' are not: what is left of them is solved for once more.
    left = Steps(steps.down - np.diff(found, axis=0), steps.across - np.diff(found, axis=1))
    return found + _pulled(np.zeros_like(found), weight, sweeps, left)


def _pulled(values: Floats, weight: Floats, sweeps: int, steps: Steps | None = None) -> Floats:
    """Normalised convolution over a pyramid: means of known pixels are reduced, and enlarged into unknown ones."""
    height, width = weight.shape
    fixed = weight[..., None]
    # `values` may hold NaN where nothing is known, which a product with zero would keep.
    filled: Floats = np.where(fixed > 0, values, np.float32(0))
    if weight.min() > 0 or max(height, width) == 1:
        return filled
    # The weighted sum over the halved weight is the normalised mean; one known pixel makes its cell known.
    mass = cells(weight)
    means = (cells(filled * fixed) / np.maximum(mass, 1e-6)[..., None]).astype(np.float32)
    below = None if steps is None else steps.halved(mass.shape)
    coarse = _pulled(means, np.minimum(mass * 4, np.float32(1)), sweeps, below)
    wide = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).reshape(values.shape)
    filled = fixed * filled + (1 - fixed) * wide
    pull = None if steps is None else steps.pull()
    held = np.broadcast_to(fixed, values.shape).copy()
    free = 1 - held
    for _ in range(sweeps):
        spread = cv2.filter2D(filled, -1, _CROSS, borderType=cv2.BORDER_REPLICATE).reshape(values.shape)
        if pull is not None:
            spread += pull
        spread *= free
        filled *= held
        filled += spread
    return filled
