"""An enlarged or restored picture says how it was made: in the file, beside it, in an audit log; and is made again."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from skimage import data

import overpaint
from overpaint.audit import entries, to_csv, verify
from overpaint.cli import main
from overpaint.engines.spandrel_import import torchvision_stood_in
from overpaint.errors import RecordError
from overpaint.picture import encode, open_picture
from overpaint.record import SourceType, declared_type, embed, read_record
from overpaint.studio import EnlargeSettings, enhancer_of

PHOTO = np.ascontiguousarray(data.astronaut()[40:100, 100:180])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path / "home"))
    Image.fromarray(PHOTO).save("a.png")
    Image.fromarray(PHOTO).save("a.jpg", quality=92)
    return tmp_path


@pytest.fixture
def upscaler(folder: Path) -> Path:
    """A network of Real-ESRGAN's published layout with random weights."""
    with torchvision_stood_in():
        pytest.importorskip("spandrel", reason="the extra restore is not installed")
        from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet
    torch.manual_seed(7)
    made = RRDBNet(in_nc=3, out_nc=3, num_filters=8, num_blocks=1, scale=2)
    save_file(made.state_dict(), folder / "RealESRGAN_x2.safetensors")
    return folder / "RealESRGAN_x2.safetensors"


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "out.webp", "out.tif"])
def test_the_file_says_what_was_done_and_is_made_again(folder: Path, name: str, capsys: pytest.CaptureFixture[str]):
    source = name if name.startswith("a.") else "a.png"
    target = f"{name[0]}.enlarge{Path(name).suffix}"
    assert main(["enlarge", source, "--width", "120", "-o", target, "-q"]) == 0
    found = read_record(target)
    assert found is not None
    assert found.record is not None
    record = found.record
    assert (record.resolved.engine, record.resolved.options) == ("self-taught", {"width": 120})
    assert (record.size, record.input_size, record.input_name) == ((120, 90), (80, 60), source)
    assert record.execution.versions["overpaint"]
    assert record.pixels_sha256 is not None
    assert main(["replay", target]) == 0
    assert "same" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("size", "done"), [((), "enlarged 2 times to 160x120"), (("--width", "120"), "enlarged 1.5 times to 120x90")]
)
def test_info_says_what_was_done_and_leaves_out_what_has_no_meaning(
    folder: Path, size: tuple[str, ...], done: str, capsys: pytest.CaptureFixture[str]
):
    assert main(["enlarge", "a.png", "-o", "large.png", "-q", *size]) == 0
    assert main(["info", "large.png"]) == 0
    out = capsys.readouterr().out
    assert f"{done} (self-taught)" in out
    assert not {"custom", "regions", "reach", "seam", "intent", "dialect"} & set(out.split())
    assert main(["enlarge", "large.png", "-o", "larger.png", "--scale", "1.5", "-q"]) == 0
    assert main(["info", "larger.png"]) == 0
    assert re.search(rf"earlier edit +{done}", capsys.readouterr().out)


def test_a_default_scale_is_in_the_record(folder: Path):
    made = EnlargeSettings().ready().enhance(overpaint.open("a.png"))
    assert made.request.options == {}
    assert made.resolved.options == {"scale": 2.0}


def test_a_replay_of_another_picture_or_result_says_so(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["enlarge", "a.png", "-q"]) == 0
    changed = PHOTO.copy()
    changed[5, 5] ^= 255
    Image.fromarray(changed).save("other.png")
    assert main(["replay", "a.enlarge.png", "--image", "other.png"]) != 0
    assert "is not what was edited" in capsys.readouterr().err
    picture = open_picture("a.enlarge.png")
    samples = picture.samples.copy()
    samples[3, 3] ^= 255
    overpaint.save(picture.with_pixels(samples, None), "forged.png")
    assert main(["replay", "forged.png", "--image", "a.png"]) == 1
    assert "1 of 19,200 pixels differ" in capsys.readouterr().out


def test_the_network_is_named_with_its_digest_and_found_again_or_given(
    folder: Path, upscaler: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    assert main(["enlarge", "a.png", "--scale", "1.5", "--model", str(upscaler), "-q"]) == 0
    found = read_record("a.enlarge.png")
    assert found is not None
    assert found.record is not None
    (used,) = found.record.resolved.models
    assert (used.role, used.name, used.licence) == ("upscaler", "RealESRGAN_x2", "unknown")
    assert used.sha256 == overpaint.models.digest(upscaler)
    assert str(folder) not in json.dumps(found.record.to_mapping())
    assert "spandrel" in found.record.execution.versions
    # not where models are looked for
    assert main(["replay", "a.enlarge.png"]) != 0
    err = capsys.readouterr().err
    assert "RealESRGAN_x2" in err
    assert "did you mean" not in err
    assert "is not here; --model FILE gives it" in err
    assert main(["info", "a.enlarge.png"]) == 0
    assert "enlarged 1.5 times to 120x90 (RealESRGAN_x2)" in capsys.readouterr().out
    assert main(["replay", "a.enlarge.png", "--model", str(upscaler)]) == 0
    monkeypatch.setenv("OVERPAINT_MODEL_PATH", str(folder))
    assert main(["replay", "a.enlarge.png"]) == 0
    # another network of that name makes other pixels, and is named
    with torchvision_stood_in():
        from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet
    torch.manual_seed(8)
    save_file(RRDBNet(in_nc=3, out_nc=3, num_filters=8, num_blocks=1, scale=2).state_dict(), upscaler)
    capsys.readouterr()
    assert main(["replay", "a.enlarge.png"]) == 1
    assert "the upscaler RealESRGAN_x2 has changed" in capsys.readouterr().out


def test_the_record_of_the_picture_before_is_kept_as_its_origin(folder: Path):
    picture = overpaint.open("a.png")
    mask = overpaint.Mask.box(picture.size, (10, 10, 30, 30))
    overpaint.remove(picture, mask, engine="telea").save("edited.png")
    assert main(["enlarge", "edited.png", "-o", "large.png", "-q"]) == 0
    assert main(["enlarge", "large.png", "-o", "larger.jpg", "-q"]) == 0
    for name, engines in (
        ("large.png", ["telea", "self-taught"]),
        ("larger.jpg", ["telea", "self-taught", "self-taught"]),
    ):
        found = read_record(name)
        assert found is not None
        assert found.record is not None
        assert [one.resolved.engine for one in found.record.edits] == engines
        assert main(["replay", name, "-q"]) == 0
    assert declared_type(open_picture("larger.jpg").metadata) == SourceType.HUMAN_EDITS


def test_an_origin_that_does_not_fit_into_a_jpeg_is_left_out_and_the_record_says_so(folder: Path):
    picture = overpaint.open("a.png")
    mask = overpaint.Mask.box(picture.size, (10, 10, 30, 30))
    edited = overpaint.edit(picture, mask=mask, engine="telea", intent="custom", prompt="long " * 6_000).record
    made = EnlargeSettings().ready().enhance(picture).record.model_copy(update={"earlier": (edited,) * 3})
    for format, kept in (("jpeg", None), ("png", made.earlier)):
        found = read_record(encode(replace(picture, metadata=embed(picture.metadata, made, format)), format).data)
        assert found is not None
        assert found.record is not None
        assert found.record.earlier == kept
        assert ("did not fit" in "".join(found.record.notes)) == (kept is None)


@pytest.mark.parametrize(
    ("record", "within", "beside"), [("embed", True, False), ("sidecar", False, True), ("none", False, False)]
)
def test_where_the_record_goes(folder: Path, record: str, within: bool, beside: bool):
    assert main(["enlarge", "a.png", "--record", record, "-q"]) == 0
    assert ("overpaint" in open_picture("a.enlarge.png").metadata.text) == within
    assert Path("a.enlarge.png.overpaint.json").exists() == beside
    if within or beside:
        assert main(["replay", "a.enlarge.png", "-q"]) == 0


def test_an_audit_log_has_it_and_finds_a_change(folder: Path, upscaler: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["enlarge", "a.png", "--model", str(upscaler), "--audit", "audit.jsonl", "-q"]) == 0
    (found,) = entries(Path("audit.jsonl"))
    assert [one.name for one in found.record.models] == ["upscaler", "RealESRGAN_x2"]
    assert "upscaler" in to_csv(entries(Path("audit.jsonl")))
    assert verify(Path("audit.jsonl")).faults == ()
    assert main(["replay", "a.enlarge.png", "--model", str(upscaler), "-q"]) == 0
    assert main(["audit", "show", "a.enlarge.png"]) == 0
    assert "RealESRGAN_x2" in capsys.readouterr().out
    Image.fromarray(PHOTO).save("a.enlarge.png")
    assert verify(Path("audit.jsonl")).faults


def test_private_keeps_the_record_and_earlier_prompts_away(folder: Path):
    picture = overpaint.open("a.png")
    mask = overpaint.Mask.box(picture.size, (10, 10, 30, 30))
    overpaint.edit(picture, mask=mask, engine="telea", intent="custom", prompt="secret words").save("edited.png")
    assert main(["enlarge", "edited.png", "--audit", "audit.jsonl", "--private", "-o", "large.png", "-q"]) == 0
    assert read_record("large.png") is None
    assert b"secret" not in Path("large.png").read_bytes()
    assert "secret" not in Path("audit.jsonl").read_text()
    (found,) = entries(Path("audit.jsonl"))
    assert [one.resolved.engine for one in found.record.edit.edits] == ["telea", "self-taught"]


def test_options_that_no_version_writes_are_refused(folder: Path):
    made = EnlargeSettings(scale=2).ready().enhance(overpaint.open("a.png")).record
    forged = made.model_copy(update={"resolved": made.resolved.model_copy(update={"options": {"shell": "rm"}})})
    with pytest.raises((RecordError, overpaint.errors.RequestError)):
        enhancer_of(forged)


def test_info_shows_it(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["enlarge", "a.png", "-q"]) == 0
    assert main(["info", "a.enlarge.png"]) == 0
    assert "self-taught" in capsys.readouterr().out


def test_without_a_network_for_faces_it_is_said_how_one_is_had(folder: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["restore", "a.png"]) == 2
    assert "'overpaint models get gfpgan' downloads one" in capsys.readouterr().err


def test_a_second_run_touches_no_result_and_names_of_two_folders_do_not_meet(
    folder: Path, capsys: pytest.CaptureFixture[str]
):
    for name in ("x", "y"):
        Path(name).mkdir()
        Image.fromarray(PHOTO).save(f"{name}/a.png")
    assert main(["enlarge", "x/a.png", "y/a.png", "-o", "out/", "-q"]) == 1
    assert "two results would go to the same file" in capsys.readouterr().err
    before = Path("out/a.enlarge.png").stat().st_mtime_ns
    assert main(["enlarge", "x/a.png", "-o", "out/", "-q"]) == 1
    assert Path("out/a.enlarge.png").stat().st_mtime_ns == before
    assert main(["enlarge", "x", "-o", "out/", "-q"]) == 2
    assert "this is a folder" in capsys.readouterr().err
