"""Running a server until a signal stops it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import socket
import sys
from collections.abc import Callable
from types import FrameType

import uvicorn

from overpaint.doors.reading import readers
from overpaint.errors import OutputError

from .app import Server
from .connections import limited
from .events import release_followers
from .keys import LOCAL

_LARGEST_MESSAGE = 64 << 10
"""Bytes of a message of a web socket: clients say little there."""

_LINGER = 2
"""Seconds for which a server that stops waits for replies that are being sent. Followers of events come back."""

_STALLED = 60_000
"""Milliseconds after which the system ends a connection whose client takes nothing of what was sent (TCP_USER_TIMEOUT,
tcp(7)). uvicorn waits for such a client for ever."""

_SWITCH = 0.001
"""Seconds for which a thread keeps the interpreter while another wants it. Beside a few threads that calculate, the one
that answers requests would wait for several times the usual 5 ms."""


def serve(
    server: Server,
    on_ready: Callable[[str, str | None], None] = lambda url, token: None,
    on_start: Callable[[Callable[[], None]], None] = lambda stop: None,
) -> None:
    """Answer requests until SIGINT or SIGTERM.

    Args:
        server: The server.
        on_ready: Called with its URL once connections are taken, and with a token for a browser where it has keys.
        on_start: Called before that with a function that stops it, for callers on another thread.

    Raises:
        OutputError: The address can't be listened on, or the folder can't be used.
    """
    listening = _listening(server.settings.host, server.settings.port)
    with contextlib.closing(listening):
        host, port = listening.getsockname()[:2]
        shown = _shown(host, server)
        config = uvicorn.Config(
            server.app,
            log_config=None,
            access_log=False,
            server_header=False,
            http=limited(server.settings.connections, server.settings.slowest_headers),
            ws_max_size=_LARGEST_MESSAGE,
            ws_per_message_deflate=False,
            lifespan="on",
            timeout_keep_alive=30,
            timeout_graceful_shutdown=_LINGER,
        )
        running = _Announcing(config, server, lambda: on_ready(f"http://{shown}:{port}", _token(server)))
        on_start(running.stop)
        words = _Words(server, running)
        logging.getLogger("uvicorn.error").addFilter(words)
        before = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH)
        try:
            running.run(sockets=[listening])
        except SystemExit:  # the start failed
            if server.failure is None:
                raise
            raise server.failure from None
        finally:
            sys.setswitchinterval(before)
            logging.getLogger("uvicorn.error").removeFilter(words)


def _shown(host: str, server: Server) -> str:
    """The host name to ask it by: of one that listens on every address, one that it answers for."""
    if host in ("0.0.0.0", "::"):
        host = next(iter(server.settings.hosts), "127.0.0.1" if host == "0.0.0.0" else "::1")
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _token(server: Server) -> str | None:
    return None if server.keys is None else server.tokens.token(LOCAL)


class _Announcing(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, server: Server, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._server, self._on_ready = server, on_ready

    def stop(self) -> None:
        """End in order."""
        self.should_exit = True

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End in order at the first signal, at once at a second one. The signal is not raised again afterwards."""
        if self.should_exit:
            os._exit(128 + sig)  # jobs that run are waited for here: as after a kill, they go on at the next start
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        release_followers()
        if self._server.begin_stop():  # calls get their answers: results, or that the server stops
            self.config.timeout_graceful_shutdown = math.ceil(self._server.settings.grace) + _LINGER
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()
            readers.warm()


class _Words(logging.Filter):
    """Leaves tracebacks out of the ASGI server's log that say nothing: of a start that failed, whose error is raised in
    words, and of requests that were cancelled when the server stopped.
    """

    def __init__(self, server: Server, running: _Announcing) -> None:
        super().__init__()
        self._server, self._running = server, running

    def filter(self, record: logging.LogRecord) -> bool:
        if not self._running.started:
            return self._server.failure is None
        error = record.exc_info[1] if record.exc_info else None
        return not (self._running.should_exit and isinstance(error, asyncio.CancelledError))


def _listening(host: str, port: int) -> socket.socket:
    made = None
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # With its protocol, or asyncio does not see that its connections are TCP, and leaves Nagle's algorithm on: the
        # body of a reply then waits for the acknowledgement of its head, 40 ms.
        made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # connections have it of the socket that takes them
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _STALLED)
        made.bind((host, port))
        made.listen(128)
    except OSError as error:
        if made is not None:
            made.close()
        raise OutputError(
            f"{host}:{port} can't be listened on: {error.strerror or error}",
            code="address-in-use",
            field="port",
            value=port,
            hint="another program may use it; set port, or 0 for a free one",
        ) from None
    return made
