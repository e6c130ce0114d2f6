"""Painting a step in three parts, so that a session can be used by others while an engine paints."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from overpaint.engines import Monitor
from overpaint.errors import SessionError
from overpaint.geometry import Box
from overpaint.mask import Mask
from overpaint.picture import Picture
from overpaint.request import EditRequest
from overpaint.studio import Edited, Studio
from overpaint.studio.inputs import EditArguments, split

from ._paint import Composite, Files, PaintedStep, cropped, painted_on, take_of, without_file
from ._store import blob_name
from ._values import Take


@dataclass(frozen=True, slots=True, eq=False)
class PaintedTake:
    """One painting of a step, which no session has yet.

    Attributes:
        edited: The edit.
        sha256: The take's digest.
        files: The take and its arrays, as a session keeps them.
    """

    edited: Edited
    sha256: str
    files: Files


@dataclass(frozen=True, slots=True, eq=False)
class StepPlan:
    """What a step is to be painted on, as it was when the plan was made. It needs no session any more.

    Attributes:
        branch: The branch that the step is for.
        step: The step that is painted again; None for a new one.
        below: The picture below it.
        steps: The steps that show in that.
        request: The step's own request; an empty one for a new step.
        rasters: The rasters that it names, by SHA-256.
        own: The step's take that shows; None for a new step.
        marked: (h, w) uint8, where that was to repaint, over the box of its `marked`, 255 = 1; None where the picture
            below has the size that it had then.
    """

    branch: str
    step: int | None
    below: Composite
    steps: tuple[PaintedStep, ...]
    request: EditRequest = field(default_factory=EditRequest)
    rasters: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    own: Take | None = None
    marked: NDArray[np.uint8] | None = None

    @property
    def picture(self) -> Picture:
        """What is painted on; it has a file only where it is the original."""
        return without_file(self.below.picture) if self.steps else self.below.picture

    def paint(
        self,
        studio: Studio,
        request: EditRequest | None = None,
        *,
        variations: int = 1,
        notes: Sequence[str] = (),
        monitor: Monitor | None = None,
        **given: Unpack[EditArguments],
    ) -> Iterator[PaintedTake]:
        """Paint the step: each take once it is there.

        Args:
            studio: It paints.
            request: For a step that is painted again in place of its own, with which it begins.
            variations, notes, monitor, **given: As for `Session.edit` and `Session.rerun`; errors too.
        """
        if self.own is not None:
            request, given, moved = self._again(request, given)
            notes = (*notes, *moved)
        if variations == 1:
            made = iter([studio.edit(self.picture, request, monitor=monitor, **given)])
        else:
            made = studio.variations(self.picture, request, count=variations, monitor=monitor, **given)
        for painted in made:
            edited = painted if self.own is None else painted.repeating(self.own.record)
            noted = replace(edited, notes=tuple(dict.fromkeys((*notes, *edited.notes)))) if notes else edited
            take, files = take_of(noted, self.below, self.steps)
            data = take.to_bytes()
            digest = hashlib.sha256(data).hexdigest()
            yield PaintedTake(noted, digest, [*files, (blob_name(digest), data)])

    def _again(
        self, request: EditRequest | None, given: EditArguments
    ) -> tuple[EditRequest, EditArguments, tuple[str, ...]]:
        """The request and the rasters of a step that is painted again with these changes, and notes on them."""
        assert self.own is not None
        own = self.request
        request = own if request is None else request
        rasters, settings = split(given)
        new = {name: None for name, value in rasters.items() if name != "inputs" and value is not None}
        request = request.merged(**{**new, **settings})
        if (request.engine, request.model) != (own.engine, own.model) and request.options == own.options:
            request = request.merged(options=None)  # which only the engine before knows
        rasters["inputs"] = {**self.rasters, **(rasters.get("inputs") or {})}
        if self.marked is None:
            return request, rasters, ()
        return self._moved(request, rasters, self.own, self.marked)

    def _moved(
        self, request: EditRequest, rasters: EditArguments, own: Take, marked: NDArray[np.uint8]
    ) -> tuple[EditRequest, EditArguments, tuple[str, ...]]:
        """The request for a picture of another size than its own take was painted on: its mask keeps its place in
        the original.

        Raises:
            SessionError: The mask lies beyond the picture as it is now, or something else is of the other size.
        """
        was, now = painted_on(own), self.below.canvas
        for name in ("avoid", "sketch", "controls", "regional_prompts"):
            given = getattr(request, name)
            made_anew = name == "controls" and all(one.image is None or one.shows_itself for one in given or ())
            if given is not None and given == getattr(self.request, name) and not made_anew:
                raise self._of_other_size(f"its {name} would have to be of that size too", f"set {name} anew")
        spec = request.mask
        if spec is None or spec != self.request.mask or all(part.kind in ("alpha", "full") for part in spec.parts):
            return request, rasters, ()
        values = cropped(marked, Box(*own.marked.box), now)
        if not values.any():
            raise self._of_other_size("its mask lies beyond it", "set mask anew")
        rasters["mask"] = Mask(values.astype(np.float32) / np.float32(255))
        note = f"the mask keeps its place in the picture, which has {now.size} now and had {was.size}"
        return request.merged(mask=None), rasters, (note,)

    def _of_other_size(self, why: str, hint: str) -> SessionError:
        assert self.own is not None
        was, now = painted_on(self.own).size, self.below.canvas.size
        return SessionError(
            f"step {self.step} was painted on a picture of {was}, what is below it now is {now}, and {why}",
            code="session-size",
            value=self.step,
            hint=f"show the steps that made it larger, or {hint}",
        )
