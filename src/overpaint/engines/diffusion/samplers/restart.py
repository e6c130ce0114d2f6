"""Restart: Heun's method that goes back up to a higher level."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from torch import Tensor

from overpaint.engines.diffusion.schedule import karras_levels
from overpaint.engines.diffusion.values import Query, SamplerRun, StepResult

from .context import SamplerContext, slope

FEWEST = 20
"""Fewest steps with a restart, as in AUTOMATIC1111; fewer are those of `heun`."""

RESTARTED = (0.1, 2.0)
"""The levels between which it restarts (Xu et al. 2023, table 4)."""


def restart(x: Tensor, context: SamplerContext) -> SamplerRun:
    """Restart sampling (Xu et al. 2023, arXiv 2306.14878, algorithm 1) with Heun's method.

    With 20 steps or more, on levels of its own (`restart_levels`): at level 0.1 fresh noise leads back up to 2, from
    where steps lead down again. A start below 2 has no restart.
    """
    levels = restart_levels(context.schedule.sigmas)
    training = context.schedule.training
    last = levels[0][0]
    for step, (sigma, target) in enumerate(levels):
        if sigma > last:
            x = x + context.noise(x) * math.sqrt(sigma**2 - last**2)
        x0 = yield Query(x, sigma, training.time(sigma), step)
        d = slope(x, x0, sigma)
        if target > 0:
            end = yield StepResult(x + d * (target - sigma), target, step, inner=True)
            x0 = yield Query(end, target, training.time(target), step)
            d = (d + slope(end, x0, target)) / 2
        x = yield StepResult(x + d * (target - sigma), target, step)
        last = target


def restart_levels(sigmas: tuple[float, ...]) -> list[tuple[float, float]]:
    """The steps from level to level, as many as `sigmas` has.

    One restart of 9 steps below 36 steps, and two of a quarter of the steps from there on; all other steps, and those
    of a restart, are spaced by Karras' rule (AUTOMATIC1111's choice).
    """
    low, high = RESTARTED
    steps = len(sigmas) - 1
    if steps < FEWEST or sigmas[0] < high or sigmas[-2] >= low:
        return list(pairwise(sigmas))
    times, length = (1, 9) if steps < 36 else (2, steps // 4)
    main = karras_levels(sigmas[0], sigmas[-2], steps - times * length)
    bottom, top = (int(np.abs(main - level).argmin()) for level in (low, high))
    back = [float(level) for level in karras_levels(main[top], main[bottom], length + 1)]
    return list(_with_restarts([*(float(level) for level in main), 0.0], bottom, back, times))


def _with_restarts(levels: list[float], bottom: int, back: list[float], times: int) -> Iterator[tuple[float, float]]:
    """The steps of `levels`, with those of `back` after the one that leads to number `bottom`."""
    for number, step in enumerate(pairwise(levels), start=1):
        yield step
        if number == bottom:
            for _ in range(times):
                yield from pairwise(back)
