"""Pictures that have names of their own: what a person put into the server's folder, and what a client saved there.

An owner has a folder for each kind, `named/OWNER/input`, `output` and `mask`, all within the server's own. A name is
one component without a path; what a link leads to is not there.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar, get_args

from overpaint.errors import OverpaintError, RequestError
from overpaint.files import write_file

from .decoding import displayed_size_of, facts_of, jpeg_thumbnail_of
from .errors import ConflictError, NotFoundError, StorageFullError
from .reading import bounded
from .settings import ServerSettings

T = TypeVar("T")

Kind = Literal["input", "output", "mask"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""input: what a person put there; output: results that a client saved; mask: masks."""

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".avif", ".tif", ".tiff", ".bmp", ".gif"})
"""Endings of names that count as pictures."""

_LONGEST = 200
"""Bytes of a name, so that a temporary file's longer one is still one that file systems take."""

_MOST = 10_000
"""Files of a folder that are listed, and that a client may make."""

_KEPT = 512
"""Thumbnails in memory."""

_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*/\\]')


@dataclass(frozen=True, slots=True)
class FolderPicture:
    """A file of a folder.

    Attributes:
        name: Its name.
        width, height: In pixels, as it is shown.
        created, modified: Seconds since 1970.
    """

    name: str
    width: int
    height: int
    created: float
    modified: float


@dataclass(frozen=True, slots=True)
class JpegThumbnail:
    """A small picture for a list.

    Attributes:
        data: The JPEG.
        width, height: In pixels.
    """

    data: bytes
    width: int
    height: int


_Version = tuple[str, int, int]
"""A file at one time: its path, when it was changed, and its bytes."""


class PictureFolders:
    """The folders of all owners. Thread-safe."""

    def __init__(self, folder: Path, settings: ServerSettings) -> None:
        """Folders are made when they are first used."""
        self._folder = folder
        self._settings = settings
        self._lock = threading.Lock()
        self._sizes: OrderedDict[_Version, tuple[int, int] | None] = OrderedDict()
        self._thumbnails: OrderedDict[tuple[_Version, int, int], JpegThumbnail] = OrderedDict()

    def folder(self, owner: str, kind: Kind) -> Path:
        """Where an owner's files of a kind are; it is made, for its user alone, where it is missing."""
        found = self._folder / _folder_name(owner) / kind
        found.mkdir(parents=True, exist_ok=True, mode=0o700)
        return found

    def shown_folder(self, owner: str, kind: Kind) -> str:
        """The same for messages: within the server's folder, whose place is nobody's business."""
        return self.folder(owner, kind).relative_to(self._folder.parent).as_posix()

    def all(self, owner: str, kind: Kind) -> list[FolderPicture]:
        """The pictures of a folder, by name. A file that is no picture is left out."""
        versions = []
        for entry in sorted(os.scandir(self.folder(owner, kind)), key=lambda one: one.name)[:_MOST]:
            if Path(entry.name).suffix.lower() in SUFFIXES and entry.is_file(follow_symlinks=False):
                stat = entry.stat(follow_symlinks=False)
                versions.append((entry.name, (entry.path, stat.st_mtime_ns, stat.st_size), stat))
        sizes = self._known_sizes([version for _, version, _ in versions])
        found = []
        for name, version, stat in versions:
            size = sizes[version]
            if size is not None:
                found.append(FolderPicture(name, *size, stat.st_ctime, stat.st_mtime))
        return found

    def data(self, owner: str, kind: Kind, name: str) -> bytes:
        """A file. NotFoundError where there is none of that name."""
        path, _ = self._found(owner, kind, name)
        return _read(path, name)

    def thumbnail(self, owner: str, kind: Kind, name: str, width: int, height: int) -> JpegThumbnail:
        """A small JPEG of a file, in its proportions.

        Args:
            owner, kind, name: The file.
            width: In pixels; 0: `height` counts; both 0: 256.
            height: In pixels.

        Raises:
            NotFoundError: There is none of that name.
            PictureError, InputError: It can't be read.
        """
        path, version = self._found(owner, kind, name)
        key = (version, width, height)
        with self._lock:
            if key in self._thumbnails:
                return self._thumbnails[key]
        made = JpegThumbnail(*self._bounded(jpeg_thumbnail_of, _read(path, name), width, height))
        with self._lock:
            self._thumbnails[key] = made
            while len(self._thumbnails) > _KEPT:
                self._thumbnails.popitem(last=False)
        return made

    def save(self, owner: str, kind: Kind, name: str, data: bytes) -> str:
        """Keep a picture under a name, in the place of one that has it. The name that it has then.

        Args:
            owner, kind: The folder.
            name: A name; of a path the last component counts. Without the ending of a picture it gets one.
            data: The file.

        Raises:
            RequestError: It is no name.
            PictureError, InputError: The data is no picture that can be read.
            ConflictError: There are as many files as there may be, or something else has that name.
            StorageFullError: The owner's files of all kinds are as large as they may be in all.
        """
        name = checked_name(re.split(r"[/\\]", name)[-1])
        facts = self._bounded(facts_of, data, hashlib.sha256(data).hexdigest())
        if Path(name).suffix.lower() not in SUFFIXES:
            name = checked_name(f"{name}.{facts.format}")
        folder = self.folder(owner, kind)
        path = folder / name
        with self._lock:
            if not path.exists() and sum(1 for _ in os.scandir(folder)) >= _MOST:
                raise ConflictError(
                    f"the folder has {_MOST} files, and no more are saved there", code="folder-full", value=_MOST
                )
            if path.is_symlink():
                path.unlink()  # what it leads to is not ours to write
            elif path.exists() and not path.is_file():
                raise ConflictError(f"{name} is there and is no file", field="filename", value=name)
            self._check_room(owner, path, len(data))
            write_file(path, data, overwrite=True, permissions=0o600)
        return name

    def _check_room(self, owner: str, path: Path, size: int) -> None:
        """Raise StorageFullError where a file of this size at this path does not fit beside the owner's others."""
        most, stored = self._settings.client_bytes, 0
        for kind in KINDS:
            for entry in os.scandir(self.folder(owner, kind)):
                if entry.path != str(path):
                    with contextlib.suppress(OSError):
                        stored += entry.stat(follow_symlinks=False).st_size
        if stored + size > most:
            raise StorageFullError(
                f"the picture has {size:,} bytes, and your files have {stored:,} of {most:,}",
                field="filename",
                value=size,
                hint="save it elsewhere, or have files removed from the server's folder",
            )

    def _found(self, owner: str, kind: Kind, name: str) -> tuple[Path, _Version]:
        """A file's path and version. NotFoundError where there is no picture of that name in that folder itself."""
        try:
            path = self.folder(owner, kind) / checked_name(name)
            stat = path.lstat()
        except (OSError, RequestError):
            raise _missing(name) from None
        inside = path.resolve().is_relative_to(self._folder.resolve()) and not path.is_symlink()
        if not inside or not path.is_file() or path.suffix.lower() not in SUFFIXES:
            raise _missing(name)
        if stat.st_size > self._settings.largest_body:
            raise _missing(name)
        return path, (str(path), stat.st_mtime_ns, stat.st_size)

    def _known_sizes(self, versions: list[_Version]) -> dict[_Version, tuple[int, int] | None]:
        """The size of each, None for what is no picture."""
        with self._lock:
            found = {one: self._sizes[one] for one in versions if one in self._sizes}
        for one in versions:
            if one not in found:
                found[one] = self._size(one)
        with self._lock:
            self._sizes.update(found)
            while len(self._sizes) > _MOST:
                self._sizes.popitem(last=False)
        return found

    def _size(self, version: _Version) -> tuple[int, int] | None:
        path, _, length = version
        if length > self._settings.largest_body:
            return None
        try:
            return self._bounded(displayed_size_of, _read(Path(path), ""))
        except OverpaintError:
            return None

    def _bounded(self, function: Callable[..., T], *arguments: object) -> T:
        return bounded(self._settings, function, *arguments, self._settings.most_pixels)


def checked_name(name: str) -> str:
    """A name of a file that is no path, and that every file system takes. RequestError for another."""
    usual = name.strip() == name and not name.startswith(".") and not name.endswith(".")
    if not name or not usual or _FORBIDDEN.search(name) or len(name.encode("utf-8", "replace")) > _LONGEST:
        raise RequestError(
            f"{{field}} {name[:80]!r} is no name of a file", field="filename", value=name[:80], hint="write photo.png"
        )
    return name


def _folder_name(owner: str) -> str:
    """A name that people can read and that no other owner has, not even where upper and lower case are one."""
    return f"{owner[:64]}-{hashlib.sha256(owner.encode()).hexdigest()[:8]}"


def _read(path: Path, name: str) -> bytes:
    """A file's bytes; a link that has taken its place meanwhile is not followed."""
    try:
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(path, flags), "rb") as file:
            return file.read()
    except OSError:
        raise _missing(name) from None


def _missing(name: str) -> NotFoundError:
    return NotFoundError("there is no such file", field="filename", value=name[:80])
