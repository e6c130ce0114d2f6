"""Networks whose architecture is spandrel's (extra restore): MAT."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from overpaint.engines.spandrel_import import torchvision_stood_in
from overpaint.errors import MissingExtraError, ModelError

from .network import OnStep

_MAT_SEED = 240  # IOPaint's: the style vector of this seed


class SpandrelMat:
    """MAT: its style vector is that of one seed; which parts of it count is drawn for each picture, by its own seed."""

    sees_whole = True

    def __init__(self, descriptor: Any) -> None:
        self.module = descriptor.model

    def __call__(self, picture: Tensor, hole: Tensor, seed: int, on_step: OnStep) -> Tensor:
        """As `EraserNetwork`, for squares of 512 pixels."""
        devices = [picture.device] if picture.device.type == "cuda" else []
        with torch.random.fork_rng(devices):  # it draws from torch's own generator
            torch.manual_seed(seed)
            found: Tensor = self.module(picture, hole)
        on_step(1, 1)
        return found


def mat_of(tensors: Mapping[str, Tensor], device: Any) -> SpandrelMat:
    """MAT with these weights, by their published names.

    Raises:
        ModelError: Tensors are missing, or have other shapes.
        MissingExtraError: spandrel is not installed.
    """
    with torchvision_stood_in():
        try:
            from spandrel_extra_arches.architectures.MAT import MATArch
        except ImportError as error:
            raise MissingExtraError.of("MAT", "restore") from error
    try:
        descriptor = MATArch().load({name: one.float() for name, one in tensors.items()})
    except Exception as error:  # any tensors may be in the file
        raise ModelError(f"its tensors are not those of MAT: {str(error).splitlines()[0]}") from error
    descriptor.model.eval().requires_grad_(False)
    style = np.random.RandomState(_MAT_SEED).randn(1, 512).astype(np.float32)
    descriptor.model.z = torch.from_numpy(style).to(device)
    descriptor.model.label = descriptor.model.label.to(device)
    descriptor.model.to(device)
    return SpandrelMat(descriptor)
