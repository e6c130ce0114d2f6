"""A session in layers: what each step becomes, and that all of them together are the session's picture."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from psd_tools import PSDImage
from psd_tools.constants import Resource

from layered import composed_ora, composed_psd, largest_difference, parts_of_ora
from overpaint import Mask, Session, Studio
from overpaint.cli import main
from overpaint.engines import SizeRules
from overpaint.errors import SessionError
from overpaint.geometry import Box, Size
from overpaint.layers import LayerGroup, layers_of
from overpaint.picture import Metadata, encode, open_picture
from overpaint.picture.xmp import read_property
from overpaint.record import Marking, Record, declared_type, read_record
from overpaint.record._embed import NAMESPACE
from overpaint.session._paint import patch_of
from stand_ins import DIFFUSION, noise
from test_untouched import picture_of

SIZE = Size(72, 48)
LEFT, RIGHT = Box(8, 8, 30, 30), Box(25, 15, 55, 40)


@pytest.fixture(scope="module")
def studio() -> Any:
    with Studio() as made:
        made.add_engine(noise(replace(DIFFUSION, name="stand-in", sizes=SizeRules())))
        yield made


def new(folder: Path, studio: Studio, mode: str = "rgb", depth: int = 8) -> Session:
    return Session.create(picture_of(SIZE, mode, depth), folder / "s.overpaint", studio=studio)


def paint(session: Session, box: Box, **more: Any) -> int:
    given = {"engine": "stand-in", "grow": 2.0, "feather": 3.0, "padding": 8, "seed": 7, **more}
    return session.edit(mask=Mask.box(session.picture.size, box), **given).number


class TestSteps:
    def test_variations_are_a_group_in_which_the_picked_one_shows(self, studio, tmp_path):
        with new(tmp_path, studio) as session:
            paint(session, LEFT, variations=3, seed=5)
            session.pick(1, 2)
            session.opacity(1, 0.5)
            (group,) = session.layered().layers
            assert isinstance(group, LayerGroup)
            assert (group.name, group.visible) == ("1 Custom", True)
            assert [(one.name, one.visible, one.opacity) for one in layers_of((group,))] == [
                ("Take 1, seed 5", False, 0.5),
                ("Take 2, seed 6", True, 0.5),
                ("Take 3, seed 7", False, 0.5),
            ]
            session.hide(1)
            assert not session.layered().layers[0].visible
            assert len({one.read().samples.tobytes() for one in layers_of((group,))}) == 3

    def test_takes_of_several_engines_have_their_names(self, studio, tmp_path):
        with new(tmp_path, studio) as session:
            paint(session, LEFT, seed=5)
            session.rerun(1, engine="telea", intent="remove")
            assert [one.name for one in layers_of(session.layered().layers)] == [
                "Take 1, stand-in, seed 5",
                "Take 2, telea",
            ]

    def test_regions_are_a_group(self, studio, tmp_path):
        wide = Size(300, 48)
        with Session.create(picture_of(wide, "rgb", 8), tmp_path / "s.overpaint", studio=studio) as session:
            both = Mask.box(wide, (4, 4, 12, 12)) | Mask.box(wide, (280, 38, 288, 46))
            session.edit(mask=both, engine="telea", intent="remove")
            (group,) = session.layered().layers
            assert [one.name for one in group.members] == ["Region 1", "Region 2"]
            assert all(one.visible for one in group.members)

    def test_a_name_has_the_prompt_unless_the_record_is_left_out(self, studio, tmp_path):
        with new(tmp_path, studio) as session:
            paint(session, LEFT, intent="replace", prompt="赤い風船")
            found = session.layered(record="embed")
            assert [one.name for one in found.layers] == ["1 Replace: 赤い風船"]
            assert "赤い風船".encode("utf-16-be") in found.encode("psd")
            assert parts_of_ora(found.encode("ora"))[1].find("stack")[0].get("name") == "1 Replace: 赤い風船"
            for mode in ("none", "sidecar"):
                private = session.layered(record=mode)
                assert [one.name for one in private.layers] == ["1 Replace"]
                data = private.encode("psd")
                assert not any("赤い風船".encode(code) in data for code in ("utf-8", "utf-16-be", "utf-16-le"))
                assert b"overpaint:record" not in data

    def test_the_record_is_in_the_file(self, studio, tmp_path):
        with new(tmp_path, studio) as session:
            paint(session, LEFT)
            paint(session, RIGHT, seed=9)
            layered = session.layered()
            (tmp_path / "merged.png").write_bytes(parts_of_ora(layered.encode("ora"))[0].read("mergedimage.png"))
            record = read_record(tmp_path / "merged.png").record
            assert [one.resolved.seed for one in (*record.earlier, record)] == [7, 9]
            resources = PSDImage.open(io.BytesIO(layered.encode("psd"))).image_resources
            text = read_property(resources.get_data(Resource.XMP_METADATA), NAMESPACE, "record")
            assert Record.from_json(text) == record
            session.hide(1)
            session.hide(2)
            assert session.layered().record is None

    def test_the_paint_is_whole_below_the_mask(self, studio, tmp_path):
        with new(tmp_path, studio) as session:
            paint(session, LEFT)
            before = session.layered().layers[0].read()
            session.mask(1, Mask.box(SIZE, (10, 10, 20, 20)))
            after = session.layered().layers[0].read()
            assert np.array_equal(before.samples, after.samples)
            assert not np.array_equal(before.mask, after.mask)


@pytest.mark.parametrize("mode", ["rgb", "rgb+alpha"])
def test_paint_beyond_the_picture_is_in_the_layers_too(studio, tmp_path, mode):
    """Of a step that extends it and is hidden, and of one over its border: it shows once the canvas is larger."""
    with new(tmp_path, studio, mode) as session:
        session.edit(intent="expand", engine="stand-in", prompt="x", margins=(13, 0, 0, 7), seed=1)
        paint(session, Box(3, 20, 20, 52), seed=2)
        paint(session, Box(1, 2, 6, 9), seed=3, grow=0, feather=0)  # in the margin alone
        wide = session.picture
        session.hide(1)
        layered = session.layered()
        first, second, third = layers_of(layered.layers)
        assert first.box.intersect(Box(-13, 0, 72, 55)) == first.box
        assert first.box.left == -13
        assert first.box.bottom == 55
        assert second.box.left < 0
        assert second.box.bottom > 48
        assert third.box.right <= 0
        own = third.read()
        assert np.array_equal(own.samples[own.mask == 1], wide.samples[third.box.shift(13, 0).slices][own.mask == 1])
        assert largest_difference(composed_ora(layered.encode("ora")), session.picture) <= 6.5
        data = layered.encode("psd")
        assert largest_difference(composed_psd(data), session.picture) <= 6.5
        found = [one for one in PSDImage.open(io.BytesIO(data)).descendants() if one.name[:1] in "123"]
        boxes = [tuple(one.box) for one in (first, second, third)]
        assert [one.bbox for one in found] == boxes
        assert [(one.mask.left, one.mask.top) for one in found] == [box[:2] for box in boxes]
        assert np.array_equal(np.asarray(found[0].topil().convert("RGB")), first.read().samples)
        lines = parts_of_ora(layered.encode("ora"))[1].iter("layer")
        assert boxes[0][:2] in [(int(one.get("x")), int(one.get("y"))) for one in lines]


ACTIONS = ("custom", "custom", "add", "variations", "cut", "expand", "hide", "move", "opacity", "mask")


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["rgb", "rgb+alpha", "grey+alpha", "cmyk"]),
    st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 10**6)), min_size=2, max_size=7),
)
def test_the_layers_of_any_session_are_its_picture(studio, tmp_path_factory, mode, actions):
    """Whatever its steps did to colour, alpha and size."""
    with new(tmp_path_factory.mktemp("random"), studio, mode) as session:
        for action, number in actions:
            rng = np.random.default_rng(number)
            size = session.picture.size
            left, top = int(rng.integers(size.width - 8)), int(rng.integers(size.height - 8))
            box = Box(left, top, left + int(rng.integers(4, 30)), top + int(rng.integers(4, 30))).intersect(size.box)
            step = int(rng.choice([one.number for one in session.steps])) if session.steps else 0
            if action in ("custom", "add"):
                paint(session, box, intent=action, prompt="x", seed=number)
            elif action == "variations":
                paint(session, box, seed=number, variations=2)
            elif action == "cut":
                how = {"intent": "background", "engine": "backdrop", "options": {"transparent": True}}
                session.edit(mask=Mask.ellipse(size, box), **how)
            elif action == "expand":
                session.edit(intent="expand", engine="stand-in", prompt="x", margins=(6, 0, 0, 5), seed=number)
            elif step and action == "hide":
                session.hide(step)
            elif step and action == "move":
                session.move(step, int(rng.integers(len(session.steps))) + 1)
            elif step and action == "opacity":
                session.opacity(step, float(rng.integers(5)) / 4)
            elif step and action == "mask":
                session.mask(step, Mask.ellipse(size, (5, 3, 40, 30), feather=float(rng.integers(4))))
        layered = session.layered()
        assert layered.merged is session.picture
        bound = 2 * sum(1 for _ in layers_of(layered.layers)) + 0.5
        if mode != "cmyk":  # which OpenRaster can't hold
            assert largest_difference(composed_ora(layered.encode("ora")), session.picture) <= bound
        assert largest_difference(composed_psd(layered.encode("psd")), session.picture) <= bound


@pytest.mark.parametrize(
    ("what", "depth", "seed"),
    [("expand", 8, 0), ("expand", 16, 2), ("custom", 8, 1), ("custom", 8, 2), ("custom", 16, 1)],
)
def test_paint_that_needs_more_ink_than_there_is_agrees_in_picture_layers_and_export(
    studio, tmp_path, what, depth, seed
):
    with new(tmp_path, studio, "cmyk", depth) as session:
        if what == "expand":
            session.edit(intent="expand", engine="stand-in", prompt="x", margins=(6, 0, 0, 5), seed=seed)
        else:
            session.edit(mask=Mask.ellipse(SIZE, (8, 8, 50, 40)), engine="stand-in", grow=2.0, feather=3.0, seed=seed)
        ((_, take),) = session.takes(session.actions[0])
        exact = [session._contents.array(patch.exact) for patch in take.patches]
        assert max(one.max() for one in exact) == session.picture.maximum, "clipped, or this test says nothing"
        data = session.layered().encode("psd")
        assert largest_difference(composed_psd(data), session.picture) <= 1
        if depth == 8:
            assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), session.picture.samples)
        flat = open_picture(session.flatten().render("tiff").data)
        assert np.array_equal(flat.samples, session.picture.samples)


def test_paint_beyond_the_range_of_an_older_session_is_clipped_as_the_layers_have_it(studio, tmp_path):
    with new(tmp_path, studio, "cmyk") as session:
        paint(session, LEFT)
        ((_, take),) = session.takes(session.actions[0])
        state = session.actions[0].after.stack[0]
        stored = take.patches[0]
        array = session._contents.array

        def read(wanted: Any) -> Any:
            return array(wanted) * np.float32(3) if wanted == stored.exact else array(wanted)

        patch = patch_of(stored, state, session.original, session.canvas, read)
        assert array(stored.exact).max() * 3 > 255
        assert patch.patch.max() == 255


class TestCommands:
    @pytest.fixture(autouse=True)
    def _session(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        Path("photo.png").write_bytes(encode(picture_of(SIZE, "rgb", 8), "png").data)
        assert main(["session", "new", "photo.png", "-q"]) == 0
        for box in ("8,8,30,30", "25,15,55,40"):
            assert main(["session", "edit", "photo.overpaint", "remove", "--box", box, "--engine", "blur", "-q"]) == 0

    def export(self, *words: str, status: int = 0) -> None:
        assert main(["session", "export", "photo.overpaint", *words]) == status

    def test_the_name_of_the_result_makes_it_a_layered_file(self, capsys):
        self.export("-o", "l.psd")
        assert "l.psd: 2 steps of photo.overpaint; 2 layers above the original" in capsys.readouterr().out
        assert [one.name for one in PSDImage.open("l.psd")] == ["Original", "1 Remove", "2 Remove"]
        self.export("-o", "l.ora", "--layers", "m.psb", "--compare", "c.png", "--json")
        said = json.loads(capsys.readouterr().out)
        assert (said["output"], said["format"], said["layers"], said["compare"], said["layer_count"]) == (
            "l.ora", "ora", "m.psb", "c.png", 2,
        )  # fmt: skip
        assert said["bytes"] == Path("l.ora").stat().st_size
        assert zipfile.is_zipfile("l.ora")
        assert Path("m.psb").read_bytes()[:6] == b"8BPS\0\2"

    def test_the_format_may_be_named(self, capsys):
        self.export("--format", "psd", "--record", "sidecar")
        assert Path("photo.edited.psd").exists()
        assert Path("photo.edited.psd.overpaint.json").exists()
        Path("folder").mkdir()
        self.export("--format", "ora", "-o", "folder")
        assert Path("folder/photo.edited.ora").exists()

    @pytest.mark.parametrize(
        ("words", "status", "message"),
        [
            (["-o", "l.psd", "--format", "ora"], 2, "--format ora: the name l.psd says psd"),
            (["-o", "l.png", "--format", "psd"], 2, "--format psd: the name l.png says png"),
            (["-o", "l.psd", "--quality", "90"], 2, "a layered file is always exact"),
            (["-o", "none/l.psd"], 1, "the folder none doesn't exist"),
            (["-o", "photo.png", "--layers", "l.tif"], 2, "the name must end in .psd, .psb or .ora"),
        ],
    )
    def test_what_can_not_be_is_said_and_nothing_is_written(self, words, status, message, capsys):
        before = sorted(Path().iterdir())
        self.export(*words, status=status)
        assert message in capsys.readouterr().err
        assert sorted(Path().iterdir()) == before

    def test_an_existing_file_is_kept(self, capsys):
        Path("l.ora").write_bytes(b"old")
        self.export("-o", "l.ora", status=1)
        assert Path("l.ora").read_bytes() == b"old"
        self.export("-o", "l.ora", "--overwrite")
        assert zipfile.is_zipfile("l.ora")

    def test_standard_output(self, capsysbinary):
        self.export("-o", "-", "--format", "psd")
        assert capsysbinary.readouterr().out[:6] == b"8BPS\0\1"

    def test_a_single_verb_writes_both_forms(self):
        words = ["remove", "photo.png", "--box", "8,8,30,30", "--engine", "blur", "-q", "--overwrite", "-o", "out.png"]
        for name in ("l.psd", "l.ora"):
            assert main([*words, "--layers", name]) == 0
            data = Path(name).read_bytes()
            composed = composed_psd(data) if name == "l.psd" else composed_ora(data)
            assert largest_difference(composed, open_picture("out.png")) <= 2


@pytest.mark.parametrize("folder", [False, True])
def test_layers_of_a_session_that_was_closed_are_a_clear_error(studio, tmp_path, folder):
    path = tmp_path / "s"
    with Session.create(picture_of(SIZE, "rgb", 8), path, folder=folder, studio=studio) as session:
        paint(session, LEFT)
        layered = session.layered()
    with pytest.raises(SessionError, match="is closed") as caught:
        layered.save(tmp_path / "l.psd")
    assert caught.value.code == "session-closed"
    assert list(tmp_path.iterdir()) == [path]


def test_takes_that_were_dropped_are_left_out_and_the_others_keep_their_numbers(studio, tmp_path):
    with new(tmp_path, studio) as session:
        paint(session, LEFT, variations=3, seed=5)
        session.pick(1, 2)
        session.compact(takes=True, undo=True)
        assert [(one.name, one.visible) for one in layers_of(session.layered().layers)] == [("1 Custom", True)]
        session.rerun(1, seed=20)
        assert [(one.name, one.visible) for one in layers_of(session.layered().layers)] == [
            ("Take 2, seed 6", False),
            ("Take 4, seed 20", True),
        ]
        assert largest_difference(composed_ora(session.layered().encode("ora")), session.picture) <= 2


@pytest.mark.parametrize("mode", ["embed", "none"])
def test_the_file_says_where_it_comes_from(studio, tmp_path, mode):
    with new(tmp_path, studio) as session:
        paint(session, LEFT)
        layered = session.layered(marking=Marking(mode=mode))
        (tmp_path / "m.png").write_bytes(parts_of_ora(layered.encode("ora"))[0].read("mergedimage.png"))
        said = session.flatten().render("png", marking=Marking(mode=mode))
        resources = PSDImage.open(io.BytesIO(layered.encode("psd"))).image_resources
        xmp = resources.get_data(Resource.XMP_METADATA)
        for metadata in (open_picture(tmp_path / "m.png").metadata, Metadata(xmp=xmp)):
            assert declared_type(metadata) == declared_type(open_picture(said.data).metadata)
        assert (declared_type(Metadata(xmp=xmp)) is None) == (mode == "none")


def test_margins_below_a_translucent_step_are_those_of_the_picture_that_it_was_painted_on(studio, tmp_path):
    """They repeat the edge of the edits below, not that of the original."""
    with new(tmp_path, studio) as session:
        paint(session, Box(0, 5, 20, 40), strict=True)
        session.edit(intent="expand", engine="stand-in", prompt="x", margins=(12, 0, 0, 0), seed=1)
        session.opacity(2, 0.25)
        assert largest_difference(composed_ora(session.layered().encode("ora")), session.picture) <= 2
