"""Tensors of a file into a network that is written here: each in its place, none missing, none left."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from overpaint.errors import ModelError


def filled_network(network: nn.Module, tensors: Mapping[str, Tensor], title: str) -> None:
    """Put tensors into a network, in single precision, and make it ready to be used.

    Raises:
        ModelError: Tensors are missing or have other shapes, or there are more, as of a variant.
    """
    wanted = network.state_dict()
    if surplus := sorted(set(tensors) - set(wanted)):
        raise ModelError(f"it is a variant of {title} that is not known: it has {surplus[0]}")
    missing = [name for name in wanted if name not in tensors and not name.endswith("num_batches_tracked")]
    if missing:
        raise ModelError(f"{len(missing)} tensors of {title} are missing, such as {missing[0]}")
    given = {name: tensors.get(name, torch.zeros((), dtype=torch.int64)) for name in wanted}
    wrong = [name for name, one in given.items() if one.shape != wanted[name].shape]
    if wrong:
        shapes = f"{tuple(given[wrong[0]].shape)}, not {tuple(wanted[wrong[0]].shape)}"
        raise ModelError(f"{wrong[0]} of {title} has the shape {shapes}")
    floats = {name: one.float() if one.is_floating_point() else one for name, one in given.items()}
    network.load_state_dict(floats, assign=True)
    network.eval().requires_grad_(False)
