"""Errors of libraries that mean that memory ran out."""

from __future__ import annotations

import errno
import re

_WORDS = re.compile(
    r"(insufficient|out of|not enough|can't allocate|cannot allocate) memory|bad_alloc|memory allocation", re.I
)
_ZLIB = "Error -4 while"  # Z_MEM_ERROR


def is_shortage(error: BaseException) -> bool:
    """Whether an error means that memory ran out, whatever its library calls that."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    text = str(error)
    return text.startswith(_ZLIB) or _WORDS.search(text) is not None
