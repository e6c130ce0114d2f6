"""A verb paints, saves and tells: what is written is what was asked, and the rest of the picture stays."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from overpaint.cli import main
from overpaint.errors import OutputError
from overpaint.layers._psd import LARGEST_SIDE
from overpaint.record import read_record


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a picture and a mask of 30 pixels by 20 in its middle."""
    monkeypatch.chdir(tmp_path)
    noise = np.random.default_rng(7).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).save("photo.png")
    mask = np.zeros((60, 80), np.uint8)
    mask[20:40, 25:55] = 255
    Image.fromarray(mask).save("mask.png")
    return tmp_path


def pixels(name: str) -> NDArray[np.uint8]:
    with Image.open(name) as image:
        return np.asarray(image)


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return parsed


@pytest.mark.usefixtures("folder")
class TestOnePicture:
    def test_without_a_name_the_result_lies_beside_the_picture(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["remove", "photo.png", "--mask", "mask.png", "--engine", "telea"]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        assert out.startswith("photo.remove.png: removed 1 region (30x20 px) with telea in ")
        assert "every other pixel unchanged" in out
        before, after = pixels("photo.png"), pixels("photo.remove.png")
        changed = (before != after).any(axis=2)
        assert changed[20:40, 25:55].mean() > 0.95
        reach = int(out.split("reach ")[1].split(" px")[0])
        changed[20 - reach : 40 + reach, 25 - reach : 55 + reach] = False
        assert not changed.any()

    def test_json_says_what_happened(self, capsys: pytest.CaptureFixture[str]) -> None:
        words = [
            "remove",
            "photo.png",
            "--box",
            "25,20,55,40",
            "--engine",
            "telea",
            "--seed",
            "5",
            "--json",
            "-o",
            "a.png",
        ]
        assert main(words) == 0
        said = printed(capsys)
        assert said["input"] == "photo.png"
        assert said["output"] == "a.png"
        assert said["fidelity"] == "lossless"
        assert said["changed_beyond_reach"] == 0
        assert (said["engine"], said["intent"], said["seed"]) == ("telea", "remove", None)
        assert said["size"] == [80, 60]
        assert len(said["regions"]) == 1
        left, top, right, bottom = said["regions"][0]["box"]
        assert left <= 25
        assert top <= 20
        assert right >= 55
        assert bottom >= 40
        assert 0 < said["reach"] <= 96

    def test_strict_ends_at_the_mask(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["remove", "photo.png", "--mask", "mask.png", "--engine", "blur", "--strict", "--json"]) == 0
        assert printed(capsys)["reach"] == 0
        changed = (pixels("photo.png") != pixels("photo.remove.png")).any(axis=2)
        assert not changed[pixels("mask.png") == 0].any()

    def test_strict_drops_grow_and_feather_with_a_note(self, capsys: pytest.CaptureFixture[str]) -> None:
        words = [
            "remove",
            "photo.png",
            "--mask",
            "mask.png",
            "--engine",
            "blur",
            "--strict",
            "--feather",
            "5",
            "--json",
        ]
        assert main(words) == 0
        said = printed(capsys)
        assert said["reach"] == 0
        assert "strict ends at the mask, so that feather had no effect" in said["notes"]
        found = read_record("photo.remove.png")
        assert found is not None
        assert "feather" not in found.settings

    def test_an_engine_of_the_surroundings_fills_whatever_the_intent(self, capsys: pytest.CaptureFixture[str]) -> None:
        words = ["recolor", "photo.png", "--mask", "mask.png", "--engine", "telea", "--prompt", "red"]
        assert main(words) == 0
        out = capsys.readouterr().out
        assert "filled 1 region" in out
        assert "recoloured" not in out

    def test_places_are_joined_and_then_turned_round(self, capsys: pytest.CaptureFixture[str]) -> None:
        words = ["edit", "photo.png", "--box", "0,0,80,20", "--ellipse", "0,20,80,60", "--polygon", "0,0 80,0 80,60"]
        assert main([*words, "--invert", "--engine", "blur", "--strict", "-q"]) == 0
        assert capsys.readouterr().out == ""
        changed = (pixels("photo.png") != pixels("photo.custom.png")).any(axis=2)
        assert changed[59, 0]  # in no shape
        assert not changed[:20].any()
        assert not changed[40, 40]

    def test_grow_and_feather_reach_the_edge(self, capsys: pytest.CaptureFixture[str]) -> None:
        words = ["remove", "photo.png", "--mask", "mask.png", "--engine", "blur", "--grow", "6", "--feather", "4"]
        assert main([*words, "--json"]) == 0
        region = printed(capsys)["regions"][0]
        assert (region["grow"], region["feather"]) == (6, 4)

    def test_a_jpeg_stays_as_it_is_beyond_its_blocks(self, capsys: pytest.CaptureFixture[str]) -> None:
        Image.open("photo.png").save("photo.jpg", quality=90)
        pytest.importorskip("jpeglib")
        assert main(["remove", "photo.jpg", "--mask", "mask.png", "--engine", "telea", "--json"]) == 0
        said = printed(capsys)
        assert said["output"] == "photo.remove.jpg"
        assert said["fidelity"] == "blocks"
        assert said["changed_beyond_reach"] == 0
        changed = (pixels("photo.jpg") != pixels("photo.remove.jpg")).any(axis=2)
        assert changed[20:40, 25:55].any()
        assert not changed[:, 75:].any()  # the last blocks across are out of reach

    def test_a_lossy_save_says_how_much_it_changed(self, capsys: pytest.CaptureFixture[str]) -> None:
        words = ["remove", "photo.png", "--mask", "mask.png", "--engine", "telea", "-o", "a.jpg", "--quality", "60"]
        assert main(words) == 0
        out = capsys.readouterr().out
        assert "saved as jpeg, which changed" in out
        assert "unchanged" not in out
        assert main([*words[:1], "a.jpg", *words[2:5], "telea", "-o", "b.jpg", "--quality", "60"]) == 0
        assert "saved again as jpeg" in capsys.readouterr().out

    def test_the_summary_counts_the_parts_that_were_painted(self, capsys: pytest.CaptureFixture[str]) -> None:
        words = ["remove", "photo.png", "--box", "5,5,15,15", "--box", "20,5,30,10", "--box", "5,20,10,35"]
        assert main([*words, "--engine", "telea"]) == 0
        assert "removed 3 regions (together within 25x30 px)" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("name", "kind", "as_saved"),
        [
            ("a.png", "1", "grey 8-bit"),
            ("a.png", "P", "rgb 8-bit"),
            ("a.tif", "1", "grey 8-bit"),
            ("a.gif", "P", "rgb"),
        ],
    )
    def test_pixels_that_take_more_room_than_the_originals_are_noted(self, name, kind, as_saved, capsys) -> None:
        Image.open("photo.png").convert(kind).save(name)
        words = ["remove", name, "--mask", "mask.png", "--engine", "telea"]
        assert main(words) == 0
        assert f"note: saved as {as_saved}" in capsys.readouterr().err
        assert main([*words, "-o", "a.jpg"]) == 0
        assert "saved as" not in capsys.readouterr().err

    @pytest.mark.parametrize("name", ["a.webp", "a.avif"])
    def test_a_lossy_picture_that_is_kept_without_loss_is_noted(self, name, capsys) -> None:
        Image.open("photo.png").save(name, quality=40)
        words = ["remove", name, "--mask", "mask.png", "--engine", "telea", "--overwrite"]
        assert main(words) == 0
        note = capsys.readouterr().err
        assert "times as large as the original, which is lossy: --quality makes it smaller" in note
        for other in (["--quality", "80"], ["-o", "a.png"]):
            assert main([*words, *other]) == 0
            assert "without loss" not in capsys.readouterr().err
        Image.open("photo.png").save("b.webp", lossless=True)
        assert main(["remove", "b.webp", *words[2:]]) == 0
        assert capsys.readouterr().err == ""

    def test_the_format_can_be_named(self) -> None:
        assert main(["remove", "photo.png", "--mask", "mask.png", "--engine", "telea", "--format", "tif", "-q"]) == 0
        assert Path("photo.remove.tif").read_bytes()[:2] in (b"II", b"MM")

    def test_companions_are_written_beside_it(self, capsys: pytest.CaptureFixture[str]) -> None:
        words = ["remove", "photo.png", "--mask", "mask.png", "--engine", "telea", "--compare", "c.png"]
        assert main([*words, "--layers", "l.psd", "--record", "sidecar", "--json"]) == 0
        said = printed(capsys)
        assert (said["compare"], said["layers"]) == ("c.png", "l.psd")
        assert pixels("c.png").shape[1] > 80
        assert Path("l.psd").read_bytes()[:4] == b"8BPS"
        assert Path(said["sidecar"]).is_file()
        found = read_record("photo.remove.png")
        assert found is not None
        assert found.place == "sidecar"

    def test_a_companion_that_fails_leaves_no_file_in_the_way_of_the_next_try(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> NoReturn:
            raise OutputError("no layer")

        words = ["remove", "photo.png", "--mask", "mask.png", "--engine", "telea", "--compare", "c.png", "-q"]
        with monkeypatch.context() as patch:
            patch.setattr("overpaint.layers._psd.packed_rows", fail)
            assert main([*words, "--layers", "l.psd"]) != 0
        assert not Path("photo.remove.png").exists()
        assert main([*words, "--layers", "l.psd"]) == 0

    def test_a_picture_that_is_too_large_for_layers_is_not_painted(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def fail(*_: object, **__: object) -> NoReturn:
            raise AssertionError("it was painted")

        monkeypatch.setitem(LARGEST_SIDE, "psd", 10)
        monkeypatch.setattr("overpaint.studio.Studio.variations", fail)
        assert main(["remove", "photo.png", "--mask", "mask.png", "--layers", "l.psd", "--json"]) == 1
        error = printed(capsys)["error"]
        assert (error["code"], error["field"]) == ("output-too-large", "layers")

    def test_without_a_record_no_mask_is_coded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> NoReturn:
            raise AssertionError("the mask was coded")

        monkeypatch.setattr("overpaint.studio.inputs.spec_of", fail)
        words = ["remove", "photo.png", "--mask", "mask.png", "--engine", "telea", "--layers", "l.psd"]
        assert main([*words, "--record", "none"]) == 0
        assert main([*words, "--record", "none", "--json", "--overwrite"]) == 0

    def test_the_record_has_the_shapes_and_may_be_left_out(self) -> None:
        words = ["remove", "photo.png", "--box", "25,20,55,40", "--engine", "telea", "--seed", "9", "-q"]
        assert main([*words, "-o", "with.png"]) == 0
        assert main([*words, "-o", "without.png", "--record", "none"]) == 0
        found = read_record("with.png")
        assert found is not None
        assert found.record is not None
        assert found.record.request.seed == 9
        assert found.record.request.mask is not None
        assert found.record.request.mask.parts[0].kind == "box"
        assert read_record("without.png") is None

    def test_variations_have_seeds_one_after_another(self, capsys: pytest.CaptureFixture[str]) -> None:
        words = ["remove", "photo.png", "--mask", "mask.png", "--engine", "exemplar", "--seed", "41"]
        assert main([*words, "--variations", "3", "--json"]) == 0
        table = printed(capsys)
        said = table["variations"]
        assert table["seconds"] > 0, "they are painted together: none has seconds of its own"
        assert not any("seconds" in one for one in said)
        assert [one["seed"] for one in said] == [41, 42, 43]
        assert [one["output"] for one in said] == [f"photo.remove-{number}.png" for number in (1, 2, 3)]
        assert main([*words, "-n", "2", "-o", "out.png", "-q"]) == 0
        assert Path("out-1.png").is_file()
        assert Path("out-2.png").is_file()

    def test_info_shows_what_a_variation_takes_beside_its_seed(self, capsys: pytest.CaptureFixture[str]) -> None:
        words = ["remove", "photo.png", "--mask", "mask.png", "--engine", "exemplar", "-q"]
        assert main([*words, "--seed", "41", "-n", "2"]) == 0
        assert main(["info", "photo.remove-2.png"]) == 0
        assert '{"variety": 0.2}' in capsys.readouterr().out
        assert main([*words, "--seed", "42", "--option", "variety=0.2", "-o", "again.png"]) == 0
        assert np.array_equal(pixels("again.png"), pixels("photo.remove-2.png"))

    def test_a_drawn_seed_is_counted_on(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["remove", "photo.png", "--mask", "mask.png", "--engine", "exemplar", "-n", "2", "--json"]) == 0
        first, second = printed(capsys)["variations"]
        assert second["seed"] == first["seed"] + 1

    def test_variations_before_a_failure_are_kept_and_reported(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        from overpaint.engines.exemplar import Exemplar
        from overpaint.errors import EngineError

        paint_one = Exemplar.paint_one

        def fail_at_43(engine: Exemplar, canvas: Any, monitor: Any) -> Any:
            if canvas.seed == 43:
                raise EngineError("out of paint")
            return paint_one(engine, canvas, monitor)

        monkeypatch.setattr(Exemplar, "paint_one", fail_at_43)
        words = ["remove", "photo.png", "--mask", "mask.png", "--engine", "exemplar", "--seed", "42", "-n", "3"]
        assert main(words) == 1
        out, err = capsys.readouterr()
        assert out.startswith("photo.remove-1.png: removed")
        assert out.count("\n") == 1
        assert err == "overpaint: out of paint\n"
        assert Path("photo.remove-1.png").is_file()
        assert not Path("photo.remove-2.png").exists()
        assert not Path("photo.remove-sheet.png").exists()

    def test_variations_come_with_a_contact_sheet_unless_that_is_not_wanted(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        words = ["remove", "photo.png", "--mask", "mask.png", "--engine", "exemplar", "--seed", "41", "-n", "2"]
        assert main([*words, "--no-sheet"]) == 0
        assert not Path("photo.remove-sheet.png").exists()
        shown = capsys.readouterr().out
        assert "sheet" not in shown
        assert re.search(r"with exemplar; reach .*\n2 variations in \d+\.\d s\n$", shown)
        assert main([*words, "--overwrite"]) == 0
        assert "photo.remove-sheet.png: all 2, with their seeds" in capsys.readouterr().out
        assert pixels("photo.remove-sheet.png").shape[2] == 3
        assert main([*words, "-o", "out.jpg", "--json"]) == 0
        assert printed(capsys)["sheet"] == "out-sheet.jpg"
        assert main([*words[:-1], "1", "-o", "one.png", "--json"]) == 0
        assert "sheet" not in printed(capsys)
        assert not Path("one-sheet.png").exists()

    def test_a_sheet_that_is_there_already_is_found_out_first(self, capsys: pytest.CaptureFixture[str]) -> None:
        Path("out-sheet.png").write_bytes(b"mine")
        words = ["remove", "photo.png", "--mask", "mask.png", "--engine", "exemplar", "-n", "2", "-o", "out.png"]
        assert main(words) == 1
        assert "out-sheet.png" in capsys.readouterr().err
        assert Path("out-sheet.png").read_bytes() == b"mine"
        assert not Path("out-1.png").exists()

    def test_the_input_may_be_overwritten_with_the_option(self) -> None:
        before = pixels("photo.png").copy()
        words = ["remove", "photo.png", "--mask", "mask.png", "--engine", "exemplar", "-o", "photo.png"]
        assert main(words) == 1
        assert np.array_equal(pixels("photo.png"), before)
        assert main([*words, "--overwrite", "-q"]) == 0
        assert not np.array_equal(pixels("photo.png"), before)

    def test_options_of_an_engine_are_checked_by_it(self, capsys: pytest.CaptureFixture[str]) -> None:
        words = ["remove", "photo.png", "--mask", "mask.png", "--engine", "telea", "--option", "radus=3"]
        assert main(words) == 2
        assert "radus" in capsys.readouterr().err

    def test_a_prompt_to_an_engine_without_prompts_is_noted(self, capsys: pytest.CaptureFixture[str]) -> None:
        words = ["remove", "photo.png", "--mask", "mask.png", "--engine", "telea", "--prompt", "grass"]
        assert main(words) == 0
        assert "note: telea does not use prompt" in capsys.readouterr().err

    def test_the_scene_is_added_to_the_prompt(self, capsys: pytest.CaptureFixture[str]) -> None:
        words = ["remove", "photo.png", "--mask", "mask.png", "--engine", "telea", "--prompt", "a bench", "--scene"]
        assert main([*words, "--json"]) == 0
        assert printed(capsys)["prompt"].startswith("a bench, ")


@pytest.mark.usefixtures("folder")
class TestExpand:
    def test_it_grows_and_keeps_what_was_there(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["expand", "photo.png", "--left", "10%", "--bottom", "5", "--engine", "telea", "--json"]) == 0
        said = printed(capsys)
        assert said["size"] == [88, 65]
        assert said["placed"] == [8, 0, 88, 60]
        reach = said["reach"]
        after = pixels("photo.expand.png")
        assert np.array_equal(after[: 60 - reach, 8 + reach :], pixels("photo.png")[: 60 - reach, reach:])

    def test_it_reaches_an_aspect_ratio(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["expand", "photo.png", "--aspect", "2:1", "--engine", "telea"]) == 0
        assert capsys.readouterr().out.startswith("photo.expand.png: expanded 80x60 to 120x60 with telea")


@pytest.mark.usefixtures("folder")
class TestRequestFiles:
    def test_options_come_before_the_file(self, capsys: pytest.CaptureFixture[str]) -> None:
        Path("ask.toml").write_text(
            'schema = 1\nintent = "remove"\nengine = "blur"\nseed = 3\n'
            '[mask]\nparts = [{kind = "box", box = [25, 20, 55, 40]}]\n'
        )
        assert main(["edit", "photo.png", "--request", "ask.toml", "--engine", "telea", "--json"]) == 0
        said = printed(capsys)
        assert (said["intent"], said["engine"], said["seed"]) == ("remove", "telea", None)
        assert said["output"] == "photo.remove.png"

    def test_a_record_s_request_gives_the_same_pixels_again(self) -> None:
        words = ["--engine", "telea", "--grow", "3", "--feather", "2", "-q"]
        assert main(["remove", "photo.png", "--mask", "mask.png", *words, "-o", "once.png"]) == 0
        found = read_record("once.png")
        assert found is not None
        assert found.record is not None
        Path("again.json").write_text(found.record.request.to_json())
        assert main(["edit", "photo.png", "--request", "again.json", "-o", "twice.png", "-q"]) == 0
        assert np.array_equal(pixels("once.png"), pixels("twice.png"))

    def test_margins_in_a_file_grow_the_picture(self, capsys: pytest.CaptureFixture[str]) -> None:
        Path("ask.json").write_text('{"intent": "expand", "margins": [4, 0, 0, 0], "engine": "blur"}')
        assert main(["edit", "photo.png", "--request", "ask.json", "--json"]) == 0
        assert printed(capsys)["size"] == [84, 60]


class _Bytes:
    """A stand-in for a standard stream with bytes beneath."""

    def __init__(self, data: bytes = b"") -> None:
        self.buffer = io.BytesIO(data)

    def flush(self) -> None:
        pass

    def isatty(self) -> bool:
        return False


@pytest.mark.usefixtures("folder")
def test_a_picture_goes_from_standard_input_to_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    out = _Bytes()
    monkeypatch.setattr(sys, "stdin", _Bytes(Path("photo.png").read_bytes()))
    monkeypatch.setattr(sys, "stdout", out)
    assert main(["remove", "-", "--mask", "mask.png", "--engine", "telea", "-o", "-"]) == 0
    monkeypatch.undo()
    with Image.open(io.BytesIO(out.buffer.getvalue())) as image:
        assert image.format == "PNG"
        assert image.size == (80, 60)


@pytest.mark.usefixtures("folder")
def test_a_sketch_with_alpha_is_the_mask_where_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    strokes = np.zeros((60, 80, 4), np.uint8)
    strokes[10:20, 10:30] = (200, 30, 30, 255)
    Image.fromarray(strokes).save("sketch.png")
    assert main(["edit", "photo.png", "--sketch", "sketch.png", "--engine", "blur", "--strict", "--json"]) == 0
    assert printed(capsys)["regions"][0]["box"] == [10, 10, 30, 20]


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("a.png", "PNG"),
        ("a.jpeg", "JPEG"),
        ("a.tif", "TIFF"),
        ("a.webp", "WEBP"),
        ("png.jpg", "PNG"),
        ("a.heic", "HEIF"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_the_name_beside_the_picture_is_the_library_s(name: str, format: str) -> None:
    from overpaint.mask import Mask
    from overpaint.studio import Studio

    if format == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    with Image.open("photo.png") as image:
        image.save(name, format=format)
    assert main(["remove", name, "--box", "10,10,20,20", "--engine", "blur", "-q"]) == 0
    with Studio() as studio:
        edited = studio.edit(name, intent="remove", mask=Mask.box((80, 60), (10, 10, 20, 20)), engine="blur")
    assert edited.default_path().is_file()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.usefixtures("folder")
def test_progress_is_shown_on_a_terminal_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["remove", "photo.png", "--mask", "mask.png", "--engine", "telea", "--overwrite"]
    for more, shown in ([], True), (["--quiet"], False):
        terminal = _Terminal()
        monkeypatch.setattr(sys, "stderr", terminal)
        monkeypatch.setenv("TERM", "xterm")
        assert main([*words, *more]) == 0
        assert ("saving" in terminal.getvalue()) is shown
