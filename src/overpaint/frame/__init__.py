"""Frames: the part of the picture that an engine sees and its working size; the two masks; regions."""

from ._frame import Frame, Framing, fit
from .edges import REACH_LIMIT, Edge, EdgeRule, EngineEdge, TwoMasks, automatic_edge, reach_of, two_masks
from .regions import Region, plan
from .rules import Context, SizeRules

__all__ = [
    "REACH_LIMIT",
    "Context",
    "Edge",
    "EdgeRule",
    "EngineEdge",
    "Frame",
    "Framing",
    "Region",
    "SizeRules",
    "TwoMasks",
    "automatic_edge",
    "fit",
    "plan",
    "reach_of",
    "two_masks",
]
