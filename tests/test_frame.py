"""The frame, the two masks, and the regions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overpaint.frame import Context, Edge, Framing, SizeRules, automatic_edge, fit, plan, reach_of, two_masks
from overpaint.frame.edges import REACH_LIMIT
from overpaint.geometry import Box, Size
from overpaint.mask import Mask

PIXEL = SizeRules()
SD = SizeRules(native=512, multiple=8, maximum_area=768 * 768, maximum_aspect=3.0)
POCKET = SizeRules(native=192, multiple=8, minimum=128, maximum_area=256 * 256)
SQUARE = SizeRules(native=512, multiple=64, square=True, maximum_area=512 * 512)


@st.composite
def holes(draw: st.DrawFn) -> tuple[Size, Box]:
    size = Size(draw(st.integers(1, 900)), draw(st.integers(1, 900)))
    left, top = draw(st.integers(0, size.width - 1)), draw(st.integers(0, size.height - 1))
    return size, Box(left, top, draw(st.integers(left + 1, size.width)), draw(st.integers(top + 1, size.height)))


framings = st.builds(
    Framing,
    area=st.sampled_from(["masked", "whole"]),
    padding=st.none() | st.integers(0, 300),
    context=st.builds(Context, ratio=st.floats(0, 3), minimum=st.integers(0, 64), maximum=st.integers(64, 800)),
)


@given(holes(), framings)
@settings(deadline=None)
def test_a_pixel_engine_sees_the_picture_itself_and_nothing_beyond_it(hole, framing):
    size, bounds = hole
    frame = fit(bounds, size, framing, PIXEL)
    assert size.box.contains(frame.box)
    assert frame.box.contains(bounds)
    assert frame.working == frame.box.size
    if framing.area == "whole":
        assert frame.box == size.box
    elif framing.padding is not None:
        padded = bounds.pad(framing.padding)
        assert frame.box.width == min(padded.width, size.width), "moved inside, not cut"
        assert frame.box.height == min(padded.height, size.height)


@given(holes(), framings, st.sampled_from([SD, POCKET, SQUARE]))
@settings(deadline=None)
def test_a_frame_obeys_the_size_rules_and_holds_the_hole(hole, framing, rules):
    size, bounds = hole
    frame = fit(bounds, size, framing, rules)
    working = frame.working
    assert working.width % rules.multiple == working.height % rules.multiple == 0
    assert min(working) >= rules.multiple
    assert working.area <= max(rules.maximum_area, rules.multiple**2)
    if rules.square:
        assert working.width == working.height
    assert frame.box.contains(bounds)
    if working.area < rules.maximum_area * 0.8 and min(working) > rules.multiple:  # one multiple: rounded down by half
        assert working.area >= rules.native**2 * 0.98, "never below native but for the rounding to multiples"
    # Both axes are scaled alike but for the rounding.
    across, down = working.width / frame.box.width, working.height / frame.box.height
    slack = 2 * rules.multiple / min(working) + 2 / min(frame.box.size)
    assert abs(across / down - 1) <= slack


def test_one_side_is_rounded_down_where_that_is_enough():
    """A minimum side and a largest area that hardly go together: 128 x 512 is cut down to fit, not to half of that."""
    frame = fit(Box(0, 0, 1, 257), Size(1, 257), Framing(area="whole"), POCKET)
    assert frame.working.area <= 256 * 256
    assert frame.working.area >= 192 * 192 * 0.98


@given(holes(), framings, st.sampled_from([SD, POCKET, SQUARE]))
@settings(deadline=None)
def test_a_frame_leaves_the_picture_only_where_the_picture_is_too_small(hole, framing, rules):
    size, bounds = hole
    frame = fit(bounds, size, framing, rules)
    left, top, right, bottom = frame.overhang
    if left or right:
        assert frame.box.width > size.width
    if top or bottom:
        assert frame.box.height > size.height


@given(holes(), framings, st.sampled_from([PIXEL, SD, POCKET, SQUARE]), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=40)
def test_there_and_back_is_exact(hole, framing, rules, seed):
    size, bounds = hole
    image = np.random.default_rng(seed).integers(0, 65536, (*size.shape, 3), dtype=np.uint16)
    frame = fit(bounds, size, framing, rules)
    crop = frame.cut(image)
    assert crop.shape[:2] == frame.box.size.shape
    inside = frame.inside.shift(-frame.box.left, -frame.box.top)
    assert np.array_equal(crop[inside.slices], image[frame.inside.slices])
    if frame.working == frame.box.size:
        values = crop.astype(np.float32)
        assert np.array_equal(frame.from_working(frame.to_working(values)), values)
    else:
        values = np.ones(crop.shape, np.float32)
        back = frame.from_working(frame.to_working(values))
        assert back.shape == crop.shape
        assert np.allclose(back, 1, atol=1e-5)


def test_a_point_of_the_canvas_comes_back_to_where_it_was():
    size = Size(1000, 800)
    frame = fit(Box(700, 500, 740, 560), size, Framing(padding=40), SD)
    ramp = np.tile(np.arange(size.width, dtype=np.float32), (size.height, 1))
    crop = frame.cut(ramp)
    back = frame.from_working(frame.to_working(crop))
    assert frame.working != frame.box.size
    # The border pixel itself is clamped by the interpolation; everything within is where it was.
    assert np.abs(back - crop)[:, 2:-2].max() < 0.05


def test_beyond_the_picture_its_edge_is_repeated():
    frame = fit(Box(0, 0, 10, 5), Size(10, 5), Framing(), SizeRules(multiple=8))
    image = np.arange(50, dtype=np.uint8).reshape(5, 10)
    crop = frame.cut(image)
    assert frame.working == Size(16, 8) == frame.box.size
    assert crop[0, 0] == image[0, 0]
    assert crop[-1, -1] == image[-1, -1]
    assert frame.cut(image, "zero").sum() == image.sum()


def _hard(size: Size, box: Box) -> Mask:
    return Mask.box(size, box)


@given(holes(), st.floats(0, 40), st.floats(0, 40))
@settings(deadline=None, max_examples=60)
def test_the_two_masks_are_1_on_the_core_and_0_beyond_the_reach(hole, grow, feather):
    size, bounds = hole
    mask, edge = _hard(size, bounds), Edge(grow, feather)
    masks = two_masks(mask, edge)
    for values in (masks.denoise, masks.composite):
        assert values.dtype == np.float32
        assert values.min() >= 0
        assert values.max() <= 1
        assert (values[mask.core] == 1).all()
    rows, columns = np.mgrid[: size.height, : size.width]
    across = np.maximum(0, np.maximum(bounds.left - columns, columns - (bounds.right - 1)))
    down = np.maximum(0, np.maximum(bounds.top - rows, rows - (bounds.bottom - 1)))
    distance = np.hypot(across, down)
    assert not masks.composite[distance > edge.total + 1e-3].any()
    assert (masks.composite[distance <= edge.grow - 1e-3] == 1).all()
    reach = reach_of(masks.composite > 0, mask.support)
    assert not masks.composite[distance > reach + 1e-6].any()
    assert reach <= np.ceil(edge.total)


@given(st.integers(0, 2**32 - 1), st.floats(0, 20), st.floats(0, 20))
@settings(deadline=None, max_examples=40)
def test_a_soft_mask_keeps_its_own_edge_and_still_covers_its_core(seed, grow, feather):
    values = np.random.default_rng(seed).random((40, 50), dtype=np.float32)
    values[values < 0.4] = 0
    mask = Mask(values)
    own = two_masks(mask, Edge(), hard=False)
    assert np.array_equal(own.denoise, values)
    assert np.array_equal(own.composite > 0, values > 0)
    assert (own.composite[values >= 0.5] == 1).all()
    wider = two_masks(mask, Edge(grow, feather), hard=False)
    assert (wider.composite >= own.composite).all()
    assert (wider.composite[mask.core] == 1).all()


def test_strict_ends_at_the_masks_own_support():
    for mask in (_hard(Size(30, 20), Box(5, 5, 12, 9)), Mask.box(Size(90, 80), Box(20, 20, 60, 50)).feather(5)):
        (region,) = plan(mask, engine="diffusion", sizes=PIXEL, framing=Framing(), grow=0.0, feather=0.0)
        whole = np.zeros(mask.size.shape, bool)
        whole[region.box.slices] = region.masks.composite > 0
        assert np.array_equal(whole, mask.support)


def test_a_power_line_and_a_blemish_keep_a_small_reach():
    wire = Mask.box(Size(4200, 600), Box(100, 300, 4100, 312))
    spot = Mask.ellipse(Size(4200, 3000), Box(2000, 1500, 2012, 1512))
    square = Mask.box(Size(2000, 2000), Box(500, 500, 1500, 1500))
    for mask, most in ((wire, 9), (spot, 9)):
        (region,) = plan(mask, engine="diffusion", sizes=SD, framing=Framing())
        assert region.edge.total <= most
    (region,) = plan(square, engine="diffusion", sizes=SD, framing=Framing())
    assert 90 <= region.edge.total <= REACH_LIMIT


def test_the_edge_follows_strength_kind_and_rule():
    region = np.ones((300, 400), bool)
    full = automatic_edge(region, engine="diffusion", strength=1.0)
    half = automatic_edge(region, engine="diffusion", strength=0.5)
    assert half.feather == pytest.approx(full.feather / 2)
    assert automatic_edge(region, engine="pixel") == automatic_edge(region, engine="narrow") == Edge(2, 3)
    assert automatic_edge(region, engine="diffusion", rule="narrow") == automatic_edge(region, engine="pixel")
    assert automatic_edge(region, engine="diffusion", rule="none") == Edge()
    assert automatic_edge(region, engine="diffusion", rule="tight").grow == 0


@pytest.mark.parametrize("engine", ["pixel", "diffusion", "narrow"])
def test_an_antialiased_edge_gets_the_same_edge_as_a_hard_one(engine):
    size = Size(300, 300)
    brush = Mask.ellipse(size, (100, 80, 180, 160), antialias=True)
    hard = Mask(brush.support.astype(np.float32))
    (soft_region,) = plan(brush, engine=engine, sizes=PIXEL, framing=Framing())
    (hard_region,) = plan(hard, engine=engine, sizes=PIXEL, framing=Framing())
    assert soft_region.edge == hard_region.edge
    assert np.array_equal(soft_region.masks.composite, hard_region.masks.composite)
    (strict,) = plan(brush, engine=engine, sizes=PIXEL, framing=Framing(), grow=0, feather=0)
    whole = np.zeros(size.shape, np.float32)
    whole[strict.box.slices] = strict.masks.composite
    assert np.array_equal(whole, np.minimum(1, 2 * brush.values)), "its own smooth edge"
    assert (strict.masks.denoise == (strict.masks.composite > 0)).all(), "painted entirely"


def test_each_part_is_hard_or_soft_by_itself():
    size = Size(600, 200)
    mask = Mask.box(size, (20, 10, 80, 70)) | Mask.box(size, (400, 60, 460, 120), feather=8)
    hard, soft = plan(mask, engine="diffusion", sizes=PIXEL, framing=Framing(padding=10))
    assert hard.edge.feather >= 4
    assert soft.edge == Edge()
    assert np.array_equal(soft.masks.denoise, mask.values[soft.box.slices])


def test_a_given_edge_is_taken_as_it_is_and_a_limit_scales_it():
    mask = _hard(Size(400, 400), Box(150, 150, 250, 250))
    (region,) = plan(mask, engine="diffusion", sizes=SD, framing=Framing(), grow=60.0, feather=90.0)
    assert (region.edge.grow, region.edge.feather) == (60, 90)
    (region,) = plan(mask, engine="diffusion", sizes=SD, framing=Framing(), grow=60.0, feather=90.0, limit=50)
    assert region.edge.total == pytest.approx(50)


def _spots(size: Size, places: list[tuple[int, int]], side: int = 6) -> Mask:
    values = np.zeros(size.shape, np.float32)
    for x, y in places:
        values[y : y + side, x : x + side] = 1
    return Mask(values)


def test_distant_parts_are_painted_apart_and_near_ones_together():
    framing = Framing(padding=20)
    mask = _spots(Size(1000, 1000), [(100, 100), (115, 100), (800, 800)])
    regions = plan(mask, engine="pixel", sizes=PIXEL, framing=framing)
    assert [region.parts for region in regions] == [2, 1]
    assert regions[0].frame.box.intersect(regions[1].frame.box).empty


@given(st.lists(st.tuples(st.integers(0, 590), st.integers(0, 390)), min_size=1, max_size=40), st.integers(0, 60))
@settings(deadline=None, max_examples=40)
def test_regions_never_overlap_are_few_and_miss_nothing(places, padding):
    mask = _spots(Size(600, 400), places, side=5)
    regions = plan(mask, engine="pixel", sizes=PIXEL, framing=Framing(padding=padding))
    assert 1 <= len(regions) <= 8
    covered = np.zeros(mask.size.shape, np.float32)
    for k, region in enumerate(regions):
        assert region.frame.box.contains(region.box)
        assert region.denoise.shape == region.frame.box.size.shape
        covered[region.box.slices] = np.maximum(covered[region.box.slices], region.masks.composite)
        assert all(region.frame.box.intersect(other.frame.box).empty for other in regions[k + 1 :])
    whole = two_masks(mask, Edge(2, 3)).composite
    assert np.array_equal(covered, whole)


def test_thousands_of_specks_are_one_group_each_with_the_same_edge():
    rng = np.random.default_rng(7)
    mask = _spots(Size(1200, 900), [(int(x), int(y)) for x, y in rng.integers(0, 890, (700, 2))], side=2)
    regions = plan(mask, engine="pixel", sizes=PIXEL, framing=Framing())
    assert len(regions) == 1
    assert np.array_equal(regions[0].masks.composite, two_masks(mask, Edge(2, 3)).composite[regions[0].box.slices])


def test_a_twentieth_of_a_large_photo_is_seen_at_the_native_size_and_its_own_scale():
    size = Size(1024, 1024)
    for side, left, top in ((229, 400, 400), (229, 0, 700), (200, 500, 120)):
        box = Box(left, top, left + side, top + side)
        (region,) = plan(
            Mask.box(size, box), engine="diffusion", sizes=SD, framing=Framing(context=Context(0.5, 64, 512))
        )
        assert region.frame.working == Size(512, 512)
        assert region.frame.working == region.frame.box.size


@given(holes(), st.integers(0, 120))
@settings(deadline=None)
def test_context_is_measured_from_the_mask_not_from_its_edge(hole, edge):
    size, mask = hole
    bounds = mask.pad(edge).intersect(size.box)
    framing = Framing(context=Context(0.5, 64, 512))
    frame = fit(bounds, size, framing, PIXEL, mask)
    assert frame.box.contains(bounds.pad(32).intersect(size.box)), "something is known all round"
    assert frame.box.width <= mask.pad(framing.pad(mask)).union(bounds.pad(32)).width
    alone = fit(mask, size, framing, PIXEL)
    if edge <= 32:
        assert frame == alone
