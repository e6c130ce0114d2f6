"""Small random networks that make control maps, as folders that transformers writes."""

from __future__ import annotations

import json
from pathlib import Path

import torch


def _lively(network: torch.nn.Module) -> torch.nn.Module:
    """The network with larger weights, so that what it gives depends on the picture; its biases are above 0."""
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.copy_(tensor * 6 if tensor.ndim > 1 else tensor + 0.05)
    return network


def depth_anything_folder(folder: Path, kind: str = "relative") -> Path:
    """Depth Anything with cells of 14 pixels, for pictures of 56."""
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation

    torch.manual_seed(1)
    backbone = {
        "model_type": "dinov2",
        "image_size": 56,
        "patch_size": 14,
        "hidden_size": 32,
        "num_hidden_layers": 4,
        "num_attention_heads": 2,
        "out_indices": [1, 2, 3, 4],
        "reshape_hidden_states": False,
    }
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=32,
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=8,
        head_hidden_size=8,
        depth_estimation_type=kind,
        max_depth=20,
    )
    _lively(DepthAnythingForDepthEstimation(config)).save_pretrained(folder)
    colours = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    form = {"size": {"height": 56, "width": 56}, "keep_aspect_ratio": True, "ensure_multiple_of": 14, **colours}
    (folder / "preprocessor_config.json").write_text(json.dumps(form))
    return folder


def dpt_folder(folder: Path) -> Path:
    """DPT with cells of 8 pixels, for squares of 64."""
    from transformers import DPTConfig, DPTForDepthEstimation

    torch.manual_seed(2)
    config = DPTConfig(
        image_size=64,
        patch_size=8,
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=32,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 16, 16],
        fusion_hidden_size=8,
        is_hybrid=False,
    )
    _lively(DPTForDepthEstimation(config)).save_pretrained(folder)
    form = {"size": {"height": 64, "width": 64}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 2}
    (folder / "preprocessor_config.json").write_text(json.dumps(form))
    return folder


def vitpose_folder(folder: Path, joints: int = 17) -> Path:
    """ViTPose for a person in 48x64 pixels."""
    from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation

    torch.manual_seed(3)
    backbone = VitPoseBackboneConfig(
        image_size=[64, 48], patch_size=[16, 16], hidden_size=32, num_hidden_layers=1, num_attention_heads=2
    )
    config = VitPoseConfig(backbone_config=backbone, num_labels=joints, use_simple_decoder=True, scale_factor=4)
    _lively(VitPoseForPoseEstimation(config)).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 64, "width": 48}}))
    return folder
