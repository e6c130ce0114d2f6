"""Interrupted at any moment, the command line ends soon, says so, and leaves the folder as it was."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from overpaint.cli import main
from overpaint.cli.run import _terminations

_ENGINE = """
import os, time
from pathlib import Path
from overpaint.engines import EngineCard, Painted, ThreadedEngine

class Slow(ThreadedEngine):
    card = EngineCard(name="slow", title="paints for half a minute")

    def paint_one(self, canvas, monitor):
        Path(os.environ["SLOW_STARTED"]).touch()
        for step in range(1500):
            monitor.progress(step, 1500)
            time.sleep(0.02)
        return Painted(canvas.pixels)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(work / "photo.png")
    return work


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    """An installed package that adds an engine by its entry point, as anyone's may."""
    where = tmp_path / "site"
    about = where / "slow_engine-1.0.dist-info"
    about.mkdir(parents=True)
    (where / "slow_engine.py").write_text(_ENGINE)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-engine\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[overpaint.engines]\nslow = slow_engine:Slow\n")
    return where


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_while_painting_leaves_nothing_behind(
    number: signal.Signals, status: int, folder: Path, plugin: Path, tmp_path: Path
) -> None:
    started = tmp_path / "started"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    words = ["remove", "photo.png", "--box", "10,10,30,30", "--engine", "slow", "-o", "out.png", "--compare", "c.png"]
    paths = [str(plugin), *filter(None, [os.environ.get("PYTHONPATH")])]
    process = subprocess.Popen(
        [sys.executable, "-m", "overpaint", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "SLOW_STARTED": str(started)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        until = time.monotonic() + 60
        while not started.exists() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        assert started.exists(), process.communicate()
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()  # closes the pipes, too
    assert process.returncode == status
    assert out == ""
    assert err.count("\n") == 1
    assert "nothing was left half written" in err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_an_interrupt_while_saving_leaves_nothing_behind(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.chdir(folder)
    monkeypatch.setattr(os, "fsync", interrupted)
    assert main(["remove", "photo.png", "--box", "10,10,30,30", "--engine", "telea"]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert [path.name for path in folder.iterdir()] == ["photo.png"]


def test_a_reader_that_goes_away_costs_no_traceback(folder: Path) -> None:
    words = [sys.executable, "-m", "overpaint", "remove", "photo.png", "--box", "10,10,30,30", "--engine", "telea"]
    process = subprocess.Popen([*words, "-o", "-"], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) == 141
    assert err == b""


@pytest.mark.parametrize(("number", "error"), [("SIGTERM", "_Terminated"), ("SIGINT", "KeyboardInterrupt")])
def test_a_signal_while_an_object_is_deleted_is_not_lost(number: str, error: str) -> None:
    """Python prints what is raised there, and goes on."""

    class Deleted:
        def __del__(self) -> None:
            signal.raise_signal(getattr(signal, number))

    def work() -> None:
        with _terminations():
            Deleted()
            time.sleep(10)

    with pytest.raises(KeyboardInterrupt) as caught:
        work()
    assert caught.type.__name__ == error


_CALL = """
import os, signal, sys, time
import overpaint.cli.run
from overpaint.cli import main

def run(argv):
    {run}

overpaint.cli.run.run = run
status = main()
{after}
sys.exit(status)
"""
_IN_EXEC = "try:\n        exec('raise KeyboardInterrupt')\n    except KeyboardInterrupt:\n        return 130"
_AGAIN = "os.kill(os.getpid(), signal.SIGINT); time.sleep(5)"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")
@pytest.mark.parametrize(
    ("run", "after", "status"),
    [
        (_IN_EXEC, "", 130),  # Python would end by the signal, and not with the status
        ("raise KeyboardInterrupt", "", 130),  # a second one, while the first is reported
        ("return 130", _AGAIN, 130),  # and while the process ends
        ("return 143", _AGAIN, 143),
        ("return 1", _AGAIN, 1),
        ("return 0", "import atexit; atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))", 0),
    ],
)
def test_a_second_interrupt_changes_neither_the_status_nor_what_is_printed(run: str, after: str, status: int) -> None:
    script = _CALL.format(run=run, after=after)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


def test_the_package_alone_loads_next_to_nothing_so_that_an_interrupt_finds_the_command_line() -> None:
    script = "import sys; import overpaint.cli; print(*sorted(name for name in sys.modules if 'overpaint' in name))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["overpaint", "overpaint.cli"]
