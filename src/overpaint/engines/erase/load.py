"""From an eraser's files to its network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from overpaint.engines.diffusion.devices import usual_dtype
from overpaint.engines.diffusion.weights import read_tensors
from overpaint.errors import ModelError
from overpaint.models import ModelRef, family_of
from overpaint.models.eraser_store import network_tensors

from .lama import lama_of
from .migan import migan_of
from .network import EraserNetwork, OnStep


class OwnNetwork:
    """A network whose architecture is written here: it takes picture and hole, and gives its estimate of the whole."""

    sees_whole = True

    def __init__(self, module: torch.nn.Module) -> None:
        self.module = module

    def __call__(self, picture: Tensor, hole: Tensor, seed: int, on_step: OnStep) -> Tensor:
        """As `EraserNetwork`."""
        found: Tensor = self.module(picture, hole)
        on_step(1, 1)
        return found


def load_network(ref: ModelRef, device: Any, threads: int | None = None) -> EraserNetwork:
    """Load an eraser's network. Nothing is downloaded.

    Args:
        ref: From `overpaint.models.find_eraser`.
        device: torch's.
        threads: Of a runtime beside torch; None: its own choice.

    Raises:
        ModelError: The file is damaged, or of another layout.
        MissingExtraError: A package that it needs is not installed.
    """
    kind = ref.kind
    if kind.form == "torchscript":
        from .scripted import scripted_network

        return scripted_network(ref, device)
    if kind.form == "onnx":
        from .onnx import onnx_network

        return onnx_network(ref, threads)
    held = read_tensors(ref.path, allow_pickle=ref.allow_pickle)
    own = {name.removeprefix("generator."): one for name, one in network_tensors(held, kind, ref.path).items()}
    try:
        if kind.network == "lama":
            return OwnNetwork(lama_of(own).to(device))
        if kind.network == "migan":
            return OwnNetwork(migan_of(own).to(device))
        if kind.network == "mat":
            from .spandrel_networks import mat_of

            return mat_of(own, device)
        if kind.network == "osor":
            from .osor import removal_of

            assert ref.base is not None
            return removal_of(ref, own, device, base_dtype(ref.base, device))
    except ModelError as error:
        raise error.within(ref.path.name) from error
    raise ModelError(f"{ref.name} can't be loaded: there is no architecture of {kind.network} here")


def base_dtype(base: ModelRef, device: Any) -> torch.dtype:
    """The type that the checkpoint beneath an eraser calculates in."""
    dtype: torch.dtype = usual_dtype(device, family_of(base.kind.family or "").width(base))
    return dtype


def base_bytes(base: ModelRef, dtype: torch.dtype, holds: Callable[[str], bool]) -> int:
    """Memory in bytes that the checkpoint beneath an eraser needs; `holds` as for `Family.weight_bytes`."""
    needed: int = family_of(base.kind.family or "").weight_bytes(base, dtype, holds)
    return needed
