"""The extension ControlNet's own paths: what there is, and maps to look at."""

from __future__ import annotations

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BeforeValidator, Field

from overpaint.maps import map_kind
from overpaint.models import CONTROL_KINDS
from overpaint.models.controls import reads
from overpaint.record import CONTROL_MODULES
from overpaint.request import PICTURE_KINDS
from overpaint.server.compat.lenient import Lenient, Number, Whole
from overpaint.server.compat.models import adapter_networks, control_networks
from overpaint.server.native.callers import Editor, Reader
from overpaint.server.native.maps import map_turn

from .bodies import Words
from .controlnet import MOST_UNITS, module_of
from .pictures import map_picture, mapped_picture
from .reading import of_picture, read
from .refusals import ControlUnitError

router = APIRouter(include_in_schema=False)

_TYPES = {
    "Canny": "canny",
    "Lineart": "lineart",
    "Scribble": "scribble",
    "SoftEdge": "softedge",
    "Depth": "depth",
    "OpenPose": "openpose",
    "Tile": "tile",
    "Inpaint": "inpaint",
    "IP-Adapter": "reference",
}
"""The extension's groups, by the kinds of their maps."""

_MOST_SIDE, _MOST_PICTURES = 2048, 16


@router.get("/controlnet/version")
async def version(owner: Reader) -> dict[str, int]:
    """The version of the extension's interface that is spoken."""
    return {"version": 2}


@router.get("/controlnet/settings")
async def settings(owner: Reader) -> dict[str, int]:
    """How many units there may be, under its newer and its older name."""
    return {"control_net_unit_count": MOST_UNITS, "control_net_max_models_num": MOST_UNITS}


@router.get("/controlnet/model_list")
async def model_list(owner: Reader) -> dict[str, list[str]]:
    """The ControlNets and IP-Adapters of this machine."""
    return {"model_list": await run_in_threadpool(lambda: [*control_networks(), *adapter_networks()])}


@router.get("/controlnet/module_list")
async def module_list(owner: Reader) -> dict[str, Any]:
    """The preprocessors, and the sliders of each."""
    details = {
        name: {"model_free": name == "none", "sliders": [_slider(option) for option in one.thresholds]}
        for name, one in CONTROL_MODULES.items()
    }
    return {"module_list": list(CONTROL_MODULES), "module_detail": details}


@router.get("/controlnet/control_types")
async def control_types(owner: Reader) -> dict[str, Any]:
    """Preprocessors and models in groups."""
    models, adapters = await run_in_threadpool(lambda: (control_networks(), adapter_networks()))
    found = {"All": _group(list(CONTROL_MODULES), [*models, *adapters])}
    for title, kind in _TYPES.items():
        modules = [name for name, one in CONTROL_MODULES.items() if one.kind == kind]
        fitting = [one for one in models if (kind in CONTROL_KINDS and reads(one, kind)) or "union" in one.lower()]
        found[title] = _group([*modules, "none"], adapters if kind in PICTURE_KINDS else fitting)
    return {"control_types": found}


def _group(modules: list[str], models: list[str]) -> dict[str, Any]:
    return {
        "module_list": modules,
        "model_list": ["None", *models],
        "default_option": modules[0],
        "default_model": models[0] if len(models) == 1 else "None",
    }


def _slider(option: str) -> dict[str, Any]:
    limits = {"low": (1, 255, 100), "high": (1, 255, 200), "down": (1, 8, 1), "blur": (0, 64, 9)}
    least, most, usual = limits[option]
    return {"name": option, "value": usual, "min": least, "max": most, "step": 1}


def _listed(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


class DetectBody(Lenient):
    """The body of detect."""

    controlnet_module: Words = "none"
    controlnet_input_images: Annotated[list[Any], BeforeValidator(_listed), Field(max_length=_MOST_PICTURES)] = Field(
        default_factory=list
    )
    controlnet_processor_res: Annotated[Whole, Field(le=_MOST_SIDE)] = 512
    controlnet_threshold_a: Number = -1
    controlnet_threshold_b: Number = -1


@router.post("/controlnet/detect")
async def detect(request: Request, owner: Editor) -> dict[str, Any]:
    """The maps of pictures, in base64."""
    body: DetectBody = await read(request, DetectBody)
    module = module_of(body.controlnet_module)
    if module.kind is None or module.kind in ("inpaint", *PICTURE_KINDS):
        raise ControlUnitError(
            "the preprocessor {value} makes no map".replace("{value}", body.controlnet_module),
            field="controlnet_module",
            value=body.controlnet_module,
        )
    if not body.controlnet_input_images:
        raise ControlUnitError("No image selected", field="controlnet_input_images", hint="")
    sent = (body.controlnet_threshold_a, body.controlnet_threshold_b)
    options = {name: max(1.0, float(value)) for name, value in zip(module.thresholds, sent, strict=False) if value > 0}
    side = body.controlnet_processor_res if body.controlnet_processor_res >= 64 else 512
    images = []
    for one in body.controlnet_input_images:
        async with map_turn(request, owner):  # what waits holds no thread: other paths are served meanwhile
            if await request.is_disconnected():
                break
            images.append(base64.b64encode(await _map(request, one, side, module.kind, options)).decode())
    return {"images": images, "info": "Success"}


async def _map(request: Request, image: Any, side: int, kind: str, options: dict[str, float]) -> bytes:
    """A PNG of the map of a picture: by a network in this process, else in a bounded one."""
    field = "controlnet_input_images"
    if not map_kind(kind).networks:
        found: bytes = await of_picture(request, mapped_picture, image, field, side, kind, options)
        return found
    shown = await of_picture(request, map_picture, image, field, side)
    return await run_in_threadpool(_mapped, shown, kind, options)


def _mapped(picture: bytes, kind: str, options: dict[str, float]) -> bytes:
    """A PNG of the map that a network makes of a picture."""
    from overpaint.picture import encode
    from overpaint.studio.controls import control_map

    return encode(control_map(picture, {"kind": kind, "options": options}), "png").data
