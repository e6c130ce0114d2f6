"""What a screen shows of a session, and its files."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, Request, Response

from overpaint.picture import Picture
from overpaint.server.described import native_router
from overpaint.server.sessions import ScreenPart, on_screen, shown_digest
from overpaint.server.sessions.screen import MEDIA, ScreenFormat
from overpaint.session import Session

from .callers import Reader, services_of
from .pictures import UNCHANGED
from .sessions import Id, status_of
from .versions import in_thread, shown

router = native_router("sessions")

BoxText = Annotated[
    str | None, Query(max_length=60, description='"left,top,right,bottom" of the picture; left out, all of it')
]
Side = Annotated[int, Query(ge=16, le=4096, description="the longest side of the result; nothing is enlarged")]


@router.get("/sessions/{id}/picture", response_class=Response, responses=UNCHANGED)
async def picture(
    request: Request,
    owner: Reader,
    id: Id,
    box: BoxText = None,
    side: Side = 1024,
    format: ScreenFormat = "webp",
    of: Annotated[
        str, Query(pattern="^(now|original|below:[1-9][0-9]{0,6})$", description="now, original, or below:STEP")
    ] = "now",
    v: Annotated[str | None, Query(max_length=64, description="the picture's digest: then it is kept for good")] = None,
) -> Response:
    """A part of the picture for a screen: at most `side` pixels across, in sRGB. An unchanged part is answered 304."""
    pool = services_of(request).sessions
    part = ScreenPart.of(box, side, format)
    status = await status_of(request, owner, id)
    step = int(of[6:]) if of.startswith("below:") else None
    if step is None:
        look = status.picture if of == "now" else status.original
    else:
        look = await in_thread(pool.read, owner, id, lambda session: session.look_below(step))

    def found(session: Session) -> tuple[str, Picture]:
        if step is not None:
            return session.look_below(step), session.below(step)
        return (session.look, session.picture) if of == "now" else (status.original, session.original)

    def made() -> tuple[str, bytes]:
        seen, pixels = pool.read(owner, id, found)
        return seen, on_screen(pixels, part)

    return await shown(
        request, look, lambda seen: shown_digest(seen, of, box, side, format), MEDIA[format], made, wanted=v
    )
