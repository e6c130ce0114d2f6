"""Errors as replies: a status and a table that programs can read."""

from __future__ import annotations

import json
import math
from typing import Any

from overpaint.errors import Cancelled, EngineError, InputError, OutputError, OverpaintError

from .errors import ServerError

Sent = tuple[int, dict[str, Any]]

_ROOM = "delete pictures and sessions that are not needed any more, or try again later"


def error_reply(error: OverpaintError) -> Sent:
    """The status of an error, and its body: {"error": {"code", "kind", "message", "field", "value", "hint"}}."""
    if isinstance(error, ServerError):
        status = error.status
    elif error.code == "disk-full":
        status = 507
    elif error.code == "memory-short":
        status = 503
    elif _of_own_files(error):
        status = 500
    elif isinstance(error, InputError):
        status = 422
    elif isinstance(error, Cancelled):
        status = 409
    else:
        status = 500 if isinstance(error, EngineError) else 400
    return status, {"error": error_table(error)}


def error_table(error: OverpaintError) -> dict[str, Any]:
    """An error's parts; `value` only where it is a short plain one. `kind` is the class that a Python client raises."""
    if error.code == "disk-full":
        return _own(error, "the disk is full: nothing of this was kept", _ROOM)
    if _of_own_files(error):  # its paths are nothing to a client
        return _own(error, "the server can't write its files; its log says more")
    found: dict[str, Any] = {"code": error.code, "kind": type(error).__name__, "message": error.worded(hint="")}
    if error.field:
        found["field"] = error.field
    plain = isinstance(error.value, str | int | bool) or (isinstance(error.value, float) and math.isfinite(error.value))
    if plain and len(str(error.value)) <= 200:
        found["value"] = error.value
    if error.hint:
        found["hint"] = error.hint
    return found


def _own(error: OverpaintError, message: str, hint: str = "") -> dict[str, Any]:
    table = {"code": error.code, "kind": type(error).__name__, "message": message}
    return {**table, "hint": hint} if hint else table


def _of_own_files(error: OverpaintError) -> bool:
    """Whether the system refused to write one of the server's own files."""
    return isinstance(error, OutputError) and isinstance(error.__cause__, OSError)


def refusal(code: str, message: str, hint: str = "") -> bytes:
    """The body of a request that is refused before it reaches an endpoint."""
    table = {"code": code, "message": message, **({"hint": hint} if hint else {})}
    return json.dumps({"error": table}).encode()
