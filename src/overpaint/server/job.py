"""A job of a server: what is asked for, where it stands, and how the ledger has it."""

from __future__ import annotations

import json
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from overpaint.engines import Monitor
from overpaint.errors import OverpaintError
from overpaint.ledger import LedgerEntry
from overpaint.values import digest_of

from .decoding import small_picture
from .events import JobEvents
from .tasks import ResultSettings, ServerTask, SessionTask, task_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger("overpaint.server")

JobState = Literal["queued", "running", "done", "failed", "cancelled"]

_PROGRESS = 0.05  # seconds between two events of progress
_PREVIEW = 0.5  # and between two previews


@dataclass(eq=False)
class EditJob:
    """A job as the server has it in memory.

    Attributes:
        id: Its name, which nobody guesses.
        owner: The client whose it is.
        task: What is asked for.
        state: Where it stands.
        created, updated: Seconds since 1970.
        attempts: How often it was started.
        notes: What a person should know before it is painted.
        step, steps: The engine's progress; steps is 0 before the first.
        results: Those that there are.
        error: Why it failed, as the body of an error.
        idempotency: The name that its client gave the request.
        temporary: Whether it is of a call that waits for it, and goes with that.
        waiting: Calls that wait for it.
        waits_since: When it came into the queue, on the clock of `time.monotonic`.
        events: What has happened to it since the server started.
        monitor: Of the work on it.
        given_back: Whether it was stopped so that the next server does it.
        begun: When it was started last, in seconds of the monotonic clock.
        late: Whether it was stopped because it took too long.
    """

    id: str
    owner: str
    task: ServerTask
    state: JobState
    created: float
    updated: float
    attempts: int = 0
    notes: tuple[str, ...] = ()
    step: int = 0
    steps: int = 0
    results: list[dict[str, Any]] = field(default_factory=list)
    error: dict[str, Any] | None = None
    idempotency: str | None = None
    temporary: bool = False
    waiting: int = 0
    waits_since: float = 0.0
    events: JobEvents = field(default_factory=JobEvents)
    monitor: Monitor | None = None
    given_back: bool = False
    begun: float = 0.0
    late: bool = False

    @cached_property
    def digest(self) -> str:
        """A digest of everything that is asked for."""
        return digest_of(self.asked)

    @cached_property
    def asked(self) -> dict[str, Any]:
        """What is asked for, as plain values; not to be changed."""
        return self.task.to_mapping()

    @property
    def session(self) -> str | None:
        """The session that it works on; None for none."""
        return self.task.session if isinstance(self.task, SessionTask) else None

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it by itself."""
        return self.state in ("done", "failed", "cancelled")


@dataclass(frozen=True)
class Submission:
    """A job that a client asks for.

    Attributes:
        owner: The client.
        task: What is asked for.
        idempotency: A name that the client gave this request: the job of an earlier one of that name is meant.
        attach: Whether the unfinished job of the same task is meant in place of a second one.
        temporary: Whether it is of a call that waits for it: a server that starts anew does not do it.
        check: Called before anything else, on a thread; what it raises refuses the job.
    """

    owner: str
    task: ServerTask
    idempotency: str | None = None
    attach: bool = True
    temporary: bool = False
    check: Callable[[], object] = lambda: None

    @cached_property
    def asked(self) -> dict[str, Any]:
        """What is asked for, as plain values; not to be changed."""
        return self.task.to_mapping()

    @cached_property
    def digest(self) -> str:
        """A digest of everything that is asked for."""
        return digest_of(self.asked)


def job_for(asked: Submission, notes: tuple[str, ...]) -> EditJob:
    """A job that is asked for, with what is to be noted of it."""
    now = time.time()
    job = EditJob(
        id=secrets.token_hex(16),
        owner=asked.owner,
        task=asked.task,
        state="queued",
        created=now,
        updated=now,
        notes=notes,
        idempotency=asked.idempotency,
        temporary=asked.temporary,
    )
    job.asked, job.digest = asked.asked, asked.digest  # made already
    return job


def ended_words(job: EditJob, state: JobState, error: OverpaintError | None) -> str:
    """How a job ended, for the log: nothing of its picture, its prompt or its files."""
    why = "" if error is None else f" ({error.code})"
    return f"the job {job.id} of {job.owner} is {state}{why} after {time.monotonic() - job.begun:.1f} s"


def is_private(job: EditJob) -> bool:
    """Whether nothing of it stays on the disk once it has ended."""
    return isinstance(job.task, ResultSettings) and job.task.private


def spec_of(job: EditJob) -> str:
    """What the ledger keeps of a job from its beginning."""
    return json.dumps(
        {
            "owner": job.owner,
            "created": job.created,
            "idempotency": job.idempotency,
            "temporary": job.temporary,
            "notes": job.notes,
            "task": job.asked,
        }
    )


def job_of(entry: LedgerEntry) -> EditJob:
    """A job from the ledger. ValueError, KeyError or an OverpaintError where that can't be read."""
    spec, detail = json.loads(entry.spec), json.loads(entry.detail or "{}")
    ended: JobState | None = detail.get("state") if entry.state in ("done", "failed") else None
    return EditJob(
        id=entry.id,
        owner=spec["owner"],
        task=task_of(spec["task"]),
        state=ended or ("failed" if entry.state == "failed" else "queued"),
        created=spec["created"],
        updated=entry.updated,
        attempts=entry.attempts,
        notes=tuple(spec["notes"]),
        results=detail.get("results", []) if ended else [],
        error=detail.get("error") if ended else None,
        idempotency=spec["idempotency"],
        temporary=spec["temporary"],
    )


def jobs_of(entries: Iterable[LedgerEntry]) -> Iterator[tuple[EditJob, LedgerEntry]]:
    """The jobs of a ledger, without those that can't be read."""
    for entry in entries:
        try:
            yield job_of(entry), entry
        except (OverpaintError, ValueError, KeyError, TypeError) as error:
            log.error("the ledger's job %s can't be read, and is left out: %s", entry.id, error)


def monitor_of(job: EditJob) -> Monitor:
    """The monitor of the work on a job, whose reports become its events."""
    last = shown = 0.0
    sent: tuple[int, int] | None = None

    def progress(step: int, steps: int) -> None:
        nonlocal last, sent
        job.step, job.steps = step, steps
        now = time.monotonic()
        if (step, steps) != sent and (step == steps or now - last >= _PROGRESS):
            last, sent = now, (step, steps)
            job.events.add("progress", step=step, steps=steps)

    def preview(pixels: NDArray[np.float32]) -> None:
        nonlocal shown
        now = time.monotonic()
        if job.events.followed and now - shown >= _PREVIEW:
            shown = now
            job.events.add("preview", image=small_picture(pixels))

    return Monitor(
        on_progress=progress,
        on_preview=preview,
        on_loading=lambda model: job.events.add("loading", model=model),
        on_note=lambda text: job.events.add("note", text=text),
        on_stage=lambda text: job.events.add("stage", text=text),
    )
