"""What IOPaint's page asks first: what there is, the chosen model, the samplers."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from overpaint.server.compat.calls import json_table
from overpaint.server.compat.lenient import Lenient
from overpaint.server.compat.models import NamedModel, control_networks, named_models
from overpaint.server.errors import NotFoundError
from overpaint.server.native.callers import Editor, Reader, services_of

from .chosen import ERASERS, choose, chosen, plugin_model
from .plugins import CUTTER, ENLARGER, SELECTOR, plugins_here
from .sockets import sockets_of

router = APIRouter(include_in_schema=False)

SAMPLERS = (
    *("DPM++ 2M", "DPM++ 2M Karras", "DPM++ 2M SDE", "DPM++ 2M SDE Karras", "DPM++ SDE", "DPM++ SDE Karras"),
    *("DPM2", "DPM2 Karras", "DPM2 a", "DPM2 a Karras", "Euler", "Euler a", "Heun", "LMS", "LMS Karras"),
    *("DDIM", "PNDM", "UniPC", "LCM"),
)
"""IOPaint's own names of samplers. For one that is missing here the nearest is used, with a note."""


class ModelBody(Lenient):
    """The name of a model."""

    name: str


@router.get("/api/v1/server-config")
async def server_config(request: Request, owner: Reader) -> dict[str, Any]:
    """The models, the plug-ins, and what else there is."""
    here, controls = await plugins_here(request), await run_in_threadpool(control_networks)
    models = {name: plugin_model(request, owner, name, one.models) for name, one in here.items()}
    return {
        "plugins": [one.listed for one in here.values()],
        "modelInfos": [_info(one, controls) for one in await named_models(services_of(request).studio)],
        "removeBGModel": models[CUTTER],
        "removeBGModels": list(here[CUTTER].models),
        "realesrganModel": models[ENLARGER],
        "realesrganModels": list(here[ENLARGER].models),
        "interactiveSegModel": models[SELECTOR],
        "interactiveSegModels": list(here[SELECTOR].models),
        "enableFileManager": True,
        "enableAutoSaving": True,
        "enableControlnet": False,
        "controlnetMethod": controls[0] if controls else None,
        "disableModelSwitch": False,
        "isDesktop": False,
        "samplers": list(SAMPLERS),
    }


@router.get("/api/v1/model")
async def current_model(request: Request, owner: Reader) -> dict[str, Any]:
    """The model that the caller has chosen."""
    name, model = await chosen(request, owner)
    return {**_info(model, await run_in_threadpool(control_networks)), "name": name, "path": name}


@router.post("/api/v1/model")
async def choose_model(request: Request, owner: Editor) -> dict[str, Any]:
    """Choose a model for this caller: a checkpoint, an engine, or a name of IOPaint's own erasers."""
    await chosen_by_name(request, owner, ModelBody.read(await json_table(request)).name)
    return await current_model(request, owner)


@router.get("/api/v1/samplers")
async def samplers(owner: Reader) -> list[str]:
    """The names of samplers."""
    return list(SAMPLERS)


@router.get("/api/v1/connected_clients")
async def connected_clients(request: Request, owner: Reader) -> dict[str, int]:
    """How many pages the caller has open, as a program that starts one asks, to know when it was closed."""
    sockets = sockets_of(request.app)
    return {"count": 0 if sockets is None else sockets.count(owner)}


async def chosen_by_name(request: Request, owner: str, name: str) -> None:
    """Choose a model. NotFoundError for one that is not there; then the choice stays as it was."""
    known = {one.name for one in await named_models(services_of(request).studio)}
    if name not in known and name not in ERASERS:
        raise NotFoundError(f"there is no model {name!r}", field="name", value=name)
    choose(request, owner, name)


def _info(model: NamedModel, controls: list[str]) -> dict[str, Any]:
    kind = "inpaint"
    if model.prompted:
        kind = "diffusers_sdxl_inpaint" if "XL" in model.title else "diffusers_sd_inpaint"
    return {
        "name": model.name,
        "path": model.name,
        "model_type": kind,
        "is_single_file_diffusers": False,
        "need_prompt": model.prompted,
        "controlnets": controls if model.prompted else [],
        "brushnets": [],
        "support_strength": model.prompted,
        "support_outpainting": True,
        "support_lcm_lora": False,
        "support_controlnet": model.prompted and bool(controls),
        "support_brushnet": False,
        "support_powerpaint_v2": False,
    }
