"""Canvases that clients sent to be painted, and painted ones, until they are fetched: files by their SHA-256."""

from __future__ import annotations

import contextlib
import hashlib
import re
import threading
import time
from pathlib import Path
from typing import BinaryIO

from overpaint.files import write_file

from .errors import NotFoundError, StorageFullError
from .settings import ServerSettings

_ID = re.compile("[0-9a-f]{64}")

KEPT = 86400.0
"""Seconds that a canvas is kept which its client does not delete."""

_SWEEP = 3600.0  # seconds between two looks for such


class CanvasStore:
    """The canvases of all owners. Thread-safe."""

    def __init__(self, folder: Path, settings: ServerSettings) -> None:
        """`folder` is made where it is missing, for its owner alone. Old canvases in it are removed."""
        self._folder = folder
        self._settings = settings
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._swept = 0.0
        self._sweep()

    def keep(self, owner: str, data: bytes, *, result: bool = False) -> str:
        """Keep a canvas, and return its id: the SHA-256 of its bytes.

        Args:
            owner: Whose it is.
            data: Its bytes.
            result: Whether the server made it, which no limit refuses.

        Raises:
            StorageFullError: The owner's canvases are as large as they may be in all.
        """
        self._sweep()
        id = hashlib.sha256(data).hexdigest()
        path = self._path(owner, id)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        with self._lock:
            if not path.exists():
                most = self._settings.client_bytes
                if not result and (stored := _size(path.parent)) + len(data) > most:
                    raise StorageFullError(
                        f"the canvas has {len(data):,} bytes, and your canvases have {stored:,} of {most:,}",
                        field="canvas",
                        value=len(data),
                        hint="delete those that are not needed any more",
                    )
                write_file(path, data, overwrite=True, permissions=0o600)
            path.touch()
        return id

    def size(self, owner: str, id: str) -> int:
        """Bytes of a canvas. NotFoundError where its owner has no such."""
        try:
            return self._path(owner, id).stat().st_size
        except OSError:
            raise _missing(id) from None

    def data(self, owner: str, id: str) -> bytes:
        """A canvas. NotFoundError where its owner has no such."""
        try:
            return self._path(owner, id).read_bytes()
        except OSError:
            raise _missing(id) from None

    def opened(self, owner: str, id: str) -> BinaryIO:
        """A canvas, open for reading. NotFoundError where its owner has no such."""
        try:
            return self._path(owner, id).open("rb")
        except OSError:
            raise _missing(id) from None

    def delete(self, owner: str, id: str) -> None:
        """Remove a canvas. NotFoundError where its owner has no such."""
        try:
            self._path(owner, id).unlink()
        except OSError:
            raise _missing(id) from None

    def _path(self, owner: str, id: str) -> Path:
        if not _ID.fullmatch(id):
            raise _missing(id)
        return self._folder / hashlib.sha256(owner.encode()).hexdigest()[:32] / id

    def _sweep(self) -> None:
        """Remove what its client has left behind."""
        now = time.time()
        with self._lock:
            if now - self._swept < _SWEEP:
                return
            self._swept = now
        for path in self._folder.glob("*/*"):
            with contextlib.suppress(OSError):
                if now - path.stat().st_mtime > KEPT:
                    path.unlink()


def _size(folder: Path) -> int:
    found = 0
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            found += path.stat().st_size
    return found


def _missing(id: str) -> NotFoundError:
    return NotFoundError("there is no such canvas", field="canvas", value=id)
