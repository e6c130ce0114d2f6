"""What people write behind an option is read as they mean it, or refused in a sentence that carries its field."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overpaint.doors import forms
from overpaint.doors.extension import Extension, _to_aspect, margins_of
from overpaint.doors.requests import settings_of
from overpaint.errors import RequestError
from overpaint.geometry import Box, Margins, Size

SIZE = Size(200, 100)


@pytest.mark.parametrize(
    ("text", "box"),
    [
        ("10,20,30,40", Box(10, 20, 30, 40)),
        ("10%,20%,30%,40%", Box(20, 20, 60, 40)),
        (" 10, 20, 30, 40 ", Box(10, 20, 30, 40)),
        ("10px,20px,30px,40%", Box(10, 20, 30, 40)),
        ("-5,-5,300,50", Box(-5, -5, 300, 50)),
    ],
)
def test_a_box_is_in_pixels_or_per_cent(text: str, box: Box) -> None:
    assert forms.box(text, SIZE, "box") == box


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("10,20,30", "4 numbers; '10,20,30' has 3"),
        ("10,20,thirty,40", "'thirty' is not a number"),
        ("10,20,nan,40", "'nan' is not a finite number"),
        ("10,20,10,40", "has no area"),
        ("30,20,10,40", "right must be greater than left"),
        ("", "has 0"),
    ],
)
def test_an_invalid_box_is_refused_with_its_text(text: str, says: str) -> None:
    with pytest.raises(RequestError, match="box") as caught:
        forms.box(text, SIZE, "box")
    assert says in str(caught.value)


@given(st.tuples(*[st.integers(-500, 500)] * 4))
@settings(deadline=None, max_examples=100)
def test_a_box_is_read_back_as_it_is_written(edges: tuple[int, int, int, int]) -> None:
    box = Box(*edges)
    if box.empty:
        with pytest.raises(RequestError):
            forms.box(str(box), SIZE, "box")
    else:
        assert forms.box(str(box), SIZE, "box") == box


@given(st.text(max_size=20))
@settings(deadline=None, max_examples=200)
def test_no_text_whatever_ends_in_more_than_a_refusal(text: str) -> None:
    for read in (
        lambda: forms.box(text, SIZE, "box"),
        lambda: forms.points(text, SIZE, "polygon"),
        lambda: forms.size_of(text, "to"),
        lambda: forms.aspect_of(text, "aspect"),
        lambda: forms.pair(text, "guidance_interval"),
        lambda: forms.key_value(text, "option"),
    ):
        with contextlib.suppress(RequestError):
            read()


def test_points_are_pairs() -> None:
    assert forms.points("0,0 50%,0 200,100", SIZE, "polygon") == [(0, 0), (100, 0), (200, 100)]
    with pytest.raises(RequestError, match="at least 3 points"):
        forms.points("0,0 1,1", SIZE, "polygon")


def test_an_option_of_an_engine_is_json_where_it_is_json() -> None:
    assert forms.key_value("radius=3", "option") == ("radius", 3)
    assert forms.key_value("fast=true", "option") == ("fast", True)
    assert forms.key_value("name=plain text", "option") == ("name", "plain text")
    assert forms.key_value("a=b=c", "option") == ("a", "b=c")
    deep = "[" * 100_000
    assert forms.key_value(f"a={deep}", "option") == ("a", deep)
    with pytest.raises(RequestError, match="KEY=VALUE"):
        forms.key_value("radius", "option")


@pytest.mark.parametrize(
    ("bounds", "margins"),
    [
        (Extension(left="20", bottom="10%"), Margins(20, 0, 0, 10)),
        (Extension(left="10%", right="10%"), Margins(20, 0, 20, 0)),
        (Extension(to="300x100"), Margins(50, 0, 50, 0)),
        (Extension(to="301x103", anchor="top-left"), Margins(0, 0, 101, 3)),
        (Extension(to="301x103", anchor="bottom"), Margins(50, 3, 51, 0)),
        (Extension(aspect="1:1"), Margins(0, 50, 0, 50)),
        (Extension(aspect="3:1", anchor="right"), Margins(100, 0, 0, 0)),
        (Extension(aspect="2.5"), Margins(25, 0, 25, 0)),
    ],
)
def test_three_ways_to_say_how_far_a_picture_grows(bounds: Extension, margins: Margins) -> None:
    assert margins_of(bounds, SIZE) == margins


@pytest.mark.parametrize(
    ("bounds", "says"),
    [
        (Extension(), "how far the picture"),
        (Extension(left="10", aspect="16:9"), "exclude one another"),
        (Extension(left="-10"), "only extended"),
        (Extension(left="0"), "nothing to add"),
        (Extension(left="10", top="0.4%"), "top 0.4% is less than half a pixel of a picture of 200x100"),
        (Extension(left="10", anchor="left"), "anchor left is for a size or an aspect ratio"),
        (Extension(to="100x100"), "to 100x100 is smaller than the picture, which is 200x100"),
        (Extension(to="200x100"), "that size already"),
        (Extension(aspect="2:1"), "that size already"),
        (Extension(to="wide"), "WIDTHxHEIGHT"),
        (Extension(aspect="16:0"), "aspect ratio"),
        (Extension(aspect="16:9:1"), "such as 16:9, not '16:9:1'"),
    ],
)
def test_growth_without_a_meaning_is_refused(bounds: Extension, says: str) -> None:
    with pytest.raises(RequestError) as caught:
        margins_of(bounds, SIZE)
    assert says in str(caught.value)


@given(
    st.integers(1, 3000),
    st.integers(1, 3000),
    st.integers(1, 30),
    st.integers(1, 30),
    st.sampled_from(["center", "top-left"]),
)
@settings(deadline=None, max_examples=200)
def test_an_aspect_ratio_is_reached_by_adding_on_one_axis_alone(
    width: int, height: int, across: int, down: int, anchor: Any
) -> None:
    size = Size(width, height)
    bounds = Extension(aspect=f"{across}:{down}", anchor=anchor)
    if _to_aspect(size, bounds.aspect or "") == size:
        with pytest.raises(RequestError, match="that size already"):
            margins_of(bounds, size)
        return
    added = margins_of(bounds, size)
    new = Size(width + added.left + added.right, height + added.top + added.bottom)
    assert new.width == width or new.height == height
    # within half a pixel of the ratio, on the side that grew
    assert abs(new.width - across / down * new.height) <= 0.5 or abs(new.height - down / across * new.width) <= 0.5


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("soft_inpainting=yes", True), ("soft_inpainting=1", True), ("exact_steps=Off", False),
        ("noise_source=NV", "nv"), ("guidance_method=APG", "apg"),
        ("subseed=1", 1), ("vae=ON", "ON"), ("to=Yes", "Yes"), ("soft_inpainting=maybe", "maybe"), ("eta=true", True),
        ("subseed_strength=.2", 0.2), ("eta=1", 1), ("eta=nan", "nan"),
    ],
)  # fmt: skip
def test_words_of_an_engines_option_are_the_values_that_it_takes(text: str, value: object) -> None:
    assert settings_of(None, {}, [text]) == {"options": {text.partition("=")[0]: value}}
