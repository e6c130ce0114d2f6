"""What hints select in the present picture of a session: masks for its next edit."""

from __future__ import annotations

from dataclasses import replace

from fastapi import Request

from overpaint.server.described import native_router
from overpaint.server.reading import bounded
from overpaint.server.selecting import SelectionTask, found_in_picture

from .callers import Editor, selecting, services_of
from .masks import SelectionFacts, selections_kept
from .sessions import Id
from .versions import in_thread

router = native_router("sessions")


@router.post("/sessions/{id}/selections", status_code=201)
async def select_in_session(request: Request, owner: Editor, id: Id, task: SelectionTask) -> list[SelectionFacts]:
    """Masks of what the hints mean in the present picture, the surest first; an edit of it may name them."""
    services = services_of(request)

    def found() -> list[SelectionFacts]:
        store, settings = services.pictures, services.settings
        picture = services.sessions.read(owner, id, lambda session: session.picture)
        rough = None if task.mask is None else store.data(owner, task.mask)
        sent = replace(picture, source=replace(picture.source, data=None))
        made = bounded(settings, found_in_picture, task, sent, rough, settings.most_pixels)
        return selections_kept(store, owner, made, picture.size)

    async with selecting(request):
        return await in_thread(found)
