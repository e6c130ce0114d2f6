"""Checkpoints for tests: the published layouts of Stable Diffusion's files, at their real sizes or small.

Names and shapes are written from the architecture of latent diffusion (Rombach et al. 2022: U-Net and autoencoder) and
of CLIP's and OpenCLIP's text transformers, independently of the code that reads them.
"""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

Shape = tuple[int, ...]
Layout = dict[str, Shape]


@dataclass(frozen=True)
class Plan:
    """The numbers of an architecture.

    `depth` is the number of transformer blocks in each level's attention, 0 where it has none.
    """

    family: Literal["sd1", "sd2", "sdxl"]
    channels: int = 4
    width: int = 320
    mult: tuple[int, ...] = (1, 2, 4, 4)
    depth: tuple[int, ...] = (1, 1, 1, 0)
    context: int = 768
    label: int = 0
    linear: bool = False
    heads: Any = 8
    vae_width: int = 128
    clip: tuple[int, int, int] = (768, 12, 12)  # width, layers, heads
    open_clip: tuple[int, int, int] | None = None
    groups: int = 32
    time_width: int = 256
    vocabulary: int = 49_408
    extra: dict[str, Any] = field(default_factory=dict)


REAL = {
    "sd1": Plan("sd1"),
    "sd2": Plan("sd2", context=1024, linear=True, heads=[5, 10, 20, 20], open_clip=(1024, 24, 16)),
    "sdxl": Plan(
        "sdxl",
        mult=(1, 2, 4),
        depth=(0, 2, 10),
        context=2048,
        label=2816,
        linear=True,
        heads=[5, 10, 20],
        open_clip=(1280, 32, 20),
    ),
}
TINY = {
    "sd1": Plan("sd1", width=16, mult=(1, 2, 2, 2), context=32, vae_width=8, clip=(32, 2, 4), groups=4, heads=4),
    "sd2": Plan(
        "sd2",
        width=16,
        mult=(1, 2, 2, 2),
        context=32,
        linear=True,
        heads=[2, 4, 4, 4],
        vae_width=8,
        open_clip=(32, 3, 4),
        groups=4,
    ),
    "sdxl": Plan(
        "sdxl",
        width=16,
        mult=(1, 2, 2),
        depth=(0, 1, 2),
        context=64,
        label=32 + 6 * 8,
        linear=True,
        heads=[2, 4, 4],
        vae_width=8,
        clip=(32, 2, 4),
        open_clip=(32, 2, 4),
        groups=4,
        time_width=8,
    ),
}


def linear(name: str, into: int, out: int, bias: bool = True) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (out, into)
    if bias:
        yield f"{name}.bias", (out,)


def conv(name: str, into: int, out: int, size: int = 3) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (out, into, size, size)
    yield f"{name}.bias", (out,)


def norm(name: str, width: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", (width,)
    yield f"{name}.bias", (width,)


def unet(plan: Plan) -> Layout:
    w, last = plan.width, len(plan.mult) - 1

    def res(name: str, into: int, out: int) -> Iterator[tuple[str, Shape]]:
        yield from norm(f"{name}.in_layers.0", into)
        yield from conv(f"{name}.in_layers.2", into, out)
        yield from linear(f"{name}.emb_layers.1", 4 * w, out)
        yield from norm(f"{name}.out_layers.0", out)
        yield from conv(f"{name}.out_layers.3", out, out)
        if into != out:
            yield from conv(f"{name}.skip_connection", into, out, 1)

    def attention(name: str, wide: int, blocks: int) -> Iterator[tuple[str, Shape]]:
        yield from norm(f"{name}.norm", wide)
        for side in ("proj_in", "proj_out"):
            yield from linear(f"{name}.{side}", wide, wide) if plan.linear else conv(f"{name}.{side}", wide, wide, 1)
        for n in range(blocks):
            block = f"{name}.transformer_blocks.{n}"
            for one, source in (("attn1", wide), ("attn2", plan.context)):
                yield from linear(f"{block}.{one}.to_q", wide, wide, bias=False)
                yield from linear(f"{block}.{one}.to_k", source, wide, bias=False)
                yield from linear(f"{block}.{one}.to_v", source, wide, bias=False)
                yield from linear(f"{block}.{one}.to_out.0", wide, wide)
            yield from linear(f"{block}.ff.net.0.proj", wide, 8 * wide)
            yield from linear(f"{block}.ff.net.2", 4 * wide, wide)
            for n_ in (1, 2, 3):
                yield from norm(f"{block}.norm{n_}", wide)

    def every() -> Iterator[tuple[str, Shape]]:
        yield from linear("time_embed.0", w, 4 * w)
        yield from linear("time_embed.2", 4 * w, 4 * w)
        if plan.label:
            yield from linear("label_emb.0.0", plan.label, 4 * w)
            yield from linear("label_emb.0.2", 4 * w, 4 * w)
        yield from conv("input_blocks.0.0", plan.channels, w)
        wide, skips, number = w, [w], 1
        for level, mult in enumerate(plan.mult):
            for _ in range(2):
                yield from res(f"input_blocks.{number}.0", wide, mult * w)
                wide = mult * w
                if plan.depth[level]:
                    yield from attention(f"input_blocks.{number}.1", wide, plan.depth[level])
                skips.append(wide)
                number += 1
            if level != last:
                yield from conv(f"input_blocks.{number}.0.op", wide, wide)
                skips.append(wide)
                number += 1
        yield from res("middle_block.0", wide, wide)
        yield from attention("middle_block.1", wide, max(plan.depth[-1], 1))
        yield from res("middle_block.2", wide, wide)
        number = 0
        for level in range(last, -1, -1):
            for n in range(3):
                yield from res(f"output_blocks.{number}.0", wide + skips.pop(), plan.mult[level] * w)
                wide = plan.mult[level] * w
                if plan.depth[level]:
                    yield from attention(f"output_blocks.{number}.1", wide, plan.depth[level])
                if level and n == 2:
                    yield from conv(f"output_blocks.{number}.{2 if plan.depth[level] else 1}.conv", wide, wide)
                number += 1
        yield from norm("out.0", wide)
        yield from conv("out.2", wide, 4)

    return {f"model.diffusion_model.{name}": shape for name, shape in every()}


def control(plan: Plan, hints: tuple[int, ...] = (16, 32, 96, 256)) -> Layout:
    """A ControlNet in the original release's layout: the U-Net's first half, with a convolution after each part."""
    own = unet(replace(plan, channels=4))
    half = {
        name.removeprefix("model.diffusion_model."): shape
        for name, shape in own.items()
        if ".output_blocks." not in name and ".out." not in name
    }

    def every() -> Iterator[tuple[str, Shape]]:
        yield from conv("input_hint_block.0", 3, hints[0])
        for number, (into, out) in enumerate(itertools.pairwise(hints)):
            yield from conv(f"input_hint_block.{4 * number + 2}", into, into)
            yield from conv(f"input_hint_block.{4 * number + 4}", into, out)
        yield from conv("input_hint_block.14", hints[-1], plan.width)
        skips = [plan.width]
        for level, mult in enumerate(plan.mult):
            skips += [mult * plan.width] * (2 if level == len(plan.mult) - 1 else 3)
        for number, wide in enumerate(skips):
            yield from conv(f"zero_convs.{number}.0", wide, wide, 1)
        yield from conv("middle_block_out.0", plan.mult[-1] * plan.width, plan.mult[-1] * plan.width, 1)

    return {f"control_model.{name}": shape for name, shape in (*half.items(), *every())}


def vae(width: int) -> Layout:
    mult = (1, 2, 4, 4)
    top = mult[-1] * width

    def res(name: str, into: int, out: int) -> Iterator[tuple[str, Shape]]:
        yield from norm(f"{name}.norm1", into)
        yield from conv(f"{name}.conv1", into, out)
        yield from norm(f"{name}.norm2", out)
        yield from conv(f"{name}.conv2", out, out)
        if into != out:
            yield from conv(f"{name}.nin_shortcut", into, out, 1)

    def middle(side: str) -> Iterator[tuple[str, Shape]]:
        yield from res(f"{side}.mid.block_1", top, top)
        yield from norm(f"{side}.mid.attn_1.norm", top)
        for one in ("q", "k", "v", "proj_out"):
            yield from conv(f"{side}.mid.attn_1.{one}", top, top, 1)
        yield from res(f"{side}.mid.block_2", top, top)

    def every() -> Iterator[tuple[str, Shape]]:
        yield from conv("encoder.conv_in", 3, width)
        wide = width
        for level, one in enumerate(mult):
            for n in range(2):
                yield from res(f"encoder.down.{level}.block.{n}", wide, one * width)
                wide = one * width
            if level < 3:
                yield from conv(f"encoder.down.{level}.downsample.conv", wide, wide)
        yield from middle("encoder")
        yield from norm("encoder.norm_out", top)
        yield from conv("encoder.conv_out", top, 8)
        yield from conv("decoder.conv_in", 4, top)
        yield from middle("decoder")
        wide = top
        for level in (3, 2, 1, 0):
            for n in range(3):
                yield from res(f"decoder.up.{level}.block.{n}", wide, mult[level] * width)
                wide = mult[level] * width
            if level:
                yield from conv(f"decoder.up.{level}.upsample.conv", wide, wide)
        yield from norm("decoder.norm_out", width)
        yield from conv("decoder.conv_out", width, 3)
        yield from conv("quant_conv", 8, 8, 1)
        yield from conv("post_quant_conv", 4, 4, 1)

    return {f"first_stage_model.{name}": shape for name, shape in every()}


def clip(prefix: str, width: int, layers: int, vocabulary: int) -> Layout:
    def every() -> Iterator[tuple[str, Shape]]:
        yield "embeddings.position_ids", (1, 77)
        yield "embeddings.token_embedding.weight", (vocabulary, width)
        yield "embeddings.position_embedding.weight", (77, width)
        for n in range(layers):
            for one in ("q_proj", "k_proj", "v_proj", "out_proj"):
                yield from linear(f"encoder.layers.{n}.self_attn.{one}", width, width)
            yield from norm(f"encoder.layers.{n}.layer_norm1", width)
            yield from linear(f"encoder.layers.{n}.mlp.fc1", width, 4 * width)
            yield from linear(f"encoder.layers.{n}.mlp.fc2", 4 * width, width)
            yield from norm(f"encoder.layers.{n}.layer_norm2", width)
        yield from norm("final_layer_norm", width)

    return {f"{prefix}.transformer.text_model.{name}": shape for name, shape in every()}


def open_clip(prefix: str, width: int, layers: int, vocabulary: int) -> Layout:
    def every() -> Iterator[tuple[str, Shape]]:
        yield "positional_embedding", (77, width)
        yield "text_projection", (width, width)
        yield "logit_scale", ()
        yield "token_embedding.weight", (vocabulary, width)
        for n in range(layers):
            block = f"transformer.resblocks.{n}"
            yield from norm(f"{block}.ln_1", width)
            yield f"{block}.attn.in_proj_weight", (3 * width, width)
            yield f"{block}.attn.in_proj_bias", (3 * width,)
            yield from linear(f"{block}.attn.out_proj", width, width)
            yield from norm(f"{block}.ln_2", width)
            yield from linear(f"{block}.mlp.c_fc", width, 4 * width)
            yield from linear(f"{block}.mlp.c_proj", 4 * width, width)
        yield from norm("ln_final", width)

    return {f"{prefix}.model.{name}": shape for name, shape in every()}


def texts(plan: Plan) -> Layout:
    first = plan.clip[:2]
    if plan.family == "sd1":
        return clip("cond_stage_model", *first, plan.vocabulary)
    assert plan.open_clip is not None
    second = plan.open_clip[:2]
    if plan.family == "sd2":
        return open_clip("cond_stage_model", *second, plan.vocabulary)
    return clip("conditioner.embedders.0", *first, plan.vocabulary) | open_clip(
        "conditioner.embedders.1", *second, plan.vocabulary
    )


def schedule(plan: Plan) -> Layout:
    """Buffers of the training program, in published files that no network uses."""
    if plan.family == "sdxl":
        return {"denoiser.sigmas": (1000,)}
    names = ("betas", "alphas_cumprod", "alphas_cumprod_prev", "sqrt_alphas_cumprod", "log_one_minus_alphas_cumprod")
    return dict.fromkeys(names, (1000,))


def layout(plan: Plan) -> Layout:
    """Every tensor of a published checkpoint, by its name there."""
    return unet(plan) | vae(plan.vae_width) | texts(plan) | schedule(plan)


def tensors(wanted: Layout, *, seed: int = 0, device: str = "cpu", dtype: Any = None) -> dict[str, Any]:
    """Random tensors of these shapes, scaled so that signals neither vanish nor explode."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    found = {}
    for name, shape in wanted.items():
        if name.endswith("position_ids"):
            one = torch.arange(77, device=device)[None]
        elif device == "meta":
            one = torch.empty(shape, device="meta")
        else:
            fan = max(1, torch.Size(shape[1:]).numel()) if len(shape) > 1 else 25
            one = torch.randn(shape, generator=generator) / fan**0.5
            if len(shape) == 1 and name.endswith("weight"):
                one = 1 + one
        found[name] = one if dtype is None or not one.is_floating_point() else one.to(dtype)
    return found


def small_config(plan: Plan, folder: Path) -> Path:
    """Write the configurations of a small plan in diffusers' layout: the published ones with changed numbers."""
    from overpaint.models import config_folder, read_json

    blocks = [plan.width * one for one in plan.mult]
    changes: dict[str, dict[str, Any]] = {
        "unet/config.json": {
            "block_out_channels": blocks,
            "cross_attention_dim": plan.context,
            "attention_head_dim": plan.heads,
            "norm_num_groups": plan.groups,
            "in_channels": plan.channels,
            "sample_size": 8,
        },
        "vae/config.json": {
            "block_out_channels": [plan.vae_width * one for one in (1, 2, 4, 4)],
            "norm_num_groups": plan.groups,
            "sample_size": 64,
        },
    }
    if plan.family == "sdxl":
        changes["unet/config.json"] |= {
            "transformer_layers_per_block": [max(one, 1) for one in plan.depth],
            "addition_time_embed_dim": plan.time_width,
            "projection_class_embeddings_input_dim": plan.label,
        }
    for name, numbers in _texts_config(plan):
        width, layers, heads = numbers
        changes[f"{name}/config.json"] = {
            "hidden_size": width,
            "intermediate_size": 4 * width,
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "projection_dim": width,
            "vocab_size": plan.vocabulary,
        }
    for path in config_folder(plan.family).rglob("*.json"):
        name = path.relative_to(config_folder(plan.family)).as_posix()
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(read_json(path) | changes.get(name, {})))
    return folder


def _texts_config(plan: Plan) -> list[tuple[str, tuple[int, int, int]]]:
    if plan.family == "sd1":
        return [("text_encoder", plan.clip)]
    assert plan.open_clip is not None
    width, layers, heads = plan.open_clip
    if plan.family == "sd2":
        return [("text_encoder", (width, layers - 1, heads))]
    return [("text_encoder", plan.clip), ("text_encoder_2", plan.open_clip)]


def write_vocabulary(path: Path) -> Path:
    """A file of the form of OpenAI's merges, with merges of our own: the same number, of letters without words."""
    path.parent.mkdir(parents=True, exist_ok=True)
    letters = "abcdefghijklmnopqrstuvwxyz"
    two = [f"{a} {b}" for a, b in itertools.product(letters, repeat=2)]
    ends = [f"{pair}</w>" for pair in two]
    words = (f"{a}{b} {c}{d}</w>" for a, b, c, d in itertools.product(letters, repeat=4))
    lines = ["#version: 0.2", *itertools.islice(itertools.chain(two, ends, words), 48_894)]
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as file:
        file.write("\n".join(lines) + "\n")
    return path


def write_lightning(path: Path, state: dict[str, Any]) -> Path:
    """A training checkpoint as PyTorch Lightning saves it: callbacks by their class and a numpy number beside it."""
    import sys
    import types

    import numpy as np
    import torch

    name = "pytorch_lightning.callbacks.model_checkpoint"
    module = types.ModuleType(name)
    callback = type("ModelCheckpoint", (), {"__module__": name})
    module.__dict__["ModelCheckpoint"] = callback
    parts = ("pytorch_lightning", "pytorch_lightning.callbacks", name)
    before = {part: sys.modules.get(part) for part in parts}
    sys.modules.update(dict.fromkeys(parts, module))
    try:
        callbacks = {callback: {"best": np.float64(0.5)}}
        torch.save(
            {"global_step": 470_000, "callbacks": callbacks, "made": callback(), "state_dict": state},
            path,
        )
    finally:
        for part, one in before.items():
            if one is None:
                del sys.modules[part]
            else:
                sys.modules[part] = one
    return path
