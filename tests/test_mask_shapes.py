"""Shapes: a pixel is in a hard shape when its centre is."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from overpaint.errors import MaskError
from overpaint.geometry import Box, Size
from overpaint.mask import Mask

SIZE = Size(41, 33)
Y, X = (grid + 0.5 for grid in np.mgrid[: SIZE.height, : SIZE.width])
coordinates = st.floats(-30, 70, allow_subnormal=False).map(lambda v: round(v, 3) + 0.0003)
points = st.tuples(coordinates, coordinates)


def winding(ring: list[tuple[float, float]]) -> NDArray[np.int_]:
    """How often a ring goes around each pixel's centre, by adding up the angles under which its sides are seen."""
    turned = np.zeros(SIZE.shape)
    for (ax, ay), (bx, by) in zip(ring, ring[1:] + ring[:1], strict=True):
        u, v = (ax - X) + 1j * (ay - Y), (bx - X) + 1j * (by - Y)
        turned += np.angle(v * np.conj(u))
    return np.rint(turned / (2 * math.pi)).astype(int)


def on_an_edge(ring: list[tuple[float, float]]) -> NDArray[np.bool_]:
    """Which centres lie so near a side that rounding decides."""
    near = np.zeros(SIZE.shape, dtype=bool)
    for (ax, ay), (bx, by) in zip(ring, ring[1:] + ring[:1], strict=True):
        length = math.dist((ax, ay), (bx, by)) or 1
        near |= np.abs((X - ax) * (by - ay) - (Y - ay) * (bx - ax)) / length < 1e-6
    return near


def drawn(draw: Callable[[], Mask], expected: NDArray[np.bool_], unsure: NDArray[np.bool_] | bool = False) -> None:
    """The mask is hard and has just these pixels; or, when there are none, making it is an error."""
    sure = ~np.asarray(unsure) | np.zeros(SIZE.shape, dtype=bool)
    if not expected.any() and sure.all():
        with pytest.raises(MaskError, match="41x33"):
            draw()
        return
    try:
        mask = draw()
    except MaskError:
        mask = Mask.empty(SIZE)
    assert mask.hard
    assert not ((mask.core != expected) & sure).any()


@given(st.lists(st.lists(points, min_size=3, max_size=9), min_size=1, max_size=3))
@settings(deadline=None, max_examples=150)
def test_polygons_are_filled_by_either_rule(rings: list[list[tuple[float, float]]]) -> None:
    around = np.stack([winding(ring) for ring in rings])
    unsure = np.any([on_an_edge(ring) for ring in rings], axis=0)
    drawn(lambda: Mask.polygon(SIZE, rings), (around != 0).any(axis=0), unsure)
    drawn(lambda: Mask.polygon(SIZE, rings, rule="evenodd"), around.sum(axis=0) % 2 == 1, unsure)


def test_a_ring_inside_a_ring_is_a_hole_only_by_the_evenodd_rule() -> None:
    outer, inner = [(2, 2), (30, 2), (30, 30), (2, 30)], [(10, 10), (20, 10), (20, 20), (10, 20)]
    assert Mask.polygon(SIZE, [outer, inner]).area == 28 * 28
    assert Mask.polygon(SIZE, [outer, inner], rule="evenodd").area == 28 * 28 - 100


def test_a_lasso_that_crosses_itself_leaves_no_gap() -> None:
    star = [(20 + 15 * math.sin(4 * math.pi * k / 5), 16 - 15 * math.cos(4 * math.pi * k / 5)) for k in range(5)]
    assert Mask.polygon(SIZE, star).core[16, 20]
    assert not Mask.polygon(SIZE, star, rule="evenodd").core[16, 20]


@given(coordinates, coordinates, st.floats(0.01, 80), st.floats(0.01, 80))
@settings(deadline=None, max_examples=100)
def test_boxes_and_ellipses_have_the_centres_inside(left: float, top: float, width: float, height: float) -> None:
    box = (left, top, left + width, top + height)
    inside = (left <= X) & (box[2] > X) & (top <= Y) & (box[3] > Y)
    drawn(lambda: Mask.box(SIZE, box), inside)
    away = ((X - left - width / 2) / (width / 2)) ** 2 + ((Y - top - height / 2) / (height / 2)) ** 2
    if np.abs(away - 1).min() > 1e-9:
        drawn(lambda: Mask.ellipse(SIZE, box), away <= 1)


@given(st.lists(st.tuples(coordinates, coordinates, st.floats(0, 1)), min_size=1, max_size=5), st.floats(0.5, 25))
@settings(deadline=None, max_examples=100)
def test_strokes_are_all_discs_along_the_line(line: list[tuple[float, float, float]], width: float) -> None:
    """Against the deepest disc over each pixel, found by ternary search: depth is concave along a segment."""
    depth = np.full(SIZE.shape, -np.inf)
    for start, end in zip(line, line[1:] or line, strict=False):

        def deep(t: NDArray[np.float64], a: tuple[float, ...] = start, b: tuple[float, ...] = end) -> Any:
            x, y, pressure = (a[i] + t * (b[i] - a[i]) for i in range(3))
            return width / 2 * pressure - np.hypot(X - x, Y - y)

        low, high = np.zeros(SIZE.shape), np.ones(SIZE.shape)
        for _ in range(60):
            one, two = low + (high - low) / 3, high - (high - low) / 3
            right = deep(one) < deep(two)
            low, high = np.where(right, one, low), np.where(right, high, two)
        depth = np.maximum(depth, np.maximum(deep(low), np.maximum(deep(low * 0), deep(low * 0 + 1))))
    try:
        mask = Mask.strokes(SIZE, [line], width).core
    except MaskError:
        mask = np.zeros(SIZE.shape, dtype=bool)
    assert not (mask & (depth < -1e-6)).any()
    assert not (~mask & (depth > 1e-6)).any()


def test_strokes_may_have_a_width_each_and_points_are_dots() -> None:
    mask = Mask.strokes((60, 40), [[(10, 10), (30, 10)], [(50, 30)]], [4, 10])
    assert mask.core[:20].sum() == Mask.strokes((60, 40), [[(10, 10), (30, 10)]], 4).area
    assert mask.core[20:].sum() == Mask.ellipse((60, 40), (45, 25, 55, 35)).area


def test_a_long_thin_stroke_is_the_same_as_when_drawn_in_pieces() -> None:
    ends = np.linspace((3, 5), (1900, 1075), 30)
    whole = Mask.strokes((1920, 1080), [[ends[0], ends[-1]]], 5)
    pieces = Mask.strokes((1920, 1080), [ends], 5)
    assert np.count_nonzero(whole.core != pieces.core) <= 4  # of 11,000 pixels, where rounding decides
    assert abs(whole.area - 5 * math.dist(ends[0], ends[-1])) < 60


@pytest.mark.parametrize("antialias", [False, True])
def test_shapes_agree_with_each_other_and_with_geometry(antialias: bool) -> None:
    size = Size(300, 260)
    box = Mask.box(size, (20, 30, 180, 130), antialias=antialias)
    ring = [(20, 30), (180, 30), (180, 130), (20, 130)]
    assert box.equals(Mask.polygon(size, ring, antialias=antialias))
    ellipse = Mask.ellipse(size, (20, 30, 180, 130), antialias=antialias)
    assert ellipse.area == pytest.approx(math.pi * 80 * 50, rel=2e-3)
    assert Mask.strokes(size, [[(150, 130)]], 99, antialias=antialias).area == pytest.approx(
        math.pi * 49.5**2, rel=5e-3
    )


def test_antialiased_edges_are_the_covered_part_of_a_pixel() -> None:
    size = Size(40, 30)
    assert Mask.box(size, (3.25, 4.5, 10, 9), antialias=True).area == pytest.approx(6.75 * 4.5)
    triangle = Mask.polygon(size, [(2, 2), (38, 2), (2, 28)], antialias=True)
    assert triangle.area == pytest.approx(36 * 26 / 2, abs=1)
    for mask in (
        triangle,
        Mask.ellipse(size, (3, 3, 31, 27), antialias=True),
        Mask.strokes(size, [[(3, 3), (31, 27)]], 3, antialias=True),
    ):
        assert mask.hard, "an antialiased edge is no soft one"
        assert not mask.bilevel


def test_what_sticks_out_is_cut_off() -> None:
    assert Mask.box((20, 10), (-5, -5, 5, 5)).bounds == Box(0, 0, 5, 5)
    assert Mask.box((20, 10), Box(-(10**6), -(10**6), 10**6, 10**6)).equals(Mask.full((20, 10)))
    assert Mask.polygon((20, 10), [(-1e9, -1e9), (1e9, -1e9), (1e9, 1e9), (-1e9, 1e9)]).equals(Mask.full((20, 10)))
    assert Mask.strokes((20, 10), [[(-1e8, 5), (1e8, 5)]], 2).bounds == Box(0, 4, 20, 6)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Mask.box((20, 10), (30, 2, 40, 8)), "box 30,2,40,8 has no pixel in the picture of 20x10"),
        (lambda: Mask.box((20, 10), (5, 2, 5, 8)), "5,2,5,8 has no area"),
        (lambda: Mask.box((20, 10), (8, 2, 5, 8)), "right must be more than left"),
        (lambda: Mask.box((20, 10), (1, 2, 3)), "four numbers"),
        (lambda: Mask.box((20, 10), (1, 2, 3, float("nan"))), "nan"),
        (lambda: Mask.box((20, 10), (1, 2, 3, float("inf"))), "inf"),
        (lambda: Mask.box((20, 10), "1234x"), "must be numbers"),
        (lambda: Mask.box((0, 10), (1, 2, 3, 4)), "0x10"),
        (lambda: Mask.box((20.5, 10), (1, 2, 3, 4)), "whole numbers"),
        (lambda: Mask.box((10**6, 10**6), (1, 2, 3, 4)), "200,000,000"),
        (lambda: Mask.ellipse((20, 10), (30, 2, 40, 8)), "ellipse 30,2,40,8 has no pixel"),
        (lambda: Mask.ellipse((20, 10), (3, 2, 4, 2)), "no area"),
        (lambda: Mask.polygon((20, 10), [(1, 1), (5, 5)]), "3 points or more, not 2"),
        (lambda: Mask.polygon((20, 10), []), "3 points or more, not 0"),
        (lambda: Mask.polygon((20, 10), [(1, 1), (5, 5), (9, 9)]), "no pixel"),
        (lambda: Mask.polygon((20, 10), [(1, 1, 1), (5, 5, 1), (9, 1, 1)]), "2 numbers"),
        (lambda: Mask.polygon((20, 10), [(50, 1), (55, 1), (50, 9)]), "no pixel in the picture of 20x10"),
        (lambda: Mask.polygon((20, 10), [(1, 1), (5, 5), (9, 1)], rule="odd"), "'odd'"),
        (lambda: Mask.polygon((20, 10), 5), "list of points"),
        (lambda: Mask.strokes((20, 10), [], 5), "no stroke"),
        (lambda: Mask.strokes((20, 10), [[]], 5), "no stroke"),
        (lambda: Mask.strokes((20, 10), [[(1, 1)]], 0), "more than 0"),
        (lambda: Mask.strokes((20, 10), [[(1, 1)]], [1, 2]), "1 strokes but 2 widths"),
        (lambda: Mask.strokes((20, 10), [[(1, 1, 2)]], 3), "pressure"),
        (lambda: Mask.strokes((20, 10), [[(100, 100), (200, 200)]], 3), "no pixel"),
        (lambda: Mask.strokes((20, 10), [[(1, float("nan"))]], 3), "nan"),
        (lambda: Mask.full((0, 0)), "0x0"),
        (lambda: Mask.empty("ab"), "whole numbers"),
    ],
)
def test_senseless_shapes_are_errors_that_say_what_was_given(make: Callable[[], Any], says: str) -> None:
    with pytest.raises(MaskError, match=says):
        make()


def test_masks_can_not_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        Mask.box((20, 10), (1, 1, 5, 5)).values[0, 0] = 1


def test_importing_masks_loads_neither_opencv_nor_pillow() -> None:
    import subprocess
    import sys

    program = (
        "import sys; from overpaint.mask import Mask; import overpaint.mask.distance; "
        "print(sorted({'cv2', 'PIL', 'scipy', 'skimage', 'torch'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
