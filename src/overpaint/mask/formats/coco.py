"""COCO: run lengths (compressed or not), polygons, and documents with images, categories and annotations.

Run lengths go down the columns. Polygons are flat lists x1, y1, x2, y2, ...; those of one annotation are united. A
pixel belongs to a polygon when its centre does; COCO's own tools round coordinates to fifths, so that edges may differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import MaskError
from overpaint.geometry import Size
from overpaint.mask import _shapes
from overpaint.mask._checks import DegenerateShapeError, SizeLike, as_size, wrong_size
from overpaint.mask._mask import Mask
from overpaint.mask._shapes import size_of

from ._outline import outlines
from ._runs import bits_of, compressed, decompressed, runs_of
from ._select import Notes, Values, as_runs, as_whole, objects_in, size_in, united, with_label, with_name


def to_coco_rle(mask: Mask, *, compress: bool = True) -> dict[str, Any]:
    """The core as {"size": [height, width], "counts": text, or a list when `compress` is false}."""
    counts = runs_of(mask.core.ravel(order="F"))
    return {"size": [*mask.size.shape], "counts": compressed(counts) if compress else counts.tolist()}


def to_coco_polygons(mask: Mask) -> list[list[int]]:
    """The core as flat lists of corners, one for each connected piece, exact: see `_outline`."""
    return [[number for point in ring for number in point] for ring in outlines(mask)]


def to_coco_annotation(
    mask: Mask,
    *,
    kind: Literal["rle", "rle_list", "polygons"] = "rle",
    id: int = 1,
    image_id: int = 1,
    category_id: int = 1,
) -> dict[str, Any]:
    """One annotation: ids, segmentation, area, bbox (left, top, width, height), iscrowd."""
    box = mask.threshold().bounds
    segmentation = to_coco_polygons(mask) if kind == "polygons" else to_coco_rle(mask, compress=kind == "rle")
    return {
        "id": id,
        "image_id": image_id,
        "category_id": category_id,
        "segmentation": segmentation,
        "area": int(np.count_nonzero(mask.core)),
        "bbox": [box.left, box.top, box.width, box.height],
        "iscrowd": int(kind == "rle_list"),  # COCO: crowds are lists of run lengths
    }


def from_coco_segmentation(segmentation: Any, size: SizeLike | None = None) -> Mask:
    """A mask of run lengths {"size", "counts"}, or of polygons, which need the picture's (width, height).

    Raises:
        MaskError: neither of them; sizes that differ; run lengths that don't add up; malformed polygons; no polygon
            with a pixel in the picture.
    """
    wanted = None if size is None else as_size(size)
    if isinstance(segmentation, Mapping):
        return Mask(_from_rle(segmentation, wanted).astype(np.float32))
    if isinstance(segmentation, Sequence) and not isinstance(segmentation, str | bytes) and wanted is None:
        raise MaskError("COCO polygons don't say the size of their picture: give size=(width, height)")
    values = np.zeros((0, 0) if wanted is None else wanted.shape, np.float32)
    notes = _draw(segmentation, values)
    return Mask(values, notes)


def _draw(segmentation: Any, values: Values) -> Notes:
    """Run lengths or polygons, over (H, W) values; returns notes."""
    if isinstance(segmentation, Mapping):
        np.maximum(values, _from_rle(segmentation, size_of(values)), out=values)
        return ()
    if not isinstance(segmentation, Sequence) or isinstance(segmentation, str | bytes):
        raise MaskError(f"a COCO segmentation must be run lengths or a list of polygons, not {segmentation!r:.100}")
    flat = bool(segmentation) and not isinstance(segmentation[0], Sequence)  # one polygon that is not in a list
    polygons = [_points(numbers) for numbers in ([segmentation] if flat else segmentation)]
    rings = [ring for ring in polygons if len(ring) >= 3]
    left_out = [ring for ring in polygons if len(ring) < 3]
    if not left_out:
        _shapes.polygon(values, rings)
        return ()
    few = f"a COCO polygon must be x1, y1, x2, y2, ... with 3 points or more, not {left_out[0]!r:.100}"
    if not rings:
        raise DegenerateShapeError(few)
    _shapes.polygon(values, rings)
    return (f"{len(left_out)} of {len(left_out) + len(rings)} polygons left out: {few}",)


def from_coco(document: Mapping[str, Any], *, label: str | None = None, image: str | None = None) -> Mask:
    """All annotations of one image in a COCO document, or those of the category named `label`.

    Args:
        document: With "images", "annotations" and, if labels are to be chosen, "categories".
        label: A category's name.
        image: The image's file name; not needed for a single one.
    """
    title = "COCO document"
    images = [(str(item.get("file_name", item.get("id"))), item) for item in objects_in(document, "images", title)]
    chosen = with_name(images, image, title)
    size = size_in(chosen, "width", "height", "image in the COCO document")
    categories = objects_in(document, "categories", title) if "categories" in document else []
    names = {repr(item.get("id")): str(item.get("name")) for item in categories}
    annotations = objects_in(document, "annotations", title)
    mine = [item for item in annotations if item.get("image_id") == chosen.get("id")]
    labelled = [(names.get(repr(item.get("category_id")), str(item.get("category_id"))), item) for item in mine]
    chosen_ones = with_label(labelled, label, f"image in the {title}")
    drawn = (
        (f"annotation {one.get('id')} of the {title}", partial(_draw, one.get("segmentation"))) for one in chosen_ones
    )
    return united(drawn, size)


def _from_rle(segmentation: Mapping[str, Any], wanted: Size | None) -> NDArray[np.bool_]:
    """(H, W)."""
    try:
        sides, counts = segmentation["size"], segmentation["counts"]
    except KeyError as error:
        found = ", ".join(map(repr, segmentation))
        raise MaskError(
            f"run lengths in COCO's form must have 'size' and 'counts'; {error} is missing in {found:.200}"
        ) from None
    if not isinstance(sides, Sequence) or isinstance(sides, str) or len(sides) != 2:
        raise MaskError(f"the size of COCO's run lengths must be [height, width], not {sides!r:.100}")
    height, width = (as_whole(side, "a side in the size of COCO's run lengths") for side in sides)
    size: Size = as_size((width, height))
    if wanted not in (None, size):
        raise wrong_size(size, wanted)
    if isinstance(counts, str | bytes):
        lengths = decompressed(counts)
    elif isinstance(counts, Sequence):
        lengths = as_runs(counts, size.area)
    else:
        raise MaskError(f"the counts of COCO's run lengths must be text or a list, not {counts!r:.100}")
    bits = bits_of(lengths, size.area)
    return bits.reshape(size.width, size.height).T


def _points(numbers: Any) -> list[tuple[Any, Any]]:
    if not isinstance(numbers, Sequence) or isinstance(numbers, str) or len(numbers) % 2:
        raise MaskError(f"a COCO polygon must be x1, y1, x2, y2, ... with 3 points or more, not {numbers!r:.100}")
    return list(zip(numbers[::2], numbers[1::2], strict=True))
