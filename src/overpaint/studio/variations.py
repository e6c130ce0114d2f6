"""Variations of one edit: prepared once, painted together, finished one after another."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from overpaint.engines import Engine, Monitor, paint_groups
from overpaint.request import Execution

from ._edited import Edited
from .progress import Linked, Shared
from .steps import PaintedSheets, Prepared, finish

MOST_SEED = (1 << 63) - 1


def variation(prepared: Prepared, number: int) -> Prepared:
    """The edit with its seed + `number`; everything else is as it is."""
    if number == 0:
        return prepared
    seed = (prepared.resolved.seed + number) & MOST_SEED
    sheets = tuple(
        replace(sheet, canvas=replace(sheet.canvas, seed=(sheet.canvas.seed + number) & MOST_SEED))
        for sheet in prepared.sheets
    )
    return replace(
        prepared,
        request=prepared.request.merged(seed=seed),
        resolved=prepared.resolved.model_copy(update={"seed": seed}),
        sheets=sheets,
        timings={},
    )


def variations(
    prepared: Prepared, count: int, engine: Engine, execution: Callable[[Prepared], Execution], monitor: Monitor
) -> Iterator[Edited]:
    """What `Studio.variations` gives."""
    every = [variation(prepared, number) for number in range(count)]
    each = len(prepared.sheets)
    shared = Shared(monitor, count * each)
    monitors = [shared.parts[number * each : (number + 1) * each] for number in range(count)]
    asked_at = time.perf_counter()
    canvases = [[sheet.canvas for sheet in one.sheets] for one in every]
    for one, own, painted in zip(every, monitors, paint_groups(engine, canvases, monitors), strict=True):
        yield finish(one, PaintedSheets(tuple(painted), execution(one), _timings(own, asked_at)), monitor)


def _timings(monitors: list[Linked], asked_at: float) -> dict[str, float]:
    """Variations share the engine's time, so that the seconds of all together are more than it took."""
    began = min((part.began for part in monitors if part.began is not None), default=asked_at)
    return {"wait": round(began - asked_at, 6), "paint": round(time.perf_counter() - began, 6)}
