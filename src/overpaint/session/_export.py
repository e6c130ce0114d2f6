"""A session's picture flattened, with the record of its edits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial

import numpy as np

from overpaint.errors import SessionError
from overpaint.geometry import Box
from overpaint.picture import Picture
from overpaint.record import EditStatement, Record
from overpaint.studio import FinishedPicture, pixel_digest

from ._history import StepState
from ._paint import Composite, PaintedStep, ReadArray, extended, marks, weight_of

SUFFIX = "edited"
"""Of a file's name: NAME.edited.EXT."""


def finished(original: Picture, composite: Composite, steps: Sequence[PaintedStep], read: ReadArray) -> FinishedPicture:
    """The composite of these steps, ready to be written.

    Raises:
        SessionError: There is none, so that nothing could be recorded.
    """
    if not steps:
        raise SessionError("no step shows: the picture is the original", code="session-empty")
    canvas = composite.canvas
    touched = np.zeros(canvas.size.shape, bool)
    marked = np.zeros(canvas.size.shape, bool)
    places: list[tuple[Box, ...]] = []
    for state, take in steps:
        marks(take, canvas, marked, read)
        boxes = []
        for patch in take.patches:
            box = Box(*patch.box)
            here = box.intersect(canvas)
            if not here.empty:
                inner = here.shift(-box.left, -box.top).slices
                boxes.append(here.shift(-canvas.left, -canvas.top))
                touched[boxes[-1].slices] |= weight_of(patch, state, read)[inner] > 0
        places.append(tuple(boxes))
    digest = cache(partial(pixel_digest, composite.picture))
    record = record_of(composite.picture, steps, digest)
    return FinishedPicture(
        picture=composite.picture,
        base=extended(original, canvas),
        touched=touched,
        marked=marked,
        # Each step's reach is measured from its own mask, so none of all is larger than the largest.
        reach=max(take.record.reach for _, take in steps),
        suffix=SUFFIX,
        record=lambda: record,
        edits=tuple(
            replace(one, boxes=boxes)
            for one, boxes in zip(EditStatement.of_records([take.record for _, take in steps]), places, strict=True)
        ),
        pixels_sha256=digest,
    )


def record_of(picture: Picture, steps: Sequence[PaintedStep], digest: Callable[[], str]) -> Record:
    """The record of a picture with these steps, of which there is one at least; `digest` is that of its pixels."""
    records = [take.record for _, take in steps]
    if len(steps) == 1 and steps[0][0].untouched:
        return records[0]
    return _joined(records, picture, [state for state, _ in steps], digest())


def _joined(records: Sequence[Record], picture: Picture, states: Sequence[StepState], digest: str) -> Record:
    """The record of the last edit, with those before it, and what was done to them afterwards."""
    *earlier, last = records
    source = records[0]
    notes = list(last.notes)
    for state in states:
        if state.opacity != 1:
            notes.append(f"step {state.number} shows with an opacity of {state.opacity:.0%}")
        if state.mask is not None:
            notes.append(f"step {state.number} is hidden in part by a mask")
    return last.model_copy(
        update={
            "earlier": tuple(earlier) or None,
            "size": tuple(picture.size),
            "pixels_sha256": digest,
            "input_sha256": picture.source.sha256,
            "input_name": source.input_name,
            "input_size": source.input_size,
            "notes": tuple(notes),
        }
    )
