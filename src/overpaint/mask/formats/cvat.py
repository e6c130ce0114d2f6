"""CVAT's XML for images 1.1: boxes, polygons, polylines, points, ellipses and masks."""

from __future__ import annotations

import math
from functools import partial
from typing import Literal
from xml.etree.ElementTree import Element, ParseError, SubElement, indent, tostring

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from overpaint.errors import MaskError
from overpaint.geometry import Box
from overpaint.mask import _shapes, _strokes
from overpaint.mask._checks import as_numbers, as_pixels, as_points
from overpaint.mask._mask import Mask

from ._outline import outlines
from ._runs import bits_of, runs_of
from ._select import (
    LINE_WIDTH,
    POINT_RADIUS,
    Values,
    as_runs,
    as_whole,
    check_box,
    place,
    size_in,
    united,
    with_label,
    with_name,
)

Points = list[list[float]]
KINDS = ("box", "polygon", "polyline", "points", "ellipse", "mask")


def from_cvat(data: bytes | str, *, label: str | None = None, image: str | None = None) -> Mask:
    """The union of the shapes on one image of a CVAT document, or of those with one label.

    Polylines have a width of 10 pixels and points a radius of 5, as in LabelMe's own tools.

    Args:
        data: The XML. Entities and DTDs are refused.
        label: Only shapes with this label.
        image: The image's name; not needed for a single one.

    Raises:
        MaskError: not such a document, or something in it is missing or wrong; the message names the shape.
    """
    try:
        root = defusedxml.ElementTree.fromstring(data, forbid_dtd=True)
    except DefusedXmlException as error:
        raise MaskError("the mask document is not readable as XML: it has a document type, which is refused") from error
    except (ParseError, ValueError) as error:
        raise MaskError(f"the mask document is not readable as XML: {error}") from error
    if root.tag != "annotations":
        raise MaskError(f"a mask in XML must be CVAT's for images 1.1, whose root is 'annotations', not {root.tag!r}")
    if root.find("track") is not None:
        raise MaskError("this CVAT document is for videos (it has tracks): export it as 'CVAT for images 1.1'")
    images = [(element.get("name", ""), element) for element in root.iter("image")]
    chosen = with_name(images, image, "CVAT document")
    size = size_in(chosen.attrib, "width", "height", "image in the CVAT document")
    shapes = [(shape.get("label", ""), shape) for shape in chosen if shape.tag in KINDS]
    chosen_ones = with_label(shapes, label, "image in the CVAT document")
    drawn = (
        (f"the {shape.tag} {shape.get('label')!r} of the CVAT document", partial(_draw, shape)) for shape in chosen_ones
    )
    return united(drawn, size)


def to_cvat(mask: Mask, *, label: str = "mask", image: str = "", kind: Literal["mask", "polygon"] = "mask") -> str:
    """A CVAT document with the core on one image: as one mask, or as a polygon for each piece. Both are exact."""
    root = Element("annotations")
    SubElement(root, "version").text = "1.1"
    about = SubElement(root, "image", id="0", name=image, width=str(mask.size.width), height=str(mask.size.height))
    common = {"label": label, "source": "manual", "occluded": "0", "z_order": "0"}
    box = mask.threshold().bounds
    if kind == "polygon":
        for ring in outlines(mask):
            SubElement(about, "polygon", {**common, "points": ";".join(f"{x}.00,{y}.00" for x, y in ring)})
    elif not box.empty:
        counts = runs_of(mask.core[box.slices].ravel())
        sides = {"left": box.left, "top": box.top, "width": box.width, "height": box.height}
        attributes = {**common, "rle": ", ".join(map(str, counts.tolist())), **{k: str(v) for k, v in sides.items()}}
        SubElement(about, "mask", attributes)
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _draw(shape: Element, values: Values) -> None:
    if shape.tag == "box":
        left, top, right, bottom = (_number(shape, key) for key in ("xtl", "ytl", "xbr", "ybr"))
        angle = _number(shape, "rotation", 0)
        if not angle:
            return _shapes.box(values, (left, top, right, bottom))
        corners = [[left, top], [right, top], [right, bottom], [left, bottom]]
        return _shapes.polygon(values, _turned(corners, ((left + right) / 2, (top + bottom) / 2), angle))
    if shape.tag == "ellipse":
        return _ellipse(shape, values)
    if shape.tag == "mask":
        return _mask(shape, values)
    pairs = _text(shape, "points").split(";")
    points: Points = as_points((pair.split(",") for pair in pairs if pair.strip()), shape.tag).tolist()
    if shape.tag == "polygon":
        return _shapes.polygon(values, points)
    if shape.tag == "polyline":
        return _strokes.strokes(values, [points], LINE_WIDTH)
    return _strokes.strokes(values, [[point] for point in points], 2 * POINT_RADIUS)


def _ellipse(shape: Element, values: Values) -> None:
    x, y, across, down = (_number(shape, key) for key in ("cx", "cy", "rx", "ry"))
    across, down = as_pixels(across, "the rx of an ellipse"), as_pixels(down, "the ry of an ellipse")
    angle = _number(shape, "rotation", 0)
    if not angle:
        return _shapes.ellipse(values, (x - across, y - down, x + across, y + down))
    # a rotated ellipse is drawn as a polygon that is at most a hundredth of a pixel from it
    count = max(16, math.ceil(math.pi / math.acos(1 - min(0.5, 0.01 / max(across, down, 0.02)))))
    turns = [2 * math.pi * k / min(count, 20_000) for k in range(min(count, 20_000))]
    ring = [[x + across * math.cos(turn), y + down * math.sin(turn)] for turn in turns]
    return _shapes.polygon(values, _turned(ring, (x, y), angle))


def _mask(shape: Element, values: Values) -> None:
    """Run lengths along the rows of a box."""
    left, top, width, height = (as_whole(_text(shape, key), f"its {key}") for key in ("left", "top", "width", "height"))
    box = Box(left, top, left + width, top + height)
    check_box(box, values)
    numbers = [number for number in _text(shape, "rle").replace(",", " ").split(" ") if number]
    place(values, bits_of(as_runs(numbers, box.area), box.area).reshape(height, width), box)


def _turned(points: Points, centre: tuple[float, float], degrees: float) -> Points:
    """Rotated clockwise about the centre, as in CVAT (the y axis points down)."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x0, y0 = centre
    return [[x0 + (x - x0) * cosine - (y - y0) * sine, y0 + (x - x0) * sine + (y - y0) * cosine] for x, y in points]


def _text(shape: Element, key: str) -> str:
    value = shape.get(key)
    if value is None:
        raise MaskError(f"its attribute {key!r} is missing")
    return value


def _number(shape: Element, key: str, default: float | None = None) -> float:
    if default is not None and shape.get(key) is None:
        return default
    return as_numbers([_text(shape, key)], f"its attribute {key!r}")[0]
