"""The hall that all doors share: files, uploads and options become the values that a studio takes."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from overpaint.doors.extension import Extension
from overpaint.doors.inputs import Uploads, collect
from overpaint.doors.names import numbered
from overpaint.doors.outputs import Target, check_result_size, check_writable_all
from overpaint.doors.places import Places
from overpaint.doors.requests import read_request, request_of
from overpaint.errors import MaskError, OutputError, RequestError
from overpaint.mask import Mask
from overpaint.mask.formats import to_labelme
from overpaint.picture import extension_for, format_of_result, from_array, open_picture
from overpaint.request import blob_of
from overpaint.studio import Studio, mask_of


def png(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def picture():
    return open_picture(png(np.random.default_rng(1).integers(0, 256, (40, 60, 3), dtype=np.uint8)))


@pytest.fixture
def marked():
    mask = np.zeros((40, 60), np.uint8)
    mask[10:20, 10:30] = 255
    return mask


REMOVE = request_of("remove", {"engine": "telea", "seed": 1})


def test_uploads_and_files_give_the_same_edit(picture, marked, tmp_path):
    (tmp_path / "mask.png").write_bytes(png(marked))
    with Studio() as studio:
        results = []
        for load in (Uploads({"m": png(marked)}), lambda _: tmp_path / "mask.png"):
            inputs = collect(picture, REMOVE, load, places=Places(mask=("m",)))
            prepared = studio.prepare(inputs.picture, inputs.request, **inputs.rest)
            results.append(studio.finish(prepared, studio.paint(prepared)).picture.samples)
    assert np.array_equal(*results)
    assert not np.array_equal(results[0], picture.samples)


@pytest.mark.parametrize("name", ["/etc/hostname", "../mask.png", "mask.png", "", "\0"])
def test_a_name_of_an_upload_never_becomes_a_path(picture, name, tmp_path, monkeypatch, marked):
    monkeypatch.chdir(tmp_path)
    Path("mask.png").write_bytes(png(marked))
    with pytest.raises(RequestError) as caught:
        collect(picture, REMOVE, Uploads({"mine": png(marked)}), places=Places(mask=(name,)))
    assert (caught.value.code, caught.value.value) == ("upload-missing", name)


def test_files_shapes_and_words_are_joined(picture, marked):
    places = Places(mask=("m", "n"), box=("40,0,50,10",), invert=True)
    inputs = collect(picture, REMOVE, Uploads({"m": png(marked), "n": png(np.roll(marked, 20, 0))}), places=places)
    assert inputs.mask is None
    assert inputs.request.mask is not None
    assert [part.kind for part in inputs.request.mask.parts] == ["raster", "raster", "box"]
    assert inputs.request.mask.invert


@pytest.mark.parametrize("places", [Places(mask=("m",)), Places(mask=("m",), box=("1,1,9,9",))])
def test_what_was_found_about_a_mask_is_a_note_of_the_result(picture, marked, places):
    labels = np.where(marked, np.uint8(2), np.uint8(0))
    inputs = collect(picture, REMOVE, Uploads({"m": png(labels)}), places=places)
    with Studio() as studio:
        edited = inputs.noted(studio.edit(inputs.picture, inputs.request, **inputs.rest))
    assert sum("level" in note for note in edited.notes) == 1


def test_one_mask_file_is_passed_as_a_mask_and_not_coded(picture, marked):
    inputs = collect(picture, REMOVE, Uploads({"m": png(marked)}), places=Places(mask=("m",)))
    assert inputs.request.mask is None
    assert np.array_equal(inputs.mask.values > 0, marked > 0)


def test_errors_name_the_upload_and_keep_their_code(picture, marked):
    with pytest.raises(MaskError, match="m: ") as caught:
        collect(picture, REMOVE, Uploads({"m": png(marked.T.copy())}), places=Places(mask=("m",)))
    assert caught.value.code.startswith("mask-")


def test_a_mask_in_the_request_and_beside_it_is_refused(picture, marked):
    request = request_of("remove", {"mask": {"parts": [{"kind": "full"}]}})
    with pytest.raises(RequestError) as caught:
        collect(picture, request, Uploads({}), places=Places(box=("1,1,9,9",)))
    assert caught.value.code == "mask-twice"


@pytest.mark.parametrize(
    ("array", "code"),
    [(np.zeros((40, 60, 3), np.uint8), "sketch-opaque"), (np.zeros((60, 40, 4), np.uint8), "sketch-size")],
)
def test_a_sketch_has_transparency_and_the_picture_s_size(picture, array, code):
    with pytest.raises(RequestError) as caught:
        collect(picture, REMOVE, Uploads({"s": png(array)}), sketch="s")
    assert (caught.value.code, caught.value.field) == (code, "sketch")


def test_an_extension_becomes_margins(picture):
    request = request_of("expand", {})
    assert collect(picture, request, Uploads({}), extension=Extension(left="50%")).request.margins == (30, 0, 0, 0)
    given = request_of("expand", {"margins": [1, 2, 3, 4]})
    assert collect(picture, given, Uploads({}), extension=Extension()).request.margins == (1, 2, 3, 4)


def test_a_request_is_laid_over_another():
    base = request_of("remove", {"engine": "exemplar", "options": {"patch": 7}})
    request = request_of(None, {"seed": 3}, ["levels=4"], base)
    assert (request.intent, request.engine, request.seed) == ("remove", "exemplar", 3)
    assert dict(request.options) == {"patch": 7, "levels": 4}


def test_an_error_in_a_request_s_file_names_the_file(tmp_path):
    path = tmp_path / "r.json"
    path.write_text('{"intent": "remove", "strength": 2}')
    with pytest.raises(RequestError, match=r"r\.json: strength must be between 0 and 1, not 2"):
        read_request(path)


@pytest.mark.parametrize(
    ("own", "wanted", "format"),
    [
        ("jpeg", None, "jpeg"),
        ("gif", None, "png"),
        ("heif", None, "png"),
        (None, None, "png"),
        ("jpeg", "WEBP", "webp"),
    ],
)
def test_a_result_has_its_picture_s_format_where_that_can_be_written(own, wanted, format):
    assert format_of_result(own, wanted) == format


def test_an_extension_stays_as_the_picture_has_it():
    assert extension_for("jpeg", Path("a.JPEG")) == ".JPEG"
    assert extension_for("jpeg", Path("a.png")) == ".jpg"
    assert extension_for("png", Path("no-extension")) == ".png"


def test_variations_are_numbered_and_have_a_sheet():
    target = Target(Path("a/b.jpg"), "jpeg", compare=Path("c.png"))
    assert [one.path for one in target.variations(2)] == [Path("a/b-1.jpg"), Path("a/b-2.jpg")]
    assert [one.compare for one in target.variations(2)] == [Path("c-1.png"), Path("c-2.png")]
    assert target.sheet == Path("a/b-sheet.jpg")
    assert numbered(Path("x.png"), 1, 1) == Path("x.png")


def test_files_are_checked_before_any_work(tmp_path):
    (tmp_path / "taken.png").write_bytes(b"x")
    for files, code in (
        ([("compare", tmp_path / "taken.png")], "output-exists"),
        ([("output", tmp_path / "a"), ("compare", tmp_path / "a")], "output-twice"),
        ([("output", tmp_path / "a"), ("compare", tmp_path / "nowhere" / "a")], "output-refused"),
        ([("compare", tmp_path)], "output-refused"),
    ):
        with pytest.raises(OutputError) as caught:
            check_writable_all(files, overwrite=False)
        assert (caught.value.code, caught.value.field, caught.value.value) == (code, "compare", str(files[-1][1]))
    with pytest.raises(OutputError, match="is an input"):
        check_writable_all([("output", tmp_path / "in.png")], overwrite=False, inputs=[tmp_path / "in.png"])
    assert [path.name for path in tmp_path.iterdir()] == ["taken.png"]


def test_a_picture_without_a_path_can_be_used(marked):
    picture = from_array(np.zeros((40, 60, 3), np.uint8))
    assert collect(picture, REMOVE, Uploads({"m": png(marked)}), places=Places(mask=("m",))).mask is not None


def control() -> dict[str, object]:
    raster = blob_of(np.full((40, 60), 255, np.uint8))
    return {"kind": "canny", "image": raster.to_mapping()}


def test_controls_of_a_request_file_reach_the_request_and_an_engine_without_them_is_noted(picture, tmp_path):
    (tmp_path / "r.json").write_text(json.dumps({"intent": "remove", "engine": "telea", "controls": [control()]}))
    request = read_request(tmp_path / "r.json")
    assert request.controls is not None
    assert request.controls[0].kind == "canny"
    inputs = collect(picture, request, Uploads({}), places=Places(box=("1,1,9,9",)))
    with Studio() as studio:
        edited = studio.edit(inputs.picture, inputs.request, **inputs.rest)
    assert any("telea does not use controls" in note for note in edited.notes)


SHAPES = {
    "box": {"box": ("50,30,70,50",)},
    "ellipse": {"ellipse": ("50,30,70,50",)},
    "polygon": {"polygon": ("50,30 70,30 70,50",)},
}


@pytest.mark.parametrize("kind", SHAPES)
def test_a_shape_that_is_cut_by_the_border_is_noted_whatever_its_kind(picture, kind):
    request = request_of("remove", {"engine": "telea"})
    inputs = collect(picture, request, Uploads({}), places=Places(**SHAPES[kind]))
    whole = collect(picture, request, Uploads({}), places=Places(box=("0,0,100%,50%",)))
    with Studio() as studio:
        edited = studio.edit(inputs.picture, inputs.request, **inputs.rest)
        # the same shape in a request, without a door
        again = studio.edit(picture, edited.request)
        silent = studio.edit(whole.picture, whole.request, **whole.rest)
    note = f"the {kind} 50,30,70,50 extends beyond the picture of 60x40, and its part within it was taken"
    assert note in edited.notes
    assert note in again.notes
    assert not any("extends" in found for found in silent.notes)


def test_settings_of_mask_files_without_a_file_are_noted(picture):
    places = Places(box=("1,1,9,9",), mask_label="cup", mask_resize=True)
    inputs = collect(picture, REMOVE, Uploads({}), places=places)
    assert inputs.notes == ("no mask file is named, so that mask_label and mask_resize had no effect",)
    alone = collect(picture, REMOVE, Uploads({}), places=Places(mask_label="cup"))
    assert alone.notes == ("no mask file is named, so that mask_label had no effect",)


def test_a_label_is_chosen_in_annotations_beside_plain_masks(picture, marked):
    polygon = Mask.box((60, 40), (40, 25, 50, 35))
    document = json.loads(to_labelme(polygon, label="cup"))
    document["shapes"] += json.loads(to_labelme(Mask.box((60, 40), (0, 30, 5, 40)), label="other"))["shapes"]
    files = {"plain": png(marked), "notes": json.dumps(document).encode()}
    places = Places(mask=("plain", "notes"), mask_label="cup")
    inputs = collect(picture, REMOVE, Uploads(files), places=places)
    found = mask_of(inputs.request.mask, picture.size, inputs=inputs.rasters)
    assert found.equals(Mask.from_array(marked) | polygon)
    for names in (("plain",), ("plain", "again")):
        with pytest.raises(MaskError, match="only in a COCO, LabelMe or CVAT") as caught:
            collect(picture, REMOVE, lambda _: png(marked), places=replace(places, mask=names))
        assert (caught.value.code, caught.value.value) == ("mask-not-annotated", "cup")


@pytest.mark.parametrize(
    ("target", "margins", "message"),
    [
        (Target(None, "png", layers=Path("a.psd")), None, None),
        (Target(None, "png", layers=Path("a.psd")), (0, 0, 29_941, 0), "a PSD file can't hold 30001x40"),
        (Target(None, "webp"), (0, 16_400, 0, 0), "WEBP can't hold 60x16440"),
        (Target(None, "png"), (0, 16_400, 0, 0), None),
    ],
)
def test_a_result_that_is_too_large_for_its_files_is_refused_before_it_is_painted(picture, target, margins, message):
    request = request_of("expand", {"margins": margins or (1, 0, 0, 0)})
    inputs = collect(picture, request, Uploads({}))
    if message is None:
        check_result_size(target, inputs.size, picture.colour)
        return
    with pytest.raises(OutputError, match=message) as caught:
        check_result_size(target, inputs.size, picture.colour)
    assert caught.value.code == "output-too-large"
    assert caught.value.field in ("layers", "format")
