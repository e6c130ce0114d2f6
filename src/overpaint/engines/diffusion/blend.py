"""Blend rules: how the kept part of a picture stays as it is while the rest is sampled.

- `EstimateRule` (native): in kept cells the estimate x0 is replaced by the known latents z0. No noise has to be added
  again: with x0 = z0 the kept part follows z0 + sigma * noise and ends at z0.
- `RenoiseRule` (diffusers, 4 channels): after each call the kept part of x is replaced by z0 with fixed noise of the
  next level (Avrahami et al. 2023, blended latent diffusion, arXiv 2206.02779).
- `BlendRule` itself, which keeps nothing (diffusers, 9 channels): the network keeps the part that it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from .values import StepResult


@dataclass(frozen=True, slots=True, eq=False)
class KeptLatents:
    """What a blend rule keeps of one picture.

    Attributes:
        mask: (1, 1, h, w) float32 in [0, 1]; 1 is free.
        z0: (1, C, h, w) float32, the known latents.
        noise: (1, C, h, w), the noise that the picture started with; None where nothing is sampled.
    """

    mask: torch.Tensor
    z0: torch.Tensor
    noise: torch.Tensor | None = None


class BlendRule:
    """A rule that keeps nothing; the others replace what they change."""

    def estimate(self, x0: torch.Tensor, kept: KeptLatents, sigma: float, progress: float) -> torch.Tensor:
        """The estimate that the sampler gets.

        Args:
            x0: (1, C, h, w), the network's, guided.
            kept: What is kept.
            sigma: Noise level of the query.
            progress: Share of the steps that are done, 0 at the first one.
        """
        return x0

    def step(self, result: StepResult, kept: KeptLatents) -> torch.Tensor:
        """x after a network call."""
        return result.x

    def final(self, x: torch.Tensor, kept: KeptLatents, steps: int) -> torch.Tensor:
        """The finished latents, of so many steps."""
        return x


class EstimateRule(BlendRule):
    """The estimate's kept cells are the known latents; fractional cells are kept for a part of the steps."""

    def estimate(self, x0: torch.Tensor, kept: KeptLatents, sigma: float, progress: float) -> torch.Tensor:
        """The estimate with the kept cells put back."""
        return torch.where(free_cells(kept.mask, progress), x0, kept.z0)

    def final(self, x: torch.Tensor, kept: KeptLatents, steps: int) -> torch.Tensor:
        """Cells that were never free are the known ones, without rounding."""
        return self.estimate(x, kept, 0.0, (steps - 1) / steps)


class RenoiseRule(BlendRule):
    """The kept part of x is the known latents with the noise of each level."""

    def step(self, result: StepResult, kept: KeptLatents) -> torch.Tensor:
        """x with the kept cells put back at its noise level."""
        assert kept.noise is not None
        return (1 - kept.mask) * (kept.z0 + result.sigma * kept.noise) + kept.mask * result.x

    def final(self, x: torch.Tensor, kept: KeptLatents, steps: int) -> torch.Tensor:
        """The known latents, without noise, in the kept part."""
        return (1 - kept.mask) * kept.z0 + kept.mask * x


KEEPS_NOTHING = BlendRule()
ESTIMATE = EstimateRule()
RENOISE = RenoiseRule()


def free_cells(mask: torch.Tensor, progress: float) -> torch.Tensor:
    """Which cells of a mask (1, 1, h, w) are free at this progress, 0 to 1; as booleans.

    Differential (Levin and Fried 2023, arXiv 2306.00950): a fractional cell m is kept until the progress reaches 1 - m,
    and is free from then on, so that m is the cell's own strength.
    """
    # With the tolerance a cell of 0.5 is free at step 5 of 10, however 1 - 5 / 10 is rounded.
    return (mask >= 1 - progress - 1e-6) & (mask > 0)
