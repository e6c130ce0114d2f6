"""Who may use the files of a session: one process at a time, where they are, until it is closed."""

from __future__ import annotations

import os
import time
from pathlib import Path

from overpaint.errors import SessionError
from overpaint.locks import try_lock

_PATIENCE = 1.0  # seconds that another process is waited for


def take_lock(descriptor: int, path: Path) -> None:
    """Lock a session's open file. Raises SessionError where another has it for longer than a second."""
    over = time.monotonic() + _PATIENCE
    while not try_lock(descriptor):
        if time.monotonic() > over:
            raise in_use(path)
        time.sleep(0.02)


def check_open(path: Path, *, is_closed: bool, read_only: bool) -> None:
    """Raise SessionError where nothing may be added."""
    if is_closed:
        raise closed(path)
    if read_only:
        message = f"{path} was opened to be read only"
        raise SessionError(message, code="session-read-only", value=str(path), hint="open it without read_only")


def check_place(path: Path, descriptor: int, file: Path) -> None:
    """Raise SessionError where the session at `path` is another one than is open, or none is there.

    Args:
        path: The session's file or folder.
        descriptor: The file of it that is open, and locked.
        file: Where that file was opened.
    """
    if not lies_at(file, descriptor):
        raise SessionError(
            f"{path} is not the session that was opened there: that one was moved, replaced or deleted while it was "
            "open, and nothing more is written",
            code="session-missing",
            value=str(path),
            hint="open it again where it is now",
        )


def lies_at(file: Path, descriptor: int) -> bool:
    """Whether a path leads to the file that is open."""
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except (OSError, ValueError):
        return False


def in_use(path: Path) -> SessionError:
    """The error of a session that is open elsewhere."""
    return SessionError(
        f"{path} is in use: the session is open already, here or in another process",
        code="session-in-use",
        value=str(path),
        hint="wait until it is done, or work on a copy",
    )


def closed(path: Path) -> SessionError:
    """The error of a session that was closed."""
    return SessionError(f"the session {path} is closed", code="session-closed", value=str(path))


def damaged(name: str, reason: str) -> SessionError:
    """The error of a session in which a file is at fault."""
    return SessionError(f"the session is damaged{f', in {name}' if name else ''}: {reason}", code="session-damaged")
