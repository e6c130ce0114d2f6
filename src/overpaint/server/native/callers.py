"""What endpoints are given: the services, and who asks."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, Request

from overpaint.server.errors import NotAllowedError
from overpaint.server.keys import Caller, Scope

if TYPE_CHECKING:
    from overpaint.server.app import Services


def services_of(request: Request) -> Services:
    """The services of the application."""
    return cast("Services", request.app.state.services)


def selecting(request: Request) -> asyncio.Semaphore:
    """Turns of selections, of which few are made at once: each holds a process with networks of its own."""
    state = request.app.state
    if not hasattr(state, "selecting"):  # endpoints are called by one thread
        state.selecting = asyncio.Semaphore(max(2, (os.cpu_count() or 1) // 2))
    turns: asyncio.Semaphore = state.selecting
    return turns


def may(request: Request, scope: Scope) -> Caller:
    """Who asks. NotAllowedError where its key does not have the scope."""
    caller: Caller = request.state.caller
    if scope not in caller.scopes:
        raise NotAllowedError(f"this needs a key that may {scope}", value=scope)
    return caller


async def _reader(request: Request) -> str:
    return may(request, "read").name


async def _editor(request: Request) -> str:
    return may(request, "edit").name


async def _admin(request: Request) -> str:
    return may(request, "admin").name


Reader = Annotated[str, Depends(_reader)]
"""The name of a caller that may see its own."""

Editor = Annotated[str, Depends(_editor)]
"""The name of a caller that may make and delete its own."""

Admin = Annotated[str, Depends(_admin)]
"""The name of a caller that may see figures of the whole server."""
