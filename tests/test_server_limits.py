"""What one client may hold of a server: connections, browsers, storage, values of JSON, drawn shapes."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from types import SimpleNamespace
from typing import Any

import anyio
import httpx2
import numpy as np
import pytest

from overpaint.picture import encode, from_array
from overpaint.server import PREFIX, new_key, pictures, slow_readers
from overpaint.server.browser import BrowserTokens
from overpaint.server.errors import StorageFullError
from overpaint.server.keys import LOCAL, Caller
from overpaint.server.native.maps import MapsBusyError, map_turn
from overpaint.server.picture_folders import PictureFolders
from overpaint.server.pictures import PictureStore, StoredBytes
from overpaint.server.settings import ServerSettings
from servers import Running, running
from test_server_full_disk import noisy
from test_server_native import ended, photo, upload
from test_server_sessions import edited
from test_server_uploads import resident


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("data")) as found:
        yield found


def test_files_that_a_client_saves_have_a_limit_in_bytes(tmp_path):
    data = photo()
    folders = PictureFolders(tmp_path, ServerSettings(data=tmp_path, client_bytes=2 * len(data) + 10))
    for name in ("a.png", "b.png"):
        folders.save("ann", "output", name, data)
    with pytest.raises(StorageFullError) as refused:
        folders.save("ann", "mask", "c.png", data)
    assert refused.value.hint
    assert list(folders.folder("ann", "mask").iterdir()) == []
    folders.save("ann", "output", "b.png", photo(1))  # in the place of one
    folders.save("bob", "output", "c.png", data)


def test_what_a_killed_server_left_of_a_picture_goes_at_the_next_start(tmp_path):
    settings = ServerSettings(data=tmp_path)
    store = PictureStore(tmp_path / "pictures", settings)
    kept = store.add("ann", photo())
    (folder,) = (tmp_path / "pictures").iterdir()
    (folder / ("0" * 64)).write_bytes(b"a picture whose facts were not written")
    (folder / f".{'1' * 40}.abcdef.tmp").write_bytes(b"a file that had no name yet")
    later = folder / ("2" * 64)
    later.write_bytes(b"of after the start")
    os.utime(later, (time.time() + 60,) * 2)
    again = PictureStore(tmp_path / "pictures", settings)
    assert {path.name for path in folder.iterdir()} == {kept.id, f"{kept.id}.json", later.name}
    assert [one.id for one in again.all("ann")] == [kept.id]
    assert again.size == store.size == kept.bytes


def test_the_bytes_of_all_are_read_while_clients_come():
    """Prometheus asks while the first pictures of new clients are kept."""
    stored = StoredBytes()
    adding = threading.Thread(target=lambda: [stored.add(f"client {number}", 2) for number in range(20_000)])
    adding.start()
    while adding.is_alive():
        assert stored.total % 2 == 0
    assert stored.total == 40_000
    assert stored.of("client 7") == 2


def test_a_client_that_signs_in_often_ends_its_own_oldest_cookies_and_nobody_else_s():
    tokens = BrowserTokens()
    bob = Caller("bob", frozenset({"read"}))
    ann = [tokens.cookie(tokens.token(LOCAL)) for _ in range(3)]
    his = [tokens.cookie(tokens.token(bob)) for _ in range(100)]
    assert all(tokens.caller(f"overpaint={one}") == LOCAL for one in ann)
    held = [tokens.caller(f"overpaint={one}") == bob for one in his]
    assert held == [False] * 68 + [True] * 32


def test_one_key_never_has_all_connections(tmp_path):
    keys = {name: new_key(tmp_path / "keys.txt", name) for name in ("ann", "bob")}
    with running(tmp_path / "data", keys=tmp_path / "keys.txt", connections=8) as server, ExitStack() as stack:
        ann, bob = (stack.enter_context(server.client(key)) for key in keys.values())
        picture = upload(ann, photo())
        session = ann.post("/sessions", json={"picture": picture}).json()["id"]
        streams = [
            stack.enter_context(ann.stream("GET", f"/sessions/{session}/events", headers={"connection": "close"}))
            for _ in range(4)
        ]
        assert [stream.status_code for stream in streams] == [200] * 4
        refused = ann.get("/state")
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too-many-requests")
        assert int(refused.headers["retry-after"]) >= 1
        assert bob.get("/state").status_code == 200
        streams[0].close()
        over = time.monotonic() + 10
        while ann.get("/state").status_code != 200:
            assert time.monotonic() < over


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "multipart/related", ""])
@pytest.mark.parametrize("path", ["/sdapi/v1/img2img", "/sdapi/v1/options", "/api/v1/inpaint", "/api/v1/adjust_mask"])
def test_very_many_values_are_refused_whatever_they_are_sent_as(server, path, kind):
    body = "[" + "{}," * 1_000_001 + "{}]"
    reply = httpx2.post(
        server.url + path, content=body.encode(), headers={"content-type": kind}, timeout=60, trust_env=False
    )
    assert reply.status_code == 413
    assert "1,000,000 values" in reply.text


@pytest.mark.parametrize("value", ["[" + "0," * 1_000_001 + "0]", "[" * 100_000])
def test_json_within_a_form_has_the_same_limits(server, value):
    files = {"image": ("a.png", photo(), "image/png")}
    data = {"name": "InteractiveSeg", "clicks": value}
    reply = httpx2.post(f"{server.url}/run_plugin", data=data, files=files, timeout=60, trust_env=False)
    assert reply.status_code in (400, 413, 422)
    edit = {"prompt": "x", "native[grow]": value, "model": "telea"}
    reply = httpx2.post(f"{server.url}/v1/images/edits", data=edit, files=files, timeout=60, trust_env=False)
    assert reply.status_code in (400, 413, 422)


def test_uploads_are_not_taken_for_json(server):
    with server.client() as client:
        assert client.post("/pictures", content=b"," * 1_000_001).status_code == 422


def heavy(kind: str) -> dict[str, object]:
    """Shapes that take minutes on a picture of 4 million pixels, in a few kilobytes."""
    corners = [[0, 0], [2000, 0], [1000, 2000]]
    if kind == "marks":
        return {"marks": {"polygon": [" ".join(f"{x},{y}" for x, y in corners)] * 256}}
    part: dict[str, object] = {"kind": "polygon", "points": corners}
    if kind == "strokes":
        part = {"kind": "strokes", "strokes": [[[i % 2000, i % 1999] for i in range(2000)]] * 2, "width": 2000}
    return {"request": {"intent": "remove", "mask": {"parts": [part] * (2 if kind == "strokes" else 2000)}}}


@pytest.mark.parametrize("kind", ["marks", "parts", "strokes"])
def test_shapes_that_take_long_to_draw_are_refused_before_they_are_drawn(server, kind):
    with server.client() as client:
        large = encode(from_array(np.zeros((2000, 2000, 3), np.uint8)), "png").data
        session = client.post("/sessions", json={"picture": upload(client, large)}).json()["id"]
        task = heavy(kind)
        refused = client.post(f"/sessions/{session}/frames", json={"request": {"intent": "remove"}, **task})
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, "mask-drawing")
        assert refused.json()["error"]["hint"]
        if kind == "marks":
            step = edited(client, session, "10,10,20,20")["steps"][0]["number"]
            refused = client.post(f"/sessions/{session}/steps/{step}/mask", json=task)
        else:  # a job may take longer, and still not for ever
            picture = upload(client, large)
            id = client.post("/edits", json={"picture": picture, **task}).json()["id"]
            assert ended(client, id)["error"]["code"] == "mask-drawing"


def test_a_large_file_that_nobody_reads_stays_on_the_disk(server):
    with server.client() as client, ExitStack() as stack:
        data = noisy(0, 1600)
        id = upload(client, data)
        assert client.get(f"/pictures/{id}/file").content == data
        assert int(client.head(f"/pictures/{id}/file").headers["content-length"]) == len(data)
        before = resident()
        url = httpx2.URL(server.url)
        for _ in range(40):
            connection = stack.enter_context(socket.socket())
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect((url.host, url.port))
            connection.sendall(f"GET {PREFIX}/pictures/{id}/file HTTP/1.1\r\nHost: {url.host}\r\n\r\n".encode())
            assert connection.recv(12) == b"HTTP/1.1 200"
        assert resident() - before < 40 * len(data) / 4


@pytest.mark.parametrize(("parts", "more"), [(1, 0), (8, 0), (1, 7)])
def test_a_reply_that_is_read_too_slowly_is_cut_off(monkeypatch, parts, more):
    """A client that takes a part of 256 KB in 40 s, where 16 s and 30 s once are the most."""
    clock, sent = [0.0], []

    async def slow(message: dict[str, Any]) -> None:
        clock[0] += 40.0
        sent.append(message)

    monkeypatch.setattr(slow_readers, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    async def replied(send: Any) -> None:
        for left in range(more, -1, -1):
            await send({"type": "http.response.body", "body": bytes(parts << 18), "more_body": left > 0})

    asyncio.run(replied(slow_readers.read_in_time(slow, 30.0)))
    if parts + more == 1:
        assert [one["more_body"] for one in sent] == [False]
    else:
        assert [one["more_body"] for one in sent] == [True] * 2  # 80 s, of 62 that two parts may take


def test_very_many_small_pictures_are_refused_and_results_are_kept_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "_MOST_FILES", 2)
    for _ in range(2):  # the second time as a server that has started anew finds them
        store = PictureStore(tmp_path, ServerSettings(data=tmp_path))
        ids = [store.add("ann", photo(seed)).id for seed in range(2)]
        with pytest.raises(StorageFullError, match="2 stored pictures"):
            store.add("ann", photo(2))
        store.add("bob", photo(2))
    facts = store.facts("bob", next(store.all("bob")).id)
    store.keep("ann", photo(2), facts)
    store.delete("ann", facts.id)
    store.delete("ann", ids[0])
    store.add("ann", photo(3))


def test_one_clients_many_maps_refuse_no_map_of_another_client() -> None:
    request: Any = SimpleNamespace(app=SimpleNamespace(state=SimpleNamespace()))
    made: list[str] = []

    async def one(owner: str, free: anyio.Event) -> None:
        try:
            async with map_turn(request, owner):
                await free.wait()
                made.append(owner)
        except MapsBusyError:
            made.append(f"{owner} is refused")

    async def run() -> None:
        free = anyio.Event()
        async with anyio.create_task_group() as group:
            for owner in [*(12 * ["anna"]), "ben"]:
                group.start_soon(one, owner, free)
            await anyio.wait_all_tasks_blocked()
            free.set()
        assert not request.app.state.control_maps_waiting

    anyio.run(run)
    assert made[-1] == "ben"  # after those of Anna's that came before
    assert made.count("anna") in (8, 9)
    assert made.count("anna is refused") == 12 - made.count("anna")
