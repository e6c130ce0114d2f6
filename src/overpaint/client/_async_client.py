"""The client for programs with an event loop."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Sequence
from typing import Any, Self, Unpack

from overpaint.api import extension, recolouring, removal
from overpaint.engines import Monitor
from overpaint.geometry import Box
from overpaint.mask import Mask
from overpaint.picture import Picture
from overpaint.request import EditRequest, MaskSpec
from overpaint.studio import EnlargeSettings, RestoreSettings
from overpaint.studio.inputs import EditArguments, MaskLike
from overpaint.studio.inserts import Pictured

from ._address import address_of
from ._async_job import AsyncJob
from ._async_session import AsyncSession
from ._calls import AskedJob, Calls, checked_id, opened, opened_mask
from ._connection import Connection, FileBody, WaitLimits
from ._enhanced import ServedEnhancement
from ._served import ServedEdit
from ._session_values import SessionListing, SessionSnapshot, session_file
from ._values import SamplerNames, ServerHealth, ServerLoad, UploadedMask, UploadedPicture, UploadedSelection


class AsyncClient:
    """A server's pictures, masks and edits. `Client` has the same methods for programs without an event loop.

    It belongs to the event loop on which it is first used.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        key_file: str | os.PathLike[str] | None = None,
        limits: WaitLimits | None = None,
        verify: ssl.SSLContext | bool = True,
    ) -> None:
        """Nothing is sent yet.

        Args:
            url: Where the server is: "http://127.0.0.1:7860"; left out, what the environment's OVERPAINT_SERVER says.
            key: The key for it; left out, that of `key_file`, of OVERPAINT_KEY, or in the file OVERPAINT_KEY_FILE.
            key_file: A file with the key, which nobody else may read.
            limits: How long it is waited for.
            verify: How an https server is verified: an SSL context, say with the certificate of one's own authority.

        Raises:
            RequestError: There is no URL, or it is none of a server.
            CredentialsError: The key can't be read, or can't be one.
        """
        self.address = address_of(url, key, key_file)
        self._connection = Connection(self.address, limits or WaitLimits(), verify)
        self._calls = Calls(self._connection)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.address.url}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close its connections. Jobs go on."""
        await self._calls.settle()
        await self._connection.close()

    # ── the server ────────────────────────────────────────────────────────────────────────────────────────────────

    async def health(self) -> ServerHealth:
        """That the server answers, and its version. Needs no key."""
        return ServerHealth.of(await self._connection.ask("GET", "/health"), self.address.url)

    async def state(self) -> ServerLoad:
        """What the server does for this client now."""
        return ServerLoad.of(await self._connection.ask("GET", "/state"), self.address.url)

    async def engines(self) -> list[dict[str, Any]]:
        """The server's engines, what each accepts, and its own options."""
        return list(await self._connection.ask("GET", "/engines"))

    async def models(self) -> list[dict[str, Any]]:
        """The checkpoints and networks on the server."""
        return list(await self._connection.ask("GET", "/models"))

    async def intents(self) -> list[dict[str, Any]]:
        """The purposes of edits, and the settings that follow from each."""
        return list(await self._connection.ask("GET", "/intents"))

    async def samplers(self) -> SamplerNames:
        """The samplers and schedulers of engines that denoise."""
        return SamplerNames.of(await self._connection.ask("GET", "/samplers"), self.address.url)

    # ── pictures and masks ────────────────────────────────────────────────────────────────────────────────────────

    async def upload(self, picture: Pictured) -> UploadedPicture:
        """Have the server keep a picture. It is sent only where the server does not have it yet.

        Args:
            picture: A picture, an array, a PIL image, or a file: its path, its bytes or open.

        Raises:
            PictureError: It can't be read.
        """
        return await self._calls.upload_picture(picture)

    async def picture(self, id: str) -> UploadedPicture:
        """What the server knows of a picture. NotFoundError where it has no such."""
        return await self._calls.picture(id)

    async def pictures(self, limit: int = 100) -> list[UploadedPicture]:
        """One's own pictures on the server, the newest first."""
        return await self._calls.pictures(limit)

    async def download(self, id: str) -> bytes:
        """The file of a picture or a mask, byte by byte. NotFoundError where the server has no such."""
        return await self._calls.file(id)

    async def open(self, id: str) -> Picture:
        """A picture of the server. NotFoundError where it has no such."""
        return await opened(await self.download(id))

    async def open_mask(self, id: str) -> Mask:
        """A mask of the server. NotFoundError where it has no such."""
        return await opened_mask(await self.download(id))

    async def thumbnail(self, id: str, side: int = 256) -> bytes:
        """A WebP of at most `side` pixels across."""
        return await self._calls.file(id, "thumbnail", side=side)

    async def overlay(self, picture: str, mask: str, *, opacity: float = 0.6, side: int = 1024) -> bytes:
        """A WebP of at most `side` pixels across: a picture with a mask laid over it, both by their ids."""
        return await self._calls.file(picture, "overlay", mask=mask, opacity=opacity, side=side)

    async def delete_picture(self, id: str) -> None:
        """Remove a picture from the server. Jobs that wait for it fail."""
        await self._calls.delete_picture(id)

    async def make_mask(
        self,
        picture: Pictured | UploadedPicture,
        spec: MaskSpec | None = None,
        *,
        marks: dict[str, Any] | None = None,
        fill_holes: bool = False,
        remove_specks: float = 0.0,
        grow: float = 0.0,
        feather: float = 0.0,
        threshold: float | None = None,
    ) -> UploadedMask:
        """Have the server draw a mask for a picture: its parts are joined, then refined in this order.

        Args:
            picture: The picture.
            spec: Parts that are added, subtracted and intersected.
            marks: Where, as the server's API has it: {"box": ["10%,20%,30%,40%"], "mask": [ID]}.
            fill_holes: Mark what is enclosed.
            remove_specks: Unmark parts of fewer pixels than this.
            grow: Pixels outward; negative shrinks.
            feather: Radius in pixels of a soft edge.
            threshold: Make it hard: 1 from this value on.

        Raises:
            MaskError, RequestError: A shape can't be used, or nothing is marked.
        """
        task: dict[str, Any] = {
            "spec": None if spec is None else spec.to_mapping(),
            "marks": marks,
            "fill_holes": fill_holes,
            "remove_specks": remove_specks,
            "grow": grow,
            "feather": feather,
            "threshold": threshold,
        }
        return await self._calls.make_mask(picture, task)

    async def selections(
        self,
        picture: Pictured | UploadedPicture,
        selector: str | None = None,
        *,
        points: Sequence[tuple[float, float]] = (),
        not_points: Sequence[tuple[float, float]] = (),
        text: str = "",
        boxes: Sequence[Box | tuple[int, int, int, int]] = (),
        mask: Mask | None = None,
        **options: Any,
    ) -> list[UploadedSelection]:
        """What a selector of the server finds in a picture, the surest first: masks that the server keeps.

        Arguments and errors as of `overpaint.selections`.
        """
        task: dict[str, Any] = {
            "selector": selector,
            "points": [list(one) for one in points],
            "not_points": [list(one) for one in not_points],
            "text": text,
            "boxes": [list(one) for one in boxes],
            "options": options,
        }
        return await self._calls.selections(picture, task, mask)

    # ── edits ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def submit(
        self,
        picture: Pictured,
        request: EditRequest | None = None,
        *,
        count: int = 1,
        idempotency_key: str | None = None,
        **given: Unpack[EditArguments],
    ) -> AsyncJob:
        """Ask for an edit, and do not wait for it. The server does it even if this program ends.

        A lost connection never paints twice: the request has a name, which the server knows again.

        Args:
            picture, request, **given: As of `Studio.edit`.
            count: How many variations, with seeds from the first on.
            idempotency_key: That name; one of its own is drawn when it is left out. The same name gives the same job.

        Raises:
            PictureError, MaskError, RequestError: What came in can't be used.
            TooManyJobsError: The server has had no room for too long.
        """
        job = await self._calls.submit(picture, request, given, count=count, key=idempotency_key)
        return AsyncJob(self._calls, job)

    async def jobs(self, state: str | None = None, limit: int = 100) -> list[AsyncJob]:
        """One's own jobs, the newest first.

        Args:
            state: "queued", "running", "done", "failed" or "cancelled"; None: all.
            limit: How many at most.
        """
        return [AsyncJob(self._calls, AskedJob(one)) for one in await self._calls.jobs(state, limit)]

    async def job(self, id: str) -> AsyncJob:
        """A job by its id, also one that another program asked for. NotFoundError where there is no such."""
        return AsyncJob(self._calls, AskedJob(await self._calls.job(id)))

    async def edit(
        self,
        picture: Pictured,
        request: EditRequest | None = None,
        *,
        monitor: Monitor | None = None,
        **given: Unpack[EditArguments],
    ) -> ServedEdit:
        """Repaint the masked part of a picture on the server. Where this call is stopped, so is the job.

        Args:
            picture, request, **given: As of `Studio.edit`.
            monitor: Progress, previews and cancellation.

        Raises:
            OverpaintError: As `Studio.edit`.
            ServerUnreachableError: The server is away for too long.
        """
        job = await self._calls.painted(await self._calls.submit(picture, request, given), monitor)
        return await self._calls.result(job, 0)

    async def remove(self, picture: Pictured, mask: MaskLike, **settings: Any) -> ServedEdit:
        """Remove the masked object from the picture. See `overpaint.remove`."""
        return await self.edit(picture, **removal(mask, settings))

    async def recolor(self, picture: Pictured, mask: MaskLike, to: str, **settings: Any) -> ServedEdit:
        """Give the masked object another colour. See `overpaint.recolor`."""
        return await self.edit(picture, **recolouring(mask, to, settings))

    async def expand(
        self, picture: Pictured, *, left: int = 0, top: int = 0, right: int = 0, bottom: int = 0, **settings: Any
    ) -> ServedEdit:
        """Extend the picture beyond its borders. See `overpaint.expand`."""
        return await self.edit(picture, **extension((left, top, right, bottom), settings))

    async def enlarge(
        self,
        picture: Pictured,
        *,
        scale: float | None = None,
        width: int | None = None,
        height: int | None = None,
        model: str | None = None,
        monitor: Monitor | None = None,
    ) -> ServedEnhancement:
        """Enlarge a picture on the server. Where this call is stopped, so is the job.

        Args:
            picture, scale, width, height: As of `overpaint.enlarge`.
            model: The name of a network on the server, one of `enhancers`; None: filters that the picture teaches.
            monitor: Progress and cancellation.

        Raises:
            RequestError: The picture would not get larger, or more than 16 times as large.
            ModelError: The server has no such network, or may not use it.
        """
        settings = EnlargeSettings(scale=scale, width=width, height=height, model=model)
        return await self._calls.enhance(picture, settings, monitor)

    async def restore(
        self,
        picture: Pictured,
        *,
        model: str | None = None,
        weight: float = 1.0,
        fidelity: float | None = None,
        detector: str | None = None,
        monitor: Monitor | None = None,
    ) -> ServedEnhancement:
        """Restore the faces of a picture on the server. Where this call is stopped, so is the job.

        Args:
            picture: The picture.
            model, detector: Names of networks on the server, of `enhancers`; left out, those that it has. "none" for
                the detector: a cascade finds faces.
            weight: 0 leaves faces as they are, 1 takes what the network makes of them.
            fidelity: Of CodeFormer alone: 0 restores the most, 1 keeps the most of the face.
            monitor: Progress and cancellation.

        Raises:
            ModelError: The server has no such network, or may not use it.
        """
        settings = RestoreSettings(model=model, weight=weight, fidelity=fidelity, detector=detector)
        return await self._calls.enhance(picture, settings, monitor)

    async def enhancers(self) -> list[dict[str, Any]]:
        """The networks of the server that enlarge ("upscaler"), restore faces ("faces") or find them, by name."""
        found: list[dict[str, Any]] = await self._connection.ask("GET", "/enhancers")
        return found

    async def variations(
        self,
        picture: Pictured,
        request: EditRequest | None = None,
        *,
        count: int,
        monitor: Monitor | None = None,
        **given: Unpack[EditArguments],
    ) -> AsyncIterator[ServedEdit]:
        """One edit with `count` seeds, one after another. See `Studio.variations`."""
        job = await self._calls.painted(await self._calls.submit(picture, request, given, count=count), monitor)
        for number in range(len(job.snapshot.results)):
            yield await self._calls.result(job, number)

    # ── sessions ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def create_session(
        self, picture: Pictured | UploadedPicture, name: str = "", *, audited: bool = False
    ) -> AsyncSession:
        """Begin a session with a picture, whose file is kept in it as it is.

        Args:
            picture: The picture; it is sent where the server does not have it.
            name: For people.
            audited: Whether everything that is done is kept in an audit log.

        Raises:
            PictureError: It can't be read.
        """
        kept = picture if isinstance(picture, UploadedPicture) else await self.upload(picture)
        task = {"picture": kept.id, "name": name, "audited": audited}
        return self._session(await self._connection.ask("POST", "/sessions", table=task, again=False))

    async def upload_session(
        self, file: str | os.PathLike[str] | bytes, name: str = "", *, audited: bool = False
    ) -> AsyncSession:
        """Have the server keep a whole session.

        Args:
            file: Its `.overpaint` file: the path, or the bytes.
            name: For people; "" for that of its original.
            audited: Whether what is done from now on is kept in an audit log.

        Raises:
            SessionError: It is none, or is damaged.
        """
        data = file if isinstance(file, bytes) else await asyncio.to_thread(session_file, file)
        query = {"name": name, "audited": audited}
        sent = self._connection.ask("POST", "/sessions/file", body=FileBody(data), params=query, again=False)
        return self._session(await sent)

    async def session(self, id: str, *, guarded: bool = False) -> AsyncSession:
        """A session by its id. NotFoundError where there is no such.

        Args:
            id: Its id.
            guarded: Whether its changes are made only where nothing else has changed it (see `AsyncSession`).
        """
        found = await self._connection.ask("GET", f"/sessions/{checked_id(id, 32)}")
        return self._session(found, guarded=guarded)

    async def sessions(self, limit: int = 100) -> list[SessionListing]:
        """One's own sessions on the server, the newest first."""
        found = await self._connection.ask("GET", "/sessions", params={"limit": limit})
        return [SessionListing.of(one, self.address.url) for one in found]

    def _session(self, table: Any, *, guarded: bool = False) -> AsyncSession:
        return AsyncSession(self._calls, SessionSnapshot.of(table, self.address.url), guarded=guarded)
