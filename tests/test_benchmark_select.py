"""The benchmark of selections: its figures are what they are called, and its points go where a person would click."""

from __future__ import annotations

import numpy as np
from benchmarks.select import CELL, middle, next_point, overlap, sheet, table, ways

from overpaint.picture import from_array


def marked(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    found = np.zeros((60, 80), bool)
    for left, top, right, bottom in boxes:
        found[top:bottom, left:right] = True
    return found


def test_overlap_is_the_intersection_over_the_union():
    assert overlap(marked((0, 0, 10, 10)), marked((5, 0, 15, 10))) == 50 / 150
    assert overlap(marked(), marked()) == 0


def test_points_go_into_the_largest_wrong_region():
    wanted = marked((10, 10, 30, 30))
    assert middle(wanted) == (19.5, 19.5) or max(abs(at - 20) for at in middle(wanted)) <= 1
    lost = next_point(marked((10, 10, 15, 30)), wanted)
    assert (lost.inside, wanted[int(lost.y), int(lost.x)]) == (True, True)
    surplus = next_point(marked((10, 10, 30, 30), (40, 0, 80, 60)), wanted)
    assert (surplus.inside, surplus.x > 40) == (False, True)


def test_every_way_is_measured_and_shown():
    wanted = marked((20, 15, 50, 45))
    picture = from_array(np.where(wanted[..., None], np.uint8([200, 60, 60]), np.uint8([30, 160, 60])))
    found = ways([picture], [wanted])
    assert {name: round(float(way.overlaps[0]), 2) for name, way in found.items()} == dict.fromkeys(found, 1.0)
    rows = table(found, np.array([True])).splitlines()
    assert len(rows) == 2 + len(found)
    assert all(row.count("|") == 7 for row in rows)
    assert sheet([picture], [wanted], found).shape == (24 + CELL[1], CELL[0] * (1 + len(found)), 3)
