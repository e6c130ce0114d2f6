"""The threads that do jobs. One that runs for long leaves its lane to another, so that no short one waits for it."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

from .job import EditJob
from .settings import ServerSettings

_REST = 0.5  # seconds between two looks for new work, beside notifications
_LOOK = 0.1  # seconds between two looks at the jobs that run

_MOST = 4
"""So many times the lanes of the settings are there at most, while long jobs run."""


class Lanes:
    """Threads that each do one job at a time. Its methods are called within the queue's lock, but for `start` and the
    waits of `stop`.
    """

    def __init__(
        self,
        settings: ServerSettings,
        lock: threading.Condition,
        running: Mapping[str, EditJob],
        work: Callable[[], None],
        wanted: Callable[[], bool],
    ) -> None:
        """Nothing runs yet.

        Args:
            settings: `lanes`, `long` and `painting` count.
            lock: The queue's.
            running: The jobs that run.
            work: Does jobs on a lane's thread until there is none, or the lane is to end.
            wanted: Whether any job waits.
        """
        self._settings, self._lock, self._running = settings, lock, running
        self._work, self._wanted = work, wanted
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._ended = threading.Event()

    def __len__(self) -> int:
        return len(self._threads)

    def start(self) -> None:
        """Begin to do jobs."""
        self._ended.clear()
        with self._lock:
            for _ in range(self._settings.lanes):
                self._open()
        threading.Thread(target=self._watch, name="lanes", daemon=True).start()

    def stop(self, seconds: float) -> None:
        """Wait so many seconds for the lanes to end; jobs that take too long are stopped meanwhile."""
        over = time.monotonic() + seconds
        for thread in list(self._threads):
            thread.join(max(0.0, over - time.monotonic()))
        self._ended.set()

    def free(self) -> bool:
        """Whether one more job may be begun."""
        lanes, count = self._settings.lanes, len(self._running)
        return count < lanes or (count < _MOST * lanes and sum(map(self._new, self._running.values())) < lanes)

    def full(self) -> frozenset[str]:
        """Clients that have their share of the lanes while others wait: one lane always stays for somebody else, and
        half of those that long jobs may have.
        """
        lanes = self._settings.lanes
        new: Counter[str] = Counter()
        running: Counter[str] = Counter()
        for job in self._running.values():
            running[job.owner] += 1
            new[job.owner] += self._new(job)
        return frozenset(
            client
            for client, count in running.items()
            if count >= max(1, _MOST * lanes // 2) or new[client] >= max(1, lanes - 1)
        )

    def rest(self) -> bool:
        """Wait a while for a job. False where the lane is to end: it was opened while long jobs ran."""
        if self._idle >= self._settings.lanes:
            return False
        self._idle += 1
        self._lock.wait(_REST)
        self._idle -= 1
        return True

    def leave(self) -> None:
        """The lane of this thread ends."""
        self._threads.remove(threading.current_thread())

    def _open(self) -> None:
        thread = threading.Thread(target=self._work, name=f"lane-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _new(self, job: EditJob) -> bool:
        return time.monotonic() - job.begun <= self._settings.long

    def _watch(self) -> None:
        """Stop jobs that take too long, and open another lane where long ones leave none to those that wait."""
        while not self._ended.wait(_LOOK):
            with self._lock:
                now = time.monotonic()
                for job in self._running.values():
                    if job.monitor is not None and now - job.begun > self._settings.painting:
                        job.late = True
                        job.monitor.cancel()
                if self._wanted() and self.free():
                    if self._idle:
                        self._lock.notify()
                    else:
                        self._open()
