"""What a caller has chosen, and the engine here that does what one of IOPaint's models does."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from fastapi import Request

from overpaint.server.compat.models import NamedModel, model_named
from overpaint.server.native.callers import services_of

ERASERS: Mapping[str, str] = MappingProxyType(
    {
        "cv2": "telea",
        **dict.fromkeys(("lama", "anime-lama", "ldm", "zits", "mat", "fcf", "manga", "migan"), "exemplar"),
    }
)
"""The engine here that does what one of IOPaint's own models does, where the model itself is not on this machine."""

_CALLERS = 1000
"""Choices that are remembered."""


async def chosen(request: Request, owner: str) -> tuple[str, NamedModel]:
    """The name that the caller has chosen, and what paints for it; an engine that needs no model unless chosen."""
    name = _choices(request).get((owner, ""), "exemplar")
    studio = services_of(request).studio
    found = await model_named(studio, name)
    return name, found if found.name == name else await model_named(studio, ERASERS.get(name, name))


def plugin_model(request: Request, owner: str, plugin: str, models: Sequence[str]) -> str:
    """What does a plug-in's work for a caller: what it has chosen, where that is still here, or the first."""
    found = _choices(request).get((owner, plugin), "")
    return found if found in models else models[0]


def choose(request: Request, owner: str, name: str, plugin: str = "") -> None:
    """Remember a caller's choice of a model, or of a plug-in's model."""
    choices = _choices(request)
    choices[owner, plugin] = name
    choices.move_to_end((owner, plugin))
    while len(choices) > _CALLERS:
        choices.popitem(last=False)


def _choices(request: Request) -> OrderedDict[tuple[str, str], str]:
    """The chosen models by caller and plug-in, "" for what paints."""
    state = request.app.state
    if not hasattr(state, "iopaint_models"):
        state.iopaint_models = OrderedDict()
    found: OrderedDict[tuple[str, str], str] = state.iopaint_models
    return found
