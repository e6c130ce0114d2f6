"""Whole pictures made better, for APIs without jobs: one job each, which waits in the queue as those of edits."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from fastapi import Request

from overpaint.server.native.enhancements import EnhancerInfo, networks_here
from overpaint.server.tasks import EnlargeTask, RestoreTask
from overpaint.studio import EnlargeSettings, RestoreSettings

from .calls import Call, CallResult


async def enhanced(
    request: Request,
    owner: str,
    data: bytes,
    settings: EnlargeSettings | RestoreSettings,
    working: Callable[[Call], AbstractContextManager[Any]] = lambda call: contextlib.nullcontext(),
) -> CallResult:
    """What becomes of a picture, as a PNG with its record.

    Args:
        request: The request.
        owner: Who calls.
        data: The picture's file.
        settings: What is done.
        working: Held while the job runs.

    Raises:
        OverpaintError: It can't be done, or failed.
        Cancelled: It was cancelled, or the client has left.
    """
    async with Call(request, owner) as call:
        with working(call):
            facts = await call.add(data)
            given = {name: getattr(settings, name) for name in type(settings).model_fields}
            kind = EnlargeTask if isinstance(settings, EnlargeSettings) else RestoreTask
            (made,) = await call.edit(kind(picture=facts.id, format="png", **given))
            return made


async def network_of(request: Request, what: str, network: str = "") -> EnhancerInfo | None:
    """The network of a task that is preferred; with `network`, that of this layout. None where none is here."""
    known = await networks_here(request)
    return next((one for one in known if one.what == what and network in ("", one.network)), None)


async def networks_for(request: Request, what: str) -> list[EnhancerInfo]:
    """The networks of a task that are here and may be used, the ones to prefer first."""
    return [one for one in await networks_here(request) if one.what == what]
