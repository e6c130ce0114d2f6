"""The paths of Auto-Photoshop's own extension, without which that plug-in repaints whole pictures."""

from __future__ import annotations

import base64
from typing import Any

from fastapi import APIRouter, Request

from overpaint.server.native.callers import Editor, Reader

from .bodies import ExpansionBody
from .callers import models_of
from .pictures import expanded_mask
from .reading import of_picture, read

router = APIRouter(include_in_schema=False)


@router.get("/sdapi/auto-photoshop-sd/heartbeat")
async def heartbeat(owner: Reader) -> dict[str, bool]:
    """That the extension is there."""
    return {"heartbeat": True}


@router.get("/sdapi/auto-photoshop-sd/vae/list")
async def vae_list(request: Request, owner: Reader) -> list[str]:
    """The names of VAEs."""
    return ["Automatic", "None", *(await models_of(request)).vaes]


@router.post("/sdapi/auto-photoshop-sd/mask/expansion")
@router.post("/sdapi/auto-photoshop-sd/mask/expansion/")
async def mask_expansion(request: Request, owner: Editor) -> dict[str, Any]:
    """A mask grown by so many pixels, and blurred."""
    body = await read(request, ExpansionBody)
    data = await of_picture(request, expanded_mask, body.mask, "mask", body.mask_expansion, body.blur)
    return {"mask": base64.b64encode(data).decode()}
