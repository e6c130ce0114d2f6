"""The fields of a request as options. They are made from the model, so that both agree."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import field, make_dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_origin

from cyclopts import Group, Parameter

from overpaint.doors import forms
from overpaint.request import EditRequest, IntentRule, Setting, settings_reference
from overpaint.validation import bare_type

from .options import HOW, MODEL, RUN, WHERE, argument

COVERED: Mapping[str, str] = {
    "schema": "written by the program",
    "intent": "the verb; --intent of 'edit'",
    "image": "PICTURE",
    "mask": "--mask, --box, --ellipse, --polygon, --point, --select, --invert",
    "avoid": "--avoid, --avoid-box",
    "sketch": "--sketch",
    "insert": "--with, --with-mask",
    "regional_prompts": "--region-prompt PLACE=TEXT",
    "controls": "--control KIND, KIND=FILE",
    "margins": "--left, --top, --right, --bottom, --to, --aspect of 'expand'",
    "options": "--option KEY=VALUE",
}
"""Fields of the request without an option of their own name, and the options that set them."""

_PLACES: Mapping[str, Group] = {
    **dict.fromkeys(("mask_blur", "grow", "feather", "strict", "reach_limit", "follow_effects"), WHERE),
    **dict.fromkeys(
        (
            "prompt",
            "engine",
            "model",
            "size",
            "working_size",
            "area",
            "padding",
            "alpha",
            "colour_match",
            "seam",
            "detail",
            "restore_faces",
            "face_weight",
            "face_fidelity",
            "preset",
        ),
        HOW,
    ),
    **dict.fromkeys(("seed", "exact"), RUN),
}
"""The panel of the help for a field; fields that are not named here are in that for models."""

_ORDER = ("prompt", "engine", "model", "grow", "feather", "strict", "reach_limit", "area", "padding")
_METAVARS_OF_TYPES: Mapping[Any, str | None] = {bool: None, int: "N", float: "N", str: "NAME"}
_METAVARS = {
    "prompt": "TEXT",
    "negative_prompt": "TEXT",
    "guidance_interval": "FROM,TO",
    "mask_blur": "PX or ACROSS,DOWN",
    "working_size": "WIDTHxHEIGHT",
}
_PAIRS: Mapping[str, Callable[[str, str], Any]] = {
    "guidance_interval": forms.pair,
    "mask_blur": lambda text, field: forms.pair(text, field) if "," in text else forms.number(text, field),
    "working_size": lambda text, field: tuple(forms.size_of(text, field)),
}
"""How the fields with two numbers are read, which are one argument each."""


def _type(name: str) -> Any:
    """The type of a field, None left out of it."""
    return bare_type(EditRequest.model_fields[name].annotation)


def _hint(name: str) -> Any:
    """The type that the parser makes of a field's option. Raises TypeError for a field that can have none."""
    kind = _type(name)
    if get_origin(kind) is tuple:  # two numbers in one argument
        return str
    if get_origin(kind) is not Literal and kind not in _METAVARS_OF_TYPES:
        raise TypeError(f"{kind!r} has no form on the command line")
    return kind


def option_name(name: str) -> str:
    """The option of a field: `--guidance-scale` for `guidance_scale`."""
    return "--" + name.replace("_", "-")


@cache
def names() -> tuple[str, ...]:
    """Every field that has an option of its own name, in the order of the help."""
    own = [setting.name for setting in settings_reference() if setting.name not in COVERED]
    return (*_ORDER, *(name for name in own if name not in _ORDER))


def options(rule: IntentRule, *, leave_out: Collection[str] = ()) -> type[Any]:
    """A dataclass with one field for each option of the request; the help has the defaults of the intent."""
    by_name = {setting.name: setting for setting in settings_reference()}
    fields = [(name, _annotated(by_name[name], rule), field(default=None)) for name in names() if name not in leave_out]
    # the parser takes a class without a module for one of Python's own, and ignores its fields
    made = make_dataclass("Settings", fields, frozen=True, namespace={"__module__": __name__})
    return Parameter(name="*")(made)


def _annotated(setting: Setting, rule: IntentRule) -> Any:
    return Annotated[
        _hint(setting.name) | None,
        argument(
            option_name(setting.name),
            _sentence(setting.help),
            _PLACES.get(setting.name, MODEL),
            _metavar(setting),
            show_choices=not _terse(setting),
            show_default=_left_open(setting, rule),
        ),
    ]


def _metavar(setting: Setting) -> str | None:
    if setting.name in _METAVARS:
        return _METAVARS[setting.name]
    kind = _hint(setting.name)
    if kind is bool:
        return None
    if setting.choices:
        return "|".join(setting.choices) if _terse(setting) else None
    return setting.unit.upper() or _range(setting.name) or _METAVARS_OF_TYPES[kind]


def _terse(setting: Setting) -> bool:
    """Whether the choices are short enough to be shown in the place of a name."""
    return 0 < len("|".join(setting.choices)) <= 16


def _sentence(text: str) -> str:
    # in Rich's markup a bracket would open a tag
    plain = text.replace("`", "'").replace("[", "\\[")
    return f"{plain[:1].upper()}{plain[1:]}."


def _range(name: str) -> str:
    """ "0-1" for a number with both ends small enough to be read."""
    rules = EditRequest.model_fields[name].metadata
    low = next((rule.ge for rule in rules if hasattr(rule, "ge")), None)
    high = next((rule.le for rule in rules if hasattr(rule, "le")), None)
    return f"{low}-{high}" if low is not None and high is not None and low >= 0 and high <= 1000 else ""


def _left_open(setting: Setting, rule: IntentRule) -> str:
    """The intent's default for an option that is left out."""
    by_intent = {
        "strength": str(rule.strength),
        "masked_content": rule.masked_content,
        "alpha": rule.alpha,
        "detail": rule.detail,
        "area": "whole" if rule.context == "whole" else "masked",
    }
    return by_intent.get(setting.name, setting.left_open)


def settings(parsed: Any) -> dict[str, Any]:
    """The given fields by name, as the request takes them."""
    given: dict[str, Any] = {}
    for name in names():
        value = getattr(parsed, name, None)
        if value is not None:
            given[name] = _PAIRS[name](value, name) if get_origin(_type(name)) is tuple else value
    return given
