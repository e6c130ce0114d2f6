"""Soft inpainting: a soft mask decides at each step how much of a cell is new, and the change itself what is pasted.

The known latents z0 and the estimate x0 are mixed at every step by a share that depends on the mask and on the noise
level, and the mix gets back the magnitude that mixing takes away. After the last step each cell's opacity follows from
how much it changed. Formulas: spec/inpaint-settings.md 4, which describes AUTOMATIC1111's soft inpainting.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from .blend import BlendRule, KeptLatents

_RADIUS = 2
_SPREAD = 1.5
_BLUR = 4.0
"""Deviation in pixels of the blur of the final opacity."""


@dataclass(frozen=True, slots=True)
class SoftInpainting:
    """Its six parameters.

    Attributes:
        schedule_bias: p, 0 to 8: above 1 the old content is kept more in the early steps, below 1 in the late ones.
        preservation: k, 0 to 8: how much of the old content fractional cells keep; 0 keeps none.
        contrast: d, 1 to 32: how far magnitudes of the mix follow the larger of the two, instead of their mean.
        mask_influence: f, 0 to 1: how far the mask decides about opacity, instead of the change alone.
        difference_threshold: h, 0 to 8: a change of the latents that gets half of the opacity.
        difference_contrast: c, 0 to 8: how sharply opacity rises there.
    """

    schedule_bias: float = 1.0
    preservation: float = 0.5
    contrast: float = 4.0
    mask_influence: float = 0.0
    difference_threshold: float = 0.5
    difference_contrast: float = 2.0

    def share(self, mask: torch.Tensor, sigma: float) -> torch.Tensor:
        """The share of the estimate in each cell of a mask in [0, 1]: m^(k sigma^p); none where the mask is 0."""
        return torch.where(mask > 0, mask ** (self.preservation * sigma**self.schedule_bias), 0.0)

    def opacity(self, latents: torch.Tensor, z0: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """How much of each painted cell is shown, (1, 1, h, w) in [0, 1].

        For a change D it is 1 - S(1 / (1 + (D / h)^c)), S being smootherstep. The threshold h rises where the mask is
        low, as far as the mask has influence.

        Args:
            latents: (1, C, h, w), the finished ones.
            z0: (1, C, h, w), the known ones.
            mask: (1, 1, h, w) in [0, 1], linear.
        """
        change = (latents - z0).double().norm(dim=1, keepdim=True)
        change = percentile_mean(percentile_mean(change, 0.9, 1.0), 0.25, 0.75)
        f = self.mask_influence
        q = 0.5 * (1 - f) + f * (1 - mask.double() ** (self.preservation / 2))
        threshold = self.difference_threshold * q / (1.00001 - q)
        # At a threshold of 0 every change is above it, and no change is none.
        ratio = torch.where(change > 0, change / threshold.clamp(min=1e-12), 0.0)
        kept = 1 / (1 + ratio**self.difference_contrast)
        return (1 - kept**3 * (kept * (6 * kept - 15) + 10)).clamp(0, 1).float()


@dataclass(frozen=True, slots=True)
class SoftRule(BlendRule):
    """The blend rule of soft inpainting."""

    settings: SoftInpainting

    def estimate(self, x0: torch.Tensor, kept: KeptLatents, sigma: float, progress: float) -> torch.Tensor:
        """The mix of estimate and known latents, with its magnitude restored; cells of mask 0 are the known ones."""
        t = self.settings.share(kept.mask, sigma)
        d = self.settings.contrast
        mix = kept.z0 * (1 - t) + x0 * t
        old, new = (one.double().norm(dim=1, keepdim=True) for one in (kept.z0, x0))
        # Powers of magnitudes relative to the larger one: 32nd powers of latents would overflow.
        top = torch.maximum(old, new).clamp(min=1e-12)
        wanted = top * ((old / top) ** d * (1 - t) + (new / top) ** d * t) ** (1 / d)
        found = mix.double().norm(dim=1, keepdim=True)
        mixed = (mix * (wanted / (found + 1e-5))).to(x0.dtype)
        return torch.where(t <= 0, kept.z0, torch.where(t >= 1, x0, mixed))


def percentile_mean(values: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """The weighted mean of the values around each cell that lie between two percentiles of their weights.

    The 5 x 5 cells around weigh exp(-r^2 / 1.5^2) - exp(-3^2 / 1.5^2), the middle one being scaled to 1; cells beyond
    the border weigh nothing. A window of percentiles is at least as wide as the middle cell's weight.

    Args:
        values: (1, 1, h, w).
        low: Lower percentile, 0 to 1.
        high: Upper percentile, 0 to 1.

    Returns:
        (1, 1, h, w).
    """
    height, width = values.shape[2:]
    offsets = torch.arange(-_RADIUS, _RADIUS + 1, dtype=torch.float64)
    distance = offsets[:, None] ** 2 + offsets[None, :] ** 2
    kernel = torch.exp(-distance / _SPREAD**2) - np.exp(-((_RADIUS + 1) ** 2) / _SPREAD**2)
    kernel = (kernel.clamp(min=0) / kernel.max()).to(values).reshape(1, -1, 1)
    side = 2 * _RADIUS + 1
    around = functional.unfold(values, side, padding=_RADIUS)
    weight = kernel * functional.unfold(torch.ones_like(values), side, padding=_RADIUS)
    around, order = around.sort(dim=1)
    weight = weight.gather(1, order)
    upper = weight.cumsum(dim=1)
    total = upper[:, -1:]
    begin, end = low * total, high * total
    short = (1.0 - (end - begin)).clamp(min=0) / 2
    begin, end = begin - short, end + short
    begin, end = begin - (end - total).clamp(min=0), torch.minimum(end, total)  # a window at the top widens downwards
    begin, end = begin.clamp(min=0), end + (-begin).clamp(min=0)
    inside = (torch.minimum(upper, end) - torch.maximum(upper - weight, begin)).clamp(min=0)
    return ((around * inside).sum(1) / inside.sum(1)).reshape(1, 1, height, width)


def pixel_opacity(opacity: torch.Tensor, cell: int) -> NDArray[np.float32]:
    """(H, W) in [0, 1]: the opacity of cells (1, 1, h, w) enlarged to pixels and blurred."""
    pixels = functional.interpolate(opacity, scale_factor=cell, mode="bilinear", align_corners=False)
    blurred = cv2.GaussianBlur(pixels[0, 0].cpu().numpy(), (0, 0), _BLUR, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(np.clip(blurred, 0, 1), np.float32)
