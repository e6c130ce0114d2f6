"""Calls of functions that decode what clients sent, in a process of its own, within the server's limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from overpaint.doors.reading import readers
from overpaint.studio.drawing import drawing_limited

from .settings import ServerSettings

T = TypeVar("T")

_DRAWN = 500_000_000
"""Pixels that the shapes of a mask may have drawn while a request waits: about ten seconds."""


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


def soon_drawn(function: Callable[[], T]) -> T:
    """The result of a function that draws masks here, while a request waits. MaskError for shapes that take long."""
    with drawing_limited(_DRAWN):
        return function()
