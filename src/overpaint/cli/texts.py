"""Printing: help texts, JSON, and rows in columns."""

from __future__ import annotations

import codecs
import io
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, TextIO


def help_text(about: str, examples: tuple[str, ...]) -> str:
    """A help text in Rich markup: what a verb does, then examples."""
    return about + "\n\n" + "\n".join(f"[dim]$[/] overpaint {line}" for line in examples)


def counted(number: int, what: str) -> str:
    """ "1 edit", "2,000 edits"."""
    return f"1 {what}" if number == 1 else f"{number:,} {what}s"


def duration(seconds: float) -> str:
    """ "8.2 s", "4 min 10 s", "3 h 20 min"; a whole number without decimals."""
    if seconds < 60:
        return f"{seconds} s" if isinstance(seconds, int) else f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"


def size_of(count: int) -> str:
    """ "812 bytes", "1.2 MB"."""
    if count < 1000:
        return counted(count, "byte")
    unit = next(unit for unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")) if count >= unit[0])
    return f"{count / unit[0]:.1f} {unit[1]}"


def now() -> str:
    """The time in UTC, as events have it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def visible(text: str) -> str:
    """A text for a terminal: control characters, which could move its cursor or hide other text, are written out."""
    return "".join(one if one.isprintable() or one in "\u200c\u200d" else ascii(one)[1:-1] for one in text)


def print_line(text: str, *, error: bool = False) -> None:
    """Print a line for people on standard output, or on standard error; see `visible`."""
    print(visible(text), file=sys.stderr if error else sys.stdout)


def print_json(value: Any, *, one_line: bool = False, finite: bool = False, file: TextIO | None = None) -> None:
    """Print a value as JSON, for programs, and at once. The bytes are UTF-8 whatever the stream's encoding: other
    characters than ASCII are escaped where the stream has another one, and where the value is no Unicode. Raises
    ValueError for a number that JSON has no form for (NaN, infinity), where all are to be `finite`.
    """
    out = sys.stdout if file is None else file
    indent = None if one_line else 2
    text = json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=not finite)
    if not _is_unicode(text) or codecs.lookup(out.encoding or "utf-8").name != "utf-8":
        text = json.dumps(value, indent=indent)
    print(text, file=out, flush=True)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a half of a surrogate pair, as in a file's name that is no UTF-8
        return False
    return True


def escape_what_streams_lack() -> None:
    """Write out, as `\\xe9`, the characters that the encoding of standard output or error lacks. A message then never
    fails for a name in it.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper) and stream.errors != "backslashreplace":
            stream.reconfigure(errors="backslashreplace")


def print_rows(
    rows: Sequence[tuple[str, ...]],
    *,
    styles: Sequence[str] = ("bold",),
    colours: Mapping[str, str] = MappingProxyType({}),
    header: bool = False,
) -> None:
    """Print rows in columns: wrapped and styled on a terminal, one line a row in a pipe. Control characters in them,
    as a hostile file's texts may have, are written out.

    Args:
        rows: All of one length.
        styles: One for each column from the first; "" and columns without one are plain.
        colours: Colours of words in the first column.
        header: Whether the first row names the columns.
    """
    if not rows:
        return
    columns, piped = len(rows[0]), not sys.stdout.isatty()
    rows = [tuple(_cell(cell, one_line=piped) for cell in row) for row in rows]
    if piped:
        widths = [max(len(row[column]) for row in rows) for column in range(columns)]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            print("  ".join(cells).rstrip())
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=header, header_style="bold")
    for column in range(columns):
        style = styles[column] if column < len(styles) else ""
        table.add_column(rows[0][column] if header else "", style=style, overflow="fold", no_wrap=column < columns - 1)
    for row in rows[1:] if header else rows:
        table.add_row(Text(row[0], colours.get(row[0], "")), *map(Text, row[1:]))
    Console(highlight=False).print(table)


def _cell(text: str, *, one_line: bool) -> str:
    """A text in a row, without what a terminal would obey; its lines stay lines where they may."""
    if one_line:
        return visible(" ".join(text.split()))
    return "\n".join(map(visible, text.expandtabs().splitlines()))
