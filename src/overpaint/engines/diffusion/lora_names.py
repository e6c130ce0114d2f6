"""Names of a LoRA file's tensors: which part of a model, which layer, which factor of the change.

Trainers and programs name the same layer differently: kohya ("lora_unet_..."), LyCORIS, diffusers, peft, ComfyUI; by
diffusers' layer names or by the original release's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .families import Family

Part = Literal["unet", "text", "text_2"]

_PREFIXES: tuple[tuple[re.Pattern[str], Part], ...] = (
    (re.compile(r"(lora|lycoris)_unet_|unet\.|(model\.)?diffusion_model\."), "unet"),
    (re.compile(r"(lora|lycoris)_te2_|text_encoder_2\.|(text_encoders\.)?clip_g\.(transformer\.)?"), "text_2"),
    (re.compile(r"(lora|lycoris)_te1?_|text_encoder\.|(text_encoders\.)?clip_[lh]\.(transformer\.)?"), "text"),
    (re.compile(r"lycoris_"), "unet"),
)
_FACTORS = {
    r"lora_down(\.weight)?|lora_A(\.\w+)?\.weight|lora\.down\.weight|lora_linear_layer\.down\.weight": "down",
    r"lora_up(\.weight)?|lora_B(\.\w+)?\.weight|lora\.up\.weight|lora_linear_layer\.up\.weight": "up",
    r"lora_mid(\.weight)?": "mid",
    r"lora_B(\.\w+)?\.bias": "up_bias",
    r"alpha|network_alpha": "alpha",
    r"dora_scale": "magnitude",
    r"lora_magnitude_vector(\.\w+)?(\.weight)?": "output_magnitude",
    r"diff|w_norm": "diff",
    r"diff_b|b_norm": "diff_b",
    r"weight": "ia3",
    r"on_input": "on_input",
}
_LYCORIS = re.compile(r"(?P<layer>.+)\.(?P<factor>hada_(w[12]_[ab]|t[12])|lokr_(w[12](_[ab])?|t2))")
_COMPILED = tuple((re.compile(rf"(?P<layer>.+)\.(?:{pattern})"), factor) for pattern, factor in _FACTORS.items())
_PROCESSOR = re.compile(r"(?P<layer>.*)\.processor\.(?P<one>to_[qkv]|to_out)_lora\.(?P<factor>down|up)\.weight")


def place_of(key: str) -> tuple[Part, str, str] | None:
    """Part, layer (with "_" for ".") and factor that a tensor's name stands for; None for any other tensor."""
    key = key.removeprefix("base_model.model.")
    part: Part = "unet"
    for prefix, one in _PREFIXES:
        if match := prefix.match(key):
            part, key = one, key[match.end() :]
            break
    key = key.removeprefix("base_model.model.")
    if old := _PROCESSOR.fullmatch(key):
        projection = "to_out.0" if old["one"] == "to_out" else old["one"]
        return part, f"{old['layer']}.{projection}".replace(".", "_"), old["factor"]
    if own := _LYCORIS.fullmatch(key):
        return part, own["layer"].replace(".", "_"), own["factor"]
    for pattern, factor in _COMPILED:
        if match := pattern.fullmatch(key):
            return part, match["layer"].replace(".", "_"), factor
    return None


def layer_names(network: Any, part: Part, family: Family | None = None) -> dict[str, str]:
    """Modules with weights by the names that LoRAs give them: with "_" for ".", the original release's as well."""
    modules = [name for name, one in network.named_modules() if getattr(one, "weight", None) is not None]
    names = {}
    for module in modules:
        plain = module.removeprefix("text_model.")
        names[plain.replace(".", "_")] = module
        if part != "unet":
            names[f"text_model_{plain}".replace(".", "_")] = module
    if part == "unet" and family is not None:
        here = set(modules)
        original = family.original_layer_names(network, modules)
        names |= {name.replace(".", "_"): module for module, name in original if module in here}
    return names


_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_TOP = {
    "conv_in": "input_blocks.0.0",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}


def original_unet_names(unet: Any, modules: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(diffusers' name, the original release's) of a U-Net's layers: most LoRAs of SDXL use the latter."""
    yield from _TOP.items()
    blocks: list[tuple[str, str]] = []
    layers = int(getattr(unet.config, "layers_per_block", 2))
    for level in range(len(unet.down_blocks)):
        start = 1 + level * (layers + 1)
        for n in range(layers):
            blocks.append((f"down_blocks.{level}.resnets.{n}", f"input_blocks.{start + n}.0"))
            blocks.append((f"down_blocks.{level}.attentions.{n}", f"input_blocks.{start + n}.1"))
        yield f"down_blocks.{level}.downsamplers.0.conv", f"input_blocks.{start + layers}.0.op"
    for level, block in enumerate(unet.up_blocks):
        start = level * (layers + 1)
        for n in range(layers + 1):
            blocks.append((f"up_blocks.{level}.resnets.{n}", f"output_blocks.{start + n}.0"))
            blocks.append((f"up_blocks.{level}.attentions.{n}", f"output_blocks.{start + n}.1"))
        after = 2 if getattr(block, "attentions", None) else 1
        yield f"up_blocks.{level}.upsamplers.0.conv", f"output_blocks.{start + layers}.{after}.conv"
    blocks += [(f"mid_block.resnets.{n}", f"middle_block.{2 * n}") for n in (0, 1)]
    blocks.append(("mid_block.attentions.0", "middle_block.1"))
    original = dict(blocks)
    for module in modules:
        for length in (4, 3):  # up_blocks.0.resnets.1, mid_block.resnets.0
            block_name = ".".join(module.split(".")[:length])
            if block_name in original:
                rest = module[len(block_name) + 1 :]
                yield module, f"{original[block_name]}.{_RESNET.get(rest, rest)}"
                break
