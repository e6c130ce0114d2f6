"""The settings of a server."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from pathlib import Path

from overpaint.errors import RequestError

APIS = ("a1111", "openai", "iopaint")
"""The APIs of other programs: AUTOMATIC1111's, OpenAI's for pictures, IOPaint's."""

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Host names under which a server is asked on its own machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """Settings of a server.

    Attributes:
        data: The folder of its pictures and jobs.
        host: The address that it listens on.
        port: The port; 0 takes a free one.
        keys: The file of API keys (see `keys.ApiKeys`); None: every caller is the local user.
        hosts: Further host names under which it may be asked.
        apis: The APIs of other programs that are served, of `APIS`.
        origins: Web pages ("https://example.com") that may use it from a browser.
        largest_body: Bytes of a request's body.
        all_bodies: Bytes of the bodies of all requests that are being answered.
        client_bytes: Bytes of the stored pictures of one client, beyond which it may upload no more; results are stored
            all the same. Its sessions have as much for themselves.
        most_pixels: Pixels of a picture; None for the library's limit.
        connections: Connections that are open at the same time.
        slowest_headers: Seconds in which the headers of a request must come.
        slowest_body: Seconds in which the next part of a body must come, and for which a client may not read on in a
            reply.
        lanes: Jobs that are worked on at the same time, beside those that take long.
        long: Seconds after which a job leaves its lane to another: up to four times the lanes are then at work.
        jobs: Jobs that may wait or run, of all clients.
        client_jobs: The same of one client.
        finished: Jobs that have ended and are kept, of one client; the oldest go first.
        reading: Seconds that reading the files of a job may take.
        reading_memory: Bytes that decoding what one request sent may take; jobs share a larger budget.
        session_memory: Bytes of pixels of sessions that are kept while nobody uses them; half of originals, half of
            present pictures.
        open_sessions: Sessions that stay open while nobody uses them.
        painting: Seconds that painting it may take.
        grace: Seconds that running jobs have to end when the server stops; then they wait for the next start.

    Raises:
        RequestError: It would listen to other machines without keys, a port or an origin is not written as one, or an
            API is not known.
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = 7860
    keys: Path | None = None
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    apis: frozenset[str] = frozenset(APIS)
    largest_body: int = 256 << 20
    all_bodies: int = 2 << 30
    client_bytes: int = 50 << 30
    most_pixels: int | None = None
    connections: int = 512
    slowest_headers: float = 10.0
    slowest_body: float = 30.0
    lanes: int = 8
    long: float = 2.0
    jobs: int = 10_000
    client_jobs: int = 500
    finished: int = 1000
    reading: float = 60.0
    reading_memory: int = 4 << 30
    session_memory: int = 1 << 30
    open_sessions: int = 64
    painting: float = 1800.0
    grace: float = 10.0

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise RequestError("{field} must be 0 to 65535", field="port", value=self.port)
        if self.keys is None and not is_loopback(self.host):
            raise RequestError(
                f"{{field}} {self.host} lets other machines in, and there are no keys that tell who may",
                code="server-open",
                field="host",
                value=self.host,
                hint="set key_file, or listen on 127.0.0.1",
            )
        unknown = sorted(self.apis.difference(APIS))
        if unknown:
            raise RequestError(
                f"{{field}} {unknown[0]!r} is no API that is served",
                field="api",
                value=unknown[0],
                hint=f"it is one of {', '.join(APIS)}",
            )
        for origin in self.origins:
            scheme, mark, rest = origin.partition("://")
            if scheme not in ("http", "https") or not mark or not rest or "/" in rest or "*" in rest:
                raise RequestError(
                    f"{{field}} {origin!r} is no origin",
                    field="allow_origin",
                    value=origin,
                    hint="write it as https://example.com, with its port where it has one, and nothing behind it",
                )

    @property
    def allowed_hosts(self) -> frozenset[str]:
        """The host names, without ports, in lower case, under which the server may be asked."""
        own = () if self.host in ("0.0.0.0", "::", "") else (_bracketed(self.host),)
        return frozenset(name.lower() for name in (*LOOPBACK, *own, *self.hosts))


def is_loopback(host: str) -> bool:
    """Whether an address is reached from its own machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host
