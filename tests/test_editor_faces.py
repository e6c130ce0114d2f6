"""Faces in the editor's settings: offered where a network for them is here, and restored in what it paints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from skimage import data

from editor_page import Editor, picture
from overpaint.engines.spandrel_import import torchvision_stood_in
from overpaint.restore import face_networks
from overpaint.studio import Studio
from servers import Running, running

PHOTO = np.ascontiguousarray(data.astronaut()[:256, 100:356])


class Inverts:
    """Turns colours round."""

    name = "inverts"

    def __call__(self, face: Any, fidelity: float = 0.5) -> Any:
        return 1 - face


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty store."""
    monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(face_networks, "load_face_network", lambda ref, device: Inverts())
    (tmp_path / "home" / "models").mkdir(parents=True)
    return tmp_path / "home" / "models"


def network(file: Path) -> None:
    """A file with the layout of RestoreFormer."""
    with torchvision_stood_in():
        pytest.importorskip("spandrel", reason="the extra restore is not installed")
    names = ("quantize.embedding.weight", "encoder.conv_in.weight", "decoder.mid.attn_1.q.weight")
    save_file({name: torch.zeros(1) for name in names}, file)


@pytest.fixture
def server(home: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Running]:
    if request.param:
        network(home / "former.safetensors")
    with Studio(threads=1) as studio, running(tmp_path / "data", studio) as found:
        yield found


@pytest.mark.parametrize("server", [False], indirect=True)
def test_without_a_network_for_faces_nothing_offers_to_restore_them(editor: Editor):
    editor.open(picture())
    editor.page.get_by_role("button", name="Settings", exact=True).click()
    editor.page.locator("#setting-colour_match").wait_for()
    assert not editor.page.locator("#setting-restore_faces").count()


@pytest.mark.parametrize("server", [True], indirect=True)
def test_a_network_that_is_here_restores_the_faces_in_what_is_painted(editor: Editor):
    editor.open(PHOTO)
    editor.page.get_by_role("button", name="Settings", exact=True).click()
    editor.page.get_by_text("Faces in what is painted").wait_for()
    faces = editor.page.locator("#setting-restore_faces")
    faces.wait_for()
    assert faces.locator("option").all_inner_texts() == ["off", "auto", "former"]
    assert editor.page.locator("#setting-colour_match option").first.inner_text() == "automatic"
    models = editor.page.get_by_label("Model", exact=True).locator("option").all_inner_texts()
    assert not any("former" in one for one in models)  # it paints nothing
    faces.select_option("former")
    editor.page.locator("#setting-face_weight").fill("0.8")
    editor.page.locator("#setting-face_weight").blur()
    editor.page.get_by_label("Engine", exact=True).select_option("telea")
    editor.page.get_by_role("button", name="Settings (").click()
    editor.page.get_by_role("button", name="Rectangle").click()
    editor.drag(editor.at(90, 120), editor.at(105, 135))
    editor.generate()
    editor.page.locator(".take").first.wait_for()
    details = editor.page.locator(".panel details")
    details.locator("summary").click()
    assert "former" in details.inner_text()
    assert "0.8" in details.inner_text()
    assert not editor.page.get_by_text("no face is in what was painted").count()
    restored = editor.pixels()[..., :3].astype(int)
    assert (
        np.abs(restored - PHOTO)[124:132, 94:100].mean() > 40
    )  # by the filling alone it would be near the skin's colour
    assert np.array_equal(restored[:100], PHOTO[:100])
