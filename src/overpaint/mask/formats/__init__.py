"""Masks of other programs: COCO (RLE and polygons), LabelMe JSON, CVAT XML for images 1.1; read and written.

All of them hold bilevel masks: the core is written. The content decides which format a file has.
"""

from __future__ import annotations

import json
from typing import Any

from overpaint.errors import MaskError
from overpaint.mask import _checks
from overpaint.mask._mask import Mask

from . import coco, cvat, labelme
from .coco import from_coco, from_coco_segmentation, to_coco_annotation, to_coco_polygons, to_coco_rle
from .cvat import from_cvat, to_cvat
from .labelme import from_labelme, to_labelme

__all__ = [
    "from_coco",
    "from_coco_segmentation",
    "from_cvat",
    "from_labelme",
    "is_document",
    "read_document",
    "to_coco_annotation",
    "to_coco_polygons",
    "to_coco_rle",
    "to_cvat",
    "to_labelme",
]

_BOM = b"\xef\xbb\xbf"


def is_document(data: bytes) -> bool:
    """Whether the data looks like JSON or XML rather than like a picture."""
    return data[:1024].removeprefix(_BOM).lstrip()[:1] in (b"{", b"[", b"<")


def read_document(
    data: bytes, *, size: _checks.SizeLike | None = None, label: str | None = None, image: str | None = None
) -> Mask:
    """The mask in a COCO, LabelMe or CVAT document.

    Args:
        data: The file's content, in UTF-8.
        size: The picture's (width, height). Only bare COCO polygons need it.
        label: Only shapes with this label; None takes all.
        image: The file name of the picture, where a document has several.

    Raises:
        MaskError: the document can't be read, or has no such label or image.
    """
    text = data.removeprefix(_BOM)
    if text.lstrip().startswith(b"<"):
        return cvat.from_cvat(text, label=label, image=image)
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise MaskError(f"the mask document is not readable as JSON: {error}") from error
    if isinstance(document, dict) and "shapes" in document:
        return labelme.from_labelme(document, label=label)
    if isinstance(document, dict) and "annotations" in document:
        return coco.from_coco(document, label=label, image=image)
    if label is not None or image is not None:
        raise MaskError("this mask document is one COCO segmentation: it has no labels or images to choose from")
    if isinstance(document, dict) and "segmentation" in document:
        document = document["segmentation"]
    if isinstance(document, list) or (isinstance(document, dict) and "counts" in document):
        return coco.from_coco_segmentation(document, size if isinstance(document, list) else None)
    found = f"the keys {', '.join(map(repr, list(document)[:8]))}" if isinstance(document, dict) else repr(document)
    raise MaskError(
        "a mask in JSON must be a LabelMe document ('shapes'), a COCO document ('annotations') or a COCO segmentation "
        f"('counts' and 'size', or a list of polygons); this has {found:.200}"
    )
