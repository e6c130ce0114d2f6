"""Calls about one job that come at the same time, and ends that can't be written down: the lanes go on, and every job
ends.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest

from overpaint.errors import LedgerError, RequestError
from overpaint.ledger import Ledger
from overpaint.server.errors import ConflictError, NotFoundError
from overpaint.server.known_jobs import KnownJobs
from test_server_jobs import RESULT, StandIn, ended, queue_in, task, until


@pytest.fixture
def worker() -> StandIn:
    return StandIn()


@pytest.mark.parametrize("call", ["retry", "move", "delete", "cancel"])
def test_a_job_that_is_deleted_meanwhile_is_not_there_and_the_lanes_go_on(tmp_path, worker, monkeypatch, call):
    """A call that has found a job waits for the lock while another one deletes the job."""
    with queue_in(tmp_path, worker, lanes=2) as queue:
        worker.error = RequestError("no")
        job = queue.submit("ann", task())
        ended(job)
        remove, calls = KnownJobs.remove, []
        errors: list[Exception] = []

        def called() -> None:
            try:
                getattr(queue, call)("ann", job.id, *([0] if call == "move" else []))
            except Exception as error:
                errors.append(error)

        def removing(jobs: KnownJobs, one: Any) -> None:
            if not calls:
                calls.append(threading.Thread(target=called))
                calls[0].start()
                calls[0].join(0.2)  # it has all the time to find the job
            remove(jobs, one)

        monkeypatch.setattr(KnownJobs, "remove", removing)
        queue.delete("ann", job.id)
        calls[0].join(10)
        assert [type(error) for error in errors] == [NotFoundError]
        worker.error = None
        others = [queue.submit("bob", task(number)) for number in range(4)]
        for other in others:
            ended(other)
        assert [other.state for other in others] == ["done"] * 4


def test_a_private_job_is_tried_again(tmp_path, worker):
    with queue_in(tmp_path, worker) as queue:
        worker.error = RequestError("no")
        job = queue.submit("ann", task(private=True))
        ended(job)
        worker.error = None
        queue.retry("ann", job.id)
        ended(job)
        assert (job.state, job.results) == ("done", [RESULT])


def test_a_waiting_job_whose_cancelling_can_t_be_written_down_waits_on_in_its_place(tmp_path, worker, monkeypatch):
    with queue_in(tmp_path, worker, started=False) as queue:
        jobs = [queue.submit("ann", task(number)) for number in range(3)]

        def failing(*_: Any, **__: Any) -> Any:
            raise LedgerError("the disk is full")

        with monkeypatch.context() as full:
            full.setattr(Ledger, "claim", failing)
            with pytest.raises(LedgerError):
                queue.cancel("ann", jobs[1].id)
        assert [queue.place(job) for job in jobs] == [0, 1, 2]
        queue.start()
        for job in jobs:
            ended(job)
        assert [job.state for job in jobs] == ["done"] * 3


def test_a_job_whose_end_could_not_be_written_down_holds_up_nobody(tmp_path, worker, monkeypatch):
    """The same request again is a new job, and the failed one ends again at once when it is tried again."""
    with queue_in(tmp_path, worker) as queue:
        complete, failures = Ledger.complete, [LedgerError("the disk is full")]

        def failing(self: Ledger, *given: Any, **more: Any) -> Any:
            if failures:
                raise failures.pop()
            return complete(self, *given, **more)

        monkeypatch.setattr(Ledger, "complete", failing)
        job = queue.submit("ann", task())
        ended(job)
        assert job.state == "failed"
        again = queue.submit("ann", task())
        assert again is not job
        ended(again)
        assert again.state == "done"
        queue.retry("ann", job.id)
        until(lambda: job.ended)
        assert job.error is not None
        with pytest.raises(ConflictError):
            queue.retry("ann", again.id)
