"""Where the files of a session are kept: in a folder, or in a zip file that has the same files.

    session.json             the session (`SessionHead`)
    journal/00000001.json    its actions, one file each (`JournalEntry`)
    blobs/SHA256             pictures, arrays and painted steps, by the SHA-256 of their bytes

Files are only added. An action's entry in the journal is written after the blobs that it names, so that an interruption
leaves at most blobs that nothing names. Names that are read are checked against these forms and never become paths.
"""

from __future__ import annotations

import contextlib
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
from typing import BinaryIO, Protocol

from overpaint.errors import SessionError
from overpaint.files import check_folder, exists_already, not_written, opened_regular, write_file
from overpaint.locks import try_lock

from ._torn import DIRECTORY_LIMIT, directory_size, mended

HEAD = "session.json"
LOCK = "lock"
_NAME = re.compile(r"session\.json|journal/\d{8}\.json|blobs/[0-9a-f]{64}")
_STORED = re.compile(rb"\xff\xd8\xff|\x89PNG|RIFF|....ftyp", re.DOTALL)
_PATIENCE = 1.0  # seconds that another process is waited for

StoredFiles = Iterable[tuple[str, bytes]]
"""Names and contents, in the order in which they are written."""


class Store(Protocol):
    """The files of one session, under a lock until it is closed."""

    @property
    def names(self) -> Collection[str]:
        """The names of the journal's files, and of others that are known without a search."""

    def has(self, name: str) -> bool:
        """Whether there is a file of this name."""

    def read(self, name: str, most: int) -> bytes:
        """A file's bytes. Raises SessionError where it is missing, damaged, or longer than `most` bytes."""

    def add(self, files: StoredFiles) -> None:
        """Add files, in this order; those that are there already are left. On the disk when it returns.

        Raises:
            OutputError: They can't be written.
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


def in_use(path: Path) -> SessionError:
    """The error of a session that is open elsewhere."""
    return SessionError(
        f"{path} is in use: another process has this session open",
        code="session-in-use",
        value=str(path),
        hint="wait until it is done, or work on a copy",
    )


def _lock(descriptor: int, path: Path) -> None:
    over = time.monotonic() + _PATIENCE
    while not try_lock(descriptor):
        if time.monotonic() > over:
            raise in_use(path)
        time.sleep(0.02)


class _FolderStore:
    """A session as a folder."""

    def __init__(self, path: Path, read_only: bool) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        for part in (path / HEAD, path / "journal", path / "blobs"):
            if part.is_symlink() or not part.exists():
                raise SessionError(f"{path} is no session: it has no {part.name}", value=str(path))
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        try:
            self._file = os.fdopen(os.open(path / LOCK, flags, 0o666), "r+b")
        except PermissionError:
            if not read_only:
                raise
        if self._file is not None:
            try:
                _lock(self._file.fileno(), path)
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

    def has(self, name: str) -> bool:
        return (self._path / _known(name)).exists()

    def read(self, name: str, most: int) -> bytes:
        file = self._path / _known(name)
        try:
            if file.is_symlink():
                raise damaged(name, "it is a link")
            with opened_regular(file) as opened:
                data = opened.read(min(most, os.fstat(opened.fileno()).st_size) + 1)
        except FileNotFoundError:
            raise damaged(name, "it is missing") from None
        except OSError as error:
            raise damaged(name, error.strerror or str(error)) from None
        if len(data) > most:
            raise damaged(name, f"it has more than {most:,} bytes")
        return data

    def add(self, files: StoredFiles) -> None:
        for name, content in files:
            if not self.has(name):
                write_file(self._path / _known(name), content)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class _ZipStore:
    """A session as one file.

    New files are appended where the zip's directory was, and the directory is written again behind them: a file of any
    length grows by what is new. Until the directory is complete the file is no zip; its entries are then read from the
    front, and what is whole gets a directory again.
    """

    def __init__(self, path: Path, read_only: bool) -> None:
        self._path = path
        self._file = _opened(path, read_only)
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
        if mend and self._file.writable() and mended(self._file, HEAD):
            return self._read(mend=False)
        raise SessionError(
            f"{self._path} is no session, or its end is missing and it can't be written", value=str(self._path)
        )

    @property
    def names(self) -> Collection[str]:
        return self._archive.NameToInfo

    def has(self, name: str) -> bool:
        return name in self._archive.NameToInfo

    def read(self, name: str, most: int) -> bytes:
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
        if not self._file.writable():
            raise not_written(self._path, PermissionError(13, "it is read-only"))
        archive = zipfile.ZipFile(self._file, "a")
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
            self._archive = self._read(mend=True)
            if isinstance(error, OSError):
                raise not_written(self._path, error) from error
            raise
        self._archive = self._read(mend=True)

    def _flush(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._archive.close()
        self._file.close()


def _opened(path: Path, read_only: bool) -> BinaryIO:
    """The file, locked; a path that leads to another file meanwhile is opened again."""
    while True:
        file: BinaryIO
        opened_regular(path).close()
        try:
            file = path.open("r+b")
        except PermissionError:
            if not read_only:
                raise
            file = path.open("rb")
        try:
            _lock(file.fileno(), path)
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
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
    for entry in entries:
        name = entry.filename
        if entry.orig_filename != name or not _NAME.fullmatch(name):
            raise damaged("", f"no file of a session is called {entry.orig_filename[:80]!r}")
        if name in seen:
            raise damaged(name, "it is there twice")
        seen.add(name)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
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


def damaged(name: str, reason: str) -> SessionError:
    """The error of a session in which a file is at fault."""
    return SessionError(f"the session is damaged{f', in {name}' if name else ''}: {reason}", code="session-damaged")
