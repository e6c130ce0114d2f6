"""Rows from lists and folders: the same row however it is written, and a reason for each that can't be read."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batches import BOX, Bench, photo, photos
from overpaint.batch import (
    BadRow,
    EditRow,
    Filter,
    RawRow,
    Reader,
    RowDefaults,
    read_folders,
    read_manifest,
    read_text,
    seed_of,
)
from overpaint.batch.filter import FIELDS
from overpaint.batch.rows import OWN
from overpaint.doors.names import PLACEHOLDERS, check_template, filled, inside
from overpaint.doors.places import Places
from overpaint.errors import RequestError

FORMS = {
    "jsonl": '{"image": "a.png", "box": "1,2,30,40", "intent": "replace", "prompt": "a, b", "steps": 7, "seam": false, '
    '"quality": 80, "seed": 5, "strength": 0.5}\n\n{"image": "b.png", "box": [1, 2, 30, 40], "invert": true}',
    "json": '[{"image": "a.png", "box": "1,2,30,40", "intent": "replace", "prompt": "a, b", "steps": 7, "seam": false, '
    '"quality": 80, "seed": 5, "strength": 0.5}, {"image": "b.png", "box": "1,2,30,40", "invert": true}]',
    "csv": "image,box,intent,prompt,steps,seam,quality,seed,strength,invert\n"
    'a.png,"1,2,30,40",replace,"a, b",7,FALSE,80,5,0.5,\nb.png,"1,2,30,40",,,,,,,,true\n',
    "yaml": "- image: a.png\n  box: 1,2,30,40\n  intent: replace\n  prompt: a, b\n  steps: 7\n  seam: false\n"
    "  quality: 80\n  seed: 5\n  strength: 0.5\n- {image: b.png, box: [1, 2, 30, 40], invert: yes}\n",
}


def read(text: str, form: str = "jsonl", shared: RowDefaults | None = None) -> list[EditRow | BadRow]:
    reader = Reader(shared or RowDefaults(settings={"intent": "remove"}))
    return [reader.read(found) for found in read_text(text, form, "the list")]


@pytest.mark.parametrize("form", list(FORMS))
def test_a_list_says_the_same_in_every_form(form):
    first, second = read(FORMS[form], form)
    assert isinstance(first, EditRow), first
    assert isinstance(second, EditRow), second
    assert (first.image, first.seed, first.quality) == ("a.png", 5, 80)
    assert first.places == Places(box=("1,2,30,40",))
    asked = first.request
    assert (asked.intent, asked.prompt, asked.steps, asked.seam, asked.strength) == (
        "replace",
        "a, b",
        7,
        False,
        0.5,
    )
    assert asked.seed is None
    assert (second.image, second.places.invert, second.request.intent) == ("b.png", True, "remove")


@pytest.mark.parametrize(
    ("written", "places"),
    [
        ({"box": [1, 2, 3, 4]}, Places(box=("1,2,3,4",))),
        ({"box": [[1, 2, 3, 4], "5%,6%,7%,8%"]}, Places(box=("1,2,3,4", "5%,6%,7%,8%"))),
        ({"box": "1,2,3,4; 5,6,7,8"}, Places(box=("1,2,3,4", " 5,6,7,8"))),
        ({"ellipse": [1.5, 2, 3, 4]}, Places(ellipse=("1.5,2,3,4",))),
        ({"polygon": [[1, 2], [3, 4], [5, 6]]}, Places(polygon=("1,2 3,4 5,6",))),
        ({"polygon": ["1,2 3,4 5,6", [[1, 2], [3, 4], [7, 8]]]}, Places(polygon=("1,2 3,4 5,6", "1,2 3,4 7,8"))),
        ({"mask": ["m.png", "alpha"]}, Places(mask=("m.png", "alpha"))),
        ({"mask": "m.json", "mask_label": "cup"}, Places(mask=("m.json",), mask_label="cup")),
    ],
)
def test_places_may_be_written_as_text_or_as_numbers(written, places):
    (row,) = read(json.dumps({"image": "a.png", **written}))
    assert isinstance(row, EditRow), row
    assert row.places == places


def test_a_row_overrides_shared_settings_and_its_mask_replaces_the_shared_one():
    shared = RowDefaults(
        settings={"intent": "remove", "steps": 9}, places=Places(box=("1,1,2,2",)), format="png", quality=5
    )
    rows = read(
        '{"image": "a.png"}\n{"image": "b.png", "steps": 3, "ellipse": "1,1,5,5", "format": "webp"}', shared=shared
    )
    plain, own = rows
    assert isinstance(plain, EditRow)
    assert isinstance(own, EditRow)
    assert (plain.request.steps, plain.places.box, plain.format) == (9, ("1,1,2,2",), "png")
    assert (own.request.steps, own.places, own.format) == (3, Places(ellipse=("1,1,5,5",)), "webp")


def test_a_mask_may_be_written_as_a_request_has_it():
    spec = {"parts": [{"kind": "box", "box": [1, 2, 3, 4]}], "invert": True}
    (row,) = read(json.dumps({"image": "a.png", "mask": spec}))
    assert isinstance(row, EditRow), row
    assert row.request.mask is not None
    assert row.request.mask.invert
    for beside in ({"box": "1,2,3,4"}, {"invert": True}, {"mask_label": "car"}):
        (both,) = read(json.dumps({"image": "a.png", "mask": spec, **beside}))
        assert isinstance(both, BadRow), beside
    assert isinstance(read(json.dumps({"image": "a.png", "mask": spec, "invert": False}))[0], EditRow)


@pytest.mark.parametrize(
    ("text", "form", "says"),
    [
        ("", "jsonl", "has no rows"),
        ("{", "json", "not JSON"),
        ('{"image": "a.png"}', "json", "must be a list of rows"),
        ("a: [", "yaml", "not YAML"),
        ("- !!python/object/apply:os.system [ls]", "yaml", "not YAML"),
        ("image,image\na,b\n", "csv", "name each field once"),
        ('image,box\n"a.png,1\n', "csv", "not CSV"),
    ],
)
def test_a_list_that_can_not_be_read_at_all_is_refused(text, form, says):
    with pytest.raises(RequestError, match=says):
        read_text(text, form, "the list")


def test_a_bad_line_is_reported_by_number_and_the_others_are_read(tmp_path):
    path = tmp_path / "edits.csv"
    path.write_text(
        "image;steps;box\na.png;seven;1,1,2,2\nb.png;7;1,1,2,2\nc.png;7;1,1,2,2;more\n", encoding="utf-8-sig"
    )
    reader = Reader(RowDefaults())
    first, second, third = (reader.read(found) for found in read_manifest(path))
    assert isinstance(first, BadRow)
    assert (first.number, first.image) == (1, "a.png")
    assert "steps must be a whole number" in first.reason
    assert isinstance(second, EditRow)
    assert isinstance(third, BadRow)
    assert "4 cells for 3 fields" in third.reason


@pytest.mark.parametrize("name", ["edits.txt", "edits", "none.jsonl", "binary.jsonl"])
def test_a_file_that_is_no_list_is_detected(tmp_path, name):
    (tmp_path / "binary.jsonl").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "edits.txt").write_text("{}")
    with pytest.raises(RequestError, match=r"ends in one of|doesn't exist|not UTF-8"):
        read_manifest(tmp_path / name)


@pytest.mark.parametrize(("written", "seed"), [("7.0", 7), ("7", 7), ("7.00", 7), ("-1.0", None)])
def test_a_whole_number_that_a_table_writes_as_a_float_is_one(written, seed):
    (found,) = read_text(f'image,box,seed,steps,quality,strength\na.png,"1,1,2,2",{written},20.0,90.0,1.0', "csv", "x")
    row = Reader(RowDefaults()).read(found)
    assert (row.seed, row.request.steps, row.quality, row.request.strength) == (seed, 20, 90, 1.0)
    whole = Reader(RowDefaults()).read(
        RawRow(1, {"image": "a.png", "box": "1,1,2,2", "id": 7.0, "intent": "expand", "margins": [1.0, 0, 0, 2.0]})
    )
    assert (whole.id, whole.request.margins) == ("7", (1, 0, 0, 2))


@pytest.mark.parametrize("written", ["7.5", "18014398509481985.0", "nan", "seven"])
def test_a_seed_that_is_no_whole_number_is_refused(written):
    (found,) = read_text(f'image,box,seed\na.png,"1,1,2,2",{written}', "csv", "x")
    assert "seed must be a whole number" in Reader(RowDefaults()).read(found).reason


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=4)))
def test_whatever_a_field_holds_there_is_a_row_or_a_reason(value):
    for name in (*OWN, "seed", "steps", "prompt", "margins", "options"):
        row = Reader(RowDefaults()).read(RawRow(1, {"image": "a.png", "box": "1,1,2,2", name: value}))
        assert isinstance(row, EditRow) or row.reason


# ── folders ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_picture_in_a_folder_finds_its_mask_at_any_depth(tmp_path):
    for name in ("a.png", "b.png", "sub/c.png", "sub/d.png", "sub/deep/e.png", "f.png", ".hidden/g.png"):
        photo(tmp_path / "images" / name)
    for name in ("a.png", "b_mask.png", "sub/c.png", "elsewhere/d.png", "e-mask.png"):
        photo(tmp_path / "masks" / name)
    rows = [Reader(RowDefaults()).read(found) for found in read_folders(tmp_path / "images", tmp_path / "masks").rows]
    found = {Path(row.image).name: row for row in rows if isinstance(row, EditRow) and row.image}
    masks = {name: Path(row.places.mask[0]).relative_to(tmp_path / "masks").as_posix() for name, row in found.items()}
    assert masks == {
        "a.png": "a.png",
        "b.png": "b_mask.png",
        "c.png": "sub/c.png",
        "d.png": "elsewhere/d.png",
        "e.png": "e-mask.png",
    }
    assert found["e.png"].folder == "sub/deep/"
    (bad,) = [row for row in rows if isinstance(row, BadRow)]
    assert "f.png: it has no mask" in bad.reason


def test_one_mask_serves_all_and_two_for_one_picture_are_reported(tmp_path):
    photos(tmp_path / "images", 2)
    one = photo(tmp_path / "one.png")
    rows = [Reader(RowDefaults()).read(found) for found in read_folders(tmp_path / "images", one).rows]
    assert [row.places.mask for row in rows if isinstance(row, EditRow)] == [(str(one),)] * 2
    photo(tmp_path / "masks" / "p000.png")
    photo(tmp_path / "masks" / "p000.jpg")
    first, second = (
        Reader(RowDefaults()).read(found) for found in read_folders(tmp_path / "images", tmp_path / "masks").rows
    )
    assert isinstance(first, BadRow)
    assert "several masks" in first.reason
    assert isinstance(second, BadRow)


def test_masks_may_lie_beside_the_pictures_and_results_are_not_taken_for_pictures(tmp_path):
    photos(tmp_path, 2)
    photo(tmp_path / "p000_mask.png")
    photo(tmp_path / "p001.mask.png")
    photo(tmp_path / "out" / "p000.remove.png")
    rows = [
        Reader(RowDefaults()).read(found) for found in read_folders(tmp_path, tmp_path, leave_out=tmp_path / "out").rows
    ]
    assert [Path(row.image or "").name for row in rows] == ["p000.png", "p001.png"]
    assert all(isinstance(row, EditRow) for row in rows)


def test_names_in_composed_and_in_decomposed_form_are_one_name(tmp_path):
    for form, other in (("NFC", "NFD"), ("NFD", "NFC")):
        photo(tmp_path / form / "i" / "é" / unicodedata.normalize(form, "café.png"))
        photo(tmp_path / form / "m" / "é" / unicodedata.normalize(other, "café_mask.png"))
        (found,) = read_folders(tmp_path / form / "i", tmp_path / form / "m").rows
        assert Path(found.table["mask"]).is_file()


def test_files_that_are_no_pictures_are_named_in_a_note(tmp_path):
    photos(tmp_path / "images", 2)
    for name in ("b.psd", "sub/c.svg", ".hidden.psd", "out/d.psd"):
        (tmp_path / "images" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "images" / name).write_bytes(b"")
    one = read_folders(tmp_path / "images", None, leave_out=tmp_path / "images" / "out")
    assert len(one.rows) == 2
    assert one.notes == ("2 files were left out, as pictures of this kind can't be read: b.psd, sub/c.svg",)
    (tmp_path / "images" / "p000.json").write_text("{}")  # a mask, where the folder of masks is the same
    same = read_folders(tmp_path / "images", tmp_path / "images", leave_out=tmp_path / "images" / "out")
    assert "p000.json" not in same.notes[0]


@pytest.mark.parametrize(("name", "option"), [("to", "to"), ("color", "colour"), ("gradient", "gradient")])
def test_an_option_of_an_engine_is_no_field_and_the_reason_says_where_it_goes(name, option):
    row = Reader(RowDefaults()).read(RawRow(1, {"image": "a.png", "box": "1,1,9,9", name: "navy"}))
    assert isinstance(row, BadRow)
    assert f"""the field 'options' takes {{"{option}": "navy"}}""" in row.reason


@pytest.mark.parametrize("images", ["none", "empty", "file.png"])
def test_a_folder_without_pictures_is_reported(tmp_path, images):
    (tmp_path / "empty").mkdir()
    photo(tmp_path / "file.png")
    with pytest.raises(RequestError, match="images: "):
        read_folders(tmp_path / images, None)


def test_a_field_of_another_name_is_known():
    row = Reader(RowDefaults()).read(RawRow(1, {"picture": "a.png", "box": "1,1,9,9"}))
    assert isinstance(row, BadRow)
    assert "did you mean 'image'?" in row.reason
    row = Reader(RowDefaults()).read(RawRow(1, {"image": "a.png", "box": "1,1,9,9", "name": "b"}))
    assert isinstance(row, BadRow)
    assert row.reason.startswith("unknown field 'name'")
    assert "did you mean" not in row.reason, "no field is called so, or nearly"
    row = Reader(RowDefaults()).read(RawRow(1, {"image": "a.png", "box": "1,1,9,9", "subseed": 3}))
    assert isinstance(row, BadRow)
    assert """it is an option of an engine: the field 'options' takes {"subseed": 3}""" in row.reason


@pytest.mark.parametrize(
    ("box", "read"),
    [
        (["10%", "10%", "20%", "20%"], ("10%,10%,20%,20%",)),
        ([10, "10px", "20.5%", 20], ("10,10px,20.5%,20",)),
        (["1,1,9,9", "20%,20%,30%,30%"], ("1,1,9,9", "20%,20%,30%,30%")),
        ([["1%", 1, 9, 9], [5, 5, 8, 8]], ("1%,1,9,9", "5,5,8,8")),
    ],
)
def test_sides_of_a_box_in_a_list_may_be_in_per_cent(box, read):
    row = Reader(RowDefaults()).read(RawRow(1, {"image": "a.png", "box": box}))
    assert isinstance(row, EditRow)
    assert row.places.box == read


def test_points_in_a_list_may_be_in_per_cent():
    row = Reader(RowDefaults()).read(RawRow(1, {"image": "a.png", "polygon": [["1%", 1], [9, 9], ["50%", "50%"]]}))
    assert isinstance(row, EditRow)
    assert row.places.polygon == ("1%,1 9,9 50%,50%",)


# ── names and seeds ───────────────────────────────────────────────────────────────────────────────────────────────────


@given(st.text(max_size=30), st.sampled_from(PLACEHOLDERS))
def test_whatever_fills_a_name_it_stays_in_its_folder(value, name):
    values = dict.fromkeys(PLACEHOLDERS, "x")
    made = filled(
        "{folder}{name}-{id}.{intent}{ext}", {**values, "folder": "sub/", name if name != "folder" else "id": value}
    )
    path = Path(inside(made))
    assert not path.is_absolute()
    assert path.parts[0] == "sub"
    assert len(path.parts) == 2


@pytest.mark.parametrize(
    "output", ["/etc/x.png", "../x.png", "a/../../x.png", "C:\\x.png", "..\\x.png", "", ".overpaint/x.png"]
)
def test_an_output_outside_the_folder_of_results_is_refused(output):
    with pytest.raises(RequestError, match="folder of"):
        inside(output)


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{nmae}{ext}", "did you mean 'name'"),
        ("{name", "brace"),
        ("{name}.png", "must end in {ext}"),
        ("../{name}{ext}", "within"),
    ],
)
def test_a_template_that_can_not_be_meant_is_refused(template, says):
    with pytest.raises(RequestError, match=says.replace("{", r"\{")):
        check_template(template)


def test_names_follow_the_template_and_the_pictures_own_ending(tmp_path):
    bench = Bench(tmp_path)
    photo(tmp_path / "a.JPG")
    photo(tmp_path / "sub" / "b.png")
    tables = [
        {"image": "a.JPG", "box": BOX, "id": "one/two"},
        {"image": "sub/b.png", "box": BOX, "id": "b", "format": "webp"},
    ]
    found = bench.preview(tables, rules={"name": "{id}-{name}.{engine}.{row}{ext}"})
    assert [item.output.name for item in found.to_do] == ["one_two-a.stand-in.1.JPG", "b-b.stand-in.2.webp"]


@given(st.integers(0, 2**63), st.text())
def test_a_seed_follows_from_the_batch_and_the_row_alone(batch, id):
    assert seed_of(batch, id) == seed_of(batch, id)
    assert 0 <= seed_of(batch, id) < 2**32
    assert seed_of(batch, id) != seed_of(batch, id + "x")


# ── --where ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('image == "p001.png"', [2]),
        ('like(image, "p00[02]*")', [1, 3]),
        ("steps > 20", [2]),
        ("steps == None and row < 4", [1, 3]),
        ('"red" in prompt or row in [4]', [3, 4]),
        ("not (row >= 2)", [1]),
        ("1 < row <= 3", [2, 3]),
        ('state == "waiting" and attempts == 0', [1, 2, 3, 4]),
        ('lower(prompt) == "a red cup" and len(prompt) > 3', [3]),
        ('row > "2"', []),
        ("row == -1 or len(row) == 1", []),
    ],
)
def test_where_chooses_rows(tmp_path, text, rows):
    bench = Bench(tmp_path)
    photos(tmp_path, 4)
    tables = [{"image": f"p{n:03}.png", "box": BOX} for n in range(4)]
    tables[1] |= {"steps": 25}
    tables[2] |= {"prompt": "a red CUP"}
    assert [item.row.number for item in bench.preview(tables, where=Filter.of(text)).to_do] == rows


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no expression"),
        ("row ==", "no expression"),
        ("rwo == 1", "did you mean 'row'"),
        ("__import__('os').system('ls')", "not understood"),
        ("open('x')", r"there is no open\(\)"),
        ("image.__class__", "not understood"),
        ("[x for x in image]", "not understood"),
        ("(lambda: 1)()", "not understood"),
        ("like(image)", "a field and a pattern"),
        ("row + 1 == 2", "not understood"),
        ("f'{row}' == '1'", "not understood"),
        ("1 ** 9 ** 9", "not understood"),
        ("(" * 500 + "row" + ")" * 500, "no expression"),
        ("row == 1 or " * 300 + "row == 1", "characters long"),
    ],
)
def test_where_is_no_way_to_run_code_and_says_what_it_does_not_understand(text, says):
    with pytest.raises(RequestError, match=says):
        Filter.of(text)


def test_every_field_that_where_knows_is_there_for_a_row(tmp_path):
    bench = Bench(tmp_path)
    photos(tmp_path, 1)
    for name in FIELDS:
        bench.preview([{"image": "p000.png", "box": BOX}], where=Filter.of(f"{name} == None or {name} != None"))


def test_a_cell_that_is_nested_too_deeply_costs_its_own_row_alone():
    bad, good = read(f'image,box,options\na.png,,{"[" * 50_000}\nb.png,"1,2,3,4",\n', "csv")
    assert isinstance(bad, BadRow)
    assert isinstance(good, EditRow)
