"""Guides in the editor: lines that are drawn, and maps of the picture, go with an edit as controls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import checkpoints
from checkpoints import TINY
from editor_page import Editor, faults, picture, png
from overpaint.geometry import Size
from overpaint.picture import open_picture
from overpaint.studio import Studio
from overpaint.studio.controls import control_map
from servers import Running, running
from test_diffusion_control_engine import controlnet
from test_diffusion_engine import checkpoint
from test_models_detect import header_only


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with a small random checkpoint, a ControlNet for lines that fits it, and a checkpoint of its family."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OVERPAINT_HOME", str(home / "overpaint"))
        patch.setenv("HF_HUB_CACHE", str(home / "hub"))
        models = home / "overpaint" / "models"
        models.mkdir(parents=True)
        checkpoint(models / "tiny", 4)
        controlnet(models / "tiny-scribble", 1)
        header_only(models / "photo.safetensors", checkpoints.layout(TINY["sd1"]))
        with Studio(threads=1) as studio, running(home / "data", studio) as found:
            yield found


def asked(editor: Editor) -> dict[str, Any]:
    """The task of the newest job."""
    (first, *_) = editor.client.get(f"/sessions/{editor.session}/edits").json()
    return dict(editor.client.get(f"/edits/{first['id']}").json()["task"])


def beginning(editor: Editor, model: str) -> None:
    """A picture, what to paint where, and the model."""
    editor.open(picture())
    editor.page.locator(".intents").get_by_text("Replace", exact=True).click()
    editor.page.get_by_label("Prompt").fill("a street")
    editor.cover()
    editor.choose(Model=model, steps="2", size="64")


def marked(editor: Editor) -> bool:
    """Whether masks or lines are shown over the picture."""
    script = "one => one.getContext('2d').getImageData(0, 0, one.width, one.height).data.some((value) => value > 0)"
    return bool(editor.page.locator(".canvas-host canvas").nth(1).evaluate(script))


def test_lines_are_drawn_taken_back_and_sent_as_the_map_that_a_controlnet_reads(editor: Editor) -> None:
    beginning(editor, "tiny")
    before = editor.pixels()
    page, keys = editor.page, editor.page.keyboard
    page.keyboard.press("Escape")
    page.locator(".canvas-host").focus()
    keys.press("u")
    lines = page.get_by_role("group", name="Lines drawn")
    lines.get_by_text("Nothing is drawn yet").wait_for()
    width = page.locator(".options").get_by_role("slider", name="Size")
    assert width.get_attribute("aria-valuetext") == "4 px"
    editor.stroke((20, 20), (20, 200))
    page.get_by_role("button", name="Undo: Lines").click()
    lines.get_by_text("Nothing is drawn yet").wait_for()
    page.evaluate("() => new Promise((done) => setTimeout(done, 50))")
    host = page.locator(".canvas-host").bounding_box()
    middle = host["x"] + host["width"] / 2, host["y"] + host["height"] / 2
    page.mouse.move(*middle)
    for _ in range(2):
        page.mouse.wheel(0, -433)  # in, to twice the size each
    editor.until(lambda: page.locator(".zoom").inner_text() == "400 %")
    assert width.get_attribute("aria-valuetext") == "2 px", "as wide on the screen"
    page.mouse.wheel(120, 80)  # 30 and 20 pixels of the picture to the right and down
    editor.drag((middle[0] - 60, middle[1] - 100), (middle[0] - 60, middle[1] + 100))
    lines.get_by_role("slider", name="Weight").fill("0.8")
    lines.get_by_text("More", exact=True).click()
    lines.get_by_role("slider", name="To", exact=True).fill("60")
    assert faults(page) == []
    assert marked(editor)
    editor.generate()
    editor.until(lambda: len(editor.steps()) == 1)
    page.locator(".take").first.wait_for()  # among the results, which are shown by now
    editor.until(lambda: not marked(editor))
    editor.tab("Guides")
    editor.until(lambda: marked(editor))
    (control,) = asked(editor)["controls"]
    expected = {"kind": "scribble", "weight": 0.8, "start": 0, "end": 0.6, "mode": "balanced"}
    assert {name: control[name] for name in expected} == expected, "the kind is one that a network here reads"
    drawn = editor.stored(control["image"])
    assert (drawn.shape, drawn.dtype, drawn.max()) == ((240, 320), np.uint8, 255)
    rows, columns = np.nonzero(drawn > 127)
    # 15 pixels left of the middle of the view, and 25 up and down from it
    assert [columns.mean(), rows.min(), rows.max()] == pytest.approx(
        [160 + 30 - 15, 120 + 20 - 25, 120 + 20 + 25], abs=3
    )
    assert 0.001 < (drawn > 0).mean() < 0.01
    box = editor.steps()[0]["box"]
    untouched = np.ones(before.shape[:2], bool)
    untouched[box[1] : box[3], box[0] : box[2]] = False
    assert untouched[rows, columns].any()
    assert np.array_equal(editor.pixels()[untouched], before[untouched]), "lines are no paint"
    page.reload()
    editor.ready()
    editor.tab("Guides")
    assert lines.get_by_role("slider", name="Weight").input_value() == "0.8", "a draft keeps lines and their settings"
    lines.get_by_role("slider", name="Weight").fill("1.5")
    editor.tab("Results")
    page.locator(".panel details summary").first.click()
    page.get_by_role("button", name="Use these settings").click()
    editor.tab("Guides")
    editor.until(lambda: lines.get_by_role("slider", name="Weight").input_value() == "0.8")
    assert page.locator(".guide").count() == 1


def test_the_server_says_what_could_guide_a_request(server: Running) -> None:
    with server.client() as client:
        request = {"intent": "replace", "prompt": "a street", "model": "tiny"}
        found = client.post("/controls", json={"request": request}).raise_for_status().json()
        assert (found["engine"], found["model"], found["family"], found["used"]) == ("diffusion", "tiny", "sd1", True)
        kinds = {one["kind"]: one for one in found["kinds"]}
        assert kinds["scribble"] == {"kind": "scribble", "network": "tiny-scribble", "unread": None, "unmade": None}
        assert (kinds["canny"]["network"], kinds["canny"]["unread"]["code"]) == (None, "control-missing")
        assert kinds["depth"]["unmade"]["code"] == "model-not-downloaded"
        found = client.post("/controls", json={"request": {"intent": "remove"}}).raise_for_status().json()
        assert (found["used"], found["kinds"], found["family"]) == (False, [], None)
        box = {"parts": [{"kind": "box", "box": [0, 0, 8, 8]}]}
        request = {"intent": "add", "regional_prompts": [{"prompt": "a rose", "mask": box}]}
        found = client.post("/controls", json={"request": request}).raise_for_status().json()
        assert (found["model"], found["used"]) == ("pocket", True), "texts of parts alone choose a model, too"


def test_the_map_of_a_sessions_picture_is_the_one_that_a_control_makes_of_it(server: Running) -> None:
    with server.client() as client:
        headers = {"content-type": "application/octet-stream"}
        sent = client.post("/pictures", content=png(picture()), headers=headers).raise_for_status().json()
        session = client.post("/sessions", json={"picture": sent["id"]}).raise_for_status().json()
        path = f"/sessions/{session['id']}/map"
        reply = client.get(path, params={"kind": "canny"}).raise_for_status()
        assert open_picture(reply.content).samples.tolist() == control_map(picture(), "canny").samples.tolist()
        small = client.get(path, params={"kind": "tile", "side": 64}).raise_for_status()
        assert open_picture(small.content).size == Size(64, 48)
        again = client.get(path, params={"kind": "canny"}, headers={"if-none-match": reply.headers["etag"]})
        assert again.status_code == 304
        for kind, code in (("depth", "request-invalid"), ("nonsense", "control-kind-unknown")):
            refused = client.get(path, params={"kind": kind})
            assert (refused.status_code, refused.json()["error"]["code"]) == (422, code)


def test_what_is_missing_for_a_guide_is_said_before_anything_is_asked_for(editor: Editor) -> None:
    editor.open(picture())
    editor.page.locator(".intents").get_by_text("Replace", exact=True).click()
    editor.page.get_by_label("Prompt").fill("a street")
    editor.choose(Model="photo")
    editor.tab("Guides")
    panel = editor.page.locator(".panel-content")
    panel.get_by_role("button", name="Edges").click()
    row = editor.page.get_by_role("group", name="Edges of the picture")
    row.get_by_text("No network on the server reads Edges for photo.").wait_for()
    assert row.locator("code").inner_text() == "overpaint models get controlnet-canny-sd15"
    row.get_by_text("Show the map").click()
    shown = row.get_by_role("img", name="Edges of the picture")
    editor.until(lambda: shown.count() and shown.evaluate("one => one.naturalWidth") == 320)
    panel.get_by_role("button", name="Depth").click()
    depth = editor.page.get_by_role("group", name="Depth of the picture")
    depth.get_by_text("overpaint models get depth-anything-v2-small").wait_for()
    assert faults(editor.page) == []
    depth.get_by_role("button", name="Remove Depth of the picture").click()
    depth.wait_for(state="detached")
    editor.choose(Model="", Engine="telea")
    panel.get_by_text("telea uses no guides").wait_for()


def test_an_image_of_ones_own_guides_and_one_of_other_proportions_is_named(editor: Editor) -> None:
    beginning(editor, "tiny")
    editor.tab("Guides")
    chooser = editor.page.locator(".panel-content input[type=file]")
    for name, width in (("drawn.png", 160), ("wide.png", 300)):
        chooser.set_input_files({"name": name, "mimeType": "image/png", "buffer": png(picture(width, 120))})
        row = editor.page.get_by_role("group", name=name)
        row.get_by_label("Kind").select_option("scribble")
    row.get_by_text("It must have the picture's proportions: 320 × 240.").wait_for()
    row.get_by_role("checkbox", name="Use wide.png").uncheck()
    first = editor.page.get_by_role("group", name="drawn.png")
    first.get_by_label("Make the map from this image").check()
    editor.generate()
    editor.until(lambda: len(editor.steps()) == 1)
    (control,) = asked(editor)["controls"]
    assert (control["kind"], control["preprocess"]) == ("scribble", True)
    assert editor.stored(control["image"]).shape == (120, 160, 3)
