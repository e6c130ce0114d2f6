"""Putting masks together, growing, shrinking, cleaning: against brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from scipy import ndimage

from overpaint.errors import MaskError
from overpaint.geometry import Box
from overpaint.mask import Mask
from overpaint.mask.distance import distance_to, inscribed_radius

shapes = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=24)
hard = shapes.flatmap(lambda shape: arrays(np.bool_, shape)).map(Mask.from_array)
soft = shapes.flatmap(
    lambda shape: arrays(np.float32, shape, elements=st.sampled_from([0, 0, 0, 0.125, 0.5, 0.75, 1]))
).map(Mask.from_array)
radii = st.one_of(st.integers(1, 13).map(float), st.floats(0, 13), st.sampled_from([2, 5, 8, 13, 50]).map(math.sqrt))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Mask, Mask, Mask]:
    shape = draw(shapes)
    values = arrays(np.float32, shape, elements=st.integers(0, 8).map(lambda n: n / 8))
    return tuple(Mask.from_array(draw(values)) for _ in range(3))  # type: ignore[return-value]


def brute_grow(values: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    """The largest value within the radius, one offset of the disc after another."""
    whole = math.ceil(radius)
    padded = np.pad(values, whole)
    height, width = values.shape
    grown = np.zeros_like(values)
    for y, x in itertools.product(range(-whole, whole + 1), repeat=2):
        if math.sqrt(x * x + y * y) <= radius:
            grown = np.maximum(grown, padded[whole + y : whole + y + height, whole + x : whole + x + width])
    return grown


@given(pairs())
@settings(deadline=None, max_examples=60)
def test_masks_are_a_lattice(masks: tuple[Mask, Mask, Mask]) -> None:
    a, b, c = masks
    assert (a | b).equals(b | a)
    assert (a & b).equals(b & a)
    assert ((a | b) | c).equals(a | (b | c))
    assert (a & (b | c)).equals((a & b) | (a & c))
    assert (a | (a & b)).equals(a)
    assert (~(a | b)).equals(~a & ~b)
    assert (~~a).equals(a)
    assert (a - b).equals(a & ~b)
    empty, full = Mask.empty(a.size), Mask.full(a.size)
    assert (a | empty).equals(a)
    assert (a & full).equals(a)
    assert (a - full).equals(empty)


@given(st.one_of(hard, soft), radii)
@settings(deadline=None, max_examples=150)
def test_growing_and_shrinking_take_the_exact_disc(mask: Mask, radius: float) -> None:
    grown, shrunk = mask.grow(radius), mask.shrink(radius)
    assert np.array_equal(grown.values, brute_grow(mask.values, radius))
    assert np.array_equal(shrunk.values, 1 - brute_grow(1 - mask.values, radius))
    assert (shrunk.values <= mask.values).all()
    assert (mask.values <= grown.values).all()


@given(hard, st.floats(0, 20), st.floats(0, 20))
@settings(deadline=None, max_examples=60)
def test_growing_farther_never_covers_less(mask: Mask, one: float, two: float) -> None:
    less, more = sorted((one, two))
    assert (mask.grow(less).values <= mask.grow(more).values).all()
    assert (mask.shrink(less).values >= mask.shrink(more).values).all()


def test_a_soft_edge_moves_outwards_as_a_whole() -> None:
    mask = Mask.box((400, 60), (0, 0, 150, 60), feather=10)
    profile = mask.grow(40).values[30, 40:]
    assert np.array_equal(profile, mask.values[30, :-40])
    assert np.array_equal(mask.grow(40).shrink(40).values[30, :300], mask.values[30, :300])


def test_a_mask_at_the_border_stays_there_when_it_shrinks() -> None:
    assert Mask.box((50, 40), (0, 0, 20, 40)).shrink(5).equals(Mask.box((50, 40), (0, 0, 15, 40)))
    assert Mask.full((50, 40)).shrink(30).equals(Mask.full((50, 40)))


@given(st.one_of(hard, soft))
@settings(deadline=None, max_examples=80)
def test_holes_are_what_the_core_encloses(mask: Mask) -> None:
    expected = np.where(ndimage.binary_fill_holes(mask.core) & ~mask.core, 1, mask.values)
    assert np.array_equal(mask.fill_holes().values, expected)


@given(st.one_of(hard, soft), st.integers(0, 12))
@settings(deadline=None, max_examples=80)
def test_specks_and_components_are_the_pieces_of_eight_neighbours(mask: Mask, area: int) -> None:
    labels, count = ndimage.label(mask.support, np.ones((3, 3)))
    sizes = ndimage.sum_labels(mask.support, labels, range(count + 1))
    kept = np.where(sizes[labels] >= area, mask.values, 0)
    assert np.array_equal(mask.remove_specks(area).values, kept)

    pieces = mask.components()
    assert len(pieces) == count
    assert sorted(piece.area for piece in pieces) == sorted(sizes[1:])
    whole = Mask.empty(mask.size)
    for piece in pieces:
        assert piece.mask.bounds == piece.box
        assert np.count_nonzero(piece.values) == piece.area
        assert (whole & piece.mask).is_empty
        whole |= piece.mask
    assert whole.equals(mask)


def test_thousands_of_specks_are_quick() -> None:
    mask = Mask.from_array(np.random.default_rng(0).random((1000, 1000)) < 0.01)
    pieces = mask.components()
    assert len(pieces) > 5000
    assert sum(piece.area for piece in pieces) == mask.area


@given(hard)
@settings(deadline=None, max_examples=80)
def test_bounds_area_and_hardness(mask: Mask) -> None:
    found = ndimage.find_objects(mask.support.astype(int))
    assert mask.bounds == (Box(0, 0, 0, 0) if not found else Box(*(_ for _ in _corners(found[0]))))
    assert mask.area == np.count_nonzero(mask.core)
    assert mask.fraction == pytest.approx(mask.core.mean())
    assert mask.hard
    assert mask.is_empty == (mask.area == 0)
    assert np.array_equal(mask.core, mask.support)


def _corners(found: tuple[slice, slice]) -> tuple[int, int, int, int]:
    rows, columns = found
    return columns.start, rows.start, columns.stop, rows.stop


@given(hard.filter(lambda mask: not mask.is_empty), st.floats(0, 30))
@settings(deadline=None, max_examples=80)
def test_distances_are_exact_and_end_at_their_limit(mask: Mask, limit: float) -> None:
    exact = ndimage.distance_transform_edt(~mask.core).astype(np.float32)
    assert np.array_equal(distance_to(mask.core), exact)
    assert np.array_equal(distance_to(mask.core, limit), np.where(exact <= np.float32(limit), exact, np.inf))


def test_distances_stay_exact_to_five_hundred_pixels() -> None:
    marked = np.zeros((700, 900), dtype=bool)
    marked[np.random.default_rng(1).integers(0, 700, 3), [5, 400, 880]] = True
    exact = ndimage.distance_transform_edt(~marked).astype(np.float32)
    near = exact <= 500
    assert np.array_equal(distance_to(marked)[near], exact[near])
    assert np.allclose(distance_to(marked), exact, rtol=1e-6)


def test_nothing_is_infinitely_far() -> None:
    assert np.isinf(distance_to(np.zeros((5, 6), dtype=bool), 3)).all()
    with pytest.raises(MaskError, match="-1"):
        distance_to(np.ones((5, 6), dtype=bool), -1)


@given(hard)
@settings(deadline=None, max_examples=60)
def test_the_inscribed_circle_stays_inside(mask: Mask) -> None:
    padded = np.pad(mask.core, 1)
    expected = ndimage.distance_transform_edt(padded).max() - 0.5 if mask.core.any() else 0
    assert inscribed_radius(mask.core) == pytest.approx(expected, rel=1e-6)


def test_the_inscribed_circle_of_a_line_and_of_a_square() -> None:
    assert inscribed_radius(Mask.box((500, 40), (5, 10, 480, 11)).core) == 0.5
    assert inscribed_radius(Mask.box((50, 40), (5, 5, 26, 26)).core) == 10.5
    assert inscribed_radius(Mask.full((51, 41)).core) == 20.5  # the picture's border counts as outside


@pytest.mark.parametrize("operation", ["grow", "shrink", "feather"])
def test_a_small_mask_in_a_huge_picture_is_treated_as_in_a_small_one(operation: str) -> None:
    def work(mask: Mask) -> Mask:
        result: Mask = getattr(mask, operation)(9)
        return result

    for values in (Mask.ellipse((160, 160), (64, 64, 96, 90)), Mask.ellipse((160, 160), (64, 64, 96, 90), feather=4)):
        huge = np.zeros((1600, 2400), dtype=np.float32)
        huge[800:960, 1120:1280] = values.values  # offsets on the coarse grid
        result = work(Mask(huge)).values
        assert np.allclose(result[800:960, 1120:1280], work(values).values, atol=1e-6)
        assert Box(1120, 800, 1280, 960).contains(Mask(result.copy()).bounds)


def test_threshold() -> None:
    mask = Mask.from_array(np.array([[0, 0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 1]]))
    assert mask.threshold().values.tolist() == [[0, 0, 0, 0, 1, 1, 1, 1, 1]]
    assert mask.threshold(0.7).area == 4
    for level in (0, -0.1, 1.1, math.nan):
        with pytest.raises(MaskError, match=str(level)):
            mask.threshold(level)


@pytest.mark.parametrize("name", ["grow", "shrink", "remove_specks"])
@pytest.mark.parametrize("value", [-1, math.nan, math.inf, "wide"])
def test_senseless_distances_are_errors_with_their_value(name: str, value: float) -> None:
    with pytest.raises(MaskError, match=str(value)):
        getattr(Mask.full((8, 8)), name)(value)


def test_masks_of_different_sizes_do_not_mix_and_swapped_sides_are_reported() -> None:
    mask = Mask.full((40, 30))
    assert mask.require_size((40, 30)) is mask
    with pytest.raises(MaskError, match=r"40x30.*30x40.*swapped"):
        mask.require_size((30, 40))
    with pytest.raises(MaskError, match=r"is 41x30, but the picture is 40x30; their sides are not in proportion"):
        mask | Mask.full((41, 30))


def test_operations_that_change_nothing_copy_nothing() -> None:
    mask = Mask.box((30, 20), (3, 3, 9, 9))
    assert mask.grow(0) is mask
    assert mask.shrink(0.5) is mask
