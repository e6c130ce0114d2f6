"""What a session is now, and what was done to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from overpaint.errors import SessionError
from overpaint.geometry import Box, Size
from overpaint.layers import LayeredPicture
from overpaint.picture import Picture
from overpaint.record import Marking
from overpaint.request import EditRequest
from overpaint.studio import FinishedPicture
from overpaint.studio.written import RecordMode
from overpaint.values import digest_of

from ._compact import blobs_kept
from ._contents import OpenOriginal, SessionContents, opened
from ._export import finished
from ._history import SessionState, StepState
from ._journal import SessionAction, entry_text, read_journal
from ._layers import StepTakes, layered
from ._origins import SeenTakes
from ._paint import Composite, PaintedStep, composite, grown_by, shown
from ._paint_layer import PaintLayer, layer_of
from ._sizes import check_sizes
from ._steps import SessionEvent, Step, events_of, steps_of
from ._store import HEAD, Store
from ._values import Action, SessionHead, Take


class SessionView:
    """What a session is now, read from its files. One full picture is kept in memory, the present one."""

    def __init__(self, store: Store, path: Path, opener: OpenOriginal = opened) -> None:
        """Use `Session.open`."""
        self.path = path
        """As it was given."""
        self.place = path.absolute()
        """Where that is, also when the process has another working folder since."""
        self._store = store
        data = store.read(HEAD, 1 << 16)
        self.head = SessionHead.from_json(data)
        self.id = hashlib.sha256(data).hexdigest()
        self._actions, self._history = read_journal(store, self.id)
        self._contents = SessionContents(store, opener)
        self._contents.seen = SeenTakes(lambda: self._history.states, lambda: self._history.dropped)
        check_sizes(self.head.original, self._actions, self._history.dropped, self._contents)
        self._cached: tuple[tuple[str, ...], Composite] | None = None
        self._at_opening = self._history.state

    @property
    def torn(self) -> bool:
        """Whether the file's end was missing when it was opened: the last actions may be lost, by a process that was
        killed or a copy that was cut off. What was whole is there.
        """
        return self._store.torn

    @property
    def picture(self) -> Picture:
        """The picture with all steps that show. Its metadata and source are the original's."""
        return self._now().picture

    @property
    def size(self) -> Size:
        """The size of the present picture, which is not put together for it."""
        return self.canvas.size

    @property
    def original(self) -> Picture:
        """The original as its file has it. It is decoded each time."""
        name = self.head.original.name
        return self._contents.original(self.head.original, self.path.with_name(name) if name else None)

    @property
    def original_file(self) -> bytes:
        """The original's file, byte by byte."""
        return self._contents.original_file(self.head.original)

    @property
    def canvas(self) -> Box:
        """The present picture's box in pixels of the original; nothing is composited for it."""
        found = self.head.original.box
        for _, take in self._painted(self._state.visible):
            found = grown_by(found, take)
        return found

    @property
    def look(self) -> str:
        """A digest of all that the present picture follows from; nothing is composited for it."""
        return self._look_of(self._state.visible)

    def look_below(self, step: int) -> str:
        """The same of the picture below a step. Raises SessionError where there is no such step."""
        return self._look_of(self._under(step))

    @property
    def bytes_in_memory(self) -> int:
        """Bytes of the pixels that it keeps in memory."""
        if self._cached is None:
            return 0
        picture = self._cached[1].picture
        return picture.samples.nbytes + (0 if picture.alpha is None else picture.alpha.nbytes)

    def forget(self) -> None:
        """Keep nothing in memory that can be read again."""
        self._cached = None
        self._contents.forget()

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps, from below to above."""
        return steps_of(self._painted(self._state.stack), self.head.original.box)

    @property
    def newly_stale(self) -> tuple[int, ...]:
        """The numbers of the steps that show and became stale since the session was opened, from below to above."""
        before = [state for state in self._at_opening.stack if state.take not in self.dropped]
        known = {
            one.number for one in steps_of(self._painted(before), self.head.original.box) if one.stale and one.visible
        }
        return tuple(one.number for one in self.steps if one.visible and one.stale and one.number not in known)

    @property
    def branch(self) -> str:
        """The name of the present branch."""
        return self._history.current

    @property
    def branches(self) -> tuple[str, ...]:
        """The names of all branches."""
        return tuple(self._history.branches)

    @property
    def can_undo(self) -> bool:
        """Whether there is anything to undo."""
        return self._history.parent is not None

    @property
    def can_redo(self) -> bool:
        """Whether there is anything to redo."""
        return bool(self._history.branch.undone)

    @property
    def undo_count(self) -> int:
        """How many actions can be undone."""
        count, at = 0, self._history.parent
        while at is not None:
            count, at = count + 1, self._history.parent_of(at)
        return count

    @property
    def redo_count(self) -> int:
        """How many actions can be done again."""
        return len(self._history.branch.undone)

    @property
    def undo_action(self) -> Action | None:
        """What an undo would take back; None for nothing."""
        return self._state.action if self.can_undo else None

    @property
    def redo_action(self) -> Action | None:
        """What a redo would do again; None for nothing."""
        undone = self._history.branch.undone
        return self._history.states[undone[-1]].action if undone else None

    @property
    def undo_text(self) -> str:
        """What an undo would take back, in words; "" for nothing."""
        return "" if self.undo_action is None else entry_text(self.undo_action)

    @property
    def redo_text(self) -> str:
        """What a redo would do again, in words; "" for nothing."""
        return "" if self.redo_action is None else entry_text(self.redo_action)

    def log(self) -> tuple[SessionEvent, ...]:
        """Everything that was done, in its order, also what was undone since."""
        return events_of(self._actions, self._history, self._contents.take)

    @property
    def actions(self) -> tuple[SessionAction, ...]:
        """All actions in their order, with the states before and after each."""
        return tuple(self._actions)

    @property
    def dropped(self) -> frozenset[str]:
        """The digests of the takes whose paint was dropped."""
        return self._history.dropped

    def takes(self, action: SessionAction) -> tuple[tuple[str, Take | None], ...]:
        """The digests and the takes that an action painted; None for one that was dropped."""
        gone = self._history.dropped
        return tuple((one, None if one in gone else self._contents.take(one)) for one in action.takes)

    def picture_at(self, state: SessionState) -> Picture:
        """The picture in a state of an action. Raises SessionError where paint that showed then was dropped."""
        if state.number == self._state.number:
            return self.picture
        self._check_there(state)
        return self._below(self._painted(state.visible)).picture

    def check(self, *, rasters: bool = False) -> None:
        """Read every file that the session has by its journal, those too of what was undone and that nothing leads to.

        Args:
            rasters: Whether the rasters that requests name must be there as well. A repaired session may lack some; its
                picture does not follow from them.

        Raises:
            SessionError: For the first that is missing or damaged.
        """
        actions = [one.action for one in self._actions]
        for name in sorted(blobs_kept(actions, self._contents, self.head.original.sha256, rasters=rasters)):
            self._contents.check(name)

    def request(self, step: int) -> EditRequest:
        """The request of a step's take that shows, with the seed that was drawn. Its rasters may be here alone."""
        record = self._contents.take(self._state.step(step).take).record
        drawn = record.resolved.seed if record.request.seed in (None, -1) else record.request.seed
        return record.request.model_copy(update={"image": None, "seed": drawn})

    def below(self, step: int) -> Picture:
        """The picture that a step would be painted on again: that of the steps below it that show."""
        return self._below(self._painted(self._under(step))).picture

    def shown(self, step: int) -> NDArray[np.uint8]:
        """(H, W) uint8 over the present picture: where a step shows, 255 = shown. SessionError where there is none."""
        state = self._state.step(step)
        canvas = self.canvas
        if state.mask is None:
            return np.full(canvas.size.shape, 255, np.uint8)
        return shown(state.mask, canvas, self._contents.array)

    def paint(self, step: int, take: int | None = None) -> PaintLayer:
        """What a step has painted, with transparency where it painted nothing; its own mask and opacity don't count.

        Args:
            step: The step's number.
            take: One of its takes; left out, the one that shows.

        Raises:
            SessionError: There is no such step or take, or its paint was dropped.
        """
        state = self._with_take(step, take)
        return layer_of(self._contents.take(state.take), self.original, self._contents.array)

    def take(self, step: int, take: int | None = None) -> str:
        """The digest of the take of a step that shows, or of one of its others. Errors as for `paint`."""
        return self._with_take(step, take).take

    def look_with(self, step: int, take: int | None = None) -> str:
        """As `look`, if a step showed, with one of its takes. Errors as for `paint`."""
        return self._look_of(self._visible_with(step, take))

    def picture_with(self, step: int, take: int | None = None) -> Picture:
        """The present picture if a step showed, with one of its takes. Errors as for `paint`."""
        return self._below(self._painted(self._visible_with(step, take))).picture

    def _visible_with(self, step: int, take: int | None) -> tuple[StepState, ...]:
        """The steps that would show."""
        state = self._with_take(step, take)
        place = self._state.place(step)
        stack = (*self._state.stack[:place], state, *self._state.stack[place + 1 :])
        return SessionState(stack=stack).visible

    def _with_take(self, step: int, take: int | None) -> StepState:
        """A step that shows, with one of its takes."""
        state = self._state.step(step)
        picked = state.picked if take is None else take
        if not 1 <= picked <= len(state.takes) or state.takes[picked - 1] in self.dropped:
            message = f"step {step} has no take {take}: it has {len(state.takes)}"
            raise SessionError(message, code="session-step", field="take", value=take)
        return replace(state, picked=picked, visible=True)

    def step(self, number: int) -> Step:
        """The step of this number. Raises SessionError where there is none."""
        self._state.place(number)
        return next(step for step in self.steps if step.number == number)

    def flatten(self, state: SessionState | None = None) -> FinishedPicture:
        """The present picture, ready to be written as a file with the record of its edits.

        Args:
            state: Another state than the present one, as `actions` has them.

        Raises:
            SessionError: No step shows, or paint that showed then was dropped.
        """
        if state is None or state.number == self._state.number:
            now, steps = self._now(), self._painted(self._state.visible)
        else:
            self._check_there(state)
            steps = self._painted(state.visible)
            now = self._below(steps)
        return finished(self.original, now, steps, self._contents.array)

    def layered(
        self,
        *,
        record: RecordMode = "embed",
        marking: Marking = Marking(),  # noqa: B008 - it is frozen
    ) -> LayeredPicture:
        """The original and each step above it as a layer, ready to be written as a layered file.

        Hidden steps are hidden layers. The takes of a step are a group, in which the one that is picked shows.

        Args:
            record: "embed" has how it was made in the file, and prompts in the layers' names; the others do not.
            marking: What the file says of its origin. It is not signed, and its layers have no watermark.
        """
        stack = [StepTakes(one, self._contents.takes(one.takes, self.dropped)) for one in self._state.stack]
        return layered(self.original, self._now(), stack, self._contents.array, record=record, marking=marking)

    @property
    def _state(self) -> SessionState:
        return self._history.state

    def _check_there(self, state: SessionState) -> None:
        if not self.dropped.isdisjoint(step.take for step in state.visible):
            raise SessionError("paint that showed then was dropped", code="session-step")

    def _under(self, step: int) -> tuple[StepState, ...]:
        """The steps below one that show."""
        place = self._state.place(step)
        return SessionState(stack=self._state.stack[:place]).visible

    def _painted(self, states: Iterable[StepState]) -> list[PaintedStep]:
        return [(state, self._contents.take(state.take)) for state in states]

    def _look_of(self, states: Iterable[StepState]) -> str:
        return digest_of([self.head.original.sha256, *(state.paint for state in states)])

    def _key(self) -> tuple[str, ...]:
        return tuple(state.paint for state in self._state.visible)

    def _now(self) -> Composite:
        """The present picture, from memory where it is there."""
        key = self._key()
        if self._cached is None or self._cached[0] != key:
            self._cached = None  # one picture at a time
            self._cached = (key, self._below(self._painted(self._state.visible)))
        return self._cached[1]

    def _below(self, steps: Sequence[PaintedStep]) -> Composite:
        return composite(self.original, steps, self._contents.array)
