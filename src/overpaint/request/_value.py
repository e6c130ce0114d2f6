"""The ground of every value in a request: frozen, strict pydantic models that raise our own errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from overpaint.errors import RequestError
from overpaint.geometry import Box, Margins, Size

from ._complaints import raise_readable, shown

T = TypeVar("T")


def tuples(value: Any) -> Any:
    """Lists and our own boxes, margins and sizes as tuples, at any depth: JSON and callers write them so."""
    if isinstance(value, list | tuple):
        return tuple(tuples(item) for item in value)
    return tuple(value) if isinstance(value, Box | Margins | Size) else plain(value)


def plain(value: Any) -> Any:
    """A NumPy number as Python's own (NumPy need not be loaded for that); anything else as it is."""
    return value.item() if type(value).__module__ == "numpy" and getattr(value, "ndim", 1) == 0 else value


Listed = Annotated[T, BeforeValidator(tuples)]
"""A tuple that may also be given as a list."""


class Value(BaseModel):
    """A frozen value: unknown keys are errors, numbers are finite, and no type is silently made into another."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

    if not TYPE_CHECKING:  # the type checker is to see the constructor that pydantic makes from the fields

        def __init__(self, **values: Any) -> None:
            try:
                super().__init__(**{name: plain(value) for name, value in values.items()})
            except ValidationError as error:
                raise_readable(error, type(self))
            except RecursionError:
                raise RequestError("the request is nested too deeply") from None

    def to_mapping(self) -> dict[str, Any]:
        """Plain JSON values by key: tuples as lists, and what was left open left out."""
        dumped: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return dumped


def parse_json(text: str | bytes, what: str) -> Any:
    """JSON, strictly: no NaN, and no key twice in one table.

    Raises:
        RequestError: It is no such JSON; `what` names it in the message ("the request").
    """
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    except RequestError:
        raise
    except RecursionError:
        raise RequestError(f"{what} is nested too deeply") from None
    except ValueError as error:
        raise RequestError(f"{what} is not JSON: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise RequestError(f"{key!r} is given twice")
        table[key] = value
    return table


def _refuse(constant: str) -> NoReturn:
    raise RequestError(f"JSON has no {constant}: give a finite number")


def as_mapping(value: Any, what: str) -> dict[str, Any]:
    """`value` as a table with string keys, or RequestError."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise RequestError(f"{what} must be a table of settings, not {shown(value)}")
    return dict(value)
