"""Variations of one edit, painted together, and the contact sheet that shows them."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future

import numpy as np
import pytest

import overpaint
from overpaint import Mask, Monitor, Studio
from overpaint.engines import Canvas, EngineCard, Painted
from overpaint.errors import Cancelled, EngineError, RequestError
from overpaint.geometry import Box, Size
from overpaint.picture import Picture, from_array
from overpaint.studio import Edited, contact_sheet, make_tile
from overpaint.studio.contact import GAP, LINE
from stand_ins import StandIn, echo, flat, noise
from test_untouched import picture_of

SIZE = Size(96, 64)


@pytest.fixture
def picture() -> Picture:
    return picture_of(SIZE, "rgb", 8)


@pytest.fixture
def mask() -> Mask:
    return Mask.box(SIZE, Box(30, 20, 50, 36))


def variations(engine: StandIn, picture: Picture, mask: Mask, count: int, **settings: object) -> list[Edited]:
    with Studio() as studio:
        studio.add_engine(engine)
        ask = {"mask": mask, "engine": "stand-in", "intent": "custom", **settings}
        return list(studio.variations(picture, count=count, **ask))


def test_each_variation_is_what_its_seed_gives(picture, mask):
    several = variations(noise(), picture, mask, 3, seed=(1 << 63) - 2)
    seeds = [(1 << 63) - 2, (1 << 63) - 1, 0]
    assert [one.resolved.seed for one in several] == [one.request.seed for one in several] == seeds
    with Studio() as studio:
        studio.add_engine(noise())
        for one in several:
            again = studio.edit(picture, one.request)
            assert np.array_equal(again.picture.samples, one.picture.samples)
            assert again.resolved == one.resolved
            assert again.regions[0].seed == one.regions[0].seed
    assert not np.array_equal(several[0].picture.samples, several[1].picture.samples)


def test_a_seed_left_open_is_drawn_once_and_counted_on(picture, mask):
    first, second = variations(noise(), picture, mask, 2)
    assert second.resolved.seed == (first.resolved.seed + 1) % (1 << 63)


def test_regions_of_a_variation_have_seeds_of_their_own(picture):
    both = Mask.box(SIZE, Box(2, 2, 8, 8)).union(Mask.box(SIZE, Box(80, 50, 90, 60)))
    engine = echo()
    variations(engine, picture, both, 2, seed=40, padding=4)
    assert [canvas.seed for canvas in engine.canvases] == [40, 41, 41, 42]


def test_the_engine_is_given_all_of_them_at_once(picture, mask):
    waiting: list[tuple[Canvas, Future[Painted]]] = []

    class Together(StandIn):
        """Paints only once three canvases wait."""

        def submit(self, canvas: Canvas, monitor: Monitor) -> Future[Painted]:
            future: Future[Painted] = Future()
            waiting.append((canvas, future))
            if len(waiting) == 3:
                for one, its in waiting:
                    its.set_result(Painted(one.pixels.copy()))
            return future

    assert len(variations(Together(lambda canvas, _: Painted(canvas.pixels)), picture, mask, 3)) == 3


def test_progress_is_that_of_all_together(picture, mask):
    def paint(canvas: Canvas, monitor: Monitor) -> Painted:
        for step in range(1, 3):
            monitor.progress(step, 2)
        return Painted(canvas.pixels)

    seen: list[tuple[int, int]] = []
    variations(StandIn(paint), picture, mask, 3, monitor=Monitor(lambda *at: seen.append(at)))
    assert seen == [(step, 6) for step in range(1, 7)]


def test_a_failure_keeps_what_came_before_and_calls_off_what_comes_after(picture, mask):
    begun: list[int] = []

    def paint(canvas: Canvas, monitor: Monitor) -> Painted:
        begun.append(canvas.seed)
        if canvas.seed == 11:
            raise EngineError("out of paint")
        for _ in range(4000 if canvas.seed > 11 else 0):
            monitor.progress(1, 2)
            time.sleep(0.005)
        return Painted(canvas.pixels)

    got: list[int] = []
    with Studio() as studio:
        studio.add_engine(StandIn(paint))
        every = studio.variations(picture, mask=mask, engine="stand-in", intent="custom", seed=10, count=40)
        with pytest.raises(EngineError, match="out of paint"):
            got.extend(one.resolved.seed for one in every)
    assert got == [10]
    assert len(begun) <= 3


def test_leaving_early_calls_off_the_rest(picture, mask):
    gate, ended = threading.Event(), []

    def paint(canvas: Canvas, monitor: Monitor) -> Painted:
        try:
            while canvas.seed > 10 and not gate.wait(0.005):
                monitor.progress(1, 2)
        except Cancelled:
            ended.append(canvas.seed)
            raise
        return Painted(canvas.pixels)

    stop = threading.Timer(20, gate.set)  # so that a failure of this test ends
    stop.start()
    with Studio() as studio:
        studio.add_engine(StandIn(paint))
        for _ in studio.variations(picture, mask=mask, engine="stand-in", intent="custom", seed=10, count=3):
            break
    stop.cancel()
    assert not gate.is_set()
    assert ended in ([], [11])  # the second may not have begun


@pytest.mark.parametrize("count", [0, -1])
def test_there_must_be_some(count, picture, mask):
    with Studio() as studio, pytest.raises(RequestError, match=f"at least 1, not {count}"):
        studio.variations(picture, mask=mask, intent="remove", count=count)


def test_wrong_input_is_reported_at_once(picture, mask):
    with Studio() as studio, pytest.raises(RequestError, match="radios"):
        studio.variations(picture, mask=mask, intent="remove", engine="telea", options={"radios": 3}, count=2)


# ---- the contact sheet ----


def test_a_tile_shows_the_edited_part_and_its_seed():
    size = Size(900, 600)
    (edited,) = variations(flat(0.5), picture_of(size, "rgb", 8), Mask.box(size, Box(400, 300, 440, 320)), 1, seed=7)
    tile = make_tile(edited, 3)
    assert tile.caption == "3   seed 7"
    box = edited.regions[0].box
    high, wide = tile.pixels.shape[:2]
    assert box.height < high < 300
    assert box.width < wide < 300
    around = max(32, max(box.size) // 2)
    expected = edited.picture.samples[box.top - around : box.bottom + around, box.left - around : box.right + around]
    assert np.abs(tile.pixels.astype(int) - expected).max() <= 1


def test_where_most_is_edited_the_whole_picture_is_shown_reduced():
    size = Size(1600, 1000)
    picture = picture_of(size, "rgb+alpha", 16)
    (edited,) = variations(flat(0.5), picture, Mask.box(size, Box(100, 100, 1500, 900)), 1, seed=7)
    tile = make_tile(edited, 1)
    assert tile.pixels.shape == (480, 768, 3)


@pytest.mark.parametrize("count", [1, 2, 5, 12, 40])
@pytest.mark.parametrize("size", [Size(96, 64), Size(64, 200)])
def test_every_variation_is_on_the_sheet_with_its_seed(count, size):
    mask = Mask.box(size, Box(30, 20, 50, 60))
    edits = variations(noise(), picture_of(size, "rgb", 8), mask, count, seed=(1 << 63) - 100)
    sheet = contact_sheet(iter(edits))
    assert (sheet.depth, sheet.samples.shape[2]) == (8, 3)
    assert max(sheet.size) <= 6000
    tiles = _tiles(sheet.samples)
    assert len(tiles) == count
    pictures, captions = zip(*tiles, strict=True)
    assert len({one.tobytes() for one in pictures}) == count
    assert len({one.tobytes() for one in captions}) == count
    for caption in captions:  # dark on white, and clear of the tile's own edges
        assert caption.min() < 100
        assert (caption[:, 0] == 255).all()
        assert (caption[:, -1] == 255).all()


def _tiles(sheet: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pictures and captions of a sheet, found by the white between them."""

    def runs(empty: np.ndarray) -> list[tuple[int, int]]:
        edges = np.flatnonzero(np.diff(np.concatenate([[1], empty.astype(int), [1]])))
        return list(zip(edges[::2], edges[1::2], strict=True))

    white = (sheet == 255).all(axis=2)
    columns = [run for run in runs(white[GAP + 1]) if run[1] - run[0] > 20]
    wide = columns[0][1] - columns[0][0]
    found = []
    for top, bottom in runs(white[:, columns[0][0] + 1]):
        if bottom - top <= LINE:
            continue
        for left, right in ((left, left + wide) for left, _ in columns):
            if not white[top:bottom, left:right].all():
                found.append((sheet[top:bottom, left:right], sheet[bottom : bottom + LINE, left - 4 : right + 4]))
    return found


def test_a_sheet_of_nothing_is_refused():
    with pytest.raises(RequestError, match="at least one"):
        contact_sheet([])


def test_the_top_level_offers_both(tmp_path, picture, mask):
    edits = overpaint.variations(picture, mask=mask, intent="remove", engine="exemplar", count=2, seed=1)
    sheet = overpaint.contact_sheet(edits)
    assert overpaint.save(sheet, tmp_path / "sheet.png").is_file()


def test_variations_of_an_engine_without_a_seed_are_refused_with_the_reason(picture, mask):
    with Studio() as studio:
        with pytest.raises(
            RequestError, match="telea does not use a seed, so that its variations would be equal"
        ) as caught:
            studio.variations(picture, mask=mask, intent="remove", engine="telea", count=2)
        assert caught.value.code == "variations-equal"
        assert len(list(studio.variations(picture, mask=mask, intent="remove", engine="telea", count=1))) == 1


def test_several_variations_are_exact_and_recorded_so_unless_the_request_says_otherwise(picture, mask):
    with Studio() as studio:
        studio.add_engine(noise(EngineCard(name="stand-in", title="", samples=True, accepts=frozenset({"seed"}))))
        ask = {"mask": mask, "engine": "stand-in", "intent": "custom", "seed": 1}
        several = list(studio.variations(picture, count=2, **ask))
        assert [one.record.resolved.exact for one in several] == [True, True]
        assert [one.resolved.exact for one in studio.variations(picture, count=1, **ask)] == [False]
        assert [one.resolved.exact for one in studio.variations(picture, count=2, exact=False, **ask)] == [False] * 2
        again = studio.edit(picture, several[1].request)
    assert np.array_equal(again.picture.samples, several[1].picture.samples)


def test_variations_of_the_patch_based_fill_differ_visibly_and_each_is_what_its_request_gives():
    size = Size(160, 120)
    rng = np.random.default_rng(1)
    samples = np.kron(rng.integers(0, 256, (24, 32, 3)), np.ones((5, 5, 1))).astype(np.uint8)
    picture, mask = from_array(samples), Mask.box(size, Box(60, 40, 100, 80))
    with Studio() as studio:
        several = list(studio.variations(picture, mask=mask, intent="remove", engine="exemplar", count=3, seed=1))
        alone = [studio.edit(picture, mask=mask, intent="remove", seed=seed) for seed in (1, 2)]
        again = studio.edit(picture, several[2].request)

    def apart(one: Edited, other: Edited) -> float:
        return float(np.abs(one.picture.samples[mask.core].astype(float) - other.picture.samples[mask.core]).mean())

    assert several[0].request.options == {"variety": 0.2}
    assert min(apart(several[0], several[1]), apart(several[1], several[2])) > 10
    assert alone[0].request.options is None
    assert np.array_equal(again.picture.samples, several[2].picture.samples)
