"""The form of help texts."""

from __future__ import annotations


def help_text(about: str, examples: tuple[str, ...]) -> str:
    """A help text in Rich markup: what a verb does, then command lines."""
    return about + "\n\n" + "\n".join(f"[dim]$[/] overpaint {line}" for line in examples)
