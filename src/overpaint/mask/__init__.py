"""Masks: where to repaint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._mask import Mask

if TYPE_CHECKING:
    from ._components import Component, Components
    from ._plausible import covers_most, plausible

__all__ = ["Component", "Components", "Mask", "covers_most", "plausible"]


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in ("Component", "Components"):  # these load OpenCV
        return getattr(import_module("._components", __name__), name)
    if name in ("covers_most", "plausible"):
        return getattr(import_module("._plausible", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
