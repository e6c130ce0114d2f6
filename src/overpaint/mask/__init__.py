"""Masks: where to repaint."""

from __future__ import annotations

from ._checks import wrong_size
from ._mask import Mask
from ._plausible import are_values, covers_most, of_raster, of_values, plausible, without_noise
from .component import MaskComponent

__all__ = [
    "Mask",
    "MaskComponent",
    "are_values",
    "covers_most",
    "of_raster",
    "of_values",
    "plausible",
    "without_noise",
    "wrong_size",
]
