"""Functions that a bounded process calls in tests: they hang, take memory, crash."""

from __future__ import annotations

import ctypes
import os
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
    """Holds the interpreter's lock, as a loop of a parser in C may; without its load on the machine."""
    while True:
        ctypes.PyDLL(None).sleep(3600)


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
