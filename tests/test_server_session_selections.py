"""What hints select in the present picture of a session, which an edit may name."""

from __future__ import annotations

import io
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from overpaint import EditRequest
from overpaint.bounded import MemoryBudget
from overpaint.doors.reading import readers
from overpaint.engines import Monitor
from overpaint.server.tasks import EditTask
from overpaint.server.work import EditWork
from overpaint.studio import Studio
from servers import running
from test_server_native import upload
from test_server_sessions import edited, pixels


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with running(tmp_path_factory.mktemp("selections")) as server, server.client() as found:
        found.timeout = 120
        yield found


@pytest.fixture(scope="module")
def session(client) -> str:
    """A session of a green picture with a red square from (20, 10) to (40, 30)."""
    colours = np.full((48, 64, 3), (30, 160, 60), np.uint8)
    colours[10:30, 20:40] = (200, 60, 60)
    file = io.BytesIO()
    Image.fromarray(colours).save(file, "PNG")
    return client.post("/sessions", json={"picture": upload(client, file.getvalue())}).json()["id"]


def mask_of(client, id: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(client.get(f"/pictures/{id}/file").content)))


def test_a_selection_is_of_the_present_picture_and_an_edit_may_name_it(client, session):
    point = {"selector": "colour", "points": [[25, 20]], "options": {"tolerance": 8}}
    (found,) = client.post(f"/sessions/{session}/selections", json=point).json()
    expected = np.zeros((48, 64), np.uint8)
    expected[10:30, 20:40] = 255
    assert np.array_equal(mask_of(client, found["id"]), expected)
    rough = {"selector": "grabcut", "mask": found["id"]}
    assert client.post(f"/sessions/{session}/selections", json=rough).json()[0]["bounds"] == [20, 10, 40, 30]
    request = {"intent": "remove", "engine": "telea"}
    edited(client, session, request=request, marks={"mask": [found["id"]]})
    assert (pixels(client, session)[10:30, 20:40] == (30, 160, 60)).all()
    # Now the square is gone, and so everything is of one colour.
    (now,) = client.post(f"/sessions/{session}/selections", json=point).json()
    assert mask_of(client, now["id"]).all()


def test_hints_outside_of_the_picture_and_another_session_are_refused(client, session):
    point = {"selector": "colour", "points": [[64.5, 5]]}
    found = client.post(f"/sessions/{session}/selections", json=point)
    assert (found.status_code, found.json()["error"]["code"]) == (422, "hint-outside")
    assert client.post(f"/sessions/{'0' * 32}/selections", json=point).status_code == 404


def test_it_is_made_in_a_process_of_its_own_within_limits(client, session, monkeypatch):
    """A click may take gigabytes and minutes, which would be all clients'."""
    limits = []

    def call(function, *arguments, seconds, memory, **how):
        limits.append((function.__name__, seconds, memory))
        return own(function, *arguments, seconds=seconds, memory=memory, **how)

    own = readers.call
    monkeypatch.setattr(readers, "call", call)
    point = {"selector": "colour", "points": [[25, 20]]}
    assert client.post(f"/sessions/{session}/selections", json=point).status_code == 201
    assert limits == [("found_in_picture", 60.0, 4 << 30)]


def test_few_selections_are_made_at_once(client, session, monkeypatch):
    """Each holds a process with networks of its own: as many as clients click would take all memory."""
    at_once, most, lock = 0, 0, threading.Lock()

    def call(function, *arguments, **how):
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.05)
        try:
            return own(function, *arguments, **how)
        finally:
            with lock:
                at_once -= 1

    own = readers.call
    monkeypatch.setattr(readers, "call", call)
    point = {"selector": "colour", "points": [[25, 20]]}
    with ThreadPoolExecutor(12) as clicks:
        path = f"/sessions/{session}/selections"
        found = list(clicks.map(lambda _: client.post(path, json=point).status_code, range(12)))
    assert found == [201] * 12
    assert most <= max(2, (os.cpu_count() or 1) // 2)


def test_an_edit_holds_the_memory_that_it_takes_to_select_its_mask(tmp_path):
    """Selecting takes several times what painting does, and many jobs run at the same time."""

    class Seen(MemoryBudget):
        def grow(self, share, wanted, check):
            asked.append(wanted)
            super().grow(share, wanted, check)

    file = io.BytesIO()
    Image.fromarray(np.full((48, 64, 3), 90, np.uint8)).save(file, "PNG")
    id = "0" * 64
    box = {"kind": "box", "box": [9, 9, 20, 20]}
    point = {"kind": "select", "selector": "colour", "points": [[25, 20]]}
    for parts, most in (([box], 24), ([point, {**box, "op": "subtract"}], 100)):
        asked: list[int] = []
        request = EditRequest.model_validate({"intent": "remove", "engine": "telea", "mask": {"parts": parts}})
        work = EditWork(EditTask(picture=id, request=request), {id: file.getvalue()}, 60.0, None)
        with Studio(threads=1) as studio:
            assert len(list(work.results(studio, Seen(1 << 30), Monitor()))) == 1
        assert (max(asked) > 64 * 48 * 24) == (most > 24)
        assert max(asked) >= 64 * 48 * most
