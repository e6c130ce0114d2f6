"""Colour and seam correction, with a stand-in engine whose error is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from overpaint.finish import correct, spread
from overpaint.finish.correct import BOUND


@pytest.fixture
def scene() -> tuple[np.ndarray, np.ndarray]:
    """A smooth, textured picture and a hole in it."""
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:120, :160].astype(np.float32)
    smooth = np.dstack([0.3 + columns / 400, 0.4 + rows / 500, 0.5 - columns / 600])
    picture = np.clip(smooth + rng.normal(0, 0.02, smooth.shape), 0, 1).astype(np.float32)
    hole = np.zeros((120, 160), bool)
    hole[40:85, 50:110] = True
    return picture, hole


def _error(pixels: np.ndarray, truth: np.ndarray, hole: np.ndarray) -> float:
    return float(np.abs((pixels - truth)[hole].mean(axis=0)).max() * 255)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75, 0.9])
def test_a_known_shift_is_removed_whatever_the_holes_share(share):
    rng = np.random.default_rng(1)
    truth = np.clip(rng.normal(0.5, 0.1, (100, 100, 3)), 0, 1).astype(np.float32)
    hole = np.zeros((100, 100), bool)
    hole[: int(100 * share)] = True
    shifted = truth + np.float32([-3, 5, -8]) / np.float32(255)
    fixed = correct(shifted, shifted, truth, hole)
    assert _error(shifted, truth, hole) > 7
    assert _error(fixed.pixels, truth, hole) < 0.3
    assert np.asarray(fixed.shift) * 255 == pytest.approx([3, -5, 8], abs=0.3)


def test_a_change_of_contrast_is_removed(scene):
    picture, hole = scene
    flat = (picture - 0.5) * np.float32(0.85) + np.float32(0.5)
    fixed = correct(flat, flat, picture, hole, seam=False)
    assert np.abs(fixed.pixels - picture)[hole].mean() < 0.25 * np.abs(flat - picture)[hole].mean()


def test_a_drift_near_the_hole_is_removed_by_the_seam_alone(scene):
    picture, hole = scene
    columns = np.arange(160, dtype=np.float32)
    drift = (0.05 * np.sin(columns / 35))[None, :, None]
    drifted = picture + drift
    matched = correct(drifted, drifted, picture, hole, seam=False)
    both = correct(drifted, drifted, picture, hole)
    edge = hole & ~np.pad(hole, 1)[2:, 1:-1]
    assert np.abs((both.pixels - picture)[edge]).mean() < 0.4 * np.abs((matched.pixels - picture)[edge]).mean()


def test_a_large_canvas_is_corrected_as_a_small_one():
    rows, columns = np.mgrid[:1100, :1500].astype(np.float32)
    truth = np.dstack([0.3 + columns / 4000, 0.4 + rows / 5000, 0.5 - columns / 6000]).astype(np.float32)
    hole = np.zeros(truth.shape[:2], bool)
    hole[401:807, 333:1000] = True
    drifted = truth * np.float32(0.95) + (0.03 * np.sin(columns / 300))[..., None] + np.float32(0.02)
    fixed = correct(drifted, drifted, truth, hole)
    assert np.abs(fixed.pixels - truth)[hole].mean() < 0.2 * np.abs(drifted - truth)[hole].mean()
    edge = hole & ~np.pad(hole, 4)[8:, 4:-4]
    assert np.abs(fixed.pixels - truth)[edge].mean() * 255 < 1.5


def test_something_redrawn_elsewhere_does_not_tint_the_hole(scene):
    picture, hole = scene
    evidence = picture.copy()
    evidence[10:35, 60:100] = [0.9, 0.1, 0.1]  # another object where the old one was, above the hole
    fixed = correct(picture, evidence, picture, hole)
    assert np.abs(fixed.pixels - picture)[hole].max() * 255 < 3


def test_corrections_are_bounded(scene):
    picture, hole = scene
    wild = np.clip(picture + 0.5, 0, 2).astype(np.float32)
    fixed = correct(wild, wild, picture, hole)
    assert np.abs(fixed.pixels - wild).max() <= BOUND + 1e-6


def test_without_evidence_or_known_pixels_nothing_is_done(scene):
    picture, hole = scene
    assert correct(picture, None, picture, hole).pixels is picture
    everything = np.ones_like(hole)
    assert correct(picture, picture + np.float32(0.05), picture, everything).pixels is picture
    assert correct(picture, picture, picture, hole, colour_match=False, seam=False).pixels is picture


def test_unusable_pixels_are_no_evidence(scene):
    picture, hole = scene
    usable = np.ones_like(hole)
    usable[:, 120:] = False
    evidence = picture.copy()
    evidence[:, 120:] += np.float32(0.08)
    fixed = correct(picture, evidence, picture, hole, usable)
    assert np.abs(fixed.pixels - picture)[hole].max() * 255 < 1


def test_spread_reaches_everywhere_keeps_constants_and_stays_within_range():
    weights = np.zeros((97, 203), np.float32)
    weights[10:14, 20:23] = 1
    values = np.full((97, 203, 2), 0.37, np.float32)
    assert np.allclose(spread(values, weights, 4), 0.37, atol=1e-4)
    values[..., 0] = np.random.default_rng(0).random((97, 203))
    out = spread(values, np.ones((97, 203), np.float32), 3)
    assert out[..., 0].min() >= values[..., 0].min()
    assert out[..., 0].max() <= values[..., 0].max()
    assert not spread(values, np.zeros_like(weights), 3).any()


def test_the_last_bits_of_opencv_s_distances_change_no_pixel(scene, monkeypatch):
    """They depend on where its arrays lie in memory, and the same edit gives the same pixels."""
    picture, hole = scene
    shifted = picture + np.float32(0.02) * picture**2
    plain = correct(shifted, shifted, picture, hole).pixels
    exact = cv2.distanceTransform
    monkeypatch.setattr(cv2, "distanceTransform", lambda *given: exact(*given) * np.float32(1 + 2e-7))
    assert np.array_equal(correct(shifted, shifted, picture, hole).pixels, plain)
