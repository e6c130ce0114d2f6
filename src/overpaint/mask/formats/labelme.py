"""LabelMe's JSON: polygons, rectangles, circles, lines, points and embedded masks."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from overpaint.errors import MaskError, PictureError
from overpaint.geometry import Box
from overpaint.mask import _shapes, _strokes
from overpaint.mask._checks import as_points
from overpaint.mask._mask import Mask
from overpaint.picture import PictureLimits, encode, from_array, open_picture

from ._outline import outlines
from ._select import LINE_WIDTH, POINT_RADIUS, Values, check_box, objects_in, place, size_in, united, with_label


def from_labelme(document: Mapping[str, Any], *, label: str | None = None) -> Mask:
    """The union of a LabelMe document's shapes, or of those with one label.

    Lines have a width of 10 pixels and points a radius of 5, as in LabelMe's own tools.

    Args:
        document: With "shapes", "imageWidth" and "imageHeight".
        label: Only shapes with this label.

    Raises:
        MaskError: something is missing or wrong, or no shape has a pixel in the picture; the message names the shape.
    """
    size = size_in(document, "imageWidth", "imageHeight", "LabelMe document")
    shapes = objects_in(document, "shapes", "LabelMe document")
    numbered = [(str(shape.get("label")), (i, shape)) for i, shape in enumerate(shapes)]
    chosen = with_label(numbered, label, "LabelMe document")
    drawn = (
        (f"shape {i} ({shape.get('label')!r}) of the LabelMe document", partial(_draw, shape)) for i, shape in chosen
    )
    return united(drawn, size)


def to_labelme(
    mask: Mask, *, label: str = "mask", image: str = "", kind: Literal["mask", "polygon"] = "polygon"
) -> str:
    """A LabelMe document (JSON) with the core: a polygon for each piece, or one embedded mask. Both are exact.

    Args:
        mask: What to write.
        label: Of all shapes.
        image: The path of the picture that is written into the document.
        kind: "polygon", which every version of LabelMe can edit, or "mask" (LabelMe 5.2 and later).
    """
    if kind == "polygon":
        shapes = [_shape(label, "polygon", ring) for ring in outlines(mask)]
    else:
        shapes = [_embedded(mask, label)] if mask.core.any() else []
    document: dict[str, Any] = {
        "version": "5.5.0",
        "flags": {},
        "shapes": shapes,
        "imagePath": image,
        "imageData": None,
        "imageHeight": mask.size.height,
        "imageWidth": mask.size.width,
    }
    return json.dumps(document, ensure_ascii=False, indent=2)


def _draw(shape: Mapping[str, Any], values: Values) -> None:
    kind = shape.get("shape_type") or "polygon"  # the first versions had polygons only, without a type
    points = as_points(shape.get("points", ()), str(kind)).tolist()
    if kind in ("polygon", "oriented_rectangle"):
        return _shapes.polygon(values, points)
    if kind == "rectangle":
        _need(points, (2, 4), kind)
        across, down = [x for x, _ in points], [y for _, y in points]
        return _shapes.box(values, (min(across), min(down), max(across), max(down)))
    if kind == "circle":
        _need(points, (2,), kind)
        (x, y), edge = points
        radius = math.dist((x, y), edge)
        return _shapes.ellipse(values, (x - radius, y - radius, x + radius, y + radius))
    if kind in ("line", "linestrip"):
        return _strokes.strokes(values, [points], LINE_WIDTH)
    if kind in ("point", "points"):
        return _strokes.strokes(values, [[point] for point in points], 2 * POINT_RADIUS)
    if kind == "mask":
        return _decoded(shape.get("mask"), points, values)
    raise MaskError(
        f"unknown kind of shape {kind!r}: it must be polygon, rectangle, oriented_rectangle, circle, line, linestrip, "
        "point, points or mask"
    )


def _need(points: list[list[float]], counts: tuple[int, ...], kind: str) -> None:
    if len(points) not in counts:
        raise MaskError(f"a {kind} must have {' or '.join(map(str, counts))} points, not {len(points)}")


def _decoded(text: Any, points: list[list[float]], values: Values) -> None:
    """An embedded mask: a PNG in base64 between two corners, both inclusive."""
    _need(points, (2,), "mask")
    (left, top), (right, bottom) = ((math.floor(x), math.floor(y)) for x, y in points)
    box = Box(left, top, right + 1, bottom + 1)
    check_box(box, values)
    try:
        data = base64.b64decode(text, validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise MaskError(f"an embedded mask must be a PNG in base64, not {text!r:.40}") from error
    try:
        picture = open_picture(data, limits=PictureLimits(pixels=box.area))
    except PictureError as error:
        raise MaskError(f"an embedded mask can't be read: {error}") from error
    if picture.size != box.size:
        raise MaskError(f"an embedded mask of {picture.size} lies between corners that are {box.size} apart")
    place(values, picture.samples.max(axis=2) > 0, box)  # LabelMe writes bilevel pictures, others 0 and 1


def _embedded(mask: Mask, label: str) -> dict[str, Any]:
    core = mask.threshold()
    box = core.bounds
    data = encode(from_array(core.to_bytes8()[box.slices]), "png").data
    shape = _shape(label, "mask", [(box.left, box.top), (box.right - 1, box.bottom - 1)])
    return {**shape, "mask": base64.b64encode(data).decode("ascii")}


def _shape(label: str, kind: str, points: list[tuple[int, int]]) -> dict[str, Any]:
    return {
        "label": label,
        "points": [[float(x), float(y)] for x, y in points],
        "group_id": None,
        "description": "",
        "shape_type": kind,
        "flags": {},
    }
