"""Samplers that ask twice a step."""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import Tensor

from overpaint.engines.diffusion.schedule import Move
from overpaint.engines.diffusion.values import Moved, Query, Walk

from .course import Course, renewal, slope


def heun(x: Tensor, course: Course) -> Walk:
    """Heun's method (Karras et al. 2022, arXiv 2206.00364, algorithm 1): Euler, then the mean of both ends' slopes."""
    for move, end_time in _steps(course):
        sigma, target = move.sigma, move.target
        x0 = yield Query(x, sigma, move.time, move.step)
        d = slope(x, x0, sigma)
        if end_time is not None:
            end = yield Moved(x + d * (target - sigma), target, move.step, inner=True)
            x0 = yield Query(end, target, end_time, move.step)
            d = (d + slope(end, x0, target)) / 2
        x = yield Moved(x + d * (target - sigma), target, move.step)


def dpm2(x: Tensor, course: Course) -> Walk:
    """DPM-Solver-2 (Lu et al. 2022, arXiv 2206.00927, algorithm 1), in sigma: the slope of the geometric middle."""
    for move, end_time in _steps(course):
        sigma, target = move.sigma, move.target
        x0 = yield Query(x, sigma, move.time, move.step)
        d = slope(x, x0, sigma)
        if end_time is not None:
            between = math.sqrt(sigma * target)
            middle = yield Moved(x + d * (between - sigma), target, move.step, inner=True)
            x0 = yield Query(middle, between, course.schedule.training.time(between), move.step)
            d = slope(middle, x0, between)
        x = yield Moved(x + d * (target - sigma), target, move.step)


def dpm2_a(x: Tensor, course: Course) -> Walk:
    """DPM-Solver-2 with ancestral noise: a step of `dpm2` to below the target, and noise up to it."""
    eta = 1.0 if course.eta is None else course.eta
    for move, end_time in _steps(course):
        sigma, target = move.sigma, move.target
        down, up = renewal(sigma, target, eta)
        x0 = yield Query(x, sigma, move.time, move.step)
        d = slope(x, x0, sigma)
        if end_time is not None and down > 0:
            between = math.sqrt(sigma * down)
            middle = yield Moved(x + d * (between - sigma), target, move.step, inner=True)
            x0 = yield Query(middle, between, course.schedule.training.time(between), move.step)
            d = slope(middle, x0, between)
        x = x + d * (down - sigma)
        if target > 0:
            x = x + course.noise(x) * up
        x = yield Moved(x, target, move.step)


def _steps(course: Course) -> Iterator[tuple[Move, float | None]]:
    """The moves, each with the training time that it ends at.

    The last has none: it leads to sigma 0, where there is no slope, and is of first order.
    """
    moves = list(course.schedule.moves())
    return zip(moves, [*(move.time for move in moves[1:]), None], strict=True)
