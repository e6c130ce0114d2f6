"""IOPaint's plug-ins, as far as what does their work is here.

InteractiveSeg gives the mask of what is clicked on, RemoveBG the picture without its background: by a network where one
is here, else without weights. RealESRGAN enlarges by a network that is here, or by filters that the picture teaches.
GFPGAN and RestoreFormer are there where their networks are. What needs another network is refused, and says so.
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
from overpaint.server.compat.enhancing import enhanced, networks_for
from overpaint.server.compat.lenient import Lenient, Number
from overpaint.server.errors import NotFoundError
from overpaint.server.native.callers import Editor, selecting, services_of
from overpaint.server.native.catalogue import kept_by
from overpaint.server.reading import bounded
from overpaint.studio import EnlargeSettings, RestoreSettings

from .chosen import choose, plugin_model
from .selecting import clicked_mask, subject_mask, without_background

if TYPE_CHECKING:
    from overpaint.select import HintPoint

router = APIRouter(include_in_schema=False)

_MOST_CLICKS = 200

SELECTOR, CUTTER, ENLARGER = "InteractiveSeg", "RemoveBG", "RealESRGAN"
TAUGHT = "self-taught"

_FACES: Mapping[str, str] = MappingProxyType({"GFPGAN": "gfpgan", "RestoreFormer": "restoreformer"})
"""The networks of plug-ins for faces."""

_ELSEWHERE: Mapping[str, str] = MappingProxyType(
    {
        "AnimeSeg": "use RemoveBG",
        "GFPGAN": "its network, gfpgan, can be downloaded on the server; the extra restore runs it",
        "RestoreFormer": "its network, restoreformer, can be downloaded on the server; the extra restore runs it",
    }
)
"""What to do in the place of plug-ins that are not here."""

_NOTES: Mapping[str, str] = MappingProxyType(
    {
        "grabcut": "selected by colours and edges: there is no network for it here",
        "background": "the background was found by the selector 'background'",
        TAUGHT: "enlarged by filters that the picture itself teaches",
    }
)
"""What a client should know of what does a plug-in's work."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plug-in of IOPaint's whose work is done here.

    Attributes:
        name: IOPaint's name.
        models: The names of what does it here, the one that is used unless another is chosen first.
        makes: What it gives: "image", "mask", or both.
    """

    name: str
    models: tuple[str, ...]
    makes: tuple[str, ...]

    @property
    def listed(self) -> dict[str, Any]:
        """As the page reads it."""
        kinds = {"support_gen_image": "image" in self.makes, "support_gen_mask": "mask" in self.makes}
        return {"name": self.name, **kinds}


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


def _selectors() -> tuple[str, str]:
    """The selectors for clicks and for backgrounds, as they are here."""
    from overpaint.select import SelectorHints, selector_for

    return selector_for(SelectorHints()), "background"


async def plugins_here(request: Request) -> dict[str, Plugin]:
    """The plug-ins that are here, by their names."""
    clicked, cut = await kept_by(request, "selectors of plug-ins", _selectors, 10.0).get()
    upscalers = [one.name for one in await networks_for(request, "upscaler")]
    found = [
        Plugin(SELECTOR, tuple(dict.fromkeys((clicked, "grabcut"))), ("mask",)),
        Plugin(CUTTER, (cut,), ("image", "mask")),
        Plugin(ENLARGER, (*upscalers, TAUGHT), ("image",)),
    ]
    faces = await networks_for(request, "faces")
    for name, network in _FACES.items():
        if models := tuple(one.name for one in faces if one.network == network):
            found.append(Plugin(name, models, ("image",)))
    return {one.name: one for one in found}


@router.post("/api/v1/run_plugin_gen_mask")
async def run_plugin_gen_mask(request: Request, owner: Editor) -> Response:
    """A mask in the page's colour."""
    return await run(request, owner, PluginBody.read(await json_table(request)), "mask")


@router.post("/api/v1/run_plugin_gen_image")
async def run_plugin_gen_image(request: Request, owner: Editor) -> Response:
    """A picture."""
    return await run(request, owner, PluginBody.read(await json_table(request)), "image")


@router.post("/api/v1/switch_plugin_model")
async def switch_plugin_model(request: Request, owner: Editor) -> None:
    """Choose the model of a plug-in for this caller."""
    body: PluginModelBody = PluginModelBody.read(await json_table(request))
    plugin = await _plugin(request, body.plugin_name)
    if body.model_name not in plugin.models:
        raise NotFoundError(
            f"{plugin.name} has no model {body.model_name[:80]!r}",
            code="plugin-unknown",
            field="model_name",
            value=body.model_name[:80],
            hint=f"it has {', '.join(plugin.models)}",
        )
    choose(request, owner, body.model_name, plugin.name)


async def run(request: Request, owner: str, body: PluginBody, makes: str | None) -> Response:
    """What a plug-in makes, as a PNG; without `makes` a picture where it gives one, else a mask."""
    plugin = await _plugin(request, body.name)
    makes = makes or plugin.makes[0]
    if makes not in plugin.makes:
        raise RequestError(
            f"the plug-in {plugin.name} makes no {makes}", code="plugin-other", field="name", value=plugin.name
        )
    model = plugin_model(request, owner, plugin.name, plugin.models)
    data = await run_in_threadpool(picture_bytes, body.image, "image")
    note = _NOTES.get(model, f"made by {model}")
    if plugin.name == SELECTOR:
        made = await _read(request, clicked_mask, data, _clicks(body.clicks), model)
    elif plugin.name == CUTTER:
        made = await _read(request, subject_mask if makes == "mask" else without_background, data, model)
    elif plugin.name == ENLARGER:
        made = await _enlarged(request, owner, data, body.scale, None if model == TAUGHT else model)
    else:
        made = (await enhanced(request, owner, data, RestoreSettings(model=model))).data
    return Response(made, media_type="image/png", headers={"x-overpaint-note": ascii(note)[1:-1]})


async def _enlarged(request: Request, owner: str, data: bytes, scale: float, model: str | None) -> bytes:
    if not 1 <= scale <= 16:
        raise RequestError("{field} must be 1 to 16", field="scale", value=scale)
    if scale == 1:
        return await _read(request, enlarged, data, 1.0, Size(0, 0), False, "lanczos")
    return (await enhanced(request, owner, data, EnlargeSettings(scale=scale, model=model))).data


async def _read(request: Request, function: Any, *arguments: Any) -> bytes:
    """What a function makes of a picture, in a process of its own."""
    settings = services_of(request).settings
    async with selecting(request):
        made: bytes = await run_in_threadpool(partial(bounded, settings, function, *arguments, settings.most_pixels))
    return made


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


async def _plugin(request: Request, name: str) -> Plugin:
    here = await plugins_here(request)
    if name not in here:
        raise NotFoundError(
            f"the plug-in {name[:80]!r} is not here",
            code="plugin-unknown",
            field="name",
            value=name[:80],
            hint=_ELSEWHERE.get(name, f"there are {', '.join(here)}"),
        )
    return here[name]


def _clicks(rows: Sequence[Sequence[float]]) -> tuple[HintPoint, ...]:
    """Clicks as the page sends them: x, y, 1 or 0, and, ignored, a number of their own."""
    from overpaint.select import HintPoint

    if not rows or len(rows) > _MOST_CLICKS:
        raise RequestError(f"{{field}} should be 1 to {_MOST_CLICKS} places", field="clicks", value=len(rows))
    for row in rows:
        if len(row) < 3 or not all(map(math.isfinite, row)):
            raise RequestError("{field} should be [x, y, 1 or 0] each", field="clicks", value=str(row)[:80])
    return tuple(HintPoint(row[0], row[1], row[2] >= 0.5) for row in rows)
