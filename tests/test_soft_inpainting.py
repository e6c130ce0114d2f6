"""Soft inpainting: numbers of spec/inpaint-settings.md 4, and what comes of them in an edit."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from overpaint import Mask, Size, Studio
from overpaint.engines.diffusion.blend import KeptLatents
from overpaint.engines.diffusion.options import CARD
from overpaint.engines.diffusion.soft import SoftInpainting, SoftRule, percentile_mean
from overpaint.picture import from_array
from stand_ins import echo

USUAL = SoftInpainting()


def latents(seed: int, side: int = 6) -> torch.Tensor:
    return torch.randn(1, 4, side, side, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("sigma", "share"), [(14.6, 0.006), (2.0, 0.5), (0.1, 0.966)])
def test_a_half_covered_cell_is_old_in_noise_and_new_at_the_end(sigma: float, share: float):
    assert float(USUAL.share(torch.tensor(0.5), sigma)) == pytest.approx(share, abs=5e-4)


@pytest.mark.parametrize(("change", "opacity"), [(0.25, 0.058), (0.5, 0.5), (1.0, 0.942)])
def test_opacity_follows_the_change(change: float, opacity: float):
    z0 = latents(1)
    found = USUAL.opacity(z0 + change / 2, z0, torch.ones(1, 1, 6, 6))  # the norm of four numbers
    assert found.numpy() == pytest.approx(opacity, abs=1e-3)
    assert not USUAL.opacity(z0, z0, torch.ones(1, 1, 6, 6)).any()


def test_with_the_mask_s_influence_a_weak_mask_needs_a_greater_change():
    z0, mask = latents(1), torch.linspace(0.1, 1, 6).expand(1, 1, 6, 6)
    found = SoftInpainting(mask_influence=1.0).opacity(z0 + 0.02, z0, mask)[0, 0, 2]
    assert (found.diff() > 0).all()


@given(st.integers(0, 999), st.sampled_from([(1.0, 0.5, 4.0), (0.0, 2.0, 1.0), (3.0, 8.0, 32.0)]), st.floats(0.03, 15))
@settings(max_examples=30)
def test_the_mix_is_the_known_latents_where_nothing_is_masked_and_the_estimate_where_all_is(seed, given_, sigma):
    chosen = SoftInpainting(*given_)
    z0, x0 = latents(seed), 3 * latents(seed + 1)
    mask = torch.rand(1, 1, 6, 6, generator=torch.Generator().manual_seed(seed))
    mask[..., 0], mask[..., 1] = 0, 1
    mix = SoftRule(chosen).estimate(x0, KeptLatents(mask, z0), sigma, 0.5)
    assert torch.equal(mix[..., 0], z0[..., 0])
    assert torch.equal(mix[..., 1], x0[..., 1])
    t = float(mask[0, 0, 3, 3]) ** (chosen.preservation * sigma**chosen.schedule_bias)
    old, new = (float(one[0, :, 3, 3].double().norm()) for one in (z0, x0))
    wanted = (old**chosen.contrast * (1 - t) + new**chosen.contrast * t) ** (1 / chosen.contrast)
    if 1e-6 < t < 1 and float((z0 * (1 - t) + x0 * t)[0, :, 3, 3].norm()) > 0.1:
        assert float(mix[0, :, 3, 3].norm()) == pytest.approx(wanted, rel=1e-3)


def plain_percentile_mean(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """The same cell by cell."""
    result = np.zeros_like(values)
    middle = 1 - math.exp(-9 / 2.25)
    for y in range(values.shape[0]):
        for x in range(values.shape[1]):
            around = sorted(
                (values[y + dy, x + dx], max(0, math.exp(-(dx * dx + dy * dy) / 2.25) - math.exp(-9 / 2.25)) / middle)
                for dy in range(-2, 3)
                for dx in range(-2, 3)
                if 0 <= y + dy < values.shape[0] and 0 <= x + dx < values.shape[1]
            )
            total = sum(weight for _, weight in around)
            begin, end = low * total, high * total
            if end - begin < 1:
                centre = (begin + end) / 2
                begin, end = centre - 0.5, centre + 0.5
            if end > total:
                begin, end = begin - (end - total), total
            if begin < 0:
                begin, end = 0, end - begin
            summed = over = at = 0.0
            for value, weight in around:
                inside = max(0.0, min(at + weight, end) - max(at, begin))
                summed, over, at = summed + value * inside, over + inside, at + weight
            result[y, x] = summed / over
    return result


@pytest.mark.parametrize("window", [(0.9, 1.0), (0.25, 0.75), (0.0, 0.02)])
def test_the_percentile_filter_is_the_one_of_each_cell(window: tuple[float, float]):
    values = np.random.default_rng(4).random((7, 9))
    found = percentile_mean(torch.from_numpy(values)[None, None], *window)[0, 0].numpy()
    assert found == pytest.approx(plain_percentile_mean(values, *window), abs=1e-9)


def test_an_edit_is_pasted_by_how_much_it_changed_and_only_within_the_mask():
    rng = np.random.default_rng(0)
    pixels = np.clip(90 + 40 * rng.random((96, 128, 3)) + np.linspace(0, 60, 128)[:, None], 0, 255).astype(np.uint8)
    across = np.clip(1.4 - np.hypot(*np.mgrid[-48:48, -64:64]) / 24, 0, 1).astype(np.float32)
    ask = {"mask": Mask(across), "model": "pocket", "intent": "replace", "prompt": "sky", "seed": 3}
    ask |= {"strength": 0.7, "steps": 3, "guidance_scale": 1.0, "colour_match": False, "seam": False, "detail": "none"}
    with Studio(device="cpu") as studio:
        plain = studio.edit(from_array(pixels), **ask, options={"soft_contrast": 2.0})
        soft, none = (
            studio.edit(from_array(pixels), **ask, options={"soft_inpainting": True, **further})
            for further in ({}, {"soft_difference_threshold": 8.0, "soft_difference_contrast": 8.0})
        )
        other = {**ask, "strength": 1.0, "steps": 1, "sampler": "Euler", "dialect": "diffusers"}
        without = studio.edit(from_array(pixels), **other, options={"soft_inpainting": True})
    assert Size(128, 96) == soft.picture.size
    for one in (plain, soft, none):
        assert np.array_equal(one.picture.samples[across == 0], pixels[across == 0])
    change = {id(one): np.abs(one.picture.samples.astype(int) - pixels).mean() for one in (plain, soft, none)}
    assert change[id(plain)] > change[id(soft)] > 4 * change[id(none)]
    assert (soft.regions[0].weight <= plain.regions[0].weight + 1e-6).all()
    assert any("no effect without soft_inpainting" in note for note in plain.notes)
    assert any("the option soft_inpainting has no effect in the dialect" in note for note in without.notes)


@pytest.mark.parametrize(
    ("mask", "asked", "told"),
    [
        (Mask.box((64, 48), (20, 16, 44, 32)), {}, True),
        (Mask.box((64, 48), (20, 16, 44, 32)).feather(6), {}, False),
        (Mask.box((64, 48), (20, 16, 44, 32)), {"feather": 8.0}, False),
        (Mask.box((64, 48), (20, 16, 44, 32)), {"options": {"soft_inpainting": False}}, False),
        (Mask.box((64, 48), (20, 16, 44, 32)), {"dialect": "webui"}, False),
    ],
)
def test_a_hard_mask_is_told_to_gain_little(mask: Mask, asked: dict[str, Any], told: bool):
    card = replace(CARD, name="soft", accepts=CARD.accepts - {"model"})
    ask = {"intent": "replace", "prompt": "sky", "engine": "soft", "options": {"soft_inpainting": True}, **asked}
    with Studio(device="cpu") as studio:
        studio.add_engine(echo(card))
        edited = studio.edit(from_array(np.full((48, 64, 3), 90, np.uint8)), mask=mask, **ask)
    assert any("soft_inpainting does little" in note for note in edited.notes) is told
