"""Samplers that ask twice a step."""

from __future__ import annotations

import math

from torch import Tensor

from overpaint.engines.diffusion.values import Moved, Query, Walk

from .course import Course, renewal, slope


def heun(x: Tensor, course: Course) -> Walk:
    """Heun's method (Karras et al. 2022, arXiv 2206.00364, algorithm 1): Euler, then the mean of both ends' slopes."""
    for step, sigma, time, target, end_time in _pairs(course):
        x0 = yield Query(x, sigma, time, step)
        d = slope(x, x0, sigma)
        if end_time is None:
            x = yield Moved(x + d * (target - sigma), target, step)
            continue
        end = yield Moved(x + d * (target - sigma), target, step, inner=True)
        x0 = yield Query(end, target, end_time, step)
        x = x + (d + slope(end, x0, target)) / 2 * (target - sigma)
        x = yield Moved(x, target, step)


def dpm2(x: Tensor, course: Course) -> Walk:
    """DPM-Solver-2 (Lu et al. 2022, arXiv 2206.00927, algorithm 1), in sigma: the slope of the geometric middle."""
    for step, sigma, time, target, end_time in _pairs(course):
        x0 = yield Query(x, sigma, time, step)
        d = slope(x, x0, sigma)
        if end_time is None:
            x = yield Moved(x + d * (target - sigma), target, step)
            continue
        between = math.sqrt(sigma * target)
        middle = yield Moved(x + d * (between - sigma), target, step, inner=True)
        x0 = yield Query(middle, between, course.schedule.training.time(between), step)
        x = yield Moved(x + slope(middle, x0, between) * (target - sigma), target, step)


def dpm2_a(x: Tensor, course: Course) -> Walk:
    """DPM-Solver-2 with ancestral noise: a step of `dpm2` to below the target, and noise up to it."""
    eta = 1.0 if course.eta is None else course.eta
    for step, sigma, time, target, end_time in _pairs(course):
        x0 = yield Query(x, sigma, time, step)
        d = slope(x, x0, sigma)
        down, up = renewal(sigma, target, eta)
        if end_time is None or down == 0:
            x = x + d * (down - sigma)
        else:
            between = math.sqrt(sigma * down)
            middle = yield Moved(x + d * (between - sigma), target, step, inner=True)
            x0 = yield Query(middle, between, course.schedule.training.time(between), step)
            x = x + slope(middle, x0, between) * (down - sigma)
        if target > 0:
            x = x + course.noise(x) * up
        x = yield Moved(x, target, step)


def _pairs(course: Course) -> list[tuple[int, float, float, float, float | None]]:
    """(step, sigma, its time, target, the target's time), where a step to 0 has no time at its end.

    The last step is always of first order: there is no slope at sigma 0.
    """
    moves = list(course.schedule.moves())
    ends: list[float | None] = [*(move.time for move in moves[1:]), None]
    return [(move.step, move.sigma, move.time, move.target, end) for move, end in zip(moves, ends, strict=True)]
