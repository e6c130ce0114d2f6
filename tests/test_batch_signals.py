"""A step that must be whole is not cut in two by a signal."""

from __future__ import annotations

import os
import signal
import sys
import threading

import pytest

from overpaint.batch.signals import signals_deferred

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are another thing there")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_until_the_step_is_done_and_comes_then(number):
    came = []
    before = signal.signal(number, lambda number, _frame: came.append(number))
    try:
        with signals_deferred():
            os.kill(os.getpid(), number)
            assert came == [], "not within"
        assert came == [number]
        assert signal.getsignal(number) not in (signal.SIG_DFL, signal.SIG_IGN)
        os.kill(os.getpid(), number)
        assert came == [number, number], "the handler is back"
    finally:
        signal.signal(number, before)


def test_a_signal_that_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with signals_deferred():
            os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_the_error_of_the_step_is_raised_without_a_signal():
    with pytest.raises(ValueError, match="its own"), signals_deferred():
        raise ValueError("its own")


def test_other_threads_are_not_concerned():
    done = []

    def work() -> None:
        with signals_deferred():
            done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
