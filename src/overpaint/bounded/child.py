"""The child's side: calls that the parent sends, one after the other, each within its limits."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import os
import resource
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .message import ConnectionEndedError, receive, send
from .printed import prints_caught

PARENTS_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C goes to the whole group, and what stops a service to all of its processes; the parent decides."""

_LEAST = 128 << 20  # bytes; less is no room even for the libraries that a call loads


def serve(connection: int, lifeline: int, *modules: str) -> None:
    """Answer calls until the parent is gone.

    Args:
        connection: The descriptor of a socket to the parent.
        lifeline: That of a pipe whose other end only the parent has.
        *modules: What is imported first, so that no call pays for it.
    """
    for number in PARENTS_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PARENTS_SIGNALS)  # one that has come meanwhile is dropped
    _die_with(lifeline)
    parent = socket.socket(fileno=connection)
    for name in modules:
        importlib.import_module(name)
    from . import pool

    pool.ask = lambda wanted: _asked(parent, wanted)
    pool.say = lambda name, field: send(parent, ("on", (name, field)))
    while True:
        try:
            function, arguments, memory, folder = receive(parent)
        except ConnectionEndedError:
            return
        send(parent, ("begun", None))
        if folder is not None:  # the parent may have gone to another since this process began
            with contextlib.suppress(OSError):
                os.chdir(folder)
        _limit(memory)
        answer = _answer(function, arguments)
        _limit(None)
        _send(parent, answer)
        del function, arguments, answer  # while it waits for the next call it holds no pixels


def _answer(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[str, Any]:
    try:
        with prints_caught(shared=False):
            return "result", function(*arguments)
    except MemoryError:
        return "memory", None
    except Exception as error:
        return "error", error


def _send(parent: socket.socket, answer: tuple[str, Any]) -> None:
    try:
        send(parent, answer)
    except OSError:
        raise
    except Exception as error:  # a result that can't be pickled becomes an error that says so
        send(parent, ("error", RuntimeError(f"{type(error).__name__}: {error}: {answer[1]!r:.300}")))


def _asked(parent: socket.socket, wanted: int) -> None:
    """Wait until the parent grants so many bytes. Raises the InputError by which it refuses them."""
    send(parent, ("need", wanted))
    refusal = receive(parent)
    if refusal is not None:
        raise refusal


def _die_with(lifeline: int) -> None:
    """Have the kernel end this process when the parent is gone, whatever code is running here: the signal that a pipe's
    end sends is not handled by Python, which would wait for a decoder to return.
    """
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC | os.O_NONBLOCK)
    if os.getppid() == 1 or _ended(lifeline):  # before the signal was asked for
        os._exit(0)


def _ended(lifeline: int) -> bool:
    try:
        return os.read(lifeline, 1) == b""
    except BlockingIOError:
        return False


def _limit(memory: int | None) -> None:
    """Let this process take so many bytes more than it has now; None for no limit."""
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    soft = resource.RLIM_INFINITY if memory is None else _data() + max(memory, _LEAST)
    if most != resource.RLIM_INFINITY and (soft == resource.RLIM_INFINITY or soft > most):
        soft = most
    resource.setrlimit(resource.RLIMIT_DATA, (soft, most))


def _data() -> int:
    """Bytes of this process that the limit counts; 0 where that is unknown."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmData:"))
    except (OSError, StopIteration):
        return 0
