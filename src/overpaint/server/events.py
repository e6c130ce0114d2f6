"""What happens to a job, as numbered events that a client can follow from any of them on.

The number of an event goes on rising through restarts, as it begins with the time of the start in milliseconds, so that
a client which comes back (Last-Event-ID) gets what it has not seen: the events that are kept, or the state now.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Literal

EventKind = Literal["queued", "started", "loading", "note", "progress", "preview", "done", "failed", "cancelled"]
FINAL = frozenset({"done", "failed", "cancelled"})

_KEPT = 200
"""Events of a job that are kept."""


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something that happened to a job.

    Attributes:
        number: Higher than that of every event before.
        kind: What happened.
        data: Plain values.
    """

    number: int
    kind: EventKind
    data: dict[str, Any]


class JobEvents:
    """The events of one job. Written by any thread, followed by an event loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: deque[JobEvent] = deque(maxlen=_KEPT)
        self._next = time.time_ns() // 1_000_000 << 12
        self._followers: set[_Follower] = set()

    @property
    def followed(self) -> bool:
        """Whether anybody follows them."""
        return bool(self._followers)

    def add(self, kind: EventKind, **data: Any) -> None:
        """Something has happened. Of queued, progress and preview only the last one is kept."""
        with self._lock:
            if kind in ("queued", "progress", "preview"):
                for event in [event for event in self._kept if event.kind == kind]:
                    self._kept.remove(event)
            self._kept.append(JobEvent(self._next, kind, data))
            self._next += 1
            followers = list(self._followers)
        for follower in followers:
            follower.wake()

    def after(self, number: int) -> list[JobEvent]:
        """The kept events with a higher number."""
        with self._lock:
            return [event for event in self._kept if event.number > number]

    async def follow(self, after: int = -1, quiet: float = 15.0) -> AsyncIterator[JobEvent | None]:
        """The events after a number, as they come, until the last one; None after so many seconds without any."""
        follower = _Follower(asyncio.get_running_loop())
        self._followers.add(follower)
        try:
            while True:
                for event in self.after(after):
                    after = event.number
                    yield event
                    if event.kind in FINAL:
                        return
                if not await follower.woken(quiet):
                    yield None
        finally:
            self._followers.discard(follower)


class _Follower:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._event = asyncio.Event()

    def wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._event.set)

    async def woken(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._event.wait(), seconds)
        except TimeoutError:
            return False
        self._event.clear()
        return True
