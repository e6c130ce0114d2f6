"""Where an engine looks and at what size, the two masks, and the exact way back."""

from ._frame import Frame, Framing, fit
from .edges import Edge, TwoMasks, automatic_edge, two_masks
from .regions import Region, plan
from .rules import Context, SizeRules

__all__ = [
    "Context",
    "Edge",
    "Frame",
    "Framing",
    "Region",
    "SizeRules",
    "TwoMasks",
    "automatic_edge",
    "fit",
    "plan",
    "two_masks",
]
