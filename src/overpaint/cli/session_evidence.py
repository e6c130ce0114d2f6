"""What `overpaint audit show` and `overpaint replay` say of sessions."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from overpaint.errors import InputError, RecordError

from .messages import DONE, FAILED, UNCOMPARED
from .progress import bar
from .texts import print_json, print_rows, visible

if TYPE_CHECKING:
    from overpaint.audit import FileComparison, LogEntry, ReplayedTake, SessionPlace, SessionRecord
    from overpaint.session import Session

    from .options import Device, Written


def action_rows(found: LogEntry) -> list[tuple[str, str]]:
    """The record of an action in lines for people."""
    record = found.action
    whole = "" if found.whole else "; CHANGED since it was written"
    who = f" by {record.who.words}" if record.who.words else ""
    late = ", later than it was done" if record.late else ""
    place = record.session
    rows = [
        ("record", f"{found.link.id}, line {found.link.n} of {found.log}{whole}"),
        ("made", f"{record.made}{who}{late}"),
        ("session", f"{place.place}, action {place.number}, branch {record.branch}"),
        ("action", _text(record)),
    ]
    rows += [("mask", f"{mask.place} ({mask.sha256[:12]}...)") for mask in record.masks]
    for take in record.painted:
        resolved = take.edit.resolved
        seed = "" if resolved.seed is None else f"; seed {resolved.seed}"
        rows.append(("edit", f"{resolved.intent} with {resolved.model or resolved.engine}{seed}"))
        request = "" if take.request is None else f", request {take.request[:12]}..."
        rows.append(("digests", f"paint {take.paint[:12]}...{request}, take {take.take[:12]}..."))
        prompt = take.hidden.get("prompt") or resolved.prompt
        rows += [("prompt", prompt)] if prompt else []
    rows.append(("result", "not known any more" if record.result is None else f"pixels {record.result[:12]}..."))
    return [(name, visible(text)) for name, text in rows]


def show_session(path: Path, log: Path, *, json: bool) -> int:
    """Print all that a log has of a session, a line for each action."""
    from overpaint.audit import entries

    with _opened(path) as session:
        id = session.id
    found = [one for one in entries(log, holding=id.encode(), sessions=True) if _place(one).id == id]
    if not found:
        raise RecordError(f"{log} has no record of {path}")
    if json:
        import json as json_module

        lines = [
            {"line": one.link.n, "id": one.link.id, "whole": one.whole, "record": json_module.loads(one.text)}
            for one in found
        ]
        print_json({"log": str(log), "session": str(path), "records": lines})
    else:
        rows = [("line", "record", "made", "action", "what")]
        rows += [
            (str(one.link.n), one.link.id[:12], _made(one), str(_place(one).number), visible(_said(one)))
            for one in found
        ]
        print_rows(rows, header=True)
    return DONE if all(one.whole for one in found) else FAILED


def knows_session(log: Path, session: Path) -> bool:
    """Whether a log has a whole record of a session. Raises SessionError where the session can't be read."""
    from overpaint.audit import logged_actions
    from overpaint.session import Session

    with Session.open(session, read_only=True) as found, contextlib.suppress(InputError):
        return any(True for _ in logged_actions(log, found.id))
    return False


def replay_of_session(
    path: Path, log: Path | None, number: int | None, *, device: Device, written: Written, unlogged: str = ""
) -> int:
    """Paint what a session has painted once more, all of it or what one action has, and say whether it is the same.

    Args:
        path: The session.
        log: The log to compare with too.
        number: The action; None for all.
        device, written: As for every replay.
        unlogged: Why there is no log.
    """
    from overpaint.audit import logged_takes, replay_session

    with bar(quiet=written.quiet) as shown, _opened(path, device) as session:
        shown.say("painting")
        logged = None if log is None else logged_takes(log, session.id)
        done = list(
            replay_session(
                session,
                wanted=lambda action: number in (None, action.number),
                logged=logged,
                log="" if log is None else str(log),
                monitor=shown.monitor(),
            )
        )
    if written.json:
        print_json({"session": str(path), "log": log and str(log), "takes": [asdict(one) for one in done]})
    elif not written.quiet:
        _say(str(path), done)
        if log is None:
            print(visible(f"note: it was compared with itself alone: {unlogged}"))
        elif any(one.outcome == "not compared" and one.unlogged for one in done):
            rest = f"a verb on {path} with --audit {log} records the rest"
            print(visible(f"note: name another log by --audit; or {rest}"))
    return _status(one.outcome for one in done)


def replay_of_export(what: str, entry: LogEntry, made: Path | None, *, device: Device, written: Written) -> int:
    """Paint the steps of a picture that a session was exported to once more, and compare the file with the session."""
    from overpaint.audit import export_contradictions, file_comparison, logged_takes, replay_session
    from overpaint.doors.reading import readers
    from overpaint.files import READING
    from overpaint.picture import open_picture
    from overpaint.record import WatermarkChoice, read_record

    record, place = entry.record, entry.record.session
    assert place is not None
    path = entry.log.parent / place.place
    with bar(quiet=written.quiet) as shown, _opened(path, device) as session:
        shown.say("painting")
        _check_place(session, place)
        state = session.actions[place.number - 1].after
        takes = frozenset(step.take for step in state.visible)
        logged = logged_takes(entry.log, session.id)
        done = list(replay_session(session, takes=takes, logged=logged, log=str(entry.log), monitor=shown.monitor()))
        finished = session.flatten(state)
        marks = record.edit.marks
        if marks is not None and marks.watermark is not None:
            finished = finished.watermarked(WatermarkChoice.of_record(marks.watermark))
        file = made or entry.log.parent / record.output.place
        picture = readers.call(open_picture, str(file), seconds=READING) if file.is_file() else None
        found = file_comparison(finished, picture, record.output.format, record.edit)
        equal = finished.pixels_sha256() == record.edit.pixels_sha256
        within = None if picture is None else read_record(file)
        said = export_contradictions(record, finished, picture, None if within is None else within.record)
    if written.json:
        table = {"session": str(path), "takes": [asdict(one) for one in done], "file": found.file}
        print_json({**table, "reason": found.reason or None, "composed_as_recorded": equal, "contradictions": said})
    elif not written.quiet:
        _say(str(path), done)
        print(visible(f"{what}: {_of_file(found, equal, str(finished.picture.size))}"))
        for one in said:
            print(visible(f"{what}: BUT {one}"))
    whole = equal and not found.surplus and not said
    return _status((*(one.outcome for one in done), found.file if whole else "different"))


def _of_file(found: FileComparison, equal: bool, size: str) -> str:
    if not equal:
        return "the session gives another picture than the log has"
    if found.file == "same":
        more = f", BUT THE FILE HOLDS MORE: {found.surplus}" if found.surplus else ""
        return f"the same {size} picture came out of the session, every pixel equal{more}"
    if found.file == "different":
        return f"the file is not the session's picture, which is as recorded: {found.reason}"
    return f"the session's picture is as recorded, but THE FILE WAS NOT COMPARED: {found.reason}"


def _say(name: str, done: list[ReplayedTake]) -> None:
    for one in done:
        take = f", take {one.take}" if one.take else ""
        said = {"same": "the same came out, every sample equal", "different": "ANOTHER PAINT CAME OUT"}
        text = said.get(one.outcome, "NOT COMPARED")
        if one.painted and one.contradictions:
            text = "the same came out, BUT ITS RECORD SAYS OTHERWISE"
        print(visible(f"{name}, step {one.step}{take}: {text}{f': {one.reason}' if one.reason else ''}"))
    for note in dict.fromkeys(note for one in done for note in one.notes):
        print(visible(f"note: {note}"))
    if not done:
        print(visible(f"{name}: nothing was painted"))


def _status(outcomes: Iterable[str]) -> int:
    found = set(outcomes)
    return FAILED if "different" in found else UNCOMPARED if "not compared" in found else DONE


def _check_place(session: Session, place: SessionPlace) -> None:
    """Raise RecordError unless the session is what a log's line was made of."""
    from overpaint.audit import session_faults

    for fault in session_faults(session, [(0, place)]):
        raise RecordError(fault.text)


@contextmanager
def _opened(path: Path, device: Device = "auto") -> Iterator[Session]:
    from overpaint.session import Session
    from overpaint.studio import Studio

    with Studio(device=device) as studio, Session.open(path, read_only=True, studio=studio) as session:
        yield session


def _place(entry: LogEntry) -> SessionPlace:
    from overpaint.audit import SessionPlace

    place = entry.action.session if entry.of_session else entry.record.session
    return SessionPlace(place="", id="0" * 64, number=0, entry="0" * 64) if place is None else place


def _made(entry: LogEntry) -> str:
    return entry.action.made if entry.of_session else entry.record.made


def _said(entry: LogEntry) -> str:
    if not entry.of_session:
        return f"exported to {entry.record.output.place}"
    record = entry.action
    painted = f": {record.painted[0].edit.resolved.intent} with {_painter(record)}" if record.painted else ""
    return _text(record) + painted + (" (recorded later)" if record.late else "")


def _painter(record: SessionRecord) -> str:
    resolved = record.painted[0].edit.resolved
    return resolved.model or resolved.engine


def _text(record: SessionRecord) -> str:
    from overpaint.session import action_text

    if record.action.get("do") == "new":
        return f"begun with {record.action.get('name') or 'a picture'}"
    return action_text(record.action)
