"""Blend rules: how the kept part of a picture stays as it is while the rest is sampled.

- `estimate` (native): in kept cells the estimate x0 is replaced by the known latents z0. No noise has to be added
  again: with x0 = z0 the kept part follows z0 + sigma * noise and ends at z0.
- `renoise` (diffusers, 4 channels): after each call the kept part of x is replaced by z0 with fixed noise of the next
  level (Avrahami et al. 2023, blended latent diffusion, arXiv 2206.02779).
- `none` (diffusers, 9 channels): the network itself keeps the part that it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from .values import StepResult

BlendRule = Literal["estimate", "renoise", "none"]


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """A blend rule with the latents that it keeps.

    Attributes:
        rule: Its name.
        mask: (1, 1, h, w) float32 in [0, 1]; 1 is free.
        kept: (1, C, h, w) float32, the known latents z0.
        noise: (1, C, h, w), the noise that the picture started with, for `renoise`.
    """

    rule: BlendRule
    mask: torch.Tensor
    kept: torch.Tensor
    noise: torch.Tensor | None = None

    def free(self, step: int, steps: int) -> torch.Tensor:
        """(1, 1, h, w) of 0 and 1: cells that are free at step `step` of `steps`.

        Differential (Levin and Fried 2023, arXiv 2306.00950): a fractional cell m is kept until the progress
        step / steps reaches 1 - m, and is free from then on, so that m is the cell's own strength.
        """
        # With the tolerance a cell of 0.5 is free at step 5 of 10, however 1 - 5 / 10 is rounded.
        return (self.mask >= 1 - step / steps - 1e-6).to(self.kept) * (self.mask > 0)

    def estimate(self, x0: torch.Tensor, step: int, steps: int) -> torch.Tensor:
        """The estimate with the kept cells put back."""
        return torch.where(self.free(step, steps) > 0, x0, self.kept) if self.rule == "estimate" else x0

    def step(self, result: StepResult) -> torch.Tensor:
        """x after a network call, with the kept cells put back at its noise level."""
        if self.rule != "renoise":
            return result.x
        assert self.noise is not None
        return (1 - self.mask) * (self.kept + result.sigma * self.noise) + self.mask * result.x

    def final(self, x: torch.Tensor, steps: int) -> torch.Tensor:
        """The finished latents: cells that were never free are the known ones, without rounding."""
        if self.rule == "renoise":
            return (1 - self.mask) * self.kept + self.mask * x
        return self.estimate(x, steps - 1, steps)
