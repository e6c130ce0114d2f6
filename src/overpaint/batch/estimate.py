"""How long a batch will take: from earlier edits, or from an edit that is tried and discarded."""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from overpaint.engines import Monitor
from overpaint.errors import OverpaintError
from overpaint.ledger import LedgerEntry

from .plan import PlannedEdit
from .reasons import reason_of
from .task import Task, TaskOptions
from .worker import Worker

_PATIENCE = 10.0  # seconds after which no further edit is tried


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long the rows to do will take.

    Attributes:
        seconds: In all; None where nothing is known.
        basis: What this rests on, in words.
    """

    seconds: float | None
    basis: str


def by_history(items: Sequence[PlannedEdit], entries: Iterable[LedgerEntry]) -> Estimate | None:
    """From rows that were done with the same engines; None where an engine has none."""
    taken: dict[str, list[float]] = {}
    for entry in entries:
        if entry.state in ("done", "needs-review") and entry.detail:
            details = json.loads(entry.detail)
            taken.setdefault(_name(details.get("engine"), details.get("model")), []).append(_cost(details))
    each = {engine: statistics.fmean(seconds) for engine, seconds in taken.items()}
    count = sum(len(taken.get(engine, ())) for engine in {_engine(item) for item in items})
    return _estimate(items, each, f"from {_edits(count)} done before")


def by_trial(items: Sequence[PlannedEdit], worker: Worker, options: TaskOptions) -> Estimate:
    """From the first rows of each engine, which are done and discarded: two where there is time, else one.

    The first edit of an engine may have to load it, so the later of two counts. Failures are left to the run.
    """
    began = time.perf_counter()
    each: dict[str, float] = {}
    groups: dict[str, list[PlannedEdit]] = {}
    for item in items:
        if item.after is None:
            groups.setdefault(_engine(item), []).append(item)
    tried, fault = 0, ""
    for engine, group in groups.items():
        for item in group[:2]:
            if tried and time.perf_counter() - began > _PATIENCE:
                break
            try:
                each[engine] = _tried(item, worker, options)
                tried += 1
            except OverpaintError as error:
                fault = reason_of(error, private=options.key is not None)
    unknown = Estimate(None, f"nothing is known yet, and an edit that was tried failed: {fault}")
    return _estimate(items, each, f"from {_edits(tried)} tried and discarded") or unknown


def _estimate(items: Sequence[PlannedEdit], each: Mapping[str, float], basis: str) -> Estimate | None:
    """The sum over all rows; None where an engine's time is not known."""
    engines = [_engine(item) for item in items]
    if any(engine not in each for engine in engines):
        return None
    return Estimate(sum(each[engine] for engine in engines), basis)


def _edits(count: int) -> str:
    return "1 edit that was" if count == 1 else f"{count} edits that were"


def _tried(item: PlannedEdit, worker: Worker, options: TaskOptions) -> float:
    with tempfile.TemporaryDirectory(prefix="overpaint-") as folder:
        output = Path(folder) / item.output.name
        task = Task(replace(item, output=output), options, item.image_sha256, output.with_suffix(".part"))
        return _cost(worker.do(task, Monitor()).details)


def _cost(details: Mapping[str, Any]) -> float:
    """Seconds that a row adds to a run: the engine's, or half of the rest where that is more.

    Two rows are read, and two written, beside the engine.
    """
    painting = float(details.get("timings", {}).get("paint", 0.0))
    return max(painting, (float(details.get("seconds", 0.0)) - painting) / 2, 0.001)


def _engine(item: PlannedEdit) -> str:
    return _name(item.engine, item.model)


def _name(engine: str | None, model: str | None) -> str:
    return f"{engine} {model}" if model else str(engine)
