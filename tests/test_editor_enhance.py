"""Export in the editor: the picture enlarged, by what the server has, and with its faces restored."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from editor_page import Editor, faults, picture
from overpaint.picture import open_picture
from overpaint.record import read_record
from servers import Running, running
from upscaling import face_file, upscaler_file


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    models = tmp_path_factory.mktemp("models")
    upscaler_file(models)
    face_file(models)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OVERPAINT_MODEL_PATH", str(models))
        patch.setenv("OVERPAINT_HOME", str(tmp_path_factory.mktemp("home")))
        with running(tmp_path_factory.mktemp("enhance")) as found:
            yield found


def opened(editor: Editor, pixels: np.ndarray) -> None:
    """A picture with the dialog for exports."""
    editor.open(pixels)
    editor.page.locator(".canvas-host").focus()
    editor.page.keyboard.press("Control+s")
    editor.page.get_by_label("Enlarge", exact=True).wait_for()


def saved(editor: Editor, folder: Path) -> Path:
    return editor.saved(editor.page.get_by_role("button", name="Save the picture").click, folder)


def test_the_picture_is_saved_larger_by_the_way_that_was_chosen(editor: Editor, tmp_path: Path):
    opened(editor, picture(160, 120))
    page = editor.page
    page.get_by_label("Enlarge", exact=True).select_option("2")
    page.get_by_text("320 × 240").wait_for()
    taught = saved(editor, tmp_path)
    found = read_record(taught)
    assert tuple(open_picture(taught).size) == (320, 240)
    assert found is not None
    assert found.record is not None
    assert found.record.resolved.options == {"scale": 2.0}
    page.keyboard.press("Control+s")
    page.locator("input[name=format][value=jpeg]").check()
    page.get_by_label("Enlarge", exact=True).select_option("width")
    page.get_by_label("Width in pixels").fill("100")
    assert page.get_by_role("button", name="Save the picture").is_disabled()
    page.get_by_text("The width must be 161 to 2560 pixels.").wait_for()
    assert faults(page) == []
    page.get_by_label("Width in pixels").fill("200")
    page.get_by_label("Enlarge by", exact=True).select_option("RealESRGAN_x2")
    made = saved(editor, tmp_path)
    found = read_record(made)
    assert (made.suffix, tuple(open_picture(made).size)) == (".jpg", (200, 150))
    assert found is not None
    assert found.record is not None
    assert found.record.resolved.options == {"width": 200, "model": "RealESRGAN_x2"}
    assert editor.client.get("/edits").json() == [], "its jobs are forgotten"


def test_faces_are_restored_in_what_is_saved(editor: Editor, tmp_path: Path):
    photo = np.ascontiguousarray(data.astronaut()[:192, 130:322])
    opened(editor, photo)
    editor.page.get_by_label("Restore faces").check()
    after = open_picture(saved(editor, tmp_path)).samples
    changed = (after != photo).any(axis=2)
    assert changed.any()
    assert not changed[:5].any()
    assert np.array_equal(editor.pixels(), photo), "the session's own picture stays"


def test_what_takes_long_is_given_up(editor: Editor):
    opened(editor, picture(160, 120))
    page = editor.page
    page.route("**/events", lambda route: None)  # never answered
    page.get_by_label("Enlarge", exact=True).select_option("4")
    page.get_by_role("button", name="Save the picture").click()
    page.get_by_role("progressbar", name="The picture is made").wait_for()
    page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Save the picture").wait_for()
    editor.until(lambda: all(one["state"] in ("cancelled", "done") for one in editor.client.get("/edits").json()))
