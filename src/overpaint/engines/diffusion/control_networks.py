"""The ControlNets of a model, on its device."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch

from overpaint.models import ModelRef, digest

from .caches import ByteCache, bytes_of
from .controls import ControlNetwork
from .families import Family

_BUDGET = 4 << 30
"""Bytes of the ControlNets that are kept: in half precision five of SD 1, or one of SDXL and some of its small ones."""


class ControlNetworks:
    """The ControlNets that were used last, within a budget of bytes. Not thread-safe."""

    def __init__(self, family: Family, model: ModelRef, dtype: torch.dtype, device: torch.device) -> None:
        """For a checkpoint, whose networks work in `dtype` on `device`."""
        self._family = family
        self._model = model
        self._dtype = dtype
        self._device = device
        self._kept: ByteCache[ControlNetwork] = ByteCache(_BUDGET, lambda one: bytes_of(*one.network.parameters()))

    def __contains__(self, ref: ModelRef) -> bool:
        """Whether it is in memory."""
        return digest(ref.path) in self._kept

    def get(self, ref: ModelRef) -> ControlNetwork:
        """The ControlNet of a reference, loaded where it is not in memory.

        Raises:
            ModelError: Its files are damaged, or of other sizes than the checkpoint's.
        """
        return self._kept.get(digest(ref.path), lambda: self._loaded(ref))

    def widened(self, one: ControlNetwork) -> ControlNetwork:
        """The same in single precision."""
        if one.network.dtype == torch.float32:
            return one
        key = one.key, "wide"
        return self._kept.get(key, lambda: replace(one, network=copy.deepcopy(one.network).float(), key=key))

    def _loaded(self, ref: ModelRef) -> ControlNetwork:
        found = self._family.load_control(ref, self._model, self._dtype)
        found.network.to(self._device, memory_format=torch.channels_last)
        return found
