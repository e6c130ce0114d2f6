"""The native API. Every path needs a caller; what belongs to another is not found."""

from __future__ import annotations

from fastapi import APIRouter

from . import catalogue, jobs, pictures, state

router = APIRouter()
for part in (pictures, jobs, catalogue, state):
    router.include_router(part.router)
