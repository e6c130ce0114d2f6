"""Removing files of a folder of results: no symbolic link is followed, and nothing outside of the folder is touched."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from .store import Address, Place

_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_DESCRIPTORS = os.open in os.supports_dir_fd and os.unlink in os.supports_dir_fd and bool(_NOFOLLOW)


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file as it was read.

    Attributes:
        bytes: Its size.
        sha256: Digest of its content.
        marks: Device, inode, size and time of its last change; () of an object of a store.
    """

    bytes: int
    sha256: str
    marks: tuple[int, ...] = ()


def read_result(out: Place, name: str) -> FoundFile:
    """Read a file by its name in the folder of results.

    Raises:
        FileNotFoundError: There is none.
        OSError: It can't be read, is no regular file, or a symbolic link leads to it.
    """
    if isinstance(out, Address):
        data = (out / name).read_bytes()
        return FoundFile(len(data), hashlib.sha256(data).hexdigest())
    with _parent(out, name) as (folder, last):
        flags = os.O_RDONLY | _NOFOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(last, flags, dir_fd=folder)
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "it is no regular file")
            return FoundFile(status.st_size, hashlib.file_digest(file, "sha256").hexdigest(), _marks(status))


def remove_result(out: Place, name: str, found: FoundFile) -> None:
    """Remove a file that was read, unless it has changed since. It is no error where it is gone.

    Raises:
        OSError: It was changed or can't be removed.
    """
    if isinstance(out, Address):
        (out / name).unlink(missing_ok=True)
        return
    with contextlib.suppress(FileNotFoundError), _parent(out, name) as (folder, last):
        if _marks(os.stat(last, dir_fd=folder, follow_symlinks=False)) != found.marks:
            raise OSError(errno.EBUSY, "it was changed meanwhile")
        os.unlink(last, dir_fd=folder)


def remove_empty_folders(out: Path, names: Iterator[str]) -> None:
    """Remove the folders of these names, and those above, that are empty now; never `out` itself."""
    folders = {parent for name in names for parent in PurePosixPath(name).parents if parent.name}
    for folder in sorted(folders, key=lambda one: len(one.parts), reverse=True):
        with contextlib.suppress(OSError), _parent(out, str(folder)) as (above, last):
            os.rmdir(last, dir_fd=above)


def names_in(out: Path, folder: PurePosixPath) -> list[str]:
    """Names of files in a folder of the results; none where it is missing or behind a link."""
    try:
        with _parent(out, str(folder / "x")) as (descriptor, last):
            return os.listdir(Path(last).parent if descriptor is None else descriptor)  # noqa: PTH208 - a descriptor
    except OSError:
        return []


def _marks(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


@contextlib.contextmanager
def _parent(out: Path, name: str) -> Iterator[tuple[int | None, str]]:
    """The open folder of a name and the name in it; where a system has no such descriptors, None and the whole path.
    Raises OSError where a folder is a link.
    """
    *folders, last = PurePosixPath(name).parts
    if not _DESCRIPTORS:
        path = out.joinpath(*folders)
        if Path(os.path.realpath(path)) != Path(os.path.realpath(out)).joinpath(*folders) or (path / last).is_symlink():
            raise OSError(errno.ELOOP, "a symbolic link leads to it")
        yield None, str(path / last)
        return
    with contextlib.ExitStack() as stack:
        descriptor = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, descriptor)
        for folder in folders:
            try:
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | _NOFOLLOW, dir_fd=descriptor)
            except NotADirectoryError:  # so Linux calls a link here
                raise OSError(errno.ELOOP, f"its folder {folder} is a symbolic link, or no folder") from None
            stack.callback(os.close, descriptor)
        yield descriptor, last
