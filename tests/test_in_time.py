"""A call that never returns costs its own time limit, and no other call."""

from __future__ import annotations

import threading
import time

import pytest

from overpaint.bounded import call_in_time, outcomes
from overpaint.bounded import in_time as module
from overpaint.errors import Cancelled

_gate = threading.Event()


@pytest.fixture(autouse=True)
def gate():
    _gate.clear()
    yield
    _gate.set()  # the threads that were left behind end


def _half(n: int) -> float:
    if n % 10 == 3:
        _gate.wait()
    if n % 10 == 4:
        raise ValueError(n)
    return n / 2


def test_each_call_has_its_result_its_error_or_took_too_long():
    began = time.monotonic()
    found = dict(outcomes(_half, range(100), seconds=1.5))
    assert time.monotonic() - began < 20
    assert len(found) == 100
    for n, outcome in found.items():
        kind = TimeoutError if n % 10 == 3 else ValueError if n % 10 == 4 else float
        assert isinstance(outcome, kind)


def test_a_result_is_returned_and_an_error_raised():
    assert call_in_time(_half, 8, seconds=None) == 4
    with pytest.raises(ValueError, match="4"):
        call_in_time(_half, 4, seconds=5)
    with pytest.raises(TimeoutError, match=r"longer than 0\.5 seconds"):
        call_in_time(_half, 3, seconds=0.5)


def test_what_the_check_raises_ends_the_wait_and_nothing_more_is_begun():
    begun = []

    def note(n: int) -> None:
        begun.append(n)
        time.sleep(0.05)

    def check() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        dict(outcomes(note, range(1000), seconds=60, check=check))
    count = len(begun)
    assert count < 50
    time.sleep(0.3)
    assert len(begun) <= count + 2


def test_files_of_a_mount_that_hangs_are_not_each_waited_for_in_full():
    began = time.monotonic()
    found = [outcome for _, outcome in outcomes(lambda _: _gate.wait(), range(40), seconds=4)]
    assert time.monotonic() - began < 20, "and not 160"
    assert all(isinstance(one, TimeoutError) for one in found)


def test_no_more_threads_are_left_behind_than_a_process_bears(monkeypatch):
    monkeypatch.setattr(module, "_MOST_LEFT", 0)
    ((_, found),) = outcomes(_half, [2], seconds=5)
    assert isinstance(found, TimeoutError)
