"""OpenAI's API for pictures: `POST /v1/images/edits` in its multipart and its JSON form, and `GET /v1/models`.

Its masks are RGBA, and what is transparent is repainted; a mask without transparency is read as white = repaint, which
the reply says. Results keep the picture's own size and every pixel beyond the mask and its soft edge. What has no
effect here is named in the header X-Overpaint-Note.
"""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Literal

import cv2
import numpy as np
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.datastructures import UploadFile

from overpaint.errors import OverpaintError, RequestError
from overpaint.request import EditRequest, FullPart, MaskSpec
from overpaint.server.errors import NotFoundError
from overpaint.server.native.callers import Editor, Reader, services_of
from overpaint.server.replies import error_table
from overpaint.server.tasks import MOST_VARIATIONS, EditTask, Marks

from .calls import Call, CallResult, json_of, json_table, picture_bytes
from .lenient import Lenient, Number, Whole, Yes
from .models import NamedModel, model_named, named_models

router = APIRouter(include_in_schema=False)

PREFIXES = ("/v1/",)
STATUSES = {422: 400}

_STEPS = {"low": 10, "medium": 20, "high": 30, "xhigh": 40, "max": 50}
"""Denoising steps by quality; "auto" and "standard" leave the model's own."""

_WITHOUT_EFFECT = ("input_fidelity", "moderation", "background", "markup", "complexity", "svg", "frame_count")


class EditBody(Lenient):
    """The fields of an edit that are read."""

    prompt: str = ""
    model: str = ""
    n: Whole = 1
    size: str = "auto"
    quality: str = "auto"
    output_format: Literal["png", "jpeg", "webp"] = "png"
    output_compression: Whole | None = None
    response_format: str = "b64_json"
    stream: Yes = False
    partial_images: Whole = 0
    seed: Whole | None = None
    strength: Number | None = None


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request as it came.

    Attributes:
        fields: All but the pictures.
        images: The files of the picture and of further ones.
        mask: The file of the mask.
    """

    fields: dict[str, Any]
    images: list[bytes]
    mask: bytes | None = None


@dataclass(slots=True)
class _Asked:
    """What is asked for.

    Attributes:
        body: The fields.
        task: The edit.
        notes: What has no effect, or was read in a certain way.
    """

    body: EditBody
    task: EditTask
    notes: list[str] = field(default_factory=list)


@router.get("/v1/models")
async def models(request: Request, owner: Reader) -> dict[str, Any]:
    """What can be named as a model: checkpoints, and engines that need none."""
    return {"object": "list", "data": [_model(one) for one in await named_models(services_of(request).studio)]}


@router.get("/v1/models/{name:path}")
async def model(request: Request, owner: Reader, name: str) -> dict[str, Any]:
    """One of them."""
    for one in await named_models(services_of(request).studio):
        if one.name == name:
            return _model(one)
    raise NotFoundError(f"there is no model {name!r}", field="model", value=name)


def _model(painter: NamedModel) -> dict[str, Any]:
    return {"id": painter.name, "object": "model", "created": 0, "owned_by": "overpaint"}


@router.post("/v1/images/generations")
@router.post("/v1/images/variations")
async def generations(owner: Editor) -> Response:
    """Pictures of text alone and variations of whole ones, which are not made here."""
    raise RequestError(
        "this server edits pictures, and makes none of text alone and no variations of whole ones",
        code="edit-only",
        hint="post to /v1/images/edits",
    )


@router.post("/v1/images/edits")
async def edits(request: Request, owner: Editor) -> Response:
    """An edit of the first picture where the mask is transparent, or of all of it where there is no mask."""
    sent = await _sent(request)
    async with AsyncExitStack() as stack:
        call = await stack.enter_async_context(Call(request, owner))
        asked = await _asked(call, sent, request)
        if not asked.body.stream:
            results = await call.edit(asked.task, attach=True)
            return JSONResponse(_reply(asked, results), headers=_note(asked.notes, results))
        await call.begin(asked.task, attach=True)
        streamed = _streamed(stack.pop_all(), call, asked)
        headers = {"cache-control": "no-cache", "x-accel-buffering": "no", **_note(asked.notes, [])}
        return StreamingResponse(streamed, media_type="text/event-stream", headers=headers)


async def _streamed(stack: AsyncExitStack, call: Call, asked: _Asked) -> AsyncIterator[str]:
    """Partial pictures, then each result, as server-sent events; `stack` ends the call."""
    async with stack:
        assert call.job is not None
        shown = 0
        try:
            async for event in call.events(call.job):
                if event is None:
                    yield ": still here\n\n"
                elif event.kind == "preview" and shown < asked.body.partial_images:
                    partial = {"b64_json": _as_png(event.data["image"]), "partial_image_index": shown}
                    yield _event("image_edit.partial_image", {**partial, **_described(asked)})
                    shown += 1
            for result in await call.results(call.job):
                done = {"b64_json": base64.b64encode(result.data).decode(), "usage": _USAGE}
                yield _event("image_edit.completed", {**done, **_described(asked, result)})
        except OverpaintError as error:
            yield _event("error", {"error": _error(400, error_table(error))})


async def _sent(request: Request) -> _Sent:
    """The fields and files of a request in either form."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        table = await json_table(request)
        listed = table.pop("images", None)
        single, mask = table.pop("image", None), table.pop("mask", None)
        listed = [single] if listed is None and single is not None else listed
        if not isinstance(listed, list) or not listed:
            raise RequestError(
                "{field} is missing", field="images", hint="send [{'image_url': 'data:image/png;base64,...'}]"
            )
        images = [_referred(one, "images") for one in listed]
        return _Sent(table, images, None if mask is None else _referred(mask, "mask"))
    if kind != "multipart/form-data":
        raise RequestError("the body should be multipart/form-data or application/json, not " + (kind or "nothing"))
    form = await request.form(max_files=20, max_fields=500, max_part_size=8 << 20)
    fields: dict[str, Any] = {}
    files: dict[str, list[bytes]] = {}
    try:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                files.setdefault(name.removesuffix("[]"), []).append(await value.read())
            elif name.endswith("[]"):
                fields.setdefault(name, []).append(value)
            else:
                fields[name] = value
    finally:
        await form.close()
    if not files.get("image"):
        raise RequestError("{field} is missing", field="image", hint="send the picture as the file 'image'")
    return _Sent(fields, files["image"], next(iter(files.get("mask", [])), None))


def _referred(value: Any, name: str) -> bytes:
    """The file that an entry of the JSON form holds. Addresses are refused: nothing is fetched."""
    if isinstance(value, dict):
        value = value.get("image_url") or value.get("url") or value.get("b64_json") or value.get("file_id")
    if isinstance(value, dict):
        value = value.get("url")
    if isinstance(value, str) and re.match(r"https?://", value):
        raise RequestError(
            "{field} is an address, and this server fetches none",
            code="address-refused",
            field=name,
            hint="send the picture itself as a data URL",
        )
    return picture_bytes(value, name)


async def _asked(call: Call, sent: _Sent, request: Request) -> _Asked:
    """The task of a request, whose pictures are added to the call."""
    body: EditBody = EditBody.read(sent.fields)
    if not 1 <= body.n <= min(10, MOST_VARIATIONS):
        raise RequestError("{field} must be 1 to 10", field="n", value=body.n)
    notes = [
        f"{name} has no effect here" for name in _WITHOUT_EFFECT if sent.fields.get(name) not in (None, "auto", "")
    ]
    if body.size not in ("auto", ""):
        notes.append("size has no effect: a result has its picture's size")
    if body.response_format == "url":
        notes.append("url is a data URL: results are not stored")
    if len(sent.images) > 1:
        notes.append("the first picture is edited; the others have no effect")
    own = _native(sent.fields)
    if named := own.get("model") or own.get("engine"):
        painter = NamedModel(str(named), "")
    else:
        painter = await model_named(services_of(request).studio, body.model)
    if body.model and painter.name != body.model and not named:
        notes.append(f"there is no model {body.model!r}, so that {painter.name} painted")
    settings: dict[str, Any] = {**painter.settings, "prompt": body.prompt or None, "seed": body.seed, **own}
    if not painter.prompted:
        settings.pop("prompt", None)
        if body.prompt:
            notes.append(f"{painter.name} continues the surroundings, so that the prompt had no effect")
    elif body.quality in _STEPS:
        settings.setdefault("steps", _STEPS[body.quality])
    if body.strength is not None:
        settings.setdefault("strength", body.strength)
    picture = await call.add(sent.images[0])
    marks = None
    if sent.mask is not None:
        mask = await call.add(sent.mask)
        if mask.transparent:
            marks = Marks(mask=(mask.id,), channel="transparent")
        else:
            marks = Marks(mask=(mask.id,), channel="luminance")
            notes.append("the mask has no transparency, so that white was repainted")
    elif picture.transparent:
        marks = Marks(mask=(picture.id,), channel="transparent")
    else:
        settings.setdefault("mask", MaskSpec(parts=(FullPart(),)).to_mapping())
    settings.setdefault("intent", ("replace" if marks is not None else "custom") if painter.prompted else "remove")
    task = EditTask(
        picture=picture.id,
        request=EditRequest.from_mapping({name: value for name, value in settings.items() if value is not None}),
        marks=marks,
        count=body.n,
        format=body.output_format,
        quality=body.output_compression if body.output_format != "png" else None,
    )
    return _Asked(body, task, notes)


def _native(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Our own settings: `native` as a table, or flattened as native[grow] by the SDK's forms."""
    found = dict(fields["native"]) if isinstance(fields.get("native"), dict) else {}
    for name, value in fields.items():
        if inner := re.fullmatch(r"native\[(\w+)\](\[\])?", name):
            found[inner[1]] = [_value(one) for one in value] if inner[2] else _value(value)
    known = {one.alias or name for name, one in EditRequest.model_fields.items()}
    return {name: value for name, value in found.items() if name in known}


def _value(text: Any) -> Any:
    """A form's text as the JSON value that it is of, else as text."""
    try:
        return json_of(text.encode()) if isinstance(text, str) else text
    except (RequestError, UnicodeEncodeError):
        return text


_USAGE = {
    "input_tokens": 0,
    "output_tokens": 0,
    "total_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
}
"""The SDK's model needs it; nothing is counted here."""


def _described(asked: _Asked, result: CallResult | None = None) -> dict[str, Any]:
    facts = {} if result is None else result.facts
    return {
        "created_at": int(time.time()),
        "background": "auto",
        "output_format": asked.body.output_format,
        "quality": asked.body.quality,
        "size": f"{facts['width']}x{facts['height']}" if facts else asked.body.size,
    }


def _reply(asked: _Asked, results: list[CallResult]) -> dict[str, Any]:
    described = _described(asked, results[0])
    created = described.pop("created_at")
    data = [_datum(one, asked.body) for one in results]
    return {"created": created, "data": data, **described, "usage": _USAGE}


def _datum(result: CallResult, body: EditBody) -> dict[str, Any]:
    """One result; a client that asked for an address reads that alone."""
    text = base64.b64encode(result.data).decode()
    found = {"b64_json": text, "seed": result.facts["seed"]}
    if body.response_format == "url":
        found["url"] = f"data:image/{body.output_format};base64,{text}"
    return found


def _note(notes: list[str], results: list[CallResult]) -> dict[str, str]:
    """The header of notes, in ASCII."""
    said = dict.fromkeys([*notes, *(note for one in results for note in one.facts["notes"])])
    text = "; ".join(said).encode("ascii", "replace").decode().replace("\n", " ")
    return {"x-overpaint-note": text[:2000]} if text else {}


def _event(name: str, data: Mapping[str, Any]) -> str:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n"


def _as_png(url: str) -> str:
    """A preview, which is a WebP in a data URL, as a PNG in base64."""
    data = np.frombuffer(base64.b64decode(url.partition(",")[2]), np.uint8)
    _, encoded = cv2.imencode(".png", cv2.imdecode(data, cv2.IMREAD_COLOR))
    return base64.b64encode(encoded.tobytes()).decode()


def error_body(status: int, error: Mapping[str, Any]) -> dict[str, Any]:
    """An error in the form that OpenAI's clients read."""
    return {"error": _error(status, error)}


def _error(status: int, error: Mapping[str, Any]) -> dict[str, Any]:
    kind = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}.get(
        status, "server_error" if status >= 500 else "invalid_request_error"
    )
    message = "; ".join(str(error[part]) for part in ("message", "hint") if error.get(part))
    return {"message": message, "type": kind, "param": error.get("field"), "code": error.get("code")}
