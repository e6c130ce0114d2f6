"""Painted pixels before they are pasted: colour and seam correction, texture, detail beyond an engine's size.

The modules for detail need OpenCV, so that this one loads them on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .correct import Correction, correct
from .spread import spread

if TYPE_CHECKING:
    from .detail import CAREFUL, FULL, Detail, detailed

__all__ = ["CAREFUL", "FULL", "Correction", "Detail", "correct", "detailed", "spread"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from . import detail

        return getattr(detail, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
