"""Matrix products on one thread.

The search multiplies thousands of small matrices. OpenBLAS shares each out to all cores and lets its threads spin while
they wait for one another: on a machine that is busy with other work a fill took 33 s in place of 6, and 20 s of
processor time in place of 3. NumPy has no setting for it, so the OpenBLAS that NumPy's wheels carry is asked directly;
with any other library nothing is changed.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np

_NAMES = ("scipy_openblas_{}_num_threads64_", "scipy_openblas_{}_num_threads", "openblas_{}_num_threads")

_lock = threading.Lock()
_users = 0
_before = 1


@contextmanager
def one_thread() -> Iterator[None]:
    """NumPy's matrix products use one thread inside; as many as before once the last thread has left."""
    global _users, _before
    found = _switch()
    if found is None:
        yield
        return
    get, set_ = found
    with _lock:
        if _users == 0:
            _before = get()
            set_(1)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                set_(_before)


@cache
def _switch() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """What reads and what sets OpenBLAS's number of threads; None when NumPy carries no OpenBLAS of its own."""
    package = Path(np.__file__).parent
    for folder in (package.parent / "numpy.libs", package / ".dylibs", package / ".libs"):
        for path in sorted(folder.glob("*openblas*")):
            try:
                library = ctypes.CDLL(str(path))
            except OSError:
                continue
            for name in _NAMES:
                get, set_ = getattr(library, name.format("get"), None), getattr(library, name.format("set"), None)
                if get is not None and set_ is not None:
                    get.restype, get.argtypes = ctypes.c_int, []
                    set_.restype, set_.argtypes = None, [ctypes.c_int]
                    return get, set_
    return None
