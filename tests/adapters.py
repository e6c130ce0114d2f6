"""Small IP-Adapters and picture encoders with random weights, by the names of the original release."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

SIDE, WIDTH, PROJECTED = 16, 24, 20
"""Of the small encoder: side of its pictures, width of its states, and of a projected one."""


def encoder(folder: Path, seed: int = 0) -> Any:
    """transformers' encoder, whose random weights count, written to a folder."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    torch.manual_seed(seed)
    config = CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=32,
        num_hidden_layers=3,
        num_attention_heads=3,
        image_size=SIDE,
        patch_size=4,
        projection_dim=PROJECTED,
        hidden_act="gelu",
    )
    network = CLIPVisionModelWithProjection(config).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape))
    network.save_pretrained(folder)
    return network


def adapter(widths: Sequence[int], context: int, form: str = "plain", seed: int = 0) -> dict[str, torch.Tensor]:
    """The tensors of an adapter for cross-attentions of these widths: "plain", "plus" or "full"."""
    draw = torch.Generator().manual_seed(seed)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=draw) / shape[-1] ** 0.5

    def norm(name: str, width: int) -> dict[str, torch.Tensor]:
        return {f"{name}.weight": 1 + random(width), f"{name}.bias": random(width)}

    if form == "plain":
        held = {"proj.weight": random(4 * context, PROJECTED), "proj.bias": random(4 * context)}
        held |= norm("norm", context)
    elif form == "full":
        held = {"proj.0.weight": random(WIDTH, WIDTH), "proj.0.bias": random(WIDTH)}
        held |= {"proj.2.weight": random(context, WIDTH), "proj.2.bias": random(context)}
        held |= norm("proj.3", context)
    else:
        inner = 8
        held = {"latents": random(1, 5, inner), "proj_in.weight": random(inner, WIDTH), "proj_in.bias": random(inner)}
        held |= {"proj_out.weight": random(context, inner), "proj_out.bias": random(context)}
        held |= norm("norm_out", context)
        for n in range(4):
            held |= norm(f"layers.{n}.0.norm1", inner) | norm(f"layers.{n}.0.norm2", inner)
            held |= {f"layers.{n}.0.to_q.weight": random(64, inner), f"layers.{n}.0.to_kv.weight": random(128, inner)}
            held |= {f"layers.{n}.0.to_out.weight": random(inner, 64)} | norm(f"layers.{n}.1.0", inner)
            held |= {
                f"layers.{n}.1.1.weight": random(4 * inner, inner),
                f"layers.{n}.1.3.weight": random(inner, 4 * inner),
            }
    found = {f"image_proj.{name}": one for name, one in held.items()}
    for number, width in enumerate(widths):
        for part in ("to_k_ip", "to_v_ip"):
            found[f"ip_adapter.{2 * number + 1}.{part}.weight"] = 2 * random(width, context)
    return found


def nested(tensors: dict[str, torch.Tensor]) -> dict[str, dict[str, torch.Tensor]]:
    """The same as the original release's pickles, and diffusers, have it."""
    return {
        part: {name.removeprefix(f"{part}."): one for name, one in tensors.items() if name.startswith(part)}
        for part in ("image_proj", "ip_adapter")
    }


def widths_of(unet: Any) -> list[int]:
    """The widths of a U-Net's cross-attentions, in the order that adapters have."""
    places = [name.removesuffix(".processor") for name in unet.attn_processors if ".attn2." in name]
    return [unet.get_submodule(name).to_k.out_features for name in places]
