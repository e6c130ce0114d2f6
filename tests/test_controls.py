"""Controls at the doors: as text, as tables, in rows, requests and replays; and the map that they make, to look at."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import overpaint
from batches import BOX, Bench
from overpaint import Studio
from overpaint.cli import main
from overpaint.doors.controls import ControlInput, control_input, control_table
from overpaint.engines import EngineCard
from overpaint.errors import RequestError
from overpaint.maps import make_map
from overpaint.request import Control, EditRequest
from overpaint.studio.controls import controls_of, scene_controls
from servers import running
from stand_ins import StandIn, echo

GUIDED = EngineCard(name="stand-in", title="", accepts=frozenset({"controls", "seed"}))


@pytest.mark.parametrize(("text", "settings", "file"), [
    ("canny", {"kind": "canny"}, None),
    ("lineart=hand.png", {"kind": "lineart"}, "hand.png"),
    ("lineart=C:\\a,b\\c=d.png:weight=0.5", {"kind": "lineart", "weight": 0.5}, "C:\\a,b\\c=d.png"),
    ("depth:model=NAME,weight=0.8,start=0,end=0.6,mode=control",
     {"kind": "depth", "model": "NAME", "weight": 0.8, "start": 0, "end": 0.6, "mode": "control"}, None),
    ("canny=s3://bucket/a.png:preprocess=true,low=50",
     {"kind": "canny", "preprocess": True, "options": {"low": 50}}, "s3://bucket/a.png"),
])  # fmt: skip
def test_a_control_is_written_in_one_word(text, settings, file):
    assert control_input(text) == ControlInput(settings, file)


@pytest.mark.parametrize(("text", "words"), [
    ("", "takes KIND, KIND=FILE or KIND:KEY=VALUE,KEY=VALUE, not ''"),
    ("lineart=", "takes KIND"),
    ("canny:weight=9", "weight must be between 0 and 4"),
    ("canny:mode=both", "mode must be"),
    ("canny:weight=1,weight=2", "'weight' can't be set so"),
    ("reference", "'reference' needs an image"),
    ("canny:start=0.9,end=0.1", "before it starts at 0.9"),
])  # fmt: skip
def test_a_control_that_is_written_otherwise_is_refused_with_what_would_be_right(text, words):
    with pytest.raises(RequestError, match=words) as caught:
        control_input(text)
    assert caught.value.field == "control"


@given(
    st.sampled_from(["canny", "depth", "lineart"]),
    st.none() | st.text("abc/._- =", min_size=1).filter(str.strip),
    st.floats(0, 4),
    st.booleans(),
)
def test_what_is_written_is_read_as_it_was_meant(kind, file, weight, inside):
    text = kind + ("" if file is None else f"={file}") + f":weight={weight},inside={str(inside).lower()}"
    found = control_input(text)
    assert found == ControlInput({"kind": kind, "weight": weight, "inside": inside}, file and file.strip())
    table = {"kind": kind, "weight": weight, "inside": inside, "image": file}
    assert control_table(table) == ControlInput(dict(found.settings), file)


# The command line.


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a picture, a mask, and lines that are drawn on paper."""
    monkeypatch.chdir(tmp_path)
    pixels = np.full((60, 80, 3), 60, np.uint8)
    pixels[10:50, 40:] = 200
    Image.fromarray(pixels).save("photo.png")
    Image.fromarray(np.pad(np.full((20, 30), 255, np.uint8), ((20, 20), (25, 25)))).save("mask.png")
    lines = np.full((60, 80), 255, np.uint8)
    lines[30, 10:70] = 0
    Image.fromarray(lines).save("lines.png")
    return tmp_path


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """What the command line paints with, as --engine stand-in."""
    made = echo(GUIDED)

    def studio(_: Any) -> Studio:
        found = Studio()
        found.add_engine(made)
        return found

    monkeypatch.setattr("overpaint.cli.edit.studio_of", studio)
    return made


@pytest.mark.usefixtures("folder")
def test_the_command_line_guides_by_files_and_by_maps_and_the_record_has_both(engine, capsys):
    call = ["replace", "photo.png", "--mask", "mask.png", "--engine", "stand-in", "--prompt", "x", "--area", "whole"]
    assert main([*call, "--control", "lineart=lines.png:weight=0.5", "--control", "canny:low=20,high=50"]) == 0
    drawn, made = engine.canvases[0].controls
    assert drawn.control.weight == 0.5
    assert set(np.unique(drawn.pixels)) == {0, 1}
    assert (drawn.pixels[30, 10:70] == 1).all()
    hole = engine.canvases[0].marked > 0
    assert not made.pixels[hole].any()
    assert made.pixels.any()
    assert "dark lines on a light ground" in capsys.readouterr().err
    record = json.loads(Image.open("photo.replace.png").text["overpaint"])
    kept = record["resolved"]["controls"]
    assert [one["kind"] for one in kept] == ["lineart", "canny"]
    assert (kept[0]["weight"], kept[1]["inside"], kept[1]["options"]) == (0.5, False, {"low": 20, "high": 50})


@pytest.mark.usefixtures("folder", "engine")
def test_mistakes_are_found_before_anything_is_painted(capsys):
    call = ["replace", "photo.png", "--mask", "mask.png", "--engine", "stand-in", "--prompt", "x", "--control"]
    for control, words in (
        ("cany", "tile, inpaint; did you mean 'canny'?"),
        ("lineart=no.png", "no.png doesn't exist"),
        ("lineart=lines.png:detial=1", "has no option 'detial'; did you mean 'detail'"),
        ("canny:weight=7", "--control: weight must be"),
    ):
        assert main([*call, control]) == 2
        assert words in capsys.readouterr().err
    assert not Path("photo.replace.png").exists()


@pytest.mark.usefixtures("folder")
def test_a_map_can_be_looked_at(capsys):
    assert main(["mask", "preview", "photo.png", "--control", "canny", "-o", "edges.png"]) == 0
    assert "edges.png: the map of canny, 80x60" in capsys.readouterr().out
    pixels = np.asarray(Image.open("photo.png"))
    expected = np.rint(make_map("canny", pixels / np.float32(255), {}) * 255)
    assert np.array_equal(np.asarray(Image.open("edges.png")), expected)
    assert np.array_equal(overpaint.control_map("photo.png", "canny").samples, expected)
    left_out = overpaint.control_map("photo.png", "canny", mask="mask.png").samples
    assert not left_out[20:40, 25:55].any()
    whole = overpaint.control_map("photo.png", {"kind": "canny", "inside": True}, mask="mask.png").samples
    assert np.array_equal(whole, expected)
    call = ["mask", "preview", "photo.png", "-o", "large.png", "--size", "138"]
    assert main([*call, "--control", "softedge", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["size"] == [159, 120]
    assert main([*call, "--overwrite"]) == 2
    assert "--size is about the map of a control" in capsys.readouterr().err
    assert main([*call, "--overwrite", "--control", "lineart=lines.png"]) == 2
    assert "leave FILE out" in capsys.readouterr().err


# Rows.


def test_rows_have_controls_as_text_and_as_tables_and_a_changed_drawing_paints_again(folder):
    engines: list[StandIn] = []

    def engine() -> StandIn:
        engines.append(echo(GUIDED))
        return engines[-1]

    bench = Bench(folder, engine)
    drawn, coarse = {"kind": "lineart", "image": "lines.png"}, {"kind": "tile", "options": {"down": 2}}
    tables = [
        {"image": "photo.png", "box": BOX, "output": "a.png", "controls": "canny; lineart=lines.png:weight=0.5"},
        {
            "image": "photo.png",
            "box": BOX,
            "output": "b.png",
            "controls": [drawn, "canny"],
        },
        {
            "image": "photo.png",
            "box": BOX,
            "output": "c.png",
            "controls": ["canny", coarse],
        },
    ]
    assert bench.run(tables).done == 3
    kinds = sorted([one.control.kind for one in canvas.controls] for canvas in engines[0].canvases)
    assert kinds == [["canny", "lineart"], ["canny", "tile"], ["lineart", "canny"]]
    assert all(any(one.pixels.any() for one in canvas.controls) for canvas in engines[0].canvases)
    assert bench.run(tables).done == 0
    Image.fromarray(255 - np.asarray(Image.open(folder / "lines.png"))[::-1]).save(folder / "lines.png")
    assert bench.run(tables).done == 2, "those that read the drawing"
    bad = bench.rows([{"image": "photo.png", "box": BOX, "controls": "canny:weight=9"}])[0]
    assert "weight must be between 0 and 4" in str(bad.error)


@pytest.mark.parametrize("kind", ["canny", "lineart", "scribble", "softedge"])
def test_a_photo_that_is_given_as_a_map_is_told_and_its_map_is_none(kind):
    shown = Image.open(Path(__file__).parents[1] / "docs" / "gallery" / "remove-04.jpg").reduce(3)
    photo = np.asarray(shown.convert("RGB"))
    drawn = np.rint(make_map(kind, photo.astype(np.float32) / 255, {}) * 255).astype(np.uint8)
    size = overpaint.Size(*shown.size)
    for image, told in ((photo, True), (photo[..., 1], True), (drawn, False), (255 - drawn, False)):
        controls, rasters = controls_of([{"kind": kind, "image": image}])
        (found,) = scene_controls(EditRequest.of("replace", controls=controls), size, rasters)
        said = f"the image of the control {kind!r} looks like a photo, not like a map of the kind {kind}"
        assert [note.startswith(said) for note in found.notes if "photo" in note] == [True] * told
    controls, rasters = controls_of([{"kind": kind, "image": photo, "preprocess": True}])
    (found,) = scene_controls(EditRequest.of("replace", controls=controls), size, rasters)
    assert not found.notes


def test_a_drawing_that_is_too_large_for_a_record_is_given_to_a_replay(folder, engine, capsys, monkeypatch):
    noise = np.random.default_rng(3).integers(0, 256, (600, 800), np.uint8)
    noise[[0, -1]], noise[:, [0, -1]] = 0, 0
    Image.fromarray(noise).save("lines.png")
    Image.fromarray(noise[::-1]).convert("RGB").save("large.png")
    call = ["edit", "large.png", "--box", "100,100,200,200", "--engine", "stand-in", "--control", "softedge=lines.png"]
    assert main([*call, "-o", "out.png"]) == 0
    monkeypatch.setattr("overpaint.studio.Studio", lambda **_: _with(echo(GUIDED)))
    capsys.readouterr()
    assert main(["replay", "out.png", "--image", "large.png"]) == 2
    err = capsys.readouterr().err
    assert "the 800x600 map of the control 'softedge' (" in err
    assert "neither inline nor among the inputs; --control FILE gives it" in err
    assert main(["replay", "out.png", "--image", "large.png", "--control", "lines.png"]) == 0
    assert "every pixel equal" in capsys.readouterr().out


def _with(engine: StandIn) -> Studio:
    from overpaint.studio._studio import Studio as Real

    found = Real()
    found.add_engine(engine)
    return found


# The server.


def test_a_server_and_its_clients_guide_by_stored_pictures_and_by_values(folder):
    engine = echo(GUIDED)
    given = {"engine": "stand-in", "mask": overpaint.Mask.from_file("mask.png"), "area": "whole", "seed": 1}
    with Studio() as studio:
        studio.add_engine(engine)
        with running(folder / "data", studio) as server, overpaint.Client(server.url) as client:
            drawing = np.asarray(Image.open("lines.png"))
            large = np.random.default_rng(0).integers(0, 256, (600, 800), np.uint8)
            controls = [{"kind": "lineart", "image": drawing}, "canny", {"kind": "depth", "image": large}]
            edited = client.edit("photo.png", intent="replace", prompt="x", controls=controls, **given)
            assert [one.kind for one in edited.resolved.controls] == ["lineart", "canny", "depth"]
            with server.client() as raw:
                ids = {}
                for name in ("photo.png", "mask.png", "lines.png"):
                    ids[name] = raw.post("/pictures", content=Path(name).read_bytes()).json()["id"]
                task: dict[str, Any] = {
                    "picture": ids["photo.png"],
                    "marks": {"mask": [ids["mask.png"]]},
                    "request": {"intent": "replace", "engine": "stand-in", "prompt": "x", "area": "whole", "seed": 1},
                    "controls": [{"kind": "lineart", "image": ids["lines.png"], "weight": 0.5}, {"kind": "canny"}],
                }
                job = client.job(raw.post("/edits", json=task).json()["id"])
                again = job.result()
                mapped = client.job(raw.post("/edits", json={**task, "maps": True}).json()["id"])
                mapped.result()
                (told,) = raw.get(f"/edits/{mapped.id}").json()["results"]
                maps = [raw.get(f"/pictures/{id}/file").content for id in told["maps"]]
                refused = raw.post("/edits", json={**task, "controls": [{"kind": "reference"}]})
            assert (refused.status_code, "needs an image" in refused.text) == (422, True)
    local, stored, shown = (canvas.controls for canvas in engine.canvases)
    for one, file in zip(shown, maps, strict=True):
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(file))), np.rint(one.pixels * 255).astype(np.uint8))
    assert [one.control.kind for one in local] == ["lineart", "canny", "depth"]
    assert [(one.control.kind, one.control.weight) for one in stored] == [("lineart", 0.5), ("canny", 1.0)]
    assert all(np.array_equal(one.pixels, other.pixels) for one, other in zip(local[:2], stored, strict=False))
    assert [one.kind for one in again.request.controls] == ["lineart", "canny"]


def test_old_requests_are_read_as_they_were():
    """Requests from before controls could leave their image open."""
    old = {"kind": "pose", "image": {"sha256": "0" * 64, "width": 4, "height": 4}, "weight": 0.5, "start": 0, "end": 1}
    found = Control(**old)
    assert (found.kind, found.mode, found.made, found.inside) == ("openpose", "balanced", False, None)
