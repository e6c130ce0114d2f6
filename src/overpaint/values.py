"""Frozen, strict values: pydantic models that raise our own errors, JSON read strictly, and one spelling for digests.

`canonical_json` follows RFC 8785 (JCS), so that a digest depends on the value and not on the layout of its text.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NoReturn, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from overpaint.errors import RequestError
from overpaint.geometry import Box, Margins, Size
from overpaint.validation import raise_readable, shown

T = TypeVar("T")

Upgrade = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes the table of one schema into that of the next."""


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

    setting_aliases: ClassVar[Mapping[str, str]] = {}
    """What other programs call our fields, for suggestions in errors: {their name: ours}."""

    value_aliases: ClassVar[Mapping[str, Mapping[str, str]]] = {}
    """What other programs call our values, by field, for suggestions in errors: {field: {their value: ours}}."""

    if not TYPE_CHECKING:  # the type checker is to see the constructor that pydantic makes from the fields

        def __init__(self, **values: Any) -> None:
            try:
                super().__init__(**{name: plain(value) for name, value in values.items()})
            except ValidationError as error:
                raise_readable(error, type(self))
            except RecursionError:
                raise RequestError(f"{type(self).__name__} is nested too deeply") from None

    def to_mapping(self) -> dict[str, Any]:
        """Plain JSON values by key: tuples as lists, and what was left open left out."""
        dumped: dict[str, Any] = self.model_dump(mode="json", by_alias=True, exclude_none=True)
        return dumped


def parse_json(text: str | bytes, what: str, *, quote: bool = True) -> Any:
    """JSON, strictly: no NaN, and no key twice in one table.

    Raises:
        RequestError: It is no such JSON; `what` names it in the message ("the request"), which quotes nothing of the
            text without `quote`.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique if quote else _unique_unquoted, parse_constant=_refuse)
    except RequestError:
        raise
    except RecursionError:
        raise RequestError(f"{what} is nested too deeply") from None
    except ValueError as error:
        raise RequestError(f"{what} is not JSON: {error}") from None


def parse_yaml(text: str, *, quote: bool = True) -> Any:
    """YAML by its safe loader: no objects. It can crash the interpreter: call it in a bounded process.

    Raises:
        RequestError: It is no YAML. Without `quote` the message has the kind of the error and its line alone.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where that was built
    try:
        return yaml.load(text, Loader=loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        unquoted = type(error).__name__ + ("" if mark is None else f" near line {mark.line + 1}")
        raise RequestError(f"it is not YAML: {' '.join(str(error).split()) if quote else unquoted}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise RequestError(f"{key!r} is given twice")
        table[key] = value
    return table


def _unique_unquoted(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise RequestError("a name is given twice in one table")
    return table


def _refuse(constant: str) -> NoReturn:
    raise RequestError(f"JSON has no {constant}: give a finite number")


def upgraded(
    table: Mapping[str, Any], upgrades: Mapping[int, Upgrade], current: int, what: str = "request"
) -> dict[str, Any]:
    """`table` in the schema `current`, without what is None (left open). One without a schema has the current one.

    Raises:
        RequestError: A newer schema, or one from before the first; `what` names the table.
    """
    table = {name: value for name, value in table.items() if value is not None}
    version = table.get("schema", current)
    if isinstance(version, bool) or not isinstance(version, int):
        raise RequestError(f"schema must be a whole number, not {version!r:.80}")
    if version > current:
        raise RequestError(
            f"this {what} has schema {version}, and this version of Overpaint knows {current} at most: update it"
        )
    while version < current:
        if version not in upgrades:
            raise RequestError(f"schema must be {current}, not {version}, which no version has written")
        table = upgrades[version](table)
        version += 1
    return {**table, "schema": current}


def as_mapping(value: Any, what: str) -> dict[str, Any]:
    """`value` as a table with string keys, or RequestError."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise RequestError(f"{what} must be a table of settings, not {shown(value)}")
    return dict(value)


def canonical_json(value: Any) -> str:
    """The JSON text of `value` with sorted keys, no blanks and one spelling for each number.

    Follows RFC 8785, but for one thing: whole numbers beyond 2**53 keep all their digits, for a seed has 63 bits.

    Args:
        value: None, bool, int, float, str, and lists, tuples and string-keyed mappings of them.

    Raises:
        RequestError: NaN, infinity, text that is not Unicode, or another type of value.
    """
    match value:
        case None | bool() | str():
            return _scalar(value)
        case int():
            return str(int(value))
        case float():
            return _number(value)
        case Mapping():
            return "{" + ",".join(f"{_scalar(str(key))}:{canonical_json(value[key])}" for key in _ordered(value)) + "}"
        case Sequence():
            return "[" + ",".join(map(canonical_json, value)) + "]"
        case _:
            raise RequestError(f"{type(value).__name__} is no kind of JSON value: {value!r:.80}")


def digest_of(value: Any) -> str:
    """SHA-256 of the canonical JSON in UTF-8, hexadecimal."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def _ordered(table: Mapping[Any, Any]) -> list[Any]:
    """Its keys, ordered by their UTF-16 code units (RFC 8785 3.2.3), which for ASCII is the usual order."""
    if all(isinstance(key, str) and key.isascii() for key in table):
        return sorted(table)
    return sorted(table, key=lambda key: str(key).encode("utf-16-be", "surrogatepass"))


def _scalar(value: str | bool | None) -> str:
    if not isinstance(value, str):
        return json.dumps(value)
    text = encode_basestring(value)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        raise RequestError(f"text must be Unicode, without halves of surrogate pairs: {value!r:.80}") from None
    return text


def _number(value: float) -> str:
    """A float as ECMAScript's Number::toString writes it (ECMA-262 6.1.6.1.20): the fewest digits that read back."""
    if not math.isfinite(value):
        raise RequestError(f"JSON has no {value}: give a finite number")
    if value == 0:
        return "0"
    number = Decimal(repr(value)).normalize()
    return f"{number:f}" if 1e-6 <= abs(value) < 1e21 else f"{number:e}"
