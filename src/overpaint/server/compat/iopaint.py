"""IOPaint's API (Lama Cleaner's successor): `/api/v1/`, as its own page and its plug-ins call it.

Where the mask is lighter than 127 of 255, whatever its transparency, is repainted. The reply is the picture itself, in
the format that it came in, with its seed in X-Seed. IOPaint's settings for high resolution have no effect: every
picture is worked on at full size, and every pixel beyond the mask is kept.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from fastapi import APIRouter, File, Request, UploadFile
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from PIL import Image

from overpaint.errors import RequestError
from overpaint.request import EditRequest
from overpaint.server.decoding import PictureFacts, levels_of, prompts_of
from overpaint.server.errors import NotFoundError
from overpaint.server.native.callers import Editor, Reader, services_of
from overpaint.server.reading import bounded
from overpaint.server.tasks import EditTask, Marks

from .calls import Call, json_table, picture_bytes
from .lenient import Lenient, Number, Whole, Yes
from .models import NamedModel, model_named, named_models

router = APIRouter(include_in_schema=False)

PREFIXES = ("/api/v1/",)
STATUSES = {422: 400}

_ERASERS: Mapping[str, str] = MappingProxyType(
    {
        "cv2": "telea",
        **dict.fromkeys(("lama", "anime-lama", "ldm", "zits", "mat", "fcf", "manga", "migan"), "exemplar"),
    }
)
"""The engine here that does what one of IOPaint's own models does, whose files are not read."""

_METHODS = {"INPAINT_TELEA": "telea", "INPAINT_NS": "navier-stokes"}

_CALLERS = 1000
"""Callers whose chosen model is remembered."""

_INK = (255, 203, 0, 186)
"""The colour in which its page shows a mask, RGBA."""


class InpaintBody(Lenient):
    """The fields of an edit that are read."""

    image: str
    mask: str | None = None
    prompt: str = ""
    negative_prompt: str = ""
    sd_strength: Number = 1.0
    sd_steps: Whole = 50
    sd_guidance_scale: Number = 7.5
    sd_sampler: str = "UniPC"
    sd_seed: Whole = 42
    sd_match_histograms: Yes = False
    use_croper: Yes = False
    croper_x: Whole = 0
    croper_y: Whole = 0
    croper_width: Whole = 512
    croper_height: Whole = 512
    use_extender: Yes = False
    extender_x: Whole = 0
    extender_y: Whole = 0
    extender_width: Whole = 640
    extender_height: Whole = 640
    cv2_flag: str = "INPAINT_NS"
    cv2_radius: Whole = 4


class AdjustBody(Lenient):
    """A change of a mask."""

    mask: str
    operate: Literal["expand", "shrink", "reverse"] = "expand"
    kernel_size: Whole = 5


class ModelBody(Lenient):
    """The name of a model."""

    name: str


@router.get("/api/v1/server-config")
async def server_config(request: Request, owner: Reader) -> dict[str, Any]:
    """What its page asks first: the models, and what else there is."""
    return {
        "plugins": [],
        "modelInfos": [_info(one) for one in await named_models(services_of(request).studio)],
        "removeBGModel": "none",
        "removeBGModels": [],
        "realesrganModel": "none",
        "realesrganModels": [],
        "interactiveSegModel": "none",
        "interactiveSegModels": [],
        "enableFileManager": False,
        "enableAutoSaving": False,
        "enableControlnet": False,
        "controlnetMethod": None,
        "disableModelSwitch": False,
        "isDesktop": False,
        "samplers": await samplers(owner),
    }


@router.get("/api/v1/model")
async def current_model(request: Request, owner: Reader) -> dict[str, Any]:
    """The model that the caller has chosen."""
    name, model = await _chosen(request, owner)
    return {**_info(model), "name": name, "path": name}


@router.post("/api/v1/model")
async def choose_model(request: Request, owner: Editor) -> dict[str, Any]:
    """Choose a model for this caller: a checkpoint, an engine, or a name of IOPaint's own erasers."""
    name = ModelBody.read(await json_table(request)).name
    known = {one.name for one in await named_models(services_of(request).studio)}
    if name not in known and name not in _ERASERS:
        raise NotFoundError(f"there is no model {name!r}", field="name", value=name)
    chosen = _choices(request)
    chosen[owner] = name
    chosen.move_to_end(owner)
    while len(chosen) > _CALLERS:
        chosen.popitem(last=False)
    return await current_model(request, owner)


@router.get("/api/v1/samplers")
async def samplers(owner: Reader) -> list[str]:
    """The names of samplers."""
    from overpaint.engines.diffusion.names import SAMPLER_NAMES

    return [name.title for name in SAMPLER_NAMES.values()]


@router.get("/api/v1/inputimage")
async def input_image(owner: Reader) -> Response:
    """The picture that the server was started with: none."""
    raise NotFoundError("the server was started without a picture")


@router.post("/api/v1/inpaint")
async def inpaint(request: Request, owner: Editor) -> Response:
    """An edit: JSON with base64, as its clients send it, or a form with files, as some scripts do."""
    table = await _table(request)
    async with Call(request, owner) as call:
        body: InpaintBody = InpaintBody.read(table)
        picture = await call.add(picture_bytes(body.image, "image"))
        marks = None
        if body.mask:
            marks = Marks(mask=((await call.add(picture_bytes(body.mask, "mask"))).id,), channel="luminance")
        name, model = await _chosen(request, owner)
        settings, notes = _settings(body, name, model, picture)
        if marks is None and "margins" not in settings:
            raise RequestError("{field} is missing", field="mask", hint="send a picture that is white where to repaint")
        if "margins" in settings:
            marks = None
        elif body.use_croper and marks is not None:
            notes.append("use_croper has no effect: what the model sees follows the mask")
        request_ = EditRequest.from_mapping({key: value for key, value in settings.items() if value is not None})
        format_: Any = picture.format if picture.format in ("jpeg", "webp") and not picture.transparent else "png"
        (result,) = await call.edit(EditTask(picture=picture.id, request=request_, marks=marks, format=format_))
        seed = result.facts["seed"]
        headers = {"x-seed": str(body.sd_seed if seed is None else seed)}
        said = "; ".join(dict.fromkeys([*notes, *result.facts["notes"]])).encode("ascii", "replace").decode()
        headers |= {"x-overpaint-note": said[:2000].replace("\n", " ")} if said else {}
        return Response(result.data, media_type=f"image/{result.facts['format']}", headers=headers)


@router.post("/api/v1/adjust_mask")
async def adjust_mask(request: Request, owner: Editor) -> Response:
    """A mask grown, shrunk or inverted, as an RGBA PNG in the page's own colour."""
    body: AdjustBody = AdjustBody.read(await json_table(request))
    if not 0 <= body.kernel_size <= 512:
        raise RequestError("{field} must be 0 to 512", field="kernel_size", value=body.kernel_size)
    settings = services_of(request).settings
    data = picture_bytes(body.mask, "mask")
    levels = await run_in_threadpool(bounded, settings, levels_of, data, settings.most_pixels)
    return Response(await run_in_threadpool(_adjusted, levels, body), media_type="image/png")


@router.post("/api/v1/gen-info")
async def gen_info(request: Request, owner: Reader, file: Annotated[UploadFile, File()]) -> dict[str, str]:
    """The prompts that a picture says it was made with."""
    settings = services_of(request).settings
    data = await file.read()
    prompt, negative_prompt = await run_in_threadpool(bounded, settings, prompts_of, data, settings.most_pixels)
    return {"prompt": prompt, "negative_prompt": negative_prompt}


@router.post("/api/v1/run_plugin_gen_mask")
@router.post("/api/v1/run_plugin_gen_image")
@router.post("/api/v1/switch_plugin_model")
async def run_plugin(request: Request, owner: Editor) -> Response:
    """Plug-ins, of which there are none."""
    name = (await json_table(request)).get("name")
    raise NotFoundError(f"the plug-in {name!r} is not here", code="plugin-unknown", field="name", value=name)


def _settings(
    body: InpaintBody, name: str, model: NamedModel, picture: PictureFacts
) -> tuple[dict[str, Any], list[str]]:
    """The request's settings, and notes on what has no effect."""
    notes: list[str] = []
    found: dict[str, Any] = {**model.settings, "seed": body.sd_seed if body.sd_seed >= 0 else None}
    if body.use_extender:
        right = body.extender_x + body.extender_width - picture.width
        bottom = body.extender_y + body.extender_height - picture.height
        margins = [max(0, side) for side in (-body.extender_x, -body.extender_y, right, bottom)]
        if not any(margins):
            raise RequestError("the extender lies within the picture, so that nothing is added", field="use_extender")
        found |= {"intent": "expand", "margins": margins}
        if not model.prompted:
            found.pop("engine", None)  # the way of extending that needs no model
    else:
        found["intent"] = "custom" if model.prompted else "remove"
    if model.prompted:
        found |= {
            "prompt": body.prompt or None,
            "negative_prompt": body.negative_prompt or None,
            "strength": body.sd_strength,
            "steps": body.sd_steps,
            "guidance_scale": body.sd_guidance_scale,
            "sampler": body.sd_sampler,
        }
    elif body.prompt:
        notes.append(f"{model.name} continues the surroundings, so that the prompt had no effect")
    if name == "cv2" and "engine" in found:
        found["engine"] = _METHODS.get(body.cv2_flag, "telea")
        found["options"] = {"radius": max(1, min(64, body.cv2_radius))}
    elif name in _ERASERS:
        notes.append(f"the model {name} is not here; the engine {model.name} painted")
    if body.sd_match_histograms:
        found["colour_match"] = True
    return found, notes


def _adjusted(levels: Any, body: AdjustBody) -> bytes:
    """(H, W) uint8 levels, grown, shrunk or inverted, as a PNG."""
    marked = (levels >= 127).astype(np.uint8)
    side = 2 * body.kernel_size + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    if body.operate == "reverse":
        marked = 1 - marked
    else:
        marked = (cv2.dilate if body.operate == "expand" else cv2.erode)(marked, kernel)
    shown = np.zeros((*marked.shape, 4), np.uint8)
    shown[marked > 0] = _INK
    out = io.BytesIO()
    Image.fromarray(shown).save(out, "PNG")
    return out.getvalue()


async def _chosen(request: Request, owner: str) -> tuple[str, NamedModel]:
    """The name that the caller has chosen, and what paints for it; an engine that needs no model unless chosen."""
    name = _choices(request).get(owner, "exemplar")
    return name, await model_named(services_of(request).studio, _ERASERS.get(name, name))


def _choices(request: Request) -> OrderedDict[str, str]:
    """The chosen models by caller."""
    state = request.app.state
    if not hasattr(state, "iopaint_models"):
        state.iopaint_models = OrderedDict()
    found: OrderedDict[str, str] = state.iopaint_models
    return found


def _info(model: NamedModel) -> dict[str, Any]:
    kind = "inpaint"
    if model.prompted:
        kind = "diffusers_sdxl_inpaint" if "XL" in model.title else "diffusers_sd_inpaint"
    return {
        "name": model.name,
        "path": model.name,
        "model_type": kind,
        "is_single_file_diffusers": False,
        "need_prompt": model.prompted,
        "controlnets": [],
        "brushnets": [],
        "support_strength": model.prompted,
        "support_outpainting": True,
        "support_lcm_lora": False,
        "support_controlnet": False,
        "support_brushnet": False,
        "support_powerpaint_v2": False,
    }


async def _table(request: Request) -> dict[str, Any]:
    """The fields of an edit; files of a form become base64, so that there is one way on."""
    import base64

    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return await json_table(request)
    form = await request.form(max_files=4, max_fields=200, max_part_size=1 << 20)
    try:
        found: dict[str, Any] = {}
        for name, value in form.multi_items():
            data = value if isinstance(value, str) else base64.b64encode(await value.read()).decode()
            found[name] = data
        return found
    finally:
        await form.close()


def error_body(status: int, error: Mapping[str, Any]) -> dict[str, Any]:
    """An error in the form that its clients read."""
    message = "; ".join(str(error[part]) for part in ("message", "hint") if error.get(part))
    return {"error": error.get("code", "error"), "detail": message, "body": "", "errors": message}
