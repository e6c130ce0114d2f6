"""Where pictures and results lie: in folders, or in object stores by address (s3://..., whatever fsspec opens).

The rest of a batch handles both alike. An object store has no renaming: there a result takes its name by a copy, which
appears whole or not at all, and the hidden object is removed after it.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias

from overpaint.errors import OutputError, RequestError
from overpaint.files import publish_file, stage_file


class Address(PurePosixPath):
    """The place of an object, as in s3://bucket/folder/a.png. Path arithmetic is a pure path's.

    Raises:
        FileNotFoundError, OSError: As a `Path` does, from every method that looks at the store.
        RequestError: Nothing here opens such addresses.
    """

    __slots__ = ()

    def __str__(self) -> str:
        """With both slashes, of which a path would keep one; three where no host is named (file:///a.png)."""
        scheme, mark, rest = super().__str__().partition(":/")
        if not mark or "/" in scheme:
            return scheme + mark + rest
        return f"{scheme}:///{rest}" if scheme in ("file", "local") else f"{scheme}://{rest}"

    def exists(self) -> bool:
        """Whether there is an object."""
        with self._store() as (store, path):
            return bool(store.exists(path))

    def read_bytes(self) -> bytes:
        """The object's content."""
        with self._store() as (store, path):
            return bytes(store.cat_file(path))

    def open(self, mode: str = "rb") -> io.BytesIO:
        """The object's content as a file to read from."""
        return io.BytesIO(self.read_bytes())

    def write_bytes(self, data: bytes) -> None:
        """Put an object there, whole or not at all, instead of any that is."""
        with self._store() as (store, path):
            with contextlib.suppress(NotImplementedError):
                store.makedirs(path.rpartition("/")[0], exist_ok=True)
            store.pipe_file(path, data)

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the object."""
        try:
            with self._store() as (store, path):
                store.rm_file(path)
        except FileNotFoundError:
            if not missing_ok:
                raise

    def move_to(self, target: Address) -> None:
        """Give the object another address of the same store."""
        with self._store() as (store, path), target._store() as (_, place):
            store.mv(path, place)

    def marks(self) -> tuple[int, int, int]:
        """What changes when the object does: its size, and two numbers from what the store says of it (ETag, time)."""
        with self._store() as (store, path):
            said = hashlib.sha256(str(store.ukey(path)).encode()).digest()
            return (int(store.size(path)), int.from_bytes(said[:7], "big"), int.from_bytes(said[7:14], "big"))

    @contextlib.contextmanager
    def _store(self) -> Iterator[tuple[Any, str]]:
        """The file system and the path in it; its errors as a path's."""
        import fsspec.core

        try:
            # Listings that were kept would tell of objects as they were.
            store, path = fsspec.core.url_to_fs(str(self), use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise RequestError(f"{self} can't be opened: {error}") from None
        try:
            yield store, path
        except (OSError, NotImplementedError):
            raise
        except Exception as error:  # stores have errors of their own, of every ancestry
            raise OSError(f"{type(error).__name__}: {error}") from error


Place: TypeAlias = Path | Address


def at(base: Place, name: str | os.PathLike[str]) -> Place:
    """The place that a name stands for: an address as it is, a path from `base`."""
    text = os.fspath(name)
    return Address(text) if is_address(text) else base / text


def is_address(name: str) -> bool:
    """Whether a name is that of an object: SCHEME://..."""
    scheme, mark, _ = name.partition("://")
    return bool(mark) and len(scheme) > 1 and scheme.replace("+", "").replace("-", "").isalnum()


def marks_of(place: Place) -> tuple[int, int, int]:
    """Size, time of the last change and inode of a file, or what stands for them. Raises OSError."""
    if isinstance(place, Address):
        return place.marks()
    return marks_of_status(os.stat(place))  # noqa: PTH116 - called for every file of every row


def marks_of_status(status: os.stat_result) -> tuple[int, int, int]:
    """Size, modification time in ns and inode."""
    return (status.st_size, status.st_mtime_ns, status.st_ino)


def is_there(place: Place) -> bool:
    """Whether something has the name; for a path also a link that leads nowhere."""
    return place.exists() if isinstance(place, Address) else os.path.lexists(place)


def stage(hidden: Place, data: bytes, target: Place) -> None:
    """Put a result into its hidden place, on the disk. Raises OutputError."""
    if isinstance(hidden, Address):
        with _telling(hidden):
            hidden.write_bytes(data)
    else:
        assert isinstance(target, Path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"can't make the folder {target.parent}: {error.strerror or error}") from error
        stage_file(hidden, data, target)


def publish(hidden: Place, target: Place, *, overwrite: bool) -> None:
    """Let a result take its name. Raises OutputError; the hidden one then stays."""
    if isinstance(hidden, Address):
        assert isinstance(target, Address)
        with _telling(target):
            if not overwrite and target.exists():
                raise OutputError(
                    f"{target} exists already",
                    code="output-exists",
                    field="output",
                    value=str(target),
                    hint="choose another name, or set overwrite",
                )
            hidden.move_to(target)
    else:
        publish_file(hidden, target, overwrite=overwrite)


def write(place: Place, data: bytes) -> None:
    """Write a file that is the batch's own, whole or not at all, instead of any that is there. Raises OutputError.

    Its hidden file always has the same name, so that one that a crash left is replaced the next time and not left
    for good.
    """
    if isinstance(place, Address):
        with _telling(place):
            place.write_bytes(data)
    else:
        hidden = part_of(place)
        hidden.unlink(missing_ok=True)
        stage_file(hidden, data, place)
        publish_file(hidden, place, overwrite=True)


def part_of(target: Path) -> Path:
    """The hidden file of one of the batch's own files."""
    return target.with_name(f".{target.name}.part")


@contextlib.contextmanager
def _telling(target: Address) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"can't write {target}: {error.strerror or error}") from error
