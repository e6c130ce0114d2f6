"""The setting `preset`: several settings by one word. What a request gives itself comes before them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from overpaint import pocket
from overpaint.engines import EngineCard
from overpaint.errors import MissingExtraError, ModelError
from overpaint.models import CATALOGUE, ModelEntry, entries, entry, with_accepted
from overpaint.prompt import split_networks
from overpaint.request import EditRequest, Usual, usual_of_lora

from .resolve import GENERAL, policy_for

STEPS = 12
"""Steps of `fast` with a model that was not made for few."""

GUIDED = (0.0, 0.6)
"""The part of these steps that is guided, with a U-Net; deep features are kept for every second one."""

U_NETS = ("sd1", "sd2", "sdxl")
"""Families whose networks keep deep features, and for which tiny VAEs are published."""

LCM_STEPS, LCM_GUIDANCE, LCM_SAMPLER = 8, 2.0, "LCM"
"""The most steps and guidance that an LCM-LoRA takes, and its sampler: Luo et al. 2023, arXiv 2311.05556."""


@dataclass(frozen=True, slots=True)
class PresetSettings:
    """What a preset makes of a request.

    Attributes:
        changes: Fields of the request with their new values, as `EditRequest.merged` takes them. The preset is left
            open in it, as nothing of it remains to be filled in.
        note: What it set, for people.
    """

    changes: Mapping[str, Any]
    note: str


@dataclass(frozen=True, slots=True)
class _PresetRule:
    """What one rule of a preset asks for, a LoRA of the prompt included; and what it would use were that here."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    lora: str = ""
    lacks: tuple[str, ...] = ()


def preset_settings(
    request: EditRequest, card: EngineCard, model: str | None, *, files: bool = True
) -> PresetSettings | None:
    """What the preset of a request fills in; None for a request without one.

    "fast" is half the working size, a tiny VAE that is on this machine, and few steps: those of a checkpoint or LoRA
    that was made for few, with an LCM-LoRA of the checkpoint's family that is here added to the prompt; else fewer
    steps than usual, guidance at the first of them, and deep features kept for every second one.

    Args:
        request: The request.
        card: Of the engine that paints it.
        model: The model that it runs.
        files: Whether options may name further files.

    Raises:
        RequestError: The prompt can't be read.
    """
    if request.preset is None:
        return None
    told = f"preset {request.preset}"
    if not card.samples:
        return PresetSettings({"preset": None}, f"{told} had no effect: {card.name} takes no steps that could be fewer")
    kind = None if model is None else entry(model).kind
    # The embedded model paints at half of what others do, has a small VAE, and no published LoRA fits it.
    published = "" if kind is None or model == pocket.NAME else kind.family or ""
    parts = (
        _size(request, card) if model != pocket.NAME else _PresetRule(),
        _steps(request, card, published, deep=kind is not None and kind.family in U_NETS),
        _vae(request, published) if files else _PresetRule(),
    )
    ignored, given = policy_for(request, card).ignores, request.options or {}
    settings = {
        name: value
        for part in parts
        for name, value in part.settings.items()
        if getattr(request, name) is None and card.uses(name) and name not in ignored
    }
    options = {
        name: value
        for part in parts
        for name, value in part.options.items()
        if name not in given and name in card.options.model_fields
    }
    lora = "".join(part.lora for part in parts)
    changes = {"preset": None, **settings}
    changes |= {"prompt": f"{request.prompt} <lora:{lora}:1>"} if lora else {}
    changes |= {"options": {**given, **options}} if options else {}
    named = [f"LoRA {lora}"] if lora else []
    named += [f"{name} {_shown(value)}" for name, value in {**settings, **options}.items()]
    note = f"{told}: {', '.join(named)}" if named else f"{told} had no effect: the request has all that it would set"
    if lacking := [name for part in parts for name in part.lacks]:
        note += f"; it would also use {' and '.join(lacking)}, which can be downloaded"
    return PresetSettings(changes, note)


def _size(request: EditRequest, card: EngineCard) -> _PresetRule:
    """Half of what the model was trained at."""
    half = (card.sizes.native or 0) // 2
    known = half >= max(64, card.sizes.minimum) and request.working_size is None
    return _PresetRule({"size": half}) if known else _PresetRule()


def _steps(request: EditRequest, card: EngineCard, family: str, *, deep: bool) -> _PresetRule:
    """Few steps: of an LCM-LoRA, where one is here and suits the request, else fewer than usual."""
    usual, prompt = card.usual.over(GENERAL), request.prompt or ""
    named = split_networks(prompt)[1]
    if (usual.steps or 0) <= STEPS or any(one.unet and usual_of_lora(one.name) for one in named):
        return _PresetRule()  # made for few steps
    lacks: tuple[str, ...] = ()
    suits = (
        request.dialect in (None, "native")
        and prompt.strip() != ""  # an empty prompt stays empty: intents have their own in its place
        and (request.steps or 0) <= LCM_STEPS
        and (request.guidance_scale or 0) <= LCM_GUIDANCE
        and (request.sampler or LCM_SAMPLER) == LCM_SAMPLER
        and all(usual_of_lora(one.name) is None for one in named)  # one with the weight 0 is one that is not wanted
    )
    if suits and (lora := _lcm_lora(family)) is not None:
        settings = (usual_of_lora(lora.name) or Usual()).model_dump(exclude_none=True)
        return _PresetRule(settings, lora=lora.name)
    if suits:
        lacks = _published("lora", family)
    guided = deep and (request.guidance_scale or usual.guidance_scale or 1) > 1
    keeps = deep and not request.exact  # in exact mode the whole network runs at every step
    return _PresetRule(
        {"steps": STEPS, **({"guidance_interval": GUIDED} if guided else {})},
        {"cache_interval": 2} if keeps else {},
        lacks=lacks,
    )


def _vae(request: EditRequest, family: str) -> _PresetRule:
    """A tiny VAE."""
    if family not in U_NETS or "vae" in (request.options or {}):
        return _PresetRule()
    if (vae := _tiny_vae(family)) is not None:
        return _PresetRule(options={"vae": vae.name})
    return _PresetRule(lacks=_published("tiny-vae", family))


def lacking_for_fast(family: str) -> tuple[str, ...]:
    """What the preset fast would use with checkpoints of a family, is published, and is not on this machine."""
    if family not in U_NETS:
        return ()
    loras = () if _lcm_lora(family) else _published("lora", family)
    return (*loras, *(() if _tiny_vae(family) else _published("tiny-vae", family)))


def _published(what: str, family: str) -> tuple[str, ...]:
    """The LoRAs or tiny VAEs of the catalogue that fit a family."""
    if what == "tiny-vae" and family == "sd2":
        family = "sd1"  # its VAE is that of SD 1
    return tuple(row.name for row in CATALOGUE if row.what == what and row.family == family)


def _lcm_lora(family: str) -> ModelEntry | None:
    """An LCM-LoRA of a family on this machine, which can be used as it is."""
    for one in entries(lambda name: "lcm" in name.lower() and not set(name) & set("<>:")):
        fits = one.kind is not None and one.kind.what == "lora" and one.kind.family == family
        if fits and usual_of_lora(one.name) and _usable(one):
            return one
    return None


def _tiny_vae(family: str) -> ModelEntry | None:
    """A tiny VAE for a family on this machine, likewise. Those for SDXL have other names, and equal shapes."""
    for one in entries(lambda name: "taesd" in name.lower()):
        name = one.name.lower()
        fits = ("xl" in name) == (family == "sdxl") and "taesd3" not in name
        if fits and one.kind is not None and one.kind.what == "tiny-vae" and _usable(one):
            return one
    return None


def _usable(found: ModelEntry) -> bool:
    """Whether a file needs no permission that it does not have: it is no pickle, and its licence asks for nothing."""
    try:
        return found.kind is not None and found.kind.form != "pickle" and bool(with_accepted(found))
    except (ModelError, MissingExtraError):
        return False


def _shown(value: object) -> str:
    return "-".join(f"{one:g}" for one in value) if isinstance(value, tuple) else str(value)
