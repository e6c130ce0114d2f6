"""Functions that a bounded process calls in tests: they hang, take memory, crash."""

from __future__ import annotations

import os
import re
import signal
import time

import numpy as np

from overpaint.bounded import needs_memory


def array(count: int) -> np.ndarray:
    values = np.arange(count, dtype=np.int32)
    values.flags.writeable = False
    return values


def process() -> int:
    return os.getpid()


def nap(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def hang() -> None:
    """In a loop that holds the interpreter's lock, as a parser in C may."""
    re.match("(a*)*b", "a" * 60)


def hoard() -> None:
    held = []
    while True:
        held.append(bytearray(10 << 20))


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def fail() -> None:
    raise KeyError("its own")


def ask(wanted: int) -> str:
    needs_memory(wanted)
    return "granted"


def slow(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()
