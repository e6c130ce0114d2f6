"""Pictures and masks that clients sent, and results: files in the server's folder, each in the folder of its owner.

A picture is named by the SHA-256 of its file, so that the same upload twice is one picture. Nothing that a client sends
becomes a part of a path but such a digest. An owner's folder has the hash of the owner's name.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from overpaint.files import write_file

from .decoding import PictureFacts, facts_of, thumbnail_of
from .errors import NotFoundError, StorageFullError
from .reading import bounded
from .settings import ServerSettings

_ID = re.compile("[0-9a-f]{64}")
_THUMBNAILS = 256
"""Thumbnails that are kept in memory."""

_MOST_FILES = 100_000
"""Pictures beyond which an owner may upload no more, however small they are: what lists them looks at each."""


class PictureStore:
    """The pictures of all owners. Thread-safe."""

    def __init__(self, folder: Path, settings: ServerSettings) -> None:
        """`folder` is made where it is missing, for its owner alone. What a server's end left unfinished is removed."""
        self._folder = folder
        self._settings = settings
        self._lock = threading.Lock()
        self._thumbnails: dict[tuple[str, str, int], bytes] = {}
        self._uses: Counter[tuple[str, str]] = Counter()
        self._bytes = StoredBytes()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for table in folder.glob("*/*.json"):
            with contextlib.suppress(OSError, ValueError):
                file = table.with_suffix("")
                if json.loads(table.read_bytes()).get("temporary"):  # of a call that a server's end cut off
                    table.unlink()
                    file.unlink()
                else:
                    self._bytes.add(table.parent.name, file.stat().st_size)
        _remove_unfinished(folder, time.time())

    @property
    def size(self) -> int:
        """Bytes of all stored pictures."""
        return self._bytes.total

    def add(
        self,
        owner: str,
        data: bytes,
        check: Callable[[], None] = lambda: None,
        *,
        temporary: bool = False,
    ) -> PictureFacts:
        """Keep a picture that was sent.

        Args:
            owner: Whose it is.
            data: The file.
            check: Called while the file is read; what it raises ends that.
            temporary: Whether it goes with its last `drop`; a picture that was kept for good stays all the same.

        Raises:
            PictureError: It is no picture that can be read, or has too many pixels.
            InputError: Reading it took too long, or more memory than there is.
            StorageFullError: The owner's pictures are as large, or as many, as they may be in all.
        """
        id = hashlib.sha256(data).hexdigest()
        with contextlib.suppress(NotFoundError), self._lock:
            known, passing = self._read(owner, id)
            if passing and not temporary:
                self._write(owner, known, temporary=False)
            elif passing:
                self._uses[owner, id] += 1
            return known
        most = self._settings.client_bytes
        if (stored := self._bytes.of(self._owned(owner).name)) + len(data) > most:
            raise StorageFullError(
                f"the picture has {len(data):,} bytes, and your stored pictures have {stored:,} of {most:,}",
                field="picture",
                value=len(data),
                hint="delete pictures that are not needed any more, results among them",
            )
        if (count := self._bytes.files(self._owned(owner).name)) >= _MOST_FILES:
            raise StorageFullError(
                f"you have {count:,} stored pictures, which is the limit",
                field="picture",
                value=count,
                hint="delete pictures that are not needed any more, results among them",
            )
        facts = bounded(self._settings, facts_of, data, id, self._settings.most_pixels, check=check)
        return self.keep(owner, data, facts, temporary=temporary)

    def keep(self, owner: str, data: bytes, facts: PictureFacts, *, temporary: bool = False) -> PictureFacts:
        """Keep a picture of which all is known: a result. `temporary` as for `add`."""
        path = self._path(owner, facts.id)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        with self._lock:
            new = False
            try:
                passing = self._read(owner, facts.id)[1]
            except NotFoundError:
                write_file(path, data, overwrite=True, permissions=0o600)
                new, passing = True, temporary
            # The facts come last: a picture without them was not kept whole, and is not there.
            try:
                self._write(owner, facts, temporary=temporary and passing)
            except BaseException:
                if new:
                    path.unlink(missing_ok=True)
                raise
            if new:
                self._bytes.add(path.parent.name, len(data))
            if temporary and passing:
                self._uses[owner, facts.id] += 1
        return facts

    def drop(self, owner: str, id: str) -> None:
        """Say that a call that added a temporary picture needs it no more; after the last one it is removed."""
        with self._lock:
            if (owner, id) not in self._uses:
                return
            self._uses[owner, id] -= 1
            if self._uses[owner, id] > 0:
                return
            del self._uses[owner, id]
            with contextlib.suppress(NotFoundError):
                if self._read(owner, id)[1]:
                    self._remove(owner, id)

    def facts(self, owner: str, id: str) -> PictureFacts:
        """What is known of a picture. NotFoundError where its owner has no such."""
        return self._read(owner, id)[0]

    def _read(self, owner: str, id: str) -> tuple[PictureFacts, bool]:
        """What is known of a picture, and whether it is temporary."""
        try:
            table = json.loads(self._path(owner, id).with_suffix(".json").read_bytes())
        except (OSError, ValueError):
            raise _missing(id) from None
        passing = bool(table.pop("temporary", False))
        return PictureFacts(**{**table, "notes": tuple(table["notes"])}), passing

    def _write(self, owner: str, facts: PictureFacts, *, temporary: bool) -> None:
        table = json.dumps({**asdict(facts), **({"temporary": True} if temporary else {})}).encode()
        write_file(self._path(owner, facts.id).with_suffix(".json"), table, overwrite=True, permissions=0o600)

    def data(self, owner: str, id: str) -> bytes:
        """The file of a picture. NotFoundError where its owner has no such."""
        self.facts(owner, id)
        try:
            return self._path(owner, id).read_bytes()
        except OSError:
            raise _missing(id) from None

    def opened(self, owner: str, id: str) -> BinaryIO:
        """The file of a picture, open for reading. NotFoundError where its owner has no such."""
        try:
            return self._path(owner, id).open("rb")
        except OSError:
            raise _missing(id) from None

    def thumbnail(self, owner: str, id: str, side: int) -> bytes:
        """A WebP of at most `side` pixels across. NotFoundError where its owner has no such picture."""
        key = (owner, id, side)
        with self._lock:
            if key in self._thumbnails:
                return self._thumbnails[key]
        data = self.data(owner, id)
        made = bounded(self._settings, thumbnail_of, data, side, self._settings.most_pixels)
        with self._lock:
            while len(self._thumbnails) >= _THUMBNAILS:
                del self._thumbnails[next(iter(self._thumbnails))]
            self._thumbnails[key] = made
        return made

    def all(self, owner: str) -> Iterator[PictureFacts]:
        """The pictures of an owner that are kept, the newest first."""
        with contextlib.suppress(FileNotFoundError):
            found = [(path.stat().st_mtime_ns, path.stem) for path in self._owned(owner).glob("*.json")]
            for _, id in sorted(found, reverse=True):
                with contextlib.suppress(NotFoundError):
                    facts, passing = self._read(owner, id)
                    if not passing:
                        yield facts

    def delete(self, owner: str, id: str) -> None:
        """Remove a picture. NotFoundError where its owner has no such."""
        self.facts(owner, id)
        with self._lock:
            self._remove(owner, id)

    def _remove(self, owner: str, id: str) -> None:
        path = self._path(owner, id)
        path.with_suffix(".json").unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):
            size = path.stat().st_size
            path.unlink()
            self._bytes.add(path.parent.name, -size)
        for key in [key for key in self._thumbnails if key[:2] == (owner, id)]:
            del self._thumbnails[key]

    def _owned(self, owner: str) -> Path:
        return self._folder / hashlib.sha256(owner.encode()).hexdigest()[:32]

    def _path(self, owner: str, id: str) -> Path:
        if not _ID.fullmatch(id):
            raise _missing(id)
        return self._owned(owner) / id


class StoredBytes:
    """How many bytes of each owner are stored. Thread-safe; nobody who reads it waits for the disk."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owned: dict[str, int] = {}
        self._files: dict[str, int] = {}
        self._total = 0

    def add(self, folder: str, count: int) -> None:
        """A file of so many bytes has come into an owner's folder or, below 0, has left it."""
        with self._lock:
            self._owned[folder] = self._owned.get(folder, 0) + count
            self._files[folder] = self._files.get(folder, 0) + (1 if count >= 0 else -1)
            self._total += count

    def of(self, folder: str) -> int:
        """Bytes in an owner's folder."""
        with self._lock:
            return self._owned.get(folder, 0)

    def files(self, folder: str) -> int:
        """Files in an owner's folder."""
        with self._lock:
            return self._files.get(folder, 0)

    @property
    def total(self) -> int:
        """Bytes of all owners."""
        with self._lock:
            return self._total


def _remove_unfinished(folder: Path, start: float) -> None:
    """Remove files older than the start of which no facts are kept: a server's end came between the two. Facts come
    last, so that nobody was given the name of such a picture.
    """
    for file in folder.glob("*/*"):
        whole = file.suffix == ".json" and _ID.fullmatch(file.stem)
        if whole or (_ID.fullmatch(file.name) and file.with_suffix(".json").exists()):
            continue
        with contextlib.suppress(OSError):
            if file.stat().st_mtime <= start and not file.is_dir():
                file.unlink()


def _missing(id: str) -> NotFoundError:
    return NotFoundError("there is no such picture", field="picture", value=id)
