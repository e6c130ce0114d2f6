"""Single files of the original releases: their tensors by transformers' names, and the sizes that these show.

Layouts: facebookresearch/segment-anything (sam_vit_*.pth), SysCV/sam-hq (sam_hq_vit_*.pth) and facebookresearch/sam2
(sam2_hiera_*.pt, sam2.1_hiera_*.pt).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from overpaint.errors import ModelError

Tensors = Mapping[str, Any]
Sizes = dict[str, Any]

_PLAIN = (
    (r"^(?:module\.|model\.)+", ""),
    (r"image_encoder\.trunk\.", "vision_encoder.backbone."),
    (r"image_encoder\.neck\.convs\.(\d+)\.conv\.", r"vision_encoder.neck.convs.\1."),
    (r"image_encoder\.", "vision_encoder."),
    (r"^sam_(mask_decoder|prompt_encoder)\.", r"\1."),
    (r"\.neck\.0\.", ".neck.conv1."),
    (r"\.neck\.1\.", ".neck.layer_norm1."),
    (r"\.neck\.2\.", ".neck.conv2."),
    (r"\.neck\.3\.", ".neck.layer_norm2."),
    (r"patch_embed\.proj\.", "patch_embed.projection."),
    (r"\.pe_layer\.positional_encoding_gaussian_matrix", ".shared_embedding.positional_embedding"),
    (r"\.point_embeddings\.", ".point_embed."),
    (r"\.mask_downscaling\.0\.", ".mask_embed.conv1."),
    (r"\.mask_downscaling\.1\.", ".mask_embed.layer_norm1."),
    (r"\.mask_downscaling\.3\.", ".mask_embed.conv2."),
    (r"\.mask_downscaling\.4\.", ".mask_embed.layer_norm2."),
    (r"\.mask_downscaling\.6\.", ".mask_embed.conv3."),
    (r"\.output_upscaling\.0\.", ".upscale_conv1."),
    (r"\.output_upscaling\.1\.", ".upscale_layer_norm."),
    (r"\.output_upscaling\.3\.", ".upscale_conv2."),
    (r"\.norm(\d|_final_attn)\.", r".layer_norm\1."),
    (r"^no_mem_embed$", "no_memory_embedding"),
    # HQ-SAM
    (r"\.hf_token\.", ".hq_token."),
    (r"\.hf_mlp\.", ".hq_mask_mlp."),
    (r"\.compress_vit_feat\.0\.", ".compress_vit_conv1."),
    (r"\.compress_vit_feat\.1\.", ".compress_vit_norm."),
    (r"\.compress_vit_feat\.3\.", ".compress_vit_conv2."),
    (r"\.embedding_encoder\.0\.", ".encoder_conv1."),
    (r"\.embedding_encoder\.1\.", ".encoder_norm."),
    (r"\.embedding_encoder\.3\.", ".encoder_conv2."),
    (r"\.embedding_maskfeature\.0\.", ".mask_conv1."),
    (r"\.embedding_maskfeature\.1\.", ".mask_norm."),
    (r"\.embedding_maskfeature\.3\.", ".mask_conv2."),
)
"""Names of the releases, and transformers', in the order in which they are replaced."""

_MLP = re.compile(
    r"(.*(?:output_hypernetworks_mlps\.\d+|iou_prediction_head|pred_obj_score_head|hq_mask_mlp))\.layers\.(\d+)\."
)
"""A small network whose layers transformers calls proj_in, layers.0 ..., proj_out."""

_LEFT_OUT = re.compile(r"^(pixel_(mean|std)$|memory_|mask_downsample|obj_ptr|maskmem_|no_mem_pos|no_obj_|occlusion)")
"""Tensors for films, which a picture does not need."""


def renamed(tensors: Tensors, network: str) -> dict[str, Any]:
    """The tensors of a release by transformers' names, without those for films.

    Args:
        tensors: By the release's names.
        network: "sam", "sam-hq" or "sam2".
    """
    found: dict[str, Any] = {}
    depth: dict[str, int] = {}
    for name, value in tensors.items():
        key = name
        for pattern, instead in _PLAIN:
            key = re.sub(pattern, instead, key)
        if _LEFT_OUT.match(key):
            continue
        if (match := _MLP.match(key)) is not None:
            depth[match[1]] = max(depth.get(match[1], 0), int(match[2]))
        found[key] = value
    found = {_layer(key, depth): value for key, value in found.items()}
    found = {_block(key, network): value for key, value in found.items()}
    if network == "sam2":
        points = [found.pop(key) for key in sorted(found) if re.match(r"prompt_encoder\.point_embed\.\d", key)]
        if points:
            import torch

            found["prompt_encoder.point_embed.weight"] = torch.cat(points)
    shared = found.get("prompt_encoder.shared_embedding.positional_embedding")
    if shared is not None:
        found["shared_image_embedding.positional_embedding"] = shared
    return found


def _layer(key: str, depth: Mapping[str, int]) -> str:
    match = _MLP.match(key)
    if match is None:
        return key
    number, last = int(match[2]), depth[match[1]]
    part = "proj_in" if number == 0 else "proj_out" if number == last else f"layers.{number - 1}"
    return f"{match[1]}.{part}.{key[match.end() :]}"


def _block(key: str, network: str) -> str:
    """Names that differ between SAM 1's encoder and SAM 2's."""
    if network != "sam2":
        return key.replace("vision_encoder.blocks.", "vision_encoder.layers.")
    key = re.sub(r"(backbone\.blocks\.\d+\.mlp)\.layers\.0\.", r"\1.proj_in.", key)
    key = re.sub(r"(backbone\.blocks\.\d+\.mlp)\.layers\.1\.", r"\1.proj_out.", key)
    key = re.sub(r"(transformer\.layers\.\d+\.mlp)\.(?:lin1|layers\.0)\.", r"\1.proj_in.", key)
    key = re.sub(r"(transformer\.layers\.\d+\.mlp)\.(?:lin2|layers\.1)\.", r"\1.proj_out.", key)
    return re.sub(r"(mask_decoder\..*)\.out_proj\.", r"\1.o_proj.", key)


def _count(tensors: Tensors, pattern: str) -> int:
    return 1 + max(int(match[1]) for name in tensors if (match := re.match(pattern, name)))


def vit_sizes(tensors: Tensors, name: str) -> Sizes:
    """Sizes of SAM 1 and HQ-SAM as transformers' configuration has them, from tensors by its names.

    Raises:
        ModelError: A tensor that shows one is missing.
    """
    try:
        places, patches = tensors["vision_encoder.pos_embed"], tensors["vision_encoder.patch_embed.projection.weight"]
        grid, width, patch = int(places.shape[1]), int(places.shape[3]), int(patches.shape[-1])
        layers = _count(tensors, r"vision_encoder\.layers\.(\d+)\.")
        reach = [int(tensors[f"vision_encoder.layers.{n}.attn.rel_pos_h"].shape[0]) for n in range(layers)]
        head = int(tensors["vision_encoder.layers.0.attn.rel_pos_h"].shape[1])
        everywhere = [number for number, one in enumerate(reach) if one == 2 * grid - 1]
        windows = [one for one in reach if one != 2 * grid - 1]
        vision = {
            "hidden_size": width,
            "output_channels": int(tensors["vision_encoder.neck.conv1.weight"].shape[0]),
            "num_hidden_layers": layers,
            "num_attention_heads": width // head,
            "image_size": grid * patch,
            "patch_size": patch,
            "window_size": (windows[0] + 1) // 2 if windows else grid,
            "global_attn_indexes": everywhere,
            "mlp_dim": int(tensors["vision_encoder.layers.0.mlp.lin1.weight"].shape[0]),
            "num_pos_feats": int(tensors["shared_image_embedding.positional_embedding"].shape[1]),
        }
        decoder = decoder_sizes(tensors, "lin1")
        if "mask_decoder.hq_token.weight" in tensors:
            decoder["vit_dim"] = width
        return {
            "vision_config": vision,
            "prompt_encoder_config": prompt_sizes(tensors, grid * patch, patch),
            "mask_decoder_config": decoder,
        }
    except (KeyError, ValueError, IndexError) as error:
        raise _cut(name, error) from error


def prompt_sizes(tensors: Tensors, side: int, patch: int) -> Sizes:
    """Sizes of the encoder of prompts."""
    channels, width = tensors["prompt_encoder.mask_embed.conv2.weight"], tensors["prompt_encoder.no_mask_embed.weight"]
    return {
        "hidden_size": int(width.shape[1]),
        "image_size": side,
        "patch_size": patch,
        "mask_input_channels": int(channels.shape[0]),
    }


def decoder_sizes(tensors: Tensors, first: str) -> Sizes:
    """Sizes of the decoder of masks; `first` is the name of the first layer of its MLPs."""
    head = "mask_decoder.iou_prediction_head"
    return {
        "hidden_size": int(tensors["mask_decoder.iou_token.weight"].shape[1]),
        "num_hidden_layers": _count(tensors, r"mask_decoder\.transformer\.layers\.(\d+)\."),
        "mlp_dim": int(tensors[f"mask_decoder.transformer.layers.0.mlp.{first}.weight"].shape[0]),
        "iou_head_depth": 2 + sum(f"{head}.layers.{number}.weight" in tensors for number in range(8)),
        "iou_head_hidden_dim": int(tensors[f"{head}.proj_in.weight"].shape[0]),
        "num_multimask_outputs": int(tensors["mask_decoder.mask_tokens.weight"].shape[0]) - 1,
    }


SAM2_SIDE = 1024
"""Pixels of the sides of what SAM 2 takes."""

HEAD_WIDTHS = {96: 96, 112: 56, 144: 72}
"""Channels of a head of SAM 2's encoder by its width: those of the published ones."""

GLOBAL_BLOCKS = {
    (1, 2, 7, 2): (5, 7, 9),
    (1, 2, 11, 2): (7, 10, 13),
    (2, 3, 16, 3): (12, 16, 20),
    (2, 6, 36, 4): (23, 33, 43),
}
"""Blocks of SAM 2's encoder that look at the whole picture, by the blocks of its stages; weights do not show them."""

WINDOWS = {(2, 6, 36, 4): (8, 4, 16, 8)}
"""Sides of the windows of its stages, where they are not (8, 4, 14, 7)."""


def hiera_sizes(tensors: Tensors, name: str) -> Sizes:
    """Sizes of SAM 2 as transformers' configuration has them, from tensors by its names.

    Raises:
        ModelError: A tensor that shows one is missing, or they are not those of a published one.
    """
    try:
        own = "vision_encoder.backbone"
        width, background = int(tensors[f"{own}.pos_embed"].shape[1]), tuple(tensors[f"{own}.pos_embed"].shape[2:])
        blocks = _count(tensors, rf"{re.escape(own)}\.blocks\.(\d+)\.")
        starts = [number for number in range(blocks) if f"{own}.blocks.{number}.proj.weight" in tensors]
        stages = tuple(end - begin for begin, end in zip([0, *starts], [*starts, blocks], strict=True))
        if stages not in GLOBAL_BLOCKS or width not in HEAD_WIDTHS:
            message = (
                f"{name} is a SAM 2 of {width} channels and stages of {stages} blocks, which none of the published is"
            )
            raise ModelError(message, field="model", value=name, hint="use a folder in transformers' layout")
        widths = [width * 2**stage for stage in range(len(stages))]
        heads = [one // HEAD_WIDTHS[width] for one in widths]
        backbone = {
            "hidden_size": width,
            "num_attention_heads": heads[0],
            "blocks_per_stage": list(stages),
            "embed_dim_per_stage": widths,
            "num_attention_heads_per_stage": heads,
            "window_size_per_stage": list(WINDOWS.get(stages, (8, 4, 14, 7))),
            "global_attention_blocks": list(GLOBAL_BLOCKS[stages]),
            "window_positional_embedding_background_size": [int(side) for side in background],
            "model_type": "sam2_hiera_det_model",
        }
        vision = {
            "backbone_config": backbone,
            "backbone_channel_list": widths[::-1],
            "backbone_feature_sizes": [[SAM2_SIDE // step] * 2 for step in (4, 8, 16)],
            "fpn_hidden_size": int(tensors["vision_encoder.neck.convs.0.weight"].shape[0]),
            "model_type": "sam2_vision_model",
        }
        return {
            "vision_config": vision,
            "prompt_encoder_config": prompt_sizes(tensors, SAM2_SIDE, 16),
            "mask_decoder_config": decoder_sizes(tensors, "proj_in"),
        }
    except (KeyError, ValueError, IndexError) as error:
        raise _cut(name, error) from error


def _cut(name: str, error: Exception) -> ModelError:
    message = f"{name} is cut short, or of another layout: {error} is not in it"
    return ModelError(message, field="model", value=name)
