"""Paths that paint, and that follow and stop it."""

from __future__ import annotations

import time
from typing import Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool

from overpaint.errors import RequestError
from overpaint.server.native.callers import Editor, Reader

from .bodies import EnlargeBody, ImageBody, PictureBody, TextBody
from .callers import state_of
from .extras import Extras
from .painting import painted
from .pictures import infotext_of
from .reading import of_picture, read
from .refusals import UnservedError

router = APIRouter(include_in_schema=False)


@router.post("/sdapi/v1/img2img")
async def img2img(request: Request, owner: Editor) -> dict[str, Any]:
    """Repaint the masked part of a picture, or all of it."""
    return await _reply(request, owner, await read(request, PictureBody))


@router.post("/sdapi/v1/txt2img")
async def txt2img(request: Request, owner: Editor) -> dict[str, Any]:
    """A picture from text alone, where the chosen checkpoint makes such."""
    return await _reply(request, owner, await read(request, TextBody))


async def _reply(request: Request, owner: str, body: PictureBody | TextBody) -> dict[str, Any]:
    reply = await painted(request, owner, body)
    return await run_in_threadpool(reply.table)


@router.get("/sdapi/v1/progress")
async def progress(request: Request, owner: Reader, skip_current_image: str = "false") -> dict[str, Any]:
    """What the caller's oldest call does; idle is a progress of 0.0 and a job_count of 0."""
    calls = state_of(request, owner).calls
    step = steps = 0
    done = eta = 0.0
    image = None
    if calls:
        first = calls[0]
        step, steps = first.steps
        done = first.done
        eta = (time.monotonic() - first.began) * (1 - done) / done if steps else 0.0
        image = None if skip_current_image.lower() in ("true", "1") else first.preview()
    job = calls[0].call.job if calls else None
    return {
        "progress": done,
        "eta_relative": eta,
        "state": {
            "skipped": False,
            "interrupted": any(one.call.cancelled for one in calls),
            "stopping_generation": False,
            "job": "" if job is None else job.id,
            "job_count": sum(one.count for one in calls),
            "job_timestamp": time.strftime("%Y%m%d%H%M%S", time.localtime(job.created)) if job else "0",
            "job_no": 0 if job is None else len(job.results),
            "sampling_step": step,
            "sampling_steps": steps,
        },
        "current_image": image,
        "textinfo": "waits for other jobs" if job is not None and job.state == "queued" else None,
    }


@router.post("/sdapi/v1/interrupt")
async def interrupt(request: Request, owner: Editor) -> dict[str, Any]:
    """Stop the caller's calls. Each replies with the pictures that it had finished."""
    await _stop(request, owner)
    return {}


@router.post("/sdapi/v1/skip")
async def skip(request: Request, owner: Editor) -> None:
    """As interrupt: the pictures of one call are not skipped one by one."""
    await _stop(request, owner)


async def _stop(request: Request, owner: str) -> None:
    for one in state_of(request, owner).calls:
        await one.call.cancel()


@router.post("/sdapi/v1/png-info")
async def png_info(request: Request, owner: Reader) -> dict[str, Any]:
    """How a picture was made, as infotext."""
    body = await read(request, ImageBody)
    if body.image in (None, ""):
        return {"info": "", "items": {}, "parameters": {}}
    text, settings = await of_picture(request, infotext_of, body.image, "image")
    return {"info": text, "items": {"parameters": text} if text else {}, "parameters": settings}


@router.post("/sdapi/v1/extra-single-image")
async def extra_single_image(request: Request, owner: Editor) -> dict[str, Any]:
    """A picture in another size, and with its faces restored."""
    extras = Extras(request, owner, await read(request, EnlargeBody))
    image = await extras.made(extras.body.image)
    return {"html_info": extras.html, "image": image}


@router.post("/sdapi/v1/extra-batch-images")
async def extra_batch_images(request: Request, owner: Editor) -> dict[str, Any]:
    """The same for a list of pictures."""
    extras = Extras(request, owner, await read(request, EnlargeBody))
    listed = [one.get("data") if isinstance(one, dict) else one for one in extras.body.imageList]
    if not listed:
        raise RequestError("{field} is empty", field="imageList", hint="send [{'data': '...', 'name': 'a.png'}]")
    images = [await extras.made(one) for one in listed]
    return {"html_info": extras.html, "images": images}


@router.post("/sdapi/v1/interrogate")
async def interrogate(owner: Editor) -> None:
    """Not served: there is no network that describes pictures."""
    raise UnservedError(
        "interrogate is not served: there is no network here that describes pictures",
        hint="write the prompt by hand",
    )
