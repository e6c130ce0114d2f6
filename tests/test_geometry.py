"""Boxes, sizes and margins."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overpaint.geometry import Box, Margins, Size

coordinates = st.integers(-200, 200)
boxes = st.builds(
    lambda left, top, width, height: Box(left, top, left + width, top + height),
    coordinates,
    coordinates,
    st.integers(1, 150),
    st.integers(1, 150),
)


@given(boxes, boxes)
def test_intersection_and_union_hold_what_they_should(one, other):
    both, either = one.intersect(other), one.union(other)
    assert one.contains(both)
    assert other.contains(both)
    assert either.contains(one)
    assert either.contains(other)
    assert both.empty == other.intersect(one).empty


@given(boxes, boxes)
def test_moving_inside_never_resizes_and_moves_as_far_as_needed_only(box, outer):
    moved = box.move_inside(outer)
    assert moved.size == box.size
    for low, high, outer_low, outer_high in (
        (moved.left, moved.right, outer.left, outer.right),
        (moved.top, moved.bottom, outer.top, outer.bottom),
    ):
        if high - low <= outer_high - outer_low:
            assert outer_low <= low
            assert high <= outer_high
        else:
            assert low <= outer_low
            assert high >= outer_high
    assert moved.move_inside(outer) == moved
    if outer.contains(box):
        assert moved == box


@given(boxes, boxes)
def test_overhang_is_what_must_be_added_to_hold_the_box(box, outer):
    assert outer.pad(box.overhang(outer)).contains(box)
    assert (not box.overhang(outer)) == outer.contains(box)


@given(boxes)
def test_an_empty_box_adds_nothing(box):
    nothing = Box(5, 5, 5, 9)
    assert nothing.empty
    assert box.union(nothing) == box == nothing.union(box)
    assert box.contains(nothing)
    assert box.intersect(nothing).empty


def test_text_is_as_a_person_writes_it():
    assert str(Size(640, 480)) == "640x480"
    assert str(Box(1, 2, 3, 4)) == "1,2,3,4"
    assert str(Margins(1, 2, 3, 4)) == "1,2,3,4"
    assert not Margins()


def test_nonsense_is_refused():
    with pytest.raises(ValueError, match="-1x5"):
        Size(-1, 5)
    with pytest.raises(ValueError, match="starts outside"):
        _ = Box(-1, 0, 5, 5).slices
