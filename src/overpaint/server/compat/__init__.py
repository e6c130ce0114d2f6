"""APIs that clients of other programs speak: each a lenient door that writes strict tasks into the one queue.

A module here has `router`, `PREFIXES` (the beginnings of its paths), `error_body(status, error)`, which gives an error
the form that its clients read, and where its clients expect other statuses `STATUSES`, from ours to theirs, where they
sign in otherwise than by a bearer's key `AUTHENTICATION`, and where some paths need no key `OPEN_PATHS`. It takes what
these clients send, whatever its form, and says in notes what has no effect.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

from fastapi import FastAPI

from . import a1111, iopaint, openai

_MODULES: Mapping[str, Any] = MappingProxyType({"a1111": a1111, "openai": openai, "iopaint": iopaint})
"""The modules by the name of their API, which settings choose them by."""


def include(app: FastAPI, names: Collection[str]) -> None:
    """Serve the APIs of these names."""
    for name, module in _MODULES.items():
        if name in names:
            app.routes.extend(module.router.routes)
    if "iopaint" in names:
        iopaint.include_sockets(app)


async def close(app: FastAPI) -> None:
    """End what the APIs of an application keep open."""
    sockets = iopaint.sockets_of(app)
    if sockets is not None:
        await sockets.close()


def formed(path: str, status: int, error: Mapping[str, Any]) -> tuple[int, Any]:
    """The status and the body of an error as the API has them that a path is of."""
    for module in _MODULES.values():
        if path.startswith(module.PREFIXES):
            found = getattr(module, "STATUSES", {}).get(status, status)
            return found, module.error_body(found, error)
    return status, {"error": error}


def open_paths(names: Collection[str]) -> tuple[str, ...]:
    """Paths of the APIs of these names that need no key."""
    return tuple(path for name in names for path in getattr(_MODULES[name], "OPEN_PATHS", ()))


def authentication(path: str) -> str:
    """The scheme of authentication that clients of a path are asked for."""
    for module in _MODULES.values():
        if path.startswith(module.PREFIXES):
            return str(getattr(module, "AUTHENTICATION", "Bearer"))
    return "Bearer"
