"""The ControlNets and IP-Adapters of a model, on its device."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch

from overpaint.models import ModelRef, ReferenceRefs, digest

from .adapters import Adapter
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


class AdapterNetworks:
    """The IP-Adapters that were used last, with their picture encoders, within a budget of bytes. Not thread-safe."""

    def __init__(self, family: Family, dtype: torch.dtype, device: torch.device) -> None:
        """For a checkpoint, whose networks work in `dtype` on `device`."""
        self._family = family
        self._dtype = dtype
        self._device = device
        self._kept: ByteCache[Adapter] = ByteCache(_BUDGET, _adapter_bytes)

    def __contains__(self, refs: ReferenceRefs) -> bool:
        """Whether both are in memory."""
        return _digests(refs) in self._kept

    def get(self, refs: ReferenceRefs) -> Adapter:
        """The adapter of a reference, loaded where it is not in memory.

        Raises:
            ModelError: Its files, or those of the encoder, are damaged.
        """
        return self._kept.get(_digests(refs), lambda: self._loaded(refs))

    def _loaded(self, refs: ReferenceRefs) -> Adapter:
        found = self._family.load_adapter(refs, self._dtype)
        for part in (found.layers, found.projection, found.encoder):
            part.to(self._device)
        return found


def _digests(refs: ReferenceRefs) -> tuple[str, str]:
    return digest(refs.adapter.path), digest(refs.encoder.path)


def _adapter_bytes(one: Adapter) -> int:
    return sum(bytes_of(*part.parameters()) for part in (one.layers, one.projection, one.encoder))
