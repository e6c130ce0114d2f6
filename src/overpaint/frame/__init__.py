"""Frames: the part of the picture that an engine sees and its working size; the two masks; regions."""

from __future__ import annotations

from ._frame import Frame, Framing, fit
from .edges import REACH_LIMIT, Edge, EdgeRule, EngineEdge, TwoMasks, automatic_edge, reach_of, two_masks
from .fitting import RESIZE_MODES, ResizeFilter, ResizeMode, fitted
from .policy import DiffusersPolicy, FrameNeeds, FramePolicy, NativePolicy
from .regions import Region, plan
from .rules import Context, SizeRules
from .webui import WebuiPolicy

POLICIES: dict[str, FramePolicy] = {one.dialect: one for one in (NativePolicy(), DiffusersPolicy(), WebuiPolicy())}
"""By the names of dialects."""

__all__ = [
    "POLICIES",
    "REACH_LIMIT",
    "RESIZE_MODES",
    "Context",
    "Edge",
    "EdgeRule",
    "EngineEdge",
    "Frame",
    "FrameNeeds",
    "FramePolicy",
    "Framing",
    "Region",
    "ResizeFilter",
    "ResizeMode",
    "SizeRules",
    "TwoMasks",
    "automatic_edge",
    "fit",
    "fitted",
    "plan",
    "reach_of",
    "two_masks",
]
