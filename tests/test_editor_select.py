"""Selecting in the editor by what the server's selectors find: a click, a box, words, and what needs no hint."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from editor_page import Editor, faults, picture
from overpaint.studio import Studio
from servers import Running, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Studio(threads=1) as studio, running(tmp_path_factory.mktemp("select"), studio) as found:
        yield found


def disc() -> np.ndarray:
    rows, columns = np.mgrid[:240, :320]
    return (columns - 160) ** 2 + (rows - 120) ** 2 < 20**2


def covered(mask: np.ndarray) -> float:
    """How much of mask and disc are the same: intersection over union."""
    found = mask >= 128
    return float((found & disc()).sum() / (found | disc()).sum())


def settled(editor: Editor, undo: str = "Select") -> None:
    """Wait until a selection is there."""
    editor.page.get_by_role("button", name=f"Undo: {undo}").wait_for()
    editor.page.get_by_text("Selecting").wait_for(state="detached")


def test_a_click_selects_what_is_under_it_and_with_alt_takes_it_away(editor, tmp_path):
    editor.open(picture())
    editor.page.get_by_role("button", name="Select by a click").click()
    by = editor.page.get_by_label("By", exact=True)
    by.select_option("colour")
    editor.page.mouse.click(*editor.at(160, 120))
    settled(editor)
    assert covered(editor.mask(tmp_path)) > 0.8
    editor.page.keyboard.down("Alt")
    editor.page.mouse.click(*editor.at(160, 120))
    editor.page.keyboard.up("Alt")
    editor.page.locator(".go[aria-disabled=true]").wait_for()
    assert not (editor.mask(tmp_path) >= 128)[disc()].any()
    editor.page.locator(".canvas-host").focus()
    editor.page.keyboard.press("Control+z")
    editor.page.locator(".go[aria-disabled=false]").wait_for()
    assert covered(editor.mask(tmp_path)) > 0.8


def test_a_box_selects_what_is_in_it_and_intersects_with_what_was_marked(editor, tmp_path):
    editor.open(picture())
    editor.page.get_by_role("button", name="Rectangle").click()
    editor.stroke((130, 90), (160, 150))
    editor.page.get_by_role("button", name="Select in a box").click()
    editor.page.locator(".options").get_by_text("Intersect").click()
    editor.stroke((130, 90), (190, 150))
    settled(editor)
    found = editor.mask(tmp_path) >= 128
    assert not found[:, 160:].any()
    assert (found & disc()).sum() > 0.8 * disc()[:, :160].sum()
    assert (found & ~disc()).sum() < 60


def test_tools_are_those_that_the_server_has(editor):
    text = {"name": "seer", "title": "by words", "usable": True, "takes": ["text"], "needs": ["text"], "options": []}
    alone = {**text, "name": "subject", "title": "what it is of", "takes": [], "needs": []}
    asked: list[dict[str, Any]] = []

    def answer(route: Any) -> None:
        asked.append(json.loads(route.request.post_data))
        route.continue_(post_data=json.dumps({"selector": "colour", "points": [[160, 120]]}))

    editor.page.route("**/selectors", lambda route: route.fulfill(json=[text, alone]))
    editor.page.route("**/selections", answer)
    editor.open(picture())
    assert editor.page.get_by_role("button", name="Select by a click").count() == 0
    editor.tab("Masks")
    editor.page.get_by_label("What to select").fill("the red disc")
    editor.page.locator(".panel form button").click()
    settled(editor)
    editor.page.get_by_role("button", name="Subject").click()
    editor.until(lambda: len(asked) == 2)
    assert asked == [{"selector": "seer", "text": "the red disc"}, {"selector": "subject"}]


def test_what_an_error_says_to_lower_can_be_lowered_and_the_error_goes_with_the_next_try(editor):
    least = {"name": "least", "range": "0 to 1", "default": 0.5, "help": "how sure"}
    kind = {"name": "kind", "range": "any, date", "default": "any", "help": "which"}
    reader = {"name": "text", "title": "lettering", "usable": True, "takes": ["text"], "needs": []}
    asked: list[dict[str, Any]] = []

    def answer(route: Any) -> None:
        asked.append(json.loads(route.request.post_data))
        if len(asked) > 1:
            route.continue_(post_data=json.dumps({"selector": "colour", "points": [[160, 120]]}))
            return
        error = {"code": "nothing-selected", "message": "it found nothing", "hint": "lower the option least"}
        route.fulfill(status=422, json={"error": error})

    editor.page.route("**/selectors", lambda route: route.fulfill(json=[{**reader, "options": [least, kind]}]))
    editor.page.route("**/selections", answer)
    editor.open(picture())
    editor.tab("Masks")
    button = editor.page.get_by_role("button", name="Lettering", exact=True)
    button.click()
    editor.page.get_by_role("alert").get_by_text("Lower the option least").wait_for()
    editor.page.get_by_text("How it is selected").click()
    assert faults(editor.page) == []
    editor.page.get_by_role("group", name="Lettering").get_by_label("Least").fill("0.2")
    button.click()
    settled(editor)
    assert asked == [{"selector": "text"}, {"selector": "text", "options": {"least": 0.2}}]
    assert editor.page.get_by_role("alert").count() == 0


def test_ways_to_join_areas_stay_within_the_panel_in_german(browser, server):
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="de-DE")
    with contextlib.closing(context), Editor(context, server).closing() as editor:
        editor.open(picture())
        editor.page.get_by_role("tab", name="Masken").click()
        panel = editor.page.locator(".panel-content")
        last = panel.get_by_text("Ersetzen", exact=True)
        last.wait_for()
        edge, word = panel.bounding_box(), last.bounding_box()
        assert word["x"] + word["width"] <= edge["x"] + edge["width"]


def test_where_words_can_only_be_read_the_field_says_so(editor):
    reader = {"name": "text", "title": "lettering", "usable": True, "takes": ["text"], "needs": [], "options": []}
    editor.page.route("**/selectors", lambda route: route.fulfill(json=[reader]))
    editor.open(picture())
    editor.tab("Masks")
    editor.page.get_by_label("Lettering that has these words").wait_for()
    editor.page.get_by_role("button", name="Lettering", exact=True).wait_for()
    assert editor.page.get_by_label("What to select").count() == 0


def test_words_beside_the_tool_select_by_what_the_server_has_and_name_it(editor, tmp_path):
    seer = {"name": "seer", "title": "by words", "usable": True, "takes": ["text"], "needs": ["text"], "options": []}
    away = {**seer, "name": "away", "here": False, "takes": ["text", "boxes"]}
    wand = {**seer, "name": "colour", "takes": ["points"], "needs": ["points"]}

    def answer(route: Any) -> None:
        asked = json.loads(route.request.post_data)
        assert asked == {"selector": "seer", "text": "the red disc"}
        reply = route.fetch(post_data=json.dumps({"selector": "colour", "points": [[160, 120]]}))
        route.fulfill(json=[{**one, "notes": ["found by Seer 2"]} for one in reply.json()])

    editor.page.route("**/selectors", lambda route: route.fulfill(json=[away, seer, wand]))
    editor.page.route("**/selections", answer)
    editor.open(picture())
    editor.page.get_by_role("button", name="Select by a click").click()
    editor.page.locator(".options").get_by_label("What to select").fill("the red disc")
    editor.page.keyboard.press("Enter")
    settled(editor)
    editor.page.get_by_text("Found by Seer 2").wait_for()
    assert covered(editor.mask(tmp_path)) > 0.8


def rough(editor: Editor) -> None:
    """A line around the disc by an unsteady hand."""
    turns = np.linspace(0, 2 * np.pi, 22)
    reach = 21 + 3.5 * np.sin(5 * turns)
    places = zip(160 + reach * np.cos(turns), 120 + reach * np.sin(turns), strict=True)
    editor.stroke(*((float(x), float(y)) for x, y in places))


def test_a_lasso_that_clings_takes_the_picture_s_own_edges(editor, tmp_path):
    editor.open(picture())
    editor.page.get_by_role("button", name="Lasso").click()
    rough(editor)
    by_hand = covered(editor.mask(tmp_path))
    editor.page.locator(".canvas-host").focus()
    editor.page.keyboard.press("Control+z")
    editor.page.get_by_label("Cling to edges").check()
    rough(editor)
    settled(editor)
    assert covered(editor.mask(tmp_path)) > 0.95 > by_hand


def test_what_finds_nothing_says_so(editor):
    editor.page.route(
        "**/selections", lambda route: route.continue_(post_data='{"selector": "colour", "points": [[999, 9]]}')
    )
    editor.open(picture())
    editor.page.get_by_role("button", name="Select by a click").click()
    editor.page.mouse.click(*editor.at(40, 40))
    editor.page.get_by_role("alert").get_by_text("outside of the picture").wait_for()
    editor.page.locator(".go[aria-disabled=true]").wait_for()
