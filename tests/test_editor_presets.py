"""The choice of a preset in the editor's settings reaches the painted picture, and a note says what it set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from editor_page import Editor, picture
from overpaint.studio import Studio
from servers import Running, running


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Running]:
    with Studio(threads=1) as studio, running(tmp_path / "data", studio) as found:
        yield found


def test_a_preset_is_chosen_beside_the_steps_and_told_with_the_result(editor: Editor):
    editor.open(picture())
    editor.page.get_by_role("button", name="Settings", exact=True).click()
    preset = editor.page.locator("#setting-preset")
    preset.wait_for()
    assert preset.locator("option").all_inner_texts() == ["off", "fast"]
    names = editor.page.locator("fieldset", has=preset).locator("label code").all_inner_texts()
    assert names.index("steps") - names.index("preset") == 1
    preset.select_option("fast")
    editor.page.get_by_label("Engine", exact=True).select_option("telea")
    assert "unused" in str(editor.page.locator(".setting", has=preset).get_attribute("class"))
    editor.page.get_by_role("button", name="Settings (").click()
    editor.removed()
    editor.page.get_by_text("Preset fast had no effect: telea").wait_for()
