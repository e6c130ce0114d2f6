"""The native API. Every path needs a caller; what belongs to another is not found."""

from __future__ import annotations

from fastapi import APIRouter

from . import (
    canvases,
    catalogue,
    controls,
    enhancements,
    jobs,
    maps,
    masks,
    pictures,
    session_edits,
    session_files,
    session_frames,
    session_layers,
    session_pictures,
    session_selections,
    sessions,
    state,
)

router = APIRouter()
for part in (
    pictures,
    masks,
    jobs,
    enhancements,
    session_files,
    sessions,
    session_edits,
    session_frames,
    session_layers,
    session_pictures,
    maps,
    session_selections,
    catalogue,
    controls,
    state,
    canvases,
):
    router.routes.extend(part.router.routes)
