"""Scalars as old clients send them: numbers as text, whole numbers with a point, 0 and 1 for yes and no, null for left
out.
"""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from overpaint.errors import RequestError

_WORDS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "": False}


def _whole(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        value = _number(value)
    if isinstance(value, float) and math.isfinite(value):
        return round(value)
    return value


def _number(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return float(value.strip().replace(",", "."))
        except ValueError:
            return value
    return value


def _yes(value: Any) -> Any:
    if isinstance(value, str):
        return _WORDS.get(value.strip().lower(), value)
    return bool(value) if isinstance(value, int | float) else value


Whole = Annotated[int, BeforeValidator(_whole)]
"""A whole number: 512, 512.0, "512", true."""

Number = Annotated[float, BeforeValidator(_number)]
"""A number: 7, 7.5, "7.5"."""

Yes = Annotated[bool, BeforeValidator(_yes)]
"""Yes or no: true, 1, "true", "on"."""


class Lenient(BaseModel):
    """A body of another program's client: what is not known is left alone, and null counts as left out."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    @classmethod
    def read(cls, table: Any) -> Any:
        """The body of a request. RequestError names what can't be read."""
        if not isinstance(table, dict):
            raise RequestError(f"the body should be a JSON object, not {type(table).__name__}")
        try:
            return cls.model_validate({name: value for name, value in table.items() if value is not None})
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            raise RequestError(f"{{field}}: {first['msg']}", field=field, value=first.get("input")) from None

    @property
    def unknown(self) -> dict[str, Any]:
        """What was sent besides the fields that are known."""
        return dict(self.model_extra or {})
