"""Grids: requests of the cells, the text of axes, the sheet, and the verb."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from overpaint import Mask, Size, Studio
from overpaint.cli import main
from overpaint.cli.progress import Pace
from overpaint.engines import Monitor
from overpaint.errors import RequestError
from overpaint.geometry import Box
from overpaint.picture import from_array
from overpaint.request import EditRequest
from overpaint.studio import (
    GridAxis,
    Tile,
    axis_of,
    check_axes,
    failed_tile,
    grid_cells,
    grid_sheet,
    lettering,
    tile_room,
)
from overpaint.studio.grid import painting_order
from overpaint.studio.lettering import fitted

PIXELS = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("steps=10,20", "steps", (10, 20)),
        ("guidance-scale=4, 7.5", "guidance_scale", (4, 7.5)),
        ("sampler=Euler a,DPM++ 2M", "sampler", ("Euler a", "DPM++ 2M")),
        ('prompt="a cat, black",a dog', "prompt", ("a cat, black", "a dog")),
        ("prompt:7=7,8", "prompt:7", ("7", "8")),
        ("seed=1..4", "seed", (1, 2, 3, 4)),
        ("strength=0.4..1:0.2", "strength", (0.4, 0.6, 0.8, 1.0)),
        ("steps=10..30:10", "steps", (10, 20, 30)),
        ("exact=true,false", "exact", (True, False)),
        ("seed=1-3,7", "seed", (1, 2, 3, 7)),
        ("steps=1-10 (+4)", "steps", (1, 5, 9)),
        ("steps=30-10 (-10)", "steps", (30, 20, 10)),
        ("steps=1-4 (--1)", "steps", ("1-4 (--1)",)),
        ("strength=0-1 [" + 5000 * "9" + "]", "strength", ("0-1 [" + 5000 * "9" + "]",)),
        ("seed=1-" + 400 * "9", "seed", ("1-" + 400 * "9",)),
        ('guidance_interval="00,01"', "guidance_interval", ((0, 1),)),
        ("steps=1-10 [5]", "steps", (1, 3, 5, 7, 10)),
        ("strength=0-1 [5]", "strength", (0.0, 0.25, 0.5, 0.75, 1.0)),
        ("cache_interval=1-3", "cache_interval", (1, 2, 3)),
        ("prompt=1-3", "prompt", ("1-3",)),
        ('mask-blur=2,"4,8"', "mask_blur", (2, (4, 8))),
        ("working-size=512x768", "working_size", ((512, 768),)),
        ("model=1-3", "model", ("1-3",)),
        ("negative-prompt:red=red,", "negative_prompt:red", ("red", "")),
        ("prompt-order=a,b", "prompt_order", (("a", "b"), ("b", "a"))),
        ("lora:my-lora=0.5, 1", "lora:my-lora", (0.5, 1)),
        ("control:pose=0-1 (+0.5)", "control:openpose", (0.0, 0.5, 1.0)),
        ("control:canny:end=1", "control:canny:end", (1,)),
        ("preset=none,fast", "preset", ("none", "fast")),
    ],
)
def test_an_axis_is_read_from_text(text: str, name: str, values: tuple[object, ...]):
    found = axis_of(text)
    assert (found.name, found.values) == (name, values)
    assert [type(one) for one in found.values] == [type(one) for one in values]


@pytest.mark.parametrize(
    "text",
    [
        *("steps", "=3", "steps=", "seed=4..1", "seed=1..9999", "strength=0..1:0", 'prompt="a'),
        *(
            "steps=10,10",
            "seed=1-3,2",
            "prompt:a=b,b",
            "seed=5-1",
            "seed=1-9 (-2)",
            "seed=1-9 (+-2)",
            "steps=1-9 [0]",
            "prompt_order=a",
        ),
    ],
)
def test_an_axis_that_can_not_be_read_is_refused(text: str):
    with pytest.raises(RequestError) as caught:
        axis_of(text)
    assert caught.value.field == "vary"


def test_drawn_seeds_are_those_of_the_labels():
    axis = axis_of("seed=-1,-1")
    assert len(set(axis.values)) == 2
    assert -1 not in axis.values
    base = EditRequest.of("replace", prompt="a", seed=-1)
    assert {cell.request.seed for cell in grid_cells(base, [axis_of("steps=1,2")], seed=9)} == {9}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prompt_order=red,cat", ["a red cat <lora:x:1>", "a cat red <lora:x:1>"]),
        ("lora:x=0.5,2", ["a red cat <lora:x:0.5>", "a red cat <lora:x:2>"]),
        ("prompt:red=blue,", ["a blue cat <lora:x:1>", "a  cat <lora:x:1>"]),
    ],
)
def test_parts_of_the_prompt_vary(text: str, expected: list[str]):
    request = EditRequest.of("replace", prompt="a red cat <lora:x:1>")
    assert [cell.request.prompt for cell in grid_cells(request, [axis_of(text)], seed=1)] == expected


def test_settings_of_controls_vary():
    request = EditRequest.of("replace", prompt="a cat", controls=[{"kind": "canny"}, {"kind": "depth"}])
    axes = [axis_of("control:canny=0.5,1"), axis_of("control:canny:low=20,50")]
    cells = grid_cells(request, axes, seed=1)
    found = [[(one.weight, dict(one.options)) for one in cell.request.controls or ()] for cell in cells]
    assert found[1] == [(1.0, {"low": 20}), (1.0, {})]
    assert found[2] == [(0.5, {"low": 50}), (1.0, {})]


def test_labels_name_the_setting_and_the_stems_of_files():
    def labels(axis: GridAxis) -> list[str]:
        return [axis.label(value) for value in axis.values]

    assert labels(axis_of("guidance_scale=4,7.5")) == ["guidance scale: 4", "guidance scale: 7.5"]
    assert labels(axis_of("prompt:cat=dog,")) == ["prompt: dog", "prompt: without 'cat'"]
    assert labels(axis_of("lora:detail.safetensors=1")) == ["detail: 1"]
    assert labels(axis_of("control:canny=1")) == ["canny weight: 1"]
    assert labels(GridAxis("model", ("/m/a.safetensors", "b/c"))) == ["model: a", "model: b/c"]
    twice = GridAxis("model", ("x/a.safetensors", "y/a.safetensors"))
    assert labels(twice) == ["model: x/a.safetensors", "model: y/a.safetensors"]


def test_long_labels_are_wrapped_and_then_cut_in_the_middle():
    words = fitted("one two three four five six", 120, 4)
    assert " ".join(words.lines) == "one two three four five six"
    assert words.width <= 120
    name = fitted("model: realistic-vision-inpainting", 200, 3)
    assert "".join(name.lines).replace(" ", "") == "model:realistic-vision-inpainting"
    assert all(line.endswith((":", "-", "inpainting")) for line in name.lines)
    long = fitted(f"begin {'word ' * 400} end", 200, 3)
    assert len(long.lines) == 3
    assert long.lines[0].startswith("begin")
    assert long.lines[-1].endswith("end")
    assert "..." in " ".join(long.lines)


@pytest.fixture
def fonts(monkeypatch):
    """The fonts of this machine are those of the list, each with letters of its own; Pillow's has ASCII."""

    def have(letters: dict[str, str]) -> None:
        monkeypatch.setattr(lettering, "_fonts", lambda: tuple(map(Path, letters)))
        monkeypatch.setattr(
            lettering,
            "_lacking",
            lambda path, of: frozenset(
                one for one in of if not one.isascii() and one not in letters.get(str(path), "")
            ),
        )
        lettering._best.cache_clear()

    yield have
    lettering._best.cache_clear()


def test_letters_that_pillows_font_lacks_come_from_a_font_of_the_machine(fonts):
    fonts({"greek": "αβγ", "all": "αβγä猫"})
    assert [lettering._best(frozenset(text)) for text in ("cat", "αβ", "α猫")] == [None, Path("greek"), Path("all")]
    assert lettering.drawable("Kätzchen 猫") == "Kätzchen 猫"


def test_letters_that_no_font_has_are_replaced(fonts):
    fonts({"greek": "αβγ"})
    assert lettering.drawable("Kätzchen 猫 α") == "Katzchen ? α"
    assert [lettering.undrawable(text) for text in ("cat α", "Kätzchen")] == [False, True]


def test_pillows_font_is_known_to_lack_what_it_lacks():
    assert lettering._lacking(None, frozenset("aZ0,é猫")) == {"é", "猫"}


def test_cells_of_one_model_are_painted_together():
    base = EditRequest.of("replace", prompt="a")
    cells = grid_cells(base, [axis_of("model=a,b"), axis_of("seed=1,2")], seed=1)
    assert [cell.request.model for cell in painting_order(cells)] == ["a", "a", "b", "b"]


def test_cells_differ_by_what_is_varied_alone_and_go_across_first():
    request = EditRequest.of("replace", prompt="a red cat", options={"eta": 0.5})
    axes = [axis_of("steps=1,2,3"), axis_of("prompt:red=red,blue"), axis_of("eta=0,1")]
    cells = grid_cells(request, axes, seed=7)
    assert [cell.place for cell in cells[:4]] == [(0, 0, 0), (1, 0, 0), (2, 0, 0), (0, 1, 0)]
    assert len({cell.request.digest for cell in cells}) == len(cells) == 12
    last = cells[-1].request
    assert last == request.merged(steps=3, prompt="a blue cat", options={"eta": 1}, seed=7, exact=True)
    varied = grid_cells(request.merged(exact=False), [axis_of("seed=1,2")], seed=7)
    assert [(cell.request.seed, cell.request.exact) for cell in varied] == [(1, False), (2, False)]


@pytest.mark.parametrize(
    "texts",
    [
        (),
        ("steps=1", "steps=2"),
        ("steps=1", "seed=1", "eta=1", "strength=1"),
        ("seed=1..40", "steps=1..40"),
        ("prompt:dog=cat",),
        ("mask=1",),
        ("regional_prompts=1",),
        ("lora:x=1",),
        ("control:canny=1",),
        ("prompt_order=cat,dog",),
        ("steps=none",),
    ],
)
def test_what_can_not_be_varied_is_refused(texts: tuple[str, ...]):
    with pytest.raises(RequestError):
        grid_cells(EditRequest.of("replace", prompt="a cat"), [axis_of(text) for text in texts], seed=1)


def test_the_sheet_has_each_cell_at_its_place():
    axes = [GridAxis("steps", (1, 2, 3)), GridAxis("prompt:a", ("x", "y" * 60)), GridAxis("seed", (5, 6))]
    colours = np.random.default_rng(1).integers(40, 216, (3, 2, 2, 3), dtype=np.uint8)
    tiles = {place: Tile(np.broadcast_to(colours[place], (30, 50, 3)).copy(), "") for place in np.ndindex(3, 2, 2)}
    tiles[1, 1, 1] = failed_tile("no such engine", tiles[0, 0, 0])
    sheet = grid_sheet(axes, tiles).samples
    for block in range(2):
        for row in range(2):
            centres = [np.argwhere((sheet == colours[column, row, block]).all(2)).mean(0) for column in (0, 2)]
            assert centres[0][0] == centres[1][0]
            assert centres[0][1] < centres[1][1]
    tops = [np.argwhere((sheet == colours[0, row, block]).all(2))[0, 0] for block in range(2) for row in range(2)]
    assert tops == sorted(tops)


def test_tiles_of_many_cells_are_kept_small():
    assert tile_room([axis_of("seed=1-4")]) == Size(768, 768)
    assert tile_room([axis_of("seed=1-20"), axis_of("steps=1-4"), axis_of("eta=0,1")]) == Size(409, 768)
    assert tile_room([axis_of("eta=1"), axis_of("seed=1-200")]) == Size(768, 64)


def test_a_huge_grid_is_reduced():
    tile = Tile(np.zeros((100, 700, 3), np.uint8), "")
    sheet = grid_sheet([GridAxis("steps", tuple(range(40)))], dict.fromkeys(np.ndindex(40), tile))
    assert 8000 < sheet.size.width <= 8192


def test_each_cell_is_the_edit_of_its_own_request_and_a_failing_one_costs_no_other():
    mask = Mask.box(Size(64, 48), Box(20, 16, 40, 32))
    axes = [axis_of("engine=exemplar,telea,nobody"), axis_of("grow=0,4")]
    with Studio() as studio:
        found = list(studio.grid(from_array(PIXELS), intent="remove", mask=mask, axes=axes, seed=3))
        for cell, edited in found:
            if cell.place[0] == 2:
                assert "nobody" in str(edited.error)
                continue
            alone = studio.edit(from_array(PIXELS), cell.request, mask=mask)
            assert np.array_equal(alone.picture.samples, edited.picture.samples)


def test_the_verb_writes_one_sheet_and_says_what_failed(tmp_path, capsys):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    call = ["grid", str(tmp_path / "a.png"), "--box", "20,16,40,32", "--intent", "remove", "--vary"]
    assert main([*call, "engine=telea,nobody", "--vary", "grow=0,4", "--json"]) == 1  # some failed
    table = json.loads(capsys.readouterr().out)
    assert ["request" in cell for cell in table["cells"]] == [True, False] * 2
    assert table["cells"][0]["values"] == {"engine": "telea", "grow": 0}
    assert table["cells"][0]["changed_beyond_reach"] == 0
    assert table["cells"][2]["reach"] == 7
    assert "nobody" in table["cells"][1]["error"]["message"]
    with Image.open(table["output"]) as sheet:
        assert sheet.width > 2 * 384  # small pictures are enlarged
    assert main([*call, "engine=telea"]) == 1  # the sheet is there already
    capsys.readouterr()
    for wrong, why in (
        ("engine=nobody", "nobody"),
        ("fooo=1,2", "fooo"),
        ("cfg=1", "mean 'guidance_scale'"),
    ):  # one error, and no sheet of errors
        assert main([*call, wrong, "-o", str(tmp_path / "new.png")]) == 2
        assert why in capsys.readouterr().err
        assert not (tmp_path / "new.png").exists()
    before = Path(call[1]).read_bytes()
    for output, why in ((call[1], "is the picture itself"), ("-", "not to standard output")):
        assert main([*call, "engine=telea", "-o", output, "--overwrite"]) == 2
        assert why in capsys.readouterr().err
    assert Path(call[1]).read_bytes() == before
    assert main([*call, "engine=telea,nobody", "--vary", "grow=0,4", "--overwrite"]) == 1
    said = capsys.readouterr()
    assert "4 results to paint: engine x 2, grow x 2" in said.err
    assert "overpaint: engine nobody, grow 0 (and 1 more): no engine is called 'nobody'" in said.err
    assert "2 results, 2 failed in" in said.out
    assert said.out.endswith("reach 3 to 7 px; every other pixel unchanged\n")
    assert main([*call, "engine=telea", "--overwrite"]) == 0
    assert "a.grid.png: 1 result in" in capsys.readouterr().out
    assert main([*call, "engine=telea,blur", "--vary", "seed=1,2", "--overwrite"]) == 0
    said = capsys.readouterr().err
    assert "note: seed makes no difference to the results" in said
    assert "engine makes" not in said
    assert main([*call, "grow=1,2", "-n", "2"]) == 2
    assert "seed=1-4" in capsys.readouterr().err


def test_a_large_grid_is_painted_after_a_question_alone(tmp_path, capsys, monkeypatch):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    call = ["grid", str(tmp_path / "a.png"), "--box", "20,16,40,32", "--intent", "remove", "--engine", "blur"]
    call += ["--vary", "grow=1-51", "--vary", "feather=1,2", "--quiet"]
    assert main(call) == 2
    assert "overpaint: the grid has 102 results, more than 100; --yes paints them all" in capsys.readouterr().err
    assert main([*call, "--json"]) == 2
    capsys.readouterr()
    terminal = io.StringIO("no\ny\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    painted: list[int] = []
    monkeypatch.setattr(Studio, "grid", lambda *_, **given: painted.append(1) or iter(()))
    monkeypatch.setattr("overpaint.cli.grid._Sheet.write", lambda self: None)
    assert main(call) == 1
    assert "102 results to paint. Go on? [y/N] " in capsys.readouterr().err
    assert not painted
    assert main(call) == 0
    assert main([*call, "--yes"]) == 0
    assert len(painted) == 2
    with pytest.raises(RequestError, match="more than 400"):
        check_axes([axis_of("seed=1-21"), axis_of("steps=1-20")])


def test_the_time_that_is_left_follows_from_what_was_done():
    now = [0.0]
    pace = Pace(lambda: now[0])
    assert pace.left(0.0) is None
    now[0] = 10.0
    assert pace.left(0.25) == 30.0
    pace.restart()  # a model is loaded
    now[0] = 100.0
    assert pace.left(0.25) is None
    now[0] = 110.0
    assert pace.left(0.5) == 20.0


def test_progress_is_that_of_all_cells_together():
    seen: list[tuple[int, int]] = []
    mask = Mask.box(Size(64, 48), Box(20, 16, 40, 32))
    monitor = Monitor(on_progress=lambda step, steps: seen.append((step, steps)))
    with Studio() as studio:
        axes = [axis_of("engine=telea,nobody,blur")]
        list(studio.grid(from_array(PIXELS), intent="remove", mask=mask, axes=axes, seed=3, monitor=monitor))
    shares = [step / steps for step, steps in seen]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_what_guides_an_edit_guides_every_cell(tmp_path, capsys):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    call = ["grid", str(tmp_path / "a.png"), "--box", "20,16,40,32", "--intent", "remove", "--vary", "engine=telea"]
    further = ["--control", "canny", "--region-prompt", "0,0,20,20=a rose", "--avoid-box", "0,0,8,8"]
    assert main([*call, *further, "--json"]) == 0
    (cell,) = json.loads(capsys.readouterr().out)["cells"]
    request = cell["request"]
    assert [one["kind"] for one in request["controls"]] == ["canny"]
    assert [one["prompt"] for one in request["regional_prompts"]] == ["a rose"]
    assert request["avoid"]
    assert main([*call, "--preset", "fast", "--overwrite"]) == 0
    assert "preset fast had no effect: telea" in capsys.readouterr().err


def test_an_interrupt_leaves_a_sheet_of_what_was_painted(tmp_path, capsys, monkeypatch):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    whole = Studio.grid

    def interrupted(self, *given, **more):
        yield next(whole(self, *given, **more))
        raise KeyboardInterrupt

    monkeypatch.setattr(Studio, "grid", interrupted)
    call = ["grid", str(tmp_path / "a.png"), "--box", "20,16,40,32", "--intent", "remove"]
    assert main([*call, "--vary", "engine=telea,blur"]) == 130
    with Image.open(tmp_path / "a.grid.png") as sheet:
        assert sheet.width > 64
