"""Sessions of a server, for programs without an event loop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, Unpack

import numpy as np
from numpy.typing import NDArray

from overpaint.engines import Monitor
from overpaint.geometry import Size
from overpaint.picture import Picture
from overpaint.request import EditRequest
from overpaint.session import Compacted, PaintLayer, SessionEvent, Step
from overpaint.studio.inputs import EditArguments, MaskLike

from ._async_session import AsyncSession
from ._loop import LoopThread
from ._remote_job import RemoteJob
from ._replies import FollowedEvent
from ._session_values import ServedFile, SessionSnapshot
from ._values import UploadedPicture


class RemoteSession:
    """A session of a server, with the calls of `overpaint.Session`. Thread-safe. `AsyncSession` describes them.

    session = client.create_session("photo.jpg", "Harbour")
    step = session.edit(mask=mask, intent="remove")
    session.opacity(step.number, 0.8)
    session.export("psd").save("harbour.psd")
    """

    def __init__(self, session: AsyncSession, loop: LoopThread) -> None:
        """Made by a client."""
        self._session, self._loop = session, loop

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id[:8]} version {self.status.version}>"

    @property
    def id(self) -> str:
        """Its name on the server."""
        return self._session.id

    @property
    def status(self) -> SessionSnapshot:
        """How it was when it was last asked for, or changed by this object."""
        return self._session.status

    @property
    def guarded(self) -> bool:
        """Whether a change is made only where nothing else has changed the session since `status`."""
        return self._session.guarded

    @guarded.setter
    def guarded(self, on: bool) -> None:
        self._session.guarded = on

    @property
    def size(self) -> Size:
        """The size of the present picture, as of `status`."""
        return self._session.size

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps, from below to above, as of `status`."""
        return self._session.steps

    @property
    def branch(self) -> str:
        """The name of the present branch, as of `status`."""
        return self._session.branch

    @property
    def branches(self) -> tuple[str, ...]:
        """The names of all branches, as of `status`."""
        return self._session.branches

    @property
    def can_undo(self) -> bool:
        """Whether there is anything to undo, as of `status`."""
        return self._session.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is anything to redo, as of `status`."""
        return self._session.can_redo

    def step(self, number: int) -> Step:
        """The step of this number, as of `status`. SessionError where there is none."""
        return self._session.step(number)

    def refresh(self) -> SessionSnapshot:
        """How it is now. NotFoundError where it was deleted."""
        return self._loop.run(self._session.refresh())

    def rename(self, name: str) -> SessionSnapshot:
        """Give it another name."""
        return self._loop.run(self._session.rename(name))

    def delete(self) -> None:
        """Remove it from the server, and stop its jobs."""
        self._loop.run(self._session.delete())

    # ── painting ──────────────────────────────────────────────────────────────────────────────────────────────────

    def submit(
        self,
        request: EditRequest | None = None,
        *,
        variations: int = 1,
        idempotency_key: str | None = None,
        **given: Unpack[EditArguments],
    ) -> RemoteJob:
        """Ask for an edit of the present picture, as a new step on top, and do not wait. See `AsyncSession.submit`."""
        asked = self._session.submit(request, variations=variations, idempotency_key=idempotency_key, **given)
        return RemoteJob(self._loop.run(asked), self._loop)

    def edit(
        self,
        request: EditRequest | None = None,
        *,
        variations: int = 1,
        monitor: Monitor | None = None,
        **given: Unpack[EditArguments],
    ) -> Step:
        """Make an edit of the present picture, as a new step on top. See `AsyncSession.edit`."""
        return self._loop.run(self._session.edit(request, variations=variations, monitor=monitor, **given))

    def submit_rerun(
        self, step: int, *, variations: int = 1, idempotency_key: str | None = None, **given: Unpack[EditArguments]
    ) -> RemoteJob:
        """Ask for a step to be painted again, and do not wait. See `AsyncSession.submit_rerun`."""
        asked = self._session.submit_rerun(step, variations=variations, idempotency_key=idempotency_key, **given)
        return RemoteJob(self._loop.run(asked), self._loop)

    def rerun(
        self, step: int, *, variations: int = 1, monitor: Monitor | None = None, **given: Unpack[EditArguments]
    ) -> Step:
        """Paint a step again, on what is below it now, with what is given changed. See `AsyncSession.rerun`."""
        return self._loop.run(self._session.rerun(step, variations=variations, monitor=monitor, **given))

    def submit_rerun_stale(self, *, idempotency_key: str | None = None) -> RemoteJob:
        """Ask for every stale step to be painted again, and do not wait for it."""
        asked = self._session.submit_rerun_stale(idempotency_key=idempotency_key)
        return RemoteJob(self._loop.run(asked), self._loop)

    def rerun_stale(self, *, monitor: Monitor | None = None) -> tuple[Step, ...]:
        """Paint every step that shows and is stale again, from below to above. Returns these steps."""
        return self._loop.run(self._session.rerun_stale(monitor=monitor))

    def jobs(self, limit: int = 100) -> list[RemoteJob]:
        """Its jobs, the newest first."""
        return [RemoteJob(one, self._loop) for one in self._loop.run(self._session.jobs(limit))]

    # ── changing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def undo(self, count: int = 1) -> SessionSnapshot:
        """Go back to before the last action, or the last `count`. SessionError where there is none."""
        return self._loop.run(self._session.undo(count))

    def redo(self, count: int = 1) -> SessionSnapshot:
        """Go forward again to what was undone last, or by `count`. SessionError where nothing was."""
        return self._loop.run(self._session.redo(count))

    def hide(self, step: int) -> SessionSnapshot:
        """Let a step not show. SessionError where there is none of this number, as the others do too."""
        return self._loop.run(self._session.hide(step))

    def show(self, step: int) -> SessionSnapshot:
        """Let a step show again."""
        return self._loop.run(self._session.show(step))

    def opacity(self, step: int, opacity: float) -> SessionSnapshot:
        """Let a step show through: 0 hides it, 1 is as it was painted. RequestError beyond these."""
        return self._loop.run(self._session.opacity(step, opacity))

    def pick(self, step: int, take: int) -> SessionSnapshot:
        """Let another take of a step show; they count from 1. SessionError where there is none."""
        return self._loop.run(self._session.pick(step, take))

    def put_aside(self, step: int, takes: Sequence[int]) -> SessionSnapshot:
        """Put these takes of a step aside, and no others. See `AsyncSession.put_aside`."""
        return self._loop.run(self._session.put_aside(step, takes))

    def move(self, step: int, to: int) -> SessionSnapshot:
        """Move a step to another place in the stack, 1 being the lowest. Nothing is painted again."""
        return self._loop.run(self._session.move(step, to))

    def mask(self, step: int, mask: MaskLike | None, *, show: bool = False) -> SessionSnapshot:
        """Paint what is below a step back, where this mask marks it. See `AsyncSession.mask`."""
        return self._loop.run(self._session.mask(step, mask, show=show))

    def set_mask(self, step: int, shown: MaskLike) -> SessionSnapshot:
        """Let a step show where this mask is 1, and nowhere else. See `AsyncSession.set_mask`."""
        return self._loop.run(self._session.set_mask(step, shown))

    def new_branch(self, name: str) -> SessionSnapshot:
        """Begin a new branch here, and go on in it; the one before stays. SessionError where there is one so named."""
        return self._loop.run(self._session.new_branch(name))

    def switch(self, name: str) -> SessionSnapshot:
        """Go on in another branch. SessionError where there is none of this name."""
        return self._loop.run(self._session.switch(name))

    def compact(self, *, takes: bool = False, branches: bool = False, undo: bool = False) -> Compacted:
        """Make the session smaller. See `Session.compact`. ConflictError while a job paints for it."""
        return self._loop.run(self._session.compact(takes=takes, branches=branches, undo=undo))

    # ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────

    def log(self) -> tuple[SessionEvent, ...]:
        """Everything that was done, in its order, also what was undone since."""
        return self._loop.run(self._session.log())

    def events(self, after: int = -1) -> Iterator[FollowedEvent]:
        """What happens to it, until it is deleted; `after`: the number of the last event that is known."""
        return self._loop.each(self._session.events(after))

    def picture(self) -> Picture:
        """The present picture in full depth. Its own metadata is the original's."""
        return self._loop.run(self._session.picture())

    def screen(
        self,
        *,
        box: tuple[int, int, int, int] | None = None,
        side: int = 1024,
        format: Literal["webp", "png", "jpeg"] = "webp",
        of: str = "now",
    ) -> bytes:
        """The picture for a screen, in sRGB, at most `side` pixels across. See `AsyncSession.screen`."""
        return self._loop.run(self._session.screen(box=box, side=side, format=format, of=of))

    def picture_with(
        self, step: int, take: int | None = None, *, side: int = 1024, format: Literal["webp", "png", "jpeg"] = "webp"
    ) -> bytes:
        """The picture for a screen if a step showed, with one of its takes."""
        return self._loop.run(self._session.picture_with(step, take, side=side, format=format))

    def shown(self, step: int) -> NDArray[np.uint8]:
        """(H, W) uint8 over the present picture: where a step shows, 255 = shown. SessionError where there is none."""
        return self._loop.run(self._session.shown(step))

    def paint(self, step: int, take: int | None = None) -> PaintLayer:
        """What a step has painted, with transparency where it painted nothing. See `AsyncSession.paint`."""
        return self._loop.run(self._session.paint(step, take))

    def original_file(self) -> bytes:
        """The original's file, byte by byte."""
        return self._loop.run(self._session.original_file())

    def original(self) -> Picture:
        """The original as its file has it."""
        return self._loop.run(self._session.original())

    # ── taking home ───────────────────────────────────────────────────────────────────────────────────────────────

    def export(
        self,
        format: Literal["png", "jpeg", "webp", "tiff", "avif", "psd", "psb", "ora"] | None = None,
        *,
        quality: int | None = None,
        record: Literal["embed", "none"] = "embed",
        provenance: Literal["embed", "prompt", "none"] = "embed",
        private: bool = False,
        watermark: str | None = None,
        watermark_area: Literal["patch", "whole"] = "patch",
        watermark_payload: str | None = None,
    ) -> ServedFile:
        """The present picture as a file, or with a layer for each step. See `AsyncSession.export`."""
        made = self._session.export(
            format,
            quality=quality,
            record=record,
            provenance=provenance,
            private=private,
            watermark=watermark,
            watermark_area=watermark_area,
            watermark_payload=watermark_payload,
        )
        return self._loop.run(made)

    def flatten(
        self,
        format: Literal["png", "jpeg", "webp", "tiff", "avif"] | None = None,
        *,
        quality: int | None = None,
        record: Literal["embed", "none"] = "embed",
    ) -> UploadedPicture:
        """Have the server keep the present picture as one of its pictures. See `AsyncSession.flatten`."""
        return self._loop.run(self._session.flatten(format, quality=quality, record=record))

    def file(self) -> ServedFile:
        """The whole session as a `.overpaint` file, which `Session.open` opens and any server takes."""
        return self._loop.run(self._session.file())

    def audit_log(self) -> ServedFile:
        """Its audit log with its head, which `overpaint.audit.verify` checks. NotFoundError where it has none."""
        return self._loop.run(self._session.audit_log())
