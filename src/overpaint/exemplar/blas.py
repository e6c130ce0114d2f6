"""Matrix products on one thread.

The search multiplies thousands of small matrices. OpenBLAS shares each out to all cores, and its threads spin while
they wait for one another: on a machine busy with other work a fill took 33 s instead of 6, and 20 s of processor time
instead of 3. NumPy has no setting for it; threadpoolctl has.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np  # noqa: F401 - its library must be loaded to be found
from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_users = 0
_limit: Any = None


@contextmanager
def one_thread() -> Iterator[None]:
    """NumPy's matrix products use one thread inside; as many as before once the last caller has left.

    The number of threads belongs to the whole process, so callers are counted.
    """
    global _users, _limit
    with _lock:
        if _users == 0:
            _limit = libraries().limit(limits=1)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _limit.restore_original_limits()


@cache
def libraries() -> ThreadpoolController:
    """The BLAS libraries of this process."""
    return ThreadpoolController().select(user_api="blas")
