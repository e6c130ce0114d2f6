"""Samplers with one query a step that use no earlier estimates."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

from torch import Tensor

from overpaint.engines.diffusion.values import NegativeQuery, Query, SamplerRun, StepResult

from .context import SamplerContext, relevel, renewal, slope


def euler(x: Tensor, context: SamplerContext) -> SamplerRun:
    """Euler's method on the probability flow (Karras et al. 2022, arXiv 2206.00364, algorithm 2, order 1)."""
    for level in context.schedule.intervals():
        x, interval = context.churned(x, level)
        x0 = yield Query(x, interval.sigma, interval.time, interval.step)
        x = x + slope(x, x0, interval.sigma) * (interval.target - interval.sigma)
        x = yield StepResult(x, interval.target, interval.step)


def euler_a(x: Tensor, context: SamplerContext) -> SamplerRun:
    """Euler's method with ancestral noise: down below the target, and up to it (Ho et al. 2020, arXiv 2006.11239)."""
    eta = 1.0 if context.eta is None else context.eta
    for interval in context.schedule.intervals():
        x0 = yield Query(x, interval.sigma, interval.time, interval.step)
        down, up = renewal(interval.sigma, interval.target, eta)
        x = x + slope(x, x0, interval.sigma) * (down - interval.sigma)
        if interval.target > 0:
            x = x + context.noise(x) * up
        x = yield StepResult(x, interval.target, interval.step)


def ddim(x: Tensor, context: SamplerContext) -> SamplerRun:
    """Denoising diffusion implicit models (Song et al. 2021, arXiv 2010.02502, equation 12): x0 + sigma' noise."""
    return _ddim(x, context, negative=False)


def ddim_cfg_pp(x: Tensor, context: SamplerContext) -> SamplerRun:
    """DDIM with CFG++ (Chung et al. 2024, arXiv 2406.08070, algorithm 2): the negative prompt's noise is kept."""
    return _ddim(x, context, negative=True)


def euler_cfg_pp(x: Tensor, context: SamplerContext) -> SamplerRun:
    """Euler's method with CFG++: that of DDIM without fresh noise, which is Euler's in sigma."""
    return _ddim(x, replace(context, eta=0.0), negative=True)


def _ddim(x: Tensor, context: SamplerContext, *, negative: bool) -> SamplerRun:
    """x' = x0 + sigma' e, with the noise e of the estimate x0, or of the negative prompt's part of it."""
    eta = context.eta or 0.0
    intervals = list(context.schedule.intervals())
    for interval, after in pairwise([*intervals, None]):
        assert interval is not None
        x0 = yield Query(x, interval.sigma, interval.time, interval.step)
        down, up = renewal(interval.sigma, interval.target, eta)
        noisy = (yield NegativeQuery()) if negative else x0
        x = x0 + down * slope(x, noisy, interval.sigma)
        if up > 0:
            x = x + context.noise(x) * up
        arrived = after.sigma if after else interval.target
        x = yield StepResult(relevel(x, interval.target, arrived), arrived, interval.step)


def lcm(x: Tensor, context: SamplerContext) -> SamplerRun:
    """Latent consistency models (Luo et al. 2023, arXiv 2310.04378, algorithm 3): each estimate is noised anew.

    The consistency function is c_skip x + c_out x0 of the variance-preserving x, with sigma_data 0.5 and times scaled
    by 10 as the published models were distilled.
    """
    for interval in context.schedule.intervals():
        x0 = yield Query(x, interval.sigma, interval.time, interval.step)
        scaled = interval.time * 10.0
        skip, out = 0.25 / (scaled**2 + 0.25), scaled / math.sqrt(scaled**2 + 0.25)
        x = out * x0 + skip * x / math.sqrt(1 + interval.sigma**2)
        if interval.target > 0:
            x = x + interval.target * context.noise(x)
        x = yield StepResult(x, interval.target, interval.step)


def tcd(x: Tensor, context: SamplerContext) -> SamplerRun:
    """Trajectory consistency distillation (Zheng et al. 2024, arXiv 2402.19159, algorithm 4).

    Down to time (1 - gamma) t', and up to t' with fresh noise; gamma, here `eta`, is 0.3 unless given.
    """
    gamma = 0.3 if context.eta is None else context.eta
    training = context.schedule.training
    last = len(context.schedule.times) - 1
    for interval in context.schedule.intervals():
        x0 = yield Query(x, interval.sigma, interval.time, interval.step)
        below = interval.target
        if gamma > 0 and interval.target > 0:
            below = min(
                training.sigma(math.floor((1 - gamma) * training.time(interval.target) + 1e-4)), interval.target
            )
        x = x0 + below * slope(x, x0, interval.sigma)
        if interval.target > below and interval.index != last:
            x = x + math.sqrt(interval.target**2 - below**2) * context.noise(x)
        x = yield StepResult(x, interval.target, interval.step)
