"""What the tests hold of processes that are forked is what holds of those that are started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from forks import Forked, run_forked

SEEN = """
import atexit, json, os, signal, sys, threading
atexit.register(lambda: print("at the end"))
print(json.dumps({
    "words": sys.argv, "first": sys.path[0], "folder": os.getcwd(), "environment": dict(os.environ),
    "leads": os.getsid(0) == os.getpid(), "threads": threading.active_count(), "name": __name__,
    "signals": [str(signal.getsignal(number)) for number in sorted(signal.Signals)],
    "blocked": [*signal.pthread_sigmask(signal.SIG_BLOCK, [])], "optimised": sys.flags.optimize,
    "files": sorted(os.listdir("/proc/self/fd"))[:-1],
    "streams": [(one.name, one.mode, one.encoding, one.errors) for one in (sys.stdin, sys.stdout, sys.stderr)],
    "buffers": [(one.line_buffering, one.write_through) for one in (sys.stdout, sys.stderr)],
    "read": sys.stdin.read(), "tty": sys.stdout.isatty(),
}))
print("said aside", file=sys.stderr)
sys.exit(7)
"""


@pytest.mark.parametrize(("kind", "own"), [("-c", {}), ("script", {}), ("-c", {"PYTHONIOENCODING": "cp1252"})])
def test_a_forked_process_finds_what_one_that_is_started_finds(kind: str, own: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SEEN)
    start = ["-c", SEEN] if kind == "-c" else [str(tmp_path / "script.py")]
    how: dict[str, Any] = {
        "cwd": tmp_path,
        "env": {**os.environ, "OWN": "é", **own},
        "input": "some\nwords",
    }

    def seen(run: Any) -> dict[str, Any]:
        done = run([sys.executable, *start, "a", "b c"], capture_output=True, text=True, start_new_session=True, **how)
        assert (done.returncode, done.stderr) == (7, "said aside\n")
        first, last = done.stdout.splitlines()
        assert last == "at the end"
        return json.loads(first)

    assert seen(run_forked) == seen(subprocess.run)


def test_a_forked_process_is_killed_as_any_other() -> None:
    code = "import time; print('on', flush=True); time.sleep(60)"
    for number, status in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGTERM, -signal.SIGTERM)):
        with Forked([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == "on\n"
            assert process.poll() is None
            with pytest.raises(subprocess.TimeoutExpired):
                process.communicate(timeout=0.05)
            process.send_signal(number)
            assert process.communicate(timeout=20) == ("", None)
            assert process.returncode == status
        with pytest.raises(ProcessLookupError):
            os.kill(process.pid, 0)


def test_an_error_in_a_forked_process_is_shown_and_is_its_status() -> None:
    done = run_forked([sys.executable, "-c", "1 / 0"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("ZeroDivisionError: division by zero\n")
    with pytest.raises(subprocess.CalledProcessError):
        run_forked([sys.executable, "-c", "import os; os._exit(3)"], check=True)


def test_the_command_is_the_package_s() -> None:
    done = run_forked([sys.executable, "-m", "overpaint", "--version"], capture_output=True, text=True)
    assert (done.returncode, done.stdout.split()[0], done.stderr) == (0, "overpaint", "")
