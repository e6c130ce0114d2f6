"""Jobs that many clients ask for at once are accepted together, and each as if it came alone."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overpaint.engines import Monitor
from overpaint.errors import LedgerError, RequestError
from overpaint.ledger import Job, Ledger
from overpaint.request import EditRequest
from overpaint.server.errors import ConflictError, TooManyJobsError
from overpaint.server.intake import JobIntake
from overpaint.server.job import EditJob, Submission
from overpaint.server.jobs import EditQueue
from overpaint.server.settings import ServerSettings
from overpaint.server.tasks import EditTask


def task(number: int) -> EditTask:
    return EditTask(picture=f"{number:064x}", request=EditRequest(intent="remove"))


class NoWork:
    """Checks tasks, and does none."""

    def check(self, task: EditTask) -> tuple[str, ...]:
        return ("a note",)

    def do(
        self, owner: str, task: EditTask, monitor: Monitor, on_result: Callable[[dict[str, Any]], None], **_: Any
    ) -> list[Any]:
        raise NotImplementedError

    def written(self, owner: str, task: EditTask, job: str) -> tuple[list[Any], bool]:
        return [], False


class CountingLedger(Ledger):
    """Counts its transactions that add jobs, and lets a test hold them up or fail them."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.groups: list[int] = []
        self.go = threading.Event()
        self.go.set()
        self.full = False

    def add(self, jobs: Iterable[Job]) -> int:
        self.go.wait(20)
        if self.full:
            raise LedgerError("the disk is full")
        found = super().add(jobs)
        self.groups.append(found)
        return found


@contextlib.contextmanager
def queue_in(folder: Path, **limits: Any) -> Iterator[tuple[EditQueue, CountingLedger]]:
    with CountingLedger(folder / "jobs.sqlite") as ledger:
        yield EditQueue(ledger, NoWork(), ServerSettings(data=folder, **limits)), ledger


def on_disk(folder: Path) -> set[str]:
    with contextlib.closing(sqlite3.connect(folder / "jobs.sqlite")) as database:
        return {id for (id,) in database.execute("SELECT id FROM job")}


def test_what_comes_while_jobs_are_written_down_is_written_down_together(tmp_path):
    with queue_in(tmp_path) as (queue, ledger):

        async def many() -> list[EditJob]:
            intake = JobIntake(queue.submit_all)
            ledger.go.clear()
            first = asyncio.create_task(intake.submit(Submission("ann", task(0))))
            await asyncio.sleep(0)
            others = [asyncio.create_task(intake.submit(Submission("bob", task(number)))) for number in range(1, 30)]
            await asyncio.sleep(0.02)
            assert not first.done()  # it is not on the disk
            ledger.go.set()
            jobs = [await first, *(await asyncio.gather(*others))]
            assert on_disk(tmp_path) == {job.id for job in jobs}
            return jobs

        jobs = asyncio.run(many())
        assert [job.task for job in jobs] == [task(number) for number in range(30)]
        assert all(job.notes == ("a note",) for job in jobs)
        assert sum(ledger.groups) == 30
        assert len(ledger.groups) <= 4
        assert [job.id for job in queue.all("bob")] == [job.id for job in reversed(jobs[1:])]


def test_a_check_that_takes_long_holds_up_no_other_job(tmp_path):
    with queue_in(tmp_path) as (queue, _):
        looked = threading.Event()

        async def both() -> None:
            intake = JobIntake(queue.submit_all)
            slow = asyncio.create_task(intake.submit(Submission("ann", task(0), check=lambda: looked.wait(20))))
            beside = [asyncio.create_task(intake.submit(Submission("bob", task(number)))) for number in range(1, 4)]
            await asyncio.sleep(0)
            later = asyncio.create_task(intake.submit(Submission("cat", task(4))))
            await asyncio.wait_for(asyncio.gather(*beside, later), 10)
            assert not slow.done()
            looked.set()
            assert (await slow).owner == "ann"

        asyncio.run(both())
        assert sum(queue.counts().values()) == 5


def test_one_that_is_refused_leaves_the_others_as_they_are(tmp_path):
    def refuse() -> None:
        raise RequestError("no")

    def fault() -> None:
        raise KeyError("a fault of ours")

    with queue_in(tmp_path, client_jobs=3) as (queue, ledger):
        asked = [
            Submission("ann", task(0), check=refuse),
            Submission("ann", task(1)),
            Submission("bob", task(2), check=fault),
            Submission("ann", task(3)),
            Submission("ann", task(1)),  # runs already
            Submission("bob", task(5), idempotency="order"),
            Submission("bob", task(6), idempotency="order"),
            Submission("bob", task(5), idempotency="order"),
            Submission("ann", task(4)),
            Submission("ann", task(7)),  # one too many
        ]
        found = queue.submit_all(asked)
        kinds = [RequestError, EditJob, KeyError, EditJob, EditJob, EditJob, ConflictError, EditJob, EditJob]
        assert [type(one) for one in found] == [*kinds, TooManyJobsError]
        assert found[4] is found[1]
        assert found[7] is found[5]
        assert ledger.groups == [4]


def test_what_a_full_disk_refused_can_be_asked_for_again(tmp_path):
    asked = [Submission("ann", task(0)), Submission("ann", task(1), idempotency="order")]
    with queue_in(tmp_path) as (queue, ledger):
        ledger.full = True
        assert [type(one) for one in queue.submit_all(asked)] == [LedgerError, LedgerError]
        assert queue.all("ann") == []
        with pytest.raises(LedgerError):
            asyncio.run(JobIntake(queue.submit_all).submit(asked[0]))
        ledger.full = False
        found = queue.submit_all(asked)
        assert [type(one) for one in found] == [EditJob, EditJob]
        assert on_disk(tmp_path) == {job.id for job in queue.all("ann")}


def test_a_client_that_leaves_loses_no_job_of_another(tmp_path):
    with queue_in(tmp_path) as (queue, ledger):

        async def three() -> EditJob:
            intake = JobIntake(queue.submit_all)
            ledger.go.clear()
            first, left, stays = (asyncio.create_task(intake.submit(Submission("ann", task(n)))) for n in range(3))
            await asyncio.sleep(0.01)
            left.cancel()
            await asyncio.sleep(0)
            ledger.go.set()
            await first
            return await stays

        assert asyncio.run(three()).task == task(2)
        assert len(queue.all("ann")) == 3  # it was asked for


def test_an_intake_whose_thread_fails_says_so_to_each(tmp_path):
    def fails(_: Iterable[Submission]) -> list[EditJob | Exception]:
        raise RuntimeError("can't start a new thread")

    async def all() -> list[Any]:
        intake = JobIntake(fails)
        asked = (intake.submit(Submission("ann", task(number))) for number in range(3))
        return await asyncio.gather(*asked, return_exceptions=True)

    assert [type(one) for one in asyncio.run(all())] == [RuntimeError] * 3


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=st.lists(
        st.tuples(st.sampled_from(["ann", "bob"]), st.integers(0, 3), st.sampled_from([None, "x", "y"]), st.booleans()),
        max_size=12,
    ),
    cut=st.integers(0, 12),
)
def test_jobs_are_accepted_together_as_one_after_the_other(tmp_path_factory, asked, cut):
    """Whether each is a new job, which job it is else, or why it is refused."""
    submissions = [
        Submission(owner, task(number), idempotency=key, attach=attach) for owner, number, key, attach in asked
    ]

    def outcomes(groups: list[list[Submission]]) -> list[object]:
        seen: list[EditJob] = []
        told: list[object] = []
        with queue_in(tmp_path_factory.mktemp("queue"), client_jobs=4) as (queue, _):
            for group in groups:
                for one in queue.submit_all(group):
                    if isinstance(one, EditJob) and one not in seen:
                        seen.append(one)
                    told.append(seen.index(one) if isinstance(one, EditJob) else type(one))
        return told

    assert outcomes([submissions[:cut], submissions[cut:]]) == outcomes([[one] for one in submissions])
