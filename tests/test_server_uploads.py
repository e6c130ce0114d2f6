"""What nobody vouches for, sent over HTTP: damaged and hostile pictures, and masks drawn of anything.

Every reply is a refusal with its reason or a true picture, the server goes on, and its memory stays flat.
"""

from __future__ import annotations

import base64
import io
import json
import pickle
import random
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

import hostile_files
from overpaint.picture import open_picture
from overpaint.studio import Studio
from servers import Running, running
from test_server_native import ended, mask, photo, upload

MOST = 40_000_000
"""Pixels that the server takes in these tests, so that the largest pictures that pass are soon decoded."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Studio(threads=1) as studio, running(tmp_path_factory.mktemp("up"), studio, most_pixels=MOST) as found:
        yield found


@pytest.fixture
def client(server: Running) -> Iterator[httpx2.Client]:
    with server.client() as found:
        yield found


def resident() -> int:
    """Bytes of memory that this process has, in which the server runs."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def saved(format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.open(io.BytesIO(photo())).save(out, format, **options)
    return out.getvalue()


def layered() -> bytes:
    """A small PSD, as Photoshop writes it: header, empty sections, raw planes."""
    planes = np.random.default_rng(0).integers(0, 255, (3, 12, 16), np.uint8).tobytes()
    return b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 12, 16, 8, 3) + bytes(12) + bytes(2) + planes


class Loud:
    """A pickle that leaves a file behind where it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def archive(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as written:
        for name, data in members.items():
            written.writestr(name.replace("_", "/"), data)
    return out.getvalue()


def page(text: str = "<script>alert(1)</script>") -> bytes:
    return f"<!doctype html><html><body>{text}</body></html>".encode()


SEEDS: dict[str, bytes] = {
    "png": saved("PNG"),
    "jpeg": saved("JPEG", quality=80),
    "webp": saved("WEBP"),
    "webp, lossless": saved("WEBP", lossless=True),
    "tiff": saved("TIFF"),
    "tiff, packed": saved("TIFF", compression="tiff_lzw"),
    "avif": saved("AVIF"),
    "gif": saved("GIF"),
    "bmp": saved("BMP"),
    "jpeg 2000": saved("JPEG2000"),
    "psd": layered(),
}


def mutated(data: bytes, chance: random.Random) -> bytes:
    """A file with bytes changed, cut out, repeated, or set to what a length would be at its most."""
    found = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 5, 20))):
        at = chance.randrange(max(1, len(found)))
        if not found:
            break
        how = chance.randrange(7)
        if how == 0:
            found[at] ^= 1 << chance.randrange(8)
        elif how == 1:
            found[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif how == 2:
            del found[at : at + chance.randrange(1, 64)]
        elif how == 3:
            found[at:at] = found[at : at + chance.randrange(1, 256)]
        elif how == 4:
            found[at : at + 4] = chance.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\0\1\0\0"))
        elif how == 5:
            del found[at:]
        else:
            other = chance.choice(list(SEEDS.values()))
            start = chance.randrange(len(other))
            found[at : at + 32] = other[start : start + 32]
    return bytes(found)


def check_reply(client: httpx2.Client, data: bytes) -> int:
    """Send a file; what comes back is a refusal in words, or a picture that is as it is described."""
    reply = client.post("/pictures", content=data)
    body = reply.json()
    if reply.status_code == 201:
        shown = open_picture(client.get(f"/pictures/{body['id']}/file").content)
        assert (shown.size.width, shown.size.height) == (body["width"], body["height"])
        small = client.get(f"/pictures/{body['id']}/thumbnail", params={"side": 32})
        assert small.status_code == 200, small.text
        assert Image.open(io.BytesIO(small.content)).format == "WEBP"
        assert client.delete(f"/pictures/{body['id']}").status_code == 204
    else:
        assert reply.status_code == 422, reply.text
        assert body["error"]["code"].startswith("picture-"), body
        assert "Traceback" not in reply.text
        assert str(Path.cwd()) not in reply.text
    return reply.status_code


def fuzz(client: httpx2.Client, rounds: int, seed: int) -> dict[int, int]:
    chance, seen = random.Random(seed), dict[int, int]()
    for _ in range(rounds):
        for data in SEEDS.values():
            status = check_reply(client, mutated(data, chance))
            seen[status] = seen.get(status, 0) + 1
    return seen


def test_damaged_pictures_are_refused_or_read(client):
    seen = fuzz(client, rounds=2, seed=1)
    assert set(seen) == {201, 422}, seen
    assert client.get("/health").json()["status"] == "ok"
    assert client.get("/pictures").json() == []


@pytest.mark.slow
def test_damaged_pictures_by_the_thousand_leave_memory_flat(client):
    fuzz(client, rounds=30, seed=2)
    before = resident()
    seen = fuzz(client, rounds=500, seed=3)
    assert sum(seen.values()) == 500 * len(SEEDS)
    assert resident() - before < 40 << 20


PICTURES, MASKS = hostile_files.pictures(), hostile_files.masks()


@pytest.mark.parametrize("name", PICTURES)
def test_a_hostile_picture_is_refused_or_read(client, name):
    check_reply(client, PICTURES[name])


@pytest.mark.parametrize("name", MASKS)
def test_a_hostile_mask_is_refused_or_read(client, name):
    check_reply(client, MASKS[name])


def others(folder: Path) -> dict[str, tuple[bytes, str]]:
    """Files that are no pictures, or several things at once; and the code of the refusal, "" where it is a picture."""
    code = pickle.dumps(Loud(folder / "read"))
    drawing = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)' width='9' height='9'/>"
    return {
        "pickle": (code, "picture-unsupported"),
        "pickle in an archive": (archive(archive_data_pkl=code, archive_version=b"3"), "picture-unsupported"),
        "NumPy's pickle": (b"\x93NUMPY\1\0v\0" + b"{'descr': '|O'}".ljust(118) + code, "picture-unsupported"),
        "pickle behind a PNG's signature": (SEEDS["png"][:8] + code, "picture-invalid"),
        "drawing": (drawing, "picture-unsupported"),
        "drawing with a declaration": (b"<?xml version='1.0'?>\n" + drawing, "picture-unsupported"),
        "drawing behind a byte-order mark": (b"\xef\xbb\xbf" + drawing, "picture-unsupported"),
        "page": (page(), "picture-unsupported"),
        "archive of a picture": (archive(a_png=SEEDS["png"]), "picture-unsupported"),
        "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "picture-unsupported"),
        "document": (b"%PDF-1.7\n1 0 obj<</Type/Catalog>>endobj\n", "picture-unsupported"),
        "ImageMagick's script": (b"push graphic-context\nimage over 0,0 0,0 'url(file:///etc/passwd)'\n", ""),
        "PNG and page": (SEEDS["png"] + page(), ""),
        "PNG and archive": (SEEDS["png"] + archive(a_txt=b"x"), ""),
        "JPEG and page": (SEEDS["jpeg"] + page(), ""),
        "GIF and script": (SEEDS["gif"] + b"/*" + page() + b"*/", ""),
        "page in a comment of a JPEG": (
            SEEDS["jpeg"][:2] + b"\xff\xfe" + struct.pack(">H", len(page()) + 2) + page() + SEEDS["jpeg"][2:],
            "",
        ),
    }


@pytest.mark.parametrize("name", others(Path()))
def test_what_is_no_picture_or_more_than_one_runs_nothing(client, tmp_path, name):
    data, code = others(tmp_path)[name]
    reply = client.post("/pictures", content=data, headers={"content-type": "image/png"})
    assert not (tmp_path / "read").exists()
    if reply.status_code == 201:
        assert code == ""
        file = client.get(f"/pictures/{reply.json()['id']}/file")
        # Never as a page, whatever is in it.
        assert file.headers["content-type"] in ("image/png", "image/jpeg", "image/gif")
        assert file.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'self'" in file.headers["content-security-policy"]
    else:
        assert reply.status_code == 422
        assert reply.json()["error"]["code"] == (code or "picture-unsupported")
    assert client.get("/health").status_code == 200


def url(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


DOORS: dict[str, Callable[[bytes, bytes], tuple[str, dict[str, Any]]]] = {
    "/v1/images/edits": lambda image, drawn: (
        "",
        {"images": [{"image_url": url(image)}], "mask": {"image_url": url(drawn)}, "model": "telea"},
    ),
    "/sdapi/v1/img2img": lambda image, drawn: (
        "",
        {"init_images": [url(image)], "mask": url(drawn), "override_settings": {"sd_model_checkpoint": "telea"}},
    ),
    "/sdapi/v1/png-info": lambda image, drawn: ("", {"image": url(image)}),
    "/sdapi/v1/extra-single-image": lambda image, drawn: ("", {"image": url(image)}),
    "/sdapi/auto-photoshop-sd/mask/expansion/": lambda image, drawn: ("", {"mask": url(image)}),
    "/api/v1/inpaint": lambda image, drawn: ("", {"image": url(image), "mask": url(drawn)}),
    "/api/v1/adjust_mask": lambda image, drawn: (
        "",
        {"mask": url(image), "operate": "expand", "kernel_size": 5},
    ),
    "/api/v1/gen-info": lambda image, drawn: ("multipart", {}),
}
"""Every way in of the compatible APIs, by what they are sent: a picture and a mask."""


@pytest.mark.parametrize(
    ("path", "part"),
    [
        *((path, "picture") for path in DOORS),
        *(
            (path, "mask")
            for path, door in DOORS.items()
            if {"mask", "image", "init_images"} & set(door(b"", b"")[1]) > {"mask"}
        ),
    ],
)
def test_every_other_door_refuses_the_same(server, tmp_path, path, part):
    chance = random.Random(4)
    hostile = [others(tmp_path)[name][0] for name in ("pickle", "pickle in an archive", "drawing", "page")]
    hostile += [PICTURES[name] for name in ("largest.png", "largest.avif", "cut.avif", "zeros.png", "empty.png")]
    hostile += [mutated(chance.choice(list(SEEDS.values())), chance) for _ in range(4)]
    with httpx2.Client(base_url=server.url, timeout=60, trust_env=False) as client:
        for data in hostile:
            how, body = DOORS[path](*((data, mask()) if part == "picture" else (photo(), data)))
            if how == "multipart":
                reply = client.post(path, files={"file": ("a.png", data, "image/png")})
            else:
                reply = client.post(path, json=body)
            assert reply.status_code in (200, 400, 422), (reply.status_code, reply.text, data[:40])
            if reply.status_code != 200:
                assert "unexpectedly" not in reply.text
        assert not (tmp_path / "read").exists()
        assert client.get("/overpaint/v1/health").status_code == 200


# ── masks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

near = st.integers(-100, 200) | st.floats(-1e3, 1e3).map(lambda value: round(value, 3)) | st.sampled_from(
    ("10%", "-5%", "1e308", "nan", "inf", "", "0x10", "9" * 400)
)  # fmt: skip
corners = st.tuples(near, near, near, near).map(lambda four: ",".join(map(str, four)))
points = st.lists(st.tuples(near, near), max_size=8).map(lambda pairs: " ".join(f"{x},{y}" for x, y in pairs))
numbers = st.integers(-200, 300) | st.floats(-1e4, 1e4) | st.sampled_from((1e300, -1e300, 2**53, 0.5, "10%", None))
parts = st.one_of(
    st.fixed_dictionaries(
        {"kind": st.sampled_from(("box", "ellipse")), "box": st.lists(numbers, min_size=4, max_size=4)},
        optional={"op": st.sampled_from(("add", "subtract", "intersect")), "radius": numbers, "angle": numbers},
    ),
    st.fixed_dictionaries(
        {"kind": st.just("polygon"), "points": st.lists(st.lists(numbers, min_size=2, max_size=2), max_size=6)},
        optional={"op": st.sampled_from(("add", "subtract", "intersect"))},
    ),
    st.fixed_dictionaries(
        {
            "kind": st.just("strokes"),
            "strokes": st.lists(
                st.fixed_dictionaries(
                    {"points": st.lists(st.lists(numbers, min_size=2, max_size=2), max_size=4), "radius": numbers}
                ),
                max_size=2,
            ),
        }
    ),
    st.fixed_dictionaries({"kind": st.sampled_from(("full", "alpha", "raster", "no such"))}),
)
tasks = st.fixed_dictionaries(
    {},
    optional={
        "marks": st.fixed_dictionaries(
            {},
            optional={
                "box": st.lists(corners, max_size=3),
                "ellipse": st.lists(corners, max_size=2),
                "polygon": st.lists(points, max_size=2),
                "invert": st.booleans(),
            },
        ),
        "spec": st.fixed_dictionaries({"parts": st.lists(parts, max_size=4)}),
        "fill_holes": st.booleans(),
        "remove_specks": numbers,
        "grow": numbers,
        "feather": numbers,
        "threshold": numbers,
    },
)


def check_mask(client: httpx2.Client, picture: str, task: dict[str, Any]) -> int:
    """Ask for a mask; what comes back is a refusal in words, or a mask of the picture's size as it is described."""
    body = json.dumps({"picture": picture, **task}).encode()
    reply = client.post("/masks", content=body, headers={"content-type": "application/json"})
    found = reply.json()
    if reply.status_code != 201:
        assert reply.status_code == 422, (reply.text, task)
        assert found["error"]["message"]
        return reply.status_code
    drawn = open_picture(client.get(f"/pictures/{found['id']}/file").content).samples[..., 0]
    assert drawn.shape == (48, 64)
    left, top, right, bottom = found["bounds"]
    marked = np.argwhere(drawn > 0)
    if len(marked):
        assert (marked.min(0) >= (top, left)).all()
        assert (marked.max(0) < (bottom, right)).all()
    assert found["fraction"] == pytest.approx(drawn.mean() / 255, abs=0.02)
    over = client.get(f"/pictures/{picture}/overlay", params={"mask": found["id"], "side": 16})
    assert over.status_code in (200, 422)
    return 201


@pytest.mark.parametrize("examples", [20, pytest.param(3000, marks=pytest.mark.slow)])
def test_masks_of_any_shapes_are_made_or_refused(client, examples):
    picture = upload(client, photo())
    seen: set[int] = set()

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(tasks)
    @example({"marks": {"box": ["5,5,20,20"]}})
    @example({"marks": {"box": ["5,5"]}})
    def ask(task: dict[str, Any]) -> None:
        seen.add(check_mask(client, picture, task))

    ask()
    assert seen == {201, 422}


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(
    left=st.integers(0, 60), top=st.integers(0, 44), width=st.integers(1, 40), height=st.integers(1, 40),
    grow=st.integers(0, 9),
)  # fmt: skip
def test_a_box_marks_its_pixels_and_what_it_grows_by(server, left, top, width, height, grow):
    with server.client() as client:
        picture = upload(client, photo())
        right, bottom = min(64, left + width), min(48, top + height)
        task = {"picture": picture, "marks": {"box": [f"{left},{top},{right},{bottom}"]}, "grow": grow}
        found = client.post("/masks", json=task).json()
    wanted = [max(0, left - grow), max(0, top - grow), min(64, right + grow), min(48, bottom + grow)]
    assert found["bounds"] == wanted


def test_an_edit_of_each_format_that_was_damaged_and_read_is_done(client):
    """A picture that was kept is one that can be edited."""
    chance = random.Random(7)
    for format, data in SEEDS.items():
        for _ in range(20):
            sent = client.post("/pictures", content=mutated(data, chance))
            if sent.status_code == 201 and min(sent.json()["width"], sent.json()["height"]) >= 16:
                task = {"picture": sent.json()["id"], "request": {"intent": "remove", "engine": "telea"}}
                made = client.post("/edits", json={**task, "marks": {"box": ["2,2,9,9"]}, "format": "png"})
                assert made.status_code == 202, (format, made.text)
                job = ended(client, made.json()["id"])
                assert job["state"] == "done", (format, job["error"])
                break
