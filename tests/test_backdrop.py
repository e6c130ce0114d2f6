"""Backgrounds and objects without a model: what changes, what stays, and what is refused."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

import overpaint
from overpaint import EditRequest, Mask, OverpaintError
from overpaint.cli import main
from overpaint.engines import Canvas, Monitor
from overpaint.engines.backdrop import colours_of, covering
from overpaint.engines.bokeh import bokeh
from overpaint.engines.cutout import Cutout
from overpaint.engines.ground_shadow import ground_shadow
from overpaint.engines.tone import toned
from overpaint.geometry import Box, Size
from overpaint.picture import Picture, from_array, open_picture
from overpaint.record import read_record
from overpaint.studio.inserts import insert_raster
from test_matte import furry, outline, scene
from test_untouched import picture_of

RED, GREY = (200, 30, 20), (128, 128, 128)
SQUARE = Box(40, 30, 90, 80)


def red_square(depth: int = 8) -> Picture:
    """A red square on grey, its edge antialiased over half a pixel."""
    pixels = np.full((120, 160, 3), GREY, np.uint8)
    pixels[SQUARE.slices] = RED
    pixels[SQUARE.top : SQUARE.bottom, SQUARE.right] = np.add(RED, GREY) // 2
    return from_array(pixels if depth == 8 else pixels.astype(np.uint16) * 257)


def subject() -> Mask:
    return Mask.box(Size(160, 120), SQUARE)


def background(picture: Picture, mask: Mask, **options: Any) -> overpaint.Edited:
    settings = {name: options.pop(name) for name in ("insert", "strict", "grow", "alpha") if name in options}
    return overpaint.edit(picture, mask=mask, intent="background", options=options or None, **settings)


def depth_of(mask: Mask) -> np.ndarray[Any, Any]:
    """Pixels into the subject (negative: outside)."""
    inside = mask.core.astype(np.uint8)
    return cv2.distanceTransform(inside, cv2.DIST_L2, 5) - cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5)


BACKGROUNDS: list[dict[str, Any]] = [
    {"colour": "white"},
    {"gradient": "#fff:#abc:navy", "angle": 30},
    {"blur": 9},
    {"transparent": True},
    {"insert": np.full((50, 90, 3), (20, 90, 200), np.uint8)},
]


class TestBackground:
    @pytest.mark.parametrize("options", BACKGROUNDS, ids=lambda one: next(iter(one)))
    @pytest.mark.parametrize(("mode", "depth"), [("rgb", 8), ("rgb", 16), ("grey", 8), ("cmyk", 8), ("rgb+alpha", 8)])
    def test_the_subject_is_kept_to_the_bit_beyond_the_band(
        self, options: dict[str, Any], mode: str, depth: int
    ) -> None:
        picture, mask = picture_of(Size(160, 120), mode, depth), subject()
        edited = background(picture, mask, **options)
        kept = depth_of(mask) > edited.reach + 1
        assert kept.any()
        assert np.array_equal(edited.picture.samples[kept], picture.samples[kept])
        if picture.alpha is not None:
            assert edited.picture.alpha is not None
            assert np.array_equal(edited.picture.alpha[kept], picture.alpha[kept])

    @pytest.mark.parametrize("depth", [8, 16])
    def test_a_colour_is_reached_exactly(self, depth: int) -> None:
        edited = background(red_square(depth), subject(), colour="#f4c81e")
        away = depth_of(subject()) < -edited.reach - 1
        wanted = np.array([0xF4, 0xC8, 0x1E]) * (1 if depth == 8 else 257)
        assert (edited.picture.samples[away] == wanted).all()

    def test_the_edge_loses_the_old_background(self) -> None:
        samples = background(red_square(), subject(), colour="blue").picture.samples.astype(int)
        column = samples[60, SQUARE.right]  # half red, half grey before
        assert column[1] < 60, "no grey is left"
        assert 60 < column[0] < 140, "half of the red"

    def test_nothing_of_the_subject_gets_into_the_blurred_background(self) -> None:
        edited = background(red_square(), subject(), blur=12)
        away = depth_of(subject()) < -edited.reach
        spread = np.ptp(edited.picture.samples[away].astype(int), axis=1)
        assert spread.max() <= 1, "the grey has no tint of red"

    def test_transparency_is_where_it_was_asked_and_hides_nothing_beneath(self) -> None:
        edited = background(red_square(), subject(), transparent=True)
        alpha, depth = edited.picture.alpha, depth_of(subject())
        assert alpha is not None
        assert (alpha[depth > edited.reach] == 255).all()
        assert (alpha[depth < -edited.reach - 1] == 0).all()
        assert (edited.picture.samples[alpha == 0] == 0).all()

    def test_layers_hide_the_background_by_a_mask_over_all_of_them(self) -> None:
        from psd_tools import PSDImage

        edited = background(red_square(), subject(), transparent=True)
        (whole,) = PSDImage.open(io.BytesIO(edited.layered().encode("psd")))
        assert [layer.visible for layer in (whole, *whole)] == [True, True, True]
        assert np.array_equal(np.asarray(whole.mask.topil()), edited.picture.alpha)
        original = np.asarray(whole[0].topil())
        assert np.array_equal(original[..., :3], edited.original.samples)
        assert (original[..., 3] == 255).all(), "what was cut away can be painted back"

    def test_a_gradient_goes_from_the_first_colour_to_the_last(self) -> None:
        samples = background(red_square(), subject(), gradient="#000:#fff").picture.samples.astype(int)
        assert samples[0].max() <= 2
        assert samples[-1].min() >= 253
        assert np.abs(np.diff(samples[:, 5, 0])).max() <= 5
        turned = background(red_square(), subject(), gradient="#000:#fff", angle=-90).picture.samples.astype(int)
        assert turned[:, 0].max() <= 2, "from left to right"

    def test_a_picture_covers_the_whole_and_follows_the_old_tone_as_far_as_asked(self) -> None:
        dark = np.full((200, 100, 3), 60, np.uint8)
        dark[:, ::2] = 80
        away = depth_of(subject()) < -4
        means = []
        for match in (0.0, 0.5, 1.0):
            edited = background(red_square(), subject(), insert=dark, match=match)
            means.append(edited.picture.samples[away].mean())
        assert abs(means[0] - 70) < 2
        assert means[0] + 5 < means[1] < means[2] - 3, "towards the grey of the old picture"

    def test_hair_is_kept_on_another_background(self) -> None:
        true = furry()
        pixels, own = scene(true)
        picture = from_array(np.rint(pixels * 255).astype(np.uint8))
        mask = Mask(outline(true))
        found = background(picture, mask, colour="white", grow=12).picture.samples / 255.0
        wanted = true[..., None] * own + 1 - true[..., None]
        pasted = np.where(mask.core[..., None], pixels, 1.0)
        edge = (true > 0) & (true < 1)
        assert np.abs(found - wanted)[edge].mean() < 0.3 * np.abs(pasted - wanted)[edge].mean()

    def test_strict_changes_no_pixel_of_the_subject(self) -> None:
        picture = red_square()
        edited = background(picture, subject(), colour="white", strict=True)
        assert edited.reach == 0
        assert np.array_equal(edited.picture.samples[SQUARE.slices], picture.samples[SQUARE.slices])

    def test_a_soft_mask_is_the_opacity(self) -> None:
        ramp = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (40, 1))
        ramp = np.rint(ramp * 255).astype(np.float32) / 255
        black = from_array(np.zeros((40, 64, 3), np.uint8))
        samples = background(black, Mask(ramp), colour="white").picture.samples[:, :, 0]
        assert np.abs(samples - (1 - ramp) * 255).max() < 5

    def test_a_cut_out_keeps_its_own_opacity(self) -> None:
        pixels = np.full((60, 80, 4), (250, 120, 0, 255), np.uint8)
        pixels[:, 50:, 3] = 0
        pixels[:, 45:50, 3] = (220, 170, 128, 80, 30)
        request = EditRequest.of("background", mask={"parts": [{"kind": "alpha"}]}, options={"colour": "black"})
        edited = overpaint.edit(from_array(pixels), request)
        assert edited.picture.alpha is not None
        assert (edited.picture.alpha == 255).all()
        shown = edited.picture.samples[30, :, 0].astype(int)
        assert (shown[:45] == 250).all()
        assert (shown[50:] == 0).all()
        assert np.abs(shown[45:50] - 250 * np.array([220, 170, 128, 80, 30]) / 255).max() <= 2

    def test_the_subject_may_cast_a_shadow(self) -> None:
        plain, shaded = (
            background(red_square(), subject(), colour="white", shadow=shadow).picture.samples.astype(int)
            for shadow in (0.0, 0.8)
        )
        below = slice(SQUARE.bottom + 2, SQUARE.bottom + 6), slice(50, 80)
        assert (shaded[below] < plain[below] - 20).all()
        assert (shaded[:20] >= 250).all(), "far above there is none"

    def test_the_record_names_the_picture_by_its_digest_and_replays(self) -> None:
        other = np.full((40, 40, 3), (10, 200, 90), np.uint8)
        edited = background(red_square(), subject(), insert=other)
        blob = edited.request.insert
        assert blob is not None
        assert (blob.size, blob.channels, blob.data) == (Size(40, 40), 3, None)
        again = overpaint.edit(red_square(), edited.request.merged(insert=None), insert=other)
        assert again.resolved.digest == edited.resolved.digest
        assert again.pixels_sha256 == edited.pixels_sha256
        with pytest.raises(OverpaintError, match="give it with the request") as caught:
            overpaint.edit(red_square(), edited.request)
        assert caught.value.code == "raster-missing"

    def test_an_engine_that_puts_nothing_in_says_so(self) -> None:
        edited = overpaint.edit(
            red_square(), mask=subject(), intent="remove", engine="telea", insert=np.zeros((9, 9, 3), np.uint8)
        )
        assert "telea does not use insert: it continues the surroundings" in edited.notes
        assert edited.resolved.insert is None


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "two at once": ({"colour": "red", "blur": 3}, "colour, blur"),
    "a picture and a colour": (
        {"colour": "red", "insert": np.zeros((4, 4, 3), np.uint8)},
        "2 are given: colour, a picture",
    ),
    "no such colour": ({"colour": "reddish"}, "reddish"),
    "half transparent": ({"colour": "#ff000080"}, "opaque"),
    "one colour in a gradient": ({"gradient": "red"}, "two colours"),
    "several colours in one": ({"colour": "red:blue"}, "a gradient"),
    "a shadow on nothing": ({"transparent": True, "shadow": 0.5}, "shadow"),
    "no background": ({"match": 0.3}, "no background is given"),
    "no such option": ({"color": "red"}, "colour"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_go_together_is_refused(name: str) -> None:
    options, words = WRONG[name]
    with pytest.raises(OverpaintError, match=words):
        background(red_square(), subject(), **options)


@pytest.mark.parametrize("model", [None, "pocket"])
def test_without_a_prompt_a_background_names_what_would_do_it(model: str | None) -> None:
    """No model is started that nobody named."""
    with (
        overpaint.Studio(model=model) as studio,
        pytest.raises(OverpaintError, match="no background is given") as caught,
    ):
        studio.edit(red_square(), mask=subject(), intent="background")
    assert caught.value.code == "backdrop-missing"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"colour": "white", "angle": 4}, "the option angle turns a gradient, and had no effect"),
        ({"gradient": "#fff:#ccc", "match": 0.1}, "the option match is for a picture to put in, and had no effect"),
        ({"transparent": True, "alpha": "keep"}, "backdrop gives the result an alpha of its own"),
        ({"insert": np.full((4, 4, 4), 128, np.uint8)}, "transparent in parts, where white was put behind it"),
    ],
)
def test_a_setting_without_effect_is_noted(options: dict[str, Any], said: str) -> None:
    (note,) = background(red_square(), subject(), **options).notes
    assert said in note


@pytest.mark.parametrize("options", [*BACKGROUNDS, {"insert": np.full((9, 9, 3), 90, np.uint8), "match": 1}])
def test_settings_with_an_effect_get_no_note(options: dict[str, Any]) -> None:
    assert not any("effect" in note for note in background(red_square(), subject(), **options).notes)


def test_a_background_that_is_transparent_throughout_is_none() -> None:
    with pytest.raises(OverpaintError, match="transparent throughout") as error:
        background(red_square(), subject(), insert=np.zeros((4, 4, 4), np.uint8))
    assert (error.value.code, error.value.field) == ("insert-missing", "insert")


def test_a_mask_without_a_subject_is_refused() -> None:
    with pytest.raises(OverpaintError, match="marks the subject") as caught:
        background(red_square(), Mask.empty(Size(160, 120)), colour="white")
    assert caught.value.code == "mask-invalid"


def test_a_match_of_nothing_is_no_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (40, 40), "red").save(tmp_path / "a.png")
    words = [str(tmp_path / "a.png"), "--box", "9,9,20,20", "--with", str(tmp_path / "a.png"), "--match", "0"]
    assert main(["background", *words, "-o", str(tmp_path / "b.png")]) == 0
    found = read_record(tmp_path / "b.png")
    assert found is not None
    assert found.record.resolved.options["match"] == 0


def test_cmyk_without_a_background_is_for_tiff_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("CMYK", (40, 40), (9, 99, 9, 9)).save(tmp_path / "a.jpg")
    assert main(["background", str(tmp_path / "a.jpg"), "--box", "9,9,20,20", "--transparent"]) == 2
    said = capsys.readouterr().err
    assert "use TIFF" in said
    assert "JPEG" not in said


def test_a_radius_of_nothing_reaches_the_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (40, 40), "red").save(tmp_path / "a.png")
    assert main(["background", str(tmp_path / "a.png"), "--box", "9,9,20,20", "--blur", "0"]) == 2
    assert "blur=0" in capsys.readouterr().err


def ball(side: int = 60) -> np.ndarray[Any, Any]:
    """An orange disc with alpha, within a transparent border."""
    pixels = np.zeros((side + 20, side + 20, 4), np.uint8)
    cv2.circle(pixels, (side // 2 + 10, side // 2 + 10), side // 2, (240, 150, 20, 255), -1, cv2.LINE_AA)
    pixels[..., :3] = (240, 150, 20)
    return pixels


class TestAdd:
    def add(self, mask: Mask, insert: object, picture: Picture | None = None, **options: Any) -> overpaint.Edited:
        picture = from_array(np.full((200, 240, 3), 170, np.uint8)) if picture is None else picture
        return overpaint.edit(picture, mask=mask, intent="add", insert=insert, options={"match": 0, **options})

    def test_the_object_stands_in_its_box_and_nothing_else_changes(self) -> None:
        box = Box(60, 40, 140, 160)
        edited = self.add(Mask.box(Size(240, 200), box), ball())
        samples = edited.picture.samples.astype(int)
        orange = np.abs(samples - (240, 150, 20)).max(axis=2) < 6
        found = Box.around(orange)
        assert box.contains(found)
        assert found.width > 0.85 * box.width
        assert found.bottom > box.bottom - 8, "it stands on the lower side"
        beyond = np.ones(orange.shape, bool)
        beyond[box.pad(edited.reach).slices] = False
        assert (samples[beyond] == 170).all()
        middle = (found.left + found.right) // 2
        assert samples[found.bottom + 1, middle].max() < 140, "the shadow at the contact"

    def test_without_a_shadow_the_surroundings_stay(self) -> None:
        edited = self.add(Mask.box(Size(240, 200), Box(60, 40, 140, 160)), ball(), shadow=0)
        assert (edited.picture.samples[165:] == 170).all()
        assert edited.picture.samples.max() == 240

    def test_a_place_of_another_shape_holds_the_whole_object(self) -> None:
        mask = Mask.ellipse(Size(240, 200), (40, 40, 200, 120))
        tall = np.zeros((100, 30, 4), np.uint8)
        tall[10:90, 5:25] = (20, 60, 220, 255)
        samples = self.add(mask, tall, shadow=0).picture.samples
        blue = samples[..., 2] > 200
        found = Box.around(blue)
        assert blue[found.slices].mean() > 0.97, "no corner is cut off"
        assert found.height > 60

    def test_every_place_gets_one(self) -> None:
        mask = Mask.box(Size(240, 200), (10, 20, 70, 90)) | Mask.box(Size(240, 200), (150, 100, 210, 180))
        samples = self.add(mask, ball(), shadow=0).picture.samples.astype(int)
        orange = (np.abs(samples - (240, 150, 20)).max(axis=2) < 6).astype(np.uint8)
        assert cv2.connectedComponents(orange)[0] - 1 == 2

    def test_a_picture_is_cut_out_by_its_mask(self) -> None:
        edited = self.add(Mask.box(Size(240, 200), (60, 40, 140, 160)), (red_square(), subject()), shadow=0)
        samples = edited.picture.samples.astype(int)
        assert (np.abs(samples - RED).max(axis=2) < 6).sum() > 1000
        assert not (np.abs(samples - GREY).max(axis=2) < 6).any(), "its background stays away"

    def test_the_tone_follows_the_scene(self) -> None:
        mask = Mask.box(Size(240, 200), (60, 40, 140, 160))
        dusk = from_array(np.full((200, 240, 3), (30, 35, 60), np.uint8))
        plain, matched = (
            self.add(mask, ball(), dusk, shadow=0, match=match).picture.samples[100:140, 80:120].mean()
            for match in (0, 1)
        )
        assert matched < plain - 8

    def test_a_transparent_picture_stays_transparent_around_the_object(self) -> None:
        clear = from_array(np.zeros((200, 240, 4), np.uint8))
        edited = self.add(Mask.box(Size(240, 200), (60, 40, 140, 160)), ball(), clear)
        alpha = edited.picture.alpha
        assert alpha is not None
        assert (alpha[:, :50] == 0).all()
        assert alpha[45, 62] == 0, "a corner of the place"
        assert alpha[110, 100] == 255
        assert np.abs(edited.picture.samples[110, 100].astype(int) - (240, 150, 20)).max() < 4

    def test_the_shadow_may_fall_beyond_the_place(self) -> None:
        picture = from_array(np.full((200, 240, 3), 170, np.uint8))
        mask = Mask.box(Size(240, 200), (60, 40, 140, 160))
        alone = overpaint.edit(picture, mask=mask, intent="add", insert=ball(), options={"shadow": 1.0})
        wide = overpaint.edit(
            picture, mask=mask, intent="add", insert=ball(), options={"shadow": 1.0}, follow_effects=True
        )
        assert (wide.picture.samples < 169).sum() > (alone.picture.samples < 169).sum() + 300
        assert wide.reach <= 96

    @pytest.mark.parametrize(
        ("insert", "code"),
        [
            (np.zeros((9, 9, 3), np.uint8), "insert-opaque"),
            (np.full((9, 9, 4), 255, np.uint8), "insert-opaque"),
            (np.zeros((9, 9, 4), np.uint8), "insert-missing"),
            (None, "insert-missing"),
        ],
    )
    def test_what_is_no_object_is_refused(self, insert: object, code: str) -> None:
        with pytest.raises(OverpaintError) as caught:
            self.add(Mask.box(Size(240, 200), (60, 40, 140, 160)), insert)
        assert caught.value.code == code


class TestParts:
    def test_a_small_light_becomes_a_disc_of_even_light(self) -> None:
        pixels = np.zeros((81, 81, 3), np.float32)
        pixels[38:43, 38:43] = 1
        seen = bokeh(pixels, np.ones((81, 81), bool), 15)[40, :, 0]
        gauss = cv2.GaussianBlur(pixels, (0, 0), 7.5)[40, :, 0]
        assert seen[40:52].min() > 0.85 * seen[40:52].max(), "even, not a bell"
        assert seen[60:].max() < 0.02
        assert seen[40] > 1.5 * gauss[40], "light adds up in linear values"

    @pytest.mark.parametrize("radius", [0.5, 3, 11, 40, 200])
    def test_a_flat_picture_stays_flat(self, radius: float) -> None:
        flat = np.full((70, 90, 3), 0.4, np.float32)
        known = np.zeros((70, 90), bool)
        known[:, :30] = True
        assert np.abs(bokeh(flat, known, radius) - 0.4).max() < 2e-3

    def test_a_tone_is_moved_within_bounds(self) -> None:
        rng = np.random.default_rng(0)
        dark, light = (rng.uniform(low, low + 0.2, (64, 64, 3)).astype(np.float32) for low in (0.1, 0.75))
        ones = np.ones((64, 64), np.float32)
        moved = toned(dark, ones, light, ones, 1.0)
        assert dark.mean() + 0.1 < moved.mean() < light.mean() - 0.1
        assert toned(dark, ones, light, ones, 0.0) is dark
        assert toned(dark, ones, light, ones * 0, 1.0) is dark

    def test_an_object_that_leaves_the_picture_below_has_no_shadow(self) -> None:
        opacity = np.zeros((50, 50), np.float32)
        opacity[20:, 10:30] = 1
        assert not ground_shadow(opacity).any()
        opacity[45:] = 0
        assert ground_shadow(opacity)[46, 20] > 0.4

    def test_an_object_and_its_shadow_do_not_depend_on_how_far_the_picture_goes_on(self) -> None:
        """A small object in a large picture would otherwise get the shadow of a coarse grid."""
        thing = ball().astype(np.float32) / np.float32(255)
        found = []
        for left, size in ((60, Size(160, 140)), (1400, Size(2000, 1800))):
            mask = Mask.box(size, (left, 60, left + 40, 100)).values
            pixels = np.full((*size.shape, 3), 0.6, np.float32)
            done = Cutout().paint_one(Canvas(pixels, mask, insert=thing), Monitor())
            assert done.effect is not None
            found.append(np.dstack([done.pixels, done.effect])[:140, left - 60 : left + 100])
        assert np.abs(found[0] - found[1]).max() < 0.01
        assert (found[0][102, 75:85, 3] == 1).all(), "the shadow"

    @pytest.mark.parametrize("shape", [(8, 4000), (4000, 8), (30, 40), (300, 200)])
    def test_a_picture_covers_another_shape_without_being_enlarged_beyond_it(
        self, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sizes: list[tuple[int, int]] = []
        resize = cv2.resize
        monkeypatch.setattr(cv2, "resize", lambda *given, **how: sizes.append(given[1]) or resize(*given, **how))
        rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
        place = np.dstack([(rows + 0.5) / shape[0], (columns + 0.5) / shape[1]])
        found = covering(place, 120, 90)
        assert found.shape == (90, 120, 2)
        assert np.abs(found[44:46, 59:61].mean(axis=(0, 1)) - 0.5).max() < 0.02, "its middle"
        share = 120 / shape[1] / max(120 / shape[1], 90 / shape[0])
        assert np.ptp(found[45, :, 1]) == pytest.approx(share, rel=0.1, abs=0.001)
        assert max(width * height for width, height in sizes) < 12 * 120 * 90

    def test_colours_are_words_or_hex_values(self) -> None:
        assert np.allclose(colours_of("white: #000 :rgb(255,0,0)"), [[1, 1, 1], [0, 0, 0], [1, 0, 0]])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(red_square().samples).save("shoe.jpg", quality=95)
    Image.fromarray(subject().to_bytes8()).save("shoe.png")
    Image.fromarray(np.full((90, 90, 3), (30, 120, 220), np.uint8)).save("beach.png")
    Image.fromarray(ball()).save("ball.png")
    return tmp_path


@pytest.mark.usefixtures("folder")
class TestCommands:
    def test_white(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert (
            main(["background", "shoe.jpg", "--mask", "shoe.png", "--color", "white", "-o", "white.png", "--json"]) == 0
        )
        told = json.loads(capsys.readouterr().out)
        assert (told["engine"], told["fidelity"], told["notes"]) == ("backdrop", "lossless", [])
        assert (open_picture("white.png").samples[:20] == 255).all()

    def test_transparency_makes_a_png_of_a_jpeg(self) -> None:
        assert main(["background", "shoe.jpg", "--mask", "shoe.png", "--transparent", "-q"]) == 0
        alpha = open_picture("shoe.background.png").alpha
        assert alpha is not None
        assert (alpha[0, 0], alpha[60, 60]) == (0, 255)

    @pytest.mark.parametrize(
        "own", [["--gradient", "#fff:#ccc", "--angle", "20"], ["--blur", "6"], ["--with", "beach.png"]]
    )
    def test_the_others(self, own: list[str]) -> None:
        assert main(["background", "shoe.jpg", "--mask", "shoe.png", *own, "-o", "out.png", "-q"]) == 0

    def test_several_pictures_with_one_background(self) -> None:
        Image.open("shoe.jpg").save("other.jpg")
        call = ["background", "shoe.jpg", "other.jpg", "--mask", "shoe.png", "--with", "beach.png", "-o", "out", "-q"]
        assert main(call) == 0
        assert len(list(Path("out").iterdir())) == 2

    def test_a_result_is_replayed_with_the_picture_that_was_put_in(self, capsys: pytest.CaptureFixture[str]) -> None:
        main(["background", "shoe.jpg", "--mask", "shoe.png", "--with", "beach.png", "-o", "out.png", "-q"])
        for words, said in (
            ([], "give it with --with FILE"),
            (["--with", "ball.png"], "ball.png is not the 90x90 picture that was put in"),
            (["--with-mask", "shoe.png"], "give it with --with FILE"),
        ):
            assert main(["replay", "out.png", *words]) == 2
            assert said in capsys.readouterr().err
        assert main(["replay", "out.png", "--with", "beach.png"]) == 0
        main(["background", "shoe.jpg", "--mask", "shoe.png", "--color", "white", "-o", "white.png", "-q"])
        assert main(["replay", "white.png", "--with", "beach.png"]) == 2
        assert "put no picture in: leave --with out" in capsys.readouterr().err

    def test_an_object_is_added(self) -> None:
        assert main(["add", "shoe.jpg", "--box", "100,20,150,100", "--with", "ball.png", "-o", "out.png", "-q"]) == 0
        assert np.abs(open_picture("out.png").samples[70, 125].astype(int) - (240, 150, 20)).max() < 60

    def test_an_object_is_cut_out_by_a_mask(self) -> None:
        call = ["add", "beach.png", "--box", "10,10,80,80", "--with", "shoe.jpg", "--with-mask", "shoe.png"]
        assert main([*call, "-o", "out.png", "-q"]) == 0
        red = open_picture("out.png").samples[45, 45].astype(int)
        assert red[0] > red[2] + 60

    def test_a_batch_of_product_shots(self) -> None:
        rows = [
            {"image": "shoe.jpg", "mask": "shoe.png", "intent": "background", "options": {"transparent": True}},
            {"image": "shoe.jpg", "mask": "shoe.png", "intent": "background", "insert": "beach.png", "id": "beach"},
        ]
        Path("edits.jsonl").write_text("\n".join(map(json.dumps, rows)))
        call = ["batch", "edits.jsonl", "-o", "out", "--name", "{name}-{row}{ext}", "-q"]
        assert main(call) == 0
        assert {path.name for path in Path("out").glob("shoe-*")} == {"shoe-1.png", "shoe-2.jpg"}
        before = Path("out/shoe-2.jpg").read_bytes()
        Image.fromarray(np.full((90, 90, 3), (220, 120, 30), np.uint8)).save("beach.png")
        assert main(call) == 0
        assert Path("out/shoe-2.jpg").read_bytes() != before, "another picture put in is another result"

    @pytest.mark.parametrize(
        ("call", "words"),
        [
            (["--color", "white"], "picture show the subject, which stays; give --mask FILE"),
            (["--mask", "shoe.png", "--with-mask", "shoe.png"], "did you mean '--with'?"),
            (["--mask", "shoe.png", "--with", "missing.png"], "missing.png"),
            (["--mask", "shoe.png", "--color", "red", "--blur", "4"], "2 are given: colour, blur"),
            (["--mask", "shoe.png", "--color", "red", "--with", "beach.png"], "give one of --color"),
            (["--mask", "shoe.png", "--color", "whitish"], "whitish"),
            (["--mask", "shoe.png", "--transparent", "-o", "out.jpg"], "transparency; use PNG"),
        ],
    )
    def test_errors_say_what_would_be_right(
        self, call: list[str], words: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["background", "shoe.jpg", *call]) in (1, 2)
        assert words in capsys.readouterr().err

    def test_an_object_without_alpha_is_refused(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["add", "shoe.jpg", "--box", "10,10,60,60", "--with", "beach.png"]) == 2
        assert "give --with-mask" in capsys.readouterr().err
        assert main(["add", "shoe.jpg", "--box", "10,10,60,60"]) == 2
        assert "give --with, a picture with alpha" in capsys.readouterr().err


class TestPicturesToPutIn:
    @pytest.mark.parametrize("depth", [8, 16])
    def test_one_far_larger_than_its_place_is_reduced(self, depth: int) -> None:
        samples = np.random.default_rng(0).integers(0, 2**depth, (1600, 2000, 4)).astype(f"uint{depth}")
        samples[:, :1000] = 2**depth - 1
        found = insert_raster(from_array(samples), None, Size(600, 90))
        assert found.shape == (533, 666, 4)
        assert found.dtype == samples.dtype
        assert (found[:, :330] == 2**depth - 1).all()
        assert insert_raster(from_array(samples), None, Size(1200, 200)).shape == samples.shape

    def test_a_small_one_for_a_tiny_place_is_not(self) -> None:
        cut_out = np.pad(np.full((9, 5, 4), 200, np.uint8), ((1, 1), (1, 1), (0, 0)))
        assert np.array_equal(insert_raster(from_array(cut_out), None, Size(1, 1))[..., 3], cut_out[..., 3])

    def test_it_is_reduced_with_its_mask(self) -> None:
        mask = np.zeros((1600, 2000), np.float32)
        mask[480:1120, 600:1200] = 1
        samples = np.where(mask[..., None] > 0, np.uint8(200), np.uint8(30)).repeat(3, axis=2)
        found = insert_raster(from_array(samples), Mask(mask), Size(100, 90))
        assert found.shape == (533, 666, 4)
        assert found[266, 300, 3] == 255
        assert found[10, 10, 3] == 0

    def test_a_cut_out_does_not_depend_on_how_much_is_around_it(self) -> None:
        true = furry(hairs=0)
        pixels, _ = scene(true)
        near = np.rint(pixels * 255).astype(np.uint8)
        far = np.pad(near, ((900, 900), (900, 900), (0, 0)), mode="edge")
        wide = np.pad(outline(true), 900)
        one = insert_raster(from_array(near), Mask(outline(true)), Size(5000, 5000))[..., 3]
        other = insert_raster(from_array(far), Mask(wide), Size(5000, 5000))[900:-900, 900:-900, 3]
        assert np.abs(one.astype(int) - other).mean() < 0.5


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no such device here")
@pytest.mark.parametrize("option", ["--with", "--mask"])
def test_what_is_no_regular_file_is_refused_unread(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture, place = str(tmp_path / "a.png"), ["--box", "5,5,30,30"] if option == "--with" else []
    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(picture)
    assert main(["background", picture, *place, option, "/dev/zero", "-o", str(tmp_path / "b.png")]) != 0
    assert "no regular file" in capsys.readouterr().err
