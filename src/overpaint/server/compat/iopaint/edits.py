"""An edit, from its body to its picture."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response
from pydantic import Field

from overpaint.errors import RequestError
from overpaint.geometry import Box, Size
from overpaint.request import EditRequest
from overpaint.server.compat.calls import Call, CallResult, json_table, picture_bytes
from overpaint.server.compat.lenient import Lenient, Number, Whole, Yes
from overpaint.server.compat.models import NamedModel, control_networks, read_by
from overpaint.server.decoding import PictureFacts, levels_of
from overpaint.server.native.callers import Editor, services_of
from overpaint.server.reading import bounded
from overpaint.server.tasks import EditTask, Marks

from .chosen import ERASERS, chosen
from .forms import form_table
from .sockets import sockets_of

router = APIRouter(include_in_schema=False)

_METHODS = {"INPAINT_TELEA": "telea", "INPAINT_NS": "navier-stokes"}

_IDLE: Mapping[str, Any] = MappingProxyType(
    {
        "sd_scale": 1.0,
        "sd_lcm_lora": False,
        "enable_brushnet": False,
        "enable_powerpaint_v2": False,
        "paint_by_example_example_image": None,
    }
)
"""Settings that have no effect here, with the value that asks for nothing."""

_OF_OTHERS = frozenset(
    {
        *("ldm_steps", "ldm_sampler", "zits_wireframe", "size_limit", "model"),
        *("hd_strategy", "hd_strategy_crop_trigger_size", "hd_strategy_crop_margin", "hd_strategy_resize_limit"),
        *("hd_strategy_crop_triger_size", "hd_trategy_resize_imit"),  # as its own page spells them
        *("sd_mask_blur", "sd_outpainting_softness", "sd_outpainting_space"),
        *("brushnet_conditioning_scale", "brushnet_method"),
        *("powerpaint_task", "fitting_degree", "p2p_steps", "p2p_guidance_scale", "p2p_image_guidance_scale"),
        *("paint_by_example_steps", "paint_by_example_guidance_scale", "paint_by_example_mask_blur"),
        *("paint_by_example_seed", "paint_by_example_match_histograms"),
    }
)
"""Further names that IOPaint's clients send: of how its own networks are run, which is not followed."""

_LONGEST_NOTE = 2000


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
    sd_keep_unmasked_area: Yes = True
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
    enable_controlnet: Yes = False
    controlnet_method: str = ""
    controlnet_conditioning_scale: Annotated[Number, Field(ge=0, le=4)] = 0.4
    cv2_flag: Literal["INPAINT_NS", "INPAINT_TELEA"] = "INPAINT_NS"
    cv2_radius: Whole = 4


@dataclass(frozen=True, slots=True)
class MarkedPlaces:
    """The mask of an edit, black and white.

    Attributes:
        size: Its own.
        png: The file; None where it marks nothing.
    """

    size: Size
    png: bytes | None


@dataclass(slots=True)
class _Settings:
    """The settings of a request.

    Attributes:
        found: By name.
        notes: On what has no effect.
    """

    found: dict[str, Any]
    notes: list[str] = field(default_factory=list)


@router.post("/api/v1/inpaint")
async def inpaint(request: Request, owner: Editor) -> Response:
    """An edit: JSON with base64, as its clients send it, or a form with files, as some scripts do."""
    form = request.headers.get("content-type", "").lower().startswith("multipart/form-data")
    return await inpaint_of(request, owner, await (form_table if form else json_table)(request))


async def inpaint_of(request: Request, owner: str, table: dict[str, Any]) -> Response:
    """The edit that a table asks for."""
    body: InpaintBody = InpaintBody.read(table)
    settings = services_of(request).settings
    async with Call(request, owner) as call:
        data = picture_bytes(body.image, "image")
        picture = await call.add(data)
        name, model = await chosen(request, owner)
        asked = _settings(body, name, model, picture)
        marks = None
        if "margins" in asked.found:
            if body.mask:
                asked.notes.append("the extender paints what it adds: the mask has no effect with it")
        elif body.mask:
            drawn = picture_bytes(body.mask, "mask")
            places = await run_in_threadpool(bounded, settings, marked_places, drawn, _crop(body), settings.most_pixels)
            _check_size(places.size, Size(picture.width, picture.height))
            if places.png is None:
                notes = [*asked.notes, "nothing is marked: the picture is as it was sent"]
                return _reply(data, picture.format, body.sd_seed, notes)
            marks = Marks(mask=((await call.add(places.png)).id,), channel="luminance")
        else:
            raise RequestError("{field} is missing", field="mask", hint="send a picture that is white where to repaint")
        edit = EditRequest.from_mapping({key: value for key, value in asked.found.items() if value is not None})
        format_: Any = picture.format if picture.format in ("jpeg", "webp") and not picture.transparent else "png"
        if format_ != picture.format:
            asked.notes.append(f"the result is PNG, and the picture is {picture.format.upper()}")
        task = EditTask(picture=picture.id, request=edit, marks=marks, format=format_)
        result = await _followed(request, owner, call, task, body.sd_steps)
        seed = result.facts["seed"]
        notes = [*asked.notes, *result.facts["notes"]]
        return _reply(result.data, result.facts["format"], body.sd_seed if seed is None else seed, notes)


async def _followed(request: Request, owner: str, call: Call, task: EditTask, steps: int) -> CallResult:
    """The result of a task, of which the caller's page hears while it is made."""
    job = await call.begin(task)
    sockets = sockets_of(request.app)
    async with contextlib.nullcontext() if sockets is None else sockets.following(request, owner, job, steps):
        (result,) = await call.outcome(job)
    return result


def marked_places(data: bytes, crop: Box | None, pixels: int | None) -> MarkedPlaces:
    """The places of a mask that are lighter than 127 of 255, within a crop.

    PictureError where it can't be read.
    """
    import numpy as np
    from PIL import Image

    levels = levels_of(data, pixels)
    marked = np.where(levels > 127, np.uint8(255), np.uint8(0))
    height, width = marked.shape
    if crop is not None:
        within = crop.intersect(Box(0, 0, width, height))
        kept = np.zeros_like(marked)
        if not within.empty:
            kept[within.slices] = marked[within.slices]
        marked = kept
    if not marked.any():
        return MarkedPlaces(Size(width, height), None)
    out = io.BytesIO()
    Image.fromarray(marked).save(out, "PNG", compress_level=1)
    return MarkedPlaces(Size(width, height), out.getvalue())


def _check_size(mask: Size, picture: Size) -> None:
    """MaskError where a mask has another size than its picture."""
    from overpaint.mask import wrong_size

    if mask != picture:
        error = wrong_size(mask, picture)
        error.hint = "send a mask of the picture's size"
        raise error


def _crop(body: InpaintBody) -> Box | None:
    """The part of the picture to which the caller's page confines the edit."""
    if not body.use_croper:
        return None
    if body.croper_width <= 0 or body.croper_height <= 0:
        raise RequestError("{field} must be more than 0", field="croper_width", value=body.croper_width)
    right, bottom = body.croper_x + body.croper_width, body.croper_y + body.croper_height
    return Box(body.croper_x, body.croper_y, right, bottom)


def _settings(body: InpaintBody, name: str, model: NamedModel, picture: PictureFacts) -> _Settings:
    """The request's settings, and notes on what has no effect."""
    from overpaint.engines.diffusion.names import SAMPLER_NAMES, parse_sampler

    asked = _Settings({**model.settings, "seed": body.sd_seed if body.sd_seed >= 0 else None}, _unheard(body))
    found, notes = asked.found, asked.notes
    sampler = parse_sampler(body.sd_sampler, nearest=True)  # whatever paints: a wrong name is a mistake
    if body.use_extender:
        found |= {"intent": "expand", "margins": _margins(body, picture)}
        if not model.prompted:
            found.pop("engine", None)  # the way of extending that needs no model
    else:
        found["intent"] = "custom" if model.prompted else "remove"
        if body.sd_keep_unmasked_area:
            found |= {"grow": 0.0, "feather": 0.0}
    if model.prompted:
        found |= {
            "prompt": body.prompt or None,
            "negative_prompt": body.negative_prompt or None,
            "strength": body.sd_strength,
            "steps": body.sd_steps,
            "guidance_scale": body.sd_guidance_scale,
            "sampler": sampler.sampler,
            "scheduler": sampler.scheduler,
        }
        if not _is_here(body.sd_sampler):
            title = SAMPLER_NAMES[sampler.sampler].title
            notes.append(f"the sampler {body.sd_sampler} is not here; {title} samples")
    elif body.prompt:
        notes.append(f"{model.name} continues the surroundings, so that the prompt had no effect")
    if name == "cv2" and "engine" in found:
        found["engine"] = _METHODS[body.cv2_flag]
        found["options"] = {"radius": max(1, min(64, body.cv2_radius))}
    elif name in ERASERS and model.name != name:
        notes.append(f"the model {name} is not here; the engine {model.name} painted")
    if body.enable_controlnet:
        _guide(body, model, asked)
    if body.sd_match_histograms:
        found["colour_match"] = True
    return asked


def _guide(body: InpaintBody, model: NamedModel, asked: _Settings) -> None:
    """Write the control that a ControlNet of this machine reads, with a map of the whole picture.

    Raises:
        RequestError: The name of the method does not say what it reads.
    """
    if not model.prompted or body.use_extender:
        why = "the extender has no controls" if model.prompted else f"{model.name} takes no controls"
        asked.notes.append(f"{why}: enable_controlnet has no effect")
        return
    kind = read_by(body.controlnet_method)
    if kind is None:
        message = f"{{field}}: {body.controlnet_method[:100]!r} does not say what it reads"
        raise RequestError(message, field="controlnet_method", value=body.controlnet_method[:100])
    named = body.controlnet_method if body.controlnet_method in control_networks() else None
    if named is None:
        asked.notes.append(f"the ControlNet {body.controlnet_method[:100]} is not here; the one for {kind} guides")
    control = {"kind": kind, "weight": body.controlnet_conditioning_scale, "model": named, "inside": True}
    asked.found["controls"] = [control]


def _is_here(name: str) -> bool:
    """Whether a sampler of that name is here itself."""
    from overpaint.engines.diffusion.names import parse_sampler

    with contextlib.suppress(RequestError):
        parse_sampler(name)
        return True
    return False


def _margins(body: InpaintBody, picture: PictureFacts) -> list[int]:
    """Pixels to add left, above, right and below, so that the extender's rectangle is covered."""
    if body.extender_width <= 0 or body.extender_height <= 0:
        raise RequestError("{field} must be more than 0", field="extender_width", value=body.extender_width)
    right = body.extender_x + body.extender_width - picture.width
    bottom = body.extender_y + body.extender_height - picture.height
    margins = [max(0, side) for side in (-body.extender_x, -body.extender_y, right, bottom)]
    if not any(margins):
        raise RequestError("the extender lies within the picture, so that nothing is added", field="use_extender")
    return margins


def _unheard(body: InpaintBody) -> list[str]:
    """Notes on settings that were sent and are not known, or have no effect here."""
    sent = body.unknown
    idle = [name for name, nothing in _IDLE.items() if sent.get(name) not in (None, nothing, str(nothing).lower(), "1")]
    strange = sorted(set(sent) - set(_IDLE) - _OF_OTHERS)
    notes = [f"{name} has no effect here" for name in idle]
    if strange:
        notes.append(f"no setting is called {', '.join(name[:40] for name in strange[:8])}")
    return notes


def _reply(data: bytes, format: str, seed: int, notes: list[str]) -> Response:
    said = "; ".join(dict.fromkeys(notes)).encode("ascii", "replace").decode()
    headers = {"x-seed": str(seed)}
    if said:
        headers["x-overpaint-note"] = "".join(letter if letter.isprintable() else " " for letter in said)[
            :_LONGEST_NOTE
        ]
    return Response(data, media_type=f"image/{format}", headers=headers)
