"""Scratches, hairs and dust of scanned photos; wires and power lines."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overpaint.mask import Mask
from overpaint.picture import Picture

from .base import Selection, SelectorCard, SelectorHints, SelectorOptions
from .seen import SeenPicture
from .thin import LEAST, Shade, ThinPart, enlarged_to, hats, joined, lightness, linear_parts, noise_of, parts_of

Flags = NDArray[np.bool_]

SIDE = 1280
"""Pixels of the longer side that it works at, at the most."""

SLENDER = 6.0
"""A line is at least so many times as long as it is wide."""

SEEN = 1.5
"""How many times a line stands out from noise and texture, at a sensitivity of one half."""

DUST_SEEN = 8.0
"""The same for a speck, of which there is less to see."""

ALONE = 12.0
"""How many times a speck stands out from what else there is around it."""


class ScratchOptions(SelectorOptions):
    """What counts as a scratch."""

    shade: Shade = Field(default="both", description="lighter or darker than what is around it")
    width: float = Field(default=0.3, gt=0, le=5, description="the widest scratch, in per cent of the longer side")
    sensitivity: float = Field(default=0.5, ge=0, le=1, description="1 finds faint ones, and more that are none")
    dust: bool = Field(default=True, description="specks too")


class LineOptions(SelectorOptions):
    """What counts as a wire."""

    shade: Shade = Field(default="dark", description="lighter or darker than what is around it")
    width: float = Field(default=0.5, gt=0, le=5, description="the thickest wire, in per cent of the longer side")
    length: float = Field(default=15, gt=0, le=100, description="the shortest, in per cent of the longer side")
    sensitivity: float = Field(default=0.5, ge=0, le=1, description="1 finds faint ones, and more that are none")


class Scratches:
    """Thin light or dark lines, and dust."""

    card = SelectorCard(
        name="scratches",
        title="scratches, hairs and dust of a scanned photo",
        takes=frozenset({"boxes"}),
        options=ScratchOptions,
        tip="raise the sensitivity or the width, or mark them by hand",
        digest="scratches-1",
        references=("Serra, Image analysis and mathematical morphology, 1982",),
    )

    def select(self, picture: Picture, hints: SelectorHints) -> list[Selection]:
        """One mask of all of them; in boxes, of those within."""
        options = ScratchOptions.model_validate(dict(hints.options))
        seen = SeenPicture.of(picture)
        colours = seen.part(None, SIDE)
        side = max(colours.shape[:2])
        width = max(2.0, options.width * side / 100)
        length = max(15, round(0.04 * side))
        light = lightness(colours)
        factor = _factor(options.sensitivity)
        kept: list[ThinPart] = []
        for hat in hats(light, round(width), options.shade):
            noise = max(LEAST, noise_of(hat))
            lines = linear_parts(hat, light, length, round(width), SEEN * noise * factor)
            kept += [one for one in parts_of(lines) if one.length >= max(length, SLENDER * one.width)]
            if options.dust:
                texture = cv2.blur(hat, (2 * length, 2 * length))
                specks = (hat > factor * np.maximum(DUST_SEEN * noise, ALONE * texture)) & ~joined(kept, light.shape)
                kept += [one for one in parts_of(specks) if one.length <= 2 * width]
        return _selection(seen, joined(kept, colours.shape[:2]), hints)


class Wires:
    """Long thin lines before something plain: wires and power lines."""

    card = SelectorCard(
        name="lines",
        title="wires and power lines before the sky",
        takes=frozenset({"boxes"}),
        options=LineOptions,
        tip="raise the sensitivity, lower the length, or mark them by hand",
        digest="lines-1",
        references=("Serra, Image analysis and mathematical morphology, 1982",),
    )

    def select(self, picture: Picture, hints: SelectorHints) -> list[Selection]:
        """One mask of all of them; in boxes, of those within."""
        options = LineOptions.model_validate(dict(hints.options))
        seen = SeenPicture.of(picture)
        colours = seen.part(None, SIDE)
        side = max(colours.shape[:2])
        width = max(2.0, options.width * side / 100)
        length = max(15, round(0.04 * side))
        light = lightness(colours)
        kept: list[ThinPart] = []
        for hat in hats(light, round(width), options.shade):
            threshold = SEEN * max(LEAST, noise_of(hat)) * _factor(options.sensitivity)
            lines = parts_of(linear_parts(hat, light, length, round(width), threshold))
            kept += [
                one
                for one in lines
                if one.length >= options.length * side / 100 and one.length >= 2 * SLENDER * one.width
            ]
        return _selection(seen, joined(kept, colours.shape[:2]), hints)


def _factor(sensitivity: float) -> float:
    """What thresholds are multiplied by: 4 at a sensitivity of 0, 1/4 at 1."""
    return float(16 ** (0.5 - sensitivity))


def _selection(seen: SeenPicture, small: Flags, hints: SelectorHints) -> list[Selection]:
    """The selection of what is marked in a reduced picture, within the boxes where there are some."""
    marked = (
        enlarged_to(small, (seen.size.width, seen.size.height)) if small.any() else np.zeros(seen.size.shape, np.bool_)
    )
    if hints.boxes:
        within = np.zeros(seen.size.shape, np.bool_)
        for box in hints.boxes:
            within[box.intersect(seen.size.box).slices] = True
        marked &= within
    return [Selection(Mask(marked.astype(np.float32)))] if marked.any() else []
