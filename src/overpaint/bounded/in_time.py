"""Calls that may never return, on threads that are left behind: a read from a mount that hangs, or from a device.

The caller goes on after a time, and can be interrupted at any moment. A thread can't be killed: what may compute for
ever, or crash, is for a `BoundedPool`.
"""

from __future__ import annotations

import errno
import math
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
T = TypeVar("T")

_FEW, _MOST = 2, 16  # threads at once; the more, where those that are there do not get on
_SLOW = 0.5  # seconds after which a thread does not get on
_LOOK = 0.1  # seconds between two looks at the threads
_LEAST = 1.0  # seconds for an item, however many like it came too late
_MOST_LEFT = 500  # threads of this process that are left behind

_left: set[threading.Thread] = set()


def call_in_time(
    function: Callable[..., T], *arguments: Any, seconds: float | None, check: Callable[[], None] = lambda: None
) -> T:
    """The result of a call that takes at most so many seconds.

    Args:
        function: What is called, on a thread of its own.
        *arguments: What it takes.
        seconds: The most that it may take; None for no limit, where the caller is to stay interruptible.
        check: Called several times a second; what it raises ends the wait.

    Raises:
        TimeoutError: It took longer; it may still go on.
        Exception: What the function or `check` raises.
    """
    ((_, found),) = outcomes(lambda _: function(*arguments), (None,), seconds=seconds, check=check)
    if isinstance(found, Exception):
        raise found
    return found


def outcomes(
    function: Callable[[Item], T],
    items: Iterable[Item],
    *,
    seconds: float | None,
    alike: Callable[[Item], Hashable] = lambda _: None,
    check: Callable[[], None] = lambda: None,
) -> Iterator[tuple[Item, T | Exception]]:
    """Each item with the result of its call, or with what the call raised: a TimeoutError where it took too long.

    The order is that in which calls end. A few are made at once, so that one that hangs does not hold up the others.

    Args:
        function: What is called with each item.
        items: The items.
        seconds: The most that one call may take; None for no limit.
        alike: Items with one answer are likely to hang together, as files of one folder do: each that came too late
            leaves less time to those that follow, down to a second, so that not all of them are waited for in full.
        check: Called several times a second; what it raises ends the wait.
    """
    given = tuple(items)
    work = _TimedCalls(function, given)
    for _ in range(min(len(given), _FEW)):
        work.begin()
    try:
        yield from _waited(work, math.inf if seconds is None else seconds, alike, check)
    finally:
        work.threads.clear()  # those that are at work begin nothing more


def _waited(
    work: _TimedCalls[Item, T], seconds: float, alike: Callable[[Item], Hashable], check: Callable[[], None]
) -> Iterator[tuple[Item, T | Exception]]:
    late: Counter[Hashable] = Counter()
    looked = time.monotonic()
    while work.threads:
        for one, item, found in work.ended():
            if one in work.threads:
                if item is _NONE:
                    work.threads.discard(one)
                else:
                    yield item, found
        now = time.monotonic()
        if now - looked < _LOOK:
            continue
        looked = now
        check()
        for one in work.slow(now):
            group = alike(one.item)
            limit = max(seconds / (1 + late[group]), min(seconds, _LEAST))
            if (item := work.left_behind(one, now - limit)) is not _NONE:
                late[group] += 1
                text = f"it took longer than {limit:g} seconds to read"
                yield item, TimeoutError(errno.ETIMEDOUT, text)
        if len(work.slow(now)) == len(work.threads) < _MOST:
            work.begin()
    for item in work.rest():
        yield item, TimeoutError(errno.ETIMEDOUT, f"it is not read, as {_MOST_LEFT} reads of this process hang")


_NONE: Any = object()


@dataclass(eq=False, slots=True)
class _CallingThread:
    """A thread, the item that it is at, and since when."""

    item: Any = _NONE
    since: float = 0.0
    thread: threading.Thread | None = None


class _TimedCalls(Generic[Item, T]):
    def __init__(self, function: Callable[[Item], T], items: Sequence[Item]) -> None:
        self._function, self._items = function, iter(items)
        self._lock = threading.Lock()
        self._ended: queue.SimpleQueue[tuple[_CallingThread, Any, Any]] = queue.SimpleQueue()
        self._exhausted = False
        self.threads: set[_CallingThread] = set()

    def begin(self) -> None:
        """Start one more thread, where there is work for it and not too many are left behind."""
        _left.intersection_update(thread for thread in tuple(_left) if thread.is_alive())
        if self._exhausted or len(_left) >= _MOST_LEFT:
            return
        one = _CallingThread()
        context = copy_context()
        one.thread = threading.Thread(target=context.run, args=(self._work, one), name="overpaint-read", daemon=True)
        self.threads.add(one)
        try:
            one.thread.start()
        except RuntimeError:  # the system gives no more
            self.threads.discard(one)

    def _work(self, one: _CallingThread) -> None:
        while True:
            with self._lock:
                if one not in self.threads:
                    return
                one.item, one.since = next(self._items, _NONE), time.monotonic()
                item = one.item
            if item is _NONE:
                self._exhausted = True
                break
            try:
                found: Any = self._function(item)
            except Exception as error:
                found = error
            self._ended.put((one, item, found))
            del item, found
        self._ended.put((one, _NONE, None))

    def ended(self) -> Iterator[tuple[_CallingThread, Any, Any]]:
        """What has ended since, after a short wait."""
        try:
            yield self._ended.get(timeout=_LOOK)
            while True:
                yield self._ended.get_nowait()
        except queue.Empty:
            return

    def slow(self, now: float) -> list[_CallingThread]:
        """The threads that do not get on."""
        return [one for one in self.threads if one.item is not _NONE and now - one.since > _SLOW]

    def left_behind(self, one: _CallingThread, before: float) -> Any:
        """Leave a thread behind, and start another one, where its call began earlier than that; the call's item."""
        with self._lock:
            if one.item is _NONE or one.since > before:
                return _NONE
            self.threads.discard(one)
            if one.thread is not None:
                _left.add(one.thread)
            item = one.item
        self.begin()
        return item

    def rest(self) -> Iterator[Item]:
        """The items that no thread has taken."""
        with self._lock:
            yield from self._items
