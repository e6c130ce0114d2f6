"""Where pictures and results are kept: in folders, or in object stores by address (s3://..., all that fsspec opens).

The rest of a batch handles both alike. An object store can't rename: there a result gets its name by a copy, which
appears whole or not at all, and then the hidden object is removed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import re
import stat
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, TypeAlias, TypeVar
from urllib.parse import unquote

from overpaint.errors import MissingExtraError, OutputError, RequestError
from overpaint.files import exists_already, is_full, publish_file, write_hidden_file
from overpaint.ledger import LedgerEntry

from .calls import Patience, patiently
from .credentials import without_credentials

T = TypeVar("T")

FETCHING = Patience(300.0)
"""For a whole object; at most a row's own time."""

_ASKING = Patience(60.0)
_NUMBERS = {
    FileNotFoundError: errno.ENOENT,
    PermissionError: errno.EACCES,
    FileExistsError: errno.EEXIST,
    TimeoutError: errno.ETIMEDOUT,
}
"""Of errors that a store's package raises without a number."""


class Address(PurePosixPath):
    """The address of an object: s3://bucket/folder/a.png. Path arithmetic is that of a pure path.

    Raises:
        FileNotFoundError, OSError: As a `Path` does, from every method that uses the store.
        RequestError: No installed package opens such addresses.
    """

    __slots__ = ()

    def __str__(self) -> str:
        """With both slashes, of which a pure path keeps one; three where there is no host (file:///a.png)."""
        scheme, mark, rest = super().__str__().partition(":/")
        if not mark or "/" in scheme:
            return scheme + mark + rest
        return f"{scheme}:///{rest}" if scheme in ("file", "local") else f"{scheme}://{rest}"

    def exists(self) -> bool:
        """Whether there is an object."""
        return bool(self._ask(lambda store, path: store.exists(path)))

    def read_bytes(self, patience: Patience = FETCHING) -> bytes:
        """The object's content."""
        return bytes(self._ask(lambda store, path: store.cat_file(path), patience))

    def open(self, mode: str = "rb") -> io.BytesIO:
        """The object's content as a file to read from."""
        return io.BytesIO(self.read_bytes())

    def write_bytes(self, data: bytes, patience: Patience = FETCHING) -> None:
        """Write the object, whole or not at all; an existing one is replaced. Never makes a bucket."""

        def put(store: Any, path: str) -> None:
            if self._has_folders:
                store.makedirs(path.rpartition("/")[0], exist_ok=True)
            store.pipe_file(path, data)

        self._ask(put, patience)

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the object."""
        try:
            self._ask(lambda store, path: store.rm_file(path))
        except FileNotFoundError:
            if not missing_ok:
                raise

    def move_to(self, target: Address) -> None:
        """Give the object another address of the same store."""
        _, place = target._opened()

        def move(store: Any, path: str) -> None:
            if self._has_folders and self._scheme != "memory":
                store.mv(path, place)
            else:  # `mv` would take *, ? and [ in a name for a pattern
                store.cp_file(path, place)
                store.rm_file(path)

        self._ask(move, FETCHING)

    def is_dir(self) -> bool:
        """Whether there are objects below this address."""
        return bool(self._ask(lambda store, path: store.isdir(path)))

    def below(self) -> list[Address]:
        """All objects below this address, but for those in hidden folders. Raises OSError for a folder that can't be
        listed.
        """

        def find(store: Any, path: str) -> list[str]:
            root = path.rstrip("/") + "/"
            found = _walked(store, path) if self._has_folders else store.find(path)
            return [one.removeprefix(root) for one in found if one.startswith(root)]

        return [self / name for name in self._ask(find, FETCHING) if name and not name.endswith("/")]

    def marks(self) -> tuple[int, int, int]:
        """Three numbers that change when the object does: its size, and two from all else that the store says of it,
        such as its ETag and time.
        """

        def look(store: Any, path: str) -> tuple[int, int, int]:
            info = store.info(path)
            key = hashlib.sha256(repr(sorted(info.items())).encode()).digest()
            return (int(info["size"] or 0), int.from_bytes(key[:7], "big"), int.from_bytes(key[7:14], "big"))

        return self._ask(look)

    @property
    def _scheme(self) -> str:
        return str(self).partition("://")[0].lower()

    @property
    def _has_folders(self) -> bool:
        """Whether folders are made before files; in a store of objects that would make a bucket."""
        return self._scheme in ("file", "local", "memory", "sftp", "ssh", "ftp", "smb", "hdfs", "webhdfs")

    @property
    def _options(self) -> dict[str, Any]:
        """Of its file system. A web server must not send the request on to an address that nobody has allowed."""
        if self._scheme not in ("http", "https"):
            return {}
        return {"allow_redirects": False, "client_kwargs": {"raise_for_status": refuse_redirection}}

    def _opened(self) -> tuple[Any, str]:
        """The file system and the path in it."""
        import fsspec.core

        if self._scheme in ("s3", "s3a"):
            try:
                import s3fs  # noqa: F401 - fsspec imports it by name
            except ImportError:
                raise MissingExtraError.of(f"the address {self}", "s3") from None
        try:
            # A cached listing would be out of date.
            return fsspec.core.url_to_fs(str(self), use_listings_cache=False, **self._options)  # type: ignore[no-any-return]
        except (ImportError, ValueError) as error:
            raise RequestError(f"{self} can't be opened: {without_credentials(str(error))}") from None

    def _ask(self, do: Callable[[Any, str], T], patience: Patience = _ASKING) -> T:
        """The result of a call to the store; its errors become OSErrors without credentials."""
        store, path = self._opened()
        try:
            return patiently(lambda: _as_system_error(do, store, path), patience)
        except OSError as error:
            raise OSError(error.errno or errno.EIO, without_credentials(error.strerror or str(error))) from None


def _walked(store: Any, root: str) -> Iterator[str]:
    """The files of a store with folders. Its own `find` leaves out folders that it can't list."""
    folders = [root]
    while folders:
        folder = folders.pop()
        for info in store.ls(folder, detail=True):
            place = info["name"].rstrip("/")
            if info["type"] != "directory":
                yield place
            elif place != folder and not PurePosixPath(place).name.startswith("."):
                folders.append(place)


async def refuse_redirection(response: Any) -> None:
    """Raise OSError for an answer of HTTP that names another address."""
    if 300 <= response.status < 400:
        raise OSError(errno.EACCES, "it is redirected to another address, which is not followed")


def _as_system_error(do: Callable[[Any, str], T], store: Any, path: str) -> T:
    try:
        return do(store, path)
    except OSError as error:
        if error.errno is not None:
            raise
        number = next((number for kind, number in _NUMBERS.items() if isinstance(error, kind)), errno.EIO)
        raise OSError(number, str(error) or "it did not answer in time") from error
    except Exception as error:  # stores have errors of their own, with no common base
        number = errno.EACCES if "Credentials" in type(error).__name__ else errno.EIO
        raise OSError(number, f"{type(error).__name__}: {error}") from error


Place: TypeAlias = Path | Address


def at(base: Place, name: str | os.PathLike[str]) -> Place:
    """The place of a name: an address as it is, a path relative to `base`."""
    text = os.fspath(name)
    return Address(text) if is_address(text) else base / text


ASIDE = "needs-review"
"""The folder, within that of the results, for results that a person has to look at."""


def aside_of(out: Place, output: Place) -> Place:
    """Where a result with this path in the folder of results lies while it needs a review."""
    return out / ASIDE / output.relative_to(out)


def name_of_result(entry: LedgerEntry) -> str:
    """The path of a job's result in the folder of results, where it lies now."""
    return f"{ASIDE}/{entry.spec}" if entry.state == "needs-review" else entry.spec


def is_address(name: str) -> bool:
    """Whether a name is an address: SCHEME://..."""
    return re.match(r"[A-Za-z0-9+-]{2,}://", name) is not None


def check_allowed(name: str, allow: Collection[str]) -> None:
    """Raise RequestError for an address that begins with none of those that are allowed: SCHEME:// or
    SCHEME://HOST/FOLDER/, whole parts of it. Paths are no addresses. An address of addresses (zip://a::s3://b/c) is
    refused, and so is one with "..", which would lead out of its folder, or with control characters, which some
    packages leave out before they read it (the URL standard, 4.4).
    """
    if not is_address(name) and "::" not in name:
        return
    scheme, _, rest = name.partition("://")
    parts = re.split(r"[/\\]", unquote(rest))
    plain = "::" not in name and not {"..", "."} & set(parts)
    plain &= re.search(r"[\x00-\x1f\x7f-\x9f]", unquote(name)) is None
    for one in allow if plain else ():
        root, _, folder = one.partition("://")
        wanted = [part for part in folder.split("/") if part]
        if root.lower() == scheme.lower() and [part for part in parts if part][: len(wanted)] == wanted:
            return
    raise RequestError(
        f"the address {name} is not allowed: rows may name files of this machine, and addresses that are allowed",
        code="address-refused",
        value=name,
        hint="allow its beginning, such as s3://bucket/",
    )


def marks_of(place: Place) -> tuple[int, int, int]:
    """Size, modification time and inode of a file, or an object's `marks`. Raises OSError, also for what is no file."""
    if isinstance(place, Address):
        return place.marks()
    status = os.stat(place)  # noqa: PTH116 - called for every file of every row
    if not stat.S_ISREG(status.st_mode):  # a pipe or a device may have no end
        raise OSError(errno.EINVAL, "it is no regular file", str(place))
    return (status.st_size, status.st_mtime_ns, status.st_ino)


def files_in(folder: Place) -> list[Place]:
    """All that is no folder, in the order of names; hidden ones and those in hidden folders left out. Links to folders
    are not followed. Raises OSError for a folder that can't be listed, as its files would count as gone.
    """
    found: Iterable[Place] = folder.below() if isinstance(folder, Address) else _files_below(folder)
    return sorted(place for place in found if not any(part.startswith(".") for part in place.relative_to(folder).parts))


def _files_below(root: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise error

    for folder, within, names in os.walk(root, onerror=refuse):
        within[:] = [name for name in within if not name.startswith(".")]
        yield from (Path(folder, name) for name in names)


def resolved(place: Place) -> Place:
    """A path without links; an address as it is."""
    return place if isinstance(place, Address) else place.resolve()


def is_there(place: Place) -> bool:
    """Whether the name is taken; for a path also by a broken link."""
    return place.exists() if isinstance(place, Address) else os.path.lexists(place)


def check_inside(target: Place, out: Place) -> None:
    """Raise OutputError where a symbolic link leads a result out of the folder of results."""
    if isinstance(target, Path) and isinstance(out, Path):
        place = os.path.realpath(target)
        if not Path(place).is_relative_to(os.path.realpath(out)):
            raise OutputError(
                f"a symbolic link leads {target} out of the folder of results, to {place}",
                code="output-outside",
                field="output",
                value=str(target),
                hint="remove the link, or choose another name",
            )


def stage(
    hidden: Place, data: bytes, target: Place, permissions: int = 0o666, *, patience: Patience = FETCHING
) -> None:
    """Write a result to its hidden file, with at most these permissions, and flush it. `patience` is for stores.

    Raises:
        OutputError: It can't be written.
    """
    if isinstance(hidden, Address):
        with _reported(target):
            hidden.write_bytes(data, patience)
    else:
        assert isinstance(target, Path)
        make_folder(target.parent)
        write_hidden_file(hidden, data, target, permissions)


def make_folder(folder: Path) -> None:
    """Make a folder for results. Raises OutputError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"can't make the folder {folder}: {error.strerror or error}") from error


def publish(hidden: Place, target: Place, *, overwrite: bool) -> None:
    """Give a hidden file its name. Raises OutputError; the hidden file then stays."""
    if isinstance(hidden, Address):
        assert isinstance(target, Address)
        with _reported(target):
            if not overwrite and target.exists():
                raise exists_already(target)
            hidden.move_to(target)
    else:
        publish_file(hidden, target, overwrite=overwrite)


def write(place: Place, data: bytes) -> None:
    """Write one of the batch's own files, whole or not at all; an existing one is replaced. Raises OutputError.

    Its hidden file always has the same name, so that one left by a crash is replaced the next time.
    """
    if isinstance(place, Address):
        with _reported(place):
            place.write_bytes(data)
    else:
        hidden = part_of(place)
        hidden.unlink(missing_ok=True)
        write_hidden_file(hidden, data, place)
        publish_file(hidden, place, overwrite=True)


def part_of(target: Path) -> Path:
    """The hidden file of one of the batch's own files, while it is written."""
    return target.with_name(f".{target.name}.part")


def disk_is_full(error: BaseException) -> bool:
    """Whether a file could not be written for want of room, which is no fault of a row."""
    cause = error.__cause__
    return isinstance(error, OutputError) and cause is not None and is_full(cause)


@contextlib.contextmanager
def _reported(target: Place) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"can't write {target}: {error.strerror or error}") from error
