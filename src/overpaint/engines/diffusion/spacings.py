"""Native schedulers: how the noise levels of a picture are spaced."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from overpaint.errors import RequestError

from .schedule import Levels, Training, beta_quantiles, exponential_levels, karras_levels


@dataclass(frozen=True, slots=True, eq=False)
class LevelSpan:
    """What a scheduler spaces.

    Attributes:
        training: The network's own levels.
        first: Training time of the first level, above 0.
        steps: Number of levels, without the 0 at the end.
        rho: Exponent, for schedulers that have one; None: their usual.
    """

    training: Training
    first: float
    steps: int
    rho: float | None = None

    @property
    def high(self) -> float:
        """The first level."""
        return self.training.sigma(self.first)

    @property
    def low(self) -> float:
        """The lowest level of training."""
        return self.training.sigma(0)

    @property
    def parts(self) -> Levels:
        """`steps` numbers from 0 to 1, evenly; 0 alone for one step."""
        return np.linspace(0, 1, self.steps)


def normal(span: LevelSpan) -> Levels:
    """Even in training time, down to the first."""
    return span.training.levels(np.linspace(span.first, 0, span.steps))


def sgm_uniform(span: LevelSpan) -> Levels:
    """Even in training time, the first time itself left out ("trailing")."""
    return span.training.levels(np.linspace(span.first, 0, span.steps + 1)[:-1])


def ddim_uniform(span: LevelSpan) -> Levels:
    """Even in training time, down to the second, as "leading" spacing with an offset of 1."""
    return span.training.levels(np.linspace(span.first, min(1.0, span.first / 2), span.steps))


def turbo(span: LevelSpan) -> Levels:
    """Whole training times at the end of equal parts, as SD-Turbo was distilled; between them for too many steps."""
    if span.first + 1 < span.steps:
        return sgm_uniform(span)
    ends = (span.first + 1) * (1 - np.arange(span.steps) / span.steps) - 1
    return span.training.levels(np.floor(ends + 0.5))


def simple(span: LevelSpan) -> Levels:
    """Every (T / steps)th training level; between levels where there are fewer than steps."""
    back = np.arange(span.steps) * (span.first + 1) / span.steps
    return span.training.levels(span.first - (np.floor(back) if span.first + 1 >= span.steps else back))


def karras(span: LevelSpan) -> Levels:
    """Even in sigma^(1/rho), rho 7 (Karras et al. 2022, equation 5)."""
    return karras_levels(span.high, span.low, span.steps, *(() if span.rho is None else (span.rho,)))


def exponential(span: LevelSpan) -> Levels:
    """Even in log sigma."""
    return exponential_levels(span.high, span.low, span.steps)


def polyexponential(span: LevelSpan) -> Levels:
    """log sigma falls by the power rho of an even ramp (k-diffusion's); with rho 1 as `exponential`."""
    ramp = (1 - span.parts) ** (1.0 if span.rho is None else span.rho)
    return np.exp(math.log(span.low) + ramp * math.log(span.high / span.low))


def kl_optimal(span: LevelSpan) -> Levels:
    """Even in the arc tangent of sigma: best for Gaussian data (Sabour et al. 2024, arXiv 2404.14507, section 3)."""
    return np.tan(math.atan(span.high) + span.parts * (math.atan(span.low) - math.atan(span.high)))


def align_your_steps(span: LevelSpan) -> Levels:
    """Levels that were found best for the network (Sabour et al. 2024), read between in log sigma.

    Raises:
        RequestError: None were published for this network.
    """
    best = np.array(span.training.aligned)
    if not len(best):
        raise RequestError(
            "no Align Your Steps levels were published for this model", field="scheduler", value="align_your_steps"
        )
    logs, places = np.log(best[::-1]), np.arange(len(best))[::-1]
    ends = np.interp(np.log([span.high, span.low]), logs, places)
    at = ends[0] + span.parts * (ends[1] - ends[0])
    return np.asarray(np.exp(np.interp(at, places[::-1], logs[::-1])))


def beta(span: LevelSpan) -> Levels:
    """Training times at the quantiles of a beta distribution, which crowds both ends (Lee et al. 2024)."""
    return span.training.levels(span.first * beta_quantiles(1 - np.arange(span.steps) / span.steps))


_ALL = (
    *(normal, karras, exponential, polyexponential, sgm_uniform, kl_optimal, align_your_steps, simple),
    *(ddim_uniform, turbo, beta),
)

SPACINGS: Mapping[str, Callable[[LevelSpan], Levels]] = MappingProxyType({one.__name__: one for one in _ALL})
"""Native schedulers by canonical name: a span to its descending levels above 0."""
