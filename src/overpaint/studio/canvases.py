"""From a region of the scene to an engine's canvas, and from its painted pixels to samples of the picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from overpaint.engines import Canvas, Painted
from overpaint.finish import Correction, correct
from overpaint.frame import REACH_LIMIT, Region
from overpaint.mask import Mask
from overpaint.picture import Picture, Samples
from overpaint.picture.colour import ColourConverter, converter_for
from overpaint.picture.hidden import edge_extended
from overpaint.request import DetailRule, ResolvedRequest, Sampling

from ._edited import PaintedRegion
from .choose import Painter
from .controls import control_image
from .scene import EditScene


@dataclass(frozen=True, slots=True, eq=False)
class RegionCanvas:
    """One region as the engine gets it, and what the way back needs.

    Attributes:
        region: What is painted.
        converter: From the picture's colours to the engine's, and back.
        crop: (h, w, C) the picture's samples over the frame's box, hidden ones edge-extended.
        clean: (h, w, 3) float32, the crop in the engine's colours, without the sketch.
        shown: The same with the sketch, before it is resized to working size.
        canvas: The engine's canvas.
        usable: (h, w) bool, the crop's pixels that show the real picture and are not avoided; None where all are.
    """

    region: Region
    converter: ColourConverter
    crop: Samples
    clean: NDArray[np.float32]
    shown: NDArray[np.float32]
    canvas: Canvas
    usable: NDArray[np.bool_] | None

    def with_effect(self, effect: NDArray[np.float32] | None, mask: Mask, resolved: ResolvedRequest) -> RegionCanvas:
        """The same with its composite mask widened by what the engine changed beyond the hole, if that is wanted.

        The effect ends within the reach limit, fading over its last pixels.

        Args:
            effect: (H, W) float32 in [0, 1] of the canvas's size, 1 = changed.
            mask: The mask of the edit, of the picture's size.
            resolved: Whose `follow_effects` and `reach_limit` decide.
        """
        if effect is None or not resolved.follow_effects:
            return self
        limit = REACH_LIMIT if resolved.reach_limit is None else resolved.reach_limit
        return replace(self, region=self.region.with_effect(effect, mask, limit))

    def with_share(self, share: NDArray[np.float32] | None, *, decides: bool) -> RegionCanvas:
        """The same with an engine's share of the paint (H, W), where there is one (see `Region.with_share`)."""
        return self if share is None else replace(self, region=self.region.with_share(share, decides=decides))

    def painted(self, painted: Painted, resolved: ResolvedRequest, check: Callable[[], None]) -> PaintedRegion:
        """The region with the pixels to paste, corrected and with detail.

        Args:
            painted: The engine's result.
            resolved: Whose `colour_match`, `seam` and `detail` decide.
            check: Called often; may raise to stop.
        """
        corrected = correct(
            painted.pixels,
            painted.evidence,
            self.canvas.pixels,
            self.canvas.hole,
            self.canvas.usable,
            colour_match=resolved.colour_match,
            seam=resolved.seam,
        )
        share = 0.0
        if np.array_equal(corrected.pixels, self.canvas.pixels):
            over_box = self.shown  # nothing was painted (at strength 0, say), and resizing would soften it
        elif resolved.detail is None or resolved.detail == "none":
            over_box = self._enlarged(corrected.pixels)
        else:
            over_box, share = self._with_detail(painted, corrected, resolved.detail, check)
        region, within = self.region, self.region.within.slices
        back = self.converter.to_samples(self.crop[within], self.clean[within], over_box[within])
        # Inks, and colours of another profile, may lie beyond what a sample holds. A layer can't have such paint: it is
        # clipped before it is blended, so that picture and layers agree.
        back = np.clip(back, 0, self.converter.maximum)
        return PaintedRegion(
            box=region.box,
            frame=region.frame.box,
            working=region.frame.working,
            edge=region.edge,
            parts=region.parts,
            seed=self.canvas.seed,
            patch=np.asarray(back, dtype=np.float32),
            weight=region.masks.composite,
            shift=corrected.shift,
            detail=share,
            opacity=None if painted.opacity is None else self._enlarged(painted.opacity)[within],
            maps=tuple(
                np.rint(np.clip(one.pixels, 0, 1) * 255).astype(np.uint8)
                for one in self.canvas.controls
                if not one.control.shows_itself
            ),
        )

    def _enlarged(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.region.frame.from_working(np.ascontiguousarray(pixels, dtype=np.float32))

    def _with_detail(
        self, painted: Painted, corrected: Correction, rule: DetailRule, check: Callable[[], None]
    ) -> tuple[NDArray[np.float32], float]:
        """The patch over the frame with the surroundings' detail, and how far that could be trusted."""
        from overpaint.finish.detail import CAREFUL, FULL, LEAST_ENLARGEMENT, detailed  # needs OpenCV

        frame, within = self.region.frame, self.region.within.slices
        pixels, soft, share = self._with_texture(painted, corrected, rule, check)
        over_box = self._enlarged(pixels)
        if frame.scale * LEAST_ENLARGEMENT > 1:
            return over_box, share
        target = np.zeros(over_box.shape[:2], bool)
        target[within] = self.region.masks.composite > 0
        known = ~target
        known[within] &= self.region.masks.denoise <= 0
        if self.usable is not None:
            known &= self.usable
        found = detailed(
            over_box,
            self.clean,
            self._enlarged(soft),
            known,
            target,
            enlarged=1 / frame.scale,
            limits=CAREFUL if rule == "careful" else FULL,
            seed=self.canvas.seed,
            check=check,
        )
        return found.pixels, found.share

    def _with_texture(
        self, painted: Painted, corrected: Correction, rule: DetailRule, check: Callable[[], None]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
        """The canvas with the surroundings' texture where the engine loses it.

        Returns:
            That canvas; the known picture with the same loss of texture; and 1 where texture was added, else 0.
        """
        if painted.evidence is None:
            return corrected.pixels, self.canvas.pixels, 0.0
        # The estimate gets the same correction as the patch that it is compared with.
        soft = painted.evidence + (corrected.pixels - painted.pixels)
        if rule != "surroundings":
            return corrected.pixels, soft, 0.0
        from overpaint.finish.texture import textured  # needs OpenCV

        canvas = self.canvas
        found = textured(
            corrected.pixels, soft, canvas.pixels, canvas.known, canvas.hole, seed=canvas.seed, check=check
        )
        return (found.pixels, canvas.pixels, 1.0) if found.octaves else (corrected.pixels, soft, 0.0)


def make_canvas(
    scene: EditScene, region: Region, painter: Painter, *, seed: int, sampling: Sampling | None
) -> RegionCanvas:
    """Cut one region out of the scene and put it on a canvas in the engine's colours and size."""
    picture, frame = scene.picture, region.frame
    converter = converter_for(picture, painter.card.colour_space)
    crop = frame.cut(picture.samples)
    hidden = _hidden(picture, region)
    if hidden is not None:
        crop = edge_extended(crop, hidden)
    clean = converter.to_canvas(crop)
    shown = clean if scene.sketch is None else _over(frame.cut(scene.sketch, "zero"), clean)
    pixels = np.clip(frame.to_working(shown), 0, 1)
    mask = np.clip(frame.to_working(region.denoise, smooth=False), 0, 1)
    usable = _usable(scene, region, hidden)
    marked = np.clip(frame.to_working(frame.cut(scene.mask.values), smooth=False), 0, 1)
    seen = pixels
    if scene.controls and painter.card.colour_space != "srgb":
        own = converter_for(picture, "srgb").to_canvas(crop)
        seen = np.clip(frame.to_working(own), 0, 1)
    canvas = Canvas(
        pixels=np.ascontiguousarray(pixels, dtype=np.float32),
        mask=np.ascontiguousarray(mask, dtype=np.float32),
        seed=seed,
        usable=None if usable is None else frame.to_working(usable.astype(np.float32), smooth=False) > 0.999,
        sampling=sampling,
        controls=tuple(control_image(one, frame, seen, marked) for one in scene.controls),
        options=painter.options,
        marked=marked,
        opacity=_opacity(picture, region),
        insert=scene.insert,
        prompt_masks=tuple(
            np.clip(frame.to_working(frame.cut(one.values), smooth=False), 0, 1) for one in scene.prompt_masks
        ),
    )
    return RegionCanvas(region, converter, crop, clean, shown, canvas, usable)


def _opacity(picture: Picture, region: Region) -> NDArray[np.float32] | None:
    """(h, w) float32 in [0, 1] of the canvas's size: the picture's alpha; None where it has none."""
    if picture.alpha is None:
        return None
    alpha = region.frame.cut(picture.alpha, "zero").astype(np.float32) / np.float32(picture.maximum)
    return np.clip(region.frame.to_working(alpha, smooth=False), 0, 1)


def _hidden(picture: Picture, region: Region) -> NDArray[np.bool_] | None:
    """(h, w) bool over the frame's box: fully transparent pixels; None where there are none."""
    if picture.alpha is None:
        return None
    hidden: NDArray[np.bool_] = region.frame.cut(picture.alpha) == 0
    return hidden if hidden.any() else None


def _usable(scene: EditScene, region: Region, hidden: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """(h, w) bool over the frame's box: pixels that show the real picture and are not avoided; None where all are."""
    frame = region.frame
    inside = frame.box.intersect(scene.original)
    avoid = None if scene.avoid is None else frame.cut(scene.avoid.support.astype(np.uint8)) > 0
    unusable = [where for where in (hidden, avoid) if where is not None]
    if not unusable and inside == frame.box:
        return None
    usable = np.zeros(frame.box.size.shape, bool)
    usable[inside.shift(-frame.box.left, -frame.box.top).slices] = True
    for where in unusable:
        usable[where] = False
    return usable


def _over(sketch: NDArray[np.uint8], canvas: NDArray[np.float32]) -> NDArray[np.float32]:
    """Strokes laid over the canvas: the usual `over` of straight alpha."""
    alpha = sketch[..., 3:].astype(np.float32) / np.float32(255)
    colour = sketch[..., :3].astype(np.float32) / np.float32(255)
    return canvas * (1 - alpha) + colour * alpha
