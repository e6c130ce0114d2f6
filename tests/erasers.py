"""Small random erasers of the published layouts, in the forms that they are published in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
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


class Program(nn.Module):
    """A TorchScript program without published names: it fills the hole with a blend of what is around it."""

    def __init__(self) -> None:
        super().__init__()
        self.blend = nn.Conv2d(4, 3, 5, padding=2, padding_mode="reflect")

    def forward(self, picture: Tensor, hole: Tensor) -> Tensor:
        filled = torch.sigmoid(self.blend(torch.cat((picture * (1 - hole), hole), 1)))
        return hole * filled + (1 - hole) * picture


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


class SquareProgram(nn.Module):
    """migan_traced.pt's shape, with a single layer."""

    def __init__(self) -> None:
        super().__init__()
        self.blend = nn.Conv2d(4, 3, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(self.blend(x))


class Noise(nn.Module):
    """ldm's diffusion.pt: x, embedded time and condition to noise."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.time = nn.Conv2d(7, 3, 3, padding=1), nn.Linear(256, 3)

    def forward(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        return torch.tanh(self.mix(torch.cat((x, condition), 1)) + self.time(time)[..., None, None])


class Encode(nn.Module):
    """A quarter of the size."""

    def forward(self, picture: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(picture, 4)


class Decode(nn.Module):
    """Four times the size."""

    def forward(self, latent: Tensor) -> Tensor:
        return nn.functional.interpolate(latent, scale_factor=4.0)


class Wireframe(nn.Module):
    """zits-wireframe: two lines, of which one is doubtful."""

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        lines = torch.tensor([[0.1, 0.2, 0.9, 0.7], [0.0, 1.0, 1.0, 0.0]]) + 0 * picture.mean()
        return {"num_proposals": torch.tensor(2), "lines_pred": lines, "lines_score": torch.tensor([0.95, 0.3])}


class EdgeLine(nn.Module):
    """zits-edge-line: logits of edges and lines."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(6, 2, 5, padding=2)

    def forward(self, picture: Tensor, edge: Tensor, line: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        found = self.mix(torch.cat((picture, edge, line, masks), 1))
        return found[:, :1], found[:, 1:]


class Upsample(nn.Module):
    """zits-structure-upsample: logits at twice the size."""

    def forward(self, structure: Tensor) -> Tensor:
        return nn.functional.interpolate(structure, scale_factor=2.0) * 4 - 2


class StructureFill(nn.Module):
    """zits-inpaint."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(11, 3, 5, padding=2)

    def forward(
        self, picture: Tensor, hole: Tensor, edge: Tensor, line: Tensor, distance: Tensor, direction: Tensor
    ) -> Tensor:
        places = torch.cat((distance[:, None] / 16.0, direction.permute(0, 3, 1, 2).float()), 1)
        return torch.sigmoid(self.mix(torch.cat((picture * (1 - hole), hole, edge, line, places), 1)))


class MangaLines(nn.Module):
    """erika.jit: lines of a grey picture in [0, 255]."""

    def forward(self, grey: Tensor) -> Tensor:
        return 1.2 * (grey - nn.functional.avg_pool2d(grey, 5, 1, 2)) + 128


class MangaFill(nn.Module):
    """manga_inpaintor.jit."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(5, 1, 5, padding=2)

    def forward(self, grey: Tensor, lines: Tensor, hole: Tensor, noise: Tensor, ones: Tensor) -> Tensor:
        return torch.tanh(self.mix(torch.cat((grey * (1 - hole), lines * (1 - hole), hole, noise, ones), 1)))


PROGRAMS: Mapping[str, Mapping[str, type[nn.Module]]] = {
    "lama": {"big-lama.pt": Program},
    "anime-lama": {"anime-manga-big-lama.pt": Program},
    "migan": {"migan_traced.pt": SquareProgram},
    "ldm": {
        "diffusion.pt": Noise,
        "cond_stage_model_encode.pt": Encode,
        "cond_stage_model_decode.pt": Decode,
    },
    "zits": {
        "zits-inpaint-0717.pt": StructureFill,
        "zits-edge-line-0717.pt": EdgeLine,
        "zits-structure-upsample-0717.pt": Upsample,
        "zits-wireframe-0717.pt": Wireframe,
    },
    "manga": {"manga_inpaintor.jit": MangaFill, "erika.jit": MangaLines},
}
"""Stand-ins for the TorchScript files that IOPaint's users have, by eraser."""


def save_programs(folder: Path, name: str, seed: int = 0) -> Path:
    """Save the files of one eraser into a folder; the first one's path."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (file, make) in enumerate(PROGRAMS[name].items()):
        with torch.random.fork_rng():
            torch.manual_seed(seed + number)
            torch.jit.save(torch.jit.script(make().eval()), str(folder / file))
    return folder / next(iter(PROGRAMS[name]))
