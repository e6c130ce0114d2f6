"""Printing: help texts, JSON, and rows in columns."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any


def help_text(about: str, examples: tuple[str, ...]) -> str:
    """A help text in Rich markup: what a verb does, then examples."""
    return about + "\n\n" + "\n".join(f"[dim]$[/] overpaint {line}" for line in examples)


def counted(number: int, what: str) -> str:
    """ "1 edit", "2,000 edits"."""
    return f"1 {what}" if number == 1 else f"{number:,} {what}s"


def visible(text: str) -> str:
    """A text for a terminal: control characters, which could move its cursor or hide other text, are written out."""
    return "".join(one if one.isprintable() or one in "\u200c\u200d" else ascii(one)[1:-1] for one in text)


def print_json(value: Any) -> None:
    """Print a value as JSON, for programs."""
    print(json.dumps(value, ensure_ascii=False, indent=2))


def print_rows(
    rows: Sequence[tuple[str, ...]],
    *,
    styles: Sequence[str] = ("bold",),
    colours: Mapping[str, str] = MappingProxyType({}),
    header: bool = False,
) -> None:
    """Print rows in columns: wrapped and styled on a terminal, one line a row in a pipe.

    Args:
        rows: All of one length.
        styles: One for each column from the first; "" and columns without one are plain.
        colours: Colours of words in the first column.
        header: Whether the first row names the columns.
    """
    if not rows:
        return
    columns = len(rows[0])
    if not sys.stdout.isatty():
        widths = [max(len(row[column]) for row in rows) for column in range(columns)]
        for row in rows:
            cells = (" ".join(cell.split()).ljust(width) for cell, width in zip(row, widths, strict=True))
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
