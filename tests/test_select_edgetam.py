"""EdgeTAM without timm: its encoder has the tensors of timm's, and gives what timm's gives."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import sam_networks
from overpaint.errors import ModelError
from overpaint.models import ModelRef, add
from overpaint.picture import from_array
from overpaint.select import HintPoint, SelectorHints, networks, select, selected
from overpaint.select.cache import shared
from overpaint.select.networks import network_access
from overpaint.select.sam import default_network
from overpaint.select.sam.repvit import RepVit

LAYOUT = "174f7f75bb8973bda0e236338695d61e99d685f52aad64d6c4a216f8bf324164"
"""SHA-256 of names and shapes of timm 1.0.31's repvit_m1 with features_only, a line each in order."""

MEANS = [0.25421, 0.2604, 0.5346, -0.04376]
SPREADS = [1.08093, 1.00505, 6.78399, 1.38084]
"""Means and standard deviations of what its four stages see in `seen_picture`, with the weights of `waves`."""


def layout(model: Any) -> str:
    lines = "".join(f"{name} {tuple(one.shape)}\n" for name, one in sorted(model.state_dict().items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def waves(model: Any) -> Any:
    """A network with weights that a formula gives."""
    tensors = {}
    for number, (name, one) in enumerate(sorted(model.state_dict().items())):
        wave = np.sin(np.arange(max(1, one.numel())) * (0.7 + 0.01 * number) + number).astype(np.float32)
        value = torch.from_numpy(wave).reshape(one.shape) * (
            0.7 / max(1, one[0].numel()) ** 0.5 if one.ndim > 1 else 0.3
        )
        if name.endswith(("running_var", "bn.weight")):
            value = value + 1
        tensors[name] = value
    model.load_state_dict(tensors)
    return model.eval()


def seen_picture() -> torch.Tensor:
    """(1, 3, 96, 64)."""
    return torch.from_numpy(np.sin(np.arange(3 * 96 * 64) * 0.37).astype(np.float32)).reshape(1, 3, 96, 64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small EdgeTAM as it is published: its configuration names timm's encoder."""
    made = tmp_path_factory.mktemp("networks") / "edge"
    sam_networks.saved("edgetam", made)
    return made


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("OVERPAINT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    with network_access(paths=True):
        yield
    networks.release()
    shared.clear()


def asked(folder: Path | str) -> SelectorHints:
    return SelectorHints(points=(HintPoint(50, 40),), options={"model": str(folder), "refine": False})


def test_the_tensors_of_the_encoder_are_those_of_timms():
    model = RepVit()
    assert len(model.state_dict()) == 676
    assert layout(model) == LAYOUT


def test_the_encoder_sees_what_timms_sees():
    with torch.inference_mode():
        found = waves(RepVit())(seen_picture())
    assert [tuple(one.shape[1:]) for one in found] == [(48, 24, 16), (96, 12, 8), (192, 6, 4), (384, 3, 2)]
    assert [float(one.mean()) for one in found] == pytest.approx(MEANS, rel=1e-3, abs=1e-3)
    assert [float(one.std()) for one in found] == pytest.approx(SPREADS, rel=1e-3)


def test_masks_are_equal_with_timms_encoder_in_its_place(folder):
    if importlib.util.find_spec("timm") is None:
        pytest.skip("the package timm is not installed, whose encoder this test compares with")
    from transformers.models.edgetam.modeling_edgetam import EdgeTamModel

    own, _ = networks_loaded(folder)
    theirs = EdgeTamModel.from_pretrained(folder).eval()
    assert "timm" in type(theirs.vision_encoder.backbone.timm_model).__module__
    picture = torch.from_numpy(sam_networks.photo(64, 64)).permute(2, 0, 1)[None] / 127.5 - 1
    point = {"input_points": torch.tensor([[[[30.0, 20.0]]]]), "input_labels": torch.tensor([[[1]]])}
    with torch.inference_mode():
        a, b = (one(pixel_values=picture, **point) for one in (own, theirs))
    assert torch.equal(a.pred_masks, b.pred_masks)
    assert torch.equal(a.iou_scores, b.iou_scores)


def networks_loaded(folder: Path) -> tuple[Any, ModelRef]:
    """The network as the selector has it, and its reference."""
    from overpaint.select.sam.edgetam import edgetam

    ref = networks.named_network(str(folder))
    return edgetam(ref), ref


def test_a_published_folder_selects_without_timm_and_torchvision(folder, monkeypatch):
    for package in ("timm", "torchvision"):
        monkeypatch.setitem(sys.modules, package, None)  # an import of it fails
    found = select(from_array(sam_networks.photo()), "sam", asked(folder))
    assert len(found) == 3
    assert 0.03 < found[0].mask.fraction < 0.97


def test_edgetam_is_used_where_no_network_is_named(folder):
    add(folder, "edge", licence="Apache-2.0")
    assert default_network() == "edge"
    picture = from_array(sam_networks.photo())
    found = selected(picture, "sam", SelectorHints(points=(HintPoint(50, 40),), options={"refine": False}))
    assert np.array_equal(found.core, selected(picture, "sam", asked("edge")).core)


def test_the_folder_with_the_memory_for_films_selects_alike(folder, tmp_path):
    whole = tmp_path / "video"
    shutil.copytree(folder, whole)
    config = json.loads((whole / "config.json").read_text())
    for part in ("mask_decoder", "prompt_encoder"):
        config[f"{part}_config"]["model_type"] = f"edgetam_video_{part}"
    config |= {
        "model_type": "edgetam_video",
        "num_maskmem": 7,
        "image_size": 64,
        "architectures": ["EdgeTamVideoModel"],
    }
    (whole / "config.json").write_text(json.dumps(config))
    more = {"memory_encoder.projection.weight": torch.zeros(4, 4), "spatial_perceiver.latents_1d": torch.zeros(4, 4)}
    save_file(load_file(whole / "model.safetensors") | more, whole / "model.safetensors", metadata={"format": "pt"})
    picture = from_array(sam_networks.photo())
    wanted = [one.mask.core for one in select(picture, "sam", asked(folder))]
    assert np.array_equal([one.mask.core for one in select(picture, "sam", asked(whole))], wanted)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"architecture": "repvit_m2"}, "the encoder repvit_m2, and EdgeTAM's is repvit_m1"),
        ({"model_args": {"features_only": True, "legacy": False}}, "repvit_m1 with legacy=False"),
        ({"model_args": {"embed_dim": "wide"}}, "make no sense"),
        ({"model_args": {"depth": [1, 1, 10**9, 1]}}, "make no sense"),
        ({"model_args": [1]}, "can't be loaded"),
        ({"architecture": "hf-hub:someone/else"}, "asks for what is not in its folder"),
    ],
)
def test_other_encoders_are_refused_in_words(folder, tmp_path, change, words):
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    config = json.loads((other / "config.json").read_text())
    config["vision_config"]["backbone_config"] |= change
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=words) as caught:
        select(from_array(sam_networks.photo()), "sam", asked(other))
    assert "\n" not in str(caught.value)


def test_an_encoder_that_is_cut_short_is_refused_in_words(folder, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    tensors = load_file(other / "model.safetensors")
    del tensors["vision_encoder.backbone.timm_model.stages_2.blocks.1.token_mixer.conv1.bn.running_var"]
    save_file(tensors, other / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"cut short.*stages_2\.blocks\.1"):
        select(from_array(sam_networks.photo()), "sam", asked(other))
