"""What libraries print to standard error while they read a file: it belongs to that file, and not on a terminal."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from typing import BinaryIO, Literal

_MOST = 1 << 16  # bytes that are looked at

_catching: Literal["", "own", "shared"] = ""
_lock = threading.RLock()


@contextlib.contextmanager
def prints_caught(*, shared: bool) -> Iterator[None]:
    """Within the context `printed` catches what is printed.

    Standard error is one for all threads and for programs that they start, so that only a process can allow this in
    which nothing else uses it meanwhile.

    Args:
        shared: Whether other text may be written to it as well, which is passed on.
    """
    global _catching
    before, _catching = _catching, "shared" if shared else "own"
    try:
        yield
    finally:
        _catching = before


@contextlib.contextmanager
def printed(known: re.Pattern[str]) -> Iterator[list[str]]:
    """The lines that are printed within the context and match a pattern; complete when it ends.

    Python's warnings are ignored meanwhile. Outside of `prints_caught` nothing is caught, and there are no lines.
    """
    lines: list[str] = []
    if not _catching:
        yield lines
        return
    with _lock, contextlib.ExitStack() as stack:
        try:
            file = stack.enter_context(_file())
            before = os.dup(2)
        except OSError:  # there is no standard error, or no descriptor left
            yield lines
            return
        stack.callback(os.close, before)
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        _flush()
        os.dup2(file.fileno(), 2)
        try:
            yield lines
        finally:
            _flush()
            os.dup2(before, 2)
            _sort(os.pread(file.fileno(), _MOST, 0), known, lines)


def _sort(data: bytes, known: re.Pattern[str], lines: list[str]) -> None:
    """Keep the lines that match; pass others on where standard error is shared."""
    for line in data.splitlines(keepends=True):
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if known.match(text):
            lines.append(text)
        elif _catching == "shared":
            with contextlib.suppress(OSError):
                os.write(2, line)


def _file() -> BinaryIO:
    """A file without a name, in memory where the system has such."""
    if hasattr(os, "memfd_create"):
        return open(os.memfd_create("printed"), "w+b", buffering=0)  # noqa: PTH123 - a descriptor, not a path
    return tempfile.TemporaryFile(buffering=0)


def _flush() -> None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.flush()
