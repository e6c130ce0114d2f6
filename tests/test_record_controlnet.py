"""Controls in infotext: in the words of the extension ControlNet, and read back as far as a text can have them."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from overpaint.cli import main
from overpaint.picture import Metadata
from overpaint.record import Infotext, embed, infotext, parse_infotext
from overpaint.record._foreign import from_parameters
from overpaint.record.controlnet import read_controls, written_controls
from overpaint.record.infotext import compose
from overpaint.request import MAP_KINDS, Control, EditRequest, blob_of, without_codes
from stand_ins import DIFFUSION
from test_record_infotext import SETTINGS, record

GUIDED = replace(DIFFUSION, accepts=DIFFUSION.accepts | {"controls"})
MAP = np.arange(48, dtype=np.uint8).reshape(6, 8)
CONTROLS = (
    Control(kind="canny", weight=0.75, end=0.6, model="hub/control_v11p_sd15_canny", options={"low": 50, "high": 120}),
    Control(kind="depth", image=blob_of(MAP), mode="control", start=0.25),
    Control(kind="tile", image=blob_of(MAP), preprocess=True, options={"blur": 5}),
    Control(kind="reference", image=blob_of(MAP), weight=1.5),
)


def test_each_control_is_a_unit_of_the_extension():
    found = dict(written_controls(CONTROLS))
    assert found["ControlNet 0"] == (
        "Module: canny, Model: control_v11p_sd15_canny, Weight: 0.75, Resize Mode: Crop and Resize, Threshold A: 50, "
        "Threshold B: 120, Guidance Start: 0, Guidance End: 0.6, Pixel Perfect: True, Control Mode: Balanced"
    )
    assert found["ControlNet 1"] == (
        "Module: none, Model: None, Weight: 1, Resize Mode: Crop and Resize, Guidance Start: 0.25, Guidance End: 1, "
        "Pixel Perfect: False, Control Mode: ControlNet is more important"
    )
    assert found["ControlNet 2"].startswith("Module: blur_gaussian, Model: None, ")
    assert found["ControlNet 3"].startswith("Module: ip-adapter-auto, ")
    assert dict(written_controls(())) == {}


def test_a_request_with_controls_comes_back_from_infotext_but_for_its_pictures():
    text = infotext(record(GUIDED, controls=CONTROLS))
    found = from_parameters(text)
    assert found is not None
    plain = without_codes({"controls": [one.to_mapping() for one in CONTROLS]})
    assert EditRequest.of(controls=found.settings["controls"]) == EditRequest.of(**plain)
    assert '"data' not in text.replace("\\", "")
    assert [note.partition(" (")[0] for note in found.notes] == [f"the picture of control {n}" for n in (1, 2, 3)]
    assert blob_of(MAP).sha256[:12] in found.notes[0]
    assert not [key for key in found.settings if key.startswith("ControlNet")]


def test_units_that_the_extension_wrote_are_read_and_what_the_text_lacks_is_told():
    lines = (
        'ControlNet 0: "Module: softedge_hed, Model: control_v11p_sd15_softedge [a8575a2a], Weight: 0.4, '
        "Resize Mode: 1, Low Vram: False, Processor Res: 512, Guidance Start: 0, Guidance End: 0.4, "
        'Pixel Perfect: False, Control Mode: 1, Hr Option: Both, Save Detected Map: True"',
        'ControlNet 1: "preprocessor: canny, model: None, weight: 1.0, starting/ending: (0.23, 0.76), '
        "resize mode: Crop and Resize, pixel perfect: False, control mode: Balanced, "
        'preprocessor params: (512, 80, 160)"',
        'ControlNet 2: "Module: none, Model: qrCodeMonster_v20 [5e5778cb], Weight: 1.34"',
        'ControlNet 3: "Module: reference_only, Model: None"',
        'ControlNet 10: "Module: depth, Model: None, Guidance Start: 0.9, Guidance End: 0.1"',
    )
    found = from_parameters(f"a\n{SETTINGS}, {', '.join(lines)}")
    assert found is not None
    first, second = found.settings["controls"]
    said = {"kind": "softedge", "weight": 0.4, "end": 0.4, "mode": "prompt", "model": "control_v11p_sd15_softedge"}
    assert said.items() <= first.items()
    assert (second["start"], second["end"], second["options"]) == (0.23, 0.76, {"low": 80, "high": 160})
    lost = "was guided by a picture that is not in this text"
    assert found.notes[0] == f"ControlNet 0 {lost}: its map is made of the picture that is edited, where none is given"
    assert found.notes[2] == f"ControlNet 2 {lost}, by qrCodeMonster_v20"
    assert found.notes[3] == "ControlNet 3 has the preprocessor 'reference_only', which is not here"
    assert found.notes[4].startswith("ControlNet 10 can't be read: ")
    assert [key for key in found.settings if key.startswith("ControlNet")] == [f"ControlNet {n}" for n in (2, 3, 10)]
    assert EditRequest.of(controls=found.settings["controls"]).controls[0].made


UNITS = st.builds(
    Control,
    kind=st.sampled_from(MAP_KINDS),
    weight=st.floats(0, 4).map(lambda one: round(one, 3)),
    mode=st.sampled_from(["balanced", "prompt", "control"]),
    model=st.none() | st.from_regex(r"control_[a-z0-9_.\-]{0,20}", fullmatch=True),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(UNITS, min_size=1, max_size=3))
def test_units_say_what_controls_say(controls):
    """Read without our own key, as another program leaves the text."""
    written = dict(written_controls(tuple(controls)))
    del written["Controls"]
    text = compose(Infotext("a", "", {"Steps": "1", "Seed": "2", **written}))
    found = read_controls(parse_infotext(text).settings)
    assert list(found.tables) == [one.to_mapping() for one in controls]
    assert len(found.notes) == len(controls)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["ControlNet 0", "ControlNet 99999999999"]), st.text(max_size=80)))
def test_no_text_breaks_the_reader(values):
    plain = read_controls(values)
    for text in (
        '[{"kind": "canny", "surprise": 1}]',
        "[1]",
        "{}",
        "[" * 5000,
        '[{"kind": "depth", "image": "a.png"}]',
    ):
        found = read_controls({**values, "Controls": text})
        assert found.notes[0].startswith("Controls can't be read: ")
        assert replace(found, notes=found.notes[1:]) == plain


@pytest.mark.parametrize(
    "settings",
    [
        'ControlNet 0: "' + ", a: (" * 60_000 + '"',
        'ControlNet 0: "Module: canny, Model: a' + " " * 100_000 + 'b"',
        'a:["",' * 200_000,
    ],
)
def test_a_long_text_is_read_in_a_time_that_follows_its_length(settings: str):
    before = time.process_time()
    found = from_parameters(f"p\nSteps: 1, Sampler: Euler, Seed: 2, {settings}")
    assert found is not None
    assert found.settings["steps"] == 1
    assert time.process_time() - before < 3, "squares of these lengths take ten seconds and more"


def test_info_has_a_line_on_controls(tmp_path, capsys: pytest.CaptureFixture[str]):
    text = PngInfo()
    for key, value in embed(Metadata(), record(GUIDED, controls=CONTROLS), "png").text.items():
        text.add_text(key, value)
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png", pnginfo=text)
    assert main(["info", str(tmp_path / "a.png")]) == 0
    line = next(one for one in capsys.readouterr().out.splitlines() if one.strip().startswith("controls"))
    digest = blob_of(MAP).sha256[:12]
    assert "canny made of the edited picture, model hub/control_v11p_sd15_canny, weight 0.75, end 0.6, low 50" in line
    assert f"depth as a picture of 8x6, {digest}..., start 0.25, mode control; tile made of a picture of 8x6" in line
    assert f"reference as a picture of 8x6, {digest}..., weight 1.5" in line
