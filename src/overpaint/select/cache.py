"""Costly parts of a selection, kept by the content that they were made of, within a budget of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")

BUDGET = 256 << 20
"""Bytes that the process's own cache may hold."""


class ContentCache:
    """Values by key, the least recently used of which are let go beyond a budget. Thread-safe.

    A key begins with the digest of the content that the value was made of, so that two pictures with equal pixels share
    it and a changed one does not. Values must not be written to.
    """

    def __init__(self, budget: int = BUDGET) -> None:
        """`budget` is in bytes; a value that is larger is made and not kept."""
        self.budget = budget
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0

    @property
    def bytes(self) -> int:
        """Bytes of all values that are held."""
        with self._lock:
            return self._bytes

    def get(self, key: Hashable, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """The value of this key: the one that is held, else a new one, of which `size` says the bytes.

        Two threads that miss at the same time both make it; the first one that is kept counts.
        """
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                held: T = self._values[key][0]
                return held
        made = make()
        wanted = size(made)
        with self._lock:
            if key in self._values or wanted > self.budget:
                return made
            self._values[key] = (made, wanted)
            self._bytes += wanted
            while self._bytes > self.budget:
                _, (_, freed) = self._values.popitem(last=False)
                self._bytes -= freed
        return made

    def clear(self) -> None:
        """Let everything go."""
        with self._lock:
            self._values.clear()
            self._bytes = 0


shared = ContentCache()
"""The cache of this process."""
