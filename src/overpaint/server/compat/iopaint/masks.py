"""Masks as IOPaint's page shows them, and their adjustment."""

from __future__ import annotations

import io
from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from overpaint.errors import RequestError
from overpaint.server.compat.calls import json_table, picture_bytes
from overpaint.server.compat.lenient import Lenient, Whole
from overpaint.server.decoding import levels_of
from overpaint.server.native.callers import Editor, services_of
from overpaint.server.reading import bounded

router = APIRouter(include_in_schema=False)

_INK = (255, 203, 0, 186)
"""The colour in which its page shows a mask, RGBA."""


class AdjustBody(Lenient):
    """A change of a mask."""

    mask: str
    operate: Literal["expand", "shrink", "reverse"] = "expand"
    kernel_size: Whole = 5


@router.post("/api/v1/adjust_mask")
async def adjust_mask(request: Request, owner: Editor) -> Response:
    """A mask grown, shrunk or inverted, as an RGBA PNG in the page's own colour."""
    body: AdjustBody = AdjustBody.read(await json_table(request))
    if not 0 <= body.kernel_size <= 512:
        raise RequestError("{field} must be 0 to 512", field="kernel_size", value=body.kernel_size)
    settings = services_of(request).settings
    data = picture_bytes(body.mask, "mask")
    levels = await run_in_threadpool(bounded, settings, levels_of, data, settings.most_pixels)
    return Response(await run_in_threadpool(_adjusted, levels, body), media_type="image/png")


def inked(marked: Any) -> bytes:
    """A PNG in the page's colour where (H, W) `marked` is not 0, and transparent elsewhere."""
    import numpy as np
    from PIL import Image

    shown = np.zeros((*marked.shape, 4), np.uint8)
    shown[marked > 0] = _INK
    out = io.BytesIO()
    Image.fromarray(shown).save(out, "PNG", compress_level=1)
    return out.getvalue()


def _adjusted(levels: Any, body: AdjustBody) -> bytes:
    """(H, W) uint8 levels, grown, shrunk or inverted, as a PNG."""
    import cv2
    import numpy as np

    marked = (levels >= 127).astype(np.uint8)
    side = 2 * body.kernel_size + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    if body.operate == "reverse":
        marked = 1 - marked
    else:
        marked = (cv2.dilate if body.operate == "expand" else cv2.erode)(marked, kernel)
    return inked(marked)
