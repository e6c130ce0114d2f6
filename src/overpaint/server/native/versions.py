"""Changes that are done only if nothing else was changed meanwhile (RFC 9110, 13.1.1 and 13.1.2)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Annotated, ParamSpec, TypeVar

from fastapi import Depends, Header, Request, Response

from overpaint.errors import RequestError
from overpaint.server.sessions import SessionStatus

P = ParamSpec("P")
T = TypeVar("T")

_threads = ThreadPoolExecutor(6, thread_name_prefix="session")
"""Work on sessions for replies: on threads of its own, so that no other reply waits for it."""


async def in_thread(function: Callable[P, T], *arguments: P.args, **options: P.kwargs) -> T:
    """The result of a function that takes long, on one of a few threads of their own."""
    call = partial(copy_context().run, function, *arguments, **options)
    return await asyncio.get_running_loop().run_in_executor(_threads, call)


async def _version(
    if_match: Annotated[
        str | None, Header(max_length=100, description='the version that the session must have: "7"')
    ] = None,
) -> int | None:
    if if_match is None or if_match.strip() == "*":
        return None
    found = re.fullmatch(r'\s*"?(\d{1,12})"?\s*', if_match)
    if found is None:
        raise RequestError(
            '{field} should be a version of the session, as its ETag has it: "7"', field="if-match", value=if_match
        )
    return int(found[1])


Version = Annotated[int | None, Depends(_version)]
"""The version that a session must have, by If-Match; None for any."""


def tagged(response: Response, status: SessionStatus) -> SessionStatus:
    """The status, whose version is in the reply's ETag too."""
    response.headers["etag"] = status.etag
    return status


KEEP = "private, no-cache"
FOR_GOOD = "private, max-age=31536000, immutable"


async def shown(
    request: Request,
    look: str,
    tag: Callable[[str], str],
    media: str,
    make: Callable[[], tuple[str, bytes]],
    *,
    wanted: str | None = None,
) -> Response:
    """A reply that follows from a digest alone: 304 where the caller has it already, else what is made.

    Args:
        request: Whose If-None-Match counts.
        look: The digest as it is now.
        tag: The ETag by the digest.
        media: The reply's media type.
        make: Makes the content, on a thread, and says which digest it follows from.
        wanted: The digest that the caller asked for, where it did: what follows from that is kept for good.
    """
    etag = tag(look)
    sent = request.headers.get("if-none-match", "")
    if etag in {one.strip().removeprefix("W/") for one in sent.split(",")}:
        return Response(status_code=304, headers={"etag": etag, "cache-control": KEEP})
    look, data = await in_thread(make)
    headers = {"etag": tag(look), "cache-control": FOR_GOOD if wanted == look else KEEP}
    return Response(data, media_type=media, headers=headers)
