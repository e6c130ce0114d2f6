"""Noise levels: those of training, native ones from strength, and diffusers' own."""

from __future__ import annotations

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overpaint.engines.diffusion.dialects.diffusers_schedule import diffusers_schedule
from overpaint.engines.diffusion.dialects.native import SPACINGS, native_schedule
from overpaint.engines.diffusion.names import (
    SAMPLER_NAMES,
    SCHEDULER_NAMES,
    SamplerChoice,
    parse_sampler,
    parse_scheduler,
)
from overpaint.engines.diffusion.sample import SamplingPlan
from overpaint.engines.diffusion.schedule import Training
from overpaint.errors import RequestError

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def test_training_levels_of_stable_diffusion():
    training = Training.of(SD)
    assert training.steps == 1000
    assert training.sigmas[0] == pytest.approx(0.0292, abs=1e-4)
    assert training.sigmas[-1] == pytest.approx(14.6146, abs=1e-3)
    assert Training.of({}).sigmas[500] == training.sigmas[500]


@given(t=st.floats(0, 999))
def test_time_undoes_sigma(t: float):
    training = Training.of(SD)
    assert training.time(training.sigma(round(t))) == pytest.approx(round(t), abs=1e-3)
    assert training.time(training.sigma(t)) == pytest.approx(t, abs=0.1)  # linear in sigma there, in log sigma here


def test_zero_terminal_snr_ends_in_noise():
    training = Training.of(SD | {"rescale_betas_zero_snr": True})
    assert training.sigmas[-1] == pytest.approx(4096, rel=1e-3)
    assert np.all(np.diff(training.sigmas) > 0)


def test_an_unknown_beta_schedule_is_refused():
    with pytest.raises(RequestError, match="quartic"):
        Training.of({"beta_schedule": "quartic"})


@settings(deadline=None, max_examples=200)
@given(
    scheduler=st.sampled_from(sorted(SPACINGS)),
    steps=st.integers(1, 120),
    strength=st.floats(0.0005, 1),
)
def test_native_takes_exactly_its_steps_from_the_level_of_its_strength(scheduler: str, steps: int, strength: float):
    training = Training.of(SD)
    schedule = native_schedule(training, steps=steps, strength=strength, scheduler=scheduler)
    assert schedule.steps == steps
    assert schedule.start == pytest.approx(training.sigma(strength * 1000 - 1))
    assert schedule.sigmas[-1] == 0
    assert all(high > low for high, low in itertools.pairwise(schedule.sigmas))
    assert all(0 <= t <= 999 for t in schedule.times)
    assert schedule.noise_scale is None
    assert not schedule.pure


def test_native_strength_1_begins_at_the_strongest_level_under_any_scheduler():
    training = Training.of(SD)
    for scheduler in SPACINGS:
        assert native_schedule(training, steps=20, scheduler=scheduler).start == training.sigmas[-1]


def test_native_strength_0_has_nothing_to_do():
    assert native_schedule(Training.of(SD), steps=20, strength=0).steps == 0


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"steps": 5, "strength": 1.5}])
def test_a_plan_refuses_what_makes_no_sense(wrong: dict):
    with pytest.raises(RequestError, match=r"0|1\.5"):
        SamplingPlan(SamplerChoice("euler"), **wrong).schedule()


def test_simple_takes_training_levels():
    training = Training.of(SD)
    schedule = native_schedule(training, steps=7, scheduler="simple")
    assert all(np.abs(training.sigmas - sigma).min() < 1e-9 for sigma in schedule.sigmas[:-1])


KINDS = {
    "euler": "EulerDiscreteScheduler",
    "euler_a": "EulerAncestralDiscreteScheduler",
    "heun": "HeunDiscreteScheduler",
    "lms": "LMSDiscreteScheduler",
    "dpmpp_2m": "DPMSolverMultistepScheduler",
    "unipc": "UniPCMultistepScheduler",
    "ddim": "DDIMScheduler",
    "lcm": "LCMScheduler",
    "tcd": "TCDScheduler",
}
RESPACED = ("karras", "exponential", "beta")


@pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")  # in diffusers, under NumPy 2
@pytest.mark.parametrize("respaced", [None, *RESPACED])
@pytest.mark.parametrize("spacing", ["leading", "linspace", "trailing"])
@pytest.mark.parametrize("sampler", KINDS)
def test_levels_and_times_equal_those_of_diffusers(sampler: str, spacing: str, respaced: str | None):
    import diffusers

    config = SD | {"timestep_spacing": spacing, "steps_offset": 1, "set_alpha_to_one": False}
    own = {f"use_{respaced}_sigmas": True} if respaced else {}
    if respaced and sampler in ("euler_a", "ddim", "lcm", "tcd"):
        with pytest.raises(RequestError, match=respaced):
            diffusers_schedule(config, sampler, steps=5, scheduler=respaced)
        return
    upstream = getattr(diffusers, KINDS[sampler]).from_config(config | own)
    for steps in (1, 2, 7, 20, 50):
        upstream.set_timesteps(steps)
        schedule = diffusers_schedule(config | own, sampler, steps=steps)
        times = upstream.timesteps.double().numpy()
        times = np.append(times[:1], times[1::2]) if sampler == "heun" else times
        np.testing.assert_allclose(schedule.times, times, atol=2e-3)
        if sampler in ("ddim", "lcm", "tcd"):
            alphas = upstream.alphas_cumprod.double()[upstream.timesteps]
            sigmas = ((1 - alphas) / alphas).sqrt().numpy()
            np.testing.assert_allclose(schedule.sigmas[:-1], sigmas, rtol=1e-5)
        else:
            sigmas = upstream.sigmas.double().numpy()
            sigmas = np.concatenate([sigmas[:1], sigmas[1:-1:2], sigmas[-1:]]) if sampler == "heun" else sigmas
            np.testing.assert_allclose(schedule.sigmas, sigmas, rtol=1e-5, atol=1e-7)
            if sampler not in ("dpmpp_2m", "unipc"):
                assert schedule.noise_scale == pytest.approx(float(upstream.init_noise_sigma), rel=1e-5)


@pytest.mark.parametrize(
    ("steps", "strength", "taken"), [(20, 0.75, 15), (50, 0.9999, 49), (20, 1.0, 20), (10, 0.1, 1)]
)
def test_strength_leaves_steps_out_as_in_diffusers(steps: int, strength: float, taken: int):
    for sampler in SAMPLER_NAMES:
        assert diffusers_schedule(SD, sampler, steps=steps, strength=strength).steps == taken


def test_a_strength_that_leaves_no_step_is_refused():
    with pytest.raises(RequestError, match=r"0\.04"):
        diffusers_schedule(SD, "euler", steps=10, strength=0.04)


@pytest.mark.parametrize("sampler", SAMPLER_NAMES)
def test_more_steps_than_times_are_refused(sampler: str):
    with pytest.raises(RequestError, match="1200 "):
        diffusers_schedule(SD | {"timestep_spacing": "leading"}, sampler, steps=1200)


def test_more_steps_than_distilled_are_refused():
    with pytest.raises(RequestError, match="50"):
        diffusers_schedule(SD, "lcm", steps=51)


@pytest.mark.parametrize(
    ("name", "sampler", "scheduler"),
    [
        ("DPM++ 2M Karras", "dpmpp_2m", "karras"),
        ("DPM++ 2M SDE Exponential", "dpmpp_2m_sde", "exponential"),
        ("dpm++_2m_sde_karras", "dpmpp_2m_sde", "karras"),
        ("Euler a", "euler_a", None),
        ("k_euler_ancestral", "euler_a", None),
        ("EulerAncestralDiscreteScheduler", "euler_a", None),
        ("DPM2 a Karras", "dpm2_a", "karras"),
        ("DPM2", "dpm2", None),
        ("PLMS", "pndm", None),
        ("uni_pc", "unipc", None),
        ("LMS Karras", "lms", "karras"),
        ("Euler SGM Uniform", "euler", "sgm_uniform"),
    ],
)
def test_names_that_people_use(name: str, sampler: str, scheduler: str | None):
    assert parse_sampler(name) == SamplerChoice(sampler, scheduler)


def test_every_sampler_and_scheduler_is_known_by_name_and_title():
    from overpaint.engines.diffusion.samplers import SAMPLERS

    assert set(SAMPLERS) == set(SAMPLER_NAMES)
    assert set(SPACINGS) == set(SCHEDULER_NAMES)
    for (sampler, own), (scheduler, spacing) in itertools.product(SAMPLER_NAMES.items(), SCHEDULER_NAMES.items()):
        title, ending = own.title, spacing.title
        assert parse_sampler(sampler).sampler == parse_sampler(title).sampler == sampler
        assert parse_scheduler(ending) == parse_scheduler(scheduler) == scheduler
        assert parse_sampler(f"{title} {ending}") == SamplerChoice(sampler, scheduler)


def test_a_scheduler_of_its_own_wins_over_a_fused_one():
    assert parse_sampler("DPM++ 2M Karras", "Beta") == SamplerChoice("dpmpp_2m", "beta")
    assert parse_sampler("DPM++ 2M Karras", "Automatic") == SamplerChoice("dpmpp_2m", "karras")


def test_automatic_is_the_usual_scheduler():
    assert parse_sampler("DPM++ 2M").usual == "karras"
    assert parse_sampler("Euler").usual == "normal"
    assert parse_scheduler("Automatic") is None


@pytest.mark.parametrize("name", ["Euler b", "", "DPM fast", "Karras"])
def test_an_unknown_sampler_is_one_clear_error(name: str):
    with pytest.raises(RequestError, match="sampler") as error:
        parse_sampler(name)
    assert "UniPC" in str(error.value)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("DPM++ SDE Karras", "DPM++ 2M SDE Karras"),
        ("Restart", "Heun"),
        ("DDIM CFG++", "DDIM"),
        ("DPM++ 2S a", "DPM2 a"),
    ],
)
def test_a_sampler_of_another_program_is_refused_with_the_nearest_one_here(name: str, nearest: str):
    with pytest.raises(
        RequestError, match=re.escape(f"{name!r} is not available; the nearest is {nearest!r}")
    ) as error:
        parse_sampler(name)
    assert (error.value.code, error.value.field) == ("sampler-unavailable", "sampler")
    assert parse_sampler(nearest)


def test_a_scheduler_of_another_program_is_refused_with_the_nearest_one_here():
    with pytest.raises(RequestError, match="'Align Your Steps' is not available; the nearest is 'Karras'"):
        parse_scheduler("Align Your Steps")


def test_an_unknown_scheduler_is_one_clear_error():
    with pytest.raises(RequestError, match="did you mean 'Karras'"):
        parse_sampler("Euler", "karas")


def test_times_of_levels_between_are_between():
    training = Training.of(SD)
    middle = math.sqrt(training.sigmas[500] * training.sigmas[501])
    assert training.time(middle) == pytest.approx(500.5, abs=1e-3)
