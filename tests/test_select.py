"""What hints select: by colours and edges alone, without weights."""

from __future__ import annotations

import threading
import tracemalloc
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overpaint.errors import MaskError, MissingExtraError, OverpaintError, RequestError
from overpaint.geometry import Box
from overpaint.mask import Mask
from overpaint.picture import Picture, from_array
from overpaint.request import MaskSpec, SelectPart
from overpaint.select import (
    HintPoint,
    Selector,
    SelectorHints,
    select,
    selected,
    selector,
    selector_card,
    selector_names,
)
from overpaint.select import guided as guided_module
from overpaint.select.cache import ContentCache
from overpaint.select.guided import WIDE, guided, refined
from overpaint.select.seen import SeenPicture
from overpaint.studio import mask_of


def disc(height: int = 90, width: int = 120, x: float = 35, y: float = 40, radius: float = 22) -> np.ndarray:
    down, across = np.mgrid[:height, :width] + 0.5
    return (across - x) ** 2 + (down - y) ** 2 < radius**2


def scene(height: int = 90, width: int = 120) -> Picture:
    """A blue disc and a red box on green, each with some noise."""
    down, across = np.mgrid[:height, :width]
    pixels = np.empty((height, width, 3), np.float32)
    pixels[:] = (0.2, 0.5, 0.2)
    pixels[disc(height, width)] = (0.2, 0.2, 0.8)
    pixels[50:80, 70:105] = (0.8, 0.2, 0.2)
    noise = np.random.default_rng(0).normal(0, 0.02, pixels.shape)
    shaded = pixels + noise + 0.0004 * (down + across)[..., None]
    return from_array(np.rint(np.clip(shaded, 0, 1) * 255).astype(np.uint8))


def at(*points: tuple[float, float], but: tuple[tuple[float, float], ...] = (), **more: object) -> SelectorHints:
    hints = tuple(HintPoint(*one) for one in points) + tuple(HintPoint(*one, inside=False) for one in but)
    return SelectorHints(points=hints, **more)


def overlap(found: np.ndarray, wanted: np.ndarray) -> float:
    return (found & wanted).sum() / (found | wanted).sum()


RED_BOX = np.zeros((90, 120), bool)
RED_BOX[50:80, 70:105] = True


@pytest.mark.parametrize("horizon", [40, 50])
@pytest.mark.parametrize("noise", [0, 0.005])
def test_one_point_on_a_small_thing_does_not_take_the_sky_behind_it(horizon: int, noise: float):
    """The land has far stronger edges than the thing, and the sky before them is plain."""
    pixels = np.full((120, 160, 3), (0.6, 0.75, 0.9), np.float32)
    thing = np.s_[16:26, 70:86]
    pixels[thing] = (0.5, 0.6, 0.75)
    pixels = cv2.GaussianBlur(pixels, (0, 0), 1)
    pixels[horizon:] = (0.1, 0.15, 0.1)
    pixels += np.random.default_rng(0).normal(0, noise, pixels.shape)
    picture = from_array(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8))
    wanted = np.zeros((120, 160), bool)
    wanted[thing] = True
    assert overlap(selected(picture, "grabcut", at((78, 21))).core, wanted) > 0.9


def test_the_american_spelling_of_colour_is_the_same_selector():
    assert selector("color") is selector("colour")
    assert "color" not in selector_names()


@pytest.mark.parametrize("name", ["grabcut", "colour"])
def test_a_point_on_a_plain_thing_finds_it_and_nothing_else(name):
    assert (
        overlap(
            selected(scene(), name, at((35, 40), options={"tolerance": 20} if name == "colour" else {})).core, disc()
        )
        > 0.95
    )
    assert (
        overlap(
            selected(scene(), name, at((88, 65), options={"tolerance": 20} if name == "colour" else {})).core, RED_BOX
        )
        > 0.95
    )


def test_a_box_around_a_thing_finds_it():
    assert overlap(selected(scene(), "grabcut", SelectorHints(boxes=(Box(8, 12, 63, 68),))).core, disc()) > 0.97


def test_boxes_select_a_thing_each():
    both = selected(scene(), "grabcut", SelectorHints(boxes=(Box(8, 12, 63, 68), Box(66, 46, 110, 84)))).core
    assert overlap(both, disc() | RED_BOX) > 0.97


def test_a_rough_mask_is_moved_to_the_edge():
    rough = Mask(disc(radius=18).astype(np.float32))
    assert overlap(rough.core, disc()) < 0.7
    assert overlap(selected(scene(), "grabcut", SelectorHints(mask=rough)).core, disc()) > 0.95


@pytest.mark.parametrize("name", ["grabcut", "colour"])
def test_a_point_that_is_not_of_it_keeps_its_thing_out(name):
    options = {"tolerance": 20, "contiguous": False} if name == "colour" else {}
    both = selected(scene(), name, at((35, 40), (88, 65), options=options)).core
    one = selected(scene(), name, at((35, 40), but=((88, 65),), options=options)).core
    assert both[[65, 40], [88, 35]].all()
    assert one[[65, 40], [88, 35]].tolist() == [False, True]


@settings(max_examples=25, deadline=None)
@given(
    radius=st.integers(8, 60),
    place=st.tuples(st.floats(0.3, 0.7), st.floats(0.3, 0.7)),
    thing=st.tuples(*[st.integers(0, 255)] * 3),
    shift=st.sampled_from([(60, 0, 0), (0, -60, 60), (-60, -60, -60), (60, 60, 60), (0, 90, 0)]),
)
def test_a_point_in_a_flat_disc_selects_it_at_any_size_place_and_colour(radius, place, thing, shift):
    ground = np.clip(np.array(thing) + shift, 0, 255)
    if np.abs(ground - thing).sum() < 60:
        ground = np.clip(np.array(thing) - shift, 0, 255)
    size = 4 * radius + 20
    x, y = (share * size for share in place)
    wanted = disc(size, size, x, y, radius)
    pixels = np.where(wanted[..., None], np.array(thing), ground).astype(np.uint8)
    for name in ("grabcut", "colour"):
        found = selected(
            from_array(pixels), name, at((x, y), options={"tolerance": 3} if name == "colour" else {})
        ).core
        band = disc(size, size, x, y, radius + 1) & ~disc(size, size, x, y, radius - 1)
        assert not (found ^ wanted)[~band].any(), name


def test_a_large_picture_s_edges_are_its_own_to_a_pixel():
    wanted = disc(900, 1200, 500.3, 420.7, 230)
    pixels = np.where(wanted[..., None], np.uint8([40, 90, 200]), np.uint8([210, 200, 180]))
    for hints in (at((500, 420)), SelectorHints(boxes=(Box(240, 170, 760, 680),))):
        found = selected(from_array(pixels), "grabcut", hints).core
        band = disc(900, 1200, 500.3, 420.7, 231) & ~disc(900, 1200, 500.3, 420.7, 229)
        assert not (found ^ wanted)[~band].any()


def two_discs() -> Picture:
    pixels = np.full((60, 100, 3), (30, 160, 60), np.uint8)
    pixels[disc(60, 100, 25, 30, 15) | disc(60, 100, 75, 30, 15)] = (200, 60, 60)
    return from_array(pixels)


def test_a_colour_is_taken_where_it_is_joined_to_the_point_or_everywhere():
    near, far = disc(60, 100, 25, 30, 15), disc(60, 100, 75, 30, 15)
    assert np.array_equal(selected(two_discs(), "colour", at((25, 30))).core, near)
    everywhere = selected(two_discs(), "colour", at((25, 30), options={"contiguous": False})).core
    assert np.array_equal(everywhere, near | far)


def test_tolerance_is_a_distance_in_lab():
    import cv2

    colours = np.uint8([[[100, 100, 100], [120, 100, 100]]])
    left, right = cv2.cvtColor(colours.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0]
    apart = float(np.linalg.norm(left - right))
    pixels = np.repeat(np.repeat(colours, 20, axis=0), 20, axis=1)
    for tolerance, share in ((apart - 0.1, 0.5), (apart + 0.1, 1.0)):
        found = selected(from_array(pixels), "colour", at((5, 5), options={"tolerance": tolerance}))
        assert found.fraction == share


def test_strips_leave_no_seam_in_a_colour(monkeypatch):
    whole = selected(scene(), "colour", at((35, 40))).values
    monkeypatch.setattr("overpaint.select.colour.STRIP", 500)
    assert np.array_equal(selected(scene(), "colour", at((35, 40))).values, whole)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_picture_has_the_turned_selection(turns):
    pixels = np.full((64, 80, 3), (60, 120, 200), np.uint8)
    pixels[disc(64, 80, 30, 28, 17)] = (220, 200, 60)
    turned = from_array(np.ascontiguousarray(np.rot90(pixels, turns)))
    rows, columns = np.mgrid[:64, :80]
    row, column = (
        int(np.rot90(one, turns)[np.rot90((rows == 28) & (columns == 30), turns)][0]) for one in (rows, columns)
    )
    assert (row, column) == (28, 30)
    spot = np.argwhere(np.rot90((rows == 28) & (columns == 30), turns))[0]
    for name in ("grabcut", "colour"):
        straight = selected(from_array(pixels), name, at((30.5, 28.5))).core
        found = selected(turned, name, at((spot[1] + 0.5, spot[0] + 0.5))).core
        assert np.array_equal(found, np.rot90(straight, turns)), name


@pytest.mark.parametrize("name", ["grabcut", "colour"])
@pytest.mark.parametrize("size", [(1, 1), (1, 400), (400, 1), (3, 5)])
def test_the_smallest_and_thinnest_pictures_are_taken(name, size):
    found = selected(from_array(np.full((*size, 3), 128, np.uint8)), name, at((0, 0)))
    assert (found.values.shape, found.values.dtype) == (size, np.float32)


@pytest.mark.parametrize("name", ["grabcut", "colour"])
def test_depth_grey_and_alpha_are_seen_as_they_look(name):
    marked = disc()
    grey = np.where(marked, 220, 40).astype(np.uint8)
    deep = from_array(np.where(marked, 56540, 10280).astype(np.uint16))
    clear = from_array(np.dstack([np.full((90, 120, 3), 220, np.uint8), np.where(marked, 255, 0).astype(np.uint8)]))
    for picture in (from_array(grey), deep, clear):
        assert overlap(selected(picture, name, at((35, 40))).core, marked) > 0.98


@pytest.mark.parametrize(
    ("name", "hints", "code"),
    [
        ("grabcut", SelectorHints(), "hint-missing"),
        ("grabcut", at(but=((5, 5),)), "hint-missing"),
        ("grabcut", at((-1, 5)), "hint-outside"),
        ("grabcut", at((5, 91)), "hint-outside"),
        ("grabcut", at((1e9, 0)), "hint-outside"),
        ("grabcut", at((float("nan"), 0)), "hint-outside"),
        ("grabcut", SelectorHints(boxes=(Box(200, 0, 300, 50),)), "hint-outside"),
        ("grabcut", SelectorHints(text="the disc"), "hint-refused"),
        ("grabcut", SelectorHints(mask=Mask.full((5, 5))), "mask-size"),
        ("colour", SelectorHints(boxes=(Box(0, 0, 9, 9),)), "hint-refused"),
        ("colour", at((5, 5), options={"tolerance": -1}), "selector-option"),
        ("colour", at((5, 5), options={"tolerence": 5}), "selector-option"),
        ("colur", at((5, 5)), "selector-unknown"),
    ],
)
def test_hints_that_do_not_suit_are_refused_in_words(name, hints, code):
    with pytest.raises(OverpaintError) as caught:
        select(scene(), name, hints)
    assert (caught.value.code, bool(caught.value.field)) == (code, True)


def test_a_misspelt_selector_and_option_are_recognised():
    with pytest.raises(RequestError, match="did you mean 'colour'"):
        select(scene(), "colur")
    with pytest.raises(RequestError, match="did you mean 'tolerance'"):
        select(scene(), "colour", at((5, 5), options={"tolerence": 5}))


@pytest.mark.parametrize("name", selector_names())
def test_every_selector_keeps_the_contract(name):
    if name == "text" and (find_spec("rapidocr") is None or find_spec("onnxruntime") is None):
        with pytest.raises(MissingExtraError, match=r"overpaint\[text\]"):
            selector_card(name)
        return
    card = selector_card(name)
    assert isinstance(selector(name), Selector)
    assert (card.name, bool(card.title), bool(card.digest), bool(card.licence), bool(card.tip)) == (name, *[True] * 4)


def test_nothing_found_says_what_to_try(monkeypatch):
    monkeypatch.setattr(type(selector("colour")), "select", lambda *_: [])
    with pytest.raises(MaskError, match=r"found nothing in the picture; click on it, or raise the tolerance") as caught:
        select(scene(), "colour", at((5, 5)))
    assert (caught.value.code, caught.value.value) == ("nothing-selected", "colour")


def test_a_request_s_part_selects_and_joins_the_others():
    part = SelectPart(selector="colour", points=((35, 40),), not_points=((88, 65),), options={"tolerance": 20})
    spec = MaskSpec.model_validate(MaskSpec(parts=(part,)).to_mapping())
    assert spec == MaskSpec(parts=(part,))
    found = mask_of(spec, scene().size, picture=scene())
    assert np.array_equal(
        found.core, selected(scene(), "colour", at((35, 40), but=((88, 65),), options={"tolerance": 20})).core
    )
    with pytest.raises(MaskError, match="there is none"):
        mask_of(spec, scene().size)
    with pytest.raises(RequestError, match="pick 3 is not there: 'colour' gave one selection"):
        mask_of(MaskSpec(parts=(part.model_copy(update={"pick": 3}),)), scene().size, picture=scene())


def test_what_is_kept_goes_by_content_and_stays_within_its_budget():
    kept = ContentCache(budget=100)
    made: list[str] = []

    def value(name: str, size: int = 40) -> str:
        return kept.get(name, lambda: made.append(name) or name, lambda _: size)

    for name in ("a", "b", "a", "c", "a", "b"):
        assert value(name) == name
        assert kept.bytes <= 100
    assert made == ["a", "b", "c", "b"]  # c took the place of b, which was used before a
    assert value("huge", 101) == "huge"
    assert kept.bytes <= 100
    threads = [threading.Thread(target=value, args=(str(number % 3),)) for number in range(12)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert kept.bytes <= 100


def test_equal_pixels_are_seen_once_and_changed_ones_anew():
    first, again = SeenPicture.of(scene()), SeenPicture.of(scene())
    assert first.part(None, 50) is again.part(None, 50)
    changed = scene().samples.copy()
    changed[0, 0] ^= 1
    assert SeenPicture.of(from_array(changed)).digest != first.digest


@pytest.mark.parametrize("radius", [9, 11, 24, 60])
def test_an_edge_is_moved_to_the_picture_s_own_by_windows_of_any_width(radius):
    """Those of wide windows are found in a reduced picture: the edge is that of the picture itself all the same."""
    pixels = np.full((200, 500, 3), (0.9, 0.9, 0.9), np.float32)
    pixels[:, 203:] = (0.2, 0.2, 0.8)
    for off in (-radius // 4, radius // 4):
        rough = np.zeros((200, 500), bool)
        rough[:, 203 + off :] = True
        found = refined(lambda box: pixels[box.slices], rough, radius, step=max(1, radius // 6))
        assert np.array_equal(found[20:-20], np.broadcast_to(np.arange(500) >= 203, (160, 500)))
        assert np.array_equal(found[:, 300:], rough[:, 300:])


def test_a_click_on_a_large_photo_takes_a_hundred_bytes_a_pixel():
    """With the filter on all of the photo, for each pixel, it takes three times as much."""
    colours = np.full((1200, 3000, 3), (40, 90, 200), np.int16)
    colours[200:900, 300:2500] = (220, 60, 30)
    picture = from_array((colours + np.random.default_rng(0).integers(-8, 9, colours.shape)).astype(np.uint8))
    tracemalloc.start()
    try:
        (found,) = select(picture, "grabcut", SelectorHints(boxes=(Box(200, 120, 2600, 1000),)))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.mask.bounds == Box(300, 200, 2500, 900)
    assert most < 150 * 1200 * 3000


def blobs(seed: int, width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) colours with some noise, and a (H, W) bool mask of other shapes."""
    drawn = np.random.default_rng(seed)
    soft = cv2.resize(drawn.random((6, 7, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    colours = np.clip(soft + drawn.normal(0, 0.02, soft.shape), 0, 1).astype(np.float32).reshape(height, width, 3)
    rough = cv2.resize(drawn.random((4, 5)).astype(np.float32), (width, height)).reshape(height, width) > 0.5
    return colours, rough


@settings(max_examples=25)
@given(seed=st.integers(0, 999), radius=st.integers(1, WIDE), width=st.integers(1, 400), height=st.integers(1, 300))
def test_an_edge_is_followed_by_boxes_as_if_the_whole_were_one(seed, radius, width, height):
    colours, rough = blobs(seed, width, height)
    element = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1,) * 2)
    near = cv2.morphologyEx(rough.view(np.uint8), cv2.MORPH_GRADIENT, element, borderType=cv2.BORDER_REPLICATE) > 0
    whole = guided(colours, rough.astype(np.float32), radius)
    wanted = np.where(near, whole >= np.float32(0.5), rough)
    found = refined(lambda box: colours[box.slices], rough, radius)
    clear = np.abs(whole - 0.5) > 1e-4  # the last bits of a mean depend on where a box begins
    assert np.array_equal(found[clear], wanted[clear])


@pytest.mark.parametrize("radius", [14, 23, 40])
def test_boxes_by_which_an_edge_is_followed_leave_no_seam(radius, monkeypatch):
    colours, rough = blobs(3, 611, 397)
    by_boxes = refined(lambda box: colours[box.slices], rough, radius, step=radius // 6)
    monkeypatch.setattr(guided_module, "SIDE", 10_000)
    whole = refined(lambda box: colours[box.slices], rough, radius, step=radius // 6)
    assert (whole != rough).sum() > 0
    assert (by_boxes != whole).sum() <= 3


def test_far_from_an_edge_no_colours_are_looked_at():
    rough = np.zeros((900, 1200), bool)
    rough[300:500, 200:500] = True
    seen: list[Box] = []

    def colours(box: Box) -> np.ndarray:
        seen.append(box)
        return np.full((box.height, box.width, 3), 0.5, np.float32)

    assert refined(colours, rough, 4).shape == rough.shape
    assert sum(box.area for box in seen) < 0.1 * rough.size
    edge = cv2.morphologyEx(rough.view(np.uint8), cv2.MORPH_GRADIENT, np.ones((3, 3))) > 0
    covered = np.zeros_like(rough)
    for box in seen:
        covered[box.slices] = True
    assert covered[edge].all()
