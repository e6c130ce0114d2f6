"""The input of samplers besides x, and the algebra that they share."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from overpaint.engines.diffusion.schedule import Interval, Schedule
from overpaint.engines.diffusion.values import NoiseLike
from overpaint.models import Prediction


@dataclass(frozen=True, slots=True)
class Churn:
    """Noise that is added before a step (Karras et al. 2022, arXiv 2206.00364, algorithm 2).

    Attributes:
        amount: S_churn, 0 or more: the sum over all steps of the shares by which levels rise; 0 adds none.
        low: S_tmin: levels below have no churn.
        high: S_tmax: levels above have no churn.
    """

    amount: float = 0.0
    low: float = 0.0
    high: float = math.inf

    def share(self, sigma: float, steps: int) -> float:
        """By which share the level `sigma` rises at one of `steps` steps: 0 to sqrt(2) - 1."""
        return min(self.amount / steps, math.sqrt(2) - 1) if self.low <= sigma <= self.high else 0.0


NO_CHURN = Churn()


@dataclass(frozen=True, slots=True, eq=False)
class SamplerContext:
    """The input of a sampler for one picture, besides x.

    Attributes:
        schedule: Its noise levels.
        noise: Makes fresh noise from the picture's own generator.
        eta: Share of the noise that is renewed at each step, for samplers that renew any; None: the sampler's usual.
        extrapolates: Kind of output that PLMS extrapolates: "v" or "epsilon" (see `Dialect.extrapolates`).
        churn: Noise that Euler, Heun and DPM2 add before a step.
    """

    schedule: Schedule
    noise: NoiseLike
    eta: float | None = None
    extrapolates: Prediction = "epsilon"
    churn: Churn = NO_CHURN

    def churned(self, x: torch.Tensor, interval: Interval) -> tuple[torch.Tensor, Interval]:
        """x raised to a higher level by fresh noise, and the interval from there."""
        share = self.churn.share(interval.sigma, len(self.schedule.times))
        if share <= 0:
            return x, interval
        raised = interval.sigma * (1 + share)
        x = x + self.noise(x) * math.sqrt(raised**2 - interval.sigma**2)
        return x, replace(interval, sigma=raised, time=self.schedule.training.time(raised))


def slope(x: torch.Tensor, x0: torch.Tensor, sigma: float) -> torch.Tensor:
    """dx/dsigma = (x - x0) / sigma, which is the noise in x (Karras et al. 2022, arXiv 2206.00364, equation 3)."""
    return (x - x0) / sigma


def log_step(sigma: float, target: float) -> float:
    """h = lambda(target) - lambda(sigma) with lambda = -log sigma; infinite for a step to 0."""
    return math.log(sigma / target) if target > 0 else math.inf


def renewal(sigma: float, target: float, eta: float) -> tuple[float, float]:
    """The level to step down to, and the deviation of the noise to add there, to reach `target`.

    The variance of DDPM's posterior, scaled by eta (Song et al. 2021, arXiv 2010.02502, equation 16).
    """
    up = min(target, eta * math.sqrt(max(target**2 * (sigma**2 - target**2), 0.0)) / sigma)
    return math.sqrt(max(target**2 - up**2, 0.0)), up


def relevel(x: torch.Tensor, sigma: float, other: float) -> torch.Tensor:
    """x of level `sigma` as x of level `other` with the same variance-preserving latent x / sqrt(1 + sigma^2).

    diffusers' DDIM and PNDM keep that latent from step to step, and do not always end a step where the next one starts.
    """
    return x if sigma == other else x * math.sqrt((1 + other**2) / (1 + sigma**2))
