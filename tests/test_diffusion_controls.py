"""ControlNets: files become networks, and networks guide pictures as in diffusers' pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import checkpoints
from checkpoints import REAL, TINY
from overpaint import models
from overpaint.engines.diffusion import diffusers_networks, loader
from overpaint.engines.diffusion.weight_files import control_bytes
from overpaint.models import ModelError, ModelRef

HINTS = (4, 4, 8, 8)
"""Channels of the small networks that read control images."""


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("OVERPAINT_HOME", str(folder))
    monkeypatch.setenv("HF_HUB_CACHE", str(folder / "hub"))
    return folder / "models"


def model_of(family: str, folder: Path) -> ModelRef:
    """A checkpoint of the small sizes, of which the configurations alone are read here."""
    return ModelRef("it", checkpoints.small_config(TINY[family], folder / family), models.Kind("checkpoint", "folder"))


def weights(family: str) -> dict[str, torch.Tensor]:
    return checkpoints.tensors(checkpoints.control(TINY[family], HINTS))


def added(name: str, tensors: dict[str, torch.Tensor], home: Path) -> ModelRef:
    """A single file in the store, found by its name."""
    home.mkdir(exist_ok=True)
    save_file(tensors, home / f"{name}.safetensors")
    family = models.detect(home / f"{name}.safetensors").family
    assert family is not None
    return models.find_control("canny", family, name)


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    left, right = one.state_dict(), other.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


# ---- files ----


def test_every_tensor_of_a_published_controlnet_has_its_place() -> None:
    family = models.family_of("sd1")
    given = checkpoints.tensors(checkpoints.control(REAL["sd1"]), device="meta")
    bare = {name.removeprefix("control_model."): one for name, one in given.items()}
    config = family.config(ModelRef("it", Path("it.safetensors"), models.Kind("checkpoint", "safetensors")))
    named = diffusers_networks.controlnet_from_original(bare, config, "it")
    config |= diffusers_networks.controlnet_config(named, "it")
    network = diffusers_networks.controlnet(config, named, torch.float32, "it", union=False, source="it")
    assert sum(one.numel() for one in network.parameters()) == 361_279_120
    assert len(given) == 340
    assert tuple(network.config.conditioning_embedding_out_channels) == (16, 32, 96, 256)


@pytest.mark.parametrize("family", ["sd1", "sd2", "sdxl"])
def test_both_layouts_and_a_folder_give_the_network_that_diffusers_reads(family: str, tmp_path: Path, home: Path):
    from diffusers import ControlNetModel

    model = model_of(family, tmp_path)
    original = added("its-canny", weights(family), home)
    found = loader.load_control(original, model)
    assert (original.kind.layout, original.kind.family) == ("ldm", family)
    held = sum(one.numel() * one.element_size() for one in found.network.parameters())
    assert control_bytes(original, torch.float32, lambda source: False) == held
    assert control_bytes(original, torch.float32, lambda source: True) == 0

    oracle = ControlNetModel.from_config(dict(found.network.config))
    oracle.load_state_dict(found.network.state_dict())  # raises for a name that it does not have
    oracle.save_pretrained(home / "folder-canny")
    if family != "sdxl":  # whose original layout diffusers' converter does not know
        name = str(home / "its-canny.safetensors")
        read = ControlNetModel.from_single_file(name, config=str(home / "folder-canny"), local_files_only=True)
        assert same(found.network, read)
    folder = models.find_control("canny", family, "folder-canny")
    assert same(loader.load_control(folder, model).network, oracle)
    tensors = load_file(home / "folder-canny" / "diffusion_pytorch_model.safetensors")
    current = added("current-canny", tensors, home)
    assert current.kind.layout == "diffusers"
    assert same(loader.load_control(current, model, torch.bfloat16).network, oracle.to(torch.bfloat16))


@pytest.mark.parametrize("attended", [(0, 1, 1), (0, 0, 1), (0, 0, 0)])
def test_smaller_controlnets_of_sdxl_are_read_by_what_their_tensors_show(attended: tuple[int, ...], tmp_path, home):
    """Published in three sizes, of which two leave out attention."""
    from diffusers import ControlNetModel

    plan = TINY["sdxl"]
    oracle = ControlNetModel(
        block_out_channels=[plan.width * one for one in plan.mult],
        down_block_types=["CrossAttnDownBlock2D" if one else "DownBlock2D" for one in attended],
        mid_block_type="UNetMidBlock2DCrossAttn" if any(attended) else "UNetMidBlock2D",
        transformer_layers_per_block=list(attended),
        norm_num_groups=plan.groups,
        cross_attention_dim=plan.context,
        attention_head_dim=plan.heads,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=plan.time_width,
        projection_class_embeddings_input_dim=plan.label,
        conditioning_embedding_out_channels=HINTS,
    )
    ref = added("small-canny", {name: one.contiguous() for name, one in oracle.state_dict().items()}, home)
    assert same(loader.load_control(ref, model_of("sdxl", tmp_path)).network, oracle)


def test_a_controlnet_beside_its_checkpoint_in_one_file_is_found_there(tmp_path: Path, home: Path) -> None:
    tensors = weights("sd1")
    alone = loader.load_control(added("a-canny", tensors, home), model_of("sd1", tmp_path))
    whole = tensors | checkpoints.tensors(checkpoints.unet(TINY["sd1"]), seed=1)
    assert same(loader.load_control(added("b-canny", whole, home), model_of("sd1", tmp_path)).network, alone.network)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"control_model.zero_convs.2.0.weight": None}, "lacks 1 of its"),
        ({"control_model.input_hint_block.0.weight": (4, 1, 3, 3)}, "takes other input"),
        ({"control_model.input_blocks.0.0.weight": (16, 9, 3, 3)}, "takes other input"),
        ({"control_model.time_embed.0.weight": (64, 8)}, "has other sizes than its configuration"),
        ({"control_model.something": (3,)}, "has more weights than it should: 3 numbers"),
    ],
)
def test_a_damaged_controlnet_is_one_clear_error(change: dict[str, Any], says: str, tmp_path: Path, home: Path) -> None:
    tensors = weights("sd1")
    for name, shape in change.items():
        tensors |= {name: torch.zeros(shape or ())}
        if shape is None:
            del tensors[name]
    with pytest.raises(ModelError, match=f"^the ControlNet its-canny {says}"):
        loader.load_control(added("its-canny", tensors, home), model_of("sd1", tmp_path))
