"""An engine of the server for a studio elsewhere: what would paint a request, and canvases to be painted.

The studio there makes the canvases, and finishes and pastes what is painted. A client of another kind wants `/edits`.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Header, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from overpaint.engines.card_table import card_table
from overpaint.engines.packed import CANVAS_PROTOCOL, other_protocol, unpacked_size
from overpaint.errors import RequestError
from overpaint.request import EditRequest
from overpaint.server.decoding import check_canvas
from overpaint.server.described import native_router
from overpaint.server.job import Submission
from overpaint.server.reading import bounded
from overpaint.server.tasks import CanvasSettings, CanvasTask

from .callers import Editor, Reader, services_of
from .jobs import JobStatus
from .stored_files import file_reply

router = native_router("canvases")

CanvasId = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="the canvas's id")]

_BODY = {"requestBody": {"required": True, "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}}}
_BYTES: dict[int | str, dict[str, Any]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
}


class PainterQuestion(BaseModel):
    """A request that is to be painted."""

    protocol: int = Field(ge=1, le=1_000_000, description="the form of canvases that the client speaks")
    request: EditRequest = Field(description="the request; its picture and its masks are left out")


class PainterAnswer(BaseModel):
    """What paints a request."""

    protocol: int = Field(description="the form of canvases that the server speaks")
    engine: str
    model: str | None = Field(description="None for an engine that runs none")
    options: dict[str, Any] = Field(description="the engine's own, checked and complete")
    notes: list[str] = Field(description="what a person should know before it is painted")
    filled: dict[str, Any] = Field(description="fields of the request that its preset filled in")
    models: list[dict[str, Any]] = Field(description="the files of weights that are used")
    card: dict[str, Any] = Field(description="what the engine can do and what it takes")


class CanvasFacts(BaseModel):
    """A canvas that is kept."""

    id: str = Field(description="the SHA-256 of its bytes")
    bytes: int


@router.post("/painters")
async def painter(request: Request, owner: Editor, question: PainterQuestion) -> PainterAnswer:
    """What would paint a request, chosen as for an edit: engine, model, options, and the engine's card."""
    if question.protocol != CANVAS_PROTOCOL:
        raise other_protocol(question.protocol)
    studio = services_of(request).studio

    def found() -> PainterAnswer:
        painter = studio.painter(question.request)
        resolved = studio.resolved(question.request, seed=0)
        return PainterAnswer(
            protocol=CANVAS_PROTOCOL,
            engine=painter.card.name,
            model=painter.model,
            options=painter.options.model_dump(mode="json"),
            notes=list(painter.notes),
            filled=dict(painter.filled),
            models=[one.to_mapping() for one in resolved.models],
            card=card_table(painter.card),
        )

    return await run_in_threadpool(found)


@router.post("/canvases", status_code=201, openapi_extra=_BODY)
async def upload(request: Request, owner: Editor) -> CanvasFacts:
    """Keep a canvas: the body is its bytes. The same bytes twice are one canvas; it is kept for a day at most."""
    services = services_of(request)
    data = await request.body()

    def kept() -> CanvasFacts:
        limits = services.settings
        if (size := unpacked_size(data)) > limits.reading_memory:
            raise RequestError(
                f"the canvas unpacks to {size:,} bytes, and {limits.reading_memory:,} is the limit",
                code="canvas-too-large",
                field="canvas",
                value=size,
            )
        bounded(limits, check_canvas, data, limits.most_pixels)
        return CanvasFacts(id=services.canvases.keep(owner, data), bytes=len(data))

    if not data:
        raise RequestError("the body of the request is empty, and should be a canvas", field="canvas")
    return await run_in_threadpool(kept)


@router.get("/canvases/{id}")
async def facts(request: Request, owner: Reader, id: CanvasId) -> CanvasFacts:
    """Whether a canvas is kept."""
    size = await run_in_threadpool(services_of(request).canvases.size, owner, id)
    return CanvasFacts(id=id, bytes=size)


@router.get("/canvases/{id}/file", response_class=Response, responses=_BYTES)
async def file(request: Request, owner: Reader, id: CanvasId) -> Response:
    """The bytes of a canvas, or of a painted one, which a job names as its result."""
    opened = await run_in_threadpool(services_of(request).canvases.opened, owner, id)
    return await run_in_threadpool(file_reply, opened, "application/octet-stream", {})


@router.delete("/canvases/{id}", status_code=204)
async def delete(request: Request, owner: Editor, id: CanvasId) -> None:
    """Remove a canvas. Jobs that wait for it fail."""
    await run_in_threadpool(services_of(request).canvases.delete, owner, id)


@router.post("/canvases/{id}/paint", status_code=202)
async def paint(
    request: Request,
    owner: Editor,
    id: CanvasId,
    settings: CanvasSettings,
    response: Response,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> JobStatus:
    """Ask for a canvas to be painted. It is a job, followed, cancelled and forgotten under `/edits` by its id; the
    `canvas` of its result is the id of the painted one.
    """
    services = services_of(request)
    task = CanvasTask(canvas=id, settings=settings)

    def check() -> None:
        services.canvases.size(owner, id)

    job = await services.intake.submit(Submission(owner, task, idempotency_key, attach=False, check=check))
    response.headers["location"] = f"{request.url.path.split('/canvases/')[0]}/edits/{job.id}"
    return JobStatus.of(job, services.queue)
