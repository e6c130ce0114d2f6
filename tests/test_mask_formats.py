"""Masks of other programs are read as they mean them, and what is written comes back the same."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_tools

from overpaint.errors import MaskError
from overpaint.mask import Mask, formats
from overpaint.mask.formats import (
    from_coco,
    from_coco_segmentation,
    from_cvat,
    from_labelme,
    read_document,
    to_coco_annotation,
    to_coco_polygons,
    to_coco_rle,
    to_cvat,
    to_labelme,
)

shapes = array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=30)
bits = shapes.flatmap(lambda shape: arrays(np.bool_, shape))
seeds = st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1), st.floats(0, 1))


def scattered(recipe: tuple[int, int, int, float]) -> NDArray[np.bool_]:
    height, width, seed, density = recipe
    return np.random.default_rng(seed).random((height, width)) < density


masks = st.one_of(bits, seeds.map(scattered)).map(Mask.from_array)


# COCO


def test_run_lengths_whose_sum_wraps_around_are_refused() -> None:
    """In 64 bits these 70,000 lengths, which grow from one to the next, add up to the 100 pixels of the mask."""
    count = 70_000
    levels = [(i + 1) // 2 for i in range(count)]
    step, rest = divmod(2**64 + 100, sum(levels))

    def characters(number: int) -> str:
        found = ""
        while number > 15:
            found, number = found + chr((number & 31 | 32) + 48), number >> 5
        return found + chr(number + 48)

    one = characters(step)
    text = characters(0) + one * (count - 2) + characters(step + rest)
    with pytest.raises(MaskError, match="a run-length mask of 100 pixels has a run of"):
        from_coco_segmentation({"size": [10, 10], "counts": text})
    for lengths in ([2**62] * 4 + [100], [101], [0, 10**400]):
        with pytest.raises(MaskError, match=r"a run length must be a whole number|of 100 pixels has a run of"):
            from_coco_segmentation({"size": [10, 10], "counts": lengths})


@pytest.mark.parametrize("number", [10**400, 10**30, -(10**400)])
def test_a_number_of_any_size_in_a_document_is_a_clear_error(number: int) -> None:
    square = [[1, 1], [4, 1], [4, 4], [number, 4]]
    for kind, points in (("polygon", square), ("circle", square[2:]), ("line", square), ("mask", square[2:])):
        shape = {"label": "a", "shape_type": kind, "points": points, "mask": ""}
        document = {"shapes": [shape], "imageWidth": 9, "imageHeight": 9}
        with pytest.raises(MaskError, match="must be numbers"):
            read_document(json.dumps(document).encode())
    with pytest.raises(MaskError, match=r"whole number|at most|pixel"):
        read_document(json.dumps({"shapes": [], "imageWidth": number, "imageHeight": 9}).encode())


@given(masks)
@settings(deadline=None, max_examples=150)
def test_run_lengths_are_those_of_pycocotools(mask: Mask) -> None:
    theirs = coco_tools.encode(np.asfortranarray(mask.core.astype(np.uint8)))
    ours = to_coco_rle(mask)
    assert ours == {"size": theirs["size"], "counts": theirs["counts"].decode()}
    assert from_coco_segmentation(theirs).equals(mask)  # bytes, as pycocotools has them
    assert from_coco_segmentation(json.loads(json.dumps(ours))).equals(mask)
    plain = to_coco_rle(mask, compress=False)
    again = coco_tools.frPyObjects(plain, *plain["size"])
    assert again["counts"] == theirs["counts"]
    assert from_coco_segmentation(plain).equals(mask)


OLD_NUMPY = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in pycocotools.decode


@OLD_NUMPY
def test_long_runs_take_several_characters() -> None:
    mask = Mask.box((5000, 3000), (2400, 1, 2500, 2999))
    ours = to_coco_rle(mask)
    assert np.array_equal(coco_tools.decode({**ours, "counts": ours["counts"].encode()}), mask.core)
    assert from_coco_segmentation(ours).equals(mask)


@given(masks)
@settings(deadline=None, max_examples=100)
def test_polygons_around_the_pixels_fill_to_the_same_mask(mask: Mask) -> None:
    polygons = to_coco_polygons(mask)
    assert len(polygons) == len(mask.components())
    if mask.is_empty:
        assert polygons == []
        return
    assert from_coco_segmentation(polygons, mask.size).equals(mask)
    rings = [list(zip(flat[::2], flat[1::2], strict=True)) for flat in polygons]
    assert Mask.polygon(mask.size, rings, rule="evenodd").equals(mask)


def test_a_polygon_has_corners_only_and_holes_are_cut_out_of_it() -> None:
    assert to_coco_polygons(Mask.box((40, 30), (5, 6, 20, 25))) == [[5, 6, 20, 6, 20, 25, 5, 25]]
    frame = Mask.box((40, 30), (5, 6, 20, 25)) - Mask.box((40, 30), (8, 9, 12, 13))
    [ring] = to_coco_polygons(frame)
    assert len(ring) == 2 * (4 + 1 + 4 + 1)


@OLD_NUMPY
def test_polygons_agree_with_pycocotools_to_a_pixel_along_the_edge() -> None:
    random = np.random.default_rng(3)
    for _ in range(20):
        angles = np.sort(random.random(9)) * 2 * np.pi
        radii = random.uniform(20, 70, 9)
        points = np.stack([90 + radii * np.cos(angles), 80 + radii * np.sin(angles)], axis=1)
        theirs = coco_tools.decode(coco_tools.frPyObjects([points.ravel().tolist()], 160, 180))[:, :, 0] > 0
        ours = from_coco_segmentation([points.ravel().tolist()], (180, 160))
        edge = Mask.strokes((180, 160), [[*points, points[0]]], 2.5).core
        assert not ((theirs != ours.core) & ~edge).any()


def test_a_coco_document_is_read_by_image_and_category() -> None:
    size = (60, 50)
    cat, dog = Mask.box(size, (5, 5, 20, 20)), Mask.ellipse(size, (30, 20, 55, 45))
    document = {
        "images": [
            {"id": 7, "file_name": "photos/a.jpg", "width": 60, "height": 50},
            {"id": 8, "file_name": "photos/b.jpg", "width": 10, "height": 10},
        ],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}],
        "annotations": [
            to_coco_annotation(cat, id=1, image_id=7, category_id=1, kind="polygons"),
            to_coco_annotation(dog, id=2, image_id=7, category_id=2),
            to_coco_annotation(Mask.full((10, 10)), id=3, image_id=8, category_id=2, kind="rle_list"),
        ],
    }
    assert document["annotations"][0]["bbox"] == [5, 5, 15, 15]
    assert document["annotations"][0]["area"] == 225
    assert from_coco(document, image="a.jpg").equals(cat | dog)
    assert from_coco(document, image="photos/a.jpg", label="dog").equals(dog)
    assert read_document(json.dumps(document).encode(), image="b.jpg").equals(Mask.full((10, 10)))
    with pytest.raises(MaskError, match=r"2 images: 'photos/a.jpg', 'photos/b.jpg'"):
        from_coco(document)
    with pytest.raises(MaskError, match=r"no image 'c.jpg'.*'photos/a.jpg'"):
        from_coco(document, image="c.jpg")
    with pytest.raises(MaskError, match=r"no label 'dogs'; did you mean 'dog'\?; it has 'cat', 'dog'"):
        from_coco(document, image="a.jpg", label="dogs")


# LabelMe


def labelme(*shapes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"version": "5.5.0", "shapes": list(shapes), "imageWidth": 60, "imageHeight": 50, **more}


def shape(kind: str | None, *points: tuple[float, float], label: str = "x", **more: Any) -> dict[str, Any]:
    return {"label": label, "shape_type": kind, "points": [list(point) for point in points], **more}


SIZE = (60, 50)
LABELME_SHAPES = {
    "polygon": (shape("polygon", (5, 5), (40, 8), (20, 40)), Mask.polygon(SIZE, [(5, 5), (40, 8), (20, 40)])),
    "old": (shape(None, (5, 5), (40, 8), (20, 40)), Mask.polygon(SIZE, [(5, 5), (40, 8), (20, 40)])),
    "rectangle": (shape("rectangle", (30, 40), (5, 7)), Mask.box(SIZE, (5, 7, 30, 40))),
    "rectangle of 4": (shape("rectangle", (5, 7), (30, 7), (30, 40), (5, 40)), Mask.box(SIZE, (5, 7, 30, 40))),
    "circle": (shape("circle", (30, 20), (33, 24)), Mask.ellipse(SIZE, (25, 15, 35, 25))),
    "line": (shape("line", (5, 5), (50, 40)), Mask.strokes(SIZE, [[(5, 5), (50, 40)]], 10)),
    "linestrip": (shape("linestrip", (5, 5), (50, 5), (50, 40)), Mask.strokes(SIZE, [[(5, 5), (50, 5), (50, 40)]], 10)),
    "point": (shape("point", (30, 20)), Mask.strokes(SIZE, [[(30, 20)]], 10)),
    "points": (shape("points", (30, 20), (9, 9)), Mask.strokes(SIZE, [[(30, 20)], [(9, 9)]], 10)),
}


@pytest.mark.parametrize("kind", LABELME_SHAPES)
def test_labelme_shapes_are_drawn(kind: str) -> None:
    given, mask = LABELME_SHAPES[kind]
    assert from_labelme(labelme(given)).equals(mask)


def test_labelme_labels_are_chosen() -> None:
    one, two = shape("rectangle", (1, 1), (9, 9), label="cat"), shape("rectangle", (20, 20), (30, 30), label="dog")
    document = json.dumps(labelme(one, two)).encode()
    assert read_document(document, label="dog").equals(Mask.box(SIZE, (20, 20, 30, 30)))
    assert read_document(b"\xef\xbb\xbf \n" + document).area == 164
    with pytest.raises(MaskError, match=r"no label 'do'.*it has 'cat', 'dog'"):
        read_document(document, label="do")


def test_shapes_without_a_pixel_are_passed_over_unless_there_is_nothing_else() -> None:
    tiny, box = shape("rectangle", (5.6, 5.6), (5.9, 5.9)), shape("rectangle", (1, 1), (9, 9))
    assert from_labelme(labelme(tiny, box, tiny)).area == 64
    with pytest.raises(MaskError, match=r"shape 1 .*has no pixel"):
        from_labelme(labelme(tiny, tiny))


def test_a_degenerate_piece_beside_good_ones_is_left_out_with_a_note() -> None:
    good, two_points = [10, 10, 20, 10, 20, 20, 10, 20], [30, 10, 30, 15]
    mask = from_coco_segmentation([two_points, good], SIZE)
    assert mask.equals(Mask.box(SIZE, (10, 10, 20, 20)))
    (note,) = mask.notes
    assert re.match("1 of 2 polygons left out.*3 points or more", note)
    document = {
        "images": [{"id": 0, "width": 60, "height": 50, "file_name": "a"}],
        "annotations": [
            {"id": 1, "image_id": 0, "segmentation": [two_points, good]},
            {"id": 2, "image_id": 0, "segmentation": [two_points]},
            {"id": 3, "image_id": 0, "segmentation": [[70, 70, 80, 70, 80, 80]]},
        ],
    }
    read = from_coco(document)
    assert read.equals(mask)
    assert read.notes[0] == f"annotation 1 of the COCO document: {note}"
    assert re.match("left out: annotation 2 of the COCO document.*1 more", read.notes[1])
    with pytest.raises(MaskError, match="3 points or more"):
        from_coco_segmentation([two_points], SIZE)
    with pytest.raises(MaskError, match="3 points or more"):
        from_coco_segmentation([[1, 2, 3], good], SIZE)
    box, flat = shape("rectangle", (1, 1), (9, 9)), shape("rectangle", (1, 1), (5, 1))
    two = shape("polygon", (1, 1), (5, 5))
    drawn = from_labelme(labelme(flat, box, two))
    assert (drawn.area, len(drawn.notes)) == (64, 1)


def test_an_embedded_mask_of_labelme_lies_between_two_corners_that_both_belong_to_it() -> None:
    inside = np.random.default_rng(0).random((8, 11)) < 0.5
    for mode in ("1", "L"):
        buffer = io.BytesIO()
        Image.fromarray(inside.astype(np.uint8) * (255 if mode == "1" else 1)).convert(mode).save(buffer, "png")
        text = base64.b64encode(buffer.getvalue()).decode()
        mask = from_labelme(labelme(shape("mask", (20.0, 30.0), (30.0, 37.0), mask=text)))
        assert np.array_equal(mask.core[30:38, 20:31], inside)
        assert mask.area == inside.sum()
    with pytest.raises(MaskError, match=r"shape 0 \('x'\).*11x8 lies between corners that are 12x9 apart"):
        from_labelme(labelme(shape("mask", (20, 30), (31, 38), mask=text)))
    with pytest.raises(MaskError, match=r"11x8"):  # larger than it may be: not even decoded
        from_labelme(labelme(shape("mask", (20, 30), (21, 31), mask=text)))


@given(masks, st.sampled_from(["polygon", "mask"]))
@settings(deadline=None, max_examples=60)
def test_labelme_documents_come_back_the_same(mask: Mask, kind: Any) -> None:
    text = to_labelme(mask, label="gone", image="a.png", kind=kind)
    if mask.is_empty:
        assert json.loads(text)["shapes"] == []
    else:
        assert from_labelme(json.loads(text), label="gone").equals(mask)


# CVAT


def cvat(*shapes: str, size: tuple[int, int] = SIZE) -> str:
    width, height = size
    body = "".join(shapes)
    return (
        '<?xml version="1.0" encoding="utf-8"?><annotations><version>1.1</version><meta><task/></meta>'
        f'<image id="0" name="a.jpg" width="{width}" height="{height}">{body}<tag label="x"/></image></annotations>'
    )


def test_cvat_shapes_are_drawn() -> None:
    expected = {
        '<box label="x" xtl="5.00" ytl="7.00" xbr="30.5" ybr="40.0"/>': Mask.box(SIZE, (5, 7, 30.5, 40)),
        '<box label="x" xtl="10" ytl="10" xbr="30" ybr="20" rotation="90"/>': Mask.box(SIZE, (15, 5, 25, 25)),
        '<polygon label="x" points="5.00,5.00;40.00,8.00;20.00,40.00"/>': Mask.polygon(
            SIZE, [(5, 5), (40, 8), (20, 40)]
        ),
        '<polyline label="x" points="5,5;50,5;50,40"/>': Mask.strokes(SIZE, [[(5, 5), (50, 5), (50, 40)]], 10),
        '<points label="x" points="30,20;9,9"/>': Mask.strokes(SIZE, [[(30, 20)], [(9, 9)]], 10),
        '<ellipse label="x" cx="30" cy="20" rx="12" ry="8"/>': Mask.ellipse(SIZE, (18, 12, 42, 28)),
        '<ellipse label="x" cx="30.2" cy="20.3" rx="12" ry="8" rotation="90.0"/>': Mask.ellipse(
            SIZE, (22.2, 8.3, 38.2, 32.3)
        ),
        '<mask label="x" rle="1, 2, 3" left="10" top="20" width="3" height="2"/>': Mask.box(SIZE, (11, 20, 13, 21)),
    }
    for text, mask in expected.items():
        assert from_cvat(cvat(text)).equals(mask), text


def test_cvat_turns_clockwise() -> None:
    turned = from_cvat(cvat('<box label="x" xtl="20" ytl="20" xbr="40" ybr="24" rotation="30"/>'))
    assert turned.core[26, 38]
    assert not turned.core[18, 38]


def test_cvat_images_and_labels_are_chosen() -> None:
    text = (
        b'<annotations><image name="in/a.jpg" width="20" height="10"><box label="cat" xtl="1" ytl="1" xbr="4" ybr="4"/>'
        b'<box label="dog" xtl="6" ytl="1" xbr="9" ybr="4"/></image>'
        b'<image name="in/b.jpg" width="5" height="5"><box label="dog" xtl="0" ytl="0" xbr="5" ybr="5"/></image>'
        b"</annotations>"
    )
    assert read_document(text, image="a.jpg", label="dog").equals(Mask.box((20, 10), (6, 1, 9, 4)))
    assert read_document(text, image="in/b.jpg").equals(Mask.full((5, 5)))
    with pytest.raises(MaskError, match="2 images"):
        read_document(text)
    with pytest.raises(MaskError, match="no label 'cat'"):
        read_document(text, image="b.jpg", label="cat")


@given(masks, st.sampled_from(["polygon", "mask"]))
@settings(deadline=None, max_examples=60)
def test_cvat_documents_come_back_the_same(mask: Mask, kind: Any) -> None:
    text = to_cvat(mask, label='a "b" <c>', image="a&b.png", kind=kind)
    if mask.is_empty:
        with pytest.raises(MaskError, match="no shapes"):
            from_cvat(text)
    else:
        assert from_cvat(text, label='a "b" <c>', image="a&b.png").equals(mask)
        assert read_document(text.encode()).equals(mask)


# What is wrong, and says so

DOCUMENTS = {
    "not json": (b"{", "not readable as JSON"),
    "deep json": (b"[" * 100_000, "not readable as JSON"),
    "other json": (b'{"a": 1, "b": 2}', "LabelMe.*COCO.*'a', 'b'"),
    "no size for polygons": (b"[[1, 1, 5, 5, 1, 5]]", r"size=\(width, height\)"),
    "negative run": (b'{"size": [2, 2], "counts": [5, -1]}', "-1|run of 5"),
    "runs of another size": (b'{"size": [2, 2], "counts": [1, 2]}', "add up to 3 pixels, but its size has 4"),
    "giant run": (b'{"size": [2, 2], "counts": [1e300]}', "run of 1000"),
    "NaN run": (b'{"size": [2, 2], "counts": [NaN]}', "whole number, not nan"),
    "giant size": (b'{"size": [100000000, 100000000], "counts": ""}', "200,000,000"),
    "negative size": (b'{"size": [-2, 2], "counts": ""}', "2x-2"),
    "strange size": (b'{"size": [2, "wide"], "counts": ""}', "'wide'"),
    "size of one": (b'{"size": [2], "counts": ""}', r"\[height, width\]"),
    "no size": (b'{"counts": ""}', "'size' is missing"),
    "cut off": (b'{"size": [2, 2], "counts": "11P"}', "cut off"),
    "foreign character": (b'{"size": [2, 2], "counts": "1 1"}', "' '"),
    "no ascii": ('{"size": [2, 2], "counts": "ä"}'.encode(), "ASCII"),
    "endless number": (b'{"size": [2, 2], "counts": "PPPPPPPPPPPPPPPP0"}', "17 characters"),
    "strange counts": (b'{"size": [2, 2], "counts": 7}', "text or a list, not 7"),
    "shapes no list": (b'{"shapes": 5, "imageWidth": 9, "imageHeight": 9}', "list of objects, not 5"),
    "no shapes": (b'{"shapes": [], "imageWidth": 9, "imageHeight": 9}', "no shapes"),
    "no width": (b'{"shapes": [], "imageHeight": 9}', "has no imageWidth"),
    "giant picture": (b'{"shapes": [], "imageWidth": 1e9, "imageHeight": 1e9}', "200,000,000"),
    "no images": (b'{"annotations": []}', "'images' of the COCO document must be a list of objects, not None"),
    "annotation": (
        b'{"images": [{"id": 1, "width": 4, "height": 4}], "annotations": [{"image_id": 1, "id": 9}]}',
        "annotation 9 of the COCO document: .*not None",
    ),
    "annotation no object": (
        b'{"images": [{"id": 1, "width": 4, "height": 4}], "annotations": [5]}',
        r"list of objects, not \[5\]",
    ),
    "not xml": (b"<annotations>", "not readable as XML"),
    "other xml": (b"<svg/>", "root is 'annotations', not 'svg'"),
    "video": (b"<annotations><track/></annotations>", "CVAT for images 1.1"),
    "empty cvat": (b"<annotations/>", "no images"),
    "entities": (
        b'<!DOCTYPE annotations [<!ENTITY a "b">]><annotations>&a;</annotations>',
        "not readable as XML",
    ),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_bad_documents_say_what_was_found(name: str) -> None:
    data, says = DOCUMENTS[name]
    assert formats.is_document(data)
    with pytest.raises(MaskError, match=says):
        read_document(data)


BAD_SHAPES = {
    "two points": (shape("polygon", (1, 1), (5, 5)), r"shape 0 \('x'\).*3 points or more, not 2"),
    "one corner": (shape("rectangle", (1, 1)), "2 or 4 points, not 1"),
    "no circle": (shape("circle", (1, 1)), "2 points, not 1"),
    "flat": (shape("rectangle", (1, 1), (5, 1)), "no area"),
    "outside": (shape("rectangle", (100, 1), (150, 9)), "no pixel in the picture of 60x50"),
    "unknown": (shape("blob", (1, 1)), "'blob'"),
    "words": ({"label": "x", "shape_type": "polygon", "points": "abc"}, "must be numbers"),
    "no points": ({"label": "x", "shape_type": "polygon"}, "not 0"),
    "NaN": (shape("polygon", (1, float("nan")), (5, 5), (1, 5)), "nan"),
    "no mask": (shape("mask", (1, 1), (5, 5)), "base64"),
    "no base64": (shape("mask", (1, 1), (5, 5), mask="%%%"), "base64, not '%%%'"),
    "no png": (shape("mask", (1, 1), (5, 5), mask="aGVsbG8="), "can't be read"),
    "giant mask": (shape("mask", (0, 0), (1e8, 1e8), mask="aGVsbG8="), "must have an area"),
}


@pytest.mark.parametrize("name", BAD_SHAPES)
def test_bad_labelme_shapes_are_named(name: str) -> None:
    given, says = BAD_SHAPES[name]
    with pytest.raises(MaskError, match=says):
        from_labelme(labelme(given))


BAD_CVAT = {
    "no number": ('<box label="x" xtl="a" ytl="7" xbr="30" ybr="40"/>', "the box 'x'.*'xtl'"),
    "missing": ('<box label="x" ytl="7" xbr="30" ybr="40"/>', "'xtl' is missing"),
    "infinite": ('<ellipse label="x" cx="inf" cy="20" rx="12" ry="8"/>', "inf"),
    "negative radius": ('<ellipse label="x" cx="9" cy="20" rx="-12" ry="8"/>', "-12"),
    "point": ('<polygon label="x" points="5,5;40,8,3;20,40"/>', "not 40,8,3"),
    "words": ('<polygon label="x" points="hello"/>', "hello"),
    "short runs": ('<mask label="x" rle="1, 2" left="1" top="2" width="3" height="2"/>', "add up to 3.*has 6"),
    "negative runs": ('<mask label="x" rle="8, -2" left="1" top="2" width="3" height="2"/>', "run"),
    "giant mask": ('<mask label="x" rle="1" left="1" top="2" width="1000000" height="1000000"/>', "must have an area"),
    "mask outside": ('<mask label="x" rle="0,6" left="100" top="2" width="3" height="2"/>', "outside"),
    "fraction": ('<mask label="x" rle="0,6" left="1.5" top="2" width="3" height="2"/>', "1.5"),
}


@pytest.mark.parametrize("name", BAD_CVAT)
def test_bad_cvat_shapes_are_named(name: str) -> None:
    text, says = BAD_CVAT[name]
    with pytest.raises(MaskError, match=says):
        from_cvat(cvat(text))


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-3, 9), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
VALID: list[dict[str, Any]] = [
    labelme(*(given for given, _ in LABELME_SHAPES.values()), shape("mask", (1, 1), (4, 4), mask="aGVsbG8=")),
    to_coco_rle(Mask.box((9, 7), (2, 2, 5, 5))),
    to_coco_rle(Mask.box((9, 7), (2, 2, 5, 5)), compress=False),
    {
        "images": [{"id": 1, "file_name": "a", "width": 9, "height": 7}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [to_coco_annotation(Mask.box((9, 7), (2, 2, 5, 5)), kind="polygons")],
    },
]


@given(st.sampled_from(VALID), st.lists(st.integers(0, 50), min_size=1, max_size=6), JSON)
@settings(deadline=None, max_examples=400)
def test_a_document_with_anything_at_all_somewhere_in_it_is_a_mask_or_a_clear_error(
    document: dict[str, Any], path: list[int], strange: Any
) -> None:
    with contextlib.suppress(MaskError):
        assert read_document(json.dumps(_replaced(document, path, strange)).encode(), size=(9, 7)).hard


def _replaced(value: Any, path: list[int], strange: Any) -> Any:
    """The document with `strange` where the path of numbers leads."""
    if not path or not isinstance(value, dict | list) or not value:
        return strange
    if isinstance(value, dict):
        key = sorted(value)[path[0] % len(value)]
        return {**value, key: _replaced(value[key], path[1:], strange)}
    index = path[0] % len(value)
    return [*value[:index], _replaced(value[index], path[1:], strange), *value[index + 1 :]]


def test_a_segmentation_of_another_size_is_refused() -> None:
    rle = to_coco_rle(Mask.full((40, 30)))
    with pytest.raises(MaskError, match="swapped"):
        from_coco_segmentation(rle, (30, 40))
    with pytest.raises(MaskError, match="no labels"):
        read_document(json.dumps(rle).encode(), label="cat")


def test_the_public_names_are_there() -> None:
    assert all(callable(getattr(formats, name)) for name in formats.__all__)
