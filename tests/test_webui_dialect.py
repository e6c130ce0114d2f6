"""The dialect of AUTOMATIC1111's web UI: every number of its description (spec/inpaint-settings.md 1 and 3)."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from overpaint.engines import Monitor
from overpaint.engines.base import Canvas
from overpaint.engines.diffusion.dialects import WEBUI
from overpaint.engines.diffusion.dialects.webui_pictures import colour_corrected, fill_pyramid
from overpaint.engines.diffusion.dialects.webui_schedule import STRIDED, StepCount, step_count, webui_schedule
from overpaint.engines.diffusion.names import SAMPLER_NAMES, parse_sampler
from overpaint.engines.diffusion.noise import CpuNumbers, SeedVariation, VariedNoise, centred, numbers_of, slerp
from overpaint.engines.diffusion.options import DiffusionOptions
from overpaint.engines.diffusion.sample import SamplingPlan
from overpaint.engines.diffusion.schedule import Training
from overpaint.engines.diffusion.start import Moments
from overpaint.errors import MaskError, RequestError
from overpaint.frame import POLICIES, FrameNeeds, SizeRules, fitted
from overpaint.frame.fitting import inner_size
from overpaint.frame.webui import blurred_levels, crop_box, kernel_size
from overpaint.geometry import Box, Size
from overpaint.mask import Mask
from overpaint.request import EditRequest, Sampling
from overpaint.studio import resolve
from stand_ins import DIFFUSION

TRAINING = Training.of()
NEEDS = FrameNeeds("diffusion", SizeRules(native=512, multiple=8))


def regions(mask: Mask, **given):
    request = EditRequest.of("custom", dialect="webui", prompt="a", **given)
    return POLICIES["webui"].regions(mask, resolve(request, DIFFUSION, seed=1), NEEDS)


# ---- what is seen, and what is pasted ----


@pytest.mark.parametrize(
    ("picture", "marked", "blur", "padding", "working", "box"),
    [
        ((1024, 1024), (100, 200, 200, 260), 0, 32, (512, 512), (68, 148, 232, 312)),
        ((1024, 1024), (100, 200, 200, 260), 4, 32, (512, 512), (58, 138, 242, 322)),
        ((1024, 768), (0, 0, 50, 50), 4, 32, (512, 512), (0, 0, 92, 92)),
        ((1920, 1080), (1800, 1000, 1920, 1080), 4, 32, (512, 768), (1758, 837, 1920, 1080)),
        ((300, 1000), (10, 500, 291, 541), 4, 32, (768, 512), (0, 421, 300, 621)),
        ((640, 480), (0, 200, 640, 261), 0, 0, (512, 512), (0, 0, 640, 480)),
    ],
)
def test_the_box_that_is_painted(picture, marked, blur, padding, working, box):
    (region,) = regions(
        Mask.box(Size(*picture), marked), mask_blur=blur, padding=padding, working_size=working, area="masked"
    )
    assert tuple(region.frame.box) == box
    assert tuple(region.frame.working) == working


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_the_box_holds_the_mask_and_lies_in_the_picture(data):
    picture = Size(data.draw(st.integers(8, 300)), data.draw(st.integers(8, 300)))
    left, top = data.draw(st.integers(0, picture.width - 1)), data.draw(st.integers(0, picture.height - 1))
    right = data.draw(st.integers(left + 1, picture.width))
    bottom = data.draw(st.integers(top + 1, picture.height))
    bounds, working = (
        Box(left, top, right, bottom),
        Size(data.draw(st.integers(64, 700)), data.draw(st.integers(64, 700))),
    )
    box = crop_box(bounds, picture, data.draw(st.integers(0, 64)), working)
    assert picture.box.contains(box)
    assert box.contains(bounds)
    if box.width < picture.width and box.height < picture.height:
        assert abs(box.width * working.height / working.width - box.height) <= max(1, working.height / working.width)


def test_the_blur_of_a_mask_in_8_bits():
    assert [kernel_size(sigma) for sigma in (1, 4, 8, 64)] == [7, 21, 41, 321]
    edge = np.zeros((60, 60), np.uint8)
    edge[:, 30:] = 255
    ramp = [1, 3, 7, 12, 21, 32, 48, 67, 90, 115, 140, 165, 188]
    assert blurred_levels(edge, (4, 0))[7, 20:33].tolist() == ramp
    assert blurred_levels(edge.T, (0, 4))[20:33, 7].tolist() == ramp
    assert np.array_equal(blurred_levels(edge, (0, 4)), edge)


def test_all_from_half_on_is_pasted_of_a_whole_picture_and_the_blur_itself_of_a_masked_area():
    mask = Mask.box(Size(64, 48), (20, 15, 40, 30))
    levels = blurred_levels(mask.to_bytes8(), (4, 4)).astype(np.float32) / 255
    for area, factor in (("whole", 2), ("masked", 1)):
        (region,) = regions(mask, area=area)
        pasted = np.zeros((48, 64), np.float32)
        pasted[region.box.slices] = region.masks.composite
        np.testing.assert_allclose(pasted, np.minimum(1, factor * levels), atol=1e-6)
        seen = np.zeros((48, 64), np.float32)
        seen[region.box.slices] = region.masks.denoise
        np.testing.assert_allclose(seen, levels, atol=1e-6)
    (region,) = regions(mask, area="whole")
    assert (tuple(region.frame.box), tuple(region.frame.working)) == ((0, 0, 64, 48), (64, 48))
    (strict,) = regions(mask, strict=True)
    assert tuple(strict.box) == (20, 15, 40, 30)


def test_masks_that_need_care():
    (region,) = regions(Mask.box(Size(101, 77), (20, 15, 40, 30)), area="whole")
    assert (tuple(region.frame.box), tuple(region.frame.working)) == ((0, 0, 104, 80), (104, 80))
    (both,) = regions(Mask.box(Size(200, 50), (0, 0, 9, 9)).union(Mask.box(Size(200, 50), (190, 0, 200, 9))))
    assert both.parts == 2, "all parts are painted at once"
    faint = np.zeros((20, 20), np.float32)
    faint[5, 5] = 0.001
    with pytest.raises(MaskError, match="the mask is empty"):
        regions(Mask(faint))


def test_a_box_of_other_proportions_is_shown_whole_and_comes_back_cut():
    (region,) = regions(Mask.box(Size(64, 48), (0, 20, 64, 26)), mask_blur=0, padding=0, working_size=(64, 64))
    frame = region.frame
    assert tuple(frame.box.size) == (64, 48), "the picture is too low for a square"
    picture = np.random.default_rng(0).random((48, 64, 3), np.float32)
    shown = frame.to_working(picture)
    assert np.array_equal(shown[8:56], picture)
    assert np.array_equal(shown[:8], np.repeat(picture[:1], 8, axis=0))
    assert np.array_equal(frame.from_working(shown), picture)


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.tuples(st.integers(1, 60), st.integers(1, 60)),
    st.sampled_from(["stretch", "cover", "contain"]),
)
def test_every_resize_mode_gives_the_size_and_keeps_one_colour(before, after, mode):
    made = fitted(np.full(before[::-1], 77, np.uint8), Size(*after), mode)
    assert made.shape == after[::-1]
    assert (made == 77).all()


# ---- noise ----


def test_the_numbers_of_a_gpu():
    numbers = numbers_of("nv", 0)
    np.testing.assert_allclose(numbers.normal((3, 4))[0], [-0.92466, -0.42534, -2.64385, 0.14518], atol=1e-5)
    np.testing.assert_allclose(numbers.normal((2,)), [0.18083, -0.55226], atol=1e-5)
    large = numbers_of("nv", 1 << 40).normal((100_000,))
    assert abs(float(large.mean())) < 0.02
    assert float(large.std()) == pytest.approx(1, abs=0.01)


LIKE = torch.zeros(1, 4, 6, 8)


def drawn(seed: int, shape: tuple[int, ...] = (4, 6, 8)) -> torch.Tensor:
    return CpuNumbers(seed).normal(shape)[None]


def test_a_picture_s_noise_goes_on_where_its_first_ended():
    noise, numbers = VariedNoise(7), CpuNumbers(7)
    for _ in range(3):
        assert torch.equal(noise(LIKE)[0], numbers.normal((4, 6, 8)))


def test_the_strength_of_a_variation_leads_from_one_seed_to_the_other():
    ends = [VariedNoise(7, variation=SeedVariation(9, share))(LIKE) for share in (0.0, 1.0)]
    assert torch.equal(ends[0], drawn(7))
    torch.testing.assert_close(ends[1], drawn(9))
    middle = VariedNoise(7, variation=SeedVariation(9, 0.5))(LIKE)[0]
    one, other = drawn(7)[0], drawn(9)[0]
    for channel in range(4):
        for column in range(8):
            a, b = one[channel, :, column], other[channel, :, column]
            angle = torch.arccos(a @ b / (a.norm() * b.norm()))
            torch.testing.assert_close(middle[channel, :, column], torch.sin(angle / 2) / torch.sin(angle) * (a + b))
    assert torch.equal(slerp(0.25, one, one * 2), 0.25 * one + 0.75 * 2 * one), "parallel: linear, the shares swapped"


def test_the_noise_of_a_picture_of_another_size_lies_in_the_middle():
    small = VariedNoise(7, variation=SeedVariation(size=(4, 2)))(LIKE)
    assert torch.equal(small[..., 2:4, 2:6], drawn(7, (4, 2, 4)))
    around = torch.ones(6, 8, dtype=torch.bool)
    around[2:4, 2:6] = False
    assert torch.equal(small[..., around], drawn(7)[..., around])
    large = VariedNoise(7, variation=SeedVariation(size=(12, 6)))(LIKE)
    assert torch.equal(large, drawn(7, (4, 6, 12))[..., 2:10])
    assert torch.equal(centred(torch.ones(1, 3, 3), torch.zeros(1, 5, 5)).sum(), torch.tensor(9.0))


def test_a_seed_delta_renews_all_noise_but_the_first():
    noise = VariedNoise(7, variation=SeedVariation(later=31337))
    assert torch.equal(noise(LIKE), drawn(7))
    later = CpuNumbers(7 + 31337)
    assert torch.equal(noise(LIKE)[0], later.normal((4, 6, 8)))
    assert torch.equal(noise(LIKE)[0], later.normal((4, 6, 8)))


# ---- steps ----


@pytest.mark.parametrize(
    ("steps", "strength", "exact", "total", "taken"),
    [
        (20, 0.75, False, 20, 16),
        (20, 1, False, 20, 20),
        (20, 0.5, False, 20, 11),
        (20, 0, False, 20, 1),
        (20, 0.75, True, 26, 20),
        (20, 1, True, 20, 20),
    ],
)
def test_how_many_steps_are_taken(steps, strength, exact, total, taken):
    assert step_count(steps, strength, exact=exact) == StepCount(total, taken)
    for sampler in ("euler", "dpm2", "ddim"):
        plan = SamplingPlan(
            parse_sampler(sampler, "karras"), steps, strength, WEBUI, exact_steps=exact, noise_multiplier=1.5
        )
        schedule, whole = plan.schedule(), webui_schedule(TRAINING, plan.choice, StepCount(total, total))
        assert schedule.steps == taken
        assert schedule.sigmas == whole.sigmas[total - taken :]
        assert schedule.noise_scale == pytest.approx(1.5 * schedule.start)
        assert SamplingPlan(plan.choice, steps, strength, WEBUI, exact_steps=exact, extra_noise=0.5).schedule(
        ).noise_scale == pytest.approx(schedule.start + 0.5)  # fmt: skip


def test_exactly_the_steps_of_no_strength_are_refused():
    with pytest.raises(RequestError, match="strength 0") as error:
        step_count(20, 0, exact=True)
    assert error.value.field == "strength"


@given(
    st.sampled_from(sorted(SAMPLER_NAMES)),
    st.sampled_from(["karras", "normal", "beta", "simple", "sgm_uniform", "kl_optimal"]),
    st.integers(1, 60),
    st.floats(0, 1),
)
@settings(max_examples=200, deadline=None)
def test_levels_descend_to_0_for_every_sampler_and_scheduler(sampler, scheduler, steps, strength):
    choice = parse_sampler(sampler, scheduler)
    schedule = SamplingPlan(choice, steps, strength, WEBUI).schedule()
    assert schedule.sigmas[-1] == 0
    assert all(high > low for high, low in zip(schedule.sigmas, schedule.sigmas[1:], strict=False))
    if sampler in STRIDED:
        assert set(schedule.times) <= {float(1 + k * (1000 // steps)) for k in range(steps)} | {999.0}
    elif strength == 1:
        assert schedule.start == pytest.approx(TRAINING.sigmas[-1])


def test_more_strides_than_times_are_refused():
    with pytest.raises(RequestError, match="1001 steps are more than"):
        webui_schedule(TRAINING, parse_sampler("DDIM"), StepCount(1001, 3))


@pytest.mark.parametrize(("sampler", "calls"), [("Euler", 20), ("Heun", 40), ("DPM++ SDE", 40), ("DDIM", 20)])
def test_schedules_in_prompts_count_the_calls_of_the_page_s_steps(sampler, calls):
    assert WEBUI.prompt_steps(parse_sampler(sampler), 20) == calls


# ---- start ----


def canvas(content: str = "original", seed: int = 3, **options) -> Canvas:
    rng = np.random.default_rng(0)
    mask = np.zeros((64, 64), np.float32)
    mask[16:40, 24:48] = 1
    return Canvas(
        rng.random((64, 64, 3), np.float32), mask, seed,
        sampling=Sampling(masked_content=content), options=DiffusionOptions(**options),
    )  # fmt: skip


def encode(pixels: np.ndarray) -> Moments:
    """Four latents that are means of 8 x 8 pixels."""
    means = torch.from_numpy(pixels).permute(2, 0, 1)[None].unfold(2, 8, 8).unfold(3, 8, 8).mean(dim=(-1, -2))
    return Moments(torch.cat([means, means[:, :1]], dim=1))


def test_masked_contents_of_latents_begin_from_the_fill():
    marked = WEBUI.latent_mask(torch.from_numpy(canvas().mask), 8, 8)
    assert marked.sum() == 9
    filled = fill_pyramid(canvas().pixels, canvas().mask)
    for content, hole in (("fill", encode(filled).mean), ("latent_nothing", 0 * marked), ("latent_noise", None)):
        start = WEBUI.start(canvas(content), encode, None, Monitor())
        first = start.noise(start.latents.content)
        wanted = first if hole is None else hole
        kept = encode(filled).mean
        torch.testing.assert_close(start.latents.content, kept * (1 - marked) + wanted * marked)
    original = WEBUI.start(canvas("original"), encode, None, Monitor())
    torch.testing.assert_close(original.latents.content, encode(canvas().pixels).mean)


def test_latent_noise_ignores_the_variation_and_may_have_a_seed_of_its_own():
    varied = WEBUI.start(canvas("latent_noise", subseed=9, subseed_strength=0.5), encode, None, Monitor())
    plain = WEBUI.start(canvas("latent_noise"), encode, None, Monitor())
    later = WEBUI.start(canvas("latent_noise", seed=4, content_seed=3), encode, None, Monitor())
    assert torch.equal(varied.latents.content, plain.latents.content)
    assert torch.equal(later.latents.content, plain.latents.content)
    firsts = [one.noise(one.latents.content) for one in (varied, plain, later)]
    assert not torch.equal(firsts[0], firsts[1])
    assert not torch.equal(firsts[2], firsts[1])


def test_the_latent_mask_is_that_of_pillow_s_bicubic_filter():
    mask = np.random.default_rng(1).random((64, 48)).astype(np.float32)
    mask = np.repeat(np.repeat(mask[::8, ::8], 8, axis=0), 8, axis=1)
    small = np.asarray(Image.fromarray(np.rint(mask * 255).astype(np.uint8)).resize((6, 8), Image.Resampling.BICUBIC))
    assert np.array_equal(WEBUI.latent_mask(torch.from_numpy(mask), 8, 6)[0, 0].numpy(), np.round(small / 255))


@pytest.mark.parametrize("weight", [1.0, 0.25, 0.0])
def test_the_weight_of_the_conditioning_mask_leaves_some_of_the_picture_to_be_seen(weight):
    given = canvas(inpainting_mask_weight=weight)

    def extra_input(pixels, hole, cells, encode_one):
        assert not hole.any()
        return torch.cat([cells, encode_one(pixels)], dim=1)

    extra = WEBUI.start(given, encode, extra_input, Monitor()).latents.extra
    shown = given.pixels.copy()
    shown[16:40, 24:48] = (1 - weight) * shown[16:40, 24:48] + weight * 0.5
    assert extra is not None
    torch.testing.assert_close(extra[:, 1:], encode(shown).mean)
    assert torch.equal(extra[:, :1], WEBUI.latent_mask(torch.from_numpy(given.mask), 8, 8))


def test_the_fill_continues_one_colour_and_is_black_where_nothing_is_left():
    pixels = np.broadcast_to(np.float32([0.2, 0.4, 0.6]), (64, 64, 3)).copy()
    pixels[20:30, 30:40] = 1
    np.testing.assert_allclose(fill_pyramid(pixels, canvas().mask), np.full_like(pixels, [0.2, 0.4, 0.6]), atol=0.03)
    assert fill_pyramid(pixels, np.ones((64, 64), np.float32)).max() == 0
    noisy = canvas().pixels
    filled = fill_pyramid(noisy, canvas().mask)
    assert np.abs(filled - noisy)[canvas().mask == 0].max() < 0.006, "what is known stays, but for 8 bits"


def test_colours_are_corrected_to_those_that_painting_started_from():
    rng = np.random.default_rng(2)
    before = np.clip(rng.normal((0.6, 0.5, 0.4), 0.1, (64, 64, 3)), 0, 1).astype(np.float32)
    same = colour_corrected(before, before)
    assert np.abs(same - before).mean() < 0.01
    tinted = np.clip(before + np.float32([-0.1, 0.05, 0.1]), 0, 1)
    mended = colour_corrected(tinted, before)
    chroma = lambda one: (one - one.mean(axis=2, keepdims=True)).mean(axis=(0, 1))  # noqa: E731
    assert np.abs(chroma(mended) - chroma(before)).max() < 0.2 * np.abs(chroma(tinted) - chroma(before)).max()
    luma = np.float32([0.3, 0.59, 0.11])
    np.testing.assert_allclose(mended @ luma, tinted @ luma, atol=0.01)


@given(
    *[st.integers(1, 40)] * 4,
    st.sampled_from(["lanczos", "linear"]),
)
@settings(max_examples=60)
def test_covering_makes_the_part_that_is_shown_as_of_the_whole(width, height, to_width, to_height, filter):
    """Resizing all of it and cutting afterwards, as the web UI does, needs memory with the square of a long side."""
    plane = np.random.default_rng(width * 41 + height).random((height, width), dtype=np.float32)
    to = Size(to_width, to_height)
    whole = inner_size(Size(width, height), to, "cover")
    chosen = {"lanczos": Image.Resampling.LANCZOS, "linear": Image.Resampling.BILINEAR}[filter]
    made = np.asarray(Image.fromarray(plane).resize((whole.width, whole.height), chosen))
    left, top = max(0, whole.width // 2 - to.width // 2), max(0, whole.height // 2 - to.height // 2)
    wanted = made[top : top + to.height, left : left + to.width]
    found = fitted(plane, to, "cover", filter)
    assert np.abs(found[: wanted.shape[0], : wanted.shape[1]] - wanted).max() < 1e-4


def test_a_long_thin_picture_takes_little_memory():
    plane = np.zeros((64, 64), np.float32)
    tracemalloc.start()
    try:
        assert fitted(plane, Size(20_000, 8), "cover").shape == (8, 20_000)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
