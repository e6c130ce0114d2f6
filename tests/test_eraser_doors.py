"""Erasers through every door: the native API, IOPaint's, A1111's, both clients and the editor, from one server."""

from __future__ import annotations

import asyncio
import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

import erasers
from browser import chromium
from editor_page import Editor, picture, png
from overpaint import AsyncClient, Client, Mask, Studio, models
from overpaint.errors import ModelError
from overpaint.geometry import Box, Size
from servers import Running, running
from test_server_native import ended, upload

SIZE = Size(120, 90)
BOX = Box(40, 25, 70, 55)
PIXELS = picture(*SIZE)
MASK = Mask.box(SIZE, BOX)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server whose machine has LaMa, and ZITS as programs, which it does not run."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OVERPAINT_HOME", str(home / "home"))
        patch.setenv("HF_HUB_CACHE", str(home / "hub"))
        patch.setenv("TORCH_HOME", str(home / "torch"))
        erasers.lama_file(models.store_folder() / "lama.safetensors")
        erasers.save_programs(home / "torch" / "hub" / "checkpoints", "zits")
        with Studio(threads=1, model_paths=False) as studio, running(home / "data", studio) as found:
            yield found


@pytest.fixture(scope="module")
def here(server: Running) -> np.ndarray:
    """What a studio on the server's machine makes of the picture with LaMa."""
    with Studio(threads=1) as studio:
        found = studio.edit(PIXELS, mask=MASK, intent="remove", model="lama").picture.samples
    assert (found[BOX.slices] != PIXELS[BOX.slices]).any(axis=2).mean() > 0.9
    return found


def drawn() -> bytes:
    return png((MASK.values * 255).astype(np.uint8))


def opened(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("named", [True, False])
def test_the_native_api_erases_and_uses_the_eraser_that_is_there(named: bool, server: Running, here: np.ndarray):
    request = {"intent": "remove", **({"model": "lama"} if named else {})}
    with server.client() as client:
        listed = [one for one in client.get("/models").json() if one["name"] == "lama"]
        assert [one["title"] for one in listed] == ["eraser (LaMa), fp32"]
        body = {"picture": upload(client, png(PIXELS)), "request": request, "marks": {"box": [str(BOX)]}}
        job = ended(client, client.post("/edits", json=body).raise_for_status().json()["id"])
        assert job["state"] == "done", job
        (result,) = job["results"]
        assert np.array_equal(opened(client.get(f"/pictures/{result['picture']}/file").content), here)
        assert any("the eraser lama fills the hole" in note for note in result["notes"]) != named


def test_the_native_api_runs_no_program_and_takes_no_path(server: Running):
    with server.client() as client:
        id = upload(client, png(PIXELS))
        path = str(models.store_folder() / "lama.safetensors")
        for model, code in (("zits", "torchscript-only"), (path, "model-unknown")):
            body = {"picture": id, "request": {"intent": "remove", "model": model}, "marks": {"box": [str(BOX)]}}
            reply = client.post("/edits", json=body)
            assert (reply.status_code, reply.json()["error"]["code"], reply.json()["error"]["value"]) == (
                422,
                code,
                model,
            )


def test_iopaints_and_a1111s_clients_get_the_same_hole(server: Running, here: np.ndarray):
    with httpx2.Client(base_url=server.url, timeout=60, trust_env=False) as client:
        client.post("/api/v1/model", json={"name": "lama"}).raise_for_status()
        image, mask = text(png(PIXELS)), text(drawn())
        reply = client.post("/api/v1/inpaint", json={"image": image, "mask": mask}).raise_for_status()
        from_iopaint = opened(reply.content)
        titles = [one["model_name"] for one in client.get("/sdapi/v1/sd-models").raise_for_status().json()]
        assert "lama" in titles
        body = {
            "init_images": [image],
            "mask": mask,
            "prompt": "",
            "override_settings": {"sd_model_checkpoint": "lama"},
            "mask_blur": 0,
            "width": SIZE.width,
            "height": SIZE.height,
        }
        reply = client.post("/sdapi/v1/img2img", json=body).raise_for_status()
        from_a1111 = opened(base64.b64decode(reply.json()["images"][0]))
    for found in (from_iopaint, from_a1111):
        assert (found[BOX.slices] != PIXELS[BOX.slices]).any(axis=2).mean() > 0.9
        far = ~Mask.box(SIZE, BOX.pad(16)).core
        assert np.array_equal(found[far], PIXELS[far])
        # each has its own edge; within, it is the same network on the same surroundings
        inner = BOX.pad(-4).slices
        assert abs(found[inner].astype(int) - here[inner]).mean() < 12


def test_both_clients_get_what_a_studio_makes(server: Running, here: np.ndarray, tmp_path: Path):
    (tmp_path / "photo.png").write_bytes(png(PIXELS))
    with Client(server.url) as client:
        edited = client.edit(tmp_path / "photo.png", mask=MASK, intent="remove", model="lama")
        assert np.array_equal(edited.picture.samples, here)
        (used,) = edited.resolved.models
        assert (edited.resolved.engine, used.role, used.name) == ("erase", "eraser", "lama")
        with pytest.raises(ModelError, match="ZITS exists as a program only"):
            client.edit(tmp_path / "photo.png", mask=MASK, intent="remove", model="zits")

    async def work() -> list[Any]:
        async with AsyncClient(server.url) as client:
            made = [client.edit(tmp_path / "photo.png", mask=MASK, intent="remove", model="lama") for _ in range(2)]
            return [one.picture.samples for one in await asyncio.gather(*made)]

    assert all(np.array_equal(one, here) for one in asyncio.run(work()))


def test_the_editor_erases_with_the_model_that_is_chosen_from_its_list(server: Running, tmp_path: Path):
    before = picture()
    with chromium() as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 860}, locale="en-GB", reduced_motion="reduce")
        with Editor(context, server).closing() as editor:
            editor.open(before)
            editor.choose(Model="lama")
            editor.removed()
            (step,) = editor.steps()
            assert (step["intent"], step["engine"]) == ("remove", "lama")
            after = opened(editor.exported("png", tmp_path).read_bytes())
    left, top, right, bottom = step["box"]
    inside = np.zeros(before.shape[:2], bool)
    inside[top:bottom, left:right] = True
    assert np.array_equal(after[~inside], before[~inside])
    assert (after != before).any(axis=2)[105:135, 145:175].mean() > 0.9
