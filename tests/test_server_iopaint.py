"""IOPaint's API, as its page, its plug-ins and scripts call it; and what IOPaint itself gets wrong."""

from __future__ import annotations

import base64
import http.client
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image, PngImagePlugin

import erasers
from overpaint.picture import open_picture
from overpaint.server.compat.calls import Call
from overpaint.studio import Studio
from servers import Running, running

CLIENTS = Path(__file__).parents[2] / "shared" / "clients" / "iopaint.json"
PHOTOS = CLIENTS.parents[1] / "photos" / "eval" / "images"
SIZE = (64, 48)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Studio() as studio, running(tmp_path_factory.mktemp("iopaint"), studio) as found:
        yield found


@pytest.fixture
def client(server: Running) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, trust_env=False, timeout=60) as found:
        yield found
        found.post("/api/v1/model", json={"name": "exemplar"})


def pixels() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)


def encoded(image: Image.Image, format: str = "PNG", **more: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **more)
    return out.getvalue()


def mask() -> bytes:
    drawn = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    drawn[10:26, 12:30] = 255
    return encoded(Image.fromarray(drawn))


def url(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def far() -> np.ndarray[Any, Any]:
    """What the mask leaves alone."""
    found = np.ones((SIZE[1], SIZE[0]), bool)
    found[10:26, 12:30] = False
    return found


def test_a_picture_and_a_mask_are_enough(client):
    data = encoded(Image.fromarray(pixels()))
    reply = client.post("/api/v1/inpaint", json={"image": url(data), "mask": base64.b64encode(mask()).decode()})
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "image/png"
    assert reply.headers["x-seed"] == "42"
    after = np.asarray(Image.open(io.BytesIO(reply.content)))
    assert np.array_equal(after[far()], pixels()[far()])
    assert not np.array_equal(after[12:24, 14:28], pixels()[12:24, 14:28])


def test_a_form_with_files_is_read_too(client):
    files = {"image": ("a.jpg", encoded(Image.fromarray(pixels()), "JPEG")), "mask": ("m.png", mask())}
    reply = client.post("/api/v1/inpaint", files=files)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "image/jpeg")


def test_a_mask_in_the_pages_own_colour_is_read_and_so_are_misspelt_settings(client):
    drawn = np.zeros((SIZE[1], SIZE[0], 4), np.uint8)
    drawn[10:26, 12:30] = (255, 204, 0, 187)
    body = {
        "image": url(encoded(Image.fromarray(pixels()))),
        "mask": url(encoded(Image.fromarray(drawn))),
        "hd_strategy_crop_triger_size": 512,
        "brushnet_method": "random_mask",
        "sd_seed": -1,
        "sd_steps": "20",
    }
    reply = client.post("/api/v1/inpaint", json=body)
    assert reply.status_code == 200, reply.text
    after = np.asarray(Image.open(io.BytesIO(reply.content)))
    assert np.array_equal(after[far()], pixels()[far()])
    assert not np.array_equal(after[14:22, 16:26], pixels()[14:22, 16:26])


def test_depth_alpha_and_profile_survive(client):
    deep = np.random.default_rng(1).integers(0, 65535, (SIZE[1], SIZE[0])).astype(np.uint16)
    reply = client.post("/api/v1/inpaint", json={"image": url(encoded(Image.fromarray(deep))), "mask": url(mask())})
    after = open_picture(reply.content)
    assert after.depth == 16
    assert np.array_equal(after.samples[..., 0][far()], deep[far()])
    values = np.dstack([pixels(), np.full((SIZE[1], SIZE[0]), 77, np.uint8)])
    reply = client.post("/api/v1/inpaint", json={"image": url(encoded(Image.fromarray(values))), "mask": url(mask())})
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(reply.content)))[far()], values[far()])


def test_an_extender_makes_the_picture_larger(client):
    body = {
        "image": url(encoded(Image.fromarray(pixels()))),
        "mask": None,
        "use_extender": True,
        "extender_x": -16,
        "extender_y": 0,
        "extender_width": 80,
        "extender_height": 64,
    }
    reply = client.post("/api/v1/inpaint", json=body)
    assert reply.status_code == 200, reply.text
    assert Image.open(io.BytesIO(reply.content)).size == (80, 64)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"mask": None}, "mask"),
        ({"image": None}, "image"),
        ({"image": "data:image/png;base64,@@@"}, "base64"),
        ({"image": "aGVsbG8="}, "picture"),
        ({"mask": url(encoded(Image.new("L", (10, 10), 255)))}, "10x10"),
        ({"sd_steps": "many"}, "sd_steps"),
    ],
)
def test_what_can_not_be_used_is_a_400_that_says_so(client, change, word):
    body = {"image": url(encoded(Image.fromarray(pixels()))), "mask": url(mask()), **change}
    reply = client.post("/api/v1/inpaint", json=body)
    assert reply.status_code == 400, reply.text
    assert word in reply.json()["detail"]
    assert reply.json()["errors"]


def test_a_model_that_is_not_there_changes_nothing(client):
    before = client.get("/api/v1/model").json()
    assert client.post("/api/v1/model", json={"name": "nope"}).status_code == 404
    assert client.get("/api/v1/model").json() == before
    assert client.post("/api/v1/model", json={"name": "cv2"}).json()["name"] == "cv2"
    for flag in ("INPAINT_TELEA", "INPAINT_NS"):
        body = {"image": url(encoded(Image.fromarray(pixels()))), "mask": url(mask()), "cv2_flag": flag}
        assert client.post("/api/v1/inpaint", json=body).status_code == 200
    assert client.post("/api/v1/model", json={"name": "lama"}).json()["name"] == "lama"
    reply = client.post("/api/v1/inpaint", json=body)
    assert "lama is not here" in reply.headers["x-overpaint-note"]


def test_a_controlnet_guides_a_checkpoint_by_a_map_of_the_picture(client, monkeypatch):
    tasks: list[Any] = []
    begin = Call.begin
    monkeypatch.setattr(Call, "begin", lambda self, task, **more: tasks.append(task) or begin(self, task, **more))
    wanted = {"enable_controlnet": True, "controlnet_method": "lllyasviel/control_v11p_sd15_canny"}
    body = {"image": url(encoded(Image.fromarray(pixels()))), "mask": url(mask()), "prompt": "x", **wanted}
    client.post("/api/v1/model", json={"name": "cv2"})
    reply = client.post("/api/v1/inpaint", json=body)
    assert "takes no controls: enable_controlnet has no effect" in reply.headers["x-overpaint-note"]
    client.post("/api/v1/model", json={"name": "pocket"})
    reply = client.post("/api/v1/inpaint", json={**body, "controlnet_conditioning_scale": 0.7})
    (control,) = tasks[-1].request.controls
    assert (control.kind, control.weight, control.inside, control.model) == ("canny", 0.7, True, None)
    assert (reply.status_code, "no ControlNet here reads canny" in reply.json()["detail"]) == (400, True)
    unknown = client.post("/api/v1/inpaint", json={**body, "controlnet_method": "m"})
    assert "'m' does not say what it reads" in unknown.json()["detail"]
    config = client.get("/api/v1/server-config").json()
    assert (config["enableControlnet"], config["controlnetMethod"]) == (False, None)
    client.post("/api/v1/model", json={"name": "cv2"})


def test_an_eraser_that_is_here_paints_by_its_name_in_iopaint(client, tmp_path, monkeypatch):
    monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path))
    erasers.lama_file(tmp_path / "models" / "lama.safetensors")
    found = client.get("/api/v1/server-config").json()["modelInfos"]
    assert [one["need_prompt"] for one in found if one["name"] == "lama"] == [False]
    assert "erase" not in {one["name"] for one in found}, "the engine alone erases nothing"
    client.post("/api/v1/model", json={"name": "lama"})
    body = {"image": url(encoded(Image.fromarray(pixels()))), "mask": url(mask())}
    reply = client.post("/api/v1/inpaint", json=body)
    assert reply.status_code == 200
    assert "not here" not in reply.headers.get("x-overpaint-note", "")
    after = np.asarray(Image.open(io.BytesIO(reply.content)))
    assert (after != pixels()).any(axis=2)[10:26, 12:30].mean() > 0.9


def test_what_its_page_asks_at_the_start(client):
    found = client.get("/api/v1/server-config").json()
    assert {"exemplar", "telea"} <= {one["name"] for one in found["modelInfos"]}
    assert "Euler a" in found["samplers"]
    assert client.get("/api/v1/inputimage").status_code == 404


@pytest.mark.parametrize(("operate", "grows"), [("expand", True), ("shrink", False)])
def test_a_mask_is_grown_shrunk_and_inverted(client, operate, grows):
    def marked(how: str, size: int) -> np.ndarray[Any, Any]:
        reply = client.post("/api/v1/adjust_mask", json={"mask": url(mask()), "operate": how, "kernel_size": size})
        return np.asarray(Image.open(io.BytesIO(reply.content)))

    plain, changed = marked("expand", 0), marked(operate, 3)
    assert tuple(plain[15, 15]) == (255, 203, 0, 186)
    assert (changed[..., 3].sum() > plain[..., 3].sum()) == grows
    assert np.array_equal(marked("reverse", 0)[..., 3] > 0, plain[..., 3] == 0)


def test_the_prompts_of_a_picture_are_found(client):
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a red fox\nNegative prompt: blur\nSteps: 20, Sampler: Euler a, Seed: 1, Size: 64x48")
    data = encoded(Image.fromarray(pixels()), pnginfo=info)
    assert client.post("/api/v1/gen-info", files={"file": ("a.png", data)}).json() == {
        "prompt": "a red fox",
        "negative_prompt": "blur",
    }


def is_png_of(size: tuple[int, int], reply: httpx2.Response) -> bool:
    made = Image.open(io.BytesIO(reply.content))
    return made.format == "PNG" and made.size == size


NEEDS = {
    "/api/v1/server-config": lambda reply, size: bool(reply.json()["modelInfos"]),
    "/api/v1/model": lambda reply, size: reply.json()["name"] == "lama",
    "/api/v1/inpaint": lambda reply, size: is_png_of(size, reply) and bool(int(reply.headers["x-seed"])),
    "/api/v1/adjust_mask": lambda reply, size: is_png_of(size, reply),
    "/api/v1/run_plugin_gen_mask": lambda reply, size: is_png_of(size, reply),
    "/api/v1/run_plugin_gen_image": lambda reply, size: is_png_of((2 * size[0], 2 * size[1]), reply),
}
"""What a client needs of the reply to each of its requests."""


@pytest.mark.skipif(not (CLIENTS.exists() and PHOTOS.exists()), reason="the requests of real clients are not here")
def test_requests_of_real_clients_are_answered(client):
    photo = Image.open(next(iter(sorted(PHOTOS.glob("*.jpg"))))).convert("RGB").resize((213, 160))
    drawn = np.zeros((160, 213), np.uint8)
    drawn[60:100, 70:120] = 255
    sent, mask_ = np.asarray(photo), encoded(Image.fromarray(drawn).convert("RGB"))
    there = {"@url photo": url(encoded(photo)), "@url mask": url(mask_)}
    for case in json.loads(CLIENTS.read_text()):
        for step in case["steps"]:
            if "multipart" in step["headers"].get("Content-Type", ""):
                files = {"image": ("photo.jpg", encoded(photo, "JPEG"), "image/jpeg"), "mask": ("mask.png", mask_)}
                reply = client.post(step["path"], files=files)
                assert (reply.status_code, reply.headers["content-type"]) == (200, "image/jpeg"), case["client"]
                continue
            body = None
            if step["body"] is not None:
                body = {
                    name: there.get(value, value) if isinstance(value, str) else value
                    for name, value in step["body"].items()
                }
            reply = client.request(step["method"], step["path"], json=body, headers=step["headers"])
            assert reply.status_code == 200, (case["client"], step["path"], reply.text)
            assert NEEDS[step["path"]](reply, photo.size), (case["client"], step["path"])
            if step["path"] == "/api/v1/inpaint":
                after = np.asarray(Image.open(io.BytesIO(reply.content)))
                assert np.array_equal(after[drawn == 0], sent[drawn == 0])


SVG = "data:image/svg+xml;base64," + base64.b64encode(b"<svg xmlns='http://www.w3.org/2000/svg'/>").decode()
EXTENDER = {"use_extender": True, "extender_x": 0, "extender_y": 0, "extender_width": 80, "extender_height": 60}
CROPER = {"use_croper": True, "croper_x": 0, "croper_y": 0}


@pytest.mark.parametrize(
    "change",
    [
        {"image": SVG},
        {"mask": SVG},
        {"image": "http://127.0.0.1:1/a.png"},
        {"image": "file:///etc/passwd"},
        {"image": "/etc/passwd"},
        {"image": "data:image/png;base64,"},
        {"image": ["a"]},
        {"mask": {"a": 1}},
        {**EXTENDER, "extender_width": 10**9},
        {**EXTENDER, "extender_x": -(10**12)},
        {**EXTENDER, "extender_width": -5},
        {**EXTENDER, "extender_width": 20, "extender_height": 20},
        {**CROPER, "croper_width": 0},
        {"sd_seed": 10**30},
        {"sd_steps": float("1e300")},
        {"use_croper": "perhaps"},
        {"cv2_flag": "INPAINT_ALL"},
        {"sd_sampler": "x" * 100_000},
    ],
)
def test_a_hostile_request_is_a_400_and_the_server_goes_on(client, change):
    # A checkpoint reads all of these; what does not fit is refused before anything is painted.
    client.post("/api/v1/model", json={"name": "pocket"})
    body = {"image": url(encoded(Image.fromarray(pixels()))), "mask": url(mask()), **change}
    reply = client.post("/api/v1/inpaint", json=body)
    assert reply.status_code == 400, reply.text
    assert len(reply.json()["errors"]) < 1000
    assert client.get("/api/v1/model").status_code == 200


def test_a_body_that_is_too_large_or_too_deep_is_refused(client):
    host, _, port = str(client.base_url).removeprefix("http://").rstrip("/").partition(":")
    declared = http.client.HTTPConnection(host, int(port), timeout=30)
    declared.putrequest("POST", "/api/v1/inpaint")
    declared.putheader("content-type", "application/json")
    declared.putheader("content-length", str(1 << 40))
    declared.endheaders()
    declared.send(b'{"image": "')
    reply = declared.getresponse()
    assert reply.status == 413
    assert json.loads(reply.read())["errors"]
    reply.close()
    declared.close()
    deep = client.post("/api/v1/inpaint", content="[" * 100_000, headers={"content-type": "application/json"})
    assert deep.status_code == 400
    assert client.get("/api/v1/model").status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("run_plugin_gen_mask", {"name": "InteractiveSeg", "clicks": []}, 400),
        ("run_plugin_gen_mask", {"name": "InteractiveSeg", "clicks": [[1, 2]]}, 400),
        ("run_plugin_gen_mask", {"name": "InteractiveSeg", "clicks": [[1, 2, 0, 0]]}, 400),
        ("run_plugin_gen_mask", {"name": "InteractiveSeg", "clicks": [[1000, 2, 1, 0]]}, 400),
        ("run_plugin_gen_mask", {"name": "InteractiveSeg", "clicks": [["a", 2, 1]]}, 400),
        ("run_plugin_gen_mask", {"name": "RealESRGAN", "clicks": [[1, 1, 1]]}, 400),
        ("run_plugin_gen_image", {"name": "RealESRGAN", "scale": 1e9}, 400),
        ("run_plugin_gen_image", {"name": "RealESRGAN", "scale": 0}, 400),
        ("run_plugin_gen_image", {"name": "AnimeSeg"}, 404),
        ("run_plugin_gen_image", {"name": "GFPGAN"}, 404),
        ("run_plugin_gen_image", {"name": "../GFPGAN"}, 404),
        ("run_plugin_gen_image", {}, 400),
        ("switch_plugin_model", {"plugin_name": "InteractiveSeg", "model_name": "sam2_1_tiny"}, 404),
        ("switch_plugin_model", {"plugin_name": "RealESRGAN", "model_name": "self-taught"}, 200),
        ("adjust_mask", {"mask": SVG}, 400),
        ("adjust_mask", {"mask": url(mask()), "kernel_size": 10**9}, 400),
        ("adjust_mask", {"mask": url(mask()), "operate": "explode"}, 400),
    ],
)
def test_plug_ins_and_masks_refuse_in_words_what_they_can_not_do(client, path, body, status):
    image = {"image": url(encoded(Image.fromarray(pixels())))}
    reply = client.post(f"/api/v1/{path}", json={**image, **body})
    assert reply.status_code == status, reply.text
    assert status == 200 or reply.json()["errors"]


def test_a_click_selects_a_plain_thing_and_not_what_surrounds_it(client):
    image = np.full((60, 80, 3), (40, 90, 40), np.uint8)
    image[20:40, 30:50] = (220, 40, 40)
    body = {"name": "InteractiveSeg", "image": url(encoded(Image.fromarray(image))), "clicks": [[40, 30, 1, 0]]}
    made = np.asarray(Image.open(io.BytesIO(client.post("/api/v1/run_plugin_gen_mask", json=body).content)))
    marked = made[..., 3] > 0
    assert marked[20:40, 30:50].all()
    assert not marked[:14].any()
    assert not marked[:, 58:].any()


def test_enlarging_keeps_transparency(client):
    values = np.dstack([pixels(), np.tile(np.arange(SIZE[0], dtype=np.uint8), (SIZE[1], 1))])
    body = {"name": "RealESRGAN", "image": url(encoded(Image.fromarray(values))), "scale": 2}
    made = Image.open(io.BytesIO(client.post("/api/v1/run_plugin_gen_image", json=body).content))
    assert (made.mode, made.size) == ("RGBA", (128, 96))
    assert np.abs(np.asarray(made)[20, ::2, 3].astype(int) - np.arange(SIZE[0])).max() <= 1


def test_a_page_that_is_allowed_can_read_the_seed(tmp_path):
    page = {"origin": "https://paint.example"}
    body = {"image": url(encoded(Image.fromarray(pixels()))), "mask": url(mask())}
    with running(tmp_path, origins=("https://paint.example",)) as server:
        reply = httpx2.post(f"{server.url}/api/v1/inpaint", json=body, headers=page, trust_env=False, timeout=60)
    assert reply.headers["access-control-allow-origin"] == "https://paint.example"
    assert "x-seed" in reply.headers["access-control-expose-headers"]
