"""Paths that tell what there is: options, models, samplers and the rest. All answer from memory."""

from __future__ import annotations

import logging
from typing import Any

from fastapi import APIRouter, Request

from overpaint.engines.weight_store import available_memory, total_memory
from overpaint.server.native.callers import Editor, Reader, services_of

from .callers import DEFAULTS, models_of, remembered, state_of, without_effect
from .extras import face_restorers_here, upscalers_here
from .reading import read_table

log = logging.getLogger("overpaint.server")

router = APIRouter(include_in_schema=False)


@router.get("/sdapi/v1/options")
async def options(request: Request, owner: Reader) -> dict[str, Any]:
    """The caller's options."""
    known = await models_of(request)
    found = {**DEFAULTS, **state_of(request, owner).options}
    chosen = known.named(str(found["sd_model_checkpoint"])) if found["sd_model_checkpoint"] else None
    chosen = chosen or known.default(services_of(request).studio)
    return {**found, "sd_model_checkpoint": chosen.title, "sd_checkpoint_hash": chosen.sha256 or ""}


@router.post("/sdapi/v1/options")
async def set_options(request: Request, owner: Editor) -> None:
    """Set some of the caller's options. Those that are not known are left alone."""
    given = await read_table(request)
    state_of(request, owner).set(given)
    for name in without_effect(given):
        log.info("%s: %s has no effect", request.url.path, name)
    text = given.get("sd_model_checkpoint")
    if isinstance(text, str) and text and (await models_of(request)).named(text) is None:
        log.warning("%s: the checkpoint %r is not on this server", request.url.path, text[:100])


@router.get("/sdapi/v1/sd-models")
async def sd_models(request: Request, owner: Reader) -> list[dict[str, Any]]:
    """What may be chosen as the checkpoint: models, and engines that need none."""
    return [
        {
            "title": one.title,
            "model_name": one.shown,
            "hash": one.sha256[:10] if one.sha256 else None,
            "sha256": one.sha256,
            "filename": one.shown,
            "config": None,
        }
        for one in (await models_of(request)).checkpoints
    ]


@router.get("/sdapi/v1/samplers")
async def samplers(owner: Reader) -> list[dict[str, Any]]:
    """The samplers."""
    from overpaint.engines.diffusion.names import SAMPLER_NAMES

    return [{"name": one.title, "aliases": [name], "options": {}} for name, one in SAMPLER_NAMES.items()]


@router.get("/sdapi/v1/schedulers")
async def schedulers(owner: Reader) -> list[dict[str, Any]]:
    """The schedulers."""
    from overpaint.engines.diffusion.names import SCHEDULER_NAMES

    rows: list[tuple[str, str, tuple[str, ...], float | None]] = [("automatic", "Automatic", (), None)]
    rows += [(name, one.title, one.aliases, one.rho) for name, one in SCHEDULER_NAMES.items()]
    return [
        {
            "name": name,
            "label": label,
            "aliases": list(aliases) or None,
            "default_rho": -1.0 if rho is None else rho,
            "need_inner_model": False,
        }
        for name, label, aliases, rho in rows
    ]


@router.get("/sdapi/v1/upscalers")
async def upscalers(request: Request, owner: Reader) -> list[dict[str, Any]]:
    """The ways to enlarge a picture: filters, and the networks that are here."""
    return await upscalers_here(request)


@router.get("/sdapi/v1/face-restorers")
async def face_restorers(request: Request, owner: Reader) -> list[dict[str, Any]]:
    """The networks for faces that are here."""
    return await face_restorers_here(request)


@router.get("/sdapi/v1/realesrgan-models")
async def realesrgan_models(request: Request, owner: Reader) -> list[dict[str, Any]]:
    """The networks of Real-ESRGAN that are here; no file of this server."""
    found = [one for one in await upscalers_here(request) if "realesr" in one["name"].lower()]
    return [{"name": one["name"], "path": one["name"], "scale": int(one["scale"])} for one in found]


@router.get("/sdapi/v1/latent-upscale-modes")
async def latent_upscale_modes(owner: Reader) -> list[dict[str, Any]]:
    """One name, without which clients show no upscalers at all."""
    return [{"name": "Latent"}]


@router.get("/sdapi/v1/sd-vae")
async def sd_vae(request: Request, owner: Reader) -> list[dict[str, Any]]:
    """The VAEs that can stand in for a checkpoint's own."""
    return [{"model_name": name, "filename": name} for name in (await models_of(request)).vaes]


@router.get("/sdapi/v1/sd-modules")
async def sd_modules(request: Request, owner: Reader) -> list[dict[str, Any]]:
    """The same under Forge's name."""
    return await sd_vae(request, owner)


@router.get("/sdapi/v1/loras")
async def loras(request: Request, owner: Reader) -> list[dict[str, Any]]:
    """The LoRAs, which a prompt names as <lora:NAME:WEIGHT>."""
    return [{"name": name, "alias": name, "path": name, "metadata": {}} for name in (await models_of(request)).loras]


@router.get("/sdapi/v1/embeddings")
async def embeddings(request: Request, owner: Reader) -> dict[str, Any]:
    """The textual inversions, which a prompt names."""
    loaded = {}
    for one in (await models_of(request)).embeddings:
        vectors = one.kind.vectors if one.kind is not None else ()
        loaded[one.name] = {
            "step": None,
            "sd_checkpoint": None,
            "sd_checkpoint_name": None,
            "shape": vectors[0][1] if vectors else 0,
            "vectors": len(vectors),
        }
    return {"loaded": loaded, "skipped": {}}


@router.get("/sdapi/v1/prompt-styles")
@router.get("/sdapi/v1/hypernetworks")
@router.get("/sdapi/v1/extensions")
async def nothing(owner: Reader) -> list[dict[str, Any]]:
    """There are none."""
    return []


@router.get("/sdapi/v1/cmd-flags")
async def cmd_flags(owner: Reader) -> dict[str, Any]:
    """What a server of AUTOMATIC1111 would have been started with; no path of this one."""
    return {"api": True, "nowebui": True, "skip_install": True, "do_not_download_clip": True}


@router.get("/sdapi/v1/memory")
async def memory(owner: Reader) -> dict[str, Any]:
    """The machine's memory in bytes."""
    total, free = total_memory() or 0, available_memory() or 0
    return {"ram": {"free": free, "used": max(0, total - free), "total": total}, "cuda": {"error": "not measured"}}


@router.post("/sdapi/v1/unload-checkpoint")
@router.post("/sdapi/v1/reload-checkpoint")
async def keep_checkpoint(owner: Editor) -> dict[str, Any]:
    """Nothing: models are loaded when they are used, and leave when others need their memory."""
    return {}


@router.post("/sdapi/v1/refresh-checkpoints")
@router.post("/sdapi/v1/refresh-loras")
@router.post("/sdapi/v1/refresh-embeddings")
@router.post("/sdapi/v1/refresh-vae")
async def refresh(request: Request, owner: Editor) -> None:
    """Look for models anew."""
    remembered(request).models.forget()
