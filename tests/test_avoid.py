"""What a request avoids is never copied: in Python, in a request, on the command line, in a batch, and on replay."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import overpaint
from overpaint import Mask, Picture, Studio
from overpaint.cli import main
from overpaint.engines import Context, EngineCard, Painted
from overpaint.errors import MaskError, RequestError
from overpaint.geometry import Size
from overpaint.picture import from_array
from overpaint.request import BoxPart, EditRequest, MaskSpec
from stand_ins import StandIn

SIZE = Size(120, 90)
HOLE = (50, 30, 80, 60)
MARKED = (48, 0, 120, 90)  # all around the hole but on its left


def scene() -> NDArray[np.uint8]:
    """Grey noise, and all around the hole but on its left magenta noise."""
    rng = np.random.default_rng(5)
    pixels = np.repeat(rng.integers(90, 150, (90, 120, 1)), 3, axis=2)
    pixels[:, 48:] = np.array([230, 10, 220]) + rng.integers(-9, 10, (90, 72, 1))
    return pixels.astype(np.uint8)


def magenta(picture: Picture | NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(h, w): pixels of the hole that are more magenta than any grey pixel."""
    samples = picture.samples if isinstance(picture, Picture) else picture
    left, top, right, bottom = HOLE
    inside = samples[top:bottom, left:right].astype(int)
    return inside[..., 0] - inside[..., 1] > 12


def remove(**settings: Any) -> overpaint.Edited:
    settings = {"engine": "exemplar", "seed": 1, "strict": True, **settings}
    return overpaint.remove(from_array(scene()), Mask.box(SIZE, HOLE), **settings)


@pytest.mark.parametrize("engine", ["exemplar", "telea", "navier-stokes", "biharmonic", "blur"])
def test_engines_that_continue_the_surroundings_leave_out_what_is_avoided(engine: str) -> None:
    assert magenta(remove(engine=engine).picture).any(), "the test is void if nothing is copied from there anyway"
    edited = remove(engine=engine, avoid=Mask.box(SIZE, MARKED))
    assert not magenta(edited.picture).any()
    assert edited.notes == ()


def test_the_surroundings_go_on_behind_what_is_avoided_beside_the_hole() -> None:
    """Sky over sea, of which a hole's left and right are avoided: its edge there is no blend of both."""
    pixels = np.random.default_rng(0).normal(0, 2.5, (90, 120, 3)) + 190
    pixels[45:] -= 127
    aside = Mask.box(SIZE, (0, 20, 44, 70)) | Mask.box(SIZE, (76, 20, 120, 70))
    picture, hole = from_array(pixels.astype(np.uint8)), Mask.box(SIZE, (44, 30, 76, 60))
    edited = overpaint.remove(picture, hole, seed=1, strict=True, avoid=aside)
    rows = edited.picture.samples[30:60, 44:76].mean(axis=2)
    assert np.abs(rows[:12] - 190).max() < 25
    assert np.abs(rows[18:] - 63).max() < 25


def shore() -> NDArray[np.float64]:
    """Sky over sea, (90, 160, 3)."""
    pixels = np.random.default_rng(0).normal(0, 2.5, (90, 160, 3)) + 190
    pixels[45:] -= 127
    return pixels


def test_what_is_avoided_is_joined_where_it_looks_like_what_is_known() -> None:
    """A box around a red person holds sky and sea too, darker there: the hole has no edge at the box."""
    pixels = shore()
    pixels[:, 80:] -= np.linspace(0, 40, 80)[None, :, None]
    pixels[10:70, 120:130] = (230, 20, 40)
    picture, hole = from_array(pixels.astype(np.uint8)), Mask.box(Size(160, 90), (70, 25, 110, 65))
    aside = Mask.box(picture.size, (110, 0, 160, 90))
    edited = overpaint.remove(picture, hole, seed=1, strict=True, avoid=aside)
    steps = edited.picture.samples[25:65, 109:112].astype(float).mean(axis=2)
    for rows in (slice(0, 15), slice(25, 40)):
        assert abs((steps[rows, 0] - steps[rows, 1]).mean()) < 4
    inside = edited.picture.samples[25:65, 70:110].astype(int)
    assert (inside[..., 0] - inside[..., 1]).max() < 30


def test_extension_goes_on_behind_what_is_avoided_at_the_border() -> None:
    """Sky over sea, at whose right border all is red and avoided: the horizon goes on beyond it."""
    pixels = shore()
    pixels[:, 130:] = (230, 20, 40)
    avoid = Mask.box(Size(160, 90), (130, 0, 160, 90))
    with Studio() as studio:
        picture = from_array(pixels.astype(np.uint8))
        edited = studio.edit(picture, intent="expand", margins=(0, 0, 50, 0), seed=1, avoid=avoid)
    rows = edited.picture.samples[:, 162:].mean(axis=(1, 2))
    assert np.abs(rows[:40] - 190).max() < 10
    assert np.abs(rows[50:] - 63).max() < 10


def test_extension_leaves_out_what_is_avoided() -> None:
    with Studio() as studio:
        plain, avoiding = (
            studio.edit(from_array(scene()), intent="expand", margins=(0, 0, 20, 0), seed=1, avoid=avoid)
            for avoid in (None, Mask.box(SIZE, MARKED))
        )
    new = [edited.picture.samples[:, 120:].astype(int) for edited in (plain, avoiding)]
    assert (new[0][..., 0] - new[0][..., 1] > 12).mean() > 0.9
    assert (new[1][..., 0] - new[1][..., 1] <= 12).all()
    contrast = np.std(scene()[:, :48].astype(float).mean(axis=2))
    assert new[1].mean(axis=2).std() > contrast / 2, "the grey noise goes on, not its mean"


AVOIDS: dict[str, Any] = {
    "a mask": Mask.box(SIZE, MARKED),
    "an array": Mask.box(SIZE, MARKED).values,
    "a request's mask": MaskSpec(parts=(BoxPart(box=MARKED),)),
    "a request's table": {"parts": [{"kind": "box", "box": MARKED}]},
}


@pytest.mark.parametrize("avoid", AVOIDS.values(), ids=AVOIDS.keys())
def test_it_is_given_in_any_form_of_a_mask_and_recorded(avoid: Any) -> None:
    edited = remove(avoid=avoid)
    assert not magenta(edited.picture).any()
    assert edited.request.avoid is not None
    assert edited.resolved.avoid == edited.request.avoid
    again = overpaint.edit(edited.original, EditRequest.from_json(edited.request.to_json()), inputs={})
    assert again.pixels_sha256 == edited.pixels_sha256
    assert edited.resolved.digest != remove().resolved.digest


def test_a_large_mask_is_named_by_its_digest() -> None:
    noise = np.random.default_rng(2).integers(0, 2, (900, 1200)) > 0
    picture = from_array(np.zeros((900, 1200, 3), np.uint8))
    edited = overpaint.remove(picture, Mask.box(picture.size, HOLE), engine="telea", avoid=noise)
    spec = edited.request.avoid
    assert spec is not None
    assert spec.parts[0].raster.data is None
    assert spec.parts[0].raster.sha256 in edited.rasters.by_digest


def test_an_engine_that_copies_nothing_says_so_and_records_nothing() -> None:
    edited = overpaint.recolor(from_array(scene()), Mask.box(SIZE, MARKED), "green", avoid=Mask.box(SIZE, HOLE))
    assert "recolor does not use avoid" in edited.notes
    assert edited.resolved.avoid is None


def test_a_place_that_the_engine_does_not_see_is_noted() -> None:
    picture = from_array(np.random.default_rng(3).integers(0, 256, (60, 900, 3), dtype=np.uint8))
    far = Mask.box(picture.size, (800, 0, 900, 60))
    edited = overpaint.remove(picture, Mask.box(picture.size, (10, 10, 30, 30)), engine="telea", avoid=far)
    assert edited.notes == ("avoid lies beyond the surroundings that were seen, and had no effect",)


def test_a_place_from_which_nothing_is_copied_anyway_is_noted() -> None:
    assert remove(avoid=Mask.box(SIZE, HOLE)).notes[-1].startswith("avoid lies within what is repainted")


def test_a_mask_that_may_be_inverted_is_noted() -> None:
    edited = remove(avoid=Mask.box(SIZE, (10, 0, 120, 90)))
    assert edited.notes == ("avoid: it covers 91% of what is not repainted",)


class TestErrors:
    def test_nothing_is_left_to_copy(self) -> None:
        with pytest.raises(MaskError, match="avoid covers all of the 120x90 picture that is not repainted") as caught:
            remove(avoid=Mask.box(SIZE, HOLE).invert())
        assert (caught.value.code, caught.value.field) == ("avoid-everything", "avoid")

    def test_nothing_is_left_of_what_the_engine_sees(self) -> None:
        picture = from_array(np.zeros((60, 900, 3), np.uint8))
        seen = Mask.box(picture.size, (0, 0, 700, 60))
        with pytest.raises(MaskError, match="avoid covers all that telea sees around the box 5,5,35,35"):
            overpaint.remove(picture, Mask.box(picture.size, (10, 10, 30, 30)), engine="telea", avoid=seen)

    def test_a_mask_that_covers_all_is_not_blamed_on_what_is_avoided(self) -> None:
        with pytest.raises(MaskError, match="the mask leaves none to copy from") as caught:
            overpaint.remove(from_array(scene()), Mask.full(SIZE), engine="telea", avoid=Mask.box(SIZE, MARKED))
        assert (caught.value.code, caught.value.field) == ("mask-covers-all", "mask")

    def test_an_engine_that_paints_from_a_prompt_needs_nothing_to_copy(self) -> None:
        card = EngineCard(
            name="stand-in",
            title="",
            paints_from="prompt",
            accepts=frozenset({"prompt", "avoid"}),
            context=Context(0, 8),
        )
        picture = from_array(np.zeros((60, 900, 3), np.uint8))
        with Studio() as studio:
            studio.add_engine(StandIn(lambda canvas, _: Painted(np.ones_like(canvas.pixels)), card))
            edited = studio.edit(
                picture,
                mask=Mask.box(picture.size, (10, 10, 30, 30)),
                intent="replace",
                prompt="snow",
                engine="stand-in",
                avoid=Mask.box(picture.size, (0, 0, 700, 60)),
            )
        assert edited.picture.samples[20, 20].tolist() == [255, 255, 255]

    @pytest.mark.parametrize(
        ("avoid", "words"),
        [
            (np.zeros((90, 120), bool), "avoid: the mask is empty"),
            (np.ones((9, 12), bool), "avoid: the mask is 12x9"),
        ],
    )
    def test_they_name_the_field(self, avoid: NDArray[np.bool_], words: str) -> None:
        with pytest.raises(MaskError, match=words) as caught:
            remove(avoid=avoid)
        assert caught.value.field == "avoid"

    def test_twice(self) -> None:
        request = EditRequest(intent="remove", avoid=MaskSpec(parts=(BoxPart(box=MARKED),)))
        with pytest.raises(RequestError, match="given twice"):
            overpaint.edit(from_array(scene()), request, mask=Mask.box(SIZE, HOLE), avoid=Mask.box(SIZE, MARKED))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in with the scene, its mask, and a mask of what is avoided."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(scene()).save("photo.png")
    for name, box in (("mask", HOLE), ("avoid", MARKED)):
        Image.fromarray(Mask.box(SIZE, box).to_bytes8()).save(f"{name}.png")
    return tmp_path


def result(name: str) -> NDArray[np.uint8]:
    with Image.open(name) as image:
        return np.asarray(image)


@pytest.mark.usefixtures("folder")
class TestDoors:
    @pytest.mark.parametrize("words", [["--avoid", "avoid.png"], ["--avoid-box", "40%,0,100%,100%"]])
    def test_the_command_line_and_a_replay(self, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        call = ["remove", "photo.png", "--mask", "mask.png", "--strict", *words, "-o", "out.png"]
        assert main(call) == 0
        assert not magenta(result("out.png")).any()
        assert "avoid" not in capsys.readouterr().err
        assert main(["replay", "out.png"]) == 0

    def test_its_errors_name_the_option(self, capsys: pytest.CaptureFixture[str]) -> None:
        Image.fromarray(np.zeros((9, 12), np.uint8)).save("small.png")
        assert main(["remove", "photo.png", "--mask", "mask.png", "--avoid", "small.png"]) == 2
        assert "avoid" in capsys.readouterr().err
        for box in ("5,5,5,5", "1,2,3", "1,2,3,x", "nan,0,5,5"):
            assert main(["remove", "photo.png", "--mask", "mask.png", "--avoid-box", box]) == 2
            assert capsys.readouterr().err.startswith("overpaint: --avoid-box")

    def test_it_is_read_as_the_mask_is(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Its transparent part is what the other channel leaves out, where no mask file has the say."""
        layer = np.full((SIZE.height, SIZE.width, 4), 255, np.uint8)
        layer[MARKED[1] : MARKED[3], MARKED[0] : MARKED[2], 3] = 0
        Image.fromarray(layer).save("layer.png")
        words = ["remove", "photo.png", "--box", "50,30,80,60", "--strict", "--avoid", "layer.png", "-o", "out.png"]
        assert main([*words, "--mask-channel", "transparent"]) == 0
        assert not magenta(result("out.png")).any()
        assert "no effect" not in capsys.readouterr().err

    def test_a_batch(self) -> None:
        table = {"parts": [{"kind": "box", "box": MARKED}]}
        rows = [
            {"image": "photo.png", "mask": "mask.png", "strict": True, "avoid": avoid, "id": name, "seed": 1}
            for name, avoid in (("file", "avoid.png"), ("list", ["avoid.png"]), ("table", table))
        ]
        Path("edits.jsonl").write_text("\n".join(map(json.dumps, rows)))
        call = ["batch", "edits.jsonl", "-o", "out", "--name", "{id}{ext}", "-q"]
        assert main(call) == 0
        for row in rows:
            assert not magenta(result(f"out/{row['id']}.png")).any()
        before = Path("out/file.png").read_bytes()
        Image.fromarray(Mask.box(SIZE, (100, 0, 120, 90)).to_bytes8()).save("avoid.png")
        assert main(call) == 0
        assert Path("out/file.png").read_bytes() != before, "another mask of what is avoided is another result"
