"""The steps of an edit as values: prepared for the engine, painted by it, finished.

Only the middle step is the engine's: a caller with many edits can prepare the next and finish the previous one at the
same time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from pydantic import BaseModel

from overpaint.composite import lay
from overpaint.engines import EngineCard, Monitor, Painted, paint_groups
from overpaint.errors import MaskError
from overpaint.finish.quality import FillMeasures, border_of, measured, seen_around
from overpaint.frame import POLICIES, FrameNeeds, Region, reach_of
from overpaint.picture import Colour, Picture
from overpaint.record import SourceType, type_of_edit
from overpaint.request import MOST_SEED, EditRequest, Execution, ResolvedRequest
from overpaint.restore import FaceChoice, restored_patches

from ._edited import Edited, PaintedRegion
from .canvases import RegionCanvas, make_canvas
from .choose import Painter
from .controls import control_notes
from .execution import execution_of
from .inputs import InputRasters
from .notes import doubt_in_words, doubts_of, effect_note, notes_of, opacity_note, transparency_note
from .progress import SharedProgress
from .regional import region_notes
from .resolve import policy_for
from .scene import EditScene, nothing_left


@dataclass(frozen=True, slots=True, eq=False)
class PreparedEdit:
    """An edit before the engine.

    Attributes:
        rasters: The picture as opened, and the mask and sketch that were given as values.
        request: The request, without those.
        resolved: The same with every default filled in.
        painter: What paints it.
        scene: The picture that is painted on, and where.
        canvases: One for each region.
        timings: Seconds by step so far.
        faces: What restores faces in what is painted.
    """

    rasters: InputRasters
    request: EditRequest
    resolved: ResolvedRequest
    painter: Painter
    scene: EditScene
    canvases: tuple[RegionCanvas, ...]
    timings: Mapping[str, float] = field(default_factory=dict)
    faces: FaceChoice = FaceChoice()  # noqa: RUF009 - it is frozen

    def variation(self, number: int) -> PreparedEdit:
        """The edit with its seed + `number`, or as its engine's options vary; everything else is as it is."""
        if number == 0:
            return self
        options, more, changed = self._counted_on(number)
        changed["seed"] = ((self.resolved.seed or 0) + more) & MOST_SEED
        canvases = tuple(
            replace(one, canvas=replace(one.canvas, seed=(one.canvas.seed + more) & MOST_SEED, options=options))
            for one in self.canvases
        )
        return replace(
            self,
            request=self.request.model_copy(update=changed),
            resolved=self.resolved.model_copy(update=changed),
            painter=replace(self.painter, options=options),
            canvases=canvases,
            timings={},
        )

    def _counted_on(self, number: int) -> tuple[BaseModel, int, dict[str, Any]]:
        """Of a variation: the engine's options, what it adds to the seed, and changes of the request."""
        options, counts_on = self.painter.options, self.painter.card.counts_on
        if not counts_on or not getattr(options, counts_on[1], 0):
            return options, number, {}
        own = {counts_on[0]: (getattr(options, counts_on[0], 0) + number) & MOST_SEED}
        return options.model_copy(update=own), 0, {"options": {**self.resolved.options, **own}}


@dataclass(frozen=True, slots=True, eq=False)
class PaintedCanvases:
    """What the engine made of the canvases of one edit.

    Attributes:
        painted: One for each canvas.
        execution: Device, threads and versions of libraries.
        timings: Seconds that the canvases waited for their turns, and seconds that they took.
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


def make_canvases(scene: EditScene, resolved: ResolvedRequest, painter: Painter) -> tuple[RegionCanvas, ...]:
    """One canvas for each region of the scene; region k is painted with seed + k."""
    sampling = resolved.sampling
    return tuple(
        make_canvas(scene, region, painter, seed=((resolved.seed or 0) + k) & MOST_SEED, sampling=sampling)
        for k, region in enumerate(planned_regions(scene, resolved, painter.card))
    )


def check_known(scene: EditScene, canvases: Sequence[RegionCanvas], card: EngineCard) -> None:
    """Raise MaskError where an engine that continues the surroundings would see none: all is marked, transparent or
    avoided.
    """
    if card.paints_from != "surroundings":
        return
    known = scene.mask.values <= 0
    if scene.picture.alpha is not None:
        known &= scene.picture.alpha > 0
    for one in canvases:
        seen = one.region.frame.box.intersect(scene.picture.size.box)
        if not known[seen.slices].any():
            more = " let it see more (padding, area)," if known.any() else ""
            raise MaskError(
                f"{card.name} continues the surroundings, and of what it sees the mask leaves none to copy from",
                code="mask-covers-all",
                field="mask",
                hint=f"mark less,{more} or set model, which paints from a prompt",
            )
        if scene.avoid is not None and not one.canvas.known.any():
            raise nothing_left(f"avoid covers all that {card.name} sees around the box {one.region.box}")


def paint_edits(
    edits: Sequence[PreparedEdit], monitor: Monitor, threads: int | None = None
) -> Iterator[PaintedCanvases]:
    """Give the canvases of all edits to their one engine at once, and yield each edit's in their order.

    Edits share the engine's time, so that the seconds of all together may be more than it took.

    Args:
        edits: Edits of one engine.
        monitor: Progress and previews of all together; cancellation of all. It is told what a person should know
            before the painting begins.
        threads: The studio's limit, for the record.

    Raises:
        EngineError: The engine failed.
        Cancelled: The monitor was cancelled.
    """
    monitor.check()
    for note in dict.fromkeys(note for edit in edits for note in (*edit.painter.notes, *edit.faces.notes)):
        monitor.note(note)
    shared = SharedProgress(monitor, sum(len(edit.canvases) for edit in edits))
    parts = iter(shared.parts)
    monitors = [[next(parts) for _ in edit.canvases] for edit in edits]
    submitted = time.perf_counter()
    groups = paint_groups(edits[0].painter.engine, [[one.canvas for one in edit.canvases] for edit in edits], monitors)
    for edit, own, painted in zip(edits, monitors, groups, strict=True):
        done = time.perf_counter()
        monitor.check()
        began = min((part.began for part in own if part.began is not None), default=submitted)
        rested = sum(part.paused for part in own) / len(own)
        timings = {"wait": round(began - submitted + rested, 6), "paint": round(done - began - rested, 6)}
        yield PaintedCanvases(
            tuple(painted), execution_of(edit.painter.engine, threads, exact=edit.resolved.exact), timings
        )


def finish(prepared: PreparedEdit, made: PaintedCanvases, monitor: Monitor | None = None) -> Edited:
    """Correct what was painted, paste it into the scene, and describe the result.

    Raises:
        Cancelled: The monitor was cancelled.
    """
    clock = Clock()
    scene, painter = prepared.scene, prepared.painter
    decides = policy_for(prepared.request, painter.card).share_decides
    canvases = tuple(
        one.with_effect(painted.effect, scene.mask, prepared.resolved).with_share(painted.share, decides=decides)
        for one, painted in zip(prepared.canvases, made.painted, strict=True)
    )
    monitor, faces = monitor or Monitor(), prepared.faces
    result, regions = _assemble(scene, canvases, made.painted, prepared.resolved, monitor)
    clock.lap("finish")
    restored_faces = 0
    if faces.restorer is not None and faces.active:
        patches, restored_faces = restored_patches(result, regions, faces.restorer, faces.settings, monitor)
        regions = tuple(replace(one, patch=patch) for one, patch in zip(regions, patches, strict=True))
        result = _pasted(scene.picture, regions, prepared.resolved)
        clock.lap("faces")
    regions = tuple(
        replace(one, quality=_quality(result, one, painted)) for one, painted in zip(regions, made.painted, strict=True)
    )
    reach = max(reach_of(one.weight > 0, scene.mask.values[one.box.slices] > 0) for one in regions)
    if scene.original != result.size.box:
        border = border_of(result.samples, scene.original, result.maximum)
        regions = tuple(replace(one, quality=replace(one.quality, border=border)) for one in regions)
    clock.lap("measure")
    own = notes_of(
        prepared.request, painter, scene.mask, sketch=scene.sketch is not None, grey=scene.picture.colour is Colour.GREY
    )
    own += transparency_note(prepared.resolved, scene.mask, result.alpha, regions)
    own += opacity_note(prepared.request, painter.card, regions)
    own += faces.notes
    if faces.active and restored_faces == 0:
        own += ("no face is in what was painted, so that restore_faces had no effect",)
    seen = [(one.canvas, painted) for one, painted in zip(canvases, made.painted, strict=True)]
    own += effect_note(prepared.request, painter, seen)
    made_notes = (note for one in made.painted for note in one.notes)
    engine_notes = tuple(dict.fromkeys((*painter.notes, *made_notes)))
    own += tuple(control_notes(scene.controls, [one.canvas.controls for one in canvases]))
    doubts = doubts_of(prepared.request, painter.card, FillMeasures.worst(one.quality for one in regions))
    return Edited(
        picture=result,
        base=scene.picture,
        placed=scene.original,
        mask=scene.mask,
        rasters=prepared.rasters,
        bare_request=prepared.request,
        bare_resolved=prepared.resolved,
        execution=faces.execution(made.execution),
        regions=regions,
        reach=reach,
        timings={**prepared.timings, **made.timings, **clock.laps},
        notes=tuple(
            dict.fromkeys(
                (
                    *own,
                    *scene.picture.source.faults,
                    *scene.mask.notes,
                    *_avoid_notes(scene, canvases),
                    *region_notes(scene, canvases),
                    *engine_notes,
                )
            )
        ),
        engine_notes=engine_notes,
        doubts=doubts,
        doubt=doubt_in_words(prepared.request, painter.card, doubts),
        licence=painter.card.licence,
        source_type=_source_type(prepared, restored_faces),
    )


def _source_type(prepared: PreparedEdit, restored_faces: int) -> SourceType:
    """What the edit makes of a photograph.

    An engine is a learned one where it samples, paints from a prompt, runs elsewhere or uses weights; those that only
    select paint nothing, and a network for faces counts where it restored one. A picture that only lends its colour is
    not put in.
    """
    request, card = prepared.request, prepared.painter.card
    no_paint = ("selector", "faces", "face-detector", "mapper")
    weights = any(one.role not in no_paint for one in prepared.resolved.models) or restored_faces > 0
    learned = card.samples or card.paints_from == "prompt" or card.elsewhere or weights
    puts_in = request.insert is not None and card.uses("insert") and request.intent != "recolor"
    return type_of_edit(learned=learned, puts_in=puts_in, generative=prepared.rasters.insert_generative)


def planned_regions(scene: EditScene, resolved: ResolvedRequest, card: EngineCard) -> tuple[Region, ...]:
    """The regions that are painted, each with its frame and its masks, in pixels of the scene's picture."""
    needs = FrameNeeds(card.edge, card.sizes, card.context)
    return POLICIES[resolved.dialect].regions(scene.mask, resolved, needs)


def _quality(result: Picture, region: PaintedRegion, painted: Painted) -> FillMeasures:
    """How a region of the result looks beside its surroundings."""
    window = region.box.pad(seen_around(region.weight)).intersect(result.size.box)
    weight = np.zeros(window.size.shape, np.float32)
    weight[region.box.shift(-window.left, -window.top).slices] = region.weight
    return measured(result.samples[window.slices], weight, painted.match, result.maximum)


def _avoid_notes(scene: EditScene, canvases: tuple[RegionCanvas, ...]) -> Iterator[str]:
    """Notes on what the edit avoided."""
    if scene.avoid is None:
        return
    yield from (f"avoid: {note}" for note in scene.avoid.notes)
    if all(scene.avoid.bounds.intersect(one.region.frame.box).empty for one in canvases):
        yield "avoid lies beyond the surroundings that were seen, and had no effect"
    elif not (scene.avoid.support & ~scene.mask.support).any():
        yield "avoid lies within what is repainted, from which nothing is copied, and had no effect"


def _assemble(
    scene: EditScene,
    canvases: tuple[RegionCanvas, ...],
    painted: tuple[Painted, ...],
    resolved: ResolvedRequest,
    monitor: Monitor,
) -> tuple[Picture, tuple[PaintedRegion, ...]]:
    """Paste every region into a copy of the scene's picture."""
    regions = tuple(one.painted(result, resolved, monitor.check) for one, result in zip(canvases, painted, strict=True))
    return _pasted(scene.picture, regions, resolved), regions


def _pasted(picture: Picture, regions: tuple[PaintedRegion, ...], resolved: ResolvedRequest) -> Picture:
    """The scene's picture with every region pasted into a copy of it."""
    samples = picture.samples.copy()
    alpha = lay(samples, None if picture.alpha is None else picture.alpha.copy(), regions, resolved.alpha)
    return picture.with_pixels(samples, alpha)
