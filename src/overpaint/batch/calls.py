"""Calls to an object store: each in a thread of its own, so that a store that does not answer holds up no run."""

from __future__ import annotations

import errno
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from .signals import signal_waits

T = TypeVar("T")

_ATTEMPTS = 2  # packages of stores try again themselves; this is for what they leave
_PAUSE = 0.5  # seconds before the second
_LOOK = 0.1  # seconds between two looks whether the run is to end
_GRACE = 2.0  # seconds that a call may still take once the process is to end

_FINAL = frozenset(
    getattr(errno, name)
    for name in ("ENOENT", "EACCES", "EPERM", "EEXIST", "EISDIR", "ENOTDIR", "EINVAL", "ENOSPC", "EDQUOT", "ENOSYS")
)
"""Errors that come again when the call is made again."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a store is waited for.

    Attributes:
        seconds: For the whole call, with its second attempt.
        check: Called while it is waited for; raises to give the call up.
    """

    seconds: float = 60.0
    check: Callable[[], None] = lambda: None


def patiently(call: Callable[[], T], patience: Patience) -> T:
    """The result of a call, which is made once more where its error may pass. A call that is given up goes on in its
    thread, which ends no later than the process.

    Raises:
        TimeoutError: It took too long, or a signal is to end the process.
        OSError: It failed.
    """
    over = time.monotonic() + patience.seconds
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return _once(call, over, patience)
        except OSError as error:
            if attempt == _ATTEMPTS or not may_pass(error) or time.monotonic() + _PAUSE > over or signal_waits():
                raise
        patience.check()
        time.sleep(_PAUSE)
    raise AssertionError("the last attempt returns or raises")


def may_pass(error: OSError) -> bool:
    """Whether the same call may succeed later: not where an object is missing or access is denied."""
    return error.errno not in _FINAL and not isinstance(error, FileNotFoundError | PermissionError | FileExistsError)


def _once(call: Callable[[], T], over: float, patience: Patience) -> T:
    ended: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            ended.put((call(), None))
        except BaseException as error:
            ended.put((None, error))

    threading.Thread(target=work, name="overpaint-store", daemon=True).start()
    leaving = False
    while True:
        try:
            result, error = ended.get(timeout=_LOOK)
        except queue.Empty:
            patience.check()
            if signal_waits() and not leaving:
                leaving, over = True, min(over, time.monotonic() + _GRACE)
            if time.monotonic() < over:
                continue
            reason = "the run is to end" if leaving else f"it took longer than {patience.seconds:g} seconds"
            raise TimeoutError(errno.ETIMEDOUT, reason) from None
        if error is not None:
            raise error
        return result  # type: ignore[return-value]
