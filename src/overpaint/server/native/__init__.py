"""The native API. Every path needs a caller; what belongs to another is not found."""

from __future__ import annotations

from fastapi import APIRouter

from . import catalogue, jobs, masks, pictures, state

router = APIRouter()
for part in (pictures, masks, jobs, catalogue, state):
    router.include_router(part.router)
