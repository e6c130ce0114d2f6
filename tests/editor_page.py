"""The editor in Chromium before a real server, for tests: a person's hands, and what the server says."""

from __future__ import annotations

import contextlib
import io
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
from PIL import Image

from browser import packages
from servers import Running

LONG = 90.0
"""Seconds that a step may take on a machine that does much else."""


def picture(width: int = 320, height: int = 240, seed: int = 0) -> np.ndarray:
    """(H, W, 3) uint8: a smooth scene with grain, and a red disc at (160, 120)."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    base = np.stack([120 + 60 * np.sin(columns / 40 + k) + 40 * rows / height for k in range(3)], axis=2)
    base[(columns - width // 2) ** 2 + (rows - height // 2) ** 2 < 20**2] = (210, 40, 30)
    return np.clip(base + rng.normal(0, 6, base.shape), 0, 255).astype(np.uint8)


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


class Editor:
    """A page of the editor.

    Attributes:
        page: Playwright's page.
        errors: What the page reported as errors.
        client: Of the server's API, for what a page can't be asked.
    """

    def __init__(self, context: Any, server: Running, key: str | None = None) -> None:
        self.page = context.new_page()
        self.page.set_default_timeout(LONG * 1000)
        self.errors: list[str] = []
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda one: self.errors.append(one.text) if one.type == "error" else None)
        self.url = server.url
        self.client = server.client(key)
        self.client.timeout = httpx2.Timeout(LONG)

    @contextlib.contextmanager
    def closing(self) -> Iterator[Editor]:
        """It, and at the end no error of the page beside calls that failed."""
        try:
            yield self
        finally:
            self.client.close()
        errors = [one for one in self.errors if "Failed to load resource" not in one]
        assert errors == []

    def open(self, pixels: np.ndarray, name: str = "photo.png", *, goto: bool = True) -> None:
        """Open a picture by the dialog for files, on a page of its own or on the one that is shown."""
        if goto:
            self.page.goto(self.url)
        file = {"name": name, "mimeType": "image/png", "buffer": png(pixels)}
        self.page.locator("main input[type=file]").set_input_files(file)
        self.ready()

    def ready(self) -> None:
        """Wait until the picture is there, whole, at 100 %."""
        self.page.locator(".canvas-host canvas").first.wait_for()
        self.page.locator(".zoom").click()
        self.until(lambda: self.page.locator(".zoom").inner_text() == "100 %")

    @property
    def session(self) -> str:
        """The id of the open session."""
        found = re.search(r"#([0-9a-f]{32})$", self.page.url)
        assert found, self.page.url
        return found[1]

    def status(self) -> dict[str, Any]:
        return dict(self.client.get(f"/sessions/{self.session}").json())

    def pixels(self, of: str = "now") -> np.ndarray:
        """The session's picture by the server, without loss."""
        found = self.client.get(
            f"/sessions/{self.session}/picture", params={"format": "png", "side": 4096, "of": of}
        ).raise_for_status()
        return np.asarray(Image.open(io.BytesIO(found.content)).convert("RGB"))

    def until(self, holds: Callable[[], Any]) -> None:
        over = time.monotonic() + LONG
        while not holds():
            assert time.monotonic() < over, self.page.locator("body").inner_text()
            self.page.wait_for_timeout(50)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a place of the picture is on the screen, at 100 % and in the middle."""
        box = self.page.locator(".canvas-host").bounding_box()
        now = self.status()
        return box["x"] + box["width"] / 2 + x - now["width"] / 2, box["y"] + box["height"] / 2 + y - now["height"] / 2

    def stroke(self, *places: tuple[float, float]) -> None:
        """A stroke from place to place of the picture."""
        self.drag(*[self.at(*one) for one in places])

    def drag(self, *points: tuple[float, float]) -> None:
        """A stroke from place to place of the screen."""
        mouse = self.page.mouse
        mouse.move(*points[0])
        mouse.down()
        for point in points[1:]:
            mouse.move(*point, steps=4)
        mouse.up()

    def cover(self) -> None:
        """Paint over the red disc."""
        rows = ((146, 107), (174, 107), (174, 120), (146, 120), (146, 133), (174, 133))
        self.stroke((160, 120), *rows)

    def generate(self) -> None:
        """Press the button as soon as it can be pressed."""
        self.page.locator(".go[aria-disabled=false]").click()

    def steps(self) -> list[dict[str, Any]]:
        return list(self.status()["steps"])

    def removed(self) -> None:
        """Remove the red disc, and wait until it is gone."""
        before = len(self.steps())
        self.cover()
        self.generate()
        self.until(lambda: len(self.steps()) == before + 1)
        self.page.locator(".take").first.wait_for()

    def edited(self) -> None:
        """An edit of the open session by the API, with an engine that takes no time."""
        task = {"request": {"intent": "remove", "engine": "telea"}, "marks": {"box": ["140,100,180,140"]}}
        before = len(self.steps())
        self.client.post(f"/sessions/{self.session}/edits", json=task).raise_for_status()
        self.until(lambda: len(self.steps()) == before + 1)
        self.page.locator(".take").first.wait_for()

    def choose(self, **settings: str) -> None:
        """Settings behind the fold, by their names."""
        fold = self.page.get_by_role("button", name=re.compile("^Settings( \\(|$)"))
        fold.click()
        for name, value in settings.items():
            if name in ("Engine", "Model"):
                self.page.get_by_label(name, exact=True).select_option(value)
            else:
                self.page.locator(f"#setting-{name}").fill(value)
                self.page.locator(f"#setting-{name}").press("Tab")
        fold.click()

    def tab(self, name: str) -> None:
        self.page.get_by_role("tab", name=name).click()

    def saved(self, act: Callable[[], Any], folder: Path) -> Path:
        """The file that an action has the browser keep."""
        with self.page.expect_download() as found:
            act()
        path = folder / found.value.suggested_filename
        found.value.save_as(path)
        return path

    def mask(self, folder: Path) -> np.ndarray:
        """(H, W) uint8: the active mask, as the panel saves it."""
        self.tab("Masks")
        path = self.saved(self.page.get_by_role("button", name="Save", exact=True).click, folder)
        found = Image.open(path)
        assert found.mode == "L"
        return np.asarray(found)

    def stored(self, id: str) -> np.ndarray:
        """The pixels of a picture that the server keeps."""
        return np.asarray(Image.open(io.BytesIO(self.client.get(f"/pictures/{id}/file").raise_for_status().content)))

    def exported(self, format: str, folder: Path) -> Path:
        """The picture as the dialog for exports saves it."""
        self.page.locator(".canvas-host").focus()
        self.page.keyboard.press("Control+s")
        self.page.locator(f"input[name=format][value={format}]").check()
        return self.saved(self.page.get_by_role("button", name="Save the picture").click, folder)


def faults(page: Any) -> list[str]:
    """What axe finds that is serious or critical."""
    page.evaluate((packages() / "axe-core" / "axe.min.js").read_text() + "; undefined")
    found = page.evaluate("async () => (await axe.run()).violations")
    return [
        f"{one['id']}: {one['nodes'][0]['html'][:160]} {one['nodes'][0].get('failureSummary', '')[:300]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]
