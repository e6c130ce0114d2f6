"""A relay between a client and a server that loses connections where a test asks for it, and knows what was sent."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

_REQUEST = re.compile(rb"^(GET|POST|DELETE) (\S+) HTTP/1\.1\r\n", re.MULTILINE)


class Relay:
    """Passes bytes on in both directions.

    Attributes:
        url: Where it is.
        requests: "METHOD PATH" of every request that came.
        lose: How many requests of a kind get no reply, though the server does them: {"POST /edits": 1}.
        cut_after: Bytes of a reply to GET .../events after which its connection is cut, once for each number.
        down: Whether no connection is taken.
    """

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname, parts.port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.requests: list[str] = []
        self.lose: dict[str, int] = {}
        self.cut_after: list[int] = []
        self.down = False
        self._closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._closed = True
        self._listening.close()

    def count(self, start: str) -> int:
        return sum(one.startswith(start) for one in self.requests)

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if self.down:
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target)
        except OSError:
            client.close()
            return
        state = {"lose": False, "left": -1}

        def forward() -> None:
            with contextlib.suppress(OSError):
                while data := client.recv(1 << 16):
                    for method, path in _REQUEST.findall(data):
                        line = f"{method.decode()} {path.decode().removeprefix('/overpaint/v1').partition('?')[0]}"
                        self.requests.append(line)
                        if self.lose.get(line):
                            self.lose[line] -= 1
                            state["lose"] = True
                        if line.endswith("/events") and self.cut_after:
                            state["left"] = self.cut_after.pop(0)
                    server.sendall(data)
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_WR)

        threading.Thread(target=forward, daemon=True).start()
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                if state["lose"]:
                    break
                if state["left"] >= 0:
                    data = data[: state["left"]]
                    state["left"] -= len(data)
                client.sendall(data)
                if state["left"] == 0:
                    break
        for one in (client, server):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@contextlib.contextmanager
def relay(target: str) -> Iterator[Relay]:
    """A relay to the server at a URL."""
    made = Relay(target)
    try:
        yield made
    finally:
        made.close()
