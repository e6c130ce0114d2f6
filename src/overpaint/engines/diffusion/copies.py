"""The tensors of a network, and copies of it with others in their place."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .caches import bytes_of


def tensors_of_network(network: nn.Module) -> list[torch.Tensor]:
    """Its parameters and buffers, each once."""
    return list({id(one): one for one in itertools.chain(network.parameters(), network.buffers())}.values())


def network_bytes(network: nn.Module, kind: str | None = None) -> int:
    """Bytes of a network's tensors; `kind`: of those alone that are on a device of this kind ("cpu", "cuda")."""
    return bytes_of(*(one for one in tensors_of_network(network) if kind in (None, one.device.type)))


def copy_with(network: Any, tensor: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """A copy of a network in which `tensor` of each of its tensors takes that one's place."""
    taken: dict[int, torch.Tensor] = {}
    for one in tensors_of_network(network):
        made = tensor(one.detach())
        taken[id(one)] = nn.Parameter(made, requires_grad=False) if isinstance(one, nn.Parameter) else made
    return copy.deepcopy(network, taken)


def shared_copy(network: Any) -> Any:
    """A copy of a network that shares all its tensors."""
    return copy.deepcopy(network, {id(one): one for one in tensors_of_network(network)})
