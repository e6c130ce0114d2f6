"""What an attacker would try, over real HTTP: each is refused with its status, leaves a line in the log that holds no
secret, and the server goes on.
"""

from __future__ import annotations

import base64
import json
import logging
import pickle
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

import hostile_files
from overpaint.server import PREFIX, new_key
from servers import Running, running
from test_server_native import mask, photo, upload

PAGE = "https://paint.example"


@dataclass(frozen=True)
class Attack:
    """A request, and what becomes of it. `{OTHER}` in it is a picture of another user, `{KEY}` the attacker's own key.

    Attributes:
        name: What is tried.
        status: Of the reply.
        logged: A part of the log's line; "" where the reply is an ordinary one.
        method, path: Of the request.
        headers: Further ones. The key is sent unless there is an authorization.
        body: Bytes, or what is sent as JSON.
        raw: The bytes of the whole request, in the place of all that.
    """

    name: str
    status: int
    logged: str = "refused"
    method: str = "GET"
    path: str = f"{PREFIX}/state"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    raw: bytes = b""


def _raw(*lines: str, host: str = "127.0.0.1") -> bytes:
    first, *others = lines
    return "\r\n".join([f"{first} HTTP/1.1", f"Host: {host}", "Authorization: Bearer {KEY}", *others, "", ""]).encode()


def _picture(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


UPLOAD = {"method": "POST", "path": f"{PREFIX}/pictures"}
PICKLE = pickle.dumps({"a": [1, 2]})
SVG = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"

ATTACKS = [
    # A page of another site, by the visitor's browser.
    Attack("DNS rebinding: the attacker's name", 400, "host-unknown", headers={"host": "evil.example"}),
    Attack(
        "DNS rebinding: a name that begins as ours", 400, "host-unknown", headers={"host": "127.0.0.1.evil.example"}
    ),
    Attack(
        "DNS rebinding: Host and Origin agree",
        400,
        "host-unknown",
        headers={"host": "evil.example", "origin": "http://evil.example"},
    ),
    Attack("a Host with a user", 400, "host-unknown", headers={"host": "127.0.0.1@evil.example"}),
    Attack("two Hosts", 400, "", raw=_raw(f"GET {PREFIX}/state", "Host: evil.example")),
    Attack(
        "an address in the place of the path", 404, "refused", raw=_raw("GET http://evil.example/overpaint/v1/state")
    ),
    Attack(
        "an upload from another origin",
        403,
        "origin-unknown",
        **UPLOAD,
        headers={"origin": "https://evil.example"},
        body=photo(),
    ),
    Attack(
        "an upload from a page without an origin",
        403,
        "origin-unknown",
        **UPLOAD,
        headers={"origin": "null"},
        body=photo(),
    ),
    Attack(
        "an upload from another port",
        403,
        "origin-unknown",
        **UPLOAD,
        headers={"origin": "http://127.0.0.1:1"},
        body=photo(),
    ),
    Attack(
        "an upload from another site",
        403,
        "site-unknown",
        **UPLOAD,
        headers={"sec-fetch-site": "cross-site"},
        body=photo(),
    ),
    Attack(
        "an image of another site",
        403,
        "site-unknown",
        headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
    ),
    Attack(
        "a frame of another site",
        403,
        "site-unknown",
        path="/docs",
        headers={"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"},
    ),
    Attack(
        "events for another origin",
        403,
        "origin-unknown",
        path=f"{PREFIX}/edits/{'0' * 32}/events",
        headers={"origin": "https://evil.example", "accept": "text/event-stream"},
    ),
    Attack(
        "a socket for another origin",
        403,
        "origin-unknown",
        headers={
            "origin": "https://evil.example",
            "connection": "Upgrade",
            "upgrade": "websocket",
            "sec-websocket-version": "13",
            "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        },
    ),
    Attack(
        "a preflight of another origin",
        403,
        "",
        method="OPTIONS",
        headers={"origin": "https://evil.example", "access-control-request-method": "POST"},
    ),
    Attack(
        "a form of another site as text",
        403,
        "origin-unknown",
        method="POST",
        path="/sdapi/v1/options",
        headers={"origin": "https://evil.example", "content-type": "text/plain"},
        body=b"{}",
    ),
    # Keys.
    Attack("no key", 401, "key-missing", headers={"authorization": ""}),
    Attack("a wrong key", 401, "key-missing", headers={"authorization": "Bearer op-guess"}),
    Attack("two keys", 401, "key-missing", raw=_raw(f"GET {PREFIX}/state", "Authorization: Bearer {KEY}")),
    Attack("a wrong cookie", 401, "key-missing", headers={"authorization": "", "cookie": "overpaint=guess"}),
    Attack("a used link", 403, "token-used", path="/?token={TOKEN}", headers={"authorization": ""}),
    Attack("a picture of another user", 404, "not-found", path=f"{PREFIX}/pictures/{{OTHER}}/file"),
    Attack(
        "another user's picture in an edit",
        404,
        "not-found",
        method="POST",
        path=f"{PREFIX}/edits",
        body={"picture": "{OTHER}", "request": {"intent": "remove"}, "marks": {"box": ["1,1,9,9"]}},
    ),
    Attack(
        "another user's mask",
        404,
        "not-found",
        method="POST",
        path=f"{PREFIX}/masks",
        body={"picture": "{OTHER}", "marks": {"box": ["1,1,9,9"]}},
    ),
    Attack("figures without the scope", 403, "not-allowed", path=f"{PREFIX}/metrics"),
    # Paths and addresses.
    Attack("traversal in an id", 404, "refused", path=f"{PREFIX}/pictures/..%2f..%2f..%2fetc%2fpasswd/file"),
    Attack("traversal in a path", 404, "refused", raw=_raw("GET /../../../../etc/passwd")),
    Attack("traversal in IOPaint's media", 404, "refused", path="/api/v1/media/output/..%2f..%2fjobs.sqlite"),
    Attack(
        "traversal in a name to save by", 404, "refused", method="POST", path="/api/v1/save_image/..%2fx", body=b"x"
    ),
    Attack(
        "a file of the server as a mask",
        422,
        "refused",
        method="POST",
        path=f"{PREFIX}/masks",
        body={"picture": "/etc/passwd", "marks": {"mask": ["/etc/passwd"]}},
    ),
    Attack(
        "an address as a picture",
        400,
        "address-refused",
        method="POST",
        path="/v1/images/edits",
        body={"images": [{"image_url": "http://127.0.0.1:1/a.png"}], "prompt": "x"},
    ),
    Attack(
        "a file's address as a picture",
        400,
        "refused",
        method="POST",
        path="/v1/images/edits",
        body={"images": [{"image_url": "file:///etc/passwd"}], "prompt": "x"},
    ),
    Attack(
        "an address in init_images",
        422,
        "refused",
        method="POST",
        path="/sdapi/v1/img2img",
        body={"init_images": ["http://169.254.169.254/latest"]},
    ),
    Attack(
        "a model by its path",
        422,
        "refused",
        method="POST",
        path=f"{PREFIX}/edits",
        body={
            "picture": "{OWN}",
            "request": {"intent": "remove", "model": "/tmp/evil.ckpt"},
            "marks": {"box": ["1,1,9,9"]},
        },
    ),
    # What is sent.
    Attack("a decompression bomb", 422, "picture-too-large", **UPLOAD, body=hostile_files.LARGEST),
    Attack("metadata that inflate", 422, "picture-invalid", **UPLOAD, body=hostile_files.pictures()["inflating.png"]),
    Attack("a pickle", 422, "picture-unsupported", **UPLOAD, body=PICKLE),
    Attack(
        "a pickle as a mask",
        400,
        "picture-unsupported",
        method="POST",
        path="/v1/images/edits",
        body={"images": [_picture(photo())], "mask": _picture(PICKLE), "model": "telea"},
    ),
    Attack("an SVG", 422, "picture-unsupported", **UPLOAD, body=SVG, headers={"content-type": "image/svg+xml"}),
    Attack(
        "an SVG that says it is a PNG",
        422,
        "picture-unsupported",
        **UPLOAD,
        body=SVG,
        headers={"content-type": "image/png"},
    ),
    Attack("a body that is too large", 413, "body-too-large", **UPLOAD, body=bytes(2 << 20)),
    Attack(
        "a body that says it is small",
        400,
        "",
        raw=_raw(f"POST {PREFIX}/pictures", "Content-Length: 1", "Content-Length: 9"),
    ),
    Attack(
        "a length and pieces at once",
        400,
        "",
        raw=_raw(f"POST {PREFIX}/pictures", "Content-Length: 5", "Transfer-Encoding: chunked, gzip"),
    ),
    Attack(
        "JSON without an end",
        400,
        "refused",
        method="POST",
        path=f"{PREFIX}/edits",
        body=b"[" * 100_000,
        headers={"content-type": "application/json"},
    ),
    Attack(
        "JSON as text",
        422,
        "refused",
        method="POST",
        path=f"{PREFIX}/edits",
        body=b'{"picture": "x"}',
        headers={"content-type": "text/plain"},
    ),
    Attack("headers that are too long", 400, "", raw=_raw(f"GET {PREFIX}/state", "X: " + "x" * 1_000_000)),
    Attack(
        "a line break in the path", 404, "refused", path=f"{PREFIX}/a%0d%0aSet-Cookie:%20a=b%0a2026-01-01%20stopped"
    ),
    Attack("a line break in a header", 400, "", raw=_raw(f"GET {PREFIX}/state", "X-Api-Key: a\x00b")),
    Attack(
        "a line break in a model's name",
        200,
        "",
        method="POST",
        path="/v1/images/edits",
        body={
            "images": [_picture(photo())],
            "mask": _picture(mask()),
            "model": "telea",
            "size": "1\r\nSet-Cookie: a=b",
        },
    ),
]


class Lines(logging.Handler):
    """The lines of the server's log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@dataclass
class Site:
    """A server with two users, and what an attacker who is one of them wants."""

    server: Running
    log: Lines
    keys: dict[str, str]
    token: str
    other: str
    own: str

    def filled(self, text: str) -> str:
        for name, value in {"KEY": self.keys["eve"], "OTHER": self.other, "OWN": self.own, "TOKEN": self.token}.items():
            text = text.replace("{" + name + "}", value)
        return text

    @property
    def port(self) -> int:
        return int(self.server.url.rpartition(":")[2])

    def goes_on(self) -> bool:
        with self.server.client(self.keys["ann"]) as ann:
            return ann.get(f"/pictures/{self.other}/file").content == photo()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    keys = {name: new_key(folder / "keys.txt", name) for name in ("ann", "eve")}
    log, logger = Lines(), logging.getLogger("overpaint.server")
    before = logger.level
    logger.addHandler(log)
    logger.setLevel(logging.INFO)
    limits: dict[str, Any] = {"largest_body": 1 << 20, "slowest_body": 0.5, "slowest_headers": 0.5, "connections": 24}
    try:
        with running(folder / "data", keys=folder / "keys.txt", origins=(PAGE,), **limits) as server:
            token = str(server.token)
            httpx2.get(f"{server.url}/?token={token}", trust_env=False)  # used
            with server.client(keys["ann"]) as ann, server.client(keys["eve"]) as eve:
                yield Site(server, log, keys, token, upload(ann, photo()), upload(eve, photo(1)))
    finally:
        logger.removeHandler(log)
        logger.setLevel(before)


def said(port: int, request: bytes, seconds: float = 20.0) -> bytes:
    """What a connection answers, until it ends or one reply is there."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(request)
        return answer(connection)


def answer(connection: socket.socket) -> bytes:
    found = b""
    while b"\r\n\r\n" not in found:
        part = connection.recv(65536)
        if not part:
            break
        found += part
    return found


def status_of(reply: bytes) -> int:
    return int(reply.split(b" ", 2)[1])


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda one: one.name)
def test_an_attack_is_refused_and_logged_and_the_server_goes_on(site, attack):
    site.log.lines.clear()
    if attack.raw:
        reply = said(site.port, site.filled(attack.raw.decode("latin-1")).encode("latin-1"))
        status, head = status_of(reply), reply.partition(b"\r\n\r\n")[0].decode("latin-1").lower()
    else:
        headers = {"authorization": f"Bearer {site.keys['eve']}", **attack.headers}
        body = attack.body
        if body is not None and not isinstance(body, bytes):
            body = site.filled(json.dumps(body)).encode()
            headers.setdefault("content-type", "application/json")
        address = site.server.url + site.filled(attack.path)
        found = httpx2.request(attack.method, address, headers=headers, content=body, trust_env=False, timeout=60)
        status, head = found.status_code, "\n".join(f"{name}: {value}" for name, value in found.headers.items())
    assert status == attack.status
    assert "set-cookie" not in head
    assert "access-control-allow-origin" not in head
    log = "\n".join(site.log.lines)
    assert attack.logged in log
    assert len(log) < 5000
    for secret in (*site.keys.values(), site.token, *(key[3:] for key in site.keys.values())):
        assert secret not in log
    assert all(line.isprintable() for line in site.log.lines), site.log.lines
    assert site.goes_on()


def test_headers_that_come_too_slowly_end_their_connection(site):
    site.log.lines.clear()
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as slow:
        slow.sendall(b"GET /overpaint/v1/state HTTP/1.1\r\n")
        for _ in range(3):  # each byte in time, all of them late
            time.sleep(0.15)
            slow.sendall(b"X")
        assert site.goes_on()
        assert status_of(answer(slow)) == 408
    assert time.monotonic() - began < 10
    assert "refused a request: its headers took longer than 0.5 seconds" in site.log.lines
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as unused:
        assert unused.recv(100) == b""


def test_headers_of_a_second_request_have_their_time_too(site):
    request = f"GET {PREFIX}/health HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as kept:
        kept.sendall(request.encode() + b"\r\n")
        assert status_of(answer(kept)) == 200
        time.sleep(0.8)  # a connection that is kept may rest for longer
        kept.sendall(request.encode() + b"\r\n")
        assert status_of(answer(kept)) == 200
        kept.sendall(request.encode())
        assert status_of(answer(kept)) == 408


def test_a_body_that_comes_too_slowly_ends(site):
    site.log.lines.clear()
    head = f"POST {PREFIX}/pictures HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Api-Key: {site.keys['eve']}\r\n"
    reply = said(site.port, f"{head}Content-Length: 100000\r\n\r\n".encode() + b"x" * 10)
    assert status_of(reply) == 408
    assert "refused a body" in "\n".join(site.log.lines)
    assert site.goes_on()


def test_a_body_in_pieces_is_counted(site):
    head = f"POST {PREFIX}/pictures HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Api-Key: {site.keys['eve']}\r\n"
    piece = b"10000\r\n" + bytes(1 << 16) + b"\r\n"
    with socket.create_connection(("127.0.0.1", site.port), timeout=20) as connection:
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        try:
            for _ in range(40):
                connection.sendall(piece)
        except OSError:  # it was closed meanwhile
            pass
        assert status_of(answer(connection)) == 413
    assert site.goes_on()


def test_connections_beyond_the_limit_are_refused_until_others_end(site):
    site.log.lines.clear()
    opened = [socket.create_connection(("127.0.0.1", site.port), timeout=20) for _ in range(30)]
    try:
        for one in opened:
            one.sendall(f"GET {PREFIX}/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        replies = [answer(one) for one in opened]
        found = [status_of(reply) for reply in replies]
        assert set(found) == {200, 503}
        assert found.count(503) >= 6
        assert all(b"retry-after" in reply for reply in replies if status_of(reply) == 503)
    finally:
        for one in opened:
            one.close()
    assert any("refused a connection" in line for line in site.log.lines)
    over = time.monotonic() + 10
    while True:
        try:
            assert site.goes_on()
            break
        except (httpx2.HTTPError, AssertionError):
            assert time.monotonic() < over
            time.sleep(0.1)


def test_the_cookie_is_for_our_page_alone_and_its_link_works_once(tmp_path):
    new_key(tmp_path / "keys.txt", "ann")
    with running(tmp_path / "data", keys=tmp_path / "keys.txt") as server:
        link = f"{server.url}/?token={server.token}"
        secure = {"x-forwarded-proto": "https", "host": "localhost"}  # as a proxy on this machine sends it
        entered = httpx2.get(link, trust_env=False, headers=secure)
        parts = [one.strip().lower() for one in entered.headers["set-cookie"].split(";")]
        assert {"httponly", "samesite=strict", "path=/", "secure"} <= set(parts)
        assert not any(one.startswith(("domain", "expires", "max-age")) for one in parts)
        assert entered.headers["location"] == "/"
        assert entered.headers["referrer-policy"] == "no-referrer"
        assert httpx2.get(link, trust_env=False).status_code == 403
        cookie = {"cookie": parts and entered.headers["set-cookie"].split(";")[0]}
        assert httpx2.get(f"{server.url}{PREFIX}/state", headers=cookie, trust_env=False).status_code == 200
        # A page of another site can make the browser send it nowhere (SameSite), and is refused if it does.
        other = {**cookie, "origin": "https://evil.example"}
        assert httpx2.post(f"{server.url}{PREFIX}/pictures", headers=other, trust_env=False).status_code == 403


def test_only_a_page_that_was_allowed_may_read_replies(site):
    def asked(origin: str | None) -> httpx2.Headers:
        headers = {"x-api-key": site.keys["eve"], **({} if origin is None else {"origin": origin})}
        return httpx2.get(f"{site.server.url}{PREFIX}/state", headers=headers, trust_env=False).headers

    assert asked(PAGE)["access-control-allow-origin"] == PAGE
    assert asked(PAGE)["vary"] == "Origin"
    for origin in (None, site.server.url, "https://evil.example", PAGE + ".evil.example", "null"):
        assert "access-control-allow-origin" not in asked(origin)
    assert "*" not in "".join(asked(PAGE).values())


def test_nothing_was_written_outside_the_folder(site):
    data = Path(site.server.server.settings.data)
    names = {path.relative_to(data).parts[0] for path in data.rglob("*")}
    assert names <= {
        "pictures",
        "lock",
        "jobs.sqlite",
        "jobs.sqlite-wal",
        "jobs.sqlite-shm",
        "sessions",
        "canvases",
        "named",
    }
