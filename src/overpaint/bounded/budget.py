"""Memory that several edits share: one that finds too little left waits until another is done."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True, eq=False)
class MemoryShare:
    """What one edit holds of a budget. A context manager that gives it back.

    Attributes:
        budget: The budget.
        bytes: What it holds.
    """

    budget: MemoryBudget
    bytes: int = 0

    def __enter__(self) -> MemoryShare:
        return self

    def __exit__(self, *_: object) -> None:
        self.budget.release(self)

    def grow(self, wanted: int, check: Callable[[], None] = lambda: None) -> None:
        """Hold at least `wanted` bytes; wait until they are free.

        Args:
            wanted: Bytes, with those that are held already.
            check: Called several times a second while it waits; what it raises ends the wait.
        """
        self.budget.grow(self, wanted, check)


@dataclass(slots=True, eq=False)
class MemoryBudget:
    """Bytes for all edits in flight. Thread-safe.

    Edits begin in the order in which they ask. One that needs more than there is at all begins once no other holds any.
    Where all that hold some wait for more, the first that began to wait goes on, so that none waits for ever.
    """

    total: int
    _held: dict[MemoryShare, int] = field(default_factory=dict)
    _waiting: list[MemoryShare] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def grow(self, share: MemoryShare, wanted: int, check: Callable[[], None]) -> None:
        """`MemoryShare.grow`."""
        if wanted <= share.bytes:
            return
        with self._changed:
            self._waiting.append(share)
            try:
                while not self._fits(share, wanted):
                    check()
                    self._changed.wait(0.2)
            finally:
                self._waiting.remove(share)
            self._held[share] = share.bytes = wanted

    def release(self, share: MemoryShare) -> None:
        """Take back what a share holds."""
        with self._changed:
            self._held.pop(share, None)
            share.bytes = 0
            self._changed.notify_all()

    def _fits(self, share: MemoryShare, wanted: int) -> bool:
        others = [one for one in self._held if one is not share]
        enough = sum(self._held[one] for one in others) + wanted <= self.total
        if share in self._held:
            first = next(one for one in self._waiting if one in self._held)
            return enough or (first is share and all(one in self._waiting for one in others))
        first = next(one for one in self._waiting if one not in self._held)  # or a large one might wait for ever
        return first is share and (enough or not others)
