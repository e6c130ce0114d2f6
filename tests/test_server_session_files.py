"""Files of sessions over real HTTP: whole sessions in and out, exports, what is hostile, and the fields of results."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from overpaint import Mask, Session
from overpaint.audit import verify
from overpaint.picture import from_array, open_picture
from overpaint.record import read_record
from servers import Running, running
from test_server_native import ended, photo, upload
from test_server_sessions import begun, edited, pixels


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("data"), largest_body=4 << 20, most_pixels=1_000_000) as found:
        yield found


@pytest.fixture(scope="module")
def client(server: Running) -> Iterator[httpx2.Client]:
    with server.client() as found:
        yield found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A session's file that was made without a server."""
    path = tmp_path / "work.overpaint"
    with Session.create(photo(), path) as session:
        session.edit(mask=Mask.box(session.picture.size, (10, 10, 24, 24)), intent="remove", engine="telea")
    return path


def send(client: httpx2.Client, data: bytes, **query: Any) -> httpx2.Response:
    return client.post("/sessions/file", content=data, params=query)


def test_a_whole_session_goes_out_and_comes_in_and_is_the_same(client, file):
    sent = send(client, file.read_bytes(), name="From the disk")
    assert sent.status_code == 201, sent.text
    session = sent.json()
    assert (session["name"], session["version"], len(session["steps"])) == ("From the disk", 1, 1)
    with Session.open(file) as own:
        assert np.array_equal(pixels(client, session["id"]), own.picture.samples)
    edited(client, session["id"], "30,10,44,24")
    got = client.get(f"/sessions/{session['id']}/file")
    assert got.headers["content-type"] == "application/vnd.overpaint-session"
    assert 'filename="From the disk.overpaint"' in got.headers["content-disposition"]
    file.write_bytes(got.content)
    with Session.open(file) as own:
        assert len(own.steps) == 2
        assert np.array_equal(pixels(client, session["id"]), own.picture.samples)
    again = send(client, got.content).json()
    assert again["id"] != session["id"]
    assert again["picture"] == client.get(f"/sessions/{session['id']}").json()["picture"]


def test_a_session_that_was_cut_off_is_mended_and_says_so(client, file):
    whole = file.read_bytes()
    sent = send(client, whole[:-200])
    assert sent.status_code == 201, sent.text


def zipped(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def parts(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def hostile(file: Path) -> Iterator[tuple[str, bytes]]:
    whole = parts(file)
    head = json.loads(whole["session.json"])
    (original,) = (name for name in whole if name.endswith(head["original"]["sha256"]))
    yield "empty", b""
    yield "no zip", b"PK\x03\x04" + bytes(200)
    yield "a picture", photo()
    yield "another zip", zipped({"mimetype": b"image/openraster"})
    yield "a path", zipped({**whole, "../../etc/cron.d/x": b"* * * * *"})
    yield "an absolute path", zipped({**whole, "/etc/passwd": b""})
    yield "a blob too few", zipped({name: data for name, data in whole.items() if name != original})
    yield "another original", zipped({**whole, original: photo(1)})
    yield "a bomb", zipped({**whole, original: bytes(300 << 20)})
    svg = b"<svg xmlns='http://www.w3.org/2000/svg'/>"
    yield "an SVG", zipped(_with_original(whole, head, original, svg))
    large = io.BytesIO()
    Image.new("L", (2000, 2000)).save(large, "PNG")
    yield "too many pixels", zipped(_with_original(whole, head, original, large.getvalue()))
    yield "a newer schema", zipped({**whole, "session.json": json.dumps({**head, "schema": 99}).encode()})
    yield "no JSON", zipped({**whole, "journal/00000001.json": b"[" * 100_000})
    entry = json.loads(whole["journal/00000001.json"])
    entry["action"]["takes"] = ["0" * 64]
    yield "a take that is not there", zipped({**whole, "journal/00000001.json": json.dumps(entry).encode()})


def _with_original(whole: dict[str, bytes], head: dict[str, Any], name: str, data: bytes) -> dict[str, bytes]:
    """A session without edits, of another original."""
    import hashlib

    digest = hashlib.sha256(data).hexdigest()
    changed = {**head, "original": {**head["original"], "sha256": digest, "size": len(data)}}
    return {"session.json": json.dumps(changed).encode(), f"blobs/{digest}": data}


def test_what_is_no_session_or_a_hostile_one_is_refused_and_the_server_goes_on(client, server, file):
    before = len(client.get("/sessions", params={"limit": 1000}).json())
    for what, data in hostile(file):
        found = send(client, data)
        assert found.status_code == 422, (what, found.status_code, found.text)
        message = found.json()["error"]["message"]
        assert message, what
        assert str(server.server.settings.data) not in found.text, (what, message)
    assert len(client.get("/sessions", params={"limit": 1000}).json()) == before
    left = [path.name for path in (server.server.settings.data / "sessions").glob("*/*") if "upload" in path.name]
    assert left == []
    assert send(client, bytes(5 << 20)).status_code == 413
    assert client.get("/health").status_code == 200


@pytest.mark.parametrize(
    ("format", "magic"),
    [("png", b"\x89PNG"), ("jpeg", b"\xff\xd8"), ("webp", b"RIFF"), ("tiff", b"II"), ("psd", b"8BPS"), ("ora", b"PK")],
)
def test_a_session_is_exported_in_each_format(client, format, magic):
    id = begun(client, 11, name="Harbour")["id"]
    edited(client, id)
    found = client.get(f"/sessions/{id}/export", params={"format": format})
    assert found.status_code == 200, found.text
    assert found.content.startswith(magic)
    assert f"Harbour.{'jpg' if format == 'jpeg' else format}" in found.headers["content-disposition"]
    if format in ("png", "tiff"):
        picture = open_picture(found.content)
        assert np.array_equal(picture.samples, pixels(client, id))
        assert read_record(picture) is not None
    if format == "psd":
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(found.content)).convert("RGB")), pixels(client, id))


def test_an_export_says_as_little_as_it_is_asked_to(client):
    id = begun(client, 12)["id"]
    edited(client, id, request={"intent": "remove", "engine": "telea", "prompt": "secret words"})
    whole = client.get(f"/sessions/{id}/export", params={"provenance": "prompt"}).content
    assert b"secret words" in whole
    private = client.get(f"/sessions/{id}/export", params={"private": True}).content
    assert b"secret words" not in private
    assert read_record(open_picture(private)) is None
    for query in ({"format": "gif"}, {"quality": 0}, {"private": True, "provenance": "prompt"}, {"watermark": "none"}):
        assert client.get(f"/sessions/{id}/export", params=query).status_code == 422, query
    assert client.get(f"/sessions/{id}/export", params={"watermark_payload": "x"}).status_code == 422


def test_without_a_step_the_export_is_the_original(client):
    id = begun(client, 13)["id"]
    assert client.get(f"/sessions/{id}/export").content == photo(13)
    assert client.get(f"/sessions/{id}/original").content == photo(13)
    jpeg = client.get(f"/sessions/{id}/export", params={"format": "jpeg"})
    assert jpeg.content[:2] == b"\xff\xd8"


def test_a_flattened_picture_is_a_stored_one(client):
    id = begun(client, 14)["id"]
    edited(client, id)
    flat = client.post(f"/sessions/{id}/flatten", json={"format": "png"})
    assert flat.status_code == 201, flat.text
    data = client.get(f"/pictures/{flat.json()['id']}/file").content
    assert np.array_equal(open_picture(data).samples, pixels(client, id))
    assert begun_with(client, flat.json()["id"])["steps"] == []


def begun_with(client: httpx2.Client, picture: str) -> dict[str, Any]:
    found = client.post("/sessions", json={"picture": picture})
    assert found.status_code == 201, found.text
    return dict(found.json())


def test_a_session_in_sixteen_bits_keeps_them(client):
    from overpaint.picture import encode

    deep = from_array(np.random.default_rng(0).integers(0, 65535, (40, 50, 3)).astype(np.uint16))
    id = begun_with(client, upload(client, encode(deep, "tiff").data))["id"]
    edited(client, id, "5,5,15,15")
    after = open_picture(client.get(f"/sessions/{id}/export").content)
    assert after.depth == 16
    assert np.array_equal(after.samples[30:], deep.samples[30:])
    layer = client.get(f"/sessions/{id}/steps/1/patch").content
    assert open_picture(layer).depth == 16
    assert client.get(f"/sessions/{id}/picture").status_code == 200


def test_an_audited_session_has_its_log_which_verifies(client, tmp_path):
    id = begun(client, 15, audited=True)["id"]
    edited(client, id)
    client.post(f"/sessions/{id}/undo")
    client.post(f"/sessions/{id}/redo")
    client.get(f"/sessions/{id}/export")
    found = client.get(f"/sessions/{id}/audit")
    assert found.status_code == 200, found.text
    (tmp_path / "audit.jsonl").write_bytes(found.content)
    lines = [json.loads(line) for line in found.content.splitlines()]
    assert len(lines) == 5  # its beginning, the edit, undo, redo, and the export
    assert [fault.text.split(" ")[0] for fault in verify(tmp_path / "audit.jsonl").faults] == ["audit.head"]
    assert client.get(f"/sessions/{begun(client, 16)['id']}/audit").status_code == 404


def test_an_edit_takes_what_the_command_takes_of_its_results(client):
    picture = upload(client, photo(17))
    body = {"picture": picture, "request": {"intent": "remove", "engine": "telea", "prompt": "secret words"}}
    body["marks"] = {"box": ["10,10,20,20"]}
    job = client.post("/edits", json={**body, "layers": "ora", "provenance": "prompt"}).json()
    (result,) = ended(client, job["id"])["results"]
    layered = client.get(f"/pictures/{result['layers']}/file")
    assert layered.headers["content-type"] == "image/openraster"
    assert "stack.xml" in zipfile.ZipFile(io.BytesIO(layered.content)).namelist()
    assert result["marks"]["provenance"] == "prompt"
    assert b"secret words" in client.get(f"/pictures/{result['picture']}/file").content
    job = client.post("/edits", json={**body, "private": True}).json()
    (result,) = ended(client, job["id"])["results"]
    data = client.get(f"/pictures/{result['picture']}/file").content
    assert b"secret words" not in data
    assert read_record(open_picture(data)) is None
    for change in ({"watermark": "nobody"}, {"private": True, "provenance": "prompt"}, {"watermark_area": "whole"}):
        refused = client.post("/edits", json={**body, **change})
        assert refused.status_code == 422, refused.text


def test_a_private_job_is_not_known_to_the_next_server(tmp_path):
    with running(tmp_path) as server, server.client() as client:
        picture = upload(client, photo())
        body = {"picture": picture, "request": {"intent": "remove", "engine": "telea", "prompt": "secret words"}}
        job = client.post("/edits", json={**body, "marks": {"box": ["10,10,20,20"]}, "private": True}).json()
        assert ended(client, job["id"])["state"] == "done"
    with running(tmp_path) as server, server.client() as client:
        assert client.get("/edits").json() == []


def test_an_audit_log_says_its_end(client, server):
    id = begun(client, audited=True)["id"]
    edited(client, id)
    log = client.get(f"/sessions/{id}/audit")
    head = client.get(f"/sessions/{id}/audit/head").json()
    assert head["count"] == len(log.content.splitlines())
    assert log.headers["overpaint-audit-head"] == f"{head['count']}:{head['hash']}"
    asked = client.head(f"/sessions/{id}/audit")
    assert asked.headers["overpaint-audit-head"] == log.headers["overpaint-audit-head"]
    assert client.get(f"/sessions/{begun(client)['id']}/audit/head").status_code == 404
    assert list((server.server.settings.data / "scratch").iterdir()) == []
