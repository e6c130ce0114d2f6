"""Connections: how many there may be, and how long the headers of a request may take.

uvicorn limits neither: a client that opens thousands of connections, or sends its headers a byte at a time, would hold
as many files open as the process may have.
"""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .replies import refusal

log = logging.getLogger("overpaint.server")

_LINGER = 1.0
"""Seconds after a refusal in which a client can read it, before its connection is closed."""


class LimitedProtocol(H11Protocol):
    """HTTP/1.1 over one connection of a bounded number. `limited` makes the class for a server's settings."""

    most = 512
    seconds = 10.0

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._late: asyncio.TimerHandle | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            log.warning("refused a connection: there are %d, which is the limit", self.most)
            self._refuse(503, "too-many-connections", "the server has as many connections as it takes", retry=True)
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        """A client has sent something."""
        if self._refused:
            return
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """A client has gone."""
        self._unwatch()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Have the headers of the next request in time. The time runs from their first byte, or from the connection."""
        if self.conn.their_state is not h11.IDLE or self.transport.is_closing():
            self._unwatch()
        elif self._late is None and (self.cycle is None or self.conn.trailing_data[0]):
            self._late = self.loop.call_later(self.seconds, self._on_late)

    def _unwatch(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _on_late(self) -> None:
        self._late = None
        if self.transport.is_closing():
            return
        if self.conn.trailing_data[0]:
            log.warning("refused a request: its headers took longer than %g seconds", self.seconds)
            self._refuse(408, "too-slow", "the headers of the request came too slowly")
        else:  # a connection that was opened and not used
            self.transport.close()

    def _refuse(self, status: int, code: str, message: str, *, retry: bool = False) -> None:
        self._refused = True
        body = refusal(code, message)
        lines = [
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
            "content-type: application/json",
            f"content-length: {len(body)}",
            "connection: close",
            *(["retry-after: 1"] if retry else []),
        ]
        self.transport.write("\r\n".join([*lines, "", ""]).encode() + body)
        self.loop.call_later(_LINGER, self.transport.close)


def limited(most: int, seconds: float) -> type[LimitedProtocol]:
    """The protocol of a server that takes so many connections, and gives headers so many seconds."""
    return type("LimitedProtocol", (LimitedProtocol,), {"most": most, "seconds": seconds})
