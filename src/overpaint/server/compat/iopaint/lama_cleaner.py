"""Lama Cleaner 1.x, IOPaint's name before: forms with files, names in camel case, and replies in plain text.

Its page is not served, but many scripts post `image` and `mask` to `/inpaint`, most of them without a setting.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import PlainTextResponse, Response

from overpaint.errors import RequestError
from overpaint.server.errors import NotFoundError
from overpaint.server.native.callers import Editor, Reader

from . import lists, medias, plugins
from .chosen import ERASERS, chosen
from .edits import inpaint_of
from .forms import form_fields, form_table

router = APIRouter(include_in_schema=False)

_SETTINGS = {"sd_strength": "0.75"}
"""Where its defaults differ from IOPaint's."""

Side = Annotated[str | None, Query(max_length=16)]


@router.post("/inpaint")
async def inpaint(request: Request, owner: Editor) -> Response:
    """An edit."""
    return await inpaint_of(request, owner, {**_SETTINGS, **await form_table(request)})


@router.post("/run_plugin")
async def run_plugin(request: Request, owner: Editor) -> Response:
    """A plug-in: a mask or a picture."""
    return await plugins.run(request, owner, plugins.from_form(await form_fields(request)), None)


@router.get("/server_config")
async def server_config(request: Request, owner: Reader) -> dict[str, Any]:
    """What there is."""
    return {
        "isControlNet": False,
        "controlNetMethod": "",
        "isDisableModelSwitchState": False,
        "isEnableAutoSaving": True,
        "enableFileManager": True,
        "plugins": list(await plugins.plugins_here(request)),
    }


@router.get("/model")
async def model(request: Request, owner: Reader) -> PlainTextResponse:
    """The name of the chosen model."""
    name, _ = await chosen(request, owner)
    return PlainTextResponse(name)


@router.post("/model")
async def switch_model(request: Request, owner: Editor) -> PlainTextResponse:
    """Choose a model."""
    fields = await form_fields(request)
    name = str(fields.get("name", ""))
    await lists.chosen_by_name(request, owner, name)
    return PlainTextResponse(f"ok, switch to {name}")


@router.get("/model_downloaded/{name}")
async def model_downloaded(request: Request, owner: Reader, name: str) -> PlainTextResponse:
    """Whether a model can be chosen at once, as Python writes it."""
    there = {one["name"] for one in (await lists.server_config(request, owner))["modelInfos"]}
    return PlainTextResponse(str(name in there or name in ERASERS))


@router.get("/is_desktop")
async def is_desktop(owner: Reader) -> PlainTextResponse:
    """Whether it runs in a window of its own."""
    return PlainTextResponse("False")


@router.get("/inputimage")
async def input_image(request: Request, owner: Reader) -> Response:
    """The picture that a page opens at once."""
    return await medias.input_image(request, owner)


@router.post("/save_image")
async def save_image(request: Request, owner: Editor) -> PlainTextResponse:
    """Keep a result."""
    fields = await form_fields(request)
    data = fields.get("image")
    if not isinstance(data, bytes):
        raise RequestError("{field} should be a file", field="image")
    await run_in_threadpool(medias.files_of(request).save, owner, "output", str(fields.get("filename", "")), data)
    return PlainTextResponse("ok")


@router.get("/medias/{tab}")
async def listed(request: Request, owner: Reader, tab: str) -> list[dict[str, Any]]:
    """The pictures of a folder: image or output."""
    return await medias.medias(request, owner, tab)


@router.get("/media/{tab}/{filename}")
async def media(request: Request, owner: Reader, tab: str, filename: str) -> Response:
    """A picture of a folder."""
    return await medias.media_file(request, owner, tab, filename)


@router.get("/media_thumbnail/{tab}/{filename}")
async def thumbnail(
    request: Request, owner: Reader, tab: str, filename: str, width: Side = None, height: Side = None
) -> Response:
    """A small JPEG of a picture of a folder."""
    sides = [_side(width, "width"), _side(height, "height")]
    return await medias.media_thumbnail_file(request, owner, tab, filename, *sides)


def _side(text: str | None, field: str) -> int:
    try:
        found = float(text or 0)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 65536:
        raise NotFoundError(f"{{field}} {text!r} is no width", field=field, value=text)
    return int(found)
