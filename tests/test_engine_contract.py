"""The contract of an engine: capabilities, typed settings, control images and effects beyond the mask."""

from __future__ import annotations

import collections
import os
import time
import warnings
import weakref
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from overpaint import Mask, Studio
from overpaint.engines import Canvas, EngineCard, Monitor, Painted
from overpaint.errors import EngineError, InputError, RequestError
from overpaint.geometry import Box, Size
from overpaint.maps import make_map
from overpaint.record import Record, infotext
from overpaint.request import Control, EditRequest, Sampling, blob_of
from overpaint.studio import Edited
from overpaint.studio.masks import spec_of
from stand_ins import LEARNED, StandIn, echo, flat
from test_untouched import picture_of

SIZE = Size(96, 64)
PICTURE = picture_of(SIZE, "rgb", 8)
MASK = Mask.box(SIZE, Box(30, 20, 50, 36))


def edit(engine: StandIn, **settings: object) -> Edited:
    with Studio() as studio:
        studio.add_engine(engine)
        given = {"intent": "custom", "seed": 7, "mask": MASK}
        return studio.edit(PICTURE, engine="stand-in", **{**given, **settings})


def card(**capabilities: object) -> EngineCard:
    return EngineCard(name="stand-in", title="", **capabilities)


def test_settings_that_an_engine_does_not_accept_are_noted_by_name_and_recorded_nowhere():
    engine = flat()
    edited = edit(engine, prompt="grass", strength=0.4, steps=9, sampler="Euler", size=128, detail="full")
    assert edited.notes == (
        "stand-in does not use prompt, strength, steps, sampler, size, detail: it continues the surroundings",
    )
    assert engine.canvases[0].sampling is None
    recorded = edited.record.resolved.to_mapping()
    assert not {"prompt", "strength", "steps", "sampler", "guidance_scale", "size", "detail"} & recorded.keys()
    assert not any(word in infotext(edited.record) for word in ("grass", "Steps", "Sampler", "Denoising", "RNG"))


def test_blank_or_disabled_settings_need_no_note():
    assert edit(flat(), prompt=" ", follow_effects=False).notes == ()


def test_a_record_has_no_seed_and_no_exactness_of_an_engine_for_which_they_mean_nothing():
    """Equal pixels have equal digests."""
    first, second = (edit(flat(card=card()), seed=seed, exact=seed == 1) for seed in (1, 2))
    assert first.resolved.digest == second.resolved.digest
    assert first.resolved.seed is None
    assert first.resolved.exact is first.execution.exact is False
    assert "Seed" not in infotext(first.record)
    assert Record.from_json(first.record.to_json()).resolved == first.resolved
    assert edit(flat(), seed=5).resolved.seed == 5


def test_an_engine_elsewhere_gets_the_intents_strength_and_nothing_that_it_does_not_accept():
    engine = flat(card=card(paints_from="prompt", accepts=frozenset({"prompt", "strength"}), elsewhere=True))
    edited = edit(engine, intent="replace", prompt="a bench", steps=9)
    assert engine.canvases[0].sampling == Sampling(prompt="a bench", strength=0.85)
    assert (edited.resolved.strength, edited.resolved.steps, edited.resolved.sampler) == (0.85, None, None)
    assert edited.notes == ("stand-in does not use steps",)
    assert Record.from_json(edited.record.to_json()).resolved == edited.resolved


@pytest.mark.parametrize(
    ("capabilities", "message"),
    [
        ({"accepts": frozenset({"stregth"})}, "accepts stregth, which no request has"),
        ({"paints_from": "prompt"}, "must accept one"),
    ],
)
def test_a_card_that_contradicts_itself_is_refused(capabilities, message):
    with pytest.raises(ValueError, match=message):
        card(**capabilities)


# The working size.


def test_a_size_below_the_native_one_is_obeyed_and_noted():
    large = replace(LEARNED, sizes=replace(LEARNED.sizes, native=512, maximum_area=768 * 768))
    usual, small = echo(large), echo(large)
    edit(usual, prompt="x")
    edited = edit(small, prompt="x", size=128)
    assert usual.canvases[0].size.area >= 0.98 * 512 * 512
    assert 0.9 * 128 * 128 <= small.canvases[0].size.area <= 128 * 128
    assert any("size 128, below the 512 that stand-in works best at" in note for note in edited.notes)
    assert edited.resolved.size == 128
    assert edit(echo(large), prompt="x", size=640).notes == ()


# Control images.


def controlled(size: Size = SIZE) -> tuple[Control, dict[str, np.ndarray]]:
    edges = np.random.default_rng(1).integers(0, 256, (*size.shape, 3), dtype=np.uint8)
    blob = blob_of(edges, inline=False)
    return Control(kind="canny", image=blob, weight=0.8, end=0.5), {blob.sha256: edges}


def test_an_engine_that_accepts_controls_gets_each_cut_like_its_canvas():
    control, inputs = controlled()
    engine = echo(card(accepts=frozenset({"controls"})))
    edited = edit(engine, controls=[control], inputs=inputs, margins=(8, 0, 0, 0))
    (canvas,) = engine.canvases
    (image,) = canvas.controls
    assert image.control == control
    assert image.pixels.shape == canvas.pixels.shape
    box = edited.regions[0].frame
    expected = np.pad(inputs[control.image.sha256], ((0, 0), (8, 0), (0, 0)))[box.slices] / np.float32(255)
    assert np.array_equal(image.pixels, expected)
    assert edited.resolved.controls == (control,)
    assert EditRequest.from_json(edited.request.to_json()) == edited.request


def test_an_engine_that_accepts_no_controls_gets_none_and_a_note_says_so():
    control, inputs = controlled()
    engine = echo(LEARNED)
    edited = edit(engine, prompt="x", controls=[control], inputs=inputs)
    assert engine.canvases[0].controls == ()
    assert edited.resolved.controls is None
    assert edited.notes == ("stand-in does not use controls",)


GUIDED = card(accepts=frozenset({"controls"}))


def test_a_control_of_other_proportions_is_refused_and_one_of_another_size_is_resized_with_a_note():
    control, inputs = controlled(Size(32, 32))
    with pytest.raises(
        RequestError, match=r"'canny' is 32x32; it must have the picture's size 96x64, or its"
    ) as caught:
        edit(echo(GUIDED), controls=[control], inputs=inputs)
    assert caught.value.code == "control-size"
    control, inputs = controlled(Size(48, 32))
    engine = echo(GUIDED)
    edited = edit(engine, controls=[control], inputs=inputs)
    assert engine.canvases[0].controls[0].pixels.shape == engine.canvases[0].pixels.shape
    assert "the image of the control 'canny' was resized from 48x32 to 96x64" in edited.notes


@pytest.mark.parametrize("intent", ["custom", "recolor", "replace", "remove", "add", "background"])
def test_a_map_that_is_not_given_is_made_of_what_the_canvas_shows_and_of_the_object_only_where_it_stays(intent):
    """At the canvas's size; edges of what is replaced are left out, unless they are asked for."""
    engine = echo(replace(GUIDED, sizes=replace(LEARNED.sizes, native=128)))
    pixels = np.full((*SIZE.shape, 3), 60, np.uint8)
    pixels[24:32, 34:46] = 230  # the object, in the mask
    pixels[:, 80:] = 220
    given = {"intent": intent, "prompt": "x", "area": "whole"}
    if intent == "background":
        given["mask"] = MASK.invert()
    with Studio() as studio:
        studio.add_engine(engine)
        call = {"engine": "stand-in", "seed": 7, "mask": MASK, **given}
        edits = [studio.edit(pixels, controls=one, **call) for one in (["canny"], [{"kind": "canny", "inside": True}])]
    left_out, shown = (canvas.controls[0].pixels for canvas in engine.canvases)
    canvas = engine.canvases[0]
    assert left_out.shape == canvas.pixels.shape != (*SIZE.shape, 3)
    hole = canvas.marked > 0
    assert np.array_equal(shown, make_map("canny", canvas.pixels, {}))
    assert shown[hole].any()
    assert left_out[~hole].any()
    keeps = intent in ("custom", "recolor")
    assert left_out[hole].any() == keeps
    assert [edit.resolved.controls[0].inside for edit in edits] == [keeps, True]
    again = EditRequest.from_json(edits[0].request.to_json())
    assert again.controls == edits[0].resolved.controls


def test_drawings_become_bright_on_black_and_anything_that_a_picture_may_be_is_an_image():
    """Dark lines on paper, strokes with alpha, a path, a PIL image: the engine gets the same map."""
    drawn = np.zeros(SIZE.shape, np.uint8)
    drawn[30:34, 10:80] = 255
    strokes = np.dstack([np.zeros_like(drawn)] * 3 + [drawn])
    images = [drawn, 255 - drawn, strokes, Image.fromarray(drawn), np.repeat(drawn[..., None], 3, axis=2)]
    engines = [echo(GUIDED) for _ in images]
    settings = {"kind": "lineart", "weight": 0.5}
    edits = [
        edit(engine, area="whole", controls=[{**settings, "image": one}])
        for engine, one in zip(engines, images, strict=True)
    ]
    maps = [engine.canvases[0].controls[0].pixels for engine in engines]
    assert all(np.array_equal(one, maps[0]) for one in maps)
    assert maps[0].max() == 1
    inverted = "the image of the control 'lineart' has dark lines on a light ground, and was inverted"
    assert [inverted in one.notes for one in edits] == [False, True, True, False, False]
    assert edits[0].resolved.controls[0].image.data is not None  # small: a replay needs no file
    engine = echo(GUIDED)
    plane = edit(engine, area="whole", controls=[{"kind": "depth", "image": 255 - drawn}])
    assert not any("inverted" in note for note in plane.notes)
    assert engine.canvases[0].controls[0].pixels[0, 0, 0] == 1


def test_a_map_may_be_made_of_another_picture_and_an_empty_one_is_noted():
    engine, other = echo(GUIDED), np.zeros((*SIZE.shape, 3), np.uint8)
    other[:, 40:] = 255
    settings = {"kind": "canny", "image": other, "preprocess": True}
    edited = edit(engine, area="whole", controls=[settings, {**settings, "image": other * 0}])
    made, empty = engine.canvases[0].controls
    assert np.array_equal(made.pixels, make_map("canny", other / np.float32(255), {}))
    assert not empty.pixels.any()
    assert "the map of the control 'canny' shows nothing, and guides nothing" in edited.notes
    with pytest.raises(InputError, match="a file is a path, bytes or a binary file, not int") as caught:
        edit(engine, controls=["canny", {"kind": "depth", "image": 3}])
    assert caught.value.field == "controls[1].image"
    with pytest.raises(RequestError, match="controls are a list"):
        edit(engine, controls="canny")


def test_maps_are_refused_before_anything_is_painted_where_they_can_t_be_made(tmp_path, monkeypatch):
    monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path))
    with Studio() as studio:
        studio.add_engine(echo(GUIDED))
        for control, code in (
            ({"kind": "depth"}, "model-not-downloaded"),
            ({"kind": "canny", "options": {"lo": 1}}, "control-option"),
        ):
            with pytest.raises(InputError) as caught:
                studio.check(EditRequest.of("custom", engine="stand-in", controls=[control]), masked=True)
            assert (caught.value.code, caught.value.field) == (code, "controls")


def test_a_control_is_checked_and_says_what_would_be_right():
    image = blob_of(np.zeros((4, 4), np.uint8))
    with pytest.raises(RequestError, match=r"ends at 0.2, before it starts at 0.5"):
        Control(kind="depth", image=image, start=0.5, end=0.2)
    with pytest.raises(RequestError, match=r"'reference' needs an image: maps are made here of the kinds canny"):
        Control(kind="reference")
    with pytest.raises(RequestError, match="has no image, and its map is not to be made"):
        Control(kind="canny", preprocess=False)
    assert Control(kind="pose", image=image) == Control(kind="openpose", image=image)
    with pytest.raises(RequestError, match=r"image must have depth 8 and channels 1 or 3 or 4, not 16 and 1"):
        Control(kind="depth", image=blob_of(np.zeros((4, 4), np.uint16)))


# Effects beyond the mask.


def shadow(reach: int) -> StandIn:
    """Darkens everything up to `reach` pixels below the hole, and says so in its effect."""

    def paint(canvas: Canvas, monitor: object) -> Painted:
        changed = canvas.hole.copy()
        rows = np.flatnonzero(canvas.hole.any(axis=1))
        changed[rows[-1] : rows[-1] + reach + 1] = canvas.hole.any(axis=0)
        return Painted(np.full_like(canvas.pixels, 0.1), effect=changed.astype(np.float32))

    return StandIn(paint, card(accepts=frozenset({"follow_effects"})))


def changed_rows(edited: Edited) -> int:
    """The last row that differs from the original."""
    return int(np.flatnonzero((edited.picture.samples != PICTURE.samples).any(axis=(1, 2)))[-1])


def test_an_effect_is_pasted_where_the_request_allows_it_and_counts_as_reach():
    off, on = edit(shadow(20)), edit(shadow(20), follow_effects=True)
    assert changed_rows(off) < 42
    assert 54 <= changed_rows(on) <= 61
    assert on.reach > off.reach
    beyond = ~on.touched
    assert np.array_equal(on.picture.samples[beyond], PICTURE.samples[beyond])
    assert edit(shadow(0), follow_effects=True).reach <= off.reach + 1


@pytest.mark.parametrize("limit", [12, 20])
def test_an_effect_ends_within_the_reach_limit(limit):
    edited = edit(shadow(27), follow_effects=True, reach_limit=limit)
    assert edited.reach <= limit
    assert changed_rows(edited) <= 35 + limit


def test_strict_allows_no_effect_and_an_engine_without_effects_is_noted():
    strict = edit(shadow(20), follow_effects=True, strict=True, reach_limit=30)
    assert (strict.reach, strict.resolved.reach_limit, strict.resolved.follow_effects) == (0, None, None)
    assert strict.notes == ("strict ends at the mask, so that reach_limit and follow_effects had no effect",)
    assert edit(flat(), follow_effects=True).notes == (
        "stand-in does not use follow_effects: it continues the surroundings",
    )


def test_padding_beside_the_whole_picture_is_noted_and_not_recorded():
    edited = edit(flat(), area="whole", padding=7)
    assert edited.notes == ("the engine saw the whole picture (area), so that padding had no effect",)
    assert edited.resolved.padding is None
    assert edit(flat(), area="masked", padding=7).resolved.padding == 7


def test_an_effect_of_another_size_is_the_engines_fault():
    engine = StandIn(lambda canvas, _: Painted(canvas.pixels, effect=np.zeros((3, 3), np.float32)))
    with pytest.raises(EngineError, match=r"effect of shape \(3, 3\)"):
        edit(engine)


@pytest.mark.parametrize("wrong", [np.nan, -0.5, 1.5])
def test_an_effect_beyond_its_range_is_the_engines_fault(wrong):
    def paint(canvas: Canvas, _: object) -> Painted:
        return Painted(canvas.pixels, effect=np.full(canvas.mask.shape, wrong, np.float32))

    with pytest.raises(EngineError, match="effect that is not within 0 and 1"):
        edit(StandIn(paint, card(accepts=frozenset({"follow_effects"}))), follow_effects=True)


@pytest.mark.parametrize(
    ("opacity", "says"),
    [
        (np.ones((3, 3), np.float32), "opacity of shape"),
        (np.full((4, 5), np.nan, np.float32), "opacity that is not within 0 and 1"),
    ],
)
def test_an_opacity_of_another_size_or_range_is_the_engines_fault(opacity, says):
    engine = StandIn(lambda canvas, _: Painted(canvas.pixels, opacity=opacity))
    canvas = Canvas(np.zeros((4, 5, 3), np.float32), np.ones((4, 5), np.float32))
    with pytest.raises(EngineError, match=says):
        engine.submit(canvas, Monitor()).result(timeout=20)
    engine.close()


def test_pixels_that_are_not_finite_matter_where_they_are_pasted():
    """Outside hole and effect an engine may give anything."""

    def painting(effect_everywhere: bool) -> StandIn:
        def paint(canvas: Canvas, _: object) -> Painted:
            pixels = np.where(canvas.hole[..., None], canvas.pixels, np.float32(np.nan))
            return Painted(pixels, effect=(canvas.hole | effect_everywhere).astype(np.float32))

        return StandIn(paint, card(accepts=frozenset({"follow_effects"})))

    edit(painting(False))
    with pytest.raises(EngineError, match="not finite numbers where its effect is"):
        edit(painting(True), follow_effects=True)


def test_an_effect_fades_towards_the_reach_limit():
    """Cut off at once, it would end in a hard line."""
    edited = edit(shadow(27), follow_effects=True, reach_limit=20)
    column = edited.picture.samples[:, 40].astype(int).sum(axis=-1)
    before = PICTURE.samples[:, 40].astype(int).sum(axis=-1)
    share = (before - column)[46:56] / np.maximum(before[46:56] - 3 * 25.5, 1)
    assert share[0] > 0.95
    assert 0.2 < share[-4] < 0.8, share


def test_a_worker_that_cannot_start_fails_its_canvases_and_the_next_ones():
    class Broken(StandIn):
        def _work(self) -> None:
            raise RuntimeError("no such device")

    engine = Broken(lambda canvas, _: Painted(canvas.pixels))
    canvas = Canvas(np.zeros((4, 4, 3), np.float32), np.ones((4, 4), np.float32))
    for _ in range(2):
        with pytest.raises(EngineError, match="worker thread of stand-in has ended: no such device"):
            engine.submit(canvas, Monitor()).result(timeout=20)
    engine.close()


def test_a_worker_that_waits_holds_no_pixels_of_the_last_canvas():
    engine = StandIn(lambda canvas, _: Painted(canvas.pixels * 0.5))
    engine.canvases = collections.deque(maxlen=0)  # the stand-in's own record of them
    canvas = Canvas(np.zeros((4, 4, 3), np.float32), np.ones((4, 4), np.float32))
    future = engine.submit(canvas, Monitor())
    future.result(timeout=20)
    held = weakref.ref(canvas.pixels), weakref.ref(future)
    del canvas, future
    deadline = time.monotonic() + 20
    while any(one() is not None for one in held) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [one() for one in held] == [None, None]
    engine.close()


@pytest.mark.parametrize("threads", [0, -1])
def test_a_studio_without_threads_is_refused(threads):
    with pytest.raises(RequestError, match="threads must be at least 1") as caught:
        Studio(threads=threads)
    assert (caught.value.field, caught.value.value) == ("threads", threads)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes are forked here")
def test_an_engine_that_has_painted_paints_in_a_forked_process_too():
    """A fork takes no threads along, and the queue's lock as the worker held it."""
    engine = flat()
    canvas = Canvas(np.zeros((4, 4, 3), np.float32), np.ones((4, 4), np.float32))
    engine.submit(canvas, Monitor()).result(timeout=20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            os._exit(0 if engine.submit(canvas, Monitor()).result(timeout=20).pixels.any() else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    engine.close()


def masked(spec: object) -> EditRequest:
    return EditRequest.of("custom", mask=spec)


@pytest.mark.parametrize(
    ("settings", "code", "field"),
    [
        ({"mask": None, "request": masked(spec_of(Mask.full(Size(5, 4)))[0])}, "mask-size", "mask"),
        ({"mask": None, "request": masked({"parts": [{"kind": "alpha"}]})}, "mask-no-alpha", "mask"),
        ({"mask": "no/mask.png"}, "mask-invalid", "mask"),
        ({"sketch": np.zeros((3, 3, 4), np.uint8)}, "sketch-size", "sketch"),
        ({"sketch": np.zeros((*PICTURE.size.shape, 4), np.float32)}, "sketch-size", "sketch"),
        ({"options": {"nonsense": 1}}, "request-invalid", "options"),
    ],
)
def test_an_error_about_an_input_has_code_field_and_value(settings, code, field):
    with pytest.raises(InputError) as caught:
        edit(flat(), **settings)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert caught.value.value is not None
    if "sketch" in settings:
        assert f"not {settings['sketch'].dtype} " in str(caught.value)
