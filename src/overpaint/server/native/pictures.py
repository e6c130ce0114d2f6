"""Pictures: upload, list, fetch, thumbnail, delete. Masks and sketches are pictures too."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from overpaint.errors import PictureError, RequestError
from overpaint.server.decoding import PictureFacts
from overpaint.server.described import native_router

from .callers import Editor, Reader, services_of
from .stored_files import file_reply

router = native_router("pictures")

MEDIA_TYPES = {
    "png": "image/png",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "tiff": "image/tiff",
    "avif": "image/avif",
    "gif": "image/gif",
    "bmp": "image/bmp",
    "psd": "image/vnd.adobe.photoshop",
    "psb": "image/vnd.adobe.photoshop",
    "ora": "image/openraster",
}
_SHOWN = frozenset({"png", "jpeg", "webp", "avif", "gif"})
"""What a browser shows; everything else is offered as a file to keep."""

Id = Annotated[str, Path(pattern="^[0-9a-f]{64}$", description="the picture's id")]


class StoredPicture(BaseModel):
    """A stored picture."""

    id: str = Field(description="the SHA-256 of the file")
    format: str
    width: int
    height: int
    mode: str = Field(description="channels and bits")
    bytes: int
    transparent: bool = Field(description="whether a part of it is transparent")
    notes: list[str] = Field(description="what is damaged, say")

    @classmethod
    def of(cls, facts: PictureFacts) -> StoredPicture:
        """From what the store knows."""
        return cls(
            id=facts.id,
            format=facts.format,
            width=facts.width,
            height=facts.height,
            mode=facts.mode,
            bytes=facts.bytes,
            transparent=facts.transparent,
            notes=list(facts.notes),
        )


def body_of(media: str) -> dict[str, Any]:
    """The description of a body that is a file of this media type."""
    schema = {"type": "string", "format": "binary"}
    return {"requestBody": {"required": True, "content": {media: {"schema": schema}}}}


_BODY = body_of("*/*")


def refuse_form(request: Request, whose: str) -> None:
    """Raise RequestError where the body is a form, in which browsers and many clients send files.

    Args:
        request: The request.
        whose: What the file should be: "a picture's".
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media == "multipart/form-data":
        raise RequestError(
            f"the body of the request is a form, and should be {whose} file itself",
            code="body-form",
            field="body",
            value=media,
            hint="send the bytes of the file as the body, as data-binary of curl does",
        )


@router.post("/pictures", status_code=201, openapi_extra=_BODY)
async def upload(request: Request, owner: Editor, response: Response) -> StoredPicture:
    """Keep a picture: the body is its file. The same file twice is one picture."""
    store = services_of(request).pictures
    refuse_form(request, "a picture's")
    data = await request.body()
    if not data:
        raise PictureError("the body of the request is empty, and should be a picture's file")
    facts = await run_in_threadpool(partial(store.add, owner, data))
    response.headers["location"] = f"{request.url.path}/{facts.id}"
    return StoredPicture.of(facts)


@router.get("/pictures")
async def listed(
    request: Request, owner: Reader, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> list[StoredPicture]:
    """The caller's pictures, the newest first."""
    store = services_of(request).pictures

    def some() -> list[StoredPicture]:
        return [StoredPicture.of(facts) for facts, _ in zip(store.all(owner), range(limit), strict=False)]

    return await run_in_threadpool(some)


@router.get("/pictures/{id}")
async def facts(request: Request, owner: Reader, id: Id) -> StoredPicture:
    """What is known of a picture."""
    return StoredPicture.of(await run_in_threadpool(services_of(request).pictures.facts, owner, id))


IMAGE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}}
}

UNCHANGED: dict[int | str, dict[str, Any]] = {
    **IMAGE,
    304: {"description": "The caller has it already (If-None-Match)"},
}


@router.get("/pictures/{id}/file", response_class=Response, responses=IMAGE)
async def file(request: Request, owner: Reader, id: Id) -> Response:
    """The file of a picture, byte by byte as it came in or was made."""
    store = services_of(request).pictures
    known = await run_in_threadpool(store.facts, owner, id)
    opened = await run_in_threadpool(store.opened, owner, id)
    headers = {"cache-control": "private, max-age=31536000, immutable", "etag": f'"{id}"'}
    if known.format not in _SHOWN:
        headers["content-disposition"] = f'attachment; filename="{id[:12]}.{known.format}"'
    media = MEDIA_TYPES.get(known.format, "application/octet-stream")
    return await run_in_threadpool(file_reply, opened, media, headers)


@router.get("/pictures/{id}/thumbnail", response_class=Response, responses=IMAGE)
async def thumbnail(
    request: Request, owner: Reader, id: Id, side: Annotated[int, Query(ge=16, le=1024)] = 256
) -> Response:
    """A WebP of at most `side` pixels across, in sRGB."""
    data = await run_in_threadpool(services_of(request).pictures.thumbnail, owner, id, side)
    return Response(data, media_type="image/webp", headers={"cache-control": "private, max-age=86400"})


@router.delete("/pictures/{id}", status_code=204)
async def delete(request: Request, owner: Editor, id: Id) -> None:
    """Remove a picture. Jobs that wait for it fail."""
    await run_in_threadpool(services_of(request).pictures.delete, owner, id)
