"""The loop: pictures share calls of the network and nothing else."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Hashable

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from overpaint.engines.base import Monitor
from overpaint.engines.diffusion.batch_invariance import RowByRow
from overpaint.engines.diffusion.blend import free_cells
from overpaint.engines.diffusion.deep_features import ALL_WHOLE, FeatureReuse
from overpaint.engines.diffusion.denoiser import (
    NetworkDenoiser,
    guidance_embedding,
    to_estimate,
    to_input,
    to_output,
)
from overpaint.engines.diffusion.dialects import DIFFUSERS, NATIVE
from overpaint.engines.diffusion.families.unet import SD1
from overpaint.engines.diffusion.first_layers import repeats
from overpaint.engines.diffusion.guidance import Guidance
from overpaint.engines.diffusion.loop import advance
from overpaint.engines.diffusion.mixing import mixed, scale_factor, shares
from overpaint.engines.diffusion.names import SAMPLER_NAMES, parse_sampler
from overpaint.engines.diffusion.noise import Noise
from overpaint.engines.diffusion.sample import Sample, SamplingPlan
from overpaint.engines.diffusion.values import (
    Conditioning,
    Mixture,
    NetworkInput,
    NotFiniteError,
    SampleLatents,
    Timeline,
)
from overpaint.errors import Cancelled, EngineError, RequestError
from sampling import run

SIZE = 8


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class Still:
    """A stand-in for a network: it believes in its context's mean, and counts the rows of its calls."""

    prediction = "epsilon"
    embeds_guidance = False
    rows_at_once = None

    def __init__(self, key: Hashable = "still") -> None:
        self.key = key
        self.calls: list[int] = []
        self.times: list[list[float]] = []
        self.guidance: list[list[float]] = []

    def __call__(self, given: NetworkInput, stage: object = None):
        self.calls.append(len(given.x))
        self.times.append(given.t.tolist())
        if given.guidance is not None:
            self.guidance.append(given.guidance.tolist())
        belief = given.conditioning.context.mean(dim=(1, 2))[:, None, None, None]
        if given.extra is not None:
            belief = belief + 0 * given.extra[:, :1]
        return belief + 0.1 * given.x / (1 + given.sigma**2).sqrt()[:, None, None, None]


def says(value: float, tokens: int = 3) -> Conditioning:
    return Conditioning({"context": torch.full((1, tokens, 2), value)})


def content(seed: int = 0, size: int = SIZE) -> torch.Tensor:
    return torch.randn(1, 4, size, size, generator=torch.Generator().manual_seed(seed))


def begin(
    denoiser,
    name: str = "Euler",
    *,
    steps: int = 4,
    strength: float = 1.0,
    seed: int = 1,
    mask: torch.Tensor | None = None,
    positive=None,
    negative=None,
    **more,
) -> Sample:
    z = content(seed)
    return Sample(
        denoiser,
        SamplingPlan(parse_sampler(name), steps, strength),
        SampleLatents(z, torch.ones(1, 1, SIZE, SIZE) if mask is None else mask),
        positive=says(1.0) if positive is None else positive,
        negative=says(0.0) if negative is None else negative,
        noise=Noise(seed),
        **more,
    )


def test_rows_of_all_samples_share_one_call():
    net = Still()
    waiting = advance([begin(net, seed=seed) for seed in range(3)])
    assert net.calls == [6]
    assert len(waiting) == 3


def test_what_may_not_share_a_call_does_not():
    net, other = Still(), Still("with a LoRA")
    longer = begin(net, positive=says(1.0, tokens=6))
    advance([begin(net), longer, begin(other)])
    assert net.calls == [3, 1]
    assert other.calls == [2]


def test_networks_of_one_digest_are_one_network():
    first, second = Still("a"), Still("a")
    advance([begin(first), begin(second)])
    assert first.calls == [4]
    assert second.calls == []


def test_a_call_is_cut_where_memory_bounds_it():
    net = Still()
    advance([begin(net, seed=seed) for seed in range(3)], rows_at_once=4)
    assert net.calls == [4, 2]


def test_rows_of_one_call_have_levels_of_their_own():
    net = Still()
    advance([begin(net, strength=1.0), begin(net, strength=0.5)])
    assert net.times[0] == pytest.approx([999, 999, 499, 499], abs=1e-2)


def test_samples_come_and_go_between_steps():
    net = Still()
    short, long, late = begin(net, steps=2), begin(net, steps=5, seed=2), begin(net, steps=2, seed=3)
    waiting = advance([short, long])
    waiting = advance([*waiting, late])
    assert short.done
    assert waiting == [long, late]
    run(waiting)
    assert net.calls == [4, 6, 4, 2, 2]
    alone = begin(Still(), steps=2, seed=3)
    run([alone])
    assert torch.allclose(alone.result(), late.result(), atol=1e-6)


def test_what_delays_a_call_is_told_to_all_pictures_in_it():
    class Compiling(Still):
        def __call__(self, given: NetworkInput, stage=None):
            if not self.calls:
                stage("compiling")
            return super().__call__(given)

    net, said = Compiling(), [[], []]
    run([begin(net, seed=seed, monitor=Monitor(on_stage=said[seed].append)) for seed in (0, 1)])
    assert said == [["compiling"], ["compiling"]]


def test_a_failing_picture_fails_alone():
    class Choking(Still):
        def __call__(self, given: NetworkInput, stage: object = None):
            if (given.conditioning.context > 50).any():
                raise RuntimeError("choked")
            return super().__call__(given)

    net = Choking()
    good, bad, better = begin(net), begin(net, positive=says(99.0), seed=2), begin(net, seed=3)
    run([good, bad, better])
    with pytest.raises(EngineError, match="choked"):
        bad.result()
    for seed, sample in ((1, good), (3, better)):
        alone = begin(Still(), seed=seed)
        run([alone])
        assert torch.allclose(sample.result(), alone.result(), atol=1e-6)


def test_numbers_that_are_not_finite_fail_alone_and_by_name():
    net = Still()
    good, bad = begin(net), begin(net, positive=says(float("inf")), seed=2)
    run([good, bad])
    with pytest.raises(NotFiniteError, match="step 1 of 4"):
        bad.result()
    assert torch.isfinite(good.result()).all()


def test_cancelling_one_leaves_the_others():
    net = Still()
    monitor = Monitor()
    gone, stays = begin(net, monitor=monitor), begin(net, seed=2)
    waiting = advance([gone, stays])
    monitor.cancel()
    run(waiting)
    assert net.calls == [4, 2, 2, 2]
    with pytest.raises(Cancelled):
        gone.result()
    assert torch.isfinite(stays.result()).all()


def test_a_listener_that_raises_hurts_only_its_picture():
    def grumble(step: int, steps: int) -> None:
        raise ValueError("no thanks")

    net = Still()
    bad, good = begin(net, monitor=Monitor(grumble)), begin(net, seed=2)
    run([bad, good])
    with pytest.raises(EngineError, match="no thanks"):
        bad.result()
    assert good.error is None


@pytest.mark.parametrize("name", sorted(SAMPLER_NAMES.keys() - {"dpm_adaptive"}))
def test_progress_counts_steps(name: str):
    told: list[tuple[int, int]] = []
    sample = begin(Still(), name, steps=5, monitor=Monitor(lambda step, steps: told.append((step, steps))))
    assert sample.steps == 5
    run([sample])
    assert told == [(step, 5) for step in range(1, 6)]
    assert sample.estimate is not None


def test_progress_of_dpm_adaptive_ascends_to_the_end():
    told: list[tuple[int, int]] = []
    run([begin(Still(), "DPM adaptive", steps=5, monitor=Monitor(lambda *step: told.append(step)))])
    assert told == sorted(told)
    assert {steps for _, steps in told} == {5}
    assert told[-1] == (5, 5)


def test_there_is_no_result_before_the_end():
    with pytest.raises(EngineError, match="step 1 of 4"):
        begin(Still()).result()


@pytest.mark.parametrize("name", SAMPLER_NAMES)
def test_strength_0_gives_the_input_back(name: str):
    net = Still()
    sample = begin(net, name, strength=0)
    run([sample])
    assert torch.equal(sample.result(), content(1))
    assert net.calls == []


@pytest.mark.parametrize("strength", [1.0, 0.4])
def test_native_begins_with_content_under_noise(strength: float):
    """x = content + sigma_start x noise, at strength 1 too."""
    sample = begin(Still(), strength=strength)
    noise = Noise(1)(content(1))
    expected = content(1) + sample.schedule.start * noise
    assert torch.equal(sample.rows()[0].query.x, expected)


@pytest.mark.parametrize("name", SAMPLER_NAMES)
def test_kept_cells_come_back_as_they_were(name: str):
    mask = torch.zeros(1, 1, SIZE, SIZE)
    mask[..., 2:5, 3:7] = 1
    sample = begin(Still(), name, mask=mask, steps=6)
    run([sample])
    kept = mask.expand_as(content(1)) == 0
    assert torch.equal(sample.result()[kept], content(1)[kept])
    assert not torch.isclose(sample.result()[~kept], content(1)[~kept]).all()


def test_fractional_cells_are_freed_one_after_another():
    """A cell of m is kept until the progress reaches 1 - m."""
    mask = torch.tensor([0.0, 0.25, 0.5, 1.0]).reshape(1, 1, 1, 4)
    free = [free_cells(mask, step / 8).flatten().tolist() for step in range(8)]
    assert [row[0] for row in free] == [0] * 8
    assert [row[1] for row in free] == [0] * 6 + [1] * 2
    assert [row[2] for row in free] == [0] * 4 + [1] * 4
    assert [row[3] for row in free] == [1] * 8


def test_a_fractional_cell_changes_less_than_a_free_one():
    mask = torch.full((1, 1, SIZE, SIZE), 1.0)
    mask[..., :4] = 0.3
    sample = begin(Still(), mask=mask, steps=10, positive=says(5.0))
    run([sample])
    change = (sample.result() - content(1)).abs()
    assert 0 < change[..., :4].mean() < change[..., 4:].mean()


def test_a_cell_that_the_core_touches_is_free():
    mask = torch.zeros(16, 24)
    mask[7, 15] = 0.5  # one pixel, in the corner of the cell at (0, 1)
    mask[9, 20] = 0.3
    assert NATIVE.latent_mask(mask, 2, 3).tolist() == [[[[0, 1, 0], [0, 0, pytest.approx(0.3)]]]]
    assert DIFFUSERS.latent_mask(mask, 2, 3).sum() == 0
    mask[8, 16] = 0.5
    assert DIFFUSERS.latent_mask(mask, 2, 3).tolist() == [[[[0, 0, 0], [0, 0, 1]]]]


def test_guidance_outside_its_interval_asks_for_the_prompt_alone():
    net = Still()
    run([begin(net, steps=10, guidance=Guidance(5, interval=(0.2, 0.6)))])
    assert net.calls == [1, 1, 2, 2, 2, 2, 1, 1, 1, 1]


@pytest.mark.parametrize(("scale", "rows"), [(1.0, 1), (0.0, 1), (0.5, 2), (7.5, 2)])
def test_only_sides_with_a_weight_are_evaluated(scale: float, rows: int):
    net = Still()
    sample = begin(net, steps=1, guidance=Guidance(scale))
    run([sample])
    assert net.calls == [rows]
    expected = begin(Still(), steps=1, positive=says(scale), guidance=Guidance(1.0))
    run([expected])
    assert torch.allclose(sample.result(), expected.result(), atol=1e-5)


@pytest.mark.parametrize("rescale", [0.0, 0.7])
def test_equal_texts_are_evaluated_once(rescale: float):
    net, twice = Still(), Still()
    one, equal = says(2.0), says(2.0)
    guidance = Guidance(7.5, rescale=rescale)
    sample = begin(net, steps=3, positive=one, negative=one, guidance=guidance)
    other = begin(twice, steps=3, positive=one, negative=equal, guidance=guidance)
    run([sample])
    run([other])
    assert (net.calls, twice.calls) == ([1, 1, 1], [2, 2, 2])
    assert torch.allclose(sample.result(), other.result(), atol=1e-5)
    changed = begin(net, steps=2, positive=Timeline(((0, one), (1, equal))), negative=one, guidance=guidance)
    net.calls.clear()
    run([changed])
    assert net.calls == [1, 2], "as long as they are equal"


def test_rescaled_guidance_has_the_deviation_of_the_prompts_own():
    x, positive, negative = content(1) * 5, content(2), content(3)
    level = torch.tensor([3.0])
    guided = Guidance(9.0, rescale=1.0).combine(positive, negative, x, 3.0, "v")
    wanted = to_output(positive, x, level, "v").std()
    assert float(to_output(guided, x, level, "v").std()) == pytest.approx(float(wanted), rel=1e-4)
    plain = Guidance(9.0).combine(positive, negative, x, 3.0, "v")
    half = Guidance(9.0, rescale=0.5).combine(positive, negative, x, 3.0, "v")
    assert torch.allclose(half, (guided + plain) / 2, atol=1e-4)


def test_an_interval_that_descends_is_refused():
    with pytest.raises(RequestError, match="interval"):
        Guidance(5, interval=(0.7, 0.2))


def test_a_timeline_changes_the_prompt_from_its_step_on():
    net = Still()
    sample = begin(net, "Heun", steps=4, positive=Timeline(((0, says(1.0)), (2, says(9.0)))))
    seen = []
    while not sample.done:
        seen.append((sample.rows()[0].query.step, float(sample.rows()[0].conditioning.context.mean())))
        advance([sample])
    assert seen == [(0, 1.0), (0, 1.0), (1, 1.0), (1, 1.0), (2, 9.0), (2, 9.0), (3, 9.0)]
    with pytest.raises(ValueError, match="start at 0"):
        Timeline(((1, says(1.0)),))


def test_parts_of_a_prompt_are_guided_together():
    """x0 = u + s sum w (c - u), whatever the weights add up to; and equal parts are the plain prompt."""
    for weights, scale in (((0.5, 0.5), 3.0), ((1.0, 1.0), 3.0), ((1.0, -1.0), 3.0), ((0.3, -0.9), 2.0), ((2.0,), 0.5)):
        parts = [(weight, says(value)) for weight, value in zip(weights, (2.0, 5.0), strict=False)]
        found = begin(Still(), positive=Mixture(tuple(parts)), negative=says(1.0), guidance=Guidance(scale))
        belief = 1 + scale * sum(w * (value - 1) for w, value in zip(weights, (2.0, 5.0), strict=False))
        plain = begin(Still(), positive=says(belief), guidance=Guidance(1.0))
        run([found, plain])
        assert torch.allclose(found.result(), plain.result(), atol=1e-4)
    halves, whole = Mixture(((0.5, says(2.0)), (0.5, says(2.0)))), says(2.0)
    one, other = (begin(Still(), positive=text, guidance=Guidance(7.5)) for text in (halves, whole))
    run([one, other])
    assert torch.allclose(one.result(), other.result(), atol=1e-6)


def test_parts_of_a_prompt_without_guidance_are_their_mean():
    parts = Mixture(((3.0, says(2.0)), (1.0, says(6.0))))
    net, distilled = Still(), Still()
    distilled.embeds_guidance = True
    found = begin(net, steps=2, positive=parts, guidance=Guidance(3, interval=(0, 0)))
    embedded = begin(distilled, steps=2, positive=parts, guidance=Guidance(3))
    plain = begin(Still(), steps=2, positive=says(3.0), guidance=Guidance(1.0))
    run([found])
    run([embedded, plain])
    assert net.calls == [2, 2]
    assert torch.allclose(found.result(), plain.result(), atol=1e-6)
    assert torch.allclose(embedded.result(), plain.result(), atol=1e-6)


METHODS = [
    Guidance(4.0), Guidance(4.0, rescale=0.5), Guidance(4.0, method="apg"), Guidance(4.0, method="cfg_zero"),
    Guidance(4.0, interval=(0.2, 0.7)),
]  # fmt: skip


@pytest.mark.parametrize("guidance", METHODS, ids=["cfg", "rescale", "apg", "cfg_zero", "interval"])
@pytest.mark.parametrize("sampler", ["Euler", "Euler CFG++", "DDIM CFG++"])
def test_parts_that_say_the_same_are_one_text_for_every_guidance_and_sampler(guidance, sampler):
    """AND and regions: the mean of equal beliefs is that belief, at the scale of the weights' sum."""
    left = torch.linspace(0, 1, SIZE)[None, None, None].expand(1, 1, SIZE, SIZE)
    texts = [
        Mixture(((0.4, says(2.0)), (0.6, says(2.0)))),
        Mixture(((left, says(2.0)), (1 - left, says(2.0))), 1.0),
        says(2.0),
    ]
    found = [begin(Still(), sampler, positive=text, negative=says(0.5), guidance=guidance) for text in texts]
    run(found)
    for one in found[:2]:
        assert torch.allclose(one.result(), found[2].result(), rtol=1e-4, atol=1e-4)
    twice = Mixture(((1.2, says(2.0)), (0.8, says(2.0))))
    stronger = dataclasses.replace(guidance, scale=2 * guidance.scale)
    found = [
        begin(Still(), sampler, positive=text, negative=says(0.5), guidance=how)
        for text, how in ((twice, guidance), (says(2.0), stronger))
    ]
    run(found)
    assert torch.allclose(found[0].result(), found[1].result(), rtol=1e-4, atol=1e-4)


def test_a_cell_follows_the_text_of_its_region_alone_with_that_texts_own_scale():
    """Here two texts of weight 1 on the left, one on the right, each with a negative prompt of its own."""
    left = torch.zeros(1, 1, SIZE, SIZE)
    left[..., : SIZE // 2] = 1
    texts = Mixture(((left, says(2.0)), (left, says(5.0)), (1 - left, says(8.0))), 1 + left)
    negatives = Mixture(((left, says(1.0)), (1 - left, says(3.0))), 1.0)
    both = begin(Still(), positive=texts, negative=Timeline(((0, negatives),)), guidance=Guidance(3.0))
    on_left = Mixture(((1.0, says(2.0)), (1.0, says(5.0))))
    one = begin(Still(), positive=on_left, negative=says(1.0), guidance=Guidance(3.0))
    other = begin(Still(), positive=says(8.0), negative=says(3.0), guidance=Guidance(3.0))
    run([both, one, other])
    middle = SIZE // 2
    assert torch.allclose(both.result()[..., :middle], one.result()[..., :middle], atol=1e-5)
    assert torch.equal(both.result()[..., middle:], other.result()[..., middle:])


@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(-2, 2)), min_size=1, max_size=4), st.floats(0, 9))
def test_the_mean_and_the_factor_of_the_scale_give_the_sum_of_all_guidances(weights, scale):
    """u + s f (c - u) = u + s sum w (c_i - u) in every cell, whether its weights have a mean or not."""
    values = torch.randn(len(weights) + 1, 1, 4, 1, 2, generator=torch.Generator().manual_seed(3)).double()
    maps = [torch.tensor(pair, dtype=torch.float64).reshape(1, 1, 1, 2) for pair in weights]
    negative, estimates = values[0], list(values[1:])
    total = sum(maps)
    assume(bool((total.abs() > 1e-3).all()))
    mean = mixed(list(zip(maps, estimates, strict=True)), total, negative)
    wanted = negative + scale * sum(w * (c - negative) for w, c in zip(maps, estimates, strict=True))
    assert torch.allclose(negative + scale * scale_factor(total) * (mean - negative), wanted, atol=1e-6)


@settings(max_examples=30)
@given(st.lists(st.tuples(st.integers(0, 255), st.floats(0.1, 10)), min_size=1, max_size=8), st.integers(0, 99))
def test_shares_of_regions_add_up_to_1_and_a_mask_alone_has_all(levels, seed):
    generator = torch.Generator().manual_seed(seed)
    masks = [torch.rand(16, 24, generator=generator).lt(0.5) * torch.tensor(level / 255) for level, _ in levels]
    found = shares(masks, [weight for _, weight in levels], 2, 3)
    assert len(found) == len(levels) + 1
    assert torch.allclose(sum(torch.as_tensor(one).double() for one in found), torch.ones(1).double())
    assert all((torch.as_tensor(one) >= 0).all() for one in found)
    alone = [torch.ones(16, 24), *(torch.zeros(16, 24) for _ in levels[1:])]
    assert shares(alone, [weight for _, weight in levels], 2, 3) == (0.0, 1.0, *(0.0 for _ in levels[1:]))


def test_shares_follow_the_masks_means_and_the_weights():
    mask = torch.zeros(8, 16)
    mask[:, :4], fade = 1, torch.linspace(0, 1, 16).expand(8, 16)
    prompt, one = shares([mask], [3.0], 1, 2)
    assert one.flatten().tolist() == pytest.approx([3 * 0.5 / (0.5 + 3 * 0.5), 0])
    assert prompt.flatten().tolist() == pytest.approx([0.25, 1])
    assert shares([fade, 1 - fade], [1.0, 1.0], 1, 2)[0] == 0, "masks that fade into each other leave nothing between"
    assert shares([torch.ones(8, 16)] * 2, [1.0, 3.0], 1, 2) == (0.0, 0.25, 0.75)


def test_a_network_that_embeds_guidance_needs_one_row():
    class Distilled(Still):
        embeds_guidance = True

    net = Distilled()
    run([begin(net, "LCM", steps=3, guidance=Guidance(4.0))])
    assert net.calls == [1, 1, 1]
    assert net.guidance == [[4.0]] * 3


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"strength": 1.2}])
def test_a_plan_without_sense_is_refused(wrong: dict):
    with pytest.raises(RequestError):
        begin(Still(), **wrong)


@pytest.mark.parametrize("prediction", ["epsilon", "v", "x0", "flow"])
def test_every_prediction_finds_the_clean_latent(prediction: str):
    """The output that a perfect network would give leads back to x0, at every row's own level."""
    x0, noise = torch.randn(3, 4, 5, 5), torch.randn(3, 4, 5, 5)
    sigma = torch.tensor([0.05, 1.0, 12.0])
    wide = sigma[:, None, None, None]
    x = x0 + wide * noise
    alpha, beta = 1 / (1 + wide**2).sqrt(), wide / (1 + wide**2).sqrt()
    perfect = {"epsilon": noise, "v": alpha * noise - beta * x0, "x0": x0, "flow": noise - x0}[prediction]
    assert torch.allclose(to_estimate(perfect, x, sigma, prediction), x0, atol=1e-4)
    assert torch.allclose(to_output(x0, x, sigma, prediction), perfect, atol=1e-4)
    part = wide / (1 + wide)
    seen = (1 - part) * x0 + part * noise if prediction == "flow" else alpha * x
    assert torch.allclose(to_input(x, sigma, prediction), seen, atol=1e-5)


def test_the_guidance_embedding_is_diffusers_own():
    from diffusers import StableDiffusionInpaintPipeline

    scales = torch.tensor([1.0, 4.0, 7.5])
    theirs = StableDiffusionInpaintPipeline.get_guidance_scale_embedding(None, scales - 1, 256)
    assert torch.allclose(guidance_embedding(scales, 256), theirs, atol=1e-4)


@functools.cache
def unet(dtype: torch.dtype, xl: bool = True):
    from diffusers import UNet2DConditionModel

    torch.manual_seed(5)
    added = {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 4,
        "projection_class_embeddings_input_dim": 4 * 6 + 16,
    }
    net = UNet2DConditionModel(
        sample_size=SIZE,
        in_channels=9,
        out_channels=4,
        block_out_channels=(32, 64),
        time_embedding_dim=1280,  # as wide as in Stable Diffusion: narrow products have the same bits at any row count
        norm_num_groups=8,
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=8,
        use_linear_projection=True,
        **(added if xl else {}),
    )
    return net.eval() if dtype == torch.float32 else net.to(dtype).eval()


NAMES = ("Euler", "Euler a", "Heun", "DPM++ 2M Karras", "UniPC", "PNDM", "DPM2 a", "DDIM")


def real(denoiser, number: int, reuse: FeatureReuse = ALL_WHOLE) -> Sample:
    """Sample `number` of a mixed lot: its sampler, steps, strength and guidance differ from the others'."""
    draw = torch.Generator().manual_seed(number)

    def states() -> Conditioning:
        sizes = torch.tensor([[64.0, 64, 0, 0, 64, 64 + number]])
        context, pooled = torch.randn(1, 7, 32, generator=draw), torch.randn(1, 16, generator=draw)
        return Conditioning({"context": context, "pooled": pooled, "time_ids": sizes})

    positive, negative = states(), states()
    mask = (torch.rand(1, 1, SIZE, SIZE, generator=draw) > 0.4).float()
    return Sample(
        denoiser,
        SamplingPlan(parse_sampler(NAMES[number % len(NAMES)]), 4 + number % 3, (1.0, 0.7, 0.4)[number % 3]),
        SampleLatents(content(number), mask, extra=torch.randn(1, 5, SIZE, SIZE, generator=draw)),
        positive=positive,
        negative=negative,
        noise=Noise(number),
        guidance=Guidance(2.0 + number / 4, interval=(0.0, 0.8 if number % 2 else 1.0)),
        features=reuse,
    )


@functools.cache
def solo(dtype: torch.dtype, exact: bool, number: int, xl: bool = True) -> torch.Tensor:
    sample = real(NetworkDenoiser(SD1, unet(dtype, xl), prediction="v", key="net", exact=exact), number)
    run([sample])
    return sample.result()


def arrive(denoiser, arrivals: list[tuple[int, int]], reuse: FeatureReuse = ALL_WHOLE) -> dict[int, torch.Tensor]:
    """Results of samples that arrive in a given order: (number, how many calls later than the one before)."""
    samples: dict[int, Sample] = {}
    waiting: list[Sample] = []
    for number, pause in arrivals:
        for _ in range(pause):
            waiting = advance(waiting)
        samples[number] = real(denoiser, number, reuse)
        waiting.insert(number % (len(waiting) + 1), samples[number])
    run(waiting)
    return {number: sample.result() for number, sample in samples.items()}


ARRIVALS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 3)), min_size=4, max_size=6, unique_by=lambda a: a[0])
"""By their pauses there are calls of one sample and of any number up to six."""


both_kinds = pytest.mark.parametrize("xl", [True, False], ids=["xl", "sd"])
"""SDXL's time embedding has text in it; in Stable Diffusion's kind prompt and negative share the first layers."""


@functools.cache
def precise(xl: bool) -> NetworkDenoiser:
    """The network in double precision."""
    return NetworkDenoiser(SD1, copy.deepcopy(unet(torch.float32, xl)).double(), prediction="v", key="double")


@functools.cache
def precise_solo(number: int, xl: bool) -> torch.Tensor:
    sample = real(precise(xl), number)
    run([sample])
    return sample.result()


def rounding(number: int, xl: bool) -> float:
    """How far single precision alone takes a sample: the largest difference to what the same network makes in double.

    One sampler of the lot, on a network of random weights, makes 1e-5 of the output's deviation out of rounding by
    itself; which processor rounds how differs.
    """
    return float((precise_solo(number, xl) - solo(torch.float32, False, number, xl)).abs().max())


LOT = [(number, number % 3) for number in range(10)]


@both_kinds
def test_neighbours_do_not_change_a_picture(xl: bool):
    """fp32, within 1e-5 of the picture's scale, or twice what rounding by itself does to that sample."""
    results = arrive(NetworkDenoiser(SD1, unet(torch.float32, xl), prediction="v", key="net"), LOT)
    for number, result in results.items():
        alone = solo(torch.float32, False, number, xl)
        within = max(1e-5 * max(1.0, float(result.std())), 2 * rounding(number, xl))
        assert (result - alone).abs().max() < within < 1e-4, f"sample {number}"


@both_kinds
def test_neighbours_change_nothing_where_rounding_hides_nothing(xl: bool):
    """In double precision, on any processor: a tenth of what single precision is allowed."""
    for number, result in arrive(precise(xl), LOT).items():
        scale = max(1.0, float(result.std()))
        assert (result - precise_solo(number, xl)).abs().max() < 1e-6 * scale, f"sample {number}"


@both_kinds
def test_all_layers_one_by_one_give_the_bits_of_the_network(xl: bool):
    """At sides that are no multiples too, and outer layers with the features of the same input."""
    net = unet(torch.float32, xl)
    assert SD1.layer_count(net) == 4
    conditions = {"context": torch.randn(2, 7, 32), "pooled": torch.randn(2, 16), "time_ids": torch.rand(2, 6) * 64}
    conditions = conditions if xl else {"context": conditions["context"]}
    for side in (8, 7):
        x, extra, level = torch.randn(2, 4, side, side + 3), torch.randn(2, 5, side, side + 3), torch.tensor([9.0, 2.0])
        shapes = (
            [(32, side, side + 3)] * 2 + [(32, -(-side // 2), -(-(side + 3) // 2))] + [(64, 4, -(-(side + 3) // 2))] * 2
        )
        residuals = tuple(torch.randn(2, *shape) for shape in shapes)  # of a ControlNet
        given = NetworkInput(x, level, level * 70, Conditioning(conditions), extra, residuals=residuals)
        with torch.inference_mode():
            whole = SD1.predict(net, given)
            for depth in (1, 2, 3):
                output, deep = SD1.predict_outer(net, given, depth, None)
                assert torch.equal(output, whole)
                assert torch.equal(SD1.predict_outer(net, given, depth, deep)[0], whole)
    assert SD1.layer_count(torch.nn.Linear(1, 1)) == 0


def test_between_whole_steps_the_outer_layers_alone_run():
    """Rows that the deep and the first layer see in six steps of Euler; a text that comes new makes its step whole."""
    net = unet(torch.float32, xl=False)
    denoiser = NetworkDenoiser(SD1, net, prediction="v", key="net")
    seen: dict[str, list[int]] = {"deep": [], "first": []}
    hooks = [
        layer.register_forward_hook(lambda _, given, out, name=name: seen[name].append(len(given[0])))
        for name, layer in (("deep", net.mid_block), ("first", net.conv_in))
    ]
    draw = torch.Generator().manual_seed(3)
    texts = [Conditioning({"context": torch.randn(1, 7, 32, generator=draw)}) for _ in range(3)]
    extra, guidance = torch.randn(1, 5, SIZE, SIZE, generator=draw), Guidance(3.0)

    def rows(interval: int, name: str = "Euler", **more) -> tuple[list[int], list[int], torch.Tensor]:
        for one in seen.values():
            one.clear()
        sample = Sample(
            denoiser,
            SamplingPlan(parse_sampler(name), 6),
            SampleLatents(content(), torch.ones(1, 1, SIZE, SIZE), extra=extra),
            **{"positive": texts[0], "negative": texts[1], "noise": Noise(1), "guidance": guidance} | more,
            features=FeatureReuse(interval),
        )
        run([sample])
        return seen["deep"].copy(), seen["first"].copy(), sample.result()

    try:
        deep, first, plain = rows(1)
        assert deep == first == [2] * 6
        deep, first, half = rows(2)
        assert (deep, first) == ([2] * 3, [2] * 6)
        third = rows(3)
        assert third[:2] == ([2] * 2, [2] * 6)
        errors = [float((one - plain).std() / plain.std()) for one in (half, third[2])]
        assert 0 < errors[0] < errors[1] < 0.2
        assert rows(2, "Heun")[0] == [2] * 6, "both calls of a whole step"
        assert rows(3, guidance=Guidance(3.0, interval=(0.3, 0.8)))[0] == [1, 2, 1], "the negative comes at step 2"
        switched = Timeline(((0, texts[0]), (4, texts[2])))
        assert rows(3, positive=switched)[0] == [2, 2, 2], "steps 0, 3, 4"
    finally:
        for hook in hooks:
            hook.remove()


@both_kinds
def test_neighbours_at_other_steps_do_not_change_a_picture_that_keeps_features(xl: bool):
    reuse = FeatureReuse(2)
    for number, result in arrive(precise(xl), LOT[:4], reuse).items():
        alone, plain = real(precise(xl), number, reuse), precise_solo(number, xl)
        run([alone])
        assert 0 < alone.kept_bytes <= 2 * 32 * SIZE * SIZE * 8, "prompt and negative prompt"
        assert (result - alone.result()).abs().max() < 1e-6 * max(1.0, float(result.std())), f"sample {number}"
        assert not torch.equal(result, plain), f"sample {number}"


def assert_as_alone(xl: bool, arrivals: list[tuple[int, int]]) -> None:
    """bf16 on one thread, rows batched."""
    denoiser = NetworkDenoiser(SD1, unet(torch.bfloat16, xl), prediction="v", key="net", exact=True)
    assert denoiser.rows_at_once is None
    for number, result in arrive(denoiser, arrivals).items():
        assert torch.equal(result, solo(torch.bfloat16, True, number, xl))


@both_kinds
@settings(deadline=None, max_examples=5)
@given(arrivals=ARRIVALS)
def test_exact_mode_is_equal_bit_for_bit_in_any_arrival_order(xl: bool, arrivals: list[tuple[int, int]]):
    assert_as_alone(xl, arrivals)


@pytest.mark.slow
@both_kinds
@settings(deadline=None, max_examples=60)
@given(arrivals=ARRIVALS)
def test_exact_mode_is_equal_bit_for_bit_in_many_arrival_orders(xl: bool, arrivals: list[tuple[int, int]]):
    assert_as_alone(xl, arrivals)


@settings(deadline=None, max_examples=2)
@given(arrivals=ARRIVALS)
def test_exact_mode_in_single_precision_is_equal_too(arrivals: list[tuple[int, int]]):
    denoiser = NetworkDenoiser(SD1, unet(torch.float32), prediction="v", key="net", exact=True)
    assert denoiser.rows_at_once == 1
    for number, result in arrive(denoiser, arrivals).items():
        assert torch.equal(result, solo(torch.float32, True, number))


def test_layers_before_the_text_work_once_for_a_prompt_and_its_negative():
    """In one call for two pictures conv_in and the first self-attention see two rows of four; the answers are those of
    a call that shares nothing."""
    net = unet(torch.bfloat16, xl=False)
    sharing, plain = (NetworkDenoiser(SD1, net, prediction="v", key="net", exact=True) for _ in range(2))
    plain._call._first = ()
    draw = torch.Generator().manual_seed(2)
    pictures, extras = torch.randn(2, 4, SIZE, SIZE, generator=draw), torch.randn(2, 5, SIZE, SIZE, generator=draw)
    given = NetworkInput(
        pictures.repeat_interleave(2, 0),
        torch.tensor([4.0, 4.0, 1.5, 1.5]),
        torch.tensor([700.0, 700.0, 300.0, 300.0]),
        Conditioning({"context": torch.randn(4, 7, 32, generator=draw)}),
        extras.repeat_interleave(2, 0),
    )
    seen: list[int] = []
    attention = net.down_blocks[1].attentions[0].transformer_blocks[0]
    watched = (net.conv_in, net.down_blocks[0].resnets[0].conv1, attention.attn1.to_q, attention.attn2.to_q)
    hooks = [layer.register_forward_hook(lambda _, given, out: seen.append(len(given[0]))) for layer in watched]
    try:
        shared = sharing(given)
    finally:
        for hook in hooks:
            hook.remove()
    assert seen == [2, 2, 2, 4]
    assert torch.equal(shared, plain(given))
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in net.modules())
    other = torch.randn(4, 5, SIZE, SIZE, generator=draw)  # another masked picture in every row: nothing is shared
    given = dataclasses.replace(given, extra=other)
    assert torch.equal(sharing(given), plain(given))


def test_rows_that_repeat_the_row_before_them():
    x, t = torch.tensor([[1.0], [1.0], [2.0], [1.0], [1.0]]), torch.tensor([5, 5, 5, 5, 4])
    assert repeats(x, t) == ([0, 2, 3, 4], [0, 0, 1, 2, 3])
    assert repeats(x, None) == ([0, 2, 3], [0, 0, 1, 2, 2])
    assert repeats(x[2:4]) is None


@pytest.mark.parametrize("width", [1280, 2816])
def test_linear_layers_over_the_batch_give_each_row_the_bits_it_has_alone(width: int):
    """Widths of Stable Diffusion's and SDXL's embeddings, where an ordinary bf16 product depends on its row count."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(width, 1280).to(torch.bfloat16)
    rows = torch.randn(12, width).to(torch.bfloat16)
    with torch.inference_mode(), RowByRow():
        together = layer(rows)
    with torch.inference_mode():
        alone = torch.cat([layer(row) for row in rows.split(1)])
    assert torch.equal(together, alone)


def test_exact_mode_does_not_batch_on_more_threads():
    """There other products depend on the row count too."""
    denoiser = NetworkDenoiser(SD1, unet(torch.bfloat16), prediction="v", key="net", exact=True)
    torch.set_num_threads(2)
    try:
        assert denoiser.rows_at_once == 1
    finally:
        torch.set_num_threads(1)


def test_exact_mode_computes_what_the_fast_one_does():
    for number in range(3):
        exact, fast = solo(torch.float32, True, number), solo(torch.float32, False, number)
        assert (exact - fast).abs().max() < 1e-5 * max(1, float(fast.std()))
