"""Insertion of measured tables into pages of the documentation."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def section_marks(page: Path, name: str) -> tuple[str, str]:
    """`<!-- NAME -->` and `<!-- end of NAME -->`; ValueError when the page lacks them, FileNotFoundError."""
    text = page.read_text("utf-8")
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
        raise ValueError(f"{page} must hold the marks {begin} and {end}, once each and in this order")
    return begin, end


def replace_section(page: Path, name: str, text: str) -> None:
    """Replace the text between the page's marks of this name."""
    begin, end = section_marks(page, name)
    head, rest = page.read_text("utf-8").split(begin)
    page.write_text(f"{head}{begin}\n\n{text.strip()}\n\n{end}{rest.split(end)[1]}", "utf-8")


def measured_with(machine: Mapping[str, Any], command: str) -> str:
    """One line: date, command, machine, versions."""
    libraries = ", ".join(f"{name} {number}" for name, number in machine["libraries"].items())
    return (
        f"Measured on {time.strftime('%Y-%m-%d')} with `{command}` on {machine['cores']} cores of "
        f"{machine['processor']}, Python {machine['python']}, {libraries}."
    )
