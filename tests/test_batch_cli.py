"""`overpaint batch`: what it says, where, and with which exit status; and what it does on a disk that is full."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console
from rich.progress import Progress

from batches import photo, photos
from overpaint.audit import verify
from overpaint.batch import Began, Doubted, Failed, results
from overpaint.batch.worker import Worker
from overpaint.cli import main
from overpaint.cli.batch_shown import BatchBar
from overpaint.errors import EngineError
from overpaint.ledger import Ledger

TELEA = ("--engine", "telea")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three pictures and a list of them."""
    monkeypatch.chdir(tmp_path)
    photos(tmp_path, 3)
    rows = [{"image": f"p{n:03}.png", "box": "8,6,20,16"} for n in range(3)]
    (tmp_path / "edits.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


def printed(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.usefixtures("folder")
def test_without_a_terminal_there_is_one_json_object_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["batch", "edits.jsonl", "-o", "out", *TELEA]) == 0
    began, *done, ended = printed(capsys)
    assert (began["event"], began["to_do"]) == ("began", 3)
    assert [one["event"] for one in done] == ["done"] * 3
    assert {one["output"] for one in done} == {f"p{n:03}.remove.png" for n in range(3)}
    assert (ended["event"], ended["done"], ended["failed"]) == ("ended", 3, 0)
    for name in ("report.html", "report.csv", "audit.jsonl", "audit.head", ".overpaint/ledger.sqlite"):
        assert Path("out", name).exists(), name


def test_files_of_a_folder_that_are_no_pictures_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "drawing.psd").write_bytes(b"8BPS")
    (folder / "edits.jsonl").unlink()
    words = ["batch", "--images", ".", "--box", "8,6,20,16", "-o", "out", *TELEA]
    assert main([*words, "--dry-run"]) == 0
    assert "drawing.psd" in printed(capsys)[-1]["notes"][0]
    assert main(words) == 0
    assert "drawing.psd" in printed(capsys)[0]["notes"][0]


@pytest.mark.usefixtures("folder")
def test_what_a_library_prints_does_not_get_between_the_lines(capsys, monkeypatch) -> None:
    publish = results.publish

    def chatty(*given: Any, **more: Any) -> None:
        print("(raylet) a node has been marked dead")
        publish(*given, **more)

    monkeypatch.setattr(results, "publish", chatty)
    assert main(["batch", "edits.jsonl", "-o", "out", *TELEA]) == 0
    out, err = capsys.readouterr()
    assert [json.loads(line)["event"] for line in out.splitlines()] == ["began", "done", "done", "done", "ended"]
    assert err.count("(raylet)") == 3


def test_a_failed_row_is_reported_with_exit_status_1(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (folder / "edits.jsonl").open("a") as file:
        file.write('\n{"image": "gone.png", "box": "1,1,9,9"}\n')
    assert main(["batch", "edits.jsonl", "-o", "out", *TELEA]) == 1
    events = printed(capsys)
    (failed,) = [event for event in events if event["event"] == "failed"]
    assert (failed["row"], failed["begun"]) == (4, False)
    assert "gone.png doesn't exist" in failed["reason"]
    assert events[-1]["done"] == 3


def test_paths_of_a_list_are_relative_to_it_and_those_of_options_to_where_one_stands(folder: Path) -> None:
    lists = folder / "lists"
    lists.mkdir()
    (lists / "edits.json").write_text('[{"image": "../p000.png"}]')
    Image.fromarray(np.pad(np.full((10, 12), 255, np.uint8), ((6, 14), (8, 20)))).save(folder / "mask.png")
    assert main(["batch", "lists/edits.json", "--mask", "mask.png", "-o", "out", "--quiet", *TELEA]) == 0
    assert (folder / "out" / "p000.remove.png").exists()


def test_folders_of_pictures_and_masks_are_a_batch(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.move(folder / "p000.png", photo(folder / "images" / "deep" / "p000.png"))
    shutil.move(folder / "p001.png", photo(folder / "images" / "p001.png"))
    mask = Image.fromarray(np.pad(np.full((10, 12), 255, np.uint8), ((6, 14), (8, 20))))
    (folder / "masks").mkdir()
    mask.save(folder / "masks" / "p000.png")
    assert main(["batch", "--images", "images", "--masks", "masks", "-o", "out", *TELEA]) == 1
    assert (folder / "out" / "deep" / "p000.remove.png").exists()
    assert "it has no mask" in json.dumps(printed(capsys))
    assert main(["batch", "--images", "images", "--masks", "masks/p000.png", "-o", "out", *TELEA]) == 0


def test_a_list_may_come_from_standard_input(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Standard:
        buffer = io.BytesIO((folder / "edits.jsonl").read_bytes())

    monkeypatch.setattr(sys, "stdin", Standard())
    assert main(["batch", "-", "-o", "out", "--quiet", *TELEA]) == 0
    assert len(list((folder / "out").glob("*.png"))) == 3


@pytest.mark.parametrize("private", [(), ("--record", "sidecar"), ("--private",)])
def test_results_beside_the_pictures_are_no_pictures_of_the_next_run(folder: Path, capsys, private) -> None:
    (folder / "edits.jsonl").unlink()
    words = ["batch", "--images", ".", "--box", "8,6,20,16", "-o", ".", *private, *TELEA]
    assert main(words) == 0
    assert printed(capsys)[0]["notes"] == []
    assert main(words) == 0
    again, *_ = printed(capsys)
    assert (again["rows"], again["to_do"], again["unchanged"]) == (3, 0, 3)
    assert again["notes"] == ["3 pictures are results of this batch, and not edited again"]
    photo(folder / "sub" / "new.png")
    assert main(words) == 0
    assert {one["output"] for one in printed(capsys) if one["event"] == "done"} == {"sub/new.remove.png"}


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--images", "."), "remove needs a mask: which pixels of the picture to repaint; give --mask"),
        (("--images", ".", "--intent", "expand"), "expand needs margins"),
        (("bare.jsonl",), "remove needs a mask"),
    ],
)
def test_rows_of_which_none_says_what_to_paint_are_refused_before_any_is_done(folder, capsys, words, says, dry) -> None:
    (folder / "bare.jsonl").write_text('{"image": "p000.png"}\n{"image": "p001.png"}')
    assert main(["batch", *words, "-o", "out", *TELEA, *dry]) == 2
    found = capsys.readouterr()
    assert found.out == ""
    assert says in found.err


def test_a_row_that_does_not_say_what_to_paint_is_known_before_the_others_are_done(folder: Path, capsys) -> None:
    with (folder / "edits.jsonl").open("a") as file:
        file.write('\n{"image": "p000.png", "output": "x.png"}')
    assert main(["batch", "edits.jsonl", "-o", "out", "--dry-run", *TELEA]) == 1
    bad, *would, preview = printed(capsys)
    assert "remove needs a mask" in bad["reason"]
    assert (len(would), preview["bad"]) == (3, 1)


@pytest.mark.usefixtures("folder")
def test_an_estimate_says_why_the_edit_that_was_tried_failed(capsys, monkeypatch) -> None:
    def fail(*_: Any) -> None:
        raise EngineError("it has no weights")

    monkeypatch.setattr(Worker, "do", fail)
    assert main(["batch", "edits.jsonl", "-o", "out", "--dry-run", *TELEA]) == 0
    assert "it has no weights" in printed(capsys)[-1]["basis"]


def _rows_with_faults(folder: Path) -> list[dict[str, Any]]:
    """Rows of which a run does the first ones and refuses the last ones, by sizes that are in files."""
    turned = Image.new("RGB", (40, 30), "grey")
    exif = turned.getexif()
    exif[0x0112] = 6  # displayed as 30x40
    for name in ("turned.jpg", "turned.png"):
        turned.save(folder / name, exif=exif)
    for name, size, value in (("fits.png", (30, 40), 255), ("none.png", (40, 30), 0), ("small.png", (39, 30), 255)):
        mask = Image.new("L", size)
        mask.paste(value, (5, 5, 12, 12))
        mask.save(folder / name)
    Image.new("RGBA", (40, 30), (9, 9, 9, 255)).save(folder / "opaque.png")
    clear = Image.new("RGBA", (40, 30), (9, 9, 9, 255))
    clear.paste((0, 0, 0, 0), (5, 5, 12, 12))
    clear.save(folder / "clear.png")
    good = [
        {"image": "p000.png", "box": "-5,-5,9,9"},
        {"image": "turned.jpg", "box": "2,34,9,39"},
        {"image": "turned.png", "box": "2,34,9,39"},
        {"image": "turned.jpg", "mask": "fits.png", "output": "t.jpg"},
        {"image": "clear.png", "mask": "alpha"},
    ]
    bad = [
        {"image": "p000.png", "box": "800,6,900,16", "output": "1.png"},
        {"image": "p000.png", "box": "8,6,8,16", "output": "2.png"},
        {"image": "p000.png", "polygon": "90,90 99,90 99,99", "output": "3.png"},
        {"image": "turned.jpg", "box": "34,2,39,9", "output": "4.jpg"},
        {"image": "p000.png", "mask": "small.png", "output": "5.png"},
        {"image": "p000.png", "mask": "none.png", "output": "6.png"},
        {"image": "opaque.png", "mask": "alpha", "output": "7.png"},
        {"image": "p000.png", "box": "8,6,20,16", "avoid": "small.png", "output": "8.png"},
    ]
    return [{**row, "engine": "exemplar"} for row in (*good, *bad)]


def test_a_dry_run_refuses_the_rows_that_the_run_refuses_for_the_same_reasons(folder: Path, capsys) -> None:
    rows = _rows_with_faults(folder)
    (folder / "edits.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert main(["batch", "edits.jsonl", "-o", "out", "--dry-run"]) == 1
    said = printed(capsys)
    bad = {one["row"]: one["reason"] for one in said if one["event"] == "bad"}
    assert sorted(bad) == list(range(6, 14))
    assert (said[-1]["bad"], said[-1]["to_do"]) == (8, 5)
    assert main(["batch", "edits.jsonl", "-o", "out"]) == 1
    assert {one["row"]: one["reason"] for one in printed(capsys) if one["event"] == "failed"} == bad
    assert main(["batch", "edits.jsonl", "-o", "out", "--dry-run", "--where", "row < 6"]) == 0


@pytest.mark.usefixtures("folder")
def test_a_dry_run_decodes_no_picture_whose_header_tells_its_size(capsys, monkeypatch) -> None:
    from overpaint.doors import reading

    def refuse(*_: Any) -> None:
        raise AssertionError("it was opened")

    monkeypatch.setattr(reading, "_opened", refuse)
    monkeypatch.setattr(type(reading.readers), "call", lambda _, do, *given, **__: do(*given))
    monkeypatch.setattr("overpaint.batch.estimate._tried", lambda *_: 1.0)
    assert main(["batch", "edits.jsonl", "-o", "out", "--dry-run", *TELEA]) == 0
    assert printed(capsys)[-1]["to_do"] == 3


@pytest.mark.usefixtures("folder")
def test_a_dry_run_lists_what_would_be_done_and_writes_no_result(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["batch", "edits.jsonl", "-o", "out", *TELEA]
    assert main([*words, "--dry-run", "--where", "row != 2"]) == 0
    first, second, preview = printed(capsys)
    assert [first["output"], second["output"]] == ["p000.remove.png", "p002.remove.png"]
    assert (preview["to_do"], preview["left"]) == (2, 1)
    assert preview["seconds"] > 0
    assert [path.name for path in Path("out").iterdir()] == [".overpaint"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["batch", "-o", "out"], "needs a list of edits, or --images DIR"),
        (["batch", "edits.jsonl", "--images", ".", "-o", "out"], "not both"),
        (["batch", "edits.jsonl", "--masks", ".", "-o", "out"], "--masks goes with --images"),
        (["batch", "edits.jsonl"], "batch needs --output"),
        (["batch", "none.jsonl", "-o", "out"], "none.jsonl doesn't exist"),
        (["batch", "edits.jsonl", "-o", "out", "--where", "rwo == 1"], "did you mean 'row'?"),
        (["batch", "edits.jsonl", "-o", "out", "--name", "{nam}{ext}"], "did you mean 'name'?"),
        (["batch", "edits.jsonl", "-o", "out", "--name", "same{ext}"], "would both write same.png"),
        (["batch", "edits.jsonl", "-o", "out", "--limit", "-1"], "--limit must be at least 0"),
        (["batch", "edits.jsonl", "-o", "out", "--quality", "101"], "--quality must be between"),
        (["batch", "edits.jsonl", "-o", "out", "--ahead", "0"], "--ahead must be at least 1"),
        (["batch", "edits.jsonl", "-o", "out", "--box", "1,1,2"], ""),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_can_not_be_meant_is_one_line_and_nothing_is_painted(
    words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, *TELEA]) in ((2,) if says else (0, 1))
    out, err = capsys.readouterr()
    if says:
        assert out == ""
        assert err.count("\n") == 1
        assert says in err
        assert not list(Path("out").glob("*.png")) if Path("out").exists() else True


def test_on_a_terminal_there_is_a_bar_with_rate_and_time_left(folder: Path) -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "overpaint", "batch", "edits.jsonl", "-o", "out", *TELEA]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"}
    with subprocess.Popen(command, stdout=follower, stderr=follower, stdin=follower, env=environment) as process:
        os.close(follower)
        shown = b""
        while True:
            try:
                part = os.read(leader, 65536)
            except OSError:
                break
            if not part:
                break
            shown += part
    os.close(leader)
    assert process.returncode == 0
    text = shown.decode()
    assert "3/3" in text
    assert "/s" in text or "/min" in text
    assert "done: 3 edits in " in text
    assert "{" not in text


def _bar() -> tuple[BatchBar, io.StringIO]:
    said = io.StringIO()
    return BatchBar(Progress(console=Console(file=said, width=200))), said


def test_lines_on_a_terminal_name_the_picture_the_row_and_its_id() -> None:
    bar, said = _bar()
    began = Began(rows=600, to_do=2, unchanged=0, left=0, bad=500)
    bad = [Failed(f"row {n}", n, "the same", begun=False, image=f"in/{n}.jpg") for n in range(1, 501)]
    other = Failed("x", 501, "another", begun=False, image="in/501.jpg")
    doubted = Doubted("IMG_2.remove.jpg", 2, "IMG_2.remove.jpg", "aside", 1.0, ("seam",), image="in/IMG_2.jpg")
    failed = [Failed("c1", 503, "third", image="in/IMG_1.jpg"), Failed("c2", 504, "fourth")]
    for event in (began, *bad, other, doubted, *failed):
        bar.show(event)
    assert [line.rstrip() for line in said.getvalue().splitlines()] == [
        "1.jpg (row 1) and 499 more rows: the same",
        "501.jpg (row 501, x): another",
        "IMG_2.jpg (row 2) needs a review: seam; it is aside",
        "IMG_1.jpg (row 503, c1): third",
        "row 504 (c2): fourth",
    ]


def test_a_field_that_no_row_of_a_table_has_is_one_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f'p{n:03}.png,"8,6,20,16"\n' for n in range(3))
    (folder / "edits.csv").write_text("imag,box\n" + rows)
    assert main(["batch", "edits.csv", "-o", "out", *TELEA]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert "in column 1 a field that no row has: 'imag'; did you mean 'image'?" in said.err
    assert not (folder / "out").exists()
    assert main(["batch", "edits.csv", "-o", "out", "--private", *TELEA]) == 2
    assert "imag'" not in capsys.readouterr().err
    (folder / "edits.csv").write_text("image,box,note\n" + rows + 'p000.png,"8,6,20,16",of one row\n')
    assert main(["batch", "edits.csv", "-o", "out", "--name", "{row}{ext}", *TELEA]) == 1, "it costs that row alone"
    assert [one["event"] for one in printed(capsys)].count("done") == 3


def test_private_and_audit_options_are_applied(folder: Path) -> None:
    words = ["batch", "edits.jsonl", "--quiet", *TELEA, "--prompt", "a secret thing", "--private"]
    assert main([*words, "--audit", "elsewhere.jsonl", "-o", "out"]) == 0
    assert not (folder / "out" / "audit.jsonl").exists()
    assert verify(folder / "elsewhere.jsonl").records == 3
    kept = [path for path in folder.rglob("*") if path.is_file() and b"a secret thing" in path.read_bytes()]
    assert kept == []
    assert main([*words, "--audit", "none", "-o", "two"]) == 0
    assert not list((folder / "two").glob("audit*"))


@pytest.mark.parametrize(
    ("words", "field", "says"),
    [
        (["-o", "a.png"], "output", "a.png is a file, not a folder"),
        (["-o", "out", "--state", "a.png"], "state", "a.png is a file, not a folder"),
        (["-o", "out", "--audit", "nowhere/a.jsonl"], "audit", "doesn't exist"),
        (["-o", "out", "--audit", "."], "audit", "is a folder"),
        (["-o", "out", "--private", "--audit", "nowhere/a.jsonl"], "audit", "doesn't exist"),
        (["-o", "out", "--name", "{nme}{ext}"], "name", "{nme}"),
        (["-o", "out", "--where", "1 +"], "where", "is no expression"),
    ],
)
def test_an_error_has_the_field_of_the_option_that_caused_it(folder: Path, capsys, words, field, says) -> None:
    (folder / "a.png").write_bytes(b"here already")
    assert main(["batch", "edits.jsonl", *TELEA, "--json", *words]) != 0
    error = printed(capsys)[-1]["error"]
    assert (error["field"], says in error["message"]) == (field, True), error
    assert error["value"] is not None


def test_the_state_may_be_kept_elsewhere(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["batch", "edits.jsonl", "-o", "out", *TELEA, "--state", "state"]
    assert main(words) == 0
    assert {path.name for path in (folder / "out" / ".overpaint").iterdir()} <= {"lock", "run.pid", "state"}
    assert main(words) == 0
    assert printed(capsys)[-1]["unchanged"] == 3


# ── a full disk ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of 1 MiB, where one may be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("nothing may be mounted here")
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.mark.skipif(shutil.which("mount") is None, reason="nothing can be mounted here")
def test_a_full_disk_ends_the_run_and_with_room_again_it_goes_on(folder: Path, small_disk: Path, capsys) -> None:
    rng = np.random.default_rng(2)
    rows = []
    for n in range(8):  # noise, so that each result takes 150 kB
        Image.fromarray(rng.integers(0, 256, (230, 220, 3), dtype=np.uint8)).save(folder / f"n{n}.png")
        rows.append({"image": f"n{n}.png", "box": "10,10,30,30"})
    (folder / "noise.jsonl").write_text("\n".join(map(json.dumps, rows)))
    words = ["batch", "noise.jsonl", "-o", str(small_disk / "out"), "--state", "state", *TELEA]
    assert main(words) == 1
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in out.splitlines()]
    ended = next(event for event in events if event["event"] == "ended")
    assert "the disk is full" in ended["stopped"] + err
    assert 1 <= ended["done"] < 8
    with Ledger(folder / "state" / "ledger.sqlite") as ledger:
        counts = ledger.counts()
    # The disk may have been full for the audit's line of the last one: it has its name, and its line comes later.
    assert counts["finished"] <= 6, "no more than were in flight"
    pictures = sorted((small_disk / "out").glob("*.png"))
    assert len(pictures) == ended["done"] + counts["finished"]
    for path in pictures:
        with Image.open(path) as image:
            image.load()
    hidden = {path.name for path in (small_disk / "out").iterdir() if path.name.startswith(".")}
    assert hidden == {".overpaint"}, "the lock's folder"
    assert counts["done"] == ended["done"]
    assert counts["failed"] == 0

    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    assert main(words) == 0
    events = printed(capsys)
    completed = next(event for event in events if event["event"] == "began")["completed"]
    assert completed == counts["finished"]
    assert events[-1]["done"] == len(rows) - len(pictures)
    verdict = verify(small_disk / "out" / "audit.jsonl")
    assert (verdict.whole, verdict.records) == (True, 8), verdict.faults


@pytest.mark.skipif(shutil.which("mount") is None, reason="nothing can be mounted here")
def test_an_unwritable_folder_is_reported_before_any_work(folder: Path, small_disk: Path, capsys) -> None:
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert main(["batch", "edits.jsonl", "-o", str(small_disk / "out"), *TELEA]) == 1
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "can't write to the folder" in err
    assert "ead-only" in err


@pytest.mark.skipif(shutil.which("mount") is None, reason="nothing can be mounted here")
def test_a_ledger_on_a_full_disk_ends_the_run_in_one_line(folder: Path, small_disk: Path, capsys) -> None:
    words = ["batch", "edits.jsonl", "-o", "out", "--state", str(small_disk / "state"), *TELEA]
    filler = os.open(small_disk / "filler", os.O_WRONLY | os.O_CREAT)
    with contextlib.suppress(OSError):
        while True:
            os.write(filler, b"x" * 4096)
    os.close(filler)
    assert main(words) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "full" in err
    assert not list((folder / "out").glob("*.png"))
    (small_disk / "filler").unlink()
    assert main(words) == 0
    assert printed(capsys)[-1]["done"] == 3


def test_a_folder_in_the_place_of_a_list_leads_to_the_option_for_folders(tmp_path, capsys):
    assert main(["batch", str(tmp_path), "-o", str(tmp_path / "out")]) != 0
    assert "give --images to edit the pictures of a folder" in capsys.readouterr().err
