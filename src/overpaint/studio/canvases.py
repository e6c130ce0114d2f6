"""From a region of the stage to an engine's canvas, and from what it painted back to the picture's own samples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from overpaint.engines import Canvas, EngineCard, Painted
from overpaint.finish import Correction, correct
from overpaint.frame import Region
from overpaint.geometry import Box
from overpaint.picture import Picture, Samples
from overpaint.picture.colour import Bridge, bridge_for

from .stage import Stage, edge_extended

Sketch = NDArray[np.uint8]
"""(H, W, 4) uint8, strokes with alpha, of the stage's size."""


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """One region on its way through an engine.

    Attributes:
        region: What is painted.
        crop: (h, w, C) the picture's samples over the frame's box, hidden ones edge-extended.
        clean: (h, w, 3) float32, the crop in the engine's colours, without the sketch.
        shown: The same with the sketch: the canvas before it was brought to working size.
        canvas: What the engine gets.
    """

    region: Region
    bridge: Bridge
    crop: Samples
    clean: NDArray[np.float32]
    shown: NDArray[np.float32]
    canvas: Canvas

    def patch(self, painted: Painted, *, colour_match: bool, seam: bool) -> tuple[NDArray[np.float32], Correction]:
        """What to paste over `region.box`, (h, w, C) float32 in units of the picture's samples, after correction."""
        corrected = correct(
            painted.pixels,
            painted.evidence,
            self.canvas.pixels,
            self.canvas.hole,
            self.canvas.usable,
            colour_match=colour_match,
            seam=seam,
        )
        if np.array_equal(corrected.pixels, self.canvas.pixels):
            over_box = self.shown  # nothing was painted (strength 0, say): resizing there and back would soften it
        else:
            over_box = self.region.frame.from_working(np.ascontiguousarray(corrected.pixels, dtype=np.float32))
        within = self.region.within.slices
        back = self.bridge.back(self.crop[within], self.clean[within], over_box[within])
        return np.asarray(back, dtype=np.float32), corrected


def sheet(
    stage: Stage,
    region: Region,
    card: EngineCard,
    *,
    seed: int,
    settings: Mapping[str, Any],
    options: BaseModel,
    sketch: Sketch | None = None,
) -> Sheet:
    """Cut one region out of the stage and put it on a canvas in the engine's colours and size."""
    picture, frame = stage.picture, region.frame
    bridge = bridge_for(picture, card.colour_space)
    crop = frame.cut(picture.samples)
    hidden = _hidden(picture, region)
    if hidden is not None:
        crop = edge_extended(crop, hidden)
    clean = bridge.to_canvas(crop)
    shown = clean if sketch is None else _over(frame.cut(sketch, "zero"), clean)
    pixels = np.clip(frame.to_working(shown), 0, 1)
    mask = np.clip(frame.to_working(region.denoise, smooth=False), 0, 1)
    canvas = Canvas(
        pixels=np.ascontiguousarray(pixels, dtype=np.float32),
        mask=np.ascontiguousarray(mask, dtype=np.float32),
        seed=seed,
        usable=_usable(stage, region, hidden),
        settings=settings,
        options=options,
    )
    return Sheet(region, bridge, crop, clean, shown, canvas)


def _hidden(picture: Picture, region: Region) -> NDArray[np.bool_] | None:
    """(h, w) bool over the frame's box: fully transparent pixels; None where there are none."""
    if picture.alpha is None:
        return None
    hidden: NDArray[np.bool_] = region.frame.cut(picture.alpha) == 0
    return hidden if hidden.any() else None


def _usable(stage: Stage, region: Region, hidden: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """(h, w) bool at working size: pixels that show the real picture; None where all do."""
    frame = region.frame
    real = frame.box.intersect(stage.original)
    if hidden is None and real == frame.box:
        return None
    usable = np.zeros(frame.box.size.shape, np.float32)
    usable[Box(*real).shift(-frame.box.left, -frame.box.top).slices] = 1
    if hidden is not None:
        usable[hidden] = 0
    return frame.to_working(usable, smooth=False) > 0.999


def _over(sketch: Sketch, canvas: NDArray[np.float32]) -> NDArray[np.float32]:
    """Strokes laid over the canvas: the usual `over` of straight alpha."""
    alpha = sketch[..., 3:].astype(np.float32) / np.float32(255)
    colour = sketch[..., :3].astype(np.float32) / np.float32(255)
    return canvas * (1 - alpha) + colour * alpha
