"""Painting what an action of a session has painted once more, to see whether the same comes out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from overpaint.engines import Monitor
from overpaint.errors import SessionError
from overpaint.picture import Picture
from overpaint.request import EditRequest
from overpaint.studio import Edited, Studio

from ._contents import SessionContents
from ._history import SessionState, StepState
from ._journal import SessionAction
from ._paint import Composite, PaintedStep, composite, take_of, without_file
from ._values import AddStep, AddTakes, Take

if TYPE_CHECKING:
    from ._session import Session


@dataclass(frozen=True, slots=True, eq=False)
class PaintedAgain:
    """A take that was painted once more.

    Attributes:
        step, number: Its step, and its number among the takes of that.
        take: It as it is in the session.
        edited: What came out now.
        equal: Whether that is the same paint, in full depth, under the same mask.
        before: The picture with the take as it is in the session.
    """

    step: int
    number: int
    take: Take
    edited: Edited
    equal: bool
    before: Picture


def painted_again(
    session: Session, contents: SessionContents, studio: Studio, action: SessionAction, monitor: Monitor | None
) -> Iterator[PaintedAgain]:
    """See `Session.paint_again`."""
    done = action.action
    if not isinstance(done, AddStep | AddTakes):
        return
    under = action.before.visible
    if isinstance(done, AddTakes):
        under = SessionState(stack=action.before.stack[: action.before.place(done.step)]).visible
    takes = dict(session.takes(action))
    original = session.original
    steps = [(state, _there(session, contents, state.take)) for state in under]
    below = composite(original, steps, contents.array)
    every = action.after.step(done.step).takes
    for digest in done.takes:
        take = takes[digest]
        if take is None:
            raise _gone(session, done.step)
        request = EditRequest.of(**take.record.resolved.settings())
        picture = without_file(below.picture) if steps else below.picture
        rasters = contents.rasters(request)
        edited = studio.edit(picture, request.merged(image=None), inputs=rasters, monitor=monitor).repeating(
            take.record
        )
        again, _ = take_of(edited, below, steps)
        alone = StepState(done.step, (digest,))
        yield PaintedAgain(
            step=done.step,
            number=every.index(digest) + 1,
            take=take,
            edited=edited,
            equal=(again.patches, again.canvas) == (take.patches, take.canvas),
            before=_with(original, steps, (alone, take), contents).picture,
        )


def _with(original: Picture, steps: list[PaintedStep], last: PaintedStep, contents: SessionContents) -> Composite:
    return composite(original, [*steps, last], contents.array)


def _there(session: Session, contents: SessionContents, digest: str) -> Take:
    if digest in session.dropped:
        raise _gone(session, None)
    return contents.take(digest)


def _gone(session: Session, step: int | None) -> SessionError:
    whose = "a step below it" if step is None else f"step {step}"
    return SessionError(f"the paint of {whose} was dropped from {session.path}", code="session-step", value=step)
