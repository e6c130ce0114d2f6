"""A session's picture flattened, with the record of its edits."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import NoReturn

import numpy as np

from overpaint.errors import SessionError
from overpaint.geometry import Box
from overpaint.picture import Picture, encode, format_of_result, open_picture
from overpaint.record import EditStatement, Marking, MarksRecord, Record, declared_type, in_one_packet, strip
from overpaint.studio import FinishedPicture, Rendered, Saved, pixel_digest
from overpaint.studio.written import RecordMode, difference_of

from ._history import StepState
from ._paint import Composite, PaintedStep, ReadArray, extended, marks, weight_of
from ._values import Take

SUFFIX = "edited"
"""Of a file's name: NAME.edited.EXT."""


def finished(original: Picture, composite: Composite, steps: Sequence[PaintedStep], read: ReadArray) -> FinishedPicture:
    """The composite of these steps, ready to be written; the original where there is none.

    Raises:
        SessionError: A step's files are missing or damaged.
    """
    steps = showing(steps, read)
    if not steps:
        return UneditedPicture.of(original)
    canvas = composite.canvas
    touched = np.zeros(canvas.size.shape, bool)
    marked = np.zeros(canvas.size.shape, bool)
    for state, take in steps:
        marks(take, canvas, marked, read)
        for patch in take.patches:
            box = Box(*patch.box)
            here = box.intersect(canvas)
            if not here.empty:
                inner = here.shift(-box.left, -box.top).slices
                touched[here.shift(-canvas.left, -canvas.top).slices] |= weight_of(patch, state, read)[inner] > 0
    digest = cache(partial(pixel_digest, composite.picture))
    record = record_of(composite, steps, digest)
    return FinishedPicture(
        picture=composite.picture,
        base=extended(original, canvas),
        touched=touched,
        marked=marked,
        # Each step's reach is measured from its own mask, so none of all is larger than the largest.
        reach=max(take.record.reach for _, take in steps),
        suffix=SUFFIX,
        record=lambda: record,
        edits=EditStatement.of_records(record.edits),
        pixels_sha256=digest,
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class UneditedPicture(FinishedPicture):
    """The original of a session of which no step shows. It has no record, and no origin is stated."""

    @classmethod
    def of(cls, original: Picture) -> UneditedPicture:
        """The original, ready to be written."""
        nowhere = np.zeros(original.size.shape, bool)
        return cls(
            picture=original,
            base=original,
            touched=nowhere,
            marked=nowhere,
            reach=0,
            suffix=SUFFIX,
            record=_no_record,
            edits=(),
            pixels_sha256=cache(partial(pixel_digest, original)),
        )

    def save(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        format: str | None = None,
        quality: int | None = None,
        overwrite: bool = False,
        record: RecordMode = "embed",
        marking: Marking = Marking(),  # noqa: B008 - it is frozen
    ) -> Saved:
        """As `SavableResult.save`; there is no sidecar."""
        inside: RecordMode = "embed" if record == "sidecar" else record
        return FinishedPicture.save(
            self, path, format=format, quality=quality, overwrite=overwrite, record=inside, marking=marking
        )

    def render(
        self,
        format: str | None = None,
        *,
        quality: int | None = None,
        record: RecordMode = "embed",
        verify: bool = False,
        marking: Marking = Marking(),  # noqa: B008 - it is frozen
    ) -> Rendered:
        """As `SavableResult.render`. In its own format it is the original's file, byte for byte.

        Args:
            format, quality, verify: As there.
            record: "none" leaves out a record that the original has.
            marking: It can neither sign nor mark what is not edited.

        Raises:
            SessionError: It is to be signed or to get a watermark.
            OutputError: The format can't hold the picture.
        """
        if marking.seal is not None or marking.watermark is not None:
            _no_record()
        source = self.picture.source
        written = format_of_result(source.format, format, alpha=self.picture.alpha is not None)
        metadata = strip(self.picture.metadata) if record == "none" else self.picture.metadata
        whole = written == source.format and quality is None and metadata == self.picture.metadata
        if whole and source.data is not None:
            data, fidelity = source.data, "lossless"
            notes: tuple[str, ...] = ("no step shows: this is the original's file as it is",)
        else:
            kept = replace(self.picture, metadata=in_one_packet(metadata))
            encoded = encode(kept, written, quality=quality, touched=self.touched)
            data, fidelity = encoded.data, encoded.fidelity
            notes = ("no step shows: this is the original", *encoded.notes)
        found = open_picture(data)
        difference = difference_of(found, self.picture)
        declared = declared_type(self.picture.metadata)
        return Rendered(
            data=data,
            format=written,
            fidelity=fidelity,
            reach=0,
            quality=quality,
            changed=int(np.count_nonzero(difference)),
            largest=int(difference.max()),
            depth=found.depth,
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            pixels_sha256=pixel_digest(found),
            marks=MarksRecord(provenance="none", source_type="" if declared is None else str(declared)[:200]),
            notes=notes,
        )


def _no_record() -> NoReturn:
    message = "no step shows: the picture is the original, and there is no edit to record, sign or mark"
    raise SessionError(message, code="session-empty", hint="make an edit, or show a step")


def showing(steps: Sequence[PaintedStep], read: ReadArray) -> list[PaintedStep]:
    """The steps without those that are painted back wholly: nothing of the picture follows from them."""
    return [(state, take) for state, take in steps if state.mask is None or take.grows or _shows(state, take, read)]


def _shows(state: StepState, take: Take, read: ReadArray) -> bool:
    return any(weight_of(patch, state, read).any() for patch in take.patches)


def record_of(shown: Composite, steps: Sequence[PaintedStep], digest: Callable[[], str]) -> Record:
    """The record of a picture with these steps, of which there is one at least; `digest` is that of its pixels."""
    state, take = steps[0]
    if len(steps) == 1 and state.untouched and Box(*take.canvas) == shown.canvas:
        return take.record
    records = [_placed(take, shown.canvas) for _, take in steps]
    return _joined(records, shown.picture, [state for state, _ in steps], digest())


def _placed(take: Take, canvas: Box) -> Record:
    """A take's record with its regions in pixels of a picture that lies there; without those beyond that picture."""
    own = Box(*take.canvas)
    if own == canvas:
        return take.record
    x, y = own.left - canvas.left, own.top - canvas.top
    places = [(region, Box(*region.box).shift(x, y).intersect(canvas.size.box)) for region in take.record.regions]
    regions = tuple(
        region.model_copy(update={"box": tuple(box), "frame": tuple(Box(*region.frame).shift(x, y))})
        for region, box in places
        if not box.empty
    )
    return take.record.model_copy(update={"regions": regions})


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
