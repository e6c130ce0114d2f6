"""The sampling loop without an engine."""

from __future__ import annotations

from collections.abc import Iterable

from overpaint.engines.diffusion.loop import advance
from overpaint.engines.diffusion.sample import Sample


def run(samples: Iterable[Sample], *, rows_at_once: int | None = None) -> None:
    """Advance the samples until all are done; each holds its own result or error."""
    waiting = list(samples)
    while waiting:
        waiting = advance(waiting, rows_at_once=rows_at_once)
