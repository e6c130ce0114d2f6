"""Put measured tables into a page of the documentation, so that nobody copies figures by hand."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def marks(page: Path, name: str) -> tuple[str, str]:
    """`<!-- NAME -->` and `<!-- end of NAME -->`; ValueError when the page does not hold them, FileNotFoundError."""
    text = page.read_text("utf-8")
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"{page} must hold the marks {begin} and {end}, once each and in this order")
    return begin, end


def put(page: Path, name: str, text: str) -> None:
    """Replace what stands between the page's marks of this name."""
    begin, end = marks(page, name)
    head, rest = page.read_text("utf-8").split(begin)
    page.write_text(f"{head}{begin}\n\n{text.strip()}\n\n{end}{rest.split(end)[1]}", "utf-8")


def measured(machine: Mapping[str, Any], command: str) -> str:
    """One line: when, on what, with what, by which command."""
    libraries = ", ".join(f"{name} {number}" for name, number in machine["libraries"].items())
    return (
        f"Measured on {time.strftime('%Y-%m-%d')} with `{command}` on {machine['cores']} cores of "
        f"{machine['processor']}, Python {machine['python']}, {libraries}."
    )
