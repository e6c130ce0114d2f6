"""Canvases that a server paints for a studio on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from overpaint.engines import Canvas, EngineCard, Monitor, Painted
from overpaint.engines.card_table import card_from
from overpaint.engines.packed import CANVAS_PROTOCOL, other_protocol, pack_canvas, unpack_painted
from overpaint.errors import Cancelled, NotFoundError, OverpaintError, ServerError
from overpaint.request import EditRequest, Execution, Sampling, UsedModel

from ._calls import Calls
from ._connection import FileBody
from ._replies import foreign

_TRIES = 3
"""Times that a canvas is sent which the server had removed by the time that its job began."""

_LARGE = 1 << 20
"""Bytes from which on it is worth asking whether the server has a canvas."""

_NOT_NEEDED = ("image", "mask", "avoid", "sketch")
"""Fields of a request that the choice of an engine does not depend on."""

_ANYWHERE = {"parts": [{"kind": "full"}]}
"""In place of the masks of regional prompts, of which that choice needs the texts alone."""


@dataclass(frozen=True, slots=True, eq=False)
class ServedPainter:
    """What a server paints a request with.

    Attributes:
        engine: The engine's name.
        card: Its card.
        model: The model that it runs; None for none.
        options: Its own options, checked and complete.
        models: The files of weights that it uses.
        notes: What a person should know before it begins.
        filled: Fields of the request that its preset filled in there.
    """

    engine: str
    card: EngineCard
    model: str | None
    options: Mapping[str, Any]
    models: tuple[UsedModel, ...]
    notes: tuple[str, ...]
    filled: Mapping[str, Any]


class CanvasCalls:
    """Calls of a server's engines. Used on one event loop."""

    def __init__(self, calls: Calls) -> None:
        """`calls` has the connection."""
        self._calls = calls
        self._uses: Counter[str] = Counter()
        self._live: set[asyncio.Task[Any]] = set()
        self._leaving: dict[str, asyncio.Future[Any]] = {}

    async def painter(self, request: EditRequest) -> ServedPainter:
        """What would paint a request. Raises as the server's studio does."""
        table = {name: value for name, value in request.to_mapping().items() if name not in _NOT_NEEDED}
        if "regional_prompts" in table:
            table["regional_prompts"] = [{**one, "mask": _ANYWHERE} for one in table["regional_prompts"]]
        question = {"protocol": CANVAS_PROTOCOL, "request": table}
        url = self._calls.connection.address.url
        try:
            found = await self._calls.connection.ask("POST", "/painters", table=question)
        except NotFoundError as error:
            raise _older(url) if error.code == "not-found" else error from None
        except ServerError as error:
            raise _older(url) if error.status in (404, 405) else error from None
        try:
            if found["protocol"] != CANVAS_PROTOCOL:
                raise other_protocol(found["protocol"])
            return ServedPainter(
                engine=found["engine"],
                card=card_from(found["card"]),
                model=found["model"],
                options=dict(found["options"]),
                models=tuple(UsedModel(**one) for one in found["models"]),
                notes=tuple(map(str, found["notes"])),
                filled=dict(found.get("filled") or {}),
            )
        except OverpaintError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise foreign(url, f"its reply has another form ({error})") from None

    async def paint(
        self, engine: str, model: str | None, canvas: Canvas, monitor: Monitor
    ) -> tuple[Painted, Execution]:
        """Have a canvas painted, and on what. Where this call is stopped, so is the job.

        Raises:
            OverpaintError: As the engine.
        """
        task = asyncio.current_task()
        assert task is not None
        self._live.add(task)
        try:
            body = await asyncio.to_thread(lambda: FileBody(pack_canvas(canvas)))
            settings = settings_of(engine, model, canvas)
            for attempt in range(_TRIES):
                with contextlib.suppress(NotFoundError):
                    return await self._painted(body, settings, monitor)
                if attempt:
                    await asyncio.sleep(0.2 * attempt)
            raise ServerError("the server removes canvases before they are painted", code="server-refused")
        finally:
            self._live.discard(task)

    async def _painted(
        self, body: FileBody, settings: Mapping[str, Any], monitor: Monitor
    ) -> tuple[Painted, Execution]:
        id = await asyncio.to_thread(body.digest)
        self._uses[id] += 1
        done: list[str] = []
        try:
            if id in self._leaving:  # the same canvas once more, which the server is about to forget
                await asyncio.wait({self._leaving[id]})
            await self._calls.upload_to("/canvases", body, ask=len(body.data) >= _LARGE)
            job = await self._calls.asked_for(f"/canvases/{id}/paint", settings, secrets.token_hex(16))
            try:
                found = await self._calls.ended(job.id, monitor)
            except (asyncio.CancelledError, Cancelled):
                await self._calls.give_up(job.id)
                raise
            result = found.canvases[0]
            done = [f"/edits/{job.id}", f"/canvases/{result}"]
            reply = await self._calls.connection.send("GET", f"/canvases/{result}/file")
            painted, table = await asyncio.to_thread(unpack_painted, reply.content)
            return painted, Execution(**table["execution"])
        finally:
            self._uses[id] -= 1
            if not self._uses[id]:
                del self._uses[id]
                done.append(f"/canvases/{id}")
            leaving = self._calls.later(self._forget(done, id))
            self._leaving[id] = leaving
            leaving.add_done_callback(lambda ended: self._left(id, ended))

    def _left(self, id: str, ended: asyncio.Future[Any]) -> None:
        if self._leaving.get(id) is ended:
            del self._leaving[id]

    async def _forget(self, paths: list[str], id: str) -> None:
        """Have the server forget what is not needed any more; what is left it removes after a day."""
        for path in paths:
            if path == f"/canvases/{id}" and self._uses[id]:
                continue
            with contextlib.suppress(OverpaintError):
                await self._calls.connection.send("DELETE", path)

    async def stop(self) -> None:
        """Stop all that is being painted, and wait until the server knows."""
        live = set(self._live)
        for task in live:
            if not task.cancelling():
                task.cancel()
        if live:
            await asyncio.wait(live, timeout=15.0)


def settings_of(engine: str, model: str | None, canvas: Canvas) -> dict[str, Any]:
    """How a canvas is painted, as plain values."""
    found: dict[str, Any] = {
        "engine": engine,
        "options": canvas.options.model_dump(mode="json"),
        "controls": [one.control.to_mapping() for one in canvas.controls],
        "seed": canvas.seed,
    }
    if model is not None:
        found["model"] = model
    if canvas.sampling is not None:
        given = {one.name: getattr(canvas.sampling, one.name) for one in fields(Sampling)}
        if texts := given.pop("regional_prompts"):
            found["regional_prompts"] = [one.to_mapping() for one in texts]
        found["sampling"] = EditRequest(
            **{name: value for name, value in given.items() if value is not None}
        ).to_mapping()
    return found


def _older(url: str) -> ServerError:
    return ServerError(
        f"the server {url} is of a version that paints no canvases",
        code="server-version",
        field="server",
        value=url,
        hint="use the same version of Overpaint on both machines",
    )
