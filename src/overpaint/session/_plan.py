"""Painting a step in three parts, so that a session can be used by others while an engine paints."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Unpack

from numpy.typing import NDArray

from overpaint.engines import Monitor
from overpaint.errors import SessionError
from overpaint.picture import Picture
from overpaint.request import EditRequest
from overpaint.studio import Edited, Studio
from overpaint.studio.inputs import EditArguments, split

from ._paint import Composite, Files, PaintedStep, painted_on, take_of, without_file
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
    """

    branch: str
    step: int | None
    below: Composite
    steps: tuple[PaintedStep, ...]
    request: EditRequest = field(default_factory=EditRequest)
    rasters: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    own: Take | None = None

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
            request, given = self._again(request, given)
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

    def _again(self, request: EditRequest | None, given: EditArguments) -> tuple[EditRequest, EditArguments]:
        """The request and the rasters of a step that is painted again with these changes."""
        assert self.own is not None
        own = self.request
        request = own if request is None else request
        rasters, settings = split(given)
        new = {name: None for name, value in rasters.items() if name != "inputs" and value is not None}
        request = request.merged(**{**new, **settings})
        if (request.engine, request.model) != (own.engine, own.model) and request.options == own.options:
            request = request.merged(options=None)  # which only the engine before knows
        same = request.mask is not None and request.mask == own.mask
        if same and self.below.canvas != painted_on(self.own):
            was, now = painted_on(self.own).size, self.below.canvas.size
            raise SessionError(
                f"step {self.step} was painted on a picture of {was}, and what is below it now is {now}",
                code="session-size",
                value=self.step,
                hint="show the steps that made it larger, or set mask anew",
            )
        rasters["inputs"] = {**self.rasters, **(rasters.get("inputs") or {})}
        return request, rasters
