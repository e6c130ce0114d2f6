"""Digests of models: SHA-256, kept by path, size, time and inode so that gigabytes are read once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from overpaint.errors import MissingExtraError, ModelError

from .headers import read_table
from .places import ENDINGS, home

_CHUNK = 1 << 22
_KEPT = 2000
_LOCK = threading.Lock()


def digest(path: Path, on_bytes: Callable[[int], None] | None = None) -> str:
    """SHA-256 of a file in hex; of a folder, that of the sorted list of its files' names and digests.

    Args:
        path: What to digest.
        on_bytes: Called now and then with the number of bytes read.

    Raises:
        ModelError: It can't be read.
    """
    try:
        return _whole(path, lambda file: _of_file(file, on_bytes))
    except OSError as error:
        raise ModelError(f"can't read {path}: {error.strerror or error}") from error


def known_digest(path: Path) -> str | None:
    """The digest if it is known without reading the weights, else None."""
    kept = _kept()
    with contextlib.suppress(OSError, KeyError):
        return _whole(path, lambda file: kept[_key(file)])
    return None


def _whole(path: Path, of_file: Callable[[Path], str]) -> str:
    if not path.is_dir():
        return of_file(path)
    whole = hashlib.sha256()
    for file in files_of(path):
        whole.update(f"{file.relative_to(path).as_posix()}\0{of_file(file)}\n".encode())
    return whole.hexdigest()


def files_of(folder: Path) -> Iterator[Path]:
    """The files of a model's folder that count, in a fixed order: not hidden ones, not pages about it."""
    for file in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.is_file() and not hidden and file.suffix not in (".md", ".png", ".jpg"):
            yield file


def size_of(path: Path) -> int:
    """Bytes of a file, or of a folder's files together."""
    return sum(one.stat().st_size for one in files_of(path)) if path.is_dir() else path.stat().st_size


def check(path: Path, expected: str | None, on_bytes: Callable[[int], None] | None = None) -> tuple[str, ...]:
    """Faults of a model, which is read anew from the disk; () when it has none.

    Args:
        path: A file or folder.
        expected: The digest that it had when it came, or None.
        on_bytes: Called with the number of bytes read.
    """
    faults, files = [], list(files_of(path)) if path.is_dir() else [path]
    for file in files:
        if file.suffix in ENDINGS:
            try:
                read_table(file)
            except (ModelError, MissingExtraError) as error:
                faults.append(str(error))
    forget(path)
    found = digest(path, on_bytes)
    if expected is not None and found != expected:
        faults.append(f"its SHA-256 is {found[:12]}..., and was {expected[:12]}... when it came: it has changed")
    for file in files:
        blob = file.resolve().name  # the hub's cache calls a large file's blob by its digest
        if file.is_symlink() and len(blob) == 64 and digest(file) != blob:
            faults.append(f"{file.name} is not what the hub sent: download it again")
    return tuple(faults)


def forget(path: Path) -> None:
    """Drop the kept digests of a file or folder, so that it is read anew."""
    with _LOCK:
        start = str(path.resolve())
        kept = {key: value for key, value in _kept().items() if not key.split("|")[0].startswith(start)}
        _keep(kept)


def _of_file(path: Path, on_bytes: Callable[[int], None] | None) -> str:
    key = _key(path)
    if (known := _kept().get(key)) is not None:
        return known
    whole = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            whole.update(chunk)
            if on_bytes is not None:
                on_bytes(len(chunk))
    found = whole.hexdigest()
    if _key(path) == key:  # it did not change meanwhile
        with _LOCK:
            _keep(_kept() | {key: found})
    return found


def _key(path: Path) -> str:
    about = path.stat()
    return f"{path.resolve()}|{about.st_size}|{about.st_mtime_ns}|{about.st_ino}"


def _file() -> Path:
    return home() / "digests.json"


def _kept() -> dict[str, str]:
    try:
        value: Any = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(one) for key, one in value.items()} if isinstance(value, dict) else {}


def _keep(kept: dict[str, str]) -> None:
    """Write the list; where that can't be done, digests are computed again."""
    from overpaint.files import write_file

    newest = dict(list(kept.items())[-_KEPT:])
    with contextlib.suppress(Exception):
        os.makedirs(home(), exist_ok=True)  # noqa: PTH103 - a path of its own
        write_file(_file(), (json.dumps(newest, indent=0) + "\n").encode(), overwrite=True)
