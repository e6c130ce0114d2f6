"""Samplers with one query a step that use earlier estimates."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from overpaint.engines.diffusion.schedule import Interval
from overpaint.engines.diffusion.values import Query, SamplerRun, StepResult

from .context import SamplerContext, log_step, relevel, slope


def lms(x: Tensor, context: SamplerContext) -> SamplerRun:
    """Linear multistep of order 4 (Adams and Bashforth's, on uneven levels; k-diffusion's LMS).

    The slope is the polynomial through the last slopes, integrated exactly over the step.
    """
    sigmas = context.schedule.sigmas
    slopes: list[Tensor] = []
    for interval in context.schedule.intervals():
        x0 = yield Query(x, interval.sigma, interval.time, interval.step)
        slopes = [slope(x, x0, interval.sigma), *slopes[:3]]
        # The order counts from the start of the whole schedule, as in diffusers when strength leaves steps out.
        weights = lagrange_weights(sigmas, interval.index, min(interval.index + 1, 4))
        x = x + sum((w * d for w, d in zip(weights, slopes, strict=False)), start=x.new_zeros(()))
        x = yield StepResult(x, interval.target, interval.step)


def lagrange_weights(sigmas: tuple[float, ...], index: int, order: int) -> list[float]:
    """Integrals from sigmas[index] to sigmas[index + 1] of the Lagrange polynomials of the last `order` levels."""
    nodes = [sigmas[index - k] for k in range(order)]
    weights = []
    for own in nodes:
        others = [node for node in nodes if node != own]
        basis = np.polynomial.Polynomial(np.atleast_1d(np.poly(others))[::-1]) / math.prod(
            own - other for other in others
        )
        whole = basis.integ()
        weights.append(float(whole(sigmas[index + 1]) - whole(sigmas[index])))
    return weights


def dpmpp_2m(x: Tensor, context: SamplerContext) -> SamplerRun:
    """DPM-Solver++(2M) (Lu et al. 2022, arXiv 2211.01095, algorithm 2): `dpmpp_2m_sde` with no noise renewed."""
    return dpmpp_2m_sde(x, replace(context, eta=0.0))


def dpmpp_2m_sde_heun(x: Tensor, context: SamplerContext) -> SamplerRun:
    """`dpmpp_2m_sde` with Heun's weight of the extrapolation in place of the midpoint's, as k-diffusion has it."""
    return _dpmpp_2m_sde(x, context, heun=True)


def dpmpp_2m_sde(x: Tensor, context: SamplerContext) -> SamplerRun:
    """SDE-DPM-Solver++(2M) (Lu et al. 2022, arXiv 2211.01095, equation 19), in sigma, with lambda = -log sigma.

    x' = (sigma' / sigma)^(1 + eta) x + (1 - e^(-(1 + eta) h)) D, with D extrapolated from this estimate and the last. A
    share eta of the noise is renewed, as in k-diffusion: with 1, its default, all of it.
    """
    return _dpmpp_2m_sde(x, context, heun=False)


def _dpmpp_2m_sde(x: Tensor, context: SamplerContext, *, heun: bool) -> SamplerRun:
    eta = 1.0 if context.eta is None else context.eta
    before: tuple[Tensor, float] | None = None
    for interval in context.schedule.intervals():
        x0 = yield Query(x, interval.sigma, interval.time, interval.step)
        h = log_step(interval.sigma, interval.target)
        d = x0
        if before is not None and not _falls_back(context, interval):
            d = _extrapolated(x0, *before, interval, h, _heun_weight((1 + eta) * h) if heun else 1.0)
        x = (interval.target / interval.sigma) ** (1 + eta) * x - math.expm1(-(1 + eta) * h) * d
        if interval.target > 0 and eta > 0:
            x = x + interval.target * math.sqrt(-math.expm1(-2 * eta * h)) * context.noise(x)
        before = x0, interval.sigma
        x = yield StepResult(x, interval.target, interval.step)


def _extrapolated(
    x0: Tensor, last: Tensor, last_sigma: float, interval: Interval, h: float, weight: float = 1.0
) -> Tensor:
    """This estimate and the last, extrapolated to the middle of the step of length h, or `weight` times as far."""
    return x0 + (x0 - last) * (weight * h / (2 * log_step(last_sigma, interval.sigma)))


def _heun_weight(h: float) -> float:
    """How much more of the extrapolation Heun's rule takes than the midpoint's: 2 (1 / (1 - e^-h) - 1 / h)."""
    return -2 / math.expm1(-h) - 2 / h


def _falls_back(context: SamplerContext, interval: Interval) -> bool:
    """Whether the step has order 1: the last one, to 0 or of a short schedule, is unstable otherwise."""
    total = len(context.schedule.times)
    return interval.index == total - 1 and (interval.target == 0 or total < 15)


def dpmpp_3m_sde(x: Tensor, context: SamplerContext) -> SamplerRun:
    """SDE-DPM-Solver++ of order 3 (Lu et al. 2022, arXiv 2211.01095; k-diffusion's multistep of three estimates).

    As `dpmpp_2m_sde`, with the estimate as a polynomial of lambda through this estimate and the last two, whose first
    and second derivative in units of the step are weighted by phi-functions of (1 + eta) h.
    """
    eta = 1.0 if context.eta is None else context.eta
    estimates: list[Tensor] = []
    steps: list[float] = []
    for interval in context.schedule.intervals():
        x0 = yield Query(x, interval.sigma, interval.time, interval.step)
        if interval.target > 0:
            h = log_step(interval.sigma, interval.target)
            whole = (1 + eta) * h
            phi_1 = -math.expm1(-whole)
            phi_2 = 1 - phi_1 / whole
            phi_3 = phi_2 / whole - 0.5
            first, second = _derivatives([x0, *estimates], [last / h for last in steps])
            x = math.exp(-whole) * x + phi_1 * x0 + phi_2 * first - phi_3 * second
            if eta > 0:
                x = x + interval.target * math.sqrt(-math.expm1(-2 * eta * h)) * context.noise(x)
            estimates, steps = [x0, *estimates[:1]], [h, *steps[:1]]
        else:
            x = x0
        x = yield StepResult(x, interval.target, interval.step)


def _derivatives(estimates: list[Tensor], steps: list[float]) -> tuple[Tensor, Tensor]:
    """First and second derivative (the latter halved) of one to three estimates, the latest first.

    `steps`: the lengths between them, in units of the coming step.
    """
    zero = torch.zeros_like(estimates[0])
    if len(estimates) == 1:
        return zero, zero
    recent = (estimates[0] - estimates[1]) / steps[0]
    if len(estimates) == 2:
        return recent, zero
    earlier = (estimates[1] - estimates[2]) / steps[1]
    bend = (recent - earlier) / (steps[0] + steps[1])
    return recent + bend * steps[0], bend


def unipc(x: Tensor, context: SamplerContext) -> SamplerRun:
    """UniPC-2 with B(h) = e^h - 1 (Zhao et al. 2023, arXiv 2302.04867, algorithms 5 and 6), in sigma.

    Each estimate first corrects the step before it (UniC), then predicts the next one (UniP, here DPM-Solver++(2M)).
    """
    total = len(context.schedule.times)
    estimates: list[tuple[Tensor, float]] = []
    left: tuple[Tensor, float, int] | None = None
    for interval in context.schedule.intervals():
        x0 = yield Query(x, interval.sigma, interval.time, interval.step)
        if left is not None:
            x = _corrected(*left, interval.sigma, x0, estimates)
        estimates = [(x0, interval.sigma), *estimates[:1]]
        order = min(2, total - interval.index, len(estimates))
        left = x, interval.sigma, order
        h = log_step(interval.sigma, interval.target)
        d = x0 if order == 1 else _extrapolated(x0, *estimates[1], interval, h)
        x = yield StepResult(
            (interval.target / interval.sigma) * x - math.expm1(-h) * d, interval.target, interval.step
        )


def _corrected(
    x: Tensor, sigma: float, order: int, target: float, x0: Tensor, estimates: list[tuple[Tensor, float]]
) -> Tensor:
    """UniC: the step from (x, sigma) to `target` again, with the estimate x0 at its end."""
    h = log_step(sigma, target)
    first = estimates[0][0]
    plain = (target / sigma) * x - math.expm1(-h) * first
    if order == 1:
        return plain - math.expm1(-h) * 0.5 * (x0 - first)
    last, last_sigma = estimates[1]
    r = -log_step(last_sigma, sigma) / h
    # phi-functions of -h over B(h), and the weights that match them at the points r and 1.
    phi_1 = math.expm1(-h)
    phi_2 = phi_1 / -h - 1
    phi_3 = phi_2 / -h - 0.5
    matched = np.linalg.solve(np.array([[1.0, 1.0], [r, 1.0]]), np.array([phi_2, 2 * phi_3]) / phi_1)
    earlier, here = (float(weight) for weight in matched)
    return plain - phi_1 * (earlier * (last - first) / r + here * (x0 - first))


def pndm(x: Tensor, context: SamplerContext) -> SamplerRun:
    """Pseudo linear multistep (Liu et al. 2022, arXiv 2202.09778, PLMS): Adams and Bashforth's weights of order 4.

    The first step is taken twice, the second time with the mean slope of both its ends.
    """
    calls = _plms_calls(context)
    begin = x
    outputs: list[Tensor] = []
    for call, (interval, source) in enumerate(calls):
        x0 = yield Query(x, interval.sigma, interval.time, max(call - 1, 0))
        output = _as_output(context, x, x0, interval.sigma)
        if call == 1:
            x, combined = begin, (output + outputs[0]) / 2
        else:
            outputs = [output, *outputs[:3]]
            combined = sum((w * o for w, o in zip(ADAMS[len(outputs)], outputs, strict=True)), start=x.new_zeros(()))
        x = relevel(x, calls[0][0].sigma if call == 1 else interval.sigma, source)
        noise = _as_noise(context, x, combined, source)
        arrived = calls[call + 1][0].sigma if call + 1 < len(calls) else interval.target
        x = relevel(x + noise * (interval.target - source), interval.target, arrived)
        x = yield StepResult(x, arrived, max(call - 1, 0), inner=call == 0 and len(calls) > 1)


ADAMS = {
    1: (1.0,),
    2: (3 / 2, -1 / 2),
    3: (23 / 12, -16 / 12, 5 / 12),
    4: (55 / 24, -59 / 24, 37 / 24, -9 / 24),
}
"""Weights of Adams and Bashforth's methods for even steps, the latest slope first."""


def _plms_calls(context: SamplerContext) -> list[tuple[Interval, float]]:
    """The intervals of PLMS, each with its start level; the second has that of the first."""
    schedule = context.schedule
    intervals = list(schedule.intervals())
    if schedule.stride is None:
        first, *rest = intervals
        again = [(Interval(0, 0, one.sigma, one.time, one.sigma), first.sigma) for one in rest[:1]]
        return [(first, first.sigma), *again, *((one, one.sigma) for one in rest)]
    calls = [(interval, interval.sigma) for interval in intervals]
    if len(calls) > 1:
        # diffusers counts back from the second call's time, also when strength has left out the first of the pair.
        second = intervals[1]
        source = schedule.training.sigma(second.time + schedule.stride)
        calls[1] = Interval(second.step, second.index, second.sigma, second.time, second.sigma), source
    return calls


def _as_output(context: SamplerContext, x: Tensor, x0: Tensor, sigma: float) -> Tensor:
    """The output that PLMS extrapolates: the noise in x, or v = (x / (1 + sigma^2) - x0) sqrt(1 + sigma^2) / sigma."""
    if context.extrapolates == "v":
        return (x / (1 + sigma**2) - x0) * (math.sqrt(1 + sigma**2) / sigma)
    return slope(x, x0, sigma)


def _as_noise(context: SamplerContext, x: Tensor, output: Tensor, sigma: float) -> Tensor:
    """The noise in x for a combined output at level sigma."""
    if context.extrapolates == "v":
        return output / math.sqrt(1 + sigma**2) + x * (sigma / (1 + sigma**2))
    return output
