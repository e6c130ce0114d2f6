"""Whole pictures made better, as jobs beside those of edits: enlarged, or with their faces restored."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Header, Query, Request, Response
from pydantic import BaseModel, Field

from overpaint.geometry import Size
from overpaint.server.described import PREFIX, native_router
from overpaint.server.job import Submission
from overpaint.server.tasks import EnhanceTask, EnlargeTask, RestoreTask

from .callers import Editor, Reader, services_of
from .catalogue import kept_by
from .jobs import JobStatus

router = native_router("enhancements")

IdempotencyKey = Annotated[str | None, Header(max_length=255)]
Repeat = Annotated[
    Literal["attach", "new"], Query(description="attach: an unfinished job of the same task is returned")
]


class EnhancerInfo(BaseModel):
    """A network that makes whole pictures better, and can be used as it is."""

    name: str
    what: Literal["upscaler", "faces", "face-detector"] = Field(description="its task")
    network: str = Field(description='its layout: "esrgan", "gfpgan" ...; empty where it is not known')
    title: str
    licence: str | None


def _networks() -> list[EnhancerInfo]:
    from overpaint import models

    tasks: tuple[Literal["upscaler", "faces", "face-detector"], ...] = ("upscaler", "faces", "face-detector")
    return [
        EnhancerInfo(
            name=one.name, what=what, network=one.kind.network, title=one.kind.title, licence=one.licence or None
        )
        for what in tasks
        for one in models.networks_here(what)
        if one.kind is not None
    ]


async def networks_here(request: Request) -> list[EnhancerInfo]:
    """The networks of the server, the ones to prefer first, from memory."""
    return await kept_by(request, "networks", _networks, 5.0).get()


@router.get("/enhancers")
async def enhancers(request: Request, owner: Reader) -> list[EnhancerInfo]:
    """The networks that enlarge, restore faces or find them. Without one, a picture teaches its own enlargement."""
    return await networks_here(request)


@router.post("/enlargements", status_code=202)
async def enlarge(
    request: Request,
    owner: Editor,
    task: EnlargeTask,
    response: Response,
    idempotency_key: IdempotencyKey = None,
    repeat: Repeat = "attach",
) -> JobStatus:
    """Ask for a picture at a larger size. The job is followed, cancelled and forgotten as one of an edit: edits/ID."""
    return await _asked(request, owner, task, response, idempotency_key, repeat)


@router.post("/restorations", status_code=202)
async def restore(
    request: Request,
    owner: Editor,
    task: RestoreTask,
    response: Response,
    idempotency_key: IdempotencyKey = None,
    repeat: Repeat = "attach",
) -> JobStatus:
    """Ask for a picture with its faces restored. The job is followed as one of an edit: edits/ID."""
    return await _asked(request, owner, task, response, idempotency_key, repeat)


async def _asked(
    request: Request, owner: str, task: EnhanceTask, response: Response, key: str | None, repeat: str
) -> JobStatus:
    services = services_of(request)

    def check() -> None:
        known = services.pictures.facts(owner, task.picture)
        task.size_of(Size(known.width, known.height))

    asked = Submission(owner, task, key, attach=repeat == "attach", check=check)
    job = await services.intake.submit(asked)
    response.headers["location"] = f"{PREFIX}/edits/{job.id}"
    return JobStatus.of(job, services.queue)
