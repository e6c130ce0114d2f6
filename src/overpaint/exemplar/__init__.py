"""Patch search and synthesis: the machinery behind the `exemplar` engine, and for detail synthesis.

`overpaint.exemplar.fill.fill` fills a hole by a `Recipe`, telling a `Watch` how far it is. The modules need OpenCV, so
this page loads none of them before they are asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .fill import Recipe, Watch

__all__ = ["Recipe", "Watch"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from . import fill

        return getattr(fill, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
