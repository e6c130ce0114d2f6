"""Values between two processes: pickled, with their arrays in shared memory that the receiver maps without a copy."""

from __future__ import annotations

import copyreg
import mmap
import os
import pickle
import socket
import struct
import tempfile
from types import MappingProxyType
from typing import Any

_HEAD = struct.Struct("=QQ")  # bytes of the pickle; bytes of the list of arrays, 0 where all came through the socket
_SMALL = 1 << 16  # bytes; a larger value goes through shared memory
_ALIGNED = 64


def _frozen(table: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(table)


copyreg.pickle(MappingProxyType, lambda table: (_frozen, (dict(table),)))


class ConnectionEndedError(OSError):
    """The other process has closed its end, or has died."""


def send(to: socket.socket, value: Any) -> None:
    """Send a value. Raises OSError, and whatever pickling it raises."""
    buffers: list[pickle.PickleBuffer] = []
    data = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    views = [buffer.raw() for buffer in buffers]
    if not views and len(data) <= _SMALL:
        to.sendall(_HEAD.pack(len(data), 0) + data)
        return
    layout = pickle.dumps([(view.nbytes, view.readonly) for view in views])
    shared = _shared_memory()
    try:
        for part in (memoryview(data), *views):
            _write(shared, part)
            _write(shared, memoryview(bytes(-part.nbytes % _ALIGNED)))
        to.sendall(_HEAD.pack(len(data), len(layout)) + layout)
        socket.send_fds(to, [b"m"], [shared])
    finally:
        os.close(shared)


def receive(source: socket.socket) -> Any:
    """The next value. Its arrays may be written to where those that were sent could be.

    Raises:
        TimeoutError: None came within the socket's time limit.
        ConnectionEndedError, OSError: None will come.
    """
    size, count = _HEAD.unpack(_exactly(source, _HEAD.size))
    if not count:
        return pickle.loads(_exactly(source, size))
    layout: list[tuple[int, bool]] = pickle.loads(_exactly(source, count))
    _, (shared, *_), _, _ = socket.recv_fds(source, 1, 1)
    try:
        memory = memoryview(mmap.mmap(shared, 0))
    finally:
        os.close(shared)
    buffers, at = [], size + -size % _ALIGNED
    for length, read_only in layout:
        view = memory[at : at + length]
        buffers.append(view.toreadonly() if read_only else view)
        at += length + -length % _ALIGNED
    return pickle.loads(memory[:size], buffers=buffers)


def _exactly(source: socket.socket, size: int) -> bytes:
    parts = []
    while size:
        part = source.recv(min(size, 1 << 20))
        if not part:
            raise ConnectionEndedError("the connection has ended")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _shared_memory() -> int:
    """The descriptor of a file without a name, in memory where the system can do that."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("overpaint")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _write(descriptor: int, data: memoryview) -> None:
    data = data.cast("B") if data.nbytes else data
    while data:
        data = data[os.write(descriptor, data) :]
