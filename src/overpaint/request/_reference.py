"""The settings reference: one row for each field of EditRequest, for help texts and pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

from overpaint.validation import bare_type, expected_of

from ._edit import EditRequest


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a request.

    Attributes:
        name: Its key.
        takes: Its type and range: "a number between 0 and 1".
        choices: Its values, where they can be listed.
        unit: "px" or "".
        left_open: What happens where it is left out.
        help: Its effect, in one line.
    """

    name: str
    takes: str
    choices: tuple[str, ...]
    unit: str
    left_open: str
    help: str


_TAKES = {
    "image": "a raster",
    "sketch": "a raster",
    "insert": "a raster",
    "mask": "a mask",
    "avoid": "a mask",
    "controls": "a list of tables",
    "regional_prompts": "a list of tables",
    "margins": "four whole numbers",
    "options": "a table",
    "guidance_interval": "two numbers",
    "mask_blur": "one number or two",
    "working_size": "two whole numbers",
}


def settings_reference() -> tuple[Setting, ...]:
    """Every setting of EditRequest, in its order."""
    rows = []
    for name, field in EditRequest.model_fields.items():
        extra: Any = field.json_schema_extra
        bare = bare_type(field.annotation)
        choices = get_args(bare) if get_origin(bare) is Literal else ()
        key = field.alias or name
        takes = f"one of {', '.join(choices)}" if choices else _TAKES.get(name) or expected_of(EditRequest, key)
        rows.append(Setting(key, takes, choices, extra["unit"], extra["left_open"], field.description or ""))
    return tuple(rows)
