"""What the verbs of `overpaint session` share: opening a session, and what is printed of it."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Group

from overpaint.errors import RequestError

from .audited import session_audit
from .edit import studio_of
from .messages import note_line
from .options import Printed, Run, argument
from .result_options import AUDITED_UNSET, Audited
from .streams import STDIO
from .texts import print_json, print_line

if TYPE_CHECKING:
    from overpaint.session import Session, Step

SESSION = Group("Session", sort_key=0)

SessionPath = Annotated[str, argument("SESSION", "The session: a file or a folder.", SESSION)]


@contextmanager
def opened_session(
    path: str,
    *,
    read_only: bool = False,
    run: Run | None = None,
    audited: Audited = AUDITED_UNSET,
    masks: Iterable[Path] = (),
) -> Iterator[Session]:
    """The session, and the studio that it paints with, while the work lasts.

    Args:
        path: Its file or folder.
        read_only: Whether nothing is to be changed.
        run: How it paints; None where it does not.
        audited: The audit log that what is done is recorded in.
        masks: Files that masks are read from.
    """
    from overpaint.session import Session

    if path == STDIO:
        raise RequestError("a session is a file or a folder, and can't be read from standard input", field="session")
    recorder = session_audit(audited, masks)
    studio = None if run is None else studio_of(run)
    try:
        with Session.open(path, read_only=read_only, studio=studio, recorder=recorder) as session:
            if session.torn:
                print_line(f"note: the end of {path} was missing, and {_last_whole(session)}", error=True)
            yield session
    finally:
        if studio is not None:
            studio.close()


def _last_whole(session: Session) -> str:
    """Which action is the last that is left, in words."""
    if not session.actions:
        return "no action is left"
    last = session.actions[-1]
    at = last.time[:19].replace("T", " ")
    return f"what was done after action {last.number}, '{last.text}' of {at} UTC, is lost; the rest is whole"


def print_session(session: Session, printed: Printed, line: str, *steps: Step) -> None:
    """What was done, as a line with the notes of these steps, or the session as an object for programs."""
    if printed.json:
        print_json(session_mapping(session))
        return
    if printed.quiet:
        return
    print_line(line)
    for note in dict.fromkeys(note for step in steps for note in (*step.notes, step.doubt) if note):
        print(note_line(note), file=sys.stderr)
    canvas, shown = session.canvas, [one for one in session.steps if one.visible]
    beyond = [one.number for one in shown if one.box.intersect(canvas).empty]
    if beyond:
        print_line(f"note: {_about(beyond, 'lies', 'lie')} beyond the picture now, and waits for its margins to show")
    if stale := [number for number in session.newly_stale if number not in beyond]:
        again = f"overpaint session rerun {shlex.quote(str(session.path))} --stale"
        print_line(f"note: {_about(stale, 'is', 'are')} stale, as what was seen below has changed: '{again}'")


def _about(steps: list[int], one: str, several: str) -> str:
    """ "step 2 is", "steps 2, 5 are": in the order of their numbers."""
    numbers = ", ".join(map(str, sorted(steps)))
    return f"step {numbers} {one}" if len(steps) == 1 else f"steps {numbers} {several}"


def session_mapping(session: Session) -> dict[str, Any]:
    """A session as plain values."""
    original = session.head.original
    return {
        "session": str(session.path),
        "original": {"name": original.name, "sha256": original.sha256, "size": [original.width, original.height]},
        "size": list(session.size),
        "branch": session.branch,
        "branches": list(session.branches),
        "can_undo": session.can_undo,
        "can_redo": session.can_redo,
        "steps": [{**asdict(step), "box": list(step.box), "notes": list(step.notes)} for step in session.steps],
    }
