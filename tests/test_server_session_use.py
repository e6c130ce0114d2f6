"""Sessions while an engine paints for them, and many of them at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from overpaint.studio import Edited, Studio
from servers import Running, running
from test_server_native import ended, photo, upload
from test_server_sessions import begun, edited, pixels


class Gated(Studio):
    """Paints at once, and gives the result when the test lets it."""

    def __init__(self) -> None:
        super().__init__(threads=1)
        self.painting = threading.Semaphore(0)
        self.go = threading.Event()

    def edit(self, *given: Any, monitor: Any = None, **named: Any) -> Edited:
        edited = super().edit(*given, monitor=monitor, **named)
        self.painting.release()
        while not self.go.wait(0.01):
            monitor.check()
        return edited


@pytest.fixture
def studio() -> Iterator[Gated]:
    with Gated() as found:
        found.go.set()
        yield found


@pytest.fixture
def server(tmp_path: Path, studio: Gated) -> Iterator[Running]:
    with running(tmp_path, studio) as found:
        yield found
        studio.go.set()


@pytest.fixture
def client(server: Running) -> Iterator[httpx2.Client]:
    with server.client() as found:
        yield found


def ask(client: httpx2.Client, studio: Gated, id: str, box: str) -> str:
    """An edit that is being painted until the test lets it go on."""
    while studio.painting.acquire(blocking=False):
        pass
    studio.go.clear()
    body = {"request": {"intent": "remove", "engine": "telea"}, "marks": {"box": [box]}}
    job = client.post(f"/sessions/{id}/edits", json=body)
    assert job.status_code == 202, job.text
    assert studio.painting.acquire(timeout=30)
    return str(job.json()["id"])


def test_a_session_is_looked_at_and_changed_while_an_engine_paints_for_it(client, studio):
    id = begun(client)["id"]
    edited(client, id, "8,8,20,20")
    job = ask(client, studio, id, "14,14,30,30")
    before = pixels(client, id)
    now = client.patch(f"/sessions/{id}/steps/1", json={"visible": False}).json()
    assert (now["jobs"], now["version"]) == ([job], 2)
    assert (pixels(client, id) != before).any()
    refused = client.post(f"/sessions/{id}/compact")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "conflict")
    studio.go.set()
    assert ended(client, job)["results"][0]["version"] == 3
    steps = client.get(f"/sessions/{id}").json()["steps"]
    assert [(step["number"], step["visible"], step["stale"]) for step in steps] == [(1, False, False), (2, True, True)]
    assert client.post(f"/sessions/{id}/compact").status_code == 200


def test_an_edit_lands_on_the_branch_that_it_was_begun_on(client, studio):
    id = begun(client)["id"]
    job = ask(client, studio, id, "8,8,20,20")
    client.post(f"/sessions/{id}/branches", json={"name": "other"})
    studio.go.set()
    assert ended(client, job)["state"] == "done"
    now = client.get(f"/sessions/{id}").json()
    assert (now["branch"], now["steps"]) == ("other", [])
    main = client.put(f"/sessions/{id}/branch", json={"name": "main"}).json()
    assert [step["number"] for step in main["steps"]] == [1]


def test_a_session_is_deleted_while_an_engine_paints_for_it(client, server, studio):
    id = begun(client)["id"]
    job = ask(client, studio, id, "8,8,20,20")
    body = {"request": {"intent": "remove", "engine": "blur"}, "marks": {"box": ["1,1,9,9"]}}
    waiting = client.post(f"/sessions/{id}/edits", json=body).json()
    assert waiting["place"] == 0
    assert client.delete(f"/sessions/{id}").status_code == 204
    studio.go.set()
    assert ended(client, job)["state"] in ("cancelled", "failed")
    assert ended(client, waiting["id"])["state"] == "cancelled"
    assert client.get(f"/sessions/{id}").status_code == 404
    assert client.get("/sessions").json() == []
    assert list((server.server.settings.data / "sessions").glob(f"*/*{id}*")) == []


def test_a_cancelled_edit_leaves_no_step(client, studio):
    id = begun(client)["id"]
    job = ask(client, studio, id, "8,8,20,20")
    client.post(f"/edits/{job}/cancel")
    assert ended(client, job)["state"] == "cancelled"
    assert client.get(f"/sessions/{id}").json()["version"] == 0
    studio.go.set()
    client.post(f"/edits/{job}/retry")
    assert ended(client, job)["results"][0]["step"] == 1


def test_a_repeat_is_one_step_and_sessions_do_not_wait_for_each_other(client, studio):
    first, second = begun(client)["id"], begun(client, 1)["id"]
    job = ask(client, studio, first, "8,8,20,20")
    body = {"request": {"intent": "remove", "engine": "telea"}, "marks": {"box": ["8,8,20,20"]}}
    assert client.post(f"/sessions/{first}/edits", json=body).json()["id"] == job
    named = {"idempotency-key": "one"}
    other = client.post(f"/sessions/{second}/edits", json=body, headers=named).json()["id"]
    assert other != job
    assert studio.painting.acquire(timeout=30)  # that of the second session, while the first one is painted
    studio.go.set()
    ended(client, job)
    ended(client, other)
    assert client.post(f"/sessions/{second}/edits", json=body, headers=named).json()["id"] == other
    assert len(client.get(f"/sessions/{first}").json()["steps"]) == 1
    assert len(client.get(f"/sessions/{second}").json()["steps"]) == 1


def test_how_a_session_is_comes_from_memory_while_it_is_held(client, server):
    id = begun(client)["id"]
    etag = client.get(f"/sessions/{id}/picture").headers["etag"]
    pool = server.server.inner.state.services.sessions
    held, go = threading.Event(), threading.Event()

    def hold(session: Any) -> None:
        held.set()
        assert go.wait(60)

    thread = threading.Thread(target=pool.read, args=("local", id, hold))
    thread.start()
    try:
        assert held.wait(10)
        began = time.monotonic()
        for _ in range(20):
            assert client.get(f"/sessions/{id}").status_code == 200
            assert client.get(f"/sessions/{id}/picture", headers={"if-none-match": etag}).status_code == 304
            assert len(client.get("/sessions").json()) == 1
        assert time.monotonic() - began < 30  # the thread would hold it for a minute
    finally:
        go.set()
        thread.join()


def test_of_many_sessions_few_are_open_and_few_pixels_are_kept(tmp_path):
    with running(tmp_path, session_memory=4 * 64 * 48 * 3, open_sessions=3) as server, server.client() as client:
        ids = [begun(client, seed)["id"] for seed in range(8)]
        for id in ids:
            edited(client, id)
            pixels(client, id)
        pool = server.server.inner.state.services.sessions
        entries = list(pool._entries.values())
        assert sum(entry.session is not None for entry in entries) <= 3
        kept = sum(entry.session.bytes_in_memory for entry in entries if entry.session is not None)
        assert kept <= 2 * 64 * 48 * 3
        assert pool._originals.bytes <= 2 * 64 * 48 * 3
        for id in ids:
            assert len(client.get(f"/sessions/{id}").json()["steps"]) == 1


def test_sessions_outlive_the_server_and_what_it_left_unfinished_does_not(tmp_path):
    with running(tmp_path) as server, server.client() as client:
        id = begun(client, name="Harbour")["id"]
        before = edited(client, id)
    (folder,) = (tmp_path / "sessions").iterdir()
    (folder / f"{'0' * 32}.upload").write_bytes(b"half a session")
    (folder / f"{'1' * 32}.overpaint").write_bytes(b"one whose table was not written")
    with running(tmp_path) as server, server.client() as client:
        assert [one["name"] for one in client.get("/sessions").json()] == ["Harbour"]
        assert client.get(f"/sessions/{id}").json() == before
        assert [path.name for path in folder.iterdir() if path.name.startswith(("0000", "1111"))] == []


def test_a_disk_that_is_full_loses_nothing_and_names_no_path(client, server, monkeypatch):
    from overpaint.session import _store

    id = begun(client)["id"]
    before = edited(client, id)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_store, "_append", full)
    found = client.patch(f"/sessions/{id}/steps/1", json={"opacity": 0.5})
    assert found.status_code >= 400
    assert "the disk is full" in found.text
    assert str(server.server.settings.data) not in found.text
    monkeypatch.undo()
    assert client.get(f"/sessions/{id}").json() == before
    assert client.patch(f"/sessions/{id}/steps/1", json={"opacity": 0.5}).json()["version"] == 2


def test_a_client_s_sessions_have_a_limit(tmp_path):
    with running(tmp_path, client_bytes=30_000) as server, server.client() as client:
        picture = upload(client, photo())
        codes = [client.post("/sessions", json={"picture": picture}).status_code for _ in range(4)]
        assert codes[0] == 201
        assert codes[-1] == 507
        assert client.get("/health").status_code == 200
