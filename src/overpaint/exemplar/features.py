"""Patches as short vectors: squares of pixels in the space of their principal components.

Nearest neighbours of patches in a PCA space: Hertzmann, Jacobs, Oliver, Curless and Salesin, "Image analogies",
SIGGRAPH 2001, section 3.1.

Squared distances of colours alone prefer smooth patches. With `edges` > 0 the gradients inside the patch are compared
too: |p - q|^2 + edges^2 |D(p - q)|^2, where D takes the differences of neighbouring pixels. That is (p - q)' M (p - q)
with M = 1 + edges^2 D'D = L L', so that L is part of the projection and costs nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from .parallel import ALONE, Parallel, blocks, pieces

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Places = NDArray[np.intp]
"""(n,) flat indices of pixels: y * width + x."""

_CHUNK, _PIECE = 8192, 504
"""Patches that a thread takes at once; and those that are multiplied at once, few enough for the processor's caches.

A multiple of 12, see `search`.
"""


def gathered(channels: Floats, centres: Places, radius: int, stride: int = 1) -> Floats:
    """The patches around some pixels, (n, side * side * C) with side = 2 radius + 1.

    Args:
        channels: (h, w, C) float32.
        centres: Flat indices of pixels at least `radius * stride` away from every border.
        radius: Half the side, without the middle.
        stride: Pixels between a patch's samples; more than 1 for smooth pictures.
    """
    height, width, count = channels.shape
    side, reach = 2 * radius + 1, radius * stride
    channels = np.ascontiguousarray(channels)
    down, across, deep = channels.strides
    free = (height - 2 * reach, width - 2 * reach)
    if stride == 1:  # a row of samples is one run of memory
        view = as_strided(channels, (*free, side, side * count), (down, across, down, deep), writeable=False)
    else:
        steps = (down, across, stride * down, stride * across, deep)
        view = as_strided(channels, (*free, side, side, count), steps, writeable=False)
    rows, columns = np.divmod(centres, width)
    return np.asarray(view[rows - reach, columns - reach].reshape(len(centres), side * side * count), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """Principal components of a picture's patches.

    Attributes:
        mean: (D,) mean patch.
        axes: (D, d) columns, the largest variance first; orthonormal where gradients are not compared.
        radius: The patches' radius.
        stride: Pixels between their samples.
    """

    mean: Floats
    axes: Floats
    radius: int
    stride: int = 1

    @classmethod
    def of(
        cls,
        channels: Floats,
        centres: Places,
        radius: int,
        dims: int,
        sample: int = 4096,
        stride: int = 1,
        edges: float = 0.0,
    ) -> Basis:
        """At most `dims` components of at most `sample` of the patches around `centres`, evenly spaced."""
        picked = centres[:: max(1, len(centres) // sample)]
        patches = gathered(channels, picked, radius, stride)
        mean = patches.mean(axis=0, dtype=np.float64).astype(np.float32)
        patches = patches - mean
        spread = (patches.T @ patches).astype(np.float64)
        metric = np.kron(_metric(2 * radius + 1, edges), np.eye(channels.shape[2]))
        root = np.linalg.cholesky(metric)
        _, axes = np.linalg.eigh(root.T @ spread @ root)
        return cls(mean, np.ascontiguousarray(root @ axes[:, ::-1][:, :dims], np.float32), radius, stride)

    def project(
        self, channels: Floats, centres: Places, parallel: Parallel = ALONE, out: Floats | None = None
    ) -> Floats:
        """(n, d) float32: the patches around `centres` in this space, which nearly keeps their distances."""
        found = np.empty((len(centres), self.axes.shape[1]), np.float32) if out is None else out
        offset = self.mean @ self.axes
        channels = np.ascontiguousarray(channels)

        def place(block: slice) -> None:
            for piece in pieces(block, _PIECE):
                np.matmul(gathered(channels, centres[piece], self.radius, self.stride), self.axes, out=found[piece])
                found[piece] -= offset

        parallel.each(place, blocks(len(centres), _CHUNK))
        return found


def _metric(side: int, edges: float) -> NDArray[np.float64]:
    """(side * side, side * side): 1 + edges^2 D'D, with D the differences of neighbours in a square of pixels."""
    line = np.diff(np.eye(side), axis=0)
    stiff = line.T @ line
    every = np.eye(side)
    return np.asarray(np.eye(side * side) + edges**2 * (np.kron(stiff, every) + np.kron(every, stiff)), np.float64)


def inside(flags: Flags, radius: int) -> Flags:
    """(h, w) bool: pixels whose whole patch lies in the picture and in `flags`."""
    patch = np.ones((2 * radius + 1,) * 2, np.uint8)
    whole: NDArray[np.uint8] = cv2.erode(flags.view(np.uint8), patch, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return whole.view(np.bool_)


def touching(flags: Flags, radius: int) -> Flags:
    """(h, w) bool: pixels whose patch lies in the picture and touches `flags`."""
    return inside(np.ones_like(flags), radius) & ~inside(~flags, radius)
