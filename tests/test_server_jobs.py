"""The server's queue: nothing accepted is lost, nothing is done twice, and no client waits for another's many jobs."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overpaint.engines import Monitor
from overpaint.errors import EngineError, RequestError
from overpaint.ledger import Ledger
from overpaint.request import EditRequest
from overpaint.server.errors import ConflictError, NotFoundError, TooManyJobsError
from overpaint.server.job import EditJob, Submission, job_for, monitor_of
from overpaint.server.jobs import EditQueue
from overpaint.server.settings import ServerSettings
from overpaint.server.tasks import EditTask, SessionTask
from overpaint.server.turns import Turns

RESULT = {"picture": "f" * 64}


def task(number: int = 0, **more: Any) -> EditTask:
    return EditTask(picture=f"{number:064x}", request=EditRequest(intent="remove"), **more)


class StandIn:
    """Does tasks when the test lets it, and counts what it did."""

    def __init__(self) -> None:
        self.done: list[tuple[str, EditTask]] = []
        self.begun: list[tuple[str, EditTask]] = []
        self.go = threading.Event()
        self.go.set()
        self.error: Exception | None = None
        self._lock = threading.Lock()

    def check(self, task: EditTask) -> tuple[str, ...]:
        if task.request.prompt == "nothing can do this":
            raise RequestError("nothing can do this")
        return ()

    def do(
        self, owner: str, task: EditTask, monitor: Monitor, on_result: Callable[[dict[str, Any]], None], **_: Any
    ) -> list[Any]:
        with self._lock:
            self.begun.append((owner, task))
        while not self.go.wait(0.01):
            monitor.check()
        monitor.progress(1, 1)
        if self.error is not None:
            raise self.error
        with self._lock:
            self.done.append((owner, task))
        on_result(RESULT)
        return [RESULT]

    def written(self, owner: str, task: EditTask, job: str) -> tuple[list[dict[str, Any]], bool]:
        return [], False


@pytest.fixture
def worker() -> StandIn:
    return StandIn()


@contextlib.contextmanager
def queue_in(folder: Path, worker: StandIn, *, started: bool = True, **settings: Any) -> Iterator[EditQueue]:
    with Ledger(folder / "jobs.sqlite") as ledger:
        queue = EditQueue(ledger, worker, ServerSettings(data=folder, grace=0.2, **{"long": 60.0, **settings}))
        if started:
            queue.start()
        try:
            yield queue
        finally:
            queue.stop()


def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    over = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < over
        time.sleep(0.005)


def ended(job: EditJob) -> None:
    until(lambda: job.ended)


def test_a_job_is_done_and_its_end_survives_the_server(tmp_path, worker):
    with queue_in(tmp_path, worker) as queue:
        job = queue.submit("ann", task())
        ended(job)
        assert (job.state, job.results) == ("done", [RESULT])
    with queue_in(tmp_path, worker) as queue:
        again = queue.job("ann", job.id)
        assert (again.state, again.results, again.created) == ("done", [RESULT], job.created)
    assert len(worker.done) == 1


def test_what_was_accepted_and_what_ran_is_done_by_the_next_server(tmp_path, worker):
    worker.go.clear()
    with queue_in(tmp_path, worker, lanes=3) as queue:
        jobs = [queue.submit("ann", task(number)) for number in range(6)]
        until(lambda: len(worker.begun) >= 2)
    assert worker.done == []
    worker.go.set()
    with queue_in(tmp_path, worker, lanes=3) as queue:
        for job in jobs:
            ended(queue.job("ann", job.id))
        assert [queue.job("ann", job.id).state for job in jobs] == ["done"] * 6
    assert sorted(task.picture for _, task in worker.done) == sorted(job.task.picture for job in jobs)


def test_a_server_that_ends_between_a_result_and_its_end_does_not_do_it_again(tmp_path, worker, monkeypatch):
    with queue_in(tmp_path, worker) as queue:
        monkeypatch.setattr(Ledger, "done", lambda *_: None)  # the process is killed just before
        job = queue.submit("ann", task())
        ended(job)
    monkeypatch.undo()
    with queue_in(tmp_path, worker) as queue:
        assert queue.job("ann", job.id).results == [RESULT]
    assert len(worker.done) == 1


def test_a_job_that_ends_the_server_each_time_is_given_up(tmp_path, worker):
    with queue_in(tmp_path, worker, started=False) as queue:
        job = queue.submit("ann", task())
        other = queue.submit("ann", task(1))
    for _ in range(3):  # it is begun, and the process is gone
        with Ledger(tmp_path / "jobs.sqlite") as ledger:
            ledger.expire(owners_gone=True)
            assert ledger.claim("server", 100.0, job.id) is not None
    with queue_in(tmp_path, worker) as queue:
        given_up = queue.job("ann", job.id)
        assert given_up.state == "failed"
        assert given_up.error is not None
        assert given_up.error["code"] == "worker-lost"
        ended(queue.job("ann", other.id))
    assert [task.picture for _, task in worker.begun] == [other.task.picture]


def test_the_same_task_is_one_job_while_it_is_not_done(tmp_path, worker):
    worker.go.clear()
    with queue_in(tmp_path, worker) as queue:
        first = queue.submit("ann", task())
        assert queue.submit("ann", task()) is first
        assert queue.submit("bob", task()) is not first
        assert queue.submit("ann", task(), attach=False) is not first
        assert queue.submit("ann", task(1)) is not first
        worker.go.set()
        ended(first)
        until(lambda: queue.counts("ann")["done"] == 3)
        assert queue.submit("ann", task()) is not first


def test_an_idempotency_key_names_one_job_for_ever(tmp_path, worker):
    with queue_in(tmp_path, worker) as queue:
        first = queue.submit("ann", task(), idempotency="order 7")
        ended(first)
        assert queue.submit("ann", task(), idempotency="order 7") is first
        assert queue.submit("bob", task(), idempotency="order 7") is not first
        with pytest.raises(ConflictError):
            queue.submit("ann", task(1), idempotency="order 7")
    with queue_in(tmp_path, worker) as queue:
        assert queue.submit("ann", task(), idempotency="order 7").id == first.id


def test_nobody_sees_the_jobs_of_another(tmp_path, worker):
    with queue_in(tmp_path, worker) as queue:
        job = queue.submit("ann", task())
        for what in (queue.job, queue.cancel, queue.retry, queue.delete):
            with pytest.raises(NotFoundError):
                what("bob", job.id)
        with pytest.raises(NotFoundError):
            queue.move("bob", job.id, 0)
        assert queue.all("bob") == []


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_at_its_next_step(tmp_path, worker):
    worker.go.clear()
    with queue_in(tmp_path, worker, lanes=1) as queue:
        running = queue.submit("ann", task(0))
        until(lambda: len(worker.begun) == 1)
        waiting = queue.submit("ann", task(1))
        assert queue.cancel("ann", waiting.id).state == "cancelled"
        queue.cancel("ann", running.id)
        ended(running)
        assert running.state == "cancelled"
        worker.go.set()
        assert queue.retry("ann", waiting.id).state in ("queued", "running")
        ended(waiting)
        assert waiting.state == "done"
        assert queue.cancel("ann", waiting.id).state == "done"
    with queue_in(tmp_path, worker) as queue:
        assert queue.job("ann", running.id).state == "cancelled"


def test_a_failure_is_kept_and_the_next_job_goes_on(tmp_path, worker):
    worker.error = EngineError("no luck", code="engine-failed")
    with queue_in(tmp_path, worker, lanes=1) as queue:
        job = queue.submit("ann", task())
        ended(job)
        assert job.error == {"code": "engine-failed", "kind": "EngineError", "message": "no luck"}
        worker.error = ValueError("a bug")
        other = queue.submit("ann", task(1))
        ended(other)
        assert other.state == "failed"
        worker.error = None
        ended(queue.submit("ann", task(2)))
        queue.retry("ann", job.id)
        ended(job)
        assert job.state == "done"
        with pytest.raises(ConflictError):
            queue.retry("ann", job.id)


def test_what_can_not_be_done_is_refused_and_not_kept(tmp_path, worker):
    with queue_in(tmp_path, worker) as queue:
        with pytest.raises(RequestError):
            queue.submit("ann", EditTask(picture="0" * 64, request=EditRequest(prompt="nothing can do this")))
        assert queue.all("ann") == []


def test_limits_are_of_each_client_and_of_all(tmp_path, worker):
    worker.go.clear()
    with queue_in(tmp_path, worker, lanes=1, client_jobs=2, jobs=3) as queue:
        for number in range(2):
            queue.submit("ann", task(number))
        with pytest.raises(TooManyJobsError, match="your jobs") as caught:
            queue.submit("ann", task(2))
        assert caught.value.retry_after >= 1
        queue.submit("bob", task())
        with pytest.raises(TooManyJobsError, match="the server's jobs"):
            queue.submit("cat", task())


def test_a_client_with_one_job_does_not_wait_for_one_with_many(tmp_path, worker):
    worker.go.clear()
    with queue_in(tmp_path, worker, lanes=1) as queue:
        for number in range(20):
            queue.submit("ann", task(number))
        late = queue.submit("bob", task())
        assert queue.place(late) in (0, 1)
        worker.go.set()
        until(lambda: len(worker.done) == 21)
    assert [owner for owner, _ in worker.done].index("bob") <= 2


def test_a_client_never_has_all_lanes(tmp_path, worker):
    worker.go.clear()
    with queue_in(tmp_path, worker, lanes=3) as queue:
        for number in range(10):
            queue.submit("ann", task(number))
        until(lambda: len(worker.begun) == 2)
        queue.submit("bob", task())
        until(lambda: ("bob", task()) in worker.begun)
        assert [owner for owner, _ in worker.begun].count("ann") == 2
        worker.go.set()


class LongAndShort(StandIn):
    """Jobs of pictures from 100 on wait for the test; others are done at once."""

    def do(
        self, owner: str, task: EditTask, monitor: Monitor, on_result: Callable[[dict[str, Any]], None], **more: Any
    ) -> list[Any]:
        if int(task.picture, 16) >= 100:
            return super().do(owner, task, monitor, on_result, **more)
        self.done.append((owner, task))
        return [RESULT]


def test_a_job_is_begun_however_many_long_ones_run(tmp_path):
    worker = LongAndShort()
    worker.go.clear()
    with queue_in(tmp_path, worker, lanes=2, long=0.1) as queue:
        for number in range(20):
            queue.submit("ann", task(100 + number))
        until(lambda: len(worker.begun) == 4)  # half of the eight that may run beside each other
        for number in range(3):
            ended(queue.submit("bob", task(number)))
        for number in range(2):
            queue.submit("bob", task(200 + number))
        until(lambda: len(worker.begun) == 6)
        ended(queue.submit("cat", task(7)))
        assert len(worker.begun) == 6
        worker.go.set()
        until(lambda: len(worker.begun) == 22)
        until(lambda: queue.counts()["running"] == 0)
        until(lambda: len(queue._lanes) == 2)
    assert len(queue._lanes) == 0


def test_lanes_are_a_bound_for_short_jobs(tmp_path, worker):
    worker.go.clear()
    with queue_in(tmp_path, worker, lanes=2) as queue:
        for number in range(5):
            queue.submit("ann", task(number))
            queue.submit("bob", task(number))
        until(lambda: len(worker.begun) == 2)
        time.sleep(0.3)
        assert len(worker.begun) == 2
        worker.go.set()


def test_waiting_jobs_can_be_moved_and_ended_ones_forgotten(tmp_path, worker):
    worker.go.clear()
    with queue_in(tmp_path, worker, lanes=1) as queue:
        first, *others = [queue.submit("ann", task(number)) for number in range(4)]
        until(lambda: len(worker.begun) == 1)
        assert queue.place(queue.move("ann", others[2].id, 0)) == 0
        with pytest.raises(ConflictError):
            queue.move("ann", first.id, 0)
        with pytest.raises(ConflictError):
            queue.delete("ann", first.id)
        worker.go.set()
        for job in others:
            ended(job)
        order = [task.picture for _, task in worker.done]
        assert order.index(others[2].task.picture) < order.index(others[0].task.picture)
        queue.delete("ann", first.id)
        with pytest.raises(NotFoundError):
            queue.job("ann", first.id)
    with queue_in(tmp_path, worker) as queue:
        assert len(queue.all("ann")) == 3


def test_the_order_of_waiting_jobs_outlives_the_server(tmp_path, worker):
    with queue_in(tmp_path, worker, started=False) as queue:
        jobs = [queue.submit("ann", task(number)) for number in range(4)]
        queue.submit("bob", task(9))
        queue.move("ann", jobs[3].id, 0)
        queue.move("ann", jobs[2].id, 1)
        later = queue.submit("ann", task(5))
    with queue_in(tmp_path, worker, lanes=1):
        until(lambda: len(worker.done) == 6)
    wanted = [jobs[number].task.picture for number in (3, 2, 0, 1)] + [later.task.picture]
    assert [task.picture for owner, task in worker.done if owner == "ann"] == wanted


def test_a_job_that_is_tried_again_goes_behind_the_others_after_a_restart_too(tmp_path, worker):
    with queue_in(tmp_path, worker, started=False) as queue:
        jobs = [queue.submit("ann", task(number)) for number in range(3)]
        queue.cancel("ann", jobs[0].id)
        queue.retry("ann", jobs[0].id)
    with queue_in(tmp_path, worker, lanes=1):
        until(lambda: len(worker.done) == 3)
    assert [task.picture for _, task in worker.done] == [jobs[number].task.picture for number in (1, 2, 0)]


def test_jobs_of_one_session_are_done_one_after_the_other_and_others_go_before(tmp_path, worker):
    worker.go.clear()
    session, request = "a" * 32, EditRequest(intent="remove")
    with queue_in(tmp_path, worker, lanes=4) as queue:
        for number in range(3):
            queue.submit("ann", SessionTask(request=request, session=session, count=number + 1))
        other = queue.submit("ann", task(1))
        until(lambda: ("ann", other.task) in worker.begun)
        assert [one.count for _, one in worker.begun if isinstance(one, SessionTask)] == [1]
        worker.go.set()
        until(lambda: len(worker.done) == 4)
    assert [one.count for _, one in worker.done if isinstance(one, SessionTask)] == [1, 2, 3]


def test_the_oldest_ended_jobs_are_forgotten(tmp_path, worker):
    with queue_in(tmp_path, worker, lanes=1, finished=3) as queue:
        jobs = [queue.submit("ann", task(number)) for number in range(6)]
        until(lambda: len(worker.done) == 6)
        until(lambda: len(queue.all("ann")) == 3)
        assert {job.id for job in queue.all("ann")} == {job.id for job in jobs[3:]}


def test_a_job_that_takes_too_long_fails_and_says_so(tmp_path, worker):
    worker.go.clear()
    with queue_in(tmp_path, worker, painting=0.05) as queue:
        job = queue.submit("ann", task())
        ended(job)
        assert job.error is not None
        assert job.error["code"] == "time-limit"


def test_a_disk_that_is_full_loses_no_job(tmp_path, worker, monkeypatch):
    from overpaint.errors import LedgerError

    with queue_in(tmp_path, worker, lanes=1, started=False) as queue:
        job = queue.submit("ann", task())
        claim, failures = Ledger.claim, [LedgerError("the disk is full")] * 2

        def failing(self: Ledger, *given: Any, **more: Any) -> Any:
            if failures:
                raise failures.pop()
            return claim(self, *given, **more)

        monkeypatch.setattr(Ledger, "claim", failing)
        queue.start()
        ended(job)
        assert job.state == "done"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), max_size=40))
def test_the_place_of_a_job_is_the_number_of_turns_before_its_own(steps):
    turns, number = Turns(), 0
    for client, takes in steps:
        if takes:
            turns.next()
        else:
            number += 1
            turns.add(client, f"{client}{number}")
    expected = {}
    for client in "abc":
        for job in turns.jobs(client):
            expected[job] = turns.place(client, job)
    order = []
    while (found := turns.next()) is not None:
        order.append(found[1])
    assert {job: place for place, job in enumerate(order)} == expected


def test_results_that_were_there_before_a_job_is_cancelled_stay(tmp_path):
    class OneOfTwo(StandIn):
        def do(
            self, owner: str, task: EditTask, monitor: Monitor, on_result: Callable[[dict[str, Any]], None], **_: Any
        ) -> list[Any]:
            on_result(RESULT)
            while True:
                monitor.check()
                time.sleep(0.005)

    with queue_in(tmp_path, OneOfTwo()) as queue:
        job = queue.submit("ann", task())
        until(lambda: bool(job.results))
        queue.cancel("ann", job.id)
        ended(job)
        assert (job.state, job.results) == ("cancelled", [RESULT])


def test_a_step_is_sent_once_however_often_the_engine_says_it(tmp_path):
    job = job_for(Submission("ann", task()), ())
    monitor = monitor_of(job)
    sent: list[tuple[int, int]] = []
    add = job.events.add
    job.events.add = lambda kind, **data: (sent.append((data["step"], data["steps"])), add(kind, **data))[1]  # type: ignore[method-assign]
    for step in (0, 1, 1, 2, 2, 2):
        time.sleep(0.06)
        monitor.progress(step, 2)
    assert sent == [(0, 2), (1, 2), (2, 2)]


def test_retry_after_follows_from_the_jobs_that_run_and_the_last_ones_of_their_kind(tmp_path, worker):
    def refused(queue: EditQueue) -> int:
        with pytest.raises(TooManyJobsError) as error:
            queue.submit("ann", task(9), attach=False)
        return error.value.retry_after

    worker.go.clear()
    with queue_in(tmp_path, worker, client_jobs=1) as queue:
        job = queue.submit("ann", task())
        until(lambda: job.state == "running")
        assert refused(queue) == 1  # nothing is known yet
        job.begun -= 40
        assert 39 <= refused(queue) <= 41  # it will run on for about as long as it has
        worker.go.set()
        ended(job)
        worker.go.clear()
        job = queue.submit("ann", task(1))
        until(lambda: job.state == "running")
        assert 39 <= refused(queue) <= 41  # of the 40 s of the last one of its kind
        job.begun -= 30
        assert 9 <= refused(queue) <= 11
        job.begun -= 30
        assert 19 <= refused(queue) <= 21  # it is over by 20 s


def test_retry_after_of_a_client_whose_jobs_wait_is_longer_than_the_jobs_before_them(tmp_path, worker):
    worker.go.clear()
    with queue_in(tmp_path, worker, lanes=1, client_jobs=1) as queue:
        other = queue.submit("bob", task())
        until(lambda: other.state == "running")
        queue.submit("ann", task(1))
        other.begun -= 50
        with pytest.raises(TooManyJobsError) as error:
            queue.submit("ann", task(2))
        assert 50 <= error.value.retry_after <= 53
        worker.go.set()
