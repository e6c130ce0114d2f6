"""Claims about every engine that fills from the picture alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from overpaint.engines.base import Canvas, Engine, Monitor, paint
from overpaint.engines.classical import Biharmonic, Blur, NavierStokes, RadiusOptions, Telea
from overpaint.engines.exemplar import Exemplar, ExemplarOptions
from overpaint.engines.extend import Extend
from overpaint.errors import Cancelled

ENGINES = {
    "telea": Telea,
    "navier-stokes": NavierStokes,
    "biharmonic": Biharmonic,
    "blur": Blur,
    "exemplar": Exemplar,
    "extend": Extend,
}
SIZES = [(1, 1), (1, 9), (7, 1), (2, 2), (3, 5), (8, 8), (17, 31), (64, 45)]


@pytest.fixture(params=ENGINES, scope="module")
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    made = ENGINES[request.param]()
    yield made
    made.close()


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3), dtype=np.float32)


def ramp(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([0.2 + 0.5 * x / width, 0.7 - 0.4 * y / height, 0.3 + 0.2 * (x + y) / (width + height)], -1)


def boxed(shape: tuple[int, int], top: int, bottom: int, left: int, right: int) -> np.ndarray:
    mask = np.zeros(shape, np.float32)
    mask[top:bottom, left:right] = 1
    return mask


def one(engine: Engine, canvas: Canvas, monitor: Monitor | None = None) -> np.ndarray:
    return paint(engine, [canvas], [monitor or Monitor()])[0].pixels


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 1.0])
def test_any_size_and_any_scatter_of_holes_leaves_the_rest_alone(engine, shape, share):
    pixels, mask = noise(*shape), (noise(*shape, seed=1)[..., 0] < share).astype(np.float32)
    painted = one(engine, Canvas(pixels, mask))
    assert painted.dtype == np.float32
    assert np.array_equal(painted[mask == 0], pixels[mask == 0])
    assert painted.min() >= 0
    assert painted.max() <= 1


@pytest.mark.parametrize(
    "rows_columns",
    [(0, 20, 0, 15), (0, 50, 20, 30), (30, 50, 40, 61), (0, 50, 0, 60), (10, 50, 0, 61), (24, 25, 0, 61)],
)
def test_a_hole_that_touches_borders_is_filled_from_the_remaining_pixels(engine, rows_columns):
    pixels = ramp(50, 61)
    mask = boxed((50, 61), *rows_columns)
    spoilt = np.where(mask[..., None] > 0, np.float32(0), pixels)
    painted = one(engine, Canvas(spoilt, mask))
    assert np.array_equal(painted[mask == 0], pixels[mask == 0])
    assert painted[mask > 0].min() > 0.1  # the darkest of the ramp is 0.2; the spoilt hole is 0


def test_a_hole_over_everything_becomes_its_mean_colour(engine):
    pixels = noise(20, 30)
    painted = one(engine, Canvas(pixels, np.ones((20, 30), np.float32)))
    np.testing.assert_allclose(painted, np.broadcast_to(pixels.mean(axis=(0, 1)), painted.shape), atol=1e-4)


def test_every_pixel_under_a_soft_mask_is_repainted(engine):
    pixels = np.full((40, 40, 3), 0.5, np.float32)
    mask = np.zeros((40, 40), np.float32)
    mask[10:30, 10:30] = 0.01
    pixels[mask > 0] = 1.0
    painted = one(engine, Canvas(pixels, mask))
    np.testing.assert_allclose(painted, 0.5, atol=1e-4)


def test_a_constant_colour_is_continued_exactly(engine):
    pixels = np.empty((48, 64, 3), np.float32)
    pixels[:] = (0.25, 0.5, 0.75)
    mask = boxed((48, 64), 12, 33, 20, 44)
    painted = one(engine, Canvas(np.where(mask[..., None] > 0, np.float32(1), pixels), mask))
    np.testing.assert_allclose(painted, pixels, atol=2e-5)


@given(seed=st.integers(0, 2**32 - 1), height=st.integers(1, 40), width=st.integers(1, 40), share=st.floats(0, 1))
@settings(deadline=None, max_examples=25)
def test_what_was_in_the_hole_does_not_matter(seed, height, width, share):
    rng = np.random.default_rng(seed)
    pixels = rng.random((height, width, 3), dtype=np.float32)
    hole = rng.random((height, width)) < share
    if hole.all():
        return
    other = np.where(hole[..., None], np.float32(1) - pixels, pixels)
    mask = hole.astype(np.float32)
    for painter in (Telea(), NavierStokes(), Blur(), Exemplar()):
        first = painter.paint_one(Canvas(pixels, mask, seed=3), Monitor()).pixels
        second = painter.paint_one(Canvas(other, mask, seed=3), Monitor()).pixels
        assert np.array_equal(first[hole], second[hole])


def test_colour_that_is_not_the_pictures_own_is_never_copied(engine):
    """Poison green lies where the frame was extended: under the hole's part there and beside it."""
    pixels = np.random.default_rng(5).uniform(0.3, 0.6, (70, 90, 3)).astype(np.float32)
    pixels[..., 1] = pixels[..., 0]
    usable = np.ones((70, 90), bool)
    usable[:, :30] = False
    usable[60:, 50:70] = False
    pixels[~usable] = (0, 1, 0)
    mask = boxed((70, 90), 10, 65, 20, 60)
    painted = one(engine, Canvas(pixels, mask, usable=usable))[mask > 0]
    assert (painted[:, 1] - painted[:, 0]).max() < 0.02
    assert painted[:, 0].min() > 0.2


def test_a_picture_of_which_nothing_is_usable_still_gives_an_answer(engine):
    pixels = noise(16, 16)
    mask = boxed((16, 16), 4, 9, 4, 9)
    painted = one(engine, Canvas(pixels, mask, usable=np.zeros((16, 16), bool)))
    assert np.array_equal(painted[mask == 0], pixels[mask == 0])


def test_a_smooth_sixteen_bit_glow_keeps_its_depth(engine):
    y, x = np.mgrid[:80, :120].astype(np.float32)
    pixels = (0.5 + 0.1 * np.sin(np.hypot(y - 31, 0.83 * x - 47) / 40))[..., None].repeat(3, axis=2)
    mask = boxed((80, 120), 20, 60, 30, 90)
    painted = one(engine, Canvas(pixels, mask))
    levels = np.unique(np.round(painted[mask > 0][:, 0] * 65535))
    assert len(levels) > 512


@pytest.mark.parametrize("name", ["biharmonic", "blur", "exemplar"])
def test_a_ramp_goes_on_without_a_step(name):
    pixels = ramp(80, 120)
    mask = boxed((80, 120), 25, 55, 40, 80)
    painted = ENGINES[name]().paint_one(Canvas(pixels, mask), Monitor()).pixels
    tolerance = {"biharmonic": 0.002, "blur": 0.09, "exemplar": 0.05}[name]
    assert np.abs(painted - pixels).max() < tolerance


def test_the_same_seed_gives_the_same_pixels(engine):
    canvas = Canvas(noise(60, 70), boxed((60, 70), 20, 45, 15, 50), seed=11)
    assert np.array_equal(one(engine, canvas), one(engine, canvas))


def test_a_grey_picture_stays_grey(engine):
    grey = np.repeat(noise(50, 50)[..., :1], 3, axis=2)
    painted = one(engine, Canvas(grey, boxed((50, 50), 15, 35, 10, 40)))
    np.testing.assert_allclose(painted, painted[..., :1].repeat(3, axis=2), atol=1e-5)


def test_progress_only_grows_and_ends_at_its_end(engine):
    seen: list[tuple[int, int]] = []
    mask = np.maximum(boxed((90, 90), 5, 25, 5, 25), boxed((90, 90), 60, 85, 50, 80))
    one(engine, Canvas(noise(90, 90), mask), Monitor(on_progress=lambda step, steps: seen.append((step, steps))))
    assert [step for step, _ in seen] == sorted(step for step, _ in seen)
    assert len({steps for _, steps in seen}) == 1
    assert seen[-1][0] == seen[-1][1]


def test_the_canvas_itself_is_not_written_to(engine):
    pixels = noise(30, 30)
    pixels.flags.writeable = False
    mask = boxed((30, 30), 10, 20, 10, 20)
    mask.flags.writeable = False
    one(engine, Canvas(pixels, mask))


def test_work_that_is_called_off_stops_soon():
    """A fill of many steps is given up within one step."""
    begun, told = threading.Event(), []

    def progress(step: int, steps: int) -> None:
        told.append((step, steps))
        begun.set()

    engine, monitor = Exemplar(), Monitor(progress)
    canvas = Canvas(noise(700, 900), boxed((700, 900), 100, 600, 100, 800), options=ExemplarOptions(quality="best"))
    future = engine.submit(canvas, monitor)
    assert begun.wait(60)
    monitor.cancel()
    before = len(told)
    with pytest.raises(Cancelled):
        future.result(timeout=120)
    assert len(told) <= before + 1
    step, steps = told[-1]
    assert step < steps
    engine.close()


def test_a_speck_costs_what_a_speck_costs():
    """Ten times the picture, the same blemish: not ten times the time."""
    mask = boxed((300, 300), 100, 112, 100, 112)
    small, large = Canvas(noise(300, 300), mask), Canvas(noise(1500, 2000), np.pad(mask, ((0, 1200), (0, 1700))))
    engine = Exemplar()
    engine.paint_one(small, Monitor())

    def seconds(canvas: Canvas) -> float:
        started = time.process_time()
        engine.paint_one(canvas, Monitor())
        return time.process_time() - started

    assert min(seconds(large) for _ in range(3)) < 5 * min(seconds(small) for _ in range(3))


@pytest.mark.parametrize("radius", [0.0, -1.0, 65.0, float("nan")])
def test_a_radius_without_a_meaning_is_refused(radius):
    with pytest.raises(ValidationError, match="radius"):
        RadiusOptions(radius=radius)


@pytest.mark.parametrize("options", [{"patch": 4}, {"patch": 1}, {"quality": "perfect"}, {"search_range": 0}, {"x": 1}])
def test_exemplar_refuses_options_that_it_does_not_know(options):
    with pytest.raises(ValidationError, match=next(iter(options))):
        ExemplarOptions(**options)


def test_a_wider_radius_changes_telea():
    pixels, mask = noise(40, 40), boxed((40, 40), 10, 30, 10, 30)
    near = Telea().paint_one(Canvas(pixels, mask, options=RadiusOptions(radius=2.0)), Monitor()).pixels
    far = Telea().paint_one(Canvas(pixels, mask, options=RadiusOptions(radius=9.0)), Monitor()).pixels
    assert not np.array_equal(near, far)
