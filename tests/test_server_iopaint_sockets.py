"""Progress over Socket.IO: each client hears of its own edits alone, and other sites of nothing."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest

from overpaint.server import new_key
from servers import Running, running
from test_server_iopaint import encoded, mask, pixels, url

socketio = pytest.importorskip("socketio", reason="python-socketio is not installed")

from PIL import Image  # noqa: E402

PAGE = {"sec-fetch-site": "same-origin"}
"""What a browser sends with the requests of a server's own page."""

BODY = {"image": url(encoded(Image.fromarray(pixels()))), "mask": url(mask()), "sd_steps": 4, "sd_sampler": "Euler a"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("sockets"), origins=("https://paint.example",)) as found:
        yield found


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("keyed")
    keys = {name: new_key(folder / "keys.txt", name) for name in ("ann", "bob")}
    with running(folder / "data", keys=folder / "keys.txt") as found:
        yield found, keys


@contextlib.asynccontextmanager
async def heard(url: str, **headers: str) -> AsyncIterator[tuple[Any, list[tuple[str, Any]]]]:
    """A client of Socket.IO, and what it has heard."""
    events: list[tuple[str, Any]] = []
    client = socketio.AsyncClient(reconnection=False)
    client.on("diffusion_progress", lambda data: events.append(("progress", data["step"])))
    client.on("diffusion_finish", lambda *data: events.append(("finish", None)))
    await client.connect(url, headers=headers, transports=["websocket"], wait_timeout=30)
    try:
        yield client, events
    finally:
        await client.disconnect()
        await asyncio.sleep(0.05)


async def post(url: str, model: str = "cv2", **headers: str) -> httpx2.Response:
    async with httpx2.AsyncClient(base_url=url, trust_env=False, timeout=240) as client:
        await client.post("/api/v1/model", json={"name": model}, headers=headers)
        return await client.post("/api/v1/inpaint", json=BODY, headers=headers)


async def until(events: list[tuple[str, Any]], kind: str) -> None:
    async with asyncio.timeout(30):
        while not any(name == kind for name, _ in events):
            await asyncio.sleep(0.02)


def test_a_client_hears_of_the_steps_of_its_edit_and_of_its_end(server):
    async def told() -> list[tuple[str, Any]]:
        async with heard(server.url) as (_, events):
            reply = await post(server.url, "pocket")
            assert reply.status_code == 200, reply.text
            await until(events, "finish")
            return events

    events = asyncio.run(told())
    assert events[-1] == ("finish", None)
    steps = [step for name, step in events if name == "progress"]
    assert steps
    assert steps == sorted(steps)
    assert 0 <= steps[0] <= steps[-1] <= 3  # its page shows (step + 1) / sd_steps


def test_without_web_sockets_a_client_hears_by_polling(server):
    async def told() -> str:
        async with httpx2.AsyncClient(base_url=server.url, trust_env=False, timeout=60) as client:
            path = "/socket.io/?EIO=4&transport=polling"
            path += "&sid=" + json.loads((await client.get(path)).text[1:])["sid"]
            assert (await client.post(path, content="40")).text == "OK"
            editing = asyncio.create_task(post(server.url))
            heard = ""
            while "diffusion_finish" not in heard:
                heard += (await client.get(path)).text
            assert (await editing).status_code == 200
            await client.post(path, content="1")
            return heard

    assert '42["diffusion_finish"' in asyncio.run(told())


def test_a_client_hears_of_the_end_of_an_edit_that_failed(server):
    async def told() -> list[tuple[str, Any]]:
        async with heard(server.url) as (_, events):
            async with httpx2.AsyncClient(base_url=server.url, trust_env=False, timeout=120) as client:
                await client.post("/api/v1/model", json={"name": "exemplar"})
                body = {**BODY, "mask": url(encoded(Image.new("L", (64, 48), 255)))}
                assert (await client.post("/api/v1/inpaint", json=body)).status_code >= 400
            await until(events, "finish")
            return events

    assert asyncio.run(told())[-1] == ("finish", None)


def test_another_key_hears_nothing_and_can_not_take_a_connection(keyed):
    server, keys = keyed

    async def told() -> tuple[list[Any], list[Any]]:
        ann, bob = ({"x-api-key": keys[name]} for name in ("ann", "bob"))
        # python-socketio sends headers with the first request alone, which is all of a web socket.
        async with (
            heard(server.url, **ann) as (client, own),
            heard(server.url, **bob) as (_, other),
        ):
            async with httpx2.AsyncClient(base_url=server.url, trust_env=False) as http:
                where = f"/socket.io/?EIO=4&transport=polling&sid={client.eio.sid}"
                assert (await http.get(where, headers=bob)).status_code == 403
                assert (await http.post(where, headers=bob, content="41")).status_code == 403
                counts = [(await http.get("/api/v1/connected_clients", headers=one)).json() for one in (ann, bob)]
                assert counts == [{"count": 1}, {"count": 1}]
                assert (await http.get("/socket.io/?EIO=4&transport=polling")).status_code == 401
            assert (await post(server.url, **ann)).status_code == 200
            await until(own, "finish")
            await asyncio.sleep(0.2)
            return own, other

    own, other = asyncio.run(told())
    assert own
    assert other == []


def test_of_two_browsers_of_one_user_only_that_of_the_edit_hears(server):
    """A cookie that a page's connection begins with tells them apart."""

    async def told() -> tuple[list[Any], list[Any]]:
        async with httpx2.AsyncClient(base_url=server.url, trust_env=False) as first:
            began = await first.get("/socket.io/?EIO=4&transport=polling", headers=PAGE)
            cookie = began.headers["set-cookie"]
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
        page = {"cookie": cookie.split(";")[0], **PAGE}
        async with heard(server.url, **page) as (_, own), heard(server.url, **PAGE) as (_, other):
            assert (await post(server.url, **page)).status_code == 200
            await until(own, "finish")
            await asyncio.sleep(0.2)
            return own, other

    own, other = asyncio.run(told())
    assert own
    assert other == []


def test_a_program_can_name_the_socket_that_hears(server):
    async def told() -> tuple[list[Any], list[Any]]:
        async with heard(server.url) as (client, own), heard(server.url) as (_, other):
            assert (await post(server.url, **{"x-socket-id": client.get_sid()})).status_code == 200
            await until(own, "finish")
            await asyncio.sleep(0.2)
            return own, other

    own, other = asyncio.run(told())
    assert own
    assert other == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 200),  # a link may lead here, but see below
        ({"host": "evil.example"}, 400),
        ({"origin": "https://paint.example"}, 200),
    ],
)
def test_polling_is_guarded_as_everything_else(server, headers, status):
    if "sec-fetch-site" in headers:
        status = 403
    with httpx2.Client(base_url=server.url, trust_env=False) as client:
        reply = client.get("/socket.io/?EIO=4&transport=polling", headers=headers)
        assert reply.status_code == status
        if status == 200:
            assert reply.headers.get_list("access-control-allow-origin") == ["https://paint.example"]
            assert "set-cookie" not in reply.headers
        assert client.get("/socket.io/?EIO=4&transport=polling&j=0").status_code == 400


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Host": "evil.example"}, {"Origin": "null"}])
def test_a_web_socket_of_another_site_is_not_opened(server, headers):
    answer = handshake(server, **headers)
    assert answer.startswith((b"HTTP/1.1 403", b"HTTP/1.1 400"))
    assert handshake(server).startswith(b"HTTP/1.1 101")


def handshake(server: Running, query: str = "EIO=4&transport=websocket", **headers: str) -> bytes:
    with opened(server, query, **headers) as connection:
        return connection.recv(4000)


def opened(server: Running, query: str, **headers: str) -> socket.socket:
    port = int(server.url.rpartition(":")[2])
    lines = {
        "Host": f"127.0.0.1:{port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
        **headers,
    }
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    connection.sendall(f"GET /socket.io/?{query} HTTP/1.1\r\n{head}\r\n".encode())
    return connection


def test_two_sockets_of_one_id_and_nonsense_leave_the_server_well(server):
    with httpx2.Client(base_url=server.url, trust_env=False, timeout=10) as client:
        path = "/socket.io/?EIO=4&transport=polling"
        sid = json.loads(client.get(path).text[1:])["sid"]
        assert client.post(f"{path}&sid={sid}", content="40").text == "OK"
        upgrade = f"EIO=4&transport=websocket&sid={sid}"
        with opened(server, upgrade) as first, opened(server, upgrade) as second:
            assert first.recv(4000).startswith(b"HTTP/1.1 101")
            second.recv(4000)
            first.sendall(b"\x81\x85\x00\x00\x00\x00hello")  # no packet of this protocol
            second.sendall(b"\xff" * 40)
        for content in (
            "",
            "9",
            "0",
            "2",
            "4" * 50_000,
            "4\x1e" * 500,
            "42[",
            '42["diffusion_progress"',
            "43",
            "451-x",
            "b!!!",
        ):
            sid = json.loads(client.get(path).text[1:])["sid"]
            assert client.post(f"{path}&sid={sid}", content=content).status_code in (200, 400, 413), content
        for query in ("", "EIO=3", "EIO=4&transport=carrier-pigeon", "EIO=4&sid=nobody", "EIO=4&transport=websocket"):
            assert client.get(f"/socket.io/?{query}").status_code == 400, query
        assert client.put(path).status_code in (400, 405)
        assert client.get("/api/v1/model").status_code == 200
        assert client.get(path).status_code == 200


def test_a_message_that_is_too_large_is_not_read(server):
    with httpx2.Client(base_url=server.url, trust_env=False, timeout=10) as client:
        path = "/socket.io/?EIO=4&transport=polling"
        sid = json.loads(client.get(path).text[1:])["sid"]
        assert client.post(f"{path}&sid={sid}", content=b"4" + b"x" * (1 << 20)).status_code == 413


def test_a_page_that_is_closed_is_not_counted(server):
    async def counted() -> None:
        async with httpx2.AsyncClient(base_url=server.url, trust_env=False) as client:

            async def count() -> int:
                return (await client.get("/api/v1/connected_clients")).json()["count"]

            before = await count()
            async with heard(server.url):
                assert await count() == before + 1
            async with asyncio.timeout(30):
                while await count() > before:
                    await asyncio.sleep(0.05)

    asyncio.run(counted())


def test_the_header_of_a_page_is_not_needed(server):
    host, _, port = server.url.removeprefix("http://").partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=10)
    connection.request("GET", "/socket.io/?EIO=4&transport=polling")
    assert connection.getresponse().status == 200
    connection.close()
