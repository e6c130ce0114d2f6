"""Samplers that ask once a step and remember nothing."""

from __future__ import annotations

import math
from itertools import pairwise

from torch import Tensor

from overpaint.engines.diffusion.values import Moved, Query, Walk

from .course import Course, relevel, renewal, slope


def euler(x: Tensor, course: Course) -> Walk:
    """Euler's method on the probability flow (Karras et al. 2022, arXiv 2206.00364, algorithm 2 without churn)."""
    for move in course.schedule.moves():
        x0 = yield Query(x, move.sigma, move.time, move.step)
        x = x + slope(x, x0, move.sigma) * (move.target - move.sigma)
        x = yield Moved(x, move.target, move.step)


def euler_a(x: Tensor, course: Course) -> Walk:
    """Euler's method with ancestral noise: down below the target, and up to it (Ho et al. 2020, arXiv 2006.11239)."""
    eta = 1.0 if course.eta is None else course.eta
    for move in course.schedule.moves():
        x0 = yield Query(x, move.sigma, move.time, move.step)
        down, up = renewal(move.sigma, move.target, eta)
        x = x + slope(x, x0, move.sigma) * (down - move.sigma)
        if move.target > 0:
            x = x + course.noise(x) * up
        x = yield Moved(x, move.target, move.step)


def ddim(x: Tensor, course: Course) -> Walk:
    """Denoising diffusion implicit models (Song et al. 2021, arXiv 2010.02502, equation 12): x0 + sigma' noise."""
    eta = course.eta or 0.0
    moves = list(course.schedule.moves())
    for move, after in pairwise([*moves, None]):
        assert move is not None
        x0 = yield Query(x, move.sigma, move.time, move.step)
        down, up = renewal(move.sigma, move.target, eta)
        x = x0 + down * slope(x, x0, move.sigma)
        if up > 0:
            x = x + course.noise(x) * up
        arrived = after.sigma if after else move.target
        x = yield Moved(relevel(x, move.target, arrived), arrived, move.step)


def lcm(x: Tensor, course: Course) -> Walk:
    """Latent consistency models (Luo et al. 2023, arXiv 2310.04378, algorithm 3): each answer is noised anew.

    The consistency function is c_skip x + c_out x0 of the variance-preserving x, with sigma_data 0.5 and times scaled
    by 10 as the published models were distilled.
    """
    for move in course.schedule.moves():
        x0 = yield Query(x, move.sigma, move.time, move.step)
        scaled = move.time * 10.0
        skip, out = 0.25 / (scaled**2 + 0.25), scaled / math.sqrt(scaled**2 + 0.25)
        x = out * x0 + skip * x / math.sqrt(1 + move.sigma**2)
        if move.target > 0:
            x = x + move.target * course.noise(x)
        x = yield Moved(x, move.target, move.step)


def tcd(x: Tensor, course: Course) -> Walk:
    """Trajectory consistency distillation (Zheng et al. 2024, arXiv 2402.19159, algorithm 4).

    Down to time (1 - gamma) t', and up to t' with fresh noise; gamma, here `eta`, is 0.3 unless given.
    """
    gamma = 0.3 if course.eta is None else course.eta
    training = course.schedule.training
    last = len(course.schedule.times) - 1
    for move in course.schedule.moves():
        x0 = yield Query(x, move.sigma, move.time, move.step)
        below = move.target
        if gamma > 0 and move.target > 0:
            below = min(training.sigma(math.floor((1 - gamma) * training.time(move.target) + 1e-4)), move.target)
        x = x0 + below * slope(x, x0, move.sigma)
        if move.target > below and move.index != last:
            x = x + math.sqrt(move.target**2 - below**2) * course.noise(x)
        x = yield Moved(x, move.target, move.step)
