"""Infotext: generation parameters in the form that AUTOMATIC1111 made common (spec: inpaint settings 6).

    prompt, on one line or more
    Negative prompt: on one line or more
    Steps: 25, Sampler: DPM++ 2M, Seed: 7, Size: 512x512, ..., Version: overpaint 0.1.0

A value that holds a comma, a colon or a line break is quoted as JSON. The settings are the last line that has at least
three of them, two by keys of this form; extensions write further lines after it ("Template: ..."). An absent setting
has its default (masked content "original", the whole picture, ...).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from overpaint.request import ResolvedRequest

from ._record import Record
from .controlnet import written_controls

_LEAST_PAIRS = 3
_LEAST_KNOWN = 2
_MOST_PAIRS = 1000
"""Settings that are read of a line: each costs up to the length of the line, and real ones have some dozens."""

_GENERATORS = {
    "Steps", "Sampler", "Schedule type", "CFG scale", "Seed", "Denoising strength", "Clip skip", "RNG", "Model hash",
    "VAE", "VAE hash", "Hashes", "Lora hashes", "TI hashes", "Mask mode", "Mask blur", "Inpaint area",
    "Masked area padding", "Masked content", "ENSD", "Face restoration", "Variation seed", "Hires upscale",
}  # fmt: skip
"""Keys that only generators write: a settings line has at least one, a person's own list of values has none."""

_KNOWN = _GENERATORS | {"Size", "Model", "Version", "Engine", "Intent"}

OPTION_KEYS: Mapping[str, str] = MappingProxyType(
    {
        "vae": "VAE",
        "subseed": "Variation seed",
        "subseed_strength": "Variation seed strength",
        "inpainting_mask_weight": "Conditional mask weight",
        "ensd": "ENSD",
        "initial_noise_multiplier": "Noise multiplier",
        "extra_noise": "Extra noise",
        "eta": "Eta",
        "s_churn": "Sigma churn",
        "s_tmin": "Sigma tmin",
        "s_tmax": "Sigma tmax",
        "s_noise": "Sigma noise",
        "rho": "Schedule rho",
        "s_min_uncond": "NGMS",
        "s_min_uncond_all": "NGMS all steps",
        "skip_early_cond": "Skip Early CFG",
        "emphasis": "Emphasis",
        "soft_inpainting": "Soft inpainting enabled",
        "soft_bias": "Soft inpainting schedule bias",
        "soft_preservation": "Soft inpainting preservation strength",
        "soft_contrast": "Soft inpainting transition contrast boost",
        "soft_mask_influence": "Soft inpainting mask influence",
        "soft_difference_threshold": "Soft inpainting difference threshold",
        "soft_difference_contrast": "Soft inpainting difference contrast",
    }
)
"""Options of a checkpoint, and AUTOMATIC1111's keys for them."""

RESIZED_FROM, NOISE_SOURCE, FURTHER = "Seed resize from", "RNG", "Options"
"""Keys of the options seed_resize_from_w and seed_resize_from_h, of noise_source, and, ours, of all others as JSON."""

_APART = frozenset({"seed_resize_from_w", "seed_resize_from_h", "noise_source"})

_NEGATIVE = "Negative prompt:"
_KEY = re.compile(r"\s*([\w][^:,\"\n]{0,60}?)\s*:\s*")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class Infotext:
    """The parts of infotext.

    Attributes:
        prompt: The prompt.
        negative_prompt: The negative prompt.
        settings: Values of the settings line by key, as written there; empty where there is no such line.
        rest: Lines after the settings, as written there.
    """

    prompt: str = ""
    negative_prompt: str = ""
    settings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    rest: str = ""


def infotext(record: Record) -> str:
    """The infotext of a record."""
    settings = {key: value for key, value in _settings(record) if value is not None}
    r = record.resolved
    scale = r.guidance_scale
    # else the negative prompt has no effect
    guided = scale is None or scale > 1 or (scale < 1 and r.dialect != "diffusers")
    return compose(Infotext(r.prompt or "", (r.negative_prompt or "") if guided else "", settings))


def compose(info: Infotext) -> str:
    """Infotext from its parts. (A prompt with a line that begins with "Negative prompt:" can't be read back.)"""
    negative = f"\n{_NEGATIVE} {info.negative_prompt}" if info.negative_prompt else ""
    line = ", ".join(f"{key}: {_quoted(value)}" for key, value in info.settings.items())
    return f"{info.prompt}{negative}\n{line}\n{info.rest}".strip()


def parse_infotext(text: str) -> Infotext:
    """The parts of infotext of any tool. Never fails: text without settings is all prompt."""
    lines = text.replace("\r\n", "\n").strip().split("\n")
    settings: dict[str, str] = {}
    rest: list[str] = []
    for number in reversed(range(len(lines))):
        pairs = dict(_pairs(lines[number]))
        if len(pairs) >= _LEAST_PAIRS and pairs.keys() & _GENERATORS and len(pairs.keys() & _KNOWN) >= _LEAST_KNOWN:
            lines, settings, rest = lines[:number], pairs, lines[number + 1 :]
            break
    prompt: list[str] = []
    negative: list[str] = []
    into = prompt
    for line in map(str.strip, lines):
        if line.startswith(_NEGATIVE):
            into = negative
            line = line.removeprefix(_NEGATIVE).strip()
        into.append(line)
    return Infotext(
        "\n".join(prompt).strip(), "\n".join(negative).strip(), MappingProxyType(settings), "\n".join(rest).strip()
    )


def _settings(record: Record) -> Iterator[tuple[str, Any]]:
    """Keys and values in the order of the form; a value of None is left out."""
    r, options = record.resolved, record.resolved.options
    own = not record.regions or (r.dialect == "webui" and r.area == "whole")  # which is not rounded to whole latents
    size = r.working_size or (record.size if own else record.regions[0].working)
    yield "Steps", r.steps
    yield "Sampler", r.sampler
    yield "Schedule type", r.scheduler
    yield "CFG scale", _number(r.guidance_scale)
    yield "Seed", r.seed
    yield "Face restoration", r.restore_faces
    yield "Size", f"{size[0]}x{size[1]}"
    yield "Model", r.model
    yield from _options(options, "vae", "subseed", "subseed_strength")
    width, height = options.get("seed_resize_from_w"), options.get("seed_resize_from_h")
    yield RESIZED_FROM, None if width is None or height is None else f"{width}x{height}"
    yield "Denoising strength", _number(r.strength)
    yield from _options(options, "inpainting_mask_weight")
    yield "Clip skip", r.clip_skip if r.clip_skip not in (None, 1) else None
    yield from _options(options, "ensd")
    yield NOISE_SOURCE, str(options.get("noise_source", "cpu")).upper() if r.sampler is not None else None
    yield "Mask mode", "Inpaint not masked" if r.inverts_mask != bool(r.mask and r.mask.invert) else None
    yield "Mask blur", _blur(r)
    yield "Inpaint area", "Only masked" if r.area == "masked" else None
    yield "Masked area padding", r.padding if r.area == "masked" else None
    content = r.masked_content or "original"
    yield "Masked content", None if content == "original" else content.replace("_", " ")
    first = ("vae", "subseed", "subseed_strength", "inpainting_mask_weight", "ensd")
    yield from _options(options, *(name for name in OPTION_KEYS if name not in first))
    # Ours; readers of the form keep keys that they don't know.
    further = {name: value for name, value in options.items() if name not in OPTION_KEYS and name not in _APART}
    yield FURTHER, json.dumps(further, ensure_ascii=False, sort_keys=True) if further else None
    yield from written_controls(r.controls or ())
    yield "Dialect", r.dialect if r.dialect != "native" else None
    regional = [one.prompt for one in r.regional_prompts or ()]
    yield "Regional prompts", json.dumps(regional, ensure_ascii=False) if regional else None
    yield "Intent", r.intent
    yield "Engine", r.engine
    yield "Version", f"overpaint {record.overpaint}"


def _blur(resolved: ResolvedRequest) -> str | None:
    """The blur of the mask as who gave it named it; None where there was none to blur."""
    mask, blur = resolved.mask, resolved.mask_blur
    if mask is not None and all(part.kind == "full" for part in mask.parts):
        return None
    given = blur if mask is None or mask.blurred is None else mask.blurred
    return None if given is None else " ".join(str(_number(one)) for one in _once(given))


def _options(options: Mapping[str, Any], *names: str) -> Iterator[tuple[str, Any]]:
    """Keys and values of those options that are given."""
    for name in names:
        value = options.get(name)
        yield OPTION_KEYS[name], _number(value) if type(value) in (int, float) else value


def _once(pair: tuple[float, float]) -> tuple[float, ...]:
    """Both numbers, or one for equal ones."""
    return pair[:1] if pair[0] == pair[1] else pair


def _number(value: float | None) -> str | None:
    """7.0 as "7", 7.5 as "7.5"."""
    return None if value is None else f"{value:.0f}" if value == int(value) else repr(value)


def _quoted(value: Any) -> str:
    text = str(value)
    plain = text and text == text.strip() and text[0] not in '"[{' and not re.search(r"[,:\n\r\u2028\u2029]", text)
    return text if plain else json.dumps(text, ensure_ascii=False)


def _pairs(line: str) -> Iterator[tuple[str, str]]:
    """Keys and values of one line, the first 1000; parts that are not a pair are skipped."""
    at = found = 0
    while at < len(line) and found < _MOST_PAIRS:
        key = _KEY.match(line, at)
        if key is None:
            comma = line.find(",", at)
            at = comma + 1 if comma >= 0 else len(line)
            continue
        value, at = _value(line, key.end())
        found += 1
        yield key[1], value


def _value(line: str, at: int) -> tuple[str, int]:
    """The value that begins at `at`, and the position of the next pair."""
    if line[at : at + 1] in ('"', "[", "{"):
        try:
            value, end = _DECODER.raw_decode(line, at)
        except (ValueError, RecursionError):
            pass
        else:
            rest = line[end:].lstrip()
            if not rest or rest.startswith(","):
                return value if isinstance(value, str) else line[at:end], len(line) - len(rest) + 1
    comma = line.find(",", at)
    end = comma if comma >= 0 else len(line)
    return line[at:end].strip(), end + 1
