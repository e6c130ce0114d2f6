"""Hostile files at every door of a batch: each is named, good photos beside them are done, and a run ends when told to.

The files are small and made here (`hostile_files`). The whole of them takes minutes, and is run by hand (-m slow).
"""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import hostile_files
from batches import photos
from overpaint.batch import manifest
from overpaint.cli import main

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there are no bounded processes")
GOOD, BOX = 8, "8,6,20,16"
WORDS = ["-o", "out", "--engine", "telea", "--row-timeout", "60"]
QUICK_PICTURES = (
    "loop.png",
    "longest.png",
    "loop.jpg",
    "loop.tif",
    "largest.tif",
    "canvas.webp",
    "nested.avif",
    "frame.gif",
)
QUICK_PICTURES += ("colours.bmp", "largest.jp2", "photoshop.png", "archive.png")
QUICK_MASKS = (
    "entities.xml",
    "digits.xml",
    "ellipse.xml",
    "deep polygon.json",
    "kinds.json",
    "none.json",
    "circle.json",
)
QUICK_SKETCHES = ("entities.xml", "deep.json", "archive.zip", "NaN.tif", "empty.png")
QUICK_MASKS += ("half a character.json", "huge.json", "archive.zip", "array.npy", "NaN.tif", "loop.webp")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with eight good photos in "good", and "p000.png"."""
    monkeypatch.chdir(tmp_path)
    photos(tmp_path, 1)
    photos(tmp_path / "good", GOOD)
    return tmp_path


def _write(folder: Path, files: Mapping[str, bytes], names: Iterable[str] = ()) -> list[Path]:
    folder.mkdir()
    chosen = tuple(names) or tuple(files)
    for name in chosen:
        (folder / name).write_bytes(files[name])
    return [folder / name for name in chosen]


def _mixed(bad: list[dict[str, Any]]) -> str:
    """JSON lines of these rows, with rows of good photos between them."""
    good = [{"image": f"good/p{n:03}.png", "box": BOX, "id": f"good {n}"} for n in range(GOOD)]
    rows = [*bad]
    for n, row in enumerate(good):
        rows.insert(n * len(bad) // GOOD + n, row)
    return "\n".join(map(json.dumps, rows))


def _ends(out: str) -> tuple[set[str], dict[str, str]]:
    """The ids of rows that were done, and the reasons of those that failed."""
    events = [json.loads(line) for line in out.splitlines()]
    done = {event["id"] for event in events if event["event"] == "done"}
    failed = {event["id"]: event["reason"] for event in events if event["event"] == "failed" and not event["again"]}
    return done, failed


def _states_in_report() -> dict[str, str]:
    with Path("out/report.csv").open(encoding="utf-8") as file:
        return {row["id"]: row["state"] for row in csv.DictReader(file)}


def _check(paths: list[Path], out: str) -> set[str]:
    """Eight are done, each file ends once, is in the report, and is named by its error. Returns the names of those that
    were done.
    """
    done, failed = _ends(out)
    assert {f"good {n}" for n in range(GOOD)} <= done
    assert done.isdisjoint(failed)
    assert {path.name for path in paths} == {*done, *failed} - {f"good {n}" for n in range(GOOD)}
    for name, reason in failed.items():
        assert name in reason
        assert "unexpectedly" not in reason
        assert "memory" not in reason
        assert "crashed" not in reason
    assert _states_in_report() == {**dict.fromkeys(done, "done"), **dict.fromkeys(failed, "failed")}
    return done


def _run_pictures(paths: list[Path], capsys: pytest.CaptureFixture[str]) -> set[str]:
    rows = [{"image": str(path), "box": BOX, "id": path.name, "output": f"{path.name}.png"} for path in paths]
    Path("edits.jsonl").write_text(_mixed(rows))
    assert main(["batch", "edits.jsonl", *WORDS]) == 1
    return _check(paths, capsys.readouterr().out)


def _run_masks(paths: list[Path], capsys: pytest.CaptureFixture[str], field: str = "mask") -> None:
    place = {} if field == "mask" else {"box": BOX, "intent": "add" if field == "insert" else "remove"}
    rows = [
        {"image": "p000.png", field: str(path), "id": path.name, "output": f"{path.name}.png", **place}
        for path in paths
    ]
    Path("edits.jsonl").write_text(_mixed(rows))
    assert main(["batch", "edits.jsonl", *WORDS]) == 1
    done = _check(paths, capsys.readouterr().out)
    assert {name for name in done if not name.startswith("good")} == set()


def test_hostile_pictures_are_named_and_the_photos_beside_them_are_done(folder: Path, capsys):
    _run_pictures(_write(folder / "bad", hostile_files.pictures(), QUICK_PICTURES), capsys)


def test_hostile_masks_are_named_and_the_photos_beside_them_are_done(folder: Path, capsys):
    _run_masks(_write(folder / "bad", hostile_files.masks(), QUICK_MASKS), capsys)


@pytest.mark.parametrize("field", ["sketch", "insert", "avoid"])
def test_hostile_files_beside_the_picture_are_named(folder: Path, capsys, field: str):
    _run_masks(_write(folder / "bad", hostile_files.masks(), QUICK_SKETCHES), capsys, field)


def test_hostile_rows_fail_and_the_others_are_done(folder: Path, capsys):
    bad = hostile_files.rows()
    Path("edits.jsonl").write_text("\n".join([*bad, _mixed([])]), encoding="utf-8")
    began = time.process_time()
    assert main(["batch", "edits.jsonl", *WORDS]) == 1
    assert time.process_time() - began < 20
    done, failed = _ends(capsys.readouterr().out)
    assert done == {f"good {n}" for n in range(GOOD)}
    assert len(failed) == len(bad)
    assert not any("unexpectedly" in reason or len(reason) > 10_000 for reason in failed.values()), failed
    assert sorted(_states_in_report().values()) == ["done"] * GOOD + ["failed"] * len(bad)


@pytest.mark.slow
def test_every_hostile_picture_at_the_door_of_pictures(folder: Path, capsys):
    _run_pictures(_write(folder / "bad", hostile_files.pictures()), capsys)


@pytest.mark.slow
@pytest.mark.parametrize("field", ["mask", "avoid", "sketch", "insert"])
def test_every_hostile_mask_at_the_doors_of_masks(folder: Path, capsys, field: str):
    _run_masks(_write(folder / "bad", hostile_files.masks()), capsys, field)


@pytest.mark.slow
def test_every_hostile_picture_in_a_folder_of_pictures(folder: Path, capsys):
    files = {f"{n:02} {name}": data for n, (name, data) in enumerate(hostile_files.pictures().items())}
    paths = _write(folder / "good" / "bad", files)
    assert main(["batch", "--images", "good", "--box", BOX, *WORDS]) == 1
    done, failed = _ends(capsys.readouterr().out)
    assert len(done) + len(failed) == GOOD + len(paths)
    for path in paths:
        assert any(path.stem in text for text in (*done, *failed.values())), path


@pytest.mark.slow
def test_every_hostile_file_in_a_folder_of_masks(folder: Path, capsys):
    mask = Image.new("L", (40, 30))
    mask.paste(255, (8, 6, 20, 16))
    names = [name for name in hostile_files.masks() if not name.endswith((".zip", ".npy"))]
    _write(folder / "masks", hostile_files.masks(), names)
    for n in range(GOOD):
        mask.save(folder / "masks" / f"p{n:03}.png")
    stems = {Path(name).stem for name in names}
    for stem in stems:
        (folder / "good" / f"{stem}.png").write_bytes((folder / "p000.png").read_bytes())
    assert main(["batch", "--images", "good", "--masks", "masks", *WORDS]) == 1
    done, failed = _ends(capsys.readouterr().out)
    assert (len(done), len(failed)) == (GOOD, len(stems))
    for stem in stems:
        assert any(stem in reason for reason in failed.values()), stem


@pytest.mark.slow
@pytest.mark.parametrize("name", hostile_files.lists())
def test_every_hostile_list_ends_with_2_is_named_and_costs_nothing(folder: Path, monkeypatch, capsys, name: str):
    monkeypatch.setattr(manifest, "_SECONDS", 10.0)
    Path("edits.jsonl").write_text(_mixed([]))
    assert main(["batch", "edits.jsonl", *WORDS]) == 0
    before = {path: path.read_bytes() for path in Path("out").iterdir() if path.is_file()}
    capsys.readouterr()
    Path(name).write_bytes(hostile_files.lists()[name])
    began = time.monotonic()
    assert main(["batch", name, *WORDS]) == 2
    assert time.monotonic() - began < 120
    shown = capsys.readouterr()
    assert name in shown.err
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert {path: path.read_bytes() for path in Path("out").iterdir() if path.is_file()} == before


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(9))
def test_a_run_ends_at_once_when_it_is_told_to_at_any_moment(folder: Path, seed: int):
    """SIGNAL_SEED adds to the seeds."""
    chance = random.Random(seed + 100 * int(os.environ.get("SIGNAL_SEED", "0")))
    door = ("pictures", "masks", "lists")[seed % 3]
    paths = _write(folder / "bad", getattr(hostile_files, door)())
    if door == "lists":
        words = [str(chance.choice([path for path in paths if path.suffix == ".yaml"]))]
    else:
        chance.shuffle(paths)
        what = [
            {"image": str(path)} if door == "pictures" else {"image": "p000.png", "mask": str(path)} for path in paths
        ]
        rows = [{**one, "box": BOX, "output": f"{n}.png"} for n, one in enumerate(what)]
        Path("edits.jsonl").write_text(_mixed(rows))
        words = ["edits.jsonl"]
    run = subprocess.Popen(
        [sys.executable, "-m", "overpaint", "batch", *words, *WORDS],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    time.sleep(chance.uniform(0.5, 12))
    if run.poll() is not None:
        run.communicate()
        return
    began = time.monotonic()
    (os.killpg if chance.random() < 0.5 else os.kill)(run.pid, signal.SIGTERM)
    out, err = run.communicate(timeout=60)
    assert time.monotonic() - began < 15
    assert run.returncode in (143, -signal.SIGTERM), err  # the latter before it has a handler
    assert b"Traceback" not in err
    assert not [path for path in folder.rglob("*") if path.suffix in (".part", ".tmp")]
    _, failed = _ends(out.decode())
    assert not any("crashed" in reason or "memory" in reason for reason in failed.values()), failed
