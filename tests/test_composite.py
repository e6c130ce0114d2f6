"""The new pixels into the original, and nothing anywhere else."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overpaint.composite import paste, paste_alpha
from overpaint.geometry import Box


@given(
    st.sampled_from([np.uint8, np.uint16]),
    st.sampled_from([1, 3, 4]),
    st.integers(1, 90),
    st.integers(1, 150),
    st.data(),
)
@settings(deadline=None, max_examples=60)
def test_weight_0_changes_nothing_1_takes_all_and_between_is_the_rounded_blend(dtype, channels, width, height, data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    top = np.iinfo(dtype).max
    old = rng.integers(0, top, (height + 7, width + 5, channels), dtype=dtype, endpoint=True)
    patch = (rng.random((height, width, channels)) * top * 1.2 - top * 0.1).astype(np.float32)
    weight = np.clip(rng.random((height, width)) * 1.6 - 0.3, 0, 1).astype(np.float32)
    box = Box(2, 3, 2 + width, 3 + height)
    new = old.copy()
    paste(new, patch, weight, box)
    outside = np.ones(old.shape[:2], bool)
    outside[box.slices] = weight == 0
    assert np.array_equal(new[outside], old[outside])
    inner, before = new[box.slices], old[box.slices]
    whole = weight == 1
    assert np.array_equal(inner[whole], np.clip(np.rint(patch[whole]), 0, top).astype(dtype))
    exact = before.astype(np.float64) * (1 - weight[..., None].astype(np.float64)) + patch.astype(np.float64) * weight[
        ..., None
    ].astype(np.float64)
    assert np.abs(inner.astype(np.float64) - np.clip(exact, 0, top)).max() <= 0.51


def test_colour_under_full_transparency_never_darkens_the_patch():
    old = np.zeros((1, 3, 3), np.uint8)
    alpha = np.array([[0, 255, 255]], np.uint8)
    paste(old, np.full((1, 3, 3), 200, np.float32), np.array([[0.5, 0.5, 0]], np.float32), Box(0, 0, 3, 1), alpha)
    assert old[0, :, 0].tolist() == [200, 100, 0]


@pytest.mark.parametrize(("rule", "expected"), [("keep", [0, 100, 255, 7]), ("cover", [255, 228, 255, 7])])
def test_alpha_follows_the_rule(rule, expected):
    alpha = np.array([[0, 100, 255, 7]], np.uint8)
    paste_alpha(alpha, np.array([[1, 0.5, 0.5, 0]], np.float32), Box(0, 0, 4, 1), rule)
    assert alpha[0].tolist() == expected


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_new_paint_lies_under_a_translucent_rim_which_becomes_opaque(dtype):
    """A mask of the picture's own transparency: composite = min(1, 2 (1 - alpha))."""
    top = int(np.iinfo(dtype).max)
    alpha = np.linspace(0, top, 52).round().astype(dtype)[None]
    weight = np.minimum(1, 2 * (1 - alpha / np.float32(top))).astype(np.float32)
    old = np.where(alpha == 0, 0, int(0.8 * top)).astype(dtype)[..., None]  # black under alpha 0, as files have it
    new, box = np.full((1, 52, 1), 0.2 * top, np.float32), Box(0, 0, 52, 1)
    pasted, covered = old.copy(), alpha.copy()
    paste(pasted, new, weight, box, alpha, "cover")
    paste_alpha(covered, weight, box, "cover")
    assert (covered == top).all()
    assert pasted.min() >= int(0.2 * top), "no dark fringe"
    assert (np.diff(pasted[0, :, 0].astype(int)) >= 0).all(), "from new to old without a step back"
    assert pasted[0, -1, 0] == old[0, -1, 0]


def test_over_a_translucent_rim_straight_alpha_is_kept():
    """Old over new: coverage min(a, 1 - w) of the old, the patch fills up to min(1, a + w)."""
    alpha = np.array([[100, 51, 204, 0]], np.uint8)
    weight = np.array([[0.2, 0.9, 0.2, 0.4]], np.float32)
    old, new = np.full((1, 4, 1), 200, np.uint8), np.full((1, 4, 1), 100, np.float32)
    paste(old, new, weight, Box(0, 0, 4, 1), alpha, "cover")
    paste_alpha(alpha, weight, Box(0, 0, 4, 1), "cover")
    assert alpha[0].tolist() == [151, 255, 255, 102]
    assert old[0, :, 0].tolist() == [
        round(100 + 100 * 100 / 151),  # coverage 100 of the old, 51 of the new
        round(100 + 100 * 0.1),  # 0.1 of the old, 0.9 of the new
        round(100 + 100 * 0.8),  # old over new
        100,
    ]
