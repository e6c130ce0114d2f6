"""Defects that were found by running IOPaint 1.6.0, one test each: the same request, and what is right.

The names follow the list in the survey of IOPaint (section 3 and what it says of requests and replies in section 1).
"""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from forks import run_forked
from overpaint.engines import Canvas, Monitor
from overpaint.engines.exemplar import Exemplar
from overpaint.picture import open_picture
from overpaint.studio import Studio
from servers import Running, running

SIZE = (96, 64)
RNG = np.random.default_rng(7)
PIXELS = RNG.integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Studio() as studio, running(tmp_path_factory.mktemp("defects"), studio) as found:
        yield found


@pytest.fixture
def client(server: Running) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, trust_env=False, timeout=120) as found:
        found.post("/api/v1/model", json={"name": "cv2"})
        yield found


def file(array: np.ndarray | Image.Image, format: str = "PNG", **more: Any) -> bytes:
    out = io.BytesIO()
    (array if isinstance(array, Image.Image) else Image.fromarray(array)).save(out, format, **more)
    return out.getvalue()


def url(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()


def marked(*boxes: tuple[int, int, int, int], size: tuple[int, int] = SIZE) -> np.ndarray:
    mask = np.zeros((size[1], size[0]), np.uint8)
    for left, top, right, bottom in boxes:
        mask[top:bottom, left:right] = 255
    return mask


MASK = marked((30, 20, 60, 44))


def inpaint(client: httpx2.Client, image: bytes, mask: np.ndarray = MASK, **more: Any) -> httpx2.Response:
    return client.post("/api/v1/inpaint", json={"image": url(image), "mask": url(file(mask)), **more})


def array(reply: httpx2.Response) -> np.ndarray:
    assert reply.status_code == 200, reply.text
    return np.asarray(Image.open(io.BytesIO(reply.content)))


class TestSecurity:
    @pytest.mark.parametrize("name", ["/etc/passwd", "../../../etc/passwd", "..%2f..%2fetc%2fpasswd"])
    def test_any_file_of_the_machine_can_be_read(self, client, name):
        reply = client.get("/api/v1/media_file", params={"tab": "input", "filename": name})
        assert reply.status_code == 404
        assert b"root:" not in reply.content

    def test_any_web_page_may_drive_the_server_with_its_visitors_credentials(self, client):
        origin = {"origin": "https://evil.example"}
        for path in ("/api/v1/server-config", "/api/v1/media_file?tab=input&filename=a.png"):
            reply = client.get(path, headers=origin)
            assert reply.status_code == 403
            assert "access-control-allow-origin" not in reply.headers
        assert client.post("/api/v1/model", json={"name": "cv2"}, headers=origin).status_code == 403


class TestRobustness:
    def test_a_wrong_name_of_a_model_breaks_the_server_until_it_is_changed(self, client):
        before = client.get("/api/v1/model").json()
        assert client.post("/api/v1/model", json={"name": "nope"}).status_code == 404
        assert client.get("/api/v1/model").json() == before
        assert inpaint(client, file(PIXELS)).status_code == 200

    @pytest.mark.parametrize(
        "change", [{"image": None}, {"image": ""}, {"image": "@@@"}, {"image": url(b"no picture")}]
    )
    def test_a_missing_or_broken_picture_is_an_error_of_the_server(self, client, change):
        body = {"image": url(file(PIXELS)), "mask": url(file(MASK)), **change}
        reply = client.post("/api/v1/inpaint", json=body)
        assert reply.status_code == 400, reply.text
        assert "image" in reply.json()["detail"] or "picture" in reply.json()["detail"]

    def test_misspelt_settings_and_wrong_samplers_pass_in_silence(self, client):
        reply = inpaint(client, file(PIXELS), sd_step=20)
        assert "no setting is called sd_step" in reply.headers["x-overpaint-note"]
        wrong = inpaint(client, file(PIXELS), sd_sampler="DPM+++ 9M")
        assert wrong.status_code == 400
        assert "DPM+++ 9M" in wrong.json()["detail"]

    def test_the_page_shows_undefined_for_an_error(self, client):
        """It reads `errors`, which FastAPI's 422 does not have."""
        for body in ({}, {"image": 5}, {"image": url(file(PIXELS)), "sd_steps": "many"}):
            reply = client.post("/api/v1/inpaint", json=body)
            assert reply.status_code == 400
            assert reply.json()["errors"] == reply.json()["detail"] != ""
        assert client.get("/api/v1/medias").json()["errors"]  # a missing query

    def test_the_description_says_json_for_a_picture(self, client):
        """Paths of compatible APIs are not in the OpenAPI page; what it says of pictures is true."""
        paths = client.get("/overpaint/v1/openapi.json").json()["paths"]
        assert not any(path.startswith("/api/v1") for path in paths)
        pictures = [path for path in paths if re.search("/pictures/[^/]+/(file|thumbnail|overlay)$", path)]
        assert pictures
        for path in pictures:
            assert list(paths[path]["get"]["responses"]["200"]["content"]) == ["image/*"]


class TestPixels:
    def test_resizing_wraps_values_around(self, client):
        """Black and white text: cubic interpolation overshoots, and 261 became 5."""
        large = np.kron(RNG.integers(0, 2, (50, 60)), np.ones((20, 20))).astype(np.uint8) * 255
        image = np.dstack([large] * 3)
        mask = marked((300, 300, 900, 700), size=(1200, 1000))
        after = array(inpaint(client, file(image), mask, hd_strategy="Resize", hd_strategy_resize_limit=400))
        assert np.array_equal(after[mask == 0], image[mask == 0])
        flat = np.full_like(image, 255)
        flat[:, :600] = 250
        assert array(inpaint(client, file(flat), mask, hd_strategy="Resize"))[mask > 0].min() >= 249

    @pytest.mark.parametrize("model", ["pocket", "exemplar", "cv2"])
    def test_keep_unmasked_area_does_not_keep_it(self, client, model):
        assert client.post("/api/v1/model", json={"name": model}).status_code == 200
        settings = {"prompt": "a stone", "sd_steps": 2, "sd_seed": 1} if model == "pocket" else {}
        after = array(inpaint(client, file(PIXELS), **settings))
        assert np.array_equal(after[MASK == 0], PIXELS[MASK == 0])
        assert not np.array_equal(after[MASK > 0], PIXELS[MASK > 0])

    def test_a_smaller_scale_resamples_the_whole_picture(self, client):
        client.post("/api/v1/model", json={"name": "pocket"})
        reply = inpaint(client, file(PIXELS), sd_scale=0.5, sd_steps=2, prompt="a stone")
        assert np.array_equal(array(reply)[MASK == 0], PIXELS[MASK == 0])
        assert "sd_scale has no effect" in reply.headers["x-overpaint-note"]

    def test_the_old_object_shows_through_at_the_rim_of_the_mask(self, client):
        """Half of the original was left at the mask's edge. A red object on grey must leave no red within its mask."""
        image = np.full((SIZE[1], SIZE[0], 3), 120, np.uint8)
        image[20:44, 30:60] = (255, 0, 0)
        after = array(inpaint(client, file(image))).astype(int)
        assert (after[MASK > 0][:, 0] - after[MASK > 0][:, 1]).max() < 10

    def test_neighbouring_parts_of_a_mask_overwrite_each_other(self, client):
        """Two parts whose surroundings overlap: each must be painted in the result."""
        image = np.full((64, 96, 3), (60, 120, 60), np.uint8)
        mask = marked((30, 20, 46, 44), (50, 20, 66, 44))
        image[mask > 0] = (255, 0, 255)
        after = array(inpaint(client, file(image), mask, hd_strategy="Crop", hd_strategy_crop_trigger_size=10))
        assert np.abs(after.astype(int) - (60, 120, 60)).max() < 10

    def test_625_specks_take_625_forward_passes(self, monkeypatch):
        seen: list[int] = []
        paint_one = Exemplar.paint_one

        def counted(self: Exemplar, canvas: Canvas, monitor: Monitor) -> Any:
            seen.append(1)
            return paint_one(self, canvas, monitor)

        monkeypatch.setattr(Exemplar, "paint_one", counted)
        image = np.full((250, 250, 3), 90, np.uint8)
        mask = np.zeros((250, 250), bool)
        mask[5::10, 5::10] = True
        with Studio() as studio:
            studio.edit(image, mask=mask, intent="remove", engine="exemplar")
        assert mask.sum() == 625
        assert 1 <= len(seen) <= 8

    def test_the_callers_picture_is_changed(self):
        image = np.full((40, 60, 3), 90, np.uint8)
        image[10:20, 10:20] = 255
        before, mask = image.copy(), np.zeros((40, 60), bool)
        mask[8:22, 8:22] = True
        with Studio() as studio:
            edited = studio.edit(image, mask=mask, intent="remove", engine="telea")
        assert np.array_equal(image, before)
        assert mask.sum() == 14 * 14
        assert not np.array_equal(np.asarray(edited.picture.samples), before)

    def test_16_bit_grey_becomes_white(self, client):
        deep = RNG.integers(0, 65535, (SIZE[1], SIZE[0])).astype(np.uint16)
        after = open_picture(inpaint(client, file(deep)).content)
        assert after.depth == 16
        assert np.array_equal(after.samples[..., 0][MASK == 0], deep[MASK == 0])

    def test_a_palette_with_transparency_is_an_error_of_the_server(self, client):
        image = Image.fromarray(PIXELS).convert("P", palette=Image.Palette.ADAPTIVE, colors=16)
        after = array(inpaint(client, file(image, transparency=3)))
        wanted = np.asarray(Image.open(io.BytesIO(file(image, transparency=3))).convert("RGBA"))
        assert np.array_equal(after[MASK == 0], wanted[MASK == 0])

    def test_grey_with_alpha_loses_its_alpha(self, client):
        values = RNG.integers(0, 255, (SIZE[1], SIZE[0], 2), np.uint8)
        after = Image.open(io.BytesIO(inpaint(client, file(Image.fromarray(values, "LA"))).content))
        assert np.array_equal(np.asarray(after.convert("LA"))[MASK == 0], values[MASK == 0])

    def test_cmyk_becomes_rgb(self, client):
        values = RNG.integers(0, 255, (SIZE[1], SIZE[0], 4), np.uint8)
        sent = file(Image.fromarray(values, "CMYK"), "JPEG", quality=95)
        reply = inpaint(client, sent)
        after = Image.open(io.BytesIO(reply.content))
        assert after.mode == "CMYK"
        away = np.zeros(SIZE[::-1], bool)
        away[:, 80:] = True  # beyond the blocks that the mask touches
        assert np.abs(np.asarray(after)[away].astype(int) - np.asarray(Image.open(io.BytesIO(sent)))[away]).max() <= 1

    def test_a_jpeg_is_coded_again_as_a_whole(self, client):
        pytest.importorskip("jpeglib", reason="blocks are carried over with the extra jpeg")
        sent = file(PIXELS, "JPEG", quality=70, subsampling=0)
        reply = inpaint(client, sent)
        assert reply.headers["content-type"] == "image/jpeg"
        after, before = array(reply), np.asarray(Image.open(io.BytesIO(sent)))
        blocks = np.ones(SIZE[::-1], bool)
        blocks[16:48, 24:64] = False  # of 8 x 8 pixels, which the mask touches
        assert np.array_equal(after[blocks], before[blocks])

    def test_text_of_a_png_is_lost_but_for_parameters(self, client):
        from PIL import PngImagePlugin

        info = PngImagePlugin.PngInfo()
        info.add_text("Author", "Ann")
        after = Image.open(io.BytesIO(inpaint(client, file(PIXELS, pnginfo=info, dpi=(300, 300))).content))
        assert after.info["Author"] == "Ann"
        assert round(after.info["dpi"][0]) == 300

    def test_a_drawn_mask_is_dropped_in_silence_with_the_extender(self, client):
        settings = {
            "use_extender": True,
            "extender_x": 0,
            "extender_y": 0,
            "extender_width": 112,
            "extender_height": 64,
        }
        reply = inpaint(client, file(PIXELS), **settings)
        assert array(reply).shape == (64, 112, 3)
        assert "the mask has no effect" in reply.headers["x-overpaint-note"]

    def test_without_a_part_that_is_marked_or_within_the_cropper_nothing_is_painted(self, client):
        for mask, settings in (
            (np.zeros_like(MASK), {}),
            (MASK, {"use_croper": True, "croper_x": 0, "croper_y": 0, "croper_width": 9, "croper_height": 9}),
        ):
            reply = inpaint(client, file(PIXELS), mask, **settings)
            assert np.array_equal(array(reply), PIXELS)
            assert "nothing is marked" in reply.headers["x-overpaint-note"]
        half = {"use_croper": True, "croper_x": 30, "croper_y": 0, "croper_width": 15, "croper_height": 64}
        after = array(inpaint(client, file(PIXELS), **half))
        assert np.array_equal(after[:, 45:], PIXELS[:, 45:])
        assert not np.array_equal(after[20:44, 30:45], PIXELS[20:44, 30:45])


class TestConcurrency:
    def test_requests_at_the_same_time_disturb_each_other(self, client):
        """One pipeline and one random state for all: each must come out as it does alone."""
        client.post("/api/v1/model", json={"name": "pocket"})
        bodies = [{"prompt": "a stone", "sd_steps": 2, "sd_seed": seed, "sd_sampler": "Euler a"} for seed in (1, 2)]
        alone = [array(inpaint(client, file(PIXELS), **body)) for body in bodies]
        together: dict[int, np.ndarray] = {}

        def one(number: int) -> None:
            together[number] = array(inpaint(client, file(PIXELS), **bodies[number]))

        threads = [threading.Thread(target=one, args=(number,)) for number in range(len(bodies))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not np.array_equal(alone[0], alone[1])
        differing = [np.abs(together[one].astype(int) - alone[one]).max() for one in range(len(bodies))]
        assert max(differing) <= 1  # of 255: rows of one pass are rounded otherwise than alone


class TestBatch:
    def test_files_of_one_stem_take_each_others_place_and_a_broken_one_ends_the_run(self, tmp_path):
        for name, data in {"a.png": file(PIXELS), "a.jpg": file(PIXELS, "JPEG"), "broken.png": b"\x89PNG no"}.items():
            (tmp_path / name).write_bytes(data)
        rows = [{"image": name, "box": "30,20,60,44", "engine": "telea"} for name in ("broken.png", "a.png", "a.jpg")]
        (tmp_path / "edits.jsonl").write_text("\n".join(map(json.dumps, rows)))
        done = overpaint("batch", tmp_path / "edits.jsonl", "-o", tmp_path / "out")
        made = [path for path in (tmp_path / "out").iterdir() if path.suffix in (".png", ".jpg")]
        assert sorted(path.suffix for path in made) == [".jpg", ".png"], done.stderr
        assert done.returncode != 0
        assert "broken.png" in (tmp_path / "out" / "report.csv").read_text()

    def test_an_output_with_the_name_of_a_picture_becomes_a_folder(self, tmp_path):
        (tmp_path / "a.png").write_bytes(file(PIXELS))
        words = ["--engine", "telea", "--box", "30,20,60,44", "-o", tmp_path / "x.png"]
        done = overpaint("remove", tmp_path / "a.png", *words)
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "x.png").is_file()


def overpaint(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "overpaint", *map(str, words)]
    return run_forked(command, capture_output=True, text=True, timeout=120)
