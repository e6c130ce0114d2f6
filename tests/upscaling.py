"""Small networks of published layouts with random weights, for tests of what uses them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from overpaint.engines.spandrel_import import torchvision_stood_in


def upscaler_file(folder: Path, name: str = "RealESRGAN_x2", *, scale: int = 2, seed: int = 7) -> Path:
    """A network of ESRGAN's and Real-ESRGAN's layout."""
    with torchvision_stood_in():
        pytest.importorskip("spandrel", reason="the extra restore is not installed")
        from spandrel.architectures.ESRGAN.__arch.RRDB import RRDBNet
    torch.manual_seed(seed)
    path = folder / f"{name}.safetensors"
    save_file(RRDBNet(in_nc=3, out_nc=3, num_filters=8, num_blocks=1, scale=scale).state_dict(), path)
    return path


def face_file(folder: Path, name: str = "RestoreFormer") -> Path:
    """A network of RestoreFormer's layout."""
    with torchvision_stood_in():
        pytest.importorskip("spandrel", reason="the extra restore is not installed")
        from spandrel.architectures.RestoreFormer import RestoreFormer
    torch.manual_seed(3)
    sizes = {"ch": 32, "ch_mult": (1, 1, 1, 1, 1, 1), "num_res_blocks": 1, "n_embed": 16, "embed_dim": 32}
    made = RestoreFormer(**sizes, z_channels=32, attn_resolutions=(16,), resolution=512, head_size=8)
    path = folder / f"{name}.safetensors"
    save_file({key: one.contiguous() for key, one in made.state_dict().items()}, path)
    return path
