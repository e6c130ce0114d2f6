"""Selections through every door: places, the command line, batches, Python, sessions; and what records say of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data

import overpaint
from overpaint.batch import EditRow, RawRow, Reader, RowDefaults
from overpaint.batch.rows import RowFields
from overpaint.cli import main
from overpaint.doors.places import Places, mask_at, selections
from overpaint.errors import MaskError, OverpaintError, RequestError
from overpaint.geometry import Box, Size
from overpaint.picture import open_picture
from overpaint.record import read_record
from overpaint.request import SelectPart

GREEN, RED = (30, 160, 60), (200, 60, 60)


def scene() -> np.ndarray:
    pixels = np.full((60, 80, 3), GREEN, np.uint8)
    pixels[10:30, 20:40] = RED
    pixels[40:50, 60:70] = RED
    return pixels


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(scene()).save("photo.png")
    return tmp_path


def no_file(*_: Any) -> Any:
    raise AssertionError("no file is named")


def test_points_alone_mean_what_is_found_by_colours_and_edges():
    found = mask_at(Places(point=("25%,50%",), not_point=("1,1",), box=("0,0,5,5",)), Size(80, 60), no_file)
    assert found is not None
    box, part = found.spec.parts
    assert part == SelectPart(selector="grabcut", points=((20, 30),), not_points=((1, 1),))
    assert box.box == (0, 0, 5, 5)


def test_each_of_several_selectors_gets_the_hints_and_options_that_it_takes():
    places = Places(
        select=("colour", "spots"),
        point=("3,4",),
        select_box=("0,0,50%,50%",),
        select_option=("tolerance=20", "sensitivity=0.7"),
    )
    assert selections(places, Size(80, 60)) == [
        SelectPart(selector="colour", points=((3, 4),), options={"tolerance": 20}),
        SelectPart(selector="spots", boxes=((0, 0, 40, 30),), options={"sensitivity": 0.7}),
    ]


@pytest.mark.parametrize(
    ("places", "code", "field"),
    [
        (Places(select=("faces", "spots"), point=("3,4",)), "hint-refused", "points"),
        (
            Places(select=("colour",), point=("3,4",), select_option=("contiguity=1",)),
            "selector-option",
            "select_option",
        ),
        (Places(select=("colour",), point=("3,4",), select_option=("tolerance",)), "request-invalid", "select_option"),
        (Places(select=("colours",), point=("3,4",)), "selector-unknown", "select"),
        (Places(point=("3",)), "request-invalid", "point"),
        (Places(point=("300,4",)), "hint-outside", "points"),
        (Places(not_point=("3,4",)), "select-missing", "not_point"),
        (Places(select_option=("tolerance=3",)), "select-missing", "select_option"),
        (Places(pick=0), "select-missing", "pick"),
        (Places(box=("0,0,5,5",), pick=0), "select-missing", "pick"),
        (Places(mask=("m.png",), pick=0), "select-missing", "pick"),
        (Places(select=("faces",), pick=-1), "request-invalid", "pick"),
    ],
)
def test_what_does_not_suit_is_refused_before_the_picture_is_looked_at(places, code, field):
    with pytest.raises(RequestError) as caught:
        mask_at(places, Size(80, 60), no_file)
    assert (caught.value.code, caught.value.field) == (code, field)


def test_verbs_and_rows_take_one_of_several_selections():
    (part,) = selections(Places(select=("faces",), pick=1), Size(80, 60))
    assert part == SelectPart(selector="faces", pick=1)
    face = data.astronaut()[0:256, 96:352]
    Image.fromarray(np.hstack([face, face])).save("two.png")
    Path("rows.jsonl").write_text(
        '{"id": "row", "image": "two.png", "select": "faces", "pick": 0, "output": "row.png"}'
    )
    edit = ["remove", "two.png", "--select", "faces", "--engine", "telea", "-q", "-o"]
    assert main([*edit, "all.png"]) == 0
    for number in (0, 1):
        assert main([*edit, f"{number}.png", "--pick", str(number)]) == 0
    assert main([*edit, "2.png", "--pick", "2"]) == 2
    assert main(["batch", "rows.jsonl", "-o", "out", "--engine", "telea", "-q"]) == 0
    changed = {}
    for name in ("all.png", "0.png", "1.png", "out/row.png"):
        with Image.open(name) as image:
            found = (np.asarray(image) != np.hstack([face, face])).any(axis=2)
        changed[name] = found[:, :256].any(), found[:, 256:].any()
    assert changed["all.png"] == (True, True)
    assert {changed["0.png"], changed["1.png"]} == {(True, False), (False, True)}
    assert changed["out/row.png"] == changed["0.png"]


def test_a_row_with_a_mask_of_its_own_has_no_selection_to_pick_from():
    of_all = Places(select=("faces",), pick=1)
    assert RowFields(box="0,0,5,5").places(of_all) == Places(box=("0,0,5,5",))
    assert RowFields(select="spots").places(of_all) == Places(select=("spots",), pick=1)
    assert RowFields(pick=0).places(of_all) == Places(select=("faces",), pick=0)


def test_the_command_line_selects_into_a_mask(capsys):
    words = ["mask", "select", "photo.png", "--select", "colour", "--point", "25,20", "-o", "m.png"]
    assert main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["bounds"], said["selector"], len(said["selections"])) == ([20, 10, 40, 30], "colour", 1)
    with Image.open("m.png") as image:
        assert np.array_equal(np.asarray(image) > 0, (scene() == RED).all(axis=2) & (np.arange(80) < 50))
    assert main([*words, "--overwrite", "--select-option", "contiguous=false"]) == 0
    assert capsys.readouterr().out == "m.png: 80x60, 10.4% marked within 20,10,70,50, 2 parts\n"


def test_a_mask_is_selected_by_one_selector(capsys):
    words = ["mask", "select", "photo.png", "-o", "m.png"]
    assert main(words) == 2
    err = capsys.readouterr().err
    assert "nothing says what to find" in err
    assert "give --point, give --select-box, give --select-text or give --select" in err
    assert main([*words, "--select", "spots", "--select", "lines"]) == 2
    err = capsys.readouterr().err
    assert "--select takes one selector here, not spots and lines" in err
    assert "overpaint mask combine" in err
    assert not Path("m.png").exists()


def test_the_command_line_lists_selectors(capsys):
    assert main(["mask", "selectors"]) == 0
    assert "colour" in capsys.readouterr().out
    assert main(["mask", "selectors", "colour"]) == 0
    assert "--select-option tolerance=" in capsys.readouterr().out
    assert main(["mask", "selectors", "--json"]) == 0
    names = [one["name"] for one in json.loads(capsys.readouterr().out)]
    assert {"grabcut", "colour", "edges", "subject", "background", "faces", "scratches", "lines", "spots"} <= set(names)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--point", "100,5"], "--point: 100,5 is outside of the picture of 80x60"),
        (["--select", "subjekt"], "did you mean 'subject'?"),
        (["--select", "faces"], "the selector 'faces' found nothing in the picture; it finds upright faces"),
        (["--select", "faces", "--point", "5,5"], "takes no point"),
        (["--select", "grabcut"], "the selector 'grabcut' needs points or a mask or boxes"),
        (["--point", "25,20", "--select-option", "tolerance=3"], "has no option 'tolerance'"),
        (
            ["--not-point", "25,20"],
            "--not-point says more of what is selected, and nothing is; give --select or",
        ),
    ],
)
@pytest.mark.parametrize("verb", ["remove", "mask make"])
def test_the_command_line_refuses_in_one_line(capsys, verb, words, said):
    assert main([*verb.split(), "photo.png", *words, "-o", "out.png"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not Path("out.png").exists()


def test_an_edit_records_what_selected_and_its_replay_gives_the_same(capsys):
    words = ["remove", "photo.png", "--select", "colour", "--point", "25,20", "--select-option", "tolerance=9"]
    assert main([*words, "--engine", "telea", "--seed", "3", "-o", "out.png"]) == 0
    (part,) = read_record("out.png").record.request.mask.parts
    assert part == SelectPart(selector="colour", points=((25, 20),), options={"tolerance": 9})
    done = open_picture("out.png").samples
    assert (done[10:30, 20:40] == GREEN).all()
    assert (done[40:50, 60:70] == RED).all()
    capsys.readouterr()
    assert main(["replay", "out.png", "--image", "photo.png"]) == 0


def test_rows_of_a_batch_select_in_every_form():
    reader = Reader(RowDefaults(places=Places(box=("1,2,30,40",))))
    rows = [
        {"image": "a.png", "select": "faces"},
        {"image": "a.png", "select": ["faces", "spots"], "select_option": "sensitivity=1"},
        {"image": "a.png", "point": "1,2;3,4", "not_point": [5, 6]},
        {"image": "a.png", "point": [[1, 2], ["3%", 4]], "select": "colour", "select_option": ["tolerance=9"]},
    ]
    wanted = [
        Places(select=("faces",)),
        Places(select=("faces", "spots"), select_option=("sensitivity=1",)),
        Places(point=("1,2", "3,4"), not_point=("5,6",)),
        Places(point=("1,2", "3%,4"), select=("colour",), select_option=("tolerance=9",)),
    ]
    for number, (row, places) in enumerate(zip(rows, wanted, strict=True), start=1):
        found = reader.read(RawRow(number, row))
        assert isinstance(found, EditRow), found
        assert found.places == places


def test_a_batch_finds_in_each_picture_and_says_where_nothing_is_found(folder, capsys):
    Image.fromarray(np.roll(scene(), 5, axis=1)).save("other.png")
    Image.fromarray(np.full((60, 80, 3), GREEN, np.uint8)).save("plain.png")
    rows = [{"image": name, "select": "spots", "select_option": "largest=20"} for name in ("plain.png",)]
    rows += [{"image": name, "point": "65,45", "select": "colour"} for name in ("photo.png", "other.png")]
    Path("list.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert main(["batch", "list.jsonl", "--engine", "telea", "-o", "out"]) == 1
    assert "found nothing" in "".join(capsys.readouterr())
    done = {path.name: open_picture(path).samples for path in Path("out").glob("*.png")}
    assert sorted(done) == ["other.remove.png", "photo.remove.png"]
    for samples in done.values():
        assert (samples == RED).all(axis=2).sum() == 400


def test_python_selects_and_uses_a_selection():
    (thing,) = overpaint.selections("photo.png", points=[(25, 20)])
    assert thing.mask.bounds == Box(20, 10, 40, 30)
    both = overpaint.selections(scene(), "colour", points=[(25, 20)], contiguous=False)[0].mask
    assert both.area == 500
    boxed = overpaint.selections(scene(), boxes=[(14, 4, 46, 36)])[0].mask
    assert boxed.bounds == thing.mask.bounds
    assert overpaint.selections(scene(), "grabcut", mask=boxed)[0].mask.bounds == boxed.bounds
    with pytest.raises(MaskError, match="found nothing"):
        overpaint.selections(np.full((60, 80, 3), 128, np.uint8), "subject")
    with pytest.raises(OverpaintError, match="no option 'wide'"):
        overpaint.selections(scene(), "subject", wide=True)


def test_a_session_selects_in_what_its_earlier_steps_made(folder):
    from overpaint.request import EditRequest, MaskSpec

    part = SelectPart(selector="colour", points=((65, 45),), options={"contiguous": False})
    with overpaint.Session.create("photo.png", folder / "work") as session:
        session.edit(mask=overpaint.Mask.box((80, 60), (18, 8, 42, 32)), intent="remove", engine="telea")
        session.edit(EditRequest(intent="remove", engine="telea", mask=MaskSpec(parts=(part,))))
        assert (session.picture.samples == GREEN).all()
        assert len(session.steps) == 2
