"""Edits of sessions as jobs, and changes of their steps."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Header, Path, Query, Request, Response
from pydantic import Field

from overpaint.errors import RequestError
from overpaint.request import EditRequest
from overpaint.server.described import native_router
from overpaint.server.job import Submission
from overpaint.server.sessions import SessionStatus
from overpaint.server.tasks import SessionTask, TaskRequest
from overpaint.session import Session
from overpaint.values import Listed, Value

from .callers import Editor, Reader, services_of
from .jobs import JobStatus
from .sessions import Id, changed
from .versions import Version, in_thread

router = native_router("sessions")

StepNumber = Annotated[int, Path(ge=1, le=1_000_000, description="the step's number")]
Repeat = Annotated[
    Literal["attach", "new"], Query(description="attach: an unfinished job of the same task is returned")
]
Idempotency = Annotated[str | None, Header(max_length=255)]


class StepEdit(TaskRequest):
    """An edit of a session's present picture."""


class StepRerun(TaskRequest):
    """What is to be different when a step is painted again; its own settings and seed hold for the rest."""

    request: EditRequest = Field(
        default=EditRequest(),
        description="settings in place of the step's own (intent custom: as it was); seed -1 draws a new one",
    )


class StepChange(Value):
    """One change of a step."""

    visible: bool | None = None
    opacity: Annotated[float, Field(ge=0, le=1)] | None = None
    take: Annotated[int, Field(ge=1, le=10_000)] | None = Field(default=None, description="the take that is to show")
    aside: Annotated[Listed[tuple[Annotated[int, Field(ge=1, le=10_000)], ...]], Field(max_length=10_000)] | None = (
        Field(
            default=None, description="the takes that are put aside, all of them: they stay, and lists leave them out"
        )
    )
    place: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="its new place in the stack, 1 being the lowest"
    )


@router.post("/sessions/{id}/edits", status_code=202)
async def edit(
    request: Request,
    owner: Editor,
    id: Id,
    task: StepEdit,
    response: Response,
    version: Version,
    idempotency_key: Idempotency = None,
    repeat: Repeat = "attach",
) -> JobStatus:
    """Ask for an edit of the present picture, as a new step on top: a job, whose results name the step."""
    asked = SessionTask(**dict(task), session=id)
    return await _job(request, owner, asked, response, version, idempotency_key, attach=repeat == "attach")


@router.get("/sessions/{id}/edits")
async def jobs_of(
    request: Request, owner: Reader, id: Id, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> list[JobStatus]:
    """The session's jobs, the newest first."""
    services = services_of(request)
    services.sessions.store.get(owner, id)
    return [JobStatus.of(job, services.queue) for job in services.queue.of_session(id)[:limit]]


@router.post("/sessions/{id}/rerun", status_code=202)
async def rerun_stale(
    request: Request,
    owner: Editor,
    id: Id,
    response: Response,
    version: Version,
    idempotency_key: Idempotency = None,
    repeat: Repeat = "attach",
) -> JobStatus:
    """Paint every step that shows and is stale again, from below to above, each with its own settings: a job."""
    if (await request.body()).strip() not in (b"", b"{}"):
        raise RequestError(
            "every stale step is painted again with its own settings: the request's body has no effect",
            field="body",
            hint="paint one step again with others at steps/STEP/rerun",
        )
    asked = SessionTask(request=EditRequest(), session=id, again="stale")
    return await _job(request, owner, asked, response, version, idempotency_key, attach=repeat == "attach")


@router.post("/sessions/{id}/steps/{step}/rerun", status_code=202)
async def rerun(
    request: Request,
    owner: Editor,
    id: Id,
    step: StepNumber,
    response: Response,
    version: Version,
    task: StepRerun | None = None,
    idempotency_key: Idempotency = None,
    repeat: Repeat = "attach",
) -> JobStatus:
    """Paint a step again, on what is below it when the job begins: a job. The new take shows; earlier ones stay."""
    asked = SessionTask(**dict(task or StepRerun()), session=id, again=step)
    await in_thread(services_of(request).sessions.read, owner, id, lambda session: session.request(step))
    return await _job(request, owner, asked, response, version, idempotency_key, attach=repeat == "attach")


@router.patch("/sessions/{id}/steps/{step}")
async def change_step(
    request: Request, owner: Editor, id: Id, step: StepNumber, task: StepChange, response: Response, version: Version
) -> SessionStatus:
    """Show or hide a step, set its opacity, pick or put aside takes, or move it in the stack: one of them."""
    given = [name for name, value in task if value is not None]
    if len(given) != 1:
        names = ", ".join(StepChange.model_fields)
        raise RequestError(f"exactly one of {names} is to be given, not {len(given)}", field=given[0] if given else "")

    def act(session: Session) -> None:
        if task.visible is not None:
            (session.show if task.visible else session.hide)(step)
        elif task.opacity is not None:
            session.opacity(step, task.opacity)
        elif task.take is not None:
            session.pick(step, task.take)
        elif task.aside is not None:
            session.put_aside(step, task.aside)
        elif task.place is not None:
            session.move(step, task.place)

    return await changed(request, owner, id, response, version, act)


async def _job(
    request: Request,
    owner: str,
    task: SessionTask,
    response: Response,
    version: int | None,
    idempotency: str | None,
    *,
    attach: bool,
) -> JobStatus:
    services = services_of(request)

    def check() -> None:
        services.sessions.store.get(owner, task.session)
        for picture in sorted(task.pictures):
            services.pictures.facts(owner, picture)
        services.sessions.check(owner, task.session, version)

    job = await services.intake.submit(Submission(owner, task, idempotency, attach=attach, check=check))
    response.headers["location"] = f"{request.url.path.partition('/sessions/')[0]}/edits/{job.id}"
    return JobStatus.of(job, services.queue)
