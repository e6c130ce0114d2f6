"""The eight orientations of EXIF 2.32, tag 0x0112: how stored rows and columns become what is displayed."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)

# Orientation: (swap rows and columns first, then mirror rows, then mirror columns)
_STEPS = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


def displayed(stored: NDArray[T], orientation: int) -> NDArray[T]:
    """Stored (H, W, ...) as displayed: a view, (W, H, ...) for the orientations 5 to 8."""
    swap, rows, columns = _STEPS[orientation]
    if swap:
        stored = stored.swapaxes(0, 1)
    return stored[:: -1 if rows else 1, :: -1 if columns else 1]


def stored(shown: NDArray[T], orientation: int) -> NDArray[T]:
    """The way back: `stored(displayed(x, o), o)` is x."""
    swap, rows, columns = _STEPS[orientation]
    shown = shown[:: -1 if rows else 1, :: -1 if columns else 1]
    return shown.swapaxes(0, 1) if swap else shown
