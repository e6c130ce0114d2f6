"""Samplers with two queries a step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor

from overpaint.engines.diffusion.schedule import Interval
from overpaint.engines.diffusion.values import Query, SamplerRun, StepResult

from .context import NO_CHURN, SamplerContext, renewal, slope


def heun(x: Tensor, context: SamplerContext) -> SamplerRun:
    """Heun's method (Karras et al. 2022, arXiv 2206.00364, algorithm 1): Euler, then the mean of both ends' slopes."""
    for level, end_time in _steps(context):
        x, interval = context.churned(x, level)
        sigma, target = interval.sigma, interval.target
        x0 = yield Query(x, sigma, interval.time, interval.step)
        d = slope(x, x0, sigma)
        if end_time is not None:
            end = yield StepResult(x + d * (target - sigma), target, interval.step, inner=True)
            x0 = yield Query(end, target, end_time, interval.step)
            d = (d + slope(end, x0, target)) / 2
        x = yield StepResult(x + d * (target - sigma), target, interval.step)


def dpm2(x: Tensor, context: SamplerContext) -> SamplerRun:
    """DPM-Solver-2 (Lu et al. 2022, arXiv 2206.00927, algorithm 1), with churn: no noise is renewed."""
    return _dpm2(x, context, eta=0.0)


def dpm2_a(x: Tensor, context: SamplerContext) -> SamplerRun:
    """DPM-Solver-2 with ancestral noise, in sigma: by the slope of the geometric middle, then up with noise.

    Without noise: Lu et al. 2022, arXiv 2206.00927, algorithm 1.
    """
    return _dpm2(x, replace(context, churn=NO_CHURN), eta=1.0 if context.eta is None else context.eta)


def _dpm2(x: Tensor, context: SamplerContext, *, eta: float) -> SamplerRun:
    for level, end_time in _steps(context):
        x, interval = context.churned(x, level)
        sigma, target = interval.sigma, interval.target
        down, up = renewal(sigma, target, eta)
        x0 = yield Query(x, sigma, interval.time, interval.step)
        d = slope(x, x0, sigma)
        if end_time is not None and down > 0:
            between = math.sqrt(sigma * down)
            middle = yield StepResult(x + d * (between - sigma), target, interval.step, inner=True)
            x0 = yield Query(middle, between, context.schedule.training.time(between), interval.step)
            d = slope(middle, x0, between)
        x = x + d * (down - sigma)
        if target > 0 and eta > 0:
            x = x + context.noise(x) * up
        x = yield StepResult(x, target, interval.step)


def _steps(context: SamplerContext) -> Iterator[tuple[Interval, float | None]]:
    """The intervals, each with the training time at its end.

    The last one has none: it leads to sigma 0, where there is no slope, and has first order.
    """
    intervals = list(context.schedule.intervals())
    return zip(intervals, [*(interval.time for interval in intervals[1:]), None], strict=True)
