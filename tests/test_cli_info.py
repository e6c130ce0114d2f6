"""Info, engines and doctor say what is there: for people in rows, for programs as JSON."""

from __future__ import annotations

import json
import re
from importlib.metadata import metadata, version
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from overpaint import models
from overpaint.cli import doctor as doctor_module
from overpaint.cli import main
from overpaint.cli.doctor import Check
from overpaint.engines import names, patchmatch
from overpaint.errors import MissingExtraError
from test_diffusion_engine import checkpoint


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)).save("photo.png")
    return tmp_path


def test_info_of_a_plain_picture(capsys: pytest.CaptureFixture[str]) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    Image.new("RGBA", (30, 20)).save("a.png", icc_profile=profile.tobytes(), dpi=(300, 300))
    assert main(["info", "a.png"]) == 0
    shown = capsys.readouterr().out
    for word in ("png", "30x20", "sRGB", "300", "icc", "no record of how this picture was made"):
        assert word in shown
    assert all(line == line.rstrip() for line in shown.splitlines())
    assert main(["info", "a.png", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["width"], said["height"], said["depth"], said["alpha"]) == (30, 20, 8, True)
    assert "sRGB" in said["profile"]
    assert said["record"] is None


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tif"])
def test_info_tells_how_a_result_was_made(ending: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["remove", "photo.png", "--box", "10,10,30,30", "--engine", "telea", "--seed", "77", "-q"]
    assert main([*words, "-o", f"out.{ending}"]) == 0
    assert main(["info", f"out.{ending}", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)["record"]
    assert record["tool"] == "Overpaint"
    assert record["settings"]["engine"] == "telea"
    assert record["record"]["request"]["seed"] == 77
    assert "seed" not in record["record"]["resolved"], "telea uses none"
    assert main(["info", f"out.{ending}"]) == 0
    assert "remove with telea" in capsys.readouterr().out


def test_info_shows_what_was_avoided_put_in_and_doubted(capsys: pytest.CaptureFixture[str]) -> None:
    mug = Image.new("RGBA", (8, 6), (200, 30, 30, 255))
    mug.putpixel((0, 0), (0, 0, 0, 0))
    mug.save("mug.png")
    tools = ["--engine", "telea", "-q", "-o"]
    shapes = ["--box", "10,10,30,30", "--avoid-box", "35,5,50,20"]
    assert main(["remove", "photo.png", *shapes, *tools, "a.png"]) == 0
    assert main(["add", "photo.png", "--box", "10,10,30,30", "--with", "mug.png", "-o", "b.png"]) == 0
    assert "put the object into 1 region (20x20 px) with cutout" in capsys.readouterr().out
    for name, key, kept, shown in (
        ("a.png", "avoid", {"kind": "box", "box": [35, 5, 50, 20]}, "avoid .* box 35,5,50,20\n"),
        ("b.png", "insert", {"width": 8, "height": 6}, "insert .* a picture of 8x6, [0-9a-f]{12}...\n"),
    ):
        assert main(["info", name, "--json"]) == 0
        found = json.loads(capsys.readouterr().out)["record"]["settings"][key]
        assert kept.items() <= (found["parts"][0] if key == "avoid" else found).items()
        assert main(["info", name]) == 0
        assert re.search(shown, capsys.readouterr().out)


def test_info_tells_the_doubt_of_a_result(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["remove", "photo.png", "--box", "10,10,30,30", "--record", "sidecar", "-q", "-o", "a.png"]) == 0
    assert main(["info", "a.png"]) == 0
    assert "doubt " not in capsys.readouterr().out
    sidecar = tmp_path / "a.png.overpaint.json"
    record = json.loads(sidecar.read_text(encoding="utf-8"))
    sidecar.write_text(json.dumps({**record, "doubt": "the result is doubtful: a seam"}), encoding="utf-8")
    assert main(["info", "a.png"]) == 0
    assert re.search("doubt +the result is doubtful: a seam", capsys.readouterr().out)


@pytest.mark.parametrize("place", ["embed", "sidecar"])
def test_info_and_the_command_name_one_reach(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("jpeglib")
    Image.open("photo.png").save("photo.jpg", quality=90)
    words = ["remove", "photo.jpg", "--box", "18,18,22,22", "--engine", "telea", "--json", "--record", place]
    assert main(words) == 0
    reported = json.loads(capsys.readouterr().out)
    assert reported["fidelity"] == "blocks"
    assert main(["info", reported["output"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["record"]["record"]["reach"] == reported["reach"] > 9


def test_info_reads_what_automatic1111_wrote(capsys: pytest.CaptureFixture[str]) -> None:
    text = PngInfo()
    text.add_text(
        "parameters",
        "a red [door]\nNegative prompt: blurry\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 123, Size: 512x512",
    )
    Image.new("RGB", (16, 16)).save("web.png", pnginfo=text)
    assert main(["info", "web.png"]) == 0
    shown = capsys.readouterr().out
    for word in ("AUTOMATIC1111", "a red [door]", "blurry", "123"):
        assert word in shown


def test_engines_are_listed_with_their_cards(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["engines"]) == 0
    shown = capsys.readouterr().out
    assert main(["engines", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [one["name"] for one in said] == sorted(names())
    for one in said:
        assert one["usable"] is True
        assert one["name"] in shown
        assert main(["engines", one["name"]]) == 0
        details = capsys.readouterr().out
        for option in one["options"]:
            assert f"--option {option['name']}=" in details


def test_doctor_finds_everything_here(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {check["state"] for check in said} <= {"ok", "optional"}
    found = {check["what"]: check["found"] for check in said}
    assert {"Python", "overpaint", "device", "model store", "temporary folder"} <= set(found)
    assert found["torch"] == version("torch")
    assert found["jpeglib (extra jpeg)"] == version("jpeglib")
    assert "comes with overpaint" in found["model pocket"]
    assert {f"engine {name}" for name in names()} <= set(found)


def test_doctor_says_what_fits_into_memory(model_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The usual families where no checkpoint is installed, else what is."""
    for expected in (("Stable Diffusion 1.x inpainting, 512x512", "SDXL inpainting, 1024x1024"), ("mine, 64x64",)):
        main(["doctor", "--json"])
        said = {check["what"]: check for check in json.loads(capsys.readouterr().out) if "bytes" in check}
        assert set(said) == {f"memory for {one}" for one in expected}
        for check in said.values():
            numbers = check["bytes"]
            assert numbers["plain"].keys() == numbers["fp8"].keys()
            assert 0 < numbers["fp8"]["whole"] <= numbers["plain"]["whole"]
            assert 0 < numbers["free"] <= numbers["total"]
            fitting = numbers["plain"]["whole"] <= 0.9 * numbers["free"]
            assert fitting == (numbers["fits"] == "whole" and not numbers["with_fp8"])
            unit = (9, "GB") if numbers["plain"]["whole"] >= 10**8 else (6, "MB")
            assert f" {numbers['plain']['whole'] / 10 ** unit[0]:.1f} {unit[1]}" in check["found"]
        checkpoint(models.store_folder() / "mine", 9)
    assert numbers["plain"]["whole"] < 10**8


def test_engines_that_lack_an_extra_are_listed_with_what_they_need(monkeypatch, capsys) -> None:
    def missing() -> None:
        raise MissingExtraError("the engine patchmatch needs pypatchmatch")

    monkeypatch.setattr(patchmatch, "_package", missing)
    assert main(["engines"]) == 0
    assert re.search("patchmatch +surroundings +can't be used: the engine patchmatch needs", capsys.readouterr().out)
    assert main(["engines", "patchmatch"]) == 0
    shown = capsys.readouterr().out
    assert "needs pypatchmatch" in shown
    assert "--option radius=" in shown
    assert main(["engines", "--json"]) == 0
    (said,) = (one for one in json.loads(capsys.readouterr().out) if not one["usable"])
    assert (said["name"], said["fault"]) == ("patchmatch", "the engine patchmatch needs pypatchmatch")
    assert said["options"]


def test_doctor_names_engines_that_can_not_be_used(monkeypatch, capsys) -> None:
    def missing() -> None:
        raise MissingExtraError("the engine patchmatch needs pypatchmatch")

    def broken() -> None:
        raise OSError("no such device")

    monkeypatch.setattr(patchmatch, "_package", missing)
    assert main(["doctor"]) == 0
    assert "optional  engine patchmatch" in capsys.readouterr().out
    monkeypatch.setattr(patchmatch, "_package", broken)
    assert main(["doctor"]) == 1
    assert re.search("missing +engine patchmatch +no such device", capsys.readouterr().out)


def test_doctor_knows_what_every_extra_is_good_for() -> None:
    extras = set(metadata("overpaint").get_all("Provides-Extra") or ())
    assert extras == set(doctor_module.EXTRAS)


def test_doctor_names_missing_parts_and_their_remedies(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = [
        Check("Python", "ok", "3.11"),
        Check("numpy", "missing", "not installed", "pip install 'numpy>=2.0'"),
        Check("extra jpeg", "optional", "not installed", "pip install 'overpaint[jpeg]'"),
    ]
    monkeypatch.setattr(doctor_module, "look", lambda: iter(checks))
    assert main(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "missing   numpy" in shown
    assert "→ pip install 'numpy>=2.0'" in shown
    assert "1 missing" in shown
