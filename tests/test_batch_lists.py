"""No list of rows, however large or damaged, takes the command with it or costs anything that is finished."""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from batches import BOX, photos
from overpaint.batch import manifest, read_text
from overpaint.cli import main

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there are no bounded processes")
GOOD = b'{"image": "p000.png", "box": "8,6,20,16"}\n'
WORDS = ["-o", "out", "--engine", "telea"]

UNREADABLE: dict[str, tuple[str, Callable[[], bytes]]] = {
    "deep": ("json", lambda: b"[" * 200_000),
    "deep, large": ("json", lambda: b"[" * 3_000_000),
    "no list": ("json", lambda: b'{"image": "p000.png"}'),
    "numbers": ("json", lambda: b"[" + b"0," * 68_000_000 + b"0]"),
    "binary": ("json", lambda: bytes(range(256)) * 20),
    "two encodings": ("csv", lambda: "image,box\np000.png,é\n".encode("latin-1") + "é\n".encode()),
    "UTF-16 cut": ("jsonl", lambda: GOOD.decode().encode("utf-16")[:-1]),
    "empty": ("jsonl", lambda: b""),
    "mark alone": ("jsonl", lambda: b"\xef\xbb\xbf"),
    "one row of cells": ("csv", lambda: b"image,box\n" + b"," * 20_000_000 + b"\n"),
    "open quotes": ("csv", lambda: b'image,box\n"' + b"x\n" * 10_000_000),
    "names": ("csv", lambda: b"," * 5_000_000 + b"\n"),
    "NUL": ("yaml", lambda: b"- image: \0\n"),
}


@pytest.fixture
def finished(tmp_path: Path, monkeypatch) -> Path:
    """A folder with a finished batch."""
    monkeypatch.chdir(tmp_path)
    photos(tmp_path, 1)
    (tmp_path / "good.jsonl").write_bytes(GOOD)
    assert main(["batch", "good.jsonl", *WORDS]) == 0
    return tmp_path


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "out").iterdir() if path.is_file()}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_list_that_cant_be_read_ends_with_2_in_bounded_time_and_costs_nothing(finished: Path, capsys, name: str):
    form, make = UNREADABLE[name]
    (finished / f"edits.{form}").write_bytes(make())
    before, began = _files(finished), time.monotonic()
    assert main(["batch", f"edits.{form}", *WORDS]) == 2
    assert time.monotonic() - began < 90
    said = capsys.readouterr().err
    assert f"edits.{form}" in said
    assert said.count("\n") <= 2
    assert len(said) < 1000
    assert _files(finished) == before


def test_a_folder_is_no_list(finished: Path, capsys):
    (finished / "edits.jsonl").mkdir()
    assert main(["batch", "edits.jsonl", *WORDS]) == 2
    assert "edits.jsonl is no regular file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "line",
    [
        lambda: b'{"image": "' + b"x" * 100_000_000 + b'"}',
        lambda: b'{"box": ' + b"[" * 100_000 + b"}",
        lambda: b'{"image": "a\0b.png", "box": "1,1,5,5"}',
        lambda: b"\0" * 50,
        lambda: GOOD.strip().decode().encode("utf-32-be"),
        lambda: b"\xef\xbb\xbf" + GOOD.strip(),
        lambda: b'{"image": "p000.png", "box": [' + b"0," * 5_000_000 + b"0]}",
    ],
    ids=["100 MB", "deep", "NUL", "NULs", "UTF-32", "mark within", "numbers"],
)
def test_a_bad_line_is_one_row_that_fails(finished: Path, capsys, line: Callable[[], bytes]):
    (finished / "edits.jsonl").write_bytes(GOOD + line() + b"\n" + GOOD.replace(b"}", b', "output": "b.png"}'))
    began = time.monotonic()
    assert main(["batch", "edits.jsonl", *WORDS]) == 1
    assert time.monotonic() - began < 60
    events = [json.loads(one) for one in capsys.readouterr().out.splitlines()]
    assert (events[-1]["done"], events[-1]["unchanged"], events[-1]["failed"]) == (1, 1, 1)
    (failed,) = (one for one in events if one["event"] == "failed")
    assert failed["row"] == 2
    assert len(failed["reason"]) < 1000


def test_a_row_of_a_large_list_that_is_too_large_fails_alone():
    rows = [{"image": "a.png"}, {"image": "x" * (manifest.LARGEST_ROW + 1)}, {"image": "b.png"}]
    first, second, third = read_text(json.dumps(rows), "json", "the list")
    assert (first.table, third.table) == (rows[0], rows[2])
    assert second.table is None
    assert "a row may have 16,777,216 characters" in str(second.error)


def test_a_list_that_grows_while_it_is_read_is_read_once(finished: Path, capsys):
    path, stop = finished / "edits.jsonl", threading.Event()
    path.write_bytes(GOOD)

    def grow() -> None:
        with path.open("ab", buffering=0) as file:
            while not stop.is_set():
                file.write(GOOD.replace(b"8,6", b"9,6")[:20])  # half a line
                time.sleep(0.001)

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        assert main(["batch", "edits.jsonl", *WORDS]) in (0, 1)
    finally:
        stop.set()
        writer.join()
    ended = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert ended["unchanged"] == 1
    assert ended["failed"] <= 1


def test_sigterm_ends_the_command_while_it_parses_a_list(tmp_path: Path):
    (tmp_path / "edits.json").write_bytes(b"[" + b"0," * 66_000_000 + b"0]")
    run = subprocess.Popen(
        [sys.executable, "-m", "overpaint", "batch", "edits.json", *WORDS], cwd=tmp_path, stderr=subprocess.PIPE
    )
    time.sleep(4.0)
    began = time.monotonic()
    run.send_signal(signal.SIGTERM)
    run.communicate(timeout=60)
    assert time.monotonic() - began < 10
    assert run.returncode in (143, 2)


@pytest.mark.slow
def test_a_hundred_thousand_rows_are_read_and_planned(tmp_path: Path):
    photos(tmp_path, 1)
    rows = [{"image": "p000.png", "box": BOX, "output": f"{n}.png"} for n in range(100_000)]
    (tmp_path / "edits.jsonl").write_text("\n".join(map(json.dumps, rows)))
    began = time.monotonic()
    words = ["batch", "edits.jsonl", *WORDS, "--limit", "1", "--no-report"]
    done = subprocess.run([sys.executable, "-m", "overpaint", *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["left"] == 99_999
    most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"100,000 rows: {time.monotonic() - began:.0f} s, {most:.0f} MiB")
    assert most < 2500


def test_a_folder_that_hangs_is_named_and_not_waited_for(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    photos(tmp_path / "i", 1)
    monkeypatch.setattr(manifest, "LISTING", 1.0)
    monkeypatch.setattr(manifest, "files_in", lambda _: time.sleep(3600))
    began = time.monotonic()
    assert main(["batch", "--images", "i", "--box", BOX, *WORDS]) == 2
    assert time.monotonic() - began < 30
    assert "the folder i can't be listed: it took longer than 1 seconds to read" in capsys.readouterr().err


def test_results_that_hang_are_kept_by_a_prune(finished: Path, monkeypatch, capsys):
    prune = importlib.import_module("overpaint.batch.prune")
    (finished / "other.jsonl").write_bytes(GOOD.replace(b"}", b', "output": "b.png"}'))
    monkeypatch.setattr(prune, "read_result", lambda *_: time.sleep(3600))
    assert main(["batch", "other.jsonl", *WORDS]) == 0
    capsys.readouterr()
    began = time.monotonic()
    main(["batch", "prune", "other.jsonl", *WORDS, "--yes", "--row-timeout", "2", "--json"])
    assert time.monotonic() - began < 60
    found = json.loads(capsys.readouterr().out)
    assert "p000.remove.png" in [one["path"] for one in found["kept"]]
    assert (finished / "out" / "p000.remove.png").exists()
