"""How far an edit is, over Socket.IO, as IOPaint's page follows it: `diffusion_progress` and `diffusion_finish`.

IOPaint sends these to every page that is open. Here a socket gets those of its own client alone: of the same key, and
of the same browser, which a cookie tells. A program has no cookie: it gets those of its machine's other programs as
well, unless it names its socket in the header X-Socket-Id. The guard of all endpoints stands before these transports.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any, Protocol
from urllib.parse import parse_qs

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from overpaint.server.job import EditJob
from overpaint.server.keys import Caller

log = logging.getLogger("overpaint.server")

COOKIE = "overpaint-page"
_COOKIE = re.compile("[0-9a-f]{32}")

SOCKET = "x-socket-id"
"""The header in which a program names the socket that is to hear of its edit."""

_LARGEST = 16 << 10
"""Bytes of a message; clients have nothing to say."""

_PACKETS = b"1345"
"""Kinds of packets that a client posts: close, pong, message, upgrade (Engine.IO protocol 4)."""

_MOST_PACKETS = 16
"""Packets of one request."""

_SECONDS = 10.0
"""For what a client posts; then it has said something that the protocol's end waits for in vain."""

_MOST = 64
"""Sockets of one client of the server."""

_MOST_OPEN = 2000
"""Connections of all clients, those that have not said yet what they want included."""


class _Sockets(Protocol):
    """What is used of `socketio.AsyncServer`."""

    environ: Mapping[str, Mapping[str, Any]]
    eio: Any

    def on(self, event: str, handler: Any) -> Any: ...
    async def emit(self, event: str, data: Any = None, to: str | None = None) -> None: ...
    async def handle_request(self, scope: Scope, receive: Receive, send: Send) -> Any: ...
    async def shutdown(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ProgressListener:
    """A connected socket.

    Attributes:
        owner: Whose key it came with.
        page: The browser or machine that it is of.
    """

    owner: str
    page: str


class ProgressSockets:
    """The sockets of an application: an ASGI application for `/socket.io/`."""

    def __init__(self, sockets: _Sockets) -> None:
        """`sockets` speaks the protocol."""
        self._sockets = sockets
        self._listeners: dict[str, ProgressListener] = {}
        sockets.on("connect", self._connected)
        sockets.on("disconnect", self._disconnected)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or speak through a web socket."""
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        refused = self._refused(scope, query)
        if refused:
            await _refuse(scope, receive, send, *refused)
            return
        sent = scope["type"] == "http" and scope["method"] == "POST"
        if sent:
            receive = _replayed(await _message(receive))
        try:
            async with asyncio.timeout(_SECONDS if sent else None):
                await self._sockets.handle_request(scope, receive, _with_cookie(scope, query, send))
        except Exception as error:  # a client that speaks otherwise
            log.warning("a connection of %s failed: %s", _caller(scope).name, type(error).__name__)
            with contextlib.suppress(Exception):
                await _refuse(scope, receive, send, 400, "that is not Socket.IO")

    def count(self, owner: str) -> int:
        """How many sockets an owner has."""
        return sum(1 for one in self._listeners.values() if one.owner == owner)

    @contextlib.asynccontextmanager
    async def following(self, request: Request, owner: str, job: EditJob, steps: int) -> AsyncIterator[None]:
        """Let the client of a request hear of its job while this is open, and at the end that it has ended.

        Args:
            request: The request.
            owner: Who calls.
            job: The job.
            steps: The number of steps that the client counts to.
        """
        task = asyncio.create_task(self._follow(request, owner, job, steps))
        try:
            yield
        finally:
            task.cancel()
            await self._say(request, owner, "diffusion_finish")

    async def close(self) -> None:
        """End the upkeep of connections."""
        with contextlib.suppress(Exception):
            await self._sockets.shutdown()

    async def _follow(self, request: Request, owner: str, job: EditJob, steps: int) -> None:
        async for event in job.events.follow():
            if event is not None and event.kind == "progress" and event.data["steps"]:
                step = math.ceil(event.data["step"] * steps / event.data["steps"])
                await self._say(request, owner, "diffusion_progress", {"step": max(0, step - 1)})

    async def _say(self, request: Request, owner: str, event: str, data: Any = None) -> None:
        named = request.headers.get(SOCKET)
        page = _page(request.scope)
        for sid, one in list(self._listeners.items()):
            if one.owner == owner and (sid == named if named else one.page == page):
                await self._sockets.emit(event, data, to=sid)

    async def _connected(self, sid: str, environ: Mapping[str, Any], auth: Any = None) -> bool:
        scope: Scope = environ["asgi.scope"]
        caller = _caller(scope)
        if "read" not in caller.scopes or self.count(caller.name) >= _MOST:
            return False
        self._listeners[sid] = ProgressListener(caller.name, _page(scope))
        return True

    async def _disconnected(self, sid: str, reason: Any = None) -> None:
        self._listeners.pop(sid, None)

    def _refused(self, scope: Scope, query: Mapping[str, list[str]]) -> tuple[int, str] | None:
        """Status and sentence of a request that is not passed on; None for one that is."""
        if "j" in query:
            return 400, "scripts of other sites could read this transport: it is not served"
        if "sid" not in query:
            return (503, "there are too many connections") if len(self._sockets.eio.sockets) >= _MOST_OPEN else None
        opened = self._sockets.environ.get(query["sid"][0])
        if opened is not None and _caller(opened["asgi.scope"]).name != _caller(scope).name:
            return 403, "that connection is another client's"
        return None


def sockets_of(app: FastAPI) -> ProgressSockets | None:
    """The sockets of an application; None where it has none."""
    found: ProgressSockets | None = getattr(app.state, "iopaint_sockets", None)
    return found


def include_sockets(app: FastAPI) -> None:
    """Serve `/socket.io/`, where python-socketio is installed: an edit does not need it."""
    try:
        from socketio import AsyncServer
    except ImportError:
        log.warning("python-socketio is not installed: IOPaint's page does not show the progress of edits")
        return
    quiet = log.getChild("sockets")
    quiet.setLevel(logging.ERROR)
    app.state.iopaint_sockets = ProgressSockets(
        AsyncServer(
            async_mode="asgi",
            cors_allowed_origins=[],  # the guard answers for origins
            max_http_buffer_size=_LARGEST,
            http_compression=False,
            logger=quiet,
            engineio_logger=quiet,
        )
    )
    app.mount("/socket.io", app.state.iopaint_sockets)


def _caller(scope: Scope) -> Caller:
    found: Caller = scope["state"]["caller"]
    return found


def _header(scope: Scope, name: str) -> str:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name.encode()), "")


def _page(scope: Scope) -> str:
    """Which browser a request is of; of a program, or a page of another site, its address and origin."""
    with contextlib.suppress(CookieError):
        sent = SimpleCookie(_header(scope, "cookie")).get(COOKIE)
        if sent is not None and _COOKIE.fullmatch(sent.value):
            return sent.value
    given = scope["state"].get("page")
    client = scope.get("client") or ("", 0)
    origin = _header(scope, "origin")
    foreign = "" if origin.partition("://")[2] == _header(scope, "host") else origin
    return given or f"{client[0]} {foreign}"


def _with_cookie(scope: Scope, query: Mapping[str, list[str]], send: Send) -> Send:
    """`send` which gives a browser that begins a connection a cookie, where it has none."""
    own = _header(scope, "sec-fetch-site") == "same-origin"  # a program sends none
    if not own or "sid" in query or COOKIE in _header(scope, "cookie"):
        return send
    page = secrets.token_hex(16)
    scope["state"]["page"] = page
    cookie = f"{COOKIE}={page}; Path=/; HttpOnly; SameSite=Strict".encode()

    async def sending(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.accept"):
            message = {**message, "headers": [*message.get("headers", ()), (b"set-cookie", cookie)]}
        await send(message)

    return sending


async def _message(receive: Receive) -> bytes:
    """What a client posts. HTTPException where that is too large, or can be no message of the protocol."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False) and message["type"] == "http.request"
        if len(body) > _LARGEST:
            raise HTTPException(413, "the message is too large")
    packets = body.split(b"\x1e")
    if len(packets) > _MOST_PACKETS or not all(one[:1] and one[:1] in _PACKETS for one in packets):
        raise HTTPException(400, "that is not Socket.IO")
    return body


def _replayed(body: bytes) -> Receive:
    """The `receive` of a request whose body has been read."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _refuse(scope: Scope, receive: Receive, send: Send, status: int, message: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": message})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": message.encode()})
