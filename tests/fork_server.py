"""A process that has imported what the command line needs, and forks a child for each order: see `forks`.

`python tests/fork_server.py DESCRIPTOR`. It has one thread, paints nothing and opens nothing, so that a child differs
from a process that was started anew only by the imports it need not do.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

IMPORTED = (
    "overpaint.cli.audit",
    "overpaint.cli.batch",
    "overpaint.cli.batch_review",
    "overpaint.cli.edit",
    "overpaint.cli.run",
    "overpaint.cli.session",
    "overpaint.cli.session_evidence",
    "overpaint.cli.verbs",
    "overpaint.batch.report",
    "overpaint.batch.thumbnails",
    "overpaint.doors.reading",
    "overpaint.engines.classical",
    "overpaint.layers",
    "overpaint.picture",
    "overpaint.server",
    "overpaint.studio.masks",
    "simplejpeg",
    "cyclopts.help",
    "rich.console",
)
LENGTH = struct.Struct("<I")
STATUS = struct.Struct("<i")
DESCRIPTORS = 8  # of the child's input, output and errors; where its status goes; what else it inherits

_LOCAL = f"{sys.stdin.encoding}:{sys.stdin.errors}"
_BASE = list(sys.path[1:])  # without what the environment adds, which may be another for a child


def main(descriptor: int) -> Callable[[], object] | None:
    """Serve orders until the other end is gone; in a child, what it is to do."""
    parent = socket.socket(fileno=descriptor)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])  # whatever was blocked where this process was started
    for name in IMPORTED:
        importlib.import_module(name)
    _parse_ahead("batch", "edits.jsonl", "-o", "out")
    if len(list(Path("/proc/self/task").iterdir())) != 1:
        raise RuntimeError("a process of several threads must not fork: an import has started one")
    gc.collect()
    gc.freeze()
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # one from a keyboard is for the tests
    parent.sendall(b"\0")
    reports: dict[int, int] = {}  # of each child, where its status goes
    while True:
        ready, _, _ = select.select([parent, woken], [], [])
        if woken in ready:
            os.read(woken, 1 << 16)
            _report(reports)
        if parent in ready:
            order, files = received(parent)
            if order is None:
                return None
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                parent.close()
                for one in (woken, waker, files[3], *reports.values()):
                    os.close(one)
                return _become(order, [*files[:3], *files[4:]])
            for one in (*files[:3], *files[4:]):
                os.close(one)
            reports[pid] = files[3]
            parent.sendall(LENGTH.pack(pid))


def _parse_ahead(verb: str, *words: str) -> None:
    """Find what follows from the verb that most children run, so that none of them does (`quick_parsing`)."""
    import quick_parsing
    from overpaint.cli.run import application

    quick_parsing.install()
    application(verb).parse_args([verb, *words])


def received(end: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    """An order and its files; None at the end."""
    data, files, _, _ = socket.recv_fds(end, 1 << 16, DESCRIPTORS)
    if not data:
        return None, []
    while len(data) < LENGTH.size or len(data) < LENGTH.size + LENGTH.unpack_from(data)[0]:
        data += end.recv(1 << 16)
    return json.loads(data[LENGTH.size :]), files


def _report(reports: dict[int, int]) -> None:
    """Write the statuses of the children that have ended."""
    while reports:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        report = reports.pop(pid)
        os.write(report, STATUS.pack(os.waitstatus_to_exitcode(status)))
        os.close(report)


def _become(order: dict[str, Any], files: list[int]) -> Callable[[], object]:
    """Be as a process that was started by `python WORDS`; what it runs."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    numbers = [0, 1, 2, *order["passed"]]
    above = [fcntl.fcntl(one, fcntl.F_DUPFD, max(numbers) + 1) for one in files]  # the number of one may be another's
    for one in files:
        os.close(one)
    for number, file in zip(numbers, above, strict=True):
        os.dup2(file, number)
        os.close(file)
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    _open_streams()
    safe_path = order["words"][0] == "-P"
    first, *rest = order["words"][safe_path:]
    added = [one for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one]
    sys.path[:] = [*dict.fromkeys([*added, *_BASE])]
    match first:
        case "-c":
            code, *sys.argv[1:] = rest
            sys.argv[0] = "-c"
            if not safe_path:
                sys.path.insert(0, "")
            return lambda: exec(compile(code, "<string>", "exec"), _fresh_main())
        case "-m":
            name, *sys.argv[1:] = rest
            sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as Python does
            return lambda: runpy.run_module(name, run_name="__main__", alter_sys=True)
        case _:
            sys.argv[:] = order["words"]
            sys.path.insert(0, os.path.dirname(first))  # noqa: PTH120 - as Python does
            return lambda: runpy.run_path(first, run_name="__main__")


def _open_streams() -> None:
    """The standard streams, as Python opens them."""
    encoding, _, errors = os.environ.get("PYTHONIOENCODING", _LOCAL).partition(":")
    at_once = bool(os.environ.get("PYTHONUNBUFFERED"))
    made: list[Any] = []
    for number, (name, mode) in enumerate((("<stdin>", "r"), ("<stdout>", "w"), ("<stderr>", "w"))):
        how = "backslashreplace" if number == 2 else errors or "strict"
        made.append(open(number, mode, encoding=encoding, errors=how, closefd=False))  # noqa: SIM115
        made[-1].buffer.raw.name = name
    made[1].reconfigure(line_buffering=made[1].isatty() and not at_once, write_through=at_once)
    made[2].reconfigure(line_buffering=not at_once, write_through=at_once)
    sys.stdin, sys.stdout, sys.stderr = sys.__stdin__, sys.__stdout__, sys.__stderr__ = made


def _fresh_main() -> dict[str, Any]:
    """The names of a main module in which nothing has run."""
    module = type(sys)("__main__")
    sys.modules["__main__"] = module
    return module.__dict__


if __name__ == "__main__":
    run = main(int(sys.argv[1]))
    if run is not None:
        run()
