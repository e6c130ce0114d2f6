"""Requests to a server over HTTP: what is sent again after a lost connection, and what is not."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx2

from overpaint.errors import OverpaintError, ServerUnreachableError

from ._address import ServerAddress
from ._replies import EventLines, FollowedEvent, foreign, refused, waits_for

PREFIX = "/overpaint/v1"
"""Where the native API is."""

_CHUNK = 1 << 18
_PASSING = frozenset({502, 503, 504})  # of a proxy before a server that starts, or of a server that is short of memory
_QUIET = 45.0
"""Seconds without a byte after which a stream of events counts as lost; a server writes every 15."""


class FileBody:
    """The body of an upload, which is sent in parts, and again after a lost connection."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @cached_property
    def sha256(self) -> str:
        """Its SHA-256, by which a server names it."""
        return hashlib.sha256(self.data).hexdigest()

    def digest(self) -> str:
        """The same, as a function."""
        return self.sha256

    async def __aiter__(self) -> AsyncIterator[bytes]:
        view = memoryview(self.data)
        for at in range(0, len(view), _CHUNK):
            yield bytes(view[at : at + _CHUNK])


@dataclass(frozen=True, slots=True)
class WaitLimits:
    """How long a server is waited for.

    Attributes:
        reply: Seconds for one reply.
        lost: Seconds that a server may be away which has answered before: it may be started anew.
        busy: Seconds that it may have no room for another job.
    """

    reply: float = 60.0
    lost: float = 60.0
    busy: float = 600.0


class Connection:
    """Requests to one server, on one event loop."""

    def __init__(self, address: ServerAddress, limits: WaitLimits, verify: ssl.SSLContext | bool = True) -> None:
        """Nothing is sent yet."""
        self.address = address
        self.limits = limits
        self._verify = verify
        self._met = False
        self._http: httpx2.AsyncClient | None = None

    async def close(self) -> None:
        """Close all connections."""
        if self._http is not None:
            http, self._http = self._http, None
            await http.aclose()

    async def send(
        self,
        method: str,
        path: str,
        *,
        body: FileBody | None = None,
        table: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        again: bool = True,
    ) -> httpx2.Response:
        """The reply to a request, read whole.

        Args:
            method: GET, POST ...
            path: Behind the native API's prefix: "/pictures".
            body: A file to send.
            table: JSON to send.
            params: Of the query; those that are None are left out.
            headers: Further headers.
            again: Whether doing it twice is the same as once, so that it is sent again where the reply was lost. It is
                sent again in any case where it did not reach the server, or the server had no room.

        Raises:
            OverpaintError: As the server says.
            ServerUnreachableError: It does not answer.
        """
        sent = dict(headers or {})
        if body is not None:
            sent |= {"content-type": "application/octet-stream", "content-length": str(len(body.data))}
        waits = _Waits(self)
        while True:
            try:
                reply = await self._client().request(
                    method,
                    self._at(path),
                    content=body,
                    json=table,
                    params={name: value for name, value in (params or {}).items() if value is not None},
                    headers=sent,
                )
            except httpx2.TransportError as error:
                await waits.lost(error, again=again)
                continue
            self._met = True
            if reply.is_success:
                return reply
            refusal = refused(reply.status_code, reply.content, reply.headers, self.address.url)
            if reply.status_code == 429:
                await waits.busy(refusal, waits_for(reply.headers))
            elif reply.status_code in _PASSING and again:
                await waits.away(refusal, waits_for(reply.headers))
            else:
                raise refusal

    async def ask(self, method: str, path: str, **given: Any) -> Any:
        """The JSON of the reply to a request. Arguments and errors as of `send`."""
        reply = await self.send(method, path, **given)
        try:
            return reply.json()
        except ValueError:
            raise foreign(self.address.url, "its reply is no JSON") from None

    async def events(self, path: str, after: int = -1) -> AsyncIterator[FollowedEvent]:
        """The events of a job, to its last one, through lost connections and restarts of the server.

        Args:
            path: Where they are.
            after: The number of the last one that is known.

        Raises:
            OverpaintError: As the server says.
            ServerUnreachableError: The server is away for too long.
        """
        waits = _Waits(self)
        timeout = httpx2.Timeout(self.limits.reply, read=_QUIET)
        while True:
            headers = {"last-event-id": str(after)} if after >= 0 else {}
            lost: Exception | None = None
            try:
                async with self._client().stream("GET", self._at(path), headers=headers, timeout=timeout) as reply:
                    if reply.status_code != 200:
                        await reply.aread()
                        lost = refused(reply.status_code, reply.content, reply.headers, self.address.url)
                        if reply.status_code not in _PASSING:
                            raise lost
                    else:
                        self._met = True
                        reader = EventLines()
                        async for line in reply.aiter_lines():
                            waits.over()
                            if (event := reader.add(line)) is None:
                                continue
                            after = max(after, event.number)
                            yield event
                            if event.last:
                                return
            except httpx2.TransportError as error:
                lost = error
            await waits.lost(lost, again=True)

    def _at(self, path: str) -> str:
        return self.address.url + PREFIX + path

    def _client(self) -> httpx2.AsyncClient:
        if self._http is None:
            key = self.address.key
            self._http = httpx2.AsyncClient(
                headers={"user-agent": "overpaint", **({} if key is None else {"authorization": f"Bearer {key}"})},
                timeout=httpx2.Timeout(self.limits.reply, pool=None),
                follow_redirects=False,
                trust_env=not self.address.is_local,  # a proxy does not lead back to this machine
                verify=self._verify,
                limits=httpx2.Limits(max_connections=100, max_keepalive_connections=20),
            )
        return self._http


class _Waits:
    """The pauses of one request before it is sent again."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._since: float | None = None
        self._pause = 0.1

    def over(self) -> None:
        """The server has answered."""
        self._since, self._pause = None, 0.1

    async def lost(self, error: Exception | None, *, again: bool) -> None:
        """Wait after a lost connection.

        Raises:
            ServerUnreachableError: It is not sent again, or the server is away for too long.
        """
        unsent = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
        met = self._connection._met
        if isinstance(error, httpx2.UnsupportedProtocol | httpx2.LocalProtocolError) or not (unsent or again):
            raise self._unreachable(error)
        await self._rest(self._connection.limits.lost if met else 0.0, self._unreachable(error), None)

    async def busy(self, error: OverpaintError, seconds: float | None) -> None:
        """Wait until the server may have room. Raises its error where that takes too long."""
        await self._rest(self._connection.limits.busy, error, seconds)

    async def away(self, error: OverpaintError, seconds: float | None) -> None:
        """Wait for a server that starts. Raises its error where that takes too long."""
        await self._rest(self._connection.limits.lost, error, seconds)

    async def _rest(self, most: float, error: OverpaintError, seconds: float | None) -> None:
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        pause = self._pause * random.uniform(0.7, 1.3) if seconds is None else seconds
        if now - self._since + pause > most:
            raise error
        self._pause = min(5.0, self._pause * 1.7)
        await asyncio.sleep(pause)

    def _unreachable(self, error: Exception | None) -> OverpaintError:
        if isinstance(error, OverpaintError):
            return error
        address = self._connection.address
        reason = "the connection ended" if error is None else _reason(error)
        met = self._connection._met
        return ServerUnreachableError(
            f"the server {address.url} {'is away' if met else 'does not answer'}: {reason}",
            field="server",
            value=address.url,
            hint="" if met else "is it running, and is that its URL?",
        )


def _reason(error: Exception) -> str:
    """A lost connection in words: those of the system's error beneath it, where there is one."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx2.TimeoutException):
        return "it took too long"
    return str(error) or type(error).__name__


@contextlib.asynccontextmanager
async def stopped_at_end(task: asyncio.Task[Any]) -> AsyncIterator[None]:
    """The task is cancelled at the end, and waited for."""
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
