"""Patch search and synthesis, for the engine `exemplar` and for detail synthesis.

`overpaint.exemplar.fill.fill` fills a hole. The modules need OpenCV, so that this one loads them on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .fill import FillCallbacks, FillSettings

__all__ = ["FillCallbacks", "FillSettings"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from . import fill

        return getattr(fill, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
