"""Grids: requests of the cells, the text of axes, the sheet, and the verb."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from overpaint import Mask, Size, Studio
from overpaint.cli import main
from overpaint.errors import RequestError
from overpaint.geometry import Box
from overpaint.picture import from_array
from overpaint.request import EditRequest
from overpaint.studio import GridAxis, Tile, axis_of, failed_tile, grid_cells, grid_sheet

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
    ],
)
def test_an_axis_is_read_from_text(text: str, name: str, values: tuple[object, ...]):
    found = axis_of(text)
    assert (found.name, found.values) == (name, values)
    assert [type(one) for one in found.values] == [type(one) for one in values]


@pytest.mark.parametrize("text", ["steps", "=3", "steps=", "seed=4..1", "seed=1..9999", "strength=0..1:0", 'prompt="a'])
def test_an_axis_that_can_not_be_read_is_refused(text: str):
    with pytest.raises(RequestError) as caught:
        axis_of(text)
    assert caught.value.field == "vary"


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
    assert main([*call, "engine=telea,nobody", "--vary", "grow=0,4", "--json"]) == 0
    table = json.loads(capsys.readouterr().out)
    assert [len(cell) for cell in table["cells"]] == [3, len(table["cells"][1])] * 2
    assert table["cells"][0]["values"] == {"engine": "telea", "grow": 0}
    assert "nobody" in table["cells"][1]["error"]["message"]
    with Image.open(table["output"]) as sheet:
        assert sheet.width > 64
    assert main([*call, "engine=telea"]) == 1  # the sheet is there already
    capsys.readouterr()
    for wrong, why in (("engine=nobody", "nobody"), ("fooo=1,2", "fooo")):  # one error, and no sheet of errors
        assert main([*call, wrong, "-o", str(tmp_path / "new.png")]) == 2
        assert why in capsys.readouterr().err
        assert not (tmp_path / "new.png").exists()
    assert main([*call, "engine=telea,nobody", "--overwrite"]) == 0
    assert "nobody" in capsys.readouterr().err
    assert main([*call, "grow=1,2", "-n", "2"]) == 2
    assert "seed=1..4" in capsys.readouterr().err


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
    assert main([*call, "--preset", "fast", "--overwrite"]) == 2
    assert "preset" in capsys.readouterr().err


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
