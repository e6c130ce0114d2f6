"""A watched folder in a test: a batch that does its pictures on a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from batches import BOX, Bench
from overpaint import Studio
from overpaint.batch import Began, Done, Ended, Event, Reader, RowDefaults, WatchedFolder, watch
from overpaint.doors.places import Places

INTERVAL = 0.15


class Watching:
    """A watched folder, on a thread of its own; it ends when nothing has come for a while."""

    def __init__(self, bench: Bench, *, masks: bool = False, idle: float = 1.2, **changes: Any) -> None:
        self.bench, self.events = bench, list[Event]()
        self.incoming = bench.folder / "in"
        self.incoming.mkdir(exist_ok=True)
        (bench.folder / "masks").mkdir(exist_ok=True)
        self.watched = WatchedFolder(self.incoming, bench.folder / "masks" if masks else None, INTERVAL, idle)
        settings = {"intent": "remove", "engine": "stand-in", "exact": True, **changes.pop("settings", {})}
        self.reader = Reader(RowDefaults(settings=settings, places=Places() if masks else Places(box=(BOX,))))
        self.options = bench.options(**changes)
        self.ended: Ended | None = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            with Studio() as studio:
                studio.add_engine(self.bench.engine())
                self.ended = watch(self.watched, self.reader, self.options, studio, on_event=self.events.append)
        except BaseException as error:
            self.error = error

    def __enter__(self) -> Watching:
        self._thread.start()
        self.wait_for(lambda: self.of(Began))
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join(60)
        if self.error is not None:
            raise self.error

    def wait_for(self, what: Callable[[], object], seconds: float = 30.0) -> None:
        until = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < until, self.events
            assert self.error is None, self.error
            time.sleep(0.02)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def done(self) -> list[str]:
        return [event.output for event in self.of(Done)]


def mask_at(path: Path) -> Path:
    """Write a mask for a small picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("L", (40, 30))
    image.paste(255, (8, 6, 20, 16))
    image.save(path)
    return path
