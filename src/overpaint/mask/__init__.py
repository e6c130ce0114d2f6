"""Masks: where to repaint."""

from __future__ import annotations

from ._checks import wrong_size
from ._mask import Mask
from ._plausible import covers_most, plausible, without_noise
from .component import MaskComponent

__all__ = ["Mask", "MaskComponent", "covers_most", "plausible", "without_noise", "wrong_size"]
