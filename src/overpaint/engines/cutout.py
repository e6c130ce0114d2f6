"""Adding an object of one's own: a cut-out, put into the mask's place with the scene's tone and a contact shadow."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overpaint.errors import RequestError
from overpaint.frame import Context
from overpaint.geometry import Box, Size

from .base import Canvas, EngineCard, EngineOptions, Monitor, Painted, ThreadedEngine
from .ground_shadow import ground_shadow, shadow_window
from .tone import toned

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]

FULL = 0.95
"""A place that fills this share of its box is taken for a box, on whose lower side the object stands."""

ROOM = 0.04
"""Room for the shadow beside and below the object, as a share of the place's sides."""

BEYOND = 0.005
"""The share of the object that may lie beyond a place of another shape."""


class CutoutOptions(EngineOptions):
    """Options of objects that are put in."""

    match: float = Field(
        default=0.5, ge=0, le=1, description="how far the object's exposure and colour cast follow the scene's"
    )
    shadow: float = Field(default=0.7, ge=0, le=1, description="darkness of the shadow where it touches the ground")


class Cutout(ThreadedEngine):
    """Puts a picture with alpha into every connected place of the mask, as large as it fits.

    In a box it stands on the lower side, in the middle; in a place of another shape it lies in the middle.
    """

    reentrant = True
    card = EngineCard(
        name="cutout",
        title="Puts in an object of one's own, a picture with alpha, with a shadow, without weights",
        paints_from="settings",
        accepts=frozenset({"insert", "follow_effects"}),
        context=Context(ratio=0.5, minimum=64, maximum=1024),
        colour_space="srgb",
        options=CutoutOptions,
        digest="cutout-3",
        references=("Reinhard, Ashikhmin, Gooch, Shirley, Color transfer between images, IEEE CG&A 21(5), 2001",),
    )

    def paint_one(self, canvas: Canvas, monitor: Monitor) -> Painted:
        """Place after place; the shadow also falls beyond them, which is the effect."""
        options = canvas.options if isinstance(canvas.options, CutoutOptions) else CutoutOptions()
        thing = trimmed(canvas.insert)
        places = _places(canvas)
        pixels = canvas.pixels.copy()
        coverage = np.ones(canvas.size.shape, np.float32) if canvas.opacity is None else canvas.opacity.copy()
        known = canvas.known.astype(np.float32)
        colour = toned(thing[..., :3], thing[..., 3], canvas.pixels, known, options.match)
        thing = np.dstack([colour * thing[..., 3:], thing[..., 3]])  # premultiplied, as it is resized
        effect = np.zeros_like(coverage)
        for number, (box, place) in enumerate(places):
            monitor.progress(number, len(places))
            window = shadow_window(box, canvas.size.box)
            layer = _placed(thing, place, box.shift(-window.left, -window.top), window.size, options.shadow > 0)
            share, here = layer[..., 3], window.slices
            taken = np.float32(options.shadow) * ground_shadow(share) * (coverage[here] > 0)
            effect[here] = np.maximum(effect[here], np.clip(50 * taken, 0, 1))
            below = pixels[here] * (1 - taken)[..., None] * ((1 - share) * coverage[here])[..., None]
            covered = share + (1 - share) * coverage[here]
            mixed = (layer[..., :3] + below) / np.maximum(covered, 1e-6)[..., None]
            pixels[here] = np.where((covered > 0)[..., None], mixed, pixels[here])
            coverage[here] = covered
        monitor.progress(len(places), len(places))
        return Painted(pixels, effect=effect, opacity=None if canvas.opacity is None else coverage)


def trimmed(insert: Floats | None) -> Floats:
    """The object without the transparent border around it. Raises RequestError where there is no object."""
    if insert is None:
        raise RequestError(
            "no object is given", code="insert-missing", field="insert", hint="set insert, a picture with alpha"
        )
    solid = insert[..., 3] > 0.02
    if solid.all():
        raise RequestError(
            "the object has no transparency, and would be put in with its background",
            code="insert-opaque",
            field="insert",
            hint="use a picture with alpha, or give with it a mask that marks the object in it",
        )
    if not solid.any():
        raise RequestError("the object is transparent throughout", code="insert-missing", field="insert")
    return np.asarray(insert[Box.around(solid).slices], np.float32)


def _places(canvas: Canvas) -> list[tuple[Box, Flags]]:
    """The connected places of the mask in reading order: the box of each, and its pixels there, (h, w) bool."""
    core = (canvas.mask if canvas.marked is None else canvas.marked) >= np.float32(0.5)
    _, labels, about, _ = cv2.connectedComponentsWithStats(core.view(np.uint8))
    boxes = [Box(left, top, left + width, top + height) for left, top, width, height, _ in about[1:].tolist()]
    return [(box, labels[box.slices] == number) for number, box in enumerate(boxes, 1)]


def _placed(thing: Floats, place: Flags, box: Box, window: Size, shadowed: bool) -> Floats:
    """(h, w, 4) premultiplied, of the window's size: the object in its place, whose pixels within `box` are given."""
    room = ROOM if shadowed else 0.0
    width, height = box.width * (1 - 2 * room), box.height * (1 - room)
    scale = min(width / thing.shape[1], height / thing.shape[0])
    stands = place.mean() >= FULL
    if not stands:
        scale = _fitting(thing[..., 3], place, scale)
    size = max(1, round(thing.shape[1] * scale)), max(1, round(thing.shape[0] * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(thing, size, interpolation=method)
    left = box.left + (box.width - size[0]) // 2
    free = box.height - size[1]
    top = box.top + (free - round(box.height * room) if stands else free // 2)
    layer = np.zeros((*window.shape, 4), np.float32)
    layer[max(0, top) : top + size[1], left : left + size[0]] = small[max(0, -top) :]
    return layer


def _fitting(opacity: Floats, place: Flags, most: float) -> float:
    """The largest scale up to `most` at which the object, in the middle, lies within the place; by bisection."""

    def fits(scale: float) -> bool:
        size = max(1, round(opacity.shape[1] * scale)), max(1, round(opacity.shape[0] * scale))
        small = cv2.resize(opacity, size, interpolation=cv2.INTER_AREA)
        top, left = (place.shape[0] - size[1]) // 2, (place.shape[1] - size[0]) // 2
        inside = place[top : top + size[1], left : left + size[0]]
        return bool((small * ~inside).sum() <= BEYOND * small.sum())

    low, high = 0.02 * most, most
    while high - low > 0.005 * most:
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low
