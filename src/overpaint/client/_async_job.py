"""Jobs of a server, for programs with an event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator

from overpaint.engines import Monitor

from ._calls import AskedJob, Calls
from ._replies import FollowedEvent
from ._served import ServedEdit
from ._values import JobSnapshot


class AsyncJob:
    """A job of a server.

    Attributes:
        status: Where it stood when it was last asked for.
    """

    def __init__(self, calls: Calls, job: AskedJob) -> None:
        """Made by a client."""
        self._calls = calls
        self._job = job

    @property
    def id(self) -> str:
        """Its name on the server."""
        return self._job.snapshot.id

    @property
    def status(self) -> JobSnapshot:
        """Where it stood when it was last asked for."""
        return self._job.snapshot

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id[:8]} {self.status.state}>"

    def _now(self, snapshot: JobSnapshot) -> JobSnapshot:
        self._job = AskedJob(snapshot, self._job.asked)
        return snapshot

    async def refresh(self) -> JobSnapshot:
        """Where it stands now."""
        return self._now(await self._calls.job(self.id))

    async def wait(self, monitor: Monitor | None = None, *, timeout: float | None = None) -> JobSnapshot:
        """Where it stands once it has ended, also through a restart of the server.

        Args:
            monitor: Gets progress, previews and notes, on a thread of its own; where it is cancelled, so is the job.
            timeout: Seconds after which the wait ends, while the job goes on; None: as long as it takes.

        Raises:
            TimeoutError: It has not ended by then.
            Cancelled: The monitor was cancelled.
            ServerUnreachableError: The server is away for too long.
        """
        return self._now(await self._calls.wait(self.id, monitor, timeout))

    def events(self, after: int = -1) -> AsyncIterator[FollowedEvent]:
        """What happens to it, to its end; `after`: the number of the last event that is known."""
        return self._calls.events(self.id, after)

    async def result(self, number: int = 0, monitor: Monitor | None = None) -> ServedEdit:
        """Its result, or one of its variations, once it is done.

        Raises:
            OverpaintError: It failed; the error is the server's.
            Cancelled: It was cancelled.
        """
        self._now(await self._calls.ended(self.id, monitor))
        return await self._calls.result(self._job, number)

    async def results(self, monitor: Monitor | None = None) -> list[ServedEdit]:
        """All its variations, once it is done. Raises as `result`."""
        self._now(await self._calls.ended(self.id, monitor))
        return [await self._calls.result(self._job, number) for number in range(len(self.status.results))]

    async def cancel(self) -> JobSnapshot:
        """Stop it: at once where it waits, at its next step where it runs."""
        return self._now(await self._calls.cancel(self.id))

    async def retry(self) -> JobSnapshot:
        """Let it wait again, once it has failed or was cancelled. ConflictError otherwise."""
        return self._now(await self._calls.retry(self.id))

    async def move(self, place: int) -> JobSnapshot:
        """Put it at a place among one's own waiting jobs, 0 for the first. ConflictError where it does not wait."""
        return self._now(await self._calls.move(self.id, place))

    async def delete(self) -> None:
        """Have the server forget it, once it has ended. ConflictError otherwise."""
        await self._calls.delete(self.id)
