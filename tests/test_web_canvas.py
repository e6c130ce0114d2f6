"""The editor's canvas engine on a page of its own, in Chromium, with real pointers, pens, wheels and keys."""

from __future__ import annotations

import base64
import functools
import http.server
import io
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from browser import chromium, packages

WEB = Path(__file__).parents[1] / "web"
WIDTH, HEIGHT = 600, 400


class QuietFiles(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    vite = packages() / "vite" / "bin" / "vite.js"
    folder = tmp_path_factory.mktemp("page")
    command = ["node", vite, "build", "--config", "tests/pages/vite.config.ts", "--outDir", folder]
    subprocess.run(command, cwd=WEB, check=True, capture_output=True, timeout=120)
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(QuietFiles, directory=str(folder))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/canvas.html"
        server.shutdown()


@pytest.fixture(scope="module")
def opened(site: str) -> Iterator[Any]:
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 920, "height": 640}, has_touch=True)
        page.goto(site)
        yield page


@pytest.fixture
def page(opened: Any) -> Any:
    """The page with a picture of 600 x 400, shown at 100 %: picture (x, y) lies at screen (x + 150, y + 100)."""
    opened.bring_to_front()
    opened.mouse.move(910, 630)
    renew(opened)
    return opened


def renew(page: Any, options: str = "{}", width: int = WIDTH, height: int = HEIGHT) -> None:
    page.evaluate(
        f"""async () => {{
            page.renew({options});
            page.canvas.setPicture(await page.bitmap({width}, {height}), {{ ownBitmap: true }});
            page.canvas.setView({{ zoom: 1, centre: {{ x: {width / 2}, y: {height / 2} }} }});
            page.canvas.setBrush("brush", {{ size: 20, hardness: 1 }});
            page.canvas.setBrush("eraser", {{ size: 20, hardness: 1 }});
            await page.canvas.settled();
            page.heard.length = 0;
        }}"""
    )


def drag(page: Any, *places: tuple[float, float], button: str = "left", steps: int = 6) -> None:
    """From place to place, in picture pixels (at zoom 1)."""
    (x, y), *others = places
    page.mouse.move(x + 150, y + 100)
    page.mouse.down(button=button)
    for x, y in others:
        page.mouse.move(x + 150, y + 100, steps=steps)
    page.mouse.up(button=button)


def mask(page: Any, name: str = "mask-1") -> np.ndarray:
    """The exported PNG, read by Pillow."""
    data = page.evaluate(f"async () => page.base64(await page.canvas.exportMask('{name}'))")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert image.mode == "L"
    return np.asarray(image)


def heard(page: Any, name: str) -> list[Any]:
    return page.evaluate(f"page.heard.filter((one) => one.name === '{name}').map((one) => one.value)")


def undo_label(page: Any) -> str | None:
    return page.evaluate("page.canvas.history.undo")


def test_a_stroke_is_one_step_of_undo_and_leaves_nothing(page):
    drag(page, (100, 100), (300, 100), (300, 300))
    painted = mask(page)
    assert painted[100, 200] == 255
    assert painted[200, 300] == 255
    assert painted[300, 100] == 0
    assert heard(page, "history")[-1]["undo"] == "Paint"
    page.keyboard.press("Control+z")
    assert not mask(page).any()
    page.keyboard.press("Control+Shift+z")
    assert np.array_equal(mask(page), painted)


def test_a_stroke_may_leave_the_canvas_and_come_back(page):
    page.mouse.move(250, 200)
    page.mouse.down()
    page.mouse.move(910, 200, steps=4)
    page.mouse.move(910, 630, steps=4)
    page.mouse.move(250, 400, steps=8)
    page.mouse.up()
    painted = mask(page)
    assert painted[100, 300] == 255
    assert painted[100, 599] == 255
    assert painted[300, 100] == 255
    assert len(heard(page, "strokeEnd")) == 1


@pytest.mark.parametrize("zoom", [0.1, 0.37, 1, 2.5, 8])
def test_the_brush_paints_under_the_pointer_in_its_own_size_at_every_zoom(page, zoom):
    page.evaluate(f"page.canvas.setView({{ zoom: {zoom}, centre: {{ x: 300, y: 200 }} }})")
    where = page.evaluate("page.canvas.toScreen({ x: 290.5, y: 210.5 })")
    page.mouse.move(where["x"], where["y"])
    page.mouse.down()
    page.mouse.up()
    rows, columns = np.nonzero(mask(page) >= 128)
    assert abs(np.ptp(rows) + 1 - 20) <= 1
    assert abs(np.ptp(columns) + 1 - 20) <= 1
    assert abs(columns.mean() - 290) <= 0.6 / zoom + 0.5
    assert abs(rows.mean() - 210) <= 0.6 / zoom + 0.5


def test_a_pen_presses_a_wider_line_and_its_pressure_is_exact(page):
    session = page.context.new_cdp_session(page)

    def pen(kind: str, x: float, y: float, force: float) -> None:
        event = {"type": kind, "x": x + 150, "y": y + 100, "button": "left", "buttons": 1, "force": force}
        session.send("Input.dispatchMouseEvent", {**event, "pointerType": "pen", "clickCount": 1})

    page.evaluate("page.canvas.setBrush('brush', { size: 80 })")
    pen("mousePressed", 100, 200, 0.25)
    pen("mouseMoved", 200, 200, 0.25)
    pen("mouseMoved", 400, 200, 1.0)
    pen("mouseReleased", 400, 200, 1.0)
    heights = (mask(page) >= 128).sum(axis=0)
    assert heights[150] == 20
    assert heights[400] == 80
    assert 40 < heights[300] < 60

    # A palm beside the pen neither paints nor ends what the pen does.
    before = page.evaluate("page.sum()")
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": 300, "y": 400}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": 500, "y": 420}]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert page.evaluate("page.sum()") == before


def test_one_finger_paints_and_two_move_the_view(page):
    session = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        places = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": places})

    touch("touchStart", (250, 200))
    touch("touchMove", (350, 200))
    touch("touchEnd")
    assert mask(page)[100, 150] == 255
    before = page.evaluate("page.sum()")
    touch("touchStart", (400, 300))
    touch("touchStart", (400, 300), (500, 300))
    touch("touchMove", (350, 300), (550, 300))
    touch("touchEnd")
    assert page.evaluate("page.canvas.view.zoom") == pytest.approx(2, rel=0.02)
    assert page.evaluate("page.sum()") == before
    assert undo_label(page) == "Paint"


def test_shift_click_joins_by_a_straight_line(page):
    drag(page, (50, 50), (51, 50))
    page.keyboard.down("Shift")
    page.mouse.move(450, 350)
    page.mouse.down()
    page.mouse.up()
    page.keyboard.up("Shift")
    painted = mask(page)
    assert painted[150, 175] == 255
    assert painted[250, 300] == 255


def test_the_eraser_by_key_by_right_button_and_each_with_its_own_size(page):
    page.evaluate("page.canvas.paintArea([{x:0,y:0},{x:600,y:0},{x:600,y:400},{x:0,y:400}])")
    page.evaluate("page.canvas.focus(); page.canvas.setBrush('eraser', { size: 40 })")
    drag(page, (100, 100), (200, 100), button="right")
    erased = mask(page)
    assert (erased[:, 150] == 0).sum() == 40
    page.keyboard.press("x")
    assert page.evaluate("page.canvas.tool") == "eraser"
    drag(page, (100, 300), (200, 300))
    assert mask(page)[300, 150] == 0
    page.keyboard.press("x")
    page.keyboard.press("]")
    assert page.evaluate("[page.canvas.brush('brush').size, page.canvas.brush('eraser').size]") == [24, 40]
    page.keyboard.press("Shift+{")
    assert page.evaluate("page.canvas.brush('brush').hardness") == pytest.approx(0.9)


def test_the_wheel_zooms_about_the_pointer_and_with_control_sizes_the_brush(page):
    page.mouse.move(250, 150)
    before = page.evaluate("page.canvas.toPicture({ x: 250, y: 150 })")
    page.mouse.wheel(0, -300)
    page.wait_for_function("page.canvas.view.zoom > 1.3")
    after = page.evaluate("page.canvas.toPicture({ x: 250, y: 150 })")
    assert abs(after["x"] - before["x"]) < 1
    assert abs(after["y"] - before["y"]) < 1
    zoom = page.evaluate("page.canvas.view.zoom")
    page.keyboard.down("Control")
    page.mouse.wheel(0, -100)
    page.wait_for_function("page.canvas.brush('brush').size === 23")
    page.keyboard.up("Control")
    assert page.evaluate("page.canvas.view.zoom") == zoom
    # A touchpad's pinch is a wheel that says Control without the key.
    pinch = "new WheelEvent('wheel', { deltaY: -10, ctrlKey: true, clientX: 250, clientY: 150, bubbles: true })"
    page.evaluate(f"document.querySelector('#host > div').dispatchEvent({pinch})")
    assert page.evaluate("page.canvas.view.zoom") > zoom


def test_space_and_the_middle_button_pan_also_during_a_stroke(page):
    page.evaluate("page.canvas.focus()")
    page.keyboard.down("Space")
    drag(page, (100, 100), (160, 130))
    page.keyboard.up("Space")
    assert page.evaluate("page.canvas.toScreen({ x: 0, y: 0 })") == {"x": 210, "y": 130}
    drag(page, (100, 100), (40, 70), button="middle")
    assert page.evaluate("page.canvas.toScreen({ x: 0, y: 0 })") == {"x": 150, "y": 100}
    assert page.evaluate("page.sum()") == 0
    page.mouse.move(250, 200)
    page.mouse.down()
    page.mouse.move(300, 200, steps=3)
    page.keyboard.down("Space")
    page.mouse.move(300, 300, steps=3)
    page.keyboard.up("Space")
    page.mouse.move(400, 300, steps=3)
    page.mouse.up()
    painted = mask(page)
    assert painted[100, 240] == 255
    assert painted[:, 150].sum() == painted[90:110, 150].sum()
    assert painted[130:].sum() == 0


def test_letting_go_of_space_presses_no_button_and_typing_is_left_alone(page):
    renew(page, "{ keyTarget: window }")
    page.evaluate(
        "window.pressed = 0; other.onclick = () => window.pressed++; page.canvas.setTool('lasso'); other.focus()"
    )
    page.keyboard.press("Space")
    assert page.evaluate("window.pressed") == 1
    page.mouse.move(300, 300)
    page.mouse.down()
    page.mouse.up()
    page.keyboard.press("Space")
    assert page.evaluate("window.pressed") == 1
    page.focus("#field")
    page.keyboard.type("b e[x] ")
    assert page.input_value("#field") == "b e[x] "
    assert page.evaluate("page.canvas.tool") == "lasso"


def test_an_app_may_pass_keys_on_by_itself_both_ways(page):
    renew(page, "{ keyTarget: null }")
    page.evaluate("page.canvas.focus()")
    page.evaluate("void (onkeydown = onkeyup = (event) => void page.canvas.handleKey(event))")
    page.keyboard.press("x")
    page.keyboard.press("]")
    assert page.evaluate("[page.canvas.tool, page.canvas.brush('eraser').size]") == ["eraser", 24]
    page.keyboard.down("Space")
    drag(page, (100, 100), (130, 100))
    page.keyboard.up("Space")
    assert page.evaluate("page.canvas.toScreen({ x: 0, y: 0 })") == {"x": 180, "y": 100}
    page.evaluate("void (onkeydown = onkeyup = null)")


def test_a_stroke_outlives_the_loss_of_focus_and_a_cancelled_pointer(page):
    page.mouse.move(250, 200)
    page.mouse.down()
    page.mouse.move(350, 200, steps=3)
    page.evaluate("window.dispatchEvent(new Event('blur'))")
    assert mask(page)[100, 150] == 255
    assert undo_label(page) == "Paint"
    page.mouse.up()
    page.mouse.down()
    page.mouse.move(350, 300, steps=3)
    page.evaluate(
        "document.querySelector('#host > div').dispatchEvent(new PointerEvent('pointercancel', { pointerId: 1 }))"
    )
    assert page.evaluate("page.canvas.painting") is False
    assert mask(page)[150, 200] == 255
    page.mouse.up()
    assert heard(page, "strokeEnd") == [{"tool": "brush", "cancelled": False}] * 2


def test_escape_takes_a_stroke_back(page):
    page.mouse.move(250, 200)
    page.mouse.down()
    page.mouse.move(350, 200, steps=3)
    page.keyboard.press("Escape")
    page.mouse.up()
    assert not mask(page).any()
    assert undo_label(page) is None
    assert heard(page, "strokeEnd") == [{"tool": "brush", "cancelled": True}]


def test_areas_add_subtract_and_intersect(page):
    page.evaluate("page.canvas.setTool('rectangle')")
    drag(page, (50, 50), (250, 200))
    assert np.array_equal(np.argwhere(mask(page)).min(axis=0), [50, 50])
    assert mask(page).sum() == 255 * 200 * 150
    page.keyboard.down("Alt")
    drag(page, (100, 100), (150, 150))
    page.keyboard.up("Alt")
    assert mask(page).sum() == 255 * (200 * 150 - 2500)
    page.keyboard.down("Shift")
    page.keyboard.down("Alt")
    drag(page, (50, 50), (80, 70))
    page.keyboard.up("Alt")
    page.keyboard.up("Shift")
    assert mask(page).sum() == 255 * 900  # Shift makes it square: 30 x 30.
    page.evaluate("page.canvas.refineMask({ kind: 'clear' }); page.canvas.setTool('ellipse')")
    drag(page, (100, 100), (300, 200))
    assert mask(page).sum() / 255 == pytest.approx(np.pi * 100 * 50, abs=10)
    page.evaluate("page.canvas.refineMask({ kind: 'clear' }); page.canvas.setTool('lasso')")
    drag(page, (100, 100), (300, 100), (300, 300))
    assert mask(page)[150, 250] == 255
    assert mask(page)[250, 150] == 0


def test_a_polygon_is_closed_by_enter_or_its_first_corner(page):
    page.evaluate("page.canvas.setTool('polygon'); page.canvas.focus()")
    for x, y in [(100, 100), (300, 100), (300, 300), (500, 350)]:
        page.mouse.click(x + 150, y + 100)
        page.wait_for_timeout(20)
    page.keyboard.press("Backspace")
    assert not mask(page).any()
    page.keyboard.press("Enter")
    assert mask(page).sum() / 255 == pytest.approx(200 * 200 / 2, abs=150)
    for x, y in [(400, 50), (500, 50), (500, 150), (400, 50)]:
        page.mouse.click(x + 150, y + 100)
    assert mask(page)[70, 480] == 255


def test_fills_stop_at_painted_borders_or_at_other_colours(page):
    page.evaluate("page.canvas.setBrush('brush', { size: 12, hardness: 0.3 })")
    drag(page, (100, 100), (300, 100), (300, 300), (100, 300), (100, 100))
    page.evaluate("page.canvas.setTool('fill')")
    page.mouse.click(350, 300)
    page.wait_for_function("page.canvas.history.undo === 'Fill'")
    filled = mask(page)
    assert (filled[106:294, 106:294] == 255).all()
    assert not filled[:80].any()
    page.evaluate("page.canvas.refineMask({ kind: 'clear' }); page.canvas.setFill({ by: 'colour', tolerance: 8 })")
    page.mouse.click(150 + 60, 100 + 60)  # Inside of a flat square of 20 px: from 50 to 70.
    page.wait_for_function("page.canvas.history.undo === 'Fill'")
    filled = mask(page)
    assert filled[50:70, 50:70].min() == 255
    assert filled.sum() == 255 * 400


def test_invert_grow_shrink_and_feather_are_undone_exactly(page):
    drag(page, (100, 100), (300, 250))
    first = mask(page)
    states = [first]
    for change in (
        "{ kind: 'invert' }",
        "{ kind: 'invert' }",
        "{ kind: 'grow', radius: 7 }",
        "{ kind: 'shrink', radius: 7 }",
        "{ kind: 'feather', sigma: 5 }",
    ):
        page.evaluate(f"page.canvas.refineMask({change})")
        states.append(mask(page))
    assert np.array_equal(states[1], 255 - first)
    assert np.array_equal(states[2], first)
    assert (states[3] >= first).all()
    assert states[3].sum() > first.sum()
    assert (states[4] >= first).all()
    for state in reversed(states[:-1]):
        page.evaluate("page.canvas.undo()")
        assert np.array_equal(mask(page), state)


def test_a_mask_that_is_opened_and_saved_keeps_every_value(page):
    values = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH), np.uint8)
    file = io.BytesIO()
    Image.fromarray(values).save(file, "png")
    text = base64.b64encode(file.getvalue()).decode()
    page.evaluate("(text) => page.canvas.importMask(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)))", text)
    assert np.array_equal(mask(page), values)
    error = page.evaluate(
        "page.canvas.importMask({ width: 2, height: 2, values: new Uint8Array(4) }).catch((e) => e.message)"
    )
    assert error == "the mask is 2 x 2, the picture 600 x 400"


def test_a_mask_that_is_opened_again_can_be_edited_and_is_laid_on_once(page):
    drag(page, (100, 100), (300, 100))
    page.evaluate("async () => { window.saved = await page.canvas.exportMask(); }")
    for combine in ("replace", "add"):
        page.evaluate(f"page.canvas.importMask(window.saved, {{ combine: '{combine}' }})")
        again = page.evaluate("async () => String(await page.canvas.exportMask()) === String(window.saved)")
        assert again, "the same file, byte by byte"
    before = mask(page)
    drag(page, (200, 100), (201, 100), button="right")
    after = mask(page)
    assert after[100, 200] == 0
    assert np.array_equal(after[:, :180], before[:, :180])
    page.keyboard.press("Control+z")
    assert np.array_equal(mask(page), before)


def test_alt_and_a_drag_size_the_brush_and_paint_nothing(page):
    page.keyboard.down("Alt")
    drag(page, (100, 100), (140, 100))
    page.keyboard.up("Alt")
    assert page.evaluate("page.canvas.brush('brush').size") > 25
    before = page.evaluate("page.canvas.brush('brush').hardness")
    page.keyboard.down("Alt")
    drag(page, (100, 100), (100, 160))
    page.keyboard.up("Alt")
    assert page.evaluate("page.canvas.brush('brush').hardness") < before
    assert page.evaluate("page.sum()") == 0
    assert undo_label(page) is None


def test_a_key_that_is_held_while_the_window_loses_the_focus_holds_no_longer(page):
    page.evaluate("page.canvas.focus()")
    page.keyboard.down("Space")
    page.evaluate("window.dispatchEvent(new Event('blur'))")
    drag(page, (100, 100), (200, 100))
    page.keyboard.up("Space")
    assert mask(page)[100, 150] == 255
    assert page.evaluate("page.canvas.toScreen({ x: 0, y: 0 })") == {"x": 150, "y": 100}


def test_several_masks_each_keep_to_themselves(page):
    drag(page, (100, 100), (200, 100))
    first = mask(page)
    page.evaluate("page.canvas.addMask({ name: 'Keep away', role: 'avoid' }); page.canvas.setActiveMask('mask-2')")
    page.evaluate("page.heard.length = 0")
    drag(page, (100, 300), (200, 300))
    assert np.array_equal(mask(page), first)
    assert mask(page, "mask-2")[300, 150] == 255
    assert all(one["id"] == "mask-2" for one in heard(page, "mask"))
    page.evaluate("page.canvas.removeMask('mask-2')")
    assert page.evaluate("[page.canvas.masks.length, page.canvas.activeMask]") == [1, "mask-1"]
    page.evaluate("page.canvas.undo()")
    assert mask(page, "mask-2")[300, 150] == 255


def test_the_sketch_is_painted_picked_and_exported_with_exact_colours(page):
    page.evaluate("page.canvas.setTool('sketch'); page.canvas.setColour({ red: 201, green: 33, blue: 7, alpha: 255 })")
    page.evaluate("page.canvas.setBrush('sketch', { size: 30, hardness: 1, opacity: 0.5 })")
    drag(page, (100, 100), (200, 100), (100, 100))
    data = page.evaluate("async () => page.base64(await page.canvas.exportSketch())")
    sketch = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
    assert sketch.shape == (HEIGHT, WIDTH, 4)
    assert sketch[100, 150].tolist() == [201, 33, 7, 128]
    assert sketch[200, 200].tolist() == [0, 0, 0, 0]
    page.evaluate("page.canvas.setBrush('sketch', { opacity: 1 })")
    drag(page, (100, 200), (200, 200))
    page.evaluate("page.canvas.setColour({ red: 0, green: 0, blue: 0, alpha: 255 }); page.canvas.setTool('picker')")
    page.mouse.click(150 + 150, 200 + 100)
    assert page.evaluate("page.canvas.colour") == {"red": 201, "green": 33, "blue": 7, "alpha": 255}
    page.evaluate("page.canvas.undo()")
    page.evaluate("page.canvas.undo()")
    assert page.evaluate("page.canvas.sketchEmpty") is True


def test_strokes_and_the_apps_own_steps_share_one_history(page):
    drag(page, (100, 100), (200, 100))
    page.evaluate(
        """window.state = 1;
        page.canvas.pushHistory({
            label: 'Remove', undo: async () => { window.state = 0 }, redo: () => { window.state = 1 },
        })"""
    )
    drag(page, (100, 200), (200, 200))
    both = mask(page)
    for _ in range(3):
        page.keyboard.press("Control+z")
    page.wait_for_function("page.canvas.history.undo === null")
    assert page.evaluate("window.state") == 0
    assert not mask(page).any()
    for _ in range(3):
        page.keyboard.press("Control+y")
    page.wait_for_function("page.canvas.history.redo === null")
    assert page.evaluate("window.state") == 1
    assert np.array_equal(mask(page), both)


def test_expanding_keeps_the_masks_in_their_place_and_undo_still_works(page):
    drag(page, (100, 100), (200, 150))
    before = mask(page)
    page.evaluate("page.canvas.setTool('expand')")
    drag(page, (0, 200), (-60, 210))
    assert page.evaluate("page.canvas.margins") == {"left": 60, "top": 0, "right": 0, "bottom": 0}
    drag(page, (600, 400), (620, 430))
    assert heard(page, "margins")[-1] == {"margins": {"left": 60, "top": 0, "right": 20, "bottom": 30}, "final": True}
    page.evaluate("async () => page.canvas.setPicture(await page.bitmap(680, 430), { oldAt: { x: 60, y: 0 } })")
    grown = mask(page)
    assert grown.shape == (430, 680)
    assert np.array_equal(grown[:400, 60:660], before)
    assert not grown[:, :60].any()
    page.keyboard.press("Control+z")
    assert not mask(page).any()
    page.keyboard.press("Control+y")
    page.evaluate("async () => page.canvas.setPicture(await page.bitmap(600, 400), { oldAt: { x: -60, y: 0 } })")
    assert np.array_equal(mask(page), before)


def pixel(page: Any, x: float, y: float) -> list[int]:
    """What the screen shows at picture pixels (x, y) at 100 %."""
    page.evaluate("page.canvas.settled()")
    shot = Image.open(io.BytesIO(page.screenshot(clip={"x": x + 150, "y": y + 100, "width": 1, "height": 1})))
    return list(shot.convert("RGB").getpixel((0, 0)))


def test_compare_preview_and_refresh_show_what_they_say(page):
    page.evaluate("async () => page.canvas.setOriginal(await page.bitmap(600, 400, 20))")
    now = pixel(page, 112, 92)
    page.evaluate("page.canvas.setCompare({ mode: 'original' })")
    original = pixel(page, 112, 92)
    assert original != now
    page.evaluate("page.canvas.setCompare({ mode: 'split', at: 0.5 })")
    assert pixel(page, 112, 92) == original
    assert pixel(page, 432, 92) != original
    drag(page, (300, 90), (50, 90))
    assert heard(page, "compare")[-1]["at"] == pytest.approx(200 / 900, abs=0.01)
    assert pixel(page, 112, 92) == now
    page.evaluate("page.canvas.setCompare({ mode: 'off' })")
    page.evaluate(
        """async () => page.canvas.setPreview(
            { bitmap: await page.bitmap(60, 60, 100), box: { left: 80, top: 70, right: 140, bottom: 130 } })"""
    )
    assert pixel(page, 112, 92) != now
    page.evaluate("page.canvas.setPreview(null)")
    assert pixel(page, 112, 92) == now


def test_the_keyboard_alone_paints(page):
    renew(page, "{ keyboardBrush: true }")
    page.evaluate("page.canvas.focus()")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    for _ in range(10):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    painted = mask(page)
    assert painted[200, 310] == 255
    assert painted[200, 590] == 255
    assert undo_label(page) == "Paint"
    page.evaluate("page.canvas.setTool('rectangle')")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.down("Space")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowUp")
        page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.up("Space")
    assert undo_label(page) == "Rectangle"
    assert mask(page)[120:180, 500:540].min() == 255


def test_a_dense_screen_shows_each_pixel_in_its_place(opened, site):
    context = opened.context.browser.new_context(viewport={"width": 920, "height": 640}, device_scale_factor=2)
    page = context.new_page()
    page.goto(site)
    renew(page)
    assert page.evaluate("[...document.querySelectorAll('canvas')].map((one) => one.width)") == [1800] * 3
    # 100 % is one pixel of the picture on one of the screen: half a CSS pixel.
    assert page.evaluate("page.canvas.toScreen({ x: 0, y: 0 })") == {"x": 300, "y": 200}
    page.mouse.click(350, 250)
    painted = mask(page)
    assert painted[100, 100] == 255
    assert painted.sum() / 255 == pytest.approx(np.pi * 100, abs=5)
    shot = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)
    assert abs(shot[399, 700] - 51).max() == 0  # Above the picture.
    assert abs(shot[401, 700] - 51).max() > 40
    assert abs(shot[700, 599] - 51).max() == 0
    assert abs(shot[700, 601] - 51).max() > 40
    context.close()


def test_only_what_is_seen_is_loaded_of_a_large_picture_in_parts(page):
    page.evaluate("window.source = page.tiles(8000, 8000); page.canvas.setPicture(window.source)")
    page.evaluate("page.canvas.settled()")
    at_fit = page.evaluate("window.source.asked.length")
    assert at_fit <= 12
    page.evaluate("page.canvas.setView({ zoom: 1, centre: { x: 4000, y: 4000 } })")
    page.evaluate("page.canvas.settled()")
    asked = page.evaluate("window.source.asked")
    near = [one for one in asked[at_fit:] if one.startswith("0 ")]
    assert 1 <= len(near) <= 9
    page.evaluate(
        "window.source.asked.length = 0; page.canvas.refreshPicture({ left: 0, top: 0, right: 9, bottom: 9 })"
    )
    page.evaluate("page.canvas.settled()")
    assert page.evaluate("window.source.asked.filter((one) => one.startsWith('0 '))") == []
    assert heard(page, "error") == []


def test_parts_that_failed_are_said_once_and_come_when_the_connection_is_back(page):
    page.evaluate("window.source = page.tiles(8000, 8000); page.canvas.setPicture(window.source)")
    page.evaluate("page.canvas.settled()")
    page.evaluate("window.source.broken = true; page.canvas.setView({ zoom: 1, centre: { x: 4000, y: 4000 } })")
    page.wait_for_function("page.heard.some((one) => one.name === 'error')")
    page.evaluate("page.canvas.settled()")
    assert heard(page, "error") == ["TypeError: no connection"]
    page.evaluate("window.source.asked.length = 0; window.source.broken = false")
    page.wait_for_function("window.source.asked.filter((one) => one.startsWith('0 ')).length >= 4")
    page.evaluate("page.canvas.settled()")
    assert len(heard(page, "error")) == 1
