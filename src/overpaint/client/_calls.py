"""What is asked of a server, in one place for both clients: uploads, masks, jobs, and results."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from overpaint.doors.controls import control_table
from overpaint.doors.places import Places, RegionPlaces
from overpaint.doors.reading import EditFiles, read_edit
from overpaint.engines import Monitor
from overpaint.errors import (
    Cancelled,
    ConflictError,
    InputError,
    MissingExtraError,
    NotFoundError,
    OverpaintError,
    RequestError,
)
from overpaint.mask import Mask
from overpaint.picture import Picture, open_picture
from overpaint.request import EditRequest, RegionText
from overpaint.studio import EnhanceSettings
from overpaint.studio.inputs import EditArguments, InputRasters, gather
from overpaint.studio.inserts import Pictured, picture_of

from ._asked import AskedEdit, asked_edit, lossless, picture_body, transport_format
from ._connection import Connection, FileBody, stopped_at_end
from ._enhanced import ServedEnhancement, served_enhancement
from ._replies import FollowedEvent
from ._served import ServedEdit, served_edit
from ._values import JobSnapshot, UploadedMask, UploadedPicture, UploadedSelection

T = TypeVar("T")

_LOOK = 0.2
"""Seconds between two looks whether a monitor was cancelled."""

_GIVING_UP = 10.0
"""Seconds in which a server is to be reached that a job is cancelled on."""


@dataclass(frozen=True, slots=True)
class AskedJob:
    """A job as it was when it was asked for.

    Attributes:
        snapshot: Where it stood.
        asked: The edit, where it was asked for here.
    """

    snapshot: JobSnapshot
    asked: AskedEdit | None = None


class Calls:
    """Calls of a server's native API. Used on one event loop."""

    def __init__(self, connection: Connection) -> None:
        """`connection` is closed by its owner."""
        self.connection = connection
        self._known: set[str] = set()
        self._sending: dict[str, asyncio.Future[Any]] = {}
        self._parting: set[asyncio.Future[Any]] = set()

    # ── pictures and masks ────────────────────────────────────────────────────────────────────────────────────────

    async def upload(self, body: FileBody) -> UploadedPicture:
        """Have the server keep a file. It is sent only where the server does not have it."""
        found = UploadedPicture.of(await self.upload_to("/pictures", body), self._url)
        self._known.add(found.id)
        return found

    async def upload_to(self, path: str, body: FileBody, *, ask: bool = True) -> Any:
        """What the server says of a file that it keeps under a path. One that is being sent is not sent a second time.

        Args:
            path: Where files of that kind are.
            body: The file.
            ask: Whether to ask first if the server has it.
        """
        id = await asyncio.to_thread(body.digest)
        name = f"{path}/{id}"
        sending = self._sending.get(name)
        if sending is None:
            sending = self._sending[name] = asyncio.ensure_future(self._kept(path, id, body, ask=ask))
            sending.add_done_callback(lambda _: self._sending.pop(name, None))
        return await asyncio.shield(sending)

    async def _kept(self, path: str, id: str, body: FileBody, *, ask: bool) -> Any:
        with contextlib.suppress(NotFoundError):
            if ask:
                return await self.connection.ask("GET", f"{path}/{id}")
        return await self.connection.ask("POST", path, body=body)

    async def upload_picture(self, picture: Pictured) -> UploadedPicture:
        """Have the server keep a picture."""
        if isinstance(picture, bytes):
            return await self.upload(FileBody(picture))
        opened = await asyncio.to_thread(picture_of, picture)
        return await self.upload((await asyncio.to_thread(picture_body, picture, opened))[0])

    async def picture(self, id: str) -> UploadedPicture:
        """What the server knows of a picture."""
        return UploadedPicture.of(await self.connection.ask("GET", f"/pictures/{checked_id(id, 64)}"), self._url)

    async def pictures(self, limit: int) -> list[UploadedPicture]:
        """The client's pictures, the newest first."""
        found = await self.connection.ask("GET", "/pictures", params={"limit": limit})
        return [UploadedPicture.of(one, self._url) for one in found]

    async def file(self, id: str, part: str = "file", **params: Any) -> bytes:
        """A picture's file, or what the server makes of it: "thumbnail", "overlay"."""
        return (await self.connection.send("GET", f"/pictures/{checked_id(id, 64)}/{part}", params=params)).content

    async def delete_picture(self, id: str) -> None:
        """Remove a picture. One that is not there any more, after a reply was lost, counts as removed."""
        self._known.discard(id)
        await self.connection.send("DELETE", f"/pictures/{checked_id(id, 64)}")

    async def make_mask(self, picture: Pictured | UploadedPicture, task: Mapping[str, Any]) -> UploadedMask:
        """A mask for a picture."""
        about = picture if isinstance(picture, UploadedPicture) else await self.upload_picture(picture)
        table = {name: value for name, value in task.items() if value is not None}
        made = await self.connection.ask("POST", "/masks", table={"picture": about.id, **table})
        return UploadedMask.of(made, self._url)

    async def selections(
        self, picture: Pictured | UploadedPicture, task: Mapping[str, Any], mask: Mask | None
    ) -> list[UploadedSelection]:
        """What hints mean in a picture; a rough mask is sent before."""
        about = picture if isinstance(picture, UploadedPicture) else await self.upload_picture(picture)
        table = {name: value for name, value in task.items() if value not in (None, "", [], {})}
        if mask is not None:
            table["mask"] = (await self.upload(FileBody(lossless(mask.to_picture())))).id
        found = await self.connection.ask("POST", f"/pictures/{about.id}/selections", table=table)
        return [UploadedSelection.of(one, self._url) for one in found]

    # ── jobs ──────────────────────────────────────────────────────────────────────────────────────────────────────

    async def submit(
        self,
        picture: Pictured,
        request: EditRequest | None,
        given: EditArguments,
        *,
        count: int = 1,
        key: str | None = None,
    ) -> AskedJob:
        """Ask for an edit. A lost connection asks for it no second time."""
        if count < 1:
            raise RequestError(f"the number of variations must be at least 1, not {count}")
        asked = await asyncio.to_thread(asked_edit, picture, request, given)
        try:
            await self.keep_all(asked)
        except (InputError, MissingExtraError):
            if not asked.original:
                raise
            asked = await asyncio.to_thread(asked.without_loss)  # what the server can't read, it gets as PNG
            await self.keep_all(asked)
        task = {**asked.task, "count": count, "format": transport_format(asked.rasters.picture), "record": "embed"}
        name = key or secrets.token_hex(16)
        try:
            snapshot = await self.asked_for("/edits", task, name)
        except NotFoundError:  # a file was removed meanwhile
            await self.keep_again(asked)
            snapshot = await self.asked_for("/edits", task, name)
        return AskedJob(snapshot, asked)

    async def enhance(
        self, picture: Pictured, settings: EnhanceSettings, monitor: Monitor | None = None
    ) -> ServedEnhancement:
        """What becomes of a whole picture. Where this call is stopped, so is the job."""
        opened = await asyncio.to_thread(picture_of, picture)
        settings.size_of(opened.size)
        body, original = await asyncio.to_thread(picture_body, picture, opened)
        try:
            kept = await self.upload(body)
        except (InputError, MissingExtraError):
            if not original:
                raise
            kept = await self.upload(FileBody(await asyncio.to_thread(lossless, opened)))
        task = {**settings.to_mapping(), "picture": kept.id, "format": transport_format(opened), "record": "embed"}
        path = "/enlargements" if settings.verb == "enlarge" else "/restorations"
        asked = AskedJob(await self.asked_for(path, task, secrets.token_hex(16)))
        (served,) = (await self.painted(asked, monitor)).snapshot.results
        data = await self.file(served.picture)
        return await asyncio.to_thread(served_enhancement, data, served, opened, settings)

    async def keep_all(self, asked: AskedEdit) -> None:
        """Have the server keep all files of an edit."""
        for body in asked.files:
            if await asyncio.to_thread(body.digest) not in self._known:
                await self.upload(body)

    async def keep_again(self, asked: AskedEdit) -> None:
        """The same, whatever was uploaded before."""
        self._known.clear()
        await self.keep_all(asked)

    async def asked_for(
        self, path: str, task: Mapping[str, Any] | None, key: str, headers: Mapping[str, str] | None = None
    ) -> JobSnapshot:
        """The job of a task. Where the caller is stopped meanwhile, so is the job."""
        named = {**(headers or {}), "idempotency-key": key}
        sending = asyncio.ensure_future(self.connection.ask("POST", path, table=task, headers=named))
        try:
            return JobSnapshot.of(await asyncio.shield(sending), self._url)
        except asyncio.CancelledError:
            await asyncio.wait({sending}, timeout=_GIVING_UP)
            if sending.done() and not sending.cancelled() and sending.exception() is None:
                await self.give_up(JobSnapshot.of(sending.result(), self._url).id)
            sending.cancel()
            raise

    async def job(self, id: str) -> JobSnapshot:
        """Where a job stands."""
        return JobSnapshot.of(await self.connection.ask("GET", f"/edits/{checked_id(id, 32)}"), self._url)

    async def jobs(self, state: str | None, limit: int) -> list[JobSnapshot]:
        """The client's jobs, the newest first."""
        found = await self.connection.ask("GET", "/edits", params={"state": state, "limit": limit})
        return [JobSnapshot.of(one, self._url) for one in found]

    async def cancel(self, id: str) -> JobSnapshot:
        """Stop a job."""
        return JobSnapshot.of(await self.connection.ask("POST", f"/edits/{checked_id(id, 32)}/cancel"), self._url)

    async def retry(self, id: str) -> JobSnapshot:
        """Let a job that failed or was cancelled wait again. Not sent twice: it may have failed again by then."""
        found = await self.connection.ask("POST", f"/edits/{checked_id(id, 32)}/retry", again=False)
        return JobSnapshot.of(found, self._url)

    async def move(self, id: str, place: int) -> JobSnapshot:
        """Put a waiting job at a place among the client's own."""
        found = await self.connection.ask("POST", f"/edits/{checked_id(id, 32)}/move", table={"place": place})
        return JobSnapshot.of(found, self._url)

    async def delete(self, id: str) -> None:
        """Forget a job that has ended."""
        await self.connection.send("DELETE", f"/edits/{checked_id(id, 32)}")

    async def give_up(self, id: str) -> None:
        """Stop a job that nobody waits for any more, if the server can be reached at once."""
        await asyncio.wait({self.later(self.cancel(id))}, timeout=_GIVING_UP)

    def later(self, call: Coroutine[Any, Any, Any]) -> asyncio.Future[Any]:
        """A call that goes on by itself, whose errors do not matter; `settle` waits for it."""
        going = asyncio.ensure_future(_quietly(call))
        self._parting.add(going)
        going.add_done_callback(self._parting.discard)
        return going

    async def settle(self) -> None:
        """Wait a while for calls that go on by themselves."""
        if self._parting:
            await asyncio.wait(set(self._parting), timeout=_GIVING_UP)

    def events(self, id: str, after: int = -1) -> AsyncIterator[FollowedEvent]:
        """What happens to a job, to its end."""
        return self.connection.events(f"/edits/{checked_id(id, 32)}/events", after)

    async def wait(self, id: str, monitor: Monitor | None = None, timeout: float | None = None) -> JobSnapshot:
        """Where a job stands once it has ended.

        Args:
            id: The job.
            monitor: Gets its progress, previews, and notes, on a thread of its own; where it is cancelled, so is the
                job.
            timeout: Seconds after which the wait ends, while the job goes on; None: as long as it takes.

        Raises:
            TimeoutError: It has not ended by then.
            Cancelled: The monitor was cancelled.
        """
        following = asyncio.ensure_future(self._follow(id, monitor or Monitor()))
        async with stopped_at_end(following):
            over = None if timeout is None else asyncio.get_running_loop().time() + timeout
            while not following.done():
                left = None if over is None else over - asyncio.get_running_loop().time()
                if left is not None and left <= 0:
                    raise TimeoutError(f"the job {id} has not ended after {timeout:g} seconds")
                looks = [one for one in (left, None if monitor is None else _LOOK) if one is not None]
                await asyncio.wait({following}, timeout=min(looks, default=None))
                if monitor is not None and monitor.cancelled and not following.done():
                    await self.cancel(id)
                    raise Cancelled("cancelled; the server stops the job")
            try:
                following.result()
            except Cancelled:  # a report found that the monitor was cancelled
                await self.cancel(id)
                raise
        return await self.job(id)

    async def _follow(self, id: str, monitor: Monitor) -> None:
        """Follow a job to its end: of one that was tried again, past the end that it had before."""
        after = -1
        while True:
            async for event in self.events(id, after):
                after = event.number
                if event.kind in _REPORTS:
                    await asyncio.to_thread(_REPORTS[event.kind], monitor, event.data)
            if (await self.job(id)).ended:
                return

    async def ended(self, id: str, monitor: Monitor | None = None) -> JobSnapshot:
        """The job once it is done.

        Raises:
            OverpaintError: It failed; the error is the server's.
            Cancelled: It was cancelled.
        """
        found = await self.wait(id, monitor)
        if found.state == "cancelled":
            raise Cancelled("the job was cancelled on the server")
        if found.state == "failed":
            raise found.error or RequestError("the job failed")
        return found

    async def painted(self, job: AskedJob, monitor: Monitor | None = None) -> AskedJob:
        """The job once it is done, which is given up where this call is."""
        try:
            return replace(job, snapshot=await self.ended(job.snapshot.id, monitor))
        except (asyncio.CancelledError, Cancelled):
            await self.give_up(job.snapshot.id)
            raise

    # ── results ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def result(self, job: AskedJob, number: int) -> ServedEdit:
        """A result of a job that is done."""
        snapshot = job.snapshot
        if snapshot.state != "done":
            raise ConflictError(f"the job is {snapshot.state}, and has no results yet", value=snapshot.id)
        if snapshot.session is not None:
            message = "the job is of a session: what it painted is a step there, as status.takes say"
            raise RequestError(message, field="job", value=snapshot.id)
        if "enhance" in snapshot.task:
            message = "the job is of a whole picture: its result is the picture that results name"
            raise RequestError(message, field="job", value=snapshot.id)
        served = snapshot.results[number]
        if job.asked is None:
            request, rasters = await self._inputs(snapshot)
        else:
            request, rasters = job.asked.request, job.asked.rasters
        data = await self.file(served.picture)
        return await asyncio.to_thread(served_edit, data, served, rasters, request)

    async def _inputs(self, snapshot: JobSnapshot) -> tuple[EditRequest, InputRasters]:
        """The request and the inputs of a job that was not asked for here, from the server."""
        task = snapshot.task
        marks, avoid = task.get("marks") or {}, task.get("avoid") or {}
        ids = [task["picture"], task.get("sketch"), task.get("insert"), *task.get("rasters", ())]
        guides = task.get("controls", ())
        ids += [one.get("image") for one in guides]
        regional = task.get("regional_prompts") or ()
        ids += [id for one in (marks, avoid, *(one["marks"] for one in regional)) for id in one.get("mask", ())]
        contents = {id: await self.file(id) for id in ids if id is not None}
        files = EditFiles(
            picture=task["picture"],
            request=EditRequest.from_mapping(task["request"]),
            contents=contents,
            places=_places(marks),
            avoid=_places(avoid),
            regions=tuple(map(_region, regional)),
            sketch=task.get("sketch"),
            insert=task.get("insert"),
            controls=tuple(map(control_table, guides)),
            rasters=tuple(task.get("rasters", ())),
        )

        def read() -> tuple[EditRequest, InputRasters]:
            inputs, _ = read_edit(files)
            rest: Any = inputs.rest
            return gather(inputs.picture, inputs.request, rest)

        return await asyncio.to_thread(read)

    @property
    def _url(self) -> str:
        return self.connection.address.url


async def _quietly(call: Coroutine[Any, Any, Any]) -> None:
    with contextlib.suppress(OverpaintError):
        await call


def _places(marks: Mapping[str, Any]) -> Places:
    """The places of a task's marks."""
    names = {"channel": "mask_channel", "resize": "mask_resize"}
    given: dict[str, Any] = {}
    for name, value in marks.items():
        given[names.get(name, name)] = tuple(value) if isinstance(value, list) else value
    return Places(**given)


def _region(table: Mapping[str, Any]) -> RegionPlaces:
    """A regional prompt of a task, with its place."""
    said = {name: value for name, value in table.items() if name != "marks" and value is not None}
    return RegionPlaces(RegionText(**said), _places(table["marks"]))


def checked_id(id: str, length: int) -> str:
    """An id, which becomes a part of a path."""
    if len(id) != length or not set(id) <= set("0123456789abcdef"):
        raise RequestError(f"{id[:80]!r} is no id of a server", field="id", value=id)
    return id


def _preview(monitor: Monitor, data: Mapping[str, Any]) -> None:
    if monitor.wants_previews:
        _, _, coded = str(data.get("image", "")).partition("base64,")
        small = open_picture(base64.b64decode(coded))
        monitor.preview(small.samples[..., :3].astype(np.float32) / np.float32(small.maximum))


_REPORTS: Mapping[str, Callable[[Monitor, Mapping[str, Any]], None]] = {
    "progress": lambda monitor, data: monitor.progress(int(data["step"]), int(data["steps"])),
    "preview": _preview,
    "loading": lambda monitor, data: monitor.loading(str(data["model"])),
    "stage": lambda monitor, data: monitor.stage(str(data["text"])),
    "note": lambda monitor, data: monitor.note(str(data["text"])),
}
"""What a monitor learns from the events of a job."""


async def opened(data: bytes) -> Picture:
    """The picture of a file."""
    return await asyncio.to_thread(open_picture, data)


async def opened_mask(data: bytes) -> Mask:
    """The mask of a file."""
    return await asyncio.to_thread(Mask.from_file, data)
