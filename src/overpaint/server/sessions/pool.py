"""Open sessions: each used by one thread at a time, with what clients see of it in memory.

A session is opened when it is needed and closed when it was not used for long. Of those that are open a limited number
of bytes of pixels is kept. Engines paint without it (`StepPlan`), so that it is never held for long.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from overpaint.audit import AuditLog, ChainHead, SessionAudit, read_head
from overpaint.errors import InputError, OverpaintError, SessionError
from overpaint.files import not_written
from overpaint.server.errors import ChangedError, ConflictError, NotFoundError, ServerError
from overpaint.server.events import SessionEvents
from overpaint.server.job import EditJob
from overpaint.session import Compacted, Session, Step, StepPlan
from overpaint.studio import Edited, Studio

from .landing import Landing, landed_by, note_landing
from .originals import OriginalCache
from .status import SessionStatus
from .store import SessionStore

T = TypeVar("T")

log = logging.getLogger("overpaint.server")

_AUDIT = ".audit.jsonl"

_KNOWN = 2000
"""Sessions whose state is kept in memory."""


class _OpenSession:
    """What the server has of one session in memory."""

    def __init__(self, owner: str, id: str) -> None:
        self.owner = owner
        self.id = id
        self.lock = threading.RLock()
        self.session: Session | None = None
        self.status: SessionStatus | None = None
        self.events = SessionEvents()
        self.users = 0
        self.painting = 0
        self.deleted = False

    @property
    def idle(self) -> bool:
        return not self.users and not self.events.followed


class SessionPool:
    """The sessions of all owners, open or not. Thread-safe."""

    def __init__(
        self, store: SessionStore, originals: OriginalCache, studio: Studio, most_open: int, most: int
    ) -> None:
        """Nothing is opened yet.

        Args:
            store: Their files.
            originals: Decodes the pictures that they begin with.
            studio: What would paint; the pool's users have their own way to it.
            most_open: Sessions that stay open while nobody uses them.
            most: Bytes of pixels that these keep.
        """
        self.store = store
        self._originals = originals
        self._studio = studio
        self._most_open, self._most = most_open, most
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _OpenSession] = OrderedDict()

    def close(self) -> None:
        """Close all."""
        with self._lock:
            entries, self._entries = list(self._entries.values()), OrderedDict()
        for entry in entries:
            with entry.lock:
                self._shut(entry)

    # ── looking ───────────────────────────────────────────────────────────────────────────────────────────────────

    def known(self, owner: str, id: str) -> SessionStatus | None:
        """How a session is now, where that is in memory; NotFoundError where its owner has no such."""
        self.store.get(owner, id)
        with self._lock:
            entry = self._entries.get(id)
            return None if entry is None else entry.status

    def status(self, owner: str, id: str) -> SessionStatus:
        """How a session is now. NotFoundError where its owner has no such; SessionError where it is damaged."""
        found = self.known(owner, id)
        if found is None:
            with self._use(owner, id) as (entry, session):
                found = self._seen(entry, session)
        return found

    def events(self, owner: str, id: str) -> SessionEvents:
        """What happens to a session. Errors as for `status`."""
        self.status(owner, id)
        with self._entry(owner, id) as entry:
            return entry.events

    def read(self, owner: str, id: str, look: Callable[[Session], T]) -> T:
        """What a function finds in a session, which it leaves as it is. Errors as for `status`, and its own."""
        with self._use(owner, id) as (_, session):
            return look(session)

    def copied(
        self, owner: str, id: str, suffix: str = ".overpaint", look: Callable[[Session], None] = lambda session: None
    ) -> Path:
        """A copy of a session's file, or of the one beside it, to be sent and removed. Errors as for `status`.

        Args:
            owner, id: Which.
            suffix: Of the file.
            look: Called with the session while nobody else uses it.
        """
        copy = self.store.scratch()

        def copied(session: Session) -> None:
            look(session)
            shutil.copyfile(self.store.path(owner, id, suffix), copy)

        try:
            self.read(owner, id, copied)
        except OSError as error:
            copy.unlink(missing_ok=True)
            raise not_written(copy, error) from error
        return copy

    def audit_log(self, owner: str, id: str) -> tuple[Path, ChainHead]:
        """A copy of a session's audit log, to be sent and removed, and the end of its chain. Errors as for `status`."""
        ends: list[ChainHead] = []

        def noted(session: Session) -> None:
            found = read_head(self.store.path(owner, id, _AUDIT))
            if found is not None:
                ends.append(found)

        path = self.copied(owner, id, _AUDIT, noted)
        if not ends:
            path.unlink(missing_ok=True)
            raise NotFoundError("the session's audit log has no head", field="session", value=id)
        return path, ends[0]

    # ── changing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def check(self, owner: str, id: str, version: int | None) -> None:
        """Raise ChangedError where a session has another version than this one."""
        if version is not None and (present := self.status(owner, id).version) != version:
            raise _changed(present)

    def change(
        self, owner: str, id: str, act: Callable[[Session], object], version: int | None = None
    ) -> SessionStatus:
        """Let a function change a session, and tell who follows it. Returns how it is then.

        Args:
            owner, id: Which.
            act: What is done.
            version: The version that it must have.

        Raises:
            ChangedError: It has another version.
            OverpaintError: As for `status`, and what the function raises.
        """
        with self._use(owner, id) as (entry, session):
            present = self._seen(entry, session).version
            if version not in (None, present):
                raise _changed(present)
            try:
                act(session)
            finally:
                found = self._renewed(entry, session)
            return found

    def land(
        self, owner: str, id: str, job: str, plan: StepPlan, takes: Sequence[str], last: Edited | None
    ) -> tuple[Step, SessionStatus]:
        """Make a step of what a job has painted and kept; see `Session.land`. The job is noted first."""
        path = self.store.path(owner, id, ".landed.json")

        def landed(session: Session) -> None:
            note_landing(path, Landing(job, len(session.actions), tuple(takes)))
            steps.append(session.land(plan, takes, last))

        steps: list[Step] = []
        status = self.change(owner, id, landed)
        return steps[0], status

    def landed(self, owner: str, id: str, job: str) -> list[tuple[int, int, int]]:
        """What a job has written before a crash: the step, its first take's number, and how many takes."""
        path = self.store.path(owner, id, ".landed.json")

        def look(session: Session) -> list[tuple[int, int, int]]:
            found = []
            for action in landed_by(path, job, session):
                step = action.after.step(action.action.step)  # type: ignore[union-attr]
                found.append((step.number, step.takes.index(action.takes[0]) + 1, len(action.takes)))
            return found

        return self.read(owner, id, look)

    @contextlib.contextmanager
    def painting(self, owner: str, id: str) -> Iterator[None]:
        """While this holds, takes are kept in a session that nothing names yet: they are not compacted away."""
        with self._entry(owner, id) as entry:
            with entry.lock:
                entry.painting += 1
            try:
                yield
            finally:
                with entry.lock:
                    entry.painting -= 1

    def compact(
        self, owner: str, id: str, version: int | None = None, *, takes: bool, branches: bool, undo: bool
    ) -> tuple[Compacted, SessionStatus]:
        """Make a session smaller; see `Session.compact`. ConflictError while a job paints for it."""
        done: list[Compacted] = []

        def act(session: Session) -> None:
            if self._entries[id].painting:
                raise ConflictError("an edit of the session is being painted: wait until it is done, or cancel it")
            done.append(session.compact(takes=takes, branches=branches, undo=undo))

        status = self.change(owner, id, act, version)
        return done[0], status

    def rename(self, owner: str, id: str, name: str, version: int | None = None) -> SessionStatus:
        """Give a session another name. Errors as for `change`."""
        with self._use(owner, id) as (entry, session):
            present = self._seen(entry, session).version
            if version not in (None, present):
                raise _changed(present)
            self.store.rename(owner, id, name)
            entry.status = SessionStatus.of(self.store.get(owner, id), session)
            entry.events.add("renamed", name=name, version=entry.status.version)
            return entry.status

    def delete(self, owner: str, id: str, version: int | None = None) -> None:
        """Remove a session. Whoever uses it now is done first. Errors as for `change`."""
        with self._entry(owner, id) as entry, entry.lock:
            if version is not None:
                self.check(owner, id, version)
            self._shut(entry)
            self.store.delete(owner, id)
            entry.deleted, entry.status = True, None
            entry.events.add("deleted")
        with self._lock:
            self._entries.pop(id, None)

    def job_changed(self, job: EditJob) -> None:
        """Tell who follows a session of the state of a job of it."""
        with self._lock:
            entry = None if job.session is None else self._entries.get(job.session)
        if entry is not None:
            entry.events.add("job", id=job.id, state=job.state)

    # ── within ────────────────────────────────────────────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def _entry(self, owner: str, id: str) -> Iterator[_OpenSession]:
        self.store.get(owner, id)
        with self._lock:
            entry = self._entries.get(id)
            if entry is None:
                entry = self._entries[id] = _OpenSession(owner, id)
            self._entries.move_to_end(id)
            entry.users += 1
        try:
            yield entry
        finally:
            with self._lock:
                entry.users -= 1

    @contextlib.contextmanager
    def _use(self, owner: str, id: str) -> Iterator[tuple[_OpenSession, Session]]:
        """A session for this thread alone."""
        with self._entry(owner, id) as entry, entry.lock:
            if entry.deleted:
                raise NotFoundError("there is no such session", field="session", value=id)
            if entry.session is None:
                entry.session = self._opened(owner, id)
            try:
                yield entry, entry.session
            except BaseException as error:
                if not isinstance(error, InputError | ServerError):
                    # A full disk, say: what is in memory may not be what is on it.
                    self._shut(entry)
                    entry.status = None
                if isinstance(error, OverpaintError):
                    _leave_out(error, self.store.path(owner, id), id)
                raise
        self._trim()

    def _opened(self, owner: str, id: str) -> Session:
        stored = self.store.get(owner, id)
        recorder = SessionAudit(AuditLog(self.store.path(owner, id, _AUDIT))) if stored.audited else None
        path = self.store.path(owner, id)
        try:
            return Session.open(path, studio=self._studio, recorder=recorder, opener=self._originals.open)
        except SessionError as error:  # the server's paths are nothing to a client
            log.error("the session %s can't be opened: %s", id, error)
            raise SessionError("the session can't be opened: it is damaged", code=error.code, value=id) from error

    def _seen(self, entry: _OpenSession, session: Session) -> SessionStatus:
        return entry.status or self._renewed(entry, session)

    def _renewed(self, entry: _OpenSession, session: Session) -> SessionStatus:
        """How it is now, in memory; those who follow it hear of a change."""
        before = entry.status
        entry.status = found = SessionStatus.of(self.store.get(entry.owner, entry.id), session)
        if before is None or before.version != found.version:
            what = session.actions[-1].text if session.actions else ""
            entry.events.add("changed", version=found.version, what=what, picture=found.picture)
        return found

    @staticmethod
    def _shut(entry: _OpenSession) -> None:
        if entry.session is not None:
            with contextlib.suppress(OverpaintError, OSError):
                entry.session.close()
            entry.session = None

    def _trim(self) -> None:
        """Close sessions, and forget pixels, beyond what may be kept: those first that were not used for longest."""
        with self._lock:
            entries = list(self._entries.values())
        unused = [entry for entry in entries if entry.session is not None and not entry.users]
        close = max(0, len(unused) - self._most_open)
        held = sum(entry.session.bytes_in_memory for entry in entries if entry.session is not None)
        for number, entry in enumerate(unused):
            if number >= close and held <= self._most:
                break
            if not entry.lock.acquire(blocking=False):
                continue
            try:
                if entry.session is not None and not entry.users:
                    held -= entry.session.bytes_in_memory
                    entry.session.forget()
                    if number < close:
                        self._shut(entry)
            finally:
                entry.lock.release()
        with self._lock:
            for id in [id for id, entry in self._entries.items() if entry.idle and entry.session is None][:-_KNOWN]:
                del self._entries[id]


def _leave_out(error: OverpaintError, path: Path, id: str) -> None:
    """Say the session's id in the place of its path: the server's paths are nothing to a client."""
    error.message = error.message.replace(str(path), f"session {id}")
    error.context = error.context.replace(str(path), f"session {id}")
    if isinstance(error.value, str | Path) and str(path) in str(error.value):
        error.value = id


def _changed(present: int) -> ChangedError:
    return ChangedError(
        f"the session was changed meanwhile: its version is {present}",
        field="version",
        value=present,
        hint="get the session, and send the change again with that version",
    )
