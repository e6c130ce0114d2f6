"""Regional prompts from every door to the engine: Python, requests, the command line, batches, clients, sessions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from overpaint import AsyncClient, Client, Edited, Mask, Session, Studio
from overpaint.cli import main
from overpaint.doors.places import RegionPlaces
from overpaint.engines import Canvas, Monitor, Painted
from overpaint.errors import InputError, OverpaintError, RequestError
from overpaint.geometry import Size
from overpaint.picture import from_array
from overpaint.record import infotext
from overpaint.request import BoxPart, EditRequest, MaskSpec, RegionalPrompt
from servers import Running, running
from stand_ins import LEARNED, StandIn

SIZE = Size(96, 64)
HOLE = Mask.box(SIZE, (20, 10, 80, 54))
LEFT, RIGHT = Mask.box(SIZE, (0, 0, 48, 64)), Mask.box(SIZE, (48, 0, 96, 64))
TABLE = {"parts": [{"kind": "box", "box": [0, 0, 48, 64]}]}
SPEC = MaskSpec(parts=(BoxPart(box=(0, 0, 48, 64)),))
PICTURE = from_array(np.random.default_rng(0).integers(90, 150, (64, 96, 3)).astype(np.uint8))
STANDING: dict[str, Any] = {"engine": "stand-in", "intent": "replace", "prompt": "a street", "seed": 1, "grow": 0.0}
POCKET: dict[str, Any] = {"intent": "replace", "prompt": "grass", "model": "pocket", "steps": 1, "size": 64, "seed": 4}


def by_masks(canvas: Canvas, _: Monitor) -> Painted:
    """Paints the masks of regional prompts, by the lengths of their texts."""
    texts = () if canvas.sampling is None else canvas.sampling.regional_prompts
    shade = sum(len(one.prompt) / 20 * mask for one, mask in zip(texts, canvas.prompt_masks, strict=True))
    return Painted(np.full_like(canvas.pixels, 0.1) + np.float32(np.expand_dims(shade, -1)))


@pytest.fixture(scope="module")
def studio() -> Iterator[Studio]:
    with Studio() as made:
        made.add_engine(StandIn(by_masks, LEARNED))
        yield made


def edit(studio: Studio, prompts: Any, **more: Any) -> Edited:
    return studio.edit(PICTURE, **{**STANDING, "mask": HOLE, "regional_prompts": prompts, **more})


def canvas(studio: Studio) -> Canvas:
    engine = studio.engine("stand-in")
    assert isinstance(engine, StandIn)
    return engine.canvases[-1]


FORMS: dict[str, Any] = {
    "a mask": {"prompt": "a red car", "mask": LEFT, "weight": 2.0},
    "an array": {"prompt": "a red car", "mask": LEFT.values, "weight": 2.0},
    "a PIL image": {"prompt": "a red car", "mask": Image.fromarray(LEFT.to_bytes8()), "weight": 2.0},
    "a request's mask": {"prompt": "a red car", "mask": SPEC, "weight": 2.0},
    "a request's table": {"prompt": "a red car", "mask": TABLE, "weight": 2.0},
    "a value": RegionalPrompt(prompt="a red car", mask=SPEC, weight=2.0),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_mask_in_any_form_reaches_the_engine_and_the_record(studio: Studio, form: Any) -> None:
    edited = edit(studio, [form, {"prompt": "a tree", "mask": RIGHT, "negative_prompt": "leaves"}])
    seen = canvas(studio)
    assert seen.sampling is not None
    texts = [one.to_mapping() for one in seen.sampling.regional_prompts]
    assert texts == [
        {"prompt": "a red car", "weight": 2.0},
        {"prompt": "a tree", "weight": 1.0, "negative_prompt": "leaves"},
    ]
    first, second = seen.prompt_masks
    assert np.allclose(first + second, 1, atol=1e-6)
    assert first[seen.hole].max() == 1
    assert first[:, 0].min() == 1 > first[:, -1].max()
    request = EditRequest.from_json(edited.request.to_json())
    assert edited.resolved.regional_prompts == request.regional_prompts
    assert studio.edit(PICTURE, request, inputs={}).resolved.digest == edited.resolved.digest
    assert edit(studio, [form]).resolved.digest != edited.resolved.digest
    assert 'Regional prompts: "[\\"a red car\\", \\"a tree\\"]"' in infotext(edited.record)


def test_a_large_mask_is_named_by_its_digest(studio: Studio) -> None:
    noise = np.random.default_rng(2).integers(0, 2, (700, 800)) > 0
    picture = from_array(np.zeros((700, 800, 3), np.uint8))
    mask = Mask.box(picture.size, (20, 10, 80, 54))
    edited = studio.edit(
        picture, mask=mask, engine="stand-in", prompt="x", regional_prompts=[{"prompt": "y", "mask": noise}]
    )
    ((one,),) = [edited.request.regional_prompts or ()]
    assert one.mask.parts[0].raster.data is None  # type: ignore[union-attr]
    assert one.mask.parts[0].raster.sha256 in edited.rasters.by_digest  # type: ignore[union-attr]


def test_the_prompt_may_be_left_out_beside_regional_prompts(studio: Studio) -> None:
    assert edit(studio, [{"prompt": "a red car", "mask": LEFT}], prompt=None).resolved.prompt == ""


def test_what_touches_the_old_border_goes_on_beyond_it(studio: Studio) -> None:
    edit(studio, [{"prompt": "sand", "mask": LEFT}], intent="expand", margins=(32, 0, 32, 0), mask=None)
    seen = canvas(studio)
    (mask,) = seen.prompt_masks
    assert (mask[:, 0], mask[:, -1]) == (pytest.approx(1), pytest.approx(0))


def test_notes_name_what_has_no_effect(studio: Studio) -> None:
    beyond, empty = Mask.box(SIZE, (0, 0, 4, 4)), {"parts": [{"kind": "full"}], "invert": True}
    edited = edit(studio, [{"prompt": "x", "mask": beyond}, {"prompt": "y", "mask": empty}])
    assert edited.notes[-2:] == (
        "regional prompt 1: its mask lies beyond what is repainted, and it had no effect there",
        "regional prompt 2: its mask is empty, and it had no effect",
    )
    other = edit(studio, [{"prompt": "x", "mask": LEFT}], engine="telea", intent="remove", prompt=None)
    assert "telea does not use regional_prompts: it continues the surroundings" in other.notes
    assert other.resolved.regional_prompts is None


WRONG: dict[str, tuple[Any, str]] = {
    "a size": ([{"prompt": "x", "mask": LEFT}, {"prompt": "y", "mask": np.ones((9, 12))}], "2: the mask is 12x9"),
    "a shape": ([{"prompt": "x", "mask": {"parts": [{"kind": "polygon", "points": [[0, 0]]}]}}], "points"),
    "nine": ([{"prompt": "x", "mask": LEFT}] * 9, "regional_prompts .*at most 8"),
    "no mask": ([{"prompt": "x"}], "mask"),
    "a weight": ([{"prompt": "x", "mask": SPEC, "weight": 0}], "weight"),
    "no table": (["a red car"], "regional_prompts"),
    "no list": ("a red car", "regional_prompts"),
}  # fmt: skip


@pytest.mark.parametrize(("prompts", "words"), WRONG.values(), ids=WRONG.keys())
def test_errors_name_the_field(studio: Studio, prompts: Any, words: str) -> None:
    with pytest.raises(OverpaintError, match=words) as caught:
        edit(studio, prompts)
    assert caught.value.field.startswith("regional_prompts")


def test_given_twice_they_are_refused(studio: Studio) -> None:
    request = EditRequest(intent="replace", prompt="x", regional_prompts=(FORMS["a value"],))
    with pytest.raises(RequestError, match="given twice") as caught:
        studio.edit(PICTURE, request, mask=HOLE, engine="stand-in", regional_prompts=[{"prompt": "y", "mask": LEFT}])
    assert caught.value.code == "regional-twice"


@pytest.mark.parametrize(
    ("written", "mask", "box", "text", "weight"),
    [
        ("left.png=a red car", ("left.png",), (), "a red car", 1.0),
        ("C:/left.png=a = b", ("C:/left.png",), (), "a = b", 1.0),
        ("0,0,50%,100%=a (red:1.3) car", (), ("0,0,50%,100%",), "a (red:1.3) car", 1.0),
        (" -1, 0.5,50 %,9px : 1.5 = x", (), ("-1, 0.5,50 %,9px",), "x", 1.5),
        ("alpha:2=x", ("alpha",), (), "x", 2.0),
    ],
)
def test_a_place_and_a_text_are_written_in_one(written, mask, box, text, weight) -> None:
    found = RegionPlaces.of(written)
    assert (found.places.mask, found.places.box) == (mask, box)
    assert (found.text.prompt, found.text.weight) == (text, weight)
    for wrong in ("a red car", "=a red car", "left.png=", "left.png:0=x"):
        with pytest.raises(InputError):
            RegionPlaces.of(wrong)


# ---- with the small model, from outside ----


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in with the picture, its mask, and a mask of its left half."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(PICTURE.samples).save("photo.png")
    for name, mask in (("mask", HOLE), ("left", LEFT)):
        Image.fromarray(mask.to_bytes8()).save(f"{name}.png")
    return tmp_path


def words(*prompts: str) -> list[str]:
    how = [f"--{name}={value}" for name, value in POCKET.items() if name != "intent"]
    return [*how, *(part for one in prompts for part in ("--region-prompt", one))]


def pixels(name: str) -> np.ndarray:
    with Image.open(name) as image:
        return np.asarray(image)


@pytest.mark.usefixtures("folder")
class TestDoors:
    def test_the_command_line_a_replay_and_private_mode(self, capsys: pytest.CaptureFixture[str]) -> None:
        call = ["replace", "photo.png", "--mask", "mask.png", *words("left.png=snow", "60%,0,100%,100%:2=a brick wall")]
        assert main([*call, "-o", "out.png"]) == 0
        assert main(["replay", "out.png"]) == 0
        capsys.readouterr()
        assert main(["info", "out.png"]) == 0
        assert "snow (raster); a brick wall (box 58,0,96,64)" in capsys.readouterr().out
        assert main([*call, "--private", "--audit", "log.jsonl", "-o", "private.png"]) == 0
        assert np.array_equal(pixels("out.png"), pixels("private.png"))
        assert b"brick" in Path("out.png").read_bytes()
        assert b"regional_prompts" in Path("log.jsonl").read_bytes()
        assert not any(b"brick" in Path(name).read_bytes() for name in ("private.png", "log.jsonl"))
        capsys.readouterr()
        assert main(["replay", "private.png", "--audit", "log.jsonl", "--prompt", "grass"]) != 0
        assert "only a hash of the regional prompts" in capsys.readouterr().err

    def test_errors_of_the_command_line_name_the_option(self, capsys: pytest.CaptureFixture[str]) -> None:
        Image.fromarray(np.zeros((9, 12), np.uint8)).save("small.png")
        for wrong, said in (("snow", "--region-prompt takes PLACE=TEXT"), ("small.png=snow", "regional prompt 1")):
            assert main(["replace", "photo.png", "--mask", "mask.png", *words(wrong)]) == 2
            assert said in capsys.readouterr().err

    def test_a_batch_reads_mask_files_and_paints_again_where_one_has_changed(self) -> None:
        table = {"prompt": "snow", "mask": TABLE}
        forms = {"file": ["left.png=snow"], "table": [table]}
        rows = [
            {"image": "photo.png", "mask": "mask.png", **POCKET, "regional_prompts": form, "id": name}
            for name, form in forms.items()
        ]
        Path("edits.jsonl").write_text("\n".join(map(json.dumps, rows)))
        call = ["batch", "edits.jsonl", "-o", "out", "--name", "{id}{ext}", "-q"]
        assert main(call) == 0
        first = [pixels(f"out/{name}.png") for name in forms]
        assert all(np.array_equal(one, first[0]) for one in first)
        Image.fromarray(RIGHT.to_bytes8()).save("left.png")
        assert main(call) == 0
        assert not np.array_equal(pixels("out/file.png"), first[0])
        assert np.array_equal(pixels("out/table.png"), first[1])

    def test_a_row_that_names_too_many_or_none_of_a_form_is_refused_alone(self) -> None:
        wrong: Sequence[Any] = [["left.png=x"] * 9, {"prompt": "x", "mask": "missing.png"}, "x", {"prompt": "x"}]
        rows = [{"image": "photo.png", "box": "1,1,9,9", "intent": "replace", "regional_prompts": one} for one in wrong]
        rows.append({"image": "photo.png", "box": "1,1,9,9"})
        Path("edits.jsonl").write_text("\n".join(map(json.dumps, rows)))
        assert main(["batch", "edits.jsonl", "-o", "out", "-q"]) == 1
        assert len(list(Path("out").glob("*.png"))) == 1


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, studio: Studio) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("data") / "server", studio) as found:
        yield found


def test_clients_give_the_pixels_of_an_edit_here_and_the_server_keeps_what_was_asked(
    server: Running, studio: Studio
) -> None:
    ask = {**STANDING, "mask": HOLE, "regional_prompts": [{"prompt": "snow", "mask": LEFT.values}]}
    here = studio.edit(PICTURE, **ask)

    async def by_async_client() -> Edited:
        async with AsyncClient(server.url) as client:
            return await client.edit(PICTURE, **ask)

    with Client(server.url) as client:
        there = client.edit(PICTURE, **ask)
        assert there.pixels_sha256 == here.pixels_sha256 == asyncio.run(by_async_client()).pixels_sha256
        assert there.request == here.request
        plain = studio.edit(PICTURE, **{**ask, "regional_prompts": None})
        assert plain.pixels_sha256 != here.pixels_sha256
        # a stored picture as its mask, as other programs ask for it
        file, left = client.upload(PICTURE), client.upload(from_array(LEFT.to_bytes8()))
        task = {
            "picture": file.id,
            "marks": {"box": ["20,10,80,54"]},
            "request": STANDING,
            "regional_prompts": [{"prompt": "snow", "marks": {"mask": [left.id], "channel": "luminance"}}],
        }
        with server.client() as plainly:
            job = plainly.post("/edits", json=task).json()
            done = client.job(job["id"])
            assert (done.wait(), done.result())[1].pixels_sha256 == here.pixels_sha256
            assert plainly.get(f"/edits/{job['id']}").json()["task"]["regional_prompts"][0]["prompt"] == "snow"
            task["regional_prompts"] = task["regional_prompts"] * 9
            assert "regional_prompts" in plainly.post("/edits", json=task).text


def test_a_step_of_a_session_is_painted_again_with_them_and_without(studio: Studio, tmp_path: Path) -> None:
    with Session.create(PICTURE, tmp_path / "s.overpaint", studio=studio) as session:
        step = session.edit(**STANDING, mask=HOLE, regional_prompts=[{"prompt": "x", "mask": LEFT.values}]).number
        own = session.request(step).regional_prompts
        assert own is not None
        session.rerun(step)
        assert session.request(step).regional_prompts == own
        session.rerun(step, regional_prompts=[{"prompt": "y", "mask": RIGHT}])
        assert [one.prompt for one in session.request(step).regional_prompts or ()] == ["y"]
        session.rerun(step, regional_prompts=None)
        assert session.request(step).regional_prompts is None
