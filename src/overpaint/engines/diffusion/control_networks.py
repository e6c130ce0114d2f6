"""The ControlNets and IP-Adapters of a model, which guide its network."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias, overload

import torch

from overpaint.models import ModelRef, ReferenceRefs, digest

from .adapters import Adapter
from .caches import ByteCache
from .controls import ControlNetwork
from .copies import network_bytes
from .families import Family

Guide: TypeAlias = ControlNetwork | Adapter

GUIDE_BYTES = 4 << 30
"""Of all that are kept: in half precision five ControlNets of SD 1, or one of SDXL and some of its small ones."""


class KeptGuides:
    """The ControlNets and IP-Adapters of a checkpoint that were used last, within one budget of bytes. Not thread-safe.

    Attributes:
        home: Where the weights of those that are used are.
    """

    def __init__(self, family: Family, model: ModelRef, dtype: torch.dtype) -> None:
        """For a checkpoint, whose networks work in `dtype`; on the CPU until `move`."""
        self._family = family
        self._model = model
        self._dtype = dtype
        self.home = torch.device("cpu")
        self._kept: ByteCache[Guide] = ByteCache(GUIDE_BYTES, guide_bytes)

    @property
    def budget(self) -> int:
        """Bytes that they may take together. One that a canvas needs is kept even where it is larger."""
        return self._kept.budget

    @budget.setter
    def budget(self, most: int) -> None:
        self._kept.budget = min(GUIDE_BYTES, max(0, most))

    @property
    def bytes(self) -> int:
        """Bytes of those that are kept."""
        return self._kept.bytes

    def __contains__(self, ref: ModelRef | ReferenceRefs) -> bool:
        """Whether it is in memory."""
        return _key(ref) in self._kept

    @overload
    def get(self, ref: ModelRef) -> ControlNetwork: ...

    @overload
    def get(self, ref: ReferenceRefs) -> Adapter: ...

    def get(self, ref: ModelRef | ReferenceRefs) -> Guide:
        """The ControlNet, or the IP-Adapter with its picture encoder, of a reference; loaded where it is not in memory.

        Raises:
            ModelError: Its files are damaged, or of other sizes than the checkpoint's.
        """
        return self._kept.get(_key(ref), lambda: self._loaded(ref))

    def _loaded(self, ref: ModelRef | ReferenceRefs) -> Guide:
        if isinstance(ref, ReferenceRefs):
            return self._family.load_adapter(ref, self._dtype)
        found = self._family.load_control(ref, self._model, self._dtype)
        found.network.to(memory_format=torch.channels_last)
        return found

    def needed(self, ref: ModelRef | ReferenceRefs, holds: Callable[[str], bool]) -> int:
        """Bytes that `get` will take; `holds`: whether a network from these weights is in memory."""
        if isinstance(ref, ReferenceRefs):
            return self._family.adapter_bytes(ref, self._dtype, holds)
        return self._family.control_bytes(ref, self._dtype, holds)

    def widened(self, one: ControlNetwork) -> ControlNetwork:
        """The same in single precision."""
        if one.network.dtype == torch.float32:
            return one
        key = one.key, "wide"
        wide = self._kept.get(key, lambda: replace(one, network=copy.deepcopy(one.network).float(), key=key))
        assert isinstance(wide, ControlNetwork)
        return wide

    def move(self, home: torch.device) -> None:
        """Take all of them to a device, where those to come are put by `place`."""
        self.home = home
        for one in self._kept:
            self.place(one)

    def place(self, one: Guide) -> None:
        """Take one to its device."""
        for network in one.networks:
            network.to(self.home)

    def make_room(self, needed: int, left: int | None) -> None:
        """Drop those that were used longest ago, so that a new one fits.

        Args:
            needed: Its bytes.
            left: Bytes that the device has left; None where that is unknown.
        """
        short = max(self.bytes + needed - self.budget, 0 if left is None else needed - left)
        while short > 0 and (gone := self._kept.drop()):
            short -= gone


def guide_bytes(one: Guide) -> int:
    """Bytes of the weights of a ControlNet, or of an IP-Adapter with its picture encoder."""
    return sum(map(network_bytes, one.networks))


def _key(ref: ModelRef | ReferenceRefs) -> str | tuple[str, str]:
    if isinstance(ref, ReferenceRefs):
        return digest(ref.adapter.path), digest(ref.encoder.path)
    return digest(ref.path)
