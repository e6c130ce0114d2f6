"""Sessions over real HTTP: edits as jobs, history, layers, two pages at once, and what belongs to whom."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from overpaint.picture import open_picture
from overpaint.server import new_key
from servers import Running, running
from test_server_native import ended, photo, upload


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    path = tmp_path_factory.mktemp("keys") / "keys.txt"
    made = {"ann": new_key(path, "ann"), "bob": new_key(path, "bob"), "eye": new_key(path, "eye", ("read",))}
    return {**made, "": str(path)}


@pytest.fixture(scope="module")
def server(keys: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("data"), keys=Path(keys[""]), largest_body=4 << 20) as found:
        yield found


@pytest.fixture(scope="module")
def ann(server: Running, keys: dict[str, str]) -> Iterator[httpx2.Client]:
    with server.client(keys["ann"]) as client:
        yield client


def begun(client: httpx2.Client, seed: int = 0, **more: Any) -> dict[str, Any]:
    """A new session of a picture."""
    found = client.post("/sessions", json={"picture": upload(client, photo(seed)), **more})
    assert found.status_code == 201, found.text
    return dict(found.json())


def edited(client: httpx2.Client, id: str, box: str = "10,10,24,24", **more: Any) -> dict[str, Any]:
    """The session after an edit."""
    body = {"request": {"intent": "remove", "engine": "telea"}, "marks": {"box": [box]}, **more}
    job = client.post(f"/sessions/{id}/edits", json=body)
    assert job.status_code == 202, job.text
    done = ended(client, job.json()["id"])
    assert done["state"] == "done", done
    return dict(client.get(f"/sessions/{id}").json())


def pixels(client: httpx2.Client, id: str, **query: Any) -> np.ndarray:
    """The session's picture as a screen has it, without loss."""
    found = client.get(f"/sessions/{id}/picture", params={"format": "png", **query})
    assert found.status_code == 200, found.text
    return np.asarray(Image.open(io.BytesIO(found.content)))


def test_a_session_is_begun_edited_undone_and_done_again(ann):
    session = begun(ann, name="Harbour")
    assert (session["version"], session["steps"], session["name"]) == (0, [], "Harbour")
    assert (session["width"], session["height"]) == (64, 48)
    before = pixels(ann, session["id"])
    assert np.array_equal(before, open_picture(photo()).samples)
    now = edited(ann, session["id"])
    assert now["version"] == 1
    (step,) = now["steps"]
    assert (step["number"], step["engine"], step["visible"]) == (1, "telea", True)
    after = pixels(ann, session["id"])
    assert not np.array_equal(before, after)
    assert np.array_equal(before[40:], after[40:])
    undone = ann.post(f"/sessions/{session['id']}/undo").json()
    assert (undone["steps"], undone["redo"]["count"]) == ([], 1)
    assert undone["picture"] == session["picture"]
    assert np.array_equal(pixels(ann, session["id"]), before)
    again = ann.post(f"/sessions/{session['id']}/redo").json()
    assert again["picture"] == now["picture"]
    assert np.array_equal(pixels(ann, session["id"]), after)
    nothing = ann.post(f"/sessions/{session['id']}/redo")
    assert (nothing.status_code, nothing.json()["error"]["code"]) == (422, "session-undo")
    texts = [one["text"] for one in ann.get(f"/sessions/{session['id']}/history").json()]
    assert texts == ["step 1: remove with telea", "undo", "redo"]


def test_the_result_of_a_session_s_job_names_its_steps_and_takes(ann):
    id = begun(ann, 1)["id"]
    body = {"request": {"intent": "remove", "engine": "exemplar", "seed": 3}, "marks": {"box": ["10,10,20,20"]}}
    job = ann.post(f"/sessions/{id}/edits", json={**body, "count": 3}).json()
    assert job["session"] == id
    done = ended(ann, job["id"])
    assert [(one["step"], one["take"], one["seed"]) for one in done["results"]] == [(1, 1, 3), (1, 2, 4), (1, 3, 5)]
    assert ann.get(f"/sessions/{id}/edits").json()[0]["id"] == job["id"]
    shown = []
    for take in (1, 2, 3):
        now = ann.patch(f"/sessions/{id}/steps/1", json={"take": take}).json()
        assert now["steps"][0]["take"] == take
        shown.append(pixels(ann, id))
    assert not np.array_equal(shown[0], shown[1])
    assert not np.array_equal(shown[1], shown[2])
