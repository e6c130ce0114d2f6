"""Patch-based fill: texture and structure of the surroundings, continued without weights."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from overpaint.exemplar.fill import fill
from overpaint.exemplar.holes import parts
from overpaint.exemplar.parallel import usable_threads
from overpaint.exemplar.preference import alike
from overpaint.exemplar.settings import FillCallbacks, FillSettings
from overpaint.exemplar.smooth import blurred
from overpaint.frame import Context
from overpaint.geometry import Box
from overpaint.mask.distance import within

from .base import Canvas, EngineCard, EngineOptions, Monitor, Painted, ThreadedEngine
from .classical import mean_filled

Floats = NDArray[np.float32]

QUALITIES: dict[str, FillSettings] = {
    "draft": FillSettings(iterations=2, finest_iterations=0, probes=1, lines=True),
    "normal": FillSettings(lines=True),
    "best": FillSettings(
        iterations=8, finest_iterations=4, probes=6, lattice_above=60_000, most_sources=500_000, lines=True
    ),
}


class ExemplarOptions(EngineOptions):
    """Options of the patch-based fill."""

    quality: Literal["draft", "normal", "best"] = Field(
        default="normal",
        description="draft takes a little over half the time of normal, best twice the time, with little visible gain",
    )
    patch: int | None = Field(
        default=None, ge=3, le=15, description="side of the patches in pixels, odd (7 unless given)"
    )
    search_range: int | None = Field(
        default=None,
        ge=8,
        description="how far around the hole patches are taken from, in pixels (about its own size unless given)",
    )
    variety: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="how much the seed decides: the first layout, how much worse than the best its matches may be, and "
        "the side of the hole whose pixels are preferred; variations differ visibly from 0.1 on (0.2 for them unless "
        "given)",
    )

    @field_validator("patch")
    @classmethod
    def _odd(cls, patch: int | None) -> int | None:
        if patch is not None and patch % 2 == 0:
            raise ValueError(f"a patch has a middle pixel, so its side is odd, not {patch}")
        return patch


class Exemplar(ThreadedEngine):
    """Continues texture and structure by patches of the surroundings.

    `overpaint.exemplar.fill` describes the methods. Lines that run into the hole on both sides go on through it. Every
    pixel is copied from the known picture, made brighter or darker by at most 0.08, then corrected: by at most 0.1 so
    that the hole's edge does not show, and so that pieces meet without a step. Lines on plain ground, as in a drawing,
    are drawn. A hole that leaves nothing known gets the mean of its old colours.
    """

    reentrant = True
    card = EngineCard(
        name="exemplar",
        title="Patch-based fill: continues texture and structure of the surroundings, without weights",
        accepts=frozenset({"avoid", "seed"}),
        context=Context(ratio=1.0, minimum=64, maximum=512),
        options=ExemplarOptions,
        variation_options={"variety": 0.2},
        digest="exemplar-9",
        references=(
            "Wexler, Shechtman, Irani, Space-time video completion, CVPR 2004",
            "Hertzmann, Jacobs, Oliver, Curless, Salesin, Image analogies, SIGGRAPH 2001",
            "Ashikhmin, Synthesizing natural textures, I3D 2001",
            "Wei, Levoy, Fast texture synthesis using tree-structured vector quantization, SIGGRAPH 2000",
            "Efros, Leung, Texture synthesis by non-parametric sampling, ICCV 1999",
            "Perez, Gangnet, Blake, Poisson image editing, SIGGRAPH 2003",
            "Sun, Yuan, Jia, Shum, Image completion with structure propagation, SIGGRAPH 2005",
            "Desolneux, Moisan, Morel, Meaningful alignments, IJCV 40, 2000",
        ),
    )

    def paint_one(self, canvas: Canvas, monitor: Monitor) -> Painted:
        """Fill the hole's parts one after another, each in its own window."""
        options = canvas.options if isinstance(canvas.options, ExemplarOptions) else ExemplarOptions()
        settings = replace(QUALITIES[options.quality], variety=options.variety)
        if options.patch is not None:
            settings = replace(settings, radius=options.patch // 2)
        hole, known = canvas.hole, canvas.known
        if not known.any():
            return mean_filled(canvas)
        painted: Floats = canvas.pixels.copy()
        work = list(parts(hole, known, lambda box: _margin(box, options), apart=48))
        sizes = [int(np.count_nonzero(part.hole)) for part in work]
        before = 0
        matches: list[float] = []
        # Pixels with colours to compare with; other parts get them when they are filled.
        seen = shown(canvas)
        unseen = ~(seen | hole)
        for part, size in zip(work, sizes, strict=True):

            def done(fraction: float, before: int = before, size: int = size) -> None:
                monitor.progress(round(100 * (before + size * fraction) / sum(sizes)), 100)

            done(0.0)
            here = part.window.slices
            compared = (seen[here] | part.hole)[..., None]
            pixels = painted[here].copy()
            if not compared.all():
                pixels = np.where(compared, pixels, blurred(pixels, seen[here]))
            callbacks = FillCallbacks(done, monitor.check)
            target = part.hole | behind(part.hole, unseen[here])
            filled = fill(
                pixels, known[here], target, settings, canvas.seed, callbacks, threads=usable_threads(self.threads)
            )
            painted[here][part.hole] = filled.pixels[part.hole].clip(0, 1)
            matches += [] if filled.match is None else [filled.match]
            seen[here] |= part.hole
            before += size
            if monitor.wants_previews:
                monitor.preview(painted.copy())
        monitor.progress(100, 100)
        return Painted(painted, match=max(matches, default=None))


def shown(canvas: Canvas) -> NDArray[np.bool_]:
    """(H, W) bool: pixels that a fill is compared with and joined to.

    These are the known ones, and of those that the request avoids beside the hole the ones that look like known ones
    there. A box around a person holds some lawn too: it goes on in the hole, and the person does not.
    """
    known, avoided = canvas.known, canvas.avoided
    near = within(canvas.hole, _reach(canvas.hole)) if avoided.any() else avoided
    if not (avoided & near).any():
        return known
    here = Box.around(near).slices
    known[here] |= alike(canvas.pixels[here], (known & near)[here], (avoided & near)[here], radius=3)
    return known


def behind(hole: NDArray[np.bool_], unseen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(h, w) bool: the unseen pixels around a hole that are filled with it, and not pasted.

    The surroundings go on behind them, and no colours that were made up for them are continued into the hole.
    """
    return unseen & within(hole, _reach(hole)) if unseen.any() else unseen


def _reach(hole: NDArray[np.bool_]) -> float:
    """Pixels around a hole that decide about it: about half its width."""
    return max(24.0, math.sqrt(np.count_nonzero(hole)) / 2)


def _margin(box: Box, options: ExemplarOptions) -> int:
    """Pixels of surroundings that may be copied."""
    if options.search_range is not None:
        return options.search_range
    return min(max((box.width + box.height) // 2, 64), 400)
