"""Smooth steps."""

from __future__ import annotations

import numpy as np

from .oklab import Floats


def rising(values: Floats, low: float, high: float) -> Floats:
    """0 below `low`, 1 above `high`, smooth between: 3 u^2 - 2 u^3."""
    share = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(share * share * (3 - 2 * share), np.float32)


def falling(values: Floats, low: float, high: float) -> Floats:
    """1 below `low`, 0 above `high`, smooth between."""
    return 1 - rising(values, low, high)
