"""Signals that ask for an end wait until a step that must be whole is done."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

_ENDS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def signals_deferred() -> Iterator[None]:
    """Inside, SIGINT and SIGTERM are only noted; at the end they are raised, as if they had come just then.

    Signals reach the main thread alone: on any other this does nothing. One that is ignored, or handled outside of
    Python, stays so.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {}
    for number in _ENDS:
        if callable(signal.getsignal(number)):
            before[number] = signal.signal(number, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
