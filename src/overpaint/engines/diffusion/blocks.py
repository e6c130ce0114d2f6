"""The blocks of a network: its large parts, which are called one after another."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn


def trunk_of(network: nn.Module) -> list[nn.Module]:
    """The children that hold the blocks: all but first and last layers, and embeddings."""
    return [one for one in network.children() if isinstance(one, nn.ModuleList) or _lists(one)]


def blocks_of(network: nn.Module) -> list[nn.Module]:
    """The blocks, such as residual blocks and layers of transformers.

    A block is an element of a list of modules that has no such list as a child of its own.
    """
    return list(_blocks(network, inside=False))


def _blocks(module: nn.Module, *, inside: bool) -> Iterator[nn.Module]:
    lists = _lists(module)
    if inside and not lists:
        yield module
    for one in lists:
        for element in one:
            yield from _blocks(element, inside=True)
    for child in module.children():
        if not inside and not isinstance(child, nn.ModuleList) and _lists(child):
            yield from _blocks(child, inside=True)


def _lists(module: nn.Module) -> list[nn.ModuleList]:
    """The lists of modules that are children of a module, or of a dictionary of modules."""
    held = module.values() if isinstance(module, nn.ModuleDict) else module.children()
    return [one for one in held if isinstance(one, nn.ModuleList)]
