"""The parent's side: warm child processes, and calls of functions in them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from overpaint.errors import EngineError, InputError

from .message import receive, send

T = TypeVar("T")
Grant = Callable[[int], None]
_WorkName: TypeAlias = tuple[str, str]

_CODE = "from overpaint.bounded.child import serve; serve(*{!r})"

_START = 120.0  # seconds until a process begins with a call
_END = 5.0  # seconds from the end of a process's connection to its own
_LOOK = 0.1  # seconds between two looks whether a call is cancelled
_PATIENCE = 1.0  # seconds; starting a process takes about half of one

ask: Grant | None = None
"""In a child: asks the parent for memory."""

say: Callable[[str, str], None] | None = None
"""In a child: tells the parent what it works on."""


def needs_memory(wanted: int) -> None:
    """Say how many bytes the work at hand will take. In a bounded process it goes on when the parent grants them."""
    if ask is not None:
        ask(wanted)


def working_on(name: str, field: str = "") -> None:
    """Say what the work is on from here, so that an error that ends it names the file and the request's field."""
    if say is not None:
        say(name, field)


class BoundedPool:
    """Child processes that call functions, each call within its limits. Thread-safe.

    A process is started when those that are there stay busy for a second, not counting the time in which one starts.
    It stays for the next call, and is replaced after one that it did not survive. Where there are no such processes
    (Windows), functions are called here, without limits.
    """

    def __init__(self, *modules: str) -> None:
        """`modules` are imported by every process before its first call, so that no call pays for it."""
        self._modules = modules
        self._lock = threading.Condition()
        self._idle: list[_BoundedProcess] = []
        self._busy = 0
        self._starting: set[_BoundedProcess] = set()
        self._owner = os.getpid()

    def call(
        self,
        function: Callable[..., T],
        *arguments: Any,
        seconds: float | None = None,
        memory: int | None = None,
        grant: Grant = lambda _: None,
        check: Callable[[], None] = lambda: None,
    ) -> T:
        """The result of a function that a module has by name, called in a child process.

        Args:
            function: The function.
            *arguments: What it takes. They and the result are pickled; arrays go through shared memory. Relative paths
                mean what they mean here.
            seconds: How long it may take; the start of a process and waits within `grant` don't count. None: as long as
                it wants.
            memory: How many bytes it may take.
            grant: Called with the bytes that `needs_memory` is told; the function goes on when this returns. An
                InputError from it is raised there.
            check: Called several times a second; what it raises ends the call, and its process.

        Raises:
            InputError: It took longer ("time-limit"), or its process crashed ("reading-crashed"); within the name that
                `working_on` was last told, or, for the time, of what took the longest.
            EngineError: It took more memory than it may, or than there is ("memory-short"); likewise.
            Exception: What the function, `grant` or `check` raises.
        """
        if os.name != "posix":
            return function(*arguments)
        process = self._take(check)

        def begun() -> None:
            self._starting.discard(process)

        try:
            return process.call((function, arguments, memory, _folder()), seconds, grant, check, begun)  # type: ignore[no-any-return]
        except _Unfinished as error:
            raise _failure(error, process.kill(ended=error.why == "ended"), seconds, memory) from None
        finally:
            self._put(process)

    def warm(self) -> None:
        """Start a process where there is none, so that the first call does not wait for it. Returns at once."""
        with self._lock:
            if os.name == "posix" and not (self._busy or self._idle):
                self._idle.append(_BoundedProcess(self._modules))

    def close(self) -> None:
        """End the processes that are idle. The pool can be used again."""
        with self._lock:
            ended, self._idle = self._idle, []
        for process in ended:
            process.kill()

    def _take(self, check: Callable[[], None]) -> _BoundedProcess:
        with self._lock:
            if self._owner != os.getpid():  # a fork shares its parent's processes
                self._idle, self._busy, self._starting, self._owner = [], 0, set(), os.getpid()
            until = time.monotonic() + _PATIENCE
            while self._busy and not self._idle and time.monotonic() < until:
                check()
                self._lock.wait(_LOOK)
                if self._starting:  # it is nearer to its end than another that would start now
                    until = time.monotonic() + _PATIENCE
            process = self._idle.pop() if self._idle else _BoundedProcess(self._modules)
            if process.new:
                self._starting.add(process)
            self._busy += 1
        return process

    def _put(self, process: _BoundedProcess) -> None:
        with self._lock:
            self._busy -= 1
            self._starting.discard(process)
            if process.at_rest:
                self._idle.append(process)
            self._lock.notify()
        if not process.at_rest:
            process.kill()


def _folder() -> str | None:
    """The current folder; None where it was removed."""
    try:
        return str(Path.cwd())
    except OSError:
        return None


def _failure(error: _Unfinished, status: int, seconds: float | None, memory: int | None) -> InputError | EngineError:
    """Why a call has no result, by the exit status of its process."""
    found: InputError | EngineError
    name, field = error.work
    if error.why == "time":
        message = f"it took longer than {seconds:g} seconds to read"
        found = InputError(message, code="time-limit", field=field, value=seconds)
    elif error.why == "memory" or (error.why == "ended" and status == -signal.SIGKILL):  # the kernel's choice
        most = "" if memory is None else f", of which it may take {memory / 1e9:.3g} GB"
        message = f"there was not enough memory to read it{most}"
        found = EngineError(message, code="memory-short", field=field, value=memory)
    else:
        how = signal.Signals(-status).name if status < 0 else f"status {status}"
        message = f"reading it crashed the process that did so ({how})"
        found = InputError(message, code="reading-crashed", field=field)
    return found.within(name) if name else found


def _refusal(grant: Grant, wanted: int) -> InputError | None:
    try:
        grant(wanted)
    except InputError as error:
        return error
    return None


class _Unfinished(Exception):  # noqa: N818 - always caught here
    """A call has no result: for want of "time" or "memory", or because its process "ended". `work` is what it was on:
    a name and a field.
    """

    def __init__(self, why: str, work: _WorkName) -> None:
        super().__init__(why)
        self.why, self.work = why, work


def start(connection: int, lifeline: int, *modules: str) -> subprocess.Popen[bytes]:
    """Start a child process, which gets the two descriptors and runs `child.serve` with these arguments."""
    return subprocess.Popen(
        [sys.executable, "-P", "-c", _CODE.format((connection, lifeline, *modules))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # the caller's output may be for a program
        pass_fds=(connection, lifeline),
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


class _BoundedProcess:
    """One child process.

    Attributes:
        at_rest: Whether it waits for a call.
        new: Whether it has not begun with any call: it may be starting still.
    """

    def __init__(self, modules: tuple[str, ...]) -> None:
        own, other = socket.socketpair()
        reading, self._lifeline = os.pipe()
        from .child import PARENTS_SIGNALS

        # The process inherits what is blocked here, so that no signal ends it before it ignores these.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, PARENTS_SIGNALS)
        try:
            self._process = start(other.fileno(), reading, *modules)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            other.close()
            os.close(reading)
        self._socket = own
        self.at_rest = self.new = True

    def call(
        self,
        order: tuple[Any, ...],
        seconds: float | None,
        grant: Grant,
        check: Callable[[], None],
        begun: Callable[[], None],
    ) -> Any:
        """The result of a call; `begun` is called when it begins. Raises _Unfinished, or what the function, `grant` or
        `check` raises.
        """
        self.at_rest = False
        left, work = _START, ("", "")
        spent: dict[_WorkName, float] = {}
        try:
            send(self._socket, order)
            while True:
                began = time.monotonic()
                in_time = self._wait(began + left, check)
                took = time.monotonic() - began
                left, spent[work] = left - took, spent.get(work, 0.0) + took
                if not in_time:
                    raise _Unfinished("time", max(spent, key=lambda one: spent[one]))
                kind, value = receive(self._socket)
                if kind == "begun":
                    self.new = False
                    begun()
                    left = float("inf") if seconds is None else seconds
                    spent.clear()
                elif kind == "need":
                    send(self._socket, _refusal(grant, value))
                elif kind == "on":
                    work = value
                else:
                    break
        except OSError:
            raise _Unfinished("ended", work) from None
        if kind == "memory":
            raise _Unfinished("memory", work)
        self.at_rest = True
        if kind == "error":
            raise value
        return value

    def _wait(self, until: float, check: Callable[[], None]) -> bool:
        """Wait until the child says something. Returns false where it has not until then."""
        self._socket.settimeout(_LOOK)
        while True:
            with contextlib.suppress(TimeoutError):
                self._socket.recv(1, socket.MSG_PEEK)
                break
            check()
            if time.monotonic() > until:
                return False
        self._socket.settimeout(None)
        return True

    def kill(self, *, ended: bool = False) -> int:
        """End it, and return its exit status, negative for a signal; where it has `ended` already, that of its own."""
        self.at_rest = False
        if ended:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END)
        self._process.kill()
        try:
            status = self._process.wait(_END)
        except subprocess.TimeoutExpired:  # a read from a mount that hangs may not be cut short even so
            status = -signal.SIGKILL
        self._socket.close()
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        return status
