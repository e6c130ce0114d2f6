"""Pictures that IOPaint's page opens, lists and saves: within the server's folder, and each caller's alone."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from PIL import Image

from overpaint.server import new_key
from servers import Running, running


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("files")
    keys = {name: new_key(folder / "keys.txt", name) for name in ("ann", "bob")}
    with running(folder / "data", keys=folder / "keys.txt") as found:
        yield found, keys


@pytest.fixture
def ann(keyed: tuple[Running, dict[str, str]]) -> Iterator[httpx2.Client]:
    with client(keyed, "ann") as found:
        yield found
    for kind in ("input", "output", "mask"):
        for path in folder(keyed, "ann", kind).iterdir():
            path.unlink()


def client(keyed: tuple[Running, dict[str, str]], name: str) -> httpx2.Client:
    server, keys = keyed
    return httpx2.Client(base_url=server.url, headers={"x-api-key": keys[name]}, trust_env=False, timeout=60)


def folder(keyed: tuple[Running, dict[str, str]], name: str, kind: str) -> Path:
    (found,) = (keyed[0].server.settings.data / "named").glob(f"{name}-*")
    (found / kind).mkdir(exist_ok=True)
    return found / kind


def photo(color: str = "red", size: tuple[int, int] = (40, 30), format: str = "PNG", **more: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, format, **more)
    return out.getvalue()


def save(client: httpx2.Client, name: str, data: bytes) -> httpx2.Response:
    return client.post("/api/v1/save_image", files={"file": (name, data)})


def test_a_saved_picture_is_listed_shown_and_given_back_to_its_owner_alone(keyed, ann):
    assert save(ann, "beach.png", photo()).json() is None
    (listed,) = ann.get("/api/v1/medias", params={"tab": "output"}).json()
    assert (listed["name"], listed["width"], listed["height"]) == ("beach.png", 40, 30)
    assert listed["mtime"] > 1e9
    where = {"tab": "output", "filename": "beach.png"}
    found = ann.get("/api/v1/media_file", params=where)
    assert (found.content, found.headers["content-type"]) == (photo(), "image/png")
    small = ann.get("/api/v1/media_thumbnail_file", params={**where, "width": 20, "height": 15})
    assert small.headers["content-type"] == "image/jpeg"
    assert (small.headers["x-width"], small.headers["x-height"]) == ("20", "15")
    assert Image.open(io.BytesIO(small.content)).size == (20, 15)
    with client(keyed, "bob") as bob:
        assert bob.get("/api/v1/medias", params={"tab": "output"}).json() == []
        assert bob.get("/api/v1/media_file", params=where).status_code == 404
        assert bob.get("/api/v1/media_thumbnail_file", params=where).status_code == 404


def test_saving_again_replaces_and_a_name_without_an_ending_gets_one(keyed, ann):
    for color in ("red", "blue"):
        save(ann, "a.png", photo(color))
    assert ann.get("/api/v1/media_file", params={"tab": "output", "filename": "a.png"}).content == photo("blue")
    save(ann, "scan", photo(format="JPEG"))
    assert sorted(path.name for path in folder(keyed, "ann", "output").iterdir()) == ["a.png", "scan.jpeg"]


OUTSIDE = (
    "/etc/passwd",
    "../x.png",
    "..",
    ".",
    "",
    "../../keys.txt",
    "a/b.png",
    "..\\x.png",
    "a\0.png",
    "x" * 300,
    ".a.png",
)


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_name_is_never_a_path(keyed, ann, name):
    save(ann, "a.png", photo())
    (folder(keyed, "ann", "output").parent / "x.png").write_bytes(photo())
    for path, more in (("media_file", {}), ("media_thumbnail_file", {"width": 9})):
        for tab in ("input", "output", "mask"):
            reply = ann.get(f"/api/v1/{path}", params={"tab": tab, "filename": name, **more})
            assert reply.status_code == 404, (path, tab)
            assert reply.json()["errors"]
    before = set((keyed[0].server.settings.data / "named").rglob("*"))
    saved = save(ann, name, photo())
    after = set((keyed[0].server.settings.data / "named").rglob("*")) - before
    assert saved.status_code in (200, 400)
    assert {path.parent for path in after} <= {folder(keyed, "ann", "output")}
    (folder(keyed, "ann", "output").parent / "x.png").unlink()


@pytest.mark.parametrize("tab", ["../output", "keys", "", "/"])
def test_a_tab_is_one_of_three(ann, tab):
    assert ann.get("/api/v1/medias", params={"tab": tab}).status_code == 404


def test_what_a_link_leads_to_is_not_there(keyed, ann, tmp_path):
    (tmp_path / "secret.png").write_bytes(photo())
    save(ann, "a.png", photo())
    (folder(keyed, "ann", "output") / "link.png").symlink_to(tmp_path / "secret.png")
    os.mkfifo(folder(keyed, "ann", "output") / "pipe.png")
    assert [one["name"] for one in ann.get("/api/v1/medias", params={"tab": "output"}).json()] == ["a.png"]
    for name in ("link.png", "pipe.png"):
        where = {"tab": "output", "filename": name}
        assert ann.get("/api/v1/media_file", params=where).status_code == 404
    assert save(ann, "link.png", photo("blue")).status_code == 200  # in the link's place
    assert (tmp_path / "secret.png").read_bytes() == photo()


@pytest.mark.parametrize("data", [b"", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", photo()[:60]])
def test_only_pictures_are_saved(keyed, ann, data):
    assert save(ann, "a.png", data).status_code == 400
    assert list(folder(keyed, "ann", "output").iterdir()) == []


def test_files_that_are_no_pictures_do_not_hide_the_others(keyed, ann):
    save(ann, "a.png", photo())
    for name, data in {"b.png": b"no", "page.html": b"<script>", "c.svg": b"<svg/>"}.items():
        (folder(keyed, "ann", "output") / name).write_bytes(data)
    assert [one["name"] for one in ann.get("/api/v1/medias", params={"tab": "output"}).json()] == ["a.png"]
    assert ann.get("/api/v1/media_file", params={"tab": "output", "filename": "page.html"}).status_code == 404
    reply = ann.get("/api/v1/media_thumbnail_file", params={"tab": "output", "filename": "b.png"})
    assert reply.status_code == 400


def test_a_thumbnail_is_shown_upright_and_is_never_huge(keyed, ann):
    turned = Image.Exif()
    turned[0x0112] = 6
    save(ann, "a.jpg", photo(format="JPEG", exif=turned))
    where = {"tab": "output", "filename": "a.jpg"}
    (listed,) = ann.get("/api/v1/medias", params={"tab": "output"}).json()
    assert (listed["width"], listed["height"]) == (30, 40)
    assert ann.get("/api/v1/media_thumbnail_file", params=where).headers["x-height"] == "341"
    for width in (5000, 10**9, -1):
        assert ann.get("/api/v1/media_thumbnail_file", params={**where, "width": width}).status_code == 400


def test_the_only_picture_of_the_input_folder_opens_at_once(keyed, ann):
    missing = ann.get("/api/v1/inputimage")
    assert missing.status_code == 404
    assert "named/ann-" in missing.json()["detail"]
    (folder(keyed, "ann", "input") / "Málaga; 1.png").write_bytes(photo())
    found = ann.get("/api/v1/inputimage")
    assert found.content == photo()
    # Its page takes what stands between these marks, and fails where there is nothing.
    assert found.headers["content-disposition"].split("filename=")[1].split(";")[0] == "M_laga__1.png"
    (folder(keyed, "ann", "input") / "b.png").write_bytes(photo())
    assert ann.get("/api/v1/inputimage").status_code == 404


def test_lama_cleaners_paths_lead_to_the_same_files(ann):
    kept = ann.post("/save_image", files={"image": ("x", photo())}, data={"filename": "a.png"})
    assert kept.text == "ok"
    assert ann.get("/media/output/a.png").content == photo()
    assert [one["name"] for one in ann.get("/medias/output").json()] == ["a.png"]
    assert ann.get("/media_thumbnail/output/a.png?width=20.5").headers["x-width"] == "20"
    assert ann.get("/media/output/..%2f..%2fkeys.txt").status_code == 404
