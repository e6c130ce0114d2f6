"""Networks that take turns on a device with less memory than all of them need. Their weights stay on the CPU.

    model    a network's weights are on the device from its first call until a network of another stage is called
    block    those of one block at a time, while it runs; on CUDA the next block's are copied meanwhile, by a stream

A network takes part as a twin: the same layers over the same memory on the CPU, with hooks that are set once. Merging,
copying and sharing work on the network itself, which never leaves the CPU.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import nn

from .blocks import blocks_of
from .caches import bytes_of
from .copies import copy_with, tensors_of_network

Stage = Literal["text", "picture", "vae", "network"]

Turns = Literal["model", "block"]


class Placement:
    """The networks of one model on one device. Not thread-safe."""

    def __init__(self, device: torch.device, turns: Turns, capacity: int | None = None) -> None:
        """Begin without networks.

        Args:
            device: Where they calculate.
            turns: What is on the device at a time: networks, or blocks of them.
            capacity: Bytes that the device has for one network's weights: one with more takes turns by blocks in any
                case. None: unknown.
        """
        self.device = device
        self._turns = turns
        self._capacity = capacity
        self._twins: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()
        self._places: weakref.WeakSet[_TwinPlace] = weakref.WeakSet()

    def twin(self, network: Any, stage: Stage) -> Any:
        """The network as it is called; the same twin as long as the network is in use.

        Args:
            network: On the CPU.
            stage: What it is called for: networks of one stage may be on the device together.
        """
        if network in self._twins:
            return self._twins[network]
        many = self._capacity is not None and bytes_of(*network.parameters()) > self._capacity
        by_blocks = stage != "vae" and (self._turns == "block" or many)
        if by_blocks and self.device.type == "cuda":
            for one in tensors_of_network(network):
                if one.device.type == "cpu" and not one.is_pinned():
                    one.data = one.data.pin_memory()  # only locked memory is copied beside the calculation
        twin = copy_with(network, lambda one: one)
        place = _TwinPlace(self, twin, blocks_of(twin) if by_blocks else [], stage)
        _PLACES[twin], self._twins[network] = place, twin
        self._places.add(place)
        return twin

    def make_room(self, place: _TwinPlace) -> None:
        """Take the weights of other stages off the device, and those of the same stage for which there is no room."""
        others = [one for one in self._places if one is not place]
        for one in others:
            if one.stage != place.stage:
                one.leave()
        for one in others:
            if self._capacity is not None and self.bytes + place.needed > self._capacity:
                one.leave()

    @property
    def bytes(self) -> int:
        """Bytes of weights on the device."""
        return sum(one.bytes for one in self._places)


class _PlacedTensors:
    """Tensors that come and go together."""

    def __init__(self, tensors: Sequence[torch.Tensor]) -> None:
        self.tensors = list(tensors)
        self.homes = [one.data for one in tensors]
        self.here = False
        self.ready: Any = None  # CUDA's event: the copies on the other stream are done

    @property
    def bytes(self) -> int:
        return bytes_of(*self.homes) if self.here else 0

    def bring(self, device: torch.device, stream: Any = None) -> None:
        """Copy them to the device: at once, or on a stream beside the calculation."""
        if self.here:
            return
        with torch.inference_mode(False), torch.no_grad():
            if stream is None:
                for one, home in zip(self.tensors, self.homes, strict=True):
                    one.data = torch.empty_like(home, device=device).copy_(home)
            else:
                with torch.cuda.stream(stream):
                    for one, home in zip(self.tensors, self.homes, strict=True):
                        one.data = torch.empty_like(home, device=device).copy_(home, non_blocking=True)
                    self.ready = torch.cuda.Event()
                    self.ready.record(stream)
        self.here = True

    def wait(self) -> None:
        """Let the calculation wait for the copies."""
        if self.ready is not None:
            current = torch.cuda.current_stream()
            current.wait_event(self.ready)
            for one in self.tensors:
                one.data.record_stream(current)  # their memory is not used again before the calculation is done
            self.ready = None

    def leave(self) -> None:
        """Take them off the device. They were not changed: the CPU has them."""
        if self.here:
            self.wait()
            with torch.inference_mode(False), torch.no_grad():
                for one, home in zip(self.tensors, self.homes, strict=True):
                    one.data = home
            self.here = False


class _TwinPlace:
    """A twin's place: the weights that are on the device while it is called. It holds no module, so that twins end."""

    def __init__(self, placement: Placement, twin: nn.Module, blocks: Sequence[nn.Module], stage: Stage) -> None:
        self.stage = stage
        self.placement = weakref.ref(placement)  # twins end with the placement that made them
        self.device = placement.device
        self.dtype: torch.dtype = next(twin.parameters()).dtype
        self._blocks = [_PlacedTensors(tensors_of_network(one)) for one in blocks]
        inside = {id(one) for group in self._blocks for one in group.tensors}
        self._rest = _PlacedTensors([one for one in tensors_of_network(twin) if id(one) not in inside])
        self._following: dict[int, _PlacedTensors] = {}
        self._latest = -1
        self._stream = None
        if blocks and placement.device.type == "cuda":
            self._stream = torch.cuda.Stream(placement.device)
        for number, one in enumerate(blocks):
            self._watch(one, number)

    @property
    def bytes(self) -> int:
        return self._rest.bytes + sum(one.bytes for one in self._blocks)

    @property
    def needed(self) -> int:
        """Bytes that `bring` will take."""
        return 0 if self._rest.here else bytes_of(*self._rest.homes)

    def bring(self) -> None:
        """Prepare a call."""
        if (placement := self.placement()) is not None:
            placement.make_room(self)
        self._rest.bring(self.device)

    def leave(self) -> None:
        """Take everything off the device."""
        for one in (self._rest, *self._blocks):
            one.leave()

    def _watch(self, block: nn.Module, number: int) -> None:
        device, stream, group, following = self.device, self._stream, self._blocks[number], self._following

        def before(module: nn.Module, args: Any) -> None:
            group.bring(device)
            group.wait()
            following[self._latest] = group  # blocks follow each other as they did in the last call
            self._latest = number
            if stream is not None and number in following and following[number] is not group:
                following[number].bring(device, stream)

        def after(module: nn.Module, args: Any, output: Any) -> None:
            group.leave()

        block.register_forward_pre_hook(before)
        block.register_forward_hook(after, always_call=True)  # also where the call fails


_PLACES: weakref.WeakKeyDictionary[Any, Any] = weakref.WeakKeyDictionary()


def bring(*networks: Any) -> None:
    """Before a call: the weights of twins to their device, where they are not there; nothing for other networks."""
    for one in networks:
        if (place := _PLACES.get(one)) is not None:
            place.bring()


def beside(twin: Any, network: Any) -> Any:
    """A network as it is called beside a twin: its own twin in the same place; itself beside other networks."""
    place = _PLACES.get(twin)
    if place is None or (placement := place.placement()) is None:
        return network
    return placement.twin(network, place.stage)


def device_of(network: nn.Module) -> torch.device:
    """Where a network calculates: a twin's device, also while its weights are not there."""
    place = _PLACES.get(network)
    found: torch.device = next(network.parameters()).device if place is None else place.device
    return found
