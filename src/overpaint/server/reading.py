"""Calls of functions that decode what clients sent, in a process of its own, within the server's limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from overpaint.doors.reading import readers

from .settings import ServerSettings

T = TypeVar("T")


def bounded(
    settings: ServerSettings, function: Callable[..., T], *arguments: Any, check: Callable[[], None] = lambda: None
) -> T:
    """The result of a function that a module has by name, called within the server's limits of time and memory.

    Args:
        settings: The server's; `reading` and `reading_memory` are the limits.
        function: The function.
        *arguments: What it takes.
        check: Called while it runs; what it raises ends the call.

    Raises:
        InputError: It took too long, or its process crashed.
        EngineError: It took more memory than it may ("memory-short").
        Exception: What the function raises.
    """
    return readers.call(function, *arguments, seconds=settings.reading, memory=settings.reading_memory, check=check)
