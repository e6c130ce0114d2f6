"""Texture that an engine loses: its structure, made of the picture's own pixels."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from overpaint import Mask, Monitor, Studio
from overpaint.engines import Canvas, EngineCard, Painted, SizeRules, ThreadedEngine
from overpaint.errors import Cancelled
from overpaint.finish.texture import MOST_OCTAVES, lost_octaves, textured
from overpaint.geometry import Box
from overpaint.picture import from_array
from test_detail import energy, meadow

SIDE = 128
HOLE = Box(40, 44, 92, 96)


def halves(seed: int = 1) -> np.ndarray:
    """(SIDE, SIDE, 3): a dark meadow left of a straight border, a bright one right of it, both with fine texture."""
    grass = meadow(seed, SIDE)
    grass[:, SIDE // 2 :] += 0.35
    return grass.clip(0, 1)


def hole_of(box: Box = HOLE) -> np.ndarray:
    hole = np.zeros((SIDE, SIDE), bool)
    hole[box.slices] = True
    return hole


def smeared(picture: np.ndarray, octaves: int, seed: int = 5) -> np.ndarray:
    """As an autoencoder gives it back that loses so many octaves: something is in them, but not what was there."""
    side = picture.shape[0]
    small = cv2.resize(picture, (side >> octaves, side >> octaves), interpolation=cv2.INTER_AREA)
    soft = cv2.resize(small, (side, side), interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(seed).standard_normal((side, side, 3)).astype(np.float32)
    return soft + np.float32(0.01) * noise


def made(patch: np.ndarray, soft: np.ndarray, picture: np.ndarray, **given: object):
    hole = hole_of()
    canvas = np.where(hole[..., None], np.float32(0.5), picture)
    return textured(patch, soft, canvas, ~hole, hole, **{"seed": 3, **given})


@pytest.mark.parametrize("octaves", [0, 1, 2, 3])
def test_how_many_octaves_are_lost_is_seen_on_the_known_pixels(octaves):
    picture = halves()
    assert lost_octaves(smeared(picture, octaves) if octaves else picture, picture, ~hole_of()) == octaves


def test_a_blur_loses_nothing():
    """What is softer but right can be sharpened by analogy (`detail`), and is worth keeping."""
    picture = halves()
    assert lost_octaves(cv2.GaussianBlur(picture, (0, 0), 0.8), picture, ~hole_of()) == 0


def test_what_has_no_contrast_has_nothing_to_lose():
    flat = np.full((SIDE, SIDE, 3), 0.4, np.float32)
    noise = np.random.default_rng(0).normal(0, 0.02, flat.shape).astype(np.float32)
    assert lost_octaves(flat + noise, flat, ~hole_of()) == 0
    found = made(flat + noise, flat + noise, flat)
    assert found.octaves == 0
    assert np.array_equal(found.pixels, flat + noise)


def test_nothing_known_says_nothing():
    picture = halves()
    nothing = np.zeros((SIDE, SIDE), bool)
    assert lost_octaves(smeared(picture, 2), picture, nothing) == 0


@settings(deadline=None, max_examples=30)
@given(
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    seed=st.integers(0, 5),
    data=st.data(),
)
def test_any_size_and_any_mask_is_taken(shape, seed, data):
    rng = np.random.default_rng(seed)
    picture, patch = rng.random((2, *shape, 3), dtype=np.float32)
    hole = data.draw(hnp.arrays(bool, shape))
    known = ~hole & data.draw(hnp.arrays(bool, shape))
    found = textured(patch, patch, picture, known, hole, seed=1)
    assert 0 <= found.octaves <= MOST_OCTAVES
    assert found.pixels.shape == (*shape, 3)
    assert found.pixels.dtype == np.float32
    assert np.isfinite(found.pixels).all()
    assert np.array_equal(found.pixels[~hole], patch[~hole])


@pytest.mark.parametrize("border", [54, 74])
def test_the_texture_is_the_pictures_and_the_layout_the_engines(border):
    """Dark grass left and bright grass right of a hole over the whole height: where they meet the engine alone says."""
    picture = halves()
    hole = hole_of(Box(38, 0, 90, SIDE))
    scene = meadow(2, SIDE)
    scene[:, border:] += 0.35
    scene = np.where(hole[..., None], scene, picture).clip(0, 1)
    patch = smeared(scene, 2)
    found = textured(patch, smeared(picture, 2), picture, ~hole, hole, seed=3)
    assert found.octaves == 2
    truth = energy(scene, hole)
    assert energy(patch, hole) < 0.4 * truth
    assert 0.5 * truth < energy(found.pixels, hole) < 1.5 * truth

    def step(pixels: np.ndarray) -> float:
        return float(pixels[:, border + 4 : 90, 1].mean() - pixels[:, 38 : border - 4, 1].mean())

    assert step(found.pixels) > 0.7 * step(scene)


def test_every_pixel_is_copied_from_the_picture():
    """Colours that the picture lacks do not appear, but for what brings a patch to its neighbours' brightness."""
    picture, hole = halves(), hole_of()
    grey = np.repeat(picture[..., :1], 3, axis=2)
    patch = smeared(grey, 2) + np.float32([0.0, 0.0, 0.1])
    found = made(patch, smeared(grey, 2), grey).pixels[hole]
    assert np.abs(found[:, 2] - found[:, 1]).max() < 0.06, "the engine's blue is not kept"


def test_the_same_seed_gives_the_same_pixels_and_another_is_allowed_to_differ():
    picture = halves()
    patch = smeared(picture, 2)
    first, second = (made(patch, patch, picture).pixels for _ in range(2))
    assert np.array_equal(first, second)


def test_cancellation_stops_it():
    def stop() -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        made(smeared(halves(), 2), smeared(halves(), 2), halves(), check=stop)


class Smearing(ThreadedEngine):
    """Gives the canvas back as an autoencoder that loses two octaves."""

    card = EngineCard(
        name="stand-in",
        title="smears",
        edge="diffusion",
        sizes=SizeRules(native=64, multiple=8, maximum_area=SIDE * SIDE),
    )

    def __init__(self, *, evidence: bool = True) -> None:
        super().__init__()
        self._evidence = evidence

    def paint_one(self, canvas: Canvas, monitor: Monitor) -> Painted:
        painted = smeared(canvas.pixels, 2)
        return Painted(painted, evidence=painted if self._evidence else None)


def edited(engine: ThreadedEngine, **settings: object):
    picture = from_array(np.rint(halves() * 255).astype(np.uint8))
    with Studio() as studio:
        studio.add_engine(engine)
        mask = Mask.box(picture.size, HOLE)
        return studio.edit(picture, mask=mask, engine="stand-in", **{"intent": "remove", "seed": 5, **settings})


def test_a_removal_has_the_photos_texture_also_where_nothing_is_enlarged():
    truth = energy(np.rint(halves() * 255), hole_of())
    plain, found = edited(Smearing(), detail="none"), edited(Smearing(), detail="surroundings")
    assert found.regions[0].working == found.regions[0].frame.size
    assert energy(plain.picture.samples, hole_of()) < 0.3 * truth
    assert energy(found.picture.samples, hole_of()) > 0.5 * truth
    assert found.regions[0].detail == 1
    assert plain.regions[0].detail == 0


def test_without_evidence_the_loss_is_unknown():
    blind = Smearing(evidence=False)
    plain, found = edited(blind, detail="none"), edited(Smearing(evidence=False), detail="surroundings")
    assert np.array_equal(plain.picture.samples, found.picture.samples)


@pytest.mark.parametrize("settings", [{"detail": "careful"}, {"detail": "full"}, {"prompt": "grass"}])
def test_an_explicit_detail_or_a_prompt_keeps_the_engine_s_own_result(settings):
    plain, found = edited(Smearing(), detail="none"), edited(Smearing(), **settings)
    assert np.array_equal(plain.picture.samples, found.picture.samples)
