"""Scripts that AUTOMATIC1111 always runs (`alwayson_scripts`): its own ones, and extensions.

Its pages send what people chose for Sampler, Seed and Refiner as arguments of these scripts, and mostly beside the
body's own fields, which alone count in AUTOMATIC1111's API. Here the arguments stand in for fields that are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from .refusals import ScriptNotFoundError

CONTROLNET = "controlnet"
"""The extension ControlNet's name, in small letters."""

SOFT_INPAINTING = "soft inpainting"

SOFTENING: Mapping[str, str] = MappingProxyType(
    {
        "schedule bias": "soft_bias",
        "preservation strength": "soft_preservation",
        "transition contrast boost": "soft_contrast",
        "mask influence": "soft_mask_influence",
        "difference threshold": "soft_difference_threshold",
        "difference contrast": "soft_difference_contrast",
    }
)
"""Arguments of the extension for soft inpainting after the first, by their labels, with our options."""

BUILT_IN = ("comments", "extra options", "refiner", "sampler", "seed")
"""AUTOMATIC1111's own scripts that are served for every picture, as `GET /sdapi/v1/scripts` has them."""

_IDLE: Mapping[str, str] = MappingProxyType(
    {
        "comments": "comments in prompts are always left out",
        "extra options": "options are set by override_settings",
        "hypertile": "large pictures are painted whole",
        "never oom integrated": "memory is looked after in any case",
    }
)
"""Scripts that need not do anything here, each with the reason; with arguments they are named in a note."""

_SAMPLER = ("steps", "sampler_name", "scheduler")
_SEED = ("seed", "extra", "subseed", "subseed_strength", "seed_resize_from_w", "seed_resize_from_h")
"""What the arguments of the scripts Sampler and Seed are; those after "extra" count where that is set."""


def plain_name(script: str) -> str:
    """A script's name in small letters."""
    return script.strip().lower().replace("_", " ")


def arguments_of(scripts: Any, name: str) -> list[Any]:
    """The arguments of the script of this (plain) name; empty where it is not there."""
    for script, table in scripts.items() if isinstance(scripts, Mapping) else ():
        arguments = table.get("args") if isinstance(table, Mapping) else table
        if plain_name(str(script)) == name and isinstance(arguments, list):
            return arguments
    return []


def script_settings(scripts: Any) -> dict[str, Any]:
    """Fields of a body that the arguments of Sampler and Seed say, without those that are null or empty."""
    found = dict(zip(_SAMPLER, arguments_of(scripts, "sampler"), strict=False))
    seed = dict(zip(_SEED, arguments_of(scripts, "seed"), strict=False))
    if seed.pop("extra", None) in (False, None, "", 0):
        seed = {name: seed[name] for name in ("seed",) if name in seed}
    return {name: value for name, value in {**found, **seed}.items() if value not in (None, "")}


def standing_in(table: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the settings of scripts for which a body has no field of its own; a scheduler goes with its sampler."""
    sent = {name for name, value in table.items() if value is not None}
    if sent & {"sampler_name", "sampler_index"}:
        sent |= {"sampler_name", "scheduler"}
    settings = script_settings(table.get("alwayson_scripts"))
    return {name: value for name, value in settings.items() if name not in sent}


def check_always_on(scripts: Mapping[str, Any]) -> list[str]:
    """Notes on scripts. ScriptNotFoundError for one that should do something that is not done here."""
    notes = []
    for name in sorted(scripts):
        table, plain = scripts[name], plain_name(name)
        arguments = table.get("args") if isinstance(table, Mapping) else table
        active, name = _does_something(arguments), name[:80]
        if plain in ("sampler", "seed") or (plain in (*BUILT_IN, *_IDLE) and not active):
            continue
        if plain in _IDLE:
            notes.append(f"the script {name!r} has no effect: {_IDLE[plain]}")
        elif plain == "refiner":
            notes.append("the script Refiner has no effect: one checkpoint takes all steps")
        elif not active:
            notes.append(f"the extension {name!r} is switched off")
        elif plain not in (CONTROLNET, SOFT_INPAINTING):  # units are controls; the other is a matter of what paints
            raise ScriptNotFoundError(f"Always on script '{name}' not found", field="alwayson_scripts", value=name)
    return notes


def _does_something(arguments: Any) -> bool:
    """Whether arguments of an extension switch something on: they are not empty, and none begins by "off"."""
    if isinstance(arguments, Mapping):
        if "enabled" in arguments:
            return bool(arguments["enabled"])
        return any(map(_does_something, arguments.values()))
    if isinstance(arguments, list) and arguments:
        units = [one for one in arguments if isinstance(one, Mapping)]
        return any(map(_does_something, units)) if units else arguments[0] not in (False, None, "", 0)
    return bool(arguments)
