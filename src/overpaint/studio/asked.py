"""From what a caller gives to what the studio works with: one request, its options, its mask, its sketch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ValidationError

from overpaint import pocket
from overpaint.engines import ControlImage, EngineCard
from overpaint.errors import MaskError, RequestError
from overpaint.geometry import Margins
from overpaint.mask import Mask
from overpaint.picture import Picture
from overpaint.request import (
    ENGINE_SETTINGS,
    Control,
    EditRequest,
    IntentRule,
    blob_array,
    blob_of,
    mask_of,
    picture_blob,
    spec_of,
)

from .stage import Stage, stage

Inputs = Mapping[str, NDArray[Any]]
"""Rasters by the SHA-256 of their bytes."""


def asked(
    picture: Picture,
    request: EditRequest | None,
    mask: Mask | None,
    sketch: NDArray[np.uint8] | None,
    inputs: Inputs | None,
    settings: Mapping[str, Any],
) -> tuple[EditRequest, dict[str, NDArray[Any]]]:
    """One request from a request, values given beside it and settings laid over it; and the rasters that it names.

    Raises:
        RequestError: A setting is unknown or out of range, or the mask is given twice.
        MaskError: The mask or the sketch has another size than the picture.
    """
    rasters: dict[str, NDArray[Any]] = dict(inputs or {})
    changes = dict(settings)
    if mask is not None:
        mask.require_size(picture.size)
        if request is not None and request.mask is not None:
            raise RequestError(
                "the mask is given twice: in the request, and beside it", code="mask-twice", field="mask"
            )
        changes["mask"], carried = spec_of(mask)
        rasters |= carried
    if sketch is not None:
        if sketch.dtype != np.uint8 or sketch.shape != (*picture.size.shape, 4):
            raise RequestError(
                f"a sketch is uint8 RGBA of the picture's size, {(*picture.size.shape, 4)}, "
                f"not {sketch.dtype} {sketch.shape}"
            )
        blob = blob_of(sketch)
        changes["sketch"] = blob
        if blob.data is None:
            rasters[blob.sha256] = sketch
    if request is None:
        return EditRequest.of(**changes), rasters
    return request.merged(**changes) if changes else request, rasters


def naming(request: EditRequest, picture: Picture) -> EditRequest:
    """The request with the picture named in it by the digest of its pixels.

    Raises:
        RequestError: It names another picture.
    """
    blob = picture_blob(picture)
    if request.image is not None and request.image.sha256 != blob.sha256:
        raise RequestError(
            f"the request is for another picture: its image is {request.image.sha256[:12]}... "
            f"({request.image.size}), this one is {blob.sha256[:12]}... ({blob.size})"
        )
    return request.merged(image=blob)


def engine_options(card: EngineCard, options: Mapping[str, Any] | None) -> BaseModel:
    """The engine's own options, checked against its card. RequestError names the first that does not suit."""
    try:
        return card.options.model_validate(dict(options or {}))
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        known = ", ".join(card.options.model_fields) or "none"
        raise RequestError(
            f"the option {name}={first.get('input')!r} does not suit the engine {card.name!r}: {first['msg']}. "
            f"Its options: {known}"
        ) from None


def staged(picture: Picture, request: EditRequest, rule: IntentRule, rasters: Inputs) -> Stage:
    """The picture with its margins, and the mask in it, turned round where the intent wants that."""
    margins = Margins(*request.margins) if request.margins is not None else Margins()
    if rule.grows_canvas and not margins:
        raise RequestError(f"{request.intent} needs margins: how many pixels to add on the left, top, right and bottom")
    mask: Mask | None = None
    if request.mask is not None:
        mask = mask_of(request.mask, picture.size, inputs=rasters, picture=picture)
        # The transparent part of a cut-out is its background already; any other mask marks the subject.
        if rule.inverts_mask and not any(part.kind == "alpha" for part in request.mask.parts):
            mask = mask.invert()
            if mask.bounds.empty:
                raise MaskError("the mask covers the whole picture, so that no background is left to repaint")
    elif request.sketch is not None:
        mask = Mask.from_array(blob_array(request.sketch, rasters)[..., 3] > 0)
    elif not margins:
        raise MaskError(
            f"{request.intent} needs a mask: which pixels of the {picture.size} picture to repaint",
            code="mask-missing",
            field="mask",
        )
    return stage(picture, mask, margins)


def strokes_of(request: EditRequest, rasters: Inputs, scene: Stage) -> NDArray[np.uint8] | None:
    """The sketch on the stage, (H, W, 4) uint8, or None."""
    if request.sketch is None:
        return None
    sketch = blob_array(request.sketch, rasters)
    if sketch.shape != (*scene.original.size.shape, 4):
        raise RequestError(
            f"the sketch is {sketch.shape[1]}x{sketch.shape[0]} with {sketch.shape[2:]} channels; "
            f"it must be RGBA of the picture's size {scene.original.size}"
        )
    whole = np.zeros((*scene.picture.size.shape, 4), np.uint8)
    whole[scene.original.slices] = sketch
    return whole


def controls_of(request: EditRequest, card: EngineCard, rasters: Inputs, scene: Stage) -> tuple[ControlImage, ...]:
    """The control images over the whole scene, where the engine accepts them."""
    if not request.controls or not card.uses("controls"):
        return ()
    return tuple(_control(one, rasters, scene) for one in request.controls)


def _control(control: Control, rasters: Inputs, scene: Stage) -> ControlImage:
    raster = blob_array(control.image, rasters)
    if control.image.size != scene.original.size:
        raise RequestError(
            f"the image of the control {control.kind!r} is {control.image.size}; "
            f"it must have the picture's size {scene.original.size}",
            code="control-size",
            field="controls",
        )
    pixels = np.zeros((*scene.picture.size.shape, 3), np.float32)
    colours = raster[..., None] if raster.ndim == 2 else raster[..., :3]
    pixels[scene.original.slices] = colours.astype(np.float32) / np.float32(255)
    return ControlImage(control, pixels)


def notes_of(request: EditRequest, model: str | None, card: EngineCard) -> tuple[str, ...]:
    """What had no effect, and what was chosen for the user, in words for people."""
    notes = []
    if model == pocket.NAME and request.model is None:
        notes.append(
            f"painted by {pocket.NAME}, the small model that comes with Overpaint; the setting model names a larger one"
        )
    # A seed is drawn for every edit, and may be given to every engine.
    ignored = [name for name in ENGINE_SETTINGS if name != "seed" and _given(request, name) and not card.uses(name)]
    if ignored:
        why = ": it continues the surroundings" if card.paints_from == "surroundings" else ""
        notes.append(f"{card.name} does not use {', '.join(ignored)}{why}")
    native = card.sizes.native
    if request.size is not None and native is not None and request.size < native:
        notes.append(f"painted at size {request.size}, below {card.name}'s own {native}: faster, and coarser")
    return tuple(notes)


def _given(request: EditRequest, name: str) -> bool:
    value = getattr(request, name)
    return bool(value.strip()) if isinstance(value, str) else value is not None and value is not False
