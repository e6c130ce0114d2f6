"""DPM-Solver of orders 1 to 3 (Lu et al. 2022, arXiv 2206.00927), in sigma with lambda = -log sigma.

Both samplers space their levels themselves, from the schedule's first level to its last one above 0, where one more
query gives the result. With an eta above 0 a step leads below its level, and fresh noise back up to it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from itertools import count, pairwise

import torch
from torch import Tensor

from overpaint.engines.diffusion.schedule import exponential_levels
from overpaint.engines.diffusion.values import Query, SamplerPart, SamplerRequest, SamplerRun, StepResult

from .context import SamplerContext, log_step, renewal, slope

ABSOLUTE, RELATIVE = 0.0078, 0.05
"""Tolerances of an adaptive step (Lu et al. 2022, appendix C): 2 / 256 for pictures in [-1, 1], and 0.05."""

FIRST_STEP = 0.05
"""Length in lambda of the first adaptive step."""

SAFETY = 0.81
"""An adaptive step whose successor would shrink by more than this factor is taken again, shorter."""

SHORTEST = 1e-3
"""Adaptive steps of this share of the whole way are always accepted: a sampler ends, whatever the network gives."""


def dpm_fast(x: Tensor, context: SamplerContext) -> SamplerRun:
    """DPM-Solver-fast (Lu et al. 2022, appendix D.3): steps of order 3, and lower ones at the end.

    Every query counts as one step, so that `steps` is the number of network calls.
    """
    high, low = _ends(context)
    orders = fast_orders(context.schedule.steps - 1)
    numbers = count()
    calls = _Calls(context, numbers.__next__, inner=False)
    levels = [float(level) for level in exponential_levels(high, low, len(orders) + 1)]
    levels[0] = high
    for (sigma, target), order in zip(pairwise(levels), orders, strict=True):
        down, up = _renewed(sigma, target, low, context)
        x = yield from _STEPS[order](x, sigma, down, calls)
        x = yield StepResult(_noised(x, up, context), target, calls.step)
    yield from _ended(x, low, context)


def fast_orders(calls: int) -> list[int]:
    """The orders of steps that take `calls` queries together."""
    if calls < 3:
        return [calls] if calls > 0 else []
    return [3] * (calls // 3 - 1) + [2, 1] if calls % 3 == 0 else [3] * (calls // 3) + [calls % 3]


def dpm_adaptive(x: Tensor, context: SamplerContext) -> SamplerRun:
    """DPM-Solver-23 with adaptive steps (Lu et al. 2022, appendix C): order 3, with the error to order 2.

    It makes as many queries as its tolerances need; `steps` only divides the way in lambda, for progress and for
    settings that change over the steps. A step's length is multiplied by error^(-1/3), limited as in k-diffusion by
    1 + atan(factor - 1); the order is 1.5 with fresh noise.
    """
    high, low = _ends(context)
    whole, steps = log_step(high, low), context.schedule.steps
    order = 1.5 if context.eta else 3.0
    sigma, length, before = high, FIRST_STEP, x

    def number() -> int:
        return min(int(log_step(high, sigma) / whole * (steps - 1) + 1e-6), steps - 2)

    calls = _Calls(context, number, inner=True)
    while steps > 1 and log_step(sigma, low) > 1e-5:
        target = max(low, sigma * math.exp(-length))
        down, up = _renewed(sigma, target, low, context)
        coarse, fine = yield from _second_and_third(x, sigma, down, calls)
        error = _error(coarse, fine, before)
        factor = 1 + math.atan((error + 1e-8) ** (-1 / order) - 1)
        if factor >= SAFETY or length <= SHORTEST * whole:
            before = coarse
            x = yield StepResult(_noised(fine, up, context), target, calls.step)
            sigma = target
        length = max(length * factor, SHORTEST * whole)
    yield from _ended(x, low, context)


class _Calls:
    """Queries of a sampler with their numbers of steps.

    Attributes:
        context: Of the sampler.
        inner: Whether an x between two queries of one step is inside of that step (see `StepResult`).
        step: The number of the latest query's step.
    """

    def __init__(self, context: SamplerContext, number: Callable[[], int], *, inner: bool) -> None:
        """`number`: the number of the next query's step."""
        self.context, self.inner, self.step = context, inner, 0
        self._number = number

    def slope(self, x: Tensor, sigma: float) -> SamplerPart:
        """The slope at x, from a query."""
        self.step = self._number()
        x0 = yield Query(x, sigma, self.context.schedule.training.time(sigma), self.step)
        return slope(x, x0, sigma)

    def between(self, x: Tensor, sigma: float) -> SamplerPart:
        """x between two queries, blended."""
        return (yield StepResult(x, sigma, self.step, inner=self.inner))


def _first(x: Tensor, sigma: float, target: float, calls: _Calls) -> SamplerPart:
    """Order 1, which is Euler's step."""
    d = yield from calls.slope(x, sigma)
    return x + (target - sigma) * d


def _second(x: Tensor, sigma: float, target: float, calls: _Calls) -> SamplerPart:
    """Order 2 (algorithm 1): by the slope in the middle."""
    d = yield from calls.slope(x, sigma)
    middle = math.sqrt(sigma * target)
    u = yield from calls.between(x + (middle - sigma) * d, middle)
    return x + (target - sigma) * (yield from calls.slope(u, middle))


def _third(x: Tensor, sigma: float, target: float, calls: _Calls) -> SamplerPart:
    """Order 3 (algorithm 2)."""
    _, x = yield from _second_and_third(x, sigma, target, calls)
    return x


_STEPS = {1: _first, 2: _second, 3: _third}
"""Steps by order: as many queries."""


def _second_and_third(
    x: Tensor, sigma: float, target: float, calls: _Calls
) -> Generator[SamplerRequest, Tensor, tuple[Tensor, Tensor]]:
    """A step of order 2 with its middle at a third, and one of order 3, from three queries together."""
    h = log_step(sigma, target)
    one, two = (sigma * (target / sigma) ** part for part in (1 / 3, 2 / 3))
    d = yield from calls.slope(x, sigma)
    u = yield from calls.between(x + (one - sigma) * d, one)
    change = (yield from calls.slope(u, one)) - d
    second = x + (target - sigma) * (d + 1.5 * change)
    u = yield from calls.between(x + (two - sigma) * d - 2 * _bend(sigma, two, 2 / 3 * h) * change, two)
    change = (yield from calls.slope(u, two)) - d
    return second, x + (target - sigma) * d - 1.5 * _bend(sigma, target, h) * change


def _bend(sigma: float, target: float, h: float) -> float:
    """The step of a slope that rises from 0 to 1 in lambda: target ((e^h - 1) / h - 1)."""
    return (sigma - target) / h - target


def _error(coarse: Tensor, fine: Tensor, before: Tensor) -> float:
    """Root mean square of the difference, in units of the tolerances."""
    tolerance = (RELATIVE * torch.maximum(coarse.abs(), before.abs())).clamp(min=ABSOLUTE)
    return float(((coarse - fine) / tolerance).square().mean().sqrt())


def _ends(context: SamplerContext) -> tuple[float, float]:
    """The first level, and the last one above 0."""
    return context.schedule.start, context.schedule.sigmas[-2]


def _renewed(sigma: float, target: float, low: float, context: SamplerContext) -> tuple[float, float]:
    """The level to step down to, `low` at the least, and the deviation of the noise back up to `target`."""
    if not context.eta:
        return target, 0.0
    down = max(low, renewal(sigma, target, context.eta)[0])
    return down, math.sqrt(max(target**2 - down**2, 0.0))


def _noised(x: Tensor, up: float, context: SamplerContext) -> Tensor:
    return x + context.noise(x) * up if up > 0 else x


def _ended(x: Tensor, low: float, context: SamplerContext) -> SamplerRun:
    """The step from the last level to 0."""
    last = context.schedule.steps - 1
    x0 = yield Query(x, low, context.schedule.training.time(low), last)
    yield StepResult(x0, 0.0, last)
