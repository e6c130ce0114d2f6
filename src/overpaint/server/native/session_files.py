"""The files of sessions: a whole session in and out, the picture in any format or as layers, the audit log."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import Query, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, Field
from starlette.background import BackgroundTask

from overpaint.audit import ChainHead
from overpaint.errors import SessionError
from overpaint.picture import format_of
from overpaint.server.described import native_router
from overpaint.server.errors import NotFoundError
from overpaint.server.sessions import SessionStatus, exported, flattened
from overpaint.server.tasks import OutputSettings

from .callers import Editor, Reader, services_of
from .pictures import MEDIA_TYPES, StoredPicture, body_of, refuse_form
from .sessions import Id, Name, status_of
from .versions import KEEP, in_thread, tagged

router = native_router("sessions")

SESSION_TYPE = "application/vnd.overpaint-session"


def _file_of(*media: str) -> dict[int | str, dict[str, Any]]:
    """The description of a reply that is a file of one of these media types."""
    schema = {"schema": {"type": "string", "format": "binary"}}
    return {200: {"content": dict.fromkeys(media, schema)}}


_PICTURE = _file_of("image/*", "application/octet-stream")
_BODY = body_of("*/*")


@router.post("/sessions/file", status_code=201, openapi_extra=_BODY)
async def upload(
    request: Request,
    owner: Editor,
    response: Response,
    name: Annotated[Name, Query(description="left out, the name of its original")] = "",
    audited: Annotated[bool, Query(description="whether what is done from now on is kept in an audit log")] = False,
) -> SessionStatus:
    """Keep a whole session: the body is a `.overpaint` file, which is read whole within limits before it is kept."""
    services = services_of(request)
    store = services.sessions.store
    refuse_form(request, "a session's")
    path = await in_thread(store.upload_path, owner)
    try:
        size = 0
        with path.open("xb") as file:
            async for part in request.stream():
                size += len(part)
                await in_thread(file.write, part)
        if not size:
            raise SessionError("the body of the request is empty, and should be a session's file", field="session")

        def adopted() -> SessionStatus:
            stored = store.adopt(owner, path, name, audited=audited)
            return services.sessions.status(owner, stored.id)

        status = await in_thread(adopted)
    finally:
        await in_thread(_removed, path)
    response.headers["location"] = f"{request.url.path.removesuffix('/file')}/{status.id}"
    return tagged(response, status)


@router.get("/sessions/{id}/file", response_class=FileResponse, responses=_file_of(SESSION_TYPE))
async def file(request: Request, owner: Reader, id: Id) -> FileResponse:
    """The whole session as a `.overpaint` file, which any Overpaint opens."""
    pool = services_of(request).sessions
    status = await status_of(request, owner, id)
    path = await in_thread(pool.copied, owner, id)
    return _sent(path, SESSION_TYPE, _named(status, "overpaint"))


@router.get(
    "/sessions/{id}/original", response_class=Response, responses=_file_of("image/*", "application/octet-stream")
)
async def original(request: Request, owner: Reader, id: Id) -> Response:
    """The file of the picture that the session began with, byte by byte."""
    pool = services_of(request).sessions
    status = await status_of(request, owner, id)
    data = await in_thread(pool.read, owner, id, lambda session: session.original_file)
    format = format_of(data) or ""
    headers = {
        "etag": f'"{status.original}"',
        "cache-control": KEEP,
        "content-disposition": _attachment(_named(status, format or "bin")),
    }
    return Response(data, media_type=MEDIA_TYPES.get(format, "application/octet-stream"), headers=headers)


@router.get(
    "/sessions/{id}/export", response_class=FileResponse, responses=_file_of("image/*", "application/octet-stream")
)
async def export(
    request: Request,
    owner: Reader,
    id: Id,
    format: Annotated[
        Literal["png", "jpeg", "webp", "tiff", "avif", "psd", "psb", "ora"] | None,
        Query(description="left out, the original's own; psd, psb and ora have each step as a layer"),
    ] = None,
    quality: Annotated[int | None, Query(ge=1, le=100, description="of formats that lose")] = None,
    record: Annotated[Literal["embed", "none"], Query(description="whether it holds how it was made")] = "embed",
    provenance: Annotated[
        Literal["embed", "prompt", "none"], Query(description="what it says of its origin")
    ] = "embed",
    private: Annotated[bool, Query(description="no record, and no prompt")] = False,
    watermark: Annotated[str | None, Query(max_length=100, description="an imperceptible mark")] = None,
    watermark_area: Annotated[Literal["patch", "whole"], Query()] = "patch",
    watermark_payload: Annotated[str | None, Query(max_length=1000)] = None,
) -> FileResponse:
    """The present picture as a file with the record of its edits, or as layers."""
    pool = services_of(request).sessions
    named: dict[str, Any] = {"layers" if format in ("psd", "psb", "ora") else "format": format}
    wanted = OutputSettings(
        **named,
        quality=quality,
        record=record,
        provenance=provenance,
        private=private,
        watermark=watermark,
        watermark_area=watermark_area,
        watermark_payload=watermark_payload,
    )
    wanted.check()
    status = await status_of(request, owner, id)
    made = await in_thread(exported, pool, owner, id, wanted)
    media = MEDIA_TYPES.get(made.format, "application/octet-stream")
    reply = _sent(made.path, media, _named(status, made.format))
    if made.notes:
        reply.headers["x-overpaint-note"] = quote("; ".join(made.notes), safe=" ,.;:()'/=")[:2000]
    return reply


@router.post("/sessions/{id}/flatten", status_code=201)
async def flatten(
    request: Request, owner: Editor, id: Id, response: Response, wanted: OutputSettings | None = None
) -> StoredPicture:
    """Keep the present picture as a stored one, which other edits and sessions can begin with."""
    services = services_of(request)
    asked = wanted or OutputSettings()
    asked.check()

    def kept() -> StoredPicture:
        data, facts = flattened(services.sessions, owner, id, asked)
        return StoredPicture.of(services.pictures.keep(owner, data, facts))

    picture = await in_thread(kept)
    response.headers["location"] = f"{request.url.path.partition('/sessions/')[0]}/pictures/{picture.id}"
    return picture


class AuditHead(BaseModel):
    """The end of an audit log: its file NAME.head, by which lines that are gone from the end are noticed."""

    count: int = Field(description="the number of the last line")
    hash: str = Field(description="the SHA-256 of the last line, in hexadecimal")


@router.get("/sessions/{id}/audit", response_class=FileResponse, responses=_file_of("application/jsonl"))
async def audit(request: Request, owner: Reader, id: Id) -> FileResponse:
    """The session's audit log: a line of JSON for each action, chained by hashes. 404 where it has none.

    The header `overpaint-audit-head` is COUNT:HASH of its last line.
    """
    status, path, end = await _audited(request, owner, id)
    reply = _sent(path, "application/jsonl", _named(status, "audit.jsonl"))
    reply.headers["overpaint-audit-head"] = f"{end.count}:{end.hash}"
    reply.headers["etag"] = f'"{end.hash}"'
    return reply


@router.get("/sessions/{id}/audit/head")
async def audit_head(request: Request, owner: Reader, id: Id) -> AuditHead:
    """The end of the session's audit log, as it is now. 404 where it has none."""
    _, path, end = await _audited(request, owner, id)
    await in_thread(_removed, path)
    return AuditHead(count=end.count, hash=end.hash)


async def _audited(request: Request, owner: str, id: str) -> tuple[SessionStatus, Path, ChainHead]:
    pool = services_of(request).sessions
    status = await status_of(request, owner, id)
    if not status.audited:
        raise NotFoundError("the session has no audit log", field="session", value=id)
    path, end = await in_thread(pool.audit_log, owner, id)
    return status, path, end


def _sent(path: Path, media: str, name: str) -> FileResponse:
    """A file that is sent in parts, and removed when it was."""
    headers = {"cache-control": "private, no-store", "content-disposition": _attachment(name)}
    return FileResponse(path, media_type=media, headers=headers, background=BackgroundTask(_removed, path))


def _removed(path: Path) -> None:
    path.unlink(missing_ok=True)


def _named(status: SessionStatus, ending: str) -> str:
    """The name of a file of a session, by the session's own."""
    name = re.sub(r'[\x00-\x1f\x7f/\\:*?"<>|]+', "_", status.name).strip(" .")[:100]
    return f"{name or 'session'}.{'jpg' if ending == 'jpeg' else ending}"


def _attachment(name: str) -> str:
    """The Content-Disposition of a file that is kept under a name (RFC 6266)."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
