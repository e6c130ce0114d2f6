"""Processes that are forked from one which has imported everything: a start costs milliseconds, not seconds.

They are real processes, with a session, signals, files, environment and folder of their own, that can be killed and end
as any Python does. Where a claim is about the start itself, or about what is imported, `subprocess` starts one anew.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any

from fork_server import IMPORTED, LENGTH, STATUS
from overpaint.bounded import pool

_lock = threading.Lock()
_ends: list[Callable[[], object]] = []


@atexit.register  # here, as what is registered first is called last: after the ends of all that was forked
def _end() -> None:
    for end in _ends:
        end()


@cache
def _connected() -> socket.socket:
    """The connection to the process that forks; it is started once, and ends with this one."""
    own, other = socket.socketpair()
    script = str(Path(__file__).with_name("fork_server.py"))
    process = subprocess.Popen(
        [sys.executable, script, str(other.fileno())],
        pass_fds=[other.fileno()],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    other.close()
    _ends.append(lambda: (own.close(), process.wait(60)))
    assert own.recv(1) == b"\0", "the process that forks has not started"
    return own


def _forked(
    words: Sequence[str], folder: str, environment: Mapping[str, str], files: Sequence[int], passed: Sequence[int]
) -> int:
    """The process id of a child that runs `python WORDS`. `files`: input, output, errors, status, those `passed`."""
    order = json.dumps(
        {"words": [*words], "folder": folder, "environment": {**environment}, "passed": [*passed]}
    ).encode()
    with _lock:
        server = _connected()
        data = LENGTH.pack(len(order)) + order
        sent = socket.send_fds(server, [data], list(files))
        server.sendall(data[sent:])
        return int(LENGTH.unpack(server.recv(LENGTH.size, socket.MSG_WAITALL))[0])


class Forked:
    """A process as `subprocess.Popen` has it.

    Attributes:
        pid: Its process id.
        returncode: Its exit status, negative for a signal; None as far as is known.
        stdin, stdout, stderr: The ends of its pipes.
    """

    def __init__(
        self,
        args: Sequence[object],
        *,
        cwd: str | Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: int | None = None,
        stdout: int | None = None,
        stderr: int | None = None,
        text: bool = False,
        start_new_session: bool = True,
        pass_fds: Sequence[int] = (),
    ) -> None:
        """Start it. `args` begin with sys.executable; its session is a new one in any case."""
        self.args = [str(one) for one in args]
        assert self.args[0] == sys.executable
        self.returncode: int | None = None
        ends: list[IO[Any] | None] = []
        given: list[int] = []
        own: list[int] = []  # to be closed here once the child has them
        for number, wanted in enumerate((stdin, stdout, stderr)):
            end = None
            if wanted is None:
                given.append(number)
            elif wanted == subprocess.PIPE:
                reading, writing = os.pipe()
                kept, passed = (writing, reading) if number == 0 else (reading, writing)
                mode = ("w" if number == 0 else "r") + ("" if text else "b")
                end = open(kept, mode, 1 if text else -1, encoding="utf-8" if text else None)  # noqa: SIM115, PTH123
                own.append(passed)
                given.append(passed)
            elif wanted == subprocess.DEVNULL:
                own.append(os.open(os.devnull, os.O_RDWR))
                given.append(own[-1])
            elif wanted == subprocess.STDOUT:
                given.append(given[1])
            else:
                given.append(wanted)
            ends.append(end)
        self.stdin, self.stdout, self.stderr = ends
        self._readers: dict[IO[Any], threading.Thread] = {}
        self._said: dict[IO[Any], Any] = {}
        self._status, reporting = os.pipe()
        own.append(reporting)
        environment = os.environ if env is None else env
        self.pid = _forked(self.args[1:], str(cwd or Path.cwd()), environment, [*given, reporting, *pass_fds], pass_fds)
        for one in own:
            os.close(one)

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, *_: object) -> None:
        for end in (self.stdout, self.stderr, self.stdin):
            if end is not None:
                end.close()
        self.wait()

    def poll(self) -> int | None:
        """The exit status; None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, when it has ended. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self.returncode = int(STATUS.unpack(os.read(self._status, STATUS.size))[0])
            os.close(self._status)
        return self.returncode

    def communicate(self, input: Any = None, timeout: float | None = None) -> tuple[Any, Any]:
        """What it has written to its output and errors until its end. Raises subprocess.TimeoutExpired."""
        until = None if timeout is None else time.monotonic() + timeout
        for end in self._outputs:
            if end not in self._readers:
                self._readers[end] = threading.Thread(target=self._read, args=(end,), daemon=True)
                self._readers[end].start()
        if self.stdin is not None and not self.stdin.closed:
            with contextlib.suppress(BrokenPipeError):
                if input is not None:
                    self.stdin.write(input)
                self.stdin.close()
        for reader in self._readers.values():
            reader.join(None if until is None else max(0.0, until - time.monotonic()))
            if reader.is_alive():
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
        self.wait(None if until is None else max(0.0, until - time.monotonic()))
        for end in self._outputs:
            end.close()
        return tuple(None if end is None else self._said.get(end) for end in (self.stdout, self.stderr))  # type: ignore

    def _read(self, end: IO[Any]) -> None:
        self._said[end] = end.read()

    @property
    def _outputs(self) -> list[IO[Any]]:
        return [end for end in (self.stdout, self.stderr) if end is not None and not end.closed]

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it has not ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)


def run_forked(
    args: Sequence[object],
    *,
    capture_output: bool = False,
    input: Any = None,
    timeout: float | None = None,
    check: bool = False,
    **how: Any,
) -> subprocess.CompletedProcess[Any]:
    """Run a process to its end, as `subprocess.run` does."""
    if capture_output:
        how |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if input is not None:
        how["stdin"] = subprocess.PIPE
    process = Forked(args, **how)
    try:
        out, err = process.communicate(input, timeout)
    except BaseException:
        process.kill()
        raise
    done = subprocess.CompletedProcess(process.args, process.wait(), out, err)
    if check:
        done.check_returncode()
    return done


start_reader = pool.start
"""Starts a process that reads files anew, where a test changes what such a process begins with."""


def install() -> None:
    """From here on the processes that read files for this one (`overpaint.doors.reading`) are forked."""
    pool.start = _forked_reader  # type: ignore[assignment]


def _forked_reader(connection: int, lifeline: int, *modules: str) -> Any:
    """As `pool.start`; a process of modules that are not imported where it would be forked is started anew."""
    if not modules or not {*modules} <= {*IMPORTED}:
        return start_reader(connection, lifeline, *modules)
    code = f"from overpaint.bounded.child import serve; serve(*{(connection, lifeline, *modules)!r})"
    return Forked(
        [sys.executable, "-P", "-c", code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=(connection, lifeline),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
