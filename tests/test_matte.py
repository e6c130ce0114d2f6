"""The matte: opacity and colour of a subject at its edge, against subjects whose opacity is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from overpaint.mask.local_colours import NOISE, local_moments
from overpaint.mask.matte import matte

Floats = NDArray[np.float32]

SIDE = 200
GREY, BROWN = np.array([0.55, 0.6, 0.5], np.float32), np.array([0.6, 0.3, 0.1], np.float32)


def furry(hairs: int = 500, seed: int = 0) -> Floats:
    """A disc with hairs about one pixel wide, (SIDE, SIDE) opacity."""
    rng, scale = np.random.default_rng(seed), 4
    drawn = np.zeros((SIDE * scale, SIDE * scale), np.uint8)
    middle, radius = SIDE * scale // 2, SIDE * scale // 4
    cv2.circle(drawn, (middle, middle), radius, 255, -1)
    for turn in rng.uniform(0, 2 * np.pi, hairs):
        root = middle + radius * 0.98 * np.array([np.cos(turn), np.sin(turn)])
        lean = turn + rng.normal(0, 0.4)
        tip = root + rng.uniform(0, 60) * np.array([np.cos(lean), np.sin(lean)])
        cv2.line(drawn, tuple(root.astype(int).tolist()), tuple(tip.astype(int).tolist()), 255, int(rng.integers(2, 5)))
    return cv2.resize(drawn.astype(np.float32) / 255, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def textured(colour: Floats, amount: float, seed: int) -> Floats:
    rough = np.random.default_rng(seed).normal(0, amount, (SIDE // 8, SIDE // 8)).astype(np.float32)
    return np.clip(colour + cv2.resize(rough, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)[..., None], 0, 1)


def scene(opacity: Floats, texture: float = 0.05) -> tuple[Floats, Floats]:
    """A picture of a brown subject before a grey-green ground; and the subject alone."""
    subject, ground = textured(BROWN, texture, 1), textured(GREY, texture, 2)
    mixed = opacity[..., None] * subject + (1 - opacity[..., None]) * ground
    noise = np.random.default_rng(3).normal(0, 0.008, mixed.shape)
    return np.clip(mixed + noise, 0, 1).astype(np.float32), subject


def outline(opacity: Floats) -> Floats:
    """A mask as a hand draws it, without hairs."""
    return (cv2.GaussianBlur(opacity, (0, 0), 3) > 0.5).astype(np.float32)


def test_hair_that_the_mask_leaves_out_is_found_with_its_own_colour() -> None:
    true = furry()
    picture, subject = scene(true)
    mask = outline(true)
    found = matte(picture, mask, 12)
    edge = (true > 0) & (true < 1) | (np.abs(true - mask) > 0)
    assert np.abs(found.opacity - true)[edge].mean() < 0.15 * np.abs(mask - true)[edge].mean()
    on_white = [a[..., None] * c + 1 - a[..., None] for a, c in ((true, subject), (found.opacity, found.colour))]
    pasted = mask[..., None] * picture + 1 - mask[..., None]
    error, naive = (np.abs(one - on_white[0])[edge].mean() for one in (on_white[1], pasted))
    assert error < 0.2 * naive


def test_a_hard_edge_loses_the_fringe_of_the_background() -> None:
    true = furry(hairs=0)
    picture, _ = scene(true, texture=0.0)
    found = matte(picture, outline(true), 5)
    edge = (found.opacity > 0.3) & (found.opacity < 0.9)
    assert edge.sum() > 100
    assert np.abs(found.colour[edge] - BROWN).max(axis=1).mean() < 0.03
    assert np.abs(picture[edge] - BROWN).max(axis=1).mean() > 0.1, "the picture has the fringe"


def test_a_mask_that_is_off_by_some_pixels_is_put_right() -> None:
    true = furry(hairs=0)
    picture, _ = scene(true)
    wide = cv2.dilate((true > 0.5).astype(np.uint8), np.ones((9, 9), np.uint8)).astype(np.float32)
    found = matte(picture, wide, 8)
    assert np.abs(found.opacity - true).sum() < 0.15 * np.abs(wide - true).sum()


def test_an_own_colour_is_near_those_of_the_subject_along_a_wrong_border_too() -> None:
    """Lights just beyond a border that runs through a smooth ground, and no part of anything."""
    picture = np.full((SIDE, SIDE, 3), (0.2, 0.12, 0.03), np.float32)
    picture += np.random.default_rng(5).normal(0, 0.004, picture.shape).astype(np.float32)
    mask = np.zeros((SIDE, SIDE), np.float32)
    mask[50:150, 50:150] = 1
    spots = np.random.default_rng(6).integers(40, 160, (400, 2))
    spots = spots[((spots < 58) | (spots > 142)).any(axis=1)]
    picture[spots[:, 0], spots[:, 1]] = (0.1, 0.6, 0.9)
    found = matte(np.clip(picture, 0, 1), mask, 8)
    translucent = (found.opacity > 0) & (found.opacity < 1)
    assert translucent.any()
    far = np.abs(found.colour - (0.2, 0.12, 0.03)).max(axis=2)[translucent]
    assert far.max() < 0.35


def test_beyond_the_band_nothing_changes() -> None:
    true = furry()
    picture, _ = scene(true)
    mask = outline(true)
    found = matte(picture, mask, 6)
    inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) > 7
    outside = cv2.distanceTransform(1 - mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE) > 7
    assert (found.opacity[inside] == 1).all()
    assert (found.opacity[outside] == 0).all()
    assert np.array_equal(found.colour[inside | outside], picture[inside | outside])
    assert np.array_equal(found.colour[found.opacity == 1], picture[found.opacity == 1])


def test_pixels_that_must_stay_opaque_do() -> None:
    true = furry()
    picture, _ = scene(true)
    mask = outline(true)
    found = matte(picture, mask, 8, within=np.zeros(mask.shape, bool))
    assert (found.opacity[mask > 0] == 1).all()


def test_it_does_not_depend_on_where_the_subject_lies() -> None:
    true = furry()
    picture, _ = scene(true)
    wider = [np.pad(one, ((300, 7), (411, 60), (0, 0))[: one.ndim], mode="edge") for one in (picture, outline(true))]
    here = matte(picture, outline(true), 8).opacity
    there = matte(wider[0], wider[1], 8).opacity[300 : 300 + SIDE, 411 : 411 + SIDE]
    assert np.abs(here - there).mean() < 1e-3


@pytest.mark.parametrize("band", [0.0, 0.9])
def test_without_a_band_the_mask_is_the_opacity(band: float) -> None:
    soft = np.tile(np.linspace(0, 1, 32, dtype=np.float32), (32, 1))
    picture = np.full((32, 32, 3), 0.5, np.float32)
    assert np.array_equal(matte(picture, soft, band).opacity, soft)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_mask_without_a_border_stays(value: float) -> None:
    mask = np.full((24, 24), value, np.float32)
    assert np.array_equal(matte(np.full((24, 24, 3), 0.3, np.float32), mask, 5).opacity, mask)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (3, 5), (17, 64)])
def test_small_and_flat_pictures_give_finite_numbers(shape: tuple[int, int]) -> None:
    mask = np.zeros(shape, np.float32)
    mask.reshape(-1)[: mask.size // 2] = 1
    for level in (0.0, 0.5, 1.0):
        found = matte(np.full((*shape, 3), level, np.float32), mask, 2)
        assert np.isfinite(found.opacity).all()
        assert ((found.colour >= 0) & (found.colour <= 1)).all()


def test_colours_are_compared_with_those_nearby() -> None:
    """On the left the subject has the colour that the ground has on the right, and the other way round."""
    true = furry(hairs=0)
    across = np.linspace(0, 1, SIDE, dtype=np.float32)[None, :, None]
    subject, ground = (1 - across) * BROWN + across * GREY, across * BROWN + (1 - across) * GREY
    picture = np.asarray(true[..., None] * subject + (1 - true[..., None]) * ground, np.float32)
    wide = cv2.dilate((true > 0.5).astype(np.uint8), np.ones((7, 7), np.uint8)).astype(np.float32)
    found = matte(picture, wide, 8)
    clear = np.abs(np.arange(SIDE) - SIDE // 2) > 20  # in the middle both have one colour
    assert np.abs(found.opacity - true)[:, clear].sum() < 0.3 * np.abs(wide - true)[:, clear].sum()


def test_a_dark_spot_beside_a_dark_subject_stays_in_the_background() -> None:
    true = furry(hairs=0)
    picture, _ = scene(true, texture=0.02)
    spot = np.zeros((SIDE, SIDE), np.uint8)
    cv2.circle(spot, (SIDE // 2, SIDE // 4 - 9), 3, 1, -1)
    picture[spot > 0] = BROWN
    assert (matte(picture, outline(true), 14).opacity[spot > 0] == 0).all()


@pytest.mark.parametrize("width", [161, 200, 207])
def test_covariances_of_local_colours_are_those_of_colours(width: int) -> None:
    rough = np.random.default_rng(0).normal(0.5, 0.2, (40, 50, 1)).astype(np.float32)
    grey = np.clip(cv2.resize(rough, (width, 150), interpolation=cv2.INTER_CUBIC), 0, 1)[..., None] * np.ones(
        3, np.float32
    )
    known = np.ones(grey.shape[:2], bool)
    known[40:90] = False
    moments = local_moments(grey, known, 9)
    assert moments is not None
    found = moments.at(*np.nonzero(~known)).covariance
    assert np.allclose(found[:, (1, 2, 4)], found[:, (0, 3, 5)] - np.float32(NOISE**2), atol=1e-5)
