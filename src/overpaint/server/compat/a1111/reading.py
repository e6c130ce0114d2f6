"""Reading the body of a request, whatever type of content it says that it is."""

from __future__ import annotations

from typing import Any, TypeVar

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from overpaint.errors import RequestError
from overpaint.server.compat.calls import json_of, picture_bytes
from overpaint.server.compat.lenient import Lenient
from overpaint.server.native.callers import services_of
from overpaint.server.reading import bounded

Body = TypeVar("Body", bound=Lenient)


async def read(request: Request, kind: type[Body]) -> Body:
    """The body of a request. RequestError names what can't be read."""
    data = await request.body()

    def made() -> Body:
        found: Body = kind.read(_table(data))
        return found

    return await run_in_threadpool(made)


async def read_table(request: Request) -> dict[str, Any]:
    """The body as a table. RequestError where it is none."""
    table = _table(await request.body())
    if not isinstance(table, dict):
        raise RequestError(f"the body should be a JSON object, not {type(table).__name__}")
    return table


def _table(data: bytes) -> Any:
    return json_of(data or b"{}")


async def of_picture(request: Request, function: Any, text: object, field: str, *arguments: Any) -> Any:
    """What a function of `pictures` makes of a picture in a body, in a process of its own.

    Args:
        request: The request.
        function: Takes the file, the arguments, and the most pixels that a picture may have.
        text: The picture in base64.
        field: Its name.
        *arguments: Further arguments.

    Raises:
        RequestError: The text is no base64.
        OverpaintError: What the function raises; reading took too long.
    """
    settings = services_of(request).settings

    def made() -> Any:
        data = picture_bytes(text, field)
        return bounded(settings, function, data, *arguments, settings.most_pixels)

    return await run_in_threadpool(made)
