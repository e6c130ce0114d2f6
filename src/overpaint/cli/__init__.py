"""The command line: one file a verb, or one for verbs that are one mechanism.

`main` is all that other code needs. Nothing heavy is imported before a verb does its work.
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
        # The process is ours, and its memory goes back as a whole: on its way out Python would search for garbage in
        # all that torch and diffusers have made, which took a second and more.
        atexit.register(gc.freeze)
    try:
        from .run import run
    except KeyboardInterrupt:  # so early that nothing was begun
        return 130

    return run(argv)
