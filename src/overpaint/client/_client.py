"""The client for programs without an event loop: the same calls, run on a loop of its own."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self, Unpack

from overpaint.api import extension, recolouring, removal
from overpaint.engines import Monitor
from overpaint.geometry import Box
from overpaint.mask import Mask
from overpaint.picture import Picture
from overpaint.request import EditRequest, MaskSpec
from overpaint.studio import Edit, EditFailure
from overpaint.studio.inputs import EditArguments, MaskLike
from overpaint.studio.inserts import Pictured
from overpaint.studio.many import many

from ._async_client import AsyncClient
from ._canvases import CanvasCalls
from ._connection import WaitLimits
from ._enhanced import ServedEnhancement
from ._loop import LoopThread
from ._remote_job import RemoteJob
from ._remote_session import RemoteSession
from ._remote_studio import RemoteStudio
from ._served import ServedEdit
from ._session_values import SessionListing
from ._values import SamplerNames, ServerHealth, ServerLoad, UploadedMask, UploadedPicture, UploadedSelection


class Client:
    """A server's pictures, masks and edits, with the calls of `Studio`. Thread-safe; `AsyncClient` describes them.

    with Client("http://127.0.0.1:7860") as client:
        client.remove("photo.jpg", mask).save("photo.clean.jpg")
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
        """Nothing is sent yet. Arguments and errors as of `AsyncClient`."""
        self._client = AsyncClient(url, key, key_file=key_file, limits=limits, verify=verify)
        self.address = self._client.address
        self._loop = LoopThread()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.address.url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections. Jobs go on; the client can be used again afterwards."""
        self._loop.run(self._client.close())
        self._loop.close()

    def studio(self) -> RemoteStudio:
        """A studio on this machine whose engines are the server's: an edit's result has all its parts, layers too, and
        only what the engine sees leaves this machine. Close it before the client.
        """
        return RemoteStudio(CanvasCalls(self._client._calls), self._loop)

    # ── the server ────────────────────────────────────────────────────────────────────────────────────────────────

    def health(self) -> ServerHealth:
        """That the server answers, and its version. Needs no key."""
        return self._loop.run(self._client.health())

    def state(self) -> ServerLoad:
        """What the server does for this client now."""
        return self._loop.run(self._client.state())

    def engines(self) -> list[dict[str, Any]]:
        """The server's engines, what each accepts, and its own options."""
        return self._loop.run(self._client.engines())

    def models(self) -> list[dict[str, Any]]:
        """The checkpoints and networks on the server."""
        return self._loop.run(self._client.models())

    def intents(self) -> list[dict[str, Any]]:
        """The purposes of edits, and the settings that follow from each."""
        return self._loop.run(self._client.intents())

    def samplers(self) -> SamplerNames:
        """The samplers and schedulers of engines that denoise."""
        return self._loop.run(self._client.samplers())

    # ── pictures and masks ────────────────────────────────────────────────────────────────────────────────────────

    def upload(self, picture: Pictured) -> UploadedPicture:
        """Have the server keep a picture. It is sent only where the server does not have it yet."""
        return self._loop.run(self._client.upload(picture))

    def picture(self, id: str) -> UploadedPicture:
        """What the server knows of a picture. NotFoundError where it has no such."""
        return self._loop.run(self._client.picture(id))

    def pictures(self, limit: int = 100) -> list[UploadedPicture]:
        """One's own pictures on the server, the newest first."""
        return self._loop.run(self._client.pictures(limit))

    def download(self, id: str) -> bytes:
        """The file of a picture or a mask, byte by byte. NotFoundError where the server has no such."""
        return self._loop.run(self._client.download(id))

    def open(self, id: str) -> Picture:
        """A picture of the server. NotFoundError where it has no such."""
        return self._loop.run(self._client.open(id))

    def open_mask(self, id: str) -> Mask:
        """A mask of the server. NotFoundError where it has no such."""
        return self._loop.run(self._client.open_mask(id))

    def thumbnail(self, id: str, side: int = 256) -> bytes:
        """A WebP of at most `side` pixels across."""
        return self._loop.run(self._client.thumbnail(id, side))

    def overlay(self, picture: str, mask: str, *, opacity: float = 0.6, side: int = 1024) -> bytes:
        """A WebP of at most `side` pixels across: a picture with a mask laid over it, both by their ids."""
        return self._loop.run(self._client.overlay(picture, mask, opacity=opacity, side=side))

    def delete_picture(self, id: str) -> None:
        """Remove a picture from the server. Jobs that wait for it fail."""
        self._loop.run(self._client.delete_picture(id))

    def make_mask(
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
        """Have the server draw a mask for a picture. See `AsyncClient.make_mask`."""
        made = self._client.make_mask(
            picture,
            spec,
            marks=marks,
            fill_holes=fill_holes,
            remove_specks=remove_specks,
            grow=grow,
            feather=feather,
            threshold=threshold,
        )
        return self._loop.run(made)

    def selections(
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
        """What a selector of the server finds in a picture. See `AsyncClient.selections`."""
        found = self._client.selections(
            picture, selector, points=points, not_points=not_points, text=text, boxes=boxes, mask=mask, **options
        )
        return self._loop.run(found)

    # ── edits ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def submit(
        self,
        picture: Pictured,
        request: EditRequest | None = None,
        *,
        count: int = 1,
        idempotency_key: str | None = None,
        **given: Unpack[EditArguments],
    ) -> RemoteJob:
        """Ask for an edit, and do not wait for it. See `AsyncClient.submit`."""
        asked = self._client.submit(picture, request, count=count, idempotency_key=idempotency_key, **given)
        return RemoteJob(self._loop.run(asked), self._loop)

    def jobs(self, state: str | None = None, limit: int = 100) -> list[RemoteJob]:
        """One's own jobs, the newest first, all or those in a state."""
        return [RemoteJob(one, self._loop) for one in self._loop.run(self._client.jobs(state, limit))]

    def job(self, id: str) -> RemoteJob:
        """A job by its id, also one that another program asked for. NotFoundError where there is no such."""
        return RemoteJob(self._loop.run(self._client.job(id)), self._loop)

    def edit(
        self,
        picture: Pictured,
        request: EditRequest | None = None,
        *,
        monitor: Monitor | None = None,
        **given: Unpack[EditArguments],
    ) -> ServedEdit:
        """Repaint the masked part of a picture on the server. Where this call is interrupted, the job is cancelled."""
        return self._loop.run(self._client.edit(picture, request, monitor=monitor, **given))

    def remove(self, picture: Pictured, mask: MaskLike, **settings: Any) -> ServedEdit:
        """Remove the masked object from the picture. See `overpaint.remove`."""
        return self.edit(picture, **removal(mask, settings))

    def recolor(self, picture: Pictured, mask: MaskLike, to: str, **settings: Any) -> ServedEdit:
        """Give the masked object another colour. See `overpaint.recolor`."""
        return self.edit(picture, **recolouring(mask, to, settings))

    def expand(
        self, picture: Pictured, *, left: int = 0, top: int = 0, right: int = 0, bottom: int = 0, **settings: Any
    ) -> ServedEdit:
        """Extend the picture beyond its borders. See `overpaint.expand`."""
        return self.edit(picture, **extension((left, top, right, bottom), settings))

    def enlarge(
        self,
        picture: Pictured,
        *,
        scale: float | None = None,
        width: int | None = None,
        height: int | None = None,
        model: str | None = None,
        monitor: Monitor | None = None,
    ) -> ServedEnhancement:
        """Enlarge a picture on the server. See `AsyncClient.enlarge`."""
        made = self._client.enlarge(picture, scale=scale, width=width, height=height, model=model, monitor=monitor)
        return self._loop.run(made)

    def restore(
        self,
        picture: Pictured,
        *,
        model: str | None = None,
        weight: float = 1.0,
        fidelity: float | None = None,
        detector: str | None = None,
        monitor: Monitor | None = None,
    ) -> ServedEnhancement:
        """Restore the faces of a picture on the server. See `AsyncClient.restore`."""
        how: dict[str, Any] = {"weight": weight, "fidelity": fidelity, "detector": detector}
        made = self._client.restore(picture, model=model, monitor=monitor, **how)
        return self._loop.run(made)

    def enhancers(self) -> list[dict[str, Any]]:
        """The networks of the server that enlarge, restore faces or find them. See `AsyncClient.enhancers`."""
        return self._loop.run(self._client.enhancers())

    def variations(
        self,
        picture: Pictured,
        request: EditRequest | None = None,
        *,
        count: int,
        monitor: Monitor | None = None,
        **given: Unpack[EditArguments],
    ) -> Iterator[ServedEdit]:
        """One edit with `count` seeds, one after another. See `Studio.variations`."""
        return self._loop.each(self._client.variations(picture, request, count=count, monitor=monitor, **given))

    def edit_many(
        self,
        edits: Iterable[Edit | tuple[Pictured, MaskLike] | Pictured],
        request: EditRequest | None = None,
        *,
        ahead: int = 16,
        **given: Unpack[EditArguments],
    ) -> Iterator[ServedEdit | EditFailure]:
        """Make many edits, in their order; one that fails gives an EditFailure. See `Studio.edit_many`.

        Args:
            edits, request, **given: As of `Studio.edit_many`.
            ahead: How many the server has at once.
        """
        return many(self.edit, edits, request, ahead, given)

    # ── sessions ──────────────────────────────────────────────────────────────────────────────────────────────────

    def create_session(
        self, picture: Pictured | UploadedPicture, name: str = "", *, audited: bool = False
    ) -> RemoteSession:
        """Begin a session with a picture. See `AsyncClient.create_session`."""
        begun = self._loop.run(self._client.create_session(picture, name, audited=audited))
        return RemoteSession(begun, self._loop)

    def upload_session(
        self, file: str | os.PathLike[str] | bytes, name: str = "", *, audited: bool = False
    ) -> RemoteSession:
        """Have the server keep a whole session. See `AsyncClient.upload_session`."""
        kept = self._loop.run(self._client.upload_session(file, name, audited=audited))
        return RemoteSession(kept, self._loop)

    def session(self, id: str, *, guarded: bool = False) -> RemoteSession:
        """A session by its id. NotFoundError where there is no such. See `AsyncClient.session`."""
        return RemoteSession(self._loop.run(self._client.session(id, guarded=guarded)), self._loop)

    def sessions(self, limit: int = 100) -> list[SessionListing]:
        """One's own sessions on the server, the newest first."""
        return self._loop.run(self._client.sessions(limit))


def studio_at(
    url: str | None = None, key: str | None = None, *, key_file: str | os.PathLike[str] | None = None
) -> RemoteStudio:
    """A studio on this machine whose engines are those of a server; it closes its own client. See `Client.studio`."""
    client = Client(url, key, key_file=key_file)
    return RemoteStudio(CanvasCalls(client._client._calls), client._loop, client.close)
