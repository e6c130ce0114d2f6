"""Extension beyond a picture's borders: large pieces of it, whose seams patches mend."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
from pydantic import Field

from overpaint.exemplar.fill import FillCallbacks, InitialGuess, fill
from overpaint.exemplar.quilt import LEAST, QuiltSettings, extended
from overpaint.exemplar.smooth import blurred
from overpaint.frame import Context
from overpaint.geometry import Box

from .base import Canvas, EngineCard, EngineOptions, Monitor, Painted, ThreadedEngine
from .classical import mean_filled
from .exemplar import QUALITIES, Floats

_OCTAVES = 2
"""Seams are mended from this scale on: what is coarser stays as it was copied."""

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
        """Lay pieces, and mend their seams."""
        options = canvas.options if isinstance(canvas.options, ExtendOptions) else ExtendOptions()
        hole, known = canvas.hole, canvas.known
        if not known.any():
            return mean_filled(canvas)
        monitor.progress(0, 100)
        inner = Box.around(known)
        guess = None
        seen = np.where((known | ~hole)[..., None], canvas.pixels, blurred(canvas.pixels, known))
        if min(inner.size) >= LEAST and inner.size != canvas.size:
            settings = QuiltSettings(variety=options.variety)
            margins = canvas.size.box.overhang(inner)
            here = inner.slices
            quilt = extended(seen[here], known[here], margins, settings, canvas.seed, monitor.check)
            guess = InitialGuess(quilt, _OCTAVES)
        monitor.progress(40, 100)

        def done(fraction: float) -> None:
            monitor.progress(40 + round(60 * fraction), 100)

        recipe = replace(QUALITIES[options.quality], most_sources=500_000)
        filled = fill(seen, known, hole, recipe, canvas.seed, FillCallbacks(done, monitor.check), guess)
        painted: Floats = np.where(hole[..., None], filled.pixels.clip(0, 1), canvas.pixels)
        monitor.progress(100, 100)
        return Painted(painted, notes=_doubts(canvas), quality=filled.quality)


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
