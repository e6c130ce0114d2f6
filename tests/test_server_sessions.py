"""Sessions over real HTTP: edits as jobs, history, layers, two pages at once, and what belongs to whom."""

from __future__ import annotations

import io
import json
import threading
import time
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
from test_server_native import ended, mask, photo, upload


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


def test_a_step_is_hidden_moved_masked_and_painted_again(ann):
    id = begun(ann, 2)["id"]
    original = pixels(ann, id)
    edited(ann, id, "8,8,20,20")
    one = pixels(ann, id)
    edited(ann, id, "14,14,30,30")
    both = pixels(ann, id)
    hidden = ann.patch(f"/sessions/{id}/steps/1", json={"visible": False}).json()
    assert [(step["number"], step["visible"], step["stale"]) for step in hidden["steps"]] == [
        (1, False, False),
        (2, True, True),
    ]
    again = ended(ann, ann.post(f"/sessions/{id}/rerun").json()["id"])
    assert [(one["step"], one["take"]) for one in again["results"]] == [(2, 2)]
    assert not any(step["stale"] for step in ann.get(f"/sessions/{id}").json()["steps"])
    for _ in range(2):
        ann.post(f"/sessions/{id}/undo")
    assert np.array_equal(pixels(ann, id), both)
    moved = ann.patch(f"/sessions/{id}/steps/2", json={"place": 1}).json()
    assert [step["number"] for step in moved["steps"]] == [2, 1]
    ann.post(f"/sessions/{id}/undo")
    faint = ann.patch(f"/sessions/{id}/steps/2", json={"opacity": 0}).json()
    assert faint["steps"][1]["opacity"] == 0
    assert np.array_equal(pixels(ann, id), one)
    ann.post(f"/sessions/{id}/undo")
    # what is below is painted back, by a shape and by a mask file
    back = ann.post(f"/sessions/{id}/steps/2/mask", json={"marks": {"box": ["0,0,64,48"]}})
    assert back.json()["steps"][1]["masked"], back.text
    assert np.array_equal(pixels(ann, id), one)
    ann.delete(f"/sessions/{id}/steps/2/mask")
    assert np.array_equal(pixels(ann, id), both)
    uploaded = upload(ann, mask())
    ann.post(f"/sessions/{id}/steps/1/mask", json={"marks": {"mask": [uploaded]}, "feather": 1})
    shown = np.asarray(Image.open(io.BytesIO(ann.get(f"/sessions/{id}/steps/1/mask").content)))
    assert shown.shape == (48, 64)
    assert shown[15, 15] < 30
    assert shown[40, 40] == 255
    # and set whole: what comes back is what was put
    drawn = np.random.default_rng(0).integers(0, 256, (48, 64)).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(drawn).save(out, "PNG")
    put = ann.put(f"/sessions/{id}/steps/1/mask", content=out.getvalue())
    assert put.status_code == 200, put.text
    shown = np.asarray(Image.open(io.BytesIO(ann.get(f"/sessions/{id}/steps/1/mask").content)))
    assert np.array_equal(shown, drawn)
    wrong = ann.put(f"/sessions/{id}/steps/1/mask", content=mask((10, 10)))
    assert wrong.status_code == 422
    nothing = np.zeros((48, 64), np.uint8)
    out = io.BytesIO()
    Image.fromarray(nothing).save(out, "PNG")
    assert ann.put(f"/sessions/{id}/steps/1/mask", content=out.getvalue()).status_code == 200
    assert ann.put(f"/sessions/{id}/steps/2/mask", content=out.getvalue()).status_code == 200
    assert np.array_equal(pixels(ann, id), original)


def test_a_step_is_painted_again_with_other_settings(ann):
    id = begun(ann, 3)["id"]
    edited(ann, id)
    job = ann.post(f"/sessions/{id}/steps/1/rerun", json={"request": {"engine": "blur"}}).json()
    (result,) = ended(ann, job["id"])["results"]
    assert (result["step"], result["take"]) == (1, 2)
    now = ann.get(f"/sessions/{id}").json()
    assert (now["steps"][0]["engine"], now["steps"][0]["takes"]) == ("blur", 2)
    missing = ann.post(f"/sessions/{id}/steps/9/rerun")
    assert (missing.status_code, missing.json()["error"]["code"]) == (422, "session-step")
    # the paint of each take, and the picture with it
    first = ann.get(f"/sessions/{id}/steps/1/patch", params={"take": 1})
    second = ann.get(f"/sessions/{id}/steps/1/patch")
    assert first.content != second.content
    left, top, right, bottom = map(int, second.headers["overpaint-box"].split(","))
    layer = Image.open(io.BytesIO(second.content))
    assert (layer.mode, layer.size) == ("RGBA", (right - left, bottom - top))
    small = Image.open(io.BytesIO(ann.get(f"/sessions/{id}/steps/1/patch", params={"side": 16}).content))
    assert max(small.size) == 16
    query = {"take": 1, "format": "png"}
    other = np.asarray(Image.open(io.BytesIO(ann.get(f"/sessions/{id}/steps/1/picture", params=query).content)))
    assert not np.array_equal(other, pixels(ann, id))
    ann.patch(f"/sessions/{id}/steps/1", json={"take": 1})
    assert np.array_equal(other, pixels(ann, id))
    assert ann.get(f"/sessions/{id}/steps/1/patch", params={"take": 3}).status_code == 422


def test_branches_go_their_own_ways_and_compact_drops_what_nothing_leads_to(ann):
    id = begun(ann, 4)["id"]
    edited(ann, id)
    ann.post(f"/sessions/{id}/branches", json={"name": "bolder"})
    bolder = edited(ann, id, "30,20,50,40")
    assert (bolder["branch"], bolder["branches"], len(bolder["steps"])) == ("bolder", ["main", "bolder"], 2)
    main = ann.put(f"/sessions/{id}/branch", json={"name": "main"}).json()
    assert len(main["steps"]) == 1
    assert ann.put(f"/sessions/{id}/branch", json={"name": "nowhere"}).json()["error"]["code"] == "session-branch"
    before = pixels(ann, id)
    done = ann.post(f"/sessions/{id}/compact", json={"branches": True, "undo": True}).json()
    assert done["branches"] == ["bolder"]
    assert done["after"] < done["before"]
    assert done["session"]["branches"] == ["main"]
    assert done["session"]["undo"]["count"] == 0
    assert np.array_equal(pixels(ann, id), before)


def test_the_picture_on_the_screen_is_a_part_reduced_and_unchanged_until_it_changes(ann):
    id = begun(ann, 5)["id"]
    whole = pixels(ann, id)
    assert np.array_equal(pixels(ann, id, box="10,5,42,37"), whole[5:37, 10:42])
    assert pixels(ann, id, side=32).shape == (24, 32, 3)
    # tiles of a grid have one scale, also those that the picture's edge cuts off
    assert pixels(ann, id, box="32,32,64,64", side=16).shape == (8, 16, 3)
    assert ann.get(f"/sessions/{id}/picture", params={"box": "100,100,200,200"}).status_code == 422
    assert ann.get(f"/sessions/{id}/picture", params={"box": "1,2,3"}).json()["error"]["field"] == "box"
    first = ann.get(f"/sessions/{id}/picture")
    assert first.headers["content-type"] == "image/webp"
    assert first.headers["cache-control"] == "private, no-cache"
    same = ann.get(f"/sessions/{id}/picture", headers={"if-none-match": first.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    look = ann.get(f"/sessions/{id}").json()["picture"]
    kept = ann.get(f"/sessions/{id}/picture", params={"v": look})
    assert "immutable" in kept.headers["cache-control"]
    edited(ann, id)
    now = ann.get(f"/sessions/{id}/picture", headers={"if-none-match": first.headers["etag"]})
    assert now.status_code == 200
    assert now.headers["etag"] != first.headers["etag"]
    assert "immutable" not in ann.get(f"/sessions/{id}/picture", params={"v": look}).headers["cache-control"]
    assert np.array_equal(pixels(ann, id, of="original"), whole)
    assert np.array_equal(pixels(ann, id, of="below:1"), whole)
    ann.post(f"/sessions/{id}/undo")
    assert ann.get(f"/sessions/{id}/picture", headers={"if-none-match": first.headers["etag"]}).status_code == 304


def test_a_change_that_expects_another_version_is_refused_with_the_present_one(ann):
    session = begun(ann, 6)
    id = session["id"]
    edited(ann, id)
    found = ann.get(f"/sessions/{id}")
    assert found.headers["etag"] == '"1"'
    late = {"if-match": f'"{session["version"]}"'}
    for method, path, body in (
        ("POST", "undo", None),
        ("PATCH", "steps/1", {"visible": False}),
        ("POST", "edits", {"request": {"intent": "remove"}, "marks": {"box": ["1,1,9,9"]}}),
        ("POST", "compact", None),
        ("PATCH", "", {"name": "late"}),
        ("DELETE", "", None),
    ):
        refused = ann.request(method, f"/sessions/{id}/{path}".rstrip("/"), json=body, headers=late)
        assert refused.status_code == 412, (path, refused.text)
        assert (refused.json()["error"]["code"], refused.json()["error"]["value"]) == ("changed-meanwhile", 1)
    now = ann.patch(f"/sessions/{id}/steps/1", json={"visible": False}, headers={"if-match": '"1"'})
    assert (now.status_code, now.json()["version"], now.headers["etag"]) == (200, 2, '"2"')
    assert ann.post(f"/sessions/{id}/undo", headers={"if-match": "new"}).status_code == 422


def test_of_two_pages_that_change_one_version_at_once_one_is_told(ann, server, keys):
    id = begun(ann, 7)["id"]
    edited(ann, id)
    codes: list[int] = []

    def change(opacity: float) -> None:
        with server.client(keys["ann"]) as client:
            path, body = f"/sessions/{id}/steps/1", {"opacity": opacity}
            codes.append(client.patch(path, json=body, headers={"if-match": '"1"'}).status_code)

    threads = [threading.Thread(target=change, args=(number / 10,)) for number in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200, *[412] * 5]


def followed(client: httpx2.Client, path: str, headers: dict[str, str] | None = None) -> Iterator[tuple[str, int, Any]]:
    with client.stream("GET", path, headers=headers or {}) as reply:
        assert reply.status_code == 200
        found: dict[str, str] = {}
        for line in reply.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                found[name] = value
            elif "event" in found:
                yield found["event"], int(found["id"]), json.loads(found["data"])
                found = {}


def test_a_second_page_sees_what_happens_and_can_come_back(ann, server, keys):
    id = begun(ann, 8)["id"]
    seen: list[tuple[str, int, Any]] = []

    def follow() -> None:
        with server.client(keys["ann"]) as client:
            seen.extend(followed(client, f"/sessions/{id}/events"))

    page = threading.Thread(target=follow)
    page.start()
    edited(ann, id)
    ann.patch(f"/sessions/{id}", json={"name": "Quay"})
    ann.post(f"/sessions/{id}/undo")
    count = 3
    while len(seen) < count:
        time.sleep(0.01)
    numbers = [number for _, number, _ in seen]
    (later, *_) = followed_until(ann, id, numbers[0], "changed")
    assert later[1] > numbers[0]
    ann.delete(f"/sessions/{id}")
    page.join(20)
    kinds = [kind for kind, _, _ in seen]
    assert kinds[0] == "changed"
    assert kinds[-1] == "deleted"
    assert "renamed" in kinds
    assert [data["state"] for kind, _, data in seen if kind == "job"] == ["queued", "running", "done"]
    changes = [data for kind, _, data in seen if kind == "changed"]
    assert [data["version"] for data in changes] == [0, 1, 3]
    assert changes[1]["what"] == "step 1"
    assert changes[2]["picture"] == changes[0]["picture"]
    assert numbers == sorted(numbers)
    assert ann.get(f"/sessions/{id}").status_code == 404


def followed_until(client: httpx2.Client, id: str, after: int, kind: str) -> list[tuple[str, int, Any]]:
    """The events after one, up to the first of a kind."""
    found = []
    for event in followed(client, f"/sessions/{id}/events", {"last-event-id": str(after)}):
        found.append(event)
        if event[0] == kind:
            return found
    return found


def test_nothing_of_one_key_s_sessions_is_there_for_another(ann, server, keys):
    id = begun(ann, 9)["id"]
    edited(ann, id)
    body = {"request": {"intent": "remove"}, "marks": {"box": ["1,1,9,9"]}}
    with server.client(keys["bob"]) as bob:
        assert bob.get("/sessions").json() == []
        for path in (
            "",
            "/file",
            "/picture",
            "/original",
            "/export",
            "/history",
            "/events",
            "/edits",
            "/steps/1/patch",
        ):
            assert bob.get(f"/sessions/{id}{path}").status_code == 404, path
        for path in ("/undo", "/compact", "/flatten", "/rerun", "/steps/1/rerun"):
            assert bob.post(f"/sessions/{id}{path}").status_code == 404, path
        assert bob.post(f"/sessions/{id}/edits", json=body).status_code == 404
        assert bob.patch(f"/sessions/{id}", json={"name": "mine"}).status_code == 404
        assert bob.patch(f"/sessions/{id}/steps/1", json={"visible": False}).status_code == 404
        assert bob.delete(f"/sessions/{id}").status_code == 404
    with server.client(keys["eye"]) as eye:
        assert eye.get("/sessions").status_code == 200
        assert eye.post("/sessions", json={"picture": "0" * 64}).status_code == 403
    assert ann.get(f"/sessions/{id}").json()["version"] == 1


def test_ids_never_become_paths(ann):
    for id in ("..", "../../jobs.sqlite", "%2e%2e%2fjobs", "0" * 31, "z" * 32, "0" * 32):
        assert ann.get(f"/sessions/{id}").status_code in (404, 422), id


@pytest.mark.parametrize("name", ["../../up", "CON", "x" * 200, "Hafen ⚓ bei Nacht", 'a"b\\c'])
def test_a_name_is_for_people_and_for_the_name_of_a_file_alone(ann, name):
    id = begun(ann, 10, name=name)["id"]
    assert ann.get(f"/sessions/{id}").json()["name"] == name
    sent = ann.get(f"/sessions/{id}/export").headers["content-disposition"]
    assert sent.startswith("attachment; ")
    assert "/" not in sent.replace("%2F", "/") or "../" not in sent
    assert ann.post("/sessions", json={"picture": upload(ann, photo(10)), "name": "x" * 201}).status_code == 422
    assert ann.patch(f"/sessions/{id}", json={"name": "two\nlines"}).status_code == 422


def test_a_step_is_painted_again_with_another_intent(ann):
    id = begun(ann, 21)["id"]
    edited(ann, id)
    for body, wanted in (
        ({"intent": "replace"}, "replace"),
        ({"grow": 3}, "replace"),
    ):
        job = ann.post(f"/sessions/{id}/steps/1/rerun", json={"request": body}).json()
        assert ended(ann, job["id"])["state"] == "done"
        assert ann.get(f"/sessions/{id}").json()["steps"][0]["intent"] == wanted


def test_what_is_sent_to_paint_stale_steps_again_is_refused_and_not_left_out(ann):
    id = begun(ann, 22)["id"]
    refused = ann.post(f"/sessions/{id}/rerun", json={"request": {"intent": "replace"}})
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "body")
    assert "steps/STEP/rerun" in refused.json()["error"]["hint"]
    assert ann.post(f"/sessions/{id}/rerun", json={}).status_code == 202
