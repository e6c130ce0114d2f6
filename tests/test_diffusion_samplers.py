"""Samplers against denoisers whose answers are known in closed form."""

from __future__ import annotations

import math

import pytest
import torch

from overpaint.engines.diffusion.dialects.native import native_schedule
from overpaint.engines.diffusion.noise import Noise
from overpaint.engines.diffusion.samplers import SAMPLERS, SamplerContext
from overpaint.engines.diffusion.samplers.context import relevel, renewal
from overpaint.engines.diffusion.samplers.multistep import lagrange_weights
from overpaint.engines.diffusion.schedule import Schedule, Training
from overpaint.engines.diffusion.values import NegativeQuery, Query, StepResult

MEAN, DEVIATION = 0.4, 0.7
FLOW = ("euler", "heun", "lms", "dpm2", "dpmpp_2m", "ddim", "pndm", "unipc")
"""Samplers that follow the probability flow, without noise of their own."""
RENEWING = ("euler_a", "dpm2_a", "dpmpp_2m_sde")
CALLS = {
    "heun": lambda n: 2 * n - 1,
    "dpm2": lambda n: 2 * n - 1,
    "dpm2_a": lambda n: 2 * n - 1,
    "dpmpp_2s_a": lambda n: 2 * n - 1,
    "dpmpp_sde": lambda n: 2 * n - 1,
    "restart": lambda n: 2 * n - 1,
    "pndm": lambda n: n + 1,
}
STEPPED = sorted(SAMPLERS.keys() - {"dpm_adaptive"})
"""Samplers that make a fixed number of calls."""


def gaussian(query: Query) -> torch.Tensor:
    """The ideal denoiser of pictures whose cells are N(mean, deviation^2): the posterior mean."""
    return (DEVIATION**2 * query.x + query.sigma**2 * MEAN) / (DEVIATION**2 + query.sigma**2)


def walk(sampler: str, x: torch.Tensor, schedule: Schedule, denoise=gaussian, eta: float | None = None):
    """Where a sampler ends, and what it asked."""
    going = SAMPLERS[sampler](x, SamplerContext(schedule, Noise(7), eta))
    asked: list[Query] = []
    said = next(going)
    while True:
        try:
            if isinstance(said, Query):
                asked.append(said)
                said = going.send(estimate := denoise(said))
            elif isinstance(said, NegativeQuery):
                said = going.send(estimate)
            else:
                x, last = said.x, said
                said = going.send(said.x)
        except StopIteration:
            assert isinstance(last, StepResult)
            return x, asked


def schedule(steps: int, strength: float = 0.9, scheduler: str = "karras") -> Schedule:
    return native_schedule(Training.of(), steps=steps, strength=strength, scheduler=scheduler)


def begin(levels: Schedule, cells: int = 16) -> torch.Tensor:
    draw = torch.Generator().manual_seed(1)
    spread = math.sqrt(DEVIATION**2 + levels.start**2)
    return MEAN + spread * torch.randn(1, 4, cells, cells, generator=draw)


def flow_error(sampler: str, steps: int) -> float:
    """Largest distance from the exact end of the probability flow."""
    levels = schedule(steps)
    x = begin(levels)
    exact = MEAN + (x - MEAN) * DEVIATION / math.sqrt(DEVIATION**2 + levels.start**2)
    return float((walk(sampler, x, levels)[0] - exact).abs().max())


@pytest.mark.parametrize("sampler", FLOW)
def test_flow_samplers_converge_to_the_exact_flow(sampler: str):
    coarse, fine = flow_error(sampler, 12), flow_error(sampler, 48)
    assert fine < coarse / 2
    assert fine < 0.1


@pytest.mark.parametrize("sampler", ["heun", "dpm2", "dpmpp_2m", "unipc"])
def test_second_order_beats_the_first_at_the_same_steps(sampler: str):
    assert flow_error(sampler, 24) < flow_error("euler", 24) / 3


@pytest.mark.parametrize("sampler", RENEWING)
def test_samplers_that_renew_noise_end_in_the_right_distribution(sampler: str):
    levels = schedule(60)
    end, _ = walk(sampler, begin(levels, cells=64), levels)
    assert float(end.mean()) == pytest.approx(MEAN, abs=0.03)
    assert float(end.std()) == pytest.approx(DEVIATION, rel=0.06)


@pytest.mark.parametrize(("sampler", "eta"), [("ddim", 1.0), ("tcd", 0.3), ("dpmpp_2m_sde", 0.5)])
def test_eta_renews_noise_without_changing_the_distribution(sampler: str, eta: float):
    levels = schedule(60)
    x = begin(levels, cells=64)
    calm, _ = walk(sampler, x, levels, eta=0.0)
    end, _ = walk(sampler, x, levels, eta=eta)
    assert float(end.std()) == pytest.approx(DEVIATION, rel=0.1)
    assert float((end - calm).std()) > 0.1


def test_eta_of_dpmpp_2m_sde_is_1_unless_given_and_with_0_it_is_dpmpp_2m():
    levels = schedule(20)
    x = begin(levels)
    usual, whole, none = (walk("dpmpp_2m_sde", x, levels, eta=eta)[0] for eta in (None, 1.0, 0.0))
    assert torch.equal(usual, whole)
    assert torch.allclose(none, walk("dpmpp_2m", x, levels)[0], atol=1e-5)
    assert not torch.allclose(none, whole, atol=0.1)


@pytest.mark.parametrize("steps", [1, 2, 3, 9, 20])
@pytest.mark.parametrize("scheduler", ["normal", "karras", "sgm_uniform", "beta"])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_certain_answer_is_where_every_sampler_ends(sampler: str, scheduler: str, steps: int):
    levels = schedule(steps, scheduler=scheduler)
    answer = torch.randn(1, 4, 6, 5, generator=torch.Generator().manual_seed(2))
    x = answer + levels.start * torch.randn(1, 4, 6, 5, generator=torch.Generator().manual_seed(3))
    end, _ = walk(sampler, x, levels, lambda query: answer)
    # LCM mixes x in by its c_skip: all of it at training time 0. PLMS divides rounding by the last level, twice.
    tolerance = {"lcm": 2e-2 + 5 * levels.sigmas[-2] * (levels.times[-1] < 1), "pndm": 1e-3}.get(sampler, 1e-4)
    assert (end - answer).abs().max() < tolerance


@pytest.mark.parametrize("steps", [1, 2, 5])
@pytest.mark.parametrize("sampler", STEPPED)
def test_a_sampler_asks_at_every_step_and_counts_steps_not_calls(sampler: str, steps: int):
    levels = schedule(steps)
    _, asked = walk(sampler, begin(levels), levels)
    expected = CALLS.get(sampler, lambda n: n)(steps) if steps > 1 else 1
    assert len(asked) == expected
    assert sorted({query.step for query in asked}) == list(range(steps))
    assert [query.step for query in asked] == sorted(query.step for query in asked)
    assert all(query.sigma > 0 and 0 <= query.t <= 999 for query in asked)
    assert asked[0].sigma == levels.start


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_seed_gives_the_same_bits(sampler: str):
    levels = schedule(6)
    x = begin(levels)
    assert torch.equal(walk(sampler, x, levels)[0], walk(sampler, x, levels)[0])


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_sampler_leaves_its_input_alone(sampler: str):
    levels = schedule(4)
    x = begin(levels)
    before = x.clone()
    walk(sampler, x, levels)
    assert torch.equal(x, before)


def test_renewal_keeps_the_variance():
    for eta in (0.0, 0.4, 1.0):
        down, up = renewal(5.0, 3.0, eta)
        assert down**2 + up**2 == pytest.approx(9.0)
    assert renewal(5.0, 0.0, 1.0) == (0.0, 0.0)


def test_releveling_keeps_the_variance_preserving_latent():
    x = torch.tensor([3.0])
    assert float(relevel(x, 2.0, 7.0)) / math.sqrt(50) == pytest.approx(3 / math.sqrt(5))
    assert relevel(x, 2.0, 2.0) is x


def test_multistep_weights_integrate_cubics_exactly():
    sigmas = (9.0, 6.5, 4.0, 2.2, 1.0, 0.0)
    weights = lagrange_weights(sigmas, 3, 4)
    for power in range(4):
        exact = (sigmas[4] ** (power + 1) - sigmas[3] ** (power + 1)) / (power + 1)
        summed = sum(w * sigmas[3 - k] ** power for k, w in enumerate(weights))
        assert summed == pytest.approx(exact)
