"""What happens to a job or a session, as numbered events that a client can follow from any of them on.

The number of an event goes on rising through restarts, as it begins with the time of the start in milliseconds, so that
a client which comes back (Last-Event-ID) gets what it has not seen: the events that are kept, or the state now.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar
from weakref import WeakSet

EventKind = Literal[
    "queued", "started", "loading", "stage", "note", "progress", "preview", "done", "failed", "cancelled"
]
FINAL = frozenset({"done", "failed", "cancelled"})

SessionEventKind = Literal["changed", "job", "renamed", "deleted"]

Kind = TypeVar("Kind", bound=str)

_KEPT = 200
"""Events that are kept of one job or session."""


@dataclass(frozen=True, slots=True)
class NumberedEvent(Generic[Kind]):
    """Something that happened.

    Attributes:
        number: Higher than that of every event before.
        kind: What happened.
        data: Plain values.
    """

    number: int
    kind: Kind
    data: dict[str, Any]


class NumberedEvents(Generic[Kind]):
    """The events of one job or session. Written by any thread, followed by an event loop."""

    def __init__(self, final: frozenset[str], latest: frozenset[str] = frozenset()) -> None:
        """Nothing has happened yet.

        Args:
            final: The kinds that nothing follows.
            latest: The kinds of which only the last one is kept.
        """
        self._final, self._latest = final, latest
        self._lock = threading.Lock()
        self._kept: deque[NumberedEvent[Kind]] = deque(maxlen=_KEPT)
        self._next = time.time_ns() // 1_000_000 << 12
        self._followers: set[_Follower] = set()
        self.on_followed: Callable[[bool], None] = lambda followed: None
        """Called when somebody begins to follow them, and when nobody does any more."""

    @property
    def followed(self) -> bool:
        """Whether anybody follows them."""
        return bool(self._followers)

    def add(self, kind: Kind, **data: Any) -> None:
        """Something has happened."""
        with self._lock:
            if kind in self._latest:
                for event in [event for event in self._kept if event.kind == kind]:
                    self._kept.remove(event)
            self._kept.append(NumberedEvent(self._next, kind, data))
            self._next += 1
            followers = list(self._followers)
        for follower in followers:
            follower.wake()

    def after(self, number: int) -> list[NumberedEvent[Kind]]:
        """The kept events with a higher number."""
        with self._lock:
            return [event for event in self._kept if event.number > number]

    async def follow(
        self, after: int = -1, quiet: float = 15.0, *, released: bool = False
    ) -> AsyncIterator[NumberedEvent[Kind] | None]:
        """The events after a number, as they come, until the last one.

        Args:
            after: The number.
            quiet: None comes after so many seconds without any event.
            released: Whether it ends at `release_followers` as well.
        """
        follower = _Follower(asyncio.get_running_loop())
        self._followers.add(follower)
        if released:
            _RELEASED.add(follower)
        self.on_followed(True)
        try:
            while True:
                for event in self.after(after):
                    after = event.number
                    yield event
                    if event.kind in self._final:
                        return
                if follower.released:
                    return
                if not await follower.woken(quiet):
                    yield None
        finally:
            self._followers.discard(follower)
            if not self._followers:
                self.on_followed(False)


class JobEvents(NumberedEvents[EventKind]):
    """The events of one job."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        super().__init__(FINAL, frozenset({"queued", "progress", "preview"}))


class SessionEvents(NumberedEvents[SessionEventKind]):
    """The events of one session."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        super().__init__(frozenset({"deleted"}))


class _Follower:
    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._event = asyncio.Event()
        self.released = False

    def release(self) -> None:
        self.released = True
        self.wake()

    @property
    def here(self) -> bool:
        """Whether it follows on the loop that runs now."""
        return self._loop is asyncio.get_running_loop()

    def wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._event.set)

    async def woken(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


_RELEASED: WeakSet[_Follower] = WeakSet()
"""Followers that a server which stops does not wait for: their clients come back."""


def release_followers() -> None:
    """End those who follow on this loop with `released`, so that their replies end as they should."""
    for follower in list(_RELEASED):
        if follower.here:
            follower.release()
