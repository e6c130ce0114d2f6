"""Whether the server is well, and its figures."""

from __future__ import annotations

import time
from typing import Any

from fastapi import Request, Response
from pydantic import BaseModel, Field

from overpaint.exposition import MEDIA_TYPE
from overpaint.server.described import native_router
from overpaint.server.job import JobState

from .callers import Admin, Reader, services_of

router = native_router("server")


class Health(BaseModel):
    """That the server answers."""

    status: str = "ok"
    version: str


class ServerState(BaseModel):
    """What the server does now."""

    seconds: float = Field(description="since it was started")
    lanes: int = Field(description="jobs that are worked on at the same time")
    jobs: dict[JobState, int] = Field(description="the caller's jobs by state")


_TEXT: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.get("/health")
async def health() -> Health:
    """That the server answers. Needs no key."""
    from overpaint import __version__

    return Health(version=__version__)


@router.get("/state")
async def state(request: Request, owner: Reader) -> ServerState:
    """What the server does for the caller now."""
    services = services_of(request)
    return ServerState(
        seconds=time.time() - services.figures.started,
        lanes=services.settings.lanes,
        jobs=services.queue.counts(owner),
    )


@router.get("/metrics", response_class=Response, responses=_TEXT)
async def metrics(request: Request, owner: Admin) -> Response:
    """Figures of the whole server, as Prometheus reads them (text format 0.0.4)."""
    from overpaint import __version__

    services = services_of(request)
    jobs: dict[str, float] = {str(state): count for state, count in services.queue.counts().items()}
    lines = services.figures.lines(jobs, services.settings.lanes, services.pictures.size, __version__)
    return Response("\n".join(lines) + "\n", media_type=MEDIA_TYPE)
