"""A server in a process of its own, for `benchmarks.server`: with the usual engines, or with a stand-in for all work.

python -m benchmarks.server_process FOLDER [SECONDS]
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overpaint.engines import Monitor
from overpaint.server import PREFIX, Server, ServerSettings, serve
from overpaint.server.tasks import EditTask

LANES = 8


class SleepingEngine:
    """Sleeps in the place of an engine, one job at a time as a GPU would."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._one = threading.Lock()

    def check(self, task: EditTask) -> tuple[str, ...]:
        """Every task can be done."""
        return ()

    def do(
        self, owner: str, task: EditTask, monitor: Monitor, on_result: Callable[[dict[str, Any]], None], **_: Any
    ) -> list[dict[str, Any]]:
        """The task's own picture as its result."""
        with self._one:
            time.sleep(self._seconds)
        known = {"width": 8, "height": 8, "format": "png", "bytes": 1, "seed": 0, "fidelity": "lossless"}
        return [{"picture": task.picture, "reach": 0, "changed": 0, "notes": [], "doubt": "", "timings": {}, **known}]


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A server that answers at `url`, and its process."""

    url: str
    process: subprocess.Popen[str]

    @property
    def memory(self) -> int:
        """Resident bytes; 0 where the system does not say."""
        return _status(self.process.pid)

    @property
    def processor(self) -> float:
        """Seconds of processor time so far; 0 where the system does not say."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def started(folder: Path, seconds: float | None = None) -> Iterator[ServerProcess]:
    """A server on a free port. With `seconds` each job takes so long and paints nothing; keys are FOLDER/keys.txt."""
    words = [sys.executable, "-m", "benchmarks.server_process", str(folder)]
    process = subprocess.Popen(
        [*words, *([] if seconds is None else [str(seconds)])], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield ServerProcess(process.stdout.readline().strip() + PREFIX, process)
    finally:
        process.terminate()
        process.communicate()


def _status(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return 1024 * next((int(line.split()[1]) for line in lines if line.startswith("VmRSS")), 0)


def main(folder: str, seconds: str | None = None) -> None:
    """Answer requests until SIGTERM."""
    place = Path(folder)
    keys = place / "keys.txt"
    settings = ServerSettings(data=place / "data", port=0, keys=keys if keys.exists() else None, lanes=LANES)
    server = Server(settings, worker=None if seconds is None else SleepingEngine(float(seconds)))
    serve(server, lambda url, token: print(url, flush=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
