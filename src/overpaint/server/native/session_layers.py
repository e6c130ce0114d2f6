"""The layers of a session: each step's mask, its paint, and the picture with another take."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import Query, Request, Response
from pydantic import Field

from overpaint.doors.reading import EditFiles, read_beside, unseen
from overpaint.errors import MaskError
from overpaint.mask import Mask
from overpaint.picture import Colour, encode, from_array
from overpaint.request import EditRequest
from overpaint.server.decoding import levels_of
from overpaint.server.described import native_router
from overpaint.server.reading import bounded, soon_drawn
from overpaint.server.sessions import ScreenPart, SessionStatus, on_screen, shown_digest
from overpaint.server.sessions.screen import MEDIA, ScreenFormat
from overpaint.server.tasks import Marks
from overpaint.session import PaintLayer, Session
from overpaint.studio.masks import mask_of
from overpaint.values import Value

from .callers import Editor, Reader, services_of
from .pictures import UNCHANGED, body_of
from .session_edits import StepNumber
from .session_pictures import BoxText, Side
from .sessions import Id, changed, status_of
from .versions import Version, in_thread, shown

router = native_router("sessions")

Take = Annotated[int | None, Query(ge=1, le=10_000, description="one of its takes; left out, the one that shows")]

_BODY = body_of("*/*")


class MaskBrush(Value):
    """What is painted back."""

    marks: Marks = Field(description="where")
    feather: float = Field(default=0, ge=0, le=4096, description="radius in pixels of a soft edge")
    show: bool = Field(default=False, description="let the step show again there, in place of what is below it")


@router.get("/sessions/{id}/steps/{step}/mask", response_class=Response, responses=UNCHANGED)
async def mask(request: Request, owner: Reader, id: Id, step: StepNumber) -> Response:
    """Where a step shows: a PNG of the present picture's size, white = shown."""
    pool = services_of(request).sessions
    status = await status_of(request, owner, id)

    def made() -> tuple[str, bytes]:
        version, levels = pool.read(owner, id, lambda session: (_version_of(session), session.shown(step)))
        return version, encode(from_array(levels), "png").data

    look = await in_thread(pool.read, owner, id, _version_of)
    return await shown(request, look, lambda seen: shown_digest(status.id, "mask", step, seen), "image/png", made)


@router.put("/sessions/{id}/steps/{step}/mask", openapi_extra=_BODY)
async def set_mask(
    request: Request, owner: Editor, id: Id, step: StepNumber, response: Response, version: Version
) -> SessionStatus:
    """Set where a step shows. The body is a picture of the present picture's size, white = shown."""
    services = services_of(request)
    data = await request.body()
    if not data:
        raise MaskError("the body of the request is empty, and should be the mask's file")
    await status_of(request, owner, id)
    settings = services.settings
    levels = await in_thread(bounded, settings, levels_of, data, settings.most_pixels)

    def act(session: Session) -> None:
        session.set_mask(step, Mask(levels.astype(np.float32) / np.float32(255)))

    return await changed(request, owner, id, response, version, act)


@router.delete("/sessions/{id}/steps/{step}/mask")
async def reset_mask(
    request: Request, owner: Editor, id: Id, step: StepNumber, response: Response, version: Version
) -> SessionStatus:
    """Let a step show everywhere again."""
    return await changed(request, owner, id, response, version, lambda session: session.mask(step, None))


@router.post("/sessions/{id}/steps/{step}/mask")
async def paint_back(
    request: Request, owner: Editor, id: Id, step: StepNumber, task: MaskBrush, response: Response, version: Version
) -> SessionStatus:
    """Paint what is below a step back where it is marked; in the lowest step that is the original."""
    services = services_of(request)

    def drawn() -> Mask:
        picture = services.sessions.read(owner, id, lambda session: session.picture)
        contents = {one: services.pictures.data(owner, one) for one in task.marks.mask}
        places, pixels = task.marks.places(), services.settings.most_pixels
        files = EditFiles(picture="", request=EditRequest(), contents=contents, places=places, pixels=pixels)
        seen = unseen(picture, files)
        inputs = bounded(services.settings, read_beside, seen, files) if contents else read_beside(seen, files)
        found = inputs.mask
        if found is None:
            if inputs.request.mask is None:
                raise MaskError("nothing is marked", hint="set marks")
            found = mask_of(inputs.request.mask, picture.size, inputs=inputs.rasters, picture=picture)
        return found.feather(task.feather) if task.feather else found

    mask = await in_thread(soon_drawn, drawn)
    return await changed(
        request, owner, id, response, version, lambda session: session.mask(step, mask, show=task.show)
    )


@router.get("/sessions/{id}/steps/{step}/patch", response_class=Response, responses=UNCHANGED)
async def patch(
    request: Request,
    owner: Reader,
    id: Id,
    step: StepNumber,
    take: Take = None,
    side: Annotated[
        int | None, Query(ge=16, le=4096, description="for a thumbnail in sRGB; left out, all pixels in full depth")
    ] = None,
    format: ScreenFormat = "png",
) -> Response:
    """What a step has painted, transparent where it painted nothing. The header `overpaint-box` says where it lies."""
    pool = services_of(request).sessions
    await status_of(request, owner, id)
    box = ""

    def made() -> tuple[str, bytes]:
        nonlocal box
        digest, layer = pool.read(owner, id, lambda session: (session.take(step, take), session.paint(step, take)))
        box = ",".join(map(str, layer.box))
        return digest, _patch_file(layer, side, format)

    look = await in_thread(pool.read, owner, id, lambda session: session.take(step, take))
    full = side is None
    media = "image/png" if full else MEDIA[format]
    reply = await shown(
        request, look, lambda seen: shown_digest(seen, "patch", side, "" if full else format), media, made
    )
    if box:
        reply.headers["overpaint-box"] = box
    return reply


@router.get("/sessions/{id}/steps/{step}/picture", response_class=Response, responses=UNCHANGED)
async def picture_with(
    request: Request,
    owner: Reader,
    id: Id,
    step: StepNumber,
    take: Take = None,
    box: BoxText = None,
    side: Side = 1024,
    format: ScreenFormat = "webp",
) -> Response:
    """The present picture if this step showed with one of its takes, as `/picture` gives it."""
    pool = services_of(request).sessions
    part = ScreenPart.of(box, side, format)
    await status_of(request, owner, id)

    def made() -> tuple[str, bytes]:
        seen, picture = pool.read(
            owner, id, lambda session: (session.look_with(step, take), session.picture_with(step, take))
        )
        return seen, on_screen(picture, part)

    look = await in_thread(pool.read, owner, id, lambda session: session.look_with(step, take))
    return await shown(request, look, lambda seen: shown_digest(seen, "now", box, side, format), MEDIA[format], made)


def _patch_file(layer: PaintLayer, side: int | None, format: ScreenFormat) -> bytes:
    if side is not None:
        return on_screen(layer.picture, ScreenPart(None, side, format))
    if layer.picture.colour is Colour.CMYK:  # PNG has no inks
        return on_screen(layer.picture, ScreenPart(None, max(layer.picture.size), "png"))
    return encode(layer.picture, "png").data


def _version_of(session: Session) -> str:
    return str(len(session.actions))
