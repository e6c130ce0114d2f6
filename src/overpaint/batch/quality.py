"""Figures of a result: how it looks beside its surroundings, its colour correction, and what the file changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from overpaint.studio import Edited, Saved

SHIFT_LIMIT = 0.08
"""A mean colour correction above this (of 1) is a warning: the engine saw other colours than the picture has."""


def quality_of(edited: Edited, saved: Saved) -> dict[str, Any]:
    """Figures and warnings for the report, as plain JSON values."""
    shift = max((abs(channel) for region in edited.regions for channel in region.shift), default=0.0)
    return {
        "size": list(edited.picture.size),
        "box": list(edited.mask.bounds),
        **asdict(edited.quality),
        "doubts": list(edited.doubts),
        "shift": round(shift, 4),
        "changed": saved.changed,
        "largest": saved.largest,
        "reach": saved.reach,
        "fidelity": saved.fidelity,
        "provenance": saved.marks.provenance,
        "source_type": saved.marks.source_type,
        "signer": saved.marks.signer,
        "warnings": list(_warnings(edited, shift, saved)),
    }


def _warnings(edited: Edited, shift: float, saved: Saved) -> Iterator[str]:
    yield from edited.base.source.faults
    if edited.doubt:
        yield edited.doubt
    if shift > SHIFT_LIMIT:
        yield f"colours had to be corrected by {100 * shift:.0f} %"
    if saved.changed:
        levels = "1 level" if saved.largest == 1 else f"{saved.largest} levels"
        yield f"{saved.changed:,} pixels beyond the reach changed by up to {levels} in the written file"
