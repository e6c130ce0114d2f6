"""The command line: one file a verb, or one for verbs that are one mechanism.

`main` is all that other code needs. Nothing heavy is imported before a verb does its work.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0 done, 1 failed, 2 bad input or usage, 130 interrupted.

    Args:
        argv: The arguments without the program's name; those of the process when left out.
    """
    try:
        from .run import run
    except KeyboardInterrupt:  # so early that nothing was begun
        return 130

    return run(argv)
