"""Enlarging and restoring faces, as extra-single-image and extra-batch-images ask for it.

The order is AUTOMATIC1111's: the picture is enlarged by the first upscaler, that of the second is laid over it, then
GFPGAN and CodeFormer are laid over the faces. A network's work is a job of the queue; progress and interrupt know it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Any

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from overpaint.geometry import Size
from overpaint.restore import LARGEST_SCALE
from overpaint.server.compat.calls import CallResult, picture_bytes
from overpaint.server.compat.enhancing import enhanced, network_of, networks_for
from overpaint.server.native.callers import services_of
from overpaint.server.reading import bounded
from overpaint.studio import EnlargeSettings, RestoreSettings

from .bodies import EnlargeBody
from .callers import ActiveCall, state_of
from .pictures import EnlargingFilter, blended, enlarged, enlarged_size

TAUGHT = "Self-taught"
FILTERS: Mapping[str, EnlargingFilter] = MappingProxyType(
    {"": "lanczos", "none": "lanczos", "lanczos": "lanczos", "nearest": "nearest"}
)
"""Upscalers that are filters, by their names in small letters."""

_OTHER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "r-esrgan 4x+": "realesrgan-x4plus",
        "r-esrgan 4x+ anime6b": "realesrgan-x4plus-anime",
        "r-esrgan general 4xv3": "realesr-general-x4v3",
    }
)
"""What AUTOMATIC1111 calls networks of the catalogue."""

_TIMES = re.compile(r"(?:x([234568])|([234568])x)(?![0-9])", re.IGNORECASE)


async def upscalers_here(request: Request) -> list[dict[str, Any]]:
    """The ways to enlarge a picture, as AUTOMATIC1111 lists them."""
    found: list[tuple[str, str | None, float]]
    found = [("None", None, 1.0), ("Lanczos", None, 4.0), ("Nearest", None, 4.0), (TAUGHT, None, 2.0)]
    found += [(one.name, one.name, _times(one.name)) for one in await networks_for(request, "upscaler")]
    return [
        {"name": name, "model_name": model, "model_path": None, "model_url": None, "scale": scale}
        for name, model, scale in found
    ]


async def face_restorers_here(request: Request) -> list[dict[str, Any]]:
    """The networks for faces under AUTOMATIC1111's names; no folder of this server."""
    known = {"gfpgan": "GFPGAN", "codeformer": "CodeFormer", "restoreformer": "RestoreFormer"}
    here = {one.network for one in await networks_for(request, "faces")}
    return [{"name": name, "cmd_dir": None} for network, name in known.items() if network in here]


def _times(name: str) -> float:
    """How many times as wide a network makes a picture, as its name says; 4 where it does not."""
    found = _TIMES.search(name)
    return 4.0 if found is None else float(found[1] or found[2])


@dataclass(slots=True)
class Extras:
    """One call.

    Attributes:
        request: The request.
        owner: Who calls.
        body: What is asked for.
        notes: For people, as far as they are known.
    """

    request: Request
    owner: str
    body: EnlargeBody
    notes: list[str] = field(default_factory=list)

    @property
    def html(self) -> str:
        """The notes as the API has them."""
        told = dict.fromkeys(self.notes)
        return "<p>" + "; ".join(_escaped(note) for note in told) + "</p>" if told else ""

    async def made(self, image: object) -> str:
        """What becomes of a picture in base64, in base64.

        Raises:
            RequestError, PictureError: The picture can't be read, or the result would have too many pixels.
            OverpaintError: A network failed.
        """
        body = self.body
        data = await run_in_threadpool(picture_bytes, image, "image")
        factor = body.upscaling_resize if body.resize_mode == 0 else None
        wanted = Size(body.upscaling_resize_w, body.upscaling_resize_h)
        to, scale = await self._read(enlarged_size, data, factor, wanted, body.upscaling_crop)
        result = await self._enlarged(data, body.upscaler_1, to, scale)
        second = body.upscaler_2.strip().lower()
        if second not in ("", "none") and body.extras_upscaler_2_visibility > 0:
            other = await self._enlarged(data, body.upscaler_2, to, scale)
            result = await self._read(blended, result, other, min(1.0, body.extras_upscaler_2_visibility))
        result = await self._restored(result, "gfpgan", "GFPGAN", body.gfpgan_visibility)
        result = await self._restored(result, "codeformer", "CodeFormer", body.codeformer_visibility)
        return base64.b64encode(result).decode()

    async def _enlarged(self, data: bytes, name: str, to: Size, scale: float) -> bytes:
        """The picture at a size, by the upscaler of a name."""
        wanted = name.strip().lower()
        filter = FILTERS.get(wanted)
        if filter is None:
            model = await self._model(name.strip())
            if scale > 1:
                settings = EnlargeSettings(scale=min(scale, LARGEST_SCALE), model=model)
                made = await self._done(data, settings)
                if (made.facts["width"], made.facts["height"]) == tuple(to):
                    return made.data
                data = made.data
        return bytes(await self._read(enlarged, data, None, to, True, filter or "lanczos"))

    async def _model(self, name: str) -> str | None:
        """The network that a name means; None: filters that the picture teaches."""
        wanted = _OTHER_NAMES.get(name.lower(), name.lower())
        if wanted == TAUGHT.lower():
            return None
        found = next(
            (one.name for one in await networks_for(self.request, "upscaler") if one.name.lower() == wanted), None
        )
        if found is None:
            self.notes.append(
                f"the upscaler {name[:80]!r} is not available: filters that the picture teaches were used"
            )
        return found

    async def _restored(self, data: bytes, network: str, name: str, visibility: float) -> bytes:
        """The picture with its faces restored by a network, as far as it is to be seen."""
        if visibility <= 0:
            return data
        found = await network_of(self.request, "faces", network)
        if found is None:
            self.notes.append(f"faces are not restored: {name} is not available")
            return data
        fidelity = min(max(self.body.codeformer_weight, 0.0), 1.0) if network == "codeformer" else None
        settings = RestoreSettings(model=found.name, weight=min(1.0, visibility), fidelity=fidelity)
        made = await self._done(data, settings)
        return made.data

    async def _done(self, data: bytes, settings: EnlargeSettings | RestoreSettings) -> CallResult:
        state = state_of(self.request, self.owner)
        made = await enhanced(self.request, self.owner, data, settings, lambda call: state.working(ActiveCall(call, 1)))
        self.notes += [str(note) for note in made.facts.get("notes", ())]
        return made

    async def _read(self, function: Any, *arguments: Any) -> Any:
        """What a function of `pictures` makes, in a process of its own."""
        settings = services_of(self.request).settings
        return await run_in_threadpool(partial(bounded, settings, function, *arguments, settings.most_pixels))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
