"""The editor as a person uses it: a real browser, a real server, real pixels."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from editor_page import Editor, faults, picture, png
from overpaint.studio import Studio
from servers import Running, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Studio(threads=1) as studio, running(tmp_path_factory.mktemp("editor"), studio) as found:
        yield found


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return (before != after).any(axis=2)


def test_a_stroke_removes_an_object_and_the_export_is_equal_beyond_its_reach(editor, tmp_path):
    before = picture()
    editor.open(before)
    editor.removed()
    now = editor.status()
    (step,) = now["steps"]
    assert (step["intent"], step["engine"]) == ("remove", "exemplar")
    path = editor.exported("png", tmp_path)
    assert path.name == "photo.png"
    after = np.asarray(Image.open(path).convert("RGB"))
    assert after.shape == before.shape
    left, top, right, bottom = step["box"]
    inside = np.zeros(before.shape[:2], bool)
    inside[top:bottom, left:right] = True
    assert inside.sum() < inside.size / 3
    assert np.array_equal(after[~inside], before[~inside])
    assert changed(before, after)[100:140, 140:180].mean() > 0.5
    assert after[120, 160, 0] < 205


def test_undo_and_redo_follow_strokes_and_edits_in_one_order(editor):
    before = picture()
    editor.open(before)
    editor.removed()
    after = editor.pixels()
    host, keys = editor.page.locator(".canvas-host"), editor.page.keyboard
    host.focus()
    keys.press("Control+z")
    editor.until(lambda: np.array_equal(editor.pixels(), before))
    keys.press("Control+z")  # the mask that went with the result
    editor.page.locator(".go[aria-disabled=false]").wait_for()
    keys.press("Control+z")  # the stroke itself
    editor.page.locator(".go[aria-disabled=true]").wait_for()
    for _ in range(3):
        keys.press("Control+Shift+z")
    editor.until(lambda: np.array_equal(editor.pixels(), after))


def test_undo_is_named_in_the_language_of_the_page_and_brings_a_removed_mask_back(editor, tmp_path):
    editor.open(picture(1000, 500))
    page = editor.page
    assert page.get_by_role("slider", name="Size").get_attribute("aria-valuetext") == "30 px", "of the picture's size"
    editor.edited()
    page.get_by_role("button", name="Undo: Remove 1").wait_for()
    editor.tab("Masks")
    page.get_by_role("button", name="New mask").click()
    editor.stroke((480, 250), (520, 250))
    page.get_by_role("button", name="Undo: Paint").wait_for()
    painted = editor.mask(tmp_path)
    page.get_by_role("button", name="Remove Mask 2").click()
    page.locator(".canvas-host").focus()
    page.get_by_role("button", name="Undo: Remove mask").wait_for()
    page.keyboard.press("Control+z")
    assert np.array_equal(editor.mask(tmp_path), painted)
    page.evaluate("localStorage.setItem('overpaint.prefs', JSON.stringify({ language: 'de' }))")
    page.reload()
    page.get_by_role("button", name="Rückgängig: Entfernen 1").wait_for()
    editor.stroke((480, 250), (520, 250))
    page.get_by_role("button", name="Rückgängig: Malen").wait_for()


def test_the_original_is_shown_while_tab_is_held_and_a_short_press_moves_on(editor):
    editor.open(picture())
    host = editor.page.locator(".canvas-host")
    editor.page.locator(".canvas-host [tabindex='0'], .canvas-host[tabindex='0']").first.focus()
    editor.page.keyboard.down("Tab")
    editor.until(lambda: host.get_attribute("data-compare") == "original")
    editor.page.wait_for_timeout(400)
    editor.page.keyboard.up("Tab")
    editor.until(lambda: host.get_attribute("data-compare") == "off")
    assert editor.page.evaluate("document.activeElement.closest('.canvas-host') !== null")
    editor.page.keyboard.press("Tab")
    assert editor.page.evaluate("document.activeElement.closest('.canvas-host') === null")


def test_undo_takes_back_what_is_being_drawn_and_no_edit_of_before(editor):
    editor.open(picture())
    editor.edited()
    editor.page.reload()  # now the page's own history is empty, and the session's is not
    editor.ready()
    x, y = editor.at(100, 100)
    mouse, keys = editor.page.mouse, editor.page.keyboard
    mouse.move(x, y)
    mouse.down()
    mouse.move(x + 40, y, steps=3)
    keys.press("Control+z")
    mouse.up()
    editor.page.locator(".go[aria-disabled=true]").wait_for()
    editor.page.get_by_role("button", name="Polygon").click()
    mouse.click(x, y)
    mouse.click(x + 60, y)
    editor.page.get_by_role("button", name="Undo: what is being drawn").click()
    keys.press("Control+z")
    assert len(editor.steps()) == 1
    keys.press("Control+z")
    editor.until(lambda: editor.steps() == [])


def test_a_reload_goes_on_with_session_mask_and_wish(editor, tmp_path):
    editor.open(picture())
    session = editor.session
    editor.page.locator("input[value=replace]").check(force=True)
    editor.page.get_by_label("Prompt").fill("a stone")
    editor.cover()
    editor.page.locator(".go[aria-disabled=false]").wait_for()
    editor.page.wait_for_timeout(1500)  # drafts are kept a moment after a stroke
    painted = editor.mask(tmp_path)
    assert painted.any()
    editor.page.reload()
    editor.ready()
    assert editor.session == session
    assert editor.page.get_by_label("Prompt").input_value() == "a stone"
    editor.page.locator(".go[aria-disabled=false]").wait_for()
    assert np.array_equal(editor.mask(tmp_path), painted)


def test_variations_are_looked_at_before_one_is_applied_and_one_is_put_aside(editor):
    editor.open(picture())
    for _ in range(2):
        editor.page.locator(".count button").last.click()
    editor.cover()
    editor.generate()
    takes = editor.page.locator(".take")
    takes.nth(2).wait_for()
    first = editor.pixels()
    takes.nth(1).locator(".take-picture").click()
    editor.page.get_by_text("Preview of variation 2: not applied").wait_for()
    assert np.array_equal(editor.pixels(), first)
    assert editor.steps()[0]["take"] == 1
    editor.page.locator(".chip").get_by_role("button", name="Apply").click()
    editor.until(lambda: editor.steps()[0]["take"] == 2)
    editor.page.locator(".chip.preview").wait_for(state="detached")
    takes.nth(2).get_by_role("button", name="Discard").click()
    editor.until(lambda: takes.count() == 2)
    assert (editor.steps()[0]["takes"], editor.steps()[0]["aside"]) == (3, [3])
    editor.page.evaluate("localStorage.clear()")  # it is the session that knows, and not this browser
    editor.page.reload()
    editor.page.locator(".take").nth(1).wait_for()
    assert takes.count() == 2
    editor.page.get_by_role("button", name="Show discarded (1)").click()
    editor.until(lambda: takes.count() == 3)


def test_a_result_shows_its_settings_and_loads_them_back(editor):
    editor.open(picture())
    editor.choose(grow="3", feather="1")
    editor.cover()
    editor.generate()
    editor.page.locator(".take").first.wait_for()
    editor.choose(grow="", feather="")
    details = editor.page.locator(".panel details")
    details.locator("summary").click()
    assert "grow" in details.inner_text()
    details.get_by_role("button", name="Use these settings").click()
    editor.page.get_by_role("button", name="Settings (").click()
    assert editor.page.locator("#setting-grow").input_value() == "3"
    assert editor.page.get_by_label("Seed", exact=True).input_value() == str(editor.steps()[0]["seed"])


def test_what_is_typed_stays_while_the_page_is_drawn_anew(editor):
    editor.open(picture())
    editor.page.get_by_role("button", name="Settings", exact=True).click()
    grow = editor.page.locator("#setting-grow")
    grow.fill("3")
    editor.page.locator("#setting-feather").evaluate("e => { e.value = 1; e.dispatchEvent(new Event('change')); }")
    editor.page.get_by_role("button", name="Settings (1)").wait_for()
    assert grow.input_value() == "3"
    grow.press("Tab")
    editor.page.get_by_role("button", name="Settings (2)").wait_for()
    grow.fill("")
    grow.press("Tab")
    editor.page.get_by_role("button", name="Settings (1)").wait_for()


def test_the_original_is_painted_back_by_the_layers_mask(editor):
    before = picture()
    editor.open(before)
    editor.removed()
    after = editor.pixels()
    editor.tab("Layers")
    editor.page.get_by_role("button", name="Paint the original back: Remove 1").click()
    editor.stroke((150, 120), (170, 120))
    editor.until(lambda: editor.steps()[0]["masked"])
    restored = editor.pixels()
    assert np.array_equal(restored[118:122, 152:168], before[118:122, 152:168])
    assert not np.array_equal(restored, before)
    editor.page.get_by_role("button", name="Done").click()
    editor.page.locator(".canvas-host").focus()
    editor.page.keyboard.press("Control+z")
    editor.until(lambda: np.array_equal(editor.pixels(), after))


def test_a_layer_is_hidden_and_shown_with_an_opacity(editor):
    before = picture()
    editor.open(before)
    editor.removed()
    editor.tab("Layers")
    editor.page.get_by_role("button", name="Show Remove 1").click()
    editor.until(lambda: np.array_equal(editor.pixels(), before))
    editor.page.locator(".layer [aria-pressed=false][aria-label='Show Remove 1']").click()
    editor.page.locator(".layer [aria-pressed=true][aria-label='Show Remove 1']").wait_for()
    slider = editor.page.get_by_label("Opacity of Remove 1")
    slider.fill("50")
    editor.until(lambda: editor.steps()[0]["opacity"] == 0.5)


HEARS_LATE = """(id) => {
    const real = window.fetch;
    window.fetch = async (asked) => {
        const status = asked.method === "GET" && asked.url.endsWith("/sessions/" + id);
        if (status) await new Promise((done) => setTimeout(done, 800));
        return real(asked);
    };
}"""
"""The page learns of changes of its session a moment after they were made."""


def test_a_change_of_a_layer_is_refused_only_where_that_layer_is_another_one_than_was_seen(editor):
    editor.open(picture())
    editor.edited()
    editor.tab("Layers")
    page, at = editor.page, f"/sessions/{editor.session}"
    page.evaluate(HEARS_LATE, editor.session)
    editor.client.patch(at, json={"name": "another name"}).raise_for_status()
    page.get_by_role("button", name="Show Remove 1").click()
    editor.until(lambda: not editor.steps()[0]["visible"])
    page.locator(".layer [aria-pressed=false][aria-label='Show Remove 1']").wait_for()
    assert page.get_by_role("alert").count() == 0
    editor.client.patch(f"{at}/steps/1", json={"opacity": 0.5}).raise_for_status()
    page.get_by_role("button", name="Show Remove 1").click()
    page.get_by_role("alert").get_by_text("Another page changed").wait_for()
    assert not editor.steps()[0]["visible"]


def test_the_picture_is_expanded_and_the_old_part_stays(editor):
    before = picture()
    editor.open(before)
    editor.page.locator("input[value=expand]").check(force=True)
    for side in ("Left", "Bottom"):
        field = editor.page.locator(".options").get_by_label(side)
        field.fill("16")
        field.press("Enter")
    editor.generate()
    editor.until(lambda: editor.status()["width"] == 336)
    assert editor.status()["height"] == 256
    assert np.array_equal(editor.pixels()[8:232, 32:], before[8:232, 16:])
    editor.page.locator(".canvas-host").focus()
    editor.page.keyboard.press("Control+z")
    editor.until(lambda: editor.status()["width"] == 320)


def test_a_mask_goes_in_and_out_without_a_change(editor, tmp_path):
    values = np.random.default_rng(3).integers(0, 256, (240, 320), np.uint8)
    editor.open(picture())
    editor.tab("Masks")
    file = {"name": "mask.png", "mimeType": "image/png", "buffer": png(values)}
    editor.page.locator(".panel input[type=file]").set_input_files(file)
    editor.page.locator(".go[aria-disabled=false]").wait_for()
    path = editor.saved(editor.page.get_by_role("button", name="Save", exact=True).click, tmp_path)
    assert np.array_equal(np.asarray(Image.open(path)), values)


def test_a_mask_is_made_by_numbers_and_inverted(editor, tmp_path):
    editor.open(picture())
    editor.tab("Masks")
    editor.page.get_by_text("By numbers").click()
    for name, value in (("Left", 10), ("Top", 20), ("Right", 50), ("Bottom", 60)):
        editor.page.locator(".numbers").get_by_label(name).fill(str(value))
    editor.page.get_by_role("button", name="Add the rectangle").click()
    editor.page.get_by_role("button", name="Invert", exact=True).click()
    editor.page.wait_for_timeout(300)
    path = editor.saved(editor.page.get_by_role("button", name="Save", exact=True).click, tmp_path)
    found = np.asarray(Image.open(path))
    assert (found[20:60, 10:50] == 0).all()
    assert (found == 255).sum() == 320 * 240 - 40 * 40


def test_what_is_not_to_be_copied_and_a_sketch_go_along_with_what_is_asked(editor):
    editor.open(picture())
    editor.tab("Masks")
    editor.page.get_by_role("button", name="New avoid area").click()
    editor.page.get_by_role("button", name="Rectangle").click()
    editor.stroke((10, 10), (60, 50))
    editor.page.get_by_role("button", name="Sketch in colour").click()
    editor.page.locator(".options input[type=color]").fill("#2040c0")
    editor.stroke((100, 200), (140, 200))
    with editor.page.expect_request("**/frames") as found:
        editor.page.get_by_role("radio", name="Mask 1").check(force=True)
        editor.page.get_by_role("button", name="Brush").click()
        editor.cover()
    task = found.value.post_data_json
    marked, avoided = (editor.stored(task[name]["mask"][0]) for name in ("marks", "avoid"))
    assert (marked[120, 160], marked[30, 30]) == (255, 0)
    assert avoided.sum() == 255 * 50 * 40
    assert (avoided[12:48, 12:58] == 255).all()
    sketch = editor.stored(task["sketch"])
    assert (sketch[200, 120].tolist(), sketch[30, 30, 3]) == ([32, 64, 192, 255], 0)


def test_everything_is_done_by_keys_alone(editor):
    before = picture()
    editor.open(before)
    keys = editor.page.keyboard
    editor.page.locator(".canvas-host").focus()
    keys.press("k")
    keys.press("Enter")
    for _ in range(4):
        keys.press("ArrowRight")
    keys.press("Enter")
    editor.page.locator(".go[aria-disabled=false]").wait_for()
    keys.press("Control+Enter")
    editor.until(lambda: len(editor.steps()) == 1)
    assert changed(before, editor.pixels()).any()
    keys.press("?")
    editor.page.get_by_role("heading", name="Keyboard shortcuts").wait_for()
    keys.press("Escape")
    editor.page.locator("dialog").wait_for(state="detached")
    keys.press("m")
    editor.until(lambda: editor.page.locator(".canvas-host").get_attribute("data-compare") == "split")


def test_keys_that_are_typed_into_the_prompt_do_nothing_else(editor):
    editor.open(picture())
    editor.cover()
    prompt = editor.page.get_by_label("Prompt")
    prompt.click()
    prompt.press_sequentially("be[m]?xz")
    assert prompt.input_value() == "be[m]?xz"
    assert editor.page.locator(".tools [aria-pressed=true]").get_attribute("aria-label") == "Brush"
    assert editor.page.locator("dialog").count() == 0


def test_a_space_after_a_click_on_a_tool_pans_and_presses_no_button(editor):
    editor.open(picture())
    editor.page.get_by_role("button", name="Eraser").click()
    editor.page.keyboard.press("Space")
    assert editor.page.locator(".tools [aria-pressed=true]").get_attribute("aria-label") == "Eraser"
    assert editor.page.evaluate("document.activeElement.closest('.tools') === null")


def test_two_pages_of_one_session_see_each_others_edits(editor, context, server):
    editor.open(picture())
    other = Editor(context, server)
    other.page.goto(editor.page.url)
    other.ready()
    other.page.bring_to_front()
    other.removed()
    editor.page.bring_to_front()
    editor.page.locator(".take").first.wait_for()
    assert editor.steps() == other.steps()
    other.client.close()


def test_a_job_that_is_gone_when_it_is_looked_at_is_no_error(editor):
    editor.page.route("**/edits/*", lambda route: route.fulfill(status=404, json={"error": {"code": "not-found"}}))
    editor.open(picture())
    editor.edited()  # by another client: the page hears of its job, and finds none
    editor.page.locator(".take").first.wait_for()
    editor.tab("Queue")
    editor.page.get_by_text("Nothing waits.").wait_for()
    assert editor.page.get_by_role("alert").count() == 0


def test_a_refusal_is_shown_with_what_to_do_about_it(editor):
    editor.open(picture())
    editor.tab("Masks")
    editor.page.get_by_role("button", name="Everything").click()
    editor.generate()
    notice = editor.page.get_by_role("alert")
    notice.wait_for()
    assert "Mark less" in notice.inner_text()


def test_a_picture_is_opened_by_drop_and_by_paste(editor):
    data = list(png(picture(64, 48)))
    send = """([kind, bytes]) => {
        const transfer = new DataTransfer();
        transfer.items.add(new File([new Uint8Array(bytes)], kind + ".png", { type: "image/png" }));
        const event = kind === "drop" ? new DragEvent("drop", { dataTransfer: transfer, bubbles: true })
            : new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true });
        window.dispatchEvent(event);
    }"""
    for kind in ("drop", "paste"):
        editor.page.goto("about:blank")
        editor.page.goto(editor.url)
        editor.page.locator(".dropzone").wait_for()
        editor.page.evaluate(send, [kind, data])
        editor.page.locator(".canvas-host").wait_for()
        assert editor.status()["name"] == kind


def test_a_language_and_a_theme_are_chosen_and_kept(editor):
    editor.open(picture(64, 48))
    editor.page.get_by_role("button", name="Settings of the editor").click()
    editor.page.get_by_text("Deutsch").click()
    editor.page.get_by_text("Dunkel").click()
    editor.page.reload()
    editor.page.get_by_role("button", name="Erzeugen").wait_for()
    assert editor.page.evaluate("document.documentElement.lang") == "de"
    assert editor.page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


def test_layers_are_exported_for_photoshop(editor, tmp_path):
    psd_tools = pytest.importorskip("psd_tools")
    editor.open(picture())
    editor.removed()
    layers = psd_tools.PSDImage.open(io.BytesIO(editor.exported("psd", tmp_path).read_bytes()))
    assert (layers.size, len(layers)) == ((320, 240), 2)


def test_axe_finds_no_serious_fault_at_first_sight(editor):
    editor.open(picture(64, 48))
    assert faults(editor.page) == []
    # It does find one that is there.
    editor.page.evaluate("document.querySelector('.top .icon-button').removeAttribute('aria-label')")
    editor.page.evaluate("document.querySelector('.top .icon-button').removeAttribute('title')")
    assert [one.partition(":")[0] for one in faults(editor.page)] == ["button-name"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(editor, scheme):
    page = editor.page
    page.emulate_media(color_scheme=scheme)
    page.goto(editor.url)
    page.locator(".dropzone").wait_for()
    assert faults(page) == []
    editor.open(picture())
    editor.removed()
    assert faults(page) == []
    for name in ("Layers", "Masks", "Queue"):
        editor.tab(name)
        assert faults(page) == []
    page.get_by_role("button", name="Settings", exact=True).click()
    page.locator("#setting-grow").wait_for()
    assert faults(page) == []
    page.locator(".canvas-host").focus()
    shown = [lambda key=key: page.keyboard.press(key) for key in ("?", "Control+s")]
    editor.tab("Results")
    shown += [page.get_by_role("button", name=name).click for name in ("Settings of the editor", "Side by side")]
    for show in shown:
        show()
        page.locator("dialog").wait_for()
        assert faults(page) == []
        page.keyboard.press("Escape")
        page.locator("dialog").wait_for(state="detached")
    page.set_viewport_size({"width": 720, "height": 900})
    assert faults(page) == []


def test_a_jpeg_stays_as_it_is_where_no_edit_touches_it_unless_a_quality_is_chosen(editor, tmp_path):
    file = io.BytesIO()
    Image.fromarray(picture()).save(file, "JPEG", quality=83)
    before = np.asarray(Image.open(file).convert("RGB"))
    editor.page.goto(editor.url)
    editor.page.locator("main input[type=file]").set_input_files(
        {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()}
    )
    editor.ready()
    editor.edited()
    after = np.asarray(Image.open(editor.exported("jpeg", tmp_path)).convert("RGB"))
    rows, columns = np.nonzero(changed(before, after))
    assert rows.size
    assert (rows.min() >= 64, rows.max() < 176, columns.min() >= 112, columns.max() < 208) == (True,) * 4


def test_one_background_colour_needs_no_model_and_the_picture_keeps_its_place_at_the_first_stroke(editor):
    editor.open(picture())
    place = editor.page.locator(".canvas-host").bounding_box()
    editor.page.locator(".intents").get_by_text("Replace", exact=True).click()
    editor.page.get_by_role("button", name="Variations: 2").click()
    editor.cover()
    editor.page.locator(".intents").get_by_text("Background", exact=True).click()
    assert editor.page.locator(".prompt").input_value() == ""
    editor.page.locator(".prompt").fill("dark green")
    assert editor.page.locator(".count output").inner_text() == "× 1"
    assert editor.page.locator(".canvas-host").bounding_box() == place
    editor.generate()
    editor.until(lambda: len(editor.steps()) == 1)
    assert editor.steps()[0]["engine"] == "backdrop"
    assert tuple(editor.pixels()[10, 10]) == (0, 100, 0)
