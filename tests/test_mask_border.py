"""A roughly drawn mask's border moves to the object's."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from overpaint.mask.border import moved_border
from overpaint.mask.matte import cut_out, matte
from test_matte import GREY, SIDE, furry, scene

Flags = NDArray[np.bool_]


def grown(mask: Flags, radius: int) -> Flags:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(radius) + 1,) * 2)
    change = cv2.dilate if radius > 0 else cv2.erode
    return change(mask.astype(np.uint8), kernel) > 0


@pytest.mark.parametrize("off", [8, 4, -4])
def test_a_border_that_is_off_is_put_right(off: int) -> None:
    true = furry(hairs=0)
    picture, _ = scene(true)
    found = moved_border(picture, grown(true > 0.5, off), 10)
    drawn = np.count_nonzero(grown(true > 0.5, off) ^ (true > 0.5))
    assert np.count_nonzero(found ^ (true > 0.5)) < 0.1 * drawn


def test_a_right_border_stays() -> None:
    true = furry(hairs=0)
    picture, _ = scene(true, texture=0.1)
    assert np.count_nonzero(moved_border(picture, true > 0.5, 10) ^ (true > 0.5)) < 0.1 * np.count_nonzero(
        (true > 0) & (true < 1)
    )


def test_a_part_so_thin_that_no_pixel_is_in_doubt_stays() -> None:
    pixels, inside = np.random.default_rng(2).random((5, 7, 3), np.float32), np.ones((5, 7), bool)
    inside[1:3, 2:4] = False
    assert np.array_equal(moved_border(pixels, inside, 1), inside)


def test_a_border_without_a_picture_of_it_stays() -> None:
    true = furry(hairs=0)
    found = moved_border(np.full((SIDE, SIDE, 3), GREY, np.float32), true > 0.5, 10)
    assert np.count_nonzero(found ^ (true > 0.5)) < 0.02 * np.count_nonzero(true > 0.5)


def test_it_moves_no_further_than_the_reach() -> None:
    true = furry(hairs=0)
    picture, _ = scene(true)
    mask = grown(true > 0.5, 20)
    changed = moved_border(picture, mask, 6) ^ mask
    inner, outer = grown(mask, -7), grown(mask, 5)
    assert changed.any()
    assert not (changed & (inner | ~outer)).any()


def test_a_wide_reach_is_worked_on_at_a_smaller_scale_with_the_same_result() -> None:
    large = cv2.resize(furry(hairs=0), (800, 800), interpolation=cv2.INTER_LINEAR)
    edge = cv2.GaussianBlur((large > 0.5).astype(np.float32), (0, 0), 1.0)
    picture = np.float32(0.2) + np.float32(0.5) * edge[..., None] * np.ones(3, np.float32)
    found = moved_border(picture, grown(large > 0.5, 30), 40)
    assert np.count_nonzero(found ^ (large > 0.5)) < 0.05 * np.count_nonzero(grown(large > 0.5, 30) ^ (large > 0.5))


@pytest.mark.parametrize("value", [False, True])
def test_a_mask_without_a_border_stays(value: bool) -> None:
    mask = np.full((24, 24), value)
    assert np.array_equal(moved_border(np.full((24, 24, 3), 0.3, np.float32), mask, 5), mask)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (3, 5), (17, 64)])
def test_small_and_flat_pictures_give_a_mask(shape: tuple[int, int]) -> None:
    mask = np.zeros(shape, bool)
    mask.reshape(-1)[: mask.size // 2] = True
    for level in (0.0, 0.5, 1.0):
        assert moved_border(np.full((*shape, 3), level, np.float32), mask, 4).shape == shape


def test_a_cut_out_of_a_loose_mask_has_less_of_the_ground_than_the_matte_alone() -> None:
    true = furry()
    picture, _ = scene(true, texture=0.1)
    loose = grown(true > 0.5, 6).astype(np.float32)
    alone, moved = matte(picture, loose, 4).opacity, cut_out(picture, loose, 8).opacity
    assert np.abs(moved - true).sum() < 0.5 * np.abs(alone - true).sum()


def test_a_cut_out_keeps_pixels_that_must_stay_opaque() -> None:
    true = furry(hairs=0)
    picture, _ = scene(true)
    loose = grown(true > 0.5, 6)
    found = cut_out(picture, loose.astype(np.float32), 8, within=np.zeros(loose.shape, bool))
    assert (found.opacity[loose] == 1).all()


def outline_length(mask: Flags) -> float:
    """The length of the outlines of a mask, along its pixels, in pixels."""
    lines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    return sum(cv2.arcLength(line, True) for line in lines)


def lone_columns(mask: Flags) -> int:
    """Pixels that differ from both of their neighbours in their row, or in their column."""
    one = mask.astype(np.int8)
    return sum(
        np.count_nonzero((view[:, 1:-1] != view[:, :-2]) & (view[:, 1:-1] != view[:, 2:])) for view in (one, one.T)
    )


def polygon_inside(true: Flags, cut: int) -> Flags:
    """The mask as a polygon, the right side of which runs some pixels inside."""
    lines, _ = cv2.findContours(true.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    drawn = np.zeros(true.shape, np.uint8)
    cv2.fillPoly(drawn, [cv2.approxPolyDP(lines[0], 2, True)], 1)
    drawn[:, np.nonzero(true)[1].max() - cut + 1 :] = 0
    return drawn > 0


@pytest.mark.parametrize("texture", [0.0, 0.1])
def test_a_polygon_that_cuts_into_the_object_gets_a_smooth_border(texture: float) -> None:
    true = furry(hairs=0)
    picture, _ = scene(true, texture=texture)
    drawn = polygon_inside(true > 0.5, 6)
    found = moved_border(picture, drawn, 12)
    assert outline_length(found) < 1.1 * outline_length(true > 0.5)
    assert lone_columns(found) <= lone_columns(true > 0.5) + 8
    assert np.count_nonzero(found ^ (true > 0.5)) < 0.5 * np.count_nonzero(drawn ^ (true > 0.5))
    opacity = cut_out(picture, drawn.astype(np.float32), 12).opacity
    assert outline_length(opacity > 0.5) < 1.1 * outline_length(true > 0.5)
    assert lone_columns(opacity > 0.5) <= lone_columns(true > 0.5) + 8


def test_a_border_that_is_hardly_seen_stays() -> None:
    true = furry(hairs=0)
    picture = np.float32(0.5) + np.float32(0.004) * true[..., None] * np.ones(3, np.float32)
    picture += np.random.default_rng(4).normal(0, 0.02, picture.shape).astype(np.float32)
    drawn = polygon_inside(true > 0.5, 6)
    found = moved_border(picture, drawn, 12)
    assert np.count_nonzero(found ^ drawn) < 0.005 * np.count_nonzero(drawn)
    assert outline_length(found) < 1.02 * outline_length(drawn)
