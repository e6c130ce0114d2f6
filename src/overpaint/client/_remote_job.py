"""Jobs of a server, for programs without an event loop."""

from __future__ import annotations

from collections.abc import Iterator

from overpaint.engines import Monitor

from ._async_job import AsyncJob
from ._loop import LoopThread
from ._replies import FollowedEvent
from ._served import ServedEdit
from ._values import JobSnapshot


class RemoteJob:
    """A job of a server. Thread-safe. `AsyncJob` describes the methods."""

    def __init__(self, job: AsyncJob, loop: LoopThread) -> None:
        """Made by a client."""
        self._job, self._loop = job, loop

    @property
    def id(self) -> str:
        """Its name on the server."""
        return self._job.id

    @property
    def status(self) -> JobSnapshot:
        """Where it stood when it was last asked for."""
        return self._job.status

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id[:8]} {self.status.state}>"

    def refresh(self) -> JobSnapshot:
        """Where it stands now."""
        return self._loop.run(self._job.refresh())

    def wait(self, monitor: Monitor | None = None, *, timeout: float | None = None) -> JobSnapshot:
        """Where it stands once it has ended, also through a restart of the server. See `AsyncJob.wait`."""
        return self._loop.run(self._job.wait(monitor, timeout=timeout))

    def events(self, after: int = -1) -> Iterator[FollowedEvent]:
        """What happens to it, to its end; `after`: the number of the last event that is known."""
        return self._loop.each(self._job.events(after))

    def result(self, number: int = 0, monitor: Monitor | None = None) -> ServedEdit:
        """Its result, or one of its variations, once it is done. See `AsyncJob.result`."""
        return self._loop.run(self._job.result(number, monitor))

    def results(self, monitor: Monitor | None = None) -> list[ServedEdit]:
        """All its variations, once it is done. Raises as `result`."""
        return self._loop.run(self._job.results(monitor))

    def cancel(self) -> JobSnapshot:
        """Stop it: at once where it waits, at its next step where it runs."""
        return self._loop.run(self._job.cancel())

    def retry(self) -> JobSnapshot:
        """Let it wait again, once it has failed or was cancelled. ConflictError otherwise."""
        return self._loop.run(self._job.retry())

    def move(self, place: int) -> JobSnapshot:
        """Put it at a place among one's own waiting jobs, 0 for the first. ConflictError where it does not wait."""
        return self._loop.run(self._job.move(place))

    def delete(self) -> None:
        """Have the server forget it, once it has ended. ConflictError otherwise."""
        self._loop.run(self._job.delete())
