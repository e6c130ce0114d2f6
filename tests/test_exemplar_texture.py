"""Claims about what the patch-based fill continues, and the smooth fills do not."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from overpaint.engines.base import Canvas, Monitor, ThreadedEngine
from overpaint.engines.classical import Telea
from overpaint.engines.exemplar import Exemplar, ExemplarOptions

SHAPE = (120, 150)


def stripes() -> np.ndarray:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return 0.5 + 0.3 * np.sign(np.sin((x + 0.5 * y) * np.pi / 7 + 0.1))


def checkerboard() -> np.ndarray:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return np.where((y // 9 + x // 9) % 2, 0.75, 0.3)


def bricks() -> np.ndarray:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    course = y // 12
    mortar = (y % 12 < 2) | ((x + 11 * (course % 2)) % 22 < 2)
    return np.where(mortar, 0.8, 0.4)


PATTERNS = {"stripes": stripes, "checkerboard": checkerboard, "bricks": bricks}


def coloured(grey: np.ndarray) -> np.ndarray:
    rough = np.random.default_rng(2).normal(0, 0.015, (*SHAPE, 1))
    return ((grey[..., None] + rough) * np.array([1.0, 0.9, 0.7])).astype(np.float32)


def psnr(painted: np.ndarray, pixels: np.ndarray, hole: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((painted - pixels)[hole] ** 2)))


def energy(pixels: np.ndarray, hole: np.ndarray) -> float:
    grey = pixels.mean(axis=2)
    across, down = hole[:, 1:] & hole[:, :-1], hole[1:] & hole[:-1]
    return float((np.diff(grey, axis=1)[across] ** 2).sum() + (np.diff(grey, axis=0)[down] ** 2).sum())


def filled(engine: ThreadedEngine, pixels: np.ndarray, hole: np.ndarray, **options: object) -> np.ndarray:
    spoilt = np.where(hole[..., None], np.float32(0.5), pixels)
    chosen = {"options": ExemplarOptions(**options)} if options else {}
    return engine.paint_one(Canvas(spoilt, hole.astype(np.float32), seed=1, **chosen), Monitor()).pixels


@pytest.fixture
def hole() -> np.ndarray:
    flags = np.zeros(SHAPE, bool)
    flags[40:80, 50:105] = True
    return flags


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_regular_texture_goes_on_better_than_by_a_smooth_fill(pattern, hole):
    pixels = coloured(PATTERNS[pattern]())
    ours, telea = filled(Exemplar(), pixels, hole), filled(Telea(), pixels, hole)
    assert psnr(ours, pixels, hole) > psnr(telea, pixels, hole) + 6
    assert 0.8 < energy(ours, hole) / energy(pixels, hole) < 1.25
    assert energy(telea, hole) / energy(pixels, hole) < 0.6


@pytest.mark.parametrize("quality", ["draft", "normal", "best"])
def test_grass_stays_as_rough_as_grass(quality, hole):
    """An irregular texture can't be foretold; it is right when it has the roughness of its surroundings."""
    noise = np.random.default_rng(3).normal(0, 1, SHAPE).astype(np.float32)
    pixels = np.clip(0.5 + 0.4 * cv2.GaussianBlur(noise, (0, 0), 1.0), 0, 1)[..., None].repeat(3, axis=2)
    ours = filled(Exemplar(), pixels, hole, quality=quality)
    assert 0.6 < energy(ours, hole) / energy(pixels, hole) < 1.4


def test_asphalt_keeps_its_grain(hole):
    """Grain of one pixel, too faint to decide which patch is copied: a mean of copies would be flat."""
    pixels = np.random.default_rng(8).normal(0.4, 0.03, (*SHAPE, 1)).repeat(3, axis=2).astype(np.float32)
    ours = filled(Exemplar(), pixels, hole)
    assert 0.9 < energy(ours, hole) / energy(pixels, hole) < 1.15


def test_an_edge_runs_on_through_the_hole(hole):
    """A straight horizon across the hole meets itself on the other side."""
    y, _ = np.mgrid[: SHAPE[0], : SHAPE[1]]
    pixels = coloured(np.where(y < 61, 0.8, 0.3))
    ours = filled(Exemplar(), pixels, hole)
    assert psnr(ours, pixels, hole) > 28


def test_a_line_runs_on_through_the_hole(hole):
    """A dark bar, 5 pixels wide, that slopes across the hole is not interrupted."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    bar = np.abs(y - 60 - 0.1 * (x - 75)) < 2.5
    pixels = coloured(np.where(bar, 0.2, 0.7))
    ours = filled(Exemplar(), pixels, hole)
    dark = (ours[40:80, 50:105, 0] < 0.45).any(axis=0)
    assert dark.mean() > 0.95
    assert psnr(ours, pixels, hole) > psnr(filled(Telea(), pixels, hole), pixels, hole) + 3


def test_a_plain_wall_stays_plain(hole):
    """A wall that gets slowly darker, with a coloured picture on it: the fill is wall, without a step at its edge."""
    _, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    pixels = coloured(0.75 - 0.001 * x)
    pixels[8:28, 110:140] = np.random.default_rng(5).random((20, 30, 3))
    ours = filled(Exemplar(), pixels, hole)
    assert np.abs(ours - pixels)[hole].max() < 0.12
    along = hole.copy()
    along[42:78, 52:103] = False
    assert abs(ours[along].mean() - pixels[along].mean()) < 0.01


@pytest.mark.parametrize("seed", [0, 5])
def test_a_soft_sky_stays_soft(seed):
    """Clouds without an edge: no border in the fill is harder than what the picture shows."""
    noise = np.random.default_rng(seed).normal(0, 1, (160, 200)).astype(np.float32)
    clouds = cv2.GaussianBlur(noise, (0, 0), 14)
    pixels = (0.5 + 0.18 * clouds / clouds.std()).clip(0, 1)[..., None].repeat(3, axis=2)
    hole = np.zeros((160, 200), bool)
    hole[55:110, 70:130] = True
    ours = filled(Exemplar(), pixels, hole)

    def hardest(picture: np.ndarray) -> float:
        return max(float(np.abs(np.diff(picture[54:111, 69:131], axis=axis)).max()) for axis in (0, 1))

    assert hardest(ours) < 1.5 * max(float(np.abs(np.diff(pixels, axis=axis)).max()) for axis in (0, 1))


def test_what_a_mask_leaves_of_an_object_makes_no_haze_in_the_sky():
    """An orange animal before a blue sky, and a mask that is moved by some pixels: the rim of the animal stays."""
    rng = np.random.default_rng(0)
    down = np.linspace(0, 1, 240)[:, None, None]
    pixels = (1 - down) * np.array([0.47, 0.65, 0.84]) + down * np.array([0.75, 0.82, 0.9]) + np.zeros((1, 320, 1))
    pixels += rng.normal(0, 0.006, pixels.shape)
    animal = np.zeros((240, 320), np.uint8)
    cv2.ellipse(animal, (160, 130), (70, 45), 0, 0, 360, 1, -1)
    cv2.ellipse(animal, (215, 70), (20, 45), 20, 0, 360, 1, -1)
    soft = cv2.GaussianBlur(animal.astype(np.float32), (0, 0), 0.8)[..., None]
    coat = np.array([0.75, 0.47, 0.24]) + rng.normal(0, 0.05, (240, 320, 1))
    pixels = (pixels * (1 - soft) + coat * soft).astype(np.float32)
    mask = cv2.warpAffine(animal, np.float32([[1, 0, 6], [0, 1, 5]]), (320, 240)) > 0
    painted = filled(Exemplar(), pixels, mask)
    # On the line from the coat's colour, 0, to the sky's, 1. What is left of the coat may go on; a mixture is a haze.
    coat, sky = np.array([0.75, 0.47, 0.24], np.float32), np.array([0.6, 0.73, 0.87], np.float32)
    way = ((painted - coat) @ (sky - coat)) / ((sky - coat) @ (sky - coat))
    inner = cv2.erode(mask.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    assert (way[inner] > 0.9).mean() > 0.3, "some of it is sky"
    assert ((way > 0.5) & (way < 0.9))[inner].mean() < 0.05


def test_nothing_comes_from_a_far_region():
    """A lawn, and beyond a fence a court with bright letters: the hole in the lawn gets no letters."""
    rng = np.random.default_rng(4)
    pixels = np.tile(np.float32([0.2, 0.5, 0.2]), (140, 200, 1)) + rng.normal(0, 0.05, (140, 200, 1)).astype(np.float32)
    pixels[:40] = (0.7, 0.4, 0.3)
    pixels[8:30, 20:180][rng.random((22, 160)) < 0.4] = (0.95, 0.95, 0.9)
    pixels[40:44] = 0.1
    flags = np.zeros((140, 200), bool)
    flags[60:115, 70:130] = True
    ours = filled(Exemplar(), pixels.clip(0, 1), flags)[flags]
    assert (ours[:, 0] < 0.45).all()


def test_colours_come_from_the_surroundings_alone(hole):
    """Red above, blue below: nothing between them, such as purple, and nothing brighter."""
    y, _ = np.mgrid[: SHAPE[0], : SHAPE[1]]
    pixels = np.where((y < 61)[..., None], np.float32([0.8, 0.1, 0.1]), np.float32([0.1, 0.1, 0.8]))
    ours = filled(Exemplar(), pixels, hole)[hole]
    purple = (ours[:, 0] > 0.25) & (ours[:, 2] > 0.25)
    assert purple.mean() < 0.03


@pytest.mark.parametrize("patch", [3, 5, 9, 15])
def test_any_patch_works(patch, hole):
    pixels = coloured(stripes())
    ours = filled(Exemplar(), pixels, hole, patch=patch)
    assert np.array_equal(ours[~hole], pixels[~hole])
    assert energy(ours, hole) / energy(pixels, hole) > 0.4


def test_a_search_range_keeps_far_colours_out(hole):
    """With 12 pixels to look at, the green beyond them can't be copied."""
    pixels = coloured(stripes())
    pixels[:, 130:] = pixels[:20] = (0, 1, 0)
    ours = filled(Exemplar(), pixels, hole, search_range=12)[hole]
    assert (ours[:, 1] - ours[:, 0]).max() < 0.05


def test_another_seed_may_fill_otherwise_but_as_well(hole):
    pixels = coloured(bricks())
    spoilt = np.where(hole[..., None], np.float32(0.5), pixels)
    for seed in (0, 7):
        ours = Exemplar().paint_one(Canvas(spoilt, hole.astype(np.float32), seed=seed), Monitor()).pixels
        assert 0.75 < energy(ours, hole) / energy(pixels, hole) < 1.3


def test_variations_differ_visibly(hole):
    """Stones of many sizes: results of other seeds show other stones, none of them flat."""
    rough = np.random.default_rng(6).random((*SHAPE, 1), dtype=np.float32)
    pixels = cv2.GaussianBlur(rough, (0, 0), 2.5)[..., None].repeat(3, axis=2)
    pixels = (pixels - pixels.min()) / np.ptp(pixels)
    options = ExemplarOptions(variety=0.2)
    ours = [
        Exemplar().paint_one(Canvas(pixels, hole.astype(np.float32), seed=seed, options=options), Monitor()).pixels
        for seed in (1, 2, 3)
    ]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert np.sqrt(np.mean((ours[one] - ours[other])[hole] ** 2)) > 0.05
    assert all(energy(one, hole) / energy(pixels, hole) > 0.5 for one in ours)


def test_the_engine_tells_signs_of_a_doubtful_fill(hole):
    pixels = coloured(bricks())
    good = Exemplar().paint_one(Canvas(pixels, hole.astype(np.float32)), Monitor()).match
    noise = np.random.default_rng(7).random((*SHAPE, 3), dtype=np.float32)
    poor = Exemplar().paint_one(Canvas(noise, hole.astype(np.float32)), Monitor()).match
    assert good is not None
    assert poor is not None
    assert good < 0.5 * poor


def test_two_distant_holes_are_each_filled_from_their_own_surroundings():
    pixels = np.empty((100, 900, 3), np.float32)
    pixels[:, :450], pixels[:, 450:] = (0.7, 0.2, 0.2), (0.2, 0.2, 0.7)
    flags = np.zeros((100, 900), bool)
    flags[40:60, 40:60] = flags[40:60, 840:860] = True
    ours = Exemplar().paint_one(Canvas(np.where(flags[..., None], 0, pixels), flags.astype(np.float32)), Monitor())
    np.testing.assert_allclose(ours.pixels, pixels, atol=1e-4)
