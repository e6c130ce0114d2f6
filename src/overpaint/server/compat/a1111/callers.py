"""What the server remembers of each caller: its options, and its calls that are under way. In memory, and bounded."""

from __future__ import annotations

import base64
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from starlette.requests import Request

from overpaint.server.compat.calls import Call
from overpaint.server.native.catalogue import Kept

from .checkpoints import Models, read_models
from .dialect import SETTINGS

_MOST_CALLERS = 1024

DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "sd_model_checkpoint": "",
        "sd_checkpoint_hash": "",
        "sd_vae": "Automatic",
        "CLIP_stop_at_last_layers": 1,
        "inpainting_mask_weight": 1.0,
        "initial_noise_multiplier": 1.0,
        "img2img_color_correction": False,
        "img2img_fix_steps": False,
        "img2img_background_color": "#ffffff",
        "overlay_inpaint": True,
        "face_restoration": False,
        "face_restoration_model": "",
        "code_former_weight": 0.5,
        "upscaler_for_img2img": None,
        "randn_source": "CPU",
        "eta_noise_seed_delta": 0,
        "skip_early_cond": 0.0,
        "s_min_uncond_all": False,
        "img2img_extra_noise": 0.0,
        "samples_format": "png",
        "enable_pnginfo": True,
        "control_net_no_detectmap": False,
        "live_previews_enable": True,
        "show_progress_every_n_steps": 10,
    }
)
"""Options that clients read, with their values where nobody has set them."""

EFFECTIVE = frozenset({"sd_model_checkpoint", "sd_checkpoint_hash", "sd_vae", "CLIP_stop_at_last_layers"}) | {
    "face_restoration",
    "face_restoration_model",
    "code_former_weight",
    "control_net_no_detectmap",
}
"""Options that have an effect with every engine, or name it."""

_SILENT = frozenset(
    {"samples_format", "enable_pnginfo", "live_previews_enable", "show_progress_every_n_steps", "img2img_fix_steps"}
)
"""Options of which no note is made: they don't change what is painted, or what is painted has them already."""


def without_effect(options: Mapping[str, Any], *, webui: bool = True) -> list[str]:
    """Options that would change what is painted in AUTOMATIC1111, and do not here.

    Args:
        options: By name.
        webui: Whether the dialect webui may be followed.
    """
    loud = DEFAULTS.keys() - EFFECTIVE - _SILENT - (SETTINGS if webui else frozenset())
    return sorted(name for name in loud & options.keys() if options[name] not in (DEFAULTS[name], None))


@dataclass(eq=False)
class ActiveCall:
    """A call of img2img or txt2img that is under way.

    Attributes:
        call: Its pictures and its job.
        count: How many pictures it makes.
        began: When, in seconds of `time.monotonic`.
    """

    call: Call
    count: int
    began: float = field(default_factory=time.monotonic)
    _preview: tuple[int, str] | None = None

    @property
    def steps(self) -> tuple[int, int]:
        """Step k of n of the whole call; n is 0 before the first."""
        job = self.call.job
        return (0, 0) if job is None else (job.step, job.steps)

    @property
    def done(self) -> float:
        """How much of it is done: above 0, below 1."""
        step, steps = self.steps
        return 0.01 + (0.98 * min(step, steps) / steps if steps else 0.0)

    def preview(self) -> str | None:
        """The last preview as a PNG in base64; None before the first."""
        job = self.call.job
        shown = [] if job is None else [event for event in job.events.after(-1) if event.kind == "preview"]
        if not shown:
            return None
        if self._preview is None or self._preview[0] != shown[-1].number:
            self._preview = (shown[-1].number, _as_png(shown[-1].data["image"]))
        return self._preview[1]


def _as_png(url: str) -> str:
    """A picture in base64 as PNG, which every client reads."""
    import cv2
    import numpy as np

    data = base64.b64decode(url.partition(",")[2])
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    return base64.b64encode(cv2.imencode(".png", pixels)[1].tobytes()).decode()


class CallerState:
    """Of one caller. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._options: dict[str, Any] = {}
        self._calls: list[ActiveCall] = []

    @property
    def options(self) -> dict[str, Any]:
        """What the caller has set."""
        with self._lock:
            return dict(self._options)

    def set(self, options: Mapping[str, Any]) -> None:
        """Keep those that are known, as far as they are of their kind."""
        with self._lock:
            for name, value in options.items():
                if name in DEFAULTS and isinstance(value, str | int | float) and len(str(value)) <= 1000:
                    self._options[name] = value

    @property
    def calls(self) -> list[ActiveCall]:
        """Its calls that are under way, the oldest first."""
        with self._lock:
            return list(self._calls)

    @contextmanager
    def working(self, call: ActiveCall) -> Iterator[None]:
        """A call is under way."""
        with self._lock:
            self._calls.append(call)
        try:
            yield
        finally:
            with self._lock:
                self._calls.remove(call)


class Callers:
    """The states of all callers; beyond a number the oldest idle one is forgotten. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._states: OrderedDict[str, CallerState] = OrderedDict()

    def of(self, owner: str) -> CallerState:
        """The state of a caller."""
        with self._lock:
            state = self._states.setdefault(owner, CallerState())
            self._states.move_to_end(owner)
            for name in [name for name, other in self._states.items() if other is not state and not other.calls]:
                if len(self._states) <= _MOST_CALLERS:
                    break
                del self._states[name]
            return state


class Remembered:
    """What an application remembers for this API.

    Attributes:
        callers: Of each caller.
        models: The models of the machine.
    """

    def __init__(self) -> None:
        self.callers = Callers()
        self.models = Kept(read_models, 10.0)


def remembered(request: Request) -> Remembered:
    """What the application of a request remembers."""
    kept = request.app.state
    if not hasattr(kept, "a1111"):  # endpoints are called by one thread
        kept.a1111 = Remembered()
    found: Remembered = kept.a1111
    return found


def state_of(request: Request, owner: str) -> CallerState:
    """The state of a caller."""
    return remembered(request).callers.of(owner)


async def models_of(request: Request) -> Models:
    """The models of the machine, from memory."""
    return await remembered(request).models.get()
