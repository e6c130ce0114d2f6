"""An error in a door's own words, as a line for people and as plain values for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from overpaint.errors import OverpaintError

_DOWNLOADED = re.compile(r"(?<!and )'?\b([A-Za-z0-9][\w./-]*)'? can be downloaded\b")


def error_line(error: OverpaintError, name_of: Callable[[str], str], hints: Mapping[str, str]) -> str:
    """The message and the hint in one line.

    Args:
        name_of: The door's name for a field.
        hints: The door's own hints by code, or by code and value ("CODE:VALUE"), with {value} in the place of the
            value; the error's own for other codes. "set FIELD" in those becomes "give OPTION", and "'NAME' can be
            downloaded" the hint "download", if there is one.
    """
    return error.worded(name_of, _hint(error, name_of, hints))


def error_values(error: OverpaintError, name_of: Callable[[str], str], hints: Mapping[str, str]) -> dict[str, Any]:
    """The error as JSON values; arguments as for `error_line`. The field keeps the name that the core gives it."""
    return {
        "code": error.code,
        "message": error.worded(name_of, ""),
        "field": error.field or None,
        "value": _plain(error.value),
        "hint": _hint(error, name_of, hints) or None,
    }


def _hint(error: OverpaintError, name_of: Callable[[str], str], hints: Mapping[str, str]) -> str:
    own = hints.get(f"{error.code}:{error.value}", hints.get(error.code))
    if own is not None:
        return own.replace("{value}", str(error.value))

    def option(found: re.Match[str]) -> str:
        name = name_of(found[1])
        return found[0] if name == found[1] else f"give {name}"

    hint = re.sub(r"\bset ([a-z_]+)\b", option, error.hint)
    if (way := hints.get("download")) is None:
        return hint
    return _DOWNLOADED.sub(lambda found: way.replace("{value}", found[1]), hint)


def _plain(value: object) -> Any:
    """A value as JSON holds it: itself, or its text."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return repr(value)[:200]
