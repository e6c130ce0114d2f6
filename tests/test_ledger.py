"""The ledger: leases, retries, recovery; whatever dies, no job is lost and none is done by two."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from forks import Forked
from overpaint.errors import LedgerError
from overpaint.ledger import Job, LeaseLostError, Ledger, LedgerEntry


class Clock:
    """Seconds that go on when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock):
    with Ledger(tmp_path / "ledger.sqlite", clock=clock) as ledger:
        yield ledger


def jobs(count: int, **more: object) -> list[Job]:
    return [Job(f"job {n}", f"key {n}", **more) for n in range(count)]  # type: ignore[arg-type]


def test_a_job_goes_its_way_and_is_remembered(ledger, tmp_path):
    assert ledger.add(jobs(2)) == 2
    lease = ledger.claim("me", 10)
    assert (lease.id, lease.attempts) == ("job 0", 1)
    ledger.finish(lease, "digest", "rename it")
    assert ledger.entry("job 0").line == "rename it"
    ledger.done("job 0", "told")
    ledger.close()
    with Ledger(tmp_path / "ledger.sqlite") as again:
        entry = again.entry("job 0")
        assert (entry.state, entry.result, entry.detail, entry.line) == ("done", "digest", "told", None)
        assert again.counts() == {"waiting": 1, "leased": 0, "finished": 0, "needs-review": 0, "done": 1, "failed": 0}


def test_jobs_come_in_their_order_or_by_name(ledger):
    ledger.add(jobs(3))
    assert ledger.claim("me", 10, "job 1").id == "job 1"
    assert ledger.claim("me", 10, "job 1") is None
    assert [ledger.claim("me", 10).id for _ in range(2)] == ["job 0", "job 2"]
    assert ledger.claim("me", 10) is None


def test_adding_again_leaves_equal_jobs_alone_and_begins_changed_ones_anew(ledger):
    ledger.add(jobs(2))
    for _ in range(2):
        lease = ledger.claim("me", 10)
        ledger.finish(lease, "digest", "")
        ledger.done(lease.id)
    assert ledger.add([Job("job 0", "key 0"), Job("job 1", "another key"), Job("job 2", "key 2")]) == 2
    assert [entry.state for entry in ledger.entries()] == ["done", "waiting", "waiting"]
    assert ledger.add([Job("job 0", "key 0", spec="elsewhere")]) == 1
    assert (ledger.entry("job 0").state, ledger.entry("job 0").result) == ("waiting", "digest")


def test_a_lease_that_is_over_is_lost_and_another_takes_the_job(ledger, clock):
    ledger.add(jobs(1, retries=1))
    late = ledger.claim("slow", 10)
    clock.now += 11
    fresh = ledger.claim("quick", 10)
    assert (fresh.id, fresh.attempts) == (late.id, 2)
    for act in (
        lambda: ledger.finish(late, "digest", ""),
        lambda: ledger.fail(late, "no"),
    ):
        with pytest.raises(LeaseLostError, match="'job 0'"):
            act()
    ledger.release(late)
    assert ledger.entry("job 0").owner == "quick"
    ledger.finish(fresh, "digest", "")


def test_a_job_of_which_nothing_is_left_to_do_is_done_in_one_step_and_only_with_its_lease(ledger, clock):
    ledger.add([Job("a", "k")])
    lease = ledger.claim("w", 10)
    ledger.complete(lease, "digest", "detail")
    entry = ledger.entry("a")
    assert (entry.state, entry.result, entry.detail, entry.token) == ("done", "digest", "detail", None)
    with pytest.raises(LeaseLostError):
        ledger.complete(lease, "another", "detail")
    assert ledger.entry("a").result == "digest"


def test_a_lease_need_not_wait_for_the_disk_and_what_follows_does(ledger):
    ledger.add([Job("a", "k"), Job("b", "k")])
    assert ledger.claim("w", 10, "a", synced=False).id == "a"
    assert ledger._database.execute("PRAGMA synchronous").fetchone() == (2,)
    assert ledger.claim("w", 10, synced=False).id == "b"
    assert ledger.claim("w", 10, synced=False) is None
    assert {entry.state for entry in ledger.entries()} == {"leased"}


def test_an_end_need_not_wait_for_the_disk_and_outlives_the_process(ledger):
    ledger.add([Job("a", "k")])
    lease = ledger.claim("w", 10, "a")
    ledger.complete(lease, "digest", synced=False)
    assert ledger._database.execute("PRAGMA synchronous").fetchone() == (2,)
    with pytest.raises(LeaseLostError):
        ledger.complete(lease, "another", synced=False)
    with Ledger(ledger.path) as other:  # as after a kill: nothing was closed in order
        assert (other.entry("a").state, other.entry("a").result) == ("done", "digest")


def test_a_renewed_lease_holds(ledger, clock):
    ledger.add(jobs(2))
    held, lost = ledger.claim("me", 10), ledger.claim("me", 1)
    clock.now += 5
    ledger.expire()
    assert ledger.renew([held, lost], 10) == {held.token}
    clock.now += 9
    ledger.expire()
    assert ledger.entry(held.id).state == "leased"


def test_a_lease_that_has_ended_is_not_renewed_although_the_job_keeps_its_token(ledger):
    ledger.add(jobs(1))
    lease = ledger.claim("me", 10)
    ledger.finish(lease, "digest", "rename it")
    assert ledger.entry(lease.id).token == lease.token
    assert ledger.renew([lease], 10) == frozenset()
    assert ledger.entry(lease.id).until is None


def test_a_job_is_tried_as_often_as_it_may_be(ledger, clock):
    ledger.add(jobs(1, retries=2))
    for attempt in (1, 2):
        lease = ledger.claim("me", 10)
        assert lease.attempts == attempt
        assert ledger.fail(lease, f"no {attempt}", delay=5) == "waiting"
        assert ledger.claim("me", 10) is None
        clock.now += 5
    assert ledger.fail(ledger.claim("me", 10), "never") == "failed"
    assert ledger.entry("job 0").note == "never"
    ledger.again(["job 0"], retries=1)
    assert ledger.fail(ledger.claim("me", 10), "bad input", retry=False) == "failed"
    assert ledger.entry("job 0").attempts == 4


def test_what_kills_its_worker_each_time_is_given_up(ledger, clock):
    ledger.add(jobs(1, retries=2))
    for _ in range(3):
        assert ledger.claim("me", 10) is not None
        clock.now += 11
    assert ledger.claim("me", 10) is None
    entry = ledger.entry("job 0")
    assert (entry.state, entry.attempts) == ("failed", 3)
    assert "its worker ended" in entry.note


def test_when_all_owners_are_known_to_be_gone_their_jobs_wait_again_at_once(ledger):
    ledger.add(jobs(3))
    first = ledger.claim("me", 1000)
    ledger.finish(ledger.claim("me", 1000), "digest", "rename it")
    assert [(entry.id, entry.token) for entry in ledger.expire(owners_gone=True)] == [("job 0", first.token)]
    assert [entry.state for entry in ledger.entries()] == ["waiting", "finished", "waiting"]
    ledger.undo("job 1", "its file is gone")
    assert ledger.counts()["waiting"] == 3
    ledger.undo("job 1", "not finished any more", state="failed")
    assert ledger.counts()["failed"] == 0


def test_a_job_that_cannot_begin_is_reported_with_its_reason_and_can_be_forgotten(ledger):
    ledger.refuse([(Job("line 7", "x"), "no image", None)])
    ledger.refuse([(Job("line 7", "y"), "no mask", None)])
    assert [(entry.state, entry.note) for entry in ledger.entries()] == [("failed", "no mask")]
    assert ledger.claim("me", 1) is None
    ledger.forget(["line 7"])
    assert ledger.entries() == []


def test_a_released_job_waits_and_has_not_failed(ledger):
    ledger.add(jobs(1))
    ledger.release(ledger.claim("me", 10))
    entry = ledger.entry("job 0")
    assert (entry.state, entry.note, entry.attempts) == ("waiting", None, 1)


def test_no_job_is_claimed_twice_by_many_threads(ledger):
    ledger.add(jobs(200))

    def work(name: int) -> list[str]:
        mine = []
        while (lease := ledger.claim(str(name), 100)) is not None:
            mine.append(lease.id)
            ledger.finish(lease, "digest", "")
        return mine

    with ThreadPoolExecutor(8) as pool:
        found = [id for ids in pool.map(work, range(8)) for id in ids]
    assert sorted(found) == sorted(job.id for job in jobs(200))


_WORK = """
import sys
from overpaint.ledger import Ledger
with Ledger(sys.argv[1]) as ledger:
    while (lease := ledger.claim(sys.argv[2], 100)) is not None:
        ledger.finish(lease, sys.argv[2], "")
        print(lease.id, flush=True)
"""


def test_no_job_is_claimed_twice_by_several_processes_nor_lost_when_one_is_killed(tmp_path):
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        ledger.add(jobs(300))
    workers = [Forked([sys.executable, "-c", _WORK, path, str(n)], stdout=subprocess.PIPE, text=True) for n in range(3)]
    assert workers[0].stdout is not None
    workers[0].stdout.readline()
    os.kill(workers[0].pid, signal.SIGKILL)
    found = [line.strip() for worker in workers for line in worker.communicate(timeout=60)[0].splitlines()]
    assert len(found) == len(set(found))
    with Ledger(path) as ledger:
        counts = ledger.counts()
        assert counts["finished"] + counts["leased"] == 300
        assert counts["leased"] <= 1
        ledger.expire(owners_gone=True)
        assert ledger.counts()["waiting"] == counts["leased"]


def test_several_processes_may_make_the_same_ledger(tmp_path):
    code = "import sys; from overpaint.ledger import Ledger, Job; Ledger(sys.argv[1]).add([Job(sys.argv[2], 'k')])"
    words = [sys.executable, "-c", code, str(tmp_path / "l.sqlite")]
    made = [Forked([*words, str(n)], stderr=subprocess.PIPE) for n in range(4)]
    assert [one.communicate(timeout=60)[1] for one in made] == [b""] * 4
    with Ledger(tmp_path / "l.sqlite") as ledger:
        assert len(ledger.entries()) == 4


def test_a_file_that_is_no_ledger_is_detected(tmp_path):
    with pytest.raises(LedgerError, match="its folder is missing"):
        Ledger(tmp_path / "none" / "l.sqlite")
    (tmp_path / "text").write_text("not a database at all, just words" * 100)
    with pytest.raises(LedgerError, match="a file of another kind"):
        Ledger(tmp_path / "text")
    with sqlite3.connect(tmp_path / "new") as newer:
        newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(LedgerError, match=r"version 99.*update"):
        Ledger(tmp_path / "new")


def test_importing_it_loads_nothing_heavy():
    code = "import sys, overpaint.ledger; print([n for n in ('numpy', 'torch', 'cv2', 'PIL') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


class AnyCourse(RuleBasedStateMachine):
    """Whatever is done in whatever order: one holder a job at the most, and no attempt is forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.held: dict[str, LedgerEntry] = {}
        self.begun: dict[str, int] = {}
        self.lock = threading.Lock()

    @initialize(count=st.integers(1, 4), retries=st.integers(0, 2))
    def begin(self, count: int, retries: int) -> None:
        self.ledger = Ledger(":memory:", clock=self.clock)
        self.ledger.add(jobs(count, retries=retries))

    @rule(seconds=st.floats(1, 20))
    def claim(self, seconds: float) -> None:
        lease = self.ledger.claim("me", seconds)
        if lease is not None:
            before = self.held.get(lease.id)
            assert before is None or before.until < self.clock.now
            self.held[lease.id] = lease
            self.begun[lease.id] = self.begun.get(lease.id, 0) + 1

    @precondition(lambda self: self.held)
    @rule(data=st.data(), how=st.sampled_from(["finish", "fail", "release"]))
    def give_back(self, data: st.DataObject, how: str) -> None:
        lease = self.held.pop(data.draw(st.sampled_from(sorted(self.held.keys()))))
        try:
            if how == "finish":
                self.ledger.finish(lease, "digest", "")
            elif how == "fail":
                self.ledger.fail(lease, "no")
            else:
                self.ledger.release(lease)
        except LeaseLostError:
            assert lease.until < self.clock.now

    @rule(seconds=st.floats(0.5, 15))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def expire(self) -> None:
        self.ledger.expire()

    @invariant()
    def attempts_are_counted(self) -> None:
        if hasattr(self, "ledger"):
            for entry in self.ledger.entries():
                assert entry.attempts == self.begun.get(entry.id, 0)
                assert (entry.state == "leased") == (entry.until is not None)
                assert (entry.state in ("leased", "finished")) == (entry.token is not None)

    def teardown(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.close()


AnyCourse.TestCase.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
TestAnyCourse = AnyCourse.TestCase


def test_a_full_disk_is_named_and_the_ledger_can_be_used_afterwards(ledger):
    ledger.add([Job("a", "key")])
    ledger._database.execute("PRAGMA max_page_count = 6")
    with pytest.raises(LedgerError, match="the disk is full"):
        ledger.add(Job(f"b{n}", "key", "x" * 3000) for n in range(300))
    ledger._database.execute("PRAGMA max_page_count = 100000")
    assert ledger.add([Job("c", "key")]) == 1
    assert [entry.id for entry in ledger.entries()] == ["a", "c"]
