"""A server enlarges pictures and restores faces, as jobs in its queue; clients and other programs' APIs ask for it."""

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
from skimage import data

import overpaint
from overpaint import Client, Monitor
from overpaint.cli import main
from overpaint.client import AsyncClient
from overpaint.errors import Cancelled, InputError, ModelError, RequestError
from overpaint.picture import from_array
from overpaint.record import read_record
from overpaint.studio import EnlargeSettings
from servers import Running, running
from upscaling import face_file, upscaler_file

PHOTO = np.ascontiguousarray(data.astronaut()[:192, 130:322])
SMALL = np.ascontiguousarray(PHOTO[60:108, 60:124])


def png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    upscaler_file(folder)
    face_file(folder)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[Running]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OVERPAINT_MODEL_PATH", str(models))
        patch.setenv("OVERPAINT_HOME", str(tmp_path_factory.mktemp("home")))
        with running(tmp_path_factory.mktemp("data") / "server", most_pixels=200_000) as found:
            yield found


@pytest.fixture
def client(server: Running) -> Iterator[Client]:
    with Client(server.url) as made:
        yield made


# ---- the native API and its clients ----


def ended(http: httpx2.Client, path: str, **task: Any) -> dict[str, Any]:
    """The job of a task once it has ended."""
    asked = http.post(path, json=task)
    assert asked.status_code == 202, asked.text
    place = asked.headers["location"]
    events = http.get(httpx2.URL(str(http.base_url)).join(f"{place}/events")).text
    assert "event: done" in events or "event: failed" in events, events
    assert "event: progress" in events or task.get("enhance") == "restore"
    return dict(http.get(httpx2.URL(str(http.base_url)).join(place)).json())


def test_a_job_enlarges_a_stored_picture_with_progress_and_a_record(server: Running):
    with server.client() as http:
        id = http.post("/pictures", content=png(SMALL)).json()["id"]
        job = ended(http, "/enlargements", picture=id, scale=1.5, model="RealESRGAN_x2")
        (result,) = job["results"]
        assert (job["state"], result["width"], result["height"]) == ("done", 96, 72)
        assert job["task"]["enhance"] == "enlarge"
        file = http.get(f"/pictures/{result['picture']}/file").content
        found = read_record(file)
        assert found is not None
        assert found.record is not None
        assert found.record.resolved.options == {"scale": 1.5, "model": "RealESRGAN_x2"}
        assert [one["name"] for one in http.get("/enhancers").json()] == ["RealESRGAN_x2", "RestoreFormer"]
        assert any(one["id"] == job["id"] for one in http.get("/edits").json())


def test_the_client_gives_what_is_made_here(client: Client, tmp_path: Path):
    Image.fromarray(SMALL).save(tmp_path / "a.jpg", quality=92)
    made = client.enlarge(tmp_path / "a.jpg", width=100)
    here = EnlargeSettings(width=100).ready().enhance(overpaint.open(tmp_path / "a.jpg"))
    assert np.array_equal(made.picture.samples, here.picture.samples)
    saved = made.save()
    assert saved.path == tmp_path / "a.enlarge.jpg"
    found = read_record(saved.path)
    assert found is not None
    assert found.record is not None
    assert found.record.input_name == "a.jpg"
    assert main(["replay", str(saved.path), "-q"]) == 0


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "I;16"])
def test_pictures_keep_their_kind_on_the_way(client: Client, tmp_path: Path, mode: str):
    picture = Image.fromarray(SMALL).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        picture = Image.fromarray(np.asarray(picture, np.uint16) * 257)
    picture.save(tmp_path / "a.png")
    opened = overpaint.open(tmp_path / "a.png")
    made = client.enlarge(opened, scale=1.25, model="RealESRGAN_x2").picture
    assert (made.mode, tuple(made.size)) == (opened.mode, (80, 60))


def test_faces_are_restored_there_and_nothing_else_changes(client: Client):
    seen: list[tuple[int, int]] = []
    made = client.restore(
        PHOTO, model="RestoreFormer", weight=0.7, monitor=Monitor(on_progress=lambda *one: seen.append(one))
    )
    changed = (made.picture.samples != PHOTO).any(axis=2)
    assert changed.any()
    assert not changed[:5].any()
    assert made.record.resolved.options == {"model": "RestoreFormer", "weight": 0.7, "detector": "none"}
    assert seen[-1] == (1, 1)


def test_the_async_client_does_the_same(server: Running):
    async def run() -> tuple[int, int]:
        async with AsyncClient(server.url) as client:
            assert {one["what"] for one in await client.enhancers()} == {"upscaler", "faces"}
            return tuple((await client.enlarge(SMALL, scale=1.5)).picture.size)

    assert asyncio.run(run()) == (96, 72)


def test_a_monitor_cancels_the_job(client: Client):
    monitor = Monitor()
    monitor.cancel()
    with pytest.raises(Cancelled):
        client.enlarge(PHOTO, scale=2, monitor=monitor)
    assert {job.wait().state for job in client.jobs()} <= {"done", "cancelled"}


@pytest.mark.parametrize(
    ("task", "status", "code"),
    [
        ({"model": "nothing"}, 422, "model-unknown"),
        ({"model": "../RealESRGAN_x2.safetensors"}, 422, "model-unknown"),
        ({"model": "RestoreFormer"}, 422, "model-other-task"),
        ({"scale": 2, "shell": "x"}, 422, "setting-invalid"),
        ({"scale": "2"}, 422, "setting-invalid"),
        ({"scale": 1}, 422, "request-invalid"),
        ({"width": 20}, 422, "request-invalid"),
        ({"picture": "0" * 64}, 404, "not-found"),
    ],
)
def test_a_task_that_can_not_be_done_is_refused_at_once(
    server: Running, models: Path, task: dict[str, Any], status: int, code: str
):
    with server.client() as http:
        id = http.post("/pictures", content=png(SMALL)).json()["id"]
        found = http.post("/enlargements", json={"picture": id, **task})
        assert (found.status_code, found.json()["error"]["code"]) == (status, code), found.text
        at_path = http.post("/enlargements", json={"picture": id, "model": str(models / "RealESRGAN_x2.safetensors")})
        assert at_path.status_code == 422


def test_what_only_the_picture_shows_fails_the_job_in_words(client: Client):
    with pytest.raises(RequestError):
        client.enlarge(SMALL, width=10)
    with pytest.raises(InputError, match="pixels"):
        client.enlarge(SMALL, scale=16)
    with pytest.raises(ModelError):
        client.restore(SMALL, model="RealESRGAN_x2")


def test_a_private_result_says_nothing(server: Running):
    with server.client() as http:
        id = http.post("/pictures", content=png(SMALL)).json()["id"]
        (result,) = ended(http, "/enlargements", picture=id, private=True)["results"]
        assert read_record(http.get(f"/pictures/{result['picture']}/file").content) is None


def test_the_description_has_them(server: Running):
    with server.client() as http:
        paths = http.get("/openapi.json").json()["paths"]
        assert {f"/overpaint/v1/{one}" for one in ("enlargements", "restorations", "enhancers")} <= paths.keys()


# ---- AUTOMATIC1111's API ----


@pytest.fixture
def other(server: Running) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=60.0, trust_env=False) as http:
        yield http


def extra(http: httpx2.Client, pixels: np.ndarray = SMALL, **body: Any) -> tuple[np.ndarray, str]:
    """The picture and the notes of extra-single-image."""
    found = http.post("/sdapi/v1/extra-single-image", json={"image": base64.b64encode(png(pixels)).decode(), **body})
    assert found.status_code == 200, found.text
    table = found.json()
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(table["image"])))), table["html_info"]


def test_lists_show_the_networks_that_are_here(other: httpx2.Client):
    listed = {one["name"]: one for one in other.get("/sdapi/v1/upscalers").json()}
    assert list(listed) == ["None", "Lanczos", "Nearest", "Self-taught", "RealESRGAN_x2"]
    assert listed["RealESRGAN_x2"]["scale"] == 2.0
    assert all(one["model_path"] is None for one in listed.values()), "no folder of the server"
    assert [one["name"] for one in other.get("/sdapi/v1/face-restorers").json()] == ["RestoreFormer"]
    assert [one["name"] for one in other.get("/sdapi/v1/realesrgan-models").json()] == ["RealESRGAN_x2"]


def test_an_upscaler_is_the_network_of_its_name_in_any_size(other: httpx2.Client):
    made, notes = extra(other, upscaling_resize=2, upscaler_1="realesrgan_X2")
    here = EnlargeSettings(scale=2, model="RealESRGAN_x2").ready().enhance(from_array(SMALL)).picture.samples
    assert np.array_equal(made, here)
    assert notes == ""
    to = {"resize_mode": 1, "upscaling_resize_w": 100, "upscaling_resize_h": 90}
    assert extra(other, **to, upscaler_1="RealESRGAN_x2")[0].shape == (90, 100, 3)
    assert extra(other, **to, upscaler_1="RealESRGAN_x2", upscaling_crop=False)[0].shape == (75, 100, 3)
    smaller, _ = extra(other, upscaling_resize=0.5, upscaler_1="RealESRGAN_x2")
    assert smaller.shape == (24, 32, 3)


def test_a_second_upscaler_is_laid_over_the_first_as_far_as_it_is_visible(other: httpx2.Client):
    one, _ = extra(other, upscaler_1="Lanczos")
    two, _ = extra(other, upscaler_1="RealESRGAN_x2")
    both, _ = extra(other, upscaler_1="Lanczos", upscaler_2="RealESRGAN_x2", extras_upscaler_2_visibility=0.25)
    assert np.abs(both - (0.75 * one + 0.25 * two)).max() <= 1
    hidden, _ = extra(other, upscaler_1="Lanczos", upscaler_2="RealESRGAN_x2")
    assert np.array_equal(hidden, one)


def test_faces_are_restored_where_the_network_is_here_and_else_it_says_so(other: httpx2.Client):
    plain, _ = extra(other, PHOTO, upscaling_resize=1)
    made, notes = extra(other, PHOTO, upscaling_resize=1, gfpgan_visibility=1, codeformer_visibility=0.5)
    assert np.array_equal(made, plain)
    assert "GFPGAN is not available" in notes
    assert "CodeFormer is not available" in notes


def test_a_batch_is_done_in_order(other: httpx2.Client):
    listed = [{"data": base64.b64encode(png(one)).decode(), "name": "a.png"} for one in (SMALL, SMALL[:, ::-1].copy())]
    body = {"imageList": listed, "upscaler_1": "RealESRGAN_x2"}
    found = other.post("/sdapi/v1/extra-batch-images", json=body).json()["images"]
    first, second = (np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))) for one in found)
    assert first.shape == second.shape == (96, 128, 3)
    assert not np.array_equal(first, second)
    assert other.get("/sdapi/v1/progress").json()["progress"] == 0


# ---- IOPaint's API ----


def plugged(http: httpx2.Client, path: str, name: str, pixels: np.ndarray = SMALL, **body: Any) -> httpx2.Response:
    image = "data:image/png;base64," + base64.b64encode(png(pixels)).decode()
    return http.post(f"/api/v1/{path}", json={"name": name, "image": image, **body})


def test_the_configuration_lists_the_plug_ins_that_are_here(other: httpx2.Client):
    found = other.get("/api/v1/server-config").json()
    assert {one["name"] for one in found["plugins"]} == {"InteractiveSeg", "RemoveBG", "RealESRGAN", "RestoreFormer"}
    assert (found["realesrganModel"], found["realesrganModels"]) == (
        "RealESRGAN_x2",
        ["RealESRGAN_x2", "self-taught"],
    )


def test_real_esrgan_is_the_network_or_what_the_caller_has_chosen(other: httpx2.Client):
    made = plugged(other, "run_plugin_gen_image", "RealESRGAN", scale=1.5)
    here = EnlargeSettings(scale=1.5, model="RealESRGAN_x2").ready().enhance(from_array(SMALL)).picture.samples
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(made.content))), here)
    chosen = {"plugin_name": "RealESRGAN", "model_name": "self-taught"}
    assert other.post("/api/v1/switch_plugin_model", json=chosen).status_code == 200
    assert other.get("/api/v1/server-config").json()["realesrganModel"] == "self-taught"
    taught = plugged(other, "run_plugin_gen_image", "RealESRGAN", scale=1.5)
    here = EnlargeSettings(scale=1.5).ready().enhance(from_array(SMALL)).picture.samples
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(taught.content))), here)
    assert "teaches" in taught.headers["x-overpaint-note"]
    other.post("/api/v1/switch_plugin_model", json={**chosen, "model_name": "RealESRGAN_x2"})


def test_restoreformer_restores_faces(other: httpx2.Client):
    made = plugged(other, "run_plugin_gen_image", "RestoreFormer", PHOTO)
    assert made.status_code == 200, made.text
    changed = (np.asarray(Image.open(io.BytesIO(made.content))) != PHOTO).any(axis=2)
    assert changed.any()
    assert not changed[:5].any()
    assert plugged(other, "run_plugin_gen_image", "GFPGAN", PHOTO).status_code == 404


def test_removebg_makes_the_background_transparent(other: httpx2.Client):
    pixels = np.full((60, 80, 3), (40, 90, 200), np.uint8)
    pixels[15:45, 25:55] = (220, 60, 30)
    made = np.asarray(Image.open(io.BytesIO(plugged(other, "run_plugin_gen_image", "RemoveBG", pixels).content)))
    assert made.shape == (60, 80, 4)
    assert np.array_equal(made[..., :3][made[..., 3] == 255], pixels[made[..., 3] == 255])
    assert made[20:40, 30:50, 3].min() == 255
    assert made[:8, :, 3].max() == 0
    drawn = np.asarray(Image.open(io.BytesIO(plugged(other, "run_plugin_gen_mask", "RemoveBG", pixels).content)))
    assert drawn[30, 40, 3] > 0
    assert drawn[2, 2, 3] == 0
