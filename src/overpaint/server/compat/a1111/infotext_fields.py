"""The field `infotext` of img2img and txt2img: what it says stands in for fields that a body leaves out.

What the text does not have is at AUTOMATIC1111's defaults of infotext (spec: inpaint settings 6), which differ from
those of its API: the whole picture, masked content "original", a padding of 32. Overpaint's own text names every
setting that is not at its default.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ValidationError

from overpaint.errors import OverpaintError, RequestError
from overpaint.record import CONTROL_MODES, CONTROL_MODULES, option_value, parse_infotext, read_controls, usual_module
from overpaint.request import PICTURE_KINDS

from .always_on import CONTROLNET, SOFT_INPAINTING, SOFTENING, plain_name

_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "Steps": "steps",
        "Sampler": "sampler_name",
        "Schedule type": "scheduler",
        "CFG scale": "cfg_scale",
        "Seed": "seed",
        "Variation seed": "subseed",
        "Variation seed strength": "subseed_strength",
        "Denoising strength": "denoising_strength",
        "Masked area padding": "inpaint_full_res_padding",
        "Noise multiplier": "initial_noise_multiplier",
        "Eta": "eta",
        "Sigma churn": "s_churn",
        "Sigma tmin": "s_tmin",
        "Sigma tmax": "s_tmax",
        "Sigma noise": "s_noise",
        "NGMS": "s_min_uncond",
    }
)
"""Keys whose values are those of fields."""

_OPTIONS: Mapping[str, tuple[str, Any]] = MappingProxyType(
    {
        "Clip skip": ("CLIP_stop_at_last_layers", 1),
        "Conditional mask weight": ("inpainting_mask_weight", 1.0),
        "ENSD": ("eta_noise_seed_delta", 0),
        "RNG": ("randn_source", "CPU"),
        "Extra noise": ("img2img_extra_noise", 0.0),
        "NGMS all steps": ("s_min_uncond_all", False),
        "Skip Early CFG": ("skip_early_cond", 0.0),
        "exact_steps": ("img2img_fix_steps", False),
        "colour_correction": ("img2img_color_correction", False),
    }
)
"""Keys, and names of our further options, whose values are options of the web UI, with those that change nothing."""

_FILLS = ("fill", "original", "latent noise", "latent nothing")
_SOFT = ("Soft inpainting enabled", *(f"Soft inpainting {label}" for label in SOFTENING))
_OF_MASKS = (
    "Mask mode",
    "Mask blur",
    "Inpaint area",
    "Masked area padding",
    "Masked content",
    "Soft inpainting enabled",
)
_READ = frozenset({"Size", "Seed resize from", "Model", "VAE", "Face restoration", "Options", "Controls", *_SOFT}) | {
    *("Mask blur", "Mask mode", "Inpaint area", "Masked content"),
    *(
        "Version",
        "Engine",
        "Dialect",
        "Model hash",
        "VAE hash",
        "Hashes",
        "Lora hashes",
        "TI hashes",
        "Init image hash",
    ),
}
"""Keys of which no note is made beside `_FIELDS` and `_OPTIONS`: they are read in their own ways, or set nothing."""


@dataclass(slots=True)
class SaidByInfotext:
    """What a text says, in the words of a body.

    Attributes:
        fields: Values of fields by name.
        options: Of `override_settings`.
        scripts: Of `alwayson_scripts`.
        notes: What of it can't be taken.
    """

    fields: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    scripts: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def beside(self, sent: Mapping[str, Any]) -> SaidByInfotext:
        """What stands in for fields that a body leaves out. Groups that belong together are taken whole or not."""
        taken = set(sent).union(*(group for group in _GROUPS if sent.keys() & group))
        fields = {name: value for name, value in self.fields.items() if name not in taken}
        options, scripts = (
            {key: one for key, one in said.items() if plain_name(key) not in set(map(plain_name, map(str, own)))}
            if isinstance(own := sent.get(name, {}), Mapping)
            else {}
            for name, said in (("override_settings", self.options), ("alwayson_scripts", self.scripts))
        )
        return SaidByInfotext(fields, options, scripts, self.notes)

    def completed(self, sent: Mapping[str, Any]) -> dict[str, Any]:
        """A body's fields, and what stands in for the others."""
        found = {**self.fields, **sent}
        for name, said in (("override_settings", self.options), ("alwayson_scripts", self.scripts)):
            if isinstance(own := sent.get(name, {}), Mapping):
                found[name] = {**said, **own}
        return found

    def without(self, error: OverpaintError, *, all_settings: bool = False) -> SaidByInfotext | None:
        """What is left without what a call was refused for, with a note; None where nothing is left to take out.

        Only what refuses a call knows the ranges of its settings, so that its error says what is wrong. Where the error
        is about none of them by name or value, all settings are left out, and then the prompts.

        Args:
            error: Why the call was refused.
            all_settings: Whether all settings are left out, or the prompts where there are no others.
        """
        tables: Mapping[str, dict[str, Any]] = {
            "fields": self.fields,
            "options": self.options,
            "scripts": self.scripts,
        }
        every = [(table, name) for table, said in tables.items() for name in said if name not in _KEPT]
        found = [] if all_settings else [(table, name) for table, name in every if _is_about(error, name)]
        if not found and not all_settings:
            found = [(table, name) for table, name in every if _has_value(tables[table][name], error.value)]
            # of several that have the value, those whose name is that of the setting: "strength", "options.ensd"
            last = error.field.rpartition(".")[2]
            found = [one for one in found if last and last in one[1]] or found
        if not found:
            settings = [one for one in every if one[1] not in _PROMPTS]
            left_out = settings or every
            notes = [f"infotext: its {'settings' if settings else 'text'} can't be taken: {str(error)[:_MOST_SHOWN]}"]
        else:
            left_out = found
            notes = [_left_out(name, tables[table][name], table == "scripts", error) for table, name in found]
        if not left_out:
            return None
        left = {
            table: {name: value for name, value in said.items() if (table, name) not in left_out}
            for table, said in tables.items()
        }
        return replace(self, **left, notes=[*self.notes, *notes])


_PROMPTS = ("prompt", "negative_prompt")

_KEPT = ("inpainting_mask_invert",)
"""What is never left out: the other part of the picture would be painted."""

_MOST_SHOWN = 200
"""Characters of an error that a note repeats."""


def _is_about(error: OverpaintError, name: str) -> bool:
    """Whether an error names a field, an option or a script."""
    return error.field == name or (name == CONTROLNET and error.field.startswith(("controls", "alwayson_scripts")))


def _has_value(said: Any, value: Any) -> bool:
    """Whether a value of the text, or one in it, is the one that was refused, or one of these."""
    if isinstance(value, tuple):  # width and height
        return any(_has_value(said, one) for one in value)
    if isinstance(said, Mapping | list):
        return any(_has_value(one, value) for one in (said.values() if isinstance(said, Mapping) else said))
    if value is None or isinstance(said, bool) or isinstance(value, bool):
        return said is value and value is not None
    try:
        one, other = float(said), float(value)
    except (TypeError, ValueError, OverflowError):
        return str(said) == str(value)
    return one == other or (math.isnan(one) and math.isnan(other))


def _left_out(name: str, value: Any, is_script: bool, error: OverpaintError) -> str:
    if is_script:
        what = "its controls" if name == CONTROLNET else name
        return f"infotext: {what} can't be taken: {str(error)[:_MOST_SHOWN]}"
    return f"infotext: {name} can't be {str(value)[:40]!r}, and was left out"


_GROUPS = (
    frozenset({"sampler_name", "sampler_index", "scheduler"}),
    frozenset({"mask_blur", "mask_blur_x", "mask_blur_y"}),
)


def said_by_infotext(text: str, body: type[BaseModel]) -> SaidByInfotext:
    """What a text says for a kind of body. Never fails: what can't be taken gets a note.

    A field takes what is of its type. What the call is refused for later is taken out by `SaidByInfotext.without`.
    """
    if len(text) > _MOST_TEXT:
        return SaidByInfotext(notes=["infotext: it is too long to be read"])
    info = parse_infotext(text)
    said, settings = SaidByInfotext(), info.settings
    said.fields = {"prompt": info.prompt, "negative_prompt": info.negative_prompt}
    if settings:
        ours = settings.get("Version", "").startswith("overpaint ")
        further = _further(settings)
        said.fields |= {name: settings[key] for key, name in _FIELDS.items() if key in settings}
        _read_places(settings, ours, said)
        _read_sides(settings, said)
        _read_options(settings, further, ours, said)
        _read_scripts(settings, said)
        if ours and "Steps" in settings and settings.get("Dialect") != "webui":
            said.notes.append(
                "infotext: it was not painted as in AUTOMATIC1111, so that the same settings give other pixels"
            )
        known = {*_FIELDS, *_OPTIONS, *_READ}
        lost = [key for key in (*settings, *further) if key not in known and not key.startswith("ControlNet ")]
        if "init_images" not in body.model_fields:
            lost += [key for key in _OF_MASKS if key in settings]
        if settings.get("Intent") in ("custom", "remove", None):
            lost = [key for key in lost if key != "Intent"]
        said.notes += [f"infotext: {key[:40]} has no effect" for key in lost[:_MOST_NAMED]]
        said.notes += (
            [f"infotext: {len(lost) - _MOST_NAMED} further settings have no effect"] if lost[_MOST_NAMED:] else []
        )
    said.fields = {name: value for name, value in said.fields.items() if name in body.model_fields}
    for name, value in list(said.fields.items()):
        if not _fits(body, name, value):
            said.notes.append(f"infotext: {name} can't be {str(value)[:40]!r}, and was left out")
            del said.fields[name]
    return said


_MOST_NAMED = 8
"""Settings that have no effect which are named in a note each."""

_MOST_TEXT = 1 << 16
"""Characters that are read: real texts have some thousands, and reading must not hold up other calls."""


def _further(settings: Mapping[str, str]) -> dict[str, Any]:
    """Our further options, which are JSON."""
    try:
        found = json.loads(settings.get("Options", "{}"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _fits(body: type[BaseModel], name: str, value: Any) -> bool:
    """Whether a field takes a value."""
    from overpaint.engines.diffusion.names import parse_sampler

    try:
        body.model_validate({name: value})
        if name == "sampler_name":
            parse_sampler(str(value), nearest=True)
    except (ValidationError, RequestError):
        return False
    return True


def _read_places(settings: Mapping[str, str], ours: bool, said: SaidByInfotext) -> None:
    """Where is painted, and what is there before."""
    fields = said.fields
    fields["inpainting_mask_invert"] = settings.get("Mask mode") == "Inpaint not masked"
    # Overpaint's own arithmetic keeps the size of a picture in any case.
    apart = ours and settings.get("Dialect") != "webui"
    fields["inpaint_full_res"] = apart or settings.get("Inpaint area") == "Only masked"
    fields.setdefault("inpaint_full_res_padding", 0 if ours else 32)
    content = settings.get("Masked content", "original")
    if content in _FILLS:
        fields["inpainting_fill"] = _FILLS.index(content)
    else:
        said.notes.append(f"infotext: the masked content {content[:40]!r} is not known")
    blur = settings.get("Mask blur", "0" if ours else "").split()
    if len(blur) == 2:
        fields |= {"mask_blur_x": blur[0], "mask_blur_y": blur[1]}
    elif blur:
        fields["mask_blur"] = " ".join(blur)


def _read_sides(settings: Mapping[str, str], said: SaidByInfotext) -> None:
    sizes = {"Seed resize from": ("seed_resize_from_w", "seed_resize_from_h")}
    if "Steps" in settings:  # what does not sample has its own size
        sizes["Size"] = ("width", "height")
    for key, names in sizes.items():
        found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", settings.get(key, ""))
        if found is not None:
            said.fields |= dict(zip(names, found.groups(), strict=True))
        elif key in settings:
            said.notes.append(f"infotext: {key} can't be {settings[key][:40]!r}, and was left out")


def _read_options(settings: Mapping[str, str], further: Mapping[str, Any], ours: bool, said: SaidByInfotext) -> None:
    options = said.options
    if ours:
        options |= dict(_OPTIONS.values())
    elif "Sampler" in settings:
        options |= {"CLIP_stop_at_last_layers": 1, "randn_source": "GPU"}
    values = {key: option_value(value) for key, value in settings.items()} | dict(further)
    options |= {name: values[key] for key, (name, _) in _OPTIONS.items() if key in values}
    model = settings.get("Model") or settings.get("Model hash") or settings.get("Engine")
    options |= {} if model is None else {"sd_model_checkpoint": model}
    if ours or "VAE" in settings:
        options["sd_vae"] = settings.get("VAE", "Automatic")
    faces = settings.get("Face restoration", "False")
    if ours or faces != "False":
        said.fields["restore_faces"] = faces != "False"
    if faces not in ("True", "False"):
        options["face_restoration_model"] = faces


def _read_scripts(settings: Mapping[str, str], said: SaidByInfotext) -> None:
    if settings.get(_SOFT[0]) == "True":
        said.scripts[SOFT_INPAINTING] = {"args": [True, *(settings.get(key) for key in _SOFT[1:])]}
    found = read_controls(settings)
    said.notes += [f"infotext: {note}" for note in found.notes]
    units = [unit for one in found.tables if (unit := _unit(one, said)) is not None]
    if units:
        said.scripts[CONTROLNET] = {"args": units}


def _unit(control: Mapping[str, Any], said: SaidByInfotext) -> dict[str, Any] | None:
    """A unit that makes its map of the picture that is edited; None for a control by a picture of its own."""
    kind, options = control["kind"], control.get("options") or {}
    if control.get("image") is not None or kind in PICTURE_KINDS:
        return None
    module = usual_module(kind, options)
    if module is None:
        said.notes.append(f"infotext: a control of the kind {kind} has no effect")
        return None
    unit = {"module": module, "model": control.get("model") or "None"}
    unit["control_mode"] = next(word for word, mode in CONTROL_MODES.items() if mode == control.get("mode", "balanced"))
    names = {"weight": "weight", "start": "guidance_start", "end": "guidance_end"}
    unit |= {theirs: control[ours] for ours, theirs in names.items() if control.get(ours) is not None}
    thresholds = zip(("threshold_a", "threshold_b"), CONTROL_MODULES[module].thresholds, strict=False)
    return unit | {name: options[option] for name, option in thresholds if option in options}
