"""Initial weights from a checkpoint folder, or from the averaged weights of another stage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file


def _load_into(net: Any, path: Path) -> None:
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}")
    try:
        net.load_state_dict({key: value.float() for key, value in load_file(path).items()})
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit the network of the config: {error}") from error


def fill_autoencoder(net: Any, folder: Path) -> None:
    """Fill an autoencoder from a checkpoint folder."""
    _load_into(net, folder / "vae" / "diffusion_pytorch_model.safetensors")


def copy_vocabulary(folder: Path, target: Path) -> None:
    """Copy a checkpoint's tokenizer; FileNotFoundError when it has none."""
    if not (folder / "tokenizer" / "vocab.json").is_file():
        raise FileNotFoundError(f"no tokenizer in {folder}")
    shutil.copytree(folder / "tokenizer", target, dirs_exist_ok=True)


def require_same_vocabulary(folder: Path, own: Path) -> None:
    """ValueError unless a checkpoint's vocabulary equals the one in use, which its text encoder needs."""
    one, other = (path / "vocab.json" for path in (folder / "tokenizer", own))
    if one.read_text("utf-8") != other.read_text("utf-8"):
        raise ValueError(f"{folder} was trained with another vocabulary than {own}: run `tokenizer --begin {folder}`")


def has_same_autoencoder(net: Any, folder: Path) -> bool:
    """Whether an autoencoder equals a checkpoint's but for rounding; its latents then have the same scale."""
    path = folder / "vae" / "diffusion_pytorch_model.safetensors"
    if not path.is_file():
        raise FileNotFoundError(f"no weights at {path}")
    stored, own = load_file(path), net.state_dict()
    return stored.keys() == own.keys() and all(
        torch.allclose(value.float(), own[key].cpu().float(), rtol=1e-3, atol=1e-6) for key, value in stored.items()
    )


def latent_scale(folder: Path) -> float:
    """The factor on latents in the training of a checkpoint's denoiser."""
    settings = json.loads((folder / "vae" / "config.json").read_text("utf-8"))
    return float(settings["scaling_factor"])


def fill_denoiser(net: Any, text: Any, folder: Path) -> None:
    """Fill denoiser and text encoder from a checkpoint folder (whose tokenizer must be the one in use)."""
    _load_into(net, folder / "unet" / "diffusion_pytorch_model.safetensors")
    _load_into(text, folder / "text_encoder" / "model.safetensors")


def fill_averaged(path: Path, nets: Mapping[str, Any]) -> None:
    """Fill networks, keyed by their names in the state, with the averaged weights of a stage."""
    if not path.is_file():
        raise FileNotFoundError(f"no state at {path}: run the stage `{path.stem}` first")
    weights = torch.load(path, map_location="cpu", weights_only=True)["average"]["weights"]
    for name, net in nets.items():
        own = {key.removeprefix(f"{name}."): value for key, value in weights.items() if key.startswith(f"{name}.")}
        try:
            net.load_state_dict(own, strict=False)
        except RuntimeError as error:
            raise ValueError(f"{path} does not fit the network of the config: {error}") from error
        if lacking := [key for key, _ in net.named_parameters() if key not in own]:
            raise ValueError(f"{path} lacks {lacking[0]} of {name}: it does not fit the network of the config")
