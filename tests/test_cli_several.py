"""One call edits several pictures: one studio, each with its own result, and a bad one does not stop the others."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from overpaint.cli import main
from overpaint.cli.messages import note_line
from overpaint.cli.progress import Bar

BOX = ["--box", "10,10,30,20", "--engine", "exemplar", "--seed", "1"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("a.png", "b.png", "c.jpg")):
        array = np.random.default_rng(number).integers(0, 256, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(array).save(name, quality=95)
    Path("bad.png").write_bytes(Path("a.png").read_bytes()[:100])
    return tmp_path


def names() -> set[str]:
    return {str(path) for path in Path().rglob("*") if path.is_file()} - {"a.png", "b.png", "c.jpg", "bad.png"}


def test_each_result_lies_beside_its_picture(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remove", "a.png", "b.png", "c.jpg", *BOX]) == 0
    assert names() == {"a.remove.png", "b.remove.png", "c.remove.jpg"}
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_a_result_is_that_of_a_call_of_its_own() -> None:
    assert main(["remove", "a.png", "b.png", *BOX, "-o", "together/"]) == 0
    assert main(["remove", "b.png", *BOX, "-o", "alone.png"]) == 0
    with Image.open("together/b.remove.png") as one, Image.open("alone.png") as other:
        assert np.array_equal(one, other)


def test_a_bad_one_does_not_stop_the_others_and_the_status_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remove", "a.png", "bad.png", "none.png", "b.png", *BOX]) == 2
    assert names() == {"a.remove.png", "b.remove.png"}
    out, err = capsys.readouterr()
    assert [line.split(":")[0] for line in out.splitlines()] == ["a.remove.png", "b.remove.png"]
    assert [line.split(": ")[1] for line in err.splitlines()] == ["bad.png", "none.png doesn't exist"]


def test_json_is_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remove", "a.png", "none.png", "b.png", *BOX, "--json"]) == 2
    tables = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [table["input"] for table in tables] == ["a.png", "none.png", "b.png"]
    assert [table.get("output") for table in tables] == ["a.remove.png", None, "b.remove.png"]
    assert tables[1]["error"]["code"] == "picture-missing"


def test_json_of_variations_names_each_picture_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remove", "bad.png", "b.png", *BOX, "-n", "2", "--json"]) == 2
    bad, good = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (bad["input"], bad["variations"], bad["error"]["code"]) == ("bad.png", [], "picture-invalid")
    assert (good["input"], len(good["variations"])) == ("b.png", 2)


@pytest.mark.parametrize(
    ("out", "found"),
    [
        (["-o", "out"], {"out/a.remove.png", "out/c.remove.jpg"}),
        (["-o", "out/"], {"out/a.remove.png", "out/c.remove.jpg"}),
        (["-o", "{intent}-{name}{ext}"], {"remove-a.png", "remove-c.jpg"}),
        (["-o", "{name}-x.{ext}"], {"a-x.png", "c-x.jpg"}),
        (["-o", "{name}{ext}", "--format", "webp"], {"a.webp", "c.webp"}),
        (["-o", "{name}.x.webp"], {"a.x.webp", "c.x.webp"}),
        (["-o", "out", "--format", "png"], {"out/a.remove.png", "out/c.remove.png"}),
        (
            ["-o", "out", "--compare", "{name}-seen.png"],
            {"out/a.remove.png", "out/c.remove.jpg", "a-seen.png", "c-seen.png"},
        ),
        (
            ["-o", "out", "-n", "2", "--no-sheet"],
            {"out/a.remove-1.png", "out/a.remove-2.png", "out/c.remove-1.jpg", "out/c.remove-2.jpg"},
        ),
    ],
)
def test_results_go_to_a_folder_or_by_a_template(out: list[str], found: set[str]) -> None:
    assert main(["remove", "a.png", "c.jpg", *BOX, *out]) == 0
    assert names() == found


def test_one_picture_can_go_to_a_folder_too() -> None:
    Path("out").mkdir()
    assert main(["remove", "a.png", *BOX, "-o", "out"]) == 0
    assert main(["remove", "b.png", *BOX, "-o", "made/"]) == 0
    assert main(["remove", "c.jpg", *BOX, "-o", "new"]) == 0
    assert names() == {"out/a.remove.png", "made/b.remove.png", "new/c.remove.jpg"}


def test_notes_name_the_picture_where_there_are_several(capsys: pytest.CaptureFixture[str]) -> None:
    wide = ["--box", "40,10,90,20", *BOX[2:]]
    assert main(["remove", "a.png", "b.png", *wide]) == 0
    err = capsys.readouterr().err.splitlines()
    assert [line[:40] for line in err if "extends" in line] == [
        "note: a.png: the box 40,10,90,20 extends",
        "note: b.png: the box 40,10,90,20 extends",
    ]


def test_a_template_is_checked_for_one_picture_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remove", "a.png", *BOX, "-o", "{nam}.png"]) == 2
    assert "has {nam}; there are {name}, {intent}, {ext}; did you mean 'name'?" in capsys.readouterr().err
    assert names() == set()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-o", "x.png"], "--output x.png is one file, and there are several pictures"),
        (["-o", "out", "--compare", "x.png"], "--compare x.png is one file"),
        (["-o", "-"], "standard output takes one picture"),
        (["-o", "{nam}{name}.png"], "has {nam}; there are {name}, {intent}, {ext}; did you mean 'name'?"),
        (["--engine", "telae"], "no engine is called 'telae'"),
    ],
)
def test_what_several_pictures_can_t_share_is_refused(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    boxed = BOX if "--engine" not in words else BOX[:2]
    assert main(["remove", "a.png", "b.png", *boxed, *words]) == 2
    out, err = capsys.readouterr()
    assert (out, names()) == ("", set())
    assert says in err


def test_two_pictures_of_one_name_do_not_replace_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    Path("other").mkdir()
    Path("other/a.png").write_bytes(Path("b.png").read_bytes())
    words = ["remove", "a.png", "other/a.png", *BOX, "-o", "out", "--overwrite"]
    assert main(words) == 1
    assert "other/a.png: two results would go to the same file: out/a.remove.png" in capsys.readouterr().err


def test_a_note_names_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert note_line("for more, the setting model names another").endswith("for more, --model names another")
    assert note_line("the setting of old") == "note: the setting of old"


def test_a_command_without_a_picture_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remove", *BOX]) == 2
    assert "remove needs a picture" in capsys.readouterr().err


def test_the_reach_of_a_file_on_standard_output_is_measured_on_it(
    capsysbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("jpeglib")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("overpaint.cli.edit.bar", lambda **_: contextlib.nullcontext(Bar()))
    assert main(["remove", "c.jpg", *BOX, "-o", "-"]) == 0
    out, err = capsysbinary.readouterr()
    Path("piped.jpg").write_bytes(out)
    assert main(["info", "piped.jpg", "--json"]) == 0
    reach = json.loads(capsysbinary.readouterr().out)["record"]["record"]["reach"]
    assert f"reach {reach} px, in whole JPEG blocks" in err.decode()
