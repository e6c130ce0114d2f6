"""IOPaint's plug-ins, as far as there is something here that does their work without weights.

InteractiveSeg gives the mask of what is clicked on, by what is here; RealESRGAN enlarges by filters that the
picture teaches. The others need networks that are not here, and say so.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response

from overpaint.errors import RequestError
from overpaint.geometry import Size
from overpaint.server.compat.a1111.pictures import enlarged
from overpaint.server.compat.calls import json_of, json_table, picture_bytes
from overpaint.server.compat.lenient import Lenient, Number
from overpaint.server.errors import NotFoundError
from overpaint.server.native.callers import Editor, services_of
from overpaint.server.reading import bounded

from .selecting import clicked_mask

if TYPE_CHECKING:
    from overpaint.select import HintPoint

router = APIRouter(include_in_schema=False)

_MOST_CLICKS = 200


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plug-in of IOPaint's whose work is done here.

    Attributes:
        name: IOPaint's name.
        model: The name of what does it here.
        makes: What it gives.
        note: What a client should know.
    """

    name: str
    model: str
    makes: str
    note: str

    @property
    def listed(self) -> dict[str, Any]:
        """As the page reads it."""
        kinds = {"support_gen_image": self.makes == "image", "support_gen_mask": self.makes == "mask"}
        return {"name": self.name, **kinds}


SELECTOR = Plugin(
    "InteractiveSeg",
    "grabcut",
    "mask",
    "selected by a network of the SAM family where one is here, else by colours and edges",
)
ENLARGER = Plugin("RealESRGAN", "self-taught", "image", "enlarged by filters that the picture itself teaches")
PLUGINS: Mapping[str, Plugin] = MappingProxyType({one.name: one for one in (SELECTOR, ENLARGER)})

_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "RemoveBG": "select the subject by clicks, with InteractiveSeg",
        "AnimeSeg": "select the subject by clicks, with InteractiveSeg",
        "GFPGAN": "repaint the face with a model, by a mask over it",
        "RestoreFormer": "repaint the face with a model, by a mask over it",
    }
)
"""What to do in the place of plug-ins that need networks."""


class PluginBody(Lenient):
    """What a plug-in is given."""

    name: str
    image: str = ""
    clicks: list[list[Number]] = []  # noqa: RUF012 - pydantic copies it
    scale: Number = 2.0


class PluginModelBody(Lenient):
    """The name of a plug-in's model."""

    plugin_name: str
    model_name: str


@router.post("/api/v1/run_plugin_gen_mask")
async def run_plugin_gen_mask(request: Request, owner: Editor) -> Response:
    """A mask in the page's colour."""
    return await run(request, PluginBody.read(await json_table(request)), "mask")


@router.post("/api/v1/run_plugin_gen_image")
async def run_plugin_gen_image(request: Request, owner: Editor) -> Response:
    """A picture."""
    return await run(request, PluginBody.read(await json_table(request)), "image")


@router.post("/api/v1/switch_plugin_model")
async def switch_plugin_model(request: Request, owner: Editor) -> None:
    """Choose the model of a plug-in; each has one."""
    body: PluginModelBody = PluginModelBody.read(await json_table(request))
    plugin = _plugin(body.plugin_name)
    if body.model_name != plugin.model:
        raise NotFoundError(
            f"{plugin.name} has no model {body.model_name[:80]!r}",
            code="plugin-unknown",
            field="model_name",
            value=body.model_name[:80],
            hint=f"it has {plugin.model}",
        )


async def run(request: Request, body: PluginBody, makes: str) -> Response:
    """What a plug-in makes, as a PNG."""
    plugin = _plugin(body.name)
    if plugin.makes != makes:
        raise RequestError(
            f"the plug-in {plugin.name} makes no {makes}", code="plugin-other", field="name", value=plugin.name
        )
    settings = services_of(request).settings
    data = picture_bytes(body.image, "image")
    if plugin is SELECTOR:
        work = partial(bounded, settings, clicked_mask, data, _clicks(body.clicks), settings.most_pixels)
    else:
        if not 1 <= body.scale <= 16:
            raise RequestError("{field} must be 1 to 16", field="scale", value=body.scale)
        work = partial(
            bounded, settings, enlarged, data, body.scale, Size(0, 0), False, "taught", settings.most_pixels
        )  # fmt: skip
    made = await run_in_threadpool(work)
    return Response(made, media_type="image/png", headers={"x-overpaint-note": plugin.note})


def from_form(fields: Mapping[str, Any]) -> PluginBody:
    """The same of a form of Lama Cleaner's, whose clicks are JSON and whose picture is a file."""
    table = {name: value for name, value in fields.items() if isinstance(value, str)}
    if isinstance(fields.get("image"), bytes):
        table["image"] = base64.b64encode(fields["image"]).decode()
    try:
        table["clicks"] = json_of((table.get("clicks") or "[]").encode())
    except (RequestError, UnicodeEncodeError):
        raise RequestError("{field} should be JSON", field="clicks") from None
    if "upscale" in table:
        table["scale"] = table["upscale"]
    body: PluginBody = PluginBody.read(table)
    return body


def _plugin(name: str) -> Plugin:
    if name not in PLUGINS:
        raise NotFoundError(
            f"the plug-in {name[:80]!r} is not here",
            code="plugin-unknown",
            field="name",
            value=name[:80],
            hint=_ELSEWHERE.get(name, f"there are {' and '.join(PLUGINS)}"),
        )
    return PLUGINS[name]


def _clicks(rows: Sequence[Sequence[float]]) -> tuple[HintPoint, ...]:
    """Clicks as the page sends them: x, y, 1 or 0, and, ignored, a number of their own."""
    from overpaint.select import HintPoint

    if not rows or len(rows) > _MOST_CLICKS:
        raise RequestError(f"{{field}} should be 1 to {_MOST_CLICKS} places", field="clicks", value=len(rows))
    for row in rows:
        if len(row) < 3 or not all(map(math.isfinite, row)):
            raise RequestError("{field} should be [x, y, 1 or 0] each", field="clicks", value=str(row)[:80])
    return tuple(HintPoint(row[0], row[1], row[2] >= 0.5) for row in rows)
