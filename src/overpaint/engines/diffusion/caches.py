"""A cache with a budget of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import torch

T = TypeVar("T")


class ByteCache(Generic[T]):
    """Values by key; beyond the budget the least recently used are dropped. For one thread.

    A value that is larger than the whole budget is not kept.
    """

    def __init__(self, budget: int, size: Callable[[T], int]) -> None:
        """Keep at most `budget` bytes, as `size` counts them."""
        self.budget = budget
        self._size = size
        self._kept: OrderedDict[Hashable, T] = OrderedDict()
        self.bytes = 0

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of this key, made where it is not kept."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        value = make()
        size = self._size(value)
        if size <= self.budget:
            self._kept[key] = value
            self.bytes += size
            while self.bytes > self.budget:
                _, gone = self._kept.popitem(last=False)
                self.bytes -= self._size(gone)
        return value


def bytes_of(*tensors: torch.Tensor | None) -> int:
    """The memory that tensors take."""
    return sum(one.numel() * one.element_size() for one in tensors if one is not None)
