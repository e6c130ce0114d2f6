"""What a session tells of its steps and of what was done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from overpaint.geometry import Box

from ._history import History
from ._journal import SessionAction
from ._paint import LowerStep, PaintedStep, grown_by, painted_on, seen
from ._values import DropPaint, NewBranch, Redo, SwitchBranch, Take, Undo


@dataclass(frozen=True, slots=True)
class Step:
    """One edit of a session as it is now.

    Attributes:
        number: Its number, which it keeps.
        place: Its place in the stack, 1 being the lowest.
        intent: What it was for.
        engine: The engine, or the model, that painted it.
        prompt: The prompt; "" for none.
        seed: The seed of the take that shows; None where its engine uses none.
        take: The take that shows, from 1.
        takes: How many there are.
        aside: The takes that were put aside, from 1.
        visible: Whether it shows.
        opacity: 0 to 1.
        masked: Whether a mask hides a part of it.
        stale: Whether what its engine saw of the steps below is no longer so.
        box: What it may change, in pixels of the original.
        doubt: Why it is doubtful; "" where nothing was found.
        notes: For people.
    """

    number: int
    place: int
    intent: str
    engine: str
    prompt: str
    seed: int | None
    take: int
    takes: int
    aside: tuple[int, ...]
    visible: bool
    opacity: float
    masked: bool
    stale: bool
    box: Box
    doubt: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """One line of a session's log.

    Attributes:
        number: From 1.
        time: When, in UTC (ISO 8601).
        branch: The branch that it was done on.
        text: What was done.
        holds: Whether the present picture follows from it: false for what was undone, or is on another branch.
        elsewhere: The other branches whose picture follows from it; none for what leads to no other branch.
        dropped: Whether the branch that it was done on was dropped since.
    """

    number: int
    time: str
    branch: str
    text: str
    holds: bool
    elsewhere: tuple[str, ...] = ()
    dropped: bool = False

    @property
    def fate(self) -> str:
        """What became of it, in words; "" where the present picture follows from it."""
        if self.holds:
            return ""
        if self.elsewhere:
            several = "branch" if len(self.elsewhere) == 1 else "branches"
            return f"in {several} {', '.join(self.elsewhere)}"
        return f"in branch {self.branch}, which was dropped" if self.dropped else "undone"


def steps_of(stack: Iterable[PaintedStep], original: Box) -> tuple[Step, ...]:
    """The steps of a stack, from below to above.

    Args:
        stack: All of them, with the takes that show.
        original: The box of the picture that the session begins with.
    """
    below: list[LowerStep] = []
    canvas = original  # that of the steps below
    found = []
    for place, (state, take) in enumerate(stack, start=1):
        record = take.record
        found.append(
            Step(
                number=state.number,
                place=place,
                intent=record.resolved.intent,
                engine=record.resolved.model or record.resolved.engine,
                prompt=record.resolved.prompt or record.request.prompt or "",
                seed=record.resolved.seed,
                take=state.picked,
                takes=len(state.takes),
                aside=state.aside,
                visible=state.visible,
                opacity=state.opacity,
                masked=state.mask is not None,
                stale=_is_stale(take, below, canvas),
                box=take.box,
                doubt=record.doubt,
                notes=record.notes,
            )
        )
        if state.visible and state.opacity > 0:
            below.append(LowerStep.of((state, take)))
            canvas = grown_by(canvas, take)
    return tuple(found)


def _is_stale(take: Take, below: Sequence[LowerStep], canvas: Box) -> bool:
    """Whether the engine would see other steps below now, or a canvas of another size."""
    frames = [Box(*region.frame) for region in take.record.regions]
    return canvas != painted_on(take) or seen(take.record.request, frames, Box(*take.canvas), below) != take.saw


def events_of(
    actions: Iterable[SessionAction], history: History, take_of: Callable[[str], Take]
) -> tuple[SessionEvent, ...]:
    """The log of a session.

    Args:
        actions: All of them.
        history: What they have made.
        take_of: The take of a digest.
    """
    leading = {name: set(_leading_to(branch.at, history)) for name, branch in history.branches.items()}
    holding = leading.pop(history.current)
    events = []
    for done in actions:
        moves = isinstance(done.action, Undo | Redo | NewBranch | SwitchBranch | DropPaint)
        text = done.text
        if done.takes:
            kept = next((one for one in done.takes if one not in history.dropped), None)
            text += ": dropped" if kept is None else f": {_painted(take_of(kept))}"
        holds = moves or id(done.action) in holding
        elsewhere = () if moves else tuple(name for name, known in leading.items() if id(done.action) in known)
        dropped = done.branch not in history.branches
        events.append(SessionEvent(done.number, done.time, done.branch, text, holds, elsewhere, dropped))
    return tuple(events)


def _leading_to(number: int, history: History) -> Iterator[int]:
    """The identities of the actions that a state follows from."""
    at: int | None = number
    while at is not None:
        state = history.states[at]
        yield id(state.action)
        at = state.parent


def _painted(take: Take) -> str:
    resolved = take.record.resolved
    return f"{resolved.intent} with {resolved.model or resolved.engine}"
