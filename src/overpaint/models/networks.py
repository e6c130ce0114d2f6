"""Networks beside those that paint: for selections, faces, enlarging and control maps; which is which.

Files are recognised by the names of their tensors, folders in transformers' layout by their configuration, and ONNX
files by what they take and give. Files are those of the original releases.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from overpaint.errors import ModelError

from .onnx_graph import OnnxGraph, read_graph
from .values import Form, Kind, What

NETWORKS: tuple[What, ...] = ("selector", "faces", "face-detector", "upscaler", "mapper")
"""Kinds of models that this module knows."""

_TENSORS: tuple[tuple[What, str, tuple[str, ...]], ...] = (
    ("faces", "gfpgan", ("stylegan_decoder.style_mlp.1.weight",)),
    ("faces", "codeformer", ("quantize.embedding.weight", "ft_layers.0.self_attn.in_proj_weight")),
    ("faces", "restoreformer", ("quantize.embedding.weight", "encoder.conv_in.weight", "decoder.mid.attn_1.q.weight")),
    ("selector", "sam-hq", ("mask_decoder.hf_token.weight", "image_encoder.patch_embed.proj.weight")),
    ("selector", "sam", ("mask_decoder.iou_token.weight", "image_encoder.patch_embed.proj.weight")),
    ("selector", "mobile-sam", ("mask_decoder.iou_token.weight", "image_encoder.patch_embed.seq.0.c.weight")),
    ("selector", "edgetam", ("sam_mask_decoder.iou_token.weight", "spatial_perceiver.latents")),
    ("selector", "sam2", ("sam_mask_decoder.iou_token.weight", "image_encoder.trunk.patch_embed.proj.weight")),
    ("selector", "sam3", ("detector.transformer.decoder.presence_token.weight",)),
    ("upscaler", "esrgan", ("model.1.sub.0.RDB1.conv1.0.weight",)),
    ("upscaler", "esrgan", ("RRDB_trunk.0.RDB1.conv1.weight",)),
    ("upscaler", "esrgan", ("body.0.rdb1.conv1.weight", "conv_first.weight")),
    ("upscaler", "swinir", ("layers.0.residual_group.blocks.0.attn.relative_position_index",)),
    ("upscaler", "hat", ("layers.0.residual_group.overlap_attn.qkv.weight",)),
    ("upscaler", "dat", ("layers.0.blocks.0.ffn.sg.conv.weight", "conv_first.weight")),
    ("upscaler", "span", ("block_1.c1_r.sk.weight", "upsampler.0.weight")),
    ("upscaler", "omnisr", ("residual_layer.0.residual_layer.0.layer.0.fn.0.weight",)),
    ("upscaler", "atd", ("layers.0.residual_group.td",)),
    ("upscaler", "drct", ("layers.0.swin1.attn.relative_position_index",)),
)
"""Tensors that only this network has, all of them, by their published names; the first row that fits decides."""

_COMPACT = {"body.0.weight", "body.0.bias", "body.1.weight"}
"""Real-ESRGAN's small network has these, and no name that does not begin with "body"."""

_TRANSFORMERS: Mapping[str, str] = {
    "sam": "sam",
    "sam_hq": "sam-hq",
    "sam2": "sam2",
    "sam2_video": "sam2",
    "edgetam": "edgetam",
    "edgetam_video": "edgetam",
    "sam3": "sam3",
    "sam3_video": "sam3",
    "sam3_tracker": "sam3",
    "sam3_tracker_video": "sam3",
    "sam3_lite_text": "sam3",
    "clipseg": "clipseg",
    "grounding-dino": "grounding-dino",
    "segformer": "segformer",
}
"""Networks of selectors by the `model_type` of transformers' configurations."""

_MAPPERS: Mapping[str, str] = {"depth_anything": "depth-anything", "dpt": "dpt", "vitpose": "vitpose"}
"""Networks that make control maps, likewise."""

_SAM_DECODER = ("image_embeddings", "point_coords", "point_labels")
"""Inputs of a decoder in the ONNX form that Segment Anything's own exporter gives it."""


def network_of(names: Collection[str], form: Form) -> Kind | None:
    """The kind of a file with tensors of these names; None where it is none of these networks."""
    endings = {ending for name in names for ending in _endings(name)}
    for what, network, own in _TENSORS:
        if all(name in endings for name in own):
            return Kind(what, form, network=network)
    tops = {name.removeprefix("params_ema.").removeprefix("params.") for name in names}
    if tops >= _COMPACT and all(name.startswith("body.") for name in tops):
        return Kind("upscaler", form, network="compact")
    return None


def _endings(name: str) -> Iterable[str]:
    """A name, and what is left of it without the first part, and so on: files put more before published names."""
    parts = name.split(".")
    return (".".join(parts[start:]) for start in range(min(3, len(parts))))


def network_folder(path: Path, config: Mapping[str, Any]) -> Kind | None:
    """The kind of a folder in transformers' layout, by its configuration; None where it is none of these networks."""
    name = str(config.get("model_type", ""))
    if name in _MAPPERS:
        return Kind("mapper", "folder", network=_MAPPERS[name], layout="diffusers")
    network = _TRANSFORMERS.get(name)
    if network is None and "BiRefNet" in " ".join(map(str, config.get("architectures") or ())):
        network = "birefnet"
    return None if network is None else Kind("selector", "folder", network=network, layout="diffusers")


def onnx_folder(path: Path) -> Kind | None:
    """The kind of a folder of ONNX files without a configuration: encoder and decoder of a Segment Anything model."""
    files = sorted(path.glob("*.onnx"))
    return Kind("selector", "onnx", network="sam-onnx") if any(map(is_sam_decoder, files)) else None


def is_sam_decoder(path: Path) -> bool:
    """Whether an ONNX file is the decoder of a Segment Anything model. A damaged file is not."""
    try:
        takes = {port.name for port in read_graph(path).inputs}
    except ModelError:
        return False
    return takes.issuperset(_SAM_DECODER)


def onnx_network_of(graph: OnnxGraph) -> Kind | None:
    """The kind of an ONNX file of one of these networks: YuNet, a SAM's decoder, or a BiRefNet."""
    takes, gives = {port.name for port in graph.inputs}, {port.name for port in graph.outputs}
    if gives >= {"cls_8", "obj_8", "bbox_8", "kps_8"}:
        return Kind("face-detector", "onnx", network="yunet")
    if takes.issuperset(_SAM_DECODER):
        return Kind("selector", "onnx", network="sam-onnx")
    if len(graph.inputs) == 1 and len(graph.outputs) == 1:
        (picture,), (mask,) = graph.inputs, graph.outputs
        sides = [port.shape for port in (picture, mask)]
        if (
            all(len(one) == 4 for one in sides)
            and [channels for _, channels, _, _ in sides] == [3, 1]
            and picture.dtype in ("float32", "float16")
        ):
            return Kind("selector", "onnx", network="birefnet")
    return None
