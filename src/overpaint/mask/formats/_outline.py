"""Polygons around the pixels of a mask: filling them again gives exactly the same mask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from overpaint.mask._mask import Mask

Point = tuple[int, int]
Ring = list[Point]
_RIGHT, _DOWN, _LEFT, _UP = range(4)  # each is a right turn after the one before


def outlines(mask: Mask) -> list[Ring]:
    """One ring of (x, y) corners for each component of the core (8 neighbours), along the sides of its pixels.

    A ring enters each hole and returns along the same line, which encloses nothing. It winds once around the pixels of
    the component and around no other, so that it needs neither a second ring nor a fill rule.
    """
    rings = []
    for piece in mask.threshold().components():
        first, *others = _loops(piece.values > 0)
        ring = first
        for loop in others:  # close the ring, go to the hole, around it, and back
            ring = [*ring, first[0], *loop, loop[0]]
        rings.append([(x + piece.box.left, y + piece.box.top) for x, y in ring])
    return rings


def _loops(marked: NDArray[np.bool_]) -> list[Ring]:
    """The closed loops along the sides of the True pixels of (H, W), with True on their right."""
    ends = _straights(np.pad(marked, 1))
    loops = []
    while ends:
        start = place, direction = next(iter(ends))
        loop: Ring = []
        while (place, direction) in ends:
            loop.append(place)
            place = ends.pop((place, direction))
            right, left = (direction + 1) % 4, (direction + 3) % 4
            # where two pixels touch by their corners both turns exist: the right one stays at the same pixel
            direction = right if (place, right) in ends or (place, right) == start else left
        loops.append(loop)
    return loops


def _straights(padded: NDArray[np.bool_]) -> dict[tuple[Point, int], Point]:
    """The end of each straight side, by its start and direction."""
    above, below = padded[:-1, 1:-1], padded[1:, 1:-1]
    before, after = padded[1:-1, :-1].T, padded[1:-1, 1:].T
    ends: dict[tuple[Point, int], Point] = {}
    for y, low, high in _spans(below & ~above):
        ends[(low, y), _RIGHT] = (high, y)
    for x, low, high in _spans(before & ~after):
        ends[(x, low), _DOWN] = (x, high)
    for y, low, high in _spans(above & ~below):
        ends[(high, y), _LEFT] = (low, y)
    for x, low, high in _spans(after & ~before):
        ends[(x, high), _UP] = (x, low)
    return ends


def _spans(lines: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """(line, from, to) of the runs of True along each line, in reading order."""
    steps = np.diff(np.pad(lines, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    line, low = np.nonzero(steps == 1)
    high = np.nonzero(steps == -1)[1]
    return list(zip(line.tolist(), low.tolist(), high.tolist(), strict=True))
