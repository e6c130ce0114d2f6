"""DPM-Solver++ with two queries a step and fresh noise, in sigma with lambda = -log sigma."""

from __future__ import annotations

import math

from torch import Tensor

from overpaint.engines.diffusion.values import Query, SamplerRun, StepResult

from .context import SamplerContext, renewal, slope


def dpmpp_2s_a(x: Tensor, context: SamplerContext) -> SamplerRun:
    """DPM-Solver++(2S) (Lu et al. 2022, arXiv 2211.01095, algorithm 1) with ancestral noise.

    The estimate in the middle of the step, at the geometric mean of both levels, leads down below the target; fresh
    noise leads up to it.
    """
    eta = 1.0 if context.eta is None else context.eta
    for interval in context.schedule.intervals():
        sigma, target = interval.sigma, interval.target
        down, up = renewal(sigma, target, eta)
        x0 = yield Query(x, sigma, interval.time, interval.step)
        if down > 0:
            middle = math.sqrt(sigma * down)
            between = yield StepResult(_towards(x0, x, sigma, middle), middle, interval.step, inner=True)
            x0 = yield Query(between, middle, context.schedule.training.time(middle), interval.step)
        x = _towards(x0, x, sigma, down)
        if up > 0:
            x = x + context.noise(x) * up
        x = yield StepResult(x, target, interval.step)


def dpmpp_sde(x: Tensor, context: SamplerContext) -> SamplerRun:
    """SDE-DPM-Solver++ with a stochastic middle (k-diffusion's; Lu et al. 2022, arXiv 2211.01095, section 5).

    Both parts of a step have noise of one Brownian path in sigma: that of the whole step contains that of its first
    half.
    """
    eta = 1.0 if context.eta is None else context.eta
    for interval in context.schedule.intervals():
        sigma, target = interval.sigma, interval.target
        x0 = yield Query(x, sigma, interval.time, interval.step)
        if target == 0:
            x = yield StepResult(x + slope(x, x0, sigma) * (target - sigma), target, interval.step)
            continue
        middle = math.sqrt(sigma * target)
        down, up = renewal(sigma, middle, eta)
        noise = context.noise(x) if eta > 0 else x.new_zeros(x.shape)
        between = _towards(x0, x, sigma, down) + noise * up
        between = yield StepResult(between, middle, interval.step, inner=True)
        x0 = yield Query(between, middle, context.schedule.training.time(middle), interval.step)
        down, up = renewal(sigma, target, eta)
        x = _towards(x0, x, sigma, down)
        if up > 0:
            path = math.sqrt(sigma - middle) * noise + math.sqrt(middle - target) * context.noise(x)
            x = x + path / math.sqrt(sigma - target) * up
        x = yield StepResult(x, target, interval.step)


def _towards(x0: Tensor, x: Tensor, sigma: float, target: float) -> Tensor:
    """The exact step of a constant estimate: x0 + (target / sigma) (x - x0)."""
    return x0 + (target / sigma) * (x - x0)
