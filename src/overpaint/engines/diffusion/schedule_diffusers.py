"""Noise levels as diffusers' schedulers set them: `set_timesteps`, and `get_timesteps` of its inpainting pipelines.

Facts from reading diffusers 0.42: each of its scheduler classes spaces its times in its own way, with "linspace",
"leading" or "trailing" spacing; strength leaves out the first n - int(n x strength) steps; at strength 1 the picture
begins as noise alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import RequestError

from .schedule import Levels, Schedule, Training, beta_quantiles, exponential_levels, karras_levels

SIGMA_SAMPLERS = ("euler", "euler_a", "heun", "lms", "dpm2", "dpm2_a")
"""Samplers whose diffusers schedulers work on x = x0 + sigma noise, with fractional times."""

SOLVERS = ("dpmpp_2m", "dpmpp_2m_sde", "unipc")
"""Solvers with whole times, spaced as if there were one step more."""

DISTILLED = ("lcm", "tcd")
RESPACED = ("karras", "exponential", "beta")


def diffusers_schedule(
    config: Mapping[str, Any],
    sampler: str,
    *,
    steps: int,
    strength: float = 1.0,
    scheduler: str | None = None,
) -> Schedule:
    """The schedule that diffusers' scheduler of this sampler would take from this config.

    Args:
        config: A scheduler config as saved with a model: betas, timestep_spacing, steps_offset, set_alpha_to_one,
            final_sigmas_type, use_karras_sigmas, original_inference_steps ...
        sampler: Canonical name, as `names.SAMPLERS`.
        steps: What is asked for; strength below 1 leaves steps out.
        strength: Above 0, to 1.
        scheduler: "karras", "exponential" or "beta" for use_..._sigmas, "sgm_uniform" for trailing spacing, "normal"
            or None for the config's own.

    Raises:
        RequestError: for a scheduler that diffusers does not have for this sampler, or when strength leaves no step.
    """
    training = Training.of(config)
    respaced = _respacing(config, sampler, scheduler)
    spacing = "trailing" if scheduler == "sgm_uniform" else None
    begin = max(steps - min(int(steps * strength), steps), 0)
    if begin >= steps:
        raise RequestError(f"strength {strength} of {steps} steps leaves none; at least {1 / steps:.3g} is needed")
    if sampler in SIGMA_SAMPLERS:
        spacing = spacing or config.get("timestep_spacing", "linspace")
        return _sigma_schedule(training, config, sampler, steps, begin, strength, spacing, respaced)
    if sampler in SOLVERS:
        spacing = spacing or config.get("timestep_spacing", "linspace")
        return _solver_schedule(training, config, sampler, steps, begin, strength, spacing, respaced)
    if sampler in DISTILLED:
        return _distilled_schedule(training, config, sampler, steps, begin, strength)
    return _ddim_schedule(training, config, sampler, steps, begin, strength, spacing)


def _respacing(config: Mapping[str, Any], sampler: str, scheduler: str | None) -> str | None:
    """Which of karras, exponential and beta applies."""
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


def _final(training: Training, config: Mapping[str, Any]) -> float:
    return float(training.sigmas[0]) if config.get("final_sigmas_type") == "sigma_min" else 0.0


def _single(levels: Levels) -> tuple[float, ...]:
    """Levels rounded to single precision, as upstream keeps them."""
    return tuple(float(level) for level in levels.astype(np.float32))


def _sigma_schedule(
    training: Training,
    config: Mapping[str, Any],
    sampler: str,
    steps: int,
    begin: int,
    strength: float,
    spacing: str,
    respaced: str | None,
) -> Schedule:
    """Euler, Euler a, Heun, LMS, KDPM2 and KDPM2 a."""
    times = _times(training, steps, spacing, int(config.get("steps_offset", 0))).astype(np.float32).astype(np.float64)
    levels = np.array([training.sigma(t) for t in times])
    if respaced:
        levels = _respace(levels, respaced, steps)
        times = np.array([training.time(level) for level in levels])
        if respaced == "karras" and sampler in ("dpm2", "dpm2_a"):
            times = times.round()
    final = _final(training, config) if sampler == "euler" else 0.0
    sigmas = _single(np.append(levels, final))
    # Upstream's first noise has the deviation of x itself with leading spacing, of the noise alone with the others.
    highest = max(sigmas)
    pure = strength == 1
    scale = (highest**2 + 1) ** 0.5 if spacing == "leading" else highest
    return Schedule(training, sigmas, _single(times), begin, noise_scale=scale if pure else sigmas[begin], pure=pure)


def _solver_schedule(
    training: Training,
    config: Mapping[str, Any],
    sampler: str,
    steps: int,
    begin: int,
    strength: float,
    spacing: str,
    respaced: str | None,
) -> Schedule:
    """DPM-Solver++ and UniPC: whole times, one more than steps of which the last is not used."""
    offset = int(config.get("steps_offset", 0))
    if respaced:
        levels = _respace(training.sigmas[::-1].astype(np.float32).astype(np.float64), respaced, steps)
        times = np.array([training.time(level) for level in levels])
        times = times.round() if respaced == "karras" else np.floor(times)
    else:
        if spacing == "linspace":
            times = _times(training, steps + 1, spacing, 0).round()[:-1]
        elif spacing == "leading":
            times = _times(training, steps + 1, spacing, 0)[:-1] + offset
        else:
            times = _times(training, steps, spacing, 0)
        levels = np.array([training.sigma(t) for t in times])
    final = _final(training, config)
    if respaced and sampler == "unipc" and final:
        final = float(levels[-1])
    return _preserving(training, np.append(levels, final), times, begin, strength, preserving=bool(final))


def _distilled_schedule(
    training: Training, config: Mapping[str, Any], sampler: str, steps: int, begin: int, strength: float
) -> Schedule:
    """LCM and TCD: times picked from those of the distillation (Luo et al. 2023, Zheng et al. 2024)."""
    original = int(config.get("original_inference_steps") or 50)
    if steps > original:
        raise RequestError(f"{sampler} was distilled with {original} steps; {steps} are too many")
    distilled = (np.arange(1, original + 1) * (training.steps // original) - 1)[::-1]
    times = distilled[np.floor(np.linspace(0, original, steps, endpoint=False)).astype(int)].astype(np.float64)
    levels = np.array([training.sigma(t) for t in times])
    final = training.sigma(0) if sampler == "tcd" else 0.0
    return _preserving(training, np.append(levels, final), times, begin, strength, preserving=sampler == "tcd")


def _ddim_schedule(
    training: Training,
    config: Mapping[str, Any],
    sampler: str,
    steps: int,
    begin: int,
    strength: float,
    spacing: str | None,
) -> Schedule:
    """DDIM and PLMS: each step goes back T // steps training times, wherever the next one begins."""
    spacing = spacing or config.get("timestep_spacing", "leading")
    times = _times(training, steps, spacing, int(config.get("steps_offset", 0))).round()
    stride = training.steps // steps
    one = bool(config.get("set_alpha_to_one", sampler == "ddim"))
    below = 0.0 if one else training.sigma(0)
    if sampler == "ddim":
        targets = [training.sigma(t - stride) if t >= stride else below for t in times]
        levels = np.array([training.sigma(t) for t in times])
        schedule = _preserving(training, np.append(levels, targets[-1]), times, begin, strength, preserving=True)
        return _with_targets(schedule, targets)
    # PLMS asks twice at the second time, and its second answer leads there once more, from the first time.
    calls = np.insert(times, 1, times[1]) if steps > 1 else times
    targets = [training.sigma(t - stride) if t >= stride else below for t in calls]
    levels = np.array([training.sigma(t) for t in calls])
    schedule = _preserving(training, np.append(levels, targets[-1]), calls, begin, strength, preserving=True)
    return _with_targets(schedule, targets, stride=stride)


def _preserving(
    training: Training, levels: Levels, times: NDArray[Any], begin: int, strength: float, *, preserving: bool
) -> Schedule:
    """A schedule of a variance-preserving scheduler: its first noise has the deviation of x itself."""
    sigmas = _single(levels)
    pure = strength == 1
    scale = (sigmas[begin] ** 2 + 1) ** 0.5 if pure else sigmas[begin]
    return Schedule(training, sigmas, _single(times), begin, noise_scale=scale, pure=pure, preserving=preserving)


def _with_targets(schedule: Schedule, targets: list[float], *, stride: int | None = None) -> Schedule:
    return Schedule(
        schedule.training,
        schedule.sigmas,
        schedule.times,
        schedule.begin,
        targets=_single(np.array(targets)),
        stride=stride,
        noise_scale=schedule.noise_scale,
        pure=schedule.pure,
        preserving=schedule.preserving,
    )
