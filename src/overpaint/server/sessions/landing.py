"""Which jobs have written a step into a session, so that a job that is done again after a crash writes it once.

Before a step is written into the session's journal, its takes are noted here under the job. If the server ends between
that and the end of the job, the job finds its takes in the journal at its next start, or finds that they are not there.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from overpaint.files import write_file
from overpaint.session import Session, SessionAction

_KEPT = 200
"""Landings of a session that are kept: jobs of one session are done one after the other, so that one would do."""


@dataclass(frozen=True, slots=True)
class Landing:
    """A step that was about to be written.

    Attributes:
        job: The job's id.
        after: How many actions the journal had before.
        takes: The digests of the step's takes.
    """

    job: str
    after: int
    takes: tuple[str, ...]


def note_landing(path: Path, landing: Landing) -> None:
    """Write down that a step is about to be written. Raises OutputError."""
    noted = [*_read(path), asdict(landing)][-_KEPT:]
    write_file(path, json.dumps(noted).encode(), overwrite=True, permissions=0o600)


def landed_by(path: Path, job: str, session: Session) -> list[SessionAction]:
    """The actions of a session that a job has written."""
    found = []
    for landing in (Landing(**{**one, "takes": tuple(one["takes"])}) for one in _read(path) if one["job"] == job):
        later = session.actions[landing.after :]
        found += [action for action in later if action.takes == landing.takes][:1]
    return found


def _read(path: Path) -> list[dict[str, Any]]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_bytes())
        return found if isinstance(found, list) else []
    return []
