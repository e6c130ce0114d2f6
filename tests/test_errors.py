"""An error is a value: code, field, value and hint; a door words it by its own options."""

from __future__ import annotations

import json
import pickle
import re
from pathlib import Path

import pytest
from PIL import Image

from overpaint.cli import main
from overpaint.cli.messages import HINTS, in_json, in_line
from overpaint.doors.words import error_values
from overpaint.errors import MaskError, ModelError, OutputError, OverpaintError, RequestError, did_you_mean, some_names
from overpaint.mask.formats import from_labelme
from overpaint.request import EditRequest
from overpaint.validation import SettingError

PAGE = Path(__file__).parents[1] / "docs" / "errors.md"


def test_a_message_names_the_field_as_the_door_does():
    error = RequestError("{field} must be at least 1, not 0", field="steps", value=0, hint="20 is usual")
    assert str(error) == "steps must be at least 1, not 0; 20 is usual"
    assert error.worded(lambda name: f"--{name}") == "--steps must be at least 1, not 0; 20 is usual"
    assert error.worded(hint="") == "steps must be at least 1, not 0"


def test_every_problem_of_several_settings_is_worded():
    with pytest.raises(SettingError) as caught:
        EditRequest.of("remove", strength=2, guidance_scale=-1)
    assert in_line(caught.value).startswith("--strength must be between 0 and 1, not 2")
    assert "--guidance-scale must be" in in_line(caught.value)
    assert caught.value.code == "setting-invalid"
    assert (caught.value.field, caught.value.value) == ("strength", 2)


def test_the_command_line_adds_its_own_hint_by_the_code():
    error = ModelError("m is not here", code="model-not-downloaded", value="m")
    assert in_line(error) == "m is not here; 'overpaint models get m' downloads it"


def test_fields_in_a_hint_become_options():
    error = OutputError("a.png exists already", hint="choose another name, or set overwrite")
    assert in_line(error) == "a.png exists already; choose another name, or give --overwrite"
    assert in_line(OverpaintError("m", hint="set nothing_known")) == "m; set nothing_known"


def test_the_hints_are_for_codes_that_exist():
    listed = [line.split("`")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    assert {re.split("[:@]", name)[0] for name in HINTS} <= set(listed), "by code, or by code and value, or of one verb"


def test_a_hint_for_one_value_comes_before_that_for_the_code():
    assert "--gradient" in in_line(RequestError("no model", code="model-needed", value="background"))
    assert "--gradient" not in in_line(RequestError("no model", code="model-needed", value="replace"))


def test_a_context_keeps_code_and_class():
    error = RequestError("{field} is missing", code="x-y", field="box").within("row 3")
    assert (type(error), str(error), error.code) == (RequestError, "row 3: box is missing", "x-y")
    assert str(error.within("a.csv")) == "a.csv: row 3: box is missing"
    with pytest.raises(SettingError) as caught:
        EditRequest.of("remove", strength=2)
    assert str(caught.value.within("a.json")) == "a.json: strength must be between 0 and 1, not 2"


@pytest.mark.parametrize("value", [None, 3, "text", [1, 2], object(), float("nan"), b"bytes", Path("a")])
def test_an_error_is_plain_values_for_programs(value):
    values = error_values(OverpaintError("m", value=value), str, {})
    assert json.loads(json.dumps(values, allow_nan=False))["code"] == "error"


def test_an_error_travels_between_processes():
    error = pickle.loads(pickle.dumps(RequestError("{field} is wrong", code="c", field="f", value=1, hint="h")))
    assert (str(error), error.code, error.field, error.value) == ("f is wrong; h", "c", "f", 1)


def test_json_has_code_field_value_and_hint(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["remove", "a.png", "--box", "1,1,2,2", "--strength", "2", "--json"]) == 2
    out, err = capsys.readouterr()
    assert json.loads(out) == {
        "error": {
            "code": "setting-invalid",
            "message": "--strength must be between 0 and 1, not 2.0",
            "field": "strength",
            "value": 2.0,
            "hint": None,
        }
    }
    assert err == "overpaint: --strength must be between 0 and 1, not 2.0\n"
    assert in_json(RequestError("m", hint="h"))["error"]["hint"] == "h"


@pytest.mark.parametrize("intent", ["replace", "add", "refine"])
def test_an_intent_without_a_function_is_given_to_edit(intent: str) -> None:
    import overpaint

    with pytest.raises(AttributeError, match=rf"overpaint.edit\(picture, mask=mask, intent='{intent}'\)"):
        getattr(overpaint, intent)


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (["--box", "900,900,990,990"], "box", "900,900,990,990"),
        (["--ellipse", "-20,-20,-5,-5"], "ellipse", "-20,-20,-5,-5"),
        (["--polygon", "90,90 95,90 95,99"], "polygon", "90,90,95,99"),
        (["--box", "9,9,5,5"], "box", "9,9,5,5"),
        (["--box", "0,0,40,30", "--invert"], "mask", None),
        (["--mask", "text.txt"], "mask", None),
        (["--box", "1,1,9,9", "-o", "no/a.png"], "output", "no/a.png"),
        (["--box", "1,1,9,9", "--compare", "no/a.png"], "compare", "no/a.png"),
        (["--box", "1,1,9,9", "-o", "clear.jpg"], "format", "jpeg"),
    ],
)
def test_errors_about_places_and_files_have_field_and_value(words, field, value, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Image.new("RGBA", (40, 30), (90, 90, 90, 128)).save("photo.png")
    Path("text.txt").write_text("words")
    assert main(["remove", "photo.png", *words, "--json"]) != 0
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["field"], error["value"]) == (field, value)


def test_a_shape_of_annotations_is_an_error_of_the_mask():
    document = {"imageWidth": 40, "imageHeight": 30}
    shape = {"label": "x", "shape_type": "rectangle", "points": [[90, 90], [95, 95]]}
    with pytest.raises(MaskError, match=r"shape 0 .* has no pixel in the picture of 40x30") as caught:
        from_labelme({**document, "shapes": [shape]})
    assert (caught.value.field, caught.value.value) == ("mask", "90,90,95,95")


def test_a_message_lists_few_of_many_names_the_nearest_first():
    assert some_names(["b", "a"], "x") == "b, a"
    many = [f"kind-{number:02}" for number in range(45)]
    assert some_names(many, most=2) == "kind-00, kind-01 and 43 others"
    assert some_names(many, "Kind-37", most=2).startswith("kind-37, ")
    assert len(some_names([f"name {number}" for number in range(9000)], "name 7")) < 200
    assert some_names(many, "x" * 9000).endswith(" and 37 others")


@pytest.mark.parametrize(
    ("name", "known", "meant"),
    [
        ("rwo", "row", True), ("vea", "vae", True), ("strenght", "strength", True), ("stylo2", "style", True),
        ("lora", "format", False), ("eta", "detail", False), ("subseed", "seed", False), ("name", "filename", False),
        ("subseed_strength", "strength", False), ("soft_inpainting", "inpainting_fill", False),
    ],
)  # fmt: skip
def test_a_name_that_shares_letters_with_another_is_no_slip_of_it(name, known, meant):
    assert did_you_mean(name, [known]) == (f"; did you mean {known!r}?" if meant else "")
