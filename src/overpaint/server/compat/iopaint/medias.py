"""Files that IOPaint's page opens, shows in a list and saves: all within the server's folder, each caller's alone.

IOPaint's own file manager gives out any file of its machine (`filename=/etc/passwd`); here a name is never a path.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, File, Query, Request, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from overpaint.picture.open import format_of
from overpaint.server.decoding import prompts_of
from overpaint.server.errors import NotFoundError
from overpaint.server.native.callers import Editor, Reader, services_of
from overpaint.server.native.pictures import MEDIA_TYPES
from overpaint.server.picture_folders import KINDS, FolderPicture, Kind, PictureFolders
from overpaint.server.reading import bounded

router = APIRouter(include_in_schema=False)

Side = Annotated[int, Query(ge=0, le=65536)]


@router.get("/api/v1/inputimage")
async def input_image(request: Request, owner: Reader) -> Response:
    """The picture that a page opens at once: the only one in the caller's folder `input`."""
    files = files_of(request)

    def only() -> tuple[str, bytes]:
        found = files.all(owner, "input")
        if len(found) != 1:
            raise NotFoundError(
                "there is no single picture to begin with", hint=f"put one into {files.shown_folder(owner, 'input')}"
            )
        return found[0].name, files.data(owner, "input", found[0].name)

    name, data = await run_in_threadpool(only)
    return _file(data, {"content-disposition": _disposition(name)})


@router.post("/api/v1/save_image")
async def save_image(request: Request, owner: Editor, file: Annotated[UploadFile, File()]) -> None:
    """Keep a result under its name in the caller's folder `output`, in the place of one that has it."""
    await run_in_threadpool(files_of(request).save, owner, "output", file.filename or "", await file.read())


@router.get("/api/v1/medias")
async def medias(request: Request, owner: Reader, tab: str) -> list[dict[str, Any]]:
    """The pictures of a folder: input, output or mask."""
    return [listed(one) for one in await run_in_threadpool(files_of(request).all, owner, kind_of(tab))]


@router.get("/api/v1/media_file")
async def media_file(request: Request, owner: Reader, tab: str, filename: str) -> Response:
    """A picture of a folder."""
    return _file(await run_in_threadpool(files_of(request).data, owner, kind_of(tab), filename), {})


@router.get("/api/v1/media_thumbnail_file")
async def media_thumbnail_file(
    request: Request, owner: Reader, tab: str, filename: str, width: Side = 0, height: Side = 0
) -> Response:
    """A small JPEG of a picture of a folder."""
    files = files_of(request)
    made = await run_in_threadpool(files.thumbnail, owner, kind_of(tab), filename, width, height)
    headers = {"x-width": str(made.width), "x-height": str(made.height)}
    return Response(made.data, media_type="image/jpeg", headers=headers)


@router.post("/api/v1/gen-info")
async def gen_info(request: Request, owner: Reader, file: Annotated[UploadFile, File()]) -> dict[str, str]:
    """The prompts that a picture says it was made with."""
    settings = services_of(request).settings
    data = await file.read()
    prompt, negative_prompt = await run_in_threadpool(bounded, settings, prompts_of, data, settings.most_pixels)
    return {"prompt": prompt, "negative_prompt": negative_prompt}


def files_of(request: Request) -> PictureFolders:
    """The pictures in folders of the application."""
    state = request.app.state
    if not hasattr(state, "iopaint_files"):
        settings = services_of(request).settings
        state.iopaint_files = PictureFolders(settings.data / "named", settings)
    found: PictureFolders = state.iopaint_files
    return found


def kind_of(tab: str) -> Kind:
    """The folder of a tab; Lama Cleaner calls the first one `image`. NotFoundError for another."""
    for kind in KINDS:
        if tab == kind or (tab == "image" and kind == "input"):
            return kind
    raise NotFoundError(f"there is no tab {tab[:40]!r}", field="tab", value=tab[:40], hint=f"one of {', '.join(KINDS)}")


def listed(one: FolderPicture) -> dict[str, Any]:
    """A file as its page lists it."""
    size = {"height": one.height, "width": one.width}
    return {"name": one.name, **size, "ctime": one.created, "mtime": one.modified}


def _file(data: bytes, headers: dict[str, str]) -> Response:
    kind = MEDIA_TYPES.get(format_of(data) or "", "application/octet-stream")
    return Response(data, media_type=kind, headers={"cache-control": "no-store", **headers})


def _disposition(name: str) -> str:
    """A header with a name. Its page takes what stands between "filename=" and ";", quotation marks included."""
    plain = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "-_.") else "_" for letter in name)
    return f"inline; filename={plain}; filename*=UTF-8''{quote(name, safe='')}"
