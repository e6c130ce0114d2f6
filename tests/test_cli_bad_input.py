"""Whatever is wrong with what was given: one clear line, the right exit status, and nothing written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from overpaint.cli import main

PHOTO = ["photo.png"]
MARKED = ["--mask", "mask.png", "--engine", "telea"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)).save("photo.png")
    marked = np.zeros((40, 60), np.uint8)
    marked[10:20, 10:30] = 255
    Image.fromarray(marked).save("mask.png")
    Image.fromarray(np.ascontiguousarray(marked.T)).save("turned.png")
    Image.fromarray(np.full((30, 30), 255, np.uint8)).save("other.png")
    Image.fromarray(np.zeros((40, 60), np.uint8)).save("black.png")
    Image.new("RGBA", (60, 40)).save("clear.png")
    Path("broken.png").write_bytes(Path("photo.png").read_bytes()[:200])
    Path("text.png").write_text("not a picture")
    Path("bare").write_bytes(b"here already")
    Path("taken.png").write_bytes(b"here already")
    Path("bad.json").write_text('{"intent": "remove", "denoising_strength": 0.5}')
    Path("odd.toml").write_text("strength = ")
    Path("full.json").write_text('{"intent": "remove", "mask": {"parts": [{"kind": "full"}]}}')
    return tmp_path


def listing(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


TABLE: list[tuple[str, list[str], int, str]] = [
    (
        "mask of another size",
        ["remove", *PHOTO, "--mask", "other.png"],
        2,
        "the mask is 30x30, but the picture is 60x40",
    ),
    ("mask with the sizes swapped", ["remove", *PHOTO, "--mask", "turned.png"], 2, "width and height are swapped"),
    ("empty mask", ["remove", *PHOTO, "--mask", "black.png"], 2, "the mask is empty"),
    ("no mask", ["remove", *PHOTO], 2, "--mask FILE, --box L,T,R,B"),
    ("nothing to turn round", ["remove", *PHOTO, "--invert"], 2, "--invert inverts a mask, and none is given"),
    ("everything turned round", ["remove", *PHOTO, "--mask", "full", "--invert"], 2, "mask is empty"),
    ("a sheet of one", ["remove", *PHOTO, *MARKED, "--sheet"], 2, "give --variations N too"),
    ("box outside", ["remove", *PHOTO, "--box", "100,100,120,120"], 2, "has no pixel in the picture of 60x40"),
    ("polygon outside", ["remove", *PHOTO, "--polygon", "90,90 99,90 99,99"], 2, "has no pixel in the picture"),
    ("box without area", ["remove", *PHOTO, "--box", "10,10,10,20"], 2, "--box 10,10,10,20 has no area"),
    (
        "a box to avoid without area",
        ["remove", *PHOTO, "--box", "1,1,9,9", "--avoid-box", "30,10,20,20"],
        2,
        "--avoid-box 30,10,20,20 has no area",
    ),
    ("box the wrong way", ["remove", *PHOTO, "--box", "30,10,20,20"], 2, "right must be greater than left"),
    (
        "box of no pixel",
        ["remove", *PHOTO, "--box", "5.6,5.6,6.2,6.2"],
        2,
        "holds no pixel; it is in pixels, and",
    ),
    ("ellipse of no pixel", ["remove", *PHOTO, "--ellipse", "5,5,5.2,5.2"], 2, "--ellipse 5,5,5.2,5.2 holds no pixel"),
    ("box in shares", ["remove", *PHOTO, "--box", "0.1,0.1,0.3,0.35"], 2, "in per cent it is 10%,10%,30%,35%"),
    ("a box of four words", ["remove", *PHOTO, "--box", "1", "1", "9", "9", "-o", "b.png"], 2, "a shape is one word"),
    (
        "a polygon of words",
        ["remove", *PHOTO, "--polygon", "1,1", "9,1", "9,9"],
        2,
        "'9,1' is no picture; a shape",
    ),
    (
        "a box of words",
        ["mask", "make", *PHOTO, "--box", "1", "1", "9", "-o", "b.png"],
        2,
        "'1 9'; a shape is one",
    ),
    ("all of the picture", ["remove", *PHOTO, "--mask", "full"], 2, "none to copy from; mark less, or give --model"),
    ("all that is visible", ["remove", "clear.png", "--box", "1,1,9,9"], 2, "exemplar continues the surroundings, and"),
    ("a format of another name", ["remove", *PHOTO, *MARKED, "--format", "jpg", "-o", "x.png"], 2, "x.png says png"),
    ("a name for nothing", ["remove", *PHOTO, "clear.png", *MARKED, "-o", "{nam}.png"], 2, "did you mean 'name'?"),
    ("box with letters", ["remove", *PHOTO, "--box", "10,10,x,20"], 2, "'x' is not a number"),
    ("box with NaN", ["remove", *PHOTO, "--box", "10,10,nan,20"], 2, "'nan' is not a finite number"),
    ("box of three", ["remove", *PHOTO, "--box", "10,10,20"], 2, "has 3"),
    ("polygon of two", ["remove", *PHOTO, "--polygon", "1,1 2,2"], 2, "at least 3 points"),
    ("no alpha to take", ["remove", *PHOTO, "--mask", "alpha"], 2, "has no alpha"),
    ("no such picture", ["remove", "nowhere.png", *MARKED], 2, "nowhere.png"),
    ("truncated picture", ["remove", "broken.png", *MARKED], 2, "broken.png"),
    ("a text for a picture", ["remove", "text.png", *MARKED], 2, "text.png"),
    ("a folder for a picture", ["remove", ".", *MARKED], 2, "."),
    ("no such mask", ["remove", *PHOTO, "--mask", "nowhere.png"], 2, "nowhere.png"),
    ("a text for a mask", ["remove", *PHOTO, "--mask", "text.png"], 2, "text.png"),
    ("unknown engine", ["remove", *PHOTO, "--mask", "mask.png", "--engine", "telae"], 2, "did you mean 'telea'?"),
    ("a model", ["remove", *PHOTO, "--mask", "mask.png", "--model", "sd15"], 2, "overpaint models get sd15"),
    (
        "a prompt, but no engine for it",
        ["replace", *PHOTO, "--mask", "mask.png", "--prompt", "a"],
        2,
        "named: --engine exemplar",
    ),
    ("strength 2", ["remove", *PHOTO, *MARKED, "--strength", "2"], 2, "--strength must be between 0 and 1, not 2"),
    ("strength NaN", ["remove", *PHOTO, *MARKED, "--strength", "nan"], 2, "strength"),
    ("feather NaN", ["remove", *PHOTO, *MARKED, "--feather", "nan"], 2, "feather"),
    ("grow below 0", ["remove", *PHOTO, *MARKED, "--grow", "-3"], 2, "--grow must be between 0 and 4096, not -3"),
    ("steps 0", ["remove", *PHOTO, *MARKED, "--steps", "0"], 2, "--steps must be between 1 and 1000, not 0"),
    ("interval of three", ["remove", *PHOTO, *MARKED, "--guidance-interval", "1,2,3"], 2, "--guidance-interval"),
    (
        "interval the wrong way",
        ["remove", *PHOTO, *MARKED, "--guidance-interval", "0.9,0.1"],
        2,
        "smaller to the larger",
    ),
    (
        "unknown option of an engine",
        ["remove", *PHOTO, *MARKED[:2], "--engine", "exemplar", "--option", "patsh=7"],
        2,
        "the engine 'exemplar' has no option 'patsh'; did you mean 'patch'?; its options: quality, patch",
    ),
    (
        "a setting given as an option",
        ["remove", *PHOTO, *MARKED[:2], "--engine", "exemplar", "--option", "dialect=webui"],
        2,
        "has no option 'dialect'; dialect is a setting of its own, beside the options; its options: quality, patch",
    ),
    (
        "an option of another engine",
        ["remove", *PHOTO, *MARKED[:2], "--engine", "exemplar", "--option", "subseed=7"],
        2,
        "the engine 'exemplar' has no option 'subseed'; its options: quality, patch",
    ),
    ("far too wide", ["expand", *PHOTO, "--left", "999999"], 2, "--left must be at most 65536, not 999999"),
    (
        "a polygon of commas",
        ["remove", *PHOTO, "--polygon", "1,1,5,5,9,1"],
        2,
        "--polygon takes 'X,Y X,Y X,Y', for each",
    ),
    ("no variations", ["remove", *PHOTO, *MARKED, "-n", "0"], 2, "--variations must be at least 1, not 0"),
    ("no threads", ["remove", *PHOTO, *MARKED, "--threads", "0"], 2, "--threads must be at least 1, not 0"),
    ("quality 0", ["remove", *PHOTO, *MARKED, "--quality", "0"], 2, "--quality must be between 1 and 100, not 0"),
    ("quality of a PNG", ["remove", *PHOTO, *MARKED, "--quality", "90"], 2, "--quality 90 is for formats that lose"),
    ("transparency into JPEG", ["remove", "clear.png", *MARKED, "-o", "a.jpg"], 2, "JPEG can't hold transparency"),
    ("unknown format", ["remove", *PHOTO, *MARKED, "--format", "gif"], 2, "gif"),
    ("name without an ending", ["remove", *PHOTO, *MARKED, "-o", "bare"], 2, "--output: bare has no extension"),
    ("unknown ending", ["remove", *PHOTO, *MARKED, "-o", "out.xyz"], 2, "xyz"),
    ("existing output", ["remove", *PHOTO, *MARKED, "-o", "taken.png"], 1, "taken.png exists already"),
    ("existing comparison", ["remove", *PHOTO, *MARKED, "--compare", "taken.png"], 1, "taken.png exists already"),
    ("output is the input", ["remove", *PHOTO, *MARKED, "-o", "photo.png"], 1, "--overwrite"),
    (
        "two outputs, one name",
        ["remove", *PHOTO, *MARKED, "-o", "a.png", "--compare", "a.png"],
        1,
        "the same file: a.png",
    ),
    ("missing folder", ["remove", *PHOTO, *MARKED, "-o", "no/out.png"], 1, "the folder no doesn't exist"),
    ("a file for a folder", ["remove", *PHOTO, *MARKED, "-o", "text.png/out.png"], 1, "can't write text.png/out.png"),
    ("layers that are no PSD", ["remove", *PHOTO, *MARKED, "--layers", "l.png"], 2, "must end in .psd, .psb or .ora"),
    (
        "JSON and picture on one stream",
        ["remove", *PHOTO, *MARKED, "-o", "-", "--json"],
        2,
        "both want standard output",
    ),
    ("many pictures on one stream", ["remove", *PHOTO, *MARKED, "-o", "-", "-n", "2"], 2, "takes one picture"),
    ("standard input twice", ["remove", "-", "--mask", "-"], 2, "can be read once"),
    ("standard input twice to look at", ["mask", "preview", "-", "-", "-o", "x.png"], 2, "can be read once"),
    ("standard input twice to draw", ["mask", "make", "-", "--mask", "-", "-o", "x.png"], 2, "can be read once"),
    ("standard input twice to resize", ["mask", "resize", "-", "--picture", "-", "-o", "x.png"], 2, "can be read once"),
    ("standard input twice to replay", ["replay", "a.png", "--image", "-", "--mask", "-"], 2, "can be read once"),
    ("unknown key in a request", ["edit", *PHOTO, "--request", "bad.json"], 2, "did you mean 'strength'?"),
    ("a request that is no TOML", ["edit", *PHOTO, "--request", "odd.toml"], 2, "is not TOML"),
    ("a request that is not there", ["edit", *PHOTO, "--request", "no.json"], 2, "no.json can't be read"),
    ("a request of another kind", ["edit", *PHOTO, "--request", "text.png"], 2, ".json or .toml"),
    ("two masks", ["edit", *PHOTO, "--request", "full.json", "--mask", "mask.png"], 2, "the mask is given twice"),
    ("a sketch without alpha", ["edit", *PHOTO, *MARKED, "--sketch", "photo.png"], 2, "no transparency"),
    ("an option without a value", ["remove", *PHOTO, *MARKED, "--option", "radius"], 2, "KEY=VALUE"),
    ("expand without a way", ["expand", *PHOTO], 2, "how far the picture should be extended is not set; give --left"),
    ("expand to less", ["expand", *PHOTO, "--to", "50x50"], 2, "smaller than the picture, which is 60x40"),
    ("mask make without a size", ["mask", "make", "--box", "1,1,2,2", "-o", "m.png"], 2, "--size WxH"),
    ("mask make of nothing", ["mask", "make", *PHOTO, "-o", "m.png"], 2, "nothing to draw"),
    ("mask make over a file", ["mask", "make", *PHOTO, "--box", "1,1,9,9", "-o", "taken.png"], 1, "taken.png exists"),
    ("mask make as JPEG", ["mask", "make", *PHOTO, "--box", "1,1,9,9", "-o", "m.jpg"], 1, "would blur the mask's edge"),
    ("mask combine of sizes", ["mask", "combine", "mask.png", "other.png", "-o", "m.png"], 2, "30x30"),
    ("mask combine of one", ["mask", "combine", "mask.png", "-o", "m.png"], 2, "two masks or more, not 1"),
    ("mask refine, level 2", ["mask", "refine", "mask.png", "--threshold", "2", "-o", "m.png"], 2, "at most 1, not 2"),
    ("mask convert to what", ["mask", "convert", "mask.png", "-o", "m.dat"], 1, "add --to png"),
    ("mask preview of nothing", ["mask", "preview", *PHOTO, "-o", "m.png"], 2, "needs a mask"),
    ("info of nothing", ["info", "nowhere.png"], 2, "nowhere.png"),
    ("an unknown engine's details", ["engines", "nothing"], 2, "no engine is called 'nothing'"),
]


@pytest.mark.parametrize(("words", "status", "says"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_bad_input_is_one_clear_line_and_nothing_is_written(
    words: list[str], status: int, says: str, folder: Path, capsys: pytest.CaptureFixture[str], without_pocket: None
) -> None:
    before = listing(folder)
    assert main(words) == status
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("overpaint: ")
    assert err.count("\n") == 1
    assert says in err
    assert "Traceback" not in err
    assert listing(folder) == before


def test_nothing_is_painted_before_the_output_is_known_to_be_good(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from overpaint.studio import Studio

    def never(*_: object, **__: object) -> None:
        raise AssertionError("painted")

    monkeypatch.setattr(Studio, "edit", never)
    assert main(["remove", "clear.png", *MARKED, "-o", "a.jpg"]) == 2
    assert main(["remove", *PHOTO, *MARKED, "--layers", "l.png"]) == 2
    for words in (["-o", "taken.png"], ["-o", "no/out.png"], ["--compare", "taken.png"], ["--layers", "no/l.ora"]):
        assert main(["remove", *PHOTO, *MARKED, *words]) == 1
    capsys.readouterr()
    assert folder.exists()


def _unwritable() -> Path | None:
    """A folder that takes no files, even from an administrator."""
    proc = Path("/proc/self")
    return proc if proc.is_dir() else None


@pytest.mark.skipif(_unwritable() is None, reason="no folder here that refuses an administrator too")
def test_a_folder_that_takes_no_files_is_found_out_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = listing(folder)
    assert main(["remove", *PHOTO, *MARKED, "-o", f"{_unwritable()}/out.png"]) == 1
    assert "can't write /proc/self/out.png" in capsys.readouterr().err
    assert listing(folder) == before


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="an administrator may write anywhere")
def test_a_read_only_folder_is_found_out_first(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    locked = folder / "locked"
    locked.mkdir(mode=0o555)
    assert main(["remove", *PHOTO, *MARKED, "-o", "locked/out.png"]) == 1
    assert "read-only" in capsys.readouterr().err


def test_a_fault_of_our_own_is_one_line_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from overpaint.studio import Studio

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a\nfault")

    monkeypatch.setattr(Studio, "prepare", broken)
    assert main(["remove", *PHOTO, *MARKED]) == 1
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["remove", *PHOTO, *MARKED, "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err
    assert sorted(path.name for path in folder.iterdir()) == sorted(listing(folder))


Start = Callable[[list[str]], "subprocess.CompletedProcess[str]"]


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (["remove", *PHOTO, *MARKED, "-o", "taken.png"], 1, "taken.png exists already"),
        (["remove", *PHOTO, "--mask", "turned.png"], 2, "width and height are swapped"),
    ],
)
def test_a_real_process_ends_the_same_way(words: list[str], status: int, says: str, folder: Path) -> None:
    before = listing(folder)
    done = subprocess.run([sys.executable, "-m", "overpaint", *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (status, "")
    assert done.stderr.count("\n") == 1
    assert says in done.stderr
    assert listing(folder) == before


def test_a_device_that_is_not_here_is_an_error(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    before = listing(folder)
    assert main(["remove", *PHOTO, *MARKED, "--device", "cuda", "--json"]) == 2
    shown = capsys.readouterr()
    assert "--device cuda: this machine has none" in shown.err
    assert json.loads(shown.out)["error"]["code"] == "device-missing"
    assert listing(folder) == before


@pytest.mark.parametrize("words", [["--steps", "abc"], ["--stepz", "3"], ["--steps", "3", "--steps", "4"]])
def test_json_has_an_error_of_usage_too(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remove", "photo.png", "--box", "1,1,5,5", "--json", *words]) == 2
    shown = capsys.readouterr()
    error = json.loads(shown.out)["error"]
    assert error["code"] == "usage-invalid"
    assert error["message"] in shown.err


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (["remove", *PHOTO, *MARKED, "--audit", "nowhere/a.jsonl"], "audit", "nowhere/a.jsonl"),
        (["remove", *PHOTO, *MARKED, "--audit", "."], "audit", "."),
        (["remove", *PHOTO, *MARKED, "--audit", "a.head"], "audit", "a.head"),
        (["remove", *PHOTO, *MARKED, "--compare", "nowhere/c.png"], "compare", "nowhere/c.png"),
        (["remove", *PHOTO, *MARKED, "--compare", "taken.png"], "compare", "taken.png"),
        (["remove", *PHOTO, *MARKED, "--compare", "c.xyz"], "compare", None),
        (["remove", *PHOTO, *MARKED, "--compare", "{nam}.png"], "compare", "{nam}.png"),
        (["remove", *PHOTO, *MARKED, "--layers", "nowhere/l.psd"], "layers", "nowhere/l.psd"),
        (["remove", *PHOTO, *MARKED, "-o", "nowhere/o.png"], "output", "nowhere/o.png"),
        (["remove", *PHOTO, *MARKED, "--private"], "private", True),
        (["mask", "make", "photo.png", "--box", "1,1,9,9", "--feather", "-1", "-o", "m.png"], "feather", -1),
        (["mask", "refine", "mask.png", "--feather", "-1", "-o", "m.png"], "feather", -1),
        (["mask", "refine", "mask.png", "--grow", "-2", "-o", "m.png"], "grow", -2),
        (["mask", "refine", "mask.png", "--shrink", "-2", "-o", "m.png"], "shrink", -2),
        (["mask", "refine", "mask.png", "--threshold", "3", "-o", "m.png"], "threshold", 3),
        (["mask", "refine", "mask.png", "--remove-specks", "-3", "-o", "m.png"], "remove_specks", -3),
        (["mask", "make", "photo.png", "--stroke", "1,1 9,9", "--width", "0", "-o", "m.png"], "width", 0),
    ],
)
def test_an_error_has_the_field_and_the_value_of_the_setting_that_caused_it(
    words: list[str], field: str, value: object, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = listing(folder)
    assert main([*words, "--json"]) != 0
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["field"] == field, error
    assert value is None or error["value"] == value, error
    assert listing(folder) == before


def test_a_missing_file_or_a_log_is_named_as_such(folder, capsys):
    """`replay` and `audit show` take a picture, a session or an id; what else is given is said in its own words."""
    for words in (["replay"], ["audit", "show"]):
        assert main([*words, "gone.png"]) == 2
        assert "there is no file 'gone.png'" in capsys.readouterr().err
        assert main([*words, "."]) == 2
        assert ". is a folder; give a picture" in capsys.readouterr().err
    assert main(["remove", "photo.png", *MARKED, "-o", "out.png", "--audit", "audit.jsonl", "-q"]) == 0
    for words in (["replay"], ["audit", "show"]):
        assert main([*words, "audit.jsonl"]) == 2
        assert "audit.jsonl is an audit log, which 'overpaint audit verify' checks" in capsys.readouterr().err
        assert main([*words, "gone.png"]) == 2
        assert "there is no file 'gone.png', and a record's id is" in capsys.readouterr().err


def test_a_key_is_named_as_it_was_given(folder, capsys):
    for words in (["--c2pa-cert", "c.pem", "--c2pa-key", "k.pem"], ["--audit", "a.jsonl", "--audit-key", "k.pem"]):
        assert main(["remove", "photo.png", *MARKED, "-o", "out.png", *words]) == 2
        said = capsys.readouterr().err
        assert f"the file {words[1] if 'c2pa' in words[0] else words[3]} can't be read" in said
        assert str(folder) not in said
    assert main(["audit", "keygen", "a.key"]) == 0
    assert main(["audit", "keygen", "a.key"]) == 1
    assert "--overwrite" not in capsys.readouterr().err, "which is no option of this verb"
