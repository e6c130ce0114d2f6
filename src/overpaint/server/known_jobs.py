"""The jobs that a server knows, answered from memory: nobody who looks at one waits for the disk."""

from __future__ import annotations

import threading

from .job import EditJob, JobState


class KnownJobs:
    """Jobs by their ids and by their owners, in the order of their arrival, and of their ends where they have ended.
    Thread-safe; its lock is held for moments only.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: dict[str, EditJob] = {}
        self._owned: dict[str, dict[str, EditJob]] = {}

    def add(self, job: EditJob) -> None:
        """A job has come, or has ended: it is the newest now."""
        with self._lock:
            for jobs in (self._jobs, self._owned.setdefault(job.owner, {})):
                jobs.pop(job.id, None)
                jobs[job.id] = job

    def remove(self, job: EditJob) -> None:
        """Forget a job."""
        with self._lock:
            del self._jobs[job.id]
            owned = self._owned[job.owner]
            del owned[job.id]
            if not owned:
                del self._owned[job.owner]

    def get(self, id: str) -> EditJob | None:
        """The job with this id; None where there is none."""
        return self._jobs.get(id)

    def of(self, owner: str | None = None) -> list[EditJob]:
        """The jobs of an owner, or all, the oldest first."""
        with self._lock:
            return list((self._jobs if owner is None else self._owned.get(owner, {})).values())

    def counts(self, owner: str | None = None) -> dict[JobState, int]:
        """How many jobs are in each state: an owner's, or all."""
        found: dict[JobState, int] = {"queued": 0, "running": 0, "done": 0, "failed": 0, "cancelled": 0}
        for job in self.of(owner):
            found[job.state] += 1
        return found
