"""Classifier-free guidance: from the negative prompt's estimate towards the prompt's, over the steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch

from overpaint.errors import RequestError
from overpaint.models import Prediction

from .denoiser import to_estimate, to_output
from .values import Weight

GuidanceMethod = Literal["cfg", "apg", "cfg_zero"]


@dataclass(frozen=True, slots=True)
class Projection:
    """Adaptive projected guidance (Sadat et al. 2024, arXiv 2410.02416, algorithm 1).

    Attributes:
        eta: What stays of the part of the difference that is parallel to the prompt's estimate, which oversaturates.
        norm: The longest that the difference may be, as a vector of all latent numbers; 0 for no bound.
        momentum: Weight of the earlier differences; the paper has -0.5.
    """

    eta: float = 0.0
    norm: float = 15.0
    momentum: float = -0.5


@dataclass(slots=True, eq=False)
class GuidanceMemory:
    """What the guidance of one picture keeps from step to step.

    Attributes:
        difference: (1, C, h, w): the running difference of adaptive projected guidance; None before the first.
        stopped: Whether the two estimates became so similar that guidance ended.
    """

    difference: torch.Tensor | None = None
    stopped: bool = False


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
        method: "cfg", the plain one; "apg", with `projection`; "cfg_zero", CFG-Zero* (Fan et al. 2025, arXiv
            2503.18886).
        projection: Of "apg".
        skip_below: Every second step whose noise level is below goes without the negative prompt (AUTOMATIC1111's
            s_min_uncond); 0 for none.
        skip_all: Whether every step below that level goes without, instead of every second.
        skip_early: The progress up to which steps go without the negative prompt (AUTOMATIC1111's skip_early_cond); 0
            for none.
        stop_at: Guidance ends for good once the two outputs have this cosine of similarity (Castillo et al. 2023, arXiv
            2312.12487); None for never.
    """

    scale: float = 7.5
    interval: tuple[float, float] = (0.0, 1.0)
    rescale: float = 0.0
    method: GuidanceMethod = "cfg"
    projection: Projection = Projection()
    skip_below: float = 0.0
    stop_at: float | None = None
    skip_all: bool = False
    skip_early: float = 0.0

    def __post_init__(self) -> None:
        start, end = self.interval
        if not 0 <= start <= end <= 1:
            raise RequestError(f"the interval of guidance must ascend within 0 to 1, not {self.interval}")

    @property
    def uses_both(self) -> bool:
        """Whether both estimates count at any scale."""
        return self.rescale > 0 or self.method != "cfg"

    def sides(self, step: int, steps: int, sigma: float, memory: GuidanceMemory) -> tuple[bool, bool]:
        """Whether the prompt's and the negative prompt's estimate are needed at step `step` of `steps`, from 0."""
        (start, end), progress = self.interval, step / steps
        outside = progress < start or (progress >= end and end != 1)
        skipped = (step % 2 == 1 or self.skip_all) and sigma < self.skip_below
        skipped |= self.skip_early > 0 and progress <= self.skip_early
        if outside or skipped or memory.stopped:
            return True, False
        return self.scale != 0 or self.uses_both or self.stop_at is not None, True

    def combine(
        self,
        positive: torch.Tensor | None,
        negative: torch.Tensor | None,
        x: torch.Tensor,
        sigma: float,
        prediction: Prediction,
        memory: GuidanceMemory | None = None,
        *,
        first: bool = False,
        factor: Weight = 1.0,
    ) -> torch.Tensor:
        """The guided estimate x0.

        Args:
            positive: (1, C, h, w), the prompt's estimate; None where it is not needed.
            negative: The negative prompt's; None where it is not needed.
            x: The noisy latent.
            sigma: Its noise level.
            prediction: What the network's output stands for.
            memory: Of this picture; changed.
            first: Whether it is the picture's first step.
            factor: Of the scale, for a prompt of several parts or for regions (see `mixing`).
        """
        if positive is None or negative is None:
            only = negative if positive is None else positive
            assert only is not None
            return only
        memory = memory or GuidanceMemory()
        scale = self.scale * factor
        # Deviations, similarity and CFG-Zero* are those of the network's output: an estimate of x0 has others.
        level = torch.tensor([sigma], dtype=torch.float32, device=x.device)
        outputs = [to_output(one, x, level, prediction) for one in (positive, negative)] if self._reads_outputs else []
        if self.stop_at is not None:
            memory.stopped = memory.stopped or similarity(outputs[0], outputs[1]) >= self.stop_at
        if self.method == "apg":
            guided = positive + (scale - 1) * self._projected(positive, negative, memory)
        elif self.method == "cfg_zero":
            output = zero_star(outputs[0], outputs[1], scale)
            # The first velocity of a flow points away from the answer more often than to it.
            output = torch.zeros_like(output) if first and prediction == "flow" else output
            guided = to_estimate(output, x, level, prediction)
        else:
            guided = negative + scale * (positive - negative)
        if self.rescale == 0:
            return guided
        output = to_output(guided, x, level, prediction)
        deviation = output.std()
        rescaled = output * (outputs[0].std() / deviation) if deviation > 0 else output
        return to_estimate(self.rescale * rescaled + (1 - self.rescale) * output, x, level, prediction)

    @property
    def _reads_outputs(self) -> bool:
        return self.rescale > 0 or self.method == "cfg_zero" or self.stop_at is not None

    def _projected(self, positive: torch.Tensor, negative: torch.Tensor, memory: GuidanceMemory) -> torch.Tensor:
        difference = positive - negative
        if memory.difference is not None:
            difference = difference + self.projection.momentum * memory.difference
        memory.difference = difference
        return projected(difference, positive, self.projection)


def projected(difference: torch.Tensor, positive: torch.Tensor, projection: Projection) -> torch.Tensor:
    """The difference, shortened to the norm, with the share eta of its part that is parallel to `positive`."""
    length = float(difference.double().norm())
    if 0 < projection.norm < length:
        difference = difference * (projection.norm / length)
    towards = positive.double()
    squared = float(towards.square().sum())
    if squared == 0:
        return difference
    parallel = towards * (float((difference.double() * towards).sum()) / squared)
    return difference + (projection.eta - 1) * parallel.to(difference.dtype)


def zero_star(positive: torch.Tensor, negative: torch.Tensor, scale: Weight) -> torch.Tensor:
    """The guided output of CFG-Zero*: the negative prompt's output is first scaled to fit the prompt's best."""
    fit = float((positive * negative).sum() / (negative.square().sum() + 1e-8))
    return fit * negative + scale * (positive - fit * negative)


def similarity(one: torch.Tensor, other: torch.Tensor) -> float:
    """The cosine of the angle between two tensors."""
    return float(torch.nn.functional.cosine_similarity(one.flatten(), other.flatten(), dim=0))
