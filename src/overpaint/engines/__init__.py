"""Engines: canvases in, pixels out."""

from overpaint.frame import Context, SizeRules

from .base import (
    Canvas,
    ColourSpace,
    ControlImage,
    Engine,
    EngineCard,
    EngineOptions,
    ModelEngineFactory,
    ModelSetup,
    Monitor,
    Painted,
    Pixels,
    ThreadedEngine,
    paint,
    paint_groups,
)
from .registry import card, create, names, usable_card

__all__ = [
    "Canvas",
    "ColourSpace",
    "Context",
    "ControlImage",
    "Engine",
    "EngineCard",
    "EngineOptions",
    "ModelEngineFactory",
    "ModelSetup",
    "Monitor",
    "Painted",
    "Pixels",
    "SizeRules",
    "ThreadedEngine",
    "card",
    "create",
    "names",
    "paint",
    "paint_groups",
    "usable_card",
]
