"""Masks: where to repaint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._mask import Mask

if TYPE_CHECKING:
    from ._components import Component, Components

__all__ = ["Component", "Components", "Mask"]


def __getattr__(name: str) -> object:
    if name in ("Component", "Components"):  # these load OpenCV
        from . import _components

        return getattr(_components, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
