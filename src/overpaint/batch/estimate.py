"""How long a batch will take: from what it took before, or from an edit that is tried and thrown away."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from overpaint.engines import Monitor
from overpaint.errors import OverpaintError
from overpaint.ledger import Entry

from .plan import PlannedEdit
from .task import TaskOptions
from .worker import Worker

_PATIENCE = 10.0  # seconds: no further edit is tried after that


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long the rows to do will take.

    Attributes:
        seconds: In all; None where nothing is known.
        each: Seconds a row by engine.
        basis: What this rests on, in words.
    """

    seconds: float | None
    each: Mapping[str, float]
    basis: str


def by_history(items: Sequence[PlannedEdit], entries: Iterable[Entry]) -> Estimate | None:
    """From rows that were done with the same engines; None when one of the engines has none.

    Reading and writing go on beside the engine, two of each at once, so that the slower of the two ways counts.
    """
    taken: dict[str, list[float]] = {}
    for entry in entries:
        if entry.state == "done" and entry.detail:
            details = json.loads(entry.detail)
            engine = _name(details.get("engine"), details.get("model"))
            taken.setdefault(engine, []).append(_cost(details))
    each = {engine: statistics.fmean(seconds) for engine, seconds in taken.items()}
    wanted = [_name(item.engine, item.request.model) for item in items]
    if any(engine not in each for engine in wanted):
        return None
    count = sum(len(taken[engine]) for engine in set(wanted))
    return Estimate(sum(each[engine] for engine in wanted), each, f"from {count} edits that were done before")


def by_trial(items: Sequence[PlannedEdit], worker: Worker, how: TaskOptions) -> Estimate:
    """From the first row of each engine, which is done and thrown away; a second one when there is time for it.

    The first edit of an engine may have to load it, so that the later of two counts. What does not work out is left to
    the run to tell.
    """
    began = time.perf_counter()
    each: dict[str, float] = {}
    groups: dict[str, list[PlannedEdit]] = {}
    for item in items:
        if item.after is None:
            groups.setdefault(_name(item.engine, item.request.model), []).append(item)
    tried = 0
    for engine, group in groups.items():
        for item in group[:2]:
            if tried and time.perf_counter() - began > _PATIENCE:
                break
            seconds = _tried(item, worker, how)
            if seconds is not None:
                each[engine] = seconds
                tried += 1
    wanted = [_name(item.engine, item.request.model) for item in items]
    if not tried or any(engine not in each for engine in wanted):
        return Estimate(None, each, "nothing is known yet, and trying an edit did not work out")
    edits = "1 edit that was" if tried == 1 else f"{tried} edits that were"
    return Estimate(sum(each[engine] for engine in wanted), each, f"from {edits} tried and thrown away")


def _tried(item: PlannedEdit, worker: Worker, how: TaskOptions) -> float | None:
    with tempfile.TemporaryDirectory(prefix="overpaint-") as folder:
        target = Path(folder) / item.output.name
        task = how.task(item, item.image_sha256, target.with_suffix(".part"), target=target)
        try:
            made = worker.do(task, Monitor())
        except OverpaintError:
            return None
    return _cost(made.details)


def _cost(details: Mapping[str, Any]) -> float:
    """Seconds that a row adds to a run: the engine's, or half of all else when that is more."""
    painting = float(details.get("timings", {}).get("paint", 0.0))
    return max(painting, (float(details.get("seconds", 0.0)) - painting) / 2, 0.001)


def _name(engine: str | None, model: str | None) -> str:
    return f"{engine} {model}" if model else str(engine)
