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


@pytest.mark.parametrize(("rule", "expected"), [("keep", [0, 100, 255, 7]), ("cover", [255, 128, 255, 7])])
def test_alpha_follows_the_rule(rule, expected):
    alpha = np.array([[0, 100, 255, 7]], np.uint8)
    paste_alpha(alpha, np.array([[1, 0.5, 0.5, 0]], np.float32), Box(0, 0, 4, 1), rule)
    assert alpha[0].tolist() == expected
