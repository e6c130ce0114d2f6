"""Whose job is next: clients take turns, and each client's own jobs go in its own order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Container


class Turns:
    """Waiting jobs by client. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, list[str]] = {}  # in the order of turns

    def __len__(self) -> int:
        with self._lock:
            return sum(map(len, self._waiting.values()))

    def count(self, client: str) -> int:
        """How many jobs of a client wait."""
        with self._lock:
            return len(self._waiting.get(client, ()))

    def add(self, client: str, job: str, *, first: bool = False) -> None:
        """A job waits, behind the client's others or before them."""
        with self._lock:
            jobs = self._waiting.setdefault(client, [])
            jobs.insert(0 if first else len(jobs), job)

    def removed(self, client: str, job: str) -> int | None:
        """A job waits no more: the place that it had among the client's. None where it did not wait."""
        with self._lock:
            jobs = self._waiting.get(client, [])
            if job not in jobs:
                return None
            place = jobs.index(job)
            del jobs[place]
            if not jobs:
                del self._waiting[client]
            return place

    def move(self, client: str, job: str, place: int) -> bool:
        """Put a waiting job at a place (0 is first) among the client's. False where it does not wait."""
        with self._lock:
            jobs = self._waiting.get(client, [])
            if job not in jobs:
                return False
            jobs.remove(job)
            jobs.insert(place, job)
            return True

    def next(
        self, passed: Container[str] = (), ready: Callable[[str], bool] = lambda job: True
    ) -> tuple[str, str] | None:
        """The next client and its job, which waits no more; the client goes to the end of the line.

        Args:
            passed: Clients that have as many running as they may.
            ready: Whether a job may begin now; one that may not keeps its place.
        """
        with self._lock:
            for client, jobs in self._waiting.items():
                job = None if client in passed else next(filter(ready, jobs), None)
                if job is not None:
                    del self._waiting[client]
                    jobs.remove(job)
                    if jobs:
                        self._waiting[client] = jobs
                    return client, job
            return None

    def place(self, client: str, job: str) -> int:
        """How many waiting jobs go before this one if nobody adds any; -1 where it does not wait."""
        with self._lock:
            jobs = self._waiting.get(client, [])
            if job not in jobs:
                return -1
            own = jobs.index(job)
            before = True
            found = own
            for other, others in self._waiting.items():
                if other == client:
                    before = False
                    continue
                found += min(len(others), own + before)
            return found

    def jobs(self, client: str) -> list[str]:
        """The client's waiting jobs, in their order."""
        with self._lock:
            return list(self._waiting.get(client, ()))
