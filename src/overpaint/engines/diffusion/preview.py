"""Cheap previews: colours of a latent, by a linear map that is fitted to the picture's own latents."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_RIDGE = 1e-2
"""Keeps the map small in directions without data, as in a picture of plain sky."""


class LatentPreview:
    """A linear map from the numbers of a latent cell to the mean colour of the pixels under it.

    It is fitted by ridge regression to one picture and its latents, so that it suits any autoencoder. Its cost is
    negligible beside a step.
    """

    def __init__(self, pixels: Floats, latents: torch.Tensor, mask: NDArray[np.float32]) -> None:
        """Fit the map.

        Args:
            pixels: (H, W, 3) in [0, 1], a picture.
            latents: (1, C, h, w), the encoded picture.
            mask: (H, W) in [0, 1]; 1 where a preview shows new pixels.
        """
        height, width = latents.shape[2:]
        self._known = _reduced(pixels, height, width)
        self._share = _reduced(mask[..., None], height, width)
        cells, colours = _cells(latents), self._known.reshape(-1, 3).astype(np.float64)
        self._middle, self._colour = cells.mean(axis=0), colours.mean(axis=0)
        spread = cells - self._middle
        square = spread.T @ spread / len(cells) + _RIDGE * np.eye(cells.shape[1])
        self._map = np.linalg.solve(square, spread.T @ (colours - self._colour) / len(cells))

    def __call__(self, estimate: torch.Tensor) -> Floats:
        """(h, w, 3) in [0, 1]: the colours of an estimate (1, C, h, w), with the known picture around the mask."""
        colours = (_cells(estimate) - self._middle) @ self._map + self._colour
        painted = colours.reshape(self._known.shape).clip(0, 1)
        return np.asarray(self._known + self._share * (painted - self._known), dtype=np.float32)


def _cells(latents: torch.Tensor) -> NDArray[np.float64]:
    """(h w, C)"""
    return np.asarray(latents[0].flatten(1).T.double().cpu().numpy())


def _reduced(image: Floats, height: int, width: int) -> Floats:
    """Means over the pixels of each cell, (h, w, C)."""
    whole = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))[None]
    means = torch.nn.functional.adaptive_avg_pool2d(whole, (height, width))[0]
    return np.asarray(means.permute(1, 2, 0).numpy())
