"""IOPaint's own page, as its wheel carries it, on a port of its own before a server: for tests.

What the page asks of `/api/v1/` and `/socket.io/` goes on to the server unchanged, as a reverse proxy does it, web
sockets included. Nothing of IOPaint's is kept in this repository: the wheel comes from the package index.
"""

from __future__ import annotations

import contextlib
import mimetypes
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

VERSION = "1.6.0"
_PASSED_ON = (b"/api/v1/", b"/socket.io/")


def page_files() -> zipfile.ZipFile | None:
    """The wheel; None where no package index gives it."""
    folder = Path(tempfile.gettempdir()) / f"overpaint-tests-iopaint-{VERSION}"
    if not list(folder.glob("*.whl")):
        words = ["download", "-q", "--disable-pip-version-check", f"iopaint=={VERSION}", "--no-deps", "-d", str(folder)]
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run([sys.executable, "-m", "pip", *words], timeout=120, capture_output=True)
    found = next(folder.glob("*.whl"), None)
    return None if found is None else zipfile.ZipFile(found)


@contextlib.contextmanager
def page_before(server: str, files: zipfile.ZipFile) -> Iterator[str]:
    """The address of the page before a server's."""

    class Connection(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = self.rfile.readline()
                if not line:
                    return
                head += line
            path = head.split(b" ")[1]
            if path.startswith(_PASSED_ON):
                self._pass_on(head)
            else:
                self._file(path.split(b"?")[0].decode())

        def _file(self, path: str) -> None:
            name = "iopaint/web_app" + ("/index.html" if path == "/" else path)
            status, data = ("200 OK", files.read(name)) if name in files.namelist() else ("404 Not Found", b"")
            kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
            head = (
                f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n\r\n"
            )
            self.wfile.write(head.encode() + data)

        def _pass_on(self, head: bytes) -> None:
            host, _, port = server.removeprefix("http://").partition(":")
            if b"upgrade: websocket" not in head.lower():  # one request for each connection
                head = head.replace(b"Connection: keep-alive", b"Connection: close")
            with socket.create_connection((host, int(port))) as onward:
                onward.sendall(head)
                back = threading.Thread(target=_copy, args=(onward.makefile("rb", 0), self.wfile, self.connection))
                back.start()
                with contextlib.suppress(OSError):
                    while data := self.rfile.read1(1 << 16):
                        onward.sendall(data)
                with contextlib.suppress(OSError):
                    onward.shutdown(socket.SHUT_RDWR)
                back.join()

    class Site(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Site(("127.0.0.1", 0), Connection) as site:
        thread = threading.Thread(target=site.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{site.server_address[1]}"
        finally:
            site.shutdown()


def _copy(source: object, target: object, connection: socket.socket) -> None:
    with contextlib.suppress(OSError, ValueError):
        while data := source.read(1 << 16):
            target.write(data)
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
