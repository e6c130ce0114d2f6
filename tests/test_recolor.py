"""Recolouring without a model: what changes is the object's colour, and nothing else."""

from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray

from overpaint import EditRequest, Mask, Studio
from overpaint.engines import Canvas, Monitor
from overpaint.engines.recolor import Recolor, RecolorOptions
from overpaint.errors import RequestError
from overpaint.geometry import Box, Size
from overpaint.picture import Picture, from_array
from overpaint.recolouring.oklab import encoded_of, lab_of, lab_of_lch, lch_of, linear_of, linear_of_lab
from overpaint.recolouring.own_colour import OwnColour, own_colour
from overpaint.recolouring.repaint import repainted
from overpaint.request import Sampling
from test_untouched import picture_of

SIZE = Size(160, 120)
GROUND = (0.15, 0.18, 0.13)
BODIES = {
    "red": (0.55, 0.02, 0.02),
    "white": (0.72, 0.72, 0.70),
    "black": (0.012, 0.012, 0.012),
    "navy": (0.02, 0.03, 0.12),
}
TARGETS = {"blue": "#2a62c8", "green": "#1f8040", "yellow": "#e8c020", "white": "#f0f0f0", "black": "#202020"}

Pixels = NDArray[np.float32]


def disc(size: Size = SIZE, radius: float = 40.0) -> Pixels:
    """(H, W) opacity of a disc with an antialiased edge."""
    y, x = np.mgrid[: size.height, : size.width]
    return np.clip(radius + 0.5 - np.hypot(x - size.width / 2, y - size.height / 2), 0, 1).astype(np.float32)


def shading(size: Size = SIZE) -> Pixels:
    """(H, W) light on the disc, 0.25 to 1.2, as on a ball lit from the upper left."""
    y, x = np.mgrid[: size.height, : size.width]
    lit = 1.2 - 0.95 * np.hypot(x - 0.4 * size.width, y - 0.35 * size.height) / (0.5 * size.width)
    return np.clip(lit, 0.25, 1.2).astype(np.float32)


def ball(body: tuple[float, float, float], ground: tuple[float, float, float] = GROUND) -> Pixels:
    """(H, W, 3) encoded: a shaded ball before a ground, mixed in linear light."""
    front = np.clip(shading()[..., None] * np.float32(body), 0, 1)
    alpha = disc()[..., None]
    return encoded_of(alpha * front + (1 - alpha) * np.float32(ground))


def canvas(pixels: Pixels, marked: Pixels | None = None, **options: object) -> Canvas:
    mask = np.ceil(disc(radius=43)) if marked is None else np.ceil(marked)
    given = np.ceil(disc()) if marked is None else marked
    return Canvas(pixels, mask.astype(np.float32), marked=given, options=RecolorOptions(**options))


def painted(pixels: Pixels, marked: Pixels | None = None, **options: object) -> Pixels:
    return Recolor().paint_one(canvas(pixels, marked, **options), Monitor()).pixels


def lch(pixels: Pixels) -> Pixels:
    return lch_of(lab_of(linear_of(pixels)))


def turned(one: float, other: float) -> float:
    return abs((one - other + 180) % 360 - 180)


INNER = disc(radius=34) == 1


@pytest.mark.parametrize("body", ["red", "white", "navy"])
@pytest.mark.parametrize("target", TARGETS)
def test_the_object_gets_the_colour_and_keeps_its_shading(body, target):
    before, after = ball(BODIES[body]), painted(ball(BODIES[body]), to=TARGETS[target])
    wanted = lch(np.float32([[int(TARGETS[target][i : i + 2], 16) for i in (1, 3, 5)]]) / np.float32(255))[0]
    lit = INNER & (np.abs(shading() - 0.9) < 0.1)
    found = lch(np.median(after[lit], axis=0)[None])[0]
    assert abs(found[0] - wanted[0]) < 0.09
    assert abs(found[1] - wanted[1]) < 0.04
    if wanted[1] > 0.05:
        assert turned(found[2], wanted[2]) < 5
    order = np.argsort(lch(before)[INNER][:, 0])
    lightness = lch(after)[INNER][:, 0][order]
    assert (np.diff(lightness) > -0.004).all(), "no lighter pixel becomes darker than a darker one"
    assert np.corrcoef(lch(before)[INNER][:, 0], lch(after)[INNER][:, 0])[0, 1] > 0.98


@pytest.mark.parametrize("target", ["blue", "white"])
def test_a_black_object_becomes_light_in_the_order_of_its_shading(target):
    before, after = ball(BODIES["black"]), painted(ball(BODIES["black"]), to=TARGETS[target])
    order = np.argsort(before[INNER].sum(axis=1), kind="stable")
    lightness = lch(after)[INNER][:, 0]
    assert (np.diff(lightness[order]) > -0.004).all()
    assert np.median(lightness) > (0.75 if target == "white" else 0.4)


def test_folds_of_a_black_object_that_are_pure_black_go_with_it():
    before = ball(BODIES["black"])
    before[55:60, 70:90] = 0
    after = lch(painted(before, to="red"))
    beside = np.median(after[62:66, 70:90, 0])
    assert after[56:59, 72:88, 0].min() > 0.5 * beside


@pytest.mark.parametrize("body", BODIES)
def test_its_own_colour_changes_nothing(body):
    before = ball(BODIES[body])
    own = own_colour(lab_of(linear_of(before[INNER])), np.zeros((0, 3), np.float32))
    lightness, chroma, hue = lch_of(lab_of(own.linear)).tolist()
    after = painted(before, to=f"oklch({lightness:.5f} {chroma:.5f} {hue:.3f})")
    assert np.abs(after - before).max() < 4 / 255


@pytest.mark.parametrize("body", ["red", "navy"])
@pytest.mark.parametrize("target", ["blue", "yellow", "black"])
def test_neutral_parts_and_other_hues_stay_to_the_bit(body, target):
    """Tyres, chrome and glass; and a green badge."""
    before = ball(BODIES[body])
    parts = {(50, 60): 0.08, (60, 75): 0.55, (70, 90): 0.95}
    for (top, left), grey in parts.items():
        before[top : top + 8, left : left + 8] = grey
    before[45:53, 90:98] = (0.1, 0.7, 0.15)
    after = painted(before, to=TARGETS[target])
    for top, left in (*parts, (45, 90)):
        inside = np.s_[top + 3 : top + 5, left + 3 : left + 5]
        assert np.array_equal(after[inside], before[inside])
    assert np.abs(after - before)[INNER].mean() > 0.05


def test_skin_beside_red_cloth_stays():
    before = ball(BODIES["red"])
    skin = encoded_of(linear_of_lab(lab_of_lch(np.float32([0.74, 0.08, 55]))))
    before[40:80, 60:75] = skin
    after = painted(before, to="blue")
    assert np.abs(after[44:76, 64:71] - skin).max() < 2 / 255


def test_a_named_colour_that_changes_ends_where_colours_have_another_name():
    """An orange, a lemon and a lime, whose hues run into one another; and brown beside a red cup."""
    before = ball(BODIES["red"])
    hues = np.linspace(20, 130, 160, dtype=np.float32)
    rows = lab_of_lch(np.stack([np.full(160, 0.75), np.full(160, 0.14), hues], axis=-1).astype(np.float32))
    before[20:100] = encoded_of(np.clip(linear_of_lab(rows), 0, 1))[None]
    for only, first, last in (("red", 0, 40), ("orange", 40, 82), ("yellow", 82, 116), ("green", 116, 170)):
        after = painted(before, np.ones_like(disc()), to="#3050c0", only=only)
        changed = np.abs(after - before)[60].max(axis=1) > 0.06
        assert not changed[(hues < first - 15) | (hues > last + 15)].any(), only
        assert changed[(hues > first + 14) & (hues < last - 14)].all(), only


def test_white_beside_a_red_object_gets_no_complement_of_its_colour():
    """Cream, lit by a red cup whose saturation varies: darker or not, it does not turn to turquoise."""
    red = linear_of_lab(lab_of_lch(np.float32([0.45, 0.17, 30])))
    own = OwnColour(red, 0.45, True, 30.0, varies=0.5)
    cream = linear_of_lab(lab_of_lch(np.float32([[0.9, 0.06, 45], [0.8, 0.09, 35], [0.95, 0.03, 40]])))
    black = np.full(3, 0.004, np.float32)
    found = lch_of(lab_of(repainted(cream, np.ones(3, np.float32), own, black).linear))
    assert not ((found[:, 1] > 0.01) & (np.abs(found[:, 2] - 210) < 70)).any()


@pytest.mark.parametrize("alpha", [0, 90])
def test_a_picture_that_shows_no_colour_is_refused(alpha):
    clear = np.dstack([np.full((9, 9, 3), 200), np.full((9, 9), alpha)]).astype(np.uint8)
    with pytest.raises(RequestError, match="shows none") as caught:
        edit(from_array(np.rint(ball(BODIES["red"]) * 255).astype(np.uint8)), insert=clear)
    assert caught.value.code == "insert-missing"


def test_highlights_stay_white():
    light = linear_of(ball(BODIES["red"]))
    y, x = np.mgrid[: SIZE.height, : SIZE.width]
    gloss = 0.6 * np.exp(-((x - 70) ** 2 + (y - 50) ** 2) / 40)
    after = painted(encoded_of(np.clip(light + gloss[..., None], 0, 1).astype(np.float32)), to="navy")
    peak, body = lch(after)[50, 70], lch(after)[70, 90]
    assert peak[0] > 0.75
    assert peak[1] < 0.08 < peak[0] - body[0]


@pytest.mark.parametrize("ground", [(0.1, 0.35, 0.05), GROUND, (0.7, 0.6, 0.1), (0.05, 0.1, 0.5)])
def test_no_rim_of_the_old_colour_stays_along_the_edge(ground):
    """The result is nearly what a blue ball before this ground would have been."""
    before, after = ball(BODIES["red"], ground), painted(ball(BODIES["red"], ground), to=TARGETS["blue"])
    own = own_colour(lab_of(linear_of(before[INNER])), np.zeros((0, 3), np.float32))
    blue = linear_of(np.float32([0x2A, 0x62, 0xC8]) / np.float32(255)) * (BODIES["red"][0] / own.linear[0])
    ideal = ball(tuple(blue.tolist()), ground)
    edge = (disc() > 0) & (disc() < 1)
    assert np.abs(after - ideal)[edge].mean() < 0.03
    assert np.abs(after - ideal)[edge].mean() < 0.2 * np.abs(before - ideal)[edge].mean()


def test_a_mask_that_is_a_little_loose_leaves_the_ground_alone():
    before = ball(BODIES["white"], (0.25, 0.25, 0.24))
    after = painted(before, np.ceil(disc(radius=48)), to="red")
    ring = (disc(radius=43) == 0) & (disc(radius=48) > 0)
    assert np.abs(after - before)[ring].mean() < 0.04
    assert lch(np.median(after[INNER], axis=0)[None])[0, 1] > 0.12


def test_the_tone_is_kept_where_that_is_wanted():
    before = ball(BODIES["red"])
    kept, matched = (painted(before, to="#101c50", tone=tone) for tone in ("keep", "match"))
    lightness = [float(np.median(lch(pixels)[INNER][:, 0])) for pixels in (before, kept, matched)]
    assert abs(lightness[0] - lightness[1]) < 0.06
    assert lightness[2] < lightness[0] - 0.2


def test_the_colour_that_changes_can_be_named():
    """A white shirt with a red half."""
    before = ball(BODIES["white"])
    red = encoded_of(np.clip(shading()[..., None] * np.float32(BODIES["red"]), 0, 1))
    before[:, 80:] = np.where(INNER[:, 80:, None], red[:, 80:], before[:, 80:])
    for only, changed, kept in (("red", 95, 65), ("white", 65, 95)):
        after = painted(before, to="green", only=only)
        assert turned(float(lch(after)[60, changed, 2]), 146) < 8
        assert np.abs(after - before)[58:62, kept - 3 : kept + 3].max() < 2 / 255
    with pytest.raises(RequestError, match="nothing of the colour 'blue'") as caught:
        painted(before, to="green", only="blue")
    assert (caught.value.code, caught.value.value) == ("colour-absent", "blue")


def test_a_lower_tolerance_leaves_more_alone():
    before = ball(BODIES["red"])
    hues = np.linspace(0, 80, 160, dtype=np.float32)
    rows = lab_of_lch(np.stack([np.full(160, 0.6), np.full(160, 0.15), hues], axis=-1).astype(np.float32))
    before[54:66] = encoded_of(np.clip(linear_of_lab(rows), 0, 1))[None]
    strip = np.s_[58:62, 45:115]
    changed = [
        int((np.abs(painted(before, to="blue", tolerance=t) - before)[strip].max(axis=2) > 0.02).sum())
        for t in (0.5, 1, 2)
    ]
    assert changed[0] < changed[1] < changed[2]


def test_recolouring_there_and_back_loses_little():
    before = ball(BODIES["red"])
    own = own_colour(lab_of(linear_of(before[INNER])), np.zeros((0, 3), np.float32))
    lightness, chroma, hue = lch_of(lab_of(own.linear)).tolist()
    back = painted(painted(before, to="#2a62c8"), to=f"oklch({lightness:.5f} {chroma:.5f} {hue:.3f})")
    assert np.abs(back - before)[INNER].mean() < 0.02


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 1), (3, 5), (40, 40)])
@pytest.mark.parametrize("share", [0.1, 1.0])
def test_any_size_and_any_mask_leaves_the_rest_alone(shape, share):
    rng = np.random.default_rng(3)
    pixels = rng.random((*shape, 3), dtype=np.float32)
    mask = (rng.random(shape) <= share).astype(np.float32)
    mask.flat[0] = 1
    for to in ("blue", "white", "black"):
        after = Recolor().paint_one(Canvas(pixels, mask, options=RecolorOptions(to=to)), Monitor()).pixels
        assert np.array_equal(after[mask == 0], pixels[mask == 0])
        assert np.isfinite(after).all()
        assert 0 <= after.min() <= after.max() <= 1


def test_a_large_mask_of_stripes_is_seen():
    """Every second row of a mask of more than 600,000 pixels: what is looked at does not fall between them."""
    before, mask = np.full((1000, 1300, 3), 0.6, np.float32), np.zeros((1000, 1300), np.float32)
    before[1::2], mask[1::2] = (0.8, 0.1, 0.1), 1
    after = Recolor().paint_one(Canvas(before, mask, options=RecolorOptions(to="blue")), Monitor()).pixels
    assert (after[1::2, :, 2] > after[1::2, :, 0]).all()
    assert np.array_equal(after[::2], before[::2])


def test_windows_of_a_large_picture_do_not_show(monkeypatch):
    whole = painted(ball(BODIES["red"]), to="blue")
    monkeypatch.setattr("overpaint.engines.recolor._WINDOW", 32)
    np.testing.assert_allclose(painted(ball(BODIES["red"]), to="blue"), whole, atol=1e-4)


def test_cancellation_stops_between_windows(monkeypatch):
    monkeypatch.setattr("overpaint.engines.recolor._WINDOW", 32)
    steps = []

    def progress(step: int, steps_: int) -> None:
        steps.append(step)
        if step == 2:
            monitor.cancel()

    monitor = Monitor(progress)
    with pytest.raises(Exception, match="cancelled"):
        Recolor().paint_one(canvas(ball(BODIES["red"]), to="blue"), monitor)
    assert max(steps) == 2


# The whole edit.

MASK = Mask.ellipse(SIZE, Box(40, 20, 120, 100))


def edit(picture: Picture, mask: Mask = MASK, **settings: object) -> object:
    with Studio() as studio:
        studio.add_engine(Recolor())
        return studio.edit(picture, mask=mask, intent="recolor", **settings)


@pytest.mark.parametrize("kind", ["rgb", "rgb+alpha", "grey", "cmyk"])
@pytest.mark.parametrize("depth", [8, 16])
def test_nothing_beyond_the_reach_changes_in_any_picture(kind, depth):
    picture = picture_of(SIZE, kind, depth)
    edited = edit(picture, options={"to": "teal"})
    assert np.array_equal(edited.picture.samples[~edited.touched], picture.samples[~edited.touched])
    assert edited.resolved.engine == "recolor"
    assert edited.picture.samples.dtype == picture.samples.dtype
    if picture.alpha is not None:
        assert np.array_equal(edited.picture.alpha, picture.alpha)


def test_strict_ends_at_the_mask():
    edited = edit(from_array(np.rint(ball(BODIES["red"]) * 255).astype(np.uint8)), options={"to": "blue"}, strict=True)
    assert edited.reach == 0


def test_a_sixteen_bit_picture_keeps_its_depth():
    picture = from_array(np.rint(ball(BODIES["red"]) * 65535).astype(np.uint16))
    edited = edit(picture, options={"to": "blue"})
    assert len(np.unique(edited.picture.samples[INNER][:, 2])) > 600


def test_a_prompt_names_the_colour_and_the_record_has_it():
    picture = from_array(np.rint(ball(BODIES["red"]) * 255).astype(np.uint8))
    by_prompt, by_option = edit(picture, prompt="a dark green ball"), edit(picture, options={"to": "dark green"})
    assert np.array_equal(by_prompt.picture.samples, by_option.picture.samples)
    assert by_prompt.resolved.prompt == "a dark green ball"
    assert by_prompt.resolved.strength is None
    assert by_prompt.notes == ()


def test_a_picture_gives_the_colour():
    picture = from_array(np.rint(ball(BODIES["red"]) * 255).astype(np.uint8))
    swatch = np.full((9, 7, 3), (0x1E, 0x66, 0xD0), np.uint8)
    by_swatch, by_hex = edit(picture, insert=swatch), edit(picture, options={"to": "#1e66d0"})
    assert np.abs(by_swatch.picture.samples.astype(int) - by_hex.picture.samples).max() <= 2
    car = np.dstack([np.rint(ball(BODIES["navy"]) * 255), 255 * (disc() > 0.5)]).astype(np.uint8)
    hue = lch(edit(picture, insert=car).picture.samples[60, 80][None] / np.float32(255))[0, 2]
    assert turned(float(hue), 270) < 15


def test_what_is_given_beside_the_new_colour_is_noted():
    picture = from_array(np.rint(ball(BODIES["red"]) * 255).astype(np.uint8))
    swatch = np.full((9, 7, 3), 40, np.uint8)
    assert edit(picture, prompt="a green ball", options={"to": "blue"}, engine="recolor").notes == (
        "the new colour is blue, so that the prompt had no effect",
    )
    assert edit(picture, prompt="a green ball", insert=swatch).notes == (
        "the new colour is the picture's to put in, so that the prompt had no effect",
    )
    assert edit(picture, prompt="a green ball with white dots").notes == (
        "of the prompt's colours the object gets green, and not white",
    )


@pytest.mark.parametrize(("light", "to", "said"), [(0.004, "white", "nearly black"), (1.5, "navy", "blown out")])
def test_an_object_without_shading_is_noted(light, to, said):
    picture = from_array(np.rint(ball((light, light, light)) * 255).astype(np.uint8))
    (note,) = edit(picture, options={"to": to}).notes
    assert said in note


def test_a_colour_too_dark_for_shading_is_noted():
    picture = from_array(np.rint(ball((0.6, 0.1, 0.1)) * 255).astype(np.uint8))
    (note,) = edit(picture, options={"to": "#000000"}).notes
    assert "no shading shows" in note
    assert edit(picture, options={"to": "black"}).notes == ()


def test_a_grey_picture_changes_its_tone_alone_and_a_note_says_so():
    edited = edit(picture_of(SIZE, "grey", 8), options={"to": "blue"})
    assert "the picture is grey and stays so: of the new colour only the lightness shows; make it RGB first" in (
        edited.notes
    )


def noted(pixels: Pixels, mask: Pixels | None = None, **options: object) -> tuple[str, ...]:
    return Recolor().paint_one(canvas(pixels, mask, **options), Monitor()).notes


def test_a_mask_of_which_little_changes_is_noted_with_what_stayed():
    """A black object with yellow lamps, and white behind it: the yellow leads."""
    light = np.full((SIZE.height, SIZE.width, 3), 0.2, np.float32)
    mask = np.zeros(SIZE.shape, np.float32)
    mask[20:100, 30:130] = 1
    light[20:100, 30:105], light[20:100, 30:70] = 0.9, 0.012
    light[20:100, 105:130] = (0.8, 0.55, 0.03)
    before = encoded_of(light)
    (note,) = noted(before, mask, to="green")
    assert note.startswith("25% of the mask changed, as the object's colour was taken to be yellow")
    assert "most of it black, stayed" in note
    assert "only" in note
    assert not any("of the mask changed" in one for one in noted(before, mask, to="green", only="black"))
    assert noted(ball(BODIES["red"]), to="blue") == ()


def test_a_mask_that_goes_beyond_the_object_is_noted():
    before = ball(BODIES["red"], BODIES["red"])
    assert "mark the object closely" in noted(before, disc(radius=20), to="blue")[0]


def test_skin_beside_grey_cloth_stays_and_is_noted_where_a_wide_tolerance_changes_it():
    before = ball((0.3, 0.3, 0.3))
    skin = encoded_of(linear_of_lab(lab_of_lch(np.float32([0.74, 0.085, 55]))))
    before[40:80, 60:75] = skin
    assert noted(before, to="burgundy") == ()
    assert np.abs(painted(before, to="burgundy") - before)[44:76, 64:71].max() < 0.02
    (note,) = noted(before, to="burgundy", tolerance=3)
    assert "skin" in note
    assert "a lower tolerance" in note


def test_a_plate_gets_the_colour_and_not_the_food_on_it():
    """More of the mask has a hue than not, and what has none is along its outline."""
    before = ball((0.15, 0.15, 0.16))
    before[38:82, 58:102] = (0.1, 0.5, 0.15)
    after = painted(before, to="red")
    assert np.abs(after - before)[44:76, 64:96].max() < 0.02
    assert after[60, 52, 0] > 2 * after[60, 52, 1]


def test_lit_strands_of_dark_red_hair_change_with_its_shadows():
    light = np.full((SIZE.height, SIZE.width, 3), 0.3, np.float32)
    light[30:90, 40:120] = (0.008, 0.0012, 0.0016)
    light[30:90, 44:120:5] = (0.1, 0.006, 0.012)
    mask = np.zeros(SIZE.shape, np.float32)
    mask[30:90, 40:120] = 1
    after = painted(encoded_of(light), mask, to="blond")
    assert (np.abs(lch(after)[36:84, 54:110:5, 2] - 85) < 25).all()


def test_grey_glints_apart_from_a_grey_object_stay():
    before = ball((0.5, 0.5, 0.5))
    before[40:70, 60:90] = (0.1, 0.15, 0.5)
    before[50:53, 70:73] = 0.5
    after = painted(before, to="red")
    assert np.abs(after - before)[51, 71].max() < 0.02
    assert after[80, 60, 0] > 1.5 * after[80, 60, 1]


def test_a_loose_mask_of_a_grey_object_before_another_grey_leaves_that_alone():
    before = ball((0.5, 0.5, 0.5), ground=(0.12, 0.12, 0.12))
    loose = Canvas(before, np.ceil(disc(radius=48)), marked=np.ceil(disc(radius=43)), options=RecolorOptions(to="red"))
    after = Recolor().paint_one(loose, Monitor()).pixels
    ground = disc(radius=41.5) == 0
    assert np.abs(after - before)[ground].max() < 0.04
    assert lch(after)[INNER, 1].min() > 0.05


@pytest.mark.parametrize("prompt", ["a fast car", None])
def test_without_a_colour_the_error_says_what_to_write(prompt):
    with pytest.raises(RequestError, match=r"such as 'a dark green car'.*name a model") as caught:
        edit(from_array(np.zeros((120, 160, 3), np.uint8)), prompt=prompt)
    assert (caught.value.code, caught.value.field) == ("colour-missing", "prompt")


def test_a_prompt_without_a_colour_is_found_before_any_picture_is_opened():
    with Studio() as studio:
        studio.add_engine(Recolor())
        with pytest.raises(RequestError, match="'a fast car' names no new colour"):
            studio.resolved(EditRequest.of("recolor", prompt="a fast car"), seed=1)


@pytest.mark.parametrize("option", [{"to": "blurple"}, {"only": "?"}, {"tone": "high"}, {"tolerance": 0}])
def test_options_that_do_not_suit_are_refused(option):
    with pytest.raises(RequestError, match="does not suit the engine 'recolor'"):
        edit(from_array(np.zeros((120, 160, 3), np.uint8)), engine="recolor", options=option)


def test_the_verbs_engine_is_recolor_unless_a_checkpoint_is_named():
    request = EditRequest.of("recolor", prompt="blue")
    for model, engine in ((None, "recolor"), ("pocket", "recolor"), ("/nowhere/model", None)):
        with Studio(model=model) as studio:
            studio.add_engine(Recolor())
            if engine is not None:
                assert studio.resolved(request, seed=1).engine == engine
            else:
                with pytest.raises(Exception, match="nowhere"):
                    studio.resolved(request, seed=1)


def test_several_variations_are_refused_with_the_reason():
    picture = from_array(np.zeros((120, 160, 3), np.uint8))
    with Studio() as studio:
        studio.add_engine(Recolor())
        with pytest.raises(RequestError, match="does not use a seed"):
            studio.variations(picture, mask=MASK, intent="recolor", count=3, options={"to": "red"})


def test_the_prompt_reaches_the_engine_by_the_canvas():
    given = Canvas(
        ball(BODIES["red"]), np.ceil(disc()), sampling=Sampling(prompt="a yellow ball"), options=RecolorOptions()
    )
    after = Recolor().paint_one(given, Monitor()).pixels
    assert turned(float(lch(after)[60, 80, 2]), 93) < 6


def test_two_megapixels_take_seconds():
    """A generous bound, as the machine may be busy; about 1.2 s of one processor."""
    big = np.repeat(np.repeat(ball(BODIES["red"]), 16, axis=0), 16, axis=1)
    mask = np.repeat(np.repeat(np.ceil(disc()), 16, axis=0), 16, axis=1)
    began = time.process_time()
    Recolor().paint_one(Canvas(big, mask, options=RecolorOptions(to="blue")), Monitor())
    assert time.process_time() - began < 6
