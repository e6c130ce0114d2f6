"""What a click selects, by colours and edges alone."""

from __future__ import annotations

import numpy as np
import pytest

from overpaint.errors import RequestError
from overpaint.select import Click, select_clicked


def scene(height: int = 90, width: int = 120) -> np.ndarray:
    """A blue disc and a red box on green, each with some noise."""
    down, across = np.mgrid[:height, :width]
    pixels = np.empty((height, width, 3), np.float32)
    pixels[:] = (0.2, 0.5, 0.2)
    pixels[disc(height, width)] = (0.2, 0.2, 0.8)
    pixels[50:80, 70:105] = (0.8, 0.2, 0.2)
    noise = np.random.default_rng(0).normal(0, 0.02, pixels.shape)
    return np.clip(pixels + noise + 0.0004 * (down + across)[..., None], 0, 1).astype(np.float32)


def disc(height: int = 90, width: int = 120) -> np.ndarray:
    down, across = np.mgrid[:height, :width]
    return (across - 35) ** 2 + (down - 40) ** 2 < 22**2


def overlap(found: np.ndarray, wanted: np.ndarray) -> float:
    return (found & wanted).sum() / (found | wanted).sum()


def test_a_click_on_a_plain_thing_finds_it_and_nothing_else():
    box = np.zeros((90, 120), bool)
    box[50:80, 70:105] = True
    assert overlap(select_clicked(scene(), [Click(35, 40)]), disc()) > 0.9
    assert overlap(select_clicked(scene(), [Click(88, 65)]), box) > 0.9


def test_a_click_that_is_not_of_the_object_keeps_its_thing_out():
    both = [Click(35, 40), Click(88, 65)]
    without = [Click(35, 40), Click(88, 65, inside=False)]
    assert select_clicked(scene(), both)[65, 88]
    assert not select_clicked(scene(), without)[65, 88]
    assert select_clicked(scene(), without)[40, 35]


def test_the_same_clicks_select_the_same():
    assert np.array_equal(select_clicked(scene(), [Click(35, 40)]), select_clicked(scene(), [Click(35, 40)]))


@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (3, 5)])
def test_the_smallest_and_thinnest_pictures_are_taken(size):
    found = select_clicked(np.full((*size, 3), 0.5, np.float32), [Click(0, 0)])
    assert (found.shape, found.dtype) == (size, np.bool_)


@pytest.mark.parametrize("clicks", [[], [Click(5, 5, inside=False)], [Click(-1, 5)], [Click(5, 91)], [Click(1e9, 0)]])
def test_clicks_outside_or_of_nothing_are_refused(clicks):
    with pytest.raises(RequestError, match="clicks"):
        select_clicked(scene(), clicks)
