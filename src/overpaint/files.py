"""Files written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from overpaint.bounded import call_in_time
from overpaint.errors import OutputError

READING = 60.0
"""Seconds that reading a file may take; a regular one may never end, on a mount that hangs or in /proc."""

_CHUNK = 1 << 20  # bytes

_FULL = (errno.ENOSPC, errno.EDQUOT)


def is_regular(path: Path) -> bool:
    """Whether a path leads to a file with an end, and not to a device or a pipe: but one that a shell made for this
    command is taken for a file. Raises OSError where there is nothing.
    """
    mode = path.stat().st_mode
    return stat.S_ISREG(mode) or (stat.S_ISFIFO(mode) and str(path).startswith(("/dev/fd/", "/proc/self/fd/")))


def is_file(path: Path) -> bool:
    """Whether a path leads to a regular file. False where no file can have the name, or it can't be looked up."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


@contextlib.contextmanager
def only_for_owner(on: bool = True) -> Iterator[None]:
    """Within the context, new files and folders are readable and writable by their owner alone.

    This holds for all code of the process (a database's too) and for its child processes, as it sets the process's
    umask. With `on` false nothing changes.
    """
    if not on:
        yield
        return
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def close_to_others(paths: Iterable[Path]) -> None:
    """Take all permissions of others from files and folders that exist."""
    for path in paths:
        with contextlib.suppress(OSError):
            mode = stat.S_IMODE(path.lstat().st_mode)
            if mode & 0o077 and not path.is_symlink():
                path.chmod(mode & 0o700)


def write_file(path: str | os.PathLike[str], data: bytes, *, overwrite: bool = False, permissions: int = 0o666) -> None:
    """Write `data` to `path` so that a reader sees the old file, none, or the whole new one.

    The bytes go to a `NewFile` in the same folder, are flushed to the disk, and take the name in one step; an
    interruption leaves nothing behind. A new file has the permissions that any new file would have (or fewer, by
    `permissions`), an overwritten one keeps its own. A symbolic link is followed.

    Raises:
        OutputError: The file exists and `overwrite` is false, the folder is missing or can't be written to, the disk is
            full, or the path is a folder.
    """
    target = _followed(Path(path))
    check_writable(target, overwrite=overwrite)
    prepared = prepare_file(target, lambda file: _write_all(file, data), overwrite=overwrite, permissions=permissions)
    try:
        prepared.publish()
    finally:
        prepared.discard()


class NewFile:
    """A file that is written before it has its name.

    Where the system can do that (Linux, on most file systems) it has none at all meanwhile, so that nothing is left of
    it however its process ends. Elsewhere it is a hidden file beside its target, which a killed process leaves.
    """

    def __init__(self, target: Path, permissions: int = 0o666) -> None:
        """A new empty file in the folder of its target, open for reading and writing.

        Raises:
            OSError: The folder takes none.
        """
        self.target = target
        self.hidden: Path | None = None
        unnamed = _unnamed_in(target.parent, permissions)
        if unnamed is None:
            self.hidden = target.with_name(_hidden_name(target))
            unnamed = _created(self.hidden, permissions)
        self._file: BinaryIO | None = open(unnamed, "w+b", buffering=0)  # noqa: PTH123, SIM115 - a descriptor

    @property
    def file(self) -> BinaryIO:
        """The open file, without a buffer."""
        assert self._file is not None
        return self._file

    def publish(self, *, overwrite: bool) -> None:
        """Give it its name in one step. Raises OutputError as `publish_file`."""
        try:
            if self.hidden is None:
                if not overwrite and _linked(self.file.fileno(), self.target):
                    flush_folder(self.target.parent)
                    return
                self.hidden = _named(self.file, self.target.with_name(_hidden_name(self.target)))
        except FileExistsError as error:
            raise exists_already(self.target) from error
        except OSError as error:
            raise not_written(self.target, error) from error
        self._close()  # a file that is open can't be renamed on every system
        publish_file(self.hidden, self.target, overwrite=overwrite)

    def discard(self) -> None:
        """Close it, and remove what has not got its name."""
        self._close()
        if self.hidden is not None:
            with contextlib.suppress(OSError):
                self.hidden.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None


@dataclass(frozen=True, slots=True)
class PreparedFile:
    """A file that is whole, and does not have its name yet.

    Attributes:
        file: It.
        overwrite: Whether a file of its name may be replaced.
    """

    file: NewFile
    overwrite: bool

    def publish(self) -> None:
        """Give it its name in one step. Raises OutputError as `write_file` does."""
        self.file.publish(overwrite=self.overwrite)
        self.discard()

    def discard(self) -> None:
        """Remove it, where it has not got its name."""
        self.file.discard()


def prepare_file(
    path: str | os.PathLike[str],
    write: Callable[[BinaryIO], object],
    *,
    overwrite: bool = False,
    permissions: int = 0o666,
) -> PreparedFile:
    """The first half of `write_file` for what is written piece by piece.

    Args:
        path: Its name.
        write: Writes it, to any places of the file.
        overwrite: Whether a file of that name may be replaced.
        permissions: As for `write_file`.

    Raises:
        OutputError: As for `write_file`. What `write` raises goes through, but for errors of the system, which are
            taken for those of this file. Nothing is left behind.
    """
    target = _followed(Path(path))
    check_writable(target, overwrite=overwrite)
    try:
        new = NewFile(target, permissions)
    except (OSError, ValueError) as error:
        raise not_written(target, error) from error
    try:
        with open(new.file.fileno(), "r+b", closefd=False) as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
    except BaseException as error:
        new.discard()
        if isinstance(error, OSError):
            raise not_written(target, error) from error
        raise
    return PreparedFile(new, overwrite)


def _unnamed_in(folder: Path, permissions: int) -> int | None:
    """The descriptor of a new file that has no name; None where there are none, or /proc is missing to name it by."""
    flag = getattr(os, "O_TMPFILE", 0)
    if not flag:
        return None
    try:
        descriptor = os.open(folder, flag | os.O_RDWR, permissions)
    except OSError:  # this file system has none, or the folder takes no files: then making one with a name says why
        return None
    if os.access(f"/proc/self/fd/{descriptor}", os.F_OK):
        return descriptor
    os.close(descriptor)
    return None


def _linked(descriptor: int, name: Path) -> bool:
    """Whether a file without a name could get this one. Raises FileExistsError where there is such a file."""
    try:
        folder = os.open(name.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        # with folders the call is linkat, which follows the link in /proc to the file itself
        os.link(f"/proc/self/fd/{descriptor}", name.name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=True)
    except FileExistsError:
        raise
    except OSError:
        return False
    finally:
        os.close(folder)
    return True


def _named(file: BinaryIO, hidden: Path) -> Path:
    """Give a file without a name this one; where that can't be done, it is copied."""
    if not _linked(file.fileno(), hidden):
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        try:
            with open(_created(hidden, mode), "wb") as copy:
                file.seek(0)
                shutil.copyfileobj(file, copy, _CHUNK)
                copy.flush()
                os.fsync(copy.fileno())
        except BaseException:
            with contextlib.suppress(OSError):
                hidden.unlink(missing_ok=True)
            raise
    return hidden


def _hidden_name(target: Path) -> str:
    return f".{target.name[:40]}.{secrets.token_hex(6)}.tmp"


def write_hidden_file(hidden: Path, data: bytes, target: Path, permissions: int = 0o666) -> None:
    """The first half of `write_file`: write the bytes to a new file `hidden`, beside its target, and flush them.

    Raises:
        OutputError: As for `write_file`, and where `hidden` exists. Nothing is left behind.
    """
    try:
        _write(hidden, data, permissions)
    except FileExistsError as error:
        raise exists_already(hidden) from error
    except BaseException as error:
        with contextlib.suppress(OSError):
            hidden.unlink(missing_ok=True)
        if isinstance(error, OSError | ValueError):
            raise not_written(target, error) from error
        raise


def publish_file(hidden: Path, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """The second half of `write_file`: rename the hidden file to its name in one step.

    Raises:
        OutputError: The file exists and `overwrite` is false, or renaming fails. The hidden file stays then.
    """
    target = _followed(Path(path))
    try:
        if overwrite:
            with contextlib.suppress(OSError):
                hidden.chmod(target.stat().st_mode & 0o7777)
            hidden.replace(target)
        else:
            _take_free_name(hidden, target)
        flush_folder(target.parent)
    except FileExistsError as error:
        raise exists_already(target) from error
    except OSError as error:
        raise not_written(target, error) from error


def _followed(target: Path) -> Path:
    # os.path.islink is false, and raises nothing, for a name that no file can have
    return Path(os.path.realpath(target)) if os.path.islink(target) else target  # noqa: PTH114


def check_writable(path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Raise the OutputError that `write_file` would raise, before any work is done for it."""
    target = Path(path)
    try:
        with contextlib.suppress(OSError):
            target.lstat()  # ValueError for a name that no file can have; the tests below only say that none is there
        if target.is_dir():
            message = f"{target} is a folder; give the name of a file"
            raise OutputError(message, field="output", value=str(target))
        if not overwrite and (target.exists() or target.is_symlink()):
            raise exists_already(target)
        if not target.parent.is_dir():
            raise not_written(target, FileNotFoundError(errno.ENOENT, ""))
        if not os.access(target.parent, os.W_OK | os.X_OK):
            raise not_written(target, PermissionError(errno.EACCES, ""))
    except (OSError, ValueError) as error:
        raise not_written(target, error) from error


def opened_regular(path: str | os.PathLike[str]) -> io.BufferedReader:
    """A file open for reading; a pipe or a device, which may have no end, is refused without waiting for it.

    Raises:
        OSError: It can't be opened, or is no regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except ValueError as error:  # a NUL in the name
        raise OSError(errno.EINVAL, "no file can have this name") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "it is no regular file")
    return open(descriptor, "rb")  # noqa: PTH123 - a descriptor, not a path


def digest_of(file: io.BufferedIOBase) -> str:
    """The SHA-256 of the rest of an open file. Raises OSError, also where it waits for more (as /proc/kmsg does)."""
    digest, chunk = hashlib.sha256(), memoryview(bytearray(_CHUNK))
    while count := file.readinto(chunk):
        digest.update(chunk[:count])
    if count is None:  # of a file that does not wait
        raise BlockingIOError(errno.EAGAIN, "it has no end")
    return digest.hexdigest()


def digest_in_time(path: str | os.PathLike[str], seconds: float = READING) -> str:
    """The SHA-256 of a regular file. Raises OSError: it can't be read, or not in so many seconds."""

    return call_in_time(digest_of_path, path, seconds=seconds)


def digest_of_path(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a regular file, however long that takes. Raises OSError."""
    with opened_regular(path) as file:
        return digest_of(file)


def check_folder(folder: Path) -> None:
    """Raise OutputError unless a folder, which is made where it is missing, takes new files. Permission bits say little
    about administrators, quotas and read-only mounts, so a file without a name is made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except FileExistsError:
        raise OutputError(f"{folder} is a file, not a folder", field="output", value=str(folder)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        message = f"can't write to the folder {folder}: {reason}"
        raise OutputError(message, field="output", value=str(folder)) from None


def _write(hidden: Path, data: bytes, permissions: int) -> None:
    with open(_created(hidden, permissions), "wb", buffering=0) as file:
        _write_all(file, data)
        os.fsync(file.fileno())


def _write_all(file: BinaryIO | io.FileIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _created(hidden: Path, permissions: int) -> int:
    """The descriptor of a new file."""
    # Exclusive: the umask limits the permissions, and no existing file or link is opened.
    return os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), permissions)


def _take_free_name(hidden: Path, target: Path) -> None:
    """Rename without replacing a file that appeared meanwhile, where the file system can do that."""
    try:
        os.link(hidden, target)
    except FileExistsError:
        raise
    except OSError:  # no hard links here
        if target.exists():
            raise FileExistsError(errno.EEXIST, "exists", str(target)) from None
        hidden.replace(target)
    else:
        with contextlib.suppress(OSError):
            hidden.unlink()


def flush_folder(folder: Path) -> None:
    """Flush the names of a folder's files to the disk; not every system can open a folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def exists_already(target: object, why: str = "exists already") -> OutputError:
    """The error for a file that may not be replaced."""
    return OutputError(
        f"{target} {why}",
        code="output-exists",
        field="output",
        value=str(target),
        hint="choose another name, or set overwrite",
    )


def not_written(target: Path, error: OSError | ValueError, what: str = "") -> OutputError:
    """The error for a file that the system refuses to write."""
    reasons = {
        errno.ENOSPC: "the disk is full",
        errno.EDQUOT: "the disk quota is used up",
        errno.EACCES: f"the folder {target.parent} is read-only",
        errno.EPERM: f"the folder {target.parent} is read-only",
        errno.EROFS: f"the folder {target.parent} is read-only",
        errno.ENOENT: f"the folder {target.parent} doesn't exist",
        errno.ENOTDIR: f"{target.parent} is not a folder",
        errno.ENAMETOOLONG: "the name is too long",
    }
    number = error.errno if isinstance(error, OSError) else None
    unnameable = "no file can have this name" if isinstance(error, ValueError) else None
    reason = unnameable or reasons.get(number or 0) or getattr(error, "strerror", None) or str(error)
    message = f"can't write {what}{target}: {reason}"
    if is_full(error):
        return OutputError(message, code="disk-full", field="output", value=str(target))
    return OutputError(message, field="output", value=str(target))


def is_full(error: BaseException) -> bool:
    """Whether the system refuses to write because the disk is full, or a quota on it is used up."""
    return isinstance(error, OSError) and error.errno in _FULL
