"""Bytes that a computation takes: of the tensors that it makes, counted while it runs.

On torch's meta device nothing is calculated and no memory is taken, so that networks of any size can be counted.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode


class AllocatedBytes(TorchDispatchMode):  # type: ignore[misc]
    """While it is active, counts the bytes of tensors that are made, until they are freed.

    What operators need inside themselves is not seen.

    Attributes:
        held: Bytes of the tensors that are alive.
        peak: The most that were alive at once.
    """

    def __init__(self) -> None:
        """Begin at 0."""
        super().__init__()
        self.held = self.peak = 0
        self._alive: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operator, and count its outputs."""
        given = {id(one.untyped_storage()) for one in _tensors((args, kwargs))}
        found = func(*args, **(kwargs or {}))
        for one in _tensors(found):
            storage = one.untyped_storage()
            if id(storage) not in self._alive and id(storage) not in given:
                self._alive.add(id(storage))
                self.held += storage.nbytes()
                weakref.finalize(storage, self._freed, id(storage), storage.nbytes())
        self.peak = max(self.peak, self.held)
        return found

    def _freed(self, key: int, size: int) -> None:
        self._alive.discard(key)
        self.held -= size


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for one in value:
            yield from _tensors(one)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))


class _FusedAttention(TorchFunctionMode):  # type: ignore[misc]
    """Attention whose scores are never kept, as on GPUs; on the meta device torch would keep them."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.scaled_dot_product_attention:
            query, _, value = args[:3]
            return query.new_empty((*query.shape[:-1], value.shape[-1]))
        return func(*args, **(kwargs or {}))


@contextmanager
def counted() -> Iterator[AllocatedBytes]:
    """Count what is made inside, without gradients."""
    with torch.inference_mode(), _FusedAttention(), AllocatedBytes() as count:
        yield count


def peak_bytes(call: Callable[[], Any]) -> int:
    """The most bytes that tensors made by `call` take at once, its result included."""
    with counted() as count:
        call()
    return count.peak
