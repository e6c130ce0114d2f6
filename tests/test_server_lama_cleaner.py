"""Lama Cleaner 1.x, as scripts call it: a form with two files, and often nothing else."""

from __future__ import annotations

import io
from collections.abc import Iterator

import httpx2
import numpy as np
import pytest
from PIL import Image

from overpaint.studio import Studio
from servers import running

SETTINGS = {
    "ldmSteps": "25",
    "ldmSampler": "plms",
    "zitsWireframe": "true",
    "hdStrategy": "Crop",
    "hdStrategyCropMargin": "196",
    "hdStrategyCropTrigerSize": "800",
    "hdStrategyResizeLimit": "2048",
    "prompt": "",
    "negativePrompt": "",
    "croperX": "180",
    "croperY": "443",
    "croperHeight": "512",
    "croperWidth": "512",
    "useCroper": "false",
    "sdMaskBlur": "5",
    "sdStrength": "0.75",
    "sdSteps": "50",
    "sdGuidanceScale": "7.5",
    "sdSampler": "uni_pc",
    "sdSeed": "-1",
    "sdMatchHistograms": "false",
    "sdScale": "1",
    "cv2Radius": "5",
    "cv2Flag": "INPAINT_NS",
    "paintByExampleSteps": "50",
    "p2pSteps": "50",
    "controlnet_conditioning_scale": "0.4",
    "controlnet_method": "control_v11p_sd15_canny",
}
"""What its own page sent, and scripts that were made after it."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    with (
        Studio() as studio,
        running(tmp_path_factory.mktemp("lama"), studio) as server,
        httpx2.Client(base_url=server.url, trust_env=False, timeout=60) as found,
    ):
        yield found


def files() -> dict[str, tuple[str, bytes, str]]:
    drawn = np.zeros((48, 64), np.uint8)
    drawn[10:26, 12:30] = 255
    found = {}
    for name, array in (("image", pixels()), ("mask", drawn)):
        out = io.BytesIO()
        Image.fromarray(array).save(out, "PNG")
        found[name] = (f"{name}.png", out.getvalue(), "image/png")
    return found


def pixels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)


@pytest.mark.parametrize("settings", [{}, {"sizeLimit": "Original"}, {"model": "lama", "sizeLimit": "0"}, SETTINGS])
def test_two_files_are_enough_and_all_settings_are_read(client, settings):
    reply = client.post("/inpaint", files=files(), data=settings)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "image/png"
    assert "no setting is called" not in reply.headers.get("x-overpaint-note", "")
    after = np.asarray(Image.open(io.BytesIO(reply.content)))
    same = (after == pixels()).all(axis=2)
    assert same[:10].all()
    assert same[26:].all()
    assert not same[10:26, 12:30].all()


def test_its_model_and_configuration(client):
    assert client.get("/model").text == "exemplar"
    assert client.post("/model", data={"name": "cv2"}).status_code == 200
    assert client.get("/model").text == "cv2"
    assert client.post("/model", data={"name": "nope"}).status_code == 404
    assert client.get("/model").text == "cv2"
    assert client.get("/model_downloaded/lama").text == "True"
    assert client.get("/model_downloaded/nope").text == "False"
    assert client.get("/is_desktop").text == "False"
    assert "InteractiveSeg" in client.get("/server_config").json()["plugins"]


def test_its_plugins(client):
    image = {"image": files()["image"]}
    made = client.post("/run_plugin", files=image, data={"name": "InteractiveSeg", "clicks": "[[20, 20, 1]]"})
    assert Image.open(io.BytesIO(made.content)).size == (64, 48)
    made = client.post("/run_plugin", files=image, data={"name": "RealESRGAN", "upscale": "2"})
    assert Image.open(io.BytesIO(made.content)).size == (128, 96)
    refused = client.post("/run_plugin", files=image, data={"name": "AnimeSeg"})
    assert (refused.status_code, refused.json()["error"]) == (404, "plugin-unknown")


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"files": {"image": files()["image"]}},
        {"data": {"image": "x", "mask": "y"}},
        {"json": []},
        {"content": b"x"},
    ],
)
def test_what_can_not_be_read_is_a_400_that_says_so(client, sent):
    reply = client.post("/inpaint", **sent)
    assert reply.status_code == 400, reply.text
    assert reply.json()["detail"]
