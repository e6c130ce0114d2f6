"""Erasers that are TorchScript programs, by the contracts of the files that IOPaint's users have.

A program holds code: it runs only where the user allowed it, which `overpaint.models.find_eraser` checks. Inputs are
pictures in NCHW, RGB, one at a time; a hole is 1 (IOPaint 1.6.0, model/*.py, where alone the contracts stand).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from overpaint.errors import ModelError
from overpaint.models import ModelRef

from .latent import ScriptedLatentDiffusion
from .network import EraserNetwork, OnStep
from .structure import ScriptedZits


class ScriptedLama:
    """big-lama.pt, anime-manga-big-lama.pt: f(picture in [0, 1], hole) -> picture, with what is known pasted back."""

    sees_whole = False

    def __init__(self, program: Any) -> None:
        self.program = program

    def __call__(self, picture: Tensor, hole: Tensor, seed: int, on_step: OnStep) -> Tensor:
        """As `EraserNetwork`."""
        found: Tensor = self.program(picture, hole)
        on_step(1, 1)
        return found


class ScriptedSquare:
    """migan_traced.pt, and a program of FcF: f(0.5 - hole, and the picture in [-1, 1] without it) -> such a picture."""

    sees_whole = True

    def __init__(self, program: Any) -> None:
        self.program = program

    def __call__(self, picture: Tensor, hole: Tensor, seed: int, on_step: OnStep) -> Tensor:
        """As `EraserNetwork`."""
        found: Tensor = self.program(torch.cat((0.5 - hole, (2 * picture - 1) * (1 - hole)), dim=1))
        on_step(1, 1)
        return (found + 1) / 2


class ScriptedManga:
    """Two programs for grey pictures: one draws the lines, the other fills the hole from picture and lines.

    lines(grey in [0, 255]) -> lines in [0, 255]; fill(grey, lines, hole, noise, ones), both in [-1, 1], -> grey.
    The noise is that of seed 42, as in IOPaint.
    """

    sees_whole = False  # it does, in grey: of a picture with colours that would count as an error to be corrected

    def __init__(self, fill: Any, lines: Any) -> None:
        self.fill, self.lines = fill, lines

    def __call__(self, picture: Tensor, hole: Tensor, seed: int, on_step: OnStep) -> Tensor:
        """As `EraserNetwork`; grey, in three equal channels."""
        weights = torch.tensor([0.299, 0.587, 0.114], device=picture.device)  # ITU-R BT.601
        grey = (picture * weights.view(1, 3, 1, 1)).sum(dim=1, keepdim=True)
        lines = self.lines(grey * 255).clamp(0, 255) / 255
        on_step(1, 2)
        noise = torch.randn(hole.shape, generator=torch.Generator().manual_seed(42)).to(hole.device)
        found: Tensor = self.fill(2 * grey - 1, 2 * lines - 1, hole, noise, torch.ones_like(hole))
        on_step(2, 2)
        return ((found + 1) / 2).expand(-1, 3, -1, -1)


_OF_NETWORK = {
    "lama": ScriptedLama,
    "migan": ScriptedSquare,
    "fcf": ScriptedSquare,
    "manga": ScriptedManga,
    "ldm": ScriptedLatentDiffusion,
    "zits": ScriptedZits,
}
"""Each takes the programs in the order of the catalogue's files."""


def scripted_network(ref: ModelRef, device: Any) -> EraserNetwork:
    """The network of an eraser whose files are TorchScript programs.

    Raises:
        ModelError: A file is cut short or damaged, or there is no contract of this network.
    """
    make: Any = _OF_NETWORK.get(ref.kind.network)
    if make is None:
        raise ModelError(f"{ref.name} can't be run: there is no contract for programs of {ref.kind.network}")
    network: EraserNetwork = make(*(load_program(path, device) for path in ref.parts.values()))
    return network


def load_program(path: Path, device: Any) -> Any:
    """A TorchScript program. Its code runs when it is called.

    Raises:
        ModelError: The file is cut short or damaged.
    """
    try:
        return torch.jit.load(str(path), map_location=device).eval()
    except Exception as error:  # any bytes may be in the file
        raise ModelError(f"{path.name} is cut short or damaged; download it again") from error
