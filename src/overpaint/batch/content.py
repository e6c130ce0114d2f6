"""What a row may hold: the values of JSON, of a bounded depth and size. Everything after this relies on it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from overpaint.errors import RequestError
from overpaint.other_names import suggest_setting

from .reasons import ROW

MOST_NESTED = 32  # far below Python's own limit; a request nests 6 deep
MOST_VALUES = 1_000_000  # a polygon of 500,000 points; YAML's references can make a short text endless
MOST_WHOLE = 1 << 64

_OF_ENGINES = ("to", "only", "tone", "colour", "gradient", "angle", "blur", "transparent", "shadow")
"""Options of verbs of the command line that are options of the engines recolor, backdrop and cutout."""


def check_table(table: Mapping[str, Any], known: Collection[str]) -> None:
    """Check the names and the values of a row.

    Raises:
        RequestError: A name is not among `known`; a value is nested more than 32 deep, has more than a million values
            within, text that is not Unicode or has a NUL, a whole number beyond 64 bits, or a type that JSON has not.
    """
    for name, value in table.items():
        if name not in known:
            right = suggest_setting(name, known)
            if (own := "colour" if name == "color" else name) in _OF_ENGINES or _is_of_checkpoints(name):
                option = {own: value if isinstance(value, str | int | float) else "..."}
                right = f"; it is an option of an engine: the field 'options' takes {json.dumps(option)}"
            raise RequestError(f"unknown field {name!r:.80}{right}", field=ROW)
        _check_value(value, name)


def _is_of_checkpoints(name: str) -> bool:
    """Whether it is an option of a checkpoint, such as eta."""
    from overpaint.engines import card

    return name in card("diffusion").options.model_fields


def _check_value(value: Any, field: str) -> None:
    """Look at a value and all within, level by level, so that no depth uses up the stack."""
    level, count = [value], 0
    for _ in range(MOST_NESTED):
        count += len(level)
        if count > MOST_VALUES:
            raise _refused(field, f"must have at most {MOST_VALUES} values within")
        inner: list[Any] = []
        for one in level:
            match one:
                case Mapping():
                    inner += [*one.keys(), *one.values()]
                    if not all(isinstance(key, str) for key in one):
                        raise _refused(field, "must be a table whose keys are text")
                case list() | tuple():
                    inner += one
                case _:
                    _check_single(one, field)
        if not inner:
            return
        level = inner
    raise _refused(field, f"must be nested at most {MOST_NESTED} deep")


def _check_single(value: Any, field: str) -> None:
    match value:
        case str():
            if "\0" in value or not _is_unicode(value):
                raise _refused(field, f"must be Unicode text without a NUL, not {_shortened(value)!r}")
        case bool() | float() | None:
            pass
        case int():
            if abs(value) >= MOST_WHOLE:
                raise _refused(field, f"must be a number of at most 64 bits, not one of {value.bit_length()}")
        case _:
            raise _refused(field, f"must be a value that JSON has, not one of the type {type(value).__name__}")


def _shortened(text: str) -> str:
    """A text with both its ends: the name of a file is at the end of its path."""
    return text if len(text) <= 160 else f"{text[:60]}...{text[-90:]}"


def _is_unicode(text: str) -> bool:
    """Whether a text has no halves of surrogate pairs, which JSON's escapes and names of files can bring."""
    return text.isascii() or not any("\ud800" <= one <= "\udfff" for one in text)


def _refused(field: str, message: str) -> RequestError:
    return RequestError(f"{{field}} {message}", field=field)
