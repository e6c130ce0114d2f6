"""The actions of a session as evidence, one record each, and a session compared with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from overpaint.bounded import call_in_time
from overpaint.engines import card
from overpaint.errors import OverpaintError, SessionError
from overpaint.files import READING, digest_in_time, is_file
from overpaint.record import Record
from overpaint.session import Session, SessionAction, Take
from overpaint.studio import FinishedPicture, Saved, pixel_digest
from overpaint.values import digest_of, parse_json

from ._chain import Fault
from ._files import FileFindings, NamedFiles
from ._find import entries
from ._log import AuditLog
from ._note import now
from ._operator import Operator
from ._record import (
    NOTES_GONE,
    AuditRecord,
    InputFile,
    MaskFile,
    ModelUsed,
    SessionPlace,
    file_at,
    models_used,
    output_file,
    place_of,
    without_prompts,
)
from ._secret import Secret
from ._session_record import LoggedTake, SessionRecord


class SessionAudit:
    """Records every action of a session in an audit log, those too that were done without it.

    with Session.open("work.overpaint", recorder=SessionAudit(AuditLog("audit.jsonl"))) as session: ...
    """

    def __init__(
        self,
        log: AuditLog,
        *,
        masks: Sequence[MaskFile] = (),
        secret: Secret | None = None,
        accept: bool = False,
    ) -> None:
        """Nothing is read yet.

        Args:
            log: The log.
            masks: Files that the masks of what is done now were read from.
            secret: Private mode: prompts are replaced by hashes under this key.
            accept: Whether to go on where the log has actions that the session has no more; that is recorded.
        """
        self.log = log
        self._masks, self._secret, self._accept = tuple(masks), secret, accept
        self._known: dict[tuple[str, str], set[int]] = {}

    def record(self, session: Session, *, late: bool) -> None:
        """Record what is not in the log yet.

        Raises:
            OutputError: The log can't be written, or is at fault; or it has actions that the session has no more
                ("audit-fault").
        """
        which = session.id, place_of(session.place, self.log.path.parent)  # a copy goes on as a session of its own
        known = self._known.get(which)
        if known is None:
            known = self._known[which] = self._read(session, which[1])
        fresh = [] if 0 in known else [self._beginning(session, late=late)]
        fresh += [self._done(session, one, late=late) for one in session.actions if one.number not in known]
        if fresh:
            self.log.append(*fresh)
        else:
            self.log.check()
        known.update(one.session.number for one in fresh)

    def exported(self, session: Session, finished: FinishedPicture, saved: Saved) -> None:
        """Record a file that the session's picture was written to. Raises OutputError as `record`."""
        folder = self.log.path.parent
        record, hidden = self._private(saved.record(finished.record()))
        original = session.original
        last = session.actions[-1].number if session.actions else 0
        self.log.append(
            AuditRecord(
                made=now(),
                edit=record,
                input=InputFile(sha256=original.source.sha256, pixels_sha256=pixel_digest(original)),
                output=output_file(saved, folder),
                models=_models(record.edits),
                who=Operator.here(),
                hidden=hidden,
                session=_place(session, last, folder),
            )
        )

    def _read(self, session: Session, here: str) -> set[int]:
        """The numbers of the session's actions that the log has of it at its place."""
        every = logged_actions(self.log.path, session.id) if self.log.path.exists() else ()
        logged = [(line, place) for line, place in every if place.place == here]
        faults = [str(fault) for fault in session_faults(session, logged)]
        if faults and self._accept:
            self.log.accept_faults(*faults)
        self.log.refuse(faults)
        digests = _digests(session)
        return {place.number for _, place in logged if digests.get(place.number) == place.entry}

    def _beginning(self, session: Session, *, late: bool) -> SessionRecord:
        original = session.original
        return SessionRecord(
            made=now(),
            session=_place(session, 0, self.log.path.parent),
            time=session.head.created,
            branch="main",
            action={"do": "new", "name": session.head.original.name},
            input=InputFile(
                place=_place_of_original(session, self.log.path.parent),
                sha256=original.source.sha256,
                pixels_sha256=pixel_digest(original),
            ),
            result=pixel_digest(original),
            who=Operator.here(),
            late=late,
        )

    def _done(self, session: Session, done: SessionAction, *, late: bool) -> SessionRecord:
        painted = tuple(self._painted(digest, take) for digest, take in session.takes(done) if take is not None)
        shown = {step.take for step in done.after.visible}
        gone = not shown.isdisjoint(session.dropped)
        return SessionRecord(
            made=now(),
            session=_place(session, done.number, self.log.path.parent),
            time=done.time,
            branch=done.branch,
            action=done.action.to_mapping(),
            painted=painted,
            masks=() if late or done.action.do not in ("edit", "rerun", "mask") else self._masks,
            result=None if gone else pixel_digest(session.picture_at(done.after)),
            who=Operator.here(),
            late=late,
        )

    def _painted(self, digest: str, take: Take) -> LoggedTake:
        record, hidden = self._private(take.record)
        return LoggedTake(
            take=digest,
            paint=paint_digest(take),
            request=None if self._secret is not None else take.record.resolved.digest,
            edit=record,
            models=_models((take.record,)),
            hidden=hidden,
        )

    def _private(self, record: Record) -> tuple[Record, dict[str, str]]:
        if self._secret is None:
            return record, {}
        return without_prompts(record, self._secret, NOTES_GONE if record.notes else ())


def paint_digest(take: Take) -> str:
    """Digest of what a take has painted. The prompt alone does not give it, so a private log may hold it."""
    return digest_of([take.canvas, [patch.to_mapping() for patch in take.patches]])


def logged_actions(log: Path, session: str) -> Iterator[tuple[int, SessionPlace]]:
    """The actions of a session that a log has, each with its line; those of files that it was exported to too.

    Raises:
        InputError: The log, or one of these lines, can't be read.
    """
    for entry in entries(log, holding=session.encode(), sessions=True):
        place = parse_json(entry.text, "a record").get("session")
        if entry.whole and place and place.get("id") == session:
            yield entry.link.n, SessionPlace(**place)


def logged_takes(log: Path, session: str) -> dict[str, LoggedTake]:
    """What a log has of the takes of a session, by their digests. Raises RecordError."""
    found = (
        one.action for one in entries(log, holding=session.encode(), sessions=True) if one.of_session and one.whole
    )
    return {take.take: take for record in found if record.session.id == session for take in record.painted}


def session_faults(session: Session, logged: Iterable[tuple[int, SessionPlace]]) -> Iterator[Fault]:
    """Where a session is not what a log has of it: an action is another one, or is gone."""
    digests = _digests(session)
    for line, place in logged:
        if place.id != session.id:
            yield Fault(line, f"the session {place.place} was replaced by another one")
        elif digests.get(place.number) != place.entry:
            # In the same words however it goes on, as an operator may have accepted them.
            gone = f"the session {place.place} has no longer its action {place.number}"
            yield Fault(line, f"{gone}: it was changed, or is an older copy")


def compare_sessions(folder: Path, named: NamedFiles, found: FileFindings) -> None:
    """Compare each session with the records of its actions, and every file within it with its digest."""
    for place, logged in named.sessions.items():
        path = file_at(place, folder)
        if path is None:
            continue
        late = [line for line, _, one in logged if one]
        if late:
            were = "1 action was" if len(late) == 1 else f"{len(late)} actions were"
            found.notes.append(f"line {late[0]}: of the session {place}, {were} recorded later than done")
        first = logged[0][0]
        try:
            faults, more = call_in_time(_compared, path, [one[:2] for one in logged], seconds=READING)
        except (OverpaintError, OSError) as error:
            _unread(path, place, first, error, found)
            continue
        found.compared += 1
        found.faults += faults
        if more:
            found.notes.append(f"the session {place} has {more} that the log does not have")


def _compared(path: Path, logged: list[tuple[int, SessionPlace]]) -> tuple[list[Fault], str]:
    """The faults of a session, and how many actions the log does not have, in words."""
    with Session.open(path, read_only=True) as session:
        faults = list(session_faults(session, logged))
        try:
            session.check(rasters=True)
        except SessionError as error:
            faults.append(Fault(None, f"{path.name}: {error}"))
        known = {place.number for _, place in logged}
        more = sum(one.number not in known for one in session.actions)
        return faults, "" if not more else "1 action" if more == 1 else f"{more} actions"


def _unread(path: Path, place: str, line: int, error: OverpaintError | OSError, found: FileFindings) -> None:
    code = error.code if isinstance(error, OverpaintError) else ""
    if code == "session-missing":
        found.notes.append(f"line {line}: the session {place} is not where it was")
    elif code == "session-in-use":
        found.notes.append(f"the session {place} is in use, and was not compared")
    else:
        why = str(error).removeprefix(f"{path}: ")
        found.faults.append(Fault(line, f"the session {place} can't be read: {why}"))


def _digests(session: Session) -> dict[int, str]:
    return {0: session.id, **{one.number: one.sha256 for one in session.actions}}


def _place(session: Session, number: int, folder: Path) -> SessionPlace:
    return SessionPlace(
        place=place_of(session.place, folder), id=session.id, number=number, entry=_digests(session)[number]
    )


def _place_of_original(session: Session, folder: Path) -> str | None:
    """Where the file is that a session was made of; None where that is not known. Of one that was made earlier, the
    file of its name beside it, if that is the one.
    """
    original, path = session.head.original, session.begun_from
    if path is None and original.name:
        path = session.place.with_name(original.name)
    try:
        same = path is not None and is_file(path) and digest_in_time(path) == original.sha256
    except OSError:
        return None
    return place_of(path, folder) if same and path is not None else None


def _models(records: Sequence[Record]) -> tuple[ModelUsed, ...]:
    found = (one for record in records for one in models_used(record.resolved, _licence(record.resolved.engine)))
    return tuple(dict.fromkeys(found))


def _licence(engine: str) -> str:
    """The licence of an engine, where it is still there."""
    try:
        return card(engine).licence
    except OverpaintError:
        return ""
