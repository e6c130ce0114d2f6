"""Prompts for parts in the editor: each is typed, marked, shown beside the masks, and sent with the edit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from editor_page import Editor, picture
from overpaint import Session
from overpaint.request import RasterPart, blob_array
from overpaint.studio import Studio
from servers import Running, running
from test_diffusion_engine import checkpoint


@pytest.fixture
def server(model_home: Path, tmp_path: Path) -> Iterator[Running]:
    """A server with a small random checkpoint."""
    checkpoint(model_home / "home" / "models" / "tiny", 4)
    with Studio(threads=1) as studio, running(tmp_path / "data", studio) as found:
        yield found


def rectangle(editor: Editor, *corners: tuple[float, float]) -> None:
    """Mark a rectangle of the picture."""
    editor.page.get_by_role("button", name="Rectangle", exact=True).click()
    editor.stroke(*corners)


def test_a_prompt_for_a_part_is_marked_painted_and_stored_with_its_mask(editor: Editor, tmp_path: Path) -> None:
    editor.open(picture())
    editor.page.locator(".intents").get_by_text("Replace", exact=True).click()
    editor.page.get_by_label("Prompt").fill("a street")
    rectangle(editor, (100, 80), (220, 160))
    editor.choose(Model="tiny", steps="2", size="64")
    settings = editor.page.get_by_role("button", name="Settings (")
    settings.click()
    editor.page.get_by_text("Prompts for parts").click()
    add = editor.page.get_by_role("button", name="New part")
    add.click()
    editor.page.get_by_label("Part 1: What to paint there").fill("a red car")
    settings.click()  # the fold covers the picture
    rectangle(editor, (100, 80), (160, 160))
    settings.click()
    assert editor.page.locator(".part").first.get_by_text("not marked").count() == 0
    add.click()
    second = editor.page.locator(".part").nth(1)
    second.get_by_text("not marked").wait_for()
    second.get_by_label("Part 2: What to paint there").fill("a tree")
    second.get_by_role("button", name="Use the current mask").click()
    second.get_by_text("not marked").wait_for(state="detached")
    second.get_by_label("Part 2: What not to paint there").fill("leaves")
    second.get_by_label("Part 2: Weight").fill("2.5")
    second.get_by_label("Part 2: Weight").press("Tab")
    add.click()
    editor.page.get_by_role("button", name="Remove Part 3").click()
    editor.until(lambda: editor.page.locator(".part").count() == 2)
    settings.click()
    editor.tab("Masks")
    assert editor.page.locator(".panel .mask").count() == 1, "parts are not among the masks"
    editor.generate()
    editor.until(lambda: len(editor.steps()) == 1)
    (asked,) = editor.client.get(f"/sessions/{editor.session}/edits").json()
    task = editor.client.get(f"/edits/{asked['id']}").json()["task"]
    assert [one["prompt"] for one in task["regional_prompts"]] == ["a red car", "a tree"]
    more = [(one.get("weight", 1), one.get("negative_prompt")) for one in task["regional_prompts"]]
    assert more == [(1, None), (2.5, "leaves")]
    first, whole = (editor.stored(one["marks"]["mask"][0]) for one in task["regional_prompts"])
    rows, columns = np.nonzero(first > 127)
    bounds = [rows.min(), rows.max(), columns.min(), columns.max()]
    assert bounds == pytest.approx([80, 160, 100, 160], abs=2)
    assert np.array_equal(whole, editor.stored(task["marks"]["mask"][0]))
    file = tmp_path / "edited.overpaint"
    file.write_bytes(editor.client.get(f"/sessions/{editor.session}/file").raise_for_status().content)
    with Session.open(file) as session:
        car, tree = session.request(1).regional_prompts or ()
    assert (car.prompt, tree.prompt) == ("a red car", "a tree")
    (part,) = car.mask.parts
    assert isinstance(part, RasterPart)
    assert np.array_equal(blob_array(part.raster), first)
    editor.page.reload()
    editor.ready()
    editor.page.get_by_role("button", name="Settings (").click()
    assert editor.page.get_by_label("Part 1: What to paint there").input_value() == "a red car", "a draft keeps them"


def test_while_strokes_mark_a_part_it_is_said_and_generate_escape_and_done_end_it(editor: Editor) -> None:
    editor.open(picture())
    page = editor.page
    page.locator(".intents").get_by_text("Replace", exact=True).click()
    editor.choose(Model="tiny", steps="2", size="64")
    settings = page.get_by_role("button", name="Settings (")
    chip = page.get_by_role("group", name="Marking part 1")
    page.get_by_label("Prompt").fill("a street")

    def begin(button: str) -> None:
        settings.click()
        page.get_by_text("Prompts for parts").and_(page.locator("summary")).wait_for()
        if not page.get_by_role("button", name=button).is_visible():
            page.get_by_text("Prompts for parts").click()
        page.get_by_role("button", name=button).click()
        settings.click()
        chip.wait_for()

    begin("New part")
    rectangle(editor, (20, 20), (60, 60))
    settings.click()
    page.get_by_label("Part 1: What to paint there").fill("a red car")
    settings.click()
    page.get_by_text("Part 1 is being marked. Press Done first.").first.wait_for()
    chip.get_by_role("button", name="Done").press("Enter")
    chip.wait_for(state="detached")
    begin("Mark it")
    page.locator(".canvas-host").focus()
    page.keyboard.press("Escape")
    chip.wait_for(state="detached")
    begin("Mark it")
    page.keyboard.press("Control+Enter")
    chip.wait_for(state="detached")
    rectangle(editor, (100, 80), (220, 160))
    editor.generate()
    editor.until(lambda: len(editor.steps()) == 1)
    box = editor.steps()[0]["box"]
    assert box[0] > 60, "the rectangle was the mask's, not the part's"
    page.get_by_role("button", name="More like this").click()
    editor.until(lambda: editor.steps()[0]["take"] > 1)
    settings.click()
    page.get_by_role("button", name="Remove Part 1").click()
    page.locator(".part").wait_for(state="detached")
    settings.click()
    page.locator(".panel details summary").first.click()
    page.get_by_role("button", name="Use these settings").click()
    settings.click()
    part = page.locator(".part")
    editor.until(lambda: part.get_by_text("not marked").count() == 0 and part.count() == 1)
    assert page.get_by_label("Part 1: What to paint there").input_value() == "a red car"
    assert page.locator(".intents").get_by_role("radio", name="Replace").is_checked()
