"""Errors that only this API has, in AUTOMATIC1111's words where clients look for these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from overpaint.server.errors import ServerError


class SamplerNotFoundError(ServerError):
    """No sampler has the name."""

    code = "sampler-unknown"
    status = 404


class InitImageNotFoundError(ServerError):
    """There is no picture to edit."""

    code = "init-image-missing"
    status = 404


class ScriptNotFoundError(ServerError):
    """The script is not served."""

    code = "script-unknown"
    status = 422


class ControlUnitError(ServerError):
    """A unit of ControlNet can't be served."""

    code = "control-unit"
    status = 422


class UnservedError(ServerError):
    """The endpoint is known, and does nothing here."""

    code = "not-served"
    status = 501


class TextToImageError(ServerError):
    """The chosen checkpoint makes no picture from text alone."""

    code = "model-needed"
    status = 422


def error_body(status: int, error: Mapping[str, Any]) -> dict[str, Any]:
    """An error as AUTOMATIC1111's clients read it: {"error", "detail", "body", "errors"}."""
    message, hint = str(error.get("message", "")), error.get("hint")
    kind = "OutOfMemoryError" if error.get("code") == "memory-short" else str(error.get("code", "HTTPException"))
    return {
        "error": kind,
        "detail": f"{message}; {hint}" if hint else message,
        "body": str(error.get("value", "")),
        "errors": message,
    }
