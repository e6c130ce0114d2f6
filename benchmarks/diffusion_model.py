"""A checkpoint folder of a family's published shape with random weights, made for inpainting (9 channels)."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

FAMILIES = ("sd1", "sdxl")


def write_checkpoint(folder: Path, family: str) -> Path:
    """Write networks, scheduler and a vocabulary without merges into a folder that diffusers opens too.

    Args:
        folder: Where; made.
        family: "sd1" or "sdxl".
    """
    import diffusers
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    from overpaint.models import config_folder, read_json

    source = config_folder(family)
    torch.manual_seed(0)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float16)  # half the bytes on disk; loading widens
    try:
        unet = UNet2DConditionModel.from_config(_plain(read_json(source / "unet" / "config.json")) | {"in_channels": 9})
        unet.save_pretrained(folder / "unet")
        AutoencoderKL.from_config(_plain(read_json(source / "vae" / "config.json"))).save_pretrained(folder / "vae")
        parts = [("text_encoder", CLIPTextModel)]
        parts += [("text_encoder_2", CLIPTextModelWithProjection)] if family == "sdxl" else []
        for name, kind in parts:
            config = CLIPTextConfig(**_plain(read_json(source / name / "config.json")))
            kind(config).to(torch.float16).save_pretrained(folder / name)
    finally:
        torch.set_default_dtype(before)
    index = {**read_json(source / "model_index.json"), "_diffusers_version": diffusers.__version__}
    (folder / "model_index.json").write_text(json.dumps(index), "utf-8")
    schedule = folder / "scheduler" / "scheduler_config.json"
    schedule.parent.mkdir(parents=True, exist_ok=True)
    schedule.write_bytes((source / "scheduler" / "scheduler_config.json").read_bytes())
    for name, _ in parts:
        _vocabulary(folder / name.replace("text_encoder", "tokenizer"))
    return folder


def write_tiny_vae(folder: Path) -> Path:
    """Write a tiny autoencoder of TAESD's published shape with random weights."""
    import torch
    from diffusers import AutoencoderTiny

    torch.manual_seed(1)
    AutoencoderTiny().save_pretrained(folder)
    return folder


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if not name.startswith("_")}


def _vocabulary(folder: Path) -> None:
    """Letters alone, each with and without an end of word: texts get more tokens than CLIP's would give them."""
    from tokenizers.pre_tokenizers import ByteLevel

    symbols = sorted(ByteLevel.alphabet())
    names = [*symbols, *(f"{one}</w>" for one in symbols)]
    fill = ["".join(four) for four in itertools.islice(itertools.product(symbols[:20], repeat=4), 49_406 - len(names))]
    vocabulary = {name: n for n, name in enumerate([*names, *fill, "<|startoftext|>", "<|endoftext|>"])}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", "utf-8")
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    settings = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "pad_token": "<|endoftext|>", **special}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
