"""The command line with `--server`: the same files as without, written here; what a server can't honour is refused."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from forks import Forked
from overpaint import Mask, Studio
from overpaint.cli import main
from overpaint.picture import encode, open_picture
from overpaint.server import new_key
from servers import Running, running
from stand_ins import waiting
from test_client import MASK, equal, smooth


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Studio() as studio, running(tmp_path_factory.mktemp("data") / "server", studio) as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OVERPAINT_SERVER", raising=False)
    Image.fromarray(smooth(31)).save("photo.jpg", quality=90)
    Path("mask.png").write_bytes(encode(MASK.to_picture(), "png").data)
    return tmp_path


def run(*words: str) -> int:
    return main([str(word) for word in words])


VERBS = {
    "remove": ("remove", "photo.jpg", "--mask", "mask.png", "--seed", "4"),
    "recolor": ("recolor", "photo.jpg", "--mask", "mask.png", "--to", "navy"),
    "background": ("background", "photo.jpg", "--mask", "mask.png", "--color", "white"),
    "add": ("add", "photo.jpg", "--box", "40,30,80,70", "--with", "photo.jpg", "--with-mask", "mask.png"),
    "expand": ("expand", "photo.jpg", "--left", "9", "--engine", "blur"),
    "replace": ("replace", "photo.jpg", "--mask", "mask.png", "--prompt", "grass", "--model", "pocket", "--steps", "2",
                "--seed", "3", "--exact"),
    "refine": ("refine", "photo.jpg", "--mask", "mask.png", "--model", "pocket", "--steps", "2", "--seed", "3",
               "--exact"),
}  # fmt: skip


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_writes_the_file_that_it_writes_here(verb, server, folder, capsys):
    words = VERBS[verb]
    assert run(*words, "-o", "here.png", "--json") == 0
    here = json.loads(capsys.readouterr().out)
    assert run(*words, "-o", "there.png", "--json", "--server", server.url) == 0
    there = json.loads(capsys.readouterr().out)
    assert equal(open_picture("there.png"), open_picture("here.png"))
    same = ("reach", "fidelity", "changed", "notes", "seed", "engine", "size")
    assert {name: there.get(name) for name in same} == {name: here.get(name) for name in same}


def test_all_companions_are_written_here(server, folder, capsys):
    words = ("remove", "photo.jpg", "--mask", "mask.png", "--seed", "1", "--variations", "2", "--layers", "l.psd",
             "--compare", "c.png", "--record", "sidecar", "--audit", "log.jsonl", "-o", "out.jpg")  # fmt: skip
    assert run(*words, "--server", server.url) == 0
    names = {path.name for path in folder.iterdir()}
    assert {"out-1.jpg", "out-2.jpg", "l-1.psd", "c-2.png", "log.jsonl", "out-sheet.jpg"} <= names
    assert run("audit", "verify", "log.jsonl") == 0
    assert run("replay", "out-1.jpg") == 0
    assert "equal" in capsys.readouterr().out.lower()


def test_the_environment_names_a_server_too_and_a_key_file_its_key(tmp_path, folder, monkeypatch, capsys):
    keys = tmp_path / "keys.txt"
    key = new_key(keys, "ann")
    Path("mine.key").write_text(key)
    Path("mine.key").chmod(0o600)
    with Studio() as studio, running(tmp_path / "keyed", studio, keys=keys) as server:
        monkeypatch.setenv("OVERPAINT_SERVER", server.url)
        assert run("remove", "photo.jpg", "--mask", "mask.png", "-o", "a.png") == 2 or capsys.readouterr().err
        said = capsys.readouterr().err
        assert not Path("a.png").exists()
        assert key not in said
        assert run("remove", "photo.jpg", "--mask", "mask.png", "-o", "a.png", "--key-file", "mine.key") == 0
        monkeypatch.setenv("OVERPAINT_KEY", "op-wrong")
        assert run("remove", "photo.jpg", "--mask", "mask.png", "-o", "b.png") != 0
        said = capsys.readouterr().err
        assert "--key-file" in said
        assert "op-wrong" not in said


@pytest.mark.parametrize(
    "extra", [("--device", "cpu"), ("--threads", "2"), ("--allow-pickle",)], ids=lambda extra: extra[0]
)
def test_what_a_server_decides_is_refused_and_not_dropped(extra, server, folder, capsys):
    assert run("remove", "photo.jpg", "--mask", "mask.png", "-o", "a.png", "--server", server.url, *extra) == 2
    said = capsys.readouterr().err
    assert extra[0] in said
    assert "server" in said
    assert not Path("a.png").exists()
    assert run("batch", "--images", ".", "-o", "out", "--server", server.url, *extra) == 2


def test_a_key_without_a_server_and_a_cluster_beside_one_are_refused(server, folder, capsys):
    assert run("remove", "photo.jpg", "--mask", "mask.png", "--key-file", "x") == 2
    assert "--server" in capsys.readouterr().err
    Path("edits.jsonl").write_text('{"image": "photo.jpg", "mask": "mask.png"}\n')
    assert run("batch", "edits.jsonl", "-o", "out", "--ray", "local:1", "--server", server.url) == 2
    assert "--ray" in capsys.readouterr().err


def test_where_no_server_answers_it_says_so_at_once(folder, capsys):
    began = time.monotonic()
    assert run("remove", "photo.jpg", "--mask", "mask.png", "--server", "http://127.0.0.1:1") == 1
    assert "does not answer" in capsys.readouterr().err
    assert time.monotonic() - began < 20
    assert run("remove", "photo.jpg", "--mask", "mask.png", "--server", "ftp://x") == 2


def test_a_batch_is_painted_there_and_written_resumed_and_reported_here(server, folder, capsys):
    rows = [{"image": "photo.jpg", "mask": "mask.png", "seed": n, "output": f"{n}.jpg"} for n in range(5)]
    Path("edits.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run("batch", "edits.jsonl", "-o", "here") == 0
    assert run("batch", "edits.jsonl", "-o", "there", "--server", server.url, "--limit", "2") == 0
    assert run("batch", "edits.jsonl", "-o", "there", "--server", server.url, "--json") == 0
    out = capsys.readouterr().out
    assert '"done": 3' in out or '"done":3' in out or '"done": 5' in out
    here = sorted(path.name for path in Path("here").glob("*.jpg"))
    assert len(here) == 5
    for name in here:
        assert equal(open_picture(Path("here") / name), open_picture(Path("there") / name))
    assert run("batch", "edits.jsonl", "-o", "there", "--server", server.url, "--dry-run") == 0


def test_a_session_is_here_and_painted_there(server, folder, capsys):
    assert run("session", "new", "photo.jpg", "-o", "s.overpaint") == 0
    words = ("session", "edit", "s.overpaint", "remove", "--mask", "mask.png", "--seed", "1", "--variations", "2")
    assert run(*words, "--server", server.url) == 0
    assert run("session", "rerun", "s.overpaint", "1", "--seed", "9", "--server", server.url) == 0
    assert run("session", "undo", "s.overpaint") == 0
    assert run("session", "export", "s.overpaint", "-o", "there.png") == 0
    assert run("session", "new", "photo.jpg", "-o", "h.overpaint") == 0
    assert run("session", "edit", "h.overpaint", *words[3:]) == 0
    assert run("session", "export", "h.overpaint", "-o", "here.png") == 0
    assert equal(open_picture("there.png"), open_picture("here.png"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_cancels_what_runs_on_the_server(number, tmp_path, folder):
    gate, started = threading.Event(), threading.Event()
    with Studio() as studio, running(tmp_path / "slow", studio) as server:
        studio.add_engine(waiting(gate, started))
        words = ["remove", "photo.jpg", "--mask", "mask.png", "--engine", "stand-in", "--server", server.url]
        process = Forked([sys.executable, "-m", "overpaint", *words], stderr=subprocess.PIPE, text=True)
        assert started.wait(120)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
        assert process.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}[number], said
        queue = server.server.inner.state.services.queue
        over = time.monotonic() + 20
        while queue.counts()["running"] and time.monotonic() < over:
            time.sleep(0.05)
        assert queue.counts()["running"] == 0
        assert not [path for path in folder.glob("photo.*") if path.name != "photo.jpg"]
        gate.set()


def test_only_what_the_engine_sees_leaves_this_machine(tmp_path, folder):
    Image.fromarray(smooth(3).repeat(8, 0).repeat(8, 1)).save("large.png")
    with Studio() as studio, running(tmp_path / "seen", studio) as server:
        sizes: list[tuple[int, int]] = []
        engine = studio.engine("telea")
        real = engine.submit

        def submit(canvas, monitor):
            sizes.append(tuple(canvas.size))
            return real(canvas, monitor)

        engine.submit = submit
        words = ("remove", "large.png", "--box", "100,100,130,130", "--engine", "telea", "-o", "out.png")
        assert run(*words, "--server", server.url) == 0
    (size,) = sizes
    assert max(size) < 200
    assert Mask.from_file("mask.png").size == MASK.size


def test_a_model_of_the_environment_is_said_to_have_no_effect(server, folder, capsys, monkeypatch):
    monkeypatch.setenv("OVERPAINT_MODEL", "some-inpainting")
    given = ("remove", "photo.jpg", "--mask", "mask.png", "--engine", "telea", "-o", "out.png")
    assert run(*given, "--server", server.url) == 0
    assert "OVERPAINT_MODEL (some-inpainting) has no effect" in capsys.readouterr().err
    assert run(*given, "--overwrite") == 0
    assert "OVERPAINT_MODEL" not in capsys.readouterr().err


def test_a_session_that_a_server_will_paint_is_begun_as_one_that_is_painted_here(server, folder, capsys):
    assert run("session", "new", "photo.jpg", "-o", "here.overpaint") == 0
    assert run("session", "new", "photo.jpg", "-o", "there.overpaint", "--server", server.url) == 0
    edit = ("remove", "--mask", "mask.png", "--seed", "4")
    assert run("session", "edit", "here.overpaint", *edit) == 0
    assert run("session", "edit", "there.overpaint", *edit, "--server", server.url) == 0
    for name in ("here", "there"):
        assert run("session", "export", f"{name}.overpaint", "-o", f"{name}.png") == 0
    assert equal(open_picture("here.png"), open_picture("there.png"))


def test_a_session_is_not_begun_for_a_server_that_is_not_there(server, folder, capsys):
    words = ("session", "new", "photo.jpg")
    assert run(*words, "--server", "http://127.0.0.1:9") != 0
    assert "127.0.0.1:9" in capsys.readouterr().err
    assert run(*words, "--key-file", "key.txt") != 0
    assert "--server" in capsys.readouterr().err
    assert not Path("photo.overpaint").exists()
    assert run("session", "undo", "photo.overpaint", "--server", server.url) != 0
    assert "'session edit' and 'session rerun' paint on a server" in capsys.readouterr().err
