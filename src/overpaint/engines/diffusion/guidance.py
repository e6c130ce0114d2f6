"""Classifier-free guidance: from the negative prompt's estimate towards the prompt's, over the steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from overpaint.errors import RequestError
from overpaint.models import Prediction

from .denoiser import to_estimate, to_output


@dataclass(frozen=True, slots=True)
class Guidance:
    """How a picture is guided.

    Attributes:
        scale: Factor of the difference from negative prompt to prompt (Ho and Salimans 2022, arXiv 2207.12598); 1 gives
            the prompt's estimate, 0 the negative prompt's.
        interval: The part of the progress, 0 to 1, in which it acts; outside of it the prompt's estimate alone is
            needed, at half the cost (Kynkäänniemi et al. 2024, arXiv 2404.07724).
        rescale: 0 to 1: how far the guided output is scaled back to the deviation of the prompt's output (Lin et al.
            2024, arXiv 2305.08891, section 3.4).
    """

    scale: float = 7.5
    interval: tuple[float, float] = (0.0, 1.0)
    rescale: float = 0.0

    def __post_init__(self) -> None:
        start, end = self.interval
        if not 0 <= start <= end <= 1:
            raise RequestError(f"the interval of guidance must ascend within 0 to 1, not {self.interval}")

    def sides(self, step: int, steps: int) -> tuple[bool, bool]:
        """Whether the prompt's and the negative prompt's estimate are needed at step `step` of `steps`, from 0."""
        (start, end), progress = self.interval, step / steps
        if progress < start or (progress >= end and end != 1):
            return True, False
        return self.scale != 0 or self.rescale > 0, True

    def combine(
        self,
        positive: torch.Tensor | None,
        negative: torch.Tensor | None,
        x: torch.Tensor,
        sigma: float,
        prediction: Prediction,
    ) -> torch.Tensor:
        """The guided estimate x0 from those of prompt and negative prompt, (1, C, h, w); None for one not needed."""
        if positive is None or negative is None:
            only = negative if positive is None else positive
            assert only is not None
            return only
        guided = negative + self.scale * (positive - negative)
        if self.rescale == 0:
            return guided
        # Deviations are those of the network's output, as an estimate of x0 has another deviation than the noise.
        level = torch.tensor([sigma], dtype=torch.float32, device=x.device)
        output = to_output(guided, x, level, prediction)
        wanted = to_output(positive, x, level, prediction).std()
        rescaled = output * (wanted / output.std())
        return to_estimate(self.rescale * rescaled + (1 - self.rescale) * output, x, level, prediction)
