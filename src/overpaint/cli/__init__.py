"""The command line: one file for each verb, and one for all verbs that paint.

Other code needs `main` only. Nothing heavy is imported before a verb runs.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Sequence

__all__ = ["main"]

INTERRUPTED = 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0 done, 1 failed, 2 bad input or usage, 130 interrupted.

    Args:
        argv: The arguments without the program's name; those of the process when left out.
    """
    status = [0]
    if argv is None:
        atexit.register(_end, status)  # the first that is registered is the last that is called
    try:
        from .run import run

        status[0] = run(argv)
    except KeyboardInterrupt:  # before anything was started, or once more while the first one was reported
        status[0] = INTERRUPTED
    if argv is None:
        _leave_with(status[0])
    return status[0]


def _leave_with(status: int) -> None:
    """From here on a signal ends the process at once, with the status that is known, and without a traceback."""
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(ValueError):  # not in the main thread
            signal.signal(number, lambda _number, _frame: os._exit(status))


def _end(status: list[int]) -> None:
    """The last of what is called before Python takes itself apart."""
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    if status[0] == INTERRUPTED:
        # An interrupt within `exec`, as dataclasses use it, would have Python end by the signal although it was caught.
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(INTERRUPTED)
    # The memory is freed as a whole: the search for garbage among the objects of torch and diffusers took a second.
    gc.freeze()
