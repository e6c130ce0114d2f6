"""A real server for tests: sockets, threads and files as in use."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2

from overpaint.doors.reading import readers
from overpaint.server import PREFIX, Server, ServerSettings, serve
from overpaint.server.work import TaskWorker
from overpaint.studio import Studio


class Running:
    """A server that answers.

    Attributes:
        url: Where it is, without a path.
        token: For a browser, where it has keys.
        server: The server.
        stop: Stops it.
    """

    def __init__(self, url: str, token: str | None, server: Server, stop: Callable[[], None]) -> None:
        self.url, self.token, self.server, self.stop = url, token, server, stop

    def client(self, key: str | None = None, **headers: str) -> httpx2.Client:
        """A client of the native API."""
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        return httpx2.Client(base_url=self.url + PREFIX, headers=headers, timeout=120.0, trust_env=False)


@contextlib.contextmanager
def running(
    data: Path,
    studio: Studio | None = None,
    worker: TaskWorker | None = None,
    executor: Any = None,
    **settings: Any,
) -> Iterator[Running]:
    """A server on a free port, which is stopped at the end."""
    readers.close()  # processes of another test have its environment: another store of models
    settings = {"port": 0, "grace": 0.5, **settings}
    server = Server(ServerSettings(data=data, **settings), studio, worker, executor)
    ready = threading.Event()
    found: list[Running] = []
    stops: list[Callable[[], None]] = []

    def answered(url: str, token: str | None) -> None:
        found.append(Running(url, token, server, stops[0]))
        ready.set()

    def run() -> None:
        try:
            serve(server, answered, stops.append)
        finally:
            ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(60)
        assert found, server.failure
        yield found[0]
    finally:
        for stop in stops:
            stop()
        thread.join(30)
        assert not thread.is_alive(), "the server has not ended"
