"""Records of other tools in pictures, read as far as they are plain text or JSON. No content may raise an error."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ._comfyui import read_prompt
from ._record import FoundRecord
from .controlnet import read_controls
from .infotext import OPTION_KEYS, Infotext, parse_infotext

_MOST_TEXT = 16 << 20


def from_text(text: Mapping[str, str]) -> Iterator[FoundRecord]:
    """From the text chunks of a PNG."""
    comment, tool = text.get("Comment"), text.get("Software", "") + text.get("Source", "")
    if comment and "NovelAI" in tool and (found := _novelai(comment, text.get("Description", ""))):
        yield found
    readers = {"invokeai_metadata": _invokeai, "sd-metadata": _invokeai_2}
    for key, reader in (readers | {"parameters": from_parameters, "prompt": _comfyui}).items():
        if (raw := text.get(key)) and (found := reader(raw)):
            yield found
    if isinstance(_table(raw := text.get("workflow", "")).get("nodes"), list):
        note = "there is only the editor's workflow; its settings can't be read without the nodes that wrote it"
        yield FoundRecord("ComfyUI", raw, notes=(note,))


def from_comment(comment: str) -> FoundRecord | None:
    """From EXIF's UserComment; None for a person's own comment."""
    found = from_parameters(comment)
    return found if found is not None and found.settings else None


def from_parameters(raw: str) -> FoundRecord | None:
    """From text named "parameters": infotext, or the JSON that Fooocus and SwarmUI write there."""
    if table := _table(raw):
        return _swarm(raw, table) if "sui_image_params" in table else _fooocus(raw, table)
    info = parse_infotext(raw)
    if not info.settings and not info.prompt:
        return None
    guided = read_controls(info.settings)
    settings = _from_infotext({key: value for key, value in info.settings.items() if key not in guided.keys})
    if guided.tables:
        settings["controls"] = list(guided.tables)
    return FoundRecord(_author(info), raw, info.prompt, info.negative_prompt, settings, guided.notes)


def from_exif(exif: bytes | None) -> FoundRecord | None:
    """From EXIF tags such as Make and Model, where ComfyUI's WebP and JPEG writers put "prompt:{...}"."""
    if exif is None or b"prompt:{" not in exif:
        return None
    start = exif.index(b"prompt:{") + len(b"prompt:")
    raw = exif[start : start + _MOST_TEXT].split(b"\0", 1)[0].decode("utf-8", "replace")
    return _comfyui(raw)


_NAMES = {
    "seed": "seed", "steps": "steps", "strength": "strength", "initimagecreativity": "strength",
    "cfg_scale": "guidance_scale", "cfgscale": "guidance_scale", "guidance_scale": "guidance_scale",
    "scale": "guidance_scale", "cfg_rescale": "guidance_rescale", "cfg_rescale_multiplier": "guidance_rescale",
    "sampler": "sampler", "scheduler": "scheduler", "noise_schedule": "scheduler", "clip_skip": "clip_skip",
    "model": "model", "base_model": "model", "model_weights": "model", "performance": "performance",
    "generation_mode": "generation_mode", "resolution": "resolution", "width": "width", "height": "height",
}  # fmt: skip
"""Names of settings in the JSON of other tools, and our names."""

_INFOTEXT_NAMES = {
    "Steps": "steps", "Sampler": "sampler", "Schedule type": "scheduler", "CFG scale": "guidance_scale", "Seed": "seed",
    "Model": "model", "Denoising strength": "strength", "Clip skip": "clip_skip", "Inpaint area": "area",
    "Masked area padding": "padding", "Masked content": "masked_content", "Intent": "intent", "Engine": "engine",
    "Dialect": "dialect",
}  # fmt: skip
_AREAS = {"Only masked": "masked", "Whole picture": "whole"}
_OPTIONS = {key: name for name, key in OPTION_KEYS.items()}


def _from_infotext(given: Mapping[str, str]) -> dict[str, Any]:
    """Settings by our names, where we have some: with "options" those of a checkpoint."""
    settings: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for key, value in given.items():
        sides = _sides(value)
        match name := _INFOTEXT_NAMES.get(key, key):
            case _ if key in _OPTIONS:
                options[_OPTIONS[key]] = option_value(value)
            case "Seed resize from" if sides is not None:
                options |= {"seed_resize_from_w": sides[0], "seed_resize_from_h": sides[1]}
            case "RNG" if value in ("CPU", "NV"):
                options |= {"noise_source": "nv"} if value == "NV" else {}
                settings[name] = value
            case "Options" if found := _table(value):
                options |= found
            case "Mask blur" if (blur := _blur(value)) is not None:
                settings["mask_blur"] = blur
            case "Size" if sides is not None and given.get("Dialect") == "webui":
                # of a whole picture it is the picture's own, as far as the model takes it
                settings |= {"working_size": sides} if given.get("Inpaint area") == "Only masked" else {}
                settings[name] = value
            case "area":
                settings[name] = _AREAS.get(value, value)
            case "masked_content":
                settings[name] = value.replace(" ", "_")
            case "model" | "sampler" | "scheduler":
                settings[name] = value
            case _:
                settings[name] = _as_number(value) if key in _INFOTEXT_NAMES else value
    return settings | ({"options": options} if options else {})


def _sides(value: str) -> tuple[int, int] | None:
    """Width and height of "512x768"."""
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", value.strip())
    return None if found is None else (int(found[1]), int(found[2]))


def _blur(value: str) -> tuple[float, float] | None:
    """Both numbers of "4", or of "4 2"."""
    parts = [_as_number(one) for one in value.split()]
    if not 1 <= len(parts) <= 2 or not all(isinstance(one, int | float) for one in parts):
        return None
    return float(parts[0]), float(parts[-1])


def option_value(value: str) -> Any:
    """A value of infotext as what it is: a number, or yes or no; else the text."""
    return {"True": True, "False": False}.get(value, _as_number(value))


def _author(info: Infotext) -> str:
    """The tool that wrote infotext: its dialects differ in their version only."""
    version = info.settings.get("Version", "").lower()
    for name in ("Overpaint", "ComfyUI", "Fooocus", "SD.Next"):
        if name.lower() in version:
            return name
    if "Fooocus V2 Expansion" in info.settings:
        return "Fooocus"
    return "Forge" if version.startswith("f") and version[1:2].isdigit() else "AUTOMATIC1111"


def _comfyui(raw: str) -> FoundRecord | None:
    return read_prompt(_table(raw), raw)


def _invokeai(raw: str) -> FoundRecord | None:
    table = _table(raw)
    if not table:
        return None
    settings = _renamed(table)
    match table.get("model"):
        case {"name": str(name)} | {"model_name": str(name)}:
            settings["model"] = name
    if "scheduler" in settings:  # its schedulers are what others call samplers
        settings["sampler"] = settings.pop("scheduler")
    return FoundRecord("InvokeAI", raw, _text(table, "positive_prompt"), _text(table, "negative_prompt"), settings)


def _invokeai_2(raw: str) -> FoundRecord | None:
    """Versions 2: {"model_weights": ..., "image": {"prompt": [{"prompt": ...}], "sampler": ..., ...}}."""
    table = _table(raw)
    image = table.get("image")
    if not isinstance(image, dict):
        return None
    prompts = image.get("prompt")
    first = prompts[0] if isinstance(prompts, list) and prompts else prompts
    prompt = _text(first, "prompt") if isinstance(first, dict) else first if isinstance(first, str) else ""
    return FoundRecord("InvokeAI", raw, prompt, "", _renamed(table) | _renamed(image))


def _novelai(raw: str, description: str) -> FoundRecord | None:
    table = _table(raw)
    prompt = _text(table, "prompt") or description
    return FoundRecord("NovelAI", raw, prompt, _text(table, "uc"), _renamed(table)) if table or prompt else None


def _fooocus(raw: str, table: Mapping[str, Any]) -> FoundRecord | None:
    # some versions label their keys for people: "Guidance Scale"
    table = {key.lower().replace(" ", "_"): value for key, value in table.items()}
    settings = {name: _as_number(value) for name, value in _renamed(table).items()}
    if not settings:
        return None
    return FoundRecord("Fooocus", raw, _text(table, "prompt"), _text(table, "negative_prompt"), settings)


def _swarm(raw: str, table: Mapping[str, Any]) -> FoundRecord | None:
    params = table["sui_image_params"]
    if not isinstance(params, dict):
        return None
    return FoundRecord("SwarmUI", raw, _text(params, "prompt"), _text(params, "negativeprompt"), _renamed(params))


def _table(raw: str) -> dict[str, Any]:
    """A JSON table; empty when it can't be read. (ComfyUI writes NaN, which Python's reader accepts.)"""
    try:
        value = json.loads(raw) if len(raw) <= _MOST_TEXT else None
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _renamed(table: Mapping[str, Any]) -> dict[str, Any]:
    """The plain values of a table that we know, by our names."""
    return {
        _NAMES[key]: value
        for key, value in table.items()
        if key in _NAMES and isinstance(value, str | int | float) and not isinstance(value, bool)
    }


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table.get(key)
    return value if isinstance(value, str) else ""


def _as_number(value: Any) -> Any:
    """A value; a number that was written as text as a number."""
    if isinstance(value, str):
        for pattern, read in ((r"-?\d{1,20}", int), (r"-?\d*\.\d+|-?\d+\.", float)):
            if re.fullmatch(pattern, value.strip()):
                return read(value)
    return value
