"""Matrix products on one thread.

The search multiplies thousands of small matrices. OpenBLAS splits each over all cores, and its threads spin while they
wait: on a busy machine a fill took 33 s instead of 6, and 20 s of processor time instead of 3.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np  # noqa: F401 - its library must be loaded to be found
from threadpoolctl import OpenBLASController, ThreadpoolController

_lock = threading.Lock()
_users = 0
_limit: Any = None


@contextmanager
def one_thread() -> Iterator[None]:
    """NumPy's matrix products use one thread meanwhile. The limit is the process's, so that callers are counted."""
    global _users, _limit
    with _lock:
        if _users == 0:
            _take_control()
            _limit = libraries().limit(limits=1)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _take_control()
                _limit.restore_original_limits()


def _take_control() -> None:
    """Let this thread set the number, and not the one alone that was the first to do so (threadpoolctl 3.8).

    That is an engine's, as a rule, and the number set by any other would be ignored in silence.
    """
    OpenBLASController.clear_controlling_thread(force=True)


@cache
def libraries() -> ThreadpoolController:
    """The BLAS libraries of this process."""
    return ThreadpoolController().select(user_api="blas")
