"""The three steps of an edit as values: prepared for the engine, painted by it, finished.

Only the middle one is the engine's. Whoever has many edits to do reads the next and writes the last meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from overpaint.composite import paste, paste_alpha
from overpaint.engines import ControlImage, EngineCard, Monitor, Painted
from overpaint.frame import Framing, Region, plan, reach_of
from overpaint.mask import Mask
from overpaint.picture import Picture
from overpaint.request import EditRequest, Execution, ResolvedRequest

from ._edited import Edited, PaintedRegion
from .asked import notes_of
from .canvases import Sheet, sheet
from .stage import Stage


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """An edit before the engine.

    Attributes:
        original: The picture as opened.
        request: What is asked.
        resolved: The same with every default filled in.
        card: Of the engine that is to paint.
        scene: What is painted on, and where.
        sheets: One for each region: its canvas, and the way back.
        timings: Seconds by step so far.
    """

    original: Picture
    request: EditRequest
    resolved: ResolvedRequest
    card: EngineCard
    scene: Stage
    sheets: tuple[Sheet, ...]
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class PaintedSheets:
    """What the engine made of the sheets of one edit.

    Attributes:
        painted: One for each sheet.
        execution: On what it ran.
        timings: Seconds that the canvases waited for their turn, and seconds that they took.
    """

    painted: tuple[Painted, ...]
    execution: Execution
    timings: Mapping[str, float] = field(default_factory=dict)


class Clock:
    """Seconds by step."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        """The step of this name ends now."""
        now = time.perf_counter()
        self.laps[name] = round(now - self._last, 6)
        self._last = now


def sheets_of(
    scene: Stage,
    request: EditRequest,
    resolved: ResolvedRequest,
    card: EngineCard,
    options: BaseModel,
    sketch: NDArray[np.uint8] | None,
    controls: tuple[ControlImage, ...] = (),
) -> tuple[Sheet, ...]:
    """One sheet for each region of the scene; region k is painted with seed + k."""
    sampling = resolved.sampling
    return tuple(
        sheet(
            scene,
            region,
            card,
            seed=_nth(resolved.seed, k),
            sampling=sampling,
            controls=controls,
            options=options,
            sketch=sketch,
        )
        for k, region in enumerate(_plan(scene, request, resolved, card))
    )


def finish(prepared: Prepared, brushwork: PaintedSheets, monitor: Monitor | None = None) -> Edited:
    """What was painted, corrected and pasted into the scene, and what can be said of it.

    Raises:
        Cancelled: The monitor was told to stop.
    """
    clock = Clock()
    scene, request = prepared.scene, prepared.request
    sheets = tuple(
        one.with_effect(painted.effect, scene.mask, prepared.resolved)
        for one, painted in zip(prepared.sheets, brushwork.painted, strict=True)
    )
    result, regions = _assemble(scene, sheets, brushwork.painted, prepared.resolved, monitor or Monitor())
    clock.lap("finish")
    reach = max(_reach(one.region, scene.mask) for one in sheets)
    clock.lap("measure")
    notes = notes_of(request, prepared.resolved.model, prepared.card)
    return Edited(
        picture=result,
        original=prepared.original,
        stage=scene.picture,
        placed=scene.original,
        mask=scene.mask,
        request=request,
        resolved=prepared.resolved,
        execution=brushwork.execution,
        regions=regions,
        reach=reach,
        timings={**prepared.timings, **brushwork.timings, **clock.laps},
        notes=tuple(dict.fromkeys((*notes, *(note for one in brushwork.painted for note in one.notes)))),
        licence=prepared.card.licence,
    )


def _nth(seed: int, k: int) -> int:
    return (seed + k) % (1 << 63)


def _plan(scene: Stage, request: EditRequest, resolved: ResolvedRequest, card: EngineCard) -> tuple[Region, ...]:
    rule = request.rule
    factor = {"near": 0.5, "wide": 1.0, "whole": 1.0}[rule.context]
    strict = resolved.strict
    return plan(
        scene.mask,
        engine=card.edge,
        sizes=card.sizes if resolved.size is None else card.sizes.at(resolved.size),
        framing=Framing(resolved.area, request.padding, card.context.scaled(factor)),
        rule=resolved.edge,
        strength=1.0 if resolved.strength is None else resolved.strength,
        grow=0.0 if strict else request.grow,
        feather=0.0 if strict else request.feather,
        limit=resolved.reach_limit,
    )


def _assemble(
    scene: Stage,
    sheets: tuple[Sheet, ...],
    painted: tuple[Painted, ...],
    resolved: ResolvedRequest,
    monitor: Monitor,
) -> tuple[Picture, tuple[PaintedRegion, ...]]:
    """Paste every region into a copy of the stage."""
    samples = scene.picture.samples.copy()
    alpha = None if scene.picture.alpha is None else scene.picture.alpha.copy()
    done = []
    for one, result in zip(sheets, painted, strict=True):
        region = one.region
        patch = one.patch(
            result,
            colour_match=resolved.colour_match,
            seam=resolved.seam,
            detail=resolved.detail if resolved.detail != "none" else None,
            check=monitor.check,
        )
        paste(samples, patch.pixels, region.masks.composite, region.box, scene.picture.alpha, resolved.alpha)
        if alpha is not None:
            paste_alpha(alpha, region.masks.composite, region.box, resolved.alpha)
        done.append(
            PaintedRegion(
                box=region.box,
                frame=region.frame.box,
                working=region.frame.working,
                edge=region.edge,
                parts=region.parts,
                seed=one.canvas.seed,
                patch=patch.pixels,
                weight=region.masks.composite,
                shift=patch.shift,
                detail=patch.detail,
            )
        )
    return scene.picture.with_pixels(samples, alpha), tuple(done)


def _reach(region: Region, mask: Mask) -> int:
    return reach_of(region.masks.composite > 0, mask.values[region.box.slices] > 0)
