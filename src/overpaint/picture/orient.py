"""The eight orientations of EXIF 2.32, tag 0x0112: from stored rows and columns to displayed ones, and back."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)


def _steps(orientation: int) -> tuple[bool, bool, bool]:
    """Whether to swap rows and columns first, then to mirror rows, then to mirror columns."""
    return orientation > 4, orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)


def displayed(stored: NDArray[T], orientation: int) -> NDArray[T]:
    """Stored (H, W, ...) as displayed: a view, (W, H, ...) for the orientations 5 to 8."""
    swap, rows, columns = _steps(orientation)
    if swap:
        stored = stored.swapaxes(0, 1)
    return stored[:: -1 if rows else 1, :: -1 if columns else 1]


def stored(shown: NDArray[T], orientation: int) -> NDArray[T]:
    """The inverse: `stored(displayed(x, o), o)` is x."""
    swap, rows, columns = _steps(orientation)
    shown = shown[:: -1 if rows else 1, :: -1 if columns else 1]
    return shown.swapaxes(0, 1) if swap else shown
