"""What an edit of a session would see and may change: the same as it then sees and changes."""

from __future__ import annotations

import pickle
from dataclasses import replace

import cv2
import httpx2
import numpy as np
import pytest

from overpaint.doors.places import Places
from overpaint.doors.reading import EditFiles, unseen
from overpaint.picture import Picture
from overpaint.request import EditRequest
from servers import Running, running
from test_server_native import mask, photo, upload
from test_server_sessions import begun, edited, pixels


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    server: Running
    with running(tmp_path_factory.mktemp("frames")) as server, server.client() as found:
        found.timeout = 120  # the first decoding starts a process
        yield found


def frames(client: httpx2.Client, id: str, request: dict, **more) -> list[dict]:
    found = client.post(f"/sessions/{id}/frames", json={"request": {"intent": "remove", **request}, **more})
    assert found.status_code == 200, found.text
    return list(found.json())


def inside(found: list[dict], height: int = 48, width: int = 64) -> np.ndarray:
    """(H, W) bool: within the outlines of the reach."""
    drawn = np.zeros((height, width), np.uint8)
    for one in found:
        for line in one["reach"]:
            cv2.fillPoly(drawn, [np.array(line, np.int32)], 1)
    return drawn > 0


def test_the_reach_is_what_the_edit_changes_at_most(client):
    session = begun(client)["id"]
    request = {"engine": "telea", "grow": 3, "feather": 2}
    found = frames(client, session, request, marks={"box": ["10,10,24,24"]})
    (one,) = found
    assert (one["grow"], one["feather"], one["parts"]) == (3, 2, 1)
    assert one["box"] == [5, 5, 29, 29]
    before = pixels(client, session)
    edited(client, session, request={"intent": "remove", **request})
    changed = (pixels(client, session) != before).any(axis=2)
    assert changed.sum() > 100
    assert not changed[~inside(found)].any()
    left, top, right, bottom = one["frame"]
    assert left <= 5
    assert top <= 5
    assert right >= 29
    assert bottom >= 29


def test_strict_reaches_no_further_than_the_mask_and_two_marks_are_two_regions(client):
    session = begun(client)["id"]
    (strict,) = frames(client, session, {"engine": "telea", "strict": True}, marks={"box": ["10,10,24,24"]})
    assert strict["box"] == [10, 10, 24, 24]
    two = frames(client, session, {"engine": "blur", "padding": 2}, marks={"box": ["2,2,8,8", "50,36,60,44"]})
    assert [one["parts"] for one in two] == [1, 1]


def test_an_uploaded_mask_counts_and_nothing_is_painted(client):
    picture = upload(client, photo())
    session = client.post("/sessions", json={"picture": picture}).json()
    found = frames(client, session["id"], {"engine": "telea"}, marks={"mask": [upload(client, mask())]})
    assert inside(found).any()
    now = client.get(f"/sessions/{session['id']}").json()
    assert (now["version"], now["steps"]) == (0, [])
    assert (now["original_width"], now["original_height"]) == (64, 48)


def test_the_pictures_pixels_are_sent_to_be_read_only_where_a_mask_follows_from_them():
    picture = Picture(np.zeros((300, 400, 3), np.uint8))
    files = EditFiles(picture="", request=EditRequest(), places=Places(mask=("mask",)))
    assert len(pickle.dumps(unseen(picture, files))) < 2000
    of_alpha = replace(files, places=Places(mask=("alpha",)))
    assert unseen(picture, of_alpha).size == picture.size
    assert len(pickle.dumps(unseen(picture, of_alpha))) > picture.samples.nbytes


def test_an_expansion_is_given_in_pixels_of_the_present_picture(client):
    session = begun(client)["id"]
    found = frames(client, session, {"intent": "expand", "margins": [16, 0, 0, 8]})
    assert min(one["box"][0] for one in found) == -16
    assert max(one["box"][3] for one in found) == 56


def test_what_the_edit_would_refuse_is_refused(client):
    session = begun(client)["id"]
    reply = client.post(f"/sessions/{session}/frames", json={"request": {"intent": "remove"}})
    assert reply.status_code == 422
    assert reply.json()["error"]["code"]
