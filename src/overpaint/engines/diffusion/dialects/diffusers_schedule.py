"""Noise levels of diffusers' schedulers (`set_timesteps`) and inpainting pipelines (`get_timesteps`).

From the source of diffusers 0.42: each scheduler class spaces its times in its own way, with "linspace", "leading" or
"trailing" spacing; strength leaves out the first n - int(n x strength) steps; at strength 1 the picture starts as noise
alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overpaint.engines.diffusion.schedule import (
    Levels,
    Schedule,
    Training,
    beta_quantiles,
    exponential_levels,
    karras_levels,
)
from overpaint.errors import RequestError

SIGMA_SAMPLERS = ("euler", "euler_a", "heun", "lms", "dpm2", "dpm2_a")
"""Samplers whose diffusers schedulers work on x = x0 + sigma noise, with fractional times."""

SOLVERS = ("dpmpp_2m", "dpmpp_2m_sde", "unipc")
"""Solvers with whole times, spaced as for one step more."""

DISTILLED = ("lcm", "tcd")

SCHEDULED = frozenset({*SIGMA_SAMPLERS, *SOLVERS, *DISTILLED, "ddim", "pndm"})
"""All samplers with a scheduler of diffusers'."""

RESPACED = ("karras", "exponential", "beta")


def diffusers_schedule(
    config: Mapping[str, Any], sampler: str, *, steps: int, strength: float = 1.0, scheduler: str | None = None
) -> Schedule:
    """The schedule of diffusers' scheduler for this sampler and config.

    Args:
        config: A scheduler config as saved with a model: betas, timestep_spacing, steps_offset, set_alpha_to_one,
            final_sigmas_type, use_karras_sigmas, original_inference_steps ...
        sampler: Canonical name, as in `names.SAMPLER_NAMES`.
        steps: Steps of the request; strength below 1 leaves some out.
        strength: Above 0, to 1.
        scheduler: "karras", "exponential" or "beta" for use_..._sigmas, "sgm_uniform" for trailing spacing, "normal"
            or None for the config's own.

    Raises:
        RequestError: diffusers has no scheduler for this sampler, or not this one, or strength leaves no step.
    """
    if sampler not in SCHEDULED:
        raise RequestError(
            f"diffusers has no scheduler for the sampler {sampler!r}",
            field="sampler",
            value=sampler,
            hint="use the native dialect, or another sampler",
        )
    begin = max(steps - min(int(steps * strength), steps), 0)
    if begin >= steps:
        raise RequestError(
            f"{{field}} {strength} of {steps} steps leaves none",
            field="strength",
            value=strength,
            hint=f"at least {1 / steps:.3g} is needed",
        )
    given = _ScheduleInput(
        training=Training.of(config),
        config=config,
        sampler=sampler,
        steps=steps,
        respaced=_respacing(config, sampler, scheduler),
        trailing=scheduler == "sgm_uniform",
    )
    schedule = replace(_builder(sampler)(given), begin=begin)
    if strength != 1:
        schedule = replace(schedule, pure=False, noise_scale=None)
    levels = schedule.sigmas[:-1]
    if schedule.stride:
        levels = levels[:1] + levels[2:]
    if any(high <= low for high, low in pairwise(levels)):
        raise RequestError(f"{steps} steps are more than diffusers can space for {sampler!r}; use fewer")
    return schedule


@dataclass(frozen=True, slots=True, eq=False)
class _ScheduleInput:
    """The input of the schedules below, which are whole ones, at strength 1.

    Attributes:
        training: The network's own levels.
        config: The scheduler config.
        sampler: Canonical name.
        steps: Steps of the whole schedule.
        respaced: "karras", "exponential", "beta" or None.
        trailing: Whether the request wants trailing spacing, in place of the config's.
    """

    training: Training
    config: Mapping[str, Any]
    sampler: str
    steps: int
    respaced: str | None
    trailing: bool

    @property
    def offset(self) -> int:
        """Training times that leading spacing is shifted by."""
        return int(self.config.get("steps_offset", 0))

    @property
    def final(self) -> float:
        """The last level, where the scheduler's config decides about it."""
        return float(self.training.sigmas[0]) if self.config.get("final_sigmas_type") == "sigma_min" else 0.0

    def spacing(self, usual: str) -> str:
        """The spacing of times: of the request, of the config, or the usual one."""
        return "trailing" if self.trailing else str(self.config.get("timestep_spacing", usual))


def _builder(sampler: str) -> Callable[[_ScheduleInput], Schedule]:
    if sampler in SIGMA_SAMPLERS:
        return _sigma_schedule
    if sampler in SOLVERS:
        return _solver_schedule
    if sampler in DISTILLED:
        return _distilled_schedule
    return _ddim_schedule if sampler == "ddim" else _plms_schedule


def _respacing(config: Mapping[str, Any], sampler: str, scheduler: str | None) -> str | None:
    """ "karras", "exponential", "beta" or None."""
    able = (sampler in SIGMA_SAMPLERS and sampler != "euler_a") or sampler in SOLVERS
    if scheduler in RESPACED:
        if not able:
            raise RequestError(
                f"diffusers has no {scheduler} levels for {sampler!r}; use 'normal' or the native dialect"
            )
        return scheduler
    if scheduler not in (None, "normal", "sgm_uniform"):
        raise RequestError(
            f"diffusers has no scheduler {scheduler!r}; it has {', '.join(RESPACED)}, normal, sgm_uniform"
        )
    if scheduler is None and able:
        return next((name for name in RESPACED if config.get(f"use_{name}_sigmas")), None)
    return None


def _times(training: Training, steps: int, spacing: str, offset: int) -> Levels:
    """Descending training times (Lin et al. 2024, table 2)."""
    if spacing == "linspace":
        return np.linspace(0, training.steps - 1, steps)[::-1]
    if spacing == "leading":
        return (np.arange(steps) * (training.steps // steps))[::-1].astype(np.float64) + offset
    if spacing == "trailing":
        return np.arange(training.steps, 0, -training.steps / steps).round() - 1
    raise RequestError(f"timestep_spacing must be linspace, leading or trailing, not {spacing!r}")


def _respace(levels: Levels, respaced: str, steps: int) -> Levels:
    """`steps` levels between the first and the last."""
    high, low = float(levels[0]), float(levels[-1])
    if respaced == "karras":
        return karras_levels(high, low, steps)
    if respaced == "exponential":
        return exponential_levels(high, low, steps)
    return low + beta_quantiles(1 - np.linspace(0, 1, steps)) * (high - low)


def _single(levels: Levels) -> tuple[float, ...]:
    """Levels rounded to single precision, as diffusers keeps them."""
    return tuple(float(level) for level in levels.astype(np.float32))


def _sigma_schedule(given: _ScheduleInput) -> Schedule:
    """Euler, Euler a, Heun, LMS, KDPM2 and KDPM2 a."""
    spacing = given.spacing("linspace")
    times = _times(given.training, given.steps, spacing, given.offset).astype(np.float32).astype(np.float64)
    levels = given.training.levels(times)
    if given.respaced:
        levels = _respace(levels, given.respaced, given.steps)
        times = np.array([given.training.time(level) for level in levels])
        if given.respaced == "karras" and given.sampler in ("dpm2", "dpm2_a"):
            times = times.round()
    sigmas = _single(np.append(levels, given.final if given.sampler == "euler" else 0.0))
    # diffusers' first noise has the deviation of x itself with leading spacing, of the noise alone with the others.
    scale = (sigmas[0] ** 2 + 1) ** 0.5 if spacing == "leading" else sigmas[0]
    return Schedule(given.training, sigmas, _single(times), noise_scale=scale, pure=True)


def _solver_schedule(given: _ScheduleInput) -> Schedule:
    """DPM-Solver++ and UniPC: whole times, one more than there are steps, the last of which is not used."""
    final = given.final
    if given.respaced:
        levels = given.training.sigmas[::-1].astype(np.float32).astype(np.float64)
        levels = _respace(levels, given.respaced, given.steps)
        times = np.array([given.training.time(level) for level in levels])
        times = times.round() if given.respaced == "karras" else np.floor(times)
        if given.sampler == "unipc" and final:
            final = float(levels[-1])
    else:
        spacing = given.spacing("linspace")
        if spacing == "trailing":
            times = _times(given.training, given.steps, spacing, 0)
        else:
            times = _times(given.training, given.steps + 1, spacing, 0).round()[:-1]
            times = times + (given.offset if spacing == "leading" else 0)
        levels = given.training.levels(times)
    return _preserving(given, np.append(levels, final), times, ends_noisy=final > 0)


def _distilled_schedule(given: _ScheduleInput) -> Schedule:
    """LCM and TCD: times picked from those of the distillation (Luo et al. 2023, Zheng et al. 2024)."""
    original = int(given.config.get("original_inference_steps") or 50)
    if given.steps > original:
        raise RequestError(f"{given.sampler} was distilled with {original} steps; {given.steps} are too many")
    distilled = (np.arange(1, original + 1) * (given.training.steps // original) - 1)[::-1]
    times = distilled[np.floor(np.linspace(0, original, given.steps, endpoint=False)).astype(int)]
    final = given.training.sigma(0) if given.sampler == "tcd" else 0.0
    return _preserving(given, np.append(given.training.levels(times), final), times, ends_noisy=final > 0)


def _ddim_schedule(given: _ScheduleInput) -> Schedule:
    """DDIM: each step goes back T // steps training times, which need not be where the next step starts."""
    times = _times(given.training, given.steps, given.spacing("leading"), given.offset).round()
    targets = _back(given, times, usual_one=True)
    schedule = _preserving(given, np.append(given.training.levels(times), targets[-1]), times, ends_noisy=True)
    return replace(schedule, targets=targets)


def _plms_schedule(given: _ScheduleInput) -> Schedule:
    """PLMS: as DDIM, with two queries at the second time."""
    times = _times(given.training, given.steps, given.spacing("leading"), given.offset).round()
    calls = np.insert(times, 1, times[1]) if given.steps > 1 else times
    targets = _back(given, calls, usual_one=False)
    schedule = _preserving(given, np.append(given.training.levels(calls), targets[-1]), calls, ends_noisy=True)
    return replace(schedule, targets=targets, stride=given.training.steps // given.steps)


def _back(given: _ScheduleInput, times: NDArray[Any], *, usual_one: bool) -> tuple[float, ...]:
    """The levels T // steps training times before these; below the first time, 0 or the first's own level."""
    stride = given.training.steps // given.steps
    one = bool(given.config.get("set_alpha_to_one", usual_one))
    below = 0.0 if one else given.training.sigma(0)
    return _single(np.array([given.training.sigma(t - stride) if t >= stride else below for t in times]))


def _preserving(given: _ScheduleInput, levels: Levels, times: NDArray[Any], *, ends_noisy: bool) -> Schedule:
    """A schedule of a variance-preserving scheduler: its first noise has the deviation of x itself."""
    sigmas, times = _single(levels), times.astype(np.float64)
    scale = (sigmas[0] ** 2 + 1) ** 0.5
    return Schedule(given.training, sigmas, _single(times), noise_scale=scale, pure=True, preserving=ends_noisy)
