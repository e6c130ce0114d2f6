"""Controls of an edit: their images as they are given, what a request leaves open, and the map for each canvas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from overpaint.engines import ControlImage, EngineCard
from overpaint.errors import InputError, RequestError
from overpaint.frame import Frame
from overpaint.geometry import Margins, Size
from overpaint.maps import KINDS, is_dark_on_light, looks_like_photo, make_map, map_kind, map_options, used_by_map
from overpaint.mask import Mask
from overpaint.picture import Picture, from_array
from overpaint.picture.colour import converter_for
from overpaint.request import DRAWN_KINDS, Blob, Control, EditRequest, IntentRule, UsedModel, blob_array, blob_of

from .inserts import Pictured, picture_of

ControlLike: TypeAlias = "Control | str | Mapping[str, Any]"
"""A control, the kind of one whose map is made from the picture, or a table of a control's settings, whose image may be
a picture, an array, a PIL image or a file, as well as a raster by its digest."""

KEEPS_OBJECT = frozenset(("recolor", "refine", "custom"))
"""Intents after which the object in the hole is still there: maps of the picture show it."""

_PROPORTION = 0.02
"""By how much the proportions of a control's image may differ from the picture's, as a share."""

_REFERENCE_SIDE = 1024
"""The shorter side in pixels to which larger reference pictures are reduced."""


# ── as given ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def controls_of(given: Any) -> tuple[tuple[Control, ...], dict[str, NDArray[Any]]]:
    """The controls of a request from a list of `ControlLike`, and the rasters that must be given beside it.

    Raises:
        RequestError: One is no control.
        PictureError: An image can't be read.
    """
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        raise RequestError(f"controls are a list, not {type(given).__name__}", field="controls", value=str(given)[:80])
    found, rasters = [], dict[str, NDArray[Any]]()
    for number, one in enumerate(given):
        try:
            control, carried = _control_of(one)
        except InputError as error:
            error.field = f"controls[{number}]" + (f".{error.field}" if error.field else "")
            raise
        found.append(control)
        rasters |= carried
    return tuple(found), rasters


def _control_of(given: Any) -> tuple[Control, dict[str, NDArray[Any]]]:
    if isinstance(given, Control):
        return given, {}
    if not isinstance(given, str | Mapping):
        message = f"a control is a Control, a kind or a table of settings, not {type(given).__name__}"
        raise RequestError(message, value=type(given).__name__)
    table: dict[str, Any] = {"kind": given} if isinstance(given, str) else dict(given)
    image = table.get("image")
    if image is None or isinstance(image, Blob) or (isinstance(image, Mapping) and "sha256" in image):
        return Control(**table), {}
    try:
        table["image"], rasters = control_blob(image)
    except InputError as error:
        error.field = "image"
        raise
    return Control(**table), rasters


def control_blob(image: Pictured) -> tuple[Blob, dict[str, NDArray[Any]]]:
    """A control's image as a request names it, and its raster where that is too large for the request.

    Raises:
        PictureError: It can't be read.
    """
    raster = control_raster(picture_of(image))
    blob = blob_of(raster)
    return blob, ({} if blob.data is not None else {blob.sha256: raster})


def control_raster(picture: Picture) -> NDArray[np.uint8]:
    """(H, W) or (H, W, 3) uint8: an image in sRGB without alpha; strokes with alpha lie on black where they are light,
    on white where they are dark.
    """
    shown = np.clip(converter_for(picture, "srgb").to_canvas(picture.samples), 0, 1)
    colours = np.rint(shown * 255).astype(np.uint8)
    if picture.alpha is not None and int(picture.alpha.min()) < picture.maximum:
        alpha = (picture.alpha.astype(np.float32) / picture.maximum)[..., None]
        light = float((shown * alpha).sum() / max(float(alpha.sum()) * 3, 1e-6))
        ground = 0 if light >= 0.5 else 255
        colours = np.rint(colours * alpha + np.float32(ground) * (1 - alpha)).astype(np.uint8)
    grey = (colours[..., :1] == colours).all()
    return np.ascontiguousarray(colours[..., 0] if grey else colours)


# ── what a request leaves open ────────────────────────────────────────────────────────────────────────────────────────


def settled_controls(
    request: EditRequest, rule: IntentRule, card: EngineCard
) -> tuple[EditRequest, tuple[UsedModel, ...]]:
    """The request whose maps are made in the same way at a replay, and the networks that make them.

    Raises:
        RequestError: No map of a kind can be made, or an option does not suit it.
        ModelError: A network that makes one is not here, or may not be used.
    """
    if not request.controls or not card.uses("controls"):
        return request, ()
    found, used = [], []
    for control in request.controls:
        if not control.made and control.kind not in KINDS:  # one that an engine alone knows
            found.append(control)
            continue
        kind = map_kind(control.kind)
        options = map_options(kind, control.options)
        if not control.made:
            found.append(control)
            continue
        network = used_by_map(kind, options)
        changes: dict[str, Any] = {}
        if network is not None:
            used.append(network)
            changes["options"] = {**control.options, "network": network.name}
        if control.image is None and control.inside is None:
            changes["inside"] = rule.name in KEEPS_OBJECT
        found.append(control.model_copy(update=changes))
    return request.model_copy(update={"controls": tuple(found)}), tuple(dict.fromkeys(used))


# ── in the scene ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, eq=False)
class SceneControl:
    """A control of the scene.

    Attributes:
        control: Its settings.
        image: (H, W) or (H, W, 3) uint8 of the scene's size, a map or the picture to make it from; None: the map is
            made from the scene's picture.
        notes: On the image.
    """

    control: Control
    image: NDArray[np.uint8] | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_map(self) -> bool:
        """Whether the image is the map."""
        return self.image is not None and not self.control.made

    def extended(self, margins: Margins) -> SceneControl:
        """The control of a picture that has grown: a map shows nothing there, a picture repeats its edge."""
        if self.image is None or self.control.shows_itself:
            return self
        left, top, right, bottom = margins
        widths = ((top, bottom), (left, right), (0, 0))[: self.image.ndim]
        grown = np.pad(self.image, widths) if self.is_map else np.pad(self.image, widths, mode="edge")
        return replace(self, image=grown)


def scene_controls(request: EditRequest, size: Size, rasters: Mapping[str, NDArray[Any]]) -> tuple[SceneControl, ...]:
    """The controls of a request, with their images at a picture's size.

    Raises:
        RequestError: An image has other proportions than the picture, or is not there.
    """
    return tuple(_in_scene(one, size, rasters) for one in request.controls or ())


def _in_scene(control: Control, size: Size, rasters: Mapping[str, NDArray[Any]]) -> SceneControl:
    if control.image is None:
        return SceneControl(control)
    given = control.image.size
    if control.shows_itself:
        return SceneControl(control, _reduced(_given(control, rasters)))
    if abs(given.width * size.height / (given.height * size.width) - 1) > _PROPORTION:
        raise RequestError(
            f"the image of the control {control.kind!r} is {given}; "
            f"it must have the picture's size {size}, or its proportions",
            code="control-size",
            field="controls",
            value=str(given),
        )
    raster = _given(control, rasters)
    image = raster[..., :3] if raster.ndim == 3 else raster
    notes = []
    if not control.made and looks_like_photo(image, control.kind):
        what = f"looks like a photo, not like a map of the kind {control.kind}"
        notes.append(f"the image of the control {control.kind!r} {what}; preprocess=true makes the map of it")
    if not control.made and control.kind in DRAWN_KINDS and is_dark_on_light(image):
        image = 255 - image
        notes.append(f"the image of the control {control.kind!r} has dark lines on a light ground, and was inverted")
    if given != size:
        import cv2

        how = cv2.INTER_AREA if given.width > size.width else cv2.INTER_LINEAR
        image = np.asarray(cv2.resize(np.ascontiguousarray(image), tuple(size), interpolation=how), np.uint8)
        notes.append(f"the image of the control {control.kind!r} was resized from {given} to {size}")
    return SceneControl(control, image, tuple(notes))


def _given(control: Control, rasters: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """The raster of a control's image. RequestError where it is not there."""
    assert control.image is not None
    what = f"{'picture' if control.shows_itself or control.made else 'map'} of the control {control.kind!r}"
    return blob_array(control.image, rasters, what=what, field="controls")


def _reduced(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A reference picture without alpha; a large one reduced, as each canvas holds it, and networks read it small."""
    import cv2

    opaque = picture[..., :3] if picture.ndim == 3 else picture
    factor = _REFERENCE_SIDE / min(opaque.shape[:2])
    if factor >= 1:
        return opaque
    size = tuple(max(1, round(side * factor)) for side in opaque.shape[1::-1])
    return np.asarray(cv2.resize(np.ascontiguousarray(opaque), size, interpolation=cv2.INTER_AREA), np.uint8)


# ── on a canvas, and alone ────────────────────────────────────────────────────────────────────────────────────────────


def control_image(
    one: SceneControl, frame: Frame, shown: NDArray[np.float32], marked: NDArray[np.float32]
) -> ControlImage:
    """A control as an engine gets it.

    Args:
        one: The control.
        frame: Of the canvas.
        shown: (h, w, 3) float32 in [0, 1], what the canvas shows, in sRGB.
        marked: (h, w) float32 in [0, 1], the mask as it was given, at the canvas's size.
    """
    control = one.control
    pixels = shown
    if control.shows_itself:
        assert one.image is not None, "a control that shows itself has an image"
        own = one.image if one.image.ndim == 3 else np.repeat(one.image[..., None], 3, axis=2)
        return ControlImage(control, own.astype(np.float32) / np.float32(255))
    if one.image is not None:
        cut = frame.cut(one.image, "zero" if one.is_map else "edge")
        coloured = np.repeat(cut[..., None], 3, axis=2) if cut.ndim == 2 else cut
        pixels = np.clip(frame.to_working(np.ascontiguousarray(coloured.astype(np.float32) / np.float32(255))), 0, 1)
    if not one.is_map:
        hidden = marked > 0 if control.inside is False else None
        pixels = make_map(control.kind, pixels, control.options, hidden)
    elif control.inside is False:
        pixels = np.where(marked[..., None] > 0, np.float32(0), pixels)
    return ControlImage(control, cast(Any, np.ascontiguousarray(pixels, np.float32)))


def control_map(
    picture: Pictured,
    control: ControlLike,
    *,
    mask: Mask | None = None,
    size: int | None = None,
) -> Picture:
    """The map that a control makes of a picture, as it would guide an engine.

    Args:
        picture: What it is made of: a picture, an array, a PIL image, or a file.
        control: Its kind or its settings; it has no image.
        mask: Of the picture's size: what it covers is left out of the map, unless the control's `inside` is true.
        size: The working size, as the side of a square; None: the picture's own size.

    Returns:
        An RGB picture of 8 bits.

    Raises:
        PictureError, RequestError: The picture can't be read; no such map can be made.
        ModelError, MissingExtraError, EngineError: A network that makes it is not here, or can't be used.
    """
    import cv2

    (found,), _ = controls_of([control])
    if found.image is not None:
        raise RequestError("the map of {field} is made of the picture: leave its image out", field="controls")
    opened = picture_of(picture)
    pixels = np.clip(converter_for(opened, "srgb").to_canvas(opened.samples), 0, 1)
    values = None if mask is None or found.inside else mask.require_size(opened.size).values
    if size is not None:
        factor = size / np.sqrt(opened.size.area)
        wide, high = (max(1, round(side * factor)) for side in opened.size)
        how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        pixels = np.clip(cv2.resize(pixels, (wide, high), interpolation=how), 0, 1)
        values = None if values is None else np.asarray(cv2.resize(values, (wide, high)))
    made = make_map(found.kind, np.asarray(pixels, np.float32), found.options, None if values is None else values > 0)
    return from_array(np.rint(made * 255).astype(np.uint8))


def control_notes(controls: Sequence[SceneControl], canvases: Sequence[tuple[ControlImage, ...]]) -> Iterator[str]:
    """Notes on the images of controls, and on maps that show nothing."""
    for number, one in enumerate(controls):
        yield from one.notes
        if one.is_map and one.control.options and one.control.kind in KINDS:
            names = " and ".join(one.control.options)
            yield f"the image of the control {one.control.kind!r} is its map, so that {names} had no effect"
        if canvases and not one.control.shows_itself and not any(images[number].pixels.any() for images in canvases):
            why = ""
            if one.control.inside is False:
                why = ": what the mask covers is left out of it (inside)"
            yield f"the map of the control {one.control.kind!r} shows nothing{why}, and guides nothing"
