"""A network of the SAM family in a server: clients select with what is installed, and can name no path."""

from __future__ import annotations

import io

import pytest
from PIL import Image

import sam_networks
from overpaint.models import add
from servers import running
from test_server_native import upload


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("OVERPAINT_HOME", str(home / "store"))
        patch.setenv("HF_HOME", str(home / "hub"))
        sam_networks.saved("sam2", home / "folder")
        add(home / "folder", "small", licence="Apache-2.0")
        with running(home / "data") as server, server.client() as found:
            found.timeout = 120
            found.folder = str(home / "folder")
            yield found


@pytest.fixture(scope="module")
def picture(client) -> str:
    file = io.BytesIO()
    Image.fromarray(sam_networks.photo()).save(file, "PNG")
    return upload(client, file.getvalue())


def test_clicks_select_with_the_network_that_is_here(client, picture):
    found = client.post(f"/pictures/{picture}/selections", json={"points": [[50, 40]]}).json()
    assert [one["alternative"] for one in found] == [False, True, True]
    assert found[0]["notes"] == ["found by the network small"]
    session = client.post("/sessions", json={"picture": picture}).json()["id"]
    again = client.post(f"/sessions/{session}/selections", json={"points": [[50, 40]]}).json()
    assert [one["id"] for one in again] == [one["id"] for one in found]


def test_a_client_can_name_no_path(client, picture):
    session = client.post("/sessions", json={"picture": picture}).json()["id"]
    asked = {"selector": "sam", "points": [[50, 40]], "options": {"model": client.folder}}
    part = {"kind": "select", **asked}
    request = {"intent": "remove", "engine": "telea", "mask": {"parts": [part]}}
    for path, body in (
        (f"/pictures/{picture}/selections", asked),
        (f"/sessions/{session}/selections", asked),
        ("/masks", {"picture": picture, "spec": {"parts": [part]}}),
        ("/edits", {"picture": picture, "request": request}),
    ):
        reply = client.post(path, json=body)
        if reply.status_code < 300:  # a job fails when it runs
            job = client.get(f"/jobs/{reply.json()['id']}", params={"wait": 30}).json()
            assert (job["state"], job["error"]["code"]) == ("failed", "model-unknown"), job
        else:
            assert (reply.status_code, reply.json()["error"]["code"]) == (422, "model-unknown"), (path, reply.text)
