"""Samplers beside k-diffusion's, with equal levels and noise; the numbers are those of `k_diffusion_numbers.py`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from k_diffusion_numbers import NUMBERS, Draws, begin, denoised
from overpaint.engines.diffusion.dialects.native import native_schedule
from overpaint.engines.diffusion.noise import scaled
from overpaint.engines.diffusion.samplers import SAMPLERS, Churn, SamplerContext
from overpaint.engines.diffusion.samplers.dpm_solver import fast_orders
from overpaint.engines.diffusion.samplers.restart import restart_levels
from overpaint.engines.diffusion.schedule import Schedule, Training, karras_levels
from overpaint.engines.diffusion.spacings import SPACINGS, LevelSpan
from overpaint.engines.diffusion.values import NegativeQuery, Query

TRAINING = Training.of()
THEIRS = json.loads(NUMBERS.read_text())


def walk(
    sampler: str, x: torch.Tensor, context: SamplerContext, denoise: Callable[..., torch.Tensor] = denoised
) -> tuple[torch.Tensor, list[Query]]:
    """Where a sampler ends from x, with the ideal estimates, and its queries."""
    run = SAMPLERS[sampler](x, context)
    queries: list[Query] = []
    said = next(run)
    try:
        while True:
            if isinstance(said, Query):
                queries.append(said)
                said = run.send(estimate := denoise(said.x, said.sigma))
            elif isinstance(said, NegativeQuery):
                said = run.send(estimate)
            else:
                x = said.x
                said = run.send(x)
    except StopIteration:
        return x, queries


def levelled(levels: list[float]) -> Schedule:
    return Schedule(TRAINING, tuple(levels), tuple(TRAINING.time(level) for level in levels[:-1]))


@pytest.mark.parametrize(
    "case", THEIRS["samplers"], ids=lambda one: f"{one['sampler']}-{one['steps']}-{one['settings']}"
)
def test_a_sampler_ends_where_k_diffusions_does(case: dict[str, Any]):
    given = dict(case["settings"])
    draws = Draws()
    noise = scaled(lambda like: draws.next()[None], given.pop("s_noise", 1.0))
    eta = given.pop("eta", None)
    churn = Churn(given.pop("s_churn", 0.0), given.pop("s_tmin", 0.0))
    assert not given
    levels = [*(float(level) for level in karras_levels(12.0, 0.03, case["steps"])), 0.0]
    context = SamplerContext(levelled(levels), noise, eta, churn=churn)
    end, queries = walk(case["sampler"], begin(12.0)[None], context)
    np.testing.assert_allclose(end[0].numpy(), case["end"], atol=1e-9)
    if case["sampler"] == "dpm_fast":
        assert len(queries) == case["steps"]


@pytest.mark.parametrize(("scheduler", "rho"), [("karras", 5.0), ("polyexponential", 1.7)])
def test_levels_are_k_diffusions(scheduler: str, rho: float):
    low, high = TRAINING.sigma(0), TRAINING.sigma(500)
    ours = SPACINGS[scheduler](LevelSpan(TRAINING, 500, 9, rho))
    # The numbers are of levels 0.03 to 12: both rules are even in a power or a power of the logarithm of the level.
    theirs = np.array(THEIRS["levels"][scheduler][:-1])
    power = (lambda x: x ** (1 / rho)) if scheduler == "karras" else np.log
    at = (power(theirs) - power(0.03)) / (power(12.0) - power(0.03))
    np.testing.assert_allclose((power(ours) - power(low)) / (power(high) - power(low)), at, atol=1e-12)


def test_the_orders_of_dpm_fast_take_all_queries():
    for calls in range(40):
        assert sum(fast_orders(calls)) == calls
    assert fast_orders(9) == [3, 3, 2, 1]


def error(sampler: str, steps: int) -> float:
    """Distance from the exact end of the probability flow between two levels, on even levels of log sigma."""
    levels = [*np.geomspace(12.0, 0.03, steps), 0.0]
    end, _ = walk(sampler, begin(12.0)[None], SamplerContext(levelled(levels), lambda like: 1 / 0, 0.0))
    deviation = math.sqrt(12.0**2 + 0.7**2)
    # The last step, from 0.03 to 0, has order 1 for all of them, and the same error: it is taken exactly here.
    exact = denoised(begin(12.0)[None] * math.sqrt(0.03**2 + 0.7**2) / deviation, 0.03)
    return float((end - exact).abs().max())


@pytest.mark.parametrize(
    ("sampler", "order"),
    [
        *(("euler", 1), ("ddim", 1), ("heun", 2), ("dpm2", 2), ("dpmpp_2m", 2), ("dpmpp_2s_a", 2), ("dpmpp_sde", 2)),
        *(("dpmpp_3m_sde", 2), ("dpm_fast", 2)),
    ],
)
def test_halving_the_steps_length_divides_the_error_by_two_to_the_order(sampler: str, order: int):
    """The first steps of DPM++ 3M and the last ones of DPM fast have lower orders, which hold them at order 2."""
    coarse, fine = error(sampler, 97), error(sampler, 193)
    assert math.log2(coarse / fine) == pytest.approx(order, abs=0.35)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_dpm_adaptive_makes_the_calls_that_it_needs(eta: float):
    schedule = native_schedule(TRAINING, steps=10)
    end, queries = walk(
        "dpm_adaptive", begin(schedule.start)[None].float(), SamplerContext(schedule, torch.randn_like, eta)
    )
    assert len(queries) > 20
    steps = [query.step for query in queries]
    assert steps == sorted(steps)
    assert (steps[0], steps[-1], steps.count(9)) == (0, 9, 1)
    exact = begin(schedule.start)[None] * 0.7 / math.sqrt(schedule.start**2 + 0.7**2)
    assert eta == 1 or (end - exact).abs().max() < 0.04


def test_dpm_adaptive_ends_with_a_network_that_jumps():
    schedule = native_schedule(TRAINING, steps=10)
    context = SamplerContext(schedule, torch.randn_like)
    _, queries = walk("dpm_adaptive", begin(schedule.start)[None], context, lambda x, sigma: torch.randn_like(x) * 5)
    assert len(queries) < 8000


@pytest.mark.parametrize("steps", [19, 20, 35, 36, 50])
def test_restart_takes_exactly_its_steps(steps: int):
    schedule = native_schedule(TRAINING, steps=steps, scheduler="karras")
    levels = restart_levels(schedule.sigmas)
    assert len(levels) == steps
    assert (levels[0][0], levels[-1][1]) == (schedule.start, 0.0)
    ups = [(before, after) for (_, before), (after, _) in pairwise(levels) if after > before]
    assert len(ups) == (0 if steps < 20 else 1 if steps < 36 else 2)
    for low, high in ups:
        assert low == pytest.approx(0.1, rel=0.5)
        assert high == pytest.approx(2, rel=0.5)


def test_restart_of_few_steps_is_heun():
    schedule = native_schedule(TRAINING, steps=12, scheduler="karras")
    context = SamplerContext(schedule, torch.randn_like)
    ours, heun = (walk(name, begin(schedule.start)[None], context)[0] for name in ("restart", "heun"))
    assert torch.allclose(ours, heun, atol=1e-12)


@pytest.mark.parametrize(
    ("sampler", "eta"),
    [
        *(("dpmpp_sde", None), ("dpmpp_sde", 0.5), ("dpmpp_2s_a", None), ("dpmpp_3m_sde", None)),
        *(("dpmpp_3m_sde", 0.5), ("restart", None), ("dpm_fast", 1.0), ("dpm_adaptive", 1.0), ("ddim_cfg_pp", 1.0)),
    ],
)
def test_samplers_with_fresh_noise_end_in_the_right_distribution(sampler: str, eta: float | None):
    schedule = native_schedule(TRAINING, steps=120, scheduler="karras")
    generator = torch.Generator().manual_seed(5)

    def fresh(like: torch.Tensor) -> torch.Tensor:
        return torch.randn(like.shape, generator=generator)

    x = fresh(torch.empty(1, 4, 64, 64)) * math.sqrt(schedule.start**2 + 0.7**2)
    x, _ = walk(sampler, x, SamplerContext(schedule, fresh, eta))
    assert float(x.mean()) == pytest.approx(0, abs=0.02)
    assert float(x.std()) == pytest.approx(0.7, rel=0.05)


def test_churn_is_bounded_and_has_its_range():
    """Karras et al. 2022, algorithm 2, line 4."""
    churn = Churn(3.0, 0.1, 5.0)
    assert churn.share(1.0, 10) == 0.3
    assert churn.share(1.0, 5) == pytest.approx(math.sqrt(2) - 1)
    assert churn.share(5.1, 10) == churn.share(0.09, 10) == 0


def test_cfg_pp_keeps_the_noise_of_the_negative_prompt():
    """x' = x0 + sigma' (x - u) / sigma (Chung et al. 2024, algorithm 2, in sigma)."""
    schedule = levelled([4.0, 2.0, 0.0])
    x = begin(4.0)[None]
    run = SAMPLERS["euler_cfg_pp"](x, SamplerContext(schedule, torch.randn_like))
    assert isinstance(next(run), Query)
    run.send(torch.full_like(x, 0.5))  # the guided estimate; it requests the negative prompt's
    moved = run.send(torch.full_like(x, -0.25))
    assert torch.allclose(moved.x, 0.5 + 2.0 * (x + 0.25) / 4.0)
