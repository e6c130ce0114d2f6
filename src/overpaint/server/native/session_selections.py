"""What hints select in the present picture of a session: masks for its next edit."""

from __future__ import annotations

import numpy as np
from fastapi import Request

from overpaint.mask import Mask
from overpaint.server.decoding import levels_of
from overpaint.server.described import native_router
from overpaint.server.reading import bounded
from overpaint.server.selecting import MOST_SELECTIONS, FoundMask, SelectionTask

from .callers import Editor, services_of
from .masks import SelectionFacts, selections_kept
from .sessions import Id
from .versions import in_thread

router = native_router("sessions")


@router.post("/sessions/{id}/selections", status_code=201)
async def select_in_session(request: Request, owner: Editor, id: Id, task: SelectionTask) -> list[SelectionFacts]:
    """Masks of what the hints mean in the present picture, the surest first; an edit of it may name them."""
    services = services_of(request)

    def found() -> list[SelectionFacts]:
        from overpaint.select import hints_of, select, selector_for

        store, settings = services.pictures, services.settings
        picture = services.sessions.read(owner, id, lambda session: session.picture)
        rough = None
        if task.mask is not None:
            levels = bounded(settings, levels_of, store.data(owner, task.mask), settings.most_pixels)
            rough = Mask(levels.astype(np.float32) / np.float32(255))
        hints = hints_of(task, rough)
        selections = select(picture, task.selector or selector_for(hints), hints)[:MOST_SELECTIONS]
        return selections_kept(store, owner, map(FoundMask.of, selections), picture.size)

    return await in_thread(found)
