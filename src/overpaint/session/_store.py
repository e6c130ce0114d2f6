"""Where the files of a session are kept: in a folder, or in a zip file that has the same files.

    session.json             the session (`SessionHead`)
    journal/00000001.json    its actions, one file each (`JournalEntry`)
    blobs/SHA256             pictures, arrays and painted steps, by the SHA-256 of their bytes

Files are only added, until `Store.rewrite` drops some. An action's entry in the journal is written after the blobs that
it names, so that an interruption leaves at most blobs that nothing names. Names that are read are checked against these
forms and never become paths.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import re
import stat
import struct
import time
import zipfile
import zlib
from collections.abc import Collection, Iterable
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from overpaint.errors import SessionError
from overpaint.files import check_folder, exists_already, flush_folder, not_written, opened_regular, write_file

from ._access import check_open, check_place, closed, damaged, lies_at, take_lock
from ._torn import DIRECTORY_LIMIT, directory_size, mended

HEAD = "session.json"
LOCK = "lock"
_NAME = re.compile(r"session\.json|journal/\d{8}\.json|blobs/[0-9a-f]{64}")
_SURPLUS = re.compile(r"journal/|blobs/|lock")  # of a session's folder that another program has packed
_STORED = re.compile(rb"\xff\xd8\xff|\x89PNG|RIFF|....ftyp", re.DOTALL)
_NOT_WRITEABLE = (errno.EACCES, errno.EPERM, errno.EROFS)

StoredFiles = Iterable[tuple[str, bytes]]
"""Names and contents, in the order in which they are written."""


class Store(Protocol):
    """The files of one session, under a lock until it is closed."""

    @property
    def names(self) -> Collection[str]:
        """The names of the journal's files, and of others that are known without a search."""

    @property
    def torn(self) -> bool:
        """Whether its end was missing when it was opened, so that something that was written last may be lost."""

    @property
    def size(self) -> int:
        """Bytes of all files together, as they are on the disk."""

    def blobs(self) -> list[str]:
        """The names of all blobs, those that nothing names too."""

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""

    def read(self, name: str, most: int) -> bytes:
        """A file's bytes. Raises SessionError where it is missing, damaged, or longer than `most` bytes."""

    def add(self, files: StoredFiles) -> None:
        """Add files, in this order; those that are there already are left. On the disk when it returns.

        Raises:
            OutputError: They can't be written; the session is as it was, but for blobs that nothing names.
            SessionError: It was opened to be read only, or is closed.
        """

    def rewrite(self, dropped: Collection[str], files: StoredFiles) -> None:
        """Add files, and then drop others. Killed meanwhile, the session is as before, or has them all dropped or some.

        Raises:
            OutputError: They can't be written; nothing was dropped.
            SessionError: As for `add`, or a file that stays is damaged.
        """

    def close(self) -> None:
        """Close it, and end the lock."""


def journal_name(number: int) -> str:
    """The name of the journal's entry of this number."""
    return f"journal/{number:08}.json"


def blob_name(sha256: str) -> str:
    """The name of the file with these bytes."""
    return f"blobs/{sha256}"


def create_store(path: Path, files: StoredFiles, *, folder: bool) -> None:
    """Make a new session of these files; the first must be the last that is needed to take it for one.

    Raises:
        OutputError: The path exists, or can't be written.
    """
    if not folder:
        data = BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            for name, content in files:
                _append(archive, name, content)
        write_file(path, data.getvalue())
        return
    if path.is_symlink() or (path.exists() and not (path.is_dir() and not any(path.iterdir()))):
        raise exists_already(path)
    for part in ("journal", "blobs"):
        check_folder(path / part)
    head, *others = files
    for name, content in (*others, head):
        write_file(path / name, content)


def is_session(path: Path) -> bool:
    """Whether a path leads to what looks like a session; it may be damaged all the same."""
    try:
        if path.is_dir():
            return (path / HEAD).is_file() and (path / "journal").is_dir()
        with opened_regular(path) as file:
            head = file.read(30 + len(HEAD))
            if head.startswith(b"PK\x03\x04") and head.endswith(HEAD.encode()):
                return True
            length = directory_size(file)  # one that another program has packed, in another order
            return length is not None and length <= DIRECTORY_LIMIT and HEAD in zipfile.ZipFile(file).NameToInfo
    except (OSError, ValueError, zipfile.BadZipFile, struct.error, NotImplementedError):
        return False


def open_store(path: Path, *, read_only: bool = False) -> Store:
    """The files of a session that exists.

    Args:
        path: Its file or folder.
        read_only: Whether nothing will be added; then the path need not be writeable.

    Raises:
        SessionError: It is none, damaged, or another process has it open.
    """
    try:
        return _FolderStore(path, read_only) if path.is_dir() else _ZipStore(path, read_only)
    except SessionError:
        raise
    except FileNotFoundError:
        raise SessionError(f"{path} doesn't exist", code="session-missing", value=str(path)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SessionError(f"{path} can't be opened: {reason}", value=str(path)) from None


class _FolderStore:
    """A session as a folder."""

    torn = False

    def __init__(self, path: Path, read_only: bool) -> None:
        self._path, self._read_only, self._closed = path.absolute(), read_only, False
        self._file: BinaryIO | None = None
        for part in (path / HEAD, path / "journal", path / "blobs"):
            if part.is_symlink() or not part.exists():
                raise SessionError(f"{path} is no session: it has no {part.name}", value=str(path))
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        try:
            self._file = os.fdopen(os.open(path / LOCK, flags, 0o666), "r+b")
        except OSError as error:
            if not read_only or error.errno not in _NOT_WRITEABLE:
                raise
        if self._file is not None:
            try:
                take_lock(self._file.fileno(), path)
            except BaseException:
                self._file.close()
                raise
        if not read_only:
            for left in (*path.glob("journal/.*.tmp"), *path.glob("blobs/.*.tmp")):  # by a process that was killed
                with contextlib.suppress(OSError):
                    left.unlink()
        self._journal = frozenset(f"journal/{one.name}" for one in (path / "journal").iterdir())

    @property
    def names(self) -> Collection[str]:
        return [name for name in self._journal if _NAME.fullmatch(name)]

    def _check(self, *, read_only: bool = False) -> None:
        check_open(self._path, is_closed=self._closed, read_only=read_only)
        if self._file is not None:
            check_place(self._path, self._file.fileno(), self._path / LOCK)

    @property
    def size(self) -> int:
        self._check()
        files = (self._path / HEAD, *(self._path / "journal").iterdir(), *(self._path / "blobs").iterdir())
        return sum(file.lstat().st_size for file in files)

    def blobs(self) -> list[str]:
        self._check()
        names = (f"blobs/{one.name}" for one in (self._path / "blobs").iterdir())
        return [name for name in names if _NAME.fullmatch(name)]

    def has(self, name: str) -> bool:
        return (self._path / _known(name)).exists()

    def read(self, name: str, most: int) -> bytes:
        if self._closed:
            raise closed(self._path)
        file = self._path / _known(name)
        try:
            if file.is_symlink():
                raise damaged(name, "it is a link")
            with opened_regular(file) as opened:
                data = opened.read(min(most, os.fstat(opened.fileno()).st_size) + 1)
        except FileNotFoundError:
            self._check()
            raise damaged(name, "it is missing") from None
        except OSError as error:
            raise damaged(name, error.strerror or str(error)) from None
        if len(data) > most:
            raise damaged(name, f"it has more than {most:,} bytes")
        return data

    def add(self, files: StoredFiles) -> None:
        self._check(read_only=self._read_only)
        for name, content in files:
            self._check()  # each time: the folder may be moved between two files
            if not self.has(name):
                write_file(self._path / _known(name), content)

    def rewrite(self, dropped: Collection[str], files: StoredFiles) -> None:
        self.add(files)
        try:
            for name in dropped:
                self._check()
                (self._path / _known(name)).unlink(missing_ok=True)
        except OSError as error:
            raise not_written(self._path, error) from error

    def close(self) -> None:
        self._closed = True
        if self._file is not None:
            self._file.close()


class _ZipStore:
    """A session as one file.

    New files are appended where the zip's directory was, and the directory is written again behind them: a file of any
    length grows by what is new. Until the directory is complete the file is no zip; its entries are then read from the
    front, and what is whole gets a directory again.
    """

    def __init__(self, path: Path, read_only: bool) -> None:
        self._path, self._read_only, self.torn = path.absolute(), read_only, False
        self._file = _opened(path, read_only)
        if not read_only:
            with contextlib.suppress(OSError):  # by a process that was killed
                _beside(path).unlink(missing_ok=True)
        try:
            self._archive = self._read(mend=True)
        except BaseException:
            self._file.close()
            raise

    def _read(self, *, mend: bool) -> zipfile.ZipFile:
        """The zip's directory. One that was cut off is written again."""
        try:
            length = directory_size(self._file)
            if length is not None:
                if length > DIRECTORY_LIMIT:
                    raise damaged("", f"its directory has {length:,} bytes, more than {DIRECTORY_LIMIT:,}")
                archive = zipfile.ZipFile(self._file)
                _check_entries(archive.infolist())
                return archive
        except SessionError as error:
            raise error.within(str(self._path)) from None
        except (zipfile.BadZipFile, struct.error, ValueError, OverflowError, NotImplementedError, OSError):
            pass
        if mend and self._file.writable() and mended(self._file, _NAME.fullmatch, HEAD):
            self.torn = True
            return self._read(mend=False)
        self._file.seek(0)
        begins_as_zip = self._file.read(4) == b"PK\x03\x04"
        why = "or its end is missing and it can't be written" if begins_as_zip else "but a file of another kind"
        raise SessionError(f"{self._path} is no session, {why}", value=str(self._path))

    @property
    def names(self) -> Collection[str]:
        return self._archive.NameToInfo

    @property
    def size(self) -> int:
        check_open(self._path, is_closed=self._file.closed, read_only=False)
        return os.fstat(self._file.fileno()).st_size

    def blobs(self) -> list[str]:
        return [name for name in self._archive.NameToInfo if name.startswith("blobs/") and _NAME.fullmatch(name)]

    def has(self, name: str) -> bool:
        return name in self._archive.NameToInfo

    def read(self, name: str, most: int) -> bytes:
        if self._file.closed:
            raise closed(self._path)
        info = self._archive.NameToInfo.get(name)
        if info is None:
            raise damaged(name, "it is missing")
        if info.file_size > most:
            raise damaged(name, f"it has {info.file_size:,} bytes, more than {most:,}")
        try:
            with self._archive.open(info) as opened:
                data = opened.read(most + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError) as error:
            raise damaged(name, str(error)) from None
        if len(data) != info.file_size:
            raise damaged(name, f"it has {len(data):,} bytes, not {info.file_size:,}")
        return data

    def add(self, files: StoredFiles) -> None:
        check_open(self._path, is_closed=self._file.closed, read_only=self._read_only)
        if not os.fstat(self._file.fileno()).st_nlink:  # deleted or replaced: what is added would be lost
            check_place(self._path, self._file.fileno(), self._path)
        if any(map(_SURPLUS.fullmatch, self._archive.NameToInfo)):
            # Its entries can't be found from the front once its end is torn: it gets the form of our own first.
            self.rewrite((), files)
            return
        start = self._archive.start_dir
        self._file.seek(start)
        directory = self._file.read()
        try:
            archive = zipfile.ZipFile(self._file, "a")
        except OSError as error:
            raise not_written(self._path, error) from error
        try:
            for name, content in files:
                if name not in archive.NameToInfo:
                    _append(archive, _known(name), content)
            # The entries are on the disk before the directory that names them.
            self._flush()
            archive.close()
            self._flush()
        except BaseException as error:
            archive.fp = None  # or its directory would be written later, when it is freed
            with contextlib.suppress(OSError):  # what is left of it is mended when the session is opened
                self._file.truncate(start)
                self._file.seek(start)
                self._file.write(directory)
            if isinstance(error, OSError):
                raise not_written(self._path, error) from error
            raise
        self._archive = self._read(mend=True)

    def rewrite(self, dropped: Collection[str], files: StoredFiles) -> None:
        check_open(self._path, is_closed=self._file.closed, read_only=self._read_only)
        check_place(self._path, self._file.fileno(), self._path)
        hidden = _beside(self._path)
        try:
            hidden.unlink(missing_ok=True)
            new = _WholeFile(hidden, "x+")
        except OSError as error:
            raise not_written(self._path, error) from error
        try:
            take_lock(new.fileno(), self._path)  # before it has the session's name
            with zipfile.ZipFile(new, "w") as archive:
                for info in sorted(self._archive.infolist(), key=lambda one: (one.filename != HEAD, one.header_offset)):
                    if info.filename not in dropped and _NAME.fullmatch(info.filename):
                        _append(archive, info.filename, self._whole(info))
                for name, content in files:
                    if name not in archive.NameToInfo:
                        _append(archive, _known(name), content)
            os.fsync(new.fileno())
            hidden.chmod(stat.S_IMODE(os.fstat(self._file.fileno()).st_mode))
            target = self._path.resolve()
            check_place(self._path, self._file.fileno(), target)  # again: writing has taken a while
            hidden.replace(target)
            flush_folder(hidden.parent)
        except BaseException as error:
            new.close()
            with contextlib.suppress(OSError):
                hidden.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise not_written(self._path, error) from error
            raise
        self._archive.close()
        self._file.close()
        self._file = new
        self._archive = self._read(mend=False)

    def _whole(self, info: zipfile.ZipInfo) -> bytes:
        data = self.read(info.filename, info.file_size)
        if info.filename.startswith("blobs/") and blob_name(hashlib.sha256(data).hexdigest()) != info.filename:
            raise damaged(info.filename, "it has another digest")
        return data

    def _flush(self) -> None:
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._archive.close()
        self._file.close()


class _WholeFile(io.FileIO):
    """A file that writes all that it is given, or fails. Nothing waits in a buffer, which would be written later, where
    it no longer belongs, once writing has failed.
    """

    def write(self, data: Any, /) -> int:
        view = memoryview(data).cast("B")
        written = 0
        while written < len(view):
            written += super().write(view[written:])
        return written


def _beside(path: Path) -> Path:
    """Where a session is written anew, before it takes the place of the old one."""
    real = path.resolve()
    return real.with_name(f".{real.name[:200]}.new.tmp")


def _opened(path: Path, read_only: bool) -> _WholeFile:
    """The file, locked; a path that leads to another file meanwhile is opened again."""
    while True:
        opened_regular(path).close()
        try:
            file = _WholeFile(path, "r+")
        except OSError as error:
            if not read_only or error.errno not in _NOT_WRITEABLE:
                raise
            file = _WholeFile(path, "r")
        try:
            take_lock(file.fileno(), path)
            if lies_at(path, file.fileno()):
                return file
        except BaseException:
            file.close()
            raise
        file.close()


def _append(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Add an entry; what is compressed already is stored as it is."""
    info = zipfile.ZipInfo(name, time.localtime()[:6])
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    info.compress_type = zipfile.ZIP_STORED if _STORED.match(content) else zipfile.ZIP_DEFLATED
    archive.writestr(info, content, compresslevel=1)


def _check_entries(entries: Collection[zipfile.ZipInfo]) -> None:
    """Raise SessionError for a name, a kind or a coding that no session has."""
    seen: set[str] = set()
    heads = [folder for entry in entries for folder, _, file in (entry.filename.rpartition("/"),) if file == HEAD]
    for entry in entries:
        name = entry.filename
        known = _NAME.fullmatch(name) or (_SURPLUS.fullmatch(name) and not entry.file_size)
        if entry.orig_filename != name or not known:
            within = name.startswith(f"{heads[0]}/") if heads else False
            hint = ": pack what is in that folder, and not the folder itself" if within else ""
            raise damaged("", f"no file of a session is called {entry.orig_filename[:80]!r}{hint}")
        if name in seen:
            raise damaged(name, "it is there twice")
        seen.add(name)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in ((0, stat.S_IFDIR) if name.endswith("/") else (0, stat.S_IFREG)):
            raise damaged(name, "it is no regular file")
        if entry.flag_bits & 0x1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise damaged(name, "it is encrypted, or compressed in another way than sessions are")
    if HEAD not in seen:
        raise damaged(HEAD, "it is missing")


def _known(name: str) -> str:
    """The name, which must be one of a session."""
    if not _NAME.fullmatch(name):
        raise ValueError(name)
    return name
