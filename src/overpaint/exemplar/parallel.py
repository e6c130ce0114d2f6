"""The parts of a fill's work, shared among a few threads.

NumPy, its BLAS and OpenCV release the interpreter's lock while they work on large arrays. Parts are cut by the size of
the work and not by the number of threads, and each writes its own part of the result, so that pixels do not depend on
the number of threads.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

Part = TypeVar("Part")


_MOST = 4
"""More threads than these are used only where they are asked for: the interpreter's lock leaves them little to do."""


def usable_threads(asked: int | None) -> int:
    """The threads of a fill: those asked for, else one for each processor that this process may use, up to four."""
    if asked is not None:
        return asked
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(_MOST, usable)


class Parallel:
    """Runs a function on many parts, in the caller's thread and in others."""

    def __init__(self, pool: ThreadPoolExecutor | None = None, others: int = 0) -> None:
        """`others`: threads of the pool, beside the caller's; without a pool all runs in the caller's."""
        self._pool, self._others = pool, others

    def each(self, function: Callable[[Part], None], parts: Iterable[Part]) -> None:
        """Call the function once for each part, in any order and at the same time; return when all are done.

        It may itself call `each`: the caller works too, and never waits for a thread that has not begun.

        Raises:
            Exception: The first error of a part. Parts that have not begun are left out, and none is running any more.
        """
        waiting = deque(parts)

        def work() -> None:
            try:
                while waiting:
                    try:
                        part = waiting.popleft()
                    except IndexError:  # another thread took the last one
                        return
                    function(part)
            except BaseException:
                waiting.clear()
                raise

        helpers = []
        if self._pool is not None:
            helpers = [self._pool.submit(work) for _ in range(min(self._others, len(waiting) - 1))]
        try:
            work()
        finally:
            begun = [helper for helper in helpers if not helper.cancel()]
            wait(begun)
        for helper in begun:
            helper.result()


ALONE = Parallel()
"""All work in the caller's thread."""


@contextmanager
def parallel(threads: int) -> Iterator[Parallel]:
    """Share work among this thread and `threads` - 1 others, which have ended afterwards, also after an error."""
    if threads == 1:
        yield ALONE
        return
    with ThreadPoolExecutor(threads - 1, "overpaint-fill") as pool:
        yield Parallel(pool, threads - 1)


def blocks(count: int, size: int) -> list[slice]:
    """Slices of at most `size` that cover 0 to `count`."""
    return [slice(start, min(count, start + size)) for start in range(0, count, size)]


def pieces(block: slice, size: int) -> Iterator[slice]:
    """Slices of `size` that cover a block, the last one from 2 to `size` + 1 long: BLAS treats a single row apart."""
    start = block.start
    while start < block.stop:
        stop = block.stop if block.stop - start <= size + 1 else start + size
        yield slice(start, stop)
        start = stop
