"""The map that a control would make of a session's picture, to be looked at before anything is painted."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import anyio
from fastapi import Query, Request, Response

from overpaint.errors import RequestError
from overpaint.maps import map_kind
from overpaint.picture import Picture
from overpaint.server.decoding import map_of
from overpaint.server.described import native_router
from overpaint.server.errors import ServerError
from overpaint.server.reading import bounded
from overpaint.server.sessions import ScreenPart, on_screen, shown_digest
from overpaint.session import Session

from .callers import Reader, services_of
from .pictures import UNCHANGED
from .sessions import Id, status_of
from .versions import shown

router = native_router("sessions")

_MOST_WAITING = 8
"""Calls of one owner that wait for their turn; more are refused, so that others are served."""


class MapsBusyError(ServerError):
    """Too many control maps are being made."""

    code = "maps-busy"
    status = 429


@asynccontextmanager
async def map_turn(request: Request, owner: str) -> AsyncIterator[None]:
    """One call's turn to make a map: one at a time in each application, as a map may take much memory.

    Raises:
        MapsBusyError: Too many calls of this owner wait already.
    """
    state = request.app.state
    if not hasattr(state, "control_maps"):
        state.control_maps, state.control_maps_waiting = anyio.CapacityLimiter(1), Counter[str]()
    turns: anyio.CapacityLimiter = state.control_maps
    waiting: Counter[str] = state.control_maps_waiting
    if waiting[owner] >= _MOST_WAITING:
        raise MapsBusyError("too many maps are being made", hint="ask again later")
    waiting[owner] += 1
    try:
        await turns.acquire()
    finally:
        waiting[owner] -= 1
        if not waiting[owner]:
            del waiting[owner]
    try:
        yield
    finally:
        turns.release()


@router.get("/sessions/{id}/map", response_class=Response, responses=UNCHANGED)
async def session_map(
    request: Request,
    owner: Reader,
    id: Id,
    kind: Annotated[str, Query(max_length=40, description="of control: canny, lineart, scribble, softedge or tile")],
    side: Annotated[int, Query(ge=64, le=1024, description="its longest side; nothing is enlarged")] = 512,
    v: Annotated[str | None, Query(max_length=64, description="the picture's digest: then it is kept for good")] = None,
) -> Response:
    """A PNG of the map of a kind that the picture gives without a network. An unchanged one is answered 304."""
    services = services_of(request)
    if map_kind(kind).networks:
        raise RequestError(
            f"a network makes maps of the {{field}} {kind!r}: it is not shown before an edit",
            field="kind",
            value=kind,
            hint="`maps` of POST /edits gives the maps that guided an edit",
        )
    part = ScreenPart.of(None, side, "png")

    def found(session: Session) -> tuple[str, Picture]:
        return session.look, session.picture

    def made() -> tuple[str, bytes]:
        seen, picture = services.sessions.read(owner, id, found)
        pixels = services.settings.most_pixels
        return seen, bounded(services.settings, map_of, on_screen(picture, part), kind, pixels)

    look = (await status_of(request, owner, id)).picture
    async with map_turn(request, owner):  # what waits holds no thread
        return await shown(
            request, look, lambda seen: shown_digest(seen, "map", kind, side, "png"), "image/png", made, wanted=v
        )
