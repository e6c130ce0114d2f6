"""A lock on an open file, between processes and between threads; it ends with its process."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator

if sys.platform == "win32":
    import msvcrt

    # Windows keeps others from reading locked bytes, so a byte far beyond the end of any log is locked.
    _PLACE = 1 << 62

    def try_lock(descriptor: int) -> bool:
        """Take the lock of an open file, unless another holds it; it ends when the file is closed."""
        os.lseek(descriptor, _PLACE, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _lock(descriptor: int) -> None:
        while not try_lock(descriptor):
            time.sleep(0.01)

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, _PLACE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    # flock, not lockf: it belongs to the open file and not to the process, so it works between threads too.
    def try_lock(descriptor: int) -> bool:
        """Take the lock of an open file, unless another holds it; it ends when the file is closed."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


@contextlib.contextmanager
def locked(descriptor: int) -> Iterator[None]:
    """Hold the lock inside; waits while another holds it."""
    _lock(descriptor)
    try:
        yield
    finally:
        _unlock(descriptor)


@contextlib.contextmanager
def locked_soon(descriptor: int, seconds: float = 5.0) -> Iterator[None]:
    """Hold the lock inside, or go on without it after this time: a reader waits for no one for ever."""
    over = time.monotonic() + seconds
    while not (held := try_lock(descriptor)) and time.monotonic() < over:
        time.sleep(0.01)
    try:
        yield
    finally:
        if held:
            _unlock(descriptor)
