"""A server with real engines in a process of its own: `python tests/session_server_alone.py FOLDER SECONDS [ENDING]`.

It waits for so many seconds at the end of each painting, before the step is written, and the file FOLDER/painted.txt
gets a line for each. With an ENDING it ends without a word "before" or "after" the first step is written, once the file
FOLDER/go is there.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

from overpaint.server import Server, ServerSettings, serve
from overpaint.server.sessions import SessionPool
from overpaint.studio import Edited, Studio


class Slow(Studio):
    """Takes longer than it needs."""

    folder: Path
    seconds: float

    def edit(self, *given: Any, **named: Any) -> Edited:
        edited = super().edit(*given, **named)
        file = os.open(self.folder / "painted.txt", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        os.write(file, b"painted\n")
        os.close(file)
        time.sleep(self.seconds)
        return edited


def end_at(ending: str, go: Path) -> None:
    """Let the process end where a step is written."""
    land = SessionPool.land

    def landing(*given: Any) -> Any:
        if ending == "after":
            land(*given)
        while not go.exists():
            time.sleep(0.01)
        os._exit(9)

    SessionPool.land = landing  # type: ignore[method-assign]


def main(folder: str, seconds: str, ending: str = "") -> None:
    place = Path(folder)
    if ending:
        end_at(ending, place / "go")
    with Slow(threads=1) as studio:
        studio.folder, studio.seconds = place, float(seconds)
        server = Server(ServerSettings(data=place / "data", port=0, lanes=2), studio)
        serve(server, lambda url, token: print(url, flush=True))


if __name__ == "__main__":
    main(*sys.argv[1:])
