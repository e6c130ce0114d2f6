"""The command line: one file for each verb, and one for all verbs that paint.

Other code needs `main` only. Nothing heavy is imported before a verb runs.
"""

from __future__ import annotations

import atexit
import gc
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0 done, 1 failed, 2 bad input or usage, 130 interrupted.

    Args:
        argv: The arguments without the program's name; those of the process when left out.
    """
    if argv is None:
        # The process ends, and its memory is freed as a whole: Python's search for garbage among the objects of torch
        # and diffusers took a second and more.
        atexit.register(gc.freeze)
    try:
        from .run import run
    except KeyboardInterrupt:  # before anything was started
        return 130

    return run(argv)
