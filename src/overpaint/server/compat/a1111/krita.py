"""The paths of auto-sd-paint-ext, a Krita plug-in with an extension of its own: its settings, and img2img.

It refuses to connect where a list is empty, so that each has at least "None".
"""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import Field

from overpaint.server.compat.calls import picture_bytes
from overpaint.server.compat.lenient import Lenient, Number, Whole, Yes
from overpaint.server.native.callers import Editor, Reader, services_of
from overpaint.server.reading import bounded

from .bodies import Count, PictureBody, Words
from .callers import models_of
from .painting import painted
from .pictures import cut_out
from .reading import read
from .restoring import titles

router = APIRouter(include_in_schema=False)

_NONE = "None"


class KritaBody(Lenient):
    """The body of its img2img."""

    is_inpaint: Yes = True
    src_img: Any = None
    mask_img: Any = None
    sd_model: Words = ""
    sd_vae: Words = _NONE
    clip_skip: Whole = 1
    batch_count: Count = 1
    batch_size: Count = 1
    prompt: Words = ""
    negative_prompt: Words = ""
    sampler_name: Words | None = None
    steps: Whole = 20
    cfg_scale: Number = 7.0
    denoising_strength: Number = 0.75
    seed: Any = -1
    invert_mask: Yes = False
    inpainting_fill: Annotated[Whole, Field(ge=0, le=3)] = 1
    restore_faces: Yes | None = None
    face_restorer: Words = _NONE
    codeformer_weight: Number = 0.5

    @property
    def restores(self) -> bool:
        """Whether faces are to be restored: it is switched on, or a network is chosen."""
        chosen = self.face_restorer.strip().lower() not in ("", "none")
        return chosen if self.restore_faces is None else self.restore_faces

    def as_picture_body(self) -> PictureBody:
        """The same for the usual img2img."""
        names = ("prompt", "negative_prompt", "sampler_name", "steps", "cfg_scale", "denoising_strength", "seed")
        found: PictureBody = PictureBody.read(
            {
                **{name: getattr(self, name) for name in (*names, "batch_size", "inpainting_fill", "clip_skip")},
                "n_iter": self.batch_count,
                "init_images": [self.src_img],
                "mask": self.mask_img if self.is_inpaint else None,
                "inpainting_mask_invert": self.invert_mask,
                "restore_faces": self.restores,
                "override_settings": {
                    "sd_model_checkpoint": self.sd_model,
                    "sd_vae": self.sd_vae,
                    "face_restoration_model": self.face_restorer,
                    "code_former_weight": self.codeformer_weight,
                },
            }
        )
        return found


@router.get("/sdapi/interpause/config")
async def config(request: Request, owner: Reader) -> dict[str, Any]:
    """What can be chosen."""
    from overpaint.engines.diffusion.names import SAMPLER_NAMES

    known = await models_of(request)
    samplers = [one.title for one in SAMPLER_NAMES.values()]
    return {
        "sample_path": "",
        "upscalers": [_NONE, "Lanczos", "Self-taught"],
        "samplers": samplers,
        "samplers_img2img": samplers,
        "face_restorers": [_NONE, *titles(known.faces)],
        "sd_models": [one.title for one in known.checkpoints],
        "sd_vaes": [_NONE, "Automatic", *known.vaes],
        "scripts_txt2img": {_NONE: []},
        "scripts_img2img": {_NONE: []},
    }


@router.post("/sdapi/interpause/img2img")
async def img2img(request: Request, owner: Editor) -> dict[str, Any]:
    """Pictures of the source's size that are opaque where the mask is."""
    body = (await read(request, KritaBody)).as_picture_body()
    reply = await painted(request, owner, body, own_size=True)
    settings = services_of(request).settings

    def outputs() -> list[str]:
        found = [one.data for one in reply.results]
        if body.mask not in (None, ""):
            mask = picture_bytes(body.mask, "mask_img")
            further = (mask, body.inpainting_mask_invert, settings.most_pixels)
            found = [bounded(settings, cut_out, one, *further) for one in found]
        return [base64.b64encode(one).decode() for one in found]

    return {"outputs": await run_in_threadpool(outputs), "info": json.dumps(reply.info())}
