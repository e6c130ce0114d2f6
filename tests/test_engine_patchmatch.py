"""The engine of the extra patchmatch: its error without the package, and its fills with it."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from overpaint.engines.base import Canvas, Monitor
from overpaint.engines.patchmatch import PatchMatch, PatchMatchOptions
from overpaint.errors import MissingExtraError
from overpaint.geometry import Box, Size
from overpaint.mask import Mask
from overpaint.picture import from_array
from overpaint.studio import Studio

SIZES = [(1, 1), (1, 9), (7, 1), (2, 2), (3, 5), (8, 8), (17, 31), (64, 45)]


@pytest.fixture
def engine() -> PatchMatch:
    package = pytest.importorskip("patchmatch", reason="pypatchmatch is not installed (extra patchmatch)")
    if not package.patchmatch_available:
        pytest.skip("pypatchmatch is installed without its compiled library: it needs a C++ compiler, CMake and OpenCV")
    return PatchMatch()


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Values of 8 bits, as float32."""
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3))
    return levels.astype(np.float32) / np.float32(255)


def boxed(shape: tuple[int, int], top: int, bottom: int, left: int, right: int) -> np.ndarray:
    mask = np.zeros(shape, np.float32)
    mask[top:bottom, left:right] = 1
    return mask


def test_without_the_package_the_error_names_the_extra_the_compiler_and_the_libraries(monkeypatch):
    monkeypatch.setitem(sys.modules, "patchmatch", None)
    with pytest.raises(MissingExtraError, match=r"overpaint\[patchmatch\]") as caught:
        PatchMatch()
    assert all(word in caught.value.hint for word in ("C++17", "CMake", "OpenCV"))
    assert (caught.value.field, caught.value.value) == ("engine", "patchmatch")


def test_a_package_without_its_library_is_another_error_that_says_how_to_install_it_again(monkeypatch):
    monkeypatch.setitem(sys.modules, "patchmatch", SimpleNamespace(patchmatch_available=False))
    with pytest.raises(MissingExtraError, match="without its compiled library") as caught:
        PatchMatch()
    assert "C++17" in caught.value.hint


def test_the_card_is_read_without_the_package_and_names_the_patents(monkeypatch):
    monkeypatch.setitem(sys.modules, "patchmatch", None)
    assert "patented" in PatchMatch.card.title
    assert any("US 8,571,328" in reference for reference in PatchMatch.card.references)


def test_it_paints_only_where_a_request_names_it(engine):
    size = Size(40, 40)
    with Studio() as studio:
        picture = from_array((noise(40, 40) * 255).astype(np.uint8))
        mask = Mask.box(size, Box(10, 10, 20, 20))
        assert studio.edit(picture, mask=mask, intent="remove", seed=1).resolved.engine != "patchmatch"
        assert studio.edit(picture, mask=mask, intent="remove", seed=1, engine="patchmatch").reach > 0


@pytest.mark.parametrize("shape", SIZES)
@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 1.0])
def test_any_size_and_any_scatter_of_holes_leaves_the_rest_alone(engine, shape, share):
    pixels, mask = noise(*shape), (noise(*shape, seed=1)[..., 0] < share).astype(np.float32)
    painted = engine.paint_one(Canvas(pixels, mask), Monitor()).pixels
    assert painted.dtype == np.float32
    assert np.array_equal(painted[mask == 0], pixels[mask == 0])
    assert painted.min() >= 0
    assert painted.max() <= 1


def test_what_was_in_the_hole_does_not_matter(engine):
    pixels, mask = noise(60, 70), boxed((60, 70), 20, 45, 15, 50)
    other = np.where(mask[..., None] > 0, np.float32(1) - pixels, pixels)
    first, second = (engine.paint_one(Canvas(given, mask, seed=3), Monitor()).pixels for given in (pixels, other))
    assert np.array_equal(first[mask > 0], second[mask > 0])


def test_a_seed_gives_the_same_pixels_and_another_seed_others(engine):
    pixels, mask = noise(60, 70), boxed((60, 70), 20, 45, 15, 50)
    first, again, other = (engine.paint_one(Canvas(pixels, mask, seed=n), Monitor()).pixels for n in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_colour_that_is_not_the_pictures_own_is_never_copied(engine):
    pixels = np.random.default_rng(5).uniform(0.3, 0.6, (70, 90, 3)).astype(np.float32)
    pixels[..., 1] = pixels[..., 0]
    usable = np.ones((70, 90), bool)
    usable[:, :30] = False
    pixels[~usable] = (0, 1, 0)
    mask = boxed((70, 90), 10, 60, 20, 60)
    painted = engine.paint_one(Canvas(pixels, mask, usable=usable), Monitor()).pixels[mask > 0]
    assert (painted[:, 1] - painted[:, 0]).max() < 0.02


def test_stripes_go_on_through_the_hole(engine):
    stripes = np.repeat(((np.arange(96) // 8) % 2).astype(np.float32)[:, None], 96, axis=1)
    pixels = np.repeat(stripes[..., None], 3, axis=2)
    mask = boxed((96, 96), 36, 60, 36, 60)
    painted = engine.paint_one(Canvas(np.where(mask[..., None] > 0, np.float32(0.5), pixels), mask), Monitor()).pixels
    assert np.abs(painted - pixels).mean() < 0.02


def test_eight_bits_are_noted_where_the_picture_has_more(engine):
    mask = boxed((40, 40), 10, 20, 10, 20)
    fine = np.random.default_rng(0).random((40, 40, 3), dtype=np.float32)
    assert engine.paint_one(Canvas(fine, mask), Monitor()).notes == ("patchmatch paints in 8 bits a channel",)
    assert engine.paint_one(Canvas(noise(40, 40), mask), Monitor()).notes == ()


def test_larger_patches_give_another_fill(engine):
    pixels, mask = noise(60, 70), boxed((60, 70), 20, 45, 15, 50)
    near, far = (
        engine.paint_one(Canvas(pixels, mask, options=PatchMatchOptions(radius=radius)), Monitor()).pixels
        for radius in (1, 5)
    )
    assert not np.array_equal(near, far)
