"""A server in a process of its own, with a stand-in for the work.

`python tests/server_alone.py FOLDER SECONDS LANES [PORT]`. Its jobs wait for so many seconds, and add a line with their
owner and their prompt to FOLDER/done.txt.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from overpaint.engines import Monitor
from overpaint.server import Server, ServerSettings, serve
from overpaint.server.tasks import EditTask


class Waiting:
    """Waits in the place of work, one job at a time as a GPU would."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self._file = os.open(folder / "done.txt", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self._seconds = seconds
        self._one = threading.Lock()

    def check(self, task: EditTask) -> tuple[str, ...]:
        return ()

    def do(
        self, owner: str, task: EditTask, monitor: Monitor, on_result: Callable[[dict[str, Any]], None], **_: Any
    ) -> list[Any]:
        with self._one:
            time.sleep(self._seconds)
        monitor.check()
        os.write(self._file, f"{owner} {task.request.prompt}\n".encode())
        return [
            {
                "picture": task.picture,
                "width": 1,
                "height": 1,
                "format": "png",
                "bytes": 1,
                "seed": 0,
                "fidelity": "lossless",
                "reach": 0,
                "changed": 0,
                "notes": [],
                "doubt": "",
                "timings": {},
            }
        ]


def main(folder: str, seconds: str, lanes: str, port: str = "0") -> None:
    place = Path(folder)
    keys = place / "keys.txt"
    settings = ServerSettings(
        data=place / "data", port=int(port), keys=keys if keys.exists() else None, lanes=int(lanes)
    )
    server = Server(settings, worker=Waiting(place, float(seconds)))
    serve(server, lambda url, token: print(url, flush=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
