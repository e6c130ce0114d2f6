"""The colour that a text asks for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from overpaint.recolouring.oklab import encoded_of, fitted, lab_of, lab_of_lch, lch_of, linear_of_lab
from overpaint.recolouring.words import checked_colour, colour_of, colours_in, screen_colour


def hue(text: str) -> float:
    found = colour_of(text)
    assert found is not None
    return found.hue


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("red", 15, 40),
        ("orange", 45, 70),
        ("yellow", 85, 110),
        ("green", 130, 160),
        ("teal", 185, 205),
        ("blue", 245, 270),
        ("navy", 255, 275),
        ("purple", 295, 325),
        ("burgundy", 0, 30),
        ("#1e66d0", 250, 265),
        ("rgb(30, 102, 208)", 250, 265),
        ("hsl(216, 75%, 47%)", 250, 265),
        ("oklch(0.5 0.2 100)", 100, 100),
        ("#0f0", 140, 145),
        ("steelblue", 240, 255),
    ],
)
def test_words_names_and_notations_have_their_hue(text, low, high):
    assert low <= hue(text) <= high


@pytest.mark.parametrize("text", ["white", "black", "grey", "gray", "silver", "light grey", "charcoal", "off-white"])
def test_neutral_words_have_hardly_a_hue(text):
    assert colour_of(text).chroma < 0.03


def test_modifiers_change_lightness_and_chroma():
    plain, dark, light, pale, vivid = (
        colour_of(f"{word} green".strip()) for word in ("", "dark", "light", "pale", "vivid")
    )
    assert dark.high < plain.low
    assert light.low > plain.high - 0.1
    assert pale.low > light.low
    assert pale.chroma < light.chroma < plain.chroma < vivid.chroma
    assert colour_of("dark grey").high < colour_of("grey").low, "CSS has it lighter than grey"


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Navy Blue", "navy"),
        ("sky blue", "skyblue"),
        ("forest green", "forestgreen"),
        ("emerald green", "emerald"),
        ("GREY", "gray"),
        ("#1E66D0", "#1e66d0"),
    ],
)
def test_ways_to_write_the_same_colour(text, same):
    one, other = colour_of(text), colour_of(same)
    assert (one.low, one.chroma, one.hue) == (other.low, other.chroma, other.hue)


@pytest.mark.parametrize(
    "text", ["", "fast", "a blue car", "blurple", "#12", "rgb(1,2)", "red blue", "#ggg", "oklch(1)"]
)
def test_what_is_no_colour_alone_is_none(text):
    assert colour_of(text) is None


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("a blue car", ["blue"]),
        ("a dark green car", ["dark green"]),
        ("change the red car to navy blue", ["navy blue", "red"]),
        ("paint the door in #aabbcc", ["#aabbcc"]),
        ("turn it into a yellow taxi", ["yellow"]),
        ("a wine bottle, green", ["green", "wine"]),
        ("an orange", ["orange"]),
        ("a white shirt with blue dots", ["white", "blue"]),
        ("a blue or to red, which I am into", ["red", "blue"]),
        ("a fast car", []),
        ("not blue", []),
        ("anything but blue or red", []),
        ("a car without red", []),
        ("neither red nor blue, say green", ["green"]),
        ("no red, please blue", ["blue"]),
        ("not red but blue", ["blue"]),
        ("blue instead of red", ["blue"]),
        ("make it instead blue", ["blue"]),
        ("make the red car blue", ["blue", "red"]),
        ("", []),
    ],
)
def test_a_prompt_names_the_wanted_colour_first(prompt, wanted):
    assert [one.text for one in colours_in(prompt)] == wanted


@pytest.mark.parametrize(
    "text",
    ["light dark blue", "rgb(300,0,0)", "oklch(9 9 9)", "#12345678", "#1234", "transparent", "rgb(1)", "hsl()"],
)
def test_contradictions_values_out_of_range_and_transparency_are_no_colour(text):
    assert colour_of(text) is None
    with pytest.raises(ValueError, match="right would be"):
        checked_colour(text)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("rgb(10 20 30)", "#0a141e"),
        ("rgb(100% 0% 0%)", "#ff0000"),
        ("hsl(0, 0, 0)", "#000000"),
        ("hsl(216deg 75% 47%)", "hsl(216, 75%, 47%)"),
        ("#1e66d0ff", "#1e66d0"),
        ("oklch(50% 25% 30)", "oklch(0.5 0.1 30)"),
    ],
)
def test_notations_of_css_with_blanks_are_read(text, same):
    assert colour_of(text).linear(0.5, keep=False) == pytest.approx(colour_of(same).linear(0.5, keep=False), abs=1e-4)


@pytest.mark.parametrize(
    ("text", "low", "high", "hues"),
    [
        ("chocolate", 0.2, 0.4, (30, 60)),
        ("blond", 0.75, 0.9, (75, 95)),
        ("auburn", 0.35, 0.5, (25, 50)),
        ("silver grey", 0.7, 0.85, (0, 360)),
        ("apple green", 0.6, 0.8, (115, 140)),
        ("greenish blue", 0.4, 0.6, (205, 240)),
        ("bluish green", 0.4, 0.7, (160, 190)),
    ],
)
def test_words_mean_what_people_mean(text, low, high, hues):
    found = colour_of(text)
    assert low <= found.low <= found.high <= high
    assert hues[0] <= found.hue <= hues[1]


@pytest.mark.parametrize("text", ["navy", "dark green", "mustard", "oklch(0.5 0.1 200)", "#1e66d0", "steelblue"])
def test_a_background_has_the_same_colours(text):
    wanted = colour_of(text)
    expected = encoded_of(wanted.linear((wanted.low + wanted.high) / 2, keep=False))
    np.testing.assert_allclose(screen_colour(text), expected, atol=2 / 255)
    assert np.array_equal(screen_colour("white"), np.ones(3, np.float32))
    assert np.array_equal(screen_colour("Black"), np.zeros(3, np.float32))


def test_a_plain_word_is_as_light_as_the_object_within_its_range():
    blue = colour_of("blue")
    for own, expected in ((0.1, blue.low), (0.5, 0.5), (0.95, blue.high)):
        assert lch_of(lab_of(blue.linear(own, keep=False)))[0] == pytest.approx(expected, abs=0.01)
    assert lch_of(lab_of(blue.linear(0.8, keep=True)))[0] == pytest.approx(0.8, abs=0.01)


def test_oklab_has_the_published_values():
    """Ottosson's table of pairs: XYZ (0.950, 1, 1.089) is white; sRGB red, green and blue as in CSS Color 4."""
    known = {(1, 1, 1): (1, 0, 0), (1, 0, 0): (0.62796, 0.22486, 0.12585), (0, 1, 0): (0.86644, -0.23389, 0.17950)}
    for linear, lab in known.items():
        np.testing.assert_allclose(lab_of(np.float32(linear)), lab, atol=2e-4)


@given(st.floats(0, 1), st.floats(0, 0.4), st.floats(0, 360))
@example(lightness=0.125, chroma=0.25, hue=32.0)
def test_a_colour_beyond_srgb_keeps_lightness_and_hue(lightness, chroma, hue):
    linear = fitted((lightness, chroma, hue))
    assert 0 <= linear.min() <= linear.max() <= 1
    found = lch_of(lab_of(linear))
    assert found[1] <= chroma + 0.01
    if 0.1 < lightness < 0.95 and found[1] > 0.03:
        assert abs(found[0] - lightness) < 0.01
        assert abs((found[2] - hue + 180) % 360 - 180) < 2


@given(st.floats(0.05, 1), st.floats(0, 0.3), st.floats(0, 359))
def test_polar_and_linear_forms_are_inverse(lightness, chroma, hue):
    lch = np.float32([lightness, chroma, hue])
    lab = lab_of_lch(lch)
    np.testing.assert_allclose(lab_of_lch(lch_of(lab)), lab, atol=1e-5)
    linear = linear_of_lab(lab)
    # beyond sRGB a cone's response may be near 0, where the cube root makes rounding in 32 bits 1e-2
    within = linear.min() >= 0 and linear.max() <= 1
    np.testing.assert_allclose(lab_of(linear), lab, atol=5e-4 if within else 1e-2)


@pytest.mark.parametrize(
    "text",
    [
        "not blue",
        "a car that is not blue",
        "anything but red",
        "no longer red",
        "don't make it red",
        "a non-red car",
        "without any green",
        "any colour except red",
        "less yellow",
    ],
)
def test_a_refused_colour_is_not_given(text):
    assert colours_in(text) == ()


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("dark red to light blue", "light blue"),
        ("from a dark red to a light blue", "light blue"),
        ("from red to blue", "blue"),
        ("blue instead of red", "blue"),
        ("blue rather than green", "blue"),
        ("replace the red with a dark blue", "dark blue"),
        ("a car that is not red, blue", "blue"),
        ("blue, no red", "blue"),
        ("isn't red, is blue", "blue"),
        ("not a red car but a blue one", "blue"),
        ("the red car, now green", "green"),
        ("change the blue car to red", "red"),
        ("turn blue into green", "green"),
        ("make it green", "green"),
        ("rgb(30, 102, 208), not red", "rgb(30, 102, 208)"),
        ("a red dress with white dots", "red"),
        ("red and white stripes", "red"),
    ],
)
def test_the_wanted_colour_of_a_sentence_is_the_new_one(text, wanted):
    assert colours_in(text)[0].text == wanted
