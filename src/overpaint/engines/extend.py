"""Extension beyond a picture's borders: large pieces of it, whose seams patches mend."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from overpaint.exemplar.border import border_breaks
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
"""Both ways are tried on a canvas reduced to this longer side, whose fill a larger canvas starts from."""

_BROKEN = 0.5
"""Weight of a broken border beside the match with the sources."""

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
        accepts=frozenset({"avoid", "seed"}),
        context=Context(ratio=2.0, minimum=256, maximum=4096),
        options=ExtendOptions,
        variation_options={"variety": 0.5},
        digest="extend-2",
        references=(
            "Efros, Freeman, Image quilting for texture synthesis and transfer, SIGGRAPH 2001",
            "Wexler, Shechtman, Irani, Space-time video completion, CVPR 2004",
        ),
    )

    def paint_one(self, canvas: Canvas, monitor: Monitor) -> Painted:
        """Lay pieces and mend their seams, or fill by patches alone, as is better on each side.

        Both are tried on a small canvas. A larger one is filled once, from what was chosen.
        """
        options = canvas.options if isinstance(canvas.options, ExtendOptions) else ExtendOptions()
        if not canvas.known.any():
            return mean_filled(canvas)
        if not canvas.hole.any():
            return Painted(canvas.pixels)
        monitor.progress(0, 100)
        factor = max(1.0, max(canvas.size) / _TRIED)
        small = _Work.of(canvas, factor)
        guess = small.quilted(options, canvas.seed, monitor)
        chosen = small.filled(None, options, canvas.seed, monitor, (0, 25))
        whole = True
        if guess is not None:
            laid = small.filled(guess, options, canvas.seed, monitor, (25, 50))
            chosen, whole = _chosen((laid, chosen), Box.around(small.known))
        if factor > 1 or not whole:
            size = (canvas.size.width, canvas.size.height)
            start = chosen.pixels if factor == 1 else cv2.resize(chosen.pixels, size, interpolation=cv2.INTER_CUBIC)
            work = _Work(np.where(canvas.known[..., None], canvas.pixels, start), canvas.known, canvas.hole)
            guess = InitialGuess(work.pixels, max(1, round(math.log2(factor))))
            chosen = work.filled(guess, options, canvas.seed, monitor, (50, 100))
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
    def of(cls, canvas: Canvas, factor: float) -> _Work:
        """The whole canvas, at a scale that is smaller by a factor; 1: as it is."""
        pixels, mass, hole = canvas.pixels, canvas.known.astype(np.float32), canvas.hole
        if factor > 1:
            size = (max(1, round(canvas.size.width / factor)), max(1, round(canvas.size.height / factor)))
            seen = np.where(canvas.known[..., None], pixels, np.float32(0))
            pixels, mass, touched = (
                np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)
                for values in (seen, mass, hole.astype(np.float32))
            )
            pixels = np.asarray(pixels / np.maximum(mass, 1e-6)[..., None], np.float32)
            hole = touched > 0
        return cls(blurred(pixels, mass > 0), (mass > 0.999) & ~hole, hole)

    def quilted(self, options: ExtendOptions, seed: int, monitor: Monitor) -> InitialGuess | None:
        """Large pieces beyond the known picture; None where it is too small, or known up to the canvas's borders."""
        inner = Box.around(self.known)
        whole = Box(0, 0, self.hole.shape[1], self.hole.shape[0])
        if min(inner.size) < LEAST or inner == whole:
            return None
        here, settings = inner.slices, QuiltSettings(variety=options.variety)
        quilt = extended(self.pixels[here], self.known[here], whole.overhang(inner), settings, seed, monitor.check)
        return InitialGuess(quilt, _OCTAVES)

    def filled(
        self, guess: InitialGuess | None, options: ExtendOptions, seed: int, monitor: Monitor, part: tuple[int, int]
    ) -> Filled:
        """The hole filled by patches.

        Args:
            guess: What to start from; None: from the known picture alone.
            options: The engine's.
            seed: The canvas's.
            monitor: For progress.
            part: Of the work, from and to percent.
        """
        first, last = part

        def done(fraction: float) -> None:
            monitor.progress(first + round((last - first) * fraction), 100)

        recipe = QUALITIES[options.quality]
        if max(self.hole.shape) > 2 * _TRIED:
            recipe = replace(recipe, probes=1, rounds=2)
        return fill(self.pixels, self.known, self.hole, recipe, seed, FillCallbacks(done, monitor.check), guess)


def _chosen(trials: tuple[Filled, Filled], picture: Box) -> tuple[Filled, bool]:
    """For each side of the picture the trial that matches its sources and continues the border better.

    The cost of a trial at a side is its match plus `_BROKEN` times its `border_breaks`. What is not beyond a side, and
    everything where neither trial has a match, is the first's.

    Args:
        trials: Two ways of filling.
        picture: The known picture in them, with a margin on at least one side.

    Returns:
        The better trial or a composite, whose pixels are those of the side that they are furthest beyond; and whether
        it is one trial.
    """
    if trials[0].match is None or trials[1].match is None:
        return trials[0], True
    first, second = (
        [one.match + _BROKEN * broken for broken in border_breaks(one.pixels, picture)]
        for one in trials
        if one.match is not None
    )
    height, width = trials[0].pixels.shape[:2]
    sides = [side for side, margin in enumerate(Box(0, 0, width, height).overhang(picture)) if margin]
    better = [second[side] < first[side] for side in range(4)]
    if len({better[side] for side in sides}) == 1:
        return trials[int(better[sides[0]])], True
    rows, columns = np.mgrid[:height, :width]
    beyond = np.stack([picture.left - columns, picture.top - rows, columns - picture.right, rows - picture.bottom])
    taken = np.array(better)[beyond.argmax(axis=0)] & (beyond.max(axis=0) >= 0)
    return replace(trials[0], pixels=np.where(taken[..., None], trials[1].pixels, trials[0].pixels)), False


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
