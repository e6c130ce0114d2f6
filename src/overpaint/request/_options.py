"""Options that only one engine or selector knows."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from pydantic import JsonValue

from overpaint.errors import RequestError
from overpaint.values import canonical_json


def option_table(options: Mapping[str, JsonValue] | None) -> dict[str, JsonValue] | None:
    """A copy without keys that are null (left open), which TOML can't express."""
    if options is None:
        return None
    kept: dict[str, JsonValue] = {name: value for name, value in options.items() if value is not None}
    canonical_json(kept)  # refuses text that is not Unicode
    if any(map(_has_null, kept.values())):
        raise RequestError("must not hold null within a value, for TOML has none; leave it out instead")
    return copy.deepcopy(kept)


def _has_null(value: JsonValue) -> bool:
    match value:
        case None:
            return True
        case dict():
            return any(map(_has_null, value.values()))
        case list():
            return any(map(_has_null, value))
        case _:
            return False
