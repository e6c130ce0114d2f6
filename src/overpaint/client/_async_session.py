"""Sessions of a server, for programs with an event loop."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal, Unpack

import numpy as np
from numpy.typing import NDArray

from overpaint.engines import Monitor
from overpaint.errors import NotFoundError, OutputError, RequestError, SessionError
from overpaint.geometry import Box, Size
from overpaint.mask import Mask
from overpaint.picture import Picture, from_array, open_picture
from overpaint.request import EditRequest
from overpaint.session import Compacted, PaintLayer, SessionEvent, Step
from overpaint.studio.inputs import EditArguments, MaskLike, as_mask

from ._asked import AskedEdit, asked_step, lossless
from ._async_job import AsyncJob
from ._calls import AskedJob, Calls, checked_id
from ._connection import FileBody
from ._replies import FollowedEvent, foreign
from ._session_values import ServedFile, SessionSnapshot, audit_file, exported_file
from ._values import JobSnapshot, UploadedPicture


class AsyncSession:
    """A session of a server, with the calls of `overpaint.Session`. Made by a client.

    Attributes:
        status: How it was when it was last asked for, or changed by this object.
        guarded: Whether a change is made only where nothing else has changed the session since `status`, so that no
            change is meant for what is no longer so; else it is a ChangedError. `refresh` says how it is now.
    """

    def __init__(self, calls: Calls, status: SessionSnapshot, *, guarded: bool = False) -> None:
        """Made by a client."""
        self._calls = calls
        self.status = status
        self.guarded = guarded

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id[:8]} version {self.status.version}>"

    @property
    def id(self) -> str:
        """Its name on the server."""
        return self.status.id

    @property
    def size(self) -> Size:
        """The size of the present picture, as of `status`."""
        return self.status.size

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps, from below to above, as of `status`."""
        return self.status.steps

    @property
    def branch(self) -> str:
        """The name of the present branch, as of `status`."""
        return self.status.branch

    @property
    def branches(self) -> tuple[str, ...]:
        """The names of all branches, as of `status`."""
        return self.status.branches

    @property
    def can_undo(self) -> bool:
        """Whether there is anything to undo, as of `status`."""
        return self.status.undo_count > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is anything to redo, as of `status`."""
        return self.status.redo_count > 0

    def step(self, number: int) -> Step:
        """The step of this number, as of `status`. SessionError where there is none."""
        for one in self.steps:
            if one.number == number:
                return one
        raise SessionError(f"there is no step {number}", code="session-step", field="step", value=number)

    async def refresh(self) -> SessionSnapshot:
        """How it is now. NotFoundError where it was deleted."""
        return self._now(await self._calls.connection.ask("GET", self._at()))

    async def rename(self, name: str) -> SessionSnapshot:
        """Give it another name."""
        return await self._changed("PATCH", "", {"name": name})

    async def delete(self) -> None:
        """Remove it from the server, and stop its jobs."""
        await self._calls.connection.send("DELETE", self._at(), headers=self._guard())

    # ── painting ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def submit(
        self,
        request: EditRequest | None = None,
        *,
        variations: int = 1,
        idempotency_key: str | None = None,
        **given: Unpack[EditArguments],
    ) -> AsyncJob:
        """Ask for an edit of the present picture, as a new step on top, and do not wait for it.

        The job's `status.takes` say which step and takes there are once it has ended. A lost connection never paints
        twice.

        Args:
            request, **given: As of `Session.edit`.
            variations: How many takes the step gets; the first one shows.
            idempotency_key: The request's name; one of its own is drawn when it is left out.

        Raises:
            MaskError, RequestError: What came in can't be used.
            ChangedError: The session is guarded, and was changed meanwhile.
            TooManyJobsError: The server has had no room for too long.
        """
        return await self._submitted("/edits", request, given, variations, idempotency_key)

    async def edit(
        self,
        request: EditRequest | None = None,
        *,
        variations: int = 1,
        monitor: Monitor | None = None,
        **given: Unpack[EditArguments],
    ) -> Step:
        """Make an edit of the present picture, as a new step on top. Where this call is stopped, so is the job.

        Args:
            request, variations, **given: As of `submit`.
            monitor: Progress, previews and cancellation.

        Raises:
            OverpaintError: As of `Session.edit`.
            ServerUnreachableError: The server is away for too long.
        """
        return await self._painted(await self.submit(request, variations=variations, **given), monitor)

    async def submit_rerun(
        self, step: int, *, variations: int = 1, idempotency_key: str | None = None, **given: Unpack[EditArguments]
    ) -> AsyncJob:
        """Ask for a step to be painted again, and do not wait for it.

        Args:
            step: Its number.
            variations, idempotency_key: As of `submit`.
            **given: What is to be different from the step's own request.

        Raises:
            SessionError: There is no such step.
            RequestError: The intent is custom, which a server takes for the step's own.
            OverpaintError: As of `submit`.
        """
        if given.get("intent") == "custom":
            message = "a step that is painted again on a server can't get this {field}"
            raise RequestError(message, field="intent", value=given["intent"], hint="make a new edit")
        return await self._submitted(f"/steps/{int(step)}/rerun", None, given, variations, idempotency_key)

    async def rerun(
        self, step: int, *, variations: int = 1, monitor: Monitor | None = None, **given: Unpack[EditArguments]
    ) -> Step:
        """Paint a step again, on what is below it now. Arguments and errors as of `submit_rerun` and `edit`."""
        return await self._painted(await self.submit_rerun(step, variations=variations, **given), monitor)

    async def submit_rerun_stale(self, *, idempotency_key: str | None = None) -> AsyncJob:
        """Ask for every stale step to be painted again, and do not wait for it."""
        return await self._job("/rerun", None, idempotency_key)

    async def rerun_stale(self, *, monitor: Monitor | None = None) -> tuple[Step, ...]:
        """Paint every step that shows and is stale again, from below to above. Returns these steps."""
        done = await self._ended(await self.submit_rerun_stale(), monitor)
        return tuple(self.step(number) for number in dict.fromkeys(one.step for one in done.takes))

    async def jobs(self, limit: int = 100) -> list[AsyncJob]:
        """Its jobs, the newest first."""
        found = await self._calls.connection.ask("GET", self._at("/edits"), params={"limit": limit})
        return [AsyncJob(self._calls, AskedJob(JobSnapshot.of(one, self._url))) for one in found]

    # ── changing ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def undo(self, count: int = 1) -> SessionSnapshot:
        """Go back to before the last action, or the last `count`. SessionError where there is none."""
        return await self._changed("POST", "/undo", {"count": count})

    async def redo(self, count: int = 1) -> SessionSnapshot:
        """Go forward again to what was undone last, or by `count`. SessionError where nothing was."""
        return await self._changed("POST", "/redo", {"count": count})

    async def hide(self, step: int) -> SessionSnapshot:
        """Let a step not show. SessionError where there is none of this number, as the others do too."""
        return await self._step_changed(step, visible=False)

    async def show(self, step: int) -> SessionSnapshot:
        """Let a step show again."""
        return await self._step_changed(step, visible=True)

    async def opacity(self, step: int, opacity: float) -> SessionSnapshot:
        """Let a step show through: 0 hides it, 1 is as it was painted. RequestError beyond these."""
        return await self._step_changed(step, opacity=opacity)

    async def pick(self, step: int, take: int) -> SessionSnapshot:
        """Let another take of a step show; they count from 1. SessionError where there is none."""
        return await self._step_changed(step, take=take)

    async def put_aside(self, step: int, takes: Sequence[int]) -> SessionSnapshot:
        """Put these takes of a step aside, and no others: they stay, and lists leave them out. None brings all back.
        SessionError where there is none of such a number.
        """
        return await self._step_changed(step, aside=list(takes))

    async def move(self, step: int, to: int) -> SessionSnapshot:
        """Move a step to another place in the stack, 1 being the lowest. Nothing is painted again."""
        return await self._step_changed(step, place=to)

    async def mask(self, step: int, mask: MaskLike | None, *, show: bool = False) -> SessionSnapshot:
        """Paint what is below a step back, where this mask marks it; or with `show` the step itself.

        Args:
            step: Its number.
            mask: 1 = painted back, of the present picture's size, in 8 bits and without noise, as a mask's file is
                read. None: the step shows everywhere again.
            show: Whether the step is painted back in, where an earlier mask hides it.

        Raises:
            MaskError: It has another size, or marks nothing.
        """
        where = f"/steps/{int(step)}/mask"
        if mask is None:
            return await self._changed("DELETE", where)
        kept = await self._calls.upload(await self._mask_body(mask))
        return await self._changed("POST", where, {"marks": {"mask": [kept.id]}, "show": show})

    async def set_mask(self, step: int, shown: MaskLike) -> SessionSnapshot:
        """Let a step show where this mask is 1, and nowhere else.

        Args:
            step: Its number.
            shown: 1 = shown, of the present picture's size; it may be empty, and then the step shows nowhere.

        Raises:
            MaskError: It has another size.
        """
        return await self._changed("PUT", f"/steps/{int(step)}/mask", body=await self._mask_body(shown))

    async def new_branch(self, name: str) -> SessionSnapshot:
        """Begin a new branch here, and go on in it; the one before stays. SessionError where there is one so named."""
        return await self._changed("POST", "/branches", {"name": name})

    async def switch(self, name: str) -> SessionSnapshot:
        """Go on in another branch. SessionError where there is none of this name."""
        return await self._changed("PUT", "/branch", {"name": name})

    async def compact(self, *, takes: bool = False, branches: bool = False, undo: bool = False) -> Compacted:
        """Make the session smaller. See `Session.compact`. ConflictError while a job paints for it."""
        task = {"takes": takes, "branches": branches, "undo": undo}
        found = await self._calls.connection.ask(
            "POST", self._at("/compact"), table=task, headers=self._guard(), again=False
        )
        try:
            self._now(found["session"])
            return Compacted(
                found["before"], found["after"], found["takes"], tuple(found["branches"]), bool(found["undo"])
            )
        except (KeyError, TypeError) as error:
            raise foreign(self._url, f"its reply has another form ({error})") from None

    # ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def log(self) -> tuple[SessionEvent, ...]:
        """Everything that was done, in its order, also what was undone since."""
        found = await self._calls.connection.ask("GET", self._at("/history"))
        try:
            return tuple(SessionEvent(**{**one, "elsewhere": tuple(one["elsewhere"])}) for one in found)
        except (KeyError, TypeError) as error:
            raise foreign(self._url, f"its reply has another form ({error})") from None

    def events(self, after: int = -1) -> AsyncIterator[FollowedEvent]:
        """What happens to it, until it is deleted; the first event says how it is now.

        Args:
            after: The number of the last event that is known.
        """
        return self._calls.connection.events(self._at("/events"), after)

    async def picture(self) -> Picture:
        """The present picture in full depth. Its own metadata is the original's."""
        try:
            found = await self.export("png", record="none", provenance="none")
        except OutputError:  # PNG has no inks
            found = await self.export("tiff", record="none", provenance="none")
        return await asyncio.to_thread(open_picture, found.data)

    async def screen(
        self,
        *,
        box: tuple[int, int, int, int] | None = None,
        side: int = 1024,
        format: Literal["webp", "png", "jpeg"] = "webp",
        of: str = "now",
    ) -> bytes:
        """The picture for a screen, in sRGB: a file of at most `side` pixels across.

        Args:
            box: Which part, (left, top, right, bottom) in pixels of the picture; None: all of it.
            side: Its longest side; nothing is enlarged.
            format: Of the file.
            of: "now", "original", or "below:STEP".
        """
        part = None if box is None else ",".join(str(int(edge)) for edge in box)
        query = {"box": part, "side": side, "format": format, "of": of}
        return (await self._calls.connection.send("GET", self._at("/picture"), params=query)).content

    async def picture_with(
        self, step: int, take: int | None = None, *, side: int = 1024, format: Literal["webp", "png", "jpeg"] = "webp"
    ) -> bytes:
        """The picture for a screen if a step showed, with one of its takes. See `screen`."""
        query = {"take": take, "side": side, "format": format}
        return (await self._calls.connection.send("GET", self._at(f"/steps/{int(step)}/picture"), params=query)).content

    async def shown(self, step: int) -> NDArray[np.uint8]:
        """(H, W) uint8 over the present picture: where a step shows, 255 = shown. SessionError where there is none."""
        reply = await self._calls.connection.send("GET", self._at(f"/steps/{int(step)}/mask"))
        return (await asyncio.to_thread(open_picture, reply.content)).samples[..., 0].astype(np.uint8, copy=False)

    async def paint(self, step: int, take: int | None = None) -> PaintLayer:
        """What a step has painted, with transparency where it painted nothing; its own mask and opacity don't count.

        Args:
            step: The step's number.
            take: One of its takes; left out, the one that shows.

        Raises:
            SessionError: There is no such step or take, or its paint was dropped.
        """
        reply = await self._calls.connection.send("GET", self._at(f"/steps/{int(step)}/patch"), params={"take": take})
        try:
            box = Box(*(int(edge) for edge in reply.headers["overpaint-box"].split(",")))
        except (KeyError, ValueError, TypeError):
            raise foreign(self._url, "its reply says no box") from None
        return PaintLayer(await asyncio.to_thread(open_picture, reply.content), box)

    async def original_file(self) -> bytes:
        """The original's file, byte by byte."""
        return (await self._calls.connection.send("GET", self._at("/original"))).content

    async def original(self) -> Picture:
        """The original as its file has it."""
        return await asyncio.to_thread(open_picture, await self.original_file())

    # ── taking home ───────────────────────────────────────────────────────────────────────────────────────────────

    async def export(
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
        """The present picture as a file with the record of its edits; as "psd", "psb" or "ora" with a layer for each
        step.

        Args:
            format: Left out, the original's own.
            quality: 1 to 100, of formats that lose.
            record: Whether it holds how it was made.
            provenance: What it says of its origin.
            private: Whether it holds neither record nor prompt.
            watermark: The name of an imperceptible mark.
            watermark_area: Where the mark may change pixels.
            watermark_payload: What the mark holds.

        Raises:
            OutputError: The format can't hold the picture.
        """
        query = {
            "format": format,
            "quality": quality,
            "record": record,
            "provenance": provenance,
            "private": private,
            "watermark": watermark,
            "watermark_area": None if watermark is None else watermark_area,
            "watermark_payload": watermark_payload,
        }
        reply = await self._calls.connection.send("GET", self._at("/export"), params=query)
        return exported_file(reply.content, format, reply.headers)

    async def flatten(
        self,
        format: Literal["png", "jpeg", "webp", "tiff", "avif"] | None = None,
        *,
        quality: int | None = None,
        record: Literal["embed", "none"] = "embed",
    ) -> UploadedPicture:
        """Have the server keep the present picture as one of its pictures, with which edits and sessions can begin.
        Arguments and errors as of `export`.
        """
        task = {"format": format, "quality": quality, "record": record}
        asked = {name: value for name, value in task.items() if value is not None}
        return UploadedPicture.of(
            await self._calls.connection.ask("POST", self._at("/flatten"), table=asked), self._url
        )

    async def file(self) -> ServedFile:
        """The whole session as a `.overpaint` file, which `Session.open` opens and any server takes."""
        reply = await self._calls.connection.send("GET", self._at("/file"))
        return ServedFile(reply.content, "overpaint")

    async def audit_log(self) -> ServedFile:
        """Its audit log with its head, which `overpaint.audit.verify` checks. NotFoundError where it has none."""
        reply = await self._calls.connection.send("GET", self._at("/audit"))
        try:
            return audit_file(reply.content, reply.headers)
        except (KeyError, ValueError):
            raise foreign(self._url, "its reply says no head of the audit log") from None

    # ── within ────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def _url(self) -> str:
        return self._calls.connection.address.url

    def _at(self, path: str = "") -> str:
        return f"/sessions/{checked_id(self.id, 32)}{path}"

    def _guard(self) -> dict[str, str]:
        return {"if-match": f'"{self.status.version}"'} if self.guarded else {}

    def _now(self, table: Any) -> SessionSnapshot:
        self.status = SessionSnapshot.of(table, self._url)
        return self.status

    async def _changed(
        self, method: str, path: str, table: Any = None, body: FileBody | None = None
    ) -> SessionSnapshot:
        """The session after a change, which is not made a second time where its reply was lost."""
        reply = await self._calls.connection.ask(
            method, self._at(path), table=table, body=body, headers=self._guard(), again=False
        )
        return self._now(reply)

    async def _step_changed(self, step: int, **change: Any) -> SessionSnapshot:
        return await self._changed("PATCH", f"/steps/{int(step)}", change)

    async def _mask_body(self, mask: MaskLike) -> FileBody:
        def coded() -> FileBody:
            drawn: Mask = as_mask(mask)
            return FileBody(lossless(from_array(drawn.to_bytes8())))

        return await asyncio.to_thread(coded)

    async def _submitted(
        self, path: str, request: EditRequest | None, given: EditArguments, variations: int, key: str | None
    ) -> AsyncJob:
        size = self.size if self.guarded else (await self.refresh()).size
        asked: AskedEdit = await asyncio.to_thread(asked_step, size, request, given)
        task = {**asked.task, "count": variations}
        name = key or secrets.token_hex(16)
        await self._calls.keep_all(asked)
        try:
            return await self._job(path, task, name)
        except NotFoundError:  # a file was removed meanwhile, or the session was
            await self._calls.keep_again(asked)
            return await self._job(path, task, name)

    async def _job(self, path: str, task: Mapping[str, Any] | None, key: str | None) -> AsyncJob:
        name = key or secrets.token_hex(16)
        found = await self._calls.asked_for(self._at(path), task, name, headers=self._guard())
        return AsyncJob(self._calls, AskedJob(found))

    async def _painted(self, job: AsyncJob, monitor: Monitor | None) -> Step:
        """The step that a job has painted. Where this call is stopped, so is the job."""
        done = await self._ended(job, monitor)
        return self.step(done.takes[-1].step)

    async def _ended(self, job: AsyncJob, monitor: Monitor | None) -> JobSnapshot:
        done = (await self._calls.painted(AskedJob(job.status), monitor)).snapshot
        await self.refresh()
        return done
