"""Files by their arguments, where a lone `-` is standard input or output."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from overpaint.errors import RequestError
from overpaint.files import write_file

if TYPE_CHECKING:
    from collections.abc import Iterable

    from overpaint.picture import Picture

STDIO = "\x00stdio"
"""A lone `-` among the arguments. No file has this name, as an argument can't hold a NUL."""


def as_written(argument: str) -> str:
    """A file argument as the user wrote it."""
    return "-" if argument == STDIO else argument


def load(argument: str) -> str | bytes:
    """The path of a file argument, or the bytes of standard input, which are read once."""
    return standard_input() if argument == STDIO else argument


def opened(argument: str) -> Picture:
    """The picture of a file argument."""
    from overpaint.picture import open_picture

    return open_picture(load(argument))


def paths(arguments: Iterable[str | None]) -> list[Path]:
    """The files among the arguments."""
    return [Path(one) for one in arguments if one not in (None, STDIO)]


def check_one_reader(arguments: Iterable[str | None]) -> None:
    """Raise RequestError when two files are to be read from standard input."""
    if list(arguments).count(STDIO) > 1:
        raise RequestError("standard input (-) can be read once: give the others as files")


def write_output(output: str, data: bytes, *, overwrite: bool) -> None:
    """Write the file of an argument, or to standard output. Raises OutputError."""
    if output == STDIO:
        write_bytes(data)
    else:
        write_file(output, data, overwrite=overwrite)


def write_bytes(data: bytes) -> None:
    """Write to standard output."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


@cache
def standard_input() -> bytes:
    """The bytes of standard input; cached, as they can be read only once."""
    return sys.stdin.buffer.read()
