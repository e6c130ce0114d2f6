"""Guidance: its methods beside diffusers' guiders, and what each step evaluates."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch

from overpaint.engines.diffusion.denoiser import NetworkDenoiser, to_output
from overpaint.engines.diffusion.families.unet import SD1
from overpaint.engines.diffusion.guidance import Guidance, GuidanceMemory, Projection, projected, similarity
from overpaint.engines.diffusion.names import parse_sampler
from overpaint.engines.diffusion.noise import Noise
from overpaint.engines.diffusion.sample import Sample, SamplingPlan
from overpaint.engines.diffusion.samplers import Churn
from overpaint.engines.diffusion.values import Conditioning, SampleLatents
from sampling import run
from test_diffusion_loop import SIZE, Still, begin, content, unet

LEVEL = 3.0


def theirs(name: str, **settings):
    """A guider of diffusers' at step 0 of 10."""
    import diffusers.guiders

    guider = getattr(diffusers.guiders, name)(use_original_formulation=True, **settings)
    guider.set_state(step=0, num_inference_steps=10, timestep=torch.tensor(900))
    return guider


@pytest.mark.parametrize("momentum", [-0.5, 0.3])
@pytest.mark.parametrize("norm", [0.0, 4.0, 500.0])
@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
def test_projected_guidance_is_that_of_diffusers(eta: float, norm: float, momentum: float):
    """Over three steps, in one picture's memory. Its prediction is the estimate here, as in the paper."""
    guider = theirs(
        "AdaptiveProjectedGuidance",
        guidance_scale=5.0,
        adaptive_projected_guidance_momentum=momentum,
        adaptive_projected_guidance_rescale=norm,
        eta=eta,
    )
    ours = Guidance(6.0, method="apg", projection=Projection(eta, norm, momentum))
    memory = GuidanceMemory()
    from diffusers.guiders.adaptive_projected_guidance import MomentumBuffer

    guider.momentum_buffer = MomentumBuffer(momentum)
    for step in range(3):
        positive, negative = content(2 + step), content(12 + step)
        expected = guider.forward(positive, negative).pred
        found = ours.combine(positive, negative, content(1), LEVEL, "epsilon", memory)
        assert torch.allclose(found, expected, atol=1e-5)


def test_projected_guidance_without_changes_is_plain_guidance():
    positive, negative = content(2), content(3)
    same = Guidance(4.0, method="apg", projection=Projection(1.0, 0.0, 0.0))
    expected = Guidance(4.0).combine(positive, negative, content(1), LEVEL, "v")
    assert torch.allclose(same.combine(positive, negative, content(1), LEVEL, "v"), expected, atol=1e-5)


def test_what_is_left_of_a_projected_difference_is_at_a_right_angle_and_no_longer_than_the_norm():
    positive = content(2)
    found = projected(content(3) * 7, positive, Projection(0.0, 2.0, 0.0))
    assert abs(similarity(found, positive)) < 1e-6
    assert float(found.norm()) <= 2.0
    assert torch.equal(projected(content(3), torch.zeros_like(positive), Projection(0.0, 0.0)), content(3))


@pytest.mark.parametrize("prediction", ["epsilon", "v", "flow"])
def test_cfg_zero_star_is_that_of_diffusers(prediction):
    x, positive, negative = content(1) * 4, content(2), content(3) + 0.5 * content(2)
    level = torch.tensor([LEVEL])
    outputs = [to_output(one, x, level, prediction) for one in (positive, negative)]
    expected = theirs("ClassifierFreeZeroStarGuidance", guidance_scale=4.0, zero_init_steps=0).forward(*outputs).pred
    # Its original formulation counts the scale from the prompt: cond + s (cond - uncond) has our scale s + 1.
    found = Guidance(5.0, method="cfg_zero").combine(positive, negative, x, LEVEL, prediction)
    assert torch.allclose(to_output(found, x, level, prediction), expected, atol=1e-4)


def test_the_first_velocity_of_a_flow_is_zero_with_cfg_zero_star():
    x, positive, negative = content(1) * 4, content(2), content(3)
    guidance = Guidance(5.0, method="cfg_zero")
    first = guidance.combine(positive, negative, x, LEVEL, "flow", first=True)
    assert torch.allclose(first, x / (1 + LEVEL))
    assert not torch.allclose(guidance.combine(positive, negative, x, LEVEL, "epsilon", first=True), x)


@pytest.mark.parametrize("method", ["cfg", "apg", "cfg_zero"])
def test_rescaling_holds_for_every_method(method):
    x, positive, negative, level = content(1) * 5, content(2), content(3), torch.tensor([LEVEL])
    guided = Guidance(9.0, rescale=1.0, method=method).combine(positive, negative, x, LEVEL, "epsilon")
    wanted = float(to_output(positive, x, level, "epsilon").std())
    assert float(to_output(guided, x, level, "epsilon").std()) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("extra", [False, True])
def test_every_second_step_below_a_level_goes_without_the_negative_prompt(extra: bool):
    """With the further input of 9 channels too, whose rows belong to their sample (AUTOMATIC1111's issue 13382)."""
    net = Still()
    sample = begin(net, "Euler", steps=10, guidance=Guidance(5.0, skip_below=3.0))
    if extra:
        sample._extra = torch.ones(1, 5, *content(1).shape[2:])
    levels = sample.schedule.sigmas[:10]
    other = begin(net, "Euler", steps=10, seed=2, guidance=Guidance(5.0))
    if extra:
        other._extra = torch.zeros(1, 5, *content(1).shape[2:])
    run([sample, other])
    assert net.calls == [3 if step % 2 and level < 3.0 else 4 for step, level in enumerate(levels)]
    assert 3 in net.calls


def test_guidance_stops_for_good_where_both_estimates_are_alike():
    """Still's estimates differ by the prompt alone, so that the outputs' cosine is that of x minus two numbers."""
    net = Still()
    sample = begin(net, "Euler", steps=10, guidance=Guidance(5.0, stop_at=-1.0))
    run([sample])
    assert net.calls == [2] + [1] * 9
    net = Still()
    run([begin(net, "Euler", steps=10, guidance=Guidance(5.0, stop_at=1.0))])
    assert net.calls == [2] * 10


def test_a_neighbour_that_stopped_guidance_changes_nothing():
    alone, beside = begin(Still(), steps=6, seed=3), begin(Still(), steps=6, seed=3)
    run([alone])
    run([beside, begin(Still(), steps=6, seed=4, guidance=Guidance(4.0, method="apg", stop_at=0.0))])
    assert torch.equal(alone.result(), beside.result())


@pytest.mark.parametrize("method", ["apg", "cfg_zero"])
def test_a_method_at_scale_1_is_the_prompts_own_estimate(method):
    positive, negative = content(2), content(3)
    found = Guidance(1.0, method=method).combine(positive, negative, content(1), LEVEL, "epsilon")
    assert torch.allclose(found, positive, atol=1e-5)


@pytest.mark.parametrize("name", ["DDIM CFG++", "Euler CFG++"])
def test_cfg_pp_evaluates_both_prompts_at_any_scale(name: str):
    net = Still()
    sample = begin(net, name, steps=4, guidance=Guidance(1.0))
    run([sample])
    assert net.calls == [2] * 4
    plain = begin(Still(), "Euler", steps=4, guidance=Guidance(1.0))
    run([plain])
    assert not torch.allclose(sample.result(), plain.result(), atol=1e-3)


def test_cfg_pp_adds_the_negative_prompts_noise():
    """Against the equation, by hand, for a network with a known answer for each prompt."""
    net = Still()
    sample = begin(net, "Euler CFG++", steps=3, guidance=Guidance(0.6))
    levels = sample.schedule.sigmas
    x = content(1) + levels[0] * Noise(1)(content(1))
    run([sample])
    for sigma, target in pairwise(levels):
        share = 0.1 * x / math.sqrt(1 + sigma**2)
        x = (0.6 + share) + target * (x - share) / sigma
    assert torch.allclose(sample.result(), x, atol=1e-4)


def test_kept_cells_stay_with_cfg_pp_and_a_mask():
    mask = torch.zeros(1, 1, *content(1).shape[2:])
    mask[..., 2:4, 2:5] = 1
    sample = begin(Still(), "DDIM CFG++", steps=5, mask=mask)
    run([sample])
    kept = mask.expand_as(content(1)) == 0
    assert torch.equal(sample.result()[kept], content(1)[kept])


NEW = ("DPM++ SDE", "DPM fast", "DDIM CFG++")
METHODS = (Guidance(4.0, method="apg"), Guidance(4.0, method="cfg_zero"), Guidance(3.0, skip_below=9, stop_at=0.99))


def test_samples_with_these_samplers_and_methods_are_alone_as_in_a_batch():
    """In exact mode, with the nine channels of a network for inpainting: equal bits."""
    denoiser = NetworkDenoiser(SD1, unet(torch.bfloat16, False), prediction="epsilon", key="net", exact=True)

    def started(number: int) -> Sample:
        draw = torch.Generator().manual_seed(number)
        texts = [Conditioning({"context": torch.randn(1, 7, 32, generator=draw)}) for _ in range(2)]
        extra = torch.randn(1, 5, SIZE, SIZE, generator=draw)
        return Sample(
            denoiser,
            SamplingPlan(parse_sampler(NEW[number]), 2, churn=Churn(2.0), noise_scale=1.1),
            SampleLatents(content(number), torch.ones(1, 1, SIZE, SIZE), extra=extra),
            positive=texts[0],
            negative=texts[1],
            noise=Noise(number),
            guidance=METHODS[number % len(METHODS)],
        )

    together = [started(number) for number in range(len(NEW))]
    run(together)
    for number in range(len(NEW)):
        alone = started(number)
        run([alone])
        assert torch.equal(alone.result(), together[number].result()), NEW[number]
        assert torch.isfinite(alone.result()).all()
