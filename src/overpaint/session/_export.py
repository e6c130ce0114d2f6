"""A session's picture as files: flattened, with the record of its edits, and in layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial

import numpy as np

from overpaint.errors import SessionError
from overpaint.geometry import Box
from overpaint.picture import Picture
from overpaint.record import EditStatement, Record
from overpaint.studio import FinishedPicture, Layer, LayeredPicture, pixel_digest

from ._history import StepState
from ._paint import Composite, PaintedStep, ReadArray, extended, marks, patch_of, weight_of

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
    records = [take.record for _, take in steps]
    digest = cache(partial(pixel_digest, composite.picture))
    record = records[0]
    if len(steps) > 1 or not steps[0][0].untouched:
        record = _joined(records, composite.picture, [state for state, _ in steps], digest())
    return FinishedPicture(
        picture=composite.picture,
        base=extended(original, canvas),
        touched=touched,
        marked=marked,
        # Each step's reach is measured from its own mask, so none of all is larger than the largest.
        reach=max(record.reach for record in records),
        suffix=SUFFIX,
        record=lambda: record,
        edits=tuple(
            replace(one, boxes=boxes) for one, boxes in zip(EditStatement.of_records(records), places, strict=True)
        ),
        pixels_sha256=digest,
    )


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


def layered(original: Picture, composite: Composite, steps: Sequence[PaintedStep], read: ReadArray) -> LayeredPicture:
    """The original and the steps above it, from below to above."""
    layers: list[Layer] = []
    for state, take in steps:
        name = f"{state.number} {take.record.resolved.intent.capitalize()}"
        several = len(take.patches) > 1
        for number, stored in enumerate(take.patches, start=1):
            patch = patch_of(stored, state, original, composite.canvas, read, masked_only=True)
            if patch is None:
                continue
            layers.append(
                Layer.of(
                    patch,
                    f"{name} {number}" if several else name,
                    opacity=state.opacity,
                    visible=state.visible,
                    group=name if several else "",
                )
            )
    return LayeredPicture(extended(original, composite.canvas), tuple(layers), composite.picture)
