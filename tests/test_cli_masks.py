"""The mask verbs: what they draw, put together, refine, convert and show is what they say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from overpaint.cli import main


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)).save("photo.png")
    for name, (left, top, right, bottom) in {"a": (10, 10, 40, 40), "b": (30, 20, 60, 50)}.items():
        mask = np.zeros((60, 80), np.uint8)
        mask[top:bottom, left:right] = 255
        Image.fromarray(mask).save(f"{name}.png")
    return tmp_path


def values(name: str) -> NDArray[np.uint8]:
    with Image.open(name) as image:
        assert image.mode == "L"
        return np.asarray(image)


def printed(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(capsys.readouterr().out)
    return parsed


def test_make_draws_for_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mask", "make", "photo.png", "--box", "25%,50%,50%,100%", "-o", "m.png"]) == 0
    assert capsys.readouterr().out == "m.png: 80x60, 12.5% marked within 20,30,40,60, 1 part\n"
    drawn = values("m.png")
    assert drawn.shape == (60, 80)
    assert (drawn[30:60, 20:40] == 255).all()
    assert drawn.sum() == 255 * 600


def test_make_draws_without_a_picture_all_kinds_of_shape(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["mask", "make", "--size", "100x50", "--ellipse", "0,0,20,20", "--polygon", "40,0 60,0 40,20"]
    assert main([*words, "--stroke", "80,10 90,10", "--width", "6", "--json", "-o", "m.png"]) == 0
    said = printed(capsys)
    assert said["size"] == [100, 50]
    assert said["parts"] == 3
    assert said["hard"] is True
    drawn = values("m.png")
    assert drawn[10, 10] == drawn[2, 42] == drawn[10, 85] == 255
    assert drawn[0, 0] == drawn[30, 30] == 0


@pytest.mark.parametrize("place", [("--box", "1,1,9,9"), ("--stroke", "3,3 9,9")])
def test_make_names_what_is_said_about_mask_files_that_are_not_there(
    place: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mask", "make", "photo.png", *place, "--mask-label", "cup", "--json", "-o", "m.png"]) == 0
    assert printed(capsys)["notes"] == ["no mask file is named, so that mask_label had no effect"]


def test_a_faint_soft_mask_that_was_made_is_read_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    for feather, brightest in ((20, 20), (40, 5)):
        words = ["mask", "make", "photo.png", "--ellipse", "33,23,47,37", "--feather", str(feather)]
        assert main([*words, "-o", f"{feather}.png"]) == 0
        assert abs(int(values(f"{feather}.png").max()) - brightest) < 8
        capsys.readouterr()
        assert main(["mask", "refine", f"{feather}.png", "--json", "-o", f"same{feather}.png"]) == 0
        assert any("below one half" in note for note in printed(capsys)["notes"])
        drawn = values(f"{feather}.png")
        assert np.array_equal(values(f"same{feather}.png"), np.where(drawn < 4, 0, drawn))


def test_make_feathers_and_turns_round() -> None:
    assert main(["mask", "make", "photo.png", "--box", "20,20,60,40", "--feather", "4", "--invert", "-o", "m.png"]) == 0
    drawn = values("m.png")
    assert drawn[30, 40] < 10
    assert drawn[0, 0] == 255
    assert 80 < drawn[20, 40] < 175


def test_combine() -> None:
    for op, marked in (("union", 900 + 900 - 200), ("subtract", 900 - 200), ("intersect", 200)):
        assert main(["mask", "combine", "a.png", "b.png", "--op", op, "-o", f"{op}.png", "-q"]) == 0
        assert int((values(f"{op}.png") == 255).sum()) == marked


def test_masks_of_two_sizes_are_both_named(capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (80, 50), 255).save("c.png")
    assert main(["mask", "combine", "a.png", "c.png", "-o", "m.png"]) == 2
    assert "c.png is 80x50, and a.png is 80x60; their sides are not in proportion" in capsys.readouterr().err
    Image.new("L", (40, 30), 255).save("d.png")
    assert main(["mask", "combine", "a.png", "d.png", "-o", "m.png"]) == 2
    assert "d.png is 40x30, and a.png is 80x60; its sides are in proportion: give --mask" in capsys.readouterr().err
    assert main(["mask", "resize", "a.png", "--size", "80x50", "-o", "m.png"]) == 2
    assert "a.png is 80x60, and wanted is 80x50; their sides are not in proportion" in capsys.readouterr().err


def test_a_mask_of_another_shape_than_the_picture_has_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("L", (79, 60), 255).save("c.png")
    assert main(["remove", "photo.png", "--mask", "c.png"]) == 2
    assert "a mask is made for the picture as it is, without cropping" in capsys.readouterr().err


def test_notes_of_the_check_and_of_cut_boxes_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(values("a.png") // 255).save("labels.png")
    assert main(["mask", "make", "photo.png", "--mask", "labels.png", "--box", "50,50,90,70", "-o", "m.png"]) == 0
    noted = capsys.readouterr().err
    assert "levels 0, 1, taken as labels" in noted
    assert "the box 50,50,90,70 extends beyond the picture of 80x60, and its part within it was taken" in noted
    assert main(["remove", "photo.png", "--box", "70,50,90,60", "--json"]) == 0
    assert "the box 70,50,90,60 extends beyond" in printed(capsys)["notes"][0]
    assert main(["mask", "make", "photo.png", "--stroke", "-9,30", "--width", "40", "-o", "s.png"]) == 0
    assert "the stroke -9,30,-9,30 extends beyond the picture" in capsys.readouterr().err


def test_hints_name_options_that_the_verb_has(capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(values("b.png")).resize((40, 30), Image.Resampling.NEAREST).save("half.png")
    for words in (["combine", "a.png", "half.png"], ["convert", "half.png", "--size", "80x60"]):
        assert main(["mask", *words, "-o", "c.png"]) == 2
        assert "its sides are in proportion: give --mask-resize to resize it" in capsys.readouterr().err
        assert main(["mask", *words, "-o", "c.png", "--mask-resize"]) == 0
        assert values("c.png").shape == (60, 80)
        Path("c.png").unlink()


def test_annotations_of_several_pictures_are_matched_by_the_file_name(capsys: pytest.CaptureFixture[str]) -> None:
    document: dict[str, Any] = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "x"}]}
    for n, name in enumerate(("photo.png", "other.png")):
        document["images"].append({"id": n, "file_name": f"images/{name}", "width": 80, "height": 60})
        box = [10 + 20 * n, 10, 10, 10]
        document["annotations"].append({"id": n, "image_id": n, "category_id": 1, "bbox": box, "segmentation": []})
        left = box[0]
        document["annotations"][n]["segmentation"] = [[left, 10, left + 10, 10, left + 10, 20, left, 20]]
    Path("all.json").write_text(json.dumps(document))
    for verb in ("combine", "refine"):
        words = ["mask", verb, "all.json", *(["all.json"] if verb == "combine" else []), "-o", f"{verb}.png"]
        assert main(words) == 2
        assert "2 images: 'images/photo.png', 'images/other.png'; give --mask-picture to" in capsys.readouterr().err
        assert main([*words, "--mask-picture", "other.png", "-q"]) == 0
        assert values(f"{verb}.png").nonzero()[1].min() == 30
    for verb in (["mask", "make"], ["mask", "preview"], ["remove"]):
        assert main([*verb, "photo.png", "--mask", "all.json", "--json", "-o", f"{verb[-1]}.png"]) == 0
    assert values("make.png").nonzero()[1].min() == 10
    Image.open("photo.png").save("third.png")
    assert main(["remove", "third.png", "--mask", "all.json"]) == 2
    assert "give --mask-picture" in capsys.readouterr().err


def test_resize_keeps_a_hard_mask_hard(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mask", "resize", "a.png", "--size", "160x120", "-o", "large.png"]) == 0
    assert values("large.png").shape == (120, 160)
    assert set(np.unique(values("large.png"))) == {0, 255}
    assert (values("large.png") > 0).sum() == 4 * (values("a.png") > 0).sum()
    assert main(["mask", "resize", "large.png", "--picture", "photo.png", "-o", "back.png"]) == 0
    assert np.array_equal(values("back.png"), values("a.png"))
    capsys.readouterr()
    assert main(["mask", "resize", "a.png", "--size", "160x121", "-o", "no.png"]) == 2
    assert "a.png is 80x60, and wanted is 160x121" in capsys.readouterr().err
    assert main(["mask", "resize", "a.png", "-o", "no.png"]) == 2


def test_a_mask_of_another_size_is_resized_with_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mask", "resize", "a.png", "--size", "40x30", "-o", "small.png"]) == 0
    words = ["remove", "photo.png", "--mask", "small.png", "--engine", "telea", "--seed", "1"]
    assert main(words) == 2
    assert "the mask is 40x30, but the picture is 80x60; its sides are in proportion: give --mask-resize" in (
        capsys.readouterr().err
    )
    assert main([*words, "--mask-resize", "-o", "one.png"]) == 0
    assert main(["remove", "photo.png", "--mask", "a.png", *words[4:], "-o", "other.png"]) == 0
    with Image.open("one.png") as one, Image.open("other.png") as other:
        assert np.array_equal(one, other)


def test_refine_does_its_steps_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    rough = np.array(values("a.png"))
    rough[20:25, 20:25] = 0  # a hole
    rough[55, 75] = 255  # a speck
    Image.fromarray(rough).save("rough.png")
    words = ["mask", "refine", "rough.png", "--fill-holes", "--remove-specks", "5", "--grow", "2", "--json"]
    assert main([*words, "-o", "m.png"]) == 0
    said = printed(capsys)
    assert said["bounds"] == [8, 8, 42, 42]
    assert said["parts"] == 1
    assert (values("m.png")[20:25, 20:25] == 255).all()
    assert main(["mask", "refine", "a.png", "--shrink", "5", "-o", "s.png"]) == 0
    assert int((values("s.png") == 255).sum()) == 400
    assert main(["mask", "refine", "a.png", "--feather", "3", "--threshold", "0.5", "--invert", "-o", "f.png"]) == 0
    assert len(np.unique(values("f.png"))) > 10  # feathered after it was made hard


@pytest.mark.parametrize(
    ("form", "ending"),
    [("coco-rle", "json"), ("coco-polygons", "json"), ("labelme", "json"), ("cvat", "xml"), ("tiff", "tif")],
)
def test_convert_and_back_keeps_every_pixel(form: str, ending: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mask", "combine", "a.png", "b.png", "-o", "m.png"]) == 0
    words = ["mask", "convert", "m.png", "--to", form, "--label", "thing", "--picture", "photo.png"]
    assert main([*words, "-o", f"m.{ending}"]) == 0
    back = ["mask", "convert", f"m.{ending}", "-o", "back.png"]
    assert main(back if form == "tiff" else [*back, "--mask-label", "thing"]) == 0
    assert np.array_equal(values("back.png"), values("m.png"))
    capsys.readouterr()
    if form != "tiff":
        assert main(["mask", "convert", f"m.{ending}", "-o", "x.png", "--mask-label", "thin"]) == 2
        assert "did you mean 'thing'?" in capsys.readouterr().err


def test_convert_knows_forms_by_their_endings(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mask", "convert", "a.png", "-o", "m.json", "-q"]) == 0
    assert json.loads(Path("m.json").read_text())["shapes"]
    assert main(["mask", "convert", "a.png", "-o", "m.xml", "--json"]) == 0
    assert printed(capsys)["form"] == "cvat"
    assert Path("m.xml").read_text().startswith("<?xml")


def test_convert_says_that_a_soft_edge_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mask", "refine", "a.png", "--feather", "3", "-o", "soft.png"]) == 0
    assert "soft edge" in capsys.readouterr().out
    assert main(["mask", "convert", "soft.png", "-o", "m.json"]) == 0
    assert "bilevel masks" in capsys.readouterr().err


def test_annotations_mark_where_to_edit() -> None:
    assert main(["mask", "convert", "a.png", "-o", "m.json", "-q"]) == 0
    assert main(["remove", "photo.png", "--mask", "m.json", "--engine", "telea", "--strict", "-q"]) == 0
    with Image.open("photo.png") as before, Image.open("photo.remove.png") as after:
        changed = (np.asarray(before) != np.asarray(after)).any(axis=2)
    assert not changed[values("a.png") == 0].any()
    assert changed[values("a.png") == 255].mean() > 0.9


def test_what_was_corrected_is_noted(capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(values("a.png") // 255 * 2).save("labels.png")
    assert main(["mask", "combine", "labels.png", "b.png", "-o", "m.png"]) == 0
    assert "note: the mask has only the levels 0, 2, taken as labels" in capsys.readouterr().err
    assert main(["mask", "refine", "labels.png", "--json", "-o", "n.png"]) == 0
    assert "taken as labels" in printed(capsys)["notes"][0]
    assert np.array_equal(values("n.png"), values("a.png"))
    words = ["remove", "photo.png", "--mask", "labels.png", "--engine", "telea", "-o", "r.png"]
    assert main(words) == 0
    assert "note: the mask has only the levels 0, 2, taken as labels" in capsys.readouterr().err
    assert main([*words, "--box", "0,0,5,5", "--overwrite", "--json"]) == 0
    assert "taken as labels" in printed(capsys)["notes"][0]


def test_convert_describes_what_it_wrote(capsys: pytest.CaptureFixture[str]) -> None:
    """A form that holds bilevel masks has the core, and the summary describes that."""
    assert main(["mask", "refine", "a.png", "--feather", "4", "-o", "soft.png"]) == 0
    assert "soft edge" in capsys.readouterr().out
    assert main(["mask", "convert", "soft.png", "-o", "m.json"]) == 0
    printed = capsys.readouterr()
    assert printed.out == "m.json: 80x60, 17.8% marked within 10,10,40,40, 1 part\n"
    assert "labelme holds bilevel masks" in printed.err
    assert main(["mask", "convert", "m.json", "-o", "back.png"]) == 0
    assert capsys.readouterr().out == "back.png: 80x60, 17.8% marked within 10,10,40,40, 1 part\n"


def test_preview_marks_the_mask_its_reach_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (200, 150), (90, 90, 90)).save("grey.png")
    words = ["mask", "preview", "grey.png", "--box", "50,50,100,100", "--grow", "5", "--feather", "5", "--json"]
    assert main([*words, "-o", "look.png"]) == 0
    said = printed(capsys)
    assert said["reach"] == 10
    assert said["regions"] == [[40, 40, 110, 110]]
    with Image.open("look.png") as image:
        shown = np.asarray(image.convert("RGB")).astype(int)
    assert said["colours"] == {"mask": "yellow", "reach": "magenta", "regions": "red"}
    red, green, blue = shown[75, 75]
    assert min(red, green) > blue + 60  # inside the mask
    assert (shown[10, 10] == shown[140, 190]).all()
    assert (shown[10, 10] == 90).all()  # far away
    assert main(["mask", "preview", "photo.png", "a.png", "-o", "other.png", "-q"]) == 0
    assert Path("other.png").is_file()
