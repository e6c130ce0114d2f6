"""The native API over real HTTP: pictures, edits, events, and what belongs to whom."""

from __future__ import annotations

import gc
import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from overpaint.errors import OutputError
from overpaint.picture import encode, from_array, open_picture
from overpaint.server import PREFIX, Server, ServerSettings, new_key, serve
from overpaint.studio import Studio
from servers import Running, running
from stand_ins import waiting


def photo(seed: int = 0, size: tuple[int, int] = (64, 48)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def mask(size: tuple[int, int] = (64, 48)) -> bytes:
    drawn = Image.new("L", size, 0)
    drawn.paste(255, (10, 10, 20, 20))
    out = io.BytesIO()
    drawn.save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    path = tmp_path_factory.mktemp("keys") / "keys.txt"
    made = {
        "ann": new_key(path, "ann"),
        "bob": new_key(path, "bob"),
        "eye": new_key(path, "eye", ("read",)),
        "root": new_key(path, "root", ("read", "edit", "admin")),
    }
    return {**made, "": str(path)}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, keys: dict[str, str]) -> Iterator[Running]:
    with (
        Studio() as studio,
        running(tmp_path_factory.mktemp("data") / "server", studio, keys=Path(keys[""]), largest_body=4 << 20) as found,
    ):
        yield found


@pytest.fixture
def ann(server: Running, keys: dict[str, str]) -> Iterator[httpx2.Client]:
    with server.client(keys["ann"]) as client:
        yield client


def upload(client: httpx2.Client, data: bytes) -> str:
    found = client.post("/pictures", content=data, headers={"content-type": "application/octet-stream"})
    assert found.status_code == 201, found.text
    return str(found.json()["id"])


def remove(client: httpx2.Client, picture: str, **more: Any) -> dict[str, Any]:
    body = {"picture": picture, "request": {"intent": "remove", "engine": "telea"}, "marks": {"box": ["10,10,20,20"]}}
    found = client.post("/edits", json={**body, **more})
    assert found.status_code == 202, found.text
    return dict(found.json())


def ended(client: httpx2.Client, id: str) -> dict[str, Any]:
    over = time.monotonic() + 60
    while (found := client.get(f"/edits/{id}").json())["state"] in ("queued", "running"):
        assert time.monotonic() < over
        time.sleep(0.02)
    return dict(found)


def test_a_picture_comes_back_byte_by_byte_with_what_is_known_of_it(ann):
    data = photo(1)
    id = upload(ann, data)
    assert upload(ann, data) == id
    facts = ann.get(f"/pictures/{id}").json()
    assert (facts["width"], facts["height"], facts["format"], facts["bytes"]) == (64, 48, "png", len(data))
    file = ann.get(f"/pictures/{id}/file")
    assert (file.content, file.headers["content-type"]) == (data, "image/png")
    small = Image.open(io.BytesIO(ann.get(f"/pictures/{id}/thumbnail?side=16").content))
    assert small.size == (16, 12)
    assert id in [one["id"] for one in ann.get("/pictures").json()]
    assert ann.delete(f"/pictures/{id}").status_code == 204
    assert ann.get(f"/pictures/{id}/file").status_code == 404


def test_an_edit_changes_nothing_beyond_its_reach(ann):
    data = photo(2)
    id = upload(ann, data)
    job = ended(ann, remove(ann, id)["id"])
    assert job["state"] == "done"
    (result,) = job["results"]
    before = open_picture(data)
    after = open_picture(ann.get(f"/pictures/{result['picture']}/file").content)
    far = np.ones((48, 64), bool)
    far[10 - result["reach"] : 20 + result["reach"], 10 - result["reach"] : 20 + result["reach"]] = False
    assert np.array_equal(before.samples[far], after.samples[far])
    assert not np.array_equal(before.samples[12:18, 12:18], after.samples[12:18, 12:18])


def test_marks_are_files_and_shapes_and_the_rest_of_a_task_counts(ann):
    id, marked = upload(ann, photo(3)), upload(ann, mask())
    job = remove(ann, id, marks={"mask": [marked], "box": ["30,10,40,20"]}, format="jpeg", quality=80, record="none")
    (result,) = ended(ann, job["id"])["results"]
    assert result["format"] == "jpeg"
    assert "marks" in job["task"]
    variations = remove(ann, id, request={"intent": "remove", "engine": "exemplar", "seed": 3}, count=3)
    results = ended(ann, variations["id"])["results"]
    assert [one["seed"] for one in results] == [3, 4, 5]
    assert len({one["picture"] for one in results}) == 3


def test_events_tell_the_way_of_a_job_and_can_be_resumed(ann):
    job = remove(ann, upload(ann, photo(4)))
    seen = list(events(ann, job["id"]))
    kinds = [kind for kind, _, _ in seen]
    assert kinds[0] == "queued"
    assert kinds[-1] == "done"
    assert "started" in kinds
    numbers = [number for _, number, _ in seen]
    assert numbers == sorted(numbers)
    later = list(events(ann, job["id"], {"last-event-id": str(numbers[0])}))
    passing = ("queued", "progress", "preview")  # only the last of each is kept
    lasting = [[number for kind, number, _ in some if kind not in passing] for some in (seen[1:], later)]
    assert lasting[0] == lasting[1] != []
    assert {number for _, number, _ in later} <= set(numbers[1:])
    assert seen[-1][2]["results"][0]["picture"]


def events(client: httpx2.Client, id: str, headers: dict[str, str] | None = None) -> Iterator[tuple[str, int, Any]]:
    with client.stream("GET", f"/edits/{id}/events", headers=headers or {}) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        found: dict[str, str] = {}
        for line in reply.iter_lines():
            if line:
                name, _, value = line.partition(": ")
                found[name] = value
            elif "event" in found:
                yield found["event"], int(found["id"]), json.loads(found["data"])
                found = {}


def test_a_repeat_with_its_key_is_the_same_job(ann):
    id = upload(ann, photo(5))
    body = {"picture": id, "request": {"intent": "remove", "engine": "telea"}, "marks": {"box": ["1,1,9,9"]}}
    headers = {"idempotency-key": "one"}
    first, second = (ann.post("/edits", json=body, headers=headers).json()["id"] for _ in range(2))
    assert first == second
    other = ann.post("/edits", json={**body, "count": 1, "format": "png"}, headers=headers)
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency-key-used")


def test_a_failed_edit_says_why_and_leaves_no_result(ann):
    id = upload(ann, photo(6))
    job = ended(ann, remove(ann, id, marks={"box": ["100,100,200,200"]})["id"])
    assert job["state"] == "failed"
    assert job["error"]["code"]
    assert "box" in json.dumps(job["error"])
    assert job["results"] == []
    assert str(ann.base_url) not in job["error"]["message"]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"request": {"intent": "remove", "strenght": 1}}, "setting-invalid", "did you mean 'strength'"),
        ({"request": {"intent": "remove", "engine": "nobody"}}, "engine-unknown", "nobody"),
        ({"request": {"intent": "remove", "seed": False}}, "setting-invalid", "seed"),
        ({"count": 0}, "setting-invalid", "count"),
        ({"count": 2, "request": {"engine": "telea", "intent": "remove"}}, "variations-equal", "telea"),
        ({"marks": None}, "mask-missing", "needs a mask"),
        ({"marks": {"channel": "alpha"}}, "mask-missing", "needs a mask"),
        ({"request": {"intent": "expand"}, "marks": None}, "margins-missing", "needs margins"),
        ({"picture": "0" * 64}, "not-found", "no such picture"),
        ({"picture": "../../etc/passwd"}, "setting-invalid", "picture"),
        ({"surprise": 1}, "setting-invalid", "surprise"),
    ],
)
def test_a_task_that_can_not_be_done_is_refused_at_once(ann, change, code, words):
    body = {"picture": upload(ann, photo(7)), "request": {"intent": "remove"}, "marks": {"box": ["1,1,9,9"]}, **change}
    found = ann.post("/edits", json=body)
    assert found.status_code in (404, 422), found.text
    error = found.json()["error"]
    assert error["code"] == code
    assert words in error["message"] + error.get("hint", "")


@pytest.mark.parametrize("body", [b"", b"not a picture", b"<svg xmlns='http://www.w3.org/2000/svg'/>", photo()[:200]])
def test_what_is_no_picture_is_refused(ann, body):
    found = ann.post("/pictures", content=body, headers={"content-type": "image/png"})
    assert found.status_code == 422
    assert found.json()["error"]["message"]


def test_common_mistakes_of_clients_are_answered_with_what_to_do(ann, server):
    form = ann.post("/pictures", files={"file": ("photo.png", photo(8), "image/png")})
    assert (form.status_code, form.json()["error"]["code"]) == (422, "body-form")
    assert "data-binary" in form.json()["error"]["hint"]
    session = ann.post("/sessions/file", files={"file": ("a.overpaint", b"x")})
    assert (session.status_code, session.json()["error"]["code"]) == (422, "body-form")
    body = json.dumps({"picture": "0" * 64, "request": {"intent": "remove"}})
    typeless = ann.post("/edits", content=body, headers={"content-type": "application/x-www-form-urlencoded"})
    assert typeless.status_code == 422
    assert "application/json" in typeless.json()["error"]["hint"]
    assert "/docs" in ann.get("/edit").json()["error"]["hint"]
    with server.client() as nobody:
        assert "Authorization: Bearer" in nobody.get("/pictures").json()["error"]["hint"]


def test_the_log_says_how_jobs_ended_and_nothing_of_their_pictures(ann, caplog):
    id = upload(ann, photo(6))
    with caplog.at_level("INFO", logger="overpaint.server"):
        done = ended(ann, remove(ann, id)["id"])["id"]
        failed = ended(ann, remove(ann, id, marks={"box": ["100,100,200,200"]})["id"])["id"]
    lines = [record.getMessage() for record in caplog.records]
    assert any(line.startswith(f"the job {done} of ann is done after ") for line in lines)
    assert any(line.startswith(f"the job {failed} of ann is failed (mask-invalid) after ") for line in lines)
    assert id not in "".join(lines)


def test_who_follows_a_job_is_let_go_when_the_server_stops(tmp_path, caplog):
    gate, started = threading.Event(), threading.Event()
    with Studio() as studio, running(tmp_path / "server", studio) as found, found.client() as client:
        studio.add_engine(waiting(gate, started))
        id = remove(client, upload(client, photo()), request={"intent": "remove", "engine": "stand-in"})["id"]
        with client.stream("GET", f"/edits/{id}/events") as events:
            lines = events.iter_lines()
            assert next(line for line in lines if line.startswith("event: "))
            assert started.wait(30)
            found.stop()
            list(lines)  # to the end, which is no lost connection
        gate.set()
    assert "Traceback" not in caplog.text
    assert "Cancel 1 running task" not in caplog.text


def test_a_second_server_in_one_folder_says_so_in_one_sentence(tmp_path, caplog):
    with running(tmp_path / "server"):
        caplog.clear()
        with pytest.raises(OutputError, match="another server uses the folder"):
            serve(Server(ServerSettings(data=tmp_path / "server", port=0)))
    assert "Traceback" not in caplog.text
    assert "startup failed" not in caplog.text


def test_a_body_that_is_too_large_is_refused(ann):
    assert ann.post("/pictures", content=bytes(5 << 20)).status_code == 413


def test_nothing_of_one_key_is_there_for_another(server, keys, ann):
    id = upload(ann, photo(8))
    job = ended(ann, remove(ann, id)["id"])
    result = job["results"][0]["picture"]
    with server.client(keys["bob"]) as bob:
        for path in (f"/pictures/{id}", f"/pictures/{result}/file", f"/pictures/{id}/thumbnail", f"/edits/{job['id']}"):
            assert bob.get(path).status_code == 404
        assert bob.get(f"/edits/{job['id']}/events").status_code == 404
        assert bob.delete(f"/pictures/{id}").status_code == 404
        assert bob.post(f"/edits/{job['id']}/cancel").status_code == 404
        assert bob.get("/pictures").json() == []
        assert bob.get("/edits").json() == []
        found = bob.post("/edits", json={"picture": id, "request": {"intent": "remove"}, "marks": {"box": ["1,1,9,9"]}})
        assert found.status_code == 404
    assert ann.get(f"/pictures/{id}").status_code == 200


def test_a_key_may_only_what_it_is_for(server, keys):
    with server.client(keys["eye"]) as eye:
        assert eye.get("/pictures").status_code == 200
        found = eye.post("/pictures", content=photo())
        assert (found.status_code, found.json()["error"]["code"]) == (403, "not-allowed")
        assert eye.get("/metrics").status_code == 403
    with server.client(keys["root"]) as root:
        text = root.get("/metrics").text
        assert 'overpaint_jobs{state="done"}' in text


def test_what_the_server_can_do_is_listed(ann):
    assert {"exemplar", "telea"} <= {one["name"] for one in ann.get("/engines").json()}
    assert {"remove", "expand"} <= {one["name"] for one in ann.get("/intents").json()}
    assert "Euler a" in ann.get("/samplers").json()["samplers"]
    assert isinstance(ann.get("/models").json(), list)
    assert ann.get("/state").json()["lanes"] == 8


def test_its_description_is_of_what_it_does(ann):
    described = ann.get("/openapi.json").json()
    assert "/overpaint/v1/edits/{id}/events" in described["paths"]
    fields = described["components"]["schemas"]["EditRequest"]["properties"]
    assert fields["strength"]["description"]


def test_a_picture_in_another_depth_comes_through_whole(ann):
    deep = from_array(np.random.default_rng(0).integers(0, 65535, (40, 50, 3)).astype(np.uint16))
    from overpaint.picture import encode

    data = encode(deep, "tiff").data
    id = upload(ann, data)
    (result,) = ended(ann, remove(ann, id)["id"])["results"]
    after = open_picture(ann.get(f"/pictures/{result['picture']}/file").content)
    assert after.depth == 16
    assert np.array_equal(after.samples[30:], deep.samples[30:])
    assert ann.get(f"/pictures/{id}/file").headers["content-disposition"].startswith("attachment")


def test_a_mask_is_made_joined_refined_and_used(ann):
    id, marked = upload(ann, photo(20)), upload(ann, mask())
    body = {"picture": id, "marks": {"mask": [marked], "box": ["30,10,40,20"]}, "grow": 2}
    made = ann.post("/masks", json=body)
    assert made.status_code == 201, made.text
    found = made.json()
    assert found["bounds"] == [8, 8, 42, 22]
    assert found["hard"]
    drawn = open_picture(ann.get(f"/pictures/{found['id']}/file").content)
    assert drawn.size == open_picture(photo(20)).size
    assert 0.1 < found["fraction"] < 0.2
    spec = {"parts": [{"kind": "full"}, {"op": "subtract", "kind": "box", "box": [0, 0, 32, 48]}]}
    half = ann.post("/masks", json={"picture": id, "spec": spec, "feather": 4}).json()
    assert half["fraction"] == pytest.approx(0.5, abs=0.05)
    assert not half["hard"]
    shown = ann.get(f"/pictures/{id}/overlay", params={"mask": found["id"], "side": 32})
    assert Image.open(io.BytesIO(shown.content)).size == (32, 24)
    (result,) = ended(ann, remove(ann, id, marks={"mask": [found["id"]]})["id"])["results"]
    after = open_picture(ann.get(f"/pictures/{result['picture']}/file").content)
    assert np.array_equal(after.samples[40:], open_picture(photo(20)).samples[40:])


@pytest.mark.parametrize(
    ("change", "code"),
    [({}, "mask-invalid"), ({"marks": {"box": ["70,0,80,9"]}}, None), ({"grow": "much"}, "setting-invalid")],
)
def test_a_mask_that_can_not_be_made_says_why(ann, change, code):
    found = ann.post("/masks", json={"picture": upload(ann, photo(21)), **change})
    assert found.status_code == 422, found.text
    assert found.json()["error"]["message"]
    assert code in (None, found.json()["error"]["code"])


def test_an_upload_that_takes_too_much_memory_is_refused_and_the_server_goes_on(tmp_path):
    large = io.BytesIO()
    Image.new("RGB", (6000, 6000)).save(large, "PNG")
    with running(tmp_path, reading_memory=64 << 20) as server, server.client() as client:
        found = client.post("/pictures", content=large.getvalue())
        assert (found.status_code, found.json()["error"]["code"]) == (503, "memory-short")
        assert client.post("/pictures", content=photo()).status_code == 201


def test_a_reply_does_not_wait_for_the_acknowledgement_of_its_head(tmp_path):
    """Nagle's algorithm is off on the server's side of a connection."""
    with running(tmp_path) as server:
        host, port = server.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as own:
            own.sendall(f"GET {PREFIX}/health HTTP/1.1\r\nhost: {host}:{port}\r\n\r\n".encode())
            assert own.recv(4096).startswith(b"HTTP/1.1 200")
            accepted = [
                one
                for one in gc.get_objects()
                # isinstance() would ask each object for its class, and some objects of torch warn then
                if issubclass(type(one), socket.socket) and one.fileno() >= 0 and _peer(one) == own.getsockname()
            ]
            assert accepted
            assert all(one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for one in accepted)


def _peer(one: socket.socket) -> Any:
    try:
        return one.getpeername()
    except OSError:
        return None


def test_head_is_answered_wherever_get_is_and_has_no_body(ann, server, keys):
    picture = upload(ann, photo())
    body = {"picture": picture, "request": {"intent": "remove", "engine": "telea"}, "marks": {"box": ["10,10,20,20"]}}
    job = ended(ann, ann.post("/edits", json=body).json()["id"])
    paths = (
        "/health",
        "/state",
        f"/pictures/{picture}",
        f"/pictures/{picture}/file",
        f"/pictures/{picture}/thumbnail",
        f"/edits/{job['id']}",
        f"/pictures/{job['results'][0]['picture']}/file",
        f"/pictures/{'0' * 64}/file",
    )
    for path in paths:
        head, get = ann.head(path), ann.get(path)
        assert head.status_code == get.status_code, path
        assert head.content == b""
        for name in ("content-type", "etag", "cache-control"):
            assert head.headers.get(name) == get.headers.get(name), (path, name)
        if path != "/state":  # whose seconds grow
            assert head.headers["content-length"] == str(len(get.content)), path
    began = time.monotonic()
    waits = ann.post("/sessions", json={"picture": picture}).json()["id"]
    stream = ann.head(f"/sessions/{waits}/events")  # whose GET would last
    assert (stream.status_code, stream.content) == (200, b"")
    assert time.monotonic() - began < 15
    assert ann.head("/pictures").status_code == 200
    assert ann.head(f"/sessions/{waits}/undo").status_code == 405
    key = {"authorization": f"Bearer {keys['ann']}"}
    for path in ("/sdapi/v1/options", "/v1/models", "/api/v1/server-config", "/docs"):
        assert httpx2.head(server.url + path, headers=key, trust_env=False, timeout=30).status_code == 200, path
    assert httpx2.head(f"{server.url}/sdapi/v1/options", trust_env=False).status_code == 401


def test_what_hints_select_is_a_mask_that_an_edit_can_use(ann):
    pixels = np.full((48, 64, 3), (30, 160, 60), np.uint8)
    pixels[10:30, 20:40] = (200, 60, 60)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    id = upload(ann, out.getvalue())
    names = {one["name"]: one for one in ann.get("/selectors").json()}
    assert (names["colour"]["takes"], names["colour"]["needs"], names["colour"]["usable"]) == (
        ["points"],
        ["points"],
        True,
    )
    assert [one["name"] for one in names["colour"]["options"]] == ["tolerance", "contiguous"]
    for body in (
        {"selector": "colour", "points": [[25, 20]], "options": {"tolerance": 8}},
        {"selector": "grabcut", "boxes": [[14, 4, 46, 36]]},
    ):
        (found,) = ann.post(f"/pictures/{id}/selections", json=body).json()
        assert (found["bounds"], found["hard"], found["label"]) == ([20, 10, 40, 30], True, "")
        assert found["fraction"] == pytest.approx(400 / (48 * 64))
    rough = ann.post(f"/pictures/{id}/selections", json={"selector": "grabcut", "mask": found["id"]}).json()
    assert rough[0]["bounds"] == [20, 10, 40, 30]
    part = {"kind": "select", "selector": "colour", "points": [[25, 20]]}
    request = {"intent": "remove", "engine": "telea", "mask": {"parts": [part]}}
    results = []
    for more in ({"marks": {"mask": [found["id"]]}}, {"marks": None, "request": request}):
        (result,) = ended(ann, remove(ann, id, **more)["id"])["results"]
        results.append(open_picture(ann.get(f"/pictures/{result['picture']}/file").content).samples)
    assert np.array_equal(*results)
    assert (results[0][10:30, 20:40] == (30, 160, 60)).all()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"points": [[70, 5]]}, "hint-outside"),
        ({"points": []}, "hint-missing"),
        ({"boxes": [[1, 1, 9, 9]]}, "hint-refused"),
        ({"selector": "wand"}, "selector-unknown"),
        ({"options": {"tolerance": "much"}}, "selector-option"),
        ({"points": [[1, 2, 3]]}, "setting-invalid"),
        ({"mask": "0" * 64}, "not-found"),
    ],
)
def test_hints_of_a_client_that_do_not_suit_are_refused(ann, change, code):
    body = {"selector": "colour", "points": [[5, 5]], **change}
    found = ann.post(f"/pictures/{upload(ann, photo(33))}/selections", json=body)
    assert (found.json()["error"]["code"], found.status_code) == (code, 404 if code == "not-found" else 422)


@pytest.mark.parametrize("format", ["gif", "bmp", "heif"])
def test_a_result_in_another_format_than_its_picture_says_so(ann, format):
    if format == "heif":
        pytest.importorskip("pillow_heif")
        file = encode(from_array(np.zeros((48, 64, 3), np.uint8)), "heif").data
    else:
        out = io.BytesIO()
        Image.open(io.BytesIO(photo())).convert("RGB").save(out, format)
        file = out.getvalue()
    task = {"picture": upload(ann, file), "request": {"intent": "remove", "engine": "telea"}}
    task["marks"] = {"box": ["10,10,24,24"]}
    name = {"heif": "HEIC"}.get(format, format.upper())
    (result,) = ended(ann, ann.post("/edits", json=task).json()["id"])["results"]
    assert result["format"] == "png"
    assert f"the result is PNG: {name} is only read" in result["notes"]
    (result,) = ended(ann, ann.post("/edits", json={**task, "format": "png"}).json()["id"])["results"]
    assert not any("the result is" in note for note in result["notes"])


@pytest.mark.parametrize(
    ("body", "meant"),
    [
        ({"request": {"intent": "remove", "variations": 3}}, "'count', beside the request"),
        ({"request": {"intent": "remove", "n": 3}}, "'count', beside the request"),
        ({"request": {"intent": "remove", "count": 3}}, "'count', beside the request"),
        ({"request": {"intent": "remove", "format": "png"}}, "'format', beside the request"),
        ({"request": {"intent": "remove"}, "variations": 3}, "'count'"),
        ({"request": {"intent": "remove"}, "prompt": "sky"}, "'request.prompt'"),
    ],
)
def test_a_field_in_the_wrong_place_is_named_with_the_right_one(ann, body, meant):
    reply = ann.post("/edits", json={"picture": "0" * 64, **body})
    assert reply.status_code == 422
    error = reply.json()["error"]
    assert error["code"] == "setting-invalid"
    assert error["field"] in (*body, *(f"request.{name}" for name in body["request"]))
    assert f"did you mean {meant}?" in error["message"]
