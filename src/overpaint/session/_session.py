"""A session: an original and its ordered edits, which can be taken apart again."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self, Unpack

from overpaint.engines import Monitor
from overpaint.errors import MaskError, OverpaintError, RequestError, SessionError
from overpaint.geometry import Box
from overpaint.request import EditRequest
from overpaint.studio import Edited, Studio
from overpaint.studio.inputs import EditArguments, MaskLike, as_mask
from overpaint.studio.inserts import Pictured

from ._again import PaintedAgain, painted_again
from ._compact import Compacted, blobs_left, masks_of, what_to_drop
from ._contents import OpenOriginal, begun_from, opened, original_of
from ._journal import JOURNAL_LIMIT, SessionAction
from ._paint import Composite, masked, painted_on
from ._plan import PaintedTake, StepPlan
from ._recorder import ActionRecorder
from ._steps import Step
from ._store import HEAD, Store, blob_name, create_store, journal_name, open_store
from ._values import (
    Action,
    AddStep,
    AddTakes,
    DropPaint,
    JournalEntry,
    MoveStep,
    NewBranch,
    PickTake,
    PutAside,
    Redo,
    SessionHead,
    SetMask,
    SetOpacity,
    ShowStep,
    StoredArray,
    StoredMask,
    SwitchBranch,
    Undo,
)
from ._view import SessionView


class Session(SessionView):
    """An original and its ordered edits, in one file or folder, which is locked until the session is closed.

    Every change is on the disk when its method returns. One full picture is kept in memory, the present one; the paint
    of the steps is read when it is needed. As a context manager it closes itself. Not for several threads at once.
    """

    def __init__(
        self,
        store: Store,
        path: Path,
        studio: Studio | None = None,
        recorder: ActionRecorder | None = None,
        opener: OpenOriginal = opened,
    ) -> None:
        """Use `Session.create` or `Session.open`."""
        super().__init__(store, path, opener)
        self.recorder = recorder
        self.begun_from: Path | None = None
        """The file that it was made of just now; None where it was opened, or has not come from a file."""
        self._studio, self._own_studio = studio, studio is None

    @classmethod
    def create(
        cls,
        picture: Pictured,
        path: str | os.PathLike[str],
        *,
        folder: bool = False,
        studio: Studio | None = None,
        recorder: ActionRecorder | None = None,
    ) -> Session:
        """A new session of a picture, whose file is kept in it as it is.

        Args:
            picture: A picture, an array, a PIL image, or a file: its path, its bytes or open. Pixels that are no file
                are kept as a PNG or TIFF.
            path: The session's file, or its folder; it must not exist.
            folder: Whether it is a folder, which has the same files as the one file has within.
            studio: It paints. Left out, the session has one of its own.
            recorder: Keeps evidence of every action, as `overpaint.audit.SessionAudit`.

        Raises:
            PictureError: The picture can't be read.
            OutputError: The path exists, or can't be written.
        """
        original, data = original_of(picture)
        head = SessionHead(created=datetime.now(UTC).isoformat(timespec="microseconds"), original=original)
        target = Path(path)
        create_store(target, [(HEAD, head.to_bytes()), (blob_name(original.sha256), data)], folder=folder)
        made = cls.open(target, studio=studio)
        made.recorder, made.begun_from = recorder, begun_from(picture)
        try:
            made._record(late=False)
        except BaseException:
            made.close()
            raise
        return made

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        read_only: bool = False,
        studio: Studio | None = None,
        recorder: ActionRecorder | None = None,
        opener: OpenOriginal = opened,
    ) -> Session:
        """A session that exists.

        Args:
            path: Its file or folder.
            read_only: Whether nothing is to be changed; then it need not be writeable.
            studio: It paints. Left out, the session has one of its own.
            recorder: Keeps evidence of every action. Those that it does not have yet are recorded at once, as done
                earlier.
            opener: Decodes the original, each time that it is needed.

        Raises:
            SessionError: It is none, is damaged, has a newer schema, or another process has it open.
        """
        found = Path(path)
        store = open_store(found, read_only=read_only)
        try:
            session = cls(store, found, studio, recorder, opener)
        except BaseException as error:
            store.close()
            if isinstance(error, SessionError):
                raise error.within(str(found)) from None
            if isinstance(error, OverpaintError):
                raise SessionError(f"{found}: {error}", value=str(found)) from None
            raise
        try:
            session._record(late=True)
        except BaseException:
            session.close()
            raise
        return session

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the lock, and close the session's own studio."""
        self._store.close()
        if self._own_studio and self._studio is not None:
            self._studio.close()
            self._studio = None

    def paint_again(self, action: SessionAction, *, monitor: Monitor | None = None) -> Iterator[PaintedAgain]:
        """Paint what an action has painted once more, on what was below it then. The session stays as it is.

        Raises:
            SessionError: Paint that it takes was dropped.
            OverpaintError: As for `edit`.
        """
        return painted_again(self, self._contents, self._studio_of(), action, monitor)

    # Painting

    def edit(
        self,
        request: EditRequest | None = None,
        *,
        variations: int = 1,
        notes: Sequence[str] = (),
        monitor: Monitor | None = None,
        **given: Unpack[EditArguments],
    ) -> Step:
        """Make an edit of the present picture, as a new step on top.

        Args:
            variations: How many takes the step gets: with its seed, seed + 1, ...; the first one shows.
            notes: Notes for the step, before its own.
            request, monitor, **given: As for `Studio.edit`, errors as well.

        Raises:
            OutputError: The session can't be written; nothing was added.
        """
        plan = self.plan_edit()
        painted = plan.paint(self._studio_of(), request, variations=variations, notes=notes, monitor=monitor, **given)
        return self._painted_by(plan, painted)

    def rerun(
        self,
        step: int,
        request: EditRequest | None = None,
        *,
        variations: int = 1,
        notes: Sequence[str] = (),
        monitor: Monitor | None = None,
        **given: Unpack[EditArguments],
    ) -> Step:
        """Paint a step again, on what is below it now: with its own request and seed, and with the changes given here.

        The new take is picked; those before can be picked again. Later steps that saw this one are stale then.

        Args:
            step: Its number.
            request: In place of its own (see `request`).
            **given: What is to be different, as for `edit`.
            variations, notes, monitor: As for `edit`.

        Raises:
            SessionError: There is no such step, or it lies beyond the picture as it is below it now, or was given
                what to avoid, a sketch, controls or regional prompts for a picture of another size.
            OverpaintError: As for `edit`.
        """
        plan = self.plan_rerun(step)
        painted = plan.paint(self._studio_of(), request, variations=variations, notes=notes, monitor=monitor, **given)
        return self._painted_by(plan, painted)

    def rerun_stale(self, *, monitor: Monitor | None = None) -> tuple[Step, ...]:
        """Paint every step that shows and is stale again, from below to above. Returns these steps.

        A step that lies beyond the picture, since the one that extended it is hidden, is left as it is.

        Raises:
            OverpaintError: As for `rerun`; steps that were painted before stay so.
        """
        numbers = [step.number for step in self.steps if step.visible]
        there = (one for one in map(self.step, numbers) if one.stale and not one.box.intersect(self.canvas).empty)
        return tuple(self.rerun(one.number, monitor=monitor) for one in there)

    def plan_edit(self) -> StepPlan:
        """What an edit of the present picture is painted on, for a caller that paints without the session."""
        return StepPlan(self.branch, None, self._now(), tuple(self._painted(self._state.visible)))

    def plan_rerun(self, step: int) -> StepPlan:
        """What a step is painted on again. Raises SessionError where there is no such step."""
        take = self._contents.take(self._state.step(step).take)
        lower = tuple(self._painted(self._under(step)))
        request, below = self.request(step), self._below(lower)
        marked = None if below.canvas == painted_on(take) else self._contents.array(take.marked.values)
        rasters = self._contents.rasters(request)
        return StepPlan(self.branch, step, below, lower, request, rasters, take, marked)

    def keep(self, painted: PaintedTake) -> None:
        """Keep what was painted by a plan, before `land` makes a step of it. Raises OutputError."""
        self._store.add(painted.files)

    def land(self, plan: StepPlan, takes: Sequence[str], last: Edited | None = None) -> Step:
        """Make a step of the takes that were painted by a plan, or give them to the step that was painted again.

        What was done to the session meanwhile stays: a step that saw what is no longer so is stale. It gets the step on
        the branch that the plan is of, and goes on in the one where it is.

        Args:
            plan: The plan.
            takes: The digests of the takes, which were kept; the first shows.
            last: The only take's edit, where there is one, so that the picture need not be composited again.

        Raises:
            SessionError: The branch, or the step that was painted again, is gone.
            OutputError: The session can't be written; nothing was added.
        """
        here = self.branch
        if plan.branch != here:
            self.switch(plan.branch)
        same = self._key() == tuple(state.paint for state, _ in plan.steps)
        number = plan.step or self._history.last_step + 1
        try:
            done = AddStep if plan.step is None else AddTakes
            self._do(done(step=number, takes=tuple(takes)))
            step = self.step(number)
            if plan.step is None and last is not None and same:  # what was pasted is what would be composited
                picture = replace(last.picture, source=plan.below.picture.source)
                self._cached = (self._key(), Composite(picture, Box(*self._contents.take(takes[0]).canvas)))
        finally:
            if plan.branch != here:
                self.switch(here)
        return step

    def _painted_by(self, plan: StepPlan, painted: Iterable[PaintedTake]) -> Step:
        """Keep all takes, each once it is there, and make a step of them."""
        digests: list[str] = []
        for one in painted:
            self.keep(one)
            digests.append(one.sha256)
        return self.land(plan, digests, one.edited if len(digests) == 1 else None)

    def undo(self) -> None:
        """Go back to before the last action. Raises SessionError where there is none."""
        self._do(Undo())

    def redo(self) -> None:
        """Go forward again to what was undone last. Raises SessionError where nothing was."""
        self._do(Redo())

    def hide(self, step: int) -> None:
        """Let a step not show. Raises SessionError where there is none of this number, as the others do too."""
        self._do(ShowStep(step=step, visible=False))

    def show(self, step: int) -> None:
        """Let a step show again."""
        self._do(ShowStep(step=step, visible=True))

    def opacity(self, step: int, opacity: float) -> None:
        """Let a step show through: 0 hides it, 1 is as it was painted. Raises RequestError beyond these."""
        self._do(SetOpacity(step=step, opacity=opacity))

    def pick(self, step: int, take: int) -> None:
        """Let another take of a step show; they count from 1. Raises SessionError where there is none."""
        self._do(PickTake(step=step, take=take))

    def put_aside(self, step: int, takes: Sequence[int]) -> None:
        """Put these takes of a step aside, and no others. They stay, and can be picked; lists of results leave them
        out. None brings all back. SessionError where there is none of such a number.
        """
        self._do(PutAside(step=step, takes=tuple(sorted(set(takes)))))

    def move(self, step: int, to: int) -> None:
        """Move a step to another place in the stack, 1 being the lowest. Nothing is painted again."""
        self._do(MoveStep(step=step, to=to))

    def mask(self, step: int, mask: MaskLike | None, *, show: bool = False) -> None:
        """Paint what is below a step back, where this mask marks it; or with `show` the step itself.

        Args:
            step: Its number.
            mask: 1 = painted back, of the present picture's size. None: the step shows everywhere again.
            show: Whether the step is painted back in, where an earlier mask hides it.

        Raises:
            MaskError: It has another size, or marks nothing.
        """
        current = self._state.step(step)
        if mask is None:
            self._do(SetMask(step=step))
            return
        here = self._now()
        drawn = as_mask(mask).require_size(here.picture.size)
        if drawn.is_empty:
            raise MaskError("the mask is empty: no pixel is marked")
        found = masked(current.mask, drawn, here.canvas, show=show, read=self._contents.array)
        if found is None:
            self._do(SetMask(step=step))
        else:
            stored, data = found
            self._do(SetMask(step=step, mask=stored), (blob_name(stored.values.sha256), data))

    def set_mask(self, step: int, shown: MaskLike) -> None:
        """Let a step show where this mask is 1, and nowhere else.

        Args:
            step: Its number.
            shown: 1 = shown, of the present picture's size; it may be empty, and then the step shows nowhere.

        Raises:
            MaskError: It has another size.
        """
        self._state.step(step)
        canvas = self.canvas
        values = as_mask(shown).require_size(canvas.size).to_bytes8()
        if values.min() == 255:
            self._do(SetMask(step=step))
            return
        stored, data = StoredArray.of(values)
        mask = StoredMask(box=tuple(canvas), values=stored)
        self._do(SetMask(step=step, mask=mask), (blob_name(stored.sha256), data))

    def new_branch(self, name: str) -> None:
        """Begin a new branch here, and go on in it; the one before stays where it is.

        Raises:
            SessionError: There is one of this name.
        """
        self._do(NewBranch(name=name))

    def switch(self, name: str) -> None:
        """Go on in another branch. Raises SessionError where there is none of this name."""
        self._do(SwitchBranch(name=name))

    def compact(self, *, takes: bool = False, branches: bool = False, undo: bool = False) -> Compacted:
        """Make the session smaller: drop the paint that no undo, redo, pick or branch leads to, as of edits that were
        undone before another one was made, and files that an interruption left. The picture stays as it is.

        Args:
            takes: Also drop takes that could be picked, but show in no state that undo, redo or a branch leads to.
            branches: Also drop all branches but the present one.
            undo: Also drop what can be undone or done again, in each branch.

        Raises:
            OutputError: It can't be written; nothing was dropped.
            SessionError: A file that is needed is missing or damaged; nothing was dropped.
        """
        before = self._store.size
        action = what_to_drop(self._history, takes=takes, branches=branches, undo=undo)
        left = blobs_left(self._history, action, self._contents, self.head.original.sha256)
        unneeded = [name for name in self._store.blobs() if name not in left]
        named = masks_of(one.action for one in self._actions)
        if action != DropPaint() or not named.isdisjoint(unneeded):
            self._do(action, without=unneeded)
        elif unneeded:
            self._store.rewrite(unneeded, ())
        self._contents.forget()
        return Compacted(before, self._store.size, len(action.takes), action.branches, action.undo)

    def _do(self, action: Action, *files: tuple[str, bytes], without: Collection[str] = ()) -> None:
        """Write an action into the journal, behind files that it names, let it be the last, and drop files."""
        self._history.plan(action)
        previous = self._actions[-1].sha256 if self._actions else self.id
        entry = JournalEntry(number=len(self._actions) + 1, previous=previous, time=_time(), action=action)
        data = entry.to_bytes()
        if len(data) > JOURNAL_LIMIT:
            raise RequestError(f"an action of {len(data):,} bytes is too long for the session's journal")
        files = (*files, (journal_name(entry.number), data))
        if without:
            self._store.rewrite(without, files)
        else:
            self._store.add(files)
        self._actions.append(SessionAction.done(entry, data, self._history))
        self._record(late=False)

    def _record(self, *, late: bool) -> None:
        if self.recorder is not None:
            self.recorder.record(self, late=late)

    def _studio_of(self) -> Studio:
        if self._studio is None:
            self._studio = Studio()
        return self._studio


def _time() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
