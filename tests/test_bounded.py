"""A function in a bounded process gives what it gives here, within limits of time and memory."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

import hanging
from overpaint.bounded import BoundedPool, MemoryBudget, MemoryShare, is_shortage
from overpaint.bounded.message import receive, send
from overpaint.errors import Cancelled, EngineError, InputError, PictureError

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there are no bounded processes")


@pytest.fixture(scope="module")
def pool():
    pool = BoundedPool()
    yield pool
    pool.close()


def test_relative_paths_mean_the_folder_of_each_call(
    pool: BoundedPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        assert pool.call(os.getcwd) == str(tmp_path / name)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_all_processes_of_a_group_ends_no_call(pool: BoundedPool, number: signal.Signals):
    """A service's stop goes to all of its processes: what is read then is read, and the parent ends in order."""
    process = pool.call(hanging.process)
    os.kill(process, number)
    assert pool.call(hanging.process) == process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_a_process_that_starts_ends_no_call_either(number: signal.Signals):
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    pool = BoundedPool()
    with ThreadPoolExecutor(1) as threads:
        found = threads.submit(pool.call, hanging.process)
        while not (starting := list(pool._starting)):
            time.sleep(0.001)
        while not found.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(starting[0]._process.pid, number)
            time.sleep(0.005)
        assert found.result() == starting[0]._process.pid
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before
    pool.close()


def test_an_array_comes_back_as_it_is_and_the_process_stays(pool: BoundedPool):
    found = pool.call(hanging.array, 1_000_000)
    assert np.array_equal(found, hanging.array(1_000_000))
    assert not found.flags.writeable
    assert pool.call(hanging.process) == pool.call(hanging.process) != os.getpid()


def test_values_of_every_kind_pass():
    here, there = socket.socketpair()
    with here, there:
        for value in (1, {"a": (1, None)}, MappingProxyType({"x": b"y" * 100_000}), [np.zeros(0), np.ones((2, 3))]):
            sender = threading.Thread(target=send, args=(here, value))
            sender.start()
            found = receive(there)
            sender.join()
            assert repr(found) == repr(value)


def test_calls_wait_for_a_process_that_starts_instead_of_starting_another():
    with ThreadPoolExecutor(3) as threads:
        pool = BoundedPool("hanging_start")  # takes longer to start than a call waits for one that is busy
        found = [threads.submit(pool.call, hanging.process) for _ in range(3)]
        assert len({one.result() for one in found}) == 1
        pool.close()


def test_many_calls_that_wait_start_one_process_and_not_one_each(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("overpaint.bounded.pool._PATIENCE", 0.2)
    with ThreadPoolExecutor(9) as threads:
        pool = BoundedPool("hanging_start")  # a second process takes two seconds to start
        pool.warm()
        found = [threads.submit(pool.call, hanging.nap, 0.3) for _ in range(9)]
        assert len({one.result() for one in found}) <= 3
        pool.close()


def test_the_first_call_finds_a_process_that_was_started_before(pool: BoundedPool):
    pool = BoundedPool()
    pool.warm()
    pool.warm()
    (process,) = pool._idle
    assert pool.call(hanging.process) == process._process.pid
    pool.warm()
    assert pool._idle == [process]
    pool.close()


def test_calls_wait_for_a_process_that_was_started_before_and_is_not_there_yet():
    with ThreadPoolExecutor(3) as threads:
        pool = BoundedPool("hanging_start")
        pool.warm()
        found = [threads.submit(pool.call, hanging.process) for _ in range(3)]
        assert len({one.result() for one in found}) == 1
        pool.close()


def test_a_call_that_waits_for_a_process_ends_by_its_check():
    def check() -> None:
        if time.monotonic() - began > 0.3:
            raise Cancelled

    pool, began = BoundedPool("hanging_start"), time.monotonic()
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(pool.call, hanging.process)
        time.sleep(0.1)
        second = threads.submit(pool.call, hanging.process, check=check)
        with pytest.raises(Cancelled):
            second.result()
        assert not first.done()
        assert first.result() > 0
    pool.close()


def test_an_error_is_raised_as_it_was_and_the_process_stays(pool: BoundedPool):
    before = pool.call(hanging.process)
    with pytest.raises(KeyError, match="its own"):
        pool.call(hanging.fail)
    assert pool.call(hanging.process) == before


@pytest.mark.parametrize(
    ("function", "limits", "kind", "code"),
    [
        (hanging.hang, {"seconds": 0.5}, InputError, "time-limit"),
        (hanging.hoard, {"memory": 100 << 20}, EngineError, "memory-short"),
        (hanging.crash, {}, InputError, "reading-crashed"),
    ],
)
def test_what_has_no_end_is_ended_and_the_next_call_works(pool: BoundedPool, function, limits, kind, code):
    with pytest.raises(kind) as failed:
        pool.call(function, **limits)
    assert failed.value.code == code
    assert pool.call(hanging.ask, 1) == "granted"


def test_a_call_ends_as_soon_as_its_check_fails(pool: BoundedPool):
    began = time.monotonic()

    def check() -> None:
        if time.monotonic() - began > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        pool.call(hanging.hang, check=check)
    assert time.monotonic() - began < 10


def test_a_wait_for_memory_does_not_count_as_time(pool: BoundedPool):
    pool.call(hanging.process)
    assert pool.call(hanging.ask, 7, seconds=1.0, grant=lambda _: time.sleep(1.5)) == "granted"


def test_memory_that_is_refused_is_an_error_of_the_function(pool: BoundedPool):
    def refuse(wanted: int) -> None:
        raise PictureError(f"{wanted} is too much")

    with pytest.raises(PictureError, match="77 is too much"):
        pool.call(hanging.ask, 77, grant=refuse)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_the_process_ends_with_its_parent_whatever_it_does():
    code = (
        "import threading, time, hanging; from overpaint.bounded import BoundedPool; pool = BoundedPool()\n"
        "print(pool.call(hanging.process), flush=True); pool.call(hanging.hang)"
    )
    here = Path(__file__).parent  # of `hanging`
    path = os.pathsep.join([str(here), *filter(None, sys.path)])
    parent = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    time.sleep(0.5)
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 10
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _runs(child)


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (MemoryError(), True),
        (OSError(12, "Cannot allocate memory"), True),
        (ValueError("OpenCV: Insufficient memory (Failed to allocate 99 bytes)"), True),
        (ValueError("Error -4 while decompressing data"), True),
        (ValueError("broken data stream"), False),
        (OSError(2, "No such file"), False),
    ],
)
def test_a_want_of_memory_is_known_by_any_name(error: Exception, short: bool):
    assert is_shortage(error) is short


def _growing(share: MemoryShare, wanted: int) -> threading.Event:
    """An event that is set once the share holds so much."""
    granted = threading.Event()
    threading.Thread(target=lambda: (share.grow(wanted), granted.set()), daemon=True).start()
    return granted


def test_edits_wait_for_memory_in_their_order():
    budget = MemoryBudget(100)
    first, large, small = (MemoryShare(budget) for _ in range(3))
    first.grow(60)
    waiting = _growing(large, 90)
    time.sleep(0.1)
    behind = _growing(small, 30)
    assert not waiting.wait(0.3)
    assert not behind.wait(0.1), "or the large one might wait for ever"
    budget.release(first)
    assert waiting.wait(5)
    assert not behind.wait(0.1)
    budget.release(large)
    assert behind.wait(5)


def test_an_edit_larger_than_all_memory_runs_alone():
    budget = MemoryBudget(100)
    first, huge = MemoryShare(budget), MemoryShare(budget)
    first.grow(10)
    waiting = _growing(huge, 500)
    assert not waiting.wait(0.3)
    budget.release(first)
    assert waiting.wait(5)


def test_edits_that_all_wait_for_more_do_not_wait_for_ever():
    budget = MemoryBudget(100)
    first, second = MemoryShare(budget), MemoryShare(budget)
    first.grow(50)
    second.grow(50)
    one, two = _growing(first, 80), _growing(second, 80)
    deadline = time.monotonic() + 5
    while not (one.is_set() or two.is_set()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert one.is_set() != two.is_set()
    budget.release(first if one.is_set() else second)
    assert one.wait(5)
    assert two.wait(5)


def test_a_wait_ends_by_its_check():
    budget = MemoryBudget(10)
    first, second = MemoryShare(budget), MemoryShare(budget)
    first.grow(10)

    def check() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        second.grow(5, check)
    with first:
        pass
    second.grow(10)


def test_ctrl_c_leaves_the_decision_to_the_parent(pool: BoundedPool):
    threading.Timer(0.3, os.kill, (pool.call(hanging.process), signal.SIGINT)).start()
    assert pool.call(hanging.slow, 1.0) == pool.call(hanging.process)
