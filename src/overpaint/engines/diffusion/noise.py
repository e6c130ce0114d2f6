"""Noise of one picture, always drawn on the CPU: the same seed gives the same noise on every device."""

from __future__ import annotations

import torch


class Noise:
    """Standard normal noise from one picture's own generator; neighbours have theirs."""

    def __init__(self, seed: int | torch.Generator) -> None:
        """Begin at a seed, 0 to 2**63 - 1, or go on with a CPU generator that has drawn already."""
        self.generator = seed if isinstance(seed, torch.Generator) else torch.Generator("cpu").manual_seed(seed)

    def __call__(self, like: torch.Tensor) -> torch.Tensor:
        """Noise of the shape and on the device of `like`, float32."""
        drawn = torch.randn(tuple(like.shape), generator=self.generator, dtype=torch.float32)
        return drawn.to(like.device)
