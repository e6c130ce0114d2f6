"""An event loop on a thread of its own, for programs that have none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_ENDING = 15.0
"""Seconds that a call has to end after an interrupt: it stops its job on the server."""

_DONE = object()


class LoopThread:
    """Runs coroutines for callers on other threads. It starts when it is first used."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def run(self, call: Coroutine[Any, Any, T]) -> T:
        """What a coroutine returns or raises. An interrupt cancels it, and waits a while for its end."""
        ended = threading.Event()

        async def running() -> T:
            try:
                return await call
            finally:
                ended.set()

        future = asyncio.run_coroutine_threadsafe(running(), self._running())
        try:
            return future.result()
        except BaseException:
            if not future.done():
                future.cancel()
                ended.wait(_ENDING)
            raise

    def start(self, call: Coroutine[Any, Any, T]) -> Future[T]:
        """A coroutine that goes on by itself, as a future; cancelling that cancels it."""
        return asyncio.run_coroutine_threadsafe(call, self._running())

    def each(self, values: AsyncIterator[T]) -> Iterator[T]:
        """The values of an asynchronous iterator, which is closed when this one is."""

        async def following() -> Any:
            return await anext(values, _DONE)

        try:
            while (value := self.run(following())) is not _DONE:
                yield value
        finally:
            close = getattr(values, "aclose", None)
            if close is not None:
                self.run(close())

    def close(self) -> None:
        """End the thread, which starts anew when it is needed."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(loop.stop)
        thread.join()

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_run, args=(self._loop,), name="overpaint-client", daemon=True)
                self._thread.start()
            return self._loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.wait(left, timeout=5.0))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()
