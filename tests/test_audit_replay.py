"""A record is enough to do an edit again, to show how it was made, and to tell other tools."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import os
import struct
import sys
import typing
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from overpaint import EditRequest, Mask, Studio
from overpaint.audit import (
    AuditLog,
    LogEntry,
    Operator,
    Replayed,
    Secret,
    difference,
    edit_record,
    entries,
    replay,
    request_again,
    to_csv,
    to_prov,
    verify,
)
from overpaint.cli import main
from overpaint.engines import Painted
from overpaint.errors import RecordError
from overpaint.geometry import Box, Size
from overpaint.picture import Picture, encode, from_array, open_picture, png
from overpaint.record import Record, read_record
from overpaint.request import INTENTS
from overpaint.studio import resolve
from stand_ins import DIFFUSION, LEARNED, PIXEL, StandIn, echo, noise
from test_untouched import picture_of

SIZE = Size(64, 48)
MASK = Mask.box(SIZE, Box(20, 10, 40, 30))


@pytest.fixture
def picture() -> Picture:
    return picture_of(SIZE, "rgb", 8)


def again(record: Record, picture: Picture, engine: StandIn, **given: Any) -> Replayed:
    with Studio() as studio:
        studio.add_engine(engine)
        return replay(studio, record, picture, **given)


def made(picture: Picture, engine: StandIn, **settings: Any) -> Any:
    with Studio() as studio:
        studio.add_engine(engine)
        return studio.edit(picture, engine="stand-in", **settings)


class TestReplay:
    def test_the_same_comes_out_from_the_record_alone(self, picture):
        edited = made(picture, noise(), mask=MASK, intent="remove", feather=3.0)
        record = Record.from_json(edited.record.to_json())
        replayed = again(record, picture, noise())
        assert replayed.equal
        assert replayed.difference is None
        assert np.array_equal(replayed.edited.picture.samples, edited.picture.samples)
        assert replayed.edited.resolved.digest == edited.resolved.digest

    def test_a_seed_that_was_drawn_and_an_engine_that_was_chosen_are_those_of_then(self, picture):
        with Studio() as studio:
            edited = studio.edit(picture, mask=MASK, intent="remove")
            replayed = replay(studio, edited.record, picture)
        assert replayed.equal
        assert replayed.edited.resolved.seed == edited.resolved.seed
        assert replayed.edited.resolved.engine == "exemplar"

    def test_where_something_else_comes_out_it_says_how_much_and_where(self, picture):
        edited = made(picture, echo(), mask=MASK, grow=0.0, feather=0.0)

        def dot(canvas, monitor):
            painted = canvas.pixels.copy()
            rows, columns = np.nonzero(canvas.mask > 0)
            painted[rows[0] + 2, columns[0] + 3] += np.float32(9 / 255)
            return Painted(painted)

        replayed = again(edited.record, picture, StandIn(dot), made=edited.picture)
        assert not replayed.equal
        assert str(replayed.difference) == f"1 of {64 * 48:,} pixels differ, by up to 9 levels, within 23,12,24,13"

    def test_without_the_picture_of_then_it_says_only_that_it_differs(self, picture):
        replayed = again(made(picture, echo(), mask=MASK).record, picture, noise())
        assert not replayed.equal
        assert replayed.difference is None
        assert (replayed.outcome, replayed.file, replayed.reason) == ("different", "not compared", "it was not given")

    def test_what_has_changed_since_is_named(self, picture):
        record = made(picture, noise(), mask=MASK).record
        execution = record.execution.model_copy(update={"versions": {"numpy": "1.0"}, "threads": 64})
        replayed = again(record.model_copy(update={"execution": execution}), picture, noise(LEARNED))
        said = "; ".join(replayed.notes)
        assert f"numpy was 1.0 and is {np.__version__}" in said
        assert "threads was 64 and is" in said

    def test_another_picture_is_refused_and_the_same_pixels_from_another_file_are_not(self, picture, tmp_path):
        (tmp_path / "a.png").write_bytes(encode(picture, "png").data)
        record = made(tmp_path / "a.png", noise(), mask=MASK).record
        with pytest.raises(RecordError, match=r"is not what was edited: a\.png, 64x48"):
            again(record, picture_of(SIZE, "rgb", 8, seed=5), noise())
        (tmp_path / "a.tif").write_bytes(encode(picture, "tiff").data)
        replayed = again(record, open_picture(tmp_path / "a.tif"), noise())
        assert replayed.equal
        assert replayed.notes[0] == "the input file differs from the recorded one, with equal pixels"

    def test_a_background_with_padding_is_painted_on_the_same_area_again(self, picture):
        edited = made(picture, noise(LEARNED), mask=MASK, intent="background", prompt="sand", padding=8)
        assert again(edited.record, picture, noise(LEARNED)).equal


SETTINGS = {
    "grow": st.floats(0, 20, width=32),
    "feather": st.floats(0, 20, width=32),
    "padding": st.integers(0, 99),
    "strict": st.booleans(),
    "reach_limit": st.integers(0, 99),
    "area": st.sampled_from(["masked", "whole"]),
    "strength": st.floats(0, 1),
    "steps": st.integers(1, 50),
    "sampler": st.sampled_from(["Euler a", "UniPC"]),
    "scheduler": st.sampled_from(["Karras", "Exponential"]),
    "alpha": st.sampled_from(["keep", "cover"]),
    "exact": st.booleans(),
    "seam": st.booleans(),
    "detail": st.sampled_from(["surroundings", "full", "careful", "none"]),
    "dialect": st.sampled_from(["native", "diffusers", "webui"]),
    "negative_prompt": st.text("ab", min_size=1),
    "options": st.just({"a": 1.5}),
}


@given(
    intent=st.sampled_from(sorted(INTENTS)),
    card=st.sampled_from([PIXEL, DIFFUSION]),
    settings=st.fixed_dictionaries({}, optional=SETTINGS),
    seed=st.integers(0, 2**63 - 1),
)
def test_a_request_that_leaves_nothing_open_resolves_to_the_same(intent, card, settings, seed):
    if intent == "expand":
        settings = {**settings, "margins": (1, 0, 2, 0)}
    request = EditRequest.of(intent, prompt="a bench", **settings)
    first = resolve(request, card, seed=seed)
    second = resolve(request_again(first), card, seed=3 if first.seed is None else first.seed)
    assert second.digest == first.digest


class TestDifference:
    def test_equal_pictures_have_none_whatever_form_they_are_in(self, picture):
        assert difference(picture, picture) is None
        grey = picture_of(SIZE, "grey", 8)
        assert difference(grey, from_array(np.repeat(grey.samples, 3, axis=2))) is None
        opaque = replace(picture, alpha=np.full(SIZE.shape, 255, np.uint8))
        assert difference(picture, opaque) is None
        deep = replace(picture, samples=picture.samples.astype(np.uint16) * 257)
        assert difference(picture, deep) is None

    def test_alpha_counts_and_levels_are_those_of_the_deeper(self, picture):
        alpha = np.full(SIZE.shape, 255, np.uint8)
        alpha[5, 6] = 254
        apart = difference(picture, replace(picture, alpha=alpha))
        assert apart is not None
        assert (apart.pixels, apart.largest, apart.box) == (1, 1, Box(6, 5, 7, 6))
        deep = replace(picture, samples=picture.samples.astype(np.uint16) * 257 - np.uint16(1))
        found = difference(picture, deep)
        assert found is not None
        assert found.largest == 1

    def test_what_can_not_be_compared_is_refused(self, picture):
        with pytest.raises(RecordError, match="can't be compared"):
            difference(picture, picture_of(Size(10, 10), "rgb", 8))
        with pytest.raises(RecordError, match="can't be compared"):
            difference(picture, picture_of(SIZE, "cmyk", 8))


class TestPrivate:
    def edit(self, folder: Path, picture: Picture, **settings: Any) -> tuple[Any, Any]:
        edited = made(picture, noise(LEARNED), mask=MASK, intent="replace", **settings)
        return edited, edited.save(folder / "out.png", record="none")

    def test_the_record_has_hashes_that_only_the_salt_can_compare(self, picture, tmp_path):
        edited, saved = self.edit(tmp_path, picture, prompt="Ägypten at dawn", negative_prompt="people")
        secret = Secret.beside(tmp_path / "audit.jsonl", make=True)
        record = edit_record(edited, saved, secret=secret)
        text = record.to_json()
        assert "gypten" not in text
        assert "people" not in text
        assert edited.resolved.digest not in text
        assert set(record.hidden) == {"prompt", "negative_prompt"}
        assert secret.matches("  Ägypten at dawn ", record.hidden["prompt"])
        assert secret.matches("A\u0308gypten at dawn", record.hidden["prompt"])
        assert not secret.matches("Ägypten at dusk", record.hidden["prompt"])
        other = Secret.beside(tmp_path / "other.jsonl", make=True)
        assert not other.matches("Ägypten at dawn", record.hidden["prompt"])

    def test_who_knows_the_prompt_can_replay(self, picture, tmp_path):
        edited, saved = self.edit(tmp_path, picture, prompt="a bench")
        record = edit_record(edited, saved, secret=Secret.beside(tmp_path / "audit.jsonl", make=True)).edit
        assert again(record, picture, noise(LEARNED), prompts={"prompt": "a bench"}).equal

    def test_the_prompt_that_an_intent_brings_is_no_secret(self, picture, tmp_path):
        edited = made(picture, noise(LEARNED), mask=MASK, intent="remove")
        saved = edited.save(tmp_path / "out.png", record="none")
        record = edit_record(edited, saved, secret=Secret.beside(tmp_path / "audit.jsonl", make=True))
        assert record.hidden == {}
        assert record.edit.resolved.prompt == edited.resolved.prompt
        assert edited.resolved.prompt

    def test_the_salt_is_made_once_and_for_its_owner_alone(self, tmp_path):
        log = tmp_path / "audit.jsonl"
        with pytest.raises(RecordError, match="without the log's salt"):
            Secret.beside(log)
        first = Secret.beside(log, make=True)
        assert Secret.beside(log, make=True) == first == Secret.beside(log)
        assert (tmp_path / "audit.salt").stat().st_mode & 0o077 == 0
        assert first.key.hex() not in repr(first)
        (tmp_path / "audit.salt").write_text("12")
        with pytest.raises(RecordError, match="1 bytes, not 32"):
            Secret.beside(log)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a picture and a mask."""
    folder = tmp_path / "work"  # in a folder of its own: replay looks for an input in the folders beside it too
    folder.mkdir()
    monkeypatch.chdir(folder)
    noisy = np.random.default_rng(7).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(noisy).save("photo.png")
    mask = np.zeros((60, 80), np.uint8)
    mask[20:40, 25:55] = 255
    Image.fromarray(mask).save("mask.png")
    return folder


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return parsed


REMOVE = ["remove", "photo.png", "--engine", "telea", "-q", "--mask", "mask.png"]


@pytest.mark.usefixtures("folder")
class TestCommands:
    def test_an_edit_is_recorded_verified_shown_and_done_again(self, capsys):
        words = ["exemplar" if word == "telea" else word for word in REMOVE]
        assert main([*words, "--audit", "audit.jsonl", "-n", "2"]) == 0
        assert main(["audit", "verify"]) == 0
        assert "audit.jsonl is whole: 2 records, 2 outputs as written; head 2:" in capsys.readouterr().out
        assert main(["audit", "show", "photo.remove-2.png", "--json"]) == 0
        shown = printed(capsys)
        assert (shown["line"], shown["whole"]) == (2, True)
        assert shown["record"]["masks"][0]["place"] == "mask.png"
        assert main(["audit", "show", shown["id"][:8]]) == 0
        assert "input    photo.png" in capsys.readouterr().out
        assert main(["replay", "photo.remove-2.png", "-o", "again.png", "--json"]) == 0
        assert printed(capsys)["equal"] is True
        assert (open_picture("again.png").samples == open_picture("photo.remove-2.png").samples).all()

    def test_a_fault_is_named_and_ends_with_status_1(self, capsys):
        main([*REMOVE, "--audit", "audit.jsonl"])
        Path("photo.remove.png").write_bytes(Path("photo.png").read_bytes())
        assert main(["audit", "verify"]) == 1
        assert "line 1: its output photo.remove.png was changed since: it has other pixels" in capsys.readouterr().out
        assert main(["audit", "verify", "--chain-only"]) == 0
        capsys.readouterr()
        assert main(["audit", "verify", "--json"]) == 1
        assert printed(capsys)["faults"][0]["line"] == 1

    def test_verification_requires_a_head_from_another_place(self, capsys):
        main([*REMOVE, "--audit", "audit.jsonl"])
        main(["audit", "verify", "--json"])
        head = printed(capsys)["head"]
        assert main(["audit", "verify", "--head", head]) == 0
        assert main(["audit", "verify", "--head", f"9:{'a' * 64}"]) == 1
        assert main(["audit", "verify", "--head", "9"]) == 2

    def test_a_picture_alone_can_be_done_again(self, capsys):
        assert main(REMOVE) == 0
        assert main(["replay", "photo.remove.png"]) == 0
        out = capsys.readouterr().out
        assert out.startswith("photo.remove.png: the same 80x60 picture came out, every pixel equal")

    @pytest.mark.parametrize("log", [(), ("--audit", "audit.jsonl")])
    def test_an_input_that_its_result_has_replaced_is_asked_for(self, capsys, log):
        Image.open("photo.png").save("folder.png")
        words = [*REMOVE, "-o", "photo.png", "--overwrite", *log]
        assert main(words) == 0
        assert main(["replay", "photo.png"]) == 2
        assert "photo.png was overwritten by the result: give what was edited" in capsys.readouterr().err
        assert main(["replay", "photo.png", "--image", "folder.png"]) == 0

    def test_places_of_changes_in_a_picture_are_reported(self, capsys):
        main([*REMOVE, "--audit", "audit.jsonl"])
        main(["audit", "verify", "--json"])
        samples = open_picture("photo.remove.png").samples.copy()
        samples[30, 33] ^= 64
        changed = replace(open_picture("photo.remove.png"), samples=samples)
        Path("photo.remove.png").write_bytes(encode(changed, "png").data)
        capsys.readouterr()
        assert main(["replay", "photo.remove.png", "--audit", "audit.jsonl"]) == 2
        assert "no record of photo.remove.png: neither of the file nor of its pixels" in capsys.readouterr().err
        assert main(["replay", "photo.remove.png"]) == 1  # by the record within it
        said = capsys.readouterr().out
        assert said.startswith(
            "photo.remove.png: audit.jsonl does not know this file, and the record is the one within it; by"
        )
        assert "the file is not the result, which came out as recorded: 1 of 4,800 pixels differ" in said

    @pytest.mark.parametrize(
        ("source", "current"), [("photos", "photos"), (".", "photos"), ("clean", "photos"), ("photos", "other")]
    )
    def test_the_input_is_found_near_the_result_and_here(self, source, current, capsys, monkeypatch):
        main([*REMOVE, "-o", "result.png"])
        for name in ("clean", "photos", "other"):
            Path(name).mkdir()
        Path("result.png").rename("clean/result.png")
        moved = Path("photo.png").rename(Path(source, "photo.png")).resolve()
        monkeypatch.chdir(current)
        assert main(["replay", "../clean/result.png"]) == 0
        moved.write_bytes(b"another")
        assert main(["replay", "../clean/result.png"]) == 2
        assert source == "clean" or "photo.png is not there: give its place by --image" in capsys.readouterr().err

    def test_a_moved_input_must_be_given(self, capsys):
        main([*REMOVE, "--audit", "audit.jsonl"])
        Path("photo.png").rename("elsewhere.png")
        assert main(["replay", "photo.remove.png"]) == 2
        assert "photo.png is not there: give its place by --image" in capsys.readouterr().err
        assert main(["replay", "photo.remove.png", "--image", "elsewhere.png"]) == 0
        assert main(["replay", "photo.remove.png", "--image", "mask.png"]) == 2

    def test_a_mask_too_large_for_a_record_is_found_by_its_digest(self, capsys):
        speckled = (np.random.default_rng(3).random((700, 800)) > 0.5).astype(np.uint8) * 255
        Image.fromarray(speckled).save("mask.png")
        Image.fromarray(np.zeros((700, 800, 3), np.uint8)).save("photo.png")
        main([*REMOVE, "--audit", "audit.jsonl"])
        assert Path("audit.jsonl").stat().st_size < 20_000
        assert main(["replay", "photo.remove.png"]) == 0
        Path("mask.png").rename("moved.png")
        capsys.readouterr()
        assert main(["replay", "photo.remove.png"]) == 2
        err = capsys.readouterr().err
        assert "the 800x700 mask (" in err
        assert "neither inline nor among the inputs; --mask FILE gives it" in err
        assert main(["replay", "photo.remove.png", "--mask", "moved.png"]) == 0

    def test_private_keeps_the_prompt_out_of_log_and_picture(self, capsys):
        words = [*REMOVE, "--prompt", "grandmother's garden", "--audit", "audit.jsonl", "--private"]
        assert main(words) == 0
        for name in ("audit.jsonl", "photo.remove.png"):
            assert b"grandmother" not in Path(name).read_bytes()
            assert b"overpaint" not in Path("photo.remove.png").read_bytes()
        capsys.readouterr()
        assert main(["audit", "show", "photo.remove.png", "--prompt", "grandmother's garden"]) == 0
        assert "was the prompt of this edit" in capsys.readouterr().out
        assert main(["audit", "show", "photo.remove.png", "--prompt", "another"]) == 1
        assert "was not the prompt" in capsys.readouterr().out
        assert main(["replay", "photo.remove.png"]) == 0  # its engine has no use for the prompt
        assert main(["replay", "photo.remove.png", "--prompt", "another"]) == 2
        assert "the record has the hash of another text" in capsys.readouterr().err
        assert main(["replay", "photo.remove.png", "--prompt", "grandmother's garden"]) == 0

    def test_a_private_prompt_that_was_used_is_needed_again(self, capsys):
        words = ["recolor", "photo.png", "--mask", "mask.png", "--prompt", "a dark green car", "--private"]
        assert main([*words, "--audit", "audit.jsonl"]) == 0
        assert main(["replay", "photo.recolor.png"]) == 2
        assert "give --prompt" in capsys.readouterr().err
        assert main(["replay", "photo.recolor.png", "--prompt", "a dark green car"]) == 0

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ([*REMOVE, "--private"], "give --audit PATH too"),
            ([*REMOVE, "--private", "--audit", "a.jsonl", "--record", "sidecar"], "leave out --record sidecar"),
            ([*REMOVE, "--audit", "a.jsonl", "-o", "-"], "an audit log needs a file"),
            ([*REMOVE, "--audit", "nowhere/a.jsonl"], "the folder nowhere doesn't exist"),
            (["audit", "verify"], "there is no audit log"),
            (["audit", "show", "photo.png"], "name it by --audit"),
            (["replay", "photo.png"], "has no record of Overpaint's"),
            (["replay", "0123456789"], "name it by --audit"),
        ],
    )
    def test_impossible_replays_are_refused_before_writing(self, capsys, words, said):
        before = sorted(Path().iterdir())
        assert main(words) in (1, 2)
        assert said in capsys.readouterr().err
        assert sorted(Path().iterdir()) == before

    def test_exports_are_written(self, capsys):
        main([*REMOVE, "--audit", "audit.jsonl"])
        assert main(["audit", "export", "--to", "csv"]) == 0
        assert capsys.readouterr().out.startswith("id,made,input,")
        assert main(["audit", "export", ".", "-o", "prov.json"]) == 0
        assert json.loads(Path("prov.json").read_text())["prefix"]
        assert main(["audit", "export", ".", "-o", "prov.json"]) == 1


def painted_over(name: str) -> None:
    """A red square in the file by another program, which keeps format, record and colour profile."""
    with Image.open(name) as file:
        image, kept = file.copy(), dict(file.info)
    image.paste((255, 0, 0), (30, 22, 36, 28))
    info = PngInfo()
    for key, value in kept.items():
        if isinstance(value, str):
            info.add_itxt(key, value)
    more = {"quality": 95, "subsampling": 0} if name.endswith("jpg") else {}
    also = {key: kept[key] for key in ("exif", "xmp", "icc_profile") if kept.get(key)}
    image.save(name, **more, **({"pnginfo": info} if name.endswith("png") else {"lossless": True, **also}))


@pytest.mark.usefixtures("folder")
class TestWhatTheFileHolds:
    """Replay certifies nothing but what it has compared with the file."""

    FILES: typing.ClassVar = {
        "png": ("photo.png", "out.png", ()),
        "tiff": ("photo.png", "out.tif", ()),
        "jpeg, blocks carried over": ("photo.jpg", "out.jpg", ()),
        "jpeg with a quality": ("photo.jpg", "out.jpg", ("--quality", "70")),
        "jpeg of a png": ("photo.png", "out.jpg", ()),
        "webp": ("photo.png", "out.webp", ()),
        "webp with a quality": ("photo.png", "out.webp", ("--quality", "60")),
        "avif with a quality": ("photo.png", "out.avif", ("--quality", "60")),
    }

    def edit(self, kind: str, *more: str) -> str:
        source, name, words = self.FILES[kind]
        Image.open("photo.png").save("photo.jpg", quality=88, subsampling=2)
        assert main(["remove", source, "--mask", "mask.png", "--engine", "telea", "-q", "-o", name, *words, *more]) == 0
        return name

    @pytest.mark.parametrize("log", [(), ("--audit", "audit.jsonl")], ids=["alone", "logged"])
    @pytest.mark.parametrize("kind", list(FILES))
    def test_a_file_as_it_was_written_holds_the_result(self, kind, log, capsys):
        name = self.edit(kind, *log)
        capsys.readouterr()
        assert main(["replay", name, "--json"]) == 0
        said = printed(capsys)
        assert (said["equal"], said["outcome"], said["file"]) == (True, "same", "same")

    @pytest.mark.parametrize("kind", ["png", "jpeg, blocks carried over", "jpeg with a quality", "webp"])
    def test_a_red_square_that_keeps_the_record_is_found(self, kind, capsys):
        name = self.edit(kind)
        painted_over(name)
        capsys.readouterr()
        assert main(["replay", name]) == 1
        said = capsys.readouterr().out
        assert "the file is not the result, which came out as recorded" in said
        assert "pixels differ" in said
        assert "every pixel equal" not in said

    def test_one_block_of_a_jpeg_that_was_carried_over_is_found(self, capsys):
        """All other blocks are bit for bit those of the file."""
        import jpeglib

        name = self.edit("jpeg, blocks carried over")
        with Image.open(name) as file:
            kept = file.info["xmp"]
        image = jpeglib.read_dct(name)
        image.Y[0, 0, 0, 0] += 3
        image.write_dct(name)
        with Image.open(name) as file:
            kept = kept if not file.info.get("xmp") else b""
        if kept:  # jpeglib drops the record: put it back behind the start of the file
            packet = b"http://ns.adobe.com/xap/1.0/\0" + kept
            data = Path(name).read_bytes()
            Path(name).write_bytes(data[:2] + b"\xff\xe1" + (len(packet) + 2).to_bytes(2, "big") + packet + data[2:])
        capsys.readouterr()
        assert main(["replay", name]) == 1
        assert "within 0,0,8,8" in capsys.readouterr().out

    def test_another_colour_profile_is_found(self, capsys):
        name = self.edit("png")
        made = open_picture(name)
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
        Path(name).write_bytes(encode(replace(made, metadata=replace(made.metadata, icc=profile)), "png").data)
        capsys.readouterr()
        assert main(["replay", name]) == 1
        assert "its pixels are equal, and its colour profile is another" in capsys.readouterr().out

    def test_a_result_in_another_format_is_not_the_file_that_was_written(self, capsys):
        name = self.edit("jpeg, blocks carried over")
        made = open_picture(name)
        record = read_record(name)
        Path("copy.png").write_bytes(encode(made, "png").data)
        assert record is not None
        Path("copy.png.overpaint.json").write_text(record.raw)
        capsys.readouterr()
        assert main(["replay", "copy.png"]) == 1
        assert "pixels differ" in capsys.readouterr().out

    @pytest.mark.parametrize(
        ("harm", "said"),
        [
            (lambda path: path.unlink(), "out.png is not there"),
            (lambda path: path.write_bytes(path.read_bytes()[:300]), "it can't be read"),
        ],
    )
    def test_a_file_that_can_not_be_compared_has_a_status_of_its_own(self, harm, said, capsys):
        name = self.edit("png", "--audit", "audit.jsonl")
        harm(Path(name))
        id = next(entries(Path("audit.jsonl"))).link.id
        capsys.readouterr()
        assert main(["replay", id]) == 3
        out = capsys.readouterr().out
        assert "came out as recorded, but THE FILE WAS NOT COMPARED" in out
        assert said in out
        assert main(["replay", id, "--json"]) == 3
        assert printed(capsys)["equal"] is False

    def test_without_the_library_for_blocks_a_jpeg_is_not_compared(self, capsys, monkeypatch):
        name = self.edit("jpeg, blocks carried over")
        monkeypatch.setitem(sys.modules, "jpeglib", None)
        find = importlib.util.find_spec
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "jpeglib" else find(name))
        capsys.readouterr()
        assert main(["replay", name]) == 3
        assert "its JPEG blocks can't be carried over here" in capsys.readouterr().out

    def test_from_a_copy_of_the_input_blocks_can_not_be_compared(self, capsys):
        name = self.edit("jpeg, blocks carried over")
        Path("copy.png").write_bytes(encode(open_picture("photo.jpg"), "png").data)
        capsys.readouterr()
        assert main(["replay", name, "--image", "copy.png"]) == 3
        assert "from another file with equal pixels" in capsys.readouterr().out

    @pytest.mark.parametrize("place", ["out", "out/below"])
    def test_a_file_in_a_batch_s_folder_that_its_log_does_not_know_is_named_so(self, place, capsys):
        assert main(["remove", "photo.png", "--box", "1,1,9,9", "--engine", "telea", "-q", "-o", "more.png"]) == 0
        Path("photos").mkdir()
        Path("photo.png").rename("photos/photo.png")
        assert main(["batch", "--images", "photos", "--masks", "mask.png", "--engine", "telea", "-o", "out", "-q"]) == 0
        Path(place).mkdir(exist_ok=True)
        moved = Path("more.png").rename(Path(place, "more.png"))
        capsys.readouterr()
        assert main(["replay", str(moved), "--image", "photos/photo.png"]) == 3
        said = capsys.readouterr().out
        assert (
            "audit.jsonl does not know this file, and the record is the one within it; by that record, the same" in said
        )
        assert main(["replay", "out/photo.remove.png"]) == 0

    def test_a_line_of_the_log_that_was_changed_certifies_nothing(self, capsys):
        name = self.edit("png", "--audit", "audit.jsonl")
        log = Path("audit.jsonl")
        log.write_bytes(log.read_bytes().replace(b'"attempt":1,', b'"attempt":9,'))
        capsys.readouterr()
        assert main(["replay", name]) == 3
        assert f"{name}: line 1 of audit.jsonl was changed since it was written; by that record, the" in (
            capsys.readouterr().out
        )

    @pytest.mark.parametrize(
        ("source", "name"),
        [("turned.jpg", "a.jpg"), ("cmyk.jpg", "a.jpg"), ("grey.jpg", "a.jpg"), ("deep.tif", "a.tif")],
    )
    def test_other_kinds_of_pictures_are_compared_as_they_are_stored(self, source, name, capsys):
        noisy = Image.open("photo.png")
        exif = Image.Exif()
        exif[0x112] = 6
        noisy.save("turned.jpg", exif=exif)
        noisy.convert("CMYK").save("cmyk.jpg")
        noisy.convert("L").save("grey.jpg")
        deep = np.random.default_rng(1).integers(0, 65536, (60, 80, 3), dtype=np.uint16)
        Path("deep.tif").write_bytes(encode(from_array(deep), "tiff").data)
        assert main(["remove", source, "--box", "9,9,30,30", "--engine", "telea", "-q", "-o", name]) == 0
        capsys.readouterr()
        assert main(["replay", name]) == 0
        said = capsys.readouterr().out
        assert "every pixel equal" in said
        assert "other bytes" not in said

    def test_a_file_with_the_pixels_of_a_result_and_other_bytes_is_called_so(self, capsys):
        name = self.edit("png", "--audit", "audit.jsonl")
        Path(name).write_bytes(encode(open_picture(name), "tiff").data)
        capsys.readouterr()
        assert main(["replay", name]) == 0
        assert "note: the file has other bytes than the log has of it, with equal pixels" in capsys.readouterr().out

    def test_the_record_of_another_picture_is_found(self, capsys):
        name = self.edit("png")
        main(["remove", "photo.png", "--box", "1,1,9,9", "--engine", "telea", "-q", "-o", "other.png"])
        mine, other = open_picture(name), open_picture("other.png")
        Path(name).write_bytes(encode(replace(mine, metadata=other.metadata), "png").data)
        capsys.readouterr()
        assert main(["replay", name]) == 1

    def test_an_untouched_file_has_the_bytes_that_are_written_now(self, monkeypatch):
        searched: list[str] = []
        monkeypatch.setattr("overpaint.audit._replay.surplus", lambda data, format, written: searched.append(format))
        for kind in self.FILES:
            name = self.edit(kind, "--overwrite")
            assert main(["replay", name, "-q"]) == 0
            assert searched == []

    def test_a_file_of_another_encoder_is_named_so(self, capsys):
        name = self.edit("png")
        parts = list(png.chunks(Path(name).read_bytes()))
        pixels = zlib.decompress(b"".join(body for kind, body in parts if kind == b"IDAT"))
        parts = [part for part in parts if part[0] != b"IDAT"]
        parts.insert(-1, (b"IDAT", zlib.compress(pixels, 0)))
        Path(name).write_bytes(png.SIGNATURE + b"".join(png.chunk(*part) for part in parts))
        capsys.readouterr()
        assert main(["replay", name]) == 0
        assert "note: the file has other bytes than are written now, with equal pixels" in capsys.readouterr().out


def animated(data: bytes) -> bytes:
    """A PNG file with a red frame; its picture is no part of the animation."""
    red = zlib.compress((b"\0" + b"\xff\0\0" * 80) * 60)
    start, end = data.index(b"IDAT") - 4, data.index(b"IEND") - 4
    control = png.chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 80, 60, 0, 0, 1, 1, 0, 0))
    frame = png.chunk(b"fdAT", struct.pack(">I", 1) + red)
    return data[:start] + png.chunk(b"acTL", struct.pack(">II", 1, 0)) + data[start:end] + control + frame + data[end:]


def red_jpeg() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (80, 60), "red").save(out, "JPEG")
    return out.getvalue()


def with_segment(data: bytes, body: bytes, marker: int) -> bytes:
    """A JPEG file with a segment more behind its JFIF header."""
    at = 4 + int.from_bytes(data[4:6], "big")
    return data[:at] + bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body + data[at:]


def with_thumbnail(data: bytes) -> bytes:
    """A JPEG file with a thumbnail in its EXIF."""
    with Image.open(io.BytesIO(data)) as image:
        tiff = image.info["exif"]
    order = "<" if tiff[6:8] == b"II" else ">"
    at = 16 + 12 * struct.unpack_from(f"{order}H", tiff, 14)[0]  # behind the first directory: where the second one is
    where = len(tiff) - 6
    made = struct.pack(f"{order}H", 3) + struct.pack(f"{order}HHIHH", 0x103, 3, 1, 6, 0)
    made += struct.pack(f"{order}HHII", 0x201, 4, 1, where + 42) + struct.pack(
        f"{order}HHII", 0x202, 4, 1, len(red_jpeg())
    )
    body = tiff[:at] + struct.pack(f"{order}I", where) + tiff[at + 4 :] + made + bytes(4) + red_jpeg()
    old = b"\xff\xe1" + (len(tiff) + 2).to_bytes(2, "big") + tiff
    assert old in data
    return data.replace(old, b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body)


@pytest.mark.usefixtures("folder")
class TestWhatAViewerCouldShow:
    """A file that replay certifies holds one picture."""

    @pytest.mark.parametrize(
        ("name", "harm", "status", "said"),
        [
            ("out.png", animated, 1, "its pixels are equal, and it holds a further picture (acTL)"),
            (
                "out.jpg",
                lambda data: with_segment(data, b"MPF\0" + bytes(60), 0xE2) + red_jpeg(),
                1,
                "it holds a further picture (MPF)",
            ),
            ("out.png", lambda data: data + b"a" * 9, 3, "HOLDS MORE: 9 bytes behind the picture's end"),
            ("out.jpg", lambda data: data + red_jpeg(), 3, "bytes behind the picture's end"),
            ("out.tif", lambda data: data + b"aaa", 3, "HOLDS MORE: 3 bytes behind the picture's end"),
            ("out.webp", lambda data: data + b"aa", 3, "HOLDS MORE: 2 bytes behind the picture's end"),
            ("out.jpg", with_thumbnail, 3, "HOLDS MORE: a thumbnail or another picture in its metadata"),
        ],
    )
    @pytest.mark.parametrize("log", [(), ("--audit", "audit.jsonl")], ids=["alone", "logged"])
    def test_another_picture_in_the_file_is_found(self, name, harm, status, said, log, capsys):
        Image.open("photo.png").save("photo.jpg", quality=88)
        source = "photo.jpg" if name == "out.jpg" else "photo.png"
        assert main(["remove", source, "--box", "9,9,30,30", "--engine", "telea", "-q", "-o", name, *log]) == 0
        assert main(["replay", name, "-q"]) == 0
        Path(name).write_bytes(harm(Path(name).read_bytes()))
        capsys.readouterr()
        assert main(["replay", name]) == status
        assert said in capsys.readouterr().out
        assert main(["replay", name, "--json"]) == status
        assert printed(capsys)["equal"] is False


@pytest.mark.usefixtures("folder")
class TestWhereARecordLeads:
    def batch(self, *, foreign: str = "") -> None:
        """A batch of two pictures in out, of which the inputs are in photos; and a file that it does not know."""
        if foreign:
            main(["remove", "photo.png", "--box", "1,1,9,9", "--engine", "telea", "-q", "-o", "foreign.png"])
        Path("photos").mkdir()
        Path("photo.png").rename("photos/photo.png")
        Image.fromarray(np.random.default_rng(8).integers(0, 256, (60, 80, 3), dtype=np.uint8)).save("photos/b.png")
        assert main(["batch", "--images", "photos", "--masks", "mask.png", "--engine", "telea", "-o", "out", "-q"]) == 0
        if foreign:
            Path("foreign.png").rename(foreign)

    @pytest.mark.parametrize("left", ["nothing", "folder", "pipe"])
    def test_a_batch_s_log_that_is_gone_certifies_nothing(self, left, capsys):
        self.batch(foreign="out/foreign.png")
        log = Path("out/audit.jsonl")
        log.unlink()
        if left != "nothing":
            (Path.mkdir if left == "folder" else os.mkfifo)(log)
        capsys.readouterr()
        for name in ("out/foreign.png", "out/photo.remove.png"):
            assert main(["replay", name, "--image", "photos/photo.png"]) == 3
            assert "audit.jsonl, the log of this batch, is gone or no file, and" in capsys.readouterr().out

    def test_results_that_swapped_their_names_are_named(self, capsys):
        self.batch()
        Path("out/photo.remove.png").rename("out/x")
        Path("out/b.remove.png").rename("out/photo.remove.png")
        Path("out/x").rename("out/b.remove.png")
        capsys.readouterr()
        assert main(["replay", "out/photo.remove.png"]) == 0
        assert "note: the log has this content as b.remove.png" in capsys.readouterr().out
        Path("out/b.remove.png").rename("out/photo.remove.png")
        assert main(["replay", "out/photo.remove.png"]) == 0
        assert "note: the log has" not in capsys.readouterr().out

    def test_of_two_equal_results_the_record_is_that_of_the_name(self, capsys):
        for name in ("a.png", "b.png"):
            main([*REMOVE, "-o", name, "--audit", "audit.jsonl"])
        capsys.readouterr()
        for name in ("a.png", "b.png"):
            assert main(["replay", name]) == 0
            assert "note: the log has" not in capsys.readouterr().out

    def test_a_link_is_in_the_folder_of_its_target_too(self, capsys):
        self.batch(foreign="out/foreign.png")
        Path("elsewhere").mkdir()
        Path("elsewhere/link.png").symlink_to("../out/foreign.png")
        capsys.readouterr()
        assert main(["replay", "elsewhere/link.png", "--image", "photos/photo.png"]) == 3
        assert "audit.jsonl does not know this file" in capsys.readouterr().out

    def recorded(self, **changes: str) -> None:
        """A result with changes in its record; its input is two folders above."""
        main([*REMOVE, "-o", "out.png"])
        found = read_record("out.png")
        assert found is not None
        raw = {**json.loads(found.raw), **changes}
        made = open_picture("out.png")
        text = {**made.metadata.text, "overpaint": json.dumps(raw)}
        Path("deep/below").mkdir(parents=True)
        file = encode(replace(made, metadata=replace(made.metadata, text=text)), "png").data
        Path("deep/below/out.png").write_bytes(file)

    @pytest.mark.parametrize("name", ["x" * 5000, "a\0b", "\ud800", "..", "/", ""])
    def test_a_name_that_no_file_can_have_is_said_in_words(self, name, capsys):
        self.recorded(input_name=name)
        capsys.readouterr()
        assert main(["replay", "deep/below/out.png"]) == 2
        said = capsys.readouterr().err
        assert "is not there: give its place by --image" in said
        assert len(said) < 500
        assert main(["replay", "deep/below/out.png", "--image", "photo.png"]) == 0

    @pytest.mark.parametrize("absolute", [False, True])
    def test_an_input_s_name_leads_nowhere_else(self, absolute, capsys, monkeypatch):
        place = str(Path("photo.png").resolve()) if absolute else "../../photo.png"
        self.recorded(input_name=place)
        there = Path("deep/below").resolve()
        monkeypatch.chdir(there)
        capsys.readouterr()
        assert main(["replay", "out.png"]) == 2
        assert "photo.png is not there" in capsys.readouterr().err
        Path("photo.png").write_bytes(Path("../../photo.png").read_bytes())
        assert main(["replay", "out.png"]) == 0

    def test_a_record_with_another_digest_of_the_result_is_said_in_words(self, capsys):
        self.recorded(pixels_sha256="0" * 64)
        capsys.readouterr()
        assert main(["replay", "deep/below/out.png", "--image", "photo.png"]) == 1
        assert "what the file holds, and the record has the digest of another picture" in capsys.readouterr().out

    def test_an_argument_that_no_file_can_have_is_said_in_words(self, capsys):
        assert main(["replay", "x" * 5000]) == 2
        assert "name it by --audit" in capsys.readouterr().err


class TestExport:
    @pytest.fixture
    def edits(self, tmp_path: Path, picture: Picture) -> list[LogEntry]:
        """Two edits, the second on the first one's result."""
        (tmp_path / "a.png").write_bytes(encode(picture, "png").data)
        log = AuditLog(tmp_path / "audit.jsonl")
        for source, target, prompt in (("a.png", "b.png", "=cmd|' /C calc'!A0"), ("b.png", "c.png", 'a "red", bench')):
            edited = made(tmp_path / source, noise(LEARNED), mask=MASK, intent="replace", prompt=prompt)
            saved = edited.save(tmp_path / target)
            log.append(edit_record(edited, saved, folder=tmp_path, who=Operator(user="ada", host="mill")))
        assert verify(log.path).whole
        return list(entries(log.path))

    def test_prov_names_every_part_and_chains_the_edits(self, edits):
        document = to_prov(edits)
        elements = {name for kind in ("entity", "activity", "agent") for name in document[kind]}
        used = [
            value
            for kind, relations in document.items()
            if kind not in ("prefix", "entity", "activity", "agent")
            for relation in relations.values()
            for value in relation.values()
        ]
        assert used
        assert set(used) <= elements
        derived = [(one["prov:generatedEntity"], one["prov:usedEntity"]) for one in document["wasDerivedFrom"].values()]
        assert derived[0][0] == derived[1][1]
        assert len(document["activity"]) == 2
        activity = document["activity"][f"op:edit-{edits[0].link.id}"]
        assert activity["prov:startTime"] <= activity["prov:endTime"]
        assert "op:user-ada@mill" in document["agent"]
        assert json.loads(json.dumps(document)) == document

    def test_an_id_is_that_of_the_line_also_where_the_record_was_upgraded(self, edits):
        line = replace(edits[0], link=replace(edits[0].link, id="5" * 32))
        assert list(to_prov([line])["activity"]) == [f"op:edit-{'5' * 32}"]
        (row,) = csv.DictReader(io.StringIO(to_csv([line]), newline=""))
        assert row["id"] == "5" * 32

    def test_the_table_has_a_row_a_record_and_no_formula(self, edits):
        rows = list(csv.DictReader(io.StringIO(to_csv(edits), newline="")))
        assert [row["output"] for row in rows] == ["b.png", "c.png"]
        assert rows[0]["prompt"] == "'=cmd|' /C calc'!A0"
        assert rows[1]["prompt"] == 'a "red", bench'
        assert rows[0]["output_sha256"] == rows[1]["input_sha256"]
        assert (rows[0]["user"], rows[0]["host"]) == ("ada", "mill")
