"""One spelling for one value: JSON as RFC 8785 (JCS) writes it, so that a digest means the value and not its layout."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any

from overpaint.errors import RequestError


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
    """A float as ECMAScript's Number::toString writes it (ECMA-262 6.1.6.1.20): shortest digits that read back."""
    if not math.isfinite(value):
        raise RequestError(f"JSON has no {value}: give a finite number")
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{value!r}".partition("e")
    sign, mantissa = ("-", mantissa[1:]) if mantissa.startswith("-") else ("", mantissa)
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    point = len(whole) + int(exponent or 0)  # the decimal point stands after this many digits
    digits = whole + fraction
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    digits = stripped.rstrip("0")
    return sign + _layout(digits, point)


def _layout(digits: str, point: int) -> str:
    """`digits` with the point after `point` of them, with an exponent where ECMAScript uses one."""
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return "0." + "0" * -point + digits
    mantissa = digits[0] + (f".{digits[1:]}" if count > 1 else "")
    return f"{mantissa}e{point - 1:+d}"
