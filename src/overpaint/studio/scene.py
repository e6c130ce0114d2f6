"""The scene of an edit: the picture with its margins, and where to paint in it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from overpaint.engines import EngineCard
from overpaint.errors import InputError, MaskError, RequestError
from overpaint.geometry import Box, Margins
from overpaint.mask import Mask, covers_most
from overpaint.picture import Picture, Samples
from overpaint.request import EditRequest, IntentRule

from .controls import SceneControl, scene_controls
from .inputs import InputRasters, about_avoid, sketch_of
from .inserts import insert_of
from .masks import mask_of
from .regional import extended_prompt_mask, prompt_masks_of

MOST_PIXELS = 400_000_000
"""The largest picture that margins may make: a typing error in a margin should not fill the memory."""


MUCH_AVOIDED = 0.8
"""A note says so where more of what is not repainted must not be copied: the mask may be inverted."""


@dataclass(frozen=True, slots=True, eq=False)
class EditScene:
    """The picture that is painted on, and where.

    Attributes:
        picture: The picture, with the margins added; its new pixels repeat the old edge and are fully transparent
            where the picture has alpha.
        mask: Where to repaint, in pixels of `picture`.
        original: Where the picture as opened lies in it.
        sketch: (H, W, 4) uint8 of `picture`'s size, strokes to lay over it; None for none.
        controls: Controls, whose images have `picture`'s size.
        insert: (h, w, 4) float32 in [0, 1], the picture to put in, sRGB and alpha; None for none.
        avoid: Pixels of `picture` that must not be copied, 1 = avoided; None for none.
        prompt_masks: Where each regional prompt holds in `picture`.
    """

    picture: Picture
    mask: Mask
    original: Box
    sketch: NDArray[np.uint8] | None = None
    controls: tuple[SceneControl, ...] = ()
    insert: NDArray[np.float32] | None = None
    avoid: Mask | None = None
    prompt_masks: tuple[Mask, ...] = ()


def check_place(request: EditRequest, rule: IntentRule, *, masked: bool) -> None:
    """Raise an error where nothing says which part is painted.

    Args:
        request: The request.
        rule: Its intent's rule.
        masked: Whether there is a mask, or a sketch, in the request or beside it.

    Raises:
        RequestError: The intent needs margins.
        MaskError: There is no mask, and no margin.
    """
    margins = any(request.margins or ())
    if rule.grows_canvas and not margins:
        raise RequestError(
            f"{request.intent} needs margins: how many pixels to add on the left, top, right and bottom",
            code="margins-missing",
            field="margins",
        )
    if not masked and not margins:
        which = "show the subject, which stays" if rule.inverts_mask else "to repaint"
        raise MaskError(
            f"{request.intent} needs a mask: which pixels of the picture {which}",
            code="mask-missing",
            field="mask",
            value=request.intent,
        )


def make_scene(request: EditRequest, rasters: InputRasters, rule: IntentRule, card: EngineCard) -> EditScene:
    """Join picture, margins, mask, what is avoided, sketch, control images and the places of regional prompts.

    Args:
        request: The request.
        rasters: Its pixels.
        rule: Its intent's rule, which may invert the mask.
        card: Of the engine, which may accept control images and regional prompts.

    Raises:
        MaskError: There is nothing to repaint, or the mask has another size.
        RequestError: Margins are missing or absurdly large, or a raster has another size or is not there.
    """
    picture = rasters.picture
    margins = Margins(*request.margins) if request.margins is not None else Margins()
    sketch = sketch_of(request, rasters)
    mask = _mask(request, rasters, rule, sketch)
    check_place(request, rule, masked=mask is not None)
    controls = scene_controls(request, picture.size, rasters.by_digest) if card.uses("controls") else ()
    mask = Mask.empty(picture.size) if mask is None else mask
    insert = insert_of(request, rasters.by_digest) if card.uses("insert") else None
    avoid = _avoided(request, rasters, mask) if card.uses("avoid") else None
    regions = prompt_masks_of(request, rasters) if card.uses("regional_prompts") else ()
    scene = EditScene(picture, mask, picture.size.box, sketch, controls, insert, avoid, regions)
    return _extended(scene, margins)


def _mask(
    request: EditRequest, rasters: InputRasters, rule: IntentRule, sketch: NDArray[np.uint8] | None
) -> Mask | None:
    """Where to repaint in the picture as opened; None where neither mask nor sketch is given."""
    mask = rasters.mask
    if request.mask is not None:
        mask = mask_of(request.mask, rasters.picture.size, inputs=rasters.by_digest, picture=rasters.picture)
    if mask is None:
        return None if sketch is None else Mask.from_array(sketch[..., 3] > 0)
    drawn = request.mask is not None and (request.mask.invert or all(p.kind != "raster" for p in request.mask.parts))
    if not drawn and (note := covers_most(mask)):
        mask = replace(mask, notes=(*mask.notes, note))
    # The transparent part of a cut-out is its background already; any other mask marks the subject.
    of_alpha = request.mask is not None and any(part.kind == "alpha" for part in request.mask.parts)
    if rule.inverts_mask and not of_alpha:
        if mask.bounds.empty:
            raise MaskError("the mask is empty: no pixel is marked (white, 1, marks the subject, which stays)")
        mask = mask.invert()
        if mask.bounds.empty:
            raise MaskError("the mask covers the whole picture, so that no background is left to repaint")
    return mask


def _avoided(request: EditRequest, rasters: InputRasters, mask: Mask) -> Mask | None:
    """Pixels of the picture as opened that must not be copied; None where the request avoids none.

    Raises:
        MaskError: It marks nothing, or all that is not repainted.
        RequestError: A raster is not there.
    """
    if request.avoid is None:
        return None
    size, inputs = rasters.picture.size, rasters.by_digest
    try:
        avoid = mask_of(request.avoid, size, inputs=inputs, picture=rasters.picture)
    except InputError as error:
        raise about_avoid(error) from None
    stays = avoid.support[~mask.support]
    if not stays.size:  # the mask covers all, which is another matter
        return avoid
    if stays.all():
        raise nothing_left(f"avoid covers all of the {size} picture that is not repainted")
    share = min(float(np.mean(stays)), 0.99)  # never said to be all, which it is not
    return avoid.with_notes([f"it covers {share:.0%} of what is not repainted"] if share > MUCH_AVOIDED else [])


def nothing_left(message: str) -> MaskError:
    """The error of a request that avoids all that could be copied."""
    return MaskError(
        f"{message}, so that nothing is left to copy from",
        code="avoid-everything",
        field="avoid",
        hint="white, 1, is avoided; leave something black around what is repainted, or invert it",
    )


def _extended(scene: EditScene, margins: Margins) -> EditScene:
    """The scene with margins around the picture; their pixels join the mask."""
    picture, whole = scene.picture, scene.original
    if not margins:
        if scene.mask.bounds.empty:
            raise MaskError(
                f"the mask is empty: no pixel of the {picture.size} picture is marked (white, 1, means repaint)"
            )
        return scene
    outer = whole.pad(margins)
    if outer.area > MOST_PIXELS:
        raise RequestError(
            f"margins of {margins} would make a picture of {outer.size}, over the limit of {MOST_PIXELS:,} pixels",
            code="margins-too-large",
            field="margins",
        )
    inner = whole.shift(margins.left, margins.top)
    values = np.ones(outer.size.shape, np.float32)
    values[inner.slices] = scene.mask.values
    samples: Samples = np.pad(picture.samples, _widths(margins, 3), mode="edge")
    alpha: Samples | None = None if picture.alpha is None else np.pad(picture.alpha, _widths(margins, 2))
    sketch = None if scene.sketch is None else np.pad(scene.sketch, _widths(margins, 3))
    controls = tuple(one.extended(margins) for one in scene.controls)
    extended, mask = picture.with_pixels(samples, alpha), Mask(values, scene.mask.notes)
    avoid = None if scene.avoid is None else Mask(np.pad(scene.avoid.values, _widths(margins, 2)), scene.avoid.notes)
    regions = tuple(extended_prompt_mask(one, _widths(margins, 2)) for one in scene.prompt_masks)
    return EditScene(extended, mask, inner, sketch, controls, scene.insert, avoid, regions)


def _widths(margins: Margins, dimensions: int) -> tuple[tuple[int, int], ...]:
    left, top, right, bottom = margins
    return ((top, bottom), (left, right), (0, 0))[:dimensions]
