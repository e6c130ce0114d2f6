"""Signals that end the process are deferred until a step that must be complete is done."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

_deferred: list[list[int]] = []


def signal_waits() -> bool:
    """Whether a signal has arrived that is deferred now: what is waited for should be given up."""
    return any(_deferred)


@contextlib.contextmanager
def signals_deferred() -> Iterator[None]:
    """SIGINT and SIGTERM that arrive inside are raised at the end.

    Only the main thread receives signals: on any other this does nothing. A signal that is ignored, or handled outside
    of Python, stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []
    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        if callable(signal.getsignal(number)):
            before[number] = signal.signal(number, lambda number, _frame: arrived.append(number))
    _deferred.append(arrived)
    try:
        yield
    finally:
        _deferred.remove(arrived)
        for number, handler in before.items():
            signal.signal(number, handler)
        if arrived:
            signal.raise_signal(arrived[0])
