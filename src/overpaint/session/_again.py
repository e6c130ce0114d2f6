"""Painting what an action of a session has painted once more, to see whether the same comes out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from overpaint.engines import Monitor
from overpaint.errors import OverpaintError, SessionError
from overpaint.picture import Picture
from overpaint.request import EditRequest, ResolvedRequest
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
        again: The take that the session would have of that.
        equal: Whether that is the same paint, in full depth, under the same mask.
        before: The picture with the take as it is in the session.
        requested: What the record's own request resolves to, with the engine and the seed of then where it leaves them
            open; None where it can't be painted.
        unresolved: Why not, in words.
    """

    step: int
    number: int
    take: Take
    edited: Edited
    again: Take
    equal: bool
    before: Picture
    requested: ResolvedRequest | None = None
    unresolved: str = ""


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
    first = len(action.after.step(done.step).takes) - len(done.takes) + 1
    found: PaintedAgain | None = None
    last = ""
    for number, digest in enumerate(done.takes, start=first):
        if found is not None and digest == last:  # of equal takes the same comes out, which is exact by its digest
            found = replace(found, number=number)
            yield found
            continue
        last, take = digest, takes[digest]
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
        requested, unresolved = _requested(studio, take)
        found = PaintedAgain(
            step=done.step,
            number=number,
            take=take,
            edited=edited,
            again=again,
            equal=(again.patches, again.canvas) == (take.patches, take.canvas),
            before=_with(original, steps, (alone, take), contents).picture,
            requested=requested,
            unresolved=unresolved,
        )
        yield found


def _requested(studio: Studio, take: Take) -> tuple[ResolvedRequest | None, str]:
    """What the request of a take resolves to; or why it does not."""
    request, made = take.record.request, take.record.resolved
    try:
        chosen = request.merged(engine=request.engine or made.engine, model=request.model or made.model)
        return studio.resolved(chosen, seed=made.seed or 0), ""
    except OverpaintError as error:
        return None, str(error)


def _with(original: Picture, steps: list[PaintedStep], last: PaintedStep, contents: SessionContents) -> Composite:
    return composite(original, [*steps, last], contents.array)


def _there(session: Session, contents: SessionContents, digest: str) -> Take:
    if digest in session.dropped:
        raise _gone(session, None)
    return contents.take(digest)


def _gone(session: Session, step: int | None) -> SessionError:
    whose = "a step below it" if step is None else f"step {step}"
    return SessionError(f"the paint of {whose} was dropped from {session.path}", code="session-step", value=step)
