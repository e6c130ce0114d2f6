"""Sessions: begin, list, rename, remove; undo, redo, branches; what happens to one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request, Response
from pydantic import BaseModel, Field

from overpaint.errors import OverpaintError, RequestError
from overpaint.server.described import native_router
from overpaint.server.events import SessionEvents
from overpaint.server.sessions import SessionStatus, StoredSession
from overpaint.server.tasks import PictureId
from overpaint.session import Session
from overpaint.values import Value

from .callers import Editor, Reader, services_of
from .event_streams import DESCRIBED, EventStream
from .versions import Version, in_thread, tagged

router = native_router("sessions")

Id = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="the session's id")]
Name = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]


class NewSession(Value):
    """A session that is to begin with a stored picture."""

    picture: PictureId
    name: Name = Field(default="", description="for people")
    audited: bool = Field(default=False, description="whether everything that is done is kept in an audit log")


class SessionName(Value):
    """A name for people."""

    name: Name


class BranchName(Value):
    """A branch."""

    name: Annotated[str, Field(min_length=1, max_length=100)]


class HistoryCount(Value):
    """How often."""

    count: Annotated[int, Field(ge=1, le=10_000)] = 1


class ListedSession(BaseModel):
    """What a list says of a session."""

    id: str
    name: str
    created: float = Field(description="seconds since 1970")
    width: int = Field(description="of the original")
    height: int
    audited: bool

    @classmethod
    def of(cls, stored: StoredSession) -> ListedSession:
        """From the store."""
        return cls(**{name: getattr(stored, name) for name in cls.model_fields})


class CompactTask(Value):
    """What is dropped beside the paint that nothing leads to."""

    takes: bool = Field(default=False, description="takes that show nowhere, and could be picked")
    branches: bool = Field(default=False, description="all branches but the present one")
    undo: bool = Field(default=False, description="what can be undone or done again")


class CompactedSession(BaseModel):
    """How much smaller a session became."""

    before: int = Field(description="bytes of its file")
    after: int
    takes: int = Field(description="how many takes were dropped")
    branches: list[str] = Field(description="the branches that were dropped")
    undo: bool = Field(description="whether what could be undone, or done again, was dropped")
    session: SessionStatus


class HistoryEntry(BaseModel):
    """Something that was done."""

    number: int
    time: str = Field(description="in UTC (ISO 8601)")
    branch: str
    text: str
    holds: bool = Field(description="whether the present picture follows from it; not what was undone")
    elsewhere: list[str] = Field(description="the other branches whose picture follows from it")
    dropped: bool = Field(description="whether the branch that it was done on was dropped since")


def with_jobs(request: Request, status: SessionStatus) -> SessionStatus:
    """The status with the jobs that wait or run now."""
    jobs = [job.id for job in services_of(request).queue.of_session(status.id) if not job.ended]
    return status.model_copy(update={"jobs": jobs[::-1]})


async def status_of(request: Request, owner: str, id: str) -> SessionStatus:
    """How a session is now: from memory where it is there."""
    pool = services_of(request).sessions
    found = pool.known(owner, id)
    return await in_thread(pool.status, owner, id) if found is None else found


@router.post("/sessions", status_code=201)
async def begin(request: Request, owner: Editor, task: NewSession, response: Response) -> SessionStatus:
    """Begin a session with a stored picture, whose file is kept in it as it is."""
    services = services_of(request)

    def made() -> SessionStatus:
        data = services.pictures.data(owner, task.picture)
        stored = services.sessions.store.create(owner, data, task.name, audited=task.audited)
        return services.sessions.status(owner, stored.id)

    status = await in_thread(made)
    response.headers["location"] = f"{request.url.path}/{status.id}"
    return tagged(response, status)


@router.get("/sessions")
async def listed(
    request: Request, owner: Reader, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> list[ListedSession]:
    """The caller's sessions, the newest first."""
    return [ListedSession.of(one) for one in services_of(request).sessions.store.all(owner)[:limit]]


@router.get("/sessions/{id}")
async def status(request: Request, owner: Reader, id: Id, response: Response) -> SessionStatus:
    """How a session is now."""
    return tagged(response, with_jobs(request, await status_of(request, owner, id)))


@router.patch("/sessions/{id}")
async def rename(
    request: Request, owner: Editor, id: Id, task: SessionName, response: Response, version: Version
) -> SessionStatus:
    """Give a session another name."""
    found = await in_thread(services_of(request).sessions.rename, owner, id, task.name, version)
    return tagged(response, with_jobs(request, found))


@router.delete("/sessions/{id}", status_code=204)
async def delete(request: Request, owner: Editor, id: Id, version: Version) -> None:
    """Remove a session. Its jobs are stopped; what they paint is lost."""
    services = services_of(request)

    def deleted() -> None:
        services.sessions.delete(owner, id, version)
        for job in services.queue.of_session(id):
            with suppress(OverpaintError):
                services.queue.cancel(owner, job.id)

    await in_thread(deleted)


@router.post("/sessions/{id}/undo")
async def undo(
    request: Request, owner: Editor, id: Id, response: Response, version: Version, steps: HistoryCount | None = None
) -> SessionStatus:
    """Go back to before the last action, or the last `count`."""

    def act(session: Session) -> None:
        count = 1 if steps is None else steps.count
        _check_count(count, session.undo_count, "undone")
        for _ in range(count):
            session.undo()

    return await changed(request, owner, id, response, version, act)


@router.post("/sessions/{id}/redo")
async def redo(
    request: Request, owner: Editor, id: Id, response: Response, version: Version, steps: HistoryCount | None = None
) -> SessionStatus:
    """Go forward again to what was undone last, or by `count`."""

    def act(session: Session) -> None:
        count = 1 if steps is None else steps.count
        _check_count(count, session.redo_count, "done again")
        for _ in range(count):
            session.redo()

    return await changed(request, owner, id, response, version, act)


@router.post("/sessions/{id}/branches", status_code=201)
async def branch(
    request: Request, owner: Editor, id: Id, task: BranchName, response: Response, version: Version
) -> SessionStatus:
    """Begin a branch here, and go on in it. The one before stays where it is."""
    return await changed(request, owner, id, response, version, lambda session: session.new_branch(task.name))


@router.put("/sessions/{id}/branch")
async def switch(
    request: Request, owner: Editor, id: Id, task: BranchName, response: Response, version: Version
) -> SessionStatus:
    """Go on in another branch."""
    return await changed(request, owner, id, response, version, lambda session: session.switch(task.name))


@router.post("/sessions/{id}/compact")
async def compact(
    request: Request, owner: Editor, id: Id, response: Response, version: Version, task: CompactTask | None = None
) -> CompactedSession:
    """Make a session smaller. Paint that no undo, redo, take or branch needs is dropped, and what the body names."""
    wanted = task or CompactTask()
    pool = services_of(request).sessions
    done, status = await in_thread(
        pool.compact, owner, id, version, takes=wanted.takes, branches=wanted.branches, undo=wanted.undo
    )
    return CompactedSession(
        before=done.before,
        after=done.after,
        takes=done.takes,
        branches=list(done.branches),
        undo=done.undo,
        session=tagged(response, with_jobs(request, status)),
    )


@router.get("/sessions/{id}/history")
async def history(request: Request, owner: Reader, id: Id) -> list[HistoryEntry]:
    """Everything that was done, in its order, also what was undone."""
    pool = services_of(request).sessions
    events = await in_thread(pool.read, owner, id, lambda session: session.log())
    return [HistoryEntry(**{name: getattr(one, name) for name in HistoryEntry.model_fields}) for one in events]


async def _followed(request: Request, owner: Reader, id: Id) -> SessionEvents:
    """The events, found before the reply begins, so that a session that is not there has its own status."""
    return await in_thread(services_of(request).sessions.events, owner, id)


@router.get("/sessions/{id}/events", status_code=200, response_class=EventStream, responses=DESCRIBED)
async def events(
    happened: Annotated[SessionEvents, Depends(_followed)],
    last_event_id: Annotated[int | None, Header(ge=0)] = None,
) -> EventStream:
    """Follow a session: changed (version, what, picture), job (id, state), renamed, and deleted, which is the last one.
    With `Last-Event-ID` what came after that event.
    """
    return EventStream(happened, last_event_id)


async def changed(
    request: Request, owner: str, id: str, response: Response, version: int | None, act: Callable[[Session], object]
) -> SessionStatus:
    """Let a function change a session, if it has the version, and say how it is then."""
    found = await in_thread(services_of(request).sessions.change, owner, id, act, version)
    return tagged(response, with_jobs(request, found))


def _check_count(count: int, most: int, what: str) -> None:
    """Raise RequestError where there are some, but fewer than are asked for: all or nothing."""
    if count > most > 0:
        raise RequestError(f"{count} actions can't be {what}, only {most}", field="count", value=count)
