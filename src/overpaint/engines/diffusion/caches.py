"""A cache with a budget of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, TypeVar

import torch

T = TypeVar("T")


class ByteCache(Generic[T]):
    """Values by key; beyond the budget the least recently used are dropped. For one thread.

    The last one is kept until another is made, even where it is larger than the whole budget: canvases that are painted
    together share it.
    """

    def __init__(self, budget: int, size: Callable[[T], int]) -> None:
        """Keep at most `budget` bytes, as `size` counts them."""
        self.budget = budget
        self._size = size
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self.bytes = 0

    def __contains__(self, key: Hashable) -> bool:
        """Whether the value of this key is kept."""
        return key in self._kept

    def __iter__(self) -> Iterator[T]:
        """The values, the least recently used first."""
        return iter(list(self._kept.values()))

    def drop(self) -> int:
        """Drop the least recently used value, and give its bytes; 0 where there is none."""
        if not self._kept:
            return 0
        _, gone = self._kept.popitem(last=False)
        size = self._size(gone)
        self.bytes -= size
        return size

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of this key, made where it is not kept."""
        if key not in self._kept:
            self._drop(least=0)
            self._kept[key] = make()
            self.bytes += self._size(self._kept[key])
            self._drop(least=1)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _drop(self, least: int) -> None:
        while self.bytes > self.budget and len(self._kept) > least:
            self.drop()


def bytes_of(*tensors: torch.Tensor | None) -> int:
    """The memory that tensors take."""
    return sum(one.numel() * one.element_size() for one in tensors if one is not None)
