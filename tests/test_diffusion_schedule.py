"""Noise levels: those of training, native ones from strength, and diffusers' own."""

from __future__ import annotations

import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overpaint.engines.diffusion.dialects.diffusers_schedule import SCHEDULED, diffusers_schedule
from overpaint.engines.diffusion.dialects.native import native_schedule
from overpaint.engines.diffusion.names import (
    SAMPLER_NAMES,
    SCHEDULER_NAMES,
    SamplerChoice,
    parse_sampler,
    parse_scheduler,
)
from overpaint.engines.diffusion.sample import SamplingPlan
from overpaint.engines.diffusion.schedule import Training
from overpaint.engines.diffusion.spacings import SPACINGS, LevelSpan
from overpaint.errors import RequestError
from overpaint.geometry import Size
from overpaint.models import family_of

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
    discards=st.booleans(),
)
def test_native_takes_exactly_its_steps_from_the_level_of_its_strength(
    scheduler: str, steps: int, strength: float, discards: bool
):
    training = family_of("sd1").training(SD, Size(512, 512))
    schedule = native_schedule(training, steps=steps, strength=strength, scheduler=scheduler, discards=discards)
    assert schedule.steps == steps
    assert schedule.start == pytest.approx(training.sigma(strength * 1000 - 1))
    assert schedule.sigmas[-1] == 0
    assert all(high > low for high, low in itertools.pairwise(schedule.sigmas))
    assert all(0 <= t <= 999 for t in schedule.times)
    assert schedule.noise_scale is None
    assert not schedule.pure


def test_native_strength_1_begins_at_the_strongest_level_under_any_scheduler():
    training = family_of("sd1").training(SD, Size(512, 512))
    for scheduler in SPACINGS:
        assert native_schedule(training, steps=20, scheduler=scheduler).start == training.sigmas[-1]


def test_native_strength_0_has_nothing_to_do():
    assert native_schedule(Training.of(SD), steps=20, strength=0).steps == 0


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"steps": 5, "strength": 1.5}])
def test_a_plan_refuses_what_makes_no_sense(wrong: dict):
    with pytest.raises(RequestError, match=r"0|1\.5"):
        SamplingPlan(SamplerChoice("euler"), **wrong).schedule()


def test_align_your_steps_are_the_published_levels():
    """Those of diffusers, whose last level is 0 in place of the lowest of training, 0.029."""
    from diffusers.schedulers import AysSchedules

    for family, name in (("sd1", "StableDiffusionSigmas"), ("sdxl", "StableDiffusionXLSigmas")):
        training = family_of(family).training(SD, Size(512, 512))
        levels = native_schedule(training, steps=11, scheduler="align_your_steps").sigmas
        np.testing.assert_allclose(levels[:10], AysSchedules[name][:10], rtol=5e-3)
        assert levels[10] == pytest.approx(0.029, rel=0.01)


def test_align_your_steps_is_refused_where_none_were_published():
    with pytest.raises(RequestError, match="no Align Your Steps levels") as error:
        native_schedule(Training.flow(), steps=9, scheduler="align_your_steps")
    assert error.value.field == "scheduler"


def test_kl_optimal_levels_are_even_in_the_arc_tangent():
    training = Training.of(SD)
    angles = np.arctan(SPACINGS["kl_optimal"](LevelSpan(training, 999, 12)))
    assert angles[0] == pytest.approx(math.atan(training.sigmas[-1]))
    np.testing.assert_allclose(np.diff(angles), np.diff(angles)[0])


@pytest.mark.parametrize("steps", [1, 2, 4, 7])
def test_turbo_takes_the_times_of_sd_turbo(steps: int):
    training = Training.of(SD)
    times = native_schedule(training, steps=steps, scheduler="turbo").times
    assert times == pytest.approx([round(1000 - 1000 * k / steps) - 1 for k in range(steps)], abs=1e-3)


def test_ddim_uniform_ends_at_the_second_training_time():
    training = Training.of(SD)
    times = native_schedule(training, steps=10, scheduler="ddim_uniform").times
    assert times[-1] == pytest.approx(1, abs=1e-3)
    np.testing.assert_allclose(np.diff(times), np.diff(times)[0], rtol=1e-3)


@pytest.mark.parametrize("sampler", ["dpm2", "dpm2_a", "dpmpp_3m_sde"])
def test_the_last_level_of_one_step_more_is_discarded(sampler: str):
    """AUTOMATIC1111's rule for these three."""
    kept = SamplingPlan(SamplerChoice("heun", "karras"), 11).schedule().sigmas
    ours = SamplingPlan(SamplerChoice(sampler, "karras"), 10).schedule().sigmas
    assert ours == (*kept[:10], 0.0)


def test_rho_bends_the_schedulers_that_have_one():
    def levels(scheduler: str, rho: float | None) -> tuple[float, ...]:
        return SamplingPlan(SamplerChoice("euler", scheduler), 8, rho=rho).schedule().sigmas

    for scheduler, row in SCHEDULER_NAMES.items():
        if scheduler == "align_your_steps":
            continue
        assert (levels(scheduler, 3.0) != levels(scheduler, None)) == (row.rho is not None)
        assert row.rho is None or levels(scheduler, row.rho) == levels(scheduler, None)


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
    for sampler in SCHEDULED:
        assert diffusers_schedule(SD, sampler, steps=steps, strength=strength).steps == taken


@pytest.mark.parametrize("sampler", sorted(SAMPLER_NAMES.keys() - SCHEDULED))
def test_a_sampler_without_a_scheduler_of_diffusers_is_refused_in_its_dialect(sampler: str):
    with pytest.raises(RequestError, match=f"no scheduler for the sampler '{sampler}'"):
        diffusers_schedule(SD, sampler, steps=10)


def test_a_strength_that_leaves_no_step_is_refused():
    with pytest.raises(RequestError, match=r"0\.04"):
        diffusers_schedule(SD, "euler", steps=10, strength=0.04)


@pytest.mark.parametrize("sampler", sorted(SCHEDULED))
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
        ("DPM++ SDE Karras", "dpmpp_sde", "karras"),
        ("DPM++ 3M SDE Exponential", "dpmpp_3m_sde", "exponential"),
        ("dpmpp_2s_ancestral", "dpmpp_2s_a", None),
        ("k_dpm_fast", "dpm_fast", None),
        ("DPM adaptive", "dpm_adaptive", None),
        ("Restart Polyexponential", "restart", "polyexponential"),
        ("DDIM CFG++", "ddim_cfg_pp", None),
        ("Euler Align Your Steps", "euler", "align_your_steps"),
        ("Euler ays", "euler", "align_your_steps"),
        ("DDIM ddim_uniform", "ddim", "ddim_uniform"),
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


@pytest.mark.parametrize("name", ["Euler b", "", "DEIS", "Karras"])
def test_an_unknown_sampler_is_one_clear_error(name: str):
    with pytest.raises(RequestError, match="sampler") as error:
        parse_sampler(name)
    assert "UniPC" in str(error.value)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("Heun++ 2", "Heun"),
        ("DEIS", "DPM++ 2M"),
        ("iPNDM", "LMS"),
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
    with pytest.raises(RequestError, match="'Linear Quadratic' is not available; the nearest is 'Simple'"):
        parse_scheduler("Linear Quadratic")


def test_an_unknown_scheduler_is_one_clear_error():
    with pytest.raises(RequestError, match="did you mean 'Karras'"):
        parse_sampler("Euler", "karas")


def test_times_of_levels_between_are_between():
    training = Training.of(SD)
    middle = math.sqrt(training.sigmas[500] * training.sigmas[501])
    assert training.time(middle) == pytest.approx(500.5, abs=1e-3)


def test_the_documents_name_every_sampler_scheduler_and_option():
    from overpaint.engines.diffusion.options import DiffusionOptions

    docs = Path(__file__).parent.parent / "docs"
    settings_page, models_page = ((docs / name).read_text() for name in ("settings.md", "models.md"))
    rows = [line for line in settings_page.splitlines() if line.startswith("|")]
    for row in (*SAMPLER_NAMES.values(), *SCHEDULER_NAMES.values()):
        assert any(row.title in line.split("|")[1].replace(", ", ",").strip().split(",") for line in rows), row.title
    for name in DiffusionOptions.model_fields:
        assert f"`{name}`" in models_page, name
