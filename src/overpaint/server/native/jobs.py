"""Edits as jobs: ask for one, follow it, cancel, try again, reorder, forget."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import Depends, Header, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from overpaint.server.described import native_router
from overpaint.server.job import EditJob, JobState, Submission
from overpaint.server.jobs import EditQueue
from overpaint.server.tasks import CanvasTask, EditTask

from .callers import Editor, Reader, services_of
from .event_streams import DESCRIBED, EventStream

router = native_router("edits")

Id = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="the job's id")]


class EditResult(BaseModel):
    """A finished result, which is a stored picture too."""

    picture: str = Field(description="the id of the picture; its file is at pictures/ID/file")
    width: int
    height: int
    format: str
    bytes: int
    seed: int | None = Field(description="the seed that was used; None for an engine without one")
    fidelity: str = Field(description="lossless, blocks or re-encoded: how the pixels beyond the reach were kept")
    reach: int = Field(description="pixels beyond the mask from which on nothing changed")
    changed: int = Field(description="pixels beyond the reach that the file's own loss changed")
    layers: str | None = Field(default=None, description="the id of the layered file, at pictures/ID/file")
    maps: list[str] = Field(
        default=[],
        description="the ids of its control maps, at pictures/ID/file: region by region those of the controls",
    )
    marks: dict[str, Any] = Field(default={}, description="what the file says of its origin")
    notes: list[str]
    doubt: str = Field(description="why the fill is doubtful, and what may do better; empty where nothing was found")
    timings: dict[str, float] = Field(description="seconds by step")


class SessionResult(BaseModel):
    """A finished take of a step of a session."""

    session: str = Field(description="the session's id")
    step: int = Field(description="the step's number")
    take: int = Field(description="the take's number, from 1")
    version: int = Field(description="the session's version once it was there")
    seed: int | None
    notes: list[str]
    doubt: str
    timings: dict[str, float] = Field(description="seconds by step")


class CanvasResult(BaseModel):
    """A painted canvas."""

    canvas: str = Field(description="its id; its bytes are at canvases/ID/file")
    bytes: int
    timings: dict[str, float] = Field(description="seconds by step")


class JobStatus(BaseModel):
    """Where a job stands."""

    id: str
    state: JobState
    created: float = Field(description="seconds since 1970")
    updated: float
    attempts: int = Field(description="how often it was started")
    place: int | None = Field(description="how many jobs go before it; None unless it waits")
    step: int
    steps: int = Field(description="0 before the first step")
    notes: list[str] = Field(description="what one should know before it is painted")
    session: str | None = Field(default=None, description="the session that it works on")
    results: list[EditResult | SessionResult | CanvasResult]
    error: dict[str, Any] | None = Field(description="why it failed: code, message, field, value, hint")
    task: dict[str, Any] = Field(description="what was asked for, without what was left open")

    @classmethod
    def of(cls, job: EditJob, queue: EditQueue) -> JobStatus:
        """From the queue's job."""
        return cls(
            id=job.id,
            state=job.state,
            created=job.created,
            updated=job.updated,
            attempts=job.attempts,
            place=queue.place(job),
            step=job.step,
            steps=job.steps,
            notes=list(job.notes),
            session=job.session,
            results=[_result(one) for one in job.results],
            error=job.error,
            task=job.asked,
        )


def _result(table: dict[str, Any]) -> EditResult | SessionResult | CanvasResult:
    if "session" in table:
        return SessionResult(**table)
    return CanvasResult(**table) if "canvas" in table else EditResult(**table)


class NewPlace(BaseModel):
    """Where a waiting job goes."""

    place: int = Field(ge=0, description="0 is before the caller's other waiting jobs")


@router.post("/edits", status_code=202)
async def create(
    request: Request,
    owner: Editor,
    task: EditTask,
    response: Response,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
    repeat: Annotated[
        Literal["attach", "new"], Query(description="attach: an unfinished job of the same task is returned")
    ] = "attach",
) -> JobStatus:
    """Ask for an edit. Once this is answered, the job is on the disk, and outlives the server's end.

    With the same `Idempotency-Key` the same job is returned, also when it has ended.
    """
    services = services_of(request)

    def check() -> None:
        for id in sorted(task.pictures):
            services.pictures.facts(owner, id)

    asked = Submission(owner, task, idempotency_key, attach=repeat == "attach", check=check)
    job = await services.intake.submit(asked)
    response.headers["location"] = f"{request.url.path}/{job.id}"
    return JobStatus.of(job, services.queue)


@router.get("/edits")
async def listed(
    request: Request,
    owner: Reader,
    state: Annotated[JobState | None, Query(description="only jobs in this state")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[JobStatus]:
    """The caller's jobs, the newest first, without those that paint canvases."""
    queue = services_of(request).queue
    found = [job for job in queue.all(owner) if state in (None, job.state) and not isinstance(job.task, CanvasTask)]
    return [JobStatus.of(job, queue) for job in found[:limit]]


@router.get("/edits/{id}")
async def status(request: Request, owner: Reader, id: Id) -> JobStatus:
    """Where a job stands."""
    queue = services_of(request).queue
    return JobStatus.of(queue.job(owner, id), queue)


@router.delete("/edits/{id}", status_code=204)
async def delete(request: Request, owner: Editor, id: Id) -> None:
    """Forget a job that has ended. Its pictures stay."""
    await run_in_threadpool(services_of(request).queue.delete, owner, id)


@router.post("/edits/{id}/cancel")
async def cancel(request: Request, owner: Editor, id: Id) -> JobStatus:
    """Stop a job: one that waits at once, one that runs at its next step. One that has ended stays as it is."""
    queue = services_of(request).queue
    return JobStatus.of(await run_in_threadpool(queue.cancel, owner, id), queue)


@router.post("/edits/{id}/retry")
async def retry(request: Request, owner: Editor, id: Id) -> JobStatus:
    """Let a job that failed or was cancelled wait again."""
    queue = services_of(request).queue
    return JobStatus.of(await run_in_threadpool(queue.retry, owner, id), queue)


@router.post("/edits/{id}/move")
async def move(request: Request, owner: Editor, id: Id, where: NewPlace) -> JobStatus:
    """Put a waiting job at a place among the caller's own."""
    queue = services_of(request).queue
    return JobStatus.of(await run_in_threadpool(queue.move, owner, id, where.place), queue)


async def _followed(request: Request, owner: Reader, id: Id) -> EditJob:
    """The job, found before the reply begins, so that one that is not there has its own status."""
    return services_of(request).queue.job(owner, id)


@router.get("/edits/{id}/events", status_code=200, response_class=EventStream, responses=DESCRIBED)
async def events(
    job: Annotated[EditJob, Depends(_followed)], last_event_id: Annotated[int | None, Header(ge=0)] = None
) -> EventStream:
    """Follow a job: queued at a place, started, loading a model, another stage, notes, step k of n, previews, and
    done, failed or cancelled, which is the last one. With `Last-Event-ID` what came after that event.
    """
    return EventStream(job.events, last_event_id)
