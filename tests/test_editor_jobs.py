"""The editor while edits wait, run and end: variations of a model, cancelling, restarts, lost connections, keys."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from editor_page import Editor, faults, picture
from overpaint.server.keys import new_key
from overpaint.studio import Studio
from servers import Running, running
from stand_ins import waiting


class Gate:
    """What the engine `stand-in` waits for, which reports steps meanwhile."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.begun = threading.Event()

    def close(self) -> None:
        """Let the next edits wait."""
        self.open.clear()
        self.begun.clear()


@pytest.fixture(scope="module")
def gate() -> Gate:
    return Gate()


@pytest.fixture(scope="module")
def studio(gate: Gate) -> Iterator[Studio]:
    with Studio(threads=1) as found:
        found.add_engine(waiting(gate.open, gate.begun))
        yield found
        gate.open.set()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, studio: Studio) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("jobs"), studio, lanes=1) as found:
        yield found


def slow(editor: Editor, gate: Gate) -> None:
    """Open a picture and ask for an edit that runs until the gate opens."""
    gate.close()
    ask(editor)
    editor.page.locator(".job.running").get_by_text("of 1000").wait_for()


def ask(editor: Editor, count: int = 1) -> None:
    """Open a picture and ask the engine that waits at the gate for variations."""
    wish = {"intent": "remove", "prompt": "", "count": count, "settings": {"engine": "stand-in"}}
    editor.page.goto(editor.url)
    editor.page.evaluate("(wish) => localStorage.setItem('overpaint.wish', JSON.stringify(wish))", wish)
    editor.open(picture())
    editor.cover()
    editor.generate()


def test_a_prompt_gives_four_variations_of_the_embedded_model_and_one_is_picked(editor):
    editor.open(picture(128, 96))
    editor.page.locator("input[value=replace]").check(force=True)
    editor.page.get_by_label("Prompt").fill("a yellow tulip")
    editor.choose(steps="2")
    for _ in range(3):
        editor.page.locator(".count button").last.click()
    editor.stroke((54, 44), (74, 44), (74, 54), (54, 54))
    editor.generate()
    takes = editor.page.locator(".take")
    takes.nth(3).wait_for()
    assert takes.count() == 4
    (step,) = editor.steps()
    assert (step["intent"], step["prompt"], step["takes"], step["take"]) == ("replace", "a yellow tulip", 4, 1)
    first = editor.pixels()
    takes.nth(2).locator(".take-picture").dblclick()
    editor.until(lambda: editor.steps()[0]["take"] == 3)
    assert not np.array_equal(editor.pixels(), first)
    editor.page.locator(".panel details summary").click()
    (job,) = editor.client.get(f"/sessions/{editor.session}/edits").json()
    seeds = [one["seed"] for one in job["results"]]
    assert seeds == list(range(seeds[0], seeds[0] + 4))
    assert str(seeds[2]) in editor.page.locator(".panel details").inner_text()


def test_a_long_edit_is_cancelled_and_leaves_picture_and_mask(editor, gate):
    slow(editor, gate)
    editor.page.locator(".canvas-host").focus()
    editor.page.keyboard.press("Shift+X")
    editor.page.locator(".job").wait_for(state="detached")
    editor.tab("Queue")
    editor.page.locator(".job.cancelled").wait_for()
    assert editor.steps() == []
    assert np.array_equal(editor.pixels(), picture())
    editor.page.locator(".go[aria-disabled=false]").wait_for()
    gate.open.set()
    editor.page.get_by_role("button", name="Try again: Remove").click()
    editor.until(lambda: len(editor.steps()) == 1)


def test_all_of_six_variations_are_kept(editor, gate):
    gate.open.set()
    ask(editor, count=6)
    takes = editor.page.locator(".take")
    takes.nth(5).wait_for()
    takes.nth(5).get_by_role("button", name="Apply").click()
    editor.until(lambda: editor.steps()[0]["take"] == 6)
    editor.page.reload()
    takes.nth(5).wait_for()
    assert editor.steps()[0]["takes"] == 6


def test_a_lost_connection_loses_nothing(editor, context, gate):
    editor.open(picture())
    editor.choose(Engine="telea")
    editor.cover()
    context.set_offline(True)
    editor.generate()
    lost = editor.page.get_by_text("The connection is lost")
    lost.wait_for()
    editor.stroke((40, 40), (60, 40))
    context.set_offline(False)
    editor.page.locator(".take").first.wait_for()
    lost.wait_for(state="detached")
    assert len(editor.steps()) == 1
    assert len(editor.client.get(f"/sessions/{editor.session}/edits").json()) == 1
    editor.page.locator(".go[aria-disabled=false]").wait_for()  # what was painted meanwhile stays


def test_a_server_that_restarts_loses_nothing(context, studio, gate, tmp_path):
    with contextlib.ExitStack() as first:
        server = first.enter_context(running(tmp_path, studio, lanes=1))
        with Editor(context, server).closing() as editor:
            slow(editor, gate)
            places = [editor.at(40, 40), editor.at(60, 40)]
            first.close()
            editor.page.get_by_text("The connection is lost").wait_for()
            editor.drag(*places)
            with running(tmp_path, studio, lanes=1, port=int(server.url.rpartition(":")[2])):
                gate.open.set()
                editor.page.locator(".take").first.wait_for()
                editor.page.get_by_text("The connection is lost").wait_for(state="detached")
                assert len(editor.steps()) == 1
                editor.edited()
                editor.page.locator(".canvas-host").focus()
                editor.page.keyboard.press("Control+z")
                editor.until(lambda: len(editor.steps()) == 1)


def test_a_server_with_keys_asks_for_one_and_refuses_a_wrong_one(context, studio, tmp_path):
    key = new_key(tmp_path / "keys.txt", "ann")
    with (
        running(tmp_path / "data", studio, keys=tmp_path / "keys.txt") as server,
        Editor(context, server, key).closing() as editor,
    ):
        page = editor.page
        page.goto(editor.url)
        asked = page.get_by_role("dialog", name="This server needs a key")
        assert faults(page) == []
        field, go = asked.get_by_label("Key"), asked.get_by_role("button", name="Continue")
        for wrong in ("", "op-wrong"):
            field.fill(wrong)
            go.click()
            asked.wait_for()
        field.fill(key)
        go.click()
        asked.wait_for(state="detached")
        editor.open(picture(64, 48), goto=False)
        assert editor.status()["width"] == 64
        assert key not in page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")


def test_a_stroke_is_kept_where_the_picture_is_left_in_the_same_moment(editor):
    editor.open(picture())
    editor.cover()
    editor.page.get_by_role("button", name="All pictures").click()
    editor.page.locator(".recent .card").first.click()
    editor.page.locator(".go[aria-disabled=false]").wait_for()


def test_a_reload_right_after_a_stroke_keeps_it(editor):
    editor.open(picture())
    editor.cover()
    editor.page.wait_for_timeout(150)  # a mask is written in less; a timer that waits for a pause would not have begun
    editor.page.reload()
    editor.ready()
    editor.page.locator(".go[aria-disabled=false]").wait_for(timeout=5000)


def test_what_an_export_fails_at_is_seen_and_dismissed_in_its_dialog(editor):
    clear = np.dstack([picture(), np.full((240, 320), 255, np.uint8)])
    clear[:40, :, 3] = 0
    editor.open(clear)
    editor.page.keyboard.press("Control+s")
    editor.page.locator("input[name=format][value=jpeg]").check()
    editor.page.get_by_role("button", name="Save the picture").click()
    notice = editor.page.locator("dialog .notice", has_text="JPEG can't hold transparency")
    notice.get_by_role("button", name="Dismiss").click()
    notice.wait_for(state="detached")


def test_notes_of_a_result_are_seen_and_every_mask_can_be_removed(editor):
    editor.open(picture())
    editor.tab("Masks")
    editor.page.get_by_role("button", name="New avoid area").click()
    editor.stroke((20, 20), (40, 20))
    panel = editor.page.locator(".panel").bounding_box()
    for button in editor.page.locator(".mask .icon-button").all():
        box = button.bounding_box()
        assert box["x"] + box["width"] <= panel["x"] + panel["width"]
    editor.page.get_by_role("radio", name="Mask 1").check(force=True)
    editor.page.locator(".canvas-host").focus()
    editor.page.keyboard.press("s")
    editor.stroke((100, 100), (120, 100))
    editor.page.keyboard.press("b")
    editor.choose(Engine="telea")
    editor.cover()
    editor.generate()
    editor.tab("Results")
    editor.page.locator(".note", has_text="Telea does not use sketch").wait_for()


def test_on_a_phone_every_button_above_can_be_pressed(browser, server):
    context = browser.new_context(viewport={"width": 400, "height": 800}, locale="de-DE", has_touch=True)
    with contextlib.closing(context), Editor(context, server).closing() as editor:
        editor.page.goto(editor.url)
        editor.open(picture(), goto=False)
        boxes = [one.bounding_box() for one in editor.page.locator(".top button").all()]
        assert len(boxes) == 12
        for index, one in enumerate(boxes):
            assert one["x"] >= 0
            assert one["x"] + one["width"] <= 400
            for other in boxes[:index]:
                apart = one["x"] >= other["x"] + other["width"] - 1 or other["x"] >= one["x"] + one["width"] - 1
                assert (
                    apart or one["y"] >= other["y"] + other["height"] - 1 or other["y"] >= one["y"] + one["height"] - 1
                )
