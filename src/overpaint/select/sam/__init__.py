"""Selecting by networks of the SAM family: Segment Anything, HQ-SAM, SAM 2.1, EdgeTAM, SAM 3, and ONNX files."""

from __future__ import annotations

from .load import FAMILY, default_network, sam_network
from .selector import Sam, SamByWords, SamOptions, masks_of_boxes

__all__ = ["FAMILY", "Sam", "SamByWords", "SamOptions", "default_network", "masks_of_boxes", "sam_network"]
