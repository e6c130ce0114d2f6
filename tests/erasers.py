"""Small random erasers of the published layouts, in the forms that they are published in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from benchmarks.eraser_programs import PROGRAMS as PROGRAMS
from benchmarks.eraser_programs import Decode as Decode
from benchmarks.eraser_programs import Encode as Encode
from benchmarks.eraser_programs import Program as Program
from benchmarks.eraser_programs import save_programs as save_programs
from safetensors.torch import save_file
from torch import Tensor, nn

from overpaint.engines.erase.lama import LamaGenerator, LamaSizes
from overpaint.engines.erase.migan import MiganGenerator

SMALL = LamaSizes(channels=8, halvings=3, blocks=2, local=16)


def lama(seed: int = 0, sizes: LamaSizes = SMALL) -> LamaGenerator:
    """A generator whose normalisations are not neutral, so that a mistake in their order shows."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        generator = LamaGenerator(sizes).eval()
        for one in generator.modules():
            if isinstance(one, nn.BatchNorm2d):
                one.running_mean.normal_(0, 0.1)
                one.running_var.uniform_(0.5, 1.5)
                nn.init.normal_(one.weight, 1, 0.2)
                nn.init.normal_(one.bias, 0, 0.1)
        nn.init.normal_(generator.model[-2].weight, 0, 0.1)  # results with contrast
    return generator.requires_grad_(False)


def lama_tensors(seed: int = 0, prefix: str = "generator.") -> dict[str, Tensor]:
    """Its tensors as they are published."""
    return {f"{prefix}{name}": one.clone() for name, one in lama(seed).state_dict().items()}


def lama_file(path: Path, seed: int = 0) -> Path:
    """A safetensors file of the generator."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(lama_tensors(seed), path)
    return path


class LamaProgram(nn.Module):
    """The published TorchScript's shape: a training module around the generator, which pastes the picture back."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.model = nn.Module()
        self.model.generator = lama(seed)

    def forward(self, picture: Tensor, hole: Tensor) -> Tensor:
        return hole * self.model.generator(picture, hole) + (1 - hole) * picture


def save_program(path: Path, module: nn.Module, *inputs: Tensor) -> Path:
    """Trace a module and save it as TorchScript."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(1)
        torch.jit.save(torch.jit.trace(module.eval(), inputs, check_trace=False), str(path))
    return path


def lama_program(path: Path, seed: int = 0) -> Path:
    """A TorchScript file in the published shape of big-lama.pt."""
    return save_program(path, LamaProgram(seed), torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64))


def shapes(tensors: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Shapes by name."""
    return {name: tuple(one.shape) for name, one in tensors.items()}


def migan(channels: Mapping[int, int], seed: int = 0) -> MiganGenerator:
    """A generator of small widths with trained-like noise and the published filters."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        generator = MiganGenerator(channels).eval()
        line = torch.tensor([1.0, 3, 3, 1])
        for name, one in generator.state_dict().items():
            if name.endswith("noise_const"):
                one.normal_()
            elif name.endswith("noise_strength"):
                one.fill_(0.05)
            elif name.endswith("filter.weight"):
                one.copy_(line.outer(line) / 64 * (4 if "upsample" in name else 1))
    return generator.requires_grad_(False)


MIGAN_WIDTHS = {512: 4, 256: 4, 128: 4, 64: 6, 32: 6, 16: 8, 8: 8, 4: 8}


def migan_tensors(seed: int = 0) -> dict[str, Tensor]:
    """Its tensors as they are published, with the constants that say where zeros go."""
    found = {name: one.clone() for name, one in migan(MIGAN_WIDTHS, seed).state_dict().items()}
    for name in [name for name in found if name.endswith("upsample.filter.weight")]:
        grid = torch.tensor([[1.0, 0], [0, 0]])
        found[name.replace("filter.weight", "insert_zeros.weight")] = grid.repeat(found[name].shape[0], 1, 1, 1)
    return found
