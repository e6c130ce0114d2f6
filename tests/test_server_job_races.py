"""Calls about one job that come at the same time, and ends that can't be written down: the lanes go on, and every job
ends.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from overpaint.errors import LedgerError, RequestError
from overpaint.ledger import Ledger
from overpaint.server.errors import NotFoundError
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


@pytest.mark.parametrize("private", [False, True])
@pytest.mark.parametrize("error", [None, RequestError("no")])
def test_an_end_that_can_t_be_written_down_is_written_later_and_nothing_is_done_twice(
    tmp_path, worker, monkeypatch, private, error
):
    worker.error = error
    state = "done" if error is None else "failed"
    with queue_in(tmp_path, worker) as queue:
        failures = full_for_ends(monkeypatch, 1000)
        job = queue.submit("ann", task(private=private))
        ended(job)
        assert job.state == state
        assert states(tmp_path) == ["leased"]
        failures.clear()
        until(lambda: states(tmp_path) == ([] if private else [state]))
        again = queue.submit("ann", task())
        assert again is not job
        ended(again)
        assert again.state == state
    with queue_in(tmp_path, worker) as queue:
        assert queue.counts()["queued"] == 0
    assert len(worker.begun) == 2


def test_an_end_that_is_not_written_yet_is_written_when_the_server_stops(tmp_path, worker, monkeypatch):
    with queue_in(tmp_path, worker) as queue:
        failures = full_for_ends(monkeypatch, 1000)
        job = queue.submit("ann", task())
        ended(job)
        with pytest.raises(LedgerError):
            queue.delete("ann", job.id)
        failures.clear()
    assert states(tmp_path) == ["done"]


def test_a_job_that_can_t_be_tried_again_yet_stays_as_it_ended(tmp_path, worker, monkeypatch):
    worker.error = RequestError("no")
    with queue_in(tmp_path, worker) as queue:
        failures = full_for_ends(monkeypatch, 1000)
        job = queue.submit("ann", task())
        ended(job)
        with pytest.raises(LedgerError):
            queue.retry("ann", job.id)
        assert job.state == "failed"
        failures.clear()
        worker.error = None
        queue.retry("ann", job.id)
        until(lambda: job.state == "done")


def test_a_waiting_job_whose_cancelling_is_written_later_is_cancelled(tmp_path, worker, monkeypatch):
    with queue_in(tmp_path, worker, started=False) as queue:
        job = queue.submit("ann", task())
        failures = full_for_ends(monkeypatch, 1000)
        assert queue.cancel("ann", job.id).state == "cancelled"
        failures.clear()
        queue.start()
        until(lambda: states(tmp_path) == ["failed"])
        assert (job.state, worker.begun) == ("cancelled", [])


def test_a_job_stays_done_where_older_ones_can_t_be_forgotten(tmp_path, worker, monkeypatch):
    with queue_in(tmp_path, worker, finished=1) as queue:
        ended(queue.submit("ann", task(1)))

        def failing(*_: Any) -> None:
            raise LedgerError("the disk is full")

        with monkeypatch.context() as disk:
            disk.setattr(Ledger, "forget", failing)
            job = queue.submit("ann", task(2))
            ended(job)
            until(lambda: states(tmp_path) == ["done", "done"])
            assert job.state == "done"
        ended(queue.submit("ann", task(3)))
        until(lambda: states(tmp_path) == ["done"])


def full_for_ends(monkeypatch: pytest.MonkeyPatch, times: int) -> list[LedgerError]:
    """Have the next ends of jobs fail; the failures that are left."""
    failures = [LedgerError("the disk is full") for _ in range(times)]

    def failing(real: Any) -> Any:
        def call(*given: Any, **more: Any) -> Any:
            if failures:
                raise failures.pop()
            return real(*given, **more)

        return call

    for name in ("complete", "fail"):
        monkeypatch.setattr(Ledger, name, failing(getattr(Ledger, name)))
    return failures


def states(folder: Path) -> list[str]:
    """Those of all jobs, as another process reads them."""
    with Ledger(folder / "jobs.sqlite", read_only=True) as ledger:
        return [entry.state for entry in ledger.entries()]
