"""APIs that clients of other programs speak: each a lenient door that writes strict tasks into the one queue.

A module here has `router`, `PREFIXES` (the beginnings of its paths) and `error_body(status, error)`, which gives an
error the form that its clients read. It takes what these clients send, whatever its form, and says in notes what has no
effect.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI

ErrorForm = Callable[[int, Mapping[str, Any]], Any]

_MODULES: Mapping[str, Any] = MappingProxyType({})
"""The modules by the name of their API, which settings choose them by."""


def include(app: FastAPI, names: Collection[str]) -> None:
    """Serve the APIs of these names."""
    for name, module in _MODULES.items():
        if name in names:
            app.include_router(module.router)


def error_form(path: str) -> ErrorForm | None:
    """The form of errors for a path; None for a path of the native API."""
    for module in _MODULES.values():
        if path.startswith(module.PREFIXES):
            form: ErrorForm = module.error_body
            return form
    return None
