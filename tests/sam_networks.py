"""Small random networks of the SAM family, of the layouts that transformers publishes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

SIDE = 64
DECODER = {"hidden_size": 32, "mlp_dim": 48, "iou_head_hidden_dim": 24}
PROMPTS = {"hidden_size": 32, "image_size": SIDE, "patch_size": 16}
VIT = {
    "hidden_size": 32,
    "output_channels": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 16,
    "window_size": 3,
    "global_attn_indexes": [1],
    "mlp_dim": 64,
    "num_pos_feats": 16,
}
HIERA = {
    "model_type": "sam2_hiera_det_model",
    "hidden_size": 16,
    "num_attention_heads": 1,
    "image_size": [SIDE, SIDE],
    "blocks_per_stage": [1, 1, 2, 1],
    "embed_dim_per_stage": [16, 32, 64, 128],
    "num_attention_heads_per_stage": [1, 2, 4, 8],
    "window_size_per_stage": [8, 4, 2, 1],
    "global_attention_blocks": [3],
}
LEVELS = {"backbone_channel_list": [128, 64, 32, 16], "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]]}
REPVIT = {
    "model_type": "timm_wrapper",
    "architecture": "repvit_m1",
    "num_classes": 1000,
    "model_args": {
        "features_only": True,
        "in_chans": 3,
        "out_indices": [0, 1, 2, 3],
        "embed_dim": [16, 32, 64, 128],
        "depth": [1, 2, 3, 1],
    },
}
VIT3 = {
    "model_type": "sam3_vit_model",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 16,
    "window_size": 2,
    "global_attn_indexes": [1],
    "pretrain_image_size": SIDE,
}
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "sam": {"vision_config": VIT, "prompt_encoder_config": PROMPTS, "mask_decoder_config": DECODER},
    "sam-hq": {
        "vision_config": VIT,
        "prompt_encoder_config": PROMPTS,
        "mask_decoder_config": {**DECODER, "vit_dim": VIT["hidden_size"]},
    },
    "sam2": {
        "vision_config": {
            "model_type": "sam2_vision_model",
            "backbone_config": HIERA,
            "fpn_hidden_size": 32,
            **LEVELS,
        },
        "prompt_encoder_config": PROMPTS,
        "mask_decoder_config": DECODER,
    },
    "edgetam": {
        "vision_config": {
            "model_type": "edgetam_vision_model",
            "backbone_config": REPVIT,
            "fpn_hidden_size": 32,
            **LEVELS,
        },
        "prompt_encoder_config": PROMPTS,
        "mask_decoder_config": DECODER,
    },
    "sam3": {
        "vision_config": {
            "model_type": "sam3_vision_model",
            "backbone_config": VIT3,
            "fpn_hidden_size": 32,
            "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        },
        "prompt_encoder_config": PROMPTS,
        "mask_decoder_config": DECODER,
    },
}

SEEDS = {"sam3": 5, "edgetam": 40}
"""Where weights of the seed 0 give masks of which a hair decides."""


def classes(network: str) -> tuple[Any, Any]:
    """transformers' class and configuration."""
    if network == "sam":
        from transformers.models.sam.configuration_sam import SamConfig
        from transformers.models.sam.modeling_sam import SamModel

        return SamModel, SamConfig
    if network == "sam-hq":
        from transformers.models.sam_hq.configuration_sam_hq import SamHQConfig
        from transformers.models.sam_hq.modeling_sam_hq import SamHQModel

        return SamHQModel, SamHQConfig
    if network == "sam2":
        from transformers.models.sam2.configuration_sam2 import Sam2Config
        from transformers.models.sam2.modeling_sam2 import Sam2Model

        return Sam2Model, Sam2Config
    from transformers.models.sam3_tracker.configuration_sam3_tracker import Sam3TrackerConfig
    from transformers.models.sam3_tracker.modeling_sam3_tracker import Sam3TrackerModel

    return Sam3TrackerModel, Sam3TrackerConfig


def network(name: str, seed: int = 0) -> Any:
    """A random network, whose masks are neither empty nor full."""
    if name == "edgetam":  # transformers alone can't make it without timm
        from transformers.models.edgetam.modeling_edgetam import EdgeTamModel

        from overpaint.select.sam.edgetam import edgetam_settings

        return randomised(EdgeTamModel(edgetam_settings(SETTINGS[name], name)), seed)
    kind, settings = classes(name)
    return randomised(kind(settings(**SETTINGS[name])), seed)


def randomised(model: Any, seed: int = 0) -> Any:
    """A network with random weights."""
    drawn = torch.Generator().manual_seed(seed)
    tensors = {}
    for key, one in model.state_dict().items():
        spread = 1.0 if "positional_embedding" in key else 1.5 / max(1, one[0].numel() if one.ndim > 1 else 16) ** 0.5
        tensors[key] = torch.randn(one.shape, generator=drawn) * spread
        if one.ndim == 1 and ("norm" in key or ".bn." in key) and key.endswith("weight"):
            tensors[key] += 1
        if key.endswith("running_var"):
            tensors[key] = 0.5 + tensors[key].abs()
    for key in tensors:
        if "iou_prediction_head.proj_out" in key:  # SAM 1's estimates have no sigmoid
            tensors[key] = tensors[key] * 0.2 + (0.5 if key.endswith("bias") else 0)
    shared = "prompt_encoder.shared_embedding.positional_embedding"
    if shared in tensors:
        tensors["shared_image_embedding.positional_embedding"] = tensors[shared]
    model.load_state_dict(tensors)
    return model.eval()


def saved(name: str, folder: Path) -> Any:
    """A random network, kept in a folder in transformers' layout."""
    model = network(name, SEEDS.get(name, 0))
    model.save_pretrained(folder)
    if name == "edgetam":  # as it is published: the encoder is timm's
        config = json.loads((folder / "config.json").read_text())
        config["vision_config"]["backbone_config"] = REPVIT
        (folder / "config.json").write_text(json.dumps(config))
    return model


def photo(height: int = 90, width: int = 120, seed: int = 1) -> np.ndarray:
    """(H, W, 3) uint8 of soft blobs."""
    import cv2

    noise = np.random.default_rng(seed).random((7, 9, 3)).astype(np.float32)
    return np.rint(255 * np.clip(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)).astype(
        np.uint8
    )


def saved_sam3(folder: Path) -> Any:
    """The whole of SAM 3 as it is published, with its detector and its tracker, and a tokenizer; the model."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers.models.sam3_video.configuration_sam3_video import Sam3VideoConfig
    from transformers.models.sam3_video.modeling_sam3_video import Sam3VideoModel

    sizes = {"hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 48}
    vision = SETTINGS["sam3"]["vision_config"]
    words = {"vocab_size": 8, "num_hidden_layers": 1, "projection_dim": 16, "eos_token_id": 1, **sizes}
    detector = {
        "vision_config": vision,
        "text_config": {**words, "max_position_embeddings": 32},
        "geometry_encoder_config": {"num_layers": 1, **sizes},
        "detr_encoder_config": {"num_layers": 1, **sizes},
        "detr_decoder_config": {"num_layers": 2, "num_queries": 6, **sizes},
        "mask_decoder_config": {"hidden_size": 32, "num_attention_heads": 4},
    }
    tracker = {**SETTINGS["sam3"], "image_size": SIDE, "memory_attention_num_layers": 1, "memory_fuser_num_layers": 1}
    model = Sam3VideoModel(Sam3VideoConfig(detector_config=detector, tracker_config=tracker))
    model = randomised(model, 3)
    model.save_pretrained(folder)
    known = {"<|startoftext|>": 0, "<|endoftext|>": 1, "red": 2, "car": 3}
    tokenizer = Tokenizer(models.WordLevel(known, unk_token="red"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return model
