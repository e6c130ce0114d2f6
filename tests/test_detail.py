"""Detail beyond an engine's size: structure from the engine, fine detail from the surroundings, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from overpaint import Mask, Monitor, Studio
from overpaint.engines import EngineCard, Painted, SizeRules
from overpaint.errors import Cancelled
from overpaint.finish.detail import CAREFUL, FULL, Detail, detailed
from overpaint.geometry import Box, Size
from overpaint.picture import Picture, from_array
from overpaint.record import read_record
from overpaint.request import EditRequest, ResolvedRequest, Usual
from overpaint.studio import resolve
from stand_ins import DIFFUSION, PIXEL, StandIn, flat
from test_untouched import picture_of

SIDE = 320
TIMES = 4
HOLE = Box(110, 110, 210, 210)
SMALL = EngineCard(
    name="stand-in",
    title="of a size far below the picture's",
    edge="diffusion",
    sizes=SizeRules(native=64, multiple=8, maximum_area=64 * 64),
)


def meadow(seed: int = 1, side: int = SIDE) -> np.ndarray:
    """(side, side, 3) float32: green texture with structure at every scale down to single pixels."""
    rng = np.random.default_rng(seed)
    total = np.zeros((side, side), np.float32)
    for sigma, weight in ((0.0, 0.5), (1.0, 1.0), (3.0, 1.5), (8.0, 1.0)):
        layer = rng.standard_normal((side, side)).astype(np.float32)
        layer = cv2.GaussianBlur(layer, (0, 0), sigma) if sigma else layer
        total += weight * layer / layer.std()
    tone = 0.5 + 0.06 * total
    return np.clip(np.dstack([0.5 * tone, tone, 0.4 * tone]), 0, 1).astype(np.float32)


def reduced(picture: np.ndarray, times: int = TIMES, blur: float = 0.0) -> np.ndarray:
    """What an engine of a smaller size gives back, enlarged again."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (width // times, height // times), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), blur) if blur else small
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def hole_of(picture: np.ndarray, box: Box = HOLE) -> np.ndarray:
    hole = np.zeros(picture.shape[:2], bool)
    hole[box.slices] = True
    return hole


def energy(picture: np.ndarray, where: np.ndarray) -> float:
    """Mean squared gradient of the green channel."""
    green = picture[..., 1].astype(np.float64)
    steps = np.diff(green, axis=0)[:, :-1] ** 2 + np.diff(green, axis=1)[:-1] ** 2
    return float(steps[where[:-1, :-1]].mean())


def with_detail(patch: np.ndarray, picture: np.ndarray, soft: np.ndarray | None = None, **settings: object) -> Detail:
    hole = hole_of(picture)
    soft = reduced(picture) if soft is None else soft
    return detailed(patch, picture, soft, ~hole, hole, **{"enlarged": TIMES, "seed": 3, **settings})


def disc(shape: tuple[int, ...], radius: float = 40.0) -> np.ndarray:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return (rows - HOLE.top - 50) ** 2 + (columns - HOLE.left - 50) ** 2 < radius**2


def test_a_grassy_fill_becomes_grassy():
    picture, hole = meadow(), hole_of(meadow())
    soft = reduced(picture)
    found = with_detail(soft, picture)
    truth = energy(picture, hole)
    assert energy(soft, hole) < 0.15 * truth
    assert 0.4 * truth < energy(found.pixels, hole) < 1.2 * truth
    assert found.share > 0.5


def test_the_structure_stays_the_engines():
    picture = meadow()
    soft = reduced(picture)
    found = with_detail(soft, picture)
    hole = hole_of(picture)
    assert np.abs(cv2.blur(found.pixels - soft, (17, 17)))[hole].max() * 255 < 6


@pytest.mark.parametrize("limits", [FULL, CAREFUL])
@pytest.mark.parametrize("shade", [0.0, 0.2])
def test_a_flat_coloured_object_stays_flat_and_the_grass_beside_it_does_not(limits, shade):
    picture, hole = meadow(), hole_of(meadow())
    scene = picture.copy()
    ball, inner = disc(picture.shape), disc(picture.shape, 30)
    rows = np.mgrid[:SIDE, :SIDE][0].astype(np.float32)
    tone = 1 - shade * (rows - HOLE.top) / HOLE.height
    scene[ball] = (np.float32([0.8, 0.1, 0.1]) * tone[..., None])[ball]
    patch = reduced(scene)
    found = with_detail(patch, picture, limits=limits)
    assert np.abs(found.pixels - patch)[inner].max() * 255 < 0.5
    beside = hole & ~disc(picture.shape, 52)
    assert energy(found.pixels, beside) > (3 if limits is FULL else 1.5) * energy(patch, beside)


def test_a_flat_object_of_the_surroundings_own_colour_stays_flat():
    picture = meadow()
    scene = picture.copy()
    scene[disc(picture.shape)] = picture.mean(axis=(0, 1))
    patch = reduced(scene)
    found = with_detail(patch, picture)
    inner = disc(picture.shape, 28)
    assert energy(found.pixels, inner) < 0.1 * energy(picture, inner)


def test_constant_surroundings_give_nothing():
    picture = np.full((SIDE, SIDE, 3), 0.4, np.float32)
    patch = reduced(meadow())
    assert np.abs(with_detail(patch, picture, soft=picture).pixels - patch).max() < 1e-5


def test_another_texture_gets_nothing_when_limits_are_strict():
    rows, columns = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    fine = np.random.default_rng(2).normal(0, 0.05, (SIDE, SIDE, 1)).astype(np.float32)
    across = np.repeat(0.5 + 0.2 * np.sin(rows / 3)[..., None], 3, axis=2).astype(np.float32) + fine
    down = np.repeat(0.5 + 0.2 * np.sin(columns / 3)[..., None], 3, axis=2).astype(np.float32)
    patch = reduced(down)
    found = with_detail(patch, across, limits=CAREFUL)
    assert found.share < 0.05
    assert with_detail(reduced(across), across, limits=CAREFUL).share > 10 * found.share


def test_careful_adds_no_more_than_full():
    picture = meadow()
    patch = reduced(meadow(seed=8))
    assert 0 < with_detail(patch, picture, limits=CAREFUL).share < with_detail(patch, picture).share


def test_pixels_outside_the_target_are_equal_bit_for_bit():
    picture = meadow()
    patch = reduced(picture)
    found = with_detail(patch, picture)
    hole = hole_of(picture)
    assert np.array_equal(found.pixels[~hole], patch[~hole])
    assert not np.array_equal(found.pixels[hole], patch[hole])


@pytest.mark.parametrize("times", [1.6, 2.0, 2.9, 4.0, 8.0])
def test_unknown_pixels_are_never_read(times):
    """Neither the old object in the hole nor what stands beyond the picture or under alpha 0."""
    picture = meadow()
    known = ~hole_of(picture)
    known[:, :60] = False
    patch = reduced(picture, 4)
    rng = np.random.default_rng(0)
    results = []
    for _ in range(2):
        shown = np.where(known[..., None], picture, rng.random(picture.shape, dtype=np.float32))
        size = (round(SIDE / times), round(SIDE / times))
        small = cv2.resize(shown, size, interpolation=cv2.INTER_AREA)
        soft = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        found = detailed(patch, shown, soft, known, hole_of(picture), enlarged=times, seed=3)
        results.append(found.pixels)
    assert np.array_equal(*results)
    assert not np.array_equal(results[0], patch)


def test_the_same_seed_gives_the_same_pixels_and_another_others():
    picture = meadow()
    patch = reduced(picture)
    one, same, other = (with_detail(patch, picture, seed=seed).pixels for seed in (3, 3, 4))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_nothing_is_done_where_nothing_was_lost_or_nothing_is_known():
    picture, hole = meadow(), hole_of(meadow())
    patch = reduced(picture)
    assert with_detail(patch, picture, enlarged=1.1).pixels is patch
    nothing = np.zeros_like(hole)
    assert detailed(patch, picture, patch, nothing, hole, enlarged=4).pixels is patch
    assert detailed(patch, picture, patch, ~hole, nothing, enlarged=4).pixels is patch


def test_a_hole_that_fills_its_frame_but_for_a_strip_does_not_fail():
    picture = meadow(side=128)
    hole = np.ones((128, 128), bool)
    hole[:, :12] = False
    patch = reduced(picture)
    for times in (1.3, 2.5, 4.0, 9.0):
        found = detailed(patch, picture, patch, ~hole, hole, enlarged=times)
        assert np.isfinite(found.pixels).all()


def test_the_wait_can_be_called_off():
    def stop() -> None:
        raise Cancelled("enough")

    with pytest.raises(Cancelled):
        with_detail(reduced(meadow()), meadow(), check=stop)


# Through the studio.


def again(blur: float = 0.0, evidence: bool = False) -> StandIn:
    """Gives back what the hole held, as an engine that knew the truth would: softened, and all but equal to it."""

    def paint(canvas, monitor):
        seen = cv2.GaussianBlur(canvas.pixels, (0, 0), blur) if blur else canvas.pixels * np.float32(0.9999)
        return Painted(seen, evidence=seen if evidence else None)

    return StandIn(paint, SMALL)


def edit(engine: StandIn, picture: Picture, **settings: object):
    with Studio() as studio:
        studio.add_engine(engine)
        mask = Mask.box(picture.size, HOLE)
        return studio.edit(picture, mask=mask, engine="stand-in", **{"intent": "remove", "seed": 5, **settings})


def photo(depth: int = 8) -> Picture:
    top = 255 if depth == 8 else 65535
    return from_array(np.rint(meadow() * top).astype(np.uint8 if depth == 8 else np.uint16))


def test_remove_adds_detail_and_the_record_says_how_much():
    picture, core = photo(), hole_of(meadow())
    plain, fine = edit(again(), picture, detail="none"), edit(again(), picture)
    assert energy(fine.picture.samples, core) > 3 * energy(plain.picture.samples, core)
    assert fine.regions[0].detail > 0.5
    assert fine.record.regions[0].detail > 0.5
    assert fine.record.resolved.detail == "full"
    assert plain.regions[0].detail == 0


@pytest.mark.parametrize("depth", [8, 16])
def test_switched_off_it_is_the_enlarged_patch_and_nothing_else(depth):
    picture = photo(depth)
    engine = again()
    edited = edit(engine, picture, detail="none")
    (region,) = edited.regions
    canvas = engine.canvases[0]
    from overpaint.frame import Frame

    enlarged = Frame(region.frame, region.working, picture.size).from_working(canvas.pixels * np.float32(0.9999))
    patch = enlarged[region.box.shift(-region.frame.left, -region.frame.top).slices] * picture.maximum
    assert np.allclose(region.patch, patch, atol=picture.maximum * 1e-6)


@pytest.mark.parametrize("colours", ["rgb", "rgb+alpha", "grey", "grey+alpha"])
@pytest.mark.parametrize("depth", [8, 16])
def test_pixels_beyond_the_reach_are_untouched_whatever_the_picture(colours, depth):
    size = Size(SIDE, SIDE)
    picture = picture_of(size, colours, depth)
    edited = edit(again(), picture)
    assert edited.regions[0].working != edited.regions[0].frame.size
    weight = np.zeros((SIDE, SIDE), bool)
    weight[edited.regions[0].box.slices] = edited.regions[0].weight > 0
    assert np.array_equal(edited.picture.samples[~weight], picture.samples[~weight])
    if picture.samples.shape[2] == 1:
        assert edited.picture.samples.shape == picture.samples.shape


def test_expanding_takes_detail_from_the_picture_and_not_from_its_repeated_edge():
    picture = photo()
    with Studio() as studio:
        studio.add_engine(again())
        edited = studio.edit(picture, intent="expand", margins=(80, 0, 0, 0), engine="stand-in", seed=1)
        off = studio.edit(picture, intent="expand", margins=(80, 0, 0, 0), engine="stand-in", seed=1, detail="none")
    assert np.array_equal(edited.picture.samples[:, 200:], off.picture.samples[:, 200:])
    assert edited.resolved.detail == "full"


def test_no_detail_is_taken_from_what_the_request_avoids():
    picture = photo()
    rough = Mask.box(picture.size, HOLE).grow(60).invert()  # all but a band around the hole
    samples = picture.samples.copy()
    samples[rough.support] = np.random.default_rng(3).integers(0, 2, (np.count_nonzero(rough.support), 1)) * 255
    noisy = from_array(samples)
    plain, avoiding = edit(again(), noisy), edit(again(), noisy, avoid=rough)
    band = edit(again(), from_array(np.where(rough.support[..., None], 128, samples).astype(np.uint8)), avoid=rough)
    assert avoiding.pixels_sha256 != plain.pixels_sha256
    assert np.array_equal(avoiding.regions[0].patch, band.regions[0].patch), "its pixels decide nothing"


def test_an_engine_softer_than_a_reduction_is_made_up_for_when_it_shows_evidence():
    picture, core = photo(), hole_of(meadow())
    blind = edit(again(blur=1.2), picture, colour_match=False, seam=False)
    shown = edit(again(blur=1.2, evidence=True), picture, colour_match=False, seam=False)
    truth = energy(picture.samples, core)
    assert energy(shown.picture.samples, core) > 1.5 * energy(blind.picture.samples, core)
    assert energy(shown.picture.samples, core) < 1.2 * truth


def test_a_pixel_engine_and_a_frame_at_full_size_get_none():
    picture = photo()
    pixel = edit(flat(), picture)
    assert pixel.resolved.detail is None
    large = EngineCard(name="stand-in", title="", edge="diffusion", sizes=SizeRules(native=64, multiple=8))
    edited = edit(StandIn(lambda canvas, _: Painted(canvas.pixels * np.float32(0.9)), large), picture)
    assert edited.resolved.detail == "full"
    assert edited.regions[0].detail == 0


# The setting.


def settled(intent: str, card: EngineCard = DIFFUSION, **settings: object) -> ResolvedRequest:
    return resolve(EditRequest.of(intent, prompt="x", **settings), card, seed=0)


def test_the_intent_decides_unless_the_request_does():
    full = {"remove", "background", "expand"}
    for intent in ("remove", "replace", "recolor", "background", "refine", "add", "expand", "custom"):
        assert settled(intent).detail == ("full" if intent in full else "careful")
        assert settled(intent, detail="full").detail == "full"
        assert settled(intent, detail="none").detail == "none"
        assert settled(intent, detail="careful").detail == "careful"
        assert settled(intent, PIXEL, detail="full").detail is None
        assert settled(intent, detail="surroundings").detail == "surroundings"
    assert settled("remove", dialect="diffusers").detail == "none"
    assert settled("remove", dialect="diffusers", detail="full").detail == "full"


@pytest.mark.parametrize("prompt", [None, "", "  "])
def test_without_a_prompt_a_model_may_leave_all_texture_to_the_surroundings(prompt):
    own = Usual(detail="surroundings")

    def found(request: EditRequest, usual: Usual = own) -> ResolvedRequest:
        return resolve(request, replace(DIFFUSION, usual=usual), seed=0)

    for intent in ("remove", "expand"):
        request = EditRequest.of(intent, **({} if prompt is None else {"prompt": prompt}))
        resolved = found(request)
        assert resolved.detail == "surroundings"
        assert found(request.merged(detail=resolved.detail), Usual()) == resolved
        assert found(request, Usual()).detail == found(request.merged(prompt="grass")).detail == "full"
        assert found(request.merged(detail="careful")).detail == "careful"
    for intent in ("refine", "custom"):
        assert found(EditRequest.of(intent)).detail == "careful"


def test_older_requests_and_records_mean_what_they_meant():
    """Versions without the setting `detail` added none, so a record without that key is read as "none"."""
    off = settled("remove", detail="none")
    old = off.to_mapping() | {"schema": 1, "kind": "learned"}
    del old["detail"], old["paints_from"]
    assert ResolvedRequest.from_mapping(old) == off
    assert settled("remove").digest != off.digest
    assert settled("remove", PIXEL).digest == settled("remove", PIXEL, detail="none").digest
    request = EditRequest.of("remove")
    assert "detail" not in request.to_mapping()
    assert EditRequest.from_json(request.merged(detail="none").to_json()).detail == "none"


@pytest.mark.parametrize("settings", [{}, {"detail": "full"}, {"detail": "none"}, {"dialect": "diffusers"}])
@pytest.mark.parametrize("intent", ["remove", "custom"])
def test_a_record_asks_for_the_same_again(intent, settings, tmp_path):
    first = edit(again(), photo(), intent=intent, **settings)
    first.save(tmp_path / "out.png")
    found = read_record(tmp_path / "out.png")
    request = EditRequest.of(**{**found.settings, "engine": "e", "image": None})
    again_resolved = resolve(request, DIFFUSION, seed=5)
    assert again_resolved.detail == first.resolved.detail


def test_a_monitor_that_is_cancelled_after_painting_ends_the_edit():
    monitor = Monitor()

    def paint(canvas, _):
        monitor.cancel()
        return Painted(canvas.pixels * np.float32(0.99))

    with pytest.raises(Cancelled):
        edit(StandIn(paint, SMALL), photo(), monitor=monitor)
