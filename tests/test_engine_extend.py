"""Claims about extension beyond a picture's borders."""

from __future__ import annotations

import numpy as np
import pytest

import overpaint
from overpaint import EditRequest
from overpaint.engines.base import Canvas, Monitor
from overpaint.engines.extend import Extend, _beyond, _costs, _failed
from overpaint.exemplar.border import border_break, border_breaks, unlike_beyond, unlike_border
from overpaint.exemplar.cut import cheapest_cut
from overpaint.exemplar.quilt import LEAST, QuiltSettings, extended
from overpaint.geometry import Box, Margins, Size
from overpaint.picture import from_array
from overpaint.studio.choose import choose
from overpaint.studio.engine_pool import EnginePool

RIGHT = Margins(0, 0, 60, 0)


def grained(pixels: np.ndarray, seed: int = 0, amount: float = 0.01) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, amount, pixels.shape[:2])[..., None]
    return (pixels + noise).clip(0, 1).astype(np.float32)


def painted(pixels: np.ndarray, margins: Margins, seed: int = 0) -> np.ndarray:
    left, top, right, bottom = margins
    padded = np.pad(pixels, ((top, bottom), (left, right), (0, 0)), mode="edge")
    mask = np.pad(np.zeros(pixels.shape[:2], np.float32), ((top, bottom), (left, right)), constant_values=1)
    canvas = Canvas(padded, mask, seed=seed, usable=mask == 0)
    return Extend().paint_one(canvas, Monitor()).pixels


def sky_over_sea(height: int = 120, width: int = 160) -> np.ndarray:
    pixels = np.empty((height, width, 3), np.float32)
    pixels[: height // 2], pixels[height // 2 :] = (0.55, 0.7, 0.9), (0.1, 0.25, 0.35)
    return grained(pixels)


def darkest_row(pixels: np.ndarray) -> np.ndarray:
    return pixels.mean(axis=2).argmin(axis=0)


@pytest.mark.parametrize("slope", [0.0, 0.2, -0.35])
def test_a_straight_line_goes_on_straight(slope):
    rows, columns = np.mgrid[:160, :200]
    away = np.abs(rows - (80 + slope * (columns - 120))) / np.hypot(1, slope)
    pixels = grained(np.where(away < 2.5, 0.1, 0.8)[..., None] * np.ones(3))
    found = darkest_row(painted(pixels, Margins(0, 0, 40, 0)))[200:]
    expected = 80 + slope * (np.arange(200, 240) - 120)
    assert np.abs(found - expected).max() <= 5
    assert np.abs(found - expected).mean() <= 3


@pytest.mark.parametrize("margins", [Margins(50, 0, 0, 0), Margins(0, 0, 50, 0), Margins(30, 0, 30, 0)])
def test_a_horizon_stays_level_and_sharp(margins):
    found = painted(sky_over_sea(), margins).mean(axis=2)
    assert (found[:58] > 0.5).all()
    assert (found[62:] < 0.4).all()


def test_plain_sky_stays_plain_and_has_no_streaks_along_the_border():
    rows = np.linspace(0, 1, 120)[:, None, None]
    pixels = grained(np.array([0.3, 0.5, 0.8]) + rows * np.array([0.3, 0.25, 0.1]) + np.zeros((1, 160, 1)))
    found = painted(pixels, RIGHT)
    added = found[:, 160:].astype(np.float64)
    assert np.abs(added.mean(axis=1) - pixels.mean(axis=1)).max() < 0.02, "the sky's own colours, row by row"
    across = np.abs(np.diff(added.mean(axis=2), axis=1)).mean()
    grain = np.abs(np.diff(pixels.mean(axis=2), axis=1)).mean()
    assert 0.4 < across / grain < 1.5, "grain goes on: neither smeared along rows nor rougher"


def test_a_periodic_texture_goes_on_in_step():
    rows, columns = np.mgrid[:120, :260]
    board = ((rows // 10 + columns // 10) % 2).astype(np.float32)[..., None] * np.float32(0.6) + np.full(3, 0.2)
    board = board.astype(np.float32)
    found = painted(np.ascontiguousarray(board[:, :200]), RIGHT)
    assert np.abs(found - board).mean() < 0.03


def test_what_the_border_does_not_show_is_not_repeated():
    pixels = sky_over_sea()
    pixels[20:50, 60:90] = (0.9, 0.1, 0.1)
    found = painted(pixels, RIGHT)[:, 160:]
    assert (found[..., 0] - found[..., 1]).max() < 0.2
    unlike = unlike_border(pixels)
    assert unlike[25:45, 65:85].min() == 1
    assert unlike[:, 120:].max() < 0.1


def sky_over_snow(width: int = 260) -> np.ndarray:
    """Smooth sky; below row 96 of 120 snow with grain, whose edge slopes gently."""
    rows, columns = np.mgrid[:120, :width]
    snow = (rows > 96 + 0.1 * (columns - 130))[..., None]
    pixels = np.where(snow, np.float32(0.9), np.array([0.25, 0.4, 0.7], np.float32))
    return np.where(snow, grained(pixels, amount=0.04), grained(pixels, amount=0.004)).astype(np.float32)


def only_sky_beyond(pixels: np.ndarray, width: int) -> np.ndarray:
    """All beyond some columns is sky: each pixel has a match in the picture, but the snow ends at the border."""
    broken = pixels.copy()
    broken[60:, width:] = pixels[:60, width:]
    return broken


def test_a_border_where_snow_ends_is_broken_and_one_where_it_goes_on_is_not():
    scene = sky_over_snow()
    assert border_break(scene, 200) < 0.01, "the slope of the snow's edge is no step, nor is its grain"
    assert border_break(only_sky_beyond(scene, 200), 200) > 0.15
    rows, columns = np.mgrid[:120, :260]
    steep = np.where((rows - columns + 140 > 0)[..., None], np.float32(0.2), np.full(3, 0.8, np.float32))
    assert border_break(steep, 200) < 0.05, "a slanted edge is followed"


def test_each_side_of_a_picture_has_its_own_break():
    broken = only_sky_beyond(sky_over_snow(), 200)
    assert border_breaks(broken, Box(50, 0, 200, 120)) == (
        pytest.approx(0, abs=0.01),
        0.0,
        border_break(broken, 200),
        0.0,
    )
    turned = np.ascontiguousarray(broken[:, ::-1].swapaxes(0, 1))
    left, top, right, bottom = border_breaks(turned, Box(0, 60, 120, 210))
    assert top == pytest.approx(border_break(broken, 200), abs=0.01)
    assert bottom < 0.01
    assert left == right == 0


def test_a_better_match_does_not_excuse_a_broken_border():
    whole, broken = sky_over_snow(), only_sky_beyond(sky_over_snow(), 200)
    box = Box(0, 0, 200, 120)
    assert _costs(broken, 0.017, box)[2] > _costs(whole, 0.06, box)[2]
    assert _costs(whole, 0.06, box)[2] > _costs(whole, 0.017, box)[2]
    assert _costs(whole, 0.06, box)[0] == pytest.approx(0.06), "no margin there"


def test_nor_does_it_excuse_what_the_border_does_not_show():
    lawn = grained(np.full((120, 260, 3), 0.4), amount=0.03)
    stranger = lawn.copy()
    stranger[40:90, 215:245] = (0.9, 0.2, 0.2)
    box = Box(0, 0, 200, 120)
    assert unlike_beyond(lawn, box) == (0, 0, pytest.approx(0, abs=0.01), 0)
    assert unlike_beyond(stranger, box)[2] > 0.15
    turned = np.ascontiguousarray(stranger[:, ::-1].swapaxes(0, 1))
    assert unlike_beyond(turned, Box(0, 60, 120, 260))[1] == pytest.approx(unlike_beyond(stranger, box)[2], abs=0.02)
    assert border_break(stranger, 200) < 0.02
    assert _costs(stranger, 0.03, box)[2] > _costs(lawn, 0.05, box)[2]


def test_each_side_is_extended_in_its_own_way_corners_by_the_side_they_are_further_beyond():
    taken = _beyond(Box(3, 2, 8, 6), (10, 10), (1, 0, 0, 0))
    assert taken[2:6, 3:8].all(), "holes inside"
    assert taken[2:6, :3].all()
    assert not taken[2:6, 8:].any()
    assert not taken[:2, 3:].any()
    assert taken[1, 0]
    assert not taken[0, 2]


def test_a_side_that_full_size_breaks_is_done_in_the_other_way_if_that_costs_less():
    trials = [[0.05, 0.05], [0.08, 0.20]]
    assert _failed([[0.10, 0.10], [0, 0]], trials, [0, 0]) == [0]
    assert _failed([[0.055, 0.055], [0, 0]], trials, [0, 0]) == []
    assert _failed([[0, 0], [0.1, 0.3]], trials, [1, 1]) == [0, 1]


def test_a_large_canvas_keeps_what_its_trial_promised():
    pixels = np.repeat(np.repeat(sky_over_snow(200), 6, axis=0), 6, axis=1)
    found = painted(grained(pixels, seed=1), Margins(0, 0, 240, 0))
    small = found.reshape(120, 6, 240, 6, 3).mean(axis=(1, 3))
    assert border_break(small.astype(np.float32), 200) < 0.04
    assert small[112:, 205:].mean() > 0.7, "snow goes on"
    assert small[:80, 205:, 0].mean() < 0.4, "sky goes on"


@pytest.mark.parametrize("margins", [Margins(11, 7, 5, 9), Margins(0, 30, 0, 0), Margins(0, 0, 0, 30)])
def test_the_picture_itself_is_untouched_and_all_sides_and_corners_are_painted(margins):
    pixels = grained(np.full((50, 70, 3), 0.5), amount=0.1)
    quilt = extended(pixels, None, margins, QuiltSettings(), 0).pixels
    left, top, right, bottom = margins
    assert quilt.shape == (50 + top + bottom, 70 + left + right, 3)
    assert np.array_equal(quilt[top : top + 50, left : left + 70], pixels)
    assert quilt.min() > 0.02, "every pixel is copied from somewhere"
    assert np.array_equal(painted(pixels, margins)[top : top + 50, left : left + 70], pixels)


def test_the_picture_and_its_mirrored_strips_have_one_owner_and_pieces_others():
    pixels = grained(np.full((60, 80, 3), 0.5), amount=0.1)
    quilt = extended(pixels, None, Margins(20, 0, 30, 15), QuiltSettings(), 0)
    assert quilt.owner.shape == quilt.pixels.shape[:2] == (75, 130)
    assert (quilt.owner[:60, 20:100] == 0).all()
    assert len(np.unique(quilt.owner)) >= 4, "a piece on each side"
    strip = quilt.owner[5:55, 100:130] == 0
    assert strip.any(axis=1).any(), "the cut runs through the mirrored strip"
    mirrored = np.pad(pixels, ((0, 0), (0, 30), (0, 0)), mode="reflect")[5:55, 80:]
    inner = strip & np.roll(strip, -2, axis=1) & np.roll(strip, 2, axis=1)
    assert np.allclose(quilt.pixels[5:55, 100:130][inner], mirrored[inner], atol=0.02)


def test_a_piece_of_sky_gets_the_brightness_of_what_it_joins():
    ramp = np.linspace(0.3, 0.8, 200, dtype=np.float32)[None, :, None]
    sky = np.broadcast_to(ramp, (120, 200, 3)).copy()
    quilt = extended(sky, None, Margins(0, 0, 40, 0), QuiltSettings(), 0)
    assert np.abs(np.diff(quilt.pixels, axis=1)).max() < 0.02, "no step at a seam"


def test_a_large_picture_is_compared_small_and_copied_at_full_scale():
    pixels = grained(np.full((700, 1000, 3), 0.5), amount=0.1)
    quilt = extended(pixels, None, Margins(33, 0, 101, 0), QuiltSettings(), 0).pixels
    assert quilt.shape == (700, 1134, 3)
    assert np.array_equal(quilt[:, 33:1033], pixels)
    grain = np.abs(np.diff(quilt, axis=1)).mean(axis=(0, 2))
    assert grain.min() > 0.6 * grain[33:1033].mean(), "nowhere softer, seams included"


def test_the_same_seed_gives_the_same_pixels_and_seeds_vary():
    pixels = grained(np.full((80, 90, 3), 0.5), amount=0.1)
    first = painted(pixels, RIGHT, seed=1)
    assert np.array_equal(first, painted(pixels, RIGHT, seed=1))
    assert not np.array_equal(first, painted(pixels, RIGHT, seed=2))


@pytest.mark.parametrize("size", [Size(1, 1), Size(2, 9), Size(LEAST, LEAST), Size(40, LEAST)])
def test_tiny_pictures_are_extended(size):
    pixels = np.random.default_rng(0).uniform(0.3, 0.7, (size.height, size.width, 3)).astype(np.float32)
    found = painted(pixels, Margins(7, 3, 20, 5))
    assert 0.1 < found.min() <= found.max() < 0.9


def test_sixteen_bits_and_alpha_are_kept():
    rng = np.random.default_rng(0)
    samples = rng.integers(20_000, 40_000, (40, 50, 4)).astype(np.uint16)
    samples[..., 3] = 65535
    edited = overpaint.expand(from_array(samples), right=20, seed=1, strict=True)
    picture = edited.picture
    assert picture.samples.dtype == np.uint16
    assert np.array_equal(picture.samples[:, :50], samples[..., :3])
    assert (picture.alpha == 65535).all()
    assert len(np.unique(picture.samples[:, 50:] % 257)) > 100, "more than 8 bits"


@pytest.mark.parametrize("size", [(90, 60), (9, 9), (900, 200)])
def test_progress_comes_near_its_end_before_it_jumps_there(size):
    mask = np.zeros((size[1], size[0] + 24), np.float32)
    mask[:, size[0] :] = 1
    seen = []
    pixels = grained(np.full((*mask.shape, 3), 0.5, np.float32))
    Extend().paint_one(Canvas(pixels, mask), Monitor(on_progress=lambda step, steps: seen.append(step)))
    assert seen == sorted(seen)
    assert seen[-1] == 100
    assert max(seen[:-1]) >= 89


def test_a_margin_as_large_as_the_picture_is_called_doubtful():
    pixels = (sky_over_sea(60, 80) * 255).astype(np.uint8)
    notes = overpaint.expand(from_array(pixels), right=80, seed=1).notes
    assert any("100%" in note and "doubtful" in note for note in notes)
    assert not any("doubtful" in note for note in overpaint.expand(from_array(pixels), right=16, seed=1).notes)


def test_what_may_not_be_copied_is_no_margin():
    """A margin of 6 pixels beside 40 that are avoided is one of 6, beside 40 that may be copied."""
    picture = from_array(sky_over_sea(60, 80))
    one, other = (
        overpaint.expand(picture, left=wide, seed=1, avoid=overpaint.Mask.box(picture.size, (0, 0, 40, 60))).notes
        for wide in (6, 30)
    )
    assert not any("a side is extended" in note for note in one)
    assert any("of the part of the picture that may be copied" in note for note in other), other


def test_expand_takes_the_engine_of_its_own_and_removal_does_not():
    pool = EnginePool(device="cpu", threads=1, allow_pickle=False)
    expand = EditRequest.of(intent="expand", margins=(0, 0, 5, 0))
    for request, engine in (
        (expand, "extend"),
        (expand.merged(engine="exemplar"), "exemplar"),
        (EditRequest.of(intent="remove"), "exemplar"),
    ):
        assert choose(request, request.rule, pool, None).card.name == engine
    pool.close()


def test_the_cut_is_the_cheapest_of_all():
    rng = np.random.default_rng(0)
    errors = rng.random((5, 4)).astype(np.float32)
    path, cost = cheapest_cut(errors)
    assert np.abs(np.diff(path)).max() <= 1
    assert errors[np.arange(5), path].sum() == pytest.approx(cost)

    def least(row: int, column: int) -> float:
        if row == 4:
            return float(errors[row, column])
        onward = [least(row + 1, at) for at in (column - 1, column, column + 1) if 0 <= at < 4]
        return float(errors[row, column]) + min(onward)

    assert cost == pytest.approx(min(least(0, column) for column in range(4)))
