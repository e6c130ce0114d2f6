"""Presets: several settings by one word. What a request gives itself comes before them, and it can change each."""

from __future__ import annotations

from typing import Any

from overpaint.errors import RequestError
from overpaint.models import ModelEntry, entries, entry
from overpaint.prompt import split_networks
from overpaint.request import EditRequest, usual_of_lora, usual_of_model

PRESETS = ("fast",)

SIZES = {"sd1": 256, "sd2": 384, "sdxl": 512}
"""Working sizes of `fast`: half of what a family was trained at."""

FEWER: dict[str, Any] = {"steps": 12, "guidance_interval": (0.0, 0.6)}
"""Settings of `fast` where nothing on this machine was distilled to few steps."""


def with_preset(request: EditRequest, name: str) -> EditRequest:
    """The request with the settings of a preset where it leaves them open.

    "fast": half the working size, a tiny VAE that is on this machine, and few steps: those of a checkpoint or LoRA that
    was distilled to few, with an LCM-LoRA of the checkpoint's family that is here added to the prompt; else fewer steps
    than usual, guidance at the first of them, and deep features kept for every second one.

    Raises:
        RequestError: No preset has this name; the request names no checkpoint of a family that it knows.
        ModelError: The checkpoint is missing or damaged.
    """
    if name not in PRESETS:
        raise RequestError(f"{{field}} must be one of {', '.join(PRESETS)}, not {name!r}", field="preset", value=name)
    found = None if request.model is None else entry(request.model)
    family = None if found is None or found.kind is None else found.kind.family
    if found is None or found.kind is None or family not in SIZES:
        raise RequestError(
            f"the preset {name!r} is for a checkpoint of Stable Diffusion 1, 2 or XL, which the request does not name",
            code="model-needed",
            field="model",
            value=request.model,
            hint="name one as the model",
        )
    options: dict[str, Any] = {}
    filled: dict[str, Any] = {} if found.origin == "embedded" else {"size": SIZES[family]}
    prompt = request.prompt or ""
    distilled = found.kind.lcm or usual_of_model(f"{found.name} {found.path.name}") is not None
    distilled = distilled or any(usual_of_lora(one.name) is not None for one in split_networks(prompt)[1])
    # An empty prompt stays empty: intents have their own in its place.
    lora = None if distilled or not prompt.strip() else _lcm_lora(family)
    if lora is not None:
        prompt = f"{prompt} <lora:{lora.name}:1>"
    elif not distilled:
        filled |= FEWER
        options["cache_interval"] = 2
    if (vae := _tiny_vae(family)) is not None and found.origin != "embedded":
        options["vae"] = vae.name
    changes = {one: value for one, value in filled.items() if getattr(request, one) is None}
    options = {**options, **(request.options or {})}
    return request.merged(**changes, **({"prompt": prompt} if prompt else {}), options=options or None)


def _lcm_lora(family: str) -> ModelEntry | None:
    """An LCM-LoRA of a family on this machine."""
    for one in entries(lambda name: "lcm" in name.lower()):
        if one.kind is not None and one.kind.what == "lora" and one.kind.family == family and usual_of_lora(one.name):
            return one
    return None


def _tiny_vae(family: str) -> ModelEntry | None:
    """A tiny VAE for a family on this machine. Those for SDXL have other names, and equal shapes."""
    for one in entries(lambda name: "taesd" in name.lower()):
        name = one.name.lower()
        fits = ("xl" in name) == (family == "sdxl") and "taesd3" not in name
        if fits and one.kind is not None and one.kind.what == "tiny-vae":
            return one
    return None
