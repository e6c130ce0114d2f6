"""Noise levels of AUTOMATIC1111's web UI 1.10 (spec/inpaint-settings.md 1, "Start noise / steps", and 3).

k-diffusion's samplers take the last levels of a whole schedule; DDIM, PLMS and UniPC take training times in equal
strides from 1 on. Their known defect, that they begin one time too high and leave out the last step, is not followed:
both kinds take the same number of steps, from the level that the noise was added for down to 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from overpaint.engines.diffusion.names import SAMPLER_NAMES, SamplerChoice
from overpaint.engines.diffusion.schedule import Levels, Schedule, Training, beta_quantiles
from overpaint.engines.diffusion.spacings import SPACINGS, LevelSpan
from overpaint.errors import RequestError

STRIDED = frozenset({"ddim", "ddim_cfg_pp", "pndm", "unipc"})
"""Samplers with training times in equal strides, which ignore the scheduler."""

_MOST_STRENGTH = 0.999


@dataclass(frozen=True, slots=True)
class StepCount:
    """How many steps a picture takes.

    Attributes:
        total: Of the whole schedule.
        taken: The last ones of it.
    """

    total: int
    taken: int


def step_count(steps: int, strength: float, *, exact: bool = False) -> StepCount:
    """The steps of a request.

    Args:
        steps: Of the request, 1 or more.
        strength: 0 to 1; at 0 one step is taken all the same.
        exact: Whether exactly `steps` are taken, of a schedule that is so much longer.

    Raises:
        RequestError: An exact number with a strength of 0.
    """
    strength = min(strength, _MOST_STRENGTH)
    if not exact:
        return StepCount(steps, int(strength * steps) + 1)
    if strength == 0:
        raise RequestError(
            "{field} 0 leaves no step, and exact_steps wants all of them",
            field="strength",
            value=strength,
            hint="raise strength, or leave exact_steps out",
        )
    return StepCount(max(int(steps / strength), steps), steps)


def webui_schedule(training: Training, choice: SamplerChoice, count: StepCount, rho: float | None = None) -> Schedule:
    """The levels and times of the steps that are taken, from the last ones of the whole schedule.

    Args:
        training: The network's own levels.
        choice: Sampler and scheduler.
        count: See `step_count`.
        rho: Exponent of schedulers that have one; None: their usual.

    Raises:
        RequestError: More steps than training times, for samplers in strides; a scheduler that the network lacks.
    """
    if choice.sampler in STRIDED:
        return _strided(training, count)
    discards = SAMPLER_NAMES[choice.sampler].discards
    spacing = _OWN_SPACINGS.get(choice.usual) or SPACINGS[choice.usual]
    levels = spacing(LevelSpan(training, training.steps - 1, count.total + discards, rho))[: count.total]
    sigmas = (*(float(level) for level in levels[count.total - count.taken :]), 0.0)
    return Schedule(training, sigmas, tuple(training.time(sigma) for sigma in sigmas[:-1]))


def _strided(training: Training, count: StepCount) -> Schedule:
    stride = training.steps // count.total
    if stride < 1:
        raise RequestError(f"{count.total} steps are more than the {training.steps} times of training; use fewer")
    times = np.minimum(1 + np.arange(count.taken)[::-1] * stride, training.steps - 1).astype(np.float64)
    sigmas = (*(float(level) for level in training.levels(times)), 0.0)
    return Schedule(training, sigmas, tuple(float(time) for time in times))


def _even_times(training: Training, first: float, last: float, steps: int) -> Levels:
    """Levels at even training times; between whole ones even in log sigma, as in k-diffusion."""
    times = np.linspace(first, last, steps)
    return np.exp(np.interp(times, np.arange(training.steps), np.log(training.sigmas)))


def _normal(span: LevelSpan) -> Levels:
    return _even_times(span.training, span.first, 0, span.steps)


def _sgm_uniform(span: LevelSpan) -> Levels:
    return _even_times(span.training, span.first, 0, span.steps + 1)[:-1]


def _beta(span: LevelSpan) -> Levels:
    """The quantiles divide sigma itself, where the native scheduler divides training time."""
    return span.low + beta_quantiles(1 - span.parts) * (span.high - span.low)


_OWN_SPACINGS: Mapping[str, Callable[[LevelSpan], Levels]] = MappingProxyType(
    {"normal": _normal, "sgm_uniform": _sgm_uniform, "beta": _beta}
)
"""Schedulers whose levels differ from the native ones."""


def noise_factor(start: float, *, multiplier: float, extra: float) -> float:
    """The factor of the first noise, for the level that it starts at."""
    return math.fsum((start * multiplier, extra))
