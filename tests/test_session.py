"""A session: edits that can be taken apart again, and a picture that is what single edits would have made."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import overpaint
from overpaint import Edited, Mask, Session, Studio
from overpaint.engines import EngineCard
from overpaint.errors import MaskError, RecordError, RequestError, SessionError
from overpaint.geometry import Box, Size
from overpaint.picture import Picture, encode, open_picture
from overpaint.record import read_record
from overpaint.studio import pixel_digest
from stand_ins import noise
from test_untouched import MODES, beyond, picture_of

SIZE = Size(96, 64)
LEFT, RIGHT = Box(10, 10, 40, 40), Box(30, 20, 70, 50)
FAR = Box(84, 52, 94, 62)
NEAR = EngineCard(name="stand-in", title="noise from the seed", accepts=frozenset({"seed"}))


@pytest.fixture(scope="module")
def studio() -> Any:
    with Studio() as made:
        made.add_engine(noise(NEAR))
        yield made


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "photo.png"
    path.write_bytes(encode(picture_of(SIZE, "rgb", 8), "png").data)
    return path


@pytest.fixture
def session(photo: Path, studio: Studio) -> Any:
    with Session.create(photo, photo.with_suffix(".overpaint"), studio=studio) as made:
        yield made


def paint(session: Session, box: Box, **more: Any) -> int:
    given = {"engine": "stand-in", "grow": 2.0, "feather": 3.0, "padding": 8, "seed": 7, **more}
    return session.edit(mask=Mask.box(session.picture.size, box), **given).number


def equal(one: Picture, other: Picture) -> bool:
    return pixel_digest(one) == pixel_digest(other)


def again(session: Session, **more: Any) -> Session:
    """The same session, closed and opened."""
    session.close()
    return Session.open(session.path, studio=session._studio, **more)


class TestOneEdit:
    """A session with one edit is that edit."""

    @pytest.mark.parametrize("depth", [8, 16])
    @pytest.mark.parametrize("mode", MODES)
    def test_flattened_it_has_the_pixels_of_the_single_edit_and_its_files_bytes(self, mode, depth, tmp_path, studio):
        format = "tiff" if mode == "cmyk" else "png"
        path = tmp_path / f"photo.{format}"
        path.write_bytes(encode(picture_of(SIZE, mode, depth), format).data)
        mask = Mask.ellipse(SIZE, LEFT, feather=4)
        how = {"engine": "stand-in", "seed": 5, "intent": "add", "prompt": "x", "mask": mask}
        single = studio.edit(path, **how)
        with Session.create(path, tmp_path / "s.overpaint", studio=studio) as session:
            session.edit(**how)
            assert equal(session.picture, single.picture)
        with Session.open(tmp_path / "s.overpaint", studio=studio) as session:
            assert equal(session.picture, single.picture), "composited again from the stored paint"
            one, other = session.flatten().render(format), single.render(format)
            assert one.data == other.data
            assert (one.reach, one.pixels_sha256) == (other.reach, other.pixels_sha256)

    @pytest.mark.parametrize(
        "how",
        [
            {"intent": "remove", "engine": "telea"},
            {"intent": "recolor", "engine": "recolor", "options": {"to": "teal"}},
            {"intent": "background", "engine": "backdrop", "options": {"transparent": True}},
            {"intent": "background", "engine": "backdrop", "options": {"colour": "white"}},
        ],
        ids=["remove", "recolor", "transparent", "background"],
    )
    def test_the_engines_own_alpha_and_rules_hold(self, how, photo, studio, tmp_path):
        mask = Mask.ellipse(SIZE, (20, 10, 70, 55))
        single = studio.edit(photo, mask=mask, **how)
        with Session.create(photo, tmp_path / "s.overpaint", studio=studio) as session:
            session.edit(mask=mask, **how)
            session._cached = None
            assert equal(session.picture, single.picture)
            assert session.flatten().render("png").data == single.render("png").data

    def test_a_picture_that_grew(self, photo, studio, tmp_path):
        how = {"intent": "expand", "engine": "stand-in", "margins": (20, 0, 6, 10), "seed": 1}
        single = studio.edit(photo, **how)
        with Session.create(photo, tmp_path / "s.overpaint", studio=studio) as session:
            session.edit(**how)
            session._cached = None
            assert equal(session.picture, single.picture)
            assert session.flatten().render("png").data == single.render("png").data

    def test_a_jpeg_keeps_its_blocks(self, studio, tmp_path):
        path = tmp_path / "photo.jpg"
        path.write_bytes(encode(picture_of(Size(160, 96), "rgb", 8), "jpeg", quality=90).data)
        with Session.create(path, tmp_path / "s.overpaint", studio=studio) as session:
            paint(session, LEFT)
            paint(session, RIGHT, seed=8)
            saved = session.flatten().save(tmp_path / "out.jpg")
            assert (saved.fidelity, saved.changed) == ("blocks", 0)
            before, after = open_picture(path).samples, open_picture(tmp_path / "out.jpg").samples
            assert (before[:, 96:] == after[:, 96:]).all()


class TestTakingApart:
    def test_undo_and_redo_give_the_very_pixels_back(self, session):
        pictures = [session.picture]
        for seed in range(3):
            paint(session, RIGHT, seed=seed)
            pictures.append(session.picture)
        for expected in reversed(pictures[:-1]):
            session.undo()
            assert equal(session.picture, expected)
        with pytest.raises(SessionError, match="nothing to undo"):
            session.undo()
        for expected in pictures[1:]:
            session.redo()
            assert equal(session.picture, expected)
        with pytest.raises(SessionError, match="nothing to redo"):
            session.redo()

    def test_what_is_hidden_does_not_show_and_shows_again(self, session):
        first = paint(session, LEFT)
        alone = session.picture
        second = paint(session, FAR, seed=9)
        both = session.picture
        session.hide(second)
        assert equal(session.picture, alone)
        session.show(second)
        session.hide(first)
        assert (session.picture.samples[FAR.slices] == both.samples[FAR.slices]).all()
        assert (session.picture.samples[LEFT.slices] == session.original.samples[LEFT.slices]).all()

    def test_opacity_lies_between_what_is_below_and_the_paint(self, session):
        step = paint(session, LEFT)
        painted, original = session.picture.samples.astype(int), session.original.samples.astype(int)
        session.opacity(step, 0.5)
        half = session.picture.samples.astype(int)
        assert np.abs(half - (painted + original) / 2).max() <= 1
        session.opacity(step, 0)
        assert (session.picture.samples == session.original.samples).all()
        with pytest.raises(RequestError, match="between 0 and 1"):
            session.opacity(step, 1.5)

    def test_a_part_of_a_step_is_painted_back_and_in_again(self, session):
        step = paint(session, LEFT)
        painted = session.picture
        hole = Mask.box(SIZE, (10, 10, 20, 40))
        session.mask(step, hole)
        assert session.step(step).masked
        assert (session.picture.samples[10:40, 10:20] == session.original.samples[10:40, 10:20]).all()
        assert (session.picture.samples[:, 20:] == painted.samples[:, 20:]).all()
        session.mask(step, Mask.box(SIZE, (0, 0, 15, 64)), show=True)
        assert (session.picture.samples[:, :15] == painted.samples[:, :15]).all()
        session.mask(step, None)
        assert equal(session.picture, painted)
        assert not session.step(step).masked
        with pytest.raises(MaskError, match="64x96"):
            session.mask(step, Mask.box(SIZE.swapped, (1, 1, 9, 9)))
        with pytest.raises(MaskError, match="no pixel"):
            session.mask(step, Mask.empty(SIZE))

    def test_variations_are_takes_of_one_step(self, session):
        step = paint(session, LEFT, variations=3, seed=20)
        assert (session.step(step).takes, session.step(step).take, session.step(step).seed) == (3, 1, 20)
        seen = set()
        for take in (1, 2, 3):
            session.pick(step, take)
            assert session.step(step).seed == 19 + take
            seen.add(pixel_digest(session.picture))
        assert len(seen) == 3
        with pytest.raises(SessionError, match="no take 4: it has 3"):
            session.pick(step, 4)

    def test_takes_that_are_put_aside_stay_until_that_is_undone(self, session):
        step = paint(session, LEFT, variations=3, seed=20)
        before = session.picture
        session.put_aside(step, [3, 2])
        assert session.step(step).aside == (2, 3)
        assert session.undo_text == f"step {step}: takes 2, 3 put aside"
        assert equal(session.picture, before)
        session.pick(step, 2)  # it can still be picked
        session.undo()
        session.put_aside(step, [])
        assert session.step(step).aside == ()
        session.undo()
        assert session.step(step).aside == (2, 3)
        session.undo()
        assert session.step(step).aside == ()
        with pytest.raises(SessionError, match="no take 4: it has 3"):
            session.put_aside(step, [4])

    def test_a_step_is_painted_again_with_other_settings(self, session):
        step = paint(session, LEFT, seed=1)
        first = session.picture
        session.rerun(step, seed=2)
        assert (session.step(step).takes, session.step(step).take, session.step(step).seed) == (2, 2, 2)
        assert not equal(session.picture, first)
        session.rerun(step, seed=1)
        assert equal(session.picture, first), "the same seed on the same picture"
        session.rerun(step, mask=Mask.box(SIZE, FAR))
        assert (session.picture.samples[LEFT.slices] == session.original.samples[LEFT.slices]).all()

    def test_the_order_in_the_stack_changes_without_painting(self, session):
        first, second = paint(session, LEFT, seed=1), paint(session, RIGHT, seed=2)
        both = LEFT.intersect(RIGHT).slices
        above = session.picture.samples[both].copy()
        session.move(second, 1)
        assert [step.number for step in session.steps] == [second, first]
        below = session.picture.samples[both].copy()
        assert not (above == below).all()
        session.move(second, 2)
        assert (session.picture.samples[both] == above).all()
        with pytest.raises(SessionError, match="no place 3 in a stack of 2"):
            session.move(first, 3)

    def test_a_branch_leaves_the_other_as_it_is(self, session):
        paint(session, LEFT, seed=1)
        first = session.picture
        session.new_branch("bolder")
        paint(session, LEFT, seed=2)
        second = session.picture
        session.switch("main")
        assert equal(session.picture, first)
        assert not session.can_redo
        session.switch("bolder")
        assert equal(session.picture, second)
        with pytest.raises(SessionError, match="the branches are main, bolder"):
            session.switch("other")
        with pytest.raises(SessionError, match="already"):
            session.new_branch("main")

    def test_all_of_it_is_there_when_the_session_is_opened_again(self, session):
        paint(session, LEFT, variations=2)
        paint(session, RIGHT, seed=3)
        session.opacity(2, 0.4)
        session.mask(1, Mask.box(SIZE, (10, 10, 20, 20)))
        session.new_branch("other")
        session.undo()
        before = (session.picture, session.steps, session.branch, session.branches, session.log())
        with again(session) as found:
            assert equal(found.picture, before[0])
            assert (found.steps, found.branch, found.branches, found.log()) == before[1:]
            assert found.can_redo

    def test_a_step_that_is_not_there_is_named_with_those_that_are(self, session):
        with pytest.raises(SessionError, match="no step 3 here; the steps are none yet"):
            session.hide(3)
        paint(session, LEFT)
        with pytest.raises(SessionError, match="no step 3 here; the steps are 1"):
            session.rerun(3)


class TestStale:
    """Steps that saw another one below are stale once that is no longer as they saw it."""

    def stale(self, session: Session) -> list[int]:
        return sorted(step.number for step in session.steps if step.stale)

    @pytest.mark.parametrize(
        "change",
        [
            lambda session: session.hide(1),
            lambda session: session.opacity(1, 0.5),
            lambda session: session.rerun(1, seed=99),
            lambda session: session.mask(1, Mask.box(SIZE, (10, 10, 20, 20))),
            lambda session: session.move(1, 3),
        ],
        ids=["hidden", "opacity", "painted again", "mask", "moved"],
    )
    def test_those_that_saw_it_are_and_those_that_did_not_are_not(self, session, change: Callable[[Session], object]):
        paint(session, LEFT)
        paint(session, RIGHT)
        paint(session, FAR)
        assert self.stale(session) == []
        change(session)
        assert 2 in self.stale(session)
        assert 3 not in self.stale(session), "its engine saw nothing of step 1"
        session.undo()
        assert self.stale(session) == []

    def test_painted_again_in_turn_they_are_no_longer(self, session, photo, studio, tmp_path):
        for number, box in enumerate((LEFT, RIGHT, Box(60, 30, 80, 60))):
            paint(session, box, seed=number)
        session.rerun(1, seed=50)
        assert [step.number for step in session.rerun_stale()] == [2, 3]
        assert self.stale(session) == []
        with Session.create(photo, tmp_path / "other.overpaint", studio=studio) as straight:
            for seed, box in ((50, LEFT), (1, RIGHT), (2, Box(60, 30, 80, 60))):
                paint(straight, box, seed=seed)
            assert equal(straight.picture, session.picture), "as if it had been painted so at once"

    def test_a_step_on_a_canvas_that_is_gone_is_not_painted_where_its_mask_does_not_fit(self, session):
        session.edit(intent="expand", engine="stand-in", margins=(20, 0, 0, 0), seed=1)
        paint(session, Box(2, 2, 12, 12))
        session.hide(1)
        assert self.stale(session) == [2]
        assert session.picture.size == SIZE
        with pytest.raises(SessionError, match=r"116x64, what is below it now is 96x64, and its mask lies beyond it"):
            session.rerun(2)
        session.show(1)
        assert self.stale(session) == []
        assert session.picture.size == Size(116, 64)


class TestRegionsOfTheRecord:
    """The regions of every edit are in pixels of the picture that has the record, and so are those of the manifest."""

    def boxes(self, session: Session) -> list[tuple[Box, ...]]:
        finished = session.flatten()
        found = read_record(finished.render("png").data)
        assert found is not None
        made = found.record
        assert made is not None
        records = [*(made.earlier or ()), made]
        stated = [tuple(Box(*region.box) for region in one.regions) for one in records]
        assert stated == [edit.boxes for edit in finished.edits]
        everything = np.zeros(session.size.shape, bool)
        for box in (box for boxes in stated for box in boxes):
            assert session.size.box.union(box) == session.size.box
            everything[box.slices] = True
        assert not (finished.touched & ~everything).any()
        return stated

    def test_a_later_expand_moves_those_of_the_steps_before(self, session):
        paint(session, LEFT)
        ((before,),) = self.boxes(session)
        session.edit(intent="expand", engine="stand-in", margins=(20, 5, 0, 0), seed=1)
        (first,), (second,) = self.boxes(session)
        assert first == before.shift(20, 5)
        assert second.left == second.top == 0

    def test_without_the_expand_they_are_those_of_the_smaller_picture(self, session):
        session.edit(intent="expand", engine="stand-in", margins=(20, 5, 0, 0), seed=1)
        paint(session, LEFT.shift(20, 5))
        paint(session, Box(2, 20, 8, 40))  # in the margin alone
        session.hide(1)
        (first,), second = self.boxes(session)
        assert first.left <= LEFT.left < LEFT.right <= first.right
        assert first.top <= LEFT.top < LEFT.bottom <= first.bottom
        assert second == ()
        session.hide(3)
        assert self.boxes(session) == [(first,)]


ACTIONS = ("edit", "edit", "edit", "undo", "undo", "redo", "hide", "show", "move", "opacity", "mask")


class Reference:
    """What a session should be: stacks of single edits in a list of states, replayed from the original each time."""

    def __init__(self, original: Picture) -> None:
        self.original = original
        self.states: list[list[dict[str, Any]]] = [[]]
        self.at = 0
        self.allowed = np.zeros(original.size.shape, bool)

    @property
    def stack(self) -> list[dict[str, Any]]:
        return self.states[self.at]

    def change(self, stack: list[dict[str, Any]]) -> None:
        self.states = [*self.states[: self.at + 1], stack]
        self.at += 1

    def with_step(self, number: int, **changes: Any) -> None:
        self.change([{**one, **changes} if one["number"] == number else one for one in self.stack])

    def picture(self) -> np.ndarray:
        samples = self.original.samples.copy()
        for one in self.stack:
            if not one["visible"] or one["opacity"] == 0:
                continue
            for region in one["edited"].regions:
                weight, patch = region.weight.copy(), region.patch.copy()
                solid = (weight <= 0) | (weight >= 1)
                patch[solid] = np.clip(np.rint(patch[solid]), 0, 255)
                weight *= one["shown"][region.box.slices].astype(np.float32) / np.float32(255)
                if one["opacity"] != 1:
                    weight = weight * np.float32(one["opacity"])
                old = samples[region.box.slices].astype(np.float32)
                new = patch + (old - patch) * (np.float32(1) - weight)[..., None]
                new = np.clip(np.rint(new), 0, 255).astype(np.uint8)
                samples[region.box.slices] = np.where((weight > 0)[..., None], new, samples[region.box.slices])
        return samples


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 10**6)), min_size=50, max_size=50))
def test_fifty_random_actions_equal_a_replay_from_the_original(studio, tmp_path_factory, actions):
    folder = tmp_path_factory.mktemp("random")
    original = picture_of(SIZE, "rgb", 8)
    painted: list[Edited] = []

    class Recording(Studio):
        def edit(self, *args: Any, **more: Any) -> Edited:
            painted.append(studio.edit(*args, **more))
            return painted[-1]

    with Session.create(original, folder / "s.overpaint", studio=Recording()) as session:
        reference = Reference(original)
        for action, number in actions:
            rng = np.random.default_rng(number)
            steps = [one["number"] for one in reference.stack]
            step = int(rng.choice(steps)) if steps else 0
            if action == "edit":
                left, top = int(rng.integers(SIZE.width - 8)), int(rng.integers(SIZE.height - 8))
                box = Box(left, top, left + int(rng.integers(4, 30)), top + int(rng.integers(4, 30)))
                made = paint(session, box.intersect(SIZE.box), seed=number)
                edited = painted[-1]
                reference.allowed |= ~beyond(edited.mask, edited.reach)
                shown = np.full(SIZE.shape, 255, np.uint8)
                one = {"number": made, "edited": edited, "visible": True, "opacity": 1.0, "shown": shown}
                reference.change([*reference.stack, one])
            elif action == "undo" and reference.at:
                session.undo()
                reference.at -= 1
            elif action == "redo" and reference.at + 1 < len(reference.states):
                session.redo()
                reference.at += 1
            elif action in ("hide", "show") and steps:
                getattr(session, action)(step)
                reference.with_step(step, visible=action == "show")
            elif action == "opacity" and steps:
                value = float(rng.integers(5)) / 4
                session.opacity(step, value)
                reference.with_step(step, opacity=value)
            elif action == "mask" and steps:
                hole = Mask.ellipse(SIZE, (10, 5, 60, 50), feather=float(rng.integers(4)))
                session.mask(step, hole)
                before = next(one["shown"] for one in reference.stack if one["number"] == step)
                reference.with_step(step, shown=np.minimum(before, 255 - hole.to_bytes8()))
            elif action == "move" and steps:
                place = int(rng.integers(len(steps)))
                session.move(step, place + 1)
                stack = [one for one in reference.stack if one["number"] != step]
                stack.insert(place, next(one for one in reference.stack if one["number"] == step))
                reference.change(stack)
        assert (session.picture.samples == reference.picture()).all()
        with again(session) as found:
            assert (found.picture.samples == reference.picture()).all(), "opened again, from the stored paint"
            assert (found.picture.samples[~reference.allowed] == original.samples[~reference.allowed]).all()
            if any(one["visible"] and one["opacity"] > 0 for one in reference.stack):
                rendered = found.flatten().render("png")
                assert (open_picture(rendered.data).samples == reference.picture()).all()
                touched = np.logical_or.reduce([~beyond(one["edited"].mask, rendered.reach) for one in reference.stack])
                assert (reference.picture()[~touched] == original.samples[~touched]).all(), "beyond the stated reach"


def test_fifty_edits_in_one_place_do_not_degrade_the_picture(session):
    """Each starts from the pixels themselves, so that the fiftieth is what the first would have been there."""
    for seed in range(50):
        paint(session, LEFT, seed=seed)
    last = session.picture.samples.copy()
    for number in range(1, 50):
        session.hide(number)
    # Beyond its soft edge the last step covers what is below it.
    inner = Box(LEFT.left, LEFT.top, LEFT.right, LEFT.bottom).slices
    assert (session.picture.samples[inner] == last[inner]).all()
    outside = beyond(Mask.box(SIZE, LEFT), 5)
    assert (last[outside] == session.original.samples[outside]).all()


class TestExport:
    def test_the_record_has_every_edit_that_shows(self, session, tmp_path):
        paint(session, LEFT, seed=1)
        paint(session, RIGHT, seed=2)
        paint(session, FAR, seed=3)
        session.hide(2)
        session.opacity(1, 0.5)
        saved = session.flatten().save(tmp_path / "out.png")
        found = read_record(saved.path)
        assert found is not None
        assert found.record is not None
        assert [one.resolved.seed for one in (*found.record.earlier, found.record)] == [1, 3]
        assert found.record.input_name == "photo.png"
        assert found.record.input_sha256 == session.head.original.sha256
        assert found.record.pixels_sha256 == saved.pixels_sha256 == pixel_digest(open_picture(saved.path))
        assert "step 1 shows with an opacity of 50%" in found.record.notes

    @pytest.mark.parametrize("format", ["png", "jpeg", "webp", "tiff"])
    def test_every_format_holds_it(self, session, format):
        for seed in range(4):
            paint(session, LEFT, seed=seed)
        record = read_record(session.flatten().render(format).data).record
        assert [one.resolved.seed for one in (*record.earlier, record)] == [0, 1, 2, 3]
        assert record.earlier[0] == session._contents.take(session._history.states[1].stack[0].take).record
        assert "earlier" not in record.earlier[0].to_mapping(), "a record of one edit is as it was"

    def test_it_can_not_be_run_again_from_that_alone_and_says_so(self, session, studio, tmp_path):
        from overpaint.audit import replay

        paint(session, LEFT, seed=1)
        paint(session, RIGHT, seed=2)
        found = read_record(session.flatten().save(tmp_path / "out.png").path)
        with pytest.raises(RecordError, match="2 edits of a session"):
            replay(studio, found.record, session.original)

    def test_it_is_named_after_the_original(self, session):
        paint(session, LEFT)
        assert session.flatten().default_path() == session.path.with_name("photo.edited.png")
        assert session.flatten().default_path("webp") == session.path.with_name("photo.edited.webp")

    @pytest.mark.parametrize("format", ["png", "webp", "tiff", "avif"])
    def test_every_lossless_format_holds_the_picture(self, session, format):
        paint(session, LEFT)
        paint(session, RIGHT)
        rendered = session.flatten().render(format)
        assert (rendered.fidelity, rendered.changed) == ("lossless", 0)
        assert equal(open_picture(rendered.data), session.picture)

    def test_each_step_is_a_layer_with_its_mask(self, session):
        paint(session, LEFT)
        paint(session, RIGHT)
        session.hide(1)
        session.opacity(2, 0.5)
        session.mask(2, Mask.box(SIZE, (30, 20, 40, 50)))
        layered = session.layered()
        assert [(one.name, one.visible, one.opacity) for one in layered.layers] == [
            ("1 Custom", False, 1.0),
            ("2 Custom", True, 0.5),
        ]
        hidden = Box(30, 20, 40, 50).shift(-layered.layers[1].box.left, -layered.layers[1].box.top).slices
        mask = layered.layers[1].read().mask
        assert not mask[hidden].any()
        assert mask.max() == 1
        assert equal(layered.merged, session.picture)
        assert equal(layered.base, session.original)

    def test_without_a_step_that_shows_it_is_the_original_with_nothing_to_record(self, session, photo, tmp_path):
        flat = session.flatten()
        assert flat.render().data == photo.read_bytes()
        assert flat.save(tmp_path / "out.png", record="sidecar").sidecar is None
        assert equal(open_picture(flat.render("tiff").data), session.original)
        with pytest.raises(SessionError, match="no step shows") as caught:
            flat.record()
        assert caught.value.code == "session-empty"


class TestOriginal:
    def test_its_file_is_kept_as_it_is(self, session, photo):
        assert session.original.source.data == photo.read_bytes()

    def test_pixels_without_a_file_are_kept(self, tmp_path, studio):
        pixels = np.random.default_rng(0).integers(0, 65536, (20, 30, 3), np.uint16)
        with Session.create(pixels, tmp_path / "s.overpaint", studio=studio) as session:
            assert (session.original.samples == pixels).all()
            assert session.original.source.path is None

    @pytest.mark.parametrize("mode", MODES)
    def test_in_every_mode(self, mode, tmp_path, studio):
        picture = picture_of(SIZE, mode, 16)
        with Session.create(picture, tmp_path / "s.overpaint", studio=studio) as session:
            assert equal(session.original, picture)

    def test_rasters_that_a_request_names_are_kept_for_the_next_time(self, tmp_path, studio):
        """A mask too large for a request is in the session, so that the step can be painted again."""
        size = Size(1600, 1000)
        rng = np.random.default_rng(3)
        specks = Mask((rng.random(size.shape) > 0.9).astype(np.float32))
        with Session.create(picture_of(size, "rgb", 8), tmp_path / "s.overpaint", studio=studio) as session:
            session.edit(mask=specks, engine="stand-in", grow=0.0, feather=0.0, seed=1)
            first = session.picture
            request = json.loads(session.request(1).to_json())
            assert "data" not in request["mask"]["parts"][0]["raster"]
            with again(session) as found:
                found.rerun(1)
                assert equal(found.picture, first)

    def test_the_package_offers_it(self):
        assert overpaint.Session is Session


def test_a_result_is_freed_with_its_last_name(studio, photo):
    """Not later, by the search for garbage: a session that held the pictures of earlier edits would grow with each."""
    gc.collect()
    gc.disable()
    try:
        edited = studio.edit(photo, mask=Mask.box(SIZE, LEFT), engine="stand-in", seed=1)
        _ = edited.record, edited.finished.render("png"), edited.layered
        pixels = weakref.ref(edited.picture.samples.base)
        assert pixels() is not None
        del edited, _
        assert pixels() is None
    finally:
        gc.enable()
