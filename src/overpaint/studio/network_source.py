"""Where the networks for whole pictures come from, and what keeps them in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


class NetworkShelf:
    """The networks that were used last, in memory. Thread-safe."""

    def __init__(self, most: int = 2) -> None:
        """`most`: how many are kept."""
        self._most, self._lock = most, threading.Lock()
        self._kept: dict[tuple[str, ...], Any] = {}

    def get(self, key: tuple[str, ...], load: Callable[[], T]) -> T:
        """The network of a key, loaded where it is not here. Raises as `load`."""
        with self._lock:
            found: T = self._kept.pop(key) if key in self._kept else load()
            self._kept[key] = found
            while len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]
            return found

    def clear(self) -> None:
        """Keep none."""
        with self._lock:
            self._kept.clear()


@dataclass(frozen=True, slots=True)
class NetworkSource:
    """Where networks may come from, and where they compute.

    Attributes:
        paths: Whether a model's name may be a path; False for names from outside.
        allow_pickle: Whether a pickle may be read (weights only).
        device: "auto", "cpu", "cuda" or "mps".
        shelf: Keeps them in memory; None: they live as long as what uses them.
    """

    paths: bool = True
    allow_pickle: bool = False
    device: str = "auto"
    shelf: NetworkShelf | None = None

    def loaded(self, key: tuple[str, ...], load: Callable[[], T]) -> T:
        """A network, from the shelf where there is one. Raises as `load`."""
        return load() if self.shelf is None else self.shelf.get(key, load)


ANY_NETWORK = NetworkSource()
"""By name or path, without pickles, on the best device."""
