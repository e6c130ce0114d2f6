"""The description of the native API (OpenAPI 3.1), true to what the server answers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.routing import Match
from starlette.types import Message, Receive, Scope, Send

PREFIX = "/overpaint/v1"
"""Where the native API is: none of the compatible APIs has paths there."""

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

_EVENTS = b"text/event-stream"

_SCHEMES: dict[str, dict[str, Any]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer KEY"},
    "basic": {"type": "http", "scheme": "basic", "description": "any name, and the key as the password"},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


class ErrorParts(BaseModel):
    """What was wrong."""

    code: str = Field(description="for programs; docs/errors.md has all of them")
    kind: str | None = Field(default=None, description="the class of the error in Python")
    message: str = Field(description="for people")
    field: str | None = Field(default=None, description="the setting that it is about")
    value: str | int | float | bool | None = Field(default=None, description="what was sent, where it is short")
    hint: str | None = Field(default=None, description="what to do about it")


class ErrorReply(BaseModel):
    """The body of a request that was refused or failed."""

    error: ErrorParts


ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {
        "model": ErrorReply,
        "description": "Refused: 401 no key, 403 not allowed, 404 not there, 408 too slow, 409 in another state, "
        "412 changed meanwhile, 413 too large, 422 not valid, 429 too many jobs (see Retry-After)",
    },
    "5XX": {
        "model": ErrorReply,
        "description": "Failed: 503 for now (memory, ledger; see Retry-After), 507 no room (the disk, or what "
        "the client may store), 500 for a fault of the server",
    },
}
"""Replies that any endpoint can have."""


def operation_id(route: APIRoute) -> str:
    """The name of an endpoint for programs that are made from the description: "edits-create", "pictures-file"."""
    words = [part for part in route.path_format.split("/") if part and "{" not in part]
    native = words[2:] if f"/{'/'.join(words[:2])}" == PREFIX else words
    return "-".join([*native, *([route.name] if native[-1:] != [route.name] else [])])


def native_router(tag: str) -> APIRouter:
    """A part of the native API. Its routes are whole as they are: an application adds them to its own."""
    return APIRouter(prefix=PREFIX, tags=[tag], responses=ERRORS, generate_unique_id_function=operation_id)


class DescribedApi(FastAPI):
    """An application whose description says how to sign in, where it asks for a key.

    `state.keyed` says whether it does.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """A HEAD request is answered as a GET of the same path, without its body (RFC 9110, 9.3.2)."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            await self._head({**scope, "method": "GET"}, receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def _head(self, scope: Scope, receive: Receive, send: Send) -> None:
        ended = False

        async def sent(message: Message) -> None:
            nonlocal ended
            if message["type"] == "http.response.start":
                await send(message)
                if any(name == b"content-type" and value.startswith(_EVENTS) for name, value in message["headers"]):
                    ended = True
                    await send({"type": "http.response.body", "body": b""})
                    answer.cancel()  # which would go on for ever
            elif message["type"] == "http.response.body" and not ended:
                await send({**message, "body": b""})

        answer = asyncio.ensure_future(super().__call__(scope, receive, sent))
        with contextlib.suppress(asyncio.CancelledError):
            await answer

    def openapi(self) -> dict[str, Any]:
        """The description."""
        found = super().openapi()
        for path in found["paths"].values():
            for endpoint in path.values():
                _say_json(endpoint["responses"])
                for reply in endpoint["responses"].values():
                    for content in reply.get("content", {}).values():
                        if "itemSchema" in content:  # of a stream: FastAPI describes it as one text as well
                            content.pop("schema", None)
        if getattr(self.state, "keyed", False):
            found.setdefault("components", {})["securitySchemes"] = _SCHEMES
            found["security"] = [{name: []} for name in _SCHEMES]
        return found


def _say_json(responses: dict[str, Any]) -> None:
    """Errors are JSON, also of an endpoint that answers in pictures or events."""
    for status in ERRORS:
        content = responses.get(str(status), {}).get("content", {})
        responses[str(status)]["content"] = {"application/json": next(iter(content.values()))}


def allowed_methods(request: Request) -> str:
    """The methods that the path of a request has, for the header Allow. A framework's own error names one route's."""
    routes = request.app.router.routes
    scopes = {method: {**request.scope, "method": method} for method in _METHODS}
    found = [
        method for method, scope in scopes.items() if any(route.matches(scope)[0] == Match.FULL for route in routes)
    ]
    if "GET" in found:
        found.insert(1, "HEAD")
    return ", ".join(found)
