"""The pictures of docs/editor.md, made by the editor itself: python tests/editor_screenshots.py [FOLDER].

The photograph is the editor's own example, which needs no file; the checkpoint and the ControlNet are small ones with
random weights, which paint nothing here.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from browser import chromium
from editor_page import Editor
from overpaint.studio import Studio
from servers import running
from test_diffusion_control_engine import controlnet
from test_diffusion_engine import checkpoint

FOLDER = Path(__file__).parents[1] / "docs" / "editor"


def shot(page: Any, path: Path) -> None:
    """Keep what the page shows."""
    page.wait_for_timeout(1200)
    Image.open(io.BytesIO(page.screenshot())).convert("RGB").save(path, "WEBP", quality=82, method=6)


def mark(editor: Editor) -> None:
    """Paint over the buoy of the example."""
    page = editor.page
    page.get_by_role("button", name="Fit", exact=True).click()
    page.wait_for_timeout(500)
    box, now = page.locator(".canvas-host").bounding_box(), editor.status()
    zoom = int(page.locator(".zoom").inner_text().split()[0]) / 100

    def at(x: float, y: float) -> tuple[float, float]:
        across, down = (x - now["width"] / 2) * zoom, (y - now["height"] / 2) * zoom
        return box["x"] + box["width"] / 2 + across, box["y"] + box["height"] / 2 + down

    page.mouse.move(*at(760, 520))
    page.mouse.down()
    for place in ((760, 560), (735, 590), (730, 640), (715, 660), (800, 662), (795, 610), (765, 570), (760, 640)):
        page.mouse.move(*at(*place), steps=6)
    page.mouse.up()
    page.mouse.move(box["x"] + 30, box["y"] + box["height"] - 30)


def guide(editor: Editor) -> None:
    """Draw a boat to the left of the buoy, and have the picture's edges guide too."""
    page = editor.page
    page.locator("input[name=intent][value=add]").check(force=True)
    page.get_by_label("Prompt").fill("a small sailing boat")
    editor.choose(Model="tiny")
    box = page.locator(".canvas-host").bounding_box()
    x, y = box["x"] + box["width"] * 0.36, box["y"] + box["height"] * 0.62
    page.get_by_role("button", name="Ellipse", exact=True).click()
    editor.drag((x - 110, y - 135), (x + 110, y + 70))
    page.get_by_role("button", name="Lines that guide").click()
    hull = ((-70, 10), (-48, 42), (44, 42), (76, 8), (-70, 10))
    for line in (hull, ((0, 8), (0, -112), (60, -8), (0, -8)), ((-6, -100), (-46, -6), (-6, -6))):
        editor.drag(*((x + dx, y + dy) for dx, dy in line))
    page.locator(".panel-content").get_by_role("button", name="Edges").click()
    page.get_by_role("group", name="Lines drawn").get_by_role("slider", name="Weight").fill("0.9")
    page.mouse.move(box["x"] + 30, box["y"] + box["height"] - 30)


def make(folder: Path) -> list[Path]:
    """Make all of them. The files."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("start", "marked", "results", "layers-dark", "settings-dark", "guides", "narrow")
    paths = {name: folder / f"{name}.webp" for name in names}
    with tempfile.TemporaryDirectory() as home:
        os.environ["OVERPAINT_HOME"] = home
        models = Path(home) / "models"
        models.mkdir()
        checkpoint(models / "tiny", 4)
        for seed, name in enumerate(("tiny-lineart", "tiny-canny")):
            controlnet(models / name, seed)
        _shots(paths)
    return list(paths.values())


def _shots(paths: dict[str, Path]) -> None:
    with (
        tempfile.TemporaryDirectory() as data,
        Studio(threads=1) as studio,
        running(Path(data), studio) as server,
        chromium() as browser,
    ):
        context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB", reduced_motion="reduce")
        editor = Editor(context, server)
        page = editor.page
        page.set_default_timeout(600_000)
        page.goto(editor.url)
        page.get_by_role("button", name="Try the example").wait_for()
        shot(page, paths["start"])
        page.get_by_role("button", name="Try the example").click()
        page.locator(".canvas-host canvas").first.wait_for()
        mark(editor)
        page.locator(".go[aria-disabled=false]").wait_for()
        page.wait_for_timeout(2500)
        shot(page, paths["marked"])
        for _ in range(2):
            page.locator(".count button").last.click()
        editor.generate()
        page.locator(".take").nth(2).wait_for()
        page.locator(".take-picture").nth(1).click()
        page.locator(".chip.preview").wait_for()
        shot(page, paths["results"])
        page.locator(".chip").get_by_role("button", name="Apply").click()
        page.locator(".chip.preview").wait_for(state="detached")
        page.emulate_media(color_scheme="dark")
        editor.tab("Layers")
        shot(page, paths["layers-dark"])
        editor.tab("Masks")
        page.get_by_role("button", name="Settings", exact=True).click()
        page.locator("#setting-grow").wait_for()
        shot(page, paths["settings-dark"])
        page.get_by_role("button", name="Settings", exact=True).click()
        page.emulate_media(color_scheme="light")
        guide(editor)
        shot(page, paths["guides"])
        page.get_by_role("button", name="Results and layers").click()
        page.set_viewport_size({"width": 720, "height": 900})
        page.get_by_role("button", name="Fit", exact=True).click()
        shot(page, paths["narrow"])
        context.close()


if __name__ == "__main__":
    for made in make(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER):
        print(made)
