"""Weights to begin from: a finished checkpoint folder, or another stage's averaged weights."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file


def _fill(net: Any, path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}")
    try:
        net.load_state_dict({key: value.float() for key, value in load_file(path).items()})
    except RuntimeError as error:
        raise ValueError(f"{path} is of another network than the config's: {error}") from error


def autoencoder(net: Any, folder: Path) -> None:
    """Fill an autoencoder from a checkpoint folder."""
    _fill(net, folder / "vae" / "diffusion_pytorch_model.safetensors")


def vocabulary(folder: Path, target: Path) -> None:
    """Copy a checkpoint's tokenizer; FileNotFoundError when it has none."""
    if not (folder / "tokenizer" / "vocab.json").is_file():
        raise FileNotFoundError(f"no tokenizer in {folder}")
    shutil.copytree(folder / "tokenizer", target, dirs_exist_ok=True)


def same_vocabulary(folder: Path, own: Path) -> None:
    """ValueError unless a checkpoint's tokens are those in use: its text encoder knows no others."""
    one, other = (path / "vocab.json" for path in (folder / "tokenizer", own))
    if one.read_text("utf-8") != other.read_text("utf-8"):
        raise ValueError(f"{folder} was trained with another vocabulary than {own}: run `tokenizer --begin {folder}`")


def same_autoencoder(net: Any, folder: Path) -> bool:
    """Whether an autoencoder is a checkpoint's own, but for rounding: its latents have that scale then."""
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}")
    stored, own = load_file(path), net.state_dict()
    return stored.keys() == own.keys() and all(
        torch.allclose(value.float(), own[key].cpu().float(), rtol=1e-3, atol=1e-6) for key, value in stored.items()
    )


def scale(folder: Path) -> float:
    """The factor on latents that a checkpoint's denoiser was trained with."""
    settings = json.loads((folder / "vae" / "config.json").read_text("utf-8"))
    return float(settings["scaling_factor"])


def denoiser(net: Any, text: Any, folder: Path) -> None:
    """Fill denoiser and text encoder from a checkpoint folder (whose tokenizer must be the one in use)."""
    _fill(net, folder / "unet" / "diffusion_pytorch_model.safetensors")
    _fill(text, folder / "text_encoder" / "model.safetensors")


def averaged(path: Path, nets: Mapping[str, Any]) -> None:
    """Fill networks with the averaged weights of a stage's saved state, each under its name there."""
    if not path.is_file():
        raise FileNotFoundError(f"nothing at {path}: run the stage `{path.stem}` first")
    weights = torch.load(path, map_location="cpu", weights_only=True)["average"]["weights"]
    for name, net in nets.items():
        own = {key.removeprefix(f"{name}."): value for key, value in weights.items() if key.startswith(f"{name}.")}
        try:
            net.load_state_dict(own, strict=False)
        except RuntimeError as error:
            raise ValueError(f"{path} is of another network than the config's: {error}") from error
        if lacking := [key for key, _ in net.named_parameters() if key not in own]:
            raise ValueError(f"{path} lacks {lacking[0]} of {name}: it is of another network than the config's")
