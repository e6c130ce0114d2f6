"""Grids: the cells of one edit with one to three settings varied."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from overpaint.errors import RequestError
from overpaint.request import EditRequest

from .grid_axes import MOST_CELLS, GridAxis

MOST_AXES = 3


@dataclass(frozen=True, slots=True)
class GridCell:
    """One cell of a grid.

    Attributes:
        place: Its number along each axis.
        request: Its request.
    """

    place: tuple[int, ...]
    request: EditRequest


def check_axes(axes: Sequence[GridAxis]) -> int:
    """The number of cells.

    Raises:
        RequestError: There are too many axes or cells, or two axes of one setting.
    """
    names = [one.name for one in axes]
    if not 1 <= len(axes) <= MOST_AXES or len(set(names)) < len(names):
        raise RequestError(
            f"a grid varies one to three different settings, not {', '.join(names) or 'none'}",
            field="vary",
            value=names,
        )
    count = math.prod(len(one.values) for one in axes)
    if not 1 <= count <= MOST_CELLS:
        raise RequestError(
            f"the grid has {count:,} cells, more than {MOST_CELLS}",
            field="vary",
            value=count,
            hint="make several grids, or vary fewer values",
        )
    return count


def grid_cells(request: EditRequest, axes: Sequence[GridAxis], *, seed: int) -> tuple[GridCell, ...]:
    """The requests of all cells in reading order: the first axis across, the second down, the third over blocks.

    Cells differ by the varied settings alone: all have one seed unless it is varied, and are exact unless the request
    says otherwise, so that each can be replayed alone.

    Args:
        request: The edit.
        axes: One to three, of different settings.
        seed: For a request without a seed, or with -1.

    Raises:
        RequestError: There are too many axes or cells, or a value that a setting can't take.
    """
    check_axes(axes)
    base = request.merged(
        seed=seed if request.seed in (None, -1) else request.seed,
        exact=True if request.exact is None else request.exact,
    )
    cells = []
    for place in itertools.product(*(range(len(one.values)) for one in reversed(axes))):
        changed, own = base, place[::-1]
        for axis, number in zip(axes, own, strict=True):
            changed = axis.changed(changed, axis.values[number])
        cells.append(GridCell(own, changed))
    return tuple(cells)


def painting_order(cells: Sequence[GridCell]) -> list[GridCell]:
    """The cells of one model one after another, else as they are, so that none is loaded more often than once."""
    models = list(dict.fromkeys(cell.request.model for cell in cells))
    return sorted(cells, key=lambda cell: models.index(cell.request.model))
