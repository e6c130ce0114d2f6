"""Extension beyond a picture's borders: large pieces of it, whose seams patches mend."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overpaint.exemplar.fill import Filled, InitialGuess, fill
from overpaint.exemplar.quilt import LEAST, QuiltSettings, extended
from overpaint.exemplar.settings import FillCallbacks
from overpaint.exemplar.smooth import blurred
from overpaint.frame import Context
from overpaint.geometry import Box

from .base import Canvas, EngineCard, EngineOptions, Monitor, Painted, ThreadedEngine
from .classical import mean_filled
from .exemplar import QUALITIES, Floats

_OCTAVES = 2
"""Seams are mended from this scale on: what is coarser stays as it was copied."""

_TRIED = 640
"""Both ways are tried on a canvas reduced to this longer side."""

_FAR = 0.5
"""Margins of more than this share of the picture's side repeat its content visibly."""


class ExtendOptions(EngineOptions):
    """Options of the extension."""

    quality: Literal["draft", "normal", "best"] = Field(
        default="normal", description="how thoroughly seams are mended, as the options of exemplar of that name say"
    )
    variety: float = Field(
        default=0.05,
        ge=0,
        le=1,
        description="how much worse than the best a copied piece may be, by the seed's choice (0.5 for variations "
        "unless given)",
    )


class Extend(ThreadedEngine):
    """Continues a picture beyond its borders.

    Large pieces of the picture are laid along its border, joined along the cheapest cuts (`overpaint.exemplar.quilt`),
    and their seams are mended by patches (`overpaint.exemplar.fill`). Pieces come from about the same rows, and show
    what the border shows. A hole inside the picture is filled by patches alone, as by exemplar.
    """

    card = EngineCard(
        name="extend",
        title="Extension by pieces: continues lines, horizon and texture beyond the borders, without weights",
        accepts=frozenset({"seed"}),
        context=Context(ratio=2.0, minimum=256, maximum=4096),
        options=ExtendOptions,
        variation_options={"variety": 0.5},
        digest="extend-1",
        references=(
            "Efros, Freeman, Image quilting for texture synthesis and transfer, SIGGRAPH 2001",
            "Wexler, Shechtman, Irani, Space-time video completion, CVPR 2004",
        ),
    )

    def paint_one(self, canvas: Canvas, monitor: Monitor) -> Painted:
        """Lay pieces and mend their seams, or fill by patches alone: the way that matches its sources better."""
        options = canvas.options if isinstance(canvas.options, ExtendOptions) else ExtendOptions()
        if not canvas.known.any():
            return mean_filled(canvas)
        if not canvas.hole.any():
            return Painted(canvas.pixels)
        monitor.progress(0, 100)
        factor = max(1.0, max(canvas.size) / _TRIED)
        work = _Work.of(canvas) if factor == 1 else _Work.of(canvas).reduced(factor)
        trials = [work.filled(pieces, options, canvas.seed, monitor, at) for at, pieces in ((0, True), (25, False))]
        best = min((0, 1), key=lambda n: np.inf if (match := trials[n].match) is None else match)
        chosen = trials[best]
        if factor > 1:
            chosen = _Work.of(canvas).filled(best == 0, options, canvas.seed, monitor, 50)
        painted: Floats = np.where(canvas.hole[..., None], chosen.pixels.clip(0, 1), canvas.pixels)
        monitor.progress(100, 100)
        return Painted(painted, notes=_doubts(canvas), match=chosen.match)


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    """What is to be filled.

    Attributes:
        pixels: (h, w, 3) float32, smoothly continued where nothing is known.
        known: (h, w) bool, what may be copied.
        hole: (h, w) bool, what to fill.
    """

    pixels: Floats
    known: NDArray[np.bool_]
    hole: NDArray[np.bool_]

    @classmethod
    def of(cls, canvas: Canvas) -> _Work:
        """The whole canvas."""
        pixels = np.where(canvas.known[..., None], canvas.pixels, blurred(canvas.pixels, canvas.known))
        return cls(pixels, canvas.known, canvas.hole)

    def reduced(self, factor: float) -> _Work:
        """The same at a smaller scale."""
        height, width = self.hole.shape
        size = (max(1, round(width / factor)), max(1, round(height / factor)))
        pixels, known, hole = (
            np.asarray(cv2.resize(values.astype(np.float32), size, interpolation=cv2.INTER_AREA), np.float32)
            for values in (self.pixels, self.known, self.hole)
        )
        return _Work(pixels, (known > 0.999) & (hole == 0), hole > 0)

    def filled(self, pieces: bool, options: ExtendOptions, seed: int, monitor: Monitor, start: int) -> Filled:
        """The hole filled, with large pieces first or by patches alone.

        Args:
            pieces: Whether large pieces are laid first.
            options: The engine's.
            seed: The canvas's.
            monitor: For progress, from `start` percent by 25 or to the end.
            start: As said.
        """
        guess = None
        inner = Box.around(self.known)
        whole = Box(0, 0, self.hole.shape[1], self.hole.shape[0])
        if pieces and min(inner.size) >= LEAST and inner != whole:
            settings = QuiltSettings(variety=options.variety)
            here = inner.slices
            quilt = extended(self.pixels[here], self.known[here], whole.overhang(inner), settings, seed, monitor.check)
            # On a large canvas pieces fit as coarsely as they were compared, so that mending begins as much coarser.
            guess = InitialGuess(quilt, _OCTAVES + max(0, round(math.log2(max(whole.size) / _TRIED))))

        def done(fraction: float) -> None:
            monitor.progress(start + round((50 if start == 50 else 25) * fraction), 100)

        recipe = QUALITIES[options.quality]
        if max(whole.size) > 2 * _TRIED:
            recipe = replace(recipe, probes=1, rounds=2)
        return fill(self.pixels, self.known, self.hole, recipe, seed, FillCallbacks(done, monitor.check), guess)


def _doubts(canvas: Canvas) -> tuple[str, ...]:
    """A note where the margins are too wide for what is there to copy from."""
    picture = Box.around(canvas.known if canvas.usable is None else canvas.usable)
    left, top, right, bottom = canvas.size.box.overhang(picture)
    share = max(max(left, right) / picture.width, max(top, bottom) / picture.height)
    if share <= _FAR:
        return ()
    return (
        f"a side is extended by {share:.0%} of the picture, so that its content repeats visibly: doubtful beyond "
        f"{_FAR:.0%}; a smaller margin, or a model with a prompt, does better",
    )
