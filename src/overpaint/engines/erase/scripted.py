"""Erasers that are TorchScript programs, by the contracts of the files that IOPaint's users have.

A program holds code: it runs only where the user allowed it, which `overpaint.models.find_eraser` checks. Inputs and
outputs are those of spec: picture and hole in, picture out; what differs is noted at each class.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from overpaint.errors import ModelError
from overpaint.models import ModelRef

from .network import EraserNetwork, OnStep


class ScriptedLama:
    """big-lama.pt and anime-manga-big-lama.pt: f(picture in [0, 1], hole in {0, 1}) -> picture, pasted back outside."""

    sees_whole = False

    def __init__(self, program: Any) -> None:
        self.program = program

    def __call__(self, picture: Tensor, hole: Tensor, on_step: OnStep) -> Tensor:
        """As `EraserNetwork`."""
        found: Tensor = self.program(picture, hole)
        on_step(1, 1)
        return found


def scripted_network(ref: ModelRef, device: Any) -> EraserNetwork:
    """The network of an eraser whose files are TorchScript programs.

    Raises:
        ModelError: A file is cut short or damaged.
    """
    programs = {name: load_program(path, device) for name, path in ref.parts.items()}
    if ref.kind.network == "lama":
        return ScriptedLama(*programs.values())
    raise ModelError(f"{ref.name} can't be run: there is no contract of {ref.kind.network} here")


def load_program(path: Path, device: Any) -> Any:
    """A TorchScript program. Its code runs when it is called.

    Raises:
        ModelError: The file is cut short or damaged.
    """
    try:
        return torch.jit.load(str(path), map_location=device).eval()
    except Exception as error:  # any bytes may be in the file
        raise ModelError(f"{path.name} is cut short or damaged; download it again") from error
