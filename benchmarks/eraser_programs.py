"""Stand-ins for the TorchScript programs of published erasers: small random networks with the same inputs and outputs.

Their contracts are those of IOPaint 1.6.0's classes. `benchmarks.erasers` and the tests give them to both programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn


class Program(nn.Module):  # type: ignore[misc]
    """A TorchScript program without published names: it fills the hole with a blend of what is around it."""

    def __init__(self) -> None:
        super().__init__()
        self.blend = nn.Conv2d(4, 3, 5, padding=2, padding_mode="reflect")

    def forward(self, picture: Tensor, hole: Tensor) -> Tensor:
        """As the published program."""
        filled = torch.sigmoid(self.blend(torch.cat((picture * (1 - hole), hole), 1)))
        return hole * filled + (1 - hole) * picture


class SquareProgram(nn.Module):  # type: ignore[misc]
    """migan_traced.pt's shape, with a single layer."""

    def __init__(self) -> None:
        super().__init__()
        self.blend = nn.Conv2d(4, 3, 5, padding=2)

    def forward(self, x: Tensor) -> Tensor:
        """As the published program."""
        return torch.tanh(self.blend(x))


class Noise(nn.Module):  # type: ignore[misc]
    """ldm's diffusion.pt: x, embedded time and condition to noise."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.time = nn.Conv2d(7, 3, 3, padding=1), nn.Linear(256, 3)

    def forward(self, x: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """As the published program."""
        return torch.tanh(self.mix(torch.cat((x, condition), 1)) + self.time(time)[..., None, None])


class Encode(nn.Module):  # type: ignore[misc]
    """A quarter of the size."""

    def forward(self, picture: Tensor) -> Tensor:
        """As the published program."""
        return nn.functional.avg_pool2d(picture, 4)


class Decode(nn.Module):  # type: ignore[misc]
    """Four times the size."""

    def forward(self, latent: Tensor) -> Tensor:
        """As the published program."""
        return nn.functional.interpolate(latent, scale_factor=4.0)


class Wireframe(nn.Module):  # type: ignore[misc]
    """zits-wireframe: two lines, of which one is doubtful."""

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        """As the published program."""
        lines = torch.tensor([[0.1, 0.2, 0.9, 0.7], [0.0, 1.0, 1.0, 0.0]]) + 0 * picture.mean()
        return {"num_proposals": torch.tensor(2), "lines_pred": lines, "lines_score": torch.tensor([0.95, 0.3])}


class EdgeLine(nn.Module):  # type: ignore[misc]
    """zits-edge-line: logits of edges and lines."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(6, 2, 5, padding=2)

    def forward(self, picture: Tensor, edge: Tensor, line: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
        """As the published program."""
        found = self.mix(torch.cat((picture, edge, line, masks), 1))
        return found[:, :1], found[:, 1:]


class Upsample(nn.Module):  # type: ignore[misc]
    """zits-structure-upsample: logits at twice the size."""

    def forward(self, structure: Tensor) -> Tensor:
        """As the published program."""
        return nn.functional.interpolate(structure, scale_factor=2.0) * 4 - 2


class StructureFill(nn.Module):  # type: ignore[misc]
    """zits-inpaint."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(11, 3, 5, padding=2)

    def forward(
        self, picture: Tensor, hole: Tensor, edge: Tensor, line: Tensor, distance: Tensor, direction: Tensor
    ) -> Tensor:
        """As the published program."""
        places = torch.cat((distance[:, None] / 16.0, direction.permute(0, 3, 1, 2).float()), 1)
        return torch.sigmoid(self.mix(torch.cat((picture * (1 - hole), hole, edge, line, places), 1)))


class MangaLines(nn.Module):  # type: ignore[misc]
    """erika.jit: lines of a grey picture in [0, 255]."""

    def forward(self, grey: Tensor) -> Tensor:
        """As the published program."""
        return 1.2 * (grey - nn.functional.avg_pool2d(grey, 5, 1, 2)) + 128


class MangaFill(nn.Module):  # type: ignore[misc]
    """manga_inpaintor.jit."""

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(5, 1, 5, padding=2)

    def forward(self, grey: Tensor, lines: Tensor, hole: Tensor, noise: Tensor, ones: Tensor) -> Tensor:
        """As the published program."""
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
