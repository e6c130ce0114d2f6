"""Weights in memory: each network is held once for all engines of a studio, within one budget of bytes.

A network that several engines need (the U-Net of one checkpoint with two VAEs, a text encoder that two checkpoints have
in common) is loaded once. Before weights are loaded, engines that paint nothing release theirs until the new ones fit.
"""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

from overpaint.errors import EngineError

T = TypeVar("T")
Key = tuple[str, ...]
"""What tells networks apart, beginning with the digest of their weights."""

_GIB = 2**30


class WeightHolder(Protocol):
    """An engine that holds weights."""

    def release_weights(self) -> bool:
        """Release the weights, unless a canvas is painted with them; whether it did. Does not wait."""


class WeightStore:
    """The networks of a studio's engines. Thread-safe.

    Attributes:
        budget: Bytes that the networks may take together. Copies that LoRAs or single precision need are not counted:
            each engine bounds its own.
        lock: Held while a model is loaded, so that two engines don't load the same network, or into the same memory.
    """

    def __init__(self, budget: int | None = None) -> None:
        """`budget` None: half of the process's share of the machine's memory; 8 GiB where that is unknown."""
        self.budget = share_of(total_memory() or 16 * _GIB) // 2 if budget is None else budget
        self.lock = threading.RLock()
        self._networks: WeakValueDictionary[Key, Any] = WeakValueDictionary()
        self._sizes: dict[Key, int] = {}
        self._holders: dict[WeightHolder, None] = {}  # least recently used first
        self._holders_lock = threading.Lock()  # apart: engines paint, and are closed, while another loads its model

    @property
    def bytes(self) -> int:
        """Memory that the networks take."""
        with self.lock:
            self._sizes = {key: size for key, size in self._sizes.items() if key in self._networks}
            return sum(self._sizes.values())

    @contextmanager
    def loading(self) -> Iterator[None]:
        """While it is active, `shared_network` in this thread takes networks from this store, and puts them into it."""
        with self.lock:
            token = _loading_into.set(self)
            try:
                yield
            finally:
                _loading_into.reset(token)

    def holds(self, source: str) -> bool:
        """Whether a network from these weights is in memory."""
        return any(key[0] == source for key in self._networks)

    def network(self, key: Key, make: Callable[[], T], size: Callable[[T], int]) -> T:
        """The network of this key: the one in memory, else a new one, held as long as an engine uses it."""
        held: T | None = self._networks.get(key)
        if held is None:
            held = self._networks[key] = make()
            self._sizes[key] = size(held)
        return held

    def use(self, holder: WeightHolder) -> None:
        """Mark this engine as the one used last. Its weights are the last to be released."""
        with self._holders_lock:
            self._holders.pop(holder, None)
            self._holders[holder] = None

    def forget(self, holder: WeightHolder) -> None:
        """Remove an engine that was closed."""
        with self._holders_lock:
            self._holders.pop(holder, None)

    def make_room(self, needed: int, name: str, available: Callable[[], int | None]) -> None:
        """Release other engines' weights until new ones fit into budget and memory.

        Args:
            needed: Bytes that will be loaded.
            name: The model's.
            available: Bytes that the device has left; None where that is unknown.

        Raises:
            EngineError: The device has less memory than needed (code "memory-short").
        """
        with self._holders_lock:
            holders = list(self._holders)
        with self.lock:
            for holder in holders:
                left = available()
                if self.bytes + needed <= self.budget and (left is None or needed <= left):
                    return
                if holder.release_weights():
                    gc.collect()  # networks may be part of reference cycles
            left = available()
        if left is not None and needed > left:
            raise EngineError(
                f"{name} needs {_gigabytes(needed)} of memory for its weights, and {_gigabytes(left)} are available",
                code="memory-short",
                field="model",
                value=name,
                hint="close other programs, or use a smaller model",
            )


_loading_into: ContextVar[WeightStore | None] = ContextVar("_loading_into", default=None)


def shared_network(key: Callable[[], Key], make: Callable[[], T], size: Callable[[T], int]) -> T:
    """The network of this key from the store that is being loaded into; a new one where there is none.

    Args:
        key: Called for what tells networks apart, beginning with the digest of the weights.
        make: Loads the network.
        size: Bytes that it takes.
    """
    store = _loading_into.get()
    return make() if store is None else store.network(key(), make, size)


_call_locks: WeakKeyDictionary[Any, threading.Lock] = WeakKeyDictionary()
_call_locks_lock = threading.Lock()


def call_lock(network: Any) -> threading.Lock:
    """The lock of a network whose calls change its state (hooks, tiling), as engines may share it."""
    with _call_locks_lock:
        return _call_locks.setdefault(network, threading.Lock())


_processes = 1


def share_machine(processes: int) -> None:
    """Tell that so many processes like this one share the machine, so that each takes its part of the memory only."""
    global _processes
    _processes = max(1, processes)


def share_of(memory: int) -> int:
    """This process's part of the machine's memory."""
    return memory // _processes


def total_memory() -> int | None:
    """Bytes of memory that this process may use; None where that is unknown."""
    try:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None
    limit = _number(Path("/sys/fs/cgroup/memory.max"))
    return machine if limit is None else min(machine, limit)


def available_memory() -> int | None:
    """Bytes of memory that can still be had, swap included; None where that is unknown (macOS, Windows)."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        fields = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in lines)}
        machine = fields["MemAvailable"] + fields.get("SwapFree", 0)
    except (OSError, ValueError, LookupError):
        return None
    limit, used = (_number(Path("/sys/fs/cgroup", name)) for name in ("memory.max", "memory.current"))
    if limit is None or used is None:
        return machine
    return min(machine, limit - used + _file_cache())


def _file_cache() -> int:
    """Bytes of files in the container's memory, which the kernel gives up when programs need them."""
    try:
        lines = Path("/sys/fs/cgroup/memory.stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith(("active_file ", "inactive_file ")))


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # "max" is no limit
        return None


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"
