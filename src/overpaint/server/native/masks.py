"""Masks: made of shapes and files, joined, refined, and looked at. A mask is a stored picture, white = repaint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import Field

from overpaint.doors.places import Places
from overpaint.doors.reading import EditFiles
from overpaint.geometry import Size
from overpaint.request import EditRequest
from overpaint.server.decoding import PictureFacts
from overpaint.server.described import native_router
from overpaint.server.masking import MadeMask, MaskTask, drawn_mask, files_of, overlaid
from overpaint.server.pictures import PictureStore
from overpaint.server.reading import bounded
from overpaint.server.selecting import FoundMask, SelectionTask, found_masks

from .callers import Editor, Reader, selecting, services_of
from .pictures import IMAGE, Id, StoredPicture

router = native_router("masks")


class MaskFacts(StoredPicture):
    """A stored mask."""

    fraction: float = Field(description="the share of the picture that is marked")
    bounds: tuple[int, int, int, int] = Field(description="left, top, right, bottom of what is marked")
    hard: bool = Field(description="whether its edges are no wider than an antialiased brush's")


class SelectionFacts(MaskFacts):
    """A stored mask of something that a selector found."""

    score: float = Field(description="how sure the selector is, 0 to 1")
    label: str = Field(description="what it is, where there is something to say")
    alternative: bool = Field(
        default=False, description="whether it is another meaning of the same hints as the one before: not to be joined"
    )


@router.post("/masks", status_code=201)
async def make(request: Request, owner: Editor, task: MaskTask) -> MaskFacts:
    """Make a mask of a picture's size; its id can be used in the marks of an edit."""
    services = services_of(request)

    def made() -> tuple[PictureFacts, MadeMask]:
        store, settings = services.pictures, services.settings
        ids = {task.picture, *(() if task.marks is None else task.marks.mask)}
        files = files_of(task, {id: store.data(owner, id) for id in ids}, settings.most_pixels)
        drawn = bounded(settings, drawn_mask, files, task)
        picture = store.facts(owner, task.picture)
        return kept_mask(store, owner, drawn, Size(picture.width, picture.height)), drawn

    facts, drawn = await run_in_threadpool(made)
    return MaskFacts(**_said(facts, drawn))


def kept_mask(store: PictureStore, owner: str, made: MadeMask, size: Size) -> PictureFacts:
    """A mask for a picture of this size, kept among the caller's pictures."""
    facts = PictureFacts(
        id=hashlib.sha256(made.png).hexdigest(),
        format="png",
        width=size.width,
        height=size.height,
        mode="grey 8-bit",
        bytes=len(made.png),
        notes=made.notes,
    )
    return store.keep(owner, made.png, facts)


def _said(facts: PictureFacts, made: MadeMask) -> dict[str, Any]:
    """The fields of `MaskFacts`."""
    own = {"fraction": made.fraction, "bounds": made.bounds, "hard": made.hard}
    return {**StoredPicture.of(facts).model_dump(), **own}


@router.post("/pictures/{id}/selections", status_code=201)
async def selections(request: Request, owner: Editor, id: Id, task: SelectionTask) -> list[SelectionFacts]:
    """Masks of what the hints mean, the surest first; an edit may name them, or have the hints in its own mask."""
    services = services_of(request)

    def made() -> list[SelectionFacts]:
        store, settings = services.pictures, services.settings
        picture, data = store.facts(owner, id), store.data(owner, id)
        rough = None if task.mask is None else store.data(owner, task.mask)
        found = bounded(settings, found_masks, task, data, rough, settings.most_pixels)
        return selections_kept(store, owner, found, Size(picture.width, picture.height))

    async with selecting(request):
        return await run_in_threadpool(made)


def selections_kept(store: PictureStore, owner: str, found: Iterable[FoundMask], size: Size) -> list[SelectionFacts]:
    """What was selected in a picture of this size, kept as masks among the caller's pictures."""
    kept = [(kept_mask(store, owner, one.mask, size), one) for one in found]
    return [
        SelectionFacts(**_said(facts, one.mask), score=one.score, label=one.label, alternative=one.alternative)
        for facts, one in kept
    ]


@router.get("/pictures/{id}/overlay", response_class=Response, responses=IMAGE)
async def overlay(
    request: Request,
    owner: Reader,
    id: Id,
    mask: Annotated[str, Query(pattern="^[0-9a-f]{64}$", description="the mask's id")],
    opacity: Annotated[float, Query(ge=0, le=1)] = 0.6,
    side: Annotated[int, Query(ge=16, le=4096)] = 1024,
) -> Response:
    """A picture with a mask laid over it, as a WebP of at most `side` pixels across."""
    services = services_of(request)

    def made() -> bytes:
        store, settings = services.pictures, services.settings
        contents = {one: store.data(owner, one) for one in (id, mask)}
        places = Places(mask=(mask,), mask_channel="luminance")
        files = EditFiles(id, EditRequest(), contents=contents, places=places, pixels=settings.most_pixels)
        return bounded(settings, overlaid, files, opacity, side)

    return Response(await run_in_threadpool(made), media_type="image/webp")
