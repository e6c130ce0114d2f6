"""Faces are found, restored in their frame and laid back; nothing else changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from skimage import data

from overpaint import Mask
from overpaint.cli import main
from overpaint.engines.spandrel_import import torchvision_stood_in
from overpaint.errors import ModelError, RequestError
from overpaint.picture import from_array
from overpaint.restore import faces, load_face_network, restore_faces

PHOTO = np.ascontiguousarray(data.astronaut()[:256, 100:356])
YUNET = Path(__file__).resolve().parents[2] / "shared" / "nets" / "yunet_n_dynamic.onnx"


class Inverts(faces.FaceNetwork):
    """Turns colours round."""

    def __init__(self) -> None:
        self.name = "inverts"

    def __call__(self, face: Any) -> Any:
        return 1 - face


@pytest.fixture(params=["cascade", "yunet"])
def detector(request: pytest.FixtureRequest) -> Path | None:
    if request.param == "yunet" and not YUNET.exists():
        pytest.skip("the network of YuNet is not here")
    return YUNET if request.param == "yunet" else None


def test_the_face_is_in_its_frame(detector: Path | None):
    (turn,) = faces.face_turns(from_array(PHOTO), PHOTO.astype(np.float32) / 255, detector)
    eyes = np.array([[101.0, 105.0], [136.0, 105.0]])  # of the astronaut
    found = eyes @ turn[:, :2].T + turn[:, 2]
    assert np.abs(found - faces.TEMPLATE[:2]).max() < 45


def test_the_face_changes_and_nothing_around_it(detector: Path | None):
    made = restore_faces(from_array(PHOTO), Inverts(), detector=detector)
    assert made.faces == 1
    changed = (made.picture.samples != PHOTO).any(axis=2)
    assert changed[110:130, 110:130].mean() > 0.9
    assert not changed[:20].any()
    assert not changed[240:].any()
    assert np.array_equal(restore_faces(from_array(PHOTO), Inverts(), weight=0).picture.samples, PHOTO)


def test_within_a_mask_only(detector: Path | None):
    mask = Mask.box(from_array(PHOTO).size, (0, 0, 120, 256))
    made = restore_faces(from_array(PHOTO), Inverts(), mask=mask, detector=detector).picture.samples
    assert np.array_equal(made[:, 120:], PHOTO[:, 120:])
    assert not np.array_equal(made, PHOTO)


def test_a_picture_without_a_face_stays_as_it_is():
    plain = from_array(cv2.GaussianBlur(PHOTO[180:, :100], (0, 0), 9))
    made = restore_faces(plain, Inverts())
    assert made.faces == 0
    assert np.array_equal(made.picture.samples, plain.samples)


def test_bad_input_is_named(tmp_path: Path):
    with pytest.raises(RequestError, match="0 to 1"):
        restore_faces(from_array(PHOTO), Inverts(), weight=1.5)
    with pytest.raises(ModelError, match="there is no network for faces"):
        load_face_network(str(tmp_path / "none.pth"))


def test_restoreformer_is_loaded_and_the_command_uses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any):
    with torchvision_stood_in():
        pytest.importorskip("spandrel", reason="the extra restore is not installed")
        from spandrel.architectures.RestoreFormer import RestoreFormer
    torch.manual_seed(3)
    sizes = {"ch": 32, "ch_mult": (1, 1, 1, 1, 1, 1), "num_res_blocks": 1, "n_embed": 16, "embed_dim": 32}
    made = RestoreFormer(**sizes, z_channels=32, attn_resolutions=(16,), resolution=512, head_size=8)
    monkeypatch.chdir(tmp_path)
    save_file({name: one.contiguous() for name, one in made.state_dict().items()}, "former.safetensors")
    Image.fromarray(PHOTO).save("a.png")
    assert main(["restore", "a.png", "--model", "former.safetensors"]) == 0
    assert "restored 1 face (former)" in capsys.readouterr().out
    changed = (np.asarray(Image.open("a.restore.png")) != PHOTO).any(axis=2)
    assert changed[110:130, 110:130].mean() > 0.5
    assert not changed[240:].any()
