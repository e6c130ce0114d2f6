"""Claims about lines that go on through a hole: which are drawn, where, and which are not."""

from __future__ import annotations

import functools
from dataclasses import replace

import cv2
import numpy as np
import pytest

from overpaint.engines.exemplar import QUALITIES
from overpaint.exemplar.fill import _levels, _with_lines, fill
from overpaint.exemplar.lines import with_lines
from overpaint.exemplar.pyramid import Level

SHAPE = (150, 170)
CENTRE = np.array([85.0, 75.0])
SETTINGS = QUALITIES["normal"]


def blob() -> np.ndarray:
    """(h, w) bool: a hole like a mask around an object, 64 pixels wide and 56 high, with a rough border."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    rough = cv2.GaussianBlur(np.random.default_rng(1).normal(0, 1, SHAPE).astype(np.float32), (0, 0), 3)
    return np.asarray(((x - 85) / 32) ** 2 + ((y - 75) / 28) ** 2 < 1 + 0.4 * rough)


def distance(angle: float, offset: float = 0.0) -> np.ndarray:
    """(h, w) of each pixel from a line through the middle at an angle in degrees, positive on its right."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    turn = np.radians(angle)
    return -np.sin(turn) * (x - CENTRE[0]) + np.cos(turn) * (y - CENTRE[1]) - offset


def shaded(share: np.ndarray, dark: float = 0.3, light: float = 0.7, grain: float = 0.02) -> np.ndarray:
    """(h, w, 3) float32: dark where the share is 1, light where it is 0, with grain."""
    noise = np.random.default_rng(2).normal(0, grain, (*SHAPE, 1))
    grey = light + (dark - light) * share.clip(0, 1)
    return (grey[..., None] * np.array([1.0, 0.95, 0.85]) + noise).clip(0, 1).astype(np.float32)


def emptied(pixels: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The picture with something else in its hole, as an object would be."""
    return np.where(hole[..., None], np.random.default_rng(3).random(pixels.shape, np.float32), pixels)


def filled(pixels: np.ndarray, hole: np.ndarray, *, lines: bool = True) -> np.ndarray:
    return fill(emptied(pixels, hole), ~hole, hole, replace(SETTINGS, lines=lines), 1).pixels


@pytest.mark.parametrize("angle", [0, 8, 23, 45, 71, 90, 118, 160])
def test_a_border_of_two_planes_goes_on_straight(angle):
    """No pixel further than one from the border is of the other plane's colour."""
    hole, apart = blob(), distance(angle)
    ours = filled(shaded(apart + 0.5), hole)
    wrong = hole & ((ours[..., 0] < 0.5) != (apart > 0))
    assert np.abs(apart[wrong]).max(initial=0) <= 1.0


@pytest.mark.parametrize("grain", [0.0, 0.02])
@pytest.mark.parametrize("angle", [0, 30, 90, 141])
def test_a_line_of_two_pixels_goes_on_whole(angle, grain):
    """A cable or a stroke: within one pixel of each point of its course there is a dark one, and none elsewhere."""
    hole, apart = blob(), distance(angle, 0.3)
    ours = filled(shaded(1.5 - np.abs(apart), grain=grain), hole)
    dark = (ours[..., 0] < 0.55) & hole
    course = hole & (np.abs(apart) < 0.7)
    near = cv2.dilate(dark.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    assert near[course].all()
    assert not dark[np.abs(apart) > 3].any()


@pytest.mark.parametrize(("turn", "drawn"), [(0, True), (8, False)])
def test_a_rail_that_is_lit_differently_goes_on_where_it_is_straight(turn, drawn):
    """On the left a wide rail in the light, on the right a thinner one in shade above bright ground."""
    hole = blob()
    left, right = distance(3), distance(3 + turn)
    _, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    rail = np.where(x < 85, (3.5 - np.abs(left)).clip(0, 1), 0.6 * (2.5 - np.abs(right)).clip(0, 1))
    ground = np.where((x > 85) & (right > 0), (0.6 * (right - 3)).clip(0, 0.6), 0)
    pixels = shaded(np.maximum(rail, ground), dark=0.8, light=0.2)
    found = with_lines(emptied(pixels, hole), ~hole, hole)
    assert (found is not None and found.strips[hole & (np.abs(left) < 1)].mean() > 0.9) == drawn


@pytest.mark.parametrize("turn", [6, 12, 20])
def test_a_gentle_arc_goes_on(turn):
    """A disc's border is met within 2.5 pixels; its ends turn by so many degrees from the straight connection."""
    hole = blob()
    radius = 32 / np.sin(np.radians(turn))
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    apart = np.hypot(x - 85, y - 75 - radius) - radius
    ours = filled(shaded(0.5 - apart), hole)
    wrong = hole & ((ours[..., 0] < 0.5) != (apart < 0))
    assert np.abs(apart[wrong]).max(initial=0) <= 2.5


def test_a_line_that_enters_once_stops():
    hole, apart = blob(), distance(12)
    half = np.where(np.mgrid[: SHAPE[0], : SHAPE[1]][1] < CENTRE[0], 1.5 - np.abs(apart), 0)
    pixels = shaded(half)
    assert with_lines(emptied(pixels, hole), ~hole, hole) is None


@pytest.mark.parametrize("other", [{"offset": 18.0}, {"angle": 75.0}])
def test_two_lines_that_do_not_meet_are_not_joined(other):
    """One from the left; from the right another one, further down or in another direction."""
    hole = blob()
    left = np.mgrid[: SHAPE[0], : SHAPE[1]][1] < CENTRE[0]
    second = distance(**{"angle": 0.0, **other})
    apart = np.where(left, distance(0), second)
    assert with_lines(emptied(shaded(1.5 - np.abs(apart)), hole), ~hole, hole) is None


def test_two_lines_of_other_colours_are_not_joined():
    """A dark line from the left, a bright one from the right, on one straight line."""
    hole = blob()
    left = np.mgrid[: SHAPE[0], : SHAPE[1]][1] < CENTRE[0]
    share = (1.5 - np.abs(distance(0))).clip(0, 1) * np.where(left, 1.0, -0.6)
    pixels = shaded(share) + np.float32(0)
    pixels[~left] = (0.7 * np.array([1.0, 0.95, 0.85]) - 0.4 * share[~left][:, None]).clip(0, 1)
    assert with_lines(emptied(pixels, hole), ~hole, hole) is None


def test_the_edges_of_the_object_are_not_continued():
    """The mask leaves out a bar that touches the hole on one side, as the feet of a removed person may."""
    hole = blob()
    pixels = shaded(np.zeros(SHAPE))
    pixels[80:110, 40:60] = 0.1
    assert with_lines(emptied(pixels, hole), ~hole, hole) is None


@functools.cache
def textures(seed: int) -> dict[str, np.ndarray]:
    """Pictures with many short lines, or none, that do not go through the hole."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 1, SHAPE).astype(np.float32)
    blades = np.full(SHAPE, 0.35, np.float32)
    for _ in range(2500):
        at, lean, long = rng.uniform((0, 0), SHAPE[::-1]), rng.normal(0, 0.4), rng.uniform(5, 18)
        top = at + long * np.array([np.sin(lean), -np.cos(lean)])
        ends = [tuple(int(v) for v in np.round(point * 16)) for point in (at, top)]
        cv2.line(blades, ends[0], ends[1], float(rng.uniform(0.2, 0.7)), 1, cv2.LINE_AA, 4)
    leaves = np.full(SHAPE, 0.4, np.float32)
    for _ in range(400):
        spread = rng.uniform(-9, 9, (3, 2))
        corners = np.round((rng.uniform((0, 0), SHAPE[::-1]) + spread) * 16).astype(np.int32)
        cv2.fillPoly(leaves, [corners], float(rng.uniform(0.1, 0.9)), cv2.LINE_AA, 4)
    return {
        "noise": 0.5 + 0.15 * noise,
        "soft noise": 0.5 + 0.4 * cv2.GaussianBlur(noise, (0, 0), 2),
        "grass": blades,
        "leaves": leaves,
    }


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["noise", "soft noise", "grass", "leaves"])
def test_nothing_is_drawn_in_texture(name, seed):
    hole = blob()
    pixels = textures(seed)[name].clip(0, 1)[..., None].repeat(3, axis=2).astype(np.float32)
    assert with_lines(emptied(pixels, hole), ~hole, hole) is None


def test_wood_keeps_its_grain():
    """The lines of a grain that run one way may be drawn; the fill is wood, as rough across the grain as before."""
    hole = blob()
    noise = np.random.default_rng(5).normal(0, 1, SHAPE).astype(np.float32)
    grain = (0.5 + 0.5 * cv2.GaussianBlur(noise, (0, 0), 15, sigmaY=0.8)).clip(0, 1)
    ours = filled(grain[..., None].repeat(3, axis=2), hole)[..., 0]
    inner = hole[1:] & hole[:-1]
    assert 0.6 < (np.diff(ours, axis=0)[inner] ** 2).sum() / (np.diff(grain, axis=0)[inner] ** 2).sum() < 1.5


@pytest.mark.parametrize("rows", [7, 9, 12])
def test_rows_of_bricks_are_left_to_texture(rows):
    """A pattern that repeats is continued by patches; some of its rows drawn as lines would smear the joints."""
    hole = blob()
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    mortar = (y % rows < 2) | ((x + 10 * (y // rows % 2)) % 20 < 2)
    assert with_lines(emptied(shaded(mortar.astype(float)), hole), ~hole, hole) is None


def test_a_line_goes_on_behind_two_objects():
    """Between them the picture shows it, so that both parts are drawn at once."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    hole = (np.hypot((x - 60) / 16, (y - 75) / 28) < 1) | (np.hypot((x - 116) / 16, (y - 75) / 28) < 1)
    drawn = with_lines(emptied(shaded(distance(5) + 0.5), hole), ~hole, hole)
    assert drawn is not None
    assert (drawn.strips & (x < 85)).any()
    assert (drawn.strips & (x > 85)).any()


def test_where_no_line_is_found_the_fill_is_the_same_to_the_bit():
    hole, pixels = blob(), textures(0)["grass"][..., None].repeat(3, axis=2)
    assert np.array_equal(filled(pixels, hole), filled(pixels, hole, lines=False))


def test_lines_are_drawn_alike_each_time_and_nowhere_but_in_the_hole():
    hole, pixels = blob(), shaded(distance(23) + 0.5)
    first, second = (with_lines(emptied(pixels, hole), ~hole, hole) for _ in range(2))
    assert first is not None
    assert second is not None
    assert np.array_equal(first.pixels, second.pixels)
    assert first.strips.any()
    assert not (first.strips & ~hole).any()
    assert np.array_equal(first.pixels[~first.strips], emptied(pixels, hole)[~first.strips])


def test_in_a_drawing_the_drawn_line_stays():
    """On bare paper there is no texture to copy; in grain there is."""
    hole, share = blob(), 1.5 - np.abs(distance(30))
    bare, grained = (
        with_lines(emptied(pixels, hole), ~hole, hole) for pixels in (shaded(share, grain=0), shaded(share, grain=0.03))
    )
    assert bare is not None
    assert np.array_equal(bare.kept, bare.strips)
    assert grained is not None
    assert not grained.kept.any()


def test_lines_of_a_large_picture_are_found_at_a_coarser_scale():
    """Enlarged, a border is as wide as a texture's grain; the pyramid has it where it is sharp again."""
    hole, pixels = blob(), shaded(distance(23) + 0.5)
    large = cv2.resize(emptied(pixels, hole), None, fx=12, fy=12, interpolation=cv2.INTER_CUBIC)
    wide = cv2.resize(hole.astype(np.uint8), None, fx=12, fy=12, interpolation=cv2.INTER_NEAREST) > 0
    finest = Level(large, ~wide, wide)
    levels = _levels(finest, 3, lambda found: len(found) > 5, closing=True)
    lined = _with_lines(levels, 3, SETTINGS)
    drawn = [int(before.target.sum() - after.target.sum()) for before, after in zip(levels, lined, strict=False)]
    assert drawn[0] == 0
    assert sum(drawn) > 100


def test_a_hole_that_lines_cover_is_filled():
    """So narrow that nothing is left to be filled with texture."""
    hole = np.zeros(SHAPE, bool)
    hole[60:90, 84:87] = True
    pixels = shaded(distance(0) + 0.5, grain=0)
    ours = filled(pixels, hole)
    assert np.abs(ours - pixels)[hole].max() < 0.15
