"""The cheapest cut between two overlapping pictures.

Efros and Freeman, "Image quilting for texture synthesis and transfer", SIGGRAPH 2001, section 2.1: the path through the
squared differences of the overlap whose sum is least, by dynamic programming.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .features import Floats


def cheapest_cut(errors: Floats) -> tuple[NDArray[np.intp], float]:
    """The path from the first row to the last that costs least and moves by at most one column a row.

    Args:
        errors: (n, m) float32, >= 0: the cost of each pixel.

    Returns:
        (n,) the path's column in each row, and the sum of its costs.
    """
    rows, columns = errors.shape
    costs = errors.astype(np.float64)
    steps = np.zeros((rows, columns), np.intp)
    walled = np.full(columns + 2, np.inf)
    for row in range(1, rows):
        walled[1:-1] = costs[row - 1]
        before = np.stack([walled[1:-1], walled[:-2], walled[2:]])  # straight on is first, so that it wins ties
        chosen = before.argmin(axis=0)
        steps[row] = np.array((0, -1, 1))[chosen]
        costs[row] += before.min(axis=0)
    path = np.empty(rows, np.intp)
    column = int(costs[-1].argmin())
    total = float(costs[-1, column])
    for row in range(rows - 1, -1, -1):
        path[row] = column
        column += int(steps[row, column])
    return path, total
