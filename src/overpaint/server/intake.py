"""Jobs that many clients ask for at the same time are written down together.

A job is on the disk before its client hears of it, and each wait for the disk is a thread's. So that a hundred clients
don't need a hundred waits and threads, what comes while some jobs are written down gathers, and goes next, in one
transaction (group commit: DeWitt et al., Implementation Techniques for Main Memory Database Systems, SIGMOD 1984, 3.2).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from .job import EditJob, Submission

_SLOW = 0.05
"""Seconds after which a group of jobs is not waited for: a check of one may look at a model's file."""

_THREADS = 16


Accept = Callable[[Iterable[Submission]], Sequence[EditJob | Exception]]
"""Accepts jobs, each or why not, as `EditQueue.submit_all` does."""


@dataclass(frozen=True, slots=True, eq=False)
class _AskedJob:
    """A job that is asked for, and its answer."""

    submission: Submission
    answer: asyncio.Future[EditJob]


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """Jobs that are accepted together; those that a thread has begun with are in `begun`, in their order."""

    left: deque[_AskedJob]
    begun: list[_AskedJob] = field(default_factory=list)

    def submissions(self) -> Iterator[Submission]:
        """All of them, one by one; those that were taken out meanwhile do not come."""
        while self.left:
            try:
                one = self.left.popleft()
            except IndexError:  # taken out at this moment
                return
            self.begun.append(one)
            yield one.submission


class JobIntake:
    """Takes jobs in an event loop, and has them written down on threads, as many at once as there are."""

    def __init__(self, accept: Accept) -> None:
        self._accept = accept
        self._waiting: deque[_AskedJob] = deque()
        self._current: _Group | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._threads = ThreadPoolExecutor(_THREADS, "intake")  # of its own: uploads may hold all others

    async def submit(self, submission: Submission) -> EditJob:
        """Accept a job; it is on the disk when this returns. Raises as `EditQueue.submit`."""
        asked = _AskedJob(submission, asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if self._current is None:
            self._begin()
        return await asked.answer

    def close(self) -> None:
        """End its threads, once what they are at is done."""
        self._threads.shutdown(wait=False)

    def _begin(self) -> None:
        self._current = group = _Group(self._waiting)
        self._waiting = deque()
        task = asyncio.get_running_loop().create_task(self._answer(group))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, group: _Group) -> None:
        loop = asyncio.get_running_loop()
        late = loop.call_later(_SLOW, self._leave, group)
        found: Sequence[EditJob | Exception]
        try:
            found = await loop.run_in_executor(self._threads, self._accept, group.submissions())
        except Exception as error:  # there is no thread, say
            group.begun.extend(group.left)
            group.left.clear()
            found = [error] * len(group.begun)
        late.cancel()
        for asked, answer in zip(group.begun, found, strict=True):
            if asked.answer.done():  # its client has left
                continue
            if isinstance(answer, Exception):
                asked.answer.set_exception(answer)
            else:
                asked.answer.set_result(answer)
        self._leave(group)

    def _leave(self, group: _Group) -> None:
        """Begin with the next jobs, where this group is done or slow. Those that it has not begun with go first."""
        if self._current is not group:
            return
        self._current = None
        while group.left:
            try:
                self._waiting.appendleft(group.left.pop())
            except IndexError:  # begun with at this moment
                break
        if self._waiting:
            self._begin()
