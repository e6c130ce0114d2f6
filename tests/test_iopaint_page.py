"""IOPaint 1.6.0's own page, unchanged, in Chromium before this server: a person opens a photo, paints, and sees it."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import numpy as np
import pytest
from PIL import Image

from browser import chromium
from iopaint_page import VERSION, page_before, page_files
from overpaint.studio import Studio
from servers import Running, running

pytest.importorskip("socketio", reason="python-socketio is not installed")

PHOTOS = Path(__file__).parents[2] / "shared" / "photos" / "eval" / "images"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Studio() as studio, running(tmp_path_factory.mktemp("page"), studio) as found:
        yield found


@pytest.fixture(scope="module")
def site(server: Running) -> Iterator[str]:
    files = page_files()
    if files is None:
        pytest.skip(f"the wheel of IOPaint {VERSION} can't be had here")
    with files, page_before(server.url, files) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real photo where there is one, else a drawn one."""
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    if PHOTOS.exists():
        image = Image.open(sorted(PHOTOS.glob("*.jpg"))[1]).convert("RGB").resize((256, 192))
    else:
        rows = np.random.default_rng(0).integers(0, 255, (12, 16, 3), np.uint8)
        image = Image.fromarray(rows).resize((256, 192), Image.Resampling.BICUBIC)
    image.save(path)
    return path


WATCH = """
const fetched = window.fetch;
window.replies = {};
window.fetch = async (...what) => {
  const reply = await fetched(...what);
  const bytes = new Uint8Array(await reply.clone().arrayBuffer());
  window.replies[new URL(reply.url).pathname] = btoa(bytes.reduce((text, one) => text + String.fromCharCode(one), ""));
  return reply;
};
"""
"""Keeps the bodies of replies: Chromium does not keep those that a page reads as blobs."""


class Page:
    """The page with an open photo."""

    def __init__(self, browser: Any, site: str, photo: Path) -> None:
        self.frames: list[str] = []
        self.page = browser.new_page(viewport={"width": 1100, "height": 800})
        self.page.set_default_timeout(60_000)
        self.page.on("websocket", lambda one: one.on("framereceived", lambda frame: self.frames.append(str(frame))))
        self.page.add_init_script(WATCH)
        self.page.goto(site)
        with self.page.expect_response("**/api/v1/gen-info"):
            self.page.set_input_files("input[type=file] >> nth=0", str(photo))
        self.page.wait_for_selector("canvas")
        self.until(lambda: np.array_equal(self.shown(), np.asarray(Image.open(photo))))

    def until(self, holds: Any) -> None:
        over = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < over
            self.page.wait_for_timeout(100)

    def shown(self) -> np.ndarray:
        """(H, W, 3): what the page shows."""
        data = self.page.evaluate("document.querySelector('canvas').toDataURL('image/png')")
        return np.asarray(Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))).convert("RGB"))

    def body(self, reply: Any) -> bytes:
        """The body of a reply that the page has read."""
        assert reply.status == 200, reply.status_text
        path = urlsplit(reply.url).path
        self.page.wait_for_function("path => window.replies[path]", arg=path)
        return base64.b64decode(self.page.evaluate("path => window.replies[path]", path))

    def middle(self) -> tuple[float, float]:
        box = self.page.locator("canvas").first.bounding_box()
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def stroke(self) -> None:
        """A stroke of the brush in the middle of the photo."""
        across, down = self.middle()
        mouse = self.page.mouse
        mouse.move(across - 10, down)
        mouse.down()
        mouse.move(across + 20, down + 8, steps=5)
        mouse.up()


@pytest.fixture
def page(browser: Any, site: str, photo: Path, server: Running, model: str) -> Iterator[Page]:
    httpx2.post(f"{server.url}/api/v1/model", json={"name": model}, trust_env=False).raise_for_status()
    found = Page(browser, site, photo)
    yield found
    found.page.close()


def edited(page: Page, reply: Any) -> tuple[np.ndarray, np.ndarray]:
    """The reply's pixels, and what of them the mask that was sent left alone."""
    sent = base64.b64decode(reply.request.post_data_json["mask"].partition(",")[2])
    marked = np.asarray(Image.open(io.BytesIO(sent)).convert("RGB").convert("L")) > 127
    assert 50 < marked.sum() < marked.size / 4
    return np.asarray(Image.open(io.BytesIO(page.body(reply))).convert("RGB")), ~marked


@pytest.mark.parametrize("model", ["cv2"])
def test_a_stroke_removes_what_it_covers_and_can_be_undone_and_saved(page, photo, server):
    before = np.asarray(Image.open(photo))
    with page.page.expect_response("**/api/v1/inpaint") as found:
        page.stroke()
    after, kept = edited(page, found.value)
    assert np.array_equal(after[kept], before[kept])
    assert not np.array_equal(after, before)
    page.until(lambda: np.array_equal(page.shown(), after))
    with page.page.expect_response("**/api/v1/save_image") as saved:
        page.page.keyboard.press("Control+s")
    assert saved.value.status == 200
    (file,) = (server.server.settings.data / "named").glob("*/output/*")
    assert file.name == "photo.png"
    assert np.array_equal(np.asarray(Image.open(file).convert("RGB")), after)
    page.page.keyboard.press("Control+z")
    page.until(lambda: np.array_equal(page.shown(), before))


@pytest.mark.parametrize("model", ["pocket"])
def test_a_model_paints_from_a_prompt_and_its_steps_are_shown(page, photo):
    page.page.locator("#steps").first.fill("4")
    page.page.locator("textarea").first.fill("a red scarf")
    page.page.mouse.click(5, 400)
    page.stroke()
    with page.page.expect_response("**/api/v1/inpaint", timeout=240_000) as found:
        page.page.get_by_role("button", name="Paint").first.click()
    after, kept = edited(page, found.value)
    assert found.value.request.post_data_json["prompt"] == "a red scarf"
    before = np.asarray(Image.open(photo))
    assert np.array_equal(after[kept], before[kept])
    page.until(lambda: np.array_equal(page.shown(), after))
    page.until(lambda: any("diffusion_finish" in frame for frame in page.frames))
    assert sum("diffusion_progress" in frame for frame in page.frames) >= 2


@pytest.mark.parametrize("model", ["cv2"])
def test_a_click_selects_with_the_plug_in(page):
    page.page.locator("button[aria-haspopup=menu]").first.click()
    page.page.get_by_role("menuitem", name="Interactive Segmentation").click()
    with page.page.expect_response("**/api/v1/run_plugin_gen_mask") as found:
        page.page.mouse.click(*page.middle())
    mask = Image.open(io.BytesIO(page.body(found.value)))
    assert mask.mode == "RGBA"
    assert mask.getpixel((128, 96)) == (255, 203, 0, 186)
