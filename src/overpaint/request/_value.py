"""The ground of every value in a request: frozen, strict pydantic models whose complaints people can read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from overpaint.errors import RequestError
from overpaint.geometry import Box, Margins, Size

from ._names import suggest_setting, suggest_value

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a request.

    Attributes:
        field: Where: "strength", "mask.parts[0].box".
        value: What was given; None when something is missing.
        message: A sentence with both in it, and with what would be right.
    """

    field: str
    value: object
    message: str


class SettingError(RequestError):
    """A setting is unknown or has a value that it can't take. `problems` has each of them."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """The message joins those of all problems."""
        self.problems = tuple(problems)
        super().__init__("; ".join(problem.message for problem in self.problems))


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

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, validate_default=False, hide_input_in_errors=True
    )

    if not TYPE_CHECKING:  # the type checker is to see the constructor that pydantic makes from the fields

        def __init__(self, **values: Any) -> None:
            try:
                super().__init__(**{name: plain(value) for name, value in values.items()})
            except ValidationError as error:
                raise_readable(error, type(self))

    def to_mapping(self) -> dict[str, Any]:
        """Plain JSON values by key: tuples as lists, and what was left open left out."""
        dumped: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return dumped


def raise_readable(error: ValidationError, model: type[BaseModel]) -> NoReturn:
    """Raise pydantic's complaint about `model` as one SettingError in our own words."""
    problems: list[Problem] = []
    for detail in error.errors(include_url=False):
        problem = _problem(detail, model)
        if problem.message not in [other.message for other in problems]:
            problems.append(problem)
    raise SettingError(problems[:8]) from None


def shown(value: object) -> str:
    """A value as a message shows it: whole when short, cut when long."""
    text = repr(value) if not isinstance(value, bytes | bytearray) else f"{len(value)} bytes"
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"


def expected_of(model: type[BaseModel], name: str) -> str:
    """What the field `name` takes, in words ("a number between 0 and 1"); empty when that says nothing."""
    field = _field(model, name)
    if field is None:
        return ""
    kind = _kind(field.annotation)
    return f"{kind}{range_of(model, name)}" if kind else ""


def range_of(model: type[BaseModel], name: str) -> str:
    """The range of the field `name` with a leading blank: " between 0 and 1", " of at least 0"; or an empty string."""
    field = _field(model, name)
    low: Any = None
    high: Any = None
    for rule in field.metadata if field is not None else ():
        low, high = getattr(rule, "ge", low), getattr(rule, "le", high)
    if low is not None and high is not None:
        return f" between {low} and {high}"
    if low is not None:
        return f" of at least {low}"
    return f" of at most {high}" if high is not None else ""


def _field(model: type[BaseModel], name: str) -> Any:
    """The field of that name or alias."""
    for own, field in model.model_fields.items():
        if name in (own, field.alias):
            return field
    return None


def _kind(annotation: Any) -> str:
    """A type in words."""
    types = [part for part in (get_args(annotation) or (annotation,)) if part is not type(None)]
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    return names.get(types[0], "") if len(types) == 1 else ""


def _problem(detail: ErrorDetails, model: type[BaseModel]) -> Problem:
    field, value = _path(detail["loc"]), detail["input"]
    return Problem(field, value if detail["type"] != "missing" else None, _message(detail, field, model))


def _path(loc: tuple[int | str, ...]) -> str:
    """("mask", "parts", 0, "box", "points") as "mask.parts[0].points": the tag of a part is no step of the way."""
    text = ""
    for index, step in enumerate(loc):
        if isinstance(step, int):
            text += f"[{step}]"
        elif index and isinstance(loc[index - 1], int) and index + 1 < len(loc):
            continue
        else:
            text += f".{step}" if text else step
    return text


def _message(detail: ErrorDetails, field: str, model: type[BaseModel]) -> str:
    """The sentence for one of pydantic's error types."""
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    name = str(detail["loc"][-1]) if detail["loc"] else ""
    direct = len(detail["loc"]) == 1
    own = _field(model, name) if direct else None
    match kind:
        case "extra_forbidden":
            return f"unknown setting {field!r}{suggest_setting(name, _names(model)) if direct else ''}"
        case "missing":
            return f"{field} is missing"
        case "value_error" | "assertion_error":
            inner = context.get("error")
            text = str(inner) if inner is not None else detail["msg"]
            where = field if direct else f"{field}: "
            return text if direct or not field else f"{where}{text}"
        case "literal_error":
            known = context.get("expected", "")
            values = [part.strip().strip("'") for part in known.replace(" or ", ", ").split(",")]
            return f"{field} must be {known}, not {shown(value)}{suggest_value(name, value, values)}"
        case "greater_than_equal" | "less_than_equal" | "finite_number" if own is not None and range_of(model, name):
            text = range_of(model, name).strip().removeprefix("of ")
            return f"{field} must be {'a number ' if kind == 'finite_number' else ''}{text}, not {shown(value)}"
        case "greater_than_equal":
            return f"{field} must be at least {_bare(context['ge'])}, not {shown(value)}"
        case "less_than_equal":
            return f"{field} must be at most {_bare(context['le'])}, not {shown(value)}"
        case "finite_number":
            return f"{field} must be a finite number, not {shown(value)}"
        case "string_too_long":
            return f"{field} must have at most {context['max_length']} characters, not {len(str(value))}"
        case "too_short":
            return f"{field} must have at least {context['min_length']} entries, not {context['actual_length']}"
        case "too_long":
            return f"{field} must have at most {context['max_length']} entries, not {context['actual_length']}"
        case "union_tag_invalid":
            return f"{field}: kind must be one of {context['expected_tags']}, not {shown(context['tag'])}"
        case "union_tag_not_found":
            return f'{field} needs a kind: "box", "ellipse", "polygon", "strokes", "raster", "alpha" or "full"'
        case "string_unicode":
            return f"{field} must be Unicode text, not {shown(value)}"
        case "string_pattern_mismatch":
            return f"{field} must match {context['pattern']}, not {shown(value)}"
        case _ if own is not None and (expected := expected_of(model, name)):
            return f"{field} must be {expected}, not {shown(value)}"
        case _:
            return f"{field or 'the request'} must be {_OTHER.get(kind, detail['msg'])}, not {shown(value)}"


_OTHER = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "mapping_type": "a table of settings",
    "dict_type": "a table of settings",
    "model_type": "a table of settings",
    "model_attributes_type": "a table of settings",
    "invalid-json-value": "a JSON value",
}


def _bare(number: float) -> str:
    return f"{number:g}" if number == int(number) else str(number)


def _names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def parse_json(text: str | bytes, what: str) -> Any:
    """JSON, strictly: no NaN, and no key twice in one table.

    Raises:
        RequestError: It is no such JSON; `what` names it in the message ("the request").
    """
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    except RequestError:
        raise
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{what} is not JSON: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise RequestError(f"{twice!r} is given twice")
    return table


def _refuse(constant: str) -> NoReturn:
    raise RequestError(f"JSON has no {constant}: give a finite number")


def as_mapping(value: Any, what: str) -> dict[str, Any]:
    """`value` as a table with string keys, or RequestError."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise RequestError(f"{what} must be a table of settings, not {shown(value)}")
    return dict(value)
