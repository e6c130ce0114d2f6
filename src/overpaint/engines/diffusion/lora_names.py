"""What trainers call the layers of a network: kohya's names, diffusers' and peft's, the original release's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

Part = Literal["unet", "text", "text_2"]

_PARTS: tuple[tuple[str, Part], ...] = (
    ("lora_unet_", "unet"),
    ("lora_te1_", "text"),
    ("lora_te2_", "text_2"),
    ("lora_te_", "text"),
    ("unet.", "unet"),
    ("text_encoder_2.", "text_2"),
    ("text_encoder.", "text"),
)
_SLOTS = {
    r"lora_down(\.weight)?|lora_A(\.\w+)?\.weight|lora\.down\.weight|lora_linear_layer\.down\.weight": "down",
    r"lora_up(\.weight)?|lora_B(\.\w+)?\.weight|lora\.up\.weight|lora_linear_layer\.up\.weight": "up",
    r"lora_mid(\.weight)?": "mid",
    r"alpha|network_alpha": "alpha",
    r"dora_scale|lora_magnitude_vector(\.\w+)?(\.weight)?": "magnitude",
    r"hada_w1_a": "w1_a",
    r"hada_w1_b": "w1_b",
    r"hada_w2_a": "w2_a",
    r"hada_w2_b": "w2_b",
    r"hada_t1": "t1",
    r"hada_t2": "t2",
    r"lokr_w1": "k1",
    r"lokr_w1_a": "k1_a",
    r"lokr_w1_b": "k1_b",
    r"lokr_w2": "k2",
    r"lokr_w2_a": "k2_a",
    r"lokr_w2_b": "k2_b",
    r"lokr_t2": "kt2",
    r"diff": "diff",
}
_SLOT = re.compile(r"(?P<base>.*?)\.(?P<slot>" + "|".join(_SLOTS) + r")")
_PROCESSOR = re.compile(r"(?P<base>.*)\.processor\.(?P<one>to_[qkv]|to_out)_lora\.(?P<slot>down|up)\.weight")


def place_of(key: str) -> tuple[Part, str, str] | None:
    """Part, layer and factor that a tensor's name stands for; None for what is none (a word's embedding, say)."""
    key = key.removeprefix("base_model.model.")
    part: Part = "unet"
    for prefix, one in _PARTS:
        if key.startswith(prefix):
            part, key = one, key.removeprefix(prefix)
            break
    key = key.removeprefix("base_model.model.")
    if old := _PROCESSOR.fullmatch(key):
        one_ = "to_out.0" if old["one"] == "to_out" else old["one"]
        return part, f"{old['base']}.{one_}".replace(".", "_"), old["slot"]
    match = _SLOT.fullmatch(key)
    if match is None:
        return None
    slot = next(slot for pattern, slot in _SLOTS.items() if re.fullmatch(pattern, match["slot"]))
    return part, match["base"].replace(".", "_"), slot


def layer_names(network: Any, part: Part) -> dict[str, str]:
    """Modules with a weight, by the names that LoRAs call them: with "_" for ".", the original release's as well."""
    places = [name for name, one in network.named_modules() if getattr(getattr(one, "weight", None), "ndim", 0) >= 2]
    names = {}
    for place in places:
        plain = place.removeprefix("text_model.")
        names[plain.replace(".", "_")] = place
        if part != "unet":
            names[f"text_model_{plain}".replace(".", "_")] = place
    if part == "unet":
        here = set(places)
        for place, ldm in _original_names(network):
            if place in here:
                names[ldm.replace(".", "_")] = place
    return names


_RESNET = {
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_TOP = {
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}


def _original_names(unet: Any) -> Iterator[tuple[str, str]]:
    """(diffusers' name, the original release's) of a U-Net's layers: SDXL's LoRAs are mostly named by the latter."""
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
    parts = dict(blocks)
    for place, one in unet.named_modules():
        if getattr(getattr(one, "weight", None), "ndim", 0) < 2:
            continue
        for length in (4, 3):  # up_blocks.0.resnets.1, mid_block.resnets.0
            owner = ".".join(place.split(".")[:length])
            if owner in parts:
                rest = place[len(owner) + 1 :]
                yield place, f"{parts[owner]}.{_RESNET.get(rest, rest)}"
                break
