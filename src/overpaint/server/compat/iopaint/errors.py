"""Errors in the form that IOPaint's clients read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

PREFIXES = (
    "/api/v1/",
    "/socket.io/",
    "/inpaint",
    "/model",
    "/run_plugin",
    "/server_config",
    "/inputimage",
    "/save_image",
    "/media",
)
"""IOPaint's paths, and Lama Cleaner's."""

STATUSES = {422: 400}

_LONGEST = 900
"""Letters of an error: its page shows it in a corner."""


def error_body(status: int, error: Mapping[str, Any]) -> dict[str, Any]:
    """An error as its clients read it: its page shows `errors`, others `detail`."""
    message = "; ".join(str(error[part]) for part in ("message", "hint") if error.get(part))
    if len(message) > _LONGEST:  # what was sent is in it
        message = f"{message[: _LONGEST - 3]}..."
    return {"error": error.get("code", "error"), "detail": message, "body": "", "errors": message}
