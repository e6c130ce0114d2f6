"""The state of a session as it follows from its actions; no pixels are touched here.

Every action that changes the picture makes a state, whose parent is the state before. A branch is a place among the
states: undo moves it to the parent, redo forward again, and nothing is ever lost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType

from overpaint.errors import SessionError
from overpaint.values import digest_of

from ._values import (
    Action,
    AddStep,
    AddTakes,
    DropPaint,
    LostAction,
    MoveStep,
    NewBranch,
    PickTake,
    PutAside,
    Redo,
    SetMask,
    SetOpacity,
    ShowStep,
    StoredMask,
    SwitchBranch,
    Undo,
)

FIRST_BRANCH = "main"
MOST_TAKES = 10_000


@dataclass(frozen=True, slots=True)
class StepState:
    """One step, as it is in one state.

    Attributes:
        number: Its number, which it keeps.
        takes: Its takes, by digest.
        picked: The take that shows, from 1.
        visible: Whether it shows.
        opacity: 0 to 1.
        mask: Where it shows; None: everywhere.
        aside: The takes that are put aside, from 1.
    """

    number: int
    takes: tuple[str, ...]
    picked: int = 1
    visible: bool = True
    opacity: float = 1.0
    mask: StoredMask | None = None
    aside: tuple[int, ...] = ()

    @property
    def take(self) -> str:
        """The digest of the take that shows."""
        return self.takes[self.picked - 1]

    @property
    def untouched(self) -> bool:
        """Whether it shows as it was painted."""
        return self.opacity == 1 and self.mask is None

    @property
    def paint(self) -> str:
        """A digest of all that its look follows from."""
        return _paint_of(self.take, self.opacity, self.mask)


@lru_cache(4096)
def _paint_of(take: str, opacity: float, mask: StoredMask | None) -> str:
    return digest_of([take, opacity, None if mask is None else mask.to_mapping()])


@dataclass(frozen=True, slots=True)
class SessionState:
    """The steps after an action, from below to above.

    Attributes:
        number: From 0, the original without steps.
        parent: The number of the state before.
        action: What made it of that one.
        stack: Its steps.
    """

    number: int = 0
    parent: int | None = None
    action: Action | None = None
    stack: tuple[StepState, ...] = ()

    @property
    def visible(self) -> tuple[StepState, ...]:
        """The steps that show."""
        return tuple(step for step in self.stack if step.visible and step.opacity > 0)

    def place(self, number: int) -> int:
        """The place of a step in the stack, from 0. Raises SessionError where it has none of this number."""
        for place, step in enumerate(self.stack):
            if step.number == number:
                return place
        known = ", ".join(str(step.number) for step in sorted(self.stack, key=lambda step: step.number)) or "none yet"
        message = f"there is no step {number} here; the steps are {known}"
        raise SessionError(message, code="session-step", field="step", value=number)

    def step(self, number: int) -> StepState:
        """The step of this number. Raises SessionError where there is none."""
        return self.stack[self.place(number)]


@dataclass(frozen=True, slots=True)
class Branch:
    """A place among the states: the number of one, and of those that were undone from there, the last one last."""

    at: int = 0
    undone: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class HistoryPlan:
    """What an action would make of a history."""

    branches: Mapping[str, Branch]
    current: str
    state: SessionState | None = None
    dropped: frozenset[str] = frozenset()
    roots: frozenset[int] = frozenset()


@dataclass(slots=True)
class History:
    """All states, and where each branch is.

    Attributes:
        states: By number.
        branches: By name.
        current: The name of the branch that goes on.
        last_step: The highest number that a step has had.
        dropped: The takes whose paint is gone.
        roots: The states before which nothing can be undone, beside the first.
    """

    states: list[SessionState] = field(default_factory=lambda: [SessionState()])
    branches: Mapping[str, Branch] = field(default_factory=lambda: MappingProxyType({FIRST_BRANCH: Branch()}))
    current: str = FIRST_BRANCH
    last_step: int = 0
    dropped: frozenset[str] = frozenset()
    roots: frozenset[int] = frozenset()

    @property
    def branch(self) -> Branch:
        """The present branch."""
        return self.branches[self.current]

    @property
    def state(self) -> SessionState:
        """The present state."""
        return self.states[self.branch.at]

    @property
    def parent(self) -> int | None:
        """The state that an undo leads to; None where there is none."""
        return self.parent_of(self.branch.at)

    def parent_of(self, number: int) -> int | None:
        """The state that an undo in this one leads to; None where there is none."""
        return None if number in self.roots else self.states[number].parent

    def reachable(self) -> list[SessionState]:
        """The states that undo, redo and going to another branch lead to, the present one too."""
        found: dict[int, SessionState] = {}
        for branch in self.branches.values():
            for number in (branch.at, *branch.undone):
                at: int | None = number
                while at is not None and at not in found:
                    found[at] = self.states[at]
                    at = None if at in self.roots else found[at].parent
        return list(found.values())

    def plan(self, action: Action) -> HistoryPlan:
        """What the action makes of this history, which stays as it is.

        Raises:
            SessionError: It can't be done here: there is no such step, take or branch, or nothing to undo.
        """
        at, undone = self.branch.at, self.branch.undone
        match action:
            case Undo():
                parent = self.parent
                if parent is None:
                    why = "this is the original" if self.state.parent is None else "what was before was dropped"
                    raise SessionError(f"there is nothing to undo: {why}", code="session-undo")
                return self._moved(Branch(parent, (*undone, at)))
            case Redo():
                if not undone:
                    raise SessionError("there is nothing to redo: nothing was undone since", code="session-undo")
                return self._moved(Branch(undone[-1], undone[:-1]))
            case NewBranch():
                if action.name in self.branches:
                    raise SessionError(
                        f"there is a branch {action.name!r} already",
                        code="session-branch",
                        field="branch",
                        value=action.name,
                    )
                return HistoryPlan({**self.branches, action.name: Branch(at)}, action.name)
            case SwitchBranch():
                if action.name not in self.branches:
                    raise SessionError(
                        f"there is no branch {action.name!r}; the branches are {', '.join(self.branches)}",
                        code="session-branch",
                        field="branch",
                        value=action.name,
                    )
                return HistoryPlan(self.branches, action.name)
            case DropPaint():
                return self._compacted(action)
        state = SessionState(len(self.states), at, action, self._stack(action))
        return replace(self._moved(Branch(state.number)), state=state)

    def take(self, plan: HistoryPlan) -> None:
        """Go on as planned; the plan was made from this history."""
        if plan.state is not None:
            self.states.append(plan.state)
            if isinstance(plan.state.action, AddStep):
                self.last_step = plan.state.action.step
            elif isinstance(plan.state.action, LostAction):
                self.last_step = plan.state.action.last_step or self.last_step
        self.dropped, self.roots = self.dropped | plan.dropped, self.roots | plan.roots
        self.branches, self.current = MappingProxyType(dict(plan.branches)), plan.current

    def _moved(self, branch: Branch) -> HistoryPlan:
        return HistoryPlan({**self.branches, self.current: branch}, self.current)

    def _compacted(self, action: DropPaint) -> HistoryPlan:
        """Fewer branches, shorter ways to undo, and paint that is gone: never of a step that a state left shows."""
        for name in action.branches:
            if name not in self.branches or name == self.current:
                known = "the present branch can't be dropped" if name == self.current else "there is none"
                raise SessionError(f"{known}: {name!r}", code="session-branch", field="branch", value=name)
        branches = {name: one for name, one in self.branches.items() if name not in action.branches}
        roots: frozenset[int] = frozenset()
        if action.undo:
            branches = {name: Branch(one.at) for name, one in branches.items()}
            roots = frozenset(one.at for one in branches.values())
        left = replace(self, branches=branches, roots=self.roots | roots)
        shown = {step.take for state in left.reachable() for step in state.stack}
        if not shown.isdisjoint(action.takes):
            raise SessionError("paint that a step shows can't be dropped", code="session-step")
        return HistoryPlan(branches, self.current, dropped=frozenset(action.takes), roots=roots)

    def _stack(self, action: Action) -> tuple[StepState, ...]:
        """The present stack after an action on a step."""
        match action:
            case AddStep():
                if action.step != self.last_step + 1:
                    raise SessionError(f"the next step is {self.last_step + 1}, not {action.step}")
                return (*self.state.stack, StepState(action.step, action.takes))
            case MoveStep():
                return self._reordered(action)
            case LostAction():
                if action.last_step is not None and action.last_step <= self.last_step:
                    raise SessionError(f"step {action.last_step} can't be lost: there is one of this number")
                return self.state.stack
            case AddTakes():
                step = self.state.step(action.step)
                if len(step.takes) + len(action.takes) > MOST_TAKES:
                    raise SessionError(f"a step has at most {MOST_TAKES:,} takes", code="session-step", field="step")
                return self._changed(
                    action.step,
                    lambda one: replace(one, takes=(*one.takes, *action.takes), picked=len(one.takes) + 1),
                )
            case PickTake():
                takes = self.state.step(action.step).takes
                if action.take > len(takes):
                    message = f"step {action.step} has no take {action.take}: it has {len(takes)}"
                    raise SessionError(message, code="session-step", field="take", value=action.take)
                if takes[action.take - 1] in self.dropped:
                    message = f"the paint of take {action.take} of step {action.step} was dropped"
                    raise SessionError(message, code="session-step", field="take", value=action.take)
                return self._changed(action.step, lambda one: replace(one, picked=action.take))
            case PutAside():
                takes = self.state.step(action.step).takes
                for take in action.takes:
                    if take > len(takes):
                        message = f"step {action.step} has no take {take}: it has {len(takes)}"
                        raise SessionError(message, code="session-step", field="takes", value=take)
                aside = tuple(sorted(set(action.takes)))
                return self._changed(action.step, lambda one: replace(one, aside=aside))
            case ShowStep():
                return self._changed(action.step, lambda one: replace(one, visible=action.visible))
            case SetOpacity():
                return self._changed(action.step, lambda one: replace(one, opacity=action.opacity))
            case SetMask():
                return self._changed(action.step, lambda one: replace(one, mask=action.mask))
        raise AssertionError(action)

    def _changed(self, number: int, change: Callable[[StepState], StepState]) -> tuple[StepState, ...]:
        stack = list(self.state.stack)
        place = self.state.place(number)
        stack[place] = change(stack[place])
        return tuple(stack)

    def _reordered(self, action: MoveStep) -> tuple[StepState, ...]:
        stack = list(self.state.stack)
        step = stack.pop(self.state.place(action.step))
        if action.to > len(stack) + 1:
            message = f"there is no place {action.to} in a stack of {len(stack) + 1}"
            raise SessionError(message, code="session-step", field="to", value=action.to)
        stack.insert(action.to - 1, step)
        return tuple(stack)
