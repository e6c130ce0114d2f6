"""The files of sessions, each in the folder of its owner, and the list of them in memory.

    OWNER/ID.overpaint      the session
    OWNER/ID.json           its name, and what a list says of it: written last, removed first
    OWNER/ID.landed.json    which jobs wrote a step into it (see `landing.py`)
    OWNER/ID.audit.jsonl    its audit log, where it has one

Ids are made here. Nothing that a client sends becomes a part of a path but an id that is known.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from overpaint.errors import OutputError
from overpaint.files import not_written, write_file
from overpaint.server.errors import NotFoundError, StorageFullError
from overpaint.server.reading import bounded
from overpaint.server.settings import ServerSettings
from overpaint.session import Session

from .checking import SessionFacts, checked_session
from .originals import OriginalCache

log = logging.getLogger("overpaint.server")

_ID = re.compile("[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class StoredSession:
    """What a list says of a session.

    Attributes:
        id: Its name, which nobody guesses.
        name: Its name for people.
        created: Seconds since 1970.
        width, height: Of the original, as displayed.
        renamed: How often its name was changed.
        audited: Whether it has an audit log.
    """

    id: str
    name: str
    created: float
    width: int
    height: int
    renamed: int = 0
    audited: bool = False


class SessionStore:
    """The sessions of all owners. Thread-safe."""

    def __init__(self, folder: Path, settings: ServerSettings, originals: OriginalCache) -> None:
        """`folder` is made where it is missing. What a server's end left unfinished is removed."""
        self._folder = folder.absolute()  # as messages of sessions have it, from which it is left out
        self._settings = settings
        self._originals = originals
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], StoredSession] = {}
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in folder.parent.glob("scratch/*"):
            with contextlib.suppress(OSError):
                left.unlink()
        for table in folder.glob("*/*.json"):
            if _ID.fullmatch(table.stem):
                try:
                    self._known[table.parent.name, table.stem] = StoredSession(**json.loads(table.read_bytes()))
                except (OSError, ValueError, TypeError) as error:
                    log.error("the session %s can't be listed: %s", table.stem, error)
        for file in folder.glob("*/*"):
            id = file.name.lstrip(".")[:32]
            if _ID.fullmatch(id) and (file.parent.name, id) not in self._known and not _table(file.parent, id).exists():
                with contextlib.suppress(OSError):
                    file.unlink()

    def scratch(self) -> Path:
        """Where a file may be made that is soon removed; what is left is removed at the next start."""
        folder = self._folder.parent / "scratch"
        folder.mkdir(exist_ok=True, mode=0o700)
        return folder / secrets.token_hex(16)

    def create(self, owner: str, picture: bytes, name: str, *, audited: bool = False) -> StoredSession:
        """A new session of a picture's file.

        Raises:
            PictureError: It can't be read.
            OutputError: The session can't be written.
            StorageFullError: The owner's sessions are as large as they may be in all.
        """
        self._check_room(owner, len(picture))
        original = self._originals.open(picture, hashlib.sha256(picture).hexdigest())
        id, folder = secrets.token_hex(16), self._made(owner)
        Session.create(original, folder / f"{id}.overpaint").close()
        width, height = original.size
        return self._begun(owner, StoredSession(id, name, time.time(), width, height, audited=audited))

    def upload_path(self, owner: str) -> Path:
        """Where the file of a session may be written that is then given to `adopt`."""
        return self._made(owner) / f"{secrets.token_hex(16)}.upload"

    def adopt(
        self, owner: str, upload: Path, name: str, check: Callable[[], None] = lambda: None, *, audited: bool = False
    ) -> StoredSession:
        """Keep a session that was sent. Its file is read whole, in a process of its own.

        Args:
            owner: Whose it is.
            upload: Its file, by `upload_path`; it is moved, or removed where it is refused.
            name: Its name; "" for that of its original.
            check: Called while the file is read; what it raises ends that.
            audited: Whether it gets an audit log.

        Raises:
            SessionError: It is none, or it is damaged.
            PictureError: Its original can't be read, or has too many pixels.
            InputError: Reading it took too long, or more memory than there is.
        """
        try:
            self._check_room(owner, upload.stat().st_size)
            facts: SessionFacts = bounded(
                self._settings, checked_session, str(upload), self._settings.most_pixels, check=check
            )
            id = upload.stem
            upload.chmod(0o600)
            upload.replace(upload.with_suffix(".overpaint"))
        except OSError as error:
            raise not_written(upload, error) from error
        finally:
            upload.unlink(missing_ok=True)
        made = StoredSession(id, name or facts.name, time.time(), facts.width, facts.height, audited=audited)
        return self._begun(owner, made)

    def get(self, owner: str, id: str) -> StoredSession:
        """What is known of a session. NotFoundError where its owner has no such."""
        with self._lock:
            found = self._known.get((owner_folder(owner), id))
        if found is None:
            raise NotFoundError("there is no such session", field="session", value=id)
        return found

    def all(self, owner: str) -> list[StoredSession]:
        """The sessions of an owner, the newest first."""
        folder = owner_folder(owner)
        with self._lock:
            found = [one for (whose, _), one in self._known.items() if whose == folder]
        return sorted(found, key=lambda one: one.created, reverse=True)

    def rename(self, owner: str, id: str, name: str) -> StoredSession:
        """Give a session another name."""
        found = self.get(owner, id)
        changed = replace(found, name=name, renamed=found.renamed + 1)
        return self._add(owner, changed)

    def path(self, owner: str, id: str, suffix: str = ".overpaint") -> Path:
        """The session's file, or one beside it. NotFoundError where its owner has no such."""
        self.get(owner, id)
        return self._folder / owner_folder(owner) / f"{id}{suffix}"

    def delete(self, owner: str, id: str) -> None:
        """Remove a session. NotFoundError where its owner has no such."""
        folder = self._folder / owner_folder(owner)
        self.get(owner, id)
        try:
            _table(folder, id).unlink(missing_ok=True)
        except OSError as error:
            raise OutputError(f"the session can't be removed: {error.strerror}") from error
        with self._lock:
            self._known.pop((owner_folder(owner), id), None)
        for file in (*folder.glob(f"{id}*"), *folder.glob(f".{id}*")):
            with contextlib.suppress(OSError):  # the next start removes what is left
                file.unlink()

    def _check_room(self, owner: str, size: int) -> None:
        """Raise StorageFullError where a session of this size does not fit beside the owner's others."""
        folder = self._folder / owner_folder(owner)
        most, stored = self._settings.client_bytes, 0
        for file in folder.glob("*.overpaint"):
            with contextlib.suppress(OSError):
                stored += file.stat().st_size
        if stored + size > most:
            raise StorageFullError(
                f"the session has {size:,} bytes, and your sessions have {stored:,} of {most:,}",
                field="session",
                value=size,
                hint="delete sessions that are not needed any more, or make them smaller (compact)",
            )

    def _begun(self, owner: str, session: StoredSession) -> StoredSession:
        """Add a new session; where that can't be written down, its file goes as well."""
        try:
            return self._add(owner, session)
        except BaseException:
            (self._folder / owner_folder(owner) / f"{session.id}.overpaint").unlink(missing_ok=True)
            raise

    def _add(self, owner: str, session: StoredSession) -> StoredSession:
        folder = owner_folder(owner)
        table = json.dumps(asdict(session)).encode()
        write_file(_table(self._folder / folder, session.id), table, overwrite=True, permissions=0o600)
        with self._lock:
            self._known[folder, session.id] = session
        return session

    def _made(self, owner: str) -> Path:
        folder = self._folder / owner_folder(owner)
        folder.mkdir(exist_ok=True, mode=0o700)
        return folder


def owner_folder(owner: str) -> str:
    """The name of an owner's folder: a hash, as a key's name is not made for file systems."""
    return hashlib.sha256(owner.encode()).hexdigest()[:32]


def _table(folder: Path, id: str) -> Path:
    return folder / f"{id}.json"
