"""What is meant in words, through every door: the command line, rows, Python, the server, sessions, and replay."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import overpaint
import worded
from overpaint.batch import EditRow, RawRow, Reader, RowDefaults
from overpaint.cli import main
from overpaint.client import AsyncClient, Client, UploadedSelection
from overpaint.doors.places import Places, selections
from overpaint.errors import MaskError, ModelError, RequestError
from overpaint.geometry import Box, Size
from overpaint.picture import open_picture
from overpaint.record import read_record
from overpaint.request import SelectPart
from servers import Running, running

GREY, RED, BLUE = (120, 120, 120), (200, 60, 60), (60, 60, 200)


def scene() -> np.ndarray:
    pixels = np.full((60, 80, 3), GREY, np.uint8)
    pixels[10:30, 20:40] = RED
    pixels[40:50, 60:70] = BLUE
    return pixels


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    worded.installed(tmp_path, monkeypatch)
    Image.fromarray(scene()).save("photo.png")
    yield tmp_path
    monkeypatch.undo()
    worded.forgotten()


def test_words_alone_mean_what_understands_them_and_each_text_is_a_part():
    size = Size(80, 60)
    assert selections(Places(select_text=("the red car", "a blue bird")), size) == [
        SelectPart(selector="colour-words", text="the red car"),
        SelectPart(selector="colour-words", text="a blue bird"),
    ]
    mixed = Places(select=("colour-words", "spots"), select_text=("red",), select_box=("0,0,50%,50%",))
    assert selections(mixed, size) == [
        SelectPart(selector="colour-words", text="red", boxes=((0, 0, 40, 30),)),
        SelectPart(selector="spots", boxes=((0, 0, 40, 30),)),
    ]


@pytest.mark.parametrize(
    ("places", "code"),
    [
        (Places(select=("spots",), select_text=("red",)), "hint-refused"),
        (Places(select_text=("red",), point=("3,4",)), "hint-refused"),
        (Places(select=("colour-words",)), "hint-missing"),
        (Places(select_text=("  ",)), "request-invalid"),
        (Places(select_text=("x" * 1001,)), "setting-invalid"),
    ],
)
def test_words_that_do_not_suit_are_refused(places, code):
    with pytest.raises(RequestError) as caught:
        selections(places, Size(80, 60))
    assert caught.value.code == code


def test_where_nothing_understands_words_the_error_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setattr(worded.ColourWords, "here", False)
    with pytest.raises(ModelError) as caught:
        overpaint.selections("photo.png", text="the red car")
    assert caught.value.code == "words-need-model"
    assert main(["remove", "photo.png", "--select-text", "the red car", "-o", "out.png"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "overpaint models get clipseg" in line
    assert not Path("out.png").exists()


def test_an_edit_by_words_records_them_and_its_replay_gives_the_same(capsys):
    assert main(["remove", "photo.png", "--select-text", "the red car", "--engine", "telea", "-o", "out.png"]) == 0
    assert "found by colour-words" in "".join(capsys.readouterr())
    (part,) = read_record("out.png").record.request.mask.parts
    assert part == SelectPart(selector="colour-words", text="the red car")
    done = open_picture("out.png").samples
    assert (done[10:30, 20:40] == GREY).all()
    assert (done[40:50, 60:70] == BLUE).all()
    assert main(["replay", "out.png", "--image", "photo.png"]) == 0


def test_a_mask_by_words_names_each_thing(capsys):
    words = ["mask", "select", "photo.png", "--select-text", "red", "--select-text", "blue", "-o", "m.png", "--json"]
    assert main(words) == 0
    said = json.loads(capsys.readouterr().out)
    assert [(one["label"], one["bounds"]) for one in said["selections"]] == [
        ("red", [20, 10, 40, 30]),
        ("blue", [60, 40, 70, 50]),
    ]
    assert (said["bounds"], said["notes"]) == ([20, 10, 70, 50], ["found by colour-words"])
    assert main(["mask", "select", "photo.png", "--select-text", "a green bird", "-o", "n.png"]) == 2
    assert "found nothing in the picture; name a colour" in capsys.readouterr().err
    assert not Path("n.png").exists()


def test_rows_of_a_batch_find_by_words(folder, capsys):
    reader = Reader(RowDefaults())
    for given in ("the red car; a blue bird", ["the red car", "a blue bird"]):
        found = reader.read(RawRow(1, {"image": "a.png", "select_text": given}))
        assert isinstance(found, EditRow), found
        assert found.places == Places(select_text=("the red car", "a blue bird"))
    row = {"image": "photo.png", "select_text": "red", "engine": "telea"}
    Path("list.jsonl").write_text(json.dumps(row))
    assert main(["batch", "list.jsonl", "-o", "out"]) == 0
    (path,) = Path("out").glob("*.png")
    assert not (open_picture(path).samples == RED).all(axis=2).any()


def test_python_finds_by_words():
    (thing,) = overpaint.selections("photo.png", text="the red car")
    assert (thing.mask.bounds, thing.label) == (Box(20, 10, 40, 30), "the red car")
    with pytest.raises(MaskError, match="found nothing"):
        overpaint.selections("photo.png", text="a purple cow")
    with pytest.raises(RequestError, match="no word"):
        overpaint.selections("photo.png", text="  ")


@pytest.fixture
def server(folder: Path) -> Iterator[Running]:
    with running(folder / "data") as found:
        yield found


def test_a_server_finds_by_words_for_sessions_edits_and_both_clients(server):
    with Client(server.url) as client:
        session = client.create_session("photo.png")
        with server.client() as http:
            asked = {"text": "the red car"}
            (found,) = http.post(f"/sessions/{session.id}/selections", json=asked).json()
            assert (found["bounds"], found["label"]) == ([20, 10, 40, 30], "the red car")
            assert found["notes"] == ["found by colour-words"]
            picture = client.upload("photo.png")
            marks = {"select_text": ["the red car"], "select": ["colour-words"]}
            task = {"picture": picture.id, "request": {"intent": "remove", "engine": "telea"}, "marks": marks}
            job = client.job(http.post("/edits", json=task).json()["id"])
            done = client.open(job.wait(timeout=60).results[0].picture)
        assert (done.samples[10:30, 20:40] == GREY).all()
        (thing,) = client.selections(picture, "colour", points=[(25, 20)], contiguous=True)
        assert (thing.bounds, client.open_mask(thing.id).area) == (Box(20, 10, 40, 30), 400)
        (again,) = client.selections(picture, mask=client.open_mask(thing.id))
        assert again.bounds == thing.bounds
        (car,) = client.selections(picture, text="the red car")
        assert (car.bounds, car.notes, car.label) == (thing.bounds, ("found by colour-words",), "the red car")
        with pytest.raises(MaskError, match="found nothing"):
            client.selections(picture, text="a purple cow")


def test_the_asynchronous_client_selects_too(server):
    async def found() -> list[UploadedSelection]:
        async with AsyncClient(server.url) as client:
            return await client.selections("photo.png", "colour", points=[(25, 20)], not_points=[(65, 45)])

    (thing,) = asyncio.run(found())
    assert thing.bounds == Box(20, 10, 40, 30)
