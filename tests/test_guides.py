"""What guides a model, at the doors: mistakes in controls and regional prompts, defaults of a batch, kinds of files,
forged records, and processes that are killed.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from batches import Bench, photo, pixels
from forks import Forked
from overpaint import Studio
from overpaint.cli import main
from overpaint.cli.messages import in_json, in_line
from overpaint.engines import Canvas, EngineCard
from overpaint.errors import ModelError
from overpaint.models import find_control, find_reference
from overpaint.picture import Metadata, Picture, open_picture
from overpaint.picture.colour import converter_for
from overpaint.studio.controls import control_raster
from stand_ins import echo
from test_picture_colour import profile

GUIDED = EngineCard(
    name="stand-in",
    title="",
    paints_from="prompt",
    accepts=frozenset({"controls", "prompt", "regional_prompts", "seed"}),
)
DRAWING = np.zeros((60, 80), np.uint8)
DRAWING[20:40, 25:55] = 255
DRAWING[:, 60:] = 100
COLOURED = np.stack([DRAWING, DRAWING // 2, 255 - DRAWING], axis=2)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a picture and lines that are drawn on paper, in which the command line runs."""
    monkeypatch.chdir(tmp_path)
    photo(tmp_path / "photo.png", size=(80, 60))
    Image.fromarray(255 - DRAWING).save("lines.png")
    return tmp_path


@pytest.fixture
def canvases(monkeypatch: pytest.MonkeyPatch) -> list[Canvas]:
    """What the command line's engine, --engine stand-in, is given to paint."""
    seen: list[Canvas] = []
    real = Studio

    def studio(*_: Any, **__: Any) -> Studio:
        found = real()
        made = echo(GUIDED)
        made.canvases = seen
        found.add_engine(made)
        return found

    for place in ("cli.edit.studio_of", "cli.batch.studio_for", "studio.Studio"):
        monkeypatch.setattr(f"overpaint.{place}", studio)
    return seen


CALL = ("replace", "photo.png", "--box", "20,10,50,40", "--engine", "stand-in", "--prompt", "a rose")


# Mistakes.


@pytest.mark.usefixtures("folder", "canvases")
@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("1,2,3", "--region-prompt takes a box of four numbers, LEFT,TOP,RIGHT,BOTTOM; '1,2,3' has 3"),
        ("1,2,3,4,5:2", "'1,2,3,4,5' has 5"),
        ("10,10,5,5", "regional prompt 1: --region-prompt 10,10,5,5 has no area"),
        ("500,500,600,600", "regional prompt 1: the box 500,500,600,600 has no pixel in the picture of 80x60"),
        ("none.png", "regional prompt 1: the mask file none.png can't be read"),
    ],
)
def test_a_place_that_is_none_is_one_error_that_says_why(place: str, words: str, capsys):
    assert main([*CALL, "--region-prompt", f"{place}=red"]) == 2
    assert words in capsys.readouterr().err
    assert not Path("photo.replace.png").exists()


def refused(control: str, family: str = "sd1") -> ModelError:
    with pytest.raises(ModelError) as caught:
        find_control(control, family)
    return caught.value


def test_a_missing_network_names_the_command_that_gets_it():
    assert in_line(refused("canny")).endswith("; 'overpaint models get controlnet-canny-sd15' downloads it")
    assert in_json(refused("depth", "sdxl"))["error"]["hint"].startswith("'overpaint models get controlnet-union-sdxl'")
    with pytest.raises(ModelError) as caught:
        find_reference("sd1")
    assert "'overpaint models get ip-adapter-sd15' downloads it, or one of ip-adapter-plus" in in_line(caught.value)


def test_an_unknown_kind_names_the_nearest_and_all():
    assert "did you mean 'canny'?; known kinds are canny, lineart," in in_line(refused("cany"))
    assert "did you mean" not in in_line(refused("mlsd"))


@pytest.mark.usefixtures("folder", "canvases")
def test_a_misspelt_setting_of_a_control_is_looked_for_among_all_settings(capsys):
    assert main([*CALL, "--control", "canny:wieght=1"]) == 2
    assert "has no option 'wieght'; did you mean 'weight'?" in capsys.readouterr().err


# A batch.


def test_a_batch_has_regional_prompts_and_controls_for_all_rows_without_their_own(folder, canvases, capsys):
    mask = np.zeros((60, 80), np.uint8)
    mask[:, :40] = 255
    Image.fromarray(mask).save("left.png")
    (folder / "lists").mkdir()
    rows: list[dict[str, Any]] = [
        {"output": "a.png"},
        {"output": "b.png", "regional_prompts": ["0,0,30,30=own"], "controls": "lineart=../lines.png"},
        {"output": "c.png", "regional_prompts": [], "controls": []},
    ]
    rows = [{"image": "../photo.png", "box": "20,10,50,40", "prompt": "x", **row} for row in rows]
    Path("lists/edits.jsonl").write_text("\n".join(map(json.dumps, rows)))
    call = ["batch", "lists/edits.jsonl", "-o", "out", "--intent", "replace", "--engine", "stand-in", "--no-report"]
    call += ["--region-prompt", "left.png:2=red", "--region-prompt", "50%,0,100%,100%=blue", "--control", "canny"]
    assert main(call) == 0, capsys.readouterr()
    seen = {}
    for canvas in canvases:
        texts = () if canvas.sampling is None else canvas.sampling.regional_prompts
        seen[tuple(one.prompt for one in texts)] = tuple(one.control.kind for one in canvas.controls)
    assert seen == {("red", "blue"): ("canny",), ("own",): ("lineart",), (): ()}
    capsys.readouterr()
    assert main(call) == 0
    assert len(canvases) == 3, "nothing is painted again"
    Image.fromarray(255 - mask).save("left.png")
    assert main(call) == 0
    assert len(canvases) == 4, "the row whose mask has changed is"
    assert main([*call, "--region-prompt", "1,2,3=x"]) == 2
    assert "--region-prompt takes a box of four numbers" in capsys.readouterr().err


# Kinds of files.


def turned(path: Path) -> None:
    """A JPEG that lies on its side, and says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(COLOURED)).save(path, quality=98, subsampling=0, exif=exif)


FILES = {
    "16-bit grey.png": (lambda path: Image.fromarray(DRAWING.astype(np.uint16) * 257).save(path), DRAWING, 0),
    "16-bit grey.tif": (lambda path: Image.fromarray(DRAWING.astype(np.uint16) * 257).save(path), DRAWING, 0),
    "cmyk.tif": (lambda path: Image.fromarray(COLOURED).convert("CMYK").save(path), COLOURED, 0),
    "cmyk.jpg": (lambda path: Image.fromarray(COLOURED).convert("CMYK").save(path, quality=98), COLOURED, 12),
    "grey.jpg": (lambda path: Image.fromarray(DRAWING).save(path, quality=98), DRAWING, 6),
    "turned.jpg": (turned, COLOURED, 16),
    "two colours.png": (lambda path: Image.fromarray(DRAWING > 200).save(path), np.where(DRAWING > 200, 255, 0), 0),
    "palette.png": (lambda path: Image.fromarray(COLOURED).quantize(8).save(path), COLOURED, 0),
}


@pytest.mark.parametrize("name", FILES)
def test_the_image_of_a_control_is_what_any_viewer_shows(name: str, tmp_path):
    write, shown, apart = FILES[name]
    write(tmp_path / name)
    found = control_raster(open_picture(tmp_path / name))
    assert (found.shape, found.dtype) == (shown.shape, np.uint8)
    assert np.abs(found.astype(int) - shown).max() <= apart


def test_a_reference_in_another_colour_space_is_seen_in_srgb():
    values = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    picture = Picture(values, metadata=Metadata(icc=profile("p3")))
    expected = np.rint(np.clip(converter_for(picture, "srgb").to_canvas(values), 0, 1) * 255)
    assert np.abs(expected - values).max() > 20
    assert np.array_equal(control_raster(picture), expected)


@pytest.mark.usefixtures("folder")
def test_regions_and_controls_of_such_files_guide_an_edit(canvases):
    for name in ("16-bit grey.png", "cmyk.jpg", "turned.jpg"):
        FILES[name][0](Path(name))
    guides = [
        "--region-prompt",
        "16-bit grey.png=red",
        "--control",
        "softedge=cmyk.jpg",
        "--control",
        "tile=turned.jpg",
    ]
    assert main([*CALL, "--area", "whole", *guides]) == 0
    (canvas,) = canvases
    assert np.array_equal(canvas.prompt_masks[0] == 1, DRAWING == 255)
    for one, apart in zip(canvas.controls, (12, 16), strict=True):
        assert np.abs(one.pixels * 255 - COLOURED).max() <= apart


# Forged records.


@pytest.mark.usefixtures("folder", "canvases")
@pytest.mark.parametrize("kind", ["lineart", "reference"])
def test_a_record_whose_image_of_a_control_is_another_one_is_refused(kind, capsys):
    assert main([*CALL, "--control", f"{kind}=lines.png", "--record", "sidecar"]) == 0
    assert main(["replay", "photo.replace.png", "--image", "photo.png"]) == 0
    (sidecar,) = (one for one in Path().iterdir() if one.suffix == ".json")
    text = sidecar.read_text()
    image = json.loads(text)["request"]["controls"][0]["image"]
    Image.fromarray(DRAWING.T.copy().reshape(60, 80)).save("other.png")
    assert main([*CALL, "--control", f"{kind}=other.png", "-o", "other.replace.png", "--record", "sidecar"]) == 0
    (other,) = (one for one in Path().iterdir() if one.suffix == ".json" and one != sidecar)
    foreign = json.loads(other.read_text())["request"]["controls"][0]["image"]
    capsys.readouterr()
    in_request = text.replace(image["sha256"], foreign["sha256"], 1).replace(image["data"], foreign["data"])
    for forged in (
        text.replace(image["data"], foreign["data"]),
        text.replace(image["data"], image["data"][:-8]),
        text.replace(image["sha256"], "0" * 64),
        in_request,
    ):
        assert forged != text
        sidecar.write_text(forged)
        assert main(["replay", "photo.replace.png", "--image", "photo.png"]) == 2
        said = capsys.readouterr()
        assert re.search(rf"raster|80x60 \w+ of the control '{kind}'", said.err)
        assert "every pixel equal" not in said.out


# Processes that are killed.


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_grid_that_is_stopped_leaves_a_whole_sheet_or_none(number, folder):
    words = [sys.executable, "-m", "overpaint", "grid", "photo.png", "--box", "20,10,50,40", "--intent", "remove"]
    words += ["--engine", "exemplar", "--vary", "seed=1-100", "--json"]
    before = sorted(folder.iterdir())
    for delay in (1, 4, 16):  # a busy machine may need longer for the first cell
        process = Forked(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(delay)
        os.kill(process.pid, number)
        out, _ = process.communicate()
        if number == signal.SIGKILL or out:
            break
    if number == signal.SIGKILL:
        assert sorted(folder.iterdir()) == before
        return
    assert process.returncode == 130
    cells = json.loads(out)["cells"]
    assert 0 < len(cells) < 100
    with Image.open("photo.grid.png") as sheet:
        sheet.load()


_BATCH = """
import sys, time
sys.path.insert(0, {tests!r})
from batches import Bench
from test_guides import GUIDED, ROWS
from stand_ins import StandIn
from overpaint.engines import Painted
from pathlib import Path
import numpy as np
def paint(canvas, _):
    time.sleep(0.3)
    return Painted(np.full_like(canvas.pixels, canvas.controls[0].pixels.mean()))
Bench(Path.cwd(), lambda: StandIn(paint, GUIDED)).run(ROWS)
"""
ROWS = [
    {
        "image": "photo.png",
        "box": "20,10,50,40",
        "intent": "replace",
        "prompt": f"a rose {number}",
        "output": f"{number}.png",
        "controls": f"lineart=lines.png:weight={number / 10}",
        "regional_prompts": ["0,0,30,30=red"],
    }
    for number in range(12)
]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
def test_a_batch_with_controls_that_is_killed_goes_on_where_it_was(folder):
    (folder / "run.py").write_text(_BATCH.format(tests=str(Path(__file__).parent)))
    process = Forked([sys.executable, "run.py"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    out = folder / "out"
    until = time.monotonic() + 30
    while len(list(out.glob("*.png"))) < 3 and time.monotonic() < until:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    done = len(list(out.glob("[!.]*.png")))
    assert 3 <= done < len(ROWS)
    bench = Bench(folder, lambda: echo(GUIDED))
    ended = bench.run(ROWS)
    assert (ended.failed, ended.done) == (0, len(ROWS) - ended.unchanged)
    assert done - 2 <= ended.unchanged <= done + 1
    assert bench.strays() == []
    assert len({pixels(out / row["output"]).shape for row in ROWS}) == 1
