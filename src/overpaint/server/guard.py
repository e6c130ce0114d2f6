"""What stands before every endpoint: which host was asked, which page asks, whose key it is, and how slowly it sends.

A page of another site can send requests to a server on its visitor's machine. So the Host header must be one of ours (a
name that an attacker made to point here is not: DNS rebinding), and what changes something must come from our own page,
by Origin and Sec-Fetch-Site (Fetch Metadata Request Headers, W3C). Programs send neither of these two.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .browser import BrowserTokens
from .figures import ServerFigures
from .json_values import check_values
from .keys import LOCAL, ApiKeys, Caller, key_in
from .replies import refusal
from .settings import ServerSettings
from .slow_readers import read_in_time

log = logging.getLogger("overpaint.server")

_KEY_HINT = "send it as 'Authorization: Bearer KEY', as the password of Basic authentication, or as X-API-Key"

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

_HOST = re.compile(r"(?P<name>[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")

_SLOWEST = 16 << 10
"""Bytes a second that a body must come at, after the first seconds."""

_LATER = {"retry-after": "2"}

_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; "
        b"object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
)

_READABLE = b"location, retry-after, x-height, x-overpaint-note, x-seed, x-width"
"""Headers of replies that a page of another origin may read, where it may read replies at all."""

Formed = Callable[[str, int, Mapping[str, Any]], tuple[int, Any]]

BEARER = "Bearer"

_OPEN = frozenset({"/", "/favicon.ico"})
"""Paths that need no key: the page that asks for it."""


class Guard:
    """ASGI middleware. A request that passes has its `Caller` in scope["state"]["caller"]."""

    def __init__(
        self,
        app: ASGIApp,
        settings: ServerSettings,
        keys: ApiKeys | None,
        tokens: BrowserTokens,
        figures: ServerFigures,
        open_paths: Iterable[str] = (),
        formed: Formed = lambda path, status, error: (status, {"error": error}),
        scheme: Callable[[str], str] = lambda path: BEARER,
    ) -> None:
        """Without `keys` a request that passes the other checks is the local user's.

        Args:
            app: What is guarded.
            settings: The settings.
            keys: Who may use it.
            tokens: Those of browsers.
            figures: Where replies are counted.
            open_paths: Further paths that need no key.
            formed: Status and body of an error as clients of a path read them.
            scheme: The authentication that clients of a path are asked for.
        """
        self._app = app
        self._settings = settings
        self._keys = keys
        self._tokens = tokens
        self._figures = figures
        self._bodies = 0
        self._open_requests: Counter[str] = Counter()
        self._most_requests = max(1, settings.connections // 2)
        self._hosts = settings.allowed_hosts
        self._origins = frozenset(origin.lower() for origin in settings.origins)
        self._open = _OPEN | frozenset(open_paths)
        self._formed = formed
        self._scheme = scheme

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = _Headers(scope)
        sending = self._with_headers(headers, read_in_time(send, self._settings.slowest_body))
        if scope["type"] == "http" and scope["method"] == "OPTIONS" and headers.one("access-control-request-method"):
            await self._preflight(headers, scope, sending)
            return
        status, code, message = self._refused(scope, headers)
        caller = None if status else self._caller(scope, headers)
        if not status and caller is None:
            status, code, message = 401, "key-missing", "this server needs a key that it knows"
        if not status and _declared(headers) > self._settings.largest_body:
            # The application would refuse it as well, and in plain text.
            status, code, message = 413, "body-too-large", "the body of the request is larger than the server takes"
        if status:
            log.warning("refused %s %r: %s", scope.get("method", "socket"), scope["path"][:200], code)
            told = {"code": code, "message": message, **({"hint": _KEY_HINT} if status == 401 else {})}
            status, body = self._formed(scope["path"], status, told)
            await _reply(scope, receive, sending, status, json.dumps(body).encode(), self._scheme(scope["path"]))
            return
        assert caller is not None
        if self._keys is not None and self._open_requests[caller.name] >= self._most_requests:
            await self._refuse_more(scope, receive, sending, caller)
            return
        scope.setdefault("state", {})["caller"] = caller
        body = _Body()
        of_json = "json" in (headers.one("content-type") or "").lower()
        self._open_requests[caller.name] += 1
        try:
            await self._app(scope, self._limited(receive, body, of_json), sending)
        finally:
            self._bodies -= body.bytes
            self._open_requests[caller.name] -= 1
            if not self._open_requests[caller.name]:
                del self._open_requests[caller.name]

    async def _refuse_more(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        """Refuse a request of a caller that has half of all connections: the others are for everybody else."""
        log.warning(
            "refused %s %r: %s has %d open",
            scope.get("method", "socket"),
            scope["path"][:200],
            caller.name,
            self._most_requests,
        )
        message = f"{self._most_requests} of your requests are open, which is the limit"
        error = {"code": "too-many-requests", "message": message, "hint": "close those that are not needed any more"}
        status, body = self._formed(scope["path"], 429, error)
        later = [(b"retry-after", b"1")]
        await _reply(scope, receive, send, status, json.dumps(body).encode(), headers=later)

    def _refused(self, scope: Scope, headers: _Headers) -> tuple[int, str, str]:
        """Status, code and message of a request that is refused to any caller; status 0 where it is not."""
        host = headers.one("host")
        named = None if host is None else _HOST.fullmatch(host)
        if named is None or named["name"].lower() not in self._hosts:
            return 400, "host-unknown", "the Host header names no host that this server answers for"
        origin, site = headers.one("origin"), (headers.one("sec-fetch-site") or "").lower()
        if origin is not None and origin.lower() in self._origins:
            return 0, "", ""
        own = origin is None or origin.lower() in (f"http://{host}".lower(), f"https://{host}".lower())
        if not own:
            return 403, "origin-unknown", "a page of another origin may not use this server unless the server allows it"
        unsafe = scope["type"] == "websocket" or scope["method"] not in SAFE
        visit = not unsafe and headers.one("sec-fetch-mode") == "navigate" and scope["path"] == "/"
        if site in ("cross-site", "same-site") and not visit:
            return 403, "site-unknown", "a page of another site may not use this server"
        return 0, "", ""

    def _caller(self, scope: Scope, headers: _Headers) -> Caller | None:
        """Whose request it is; None for nobody's."""
        if self._keys is None:
            return LOCAL
        key = key_in(headers.one("authorization"), headers.one("x-api-key"))
        if key is not None:
            return self._keys.caller(key)
        caller = self._tokens.caller(headers.one("cookie"))
        if caller is not None and caller != LOCAL and not self._keys.has(caller.name):
            caller = None  # its key was removed
        if caller is None and scope["type"] == "http" and scope["path"] in self._open:
            return Caller("", frozenset())
        return caller

    async def _preflight(self, headers: _Headers, scope: Scope, send: Send) -> None:
        """The question of a browser whether a page may send a request."""
        origin = headers.one("origin")
        status, code, message = self._refused(scope, headers)
        if status or origin is None or origin.lower() not in self._origins:
            refused = refusal(code or "origin-unknown", message or "no page of that origin may use this server")
            await _reply(scope, None, send, status or 403, refused)
            return
        allowed = [
            (b"access-control-allow-methods", b"GET, POST, PUT, PATCH, DELETE"),
            (b"access-control-allow-headers", (headers.one("access-control-request-headers") or "").encode("latin-1")),
            (b"access-control-max-age", b"600"),
        ]
        await send({"type": "http.response.start", "status": 204, "headers": allowed})
        await send({"type": "http.response.body", "body": b""})

    def _with_headers(self, headers: _Headers, send: Send) -> Send:
        origin = headers.one("origin")
        shared = [] if origin is None or origin.lower() not in self._origins else [
            (b"access-control-allow-origin", origin.encode("latin-1")),
            (b"access-control-allow-credentials", b"true"),
            (b"access-control-expose-headers", _READABLE),
            (b"vary", b"Origin"),
        ]  # fmt: skip

        began = time.monotonic()

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._figures.replied(message["status"], time.monotonic() - began)
                given = {name.lower() for name, _ in message.get("headers", ())}
                added = [pair for pair in _HEADERS if pair[0] not in given]
                message = {**message, "headers": [*message.get("headers", ()), *added, *shared]}
            await send(message)

        return sending

    def _limited(self, receive: Receive, body: _Body, of_json: bool) -> Receive:
        """`receive` of a body that must come at a certain rate, and for which there must be memory.

        HTTPException for a client that is slower (408), and where all bodies together are too large (503).
        """
        began, complete = time.monotonic(), False

        async def receiving() -> Message:
            nonlocal complete
            if complete:  # only the end of the connection comes now
                return await receive()
            left = began + self._settings.slowest_body + body.bytes / _SLOWEST - time.monotonic()
            try:
                async with asyncio.timeout(max(left, 0)):
                    message = await receive()
            except TimeoutError:
                log.warning("refused a body of which %d bytes came in %.0f s", body.bytes, time.monotonic() - began)
                raise HTTPException(408, "the body of the request came too slowly") from None
            part = message.get("body", b"")
            came = len(part)
            body.bytes += came
            body.values += part.count(b",") if of_json else 0
            check_values(body.values)
            self._bodies += came
            if self._bodies > self._settings.all_bodies:
                log.warning("refused a body: %d bytes of bodies are in memory, which is the limit", self._bodies)
                raise HTTPException(503, "the server has too many large requests at the same time", _LATER)
            complete = not message.get("more_body", False)
            return message

        return receiving


@dataclass(slots=True)
class _Body:
    """How much of a request's body has come: bytes, which stay in memory until the request is answered, and of JSON the
    values.
    """

    bytes: int = 0
    values: int = 0


class _Headers:
    """A request's headers by name, lower case. One that comes twice is empty: readers differ on which of them holds."""

    def __init__(self, scope: MutableMapping[str, Any]) -> None:
        found: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        self._values = {name: values[0] if len(values) == 1 else "" for name, values in found.items()}

    def one(self, name: str) -> str | None:
        """The value of a header; None where it is not there."""
        return self._values.get(name)


def _declared(headers: _Headers) -> int:
    """The bytes of a body as its header says; 0 where it does not."""
    length = headers.one("content-length") or ""
    return int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0


async def _reply(
    scope: Scope,
    receive: Receive | None,
    send: Send,
    status: int,
    body: bytes,
    scheme: str = BEARER,
    headers: Iterable[tuple[bytes, bytes]] = (),
) -> None:
    if scope["type"] == "websocket":
        if receive is not None:
            await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    if status == 401:
        headers.append((b"www-authenticate", f'{scheme} realm="overpaint"'.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
