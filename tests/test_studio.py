"""The studio: one door, with engines that do a known thing behind it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import overpaint
from overpaint import Edit, EditFailure, EditRequest, Mask, Monitor, Studio
from overpaint.composite import share_of
from overpaint.engines import Canvas, EngineCard, Painted
from overpaint.errors import (
    Cancelled,
    EngineError,
    MaskError,
    OutputError,
    PictureError,
    RequestError,
    UnknownEngineError,
)
from overpaint.geometry import Box, Size
from overpaint.picture import Metadata, Picture, encode, from_array, open_picture
from overpaint.request import blob_of
from overpaint.studio import pixel_digest
from stand_ins import LEARNED, StandIn, echo, flat, noise, shifting, waiting
from test_picture_colour import profile
from test_untouched import picture_of

SIZE = Size(96, 64)


@pytest.fixture
def picture() -> Picture:
    return picture_of(SIZE, "rgb", 8)


@pytest.fixture
def photo(tmp_path: Path, picture: Picture) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(encode(picture, "png").data)
    return path


@pytest.fixture
def mask() -> Mask:
    return Mask.box(SIZE, Box(30, 20, 50, 36))


def edit(engine: StandIn, picture: object, **settings: object) -> overpaint.Edited:
    with Studio() as studio:
        studio.add_engine(engine)
        given = {} if "request" in settings else {"intent": "custom"}
        return studio.edit(picture, engine="stand-in", **{**given, **settings})


def test_the_same_seed_gives_the_same_picture_and_another_another(picture, mask):
    one, same, other = (edit(noise(), picture, mask=mask, seed=seed).picture.samples for seed in (5, 5, 6))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_an_open_seed_is_drawn_and_recorded(picture, mask):
    first, second = edit(noise(), picture, mask=mask), edit(noise(), picture, mask=mask, seed=-1)
    assert first.resolved.seed >= 0
    assert first.resolved.seed != second.resolved.seed
    again = edit(noise(), picture, mask=mask, seed=first.resolved.seed)
    assert np.array_equal(again.picture.samples, first.picture.samples)


def test_region_k_is_painted_with_seed_plus_k(picture):
    mask = Mask.box(SIZE, Box(2, 2, 8, 8)).union(Mask.box(SIZE, Box(80, 50, 90, 60)))
    engine = echo()
    edited = edit(engine, picture, mask=mask, padding=4, seed=40)
    assert [canvas.seed for canvas in engine.canvases] == [40, 41]
    assert [region.seed for region in edited.regions] == [40, 41]


def test_a_request_says_it_all_and_gives_the_same_picture_again(picture, mask):
    first = edit(noise(), picture, mask=mask, seed=7, grow=3.0)
    request = EditRequest.from_json(first.request.to_json())
    with Studio() as studio:
        studio.add_engine(noise())
        again = studio.edit(picture, request)
    assert np.array_equal(again.picture.samples, first.picture.samples)
    assert again.resolved.digest == first.resolved.digest


def test_a_request_for_another_picture_is_refused(picture, mask):
    first = edit(echo(), picture, mask=mask, seed=7)
    other = picture_of(SIZE, "rgb", 8, seed=9)
    from overpaint.request import picture_blob

    with pytest.raises(RequestError, match="another picture"):
        edit(echo(), other, request=first.request.merged(image=picture_blob(picture)))


def test_a_request_of_another_type_is_refused(picture, mask):
    with pytest.raises(RequestError, match="a request is an EditRequest, not dict"):
        edit(echo(), picture, mask=mask, request={"intent": "remove"})


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("size", [Size(96, 64), Size(220, 150)])
def test_a_shift_that_the_engine_shows_in_its_evidence_is_taken_back(depth, size):
    picture = picture_of(size, "rgb", depth)
    mask = Mask.ellipse(size, Box(30, 20, 70, 50))
    card = EngineCard(name="stand-in", title="", edge="diffusion", sizes=LEARNED.sizes)
    shifted = edit(shifting((0.05, -0.04, 0.03), card), picture, mask=mask, colour_match=False, seam=False)
    fixed = edit(shifting((0.05, -0.04, 0.03), card), picture, mask=mask)
    core = mask.core
    levels = 255 / picture.maximum

    def error(edited):
        change = edited.picture.samples[core].astype(float) - picture.samples[core]
        return np.abs(change.mean(axis=0)).max() * levels

    assert error(shifted) > 7
    assert error(fixed) < 0.6


def test_a_learned_engine_gets_srgb_at_its_own_size_and_the_settings(picture, mask):
    engine = echo(LEARNED)
    edit(engine, picture, mask=mask, prompt="a red flower", strength=0.6, steps=12)
    (canvas,) = engine.canvases
    assert canvas.size.width % 8 == canvas.size.height % 8 == 0
    assert canvas.size.area >= 64 * 64 * 0.98
    assert canvas.sampling is not None
    assert (canvas.sampling.prompt, canvas.sampling.strength, canvas.sampling.steps) == ("a red flower", 0.6, 12)
    assert canvas.pixels.dtype == canvas.mask.dtype == np.float32
    assert 0 <= canvas.pixels.min() <= canvas.pixels.max() <= 1


def test_an_engine_that_repeats_what_it_saw_changes_nothing(picture, mask):
    for depth in (8, 16):
        deep = picture_of(SIZE, "rgb", depth)
        assert np.array_equal(edit(echo(), deep, mask=mask).picture.samples, deep.samples)


def test_an_engine_that_paints_nothing_changes_nothing_at_any_working_size(picture, mask):
    engine = echo(LEARNED)
    edited = edit(engine, picture, mask=mask, prompt="x", padding=4)
    assert engine.canvases[0].size != edited.regions[0].frame.size
    assert np.array_equal(edited.picture.samples, picture.samples)


@pytest.mark.parametrize("settings", [{"intent": "remove"}, {"intent": "expand", "margins": (4, 0, 0, 0)}])
def test_what_needs_no_prompt_is_done_without_a_model_and_says_that_the_prompt_had_no_effect(settings, picture, mask):
    with Studio() as studio:
        edited = studio.edit(picture, mask=mask, prompt="grass", seed=1, **settings)
    engine = "extend" if edited.resolved.intent == "expand" else "exemplar"
    assert edited.resolved.engine == engine
    assert f"{engine} does not use prompt: it continues the surroundings" in edited.notes


def test_the_reach_is_limited_without_an_explicit_edge():
    picture, mask = picture_of(Size(400, 400), "rgb", 8), Mask.box(Size(400, 400), Box(190, 190, 210, 210))
    asked = edit(flat(), picture, mask=mask, grow=120.0, feather=0.0)
    assert (asked.reach, asked.resolved.reach_limit) == (120, None)
    held = edit(flat(), picture, mask=mask, grow=120.0, feather=0.0, reach_limit=30)
    assert (held.reach, held.resolved.reach_limit) == (30, 30)
    assert edit(flat(), picture, mask=mask).resolved.reach_limit == 96


def test_background_repaints_all_but_the_subject(picture, mask):
    edited = edit(flat(1.0), picture, mask=mask, intent="background", prompt="a beach")
    subject = edited.picture.samples[24:32, 34:46]
    assert np.array_equal(subject, picture.samples[24:32, 34:46])
    assert (edited.picture.samples[:15, :25] == 255).all()


def test_the_transparent_part_of_a_cut_out_is_its_background():
    cut = picture_of(SIZE, "rgb+alpha", 8)
    request = EditRequest.of(intent="background", prompt="sea", mask={"parts": [{"kind": "alpha"}]})
    edited = edit(flat(1.0), cut, request=request)
    hidden = cut.alpha == 0
    assert (edited.picture.samples[hidden] == 255).all()
    assert (edited.picture.alpha[hidden] == 255).all(), "the new background is seen"
    opaque = np.asarray(cut.alpha == 255)
    assert np.array_equal(edited.picture.samples[opaque & ~edited.touched], cut.samples[opaque & ~edited.touched])


@pytest.mark.parametrize(
    ("intent", "seen"), [("remove", False), ("replace", False), ("add", True), ("background", True)]
)
def test_alpha_follows_the_intent_and_an_option_overrides_it(intent, seen):
    cut = picture_of(SIZE, "rgb+alpha", 8)
    mask = Mask.full(SIZE) if intent != "background" else Mask.box(SIZE, Box(0, 0, 2, 2))
    edited = edit(flat(card=LEARNED), cut, mask=mask, intent=intent, prompt="x")
    inner = edited.picture.alpha[10:, 10:]
    assert (inner == 255).all() if seen else np.array_equal(inner, cut.alpha[10:, 10:])
    kept = edit(flat(card=LEARNED), cut, mask=mask, intent=intent, prompt="x", alpha="keep")
    assert np.array_equal(kept.picture.alpha, cut.alpha)


def test_a_background_leaves_no_translucent_rim_around_a_cut_out():
    """Colour under alpha 0 is black in the file, and must not show as a dark fringe."""
    rows, columns = np.mgrid[: SIZE.height, : SIZE.width]
    distance = np.hypot(columns - 40, rows - 30)
    for width in (1, 12):  # antialiased; soft
        alpha = np.rint(np.clip((22 + width / 2 - distance) / width, 0, 1) * 255).astype(np.uint8)
        samples = np.full((*SIZE.shape, 3), 200, np.uint8)
        samples[alpha == 0] = 0
        request = EditRequest.of(intent="background", prompt="sea", mask={"parts": [{"kind": "alpha"}]})
        edited = edit(flat(0.4), Picture(samples, alpha), request=request)
        assert (edited.picture.alpha == 255).all()
        assert edited.picture.samples.min() >= 101, "between the new background and the subject"
        assert (edited.picture.samples[alpha == 255].min() == 200) or width == 1
        kept = edit(flat(0.4), Picture(samples, alpha), request=request, alpha="keep")
        assert np.array_equal(kept.picture.alpha, alpha)


def test_notes_on_a_mask_reach_the_result(picture):
    labels = np.zeros(SIZE.shape, np.uint8)
    labels[20:30, 20:40] = 2
    mask = Mask.from_array(labels)
    (note,) = edit(flat(), picture, mask=mask).notes
    assert "taken as labels" in note
    raster = {"parts": [{"kind": "raster", "raster": blob_of(labels)}]}
    assert edit(flat(), picture, request=EditRequest.of(mask=raster)).notes == (note,)
    assert edit(flat(), picture, mask=mask).record.notes == (note,)


def test_a_mask_that_covers_most_of_the_picture_is_noted(picture):
    inverted = ~Mask.box(SIZE, Box(10, 10, 30, 30))
    assert any(
        "if it marks what should stay, the setting invert turns it round" in note
        for note in edit(flat(), picture, mask=inverted).notes
    )
    shape = {"parts": [{"kind": "box", "box": [10, 10, 30, 30]}], "invert": True}
    assert not any("invert" in note for note in edit(flat(), picture, request=EditRequest.of(mask=shape)).notes)


@pytest.mark.parametrize("engine", ["exemplar", "telea"])
def test_an_engine_that_continues_the_surroundings_notes_that_there_is_little_to_copy_from(picture, engine):
    with Studio() as studio:
        most = ~Mask.box(SIZE, Box(0, 0, 20, 20))
        edited = studio.edit(picture, mask=most, intent="remove", engine=engine, seed=1)
        assert any("little to copy from: 7% of the picture stays" in note for note in edited.notes)
        with pytest.raises(MaskError, match="none to copy from") as caught:
            studio.edit(picture, mask=Mask.full(SIZE), intent="remove", engine=engine)
    assert caught.value.code == "mask-covers-all"
    assert "see more" not in str(caught.value), "there is nothing more to see"


def test_a_model_and_an_engine_of_settings_alone_may_paint_all_of_a_picture(picture):
    assert edit(flat(card=LEARNED), picture, mask=Mask.full(SIZE), prompt="grass").reach == 0
    with Studio() as studio:
        studio.edit(picture, mask=Mask.full(SIZE), intent="recolor", options={"to": "navy"})


@pytest.mark.parametrize(("alpha", "covered", "says"), [(0, False, "what was painted"), (0, True, ""), (9, False, "")])
def test_paint_that_a_transparent_place_hides_is_noted(mask, alpha, covered, says):
    opacity = np.full(SIZE.shape, 255, np.uint8)
    opacity[mask.core] = alpha
    samples = np.full((*SIZE.shape, 3), 90, np.uint8)
    edited = edit(flat(), Picture(samples, opacity), mask=mask, alpha="cover" if covered else "keep")
    notes = [note for note in edited.notes if "transparent" in note]
    assert [note.split(" is")[0] for note in notes] == ([says] if says else [])


def test_pixels_may_be_an_array_or_a_pil_image(picture, mask):
    from PIL import Image

    pixels = picture.samples
    wanted = edit(flat(), picture, mask=mask).picture
    for given in (pixels, Image.fromarray(pixels), pixels.astype(np.float32) / 255, pixels.astype(np.uint16) * 257):
        found = edit(flat(), given, mask=mask).picture
        assert np.allclose(found.samples / found.maximum, wanted.samples / 255, atol=1 / 255)
    for kind, shape in (("L", 1), ("1", 1), ("RGBA", 3), ("P", 3)):
        image = Image.fromarray(pixels).convert(kind)
        assert edit(flat(), image, mask=mask).picture.samples.shape[2] == shape
    assert [edited.picture.size for edited in overpaint.edit_many([(pixels, mask)], engine="telea", intent="remove")]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (np.zeros((4, 4, 7), np.uint8), r"\(H, W, 1..4\)"),
        (np.zeros((4, 4), np.int64), "uint8, uint16 or floats"),
        (np.full((4, 4), 255.0), "must be in"),
        (12, "not int"),
    ],
)
def test_pixels_of_another_kind_are_refused(given, says):
    with pytest.raises(PictureError, match=says):
        overpaint.remove(given, np.ones((4, 4), bool))


def test_transparent_pixels_are_shown_as_edge_extended_colour_and_not_to_be_copied_from():
    samples = np.full((*SIZE.shape, 3), 180, np.uint8)
    alpha = np.full(SIZE.shape, 255, np.uint8)
    alpha[:, 60:], samples[:, 60:] = 0, 0
    engine = echo()
    edit(engine, Picture(samples, alpha), mask=Mask.box(SIZE, Box(40, 20, 55, 40)), area="whole")
    (canvas,) = engine.canvases
    assert np.allclose(canvas.pixels, 180 / 255)
    assert canvas.usable is not None
    assert not canvas.usable[:, 60:].any()
    assert canvas.usable[:, :60].all()


def test_a_sketch_is_laid_over_what_the_engine_sees_and_is_the_mask_where_there_is_none(picture):
    sketch = np.zeros((*SIZE.shape, 4), np.uint8)
    sketch[20:30, 40:60] = [255, 0, 0, 255]
    engine = echo()
    edited = edit(engine, picture, sketch=sketch, area="whole")
    assert edited.mask.bounds == Box(40, 20, 60, 30)
    assert np.allclose(engine.canvases[0].pixels[20:30, 40:60], [1, 0, 0])
    assert (edited.picture.samples[20:30, 40:60] == [255, 0, 0]).all()
    outside = ~edited.touched
    assert np.array_equal(edited.picture.samples[outside], picture.samples[outside])


def test_progress_reaches_the_one_who_waits(picture, mask):
    def paint(canvas: Canvas, monitor: Monitor) -> Painted:
        for step in range(1, 5):
            monitor.progress(step, 4)
        return Painted(canvas.pixels)

    seen: list[tuple[int, int]] = []
    edit(StandIn(paint), picture, mask=mask, monitor=Monitor(lambda step, steps: seen.append((step, steps))))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_cancelling_stops_the_engine_and_paints_nothing(picture, mask):
    gate, started = threading.Event(), threading.Event()
    monitor = Monitor()
    with Studio() as studio:
        studio.add_engine(waiting(gate, started))
        caught: list[BaseException] = []

        def run() -> None:
            try:
                studio.edit(picture, mask=mask, engine="stand-in", monitor=monitor)
            except BaseException as error:
                caught.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        assert started.wait(10)
        monitor.cancel()
        thread.join(10)
        assert not thread.is_alive()
        assert isinstance(caught[0], Cancelled)
        # The engine goes on with the next one.
        gate.set()
        assert studio.edit(picture, mask=mask, engine="stand-in").reach >= 0


def test_an_interrupt_while_a_canvas_is_handed_over_calls_it_off(picture, mask):
    """A signal may come at any moment: here after the worker began, before `submit` has returned its future."""
    gate, started = threading.Event(), threading.Event()
    engine = waiting(gate, started)
    submit = engine.submit

    def interrupted(canvas: Canvas, monitor: Monitor) -> object:
        futures.append(submit(canvas, monitor))
        assert started.wait(10)
        raise KeyboardInterrupt

    futures: list[object] = []
    engine.submit = interrupted
    closing = threading.Timer(10, gate.set)  # so that a failure of this test ends
    closing.start()
    with pytest.raises(KeyboardInterrupt):
        edit(engine, picture, mask=mask)
    closing.cancel()
    assert isinstance(futures[0].exception(0), Cancelled)


def test_an_interrupt_before_the_worker_starts_leaves_a_usable_engine(monkeypatch):
    def interrupted(thread: threading.Thread) -> None:
        raise KeyboardInterrupt

    engine, canvas = echo(), Canvas(np.zeros((8, 8, 3), np.float32), np.ones((8, 8), np.float32))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            engine.submit(canvas, Monitor())
    assert engine.submit(canvas, Monitor()).result(10).pixels.shape == (8, 8, 3)
    engine.close()
    never = echo()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            never.submit(canvas, Monitor())
    never.close()


@pytest.mark.parametrize(
    ("paint", "message"),
    [
        (lambda canvas, monitor: 1 / 0, "division by zero"),
        (lambda canvas, monitor: Painted(np.full_like(canvas.pixels, np.nan)), "not finite"),
        (lambda canvas, monitor: Painted(canvas.pixels[:-1]), "shape"),
    ],
)
def test_a_failing_engine_is_one_clear_error_and_the_studio_goes_on(picture, mask, paint, message):
    with Studio() as studio:
        studio.add_engine(StandIn(paint))
        with pytest.raises(EngineError, match=message):
            studio.edit(picture, mask=mask, engine="stand-in")
        studio.add_engine(echo())
        studio.edit(picture, mask=mask, engine="stand-in")


def test_many_edits_come_in_order_and_a_bad_one_costs_no_other(picture, mask, tmp_path):
    edits = [
        (picture, mask),
        Edit(tmp_path / "missing.png", mask),
        Edit(picture, Mask.empty(SIZE)),
        Edit(picture, mask, settings={"seed": 11}),
        (picture, Mask.full(Size(5, 5))),
        (picture, mask),
    ]
    with Studio() as studio:
        studio.add_engine(noise())
        results = list(studio.edit_many(edits, engine="stand-in", intent="remove", seed=3))
    failed = [isinstance(result, EditFailure) for result in results]
    assert failed == [False, True, True, False, True, False]
    assert isinstance(results[1].error, PictureError)
    assert isinstance(results[2].error, MaskError)
    assert [results[k].resolved.seed for k in (0, 3, 5)] == [3, 11, 3]
    assert np.array_equal(results[0].picture.samples, results[5].picture.samples)


def test_many_edits_take_in_their_settings_what_an_edit_takes(picture, mask):
    hole = {"mask": mask, "engine": "telea", "intent": "remove"}
    colour = np.full((8, 8, 3), 60, np.uint8)
    (one,) = overpaint.edit_many([Edit(picture, settings=hole)])
    (two,) = overpaint.edit_many([picture], **hole)
    (three,) = overpaint.edit_many([Edit(picture, mask)], intent="background", insert=colour)
    assert np.array_equal(one.picture.samples, two.picture.samples)
    assert three.request.insert is not None


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"monitor": Monitor()}, "monitor is no setting"),
        ({"picture": 3}, "picture is no setting"),
        ({"mask": Mask.full(SIZE)}, "mask is given twice"),
    ],
)
def test_settings_that_one_of_many_edits_can_not_have_fail_it_alone(settings, says, picture, mask):
    edits = [Edit(picture, mask, settings=settings), Edit(picture, mask)]
    failed, done = overpaint.edit_many(edits, intent="remove", engine="telea")
    assert isinstance(failed, EditFailure)
    assert isinstance(failed.error, RequestError)
    assert says in str(failed.error)
    assert not isinstance(done, EditFailure)


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda *both: overpaint.remove(*both, intent="add"), "intent"),
        (lambda *both: overpaint.recolor(*both, "red", engine="telea"), "engine"),
        (lambda *both: overpaint.recolor(*both, "red", options={"to": "blue"}), "to"),
        (lambda picture, _: overpaint.expand(picture, left=4, margins=(1, 1, 1, 1)), "margins"),
    ],
)
def test_what_a_task_sets_itself_can_not_be_set_otherwise(call, field, picture, mask):
    with pytest.raises(RequestError, match="itself") as error:
        call(picture, mask)
    assert error.value.field == field


def test_leaving_many_edits_early_calls_off_the_rest(picture, mask):
    engine = echo()
    with Studio() as studio:
        studio.add_engine(engine)
        for _ in studio.edit_many([(picture, mask)] * 50, engine="stand-in"):
            break
    assert len(engine.canvases) < 10


BAD = {
    "mask of another size": ({"mask": Mask.full(Size(10, 10))}, MaskError, "10x10.*96x64"),
    "swapped mask": ({"mask": Mask.full(SIZE.swapped)}, MaskError, "swapped"),
    "empty mask": ({"mask": Mask.empty(SIZE)}, MaskError, "empty"),
    "no mask": ({}, MaskError, "needs a mask"),
    "unknown engine": ({"mask": Mask.full(SIZE), "engine": "exemplary"}, UnknownEngineError, "did you mean 'exemplar'"),
    "unknown intent": ({"mask": Mask.full(SIZE), "intent": "remve"}, RequestError, "remove"),
    "unknown setting": ({"mask": Mask.full(SIZE), "denoising_strength": 0.5}, RequestError, "strength"),
    "strength 2": ({"mask": Mask.full(SIZE), "strength": 2.0}, RequestError, "between 0 and 1.*2"),
    "strength NaN": ({"mask": Mask.full(SIZE), "strength": float("nan")}, RequestError, "strength.*nan"),
    "seed false": ({"mask": Mask.full(SIZE), "seed": False}, RequestError, "seed.*False"),
    "a model": ({"mask": Mask.full(SIZE), "model": "sd15"}, RequestError, "sd15"),
    "unknown option": ({"mask": Mask.full(SIZE), "engine": "telea", "options": {"radios": 3}}, RequestError, "radios"),
    "no margins": ({"intent": "expand"}, RequestError, "margins"),
    "absurd margins": ({"intent": "expand", "margins": (10**6, 0, 10**6, 0)}, RequestError, "margins|pixels"),
    "no prompt engine": (
        {"mask": Mask.full(SIZE), "intent": "replace", "prompt": "x", "engine": None},
        RequestError,
        "prompt",
    ),
    "sketch of another size": ({"sketch": np.zeros((3, 3, 4), np.uint8)}, RequestError, "sketch"),
    "background without background": ({"mask": Mask.full(SIZE), "intent": "background"}, MaskError, "background"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_clear_error(name, picture, without_pocket):
    settings, kind, message = BAD[name]
    with Studio() as studio, pytest.raises(kind, match=f"(?s){message}"):
        studio.edit(picture, **{"intent": "remove", "engine": "telea", **settings})


@pytest.mark.parametrize("given", [[1, 2], "x.png", {}])
def test_another_thing_than_a_sketch_is_a_clear_error(given, picture, mask):
    with pytest.raises(RequestError, match="a sketch is an array of RGBA") as caught:
        overpaint.remove(picture, mask, sketch=given, engine="telea")
    assert (caught.value.code, caught.value.field) == ("sketch-size", "sketch")


@pytest.mark.parametrize(
    ("field", "given"), [("inputs", [1, 2]), ("inputs", "x.png"), ("inputs", 5), ("insert", (1,)), ("insert", ())]
)
def test_inputs_of_another_kind_are_clear_errors(field, given, picture, mask):
    with pytest.raises(RequestError, match=r"by their SHA-256|a picture and a mask") as caught:
        overpaint.remove(picture, mask, engine="telea", **{field: given})
    assert caught.value.field == field


@pytest.mark.parametrize("name", ["a\0.png", "a\ud800.png"])
def test_a_name_that_no_file_can_have_is_an_output_error(name, picture, mask, tmp_path):
    edited = edit(flat(), picture, mask=mask, intent="remove")
    for save in (edited.save, mask.save, lambda path: edited.save(path, record="sidecar")):
        with pytest.raises(OutputError, match="no file can have this name"):
            save(str(tmp_path / name))
    with pytest.raises(OutputError, match="no file can have this name"):
        edited.save_layers(str(tmp_path / name.replace("png", "psd")))
    assert not list(tmp_path.iterdir())


def test_closing_a_studio_while_it_paints_is_an_engine_error(picture, mask):
    """In a thread whose canvas still waits. Where it was cancelled as well, it is that."""
    engine, begun, go_on = flat(), threading.Event(), threading.Event()
    paint_one = engine.paint_one

    def slow(canvas, monitor):
        begun.set()
        go_on.wait(20)
        return paint_one(canvas, monitor)

    engine.paint_one = slow
    studio = Studio()
    studio.add_engine(engine)
    monitor = Monitor()
    with ThreadPoolExecutor(4) as pool:
        call = partial(studio.edit, picture, mask=mask, intent="remove", engine=engine.card.name)
        first = pool.submit(call)
        assert begun.wait(20)
        waiting, called_off = pool.submit(call), pool.submit(call, monitor=monitor)
        while engine._jobs.qsize() < 2:
            time.sleep(0.01)
        monitor.cancel()
        closing = pool.submit(studio.close)
        while not engine._closed:
            time.sleep(0.01)
        go_on.set()
        closing.result(20)
        assert first.result(20).picture.size == picture.size
        with pytest.raises(EngineError, match="was closed; nothing was painted"):
            waiting.result(20)
        with pytest.raises(Cancelled):
            called_off.result(20)


def test_a_result_is_named_after_its_picture_and_never_written_over_another(photo, mask, tmp_path):
    edited = edit(flat(), photo, mask=mask, intent="remove")
    saved = edited.save()
    assert saved.path == tmp_path / "photo.remove.png"
    before = saved.path.read_bytes()
    with pytest.raises(OutputError, match="exists"):
        edited.save()
    assert saved.path.read_bytes() == before
    assert edited.save(overwrite=True).sha256
    with pytest.raises(OutputError, match="nowhere"):
        edited.save(tmp_path / "nowhere" / "x.png")
    with pytest.raises(OutputError, match=r"\.xyz"):
        edited.save(tmp_path / "x.xyz")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photo.png", "photo.remove.png"]


def test_a_picture_from_memory_needs_a_name(picture, mask, tmp_path):
    edited = edit(flat(), picture, mask=mask)
    with pytest.raises(OutputError, match="give a path"):
        edited.save()
    assert edited.save(tmp_path / "x.png").format == "png"


def test_the_comparison_shows_before_mask_and_after(picture, mask):
    edited = edit(flat(1.0), picture, mask=mask)
    shown = edited.comparison()
    height, width = SIZE.height, SIZE.width
    assert shown.samples.shape == (height, 3 * width + 24, 3)
    assert np.array_equal(shown.samples[:, :width], picture.samples)
    assert np.array_equal(shown.samples[:, -width:], edited.picture.samples)
    tinted = shown.samples[:, width + 12 : 2 * width + 12]
    assert np.array_equal((tinted != picture.samples).any(axis=2), mask.support)


@pytest.mark.parametrize("mode", ["rgb", "rgb+alpha", "grey", "cmyk"])
@pytest.mark.parametrize("depth", [8, 16])
def test_layers_hold_the_original_and_what_was_painted(mode, depth, tmp_path, mask):
    from PIL import Image
    from psd_tools import PSDImage

    picture = picture_of(SIZE, mode, depth)
    edited = edit(noise(), picture, mask=mask, seed=1)
    path = edited.save_layers(tmp_path / "out.psd")
    document = PSDImage.open(path)
    assert (document.width, document.height, document.depth) == (*SIZE, depth)
    top, region = picture.maximum, edited.regions[0]
    layers = list(document)
    if "alpha" in mode:  # the transparency is one mask over all layers
        (whole,) = document
        assert whole.mask.bbox == (0, 0, *SIZE)
        np.testing.assert_array_equal(np.rint(whole.numpy("mask")[..., 0] * top), picture.alpha)
        layers = list(whole)
    assert [layer.name for layer in layers] == ["Original", "Custom"]
    inks = (lambda values: top - values) if mode == "cmyk" else (lambda values: values)  # PSD: 0 is full ink
    stored = [np.rint(layer.numpy("color") * top) for layer in layers]
    np.testing.assert_array_equal(stored[0], inks(picture.samples))
    np.testing.assert_array_equal(stored[1], inks(np.clip(np.rint(region.patch), 0, top)))
    assert (layers[1].left, layers[1].top) == (region.box.left, region.box.top)
    assert not layers[0].has_mask()
    assert layers[1].mask.bbox == tuple(region.box)
    assert layers[1].mask.background_color == 0
    alpha = None if picture.alpha is None else picture.alpha[region.box.slices]
    share = region.weight if alpha is None else share_of(region.weight, alpha, "keep")
    np.testing.assert_array_equal(np.rint(layers[1].numpy("mask")[..., 0] * top), np.rint(share * np.float32(top)))
    assert layers[1].numpy("shape").min() == 1, "the layer itself is opaque: a retoucher may widen the mask"
    merged = np.rint(document.numpy("color") * top)
    if "alpha" not in mode:
        np.testing.assert_array_equal(merged, inks(edited.picture.samples))
        if depth == 8:
            with Image.open(path) as image:
                shown = np.asarray(image).reshape(picture.samples.shape).astype(int)
            np.testing.assert_array_equal(shown, edited.picture.samples)  # as Pillow reads it, 0 is no ink again
    with pytest.raises(OutputError, match="exists"):
        edited.save_layers(path)


@pytest.mark.parametrize(("mode", "space"), [("rgb", b"RGB "), ("grey", b"GRAY"), ("cmyk", b"CMYK")])
@pytest.mark.parametrize("depth", [8, 16])
def test_layers_have_the_pictures_colour_profile(mode, space, depth, tmp_path, mask):
    from psd_tools import PSDImage
    from psd_tools.constants import Resource

    made = profile(space=space)
    picture = replace(picture_of(SIZE, mode, depth), metadata=Metadata(icc=made))
    path = edit(noise(), picture, mask=mask, seed=1).save_layers(tmp_path / "out.psd")
    assert PSDImage.open(path).image_resources.get_data(Resource.ICC_PROFILE) == made


@pytest.mark.parametrize("form", ["bool", "uint8", "PIL", "PIL-1", "path", "str"])
def test_a_mask_may_be_an_array_an_image_or_a_file(form, picture, mask, tmp_path):
    from PIL import Image

    mask.save(tmp_path / "mask.png")
    levels = mask.to_bytes8()
    given = {
        "bool": mask.core,
        "uint8": levels,
        "PIL": Image.fromarray(levels),
        "PIL-1": Image.fromarray(levels).convert("1"),
        "path": tmp_path / "mask.png",
        "str": str(tmp_path / "mask.png"),
    }[form]
    wanted = overpaint.remove(picture, mask, engine="telea")
    assert np.array_equal(overpaint.remove(picture, given, engine="telea").picture.samples, wanted.picture.samples)
    (many,) = overpaint.edit_many([(picture, given)], intent="remove", engine="telea")
    assert np.array_equal(many.picture.samples, wanted.picture.samples)


@pytest.mark.parametrize("given", [7, b"abc", "missing.png", np.zeros((4, 4, 7), np.uint8)])
def test_an_error_of_the_picture_to_put_in_names_it(given, picture, mask):
    with pytest.raises(PictureError) as error:
        overpaint.edit(picture, mask=mask, intent="add", insert=given)
    assert error.value.field == "insert"


@pytest.mark.parametrize("given", [7, [[0, 1]], np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), complex)])
def test_another_thing_than_a_mask_is_a_mask_error(given, picture):
    for call in (overpaint.remove, lambda *both: overpaint.variations(both[0], mask=both[1], count=2, intent="remove")):
        with pytest.raises(MaskError) as error:
            call(picture, given)
        assert error.value.code == "mask-invalid"


def test_what_a_record_says_is_what_was_done(photo, mask, tmp_path):
    edited = edit(noise(), photo, mask=mask, intent="remove", seed=4)
    record = edited.record
    assert record.request == edited.request
    assert record.resolved.seed == 4
    assert record.reach == edited.reach == 5
    assert record.regions[0].frame == tuple(edited.regions[0].frame)
    assert set(edited.timings) >= {"open", "prepare", "paint", "finish"}


def test_the_library_in_one_call_each(tmp_path, picture):
    path = tmp_path / "a.png"
    path.write_bytes(encode(picture, "png").data)
    opened = overpaint.open(path)
    mask = Mask.box(opened.size, (30, 20, 50, 36), feather=4)
    removed = overpaint.remove(opened, mask, engine="telea")
    expanded = overpaint.expand(path, left=8, engine="blur")
    many = list(overpaint.edit_many([(path, mask), (path, mask)], intent="remove", engine="telea"))
    assert removed.resolved.engine == "telea"
    assert expanded.picture.size == Size(104, 64)
    assert all(np.array_equal(one.picture.samples, removed.picture.samples) for one in many)
    assert overpaint.remove(opened, mask, seed=2).resolved.engine == "exemplar"
    assert open_picture(overpaint.save(from_array(opened.samples), tmp_path / "b.png")).size == SIZE


@pytest.mark.parametrize("mode", ["grey", "grey+alpha", "rgb", "rgb+alpha"])
@pytest.mark.parametrize("name", ["out.png", "out.jpg", "out.webp", "out.tif", "out.avif"])
def test_the_saved_report_uses_the_pixels_that_a_reader_gets(tmp_path, name, mode):
    photo = picture_of(SIZE, mode, 8)
    if "alpha" in mode and name == "out.jpg":
        pytest.skip("JPEG has no alpha")
    edited = edit(flat(), photo, mask=Mask.box(SIZE, Box(30, 20, 50, 36)))
    saved = edited.save(tmp_path / name)
    assert saved.pixels_sha256 == pixel_digest(open_picture(tmp_path / name))


def test_the_licence_of_an_edit_is_its_engines(picture, mask):
    card = EngineCard(name="stand-in", title="a stand-in", licence="CC0-1.0")
    assert edit(flat(card=card), picture, mask=mask).licence == "CC0-1.0"


@pytest.mark.parametrize(("padding", "area"), [(None, "whole"), (16, "masked")])
def test_the_area_that_is_recorded_is_the_one_that_was_painted_on(picture, mask, padding, area):
    engine = flat(card=LEARNED)
    edited = edit(engine, picture, mask=mask, intent="background", prompt="sand", padding=padding)
    assert edited.resolved.area == area
    assert (edited.regions[0].frame.size == SIZE) or area == "masked"


def test_the_three_steps_of_an_edit_give_what_edit_gives(photo, mask):
    with Studio() as studio:
        studio.add_engine(noise())
        whole = studio.edit(photo, mask=mask, intent="custom", engine="stand-in", seed=3)
        prepared = studio.prepare(photo, mask=mask, intent="custom", engine="stand-in", seed=3)
        painted = studio.paint(prepared)
        edited = studio.finish(prepared, painted)
    assert np.array_equal(edited.picture.samples, whole.picture.samples)
    assert edited.resolved.digest == whole.resolved.digest
    assert list(edited.timings) == ["open", "prepare", "wait", "paint", "finish", "measure"]


def test_waiting_for_the_engine_is_not_taken_for_painting(picture, mask):
    gate, started = threading.Event(), threading.Event()
    with Studio() as studio:
        studio.add_engine(waiting(gate, started))
        prepared = [studio.prepare(picture, mask=mask, intent="custom", engine="stand-in", seed=n) for n in (1, 2)]
        found: dict[int, object] = {}
        first, second = (
            threading.Thread(target=lambda n=n: found.update({n: studio.paint(prepared[n]).timings})) for n in (0, 1)
        )
        first.start()
        assert started.wait(10)
        second.start()
        time.sleep(0.2)
        gate.set()
        first.join()
        second.join()
    assert found[0]["paint"] > 0.15
    assert found[1]["wait"] > 0.15
    assert found[1]["paint"] < found[0]["paint"]


def test_a_request_resolved_without_the_picture_is_painted_unchanged(picture, mask):
    with Studio() as studio:
        studio.add_engine(noise())
        request = EditRequest.of("custom", engine="stand-in", grow=3.0)
        early = studio.resolved(request, seed=11)
        edited = studio.edit(picture, request, mask=mask, seed=11)
    assert edited.resolved.model_copy(update={"image": None, "mask": None}) == early


def test_a_lossless_file_is_verified_with_the_option(picture, mask, monkeypatch):
    edited = edit(flat(), picture, mask=mask)
    assert edited.render("png", verify=True).changed == 0
    other = encode(picture_of(SIZE, "rgb", 8, seed=9), "png")
    monkeypatch.setattr("overpaint.studio.saving.encode", lambda *_, **__: other)
    assert edited.render("png").changed == 0
    assert edited.render("png", verify=True).changed > 1000


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "tiff"])
def test_a_file_saved_without_a_record_tells_of_no_earlier_edit_either(picture, mask, tmp_path, format):
    first = tmp_path / f"first.{format}"
    with Studio() as studio:
        studio.edit(picture, mask=mask, engine="telea", prompt="a secret").save(first)
        assert b"a secret" in first.read_bytes()
        again = studio.edit(first, mask=mask, engine="telea")
        for record in ("none", "sidecar"):
            saved = again.save(tmp_path / f"{record}.{format}", record=record)
            assert b"a secret" not in saved.path.read_bytes()
            assert b"resolved" not in saved.path.read_bytes(), "nothing of the record but, at most, its name space"


@pytest.mark.parametrize(("name", "format"), [("tif", "tiff"), ("JPG", "jpeg"), (".png", "png")])
def test_every_name_of_a_format_gives_the_same_file(picture, mask, name, format):
    with Studio() as studio:
        edited = studio.edit(picture, mask=mask, engine="telea")
    assert edited.render(name).data == edited.render(format).data
