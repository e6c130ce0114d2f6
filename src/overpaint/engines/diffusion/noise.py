"""Noise of one picture, drawn on the CPU, so that a seed gives the same noise on every device."""

from __future__ import annotations

import torch

from .values import NoiseLike


class Noise:
    """Standard normal noise from a generator of one picture."""

    def __init__(self, seed: int | torch.Generator) -> None:
        """Start from a seed, 0 to 2**63 - 1, or from the state of a CPU generator."""
        self.generator = seed if isinstance(seed, torch.Generator) else torch.Generator("cpu").manual_seed(seed)
        self._ahead: torch.Tensor | None = None

    def draw_ahead(self, like: torch.Tensor) -> None:
        """Draw the next noise now, so that other draws from the generator come after it."""
        self._ahead = self(like)

    def __call__(self, like: torch.Tensor) -> torch.Tensor:
        """Noise of the shape and on the device of `like`, float32."""
        if self._ahead is not None:
            drawn, self._ahead = self._ahead, None
            return drawn
        drawn = torch.randn(tuple(like.shape), generator=self.generator, dtype=torch.float32)
        return drawn.to(like.device)


def scaled(noise: NoiseLike, factor: float) -> NoiseLike:
    """The same noise times a factor."""
    return noise if factor == 1 else lambda like: factor * noise(like)
